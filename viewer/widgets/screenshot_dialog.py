"""How large a screenshot shall be."""

from PySide6.QtCore import QSignalBlocker, QSize, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from viewer.panels.panel import align_labels, described

MAX_SIDE = 8192
SIZES = {
    "Full HD, 1920 × 1080": QSize(1920, 1080),
    "4K, 3840 × 2160": QSize(3840, 2160),
    "Square, 2048 × 2048": QSize(2048, 2048),
}
CUSTOM = "Other"


class ScreenshotDialog(QDialog):
    """Asks for a size in pixels; the picture is drawn anew at that size, sharp."""

    chosen = Signal(QSize)

    def __init__(self, size: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Save Screenshot")
        self._ratio = size.width() / size.height()
        self.presets = QComboBox()
        self._sizes = {f"As shown, {size.width()} × {size.height()}": size, **SIZES}
        self.presets.addItems([*self._sizes, CUSTOM])
        described(self.presets, "Size of the picture", "Usual sizes; the viewport's comes first.")
        self.width_spin, self.height_spin = QSpinBox(), QSpinBox()
        for spin, name in ((self.width_spin, "Width"), (self.height_spin, "Height")):
            spin.setRange(16, MAX_SIDE)
            spin.setSuffix(" px")
            spin.setGroupSeparatorShown(True)
            described(spin, name, f"{name} of the picture in pixels, up to {MAX_SIDE:,}.")
        self.keep_ratio = QCheckBox("Keep the shape of the viewport")
        described(self.keep_ratio, "Keep the shape", "Width and height change together.")
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        self.save_button = buttons.button(QDialogButtonBox.StandardButton.Save)
        self.save_button.setText("Choose file…")
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("Size", self.presets)
        form.addRow("Width", self.width_spin)
        form.addRow("Height", self.height_spin)
        form.addRow("", self.keep_ratio)
        align_labels(form)
        layout = QVBoxLayout(self)
        note = QLabel("Drawn anew at this size, without overlays and legends.")
        note.setProperty("role", "muted")
        layout.addWidget(note)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.presets.currentTextChanged.connect(self._take_preset)
        self.width_spin.valueChanged.connect(self._width_given)
        self.height_spin.valueChanged.connect(self._height_given)
        self._take_preset(self.presets.currentText())

    @Slot(str)
    def _take_preset(self, name: str) -> None:
        size = self._sizes.get(name)
        if size is not None:
            self._show(size.width(), size.height())

    @Slot(int)
    def _width_given(self, width: int) -> None:
        height = round(width / self._ratio) if self.keep_ratio.isChecked() else None
        self._show(width, self.height_spin.value() if height is None else height)
        self._mark_custom()

    @Slot(int)
    def _height_given(self, height: int) -> None:
        width = round(height * self._ratio) if self.keep_ratio.isChecked() else None
        self._show(self.width_spin.value() if width is None else width, height)
        self._mark_custom()

    def _show(self, width: int, height: int) -> None:
        blockers = [QSignalBlocker(self.width_spin), QSignalBlocker(self.height_spin)]
        self.width_spin.setValue(width)
        self.height_spin.setValue(height)
        del blockers

    def _mark_custom(self) -> None:
        blocker = QSignalBlocker(self.presets)
        self.presets.setCurrentText(CUSTOM)
        del blocker

    @Slot()
    def _accept(self) -> None:
        self.accept()
        self.chosen.emit(QSize(self.width_spin.value(), self.height_spin.value()))
