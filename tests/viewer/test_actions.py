"""The table of actions: unique, without clashes, complete, and what is made from it."""

from collections import Counter
from importlib.resources import files

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

from viewer.action_spec import ActionSpec, Scope, keys_text
from viewer.action_table import ACTIONS, MENUS, SIDE_BAR, TOOL_BAR

KEYS = [(spec, key) for spec in ACTIONS for key in spec.keys]


def combinations(sequence: str) -> list[int]:
    parsed = QKeySequence(sequence, QKeySequence.SequenceFormat.PortableText)
    return [parsed[index].toCombined() for index in range(parsed.count())]


def test_ids_are_unique() -> None:
    assert [id for id, times in Counter(spec.id for spec in ACTIONS).items() if times > 1] == []


@pytest.mark.parametrize(("spec", "key"), KEYS, ids=lambda value: getattr(value, "id", value))
def test_every_key_parses(spec: ActionSpec, key: str) -> None:
    keys = combinations(key)
    assert len(keys) == 1
    assert keys[0] & ~Qt.KeyboardModifier.KeyboardModifierMask.value != Qt.Key.Key_unknown.value


def test_no_key_is_taken_twice() -> None:
    """The viewport lies in the window: its keys must not clash with the window's either."""
    taken = Counter(combinations(key)[0] for _, key in KEYS)
    assert [code for code, times in taken.items() if times > 1] == []


def test_keys_that_fields_need_belong_to_the_viewport() -> None:
    for spec, key in KEYS:
        control = Qt.KeyboardModifier.ControlModifier.value
        combined = combinations(key)[0]
        code = combined & ~Qt.KeyboardModifier.KeyboardModifierMask.value
        function_key = Qt.Key.Key_F1.value <= code <= Qt.Key.Key_F35.value
        digit = Qt.Key.Key_0.value <= code <= Qt.Key.Key_9.value
        alt_digit = digit and combined & Qt.KeyboardModifier.AltModifier.value
        if spec.scope == Scope.WINDOW:
            assert combined & control or function_key or alt_digit, spec.id


def test_every_action_is_in_a_menu_and_sections_are_in_order() -> None:
    for title in MENUS:
        sections = [spec.section for spec in ACTIONS if spec.menu.partition("/")[0] == title]
        assert sections
        assert sections == sorted(sections)
    assert {spec.menu.partition("/")[0] for spec in ACTIONS} == set(MENUS)


def test_tool_bar_names_actions_with_icons() -> None:
    by_id = {spec.id: spec for spec in ACTIONS}
    for id in [id for group in (*TOOL_BAR, *SIDE_BAR) for id in group]:
        assert by_id[id].icon


@pytest.mark.parametrize("name", sorted({spec.icon for spec in ACTIONS if spec.icon}))
def test_every_icon_exists(name: str) -> None:
    assert "currentColor" in (files("resources") / "icons" / f"{name}.svg").read_text()


def test_keys_are_written_as_a_person_reads_them() -> None:
    redo = next(spec for spec in ACTIONS if spec.id == "edit.redo")
    assert keys_text(redo) == "Ctrl+Shift+Z, Ctrl+Y"
