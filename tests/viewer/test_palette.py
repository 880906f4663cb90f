"""The command palette: ranking, and the window's commands found and run by keys."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QIcon
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QWidget

from viewer.action_table import ACTIONS
from viewer.layout import settings
from viewer.theme import apply_theme
from viewer.widgets.palette import REMEMBERED, SELF, CommandPalette, Entry, match, ranked

LEFT = Qt.MouseButton.LeftButton
SCENE = Path("/scenes/garden.ply")


def entry(title: str, path: str = "", reason: str = "") -> Entry:
    return Entry(title, title, path, "", reason, QIcon(), False, lambda: None)


def titles(entries) -> list[str]:
    return [one.title for one in entries]


def test_what_was_typed_must_fit() -> None:
    assert match("depth", "Depth") is not None
    assert match("rl", "Reset Layout") is not None
    assert match("view depth", "Depth", "View") is not None
    assert match("xyz", "Depth") is None
    assert match("sel", "Hide or Show All Panels") is None
    assert match("", "Anything") is not None


def test_better_fits_come_first() -> None:
    rows = [entry("Reset Layout"), entry("Keyless"), entry("Export…"), entry("Layout Export")]
    assert titles(ranked("export", rows, ())) == ["Export…", "Layout Export"]
    assert titles(ranked("lay", rows, ())) == ["Layout Export", "Reset Layout"]
    beginnings = [entry("All", "Select"), entry("Selection"), entry("My Select"), entry("Reselect")]
    assert titles(ranked("sel", beginnings, ())) == ["Selection", "My Select", "Reselect", "All"]


def test_used_ones_lead_and_unusable_ones_trail() -> None:
    rows = [entry("Alpha"), entry("Beta"), entry("Gamma", reason="Not now."), entry("Delta")]
    assert titles(ranked("", rows, ["Gamma", "Delta"])) == ["Delta", "Alpha", "Beta", "Gamma"]
    assert titles(ranked("gamma", rows, ())) == ["Gamma"]
    alike = [entry("Hide One", reason="Not now."), entry("Hide Two")]
    assert titles(ranked("hide", alike, ["Hide One"])) == ["Hide Two", "Hide One"]


@pytest.fixture
def stage(qtbot, qapp):
    """A window with every action of the table; those that need something are disabled."""
    apply_theme(qapp)
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1100, 700)
    window.field = QLineEdit(window)
    window.ran = []
    actions = {}
    for spec in ACTIONS:
        action = QAction(spec.title, window)
        action.setEnabled(spec.needs is None or spec.id == "file.open")
        action.triggered.connect(lambda _=False, id=spec.id: window.ran.append(id))
        window.addAction(action)
        actions[spec.id] = action
    window.actions_ = actions
    window.palette_ = CommandPalette(window, actions, lambda: [SCENE])
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.field.setFocus()
    return window


def test_every_action_and_recent_file_is_listed(stage) -> None:
    palette = stage.palette_
    palette.open()
    assert palette.list.count() == len(ACTIONS) - 1 + 1
    assert "Open Recent: garden.ply" in palette.titles()
    assert stage.rect().contains(palette.geometry())
    assert abs(palette.geometry().center().x() - stage.rect().center().x()) <= 1
    assert palette.field.hasFocus()


def test_typing_and_enter_run_and_give_the_focus_back(stage) -> None:
    palette = stage.palette_
    palette.open()
    QTest.keyClicks(palette.field, "reset lay")
    assert palette.titles()[0] == "Reset Layout"
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert stage.ran == ["panel.reset_layout"]
    assert not palette.isVisible()
    assert stage.field.hasFocus()
    palette.open()
    assert palette.titles()[0] == "Reset Layout"


def test_arrows_choose_and_wrap(stage) -> None:
    palette = stage.palette_
    palette.open()
    QTest.keyClicks(palette.field, "full")
    QTest.keyClick(palette.field, Qt.Key.Key_Backspace)
    count = palette.list.count()
    QTest.keyClick(palette.field, Qt.Key.Key_Up)
    assert palette.list.currentRow() == count - 1
    QTest.keyClick(palette.field, Qt.Key.Key_Down)
    assert palette.list.currentRow() == 0
    palette.field.clear()
    QTest.keyClick(palette.field, Qt.Key.Key_PageDown)
    assert palette.list.currentRow() > 3
    assert palette.field.hasFocus()


def test_what_cannot_be_used_says_why_and_does_not_run(stage) -> None:
    palette = stage.palette_
    palette.open()
    QTest.keyClicks(palette.field, "apply prune")
    item = palette.list.item(0)
    assert item.text() == "Apply Prune"
    spoken = item.data(Qt.ItemDataRole.AccessibleTextRole)
    needs = next(spec.needs for spec in ACTIONS if spec.id == "prune.apply")
    assert needs.reason in spoken
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert palette.isVisible()
    assert stage.ran == []


def test_escape_a_click_elsewhere_and_the_key_close(stage, qtbot) -> None:
    palette = stage.palette_
    palette.open()
    QTest.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert stage.field.hasFocus()
    palette.open()
    QTest.mouseClick(stage.field, LEFT)
    stage.field.setFocus()
    assert not palette.isVisible()
    palette.open()
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(palette.field, Qt.Key.Key_P, keys)
    assert not palette.isVisible()


def test_a_click_runs_and_recent_files_are_asked_for(stage, qtbot) -> None:
    palette = stage.palette_
    palette.open()
    QTest.keyClicks(palette.field, "garden")
    spot = palette.list.visualItemRect(palette.list.item(0)).center()
    with qtbot.waitSignal(palette.recent_asked) as asked:
        QTest.mouseClick(palette.list.viewport(), LEFT, pos=spot)
    assert asked.args == [SCENE]
    assert not palette.isVisible()


def test_nothing_found_says_so(stage) -> None:
    palette = stage.palette_
    palette.open()
    QTest.keyClicks(palette.field, "qqqq")
    assert palette.list.isHidden()
    assert palette.empty.isVisible()
    QTest.keyClick(palette.field, Qt.Key.Key_Down)
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert stage.ran == []


def test_strange_settings_do_no_harm(stage) -> None:
    settings().setValue(REMEMBERED, {"a": 1})
    stage.palette_.open()
    assert SELF not in stage.palette_.titles()
    assert stage.palette_.list.count() == len(ACTIONS)
