"""The sheet of keys: complete, searched by real events, and in even columns."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from viewer.action_spec import Scope, keys_text
from viewer.action_table import ACTIONS, HELD_KEYS, MOUSE
from viewer.theme import Theme, apply_theme
from viewer.widgets.shortcut_sheet import ShortcutSheet, _columns, _lines, shortcut_groups


@pytest.fixture
def sheet(qtbot, qapp):
    apply_theme(qapp)
    sheet = ShortcutSheet()
    qtbot.addWidget(sheet)
    sheet.show()
    qtbot.waitExposed(sheet)
    return sheet


def test_every_key_is_listed_once_with_its_scope() -> None:
    rows = [row for group in shortcut_groups() for row in group.rows]
    with_keys = [spec for spec in ACTIONS if spec.keys]
    assert len(rows) == len(with_keys) + len(HELD_KEYS) + len(MOUSE)
    for spec in with_keys:
        keys = tuple(keys_text(spec).split(", "))
        found = [row for row in rows if row.keys == keys]
        assert len(found) == 1, spec.id
        assert found[0].viewport == (spec.scope == Scope.VIEWPORT)
        assert spec.title.rstrip("…") in found[0].what


def test_the_sheet_shows_them_and_fits_a_small_window(sheet) -> None:
    text = sheet.text.toPlainText().replace("\N{NO-BREAK SPACE}", " ")
    assert "Ctrl+Shift+Z" in text
    assert "Double click" in text
    assert sheet.height() <= 700
    assert sheet.width() <= 1100
    assert sheet.text.verticalScrollBar().maximum() == 0
    assert sheet.text.horizontalScrollBar().maximum() == 0


def test_typing_narrows_by_name_and_by_key(sheet) -> None:
    QTest.keyClicks(sheet.search, "undo")
    assert "Undo" in sheet.text.toPlainText()
    assert "Orbit" not in sheet.text.toPlainText()
    sheet.search.clear()
    QTest.keyClicks(sheet.search, "shift+h")
    assert "Show All" in sheet.text.toPlainText()
    QTest.keyClicks(sheet.search, " zzz")
    assert sheet.text.toPlainText() == "Nothing of that name."


def test_columns_follow_the_width(qtbot, sheet) -> None:
    wide = sheet.text.document().size().height()
    sheet.resize(400, 600)
    qtbot.waitUntil(lambda: sheet.text.document().size().height() > 2 * wide)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_columns_are_even_and_keep_the_order(count) -> None:
    groups = shortcut_groups()
    columns = _columns(groups, count)
    assert len(columns) <= count
    flat = [row for column in columns for group in column for row in group.rows]
    assert flat == [row for group in groups for row in group.rows]
    heights = [sum(2 + sum(map(_lines, group.rows)) for group in column) for column in columns]
    assert max(heights) <= sum(heights) / count + 8


def test_colors_follow_the_theme(sheet, qapp) -> None:
    before = sheet.text.toHtml()
    apply_theme(qapp, Theme.LIGHT)
    after = sheet.text.toHtml()
    apply_theme(qapp, Theme.DARK)
    assert before != after
    assert sheet.text.toHtml() == before


def test_escape_closes(sheet) -> None:
    QTest.keyClick(sheet.search, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
