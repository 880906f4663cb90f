"""The selection tools in a real viewport, driven by real events."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from core.editing import SelectOp
from core.editing.regions import flood, heaviest, in_front, like_color, sight
from tests.viewer.window_stage import write_scene
from viewer.session import Session
from viewer.tools.commands import NOTHING_HIDDEN, NOTHING_SELECTED, SelectionCommands
from viewer.tools.context import ToolContext
from viewer.tools.drags import DragTool
from viewer.tools.kit import make_tools
from viewer.tools.options_bar import ToolOptions
from viewer.viewport.viewport import Viewport

WIDTH, HEIGHT = 420, 320
LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CTRL = Qt.KeyboardModifier.ControlModifier


class Stage:
    """A viewport with all tools and their options, and a scene in its session."""

    def __init__(self, qtbot: QtBot, path: Path) -> None:
        self.qtbot = qtbot
        self.session = Session()
        self.notes: list[tuple[str, str]] = []
        self.session.notified.connect(lambda level, text: self.notes.append((level, text)))
        self.window = QWidget()
        self.viewport = Viewport(self.session)
        self.box = self.viewport.toolbox
        self.options = ToolOptions(self.session, self.box)
        column = QVBoxLayout(self.window)
        column.addWidget(self.options)
        column.addWidget(self.viewport, 1)
        context = ToolContext(
            self.session, self.box, self.viewport.camera, self.viewport.devicePixelRatioF
        )
        self.tools = make_tools(context)
        self.window.resize(WIDTH, HEIGHT)
        self.window.show()
        with qtbot.waitSignal(self.session.document_replaced, timeout=20_000):
            self.session.open(path)
        qtbot.waitUntil(lambda: self.viewport.settled, timeout=20_000)
        assert self.session.document is not None
        self.document = self.session.document

    def choose(self, name: str) -> None:
        self.box.choose(self.tools[f"tool.{name}"])
        QApplication.processEvents()
        self.middle = self.viewport.rect().center()

    def at(self, x: int, y: int) -> QPoint:
        """A place counted from the middle of the picture."""
        return self.middle + QPoint(x, y)

    def move(self, at: QPoint, buttons: Qt.MouseButton = LEFT) -> None:
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(at),
            QPointF(self.viewport.mapToGlobal(at)),
            Qt.MouseButton.NoButton,
            buttons,
            NONE,
        )
        QApplication.sendEvent(self.viewport, event)

    def drag(
        self, points: Sequence[QPoint], keys: Qt.KeyboardModifier = NONE, release: bool = True
    ) -> None:
        QTest.mousePress(self.viewport, LEFT, keys, points[0])
        for point in points[1:]:
            self.move(point)
        if release:
            QTest.mouseRelease(self.viewport, LEFT, keys, points[-1])

    def click(self, at: QPoint, keys: Qt.KeyboardModifier = NONE) -> None:
        QTest.mouseClick(self.viewport, LEFT, keys, at)

    def wait_edits(self, count: int) -> None:
        self.qtbot.waitUntil(lambda: len(self.document.history.edits) == count, timeout=10_000)

    def wait_idle(self) -> None:
        """Wait until every question asked so far is answered."""
        answered: list[bool] = []
        self.session.asker.ask("test", lambda: True, answered.append)
        self.qtbot.waitUntil(lambda: bool(answered), timeout=10_000)

    def places(self) -> NDArray[np.float64]:
        """Where the centres appear, logical pixels, ``(N, 2)``."""
        camera = self.viewport.camera()
        means = self.document.scene.means.double().numpy()
        transform = camera.world_to_camera
        seen = (means @ transform[:3, :3].T + transform[:3, 3]) @ camera.K.T
        return np.asarray(seen[:, :2] / seen[:, 2:] / self.viewport.devicePixelRatioF())

    def assert_selected(self, inside: NDArray[np.bool_], doubtful: NDArray[np.bool_]) -> None:
        """The selected Gaussians are those inside, whatever becomes of doubtful ones."""
        selected = self.document.selected.numpy()
        np.testing.assert_array_equal(selected[~doubtful], inside[~doubtful])
        assert 0 < selected.sum() < len(selected)

    @property
    def last_edit(self) -> str | None:
        return self.document.history.undo_name


@pytest.fixture
def stage(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")
    stage = Stage(qtbot, write_scene(tmp_path))
    yield stage
    stage.viewport.shut_down()
    stage.session.shut_down()
    stage.window.close()
    stage.window.deleteLater()


def in_rectangle(
    places: NDArray[np.float64], first: QPoint, last: QPoint, margin: float = 1.0
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    low = np.minimum((first.x(), first.y()), (last.x(), last.y()))
    high = np.maximum((first.x(), first.y()), (last.x(), last.y()))
    inside = ((places > low) & (places < high)).all(axis=1)
    near = np.minimum(np.abs(places - low), np.abs(places - high)).min(axis=1) < margin
    return inside, near


def test_a_rectangle_selects_what_appears_in_it(stage: Stage) -> None:
    stage.choose("rect")
    corners = stage.at(60, 50), stage.at(-40, -20)
    stage.drag([corners[0], stage.at(0, 0), corners[1]])
    stage.wait_edits(1)
    stage.assert_selected(*in_rectangle(stage.places(), *corners))
    assert stage.last_edit == "Select by rectangle"
    assert stage.box.active is stage.tools["tool.rect"]


def test_shift_adds_ctrl_removes_and_both_intersect(stage: Stage) -> None:
    stage.choose("rect")
    left, right = (stage.at(-60, -60), stage.at(0, 60)), (stage.at(-20, -60), stage.at(60, 60))
    in_left, near_left = in_rectangle(stage.places(), *left)
    in_right, near_right = in_rectangle(stage.places(), *right)
    doubtful = near_left | near_right
    stage.drag(left)
    for keys, expected in (
        (SHIFT, in_left | in_right),
        (CTRL, in_left & ~in_right),
        (SHIFT | CTRL, in_left & in_right),
    ):
        stage.wait_edits(1)
        stage.drag(right, keys)
        stage.wait_edits(2)
        stage.assert_selected(expected, doubtful)
        stage.document.undo()
        stage.document.history._edits.pop()


def test_quick_gestures_are_all_done(stage: Stage) -> None:
    stage.choose("rect")
    for x in (-60, -30, 0, 30):
        stage.drag([stage.at(x, -60), stage.at(x + 15, 60)], SHIFT)
    stage.wait_edits(4)
    x = stage.places()[:, 0] - stage.middle.x()
    for first in (-60, -30, 0, 30):
        inside = (x > first + 1) & (x < first + 14) & stage.document.selected.numpy()
        assert inside.any()


def test_a_click_selects_the_one_that_weighs_most_there(stage: Stage) -> None:
    stage.choose("rect")
    at = stage.at(5, -8)
    stage.click(at)
    stage.wait_edits(1)
    ratio = stage.viewport.devicePixelRatioF()
    expected = heaviest(
        stage.document.scene,
        stage.viewport.camera(),
        at.x() * ratio,
        at.y() * ratio,
        stage.document.visible,
    )
    assert stage.document.selected.equal(expected)
    assert stage.document.selected_count == 1


def test_a_click_beside_the_scene_selects_nothing(stage: Stage) -> None:
    stage.document.select_all()
    stage.choose("rect")
    stage.click(QPoint(3, 3))
    stage.wait_edits(2)
    assert stage.document.selected_count == 0


def test_a_lasso_selects_what_it_goes_around(stage: Stage) -> None:
    stage.choose("lasso")
    triangle = [stage.at(-60, 40), stage.at(0, -60), stage.at(60, 40)]
    path = [
        start + (end - start) * (step / 12)
        for start, end in pairwise(triangle)
        for step in range(13)
    ]
    stage.drag(path)
    stage.wait_edits(1)
    places = stage.places() - (stage.middle.x(), stage.middle.y())
    side = 100 / 60
    x, y = places.T
    gaps = np.stack([40 - y, y + 60 - side * x, y + 60 + side * x])
    stage.assert_selected((gaps > 0).all(axis=0), (np.abs(gaps) < 3).any(axis=0))
    assert stage.last_edit == "Select by lasso"


def test_a_polygon_closes_by_return_and_backspace_takes_a_corner_back(stage: Stage) -> None:
    stage.choose("polygon")
    corners = [stage.at(-50, -40), stage.at(50, -40), stage.at(50, 40), stage.at(-50, 40)]
    stage.click(corners[0])
    stage.click(corners[1])
    assert not stage.box.accept(), "two corners are no polygon"
    stage.click(stage.at(0, 90))
    assert stage.box.step_back()
    stage.click(corners[2])
    stage.click(corners[3])
    assert stage.box.accept()
    stage.wait_edits(1)
    stage.assert_selected(*in_rectangle(stage.places(), corners[0], corners[2]))
    assert not stage.box.accept()
    assert not stage.box.step_back()


def test_a_polygon_closes_by_a_double_click_and_at_its_first_corner(stage: Stage) -> None:
    stage.choose("polygon")
    corners = [stage.at(-50, -40), stage.at(50, -40), stage.at(50, 40)]
    for corner in corners:
        stage.click(corner)
    QTest.mouseDClick(stage.viewport, LEFT, NONE, corners[-1])
    QTest.mouseRelease(stage.viewport, LEFT, NONE, corners[-1])
    stage.wait_edits(1)
    first = stage.document.selected.clone()
    for corner in corners:
        stage.click(corner, SHIFT)
    stage.click(corners[0] + QPoint(3, 2))
    stage.wait_idle()
    assert stage.document.selected.equal(first)
    assert not stage.tools["tool.polygon"].cancel(), "the polygon is closed"


def test_escape_drops_the_gesture_then_the_tool(stage: Stage) -> None:
    stage.choose("lasso")
    stage.drag([stage.at(-50, 0), stage.at(0, 50), stage.at(50, 0)], release=False)
    stage.viewport.escape()
    assert stage.box.active is stage.tools["tool.lasso"]
    QTest.mouseRelease(stage.viewport, LEFT, NONE, stage.at(50, 0))
    stage.wait_idle()
    assert not stage.document.history.edits
    stage.viewport.escape()
    assert stage.box.active is None


def test_the_brush_paints_with_its_radius(stage: Stage) -> None:
    stage.choose("brush")
    stage.box.set_options(brush_px=20)
    stage.drag([stage.at(-50, 10), stage.at(0, 10), stage.at(50, 10)])
    stage.wait_edits(1)
    places = stage.places() - (stage.middle.x(), stage.middle.y())
    across = np.clip(places[:, 0], -50, 50) - places[:, 0]
    gap = np.hypot(across, places[:, 1] - 10) - 20
    stage.assert_selected(gap < 0, np.abs(gap) < 1.5)


def test_keys_and_ctrl_wheel_change_the_brush(stage: Stage) -> None:
    stage.choose("brush")
    before = stage.box.brush_px
    stage.box.bigger()
    assert stage.box.brush_px > before
    stage.box.smaller()
    assert stage.box.brush_px == pytest.approx(before)

    def turn(notches: int, keys: Qt.KeyboardModifier) -> None:
        at = QPointF(stage.middle)
        event = QWheelEvent(
            at,
            QPointF(stage.viewport.mapToGlobal(stage.middle)),
            QPoint(),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            keys,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(stage.viewport, event)

    distance = stage.viewport.navigator.pose.distance
    turn(1, CTRL)
    assert stage.box.brush_px > before
    turn(-1, CTRL)
    turn(-1, CTRL)
    assert stage.box.brush_px < before
    assert stage.viewport.navigator.pose.distance == distance
    turn(1, NONE)
    assert stage.viewport.navigator.pose.distance < distance
    for _ in range(40):
        stage.box.bigger()
    assert stage.box.brush_px == 400


def test_front_only_leaves_out_what_lies_behind(stage: Stage) -> None:
    stage.choose("rect")
    corners = stage.at(-60, -60), stage.at(60, 60)
    stage.drag(corners)
    stage.wait_edits(1)
    through = stage.document.selected.clone()
    stage.box.toggle_front_only()
    stage.drag(corners)
    stage.wait_edits(2)
    front = in_front(stage.document.scene, stage.viewport.camera(), stage.document.visible)
    assert stage.document.selected.equal(through & front)
    assert 0 < stage.document.selected_count < int(through.sum())


def test_hidden_gaussians_and_those_the_preview_hides_are_not_selected(stage: Stage) -> None:
    hidden = torch.arange(len(stage.document.scene)) % 3 == 0
    stage.document.select(hidden)
    stage.document.hide_selected()
    stage.session.set_score("opacity")
    stage.session.set_target(stage.document.alive_count // 2)
    stage.session.set_hiding(True)
    stage.choose("rect")
    stage.drag([QPoint(1, 1), stage.viewport.rect().bottomRight()])
    stage.wait_edits(3)
    removed = stage.session.removed
    assert removed is not None
    assert stage.document.selected.equal(~hidden & ~removed)


@pytest.mark.parametrize("name", ["flood", "picker"])
def test_a_click_selects_by_colour(stage: Stage, name: str) -> None:
    stage.choose(name)
    stage.box.set_options(tolerance=0.4)
    at = stage.at(4, 6)
    stage.click(at)
    stage.wait_edits(1)
    scene, visible = stage.document.scene, stage.document.visible
    ratio = stage.viewport.devicePixelRatioF()
    seen = sight(scene, stage.viewport.camera(), at.x() * ratio, at.y() * ratio, visible)
    assert seen is not None
    alike = like_color(scene, seen.color, 0.4, visible)
    expected = alike if name == "picker" else flood(scene, seen, 0.4, visible)
    assert stage.document.selected.equal(expected)
    assert 0 < stage.document.selected_count < len(scene)


def test_a_sphere_is_laid_around_the_point_that_was_pressed(stage: Stage) -> None:
    stage.choose("sphere")
    at = stage.at(0, 0)
    stage.drag([at, stage.at(20, 0), stage.at(40, 0)])
    stage.wait_edits(1)
    camera, ratio = stage.viewport.camera(), stage.viewport.devicePixelRatioF()
    scene = stage.document.scene
    seen = sight(scene, camera, at.x() * ratio, at.y() * ratio, stage.document.visible)
    assert seen is not None
    radius = 40 * ratio * seen.depth / camera.K[0, 0]
    gap = np.linalg.norm(scene.means.double().numpy() - seen.point, axis=1) - radius
    stage.assert_selected(gap < 0, np.abs(gap) < 0.01 * radius)


def test_a_box_is_as_wide_and_as_high_as_the_drag(stage: Stage) -> None:
    stage.viewport.navigator.set_up((0, -1, 0))
    stage.choose("box")
    at = stage.at(0, 0)
    stage.drag([at, stage.at(20, 30), stage.at(25, 60)])
    stage.wait_edits(1)
    camera, ratio = stage.viewport.camera(), stage.viewport.devicePixelRatioF()
    scene = stage.document.scene
    seen = sight(scene, camera, at.x() * ratio, at.y() * ratio, stage.document.visible)
    assert seen is not None
    pixel = ratio * seen.depth / camera.K[0, 0]
    half = np.array([25 * pixel, 60 * pixel, 25 * pixel])
    gap = (np.abs(scene.means.double().numpy() - seen.point) - half).max(axis=1)
    stage.assert_selected(gap < 0, np.abs(gap) < 0.01 * half[0])


def test_a_volume_beside_the_scene_says_so(stage: Stage) -> None:
    stage.choose("sphere")
    stage.drag([QPoint(3, 3), QPoint(40, 40)])
    stage.qtbot.waitUntil(lambda: bool(stage.notes))
    assert stage.notes[0][0] == "info"
    assert not stage.document.history.edits
    assert not stage.tools["tool.sphere"].cancel()


@pytest.mark.parametrize("name", ["rect", "lasso", "polygon", "brush", "sphere", "box"])
def test_a_running_gesture_is_drawn_and_counted(stage: Stage, name: str) -> None:
    stage.choose(name)
    QApplication.processEvents()
    before = stage.viewport.grab().toImage()
    points = [stage.at(-50, -30), stage.at(40, -40), stage.at(30, 50)]
    if name == "polygon":
        for point in points:
            stage.click(point)
    else:
        stage.drag(points, release=False)
    tool = stage.tools[f"tool.{name}"]
    assert isinstance(tool, DragTool)
    stage.qtbot.waitUntil(lambda: tool._inside is not None)
    stage.wait_idle()
    assert stage.viewport.grab().toImage() != before
    counted = tool._inside
    assert counted
    if name == "polygon":
        stage.box.accept()
    else:
        QTest.mouseRelease(stage.viewport, LEFT, NONE, points[-1])
    stage.wait_edits(1)
    assert stage.document.selected_count == counted


def test_other_buttons_navigate_while_a_tool_is_in_use(stage: Stage) -> None:
    stage.choose("rect")
    before = stage.viewport.camera().world_to_camera
    QTest.mousePress(stage.viewport, Qt.MouseButton.MiddleButton, NONE, stage.at(0, 0))
    stage.move(stage.at(30, 10), Qt.MouseButton.MiddleButton)
    QTest.mouseRelease(stage.viewport, Qt.MouseButton.MiddleButton, NONE, stage.at(30, 10))
    assert not np.allclose(stage.viewport.camera().world_to_camera, before)
    stage.wait_idle()
    assert not stage.document.history.edits


def test_an_answer_for_a_scene_that_is_gone_is_dropped(stage: Stage, tmp_path: Path) -> None:
    stage.choose("rect")
    old = stage.document
    stage.drag([stage.at(-60, -60), stage.at(60, 60)])
    folder = tmp_path / "second"
    folder.mkdir()
    stage.session.document = None
    stage.wait_idle()
    assert not old.history.edits


def test_options_show_what_the_tool_knows_and_set_it(stage: Stage) -> None:
    options, box = stage.options, stage.box
    assert not options.isVisible()
    stage.choose("brush")
    assert options.isVisible()
    assert options.front_box.isVisible()
    assert options.size_spin.isVisible()
    assert not options.tolerance_spin.isVisible()
    QTest.mouseClick(options.op_buttons[SelectOp.REMOVE], LEFT)
    assert box.op == SelectOp.REMOVE
    assert box.op_for(NONE) == SelectOp.REMOVE
    assert box.op_for(SHIFT) == SelectOp.ADD
    options.front_box.click()
    assert box.front_only
    options.size_spin.setFocus()
    options.size_spin.selectAll()
    QTest.keyClicks(options.size_spin, "55")
    QTest.keyClick(options.size_spin, Qt.Key.Key_Return)
    assert box.brush_px == 55
    box.bigger()
    assert options.size_spin.value() == 66
    stage.choose("picker")
    assert options.tolerance_spin.isVisible()
    assert not options.front_box.isVisible()
    options.tolerance_spin.setValue(25)
    assert box.tolerance == pytest.approx(0.25)
    stage.document.select(torch.arange(len(stage.document.scene)) < 1234)
    assert options.count.text() == "1,234"
    QTest.mouseClick(options.leave_button, LEFT)
    assert box.active is None
    assert not options.isVisible()


def test_options_leave_out_what_finds_no_room(stage: Stage) -> None:
    stage.choose("brush")
    options, op = stage.options, stage.options.op_buttons[SelectOp.ADD]
    for width, words, title in ((480, False, False), (760, False, True), (1000, True, True)):
        stage.window.resize(width, HEIGHT)
        QApplication.processEvents()
        assert stage.window.width() == width, "the strip forces no width"
        assert (op.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon) == words
        assert options.title.isVisible() == title
        assert options.count.text().endswith("selected") == title
        for field in (op, options.front_box, options.size_spin, options.leave_button):
            assert field.isVisible()
            assert options.rect().contains(field.geometry())


def test_every_option_has_a_name_and_a_tooltip(stage: Stage) -> None:
    options = stage.options
    for widget in (
        *options.op_buttons.values(),
        options.front_box,
        options.size_spin,
        options.tolerance_spin,
        options.leave_button,
    ):
        assert widget.accessibleName()
        assert widget.toolTip()
    for tool in stage.tools.values():
        assert tool.title
        assert tool.hint


def test_commands_need_a_selection_and_are_undoable(stage: Stage) -> None:
    commands, document = SelectionCommands(stage.session), stage.document
    count = len(document.scene)
    for command in (
        commands.hide,
        commands.isolate,
        commands.delete,
        commands.grow,
        commands.shrink,
    ):
        command()
        assert stage.notes.pop() == ("info", NOTHING_SELECTED)
    commands.unhide()
    assert stage.notes.pop() == ("info", NOTHING_HIDDEN)
    commands.select_all()
    commands.delete()
    assert stage.notes.pop()[0] == "warning"
    assert document.alive_count == count
    commands.select_none()
    document.select(torch.arange(count) < 100)
    commands.invert()
    assert document.selected_count == count - 100
    commands.hide()
    assert document.visible_count == 100
    commands.unhide()
    document.select(torch.arange(count) < 100)
    commands.isolate()
    assert document.visible_count == 100
    commands.delete()
    assert (document.alive_count, document.visible_count) == (count - 100, 0)
    document.go_to(0)
    assert not document.state.any()


def test_growing_twice_in_a_row_grows_twice_and_shrinking_takes_away(stage: Stage) -> None:
    commands, document = SelectionCommands(stage.session), stage.document
    document.select(document.scene.means.norm(dim=1) < 0.3)
    start = document.selected.clone()
    commands.grow()
    stage.wait_edits(2)
    once = document.selected.clone()
    assert (once | start).equal(once)
    assert document.selected_count > int(start.sum())
    commands.grow()
    stage.wait_edits(3)
    twice = document.selected.clone()
    document.go_to(1)
    commands.grow()
    commands.grow()
    stage.wait_edits(2)
    stage.wait_idle()
    assert document.selected.equal(twice)
    commands.shrink()
    stage.wait_edits(3)
    assert document.selected_count < int(twice.sum())
    assert document.history.undo_name == "Shrink selection"


def test_only_what_the_peel_draws_is_selected(stage: Stage) -> None:
    session, document = stage.session, stage.document
    commands, peeling = SelectionCommands(session), session.peeling
    peeling.set_view(stage.viewport.camera)
    peeling.set_enabled(True)
    peeling.set_peel(nearest=300)
    stage.qtbot.waitUntil(lambda: peeling.mask is not None)
    drawn = session.drawn
    assert drawn is not None
    stage.choose("rect")
    corners = stage.at(60, 50), stage.at(-40, -20)
    stage.drag(corners)
    stage.wait_edits(1)
    inside, near = in_rectangle(stage.places(), *corners)
    stage.assert_selected(inside & drawn.numpy(), near)
    at = stage.at(5, -8)
    stage.click(at)
    stage.wait_edits(2)
    ratio = stage.viewport.devicePixelRatioF()
    x, y = at.x() * ratio, at.y() * ratio
    nearest = heaviest(document.scene, stage.viewport.camera(), x, y, drawn)
    assert document.selected.equal(nearest)
    commands.grow()
    stage.wait_edits(3)
    assert document.selected_count > 1
    assert not bool((document.selected & ~drawn).any())
    commands.select_all()
    assert document.selected.equal(drawn)
    document.select(torch.arange(len(drawn)) < 700)
    commands.invert()
    assert document.selected.equal(drawn & (torch.arange(len(drawn)) >= 700))


def test_an_empty_session_minds_no_command(qtbot: QtBot) -> None:
    session = Session()
    commands = SelectionCommands(session)
    for command in (commands.select_all, commands.unhide, commands.grow, commands.delete):
        command()
    session.shut_down()
