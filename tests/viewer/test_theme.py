"""Themes: complete, legible, changed at any time; icons follow and are sharp."""

import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QColor, QIcon, QImage
from PySide6.QtWidgets import QToolButton

from viewer import theme
from viewer.theme import Theme, apply_theme, filled, theme_colors

RESOURCES = Path(str(files("resources") / "themes")).parent
SHOWN = (Theme.DARK, Theme.LIGHT, Theme.CONTRAST)
GROUNDS = ("window", "panel", "raised", "field", "hover")
INKS = ("text", "text-muted", "accent", "error", "warning", "success")


@pytest.fixture(autouse=True)
def _back_to_dark(qapp):
    yield
    apply_theme(qapp, Theme.DARK)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2)."""

    def luminance(code: str) -> float:
        channels = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


def test_themes_have_the_same_colors() -> None:
    names = [set(theme_colors(name)) for name in SHOWN]
    assert names[0] == names[1] == names[2]
    for name in SHOWN:
        for key, code in theme_colors(name).items():
            assert re.fullmatch(r"#[0-9a-f]{6}", code), (name, key)


@pytest.mark.parametrize("name", SHOWN)
def test_text_is_legible(name: Theme) -> None:
    colors = theme_colors(name)
    least = 7.0 if name == Theme.CONTRAST else 4.5
    for ground in GROUNDS:
        for ink in INKS:
            assert contrast(colors[ink], colors[ground]) >= least, (ink, ground)
    for ground in ("selection", "progress"):
        assert contrast(colors["text"], colors[ground]) >= least, ground
    for ground in ("accent", "accent-hover", "accent-pressed"):
        assert contrast(colors["on-accent"], colors[ground]) >= least, ground
    for ground in ("window", "panel", "raised", "field"):
        assert contrast(colors["text-disabled"], colors[ground]) >= least, ground
    assert contrast(colors["text-muted"], colors["selection"]) >= 4.5


@pytest.mark.parametrize("name", SHOWN)
def test_edges_and_focus_rings_stand_out(name: Theme) -> None:
    colors = theme_colors(name)
    for ground in ("window", "panel", "raised", "field"):
        assert contrast(colors["outline"], colors[ground]) >= 3, ground
        assert contrast(colors["focus"], colors[ground]) >= 3, ground


def test_the_sheet_has_no_colors_of_its_own_and_every_image() -> None:
    sheet = (RESOURCES / "themes" / theme.SHEET).read_text()
    assert re.findall(r"#[0-9a-f]{6}\b", sheet) == []
    used = set(re.findall(r"@images/([a-z-]+)\.svg", sheet))
    assert used == set(theme.IMAGES)
    for image in theme.IMAGES:
        drawing = (RESOURCES / "themes" / f"{image}.svg").read_text()
        assert "@" in drawing
        assert "#" not in drawing
    for rule in re.findall(r"[^{}]*:focus[^{}]*\{[^{}]*\}", sheet):
        if "@focus" in rule and "border:" in rule:
            assert "border: 2px solid @focus" in rule, rule


def test_a_name_without_a_color_is_told() -> None:
    assert filled("a: @text; b: @text-muted", {"text": "#1", "text-muted": "#2"}) == "a: #1; b: #2"
    with pytest.raises(KeyError):
        filled("color: @texd", {"text": "#1"})


def test_icons_are_one_family() -> None:
    icons = [path for path in (RESOURCES / "icons").glob("*.svg") if path.stem != "splatscope"]
    assert len(icons) >= 80
    for path in icons:
        root = ElementTree.parse(path).getroot()
        assert root.get("viewBox") == "0 0 24 24", path.name
        assert root.get("stroke") == "currentColor", path.name
        assert root.get("stroke-width") == "1.75", path.name
        assert "#" not in path.read_text(), path.name


def ink(image: QImage) -> str:
    """The colour that most of the opaque pixels have."""
    counts = Counter(
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    )
    return counts.most_common(1)[0][0]


@pytest.mark.parametrize("name", SHOWN)
def test_a_theme_changes_colors_sheet_and_icons_handed_out(qtbot, qapp, name: Theme) -> None:
    apply_theme(qapp, Theme.LIGHT if name == Theme.DARK else Theme.DARK)
    icon = theme.icon("op-set")
    action = QAction(icon, "Set")
    button = QToolButton()
    button.setDefaultAction(action)
    qtbot.addWidget(button)
    with qtbot.waitSignal(theme.events.changed):
        apply_theme(qapp, name)
    colors = theme_colors(name)
    assert theme.color("text") == colors["text"]
    assert qapp.palette().window().color().name() == colors["window"]
    assert colors["accent"] in qapp.styleSheet()
    assert "@" not in re.sub(r"/\*.*?\*/", "", qapp.styleSheet(), flags=re.DOTALL)
    for held in (icon, action.icon(), button.icon(), QIcon(icon)):
        assert ink(held.pixmap(24, 24).toImage()) == colors["text"]
    button.resize(40, 40)
    shown = button.grab().toImage()
    assert shown.pixelColor(shown.rect().center()).name() == colors["text"]


def test_icons_tell_their_state(qapp) -> None:
    apply_theme(qapp, Theme.DARK)
    plain, muted = theme.icon("op-set"), theme.icon("op-set", "text-muted")
    size = QSize(24, 24)
    for icon, mode, state, name in (
        (plain, QIcon.Mode.Disabled, QIcon.State.Off, "text-disabled"),
        (plain, QIcon.Mode.Normal, QIcon.State.On, "accent"),
        (muted, QIcon.Mode.Normal, QIcon.State.On, "text-muted"),
    ):
        assert ink(icon.pixmap(size, mode, state).toImage()) == theme.color(name)


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_icons_are_sharp_at_every_pixel_ratio(qapp, ratio: float) -> None:
    apply_theme(qapp, Theme.DARK)
    pixmap = theme.icon("grid").pixmap(QSize(20, 20), ratio)
    assert pixmap.devicePixelRatio() == ratio
    assert (pixmap.width(), pixmap.height()) == (20 * ratio, 20 * ratio)
    coarse = theme.icon("grid").pixmap(QSize(20, 20), 1.0).toImage()
    assert (pixmap.toImage() == coarse.scaled(pixmap.size())) == (ratio == 1.0)


def test_an_icon_without_room_is_no_picture_and_no_complaint(qapp, capfd) -> None:
    apply_theme(qapp, Theme.DARK)
    assert theme.icon("grid").pixmap(QSize(0, 20)).isNull()
    assert "QPainter" not in capfd.readouterr().err


def test_an_icon_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        theme.icon("no-such-icon")


def test_the_same_theme_again_changes_nothing(qtbot, qapp) -> None:
    apply_theme(qapp, Theme.LIGHT)
    with qtbot.assertNotEmitted(theme.events.changed):
        apply_theme(qapp, Theme.LIGHT)


def test_the_systems_scheme_is_followed_only_where_chosen(qapp) -> None:
    """No display here has a scheme to change: the signal is sent by hand."""
    hints = qapp.styleHints()
    apply_theme(qapp, Theme.SYSTEM)
    expected = Theme.LIGHT if hints.colorScheme() == Qt.ColorScheme.Light else Theme.DARK
    assert theme.events.shown == expected
    assert theme._resolved(Theme.SYSTEM, Qt.ColorScheme.Light) == Theme.LIGHT
    assert theme._resolved(Theme.SYSTEM, Qt.ColorScheme.Dark) == Theme.DARK
    apply_theme(qapp, Theme.CONTRAST)
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert theme.events.shown == Theme.CONTRAST


def test_every_theme_file_is_json_of_strings() -> None:
    for name in SHOWN:
        colors = json.loads((RESOURCES / "themes" / f"{name}.json").read_text())
        assert all(QColor.isValidColorName(code) for code in colors.values())
