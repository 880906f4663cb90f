"""The dialog of preferences: every change works at once."""

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Slot
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.rendering.device import VARIABLE
from viewer import theme
from viewer.look import COLORMAPS, Backdrop, Engine
from viewer.panels.panel import FieldGuard, align_labels, described, wrapped
from viewer.preferences import RANGES, Preferences
from viewer.theme import Theme
from viewer.widgets.shortcut_sheet import ShortcutView

THEME_TITLES = {
    Theme.SYSTEM: "As the system",
    Theme.DARK: "Dark",
    Theme.LIGHT: "Light",
    Theme.CONTRAST: "High contrast",
}
ENGINE_TITLES = {
    Engine.AUTO: "Automatic",
    Engine.RASTERIZER: "Rasterizer (CUDA or CPU)",
    Engine.OPENGL: "OpenGL splats",
}
BACKDROP_TITLES = {backdrop: backdrop.capitalize() for backdrop in Backdrop}
COLORMAP_TITLES = {name: name.capitalize() for name in COLORMAPS}
PAGES = (
    ("Appearance", "theme"),
    ("Viewport", "orbit"),
    ("Files and jobs", "folder"),
    ("Shortcuts", "help"),
)
FIELD_WIDTH = 150
PAGE_ROW_HEIGHT = 32


class PreferencesDialog(QDialog):
    """Pages of settings; nothing needs to be confirmed."""

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self.resize(760, 520)
        self._preferences = preferences
        self._guard = FieldGuard(self)
        self._showers: list[Callable[[], None]] = []
        self.fields: dict[str, QWidget] = {}
        self.pages = QListWidget()
        self.pages.setAccessibleName("Pages of preferences")
        self.pages.setFixedWidth(170)
        self.pages.setIconSize(QSize(18, 18))
        self.stack = QStackedWidget()
        contents = (self._appearance(), self._viewport(), self._files(), ShortcutView())
        for (title, icon), content in zip(PAGES, contents, strict=True):
            item = QListWidgetItem(theme.icon(icon), title)
            item.setSizeHint(QSize(0, PAGE_ROW_HEIGHT))
            self.pages.addItem(item)
            self.stack.addWidget(content)
        for form in self.stack.findChildren(QFormLayout):
            align_labels(form)
        self.pages.currentRowChanged.connect(self.stack.setCurrentIndex)
        self.pages.setCurrentRow(0)

        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.defaults_button = QPushButton("Restore defaults")
        self.defaults_button.setToolTip("Set everything back to what the program comes with.")
        self.defaults_button.setAutoDefault(False)
        buttons.addButton(self.defaults_button, QDialogButtonBox.ButtonRole.ResetRole)
        self.defaults_button.clicked.connect(preferences.restore_defaults)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(self.pages)
        row.addWidget(self.stack, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.setSpacing(12)
        layout.addLayout(row, 1)
        layout.addWidget(buttons)
        preferences.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what is preferred now."""
        for show in self._showers:
            show()

    def _appearance(self) -> QWidget:
        page, form = _page("How the window and the picture look.")
        form.addRow("Theme", self._choice("theme", "Theme", THEME_TITLES, "Colours of the window."))
        form.addRow(
            "Colour map",
            self._choice(
                "colormap",
                "Colour map",
                COLORMAP_TITLES,
                "Colours of heatmaps when the window opens. All are even in perception.",
            ),
        )
        form.addRow(
            "Background",
            self._choice(
                "background",
                "Background",
                BACKDROP_TITLES,
                "What lies behind a scene. Images made into Gaussians are drawn on white.",
            ),
        )
        form.addRow(
            self._tick("restore_layout", "Open the window as it was left", "Size, place, panels.")
        )
        return page

    def _viewport(self) -> QWidget:
        page, form = _page("How the mouse and the keys move the camera, and what draws.")
        form.addRow(
            "Flying speed",
            self._number("fly_speed", "Flying speed", "Of W A S D Q E, against the usual.", " ×"),
        )
        form.addRow(
            "Orbit speed",
            self._number("orbit_speed", "Orbit speed", "Of dragging, against the usual.", " ×"),
        )
        form.addRow(
            self._tick(
                "invert_wheel", "Turn the wheel the other way", "Turning it away moves back."
            )
        )
        form.addRow(
            "Drawn by",
            self._choice(
                "engine",
                "Drawn by",
                ENGINE_TITLES,
                "Automatic: CUDA where there is an NVIDIA GPU, else OpenGL or the CPU.",
            ),
        )
        form.addRow(
            _note(
                "Scenes are computed on an NVIDIA GPU where there is one, else on the CPU. "
                f"The environment variable {VARIABLE}=cpu or cuda decides by hand."
            )
        )
        return page

    def _files(self) -> QWidget:
        page, form = _page("What is asked, made and kept.")
        form.addRow(
            self._tick(
                "ask_before_discarding",
                "Ask before changes are lost",
                "When another scene is opened, or the window is closed, before an export.",
            )
        )
        form.addRow(
            "Generated views",
            self._number(
                "generated_views",
                "Generated views",
                "How many cameras are made to score a scene that has no photos.",
            ),
        )
        form.addRow(
            "Memory for undo",
            self._number(
                "undo_memory_mb", "Memory for undo", "Beyond it the oldest steps go.", " MB"
            ),
        )
        return page

    def _choice(self, field: str, name: str, titles: Mapping[Any, str], tip: str) -> QComboBox:
        combo = QComboBox()
        combo.setMinimumWidth(FIELD_WIDTH)
        for value, title in titles.items():
            combo.addItem(title, str(value))
        described(combo, name, tip)
        combo.installEventFilter(self._guard)
        combo.activated.connect(lambda _: self._preferences.set(**{field: combo.currentData()}))
        self._showers.append(
            lambda: combo.setCurrentIndex(
                combo.findData(str(getattr(self._preferences.values, field)))
            )
        )
        self.fields[field] = combo
        return combo

    def _tick(self, field: str, text: str, tip: str) -> QCheckBox:
        box = QCheckBox(text)
        box.setToolTip(tip)
        box.setAccessibleName(text)
        box.clicked.connect(lambda checked: self._preferences.set(**{field: bool(checked)}))
        self._showers.append(lambda: box.setChecked(bool(getattr(self._preferences.values, field))))
        self.fields[field] = box
        return box

    def _number(self, field: str, name: str, tip: str, suffix: str = "") -> QAbstractSpinBox:
        low, high = RANGES[field]
        whole = isinstance(getattr(self._preferences.values, field), int)
        spin: QSpinBox | QDoubleSpinBox
        if whole:
            spin = QSpinBox()
            spin.setRange(int(low), int(high))
        else:
            spin = QDoubleSpinBox()
            spin.setRange(low, high)
            spin.setDecimals(2)
            spin.setSingleStep(0.1)
        spin.setMinimumWidth(FIELD_WIDTH)
        spin.setSuffix(suffix)
        spin.setGroupSeparatorShown(True)
        spin.setKeyboardTracking(False)
        described(spin, name, tip)
        spin.installEventFilter(self._guard)
        spin.valueChanged.connect(lambda value: self._preferences.set(**{field: value}))

        def show() -> None:
            with QSignalBlocker(spin):
                spin.setValue(getattr(self._preferences.values, field))

        self._showers.append(show)
        self.fields[field] = spin
        return spin


def _page(purpose: str) -> tuple[QWidget, QFormLayout]:
    page = QWidget()
    form = QFormLayout(page)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(12)
    form.setHorizontalSpacing(16)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
    form.addRow(_note(purpose))
    return page, form


def _note(text: str) -> QWidget:
    note = wrapped(text)
    note.setProperty("role", "muted")
    return note
