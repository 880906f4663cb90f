"""The wipe's handle, the names of the sides, the bar and its numbers, by real events."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import metrics, rendering
from core.metrics import psnr, ssim
from core.pruning import Filter, Relation
from core.rendering import render
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.compare import LIVE, PHOTO, CompareMode
from viewer.look import Mode
from viewer.session import Session
from viewer.tour import pause
from viewer.viewport.compare_bar import CompareBar
from viewer.viewport.compare_numbers import CompareNumbers
from viewer.viewport.tints import BACKGROUND
from viewer.viewport.viewport import Viewport
from viewer.viewport.wipe import CompareMarks

LEFT = Qt.MouseButton.LeftButton
WIDTH, HEIGHT = 700, 400
NOTHING = "– dB · SSIM –"


class Stage(QWidget):
    """A viewport under its bar."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.compare = session.compare
        self.viewport = Viewport(session)
        likeness = CompareNumbers(session, self.viewport)
        self.bar = CompareBar(session, likeness)
        self.marks = CompareMarks(session, self.viewport, likeness)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        layout.addWidget(self.viewport, 1)

    @property
    def handle(self) -> QWidget:
        return self.marks.handle

    @property
    def numbers(self) -> str:
        plate = self.marks.likeness
        return plate.text if plate.isVisible() else ""


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    rendering.warm_up()
    metrics.warm_up()


@pytest.fixture
def stage(qtbot, tmp_path) -> Iterator[Stage]:
    session = Session()
    stage = Stage(session)
    session.document_replaced.connect(lambda: session.compare.reset(session.document))
    qtbot.addWidget(stage)
    stage.resize(WIDTH, HEIGHT)
    stage.show()
    qtbot.waitExposed(stage)
    session.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: session.document is not None and not session.runner.busy)
    qtbot.waitUntil(lambda: stage.viewport.settled)
    yield stage
    stage.viewport.shut_down()
    assert session.shut_down()


def press_mode(stage: Stage, mode: CompareMode) -> None:
    QTest.mouseClick(stage.bar.mode_buttons[mode], LEFT)
    assert stage.compare.mode == mode


def cut_half(stage: Stage) -> None:
    stage.session.document.cut(torch.arange(COUNT) % 2 == 0)


def grip_x(stage: Stage) -> float:
    return stage.handle.geometry().center().x() + 0.5


def test_dragging_the_line_moves_the_split(stage) -> None:
    assert not stage.handle.isVisible()
    press_mode(stage, CompareMode.WIPE)
    assert stage.handle.isVisible()
    width = stage.viewport.width()
    assert grip_x(stage) == pytest.approx(width / 2, abs=1)
    start = QPoint(stage.handle.width() // 2 + 3, 40)
    QTest.mousePress(stage.handle, LEFT, pos=start)
    for _ in range(7):
        QTest.mouseMove(stage.handle, start + QPoint(20, 0))
    QTest.mouseRelease(stage.handle, LEFT, pos=start)
    assert stage.compare.split == pytest.approx(0.5 + 140 / width, abs=0.004)
    assert grip_x(stage) == pytest.approx(stage.compare.split * width, abs=1)
    QTest.mouseDClick(stage.handle, LEFT, pos=start)
    assert stage.compare.split == 0.5


def test_the_line_stays_inside_and_follows_the_size(stage) -> None:
    press_mode(stage, CompareMode.WIPE)
    QTest.mousePress(stage.handle, LEFT, pos=QPoint(13, 40))
    QTest.mouseMove(stage.handle, QPoint(-2000, 40))
    QTest.mouseRelease(stage.handle, LEFT, pos=QPoint(13, 40))
    assert stage.compare.split == 0
    stage.compare.set_split(0.25)
    stage.resize(900, 500)
    assert grip_x(stage) == pytest.approx(0.25 * stage.viewport.width(), abs=1)
    assert stage.handle.height() == stage.viewport.height()


def test_arrow_keys_move_the_line_and_not_the_view(qtbot, stage) -> None:
    taken = []
    action = QAction(stage.viewport)
    action.setShortcut("Left")
    action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    action.triggered.connect(lambda: taken.append("Left"))
    stage.viewport.addAction(action)
    press_mode(stage, CompareMode.WIPE)
    stage.activateWindow()
    assert QTest.qWaitForWindowActive(stage)
    stage.handle.setFocus()
    for key, expected in (
        (Qt.Key.Key_Left, 0.49),
        (Qt.Key.Key_Right, 0.5),
        (Qt.Key.Key_PageDown, 0.6),
        (Qt.Key.Key_End, 1.0),
        (Qt.Key.Key_Home, 0.0),
    ):
        QTest.keyClick(stage.handle, key)
        assert stage.compare.split == pytest.approx(expected)
    assert stage.handle.accessibleDescription() == "0 %"
    assert taken == []
    stage.viewport.setFocus()
    QTest.keyClick(stage.viewport, Qt.Key.Key_Left)
    assert taken == ["Left"]


def test_other_buttons_navigate_through_the_line(qtbot, stage) -> None:
    press_mode(stage, CompareMode.WIPE)
    with qtbot.waitSignal(stage.viewport.camera_changed):
        QTest.mousePress(stage.handle, Qt.MouseButton.MiddleButton, pos=QPoint(13, 60))
        QTest.mouseMove(stage.handle, QPoint(40, 70))
        QTest.mouseMove(stage.handle, QPoint(60, 90))
    QTest.mouseRelease(stage.handle, Qt.MouseButton.MiddleButton, pos=QPoint(60, 90))
    assert stage.compare.split == 0.5


def test_both_sides_are_named(stage) -> None:
    a, b = stage.marks.name_a, stage.marks.name_b
    assert not a.isVisible()
    press_mode(stage, CompareMode.WIPE)
    assert (a.text, b.text) == ("A  As opened", "B  Now")
    line = stage.viewport.width() / 2
    assert a.geometry().right() < line < b.geometry().left()
    stage.compare.set_split(0.08)
    assert a.text == "A"
    stage.compare.set_split(0.0)
    assert not a.isVisible()
    press_mode(stage, CompareMode.SIDE_BY_SIDE)
    assert a.geometry().center().x() == pytest.approx(line / 2, abs=2)
    assert b.geometry().center().x() == pytest.approx(line * 1.5, abs=2)
    press_mode(stage, CompareMode.DIFFERENCE)
    assert not a.isVisible()
    assert b.text == "A  As opened  −  B  Now"
    assert stage.marks.legend.isVisible()
    QTest.mousePress(stage.bar.flip_button, LEFT)
    assert b.text == "B  Now"
    assert not stage.marks.legend.isVisible()
    QTest.mouseRelease(stage.bar.flip_button, LEFT)
    press_mode(stage, CompareMode.OFF)
    assert not b.isVisible()


def test_the_picture_changes_at_the_line(qtbot, stage) -> None:
    cut_half(stage)
    press_mode(stage, CompareMode.WIPE)
    qtbot.waitUntil(lambda: stage.viewport.settled and frame_is(stage, CompareMode.WIPE))
    request = stage.viewport.frame.request
    pixels = torch.from_numpy(stage.viewport.frame.pixels)[..., :3].int()
    middle = pixels.shape[1] // 2
    for columns, keep in ((slice(0, middle), None), (slice(middle, None), request.visible)):
        drawn = render(request.scene, request.camera, background=BACKGROUND, keep=keep).rgb
        expected = (drawn.clamp(0, 1) * 255).round().int()
        assert (pixels - expected)[:, columns].abs().max() <= 1


def frame_is(stage: Stage, mode: CompareMode) -> bool:
    comparison = stage.viewport.frame.request.comparison
    return comparison is not None and comparison.mode == mode


def test_numbers_are_those_of_the_two_sides(qtbot, stage) -> None:
    cut_half(stage)
    assert stage.numbers == ""
    press_mode(stage, CompareMode.WIPE)
    assert stage.numbers == NOTHING
    qtbot.waitUntil(lambda: "SSIM 0" in stage.numbers)
    request = stage.viewport.frame.request
    a, b = (
        render(request.scene, request.camera, background=BACKGROUND, keep=keep).rgb.clamp(0, 1)
        for keep in (None, request.visible)
    )
    assert stage.numbers == f"{psnr(a, b):.1f} dB · SSIM {ssim(a, b):.3f}"
    assert "background included" in stage.marks.likeness.toolTip()
    stage.compare.set_split(0.2)
    press_mode(stage, CompareMode.DIFFERENCE)
    assert "SSIM 0" in stage.numbers


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode != Mode.ERROR])
@pytest.mark.parametrize("width", [360, 900])
def test_numbers_stand_in_every_mode_and_width(qtbot, stage, mode, width) -> None:
    cut_half(stage)
    stage.session.document.add_scores({NAME: make_worth()})
    stage.session.set_mode(mode)
    stage.resize(width, HEIGHT)
    stage.compare.set_mode(CompareMode.WIPE)
    qtbot.waitUntil(lambda: "dB · SSIM 0" in stage.numbers)
    assert stage.numbers.endswith(" in colour") == (mode != Mode.COLOR)
    plate = stage.marks.likeness
    assert plate.width() >= plate.fontMetrics().horizontalAdvance(plate.text)
    assert stage.viewport.rect().contains(plate.geometry())
    assert plate.top > stage.marks.name_b.geometry().bottom()


def test_the_mouse_reaches_the_picture_through_the_numbers(qtbot, stage) -> None:
    press_mode(stage, CompareMode.SIDE_BY_SIDE)
    qtbot.waitUntil(lambda: stage.numbers == "A and B are the same")
    plate = stage.marks.likeness
    with qtbot.waitSignal(stage.viewport.camera_changed):
        QTest.mousePress(plate, Qt.MouseButton.MiddleButton, pos=plate.rect().center())
        QTest.mouseMove(plate, plate.rect().center() + QPoint(30, 4))
        QTest.mouseMove(plate, plate.rect().center() + QPoint(60, 9))
    QTest.mouseRelease(plate, Qt.MouseButton.MiddleButton, pos=plate.rect().center())


def test_a_preview_is_measured_as_if_it_were_applied(qtbot, stage) -> None:
    press_mode(stage, CompareMode.WIPE)
    qtbot.waitUntil(lambda: stage.numbers == "A and B are the same")
    session = stage.session
    opacity = session.document.values("opacity")
    session.set_filters([Filter("opacity", Relation.BELOW, float(np.median(opacity)))])
    assert session.removed_count == COUNT // 2
    qtbot.waitUntil(lambda: "SSIM 0" in stage.numbers)
    preview = stage.numbers
    session.apply_prune()
    qtbot.waitUntil(lambda: stage.viewport.settled and stage.numbers not in (NOTHING, ""))
    assert stage.numbers == preview


def test_numbers_go_when_the_camera_moves_and_come_back_when_it_rests(qtbot, stage) -> None:
    cut_half(stage)
    press_mode(stage, CompareMode.SIDE_BY_SIDE)
    qtbot.waitUntil(lambda: "SSIM 0" in stage.numbers)
    first = stage.numbers
    canvas = stage.viewport
    QTest.mousePress(canvas, Qt.MouseButton.MiddleButton, pos=QPoint(300, 200))
    for step in range(1, 8):
        QTest.mouseMove(canvas, QPoint(300 + 30 * step, 200 + 5 * step))
        pause(20)
    qtbot.waitUntil(lambda: stage.numbers == NOTHING)
    QTest.mouseRelease(canvas, Qt.MouseButton.MiddleButton, pos=QPoint(510, 235))
    qtbot.waitUntil(lambda: "SSIM 0" in stage.numbers)
    assert stage.numbers != first


def test_without_a_photo_nothing_is_measured(qtbot, stage) -> None:
    stage.compare.choose_a(PHOTO)
    press_mode(stage, CompareMode.WIPE)
    qtbot.waitUntil(lambda: stage.viewport.settled and frame_is(stage, CompareMode.WIPE))
    assert "No photo" in stage.viewport.frame.picture.advice[0]
    pause(500)
    assert stage.numbers == ""
    assert NOTHING in stage.bar.menu_button.toolTip()


def test_the_boxes_choose_the_sides(stage) -> None:
    stage.resize(1200, HEIGHT)
    bar, compare = stage.bar, stage.compare
    assert bar.combo_a.isVisible()
    assert not bar.menu_button.isVisible()
    assert bar.combo_a.currentText() == "As opened"
    cut_half(stage)
    QTest.mouseClick(bar.keep_button, LEFT)
    assert bar.combo_a.currentText() == f"Snapshot 1: {COUNT // 2}"
    bar.combo_b.setFocus()
    QTest.keyClick(bar.combo_b, Qt.Key.Key_Down)
    assert compare.b is compare.opened
    QTest.mouseClick(bar.swap_button, LEFT)
    assert (compare.a, compare.b.name) == (compare.opened, f"Snapshot 1: {COUNT // 2}")
    assert bar.combo_a.currentText() == "As opened"
    items = [bar.combo_b.itemText(n) for n in range(bar.combo_b.count())]
    assert items == ["Now", "As opened", f"Snapshot 1: {COUNT // 2}", "Photo"]


@pytest.mark.parametrize("width", [1200, 280, 150])
def test_the_bar_shrinks_and_loses_nothing(stage, width) -> None:
    bar = stage.bar
    stage.layout().removeWidget(bar)
    bar.resize(width, bar.height())
    bar.layout().activate()
    shown = [w for w in bar.findChildren(QWidget) if w.isVisibleTo(bar) and w.parent() is bar]
    assert all(bar.rect().contains(w.geometry()) for w in shown if w is not bar.menu)
    assert bar.minimumSizeHint().width() < 160
    if width == 150:
        assert [w for w in shown if w is not bar.menu] == [bar.menu_button]
    if width < 1200:
        bar.menu.aboutToShow.emit()
        texts = [action.text() for action in bar.menu.actions() if action.text()]
        assert texts[:6] == [
            "Off",
            "Wipe",
            "Side by Side",
            "Difference",
            "A: As opened",
            "B: Now",
        ]
        bar.menu.actions()[2].trigger()
        assert stage.compare.mode == CompareMode.SIDE_BY_SIDE
        sides = bar.menu.actions()[6].menu()
        sides.actions()[1].trigger()
        assert (stage.compare.a, stage.compare.b) == (LIVE, stage.compare.opened)


def test_every_control_is_named_and_explained(stage) -> None:
    bar = stage.bar
    controls = [
        bar.combo_a,
        bar.combo_b,
        bar.flip_button,
        bar.swap_button,
        bar.keep_button,
        bar.menu_button,
        stage.handle,
        *bar.mode_buttons.values(),
    ]
    for control in controls:
        assert control.accessibleName()
        assert control.toolTip()


def test_a_bar_of_one_button_shows_that_it_compares(stage) -> None:
    bar = stage.bar
    stage.layout().removeWidget(bar)
    bar.resize(bar.minimumSizeHint())
    bar.layout().activate()
    assert not bar.menu_button.property("chosen")
    assert bar.rect().contains(bar.menu_button.geometry())
    stage.compare.set_mode(CompareMode.WIPE)
    assert bar.menu_button.property("chosen")
    bar.resize(700, bar.height())
    assert not bar.menu_button.property("chosen"), "the buttons of the modes tell it"


def test_numbers_tell_that_only_a_part_is_drawn(qtbot, stage) -> None:
    cut_half(stage)
    stage.compare.set_mode(CompareMode.WIPE)
    qtbot.waitUntil(lambda: "dB · SSIM 0" in stage.numbers)
    assert "peeled" not in stage.numbers
    peeling = stage.session.peeling
    peeling.set_view(stage.viewport.camera)
    peeling.set_enabled(True)
    peeling.set_peel(step=3)
    stage.viewport.refresh()
    qtbot.waitUntil(lambda: "dB · SSIM 0" in stage.numbers and stage.numbers.endswith(", peeled"))
