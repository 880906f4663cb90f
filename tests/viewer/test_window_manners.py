"""Mouse, keys and focus in a real window: tools, held keys, what moves, who gets which key."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeySequence, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QWidget

from tests.viewer.action_stage import (
    LEFT,
    NO_KEY,
    SPECS,
    Stage,
    _collect_on_this_thread,
    _no_leaked_threads,
    _own_settings,
    _own_thumbnails,
    folder,
    hold,
    shared,
    stage,
)
from tests.viewer.panel_stage import choose, pause, type_into
from tests.viewer.window_stage import COUNT
from viewer import theme
from viewer.action_spec import Scope
from viewer.action_table import ACTIONS, MENUS, MODE_ACTIONS, TOOL_IDS
from viewer.commands import COMPARE_MODES
from viewer.compare import CompareMode
from viewer.look import Engine, Mode, Overlay
from viewer.preferences import DEFAULTS
from viewer.theme import Theme
from viewer.viewport.fly import DEFAULT_SPEED, DIRECTIONS
from viewer.viewport.frames import Frame
from viewer.widgets.preferences_dialog import PreferencesDialog

__all__ = [
    "_collect_on_this_thread",
    "_no_leaked_threads",
    "_own_settings",
    "_own_thumbnails",
    "folder",
    "shared",
    "stage",
]

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
BARE = [
    key
    for spec in ACTIONS
    if spec.scope == Scope.VIEWPORT
    for key in spec.keys
    if not key.startswith(("Ctrl", "Alt"))
]


def gesture(stage: Stage, id: str, keys: Qt.KeyboardModifier = NO_KEY) -> None:
    """What a person does with a tool, from its key to the end of the edit."""
    edits = len(stage.document.history.edits[: stage.document.history.position])
    if stage.toolbox.active is not stage.window.tools[id]:
        stage.perform(id, SPECS[id].keys[0])
    corners = [stage.middle + QPoint(x, y) for x, y in ((-40, -30), (50, -20), (20, 60))]
    if id == "tool.polygon":
        for corner in corners:
            QTest.mouseClick(stage.viewport, LEFT, keys, corner)
        stage.perform("tool.accept", "Return")
    elif id in ("tool.flood", "tool.picker"):
        QTest.mouseClick(stage.viewport, LEFT, keys, stage.middle)
    elif id in ("tool.lasso", "tool.brush"):
        QTest.mousePress(stage.viewport, LEFT, keys, corners[0])
        for corner in (*corners[1:], corners[0]):
            stage.move(corner, LEFT, keys)
        QTest.mouseRelease(stage.viewport, LEFT, keys, corners[0])
    else:
        stage.drag(corners[0], corners[2], keys)
    stage.wait(lambda: stage.document.history.position == edits + 1)


# Tools


@pytest.mark.parametrize("id", TOOL_IDS)
def test_a_tool_selects_adds_removes_and_intersects(stage: Stage, id: str) -> None:
    document = stage.document
    before = torch.arange(COUNT) % 2 == 0
    stage.toolbox.set_options(tolerance=0.4)
    gesture(stage, id)
    found = document.selected
    assert 0 < int(found.sum()) < COUNT
    for keys, expected in (
        (SHIFT, before | found),
        (CONTROL, before & ~found),
        (SHIFT | CONTROL, before & found),
        (NO_KEY, found),
    ):
        document.select(before)
        gesture(stage, id, keys)
        assert torch.equal(document.selected, expected)
    assert stage.at_home, "the tool's drags move no camera"


def test_backspace_takes_a_corner_back_before_it_deletes(stage: Stage) -> None:
    stage.select(100)
    stage.perform("tool.polygon", "P")
    QTest.mouseClick(stage.viewport, LEFT, NO_KEY, stage.middle)
    stage.perform("edit.delete", "Backspace")
    assert stage.document.alive_count == COUNT
    stage.perform("edit.delete", "Backspace")
    assert stage.document.alive_count == COUNT - 100


def test_what_needs_a_tool_is_enabled_with_it_alone(stage: Stage) -> None:
    actions = stage.window.actions_

    def usable() -> set[str]:
        ids = ("tool.smaller", "tool.bigger", "tool.accept", "tool.none")
        return {id for id in ids if actions[id].isEnabled()}

    assert usable() == set()
    assert "Take up the brush first." in actions["tool.smaller"].toolTip()
    stage.perform("tool.brush", "B")
    assert usable() == {"tool.smaller", "tool.bigger", "tool.none"}
    stage.perform("tool.polygon", "P")
    assert usable() == {"tool.accept", "tool.none"}


# Held keys


@pytest.mark.parametrize("key", "WASDQE")
def test_a_held_key_flies_its_way_and_stops(stage: Stage, key: str) -> None:
    way = np.array(DIRECTIONS[Qt.Key(ord(key))], float) * (1, -1, 1)
    before = stage.viewport.camera()
    hold(stage.viewport, key)
    stage.wait(lambda: not stage.at_home)
    pause(40)
    hold(stage.viewport, key, down=False)
    after = stage.viewport.camera().position
    moved = after - before.position
    moved /= np.linalg.norm(moved)
    np.testing.assert_allclose(before.world_to_camera[:3, :3] @ moved, way, atol=1e-6)
    pause(60)
    np.testing.assert_array_equal(stage.viewport.camera().position, after)


@pytest.mark.parametrize("key", SPECS["compare.flip"].keys)
@pytest.mark.parametrize("mode", list(CompareMode))
def test_a_held_key_shows_one_side_alone(stage: Stage, key: str, mode: CompareMode) -> None:
    stage.session.set_target(300)
    stage.session.apply_prune()
    stage.session.compare.set_mode(mode)
    stage.settle()
    before = stage.on_screen()
    hold(stage.viewport, key)
    assert stage.session.compare.flip
    stage.wait(lambda: _flipped(stage.viewport.frame))
    stage.settle()
    assert not np.array_equal(stage.on_screen(), before)
    hold(stage.viewport, key, down=False)
    assert not stage.session.compare.flip
    stage.wait(lambda: not _flipped(stage.viewport.frame))


def _flipped(frame: Frame | None) -> bool:
    comparison = None if frame is None else frame.request.comparison
    return comparison is not None and comparison.flip


def test_a_held_key_is_let_go_when_the_focus_leaves(stage: Stage) -> None:
    hold(stage.viewport, "X")
    stage.window.cameras_panel.list.setFocus()
    assert not stage.session.compare.flip


# While something moves


def _moving_frame(stage: Stage, right: Callable[[Frame], bool]) -> None:
    """Orbit in the real picture; ``right`` must hold for a picture from half way."""
    start = stage.middle + QPoint(-120, -60)

    def look() -> None:
        camera = stage.viewport.camera()

        def moved() -> bool:
            frame = stage.viewport.frame
            if frame is None:
                return False
            here = frame.request.camera.world_to_camera
            return np.array_equal(here, camera.world_to_camera) and right(frame)

        stage.wait(moved)

    stage.drag(start, start + QPoint(60, 20), between=look)
    assert not stage.at_home


@pytest.mark.parametrize("mode", [mode for mode in MODE_ACTIONS.values() if mode != Mode.ERROR])
def test_a_mode_stays_while_the_camera_moves(stage: Stage, mode: Mode) -> None:
    stage.session.set_mode(mode)
    _moving_frame(stage, lambda frame: frame.request.look.mode == mode)
    stage.settle()
    assert np.ptp(stage.on_screen()) > 50


@pytest.mark.parametrize("mode", COMPARE_MODES.values())
def test_comparing_goes_on_while_the_camera_moves(stage: Stage, mode: CompareMode) -> None:
    stage.session.set_target(300)
    stage.session.apply_prune()
    stage.session.compare.set_mode(mode)

    def right(frame: Frame) -> bool:
        comparison = frame.request.comparison
        return (CompareMode.OFF if comparison is None else comparison.mode) == mode

    _moving_frame(stage, right)
    stage.settle()
    assert stage.session.compare.mode == mode


@pytest.mark.gl
def test_opengl_splats_are_drawn_while_the_camera_moves(stage: Stage) -> None:
    stage.session.set_look(engine=Engine.OPENGL)
    _moving_frame(stage, lambda frame: frame.splats is not None)
    stage.settle()
    assert "OpenGL" in stage.window.status.backend.full_text


# Who gets the keys


def _fields(stage: Stage) -> dict[str, QWidget]:
    window = stage.window
    window.docks["prune"].raise_()
    window.docks["histogram"].raise_()
    QApplication.processEvents()
    return {
        "number": window.prune_panel.percent_spin,
        "text": window.prune_panel.threshold_edit,
        "slider": window.prune_panel.slider,
        "list": window.cameras_panel.list,
        "combo": window.histogram_panel.column_combo,
        "search": window.cameras_panel.filter_field,
    }


@pytest.mark.parametrize("name", ["number", "text", "slider", "list", "combo", "search", "palette"])
def test_bare_keys_do_nothing_to_the_scene_from_a_field(stage: Stage, name: str) -> None:
    stage.select(100)
    calls: list[str] = []
    for spec in ACTIONS:
        if spec.scope == Scope.VIEWPORT:
            action = stage.window.actions_[spec.id]
            action.triggered.connect(lambda _=False, id=spec.id: calls.append(id))
    if name == "palette":
        stage.perform("app.palette", "Ctrl+Shift+P")
        field: QWidget = stage.window.palette_.field
    else:
        field = _fields(stage)[name]
        field.setFocus()
    assert field.hasFocus()
    look = stage.session.look
    ends = ("Return", "Enter", "Escape", "Tab")
    for key in [key for key in (*BARE, *"WASDQE") if key not in ends]:
        QTest.keySequence(field, QKeySequence(key))
    assert calls == []
    assert stage.session.look == look
    assert not stage.session.compare.flip
    assert (stage.document.alive_count, stage.document.selected_count) == (COUNT, 100)
    if name == "palette":
        assert stage.at_home
        assert "w" in stage.window.palette_.field.text().lower()


def test_tab_does_not_leave_the_viewport(stage: Stage) -> None:
    for modifiers in (NO_KEY, SHIFT):
        QTest.keyClick(stage.viewport, Qt.Key.Key_Tab, modifiers)
        assert stage.viewport.hasFocus()
    QTest.keyClick(stage.viewport, Qt.Key.Key_Backtab, SHIFT)
    assert stage.viewport.hasFocus()


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        *("scene", "cameras", "sensitivity", "prune"),
        *("histogram", "scatter", "metrics", "jobs", "history", "messages"),
    ],
)
def test_every_pane_in_front_is_reached_by_f6(stage: Stage, name: str, back: bool) -> None:
    dock = stage.window.docks[name]
    dock.raise_()
    QApplication.processEvents()
    visited = []
    for _ in range(6):
        stage.perform(*(("app.prev_pane", "Shift+F6") if back else ("app.next_pane", "F6")))
        focus = QApplication.focusWidget()
        assert focus is not None
        visited.append(dock.isAncestorOf(focus))
        if stage.viewport.hasFocus():
            break
    assert stage.viewport.hasFocus()
    assert any(visited)


@pytest.mark.parametrize("title", MENUS)
@pytest.mark.parametrize("inside", [True, False], ids=["viewport", "list"])
def test_every_menu_opens_by_alt_and_its_letter(stage: Stage, title: str, inside: bool) -> None:
    text = stage.window.menus[title].title()
    letter = text[text.index("&") + 1].upper()
    field = stage.viewport if inside else stage.window.cameras_panel.list
    field.setFocus()
    QTest.keyClick(field, Qt.Key(ord(letter)), ALT)
    assert QApplication.activePopupWidget() is stage.window.menus[title]
    QTest.keyClick(stage.window.menus[title], Qt.Key.Key_Escape)
    assert stage.at_home


def test_f1_shows_one_sheet_however_often(stage: Stage) -> None:
    for _ in range(2):
        stage.window.viewport.setFocus()
        stage.perform("app.help", "F1", stage.window)
    sheets = [w for w in QApplication.topLevelWidgets() if w.windowTitle() == "Keyboard and Mouse"]
    assert len([sheet for sheet in sheets if sheet.isVisible()]) == 1


# Palette and preferences


@pytest.mark.parametrize(
    ("words", "reached"),
    [
        ("depth", lambda stage: stage.session.mode == Mode.DEPTH),
        ("grid", lambda stage: Overlay.GRID in stage.session.look.overlays),
        ("wipe", lambda stage: stage.session.compare.mode == CompareMode.WIPE),
        ("orthographic", lambda stage: stage.viewport.orthographic),
        ("messages", lambda stage: not stage.window.message_log.visibleRegion().isEmpty()),
        ("opengl", lambda stage: stage.session.look.engine == Engine.OPENGL),
        ("+z", lambda stage: stage.viewport.up_axis == "+z"),
        ("select all", lambda stage: stage.document.selected_count == COUNT),
    ],
)
def test_the_palette_finds_and_runs(
    stage: Stage, words: str, reached: Callable[[Stage], bool]
) -> None:
    assert not reached(stage)
    stage.perform("app.palette", "Ctrl+Shift+P")
    QTest.keyClicks(stage.window.palette_.field, words)
    QTest.keyClick(stage.window.palette_.field, Qt.Key.Key_Return)
    stage.wait(lambda: reached(stage))
    assert not stage.window.palette_.isVisible()
    assert words == "messages" or stage.viewport.hasFocus()


def test_the_button_in_the_menu_bar_opens_the_palette(stage: Stage) -> None:
    button = stage.window.menuBar().cornerWidget()
    assert button is not None
    assert button.isVisible()
    QTest.mouseClick(button, LEFT)
    assert stage.window.palette_.field.hasFocus()


def test_the_palette_lists_every_action(stage: Stage) -> None:
    stage.perform("app.palette", "Ctrl+Shift+P")
    listed = set(stage.window.palette_.titles())
    for spec in ACTIONS:
        if spec.id != "app.palette":
            assert any(title.startswith(spec.title) for title in listed), spec.id


def test_preferences_apply_at_once_and_go_back(stage: Stage) -> None:
    stage.perform("app.settings", "Ctrl+,")
    dialog = stage.dialog(PreferencesDialog)
    assert isinstance(dialog, PreferencesDialog)
    fields, window = dialog.fields, stage.window

    def now() -> tuple[object, ...]:
        document = stage.document
        return (
            theme.color("window"),
            stage.session.look.colormap,
            stage.session.look.engine,
            window.viewport._pilot.keys.speed,
            window.viewport.navigator.drag_speed,
            _wheel_approaches(stage),
            window.sensitivity_panel.views_spin.value(),
            document.history.max_bytes,
            window.files.asks_before_discarding,
        )

    before = now()
    dark = theme.color("window")
    for name, text in (("theme", "Light"), ("colormap", "Magma"), ("engine", "OpenGL splats")):
        combo = fields[name]
        assert isinstance(combo, QComboBox)
        dialog.pages.setCurrentRow(1 if name == "engine" else 0)
        choose(combo, text)
        combo.activated.emit(combo.currentIndex())
    dialog.pages.setCurrentRow(1)
    type_into(fields["fly_speed"], "2")
    type_into(fields["orbit_speed"], "3")
    for name, page in (("invert_wheel", 1), ("ask_before_discarding", 2)):
        box = fields[name]
        assert isinstance(box, QCheckBox)
        dialog.pages.setCurrentRow(page)
        QTest.keyClick(box, Qt.Key.Key_Space)
    type_into(fields["generated_views"], "7")
    type_into(fields["undo_memory_mb"], "64")
    assert theme.color("window") != dark
    assert window.preferences.values.theme == Theme.LIGHT
    assert now()[1:] == (
        "magma",
        Engine.OPENGL,
        2 * DEFAULT_SPEED,
        3.0,
        not before[5],
        7,
        64_000_000,
        False,
    )
    QTest.mouseClick(dialog.defaults_button, LEFT)
    assert now() == before
    assert window.preferences.values == DEFAULTS


def _wheel_approaches(stage: Stage) -> bool:
    """Turn the wheel away from the hand; whether the eye comes nearer."""
    before = stage.viewport.navigator.pose.distance
    at = QPointF(stage.middle)
    for notch in (1, -1):
        event = QWheelEvent(
            at,
            QPointF(stage.viewport.mapToGlobal(stage.middle)),
            QPoint(),
            QPoint(0, 120 * notch),
            Qt.MouseButton.NoButton,
            NO_KEY,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(stage.viewport, event)
        if notch == 1:
            nearer = stage.viewport.navigator.pose.distance < before
    return nearer
