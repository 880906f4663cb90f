"""The keys that people know from other programs: all there, none clashing, all on the sheet."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest

from viewer.action_spec import Scope
from viewer.action_table import ACTIONS, HELD_KEYS
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.viewport.fly import DIRECTIONS
from viewer.widgets.shortcut_sheet import ShortcutSheet

WINDOW_KEYS = {
    "view.mode_rgb": "Alt+1",
    "view.mode_sens": "Alt+2",
    "view.mode_depth": "Alt+3",
    "view.mode_layers": "Alt+5",
    "view.mode_error": "Alt+6",
    "file.open": "Ctrl+O",
    "file.open_dataset": "Ctrl+Shift+O",
    "file.open_image": "Ctrl+G",
    "file.paste_image": "Ctrl+V",
    "file.export": "Ctrl+E",
    "file.screenshot": "F9",
    "app.palette": "Ctrl+Shift+P",
    "app.settings": "Ctrl+,",
    "app.help": "F1",
    "app.fullscreen": "F11",
    "app.next_pane": "F6",
    "app.prev_pane": "Shift+F6",
    "app.quit": "Ctrl+Q",
    "edit.undo": "Ctrl+Z",
    "edit.redo": "Ctrl+Shift+Z Ctrl+Y",
    "select.all": "Ctrl+A",
    "select.none": "Ctrl+Shift+A",
    "select.invert": "Ctrl+I",
    "compare.cycle": "Ctrl+\\",
    "compare.keep_a": "Ctrl+Shift+B",
    "panel.histogram": "Ctrl+D",
    "panel.sensitivity": "Ctrl+1",
    "panel.prune": "Ctrl+2",
    "panel.compress": "Ctrl+3",
    "panel.layers": "Ctrl+4",
    "panel.jobs": "Ctrl+5",
    "panel.hide_all": "F12",
    "job.run": "Ctrl+Return",
    "job.cancel": "Ctrl+.",
}
VIEWPORT_KEYS = {
    "edit.delete": "Delete Backspace",
    "select.hide": "H",
    "select.unhide": "Shift+H",
    "select.isolate": "Shift+I",
    "select.grow": "Ctrl+=",
    "select.shrink": "Ctrl+-",
    "tool.rect": "R",
    "tool.lasso": "L",
    "tool.polygon": "P",
    "tool.brush": "B",
    "tool.flood": "O",
    "tool.picker": "Y",
    "tool.sphere": "U",
    "tool.box": "K",
    "tool.smaller": "[",
    "tool.bigger": "]",
    "tool.depth": "N",
    "tool.none": "Escape",
    "tool.accept": "Return",
    "cam.frame": "F",
    "cam.reset": "Shift+F Home",
    "cam.mode": "V",
    "cam.prev": "Left",
    "cam.next": "Right",
    "cam.nearest": "J",
    "cam.ortho": "5",
    "view.overlay": "Tab",
    "view.rings": "M",
    "view.grid": "G",
    "view.info": "I",
    "view.frustums": "C",
    "compare.flip": "X \\",
    "compare.swap": "Shift+X",
}
HELD = {"compare.flip"}
FLYING = "W A S D Q E"
SPECS = {spec.id: spec for spec in ACTIONS}


def combinations(key: str) -> list[int]:
    parsed = QKeySequence(key, QKeySequence.SequenceFormat.PortableText)
    return [parsed[index].toCombined() for index in range(parsed.count())]


@pytest.mark.parametrize(
    ("id", "keys", "scope"),
    [
        *((id, keys, Scope.WINDOW) for id, keys in WINDOW_KEYS.items()),
        *((id, keys, Scope.VIEWPORT) for id, keys in VIEWPORT_KEYS.items()),
    ],
)
def test_a_known_key_is_there(id: str, keys: str, scope: Scope) -> None:
    spec = SPECS[id]
    assert set(keys.split()) <= set(spec.keys)
    assert spec.keys[0] == keys.split()[0], "the menu shows the first"
    assert spec.scope == scope
    assert spec.held == (id in HELD)
    for key in spec.keys:
        (code,) = combinations(key)
        assert code & 0x1FFFFFF != Qt.Key.Key_unknown.value


def test_the_flying_keys_are_there() -> None:
    assert {Qt.Key(ord(key)) for key in FLYING.split()} == set(DIRECTIONS)
    assert " ".join(keys for keys, _ in HELD_KEYS).startswith(FLYING)


def test_no_key_clashes() -> None:
    """The viewport lies in the window, and W A S D Q E with and without Shift or Alt fly in it."""
    taken: dict[int, str] = {}
    for modifiers in ("", "Shift+", "Alt+"):
        for key in FLYING.split():
            taken[combinations(modifiers + key)[0]] = "flying"
    for spec in ACTIONS:
        for key in spec.keys:
            (code,) = combinations(key)
            assert code not in taken, f"{key}: {spec.id} and {taken[code]}"
            taken[code] = spec.id


@pytest.fixture
def window(qtbot, qapp) -> Iterator[MainWindow]:
    apply_theme(qapp)
    window = MainWindow(Session())
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    yield window
    window.close()
    window.deleteLater()


def test_f1_shows_every_key(window: MainWindow) -> None:
    QTest.keyClick(window.viewport, Qt.Key.Key_F1)
    sheet = window.findChild(ShortcutSheet)
    assert sheet is not None
    assert sheet.isVisible()
    lines = [line.replace("\xa0", " ") for line in sheet.text.toPlainText().splitlines()]
    shown = " ".join(lines).split()
    for id, keys in {**WINDOW_KEYS, **VIEWPORT_KEYS}.items():
        title = SPECS[id].title.rstrip("…")
        assert any(line.strip().startswith(title) for line in lines), id
        for key in keys.split():
            assert QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) in shown, id
    for keys, what in HELD_KEYS:
        assert what in lines
        assert set(keys.split()) <= set(shown)


@pytest.mark.parametrize("key", ["Shift+H", "Ctrl+Shift+B"])
def test_the_sheet_finds_a_key(window: MainWindow, key: str) -> None:
    window.show_help()
    sheet = window.findChild(ShortcutSheet)
    assert sheet is not None
    QTest.keyClicks(sheet.search, key)
    text = sheet.text.toPlainText().replace("\xa0", " ")
    assert key in text
    assert "F11" not in text
