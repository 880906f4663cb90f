"""The look of the window: palette, style sheet, icons in the palette's colours, plots."""

import json
from functools import cache
from importlib.resources import files

import pyqtgraph as pg
from PySide6.QtCore import QByteArray, QDir, QLocale, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

ICON_SIZES = (16, 18, 20, 24, 32, 48, 64)


def _resource(folder: str, name: str) -> str:
    return (files("resources") / folder / name).read_text(encoding="utf-8")


COLORS: dict[str, str] = json.loads(_resource("themes", "dark.json"))
TEXT, MUTED, ACCENT = COLORS["text"], COLORS["text-muted"], COLORS["accent"]
LEVELS = {
    "info": ("info", MUTED),
    "warning": ("warning", COLORS["warning"]),
    "error": ("warning", COLORS["error"]),
}
SHEETS = ("dark.qss", "window.qss")


def apply_theme(application: QApplication) -> None:
    """Dark Fusion style, style sheet and plot options; numbers are written as in the texts."""
    QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
    application.setStyle("Fusion")
    application.setPalette(_palette())
    QDir.setSearchPaths("theme", [str(files("resources") / "themes")])
    application.setStyleSheet("\n".join(_resource("themes", name) for name in SHEETS))
    pg.setConfigOptions(
        imageAxisOrder="row-major",
        antialias=True,
        background=COLORS["panel"],
        foreground=MUTED,
    )


class _Events(QObject):
    changed = Signal()


events = _Events()
"""``events.changed`` is emitted when another theme was chosen."""


def color(name: str) -> str:
    """A colour of the theme in use by its name in resources/themes/*.json, such as "text"."""
    return COLORS[name]


@cache
def icon(name: str, color: str = TEXT) -> QIcon:
    """An icon of resources/icons in a colour; greyed when disabled, accented when checked."""
    made = QIcon()
    on = ACCENT if color == TEXT else color
    states = [
        (QIcon.Mode.Normal, QIcon.State.Off, color),
        (QIcon.Mode.Normal, QIcon.State.On, on),
        (QIcon.Mode.Disabled, QIcon.State.Off, COLORS["text-disabled"]),
        (QIcon.Mode.Disabled, QIcon.State.On, COLORS["text-disabled"]),
    ]
    for mode, state, tint in states:
        svg = _resource("icons", f"{name}.svg").replace("currentColor", tint)
        renderer = QSvgRenderer(QByteArray(svg.encode()))
        for size in ICON_SIZES:
            made.addPixmap(_drawn(renderer, size), mode, state)
    return made


def level_icon(level: str) -> QIcon:
    """The icon of a message: "info", "warning" or "error"."""
    return icon(*LEVELS[level])


def _drawn(renderer: QSvgRenderer, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


def _palette() -> QPalette:
    roles = {
        QPalette.ColorRole.Window: "window",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.Base: "window",
        QPalette.ColorRole.AlternateBase: "panel",
        QPalette.ColorRole.Text: "text",
        QPalette.ColorRole.PlaceholderText: "text-muted",
        QPalette.ColorRole.Button: "hover",
        QPalette.ColorRole.ButtonText: "text",
        QPalette.ColorRole.ToolTipBase: "hover",
        QPalette.ColorRole.ToolTipText: "text",
        QPalette.ColorRole.Highlight: "selection",
        QPalette.ColorRole.HighlightedText: "text",
        QPalette.ColorRole.Link: "accent",
        QPalette.ColorRole.Accent: "accent",
    }
    palette = QPalette()
    for role, name in roles.items():
        palette.setColor(role, QColor(COLORS[name]))
    for role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(COLORS["text-disabled"]))
    return palette
