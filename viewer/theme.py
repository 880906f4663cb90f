"""The look of the window: themes, palette, style sheet, icons in the theme's colours, plots."""

import atexit
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path

import pyqtgraph as pg
from PySide6.QtCore import (
    QByteArray,
    QLocale,
    QObject,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

SHEET = "window.qss"
IMAGES = ("check", "chevron-down", "chevron-up", "close", "float")
LEVELS = {
    "info": ("info", "text-muted"),
    "warning": ("warning", "warning"),
    "error": ("warning", "error"),
}
_PLACEHOLDER = re.compile(r"@([a-z][a-z-]*)")


class Theme(StrEnum):
    """What a person can choose."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "contrast"


def _resource(folder: str, name: str) -> str:
    return (files("resources") / folder / name).read_text(encoding="utf-8")


@cache
def theme_colors(name: Theme) -> Mapping[str, str]:
    """The colours of a theme that is not "system", by name."""
    colors: dict[str, str] = json.loads(_resource("themes", f"{name}.json"))
    return colors


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with every @name replaced; KeyError for a name that has no value."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


class _Events(QObject):
    """Which theme is in use; one object for the whole program."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.chosen = Theme.DARK
        self.shown: Theme | None = None
        self._following = False

    def apply(self, application: QApplication, chosen: Theme) -> None:
        self.chosen = chosen
        hints = application.styleHints()
        if not self._following:
            hints.colorSchemeChanged.connect(self._follow)
            self._following = True
        if chosen == Theme.SYSTEM:
            hints.unsetColorScheme()
        else:
            light = chosen == Theme.LIGHT
            hints.setColorScheme(Qt.ColorScheme.Light if light else Qt.ColorScheme.Dark)
        self._show(application, _resolved(chosen, hints.colorScheme()))

    @Slot()
    def _follow(self) -> None:
        application = QApplication.instance()
        if self.chosen == Theme.SYSTEM and isinstance(application, QApplication):
            self._show(application, _resolved(self.chosen, application.styleHints().colorScheme()))

    def _show(self, application: QApplication, name: Theme) -> None:
        if name == self.shown and application.styleSheet():
            return
        self.shown = name
        colors = theme_colors(name)
        application.setPalette(_palette(colors))
        application.setStyleSheet(
            filled(_resource("themes", SHEET), {**colors, "images": _images(name).as_posix()})
        )
        pg.setConfigOptions(
            imageAxisOrder="row-major",
            antialias=True,
            background=colors["panel"],
            foreground=colors["text-muted"],
        )
        self.changed.emit()


events = _Events()
"""``events.changed`` is emitted when another theme is shown."""


def apply_theme(application: QApplication, name: str = Theme.DARK) -> None:
    """Show a theme: a :class:`Theme`, or its name. Numbers are written as in the texts."""
    QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
    if application.style().objectName().lower() != "fusion":
        application.setStyle("Fusion")
    events.apply(application, Theme(name))


def color(name: str) -> str:
    """A colour of the theme in use by its name in resources/themes/*.json, such as "text"."""
    return theme_colors(events.shown or Theme.DARK)[name]


@cache
def _images(name: Theme) -> Path:
    """A folder, gone with the program, with the sheet's images in the colours of a theme."""
    folder = Path(tempfile.mkdtemp(prefix="splatscope-theme-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for image in IMAGES:
        drawing = filled(_resource("themes", f"{image}.svg"), theme_colors(name))
        (folder / f"{image}.svg").write_text(drawing, encoding="utf-8")
    return folder


def _resolved(chosen: Theme, scheme: Qt.ColorScheme) -> Theme:
    if chosen != Theme.SYSTEM:
        return chosen
    return Theme.LIGHT if scheme == Qt.ColorScheme.Light else Theme.DARK


class _IconEngine(QIconEngine):
    """Draws an SVG in the colours of the theme in use, sharp at every size and pixel ratio.

    So icons that buttons and actions hold already follow a change of theme. Engines are kept for
    good: Qt owns those behind icons and would outlive the Python objects.
    """

    def __init__(self, name: str, color_name: str) -> None:
        super().__init__()
        self._name, self._color_name = name, color_name
        _ENGINES.append(self)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Draw the icon; greyed when disabled, accented when checked."""
        _svg(self._name, self._tint(mode, state)).render(painter, QRectF(rect))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """The icon as a picture at pixel ratio 1."""
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        """The icon as a picture of a size in logical pixels, empty where there is no room."""
        if size.isEmpty():
            return QPixmap()
        return _drawn(self._name, self._tint(mode, state), size.width(), size.height(), scale)

    def clone(self) -> QIconEngine:
        """Another engine for a copied icon."""
        return _IconEngine(self._name, self._color_name)

    def _tint(self, mode: QIcon.Mode, state: QIcon.State) -> str:
        if mode == QIcon.Mode.Disabled:
            return color("text-disabled")
        if state == QIcon.State.On and self._color_name == "text":
            return color("accent")
        return color(self._color_name)


_ENGINES: list[_IconEngine] = []


@cache
def icon(name: str, color_name: str = "text") -> QIcon:
    """An icon of resources/icons in a colour of the theme; it changes with the theme."""
    if not (files("resources") / "icons" / f"{name}.svg").is_file():
        raise FileNotFoundError(f"there is no icon {name}")
    return QIcon(_IconEngine(name, color_name))


def level_icon(level: str) -> QIcon:
    """The icon of a message: "info", "warning" or "error"."""
    return icon(*LEVELS[level])


@cache
def _svg(name: str, tint: str) -> QSvgRenderer:
    drawing = _resource("icons", f"{name}.svg").replace("currentColor", tint)
    return QSvgRenderer(QByteArray(drawing.encode()))


@cache
def _drawn(name: str, tint: str, width: int, height: int, scale: float) -> QPixmap:
    pixmap = QPixmap(round(width * scale), round(height * scale))
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    _svg(name, tint).render(painter, QRectF(0, 0, width, height))
    painter.end()
    return pixmap


def _palette(colors: Mapping[str, str]) -> QPalette:
    roles = {
        QPalette.ColorRole.Window: "window",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.Base: "field",
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
        QPalette.ColorRole.LinkVisited: "accent",
        QPalette.ColorRole.Accent: "accent",
        QPalette.ColorRole.Mid: "border",
    }
    palette = QPalette()
    for role, name in roles.items():
        palette.setColor(role, QColor(colors[name]))
    for role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colors["text-disabled"]))
    return palette
