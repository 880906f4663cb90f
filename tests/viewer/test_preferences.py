"""Preferences: kept, validated, changed in the dialog by real events."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox

from viewer.layout import settings
from viewer.look import Engine
from viewer.preferences import DEFAULTS, GROUP, RANGES, Preferences, Values, _checked, _read, load
from viewer.theme import Theme, apply_theme
from viewer.widgets.preferences_dialog import PAGES, PreferencesDialog

LEFT = Qt.MouseButton.LeftButton


def store(**values: object) -> None:
    kept = settings()
    for name, value in values.items():
        kept.setValue(f"{GROUP}/{name}", value)


def test_changes_are_kept_and_told(qtbot) -> None:
    preferences = Preferences()
    assert preferences.values == DEFAULTS
    with qtbot.waitSignal(preferences.changed):
        preferences.set(theme="light", fly_speed=2, engine=Engine.OPENGL, invert_wheel=True)
    with qtbot.assertNotEmitted(preferences.changed):
        preferences.set(theme=Theme.LIGHT)
    again = load()
    assert again == preferences.values
    assert again.theme is Theme.LIGHT
    assert again.fly_speed == 2.0
    preferences.restore_defaults()
    assert load() == DEFAULTS


@pytest.mark.parametrize(
    "change",
    [
        {"theme": "mauve"},
        {"fly_speed": 0.0},
        {"fly_speed": float("nan")},
        {"generated_views": 10_000},
        {"generated_views": 4.5},
        {"invert_wheel": 1},
        {"colormap": "jet"},
        {"engine": "vulkan"},
        {"password": "x"},
    ],
)
def test_what_cannot_be_is_refused(change) -> None:
    preferences = Preferences()
    with pytest.raises(ValueError, match=r"."):
        preferences.set(orbit_speed=2.0, **change)
    assert preferences.values == DEFAULTS
    assert load() == DEFAULTS


def test_hostile_files_fall_back_one_by_one() -> None:
    store(
        theme="x" * 100_000,
        colormap=["viridis", "magma"],
        fly_speed="1e999",
        orbit_speed="nan",
        generated_views="12 views",
        undo_memory_mb="9" * 60,
        ask_before_discarding="maybe",
        restore_layout="false",
        invert_wheel=b"\xff\x00",
        engine="opengl",
    )
    assert load() == Values(restore_layout=False, engine=Engine.OPENGL)


@given(st.sampled_from([field.name for field in fields(Values)]), st.text(max_size=80))
def test_any_text_gives_a_value_or_an_error(name: str, text: str) -> None:
    try:
        value = _checked(name, _read(name, text))
    except (ValueError, OverflowError):
        return
    assert type(value) is type(getattr(DEFAULTS, name))
    if name in RANGES:
        assert RANGES[name][0] <= value <= RANGES[name][1]


@pytest.fixture
def dialog(qtbot, qapp):
    apply_theme(qapp)
    dialog = PreferencesDialog(Preferences())
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitExposed(dialog)
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    return dialog


def values(dialog: PreferencesDialog) -> Values:
    return dialog._preferences.values


def test_every_preference_has_a_named_field(dialog) -> None:
    assert set(dialog.fields) == {field.name for field in fields(Values)}
    for field in dialog.fields.values():
        assert field.accessibleName()
        assert field.toolTip()


def test_pages_are_chosen_by_keys(dialog) -> None:
    dialog.pages.setFocus()
    for row in range(1, len(PAGES)):
        QTest.keyClick(dialog.pages, Qt.Key.Key_Down)
        assert dialog.stack.currentIndex() == row
    assert dialog.stack.currentWidget().text.toPlainText().count("Ctrl+") > 10


def test_fields_change_preferences_at_once(dialog) -> None:
    combo = dialog.fields["theme"]
    assert isinstance(combo, QComboBox)
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Down)
    assert values(dialog).theme == Theme.LIGHT
    QTest.mouseClick(dialog.fields["restore_layout"], LEFT, pos=QPoint(12, 10))
    assert not values(dialog).restore_layout
    dialog.pages.setCurrentRow(1)
    spin = dialog.fields["fly_speed"]
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, "2.5")
    assert values(dialog).fly_speed == 1.0
    QTest.keyClick(spin, Qt.Key.Key_Tab)
    assert values(dialog).fly_speed == 2.5
    assert load() == values(dialog)


def test_defaults_come_back_and_are_shown(dialog) -> None:
    dialog._preferences.set(theme=Theme.CONTRAST, undo_memory_mb=64)
    assert dialog.fields["theme"].currentText() == "High contrast"
    assert dialog.fields["undo_memory_mb"].value() == 64
    QTest.mouseClick(dialog.defaults_button, LEFT)
    assert values(dialog) == DEFAULTS
    assert dialog.fields["theme"].currentText() == "Dark"
    assert dialog.fields["undo_memory_mb"].value() == DEFAULTS.undo_memory_mb
