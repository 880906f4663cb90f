"""An image as Gaussians: opening it, the model, what it sees, depth, and refining."""

from pathlib import Path

import torch
from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.gmae.config import Projection
from core.gmae.images import MAX_MASK_RATIO, ImageSource, PictureQuality
from viewer import theme
from viewer.imaging import JOB
from viewer.panels.panel import FieldGuard, described, wrapped
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.group import Group
from viewer.widgets.icon_label import IconLabel
from viewer.widgets.job_status import REFRESH_MS, show_fraction
from viewer.widgets.numbers import MISSING, count_text, percent_text, steps_text
from viewer.widgets.numbers_table import NumbersTable
from viewer.widgets.section import Section

PICTURE_PX = 104
SPIN_WIDTH = 96
MAX_SEED = 9999
STEPS, MAX_STEPS = 100, 2000
OCTAVE = 10
"""Steps of the depth slider in a factor of two."""
DEPTHS = (-2 * OCTAVE, 4 * OCTAVE)
HOLES = 0.1
"""Share of the picture from which on it is told that nothing covers it."""
ABOUT = (
    "Open or paste an image: a masked autoencoder makes a few hundred Gaussians of its middle "
    "square, each with a depth."
)
MADE_BEFORE = (
    "This scene was made of an image. Its photo, what hides patches and what refines it are not in "
    "the file: open the image again for them."
)
BOX = "nano64 (comes along)"
CAMERAS = {
    Projection.AUTHORS: "the authors' camera",
    Projection.PINHOLE: "a pinhole",
    Projection.ORTHO: "parallel rays (control)",
}
ROWS = ("PSNR at model size", "Hidden patches, MSE", "Not covered")
TIPS = {
    "PSNR at model size": "Of the Gaussians as they are now against the square that the model saw, "
    "on white. Against the photo itself, in Compare, it is lower: that shows more.",
    "Hidden patches, MSE": "Mean squared error, in 0 to 1, where the model saw nothing.",
    "Not covered": "Mean share of a pixel through which the white ground is seen.",
}
MODEL_TIP = (
    "How many Gaussians the model makes of every image; the largest standard deviation of one, the "
    "paper's c, where 1 is a sixteenth of the picture; and how the model looked at them in "
    "training: as the paper's authors do (places as in a parallel view, sizes as in a pinhole's), "
    "pinhole, or parallel. Only where size in the picture depends on depth can depth be learnt."
)


class ImageSection(Section):
    """The controls of :class:`viewer.imaging.Imaging`."""

    open_asked = Signal()
    paste_asked = Signal()
    model_asked = Signal()
    """A file of a model is to be chosen."""
    model_chosen = Signal(object)
    """A model's path, None for the one that comes along."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Image", "layers-image", parent, is_open=True)
        self.session = session
        self._imaging = session.imaging
        self._guard = FieldGuard(self)
        self._pictured: ImageSource | None = None
        self._listed: Path | None = None
        self._make_opening()
        self._make_picture()
        self._make_settings()
        self._make_refining()
        self._arrange()
        self._connect()
        self.refresh()

    def _make_opening(self) -> None:
        self.about = wrapped(ABOUT)
        self.open_button, self.paste_button = QPushButton("Open Image…"), QPushButton("Paste")
        described(self.open_button, "Open image", "Open Image as Gaussians (Ctrl+G)")
        described(self.paste_button, "Paste image", "Paste Image as Gaussians (Ctrl+V)")
        self.model_combo = QComboBox()
        self.model_combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        described(
            self.model_combo,
            "Model",
            "What makes Gaussians of an image. Files come from splatscope gmae train.",
        )
        self.model_combo.installEventFilter(self._guard)

    def _make_picture(self) -> None:
        self.picture = QLabel()
        self.picture.setFixedSize(PICTURE_PX, PICTURE_PX)
        self.picture.setAccessibleName("What the model saw")
        self.picture.setToolTip("What the model saw; patches that were hidden from it are grey.")
        self.name = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.name.setProperty("role", "title")
        self.facts = wrapped("")
        self.facts.setProperty("role", "muted")
        self.facts.setAccessibleName("What the model saw, and how near its picture is")

    def _make_settings(self) -> None:
        self.hide_slider = self._slider(
            (0, round(100 * MAX_MASK_RATIO)),
            "Hide patches",
            "How much of the image the model does not see: what it makes of the rest shows what it "
            "has learnt. It was trained with three quarters hidden.",
        )
        self.hide_slider.setSingleStep(5)
        self.hide_value = _value()
        self.seed_spin = QSpinBox()
        self.seed_spin.setRange(0, MAX_SEED)
        self.seed_spin.setKeyboardTracking(False)
        described(self.seed_spin, "Seed", "Which patches are hidden.")
        self.seed_spin.installEventFilter(self._guard)
        self.depth_slider = self._slider(
            DEPTHS,
            "Exaggerate depth",
            "How far apart near and far are. The picture from the image's own camera stays the "
            "same; orbit to see the layers apart.",
        )
        self.depth_value = _value()

    def _make_refining(self) -> None:
        self.refine_button = QPushButton("Refine Image")
        described(
            self.refine_button,
            "Refine to this image",
            "Fit the Gaussians further to this one image. Depths stay, so the layers do; what is "
            "deleted stays so. One step to undo.",
        )
        self.steps_spin = QSpinBox()
        self.steps_spin.setRange(1, MAX_STEPS)
        self.steps_spin.setSingleStep(50)
        self.steps_spin.setValue(STEPS)
        self.steps_spin.setSuffix(" steps")
        self.steps_spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.steps_spin.setMinimumWidth(SPIN_WIDTH)
        described(self.steps_spin, "Steps of refining", "How many steps of Adam.")
        self.steps_spin.installEventFilter(self._guard)
        self.cancel_button = QPushButton("Cancel")
        described(
            self.cancel_button, "Cancel (Image)", "Cancel (Ctrl+.)\nThe scene stays as it was."
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setObjectName("thin")
        self.bar.setAccessibleName("Progress of refining the image")
        self.progress = QLabel()
        self.progress.setProperty("role", "muted")
        self.holes = wrapped("")
        self.holes.setAccessibleName("Holes in the picture")
        self.table = NumbersTable(ROWS, tips=TIPS)
        self.kind = wrapped("")
        self.kind.setProperty("role", "muted")
        self.kind.setAccessibleName("What the model makes")
        self.kind.setToolTip(MODEL_TIP)

    def _slider(self, limits: tuple[int, int], name: str, tip: str) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(*limits)
        slider.installEventFilter(self._guard)
        described(slider, name, tip)
        return slider

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.open_button, 2)
        buttons.addWidget(self.paste_button, 1)
        model = QHBoxLayout()
        model.setSpacing(8)
        model.addWidget(QLabel("Model"))
        model.addWidget(self.model_combo, 1)
        self.made = Group()
        column = QVBoxLayout(self.made)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(8)
        facts = QVBoxLayout()
        facts.setSpacing(4)
        facts.addWidget(self.name)
        facts.addWidget(self.facts)
        facts.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(10)
        top.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(facts, 1)
        column.addLayout(top)
        column.addLayout(self._settings_grid())
        refine = QHBoxLayout()
        refine.setSpacing(6)
        refine.addWidget(self.refine_button, 1)
        refine.addWidget(self.steps_spin, 1)
        refine.addWidget(self.cancel_button)
        column.addLayout(refine)
        column.addWidget(self.bar)
        column.addWidget(self.progress)
        self.warning = Group()
        row = QHBoxLayout(self.warning)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(IconLabel(theme.level_icon("warning"), 16), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.holes, 1)
        column.addWidget(self.warning)
        column.addWidget(self.table)
        column.addWidget(self.kind)
        self.body.addWidget(self.about)
        self.body.addLayout(buttons)
        self.body.addLayout(model)
        self.body.addWidget(self.made)

    def _settings_grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(QLabel("Hide"), 0, 0)
        grid.addWidget(self.hide_slider, 0, 1)
        grid.addWidget(self.hide_value, 0, 2)
        grid.addWidget(QLabel("Seed"), 1, 0)
        grid.addWidget(self.seed_spin, 1, 1, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(QLabel("Depth"), 2, 0)
        grid.addWidget(self.depth_slider, 2, 1)
        grid.addWidget(self.depth_value, 2, 2)
        return grid

    def _connect(self) -> None:
        self.open_button.clicked.connect(self.open_asked)
        self.paste_button.clicked.connect(self.paste_asked)
        self.model_combo.activated.connect(self._choose_model)
        for slider, act in ((self.hide_slider, self._hide), (self.depth_slider, self._exaggerate)):
            slider.valueChanged.connect(act)
            slider.sliderReleased.connect(act)
        self.seed_spin.valueChanged.connect(self._hide)
        self.refine_button.clicked.connect(lambda: self._imaging.refine(self.steps_spin.value()))
        self.cancel_button.clicked.connect(self.session.runner.cancel)
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        for changed in (
            self._imaging.changed,
            self.session.runner.changed,
            self.session.document_replaced,
        ):
            changed.connect(self._schedule)

    # What a person does

    @Slot()
    def _hide(self) -> None:
        slider = self.hide_slider
        self.hide_value.setText(f"{slider.value()} %")
        self._imaging.hide(
            slider.value() / 100, self.seed_spin.value(), final=not slider.isSliderDown()
        )

    @Slot()
    def _exaggerate(self) -> None:
        slider = self.depth_slider
        factor = 2.0 ** (slider.value() / OCTAVE)
        self.depth_value.setText(_factor_text(factor))
        self._imaging.exaggerate(factor, final=not slider.isSliderDown())

    @Slot(int)
    def _choose_model(self, index: int) -> None:
        last = self.model_combo.count() - 1
        if index == last:
            self.model_asked.emit()
        else:
            path = self.model_combo.itemData(index)
            wanted = None if path is None else Path(path)
            if wanted != self._imaging.model_file:
                self.model_chosen.emit(wanted)
        self.refresh()

    # What is shown

    @Slot()
    def _schedule(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Show the image as it is now."""
        source, runner = self._imaging.shown, self.session.runner
        self.about.setText(ABOUT if self.session.own_camera is None else MADE_BEFORE)
        self.about.setVisible(source is None)
        self.made.setVisible(source is not None)
        for button in (self.open_button, self.paste_button, self.model_combo):
            button.setEnabled(not runner.busy)
        self._show_models()
        self._show_summary(source)
        if source is not None:
            self._show_picture(source)
            self._show_settings(source)
            self._show_quality(source)
            self._show_job()

    def _show_models(self) -> None:
        chosen, combo = self._imaging.model_file, self.model_combo
        with QSignalBlocker(combo):
            if not combo.count() or chosen != self._listed:
                self._listed = chosen
                combo.clear()
                combo.addItem(BOX, None)
                if chosen is not None:
                    combo.addItem(chosen.name, str(chosen))
                    combo.setItemData(1, str(chosen), Qt.ItemDataRole.ToolTipRole)
                combo.addItem("Choose a file…")
            combo.setCurrentIndex(0 if chosen is None else 1)

    @property
    def _quality(self) -> PictureQuality | None:
        """What is measured of what is drawn; None while other patches are being hidden."""
        shown, source = self._imaging.shown, self._imaging.source
        same = shown is not None and source is not None and shown.outputs is source.outputs
        return self._imaging.quality if same else None

    def _show_summary(self, source: ImageSource | None) -> None:
        quality, reached = self._quality, self._imaging.psnr
        if reached is None and quality is not None:
            reached = quality.psnr
        size = 0 if source is None else source.config.size
        psnr = "" if reached is None else f" · {reached:.2f} dB at {size} px"
        self.summary.set_text("" if source is None else f"{source.name}{psnr}")

    def _show_picture(self, source: ImageSource) -> None:
        if source is self._pictured:
            return
        self._pictured = source
        side = source.config.size
        levels = (source.seen() * 255).round().to(torch.uint8).contiguous().numpy()
        image = QImage(levels.data, side, side, 3 * side, QImage.Format.Format_RGB888)
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap.fromImage(image.copy()).scaled(
            round(PICTURE_PX * ratio), round(PICTURE_PX * ratio)
        )
        pixmap.setDevicePixelRatio(ratio)
        self.picture.setPixmap(pixmap)
        self.name.set_text(source.name)
        steps = source.notes.get("steps")
        trained = f", trained {steps_text(steps)}" if isinstance(steps, int) else ""
        fitted = ", to what was hidden too" if source.mask_ratio else ""
        refined = " Refining sharpens it."
        if source.refined:
            refined = f" Refined by {steps_text(source.refined)}{fitted}."
        share = "" if source.mask_ratio == 0 else f"{1 - source.mask_ratio:.0%} of "
        self.facts.setText(
            f"The model saw {share}the middle square, {side} × {side} pixels. "
            f"Made by {source.model}{trained}.{refined}"
        )

    def _show_settings(self, source: ImageSource) -> None:
        editable = not self.session.runner.busy
        shown = (
            (self.hide_slider, round(100 * source.mask_ratio)),
            (self.seed_spin, source.seed),
            (self.depth_slider, round(OCTAVE * _log2(source.exaggeration))),
        )
        for field, value in shown:
            field.setEnabled(editable)
            pending = self._imaging.hiding and field is not self.depth_slider
            if not (pending or (isinstance(field, QSlider) and field.isSliderDown())):
                with QSignalBlocker(field):
                    field.setValue(value)
        self.seed_spin.setEnabled(editable and source.mask_ratio > 0)
        self.hide_value.setText(f"{self.hide_slider.value()} %")
        self.depth_value.setText(_factor_text(2.0 ** (self.depth_slider.value() / OCTAVE)))

    def _show_quality(self, source: ImageSource) -> None:
        quality, config = self._quality, source.config
        hidden = None if quality is None else quality.hidden_mse
        self.table.show_values(
            None if quality is None else f"{quality.psnr:.2f} dB",
            None if hidden is None else f"{hidden:.4f}",
            None if quality is None else percent_text(quality.uncovered),
        )
        self.kind.setText(
            f"{count_text(config.gaussians)} Gaussians, scales up to {config.scale_cap:g}, trained "
            f"with {CAMERAS[config.projection]}."
        )
        holes = quality is not None and quality.uncovered > HOLES
        self.warning.setVisible(holes)
        if quality is not None and holes:
            self.holes.setText(
                f"Holes: {percent_text(quality.uncovered)} is the white ground that shines "
                "through. On other grounds it looks different."
            )

    def _show_job(self) -> None:
        running, job = self._imaging.running, self.session.runner.job
        if running and self.refine_button.hasFocus():
            self.cancel_button.setVisible(True)
            self.cancel_button.setFocus()
        elif not running and self.cancel_button.hasFocus():
            self.refine_button.setEnabled(True)
            self.refine_button.setFocus()
        self.refine_button.setEnabled(not self.session.runner.busy)
        self.steps_spin.setVisible(not running)
        for widget in (self.cancel_button, self.bar, self.progress):
            widget.setVisible(running)
        if running and job is not None and job.name == JOB:
            show_fraction(self.bar, job)
            psnr = self._imaging.psnr
            step = "" if job.progress is None else job.progress.message
            self.progress.setText(f"{step} · {MISSING if psnr is None else f'{psnr:.1f}'} dB")


def _value() -> QLabel:
    label = QLabel()
    label.setProperty("role", "number")
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    label.setMinimumWidth(label.fontMetrics().horizontalAdvance("00.00 ×"))
    return label


def _factor_text(factor: float) -> str:
    return f"{factor:.2f} ×"


def _log2(value: float) -> float:
    return float(torch.tensor(value, dtype=torch.float64).log2())
