"""What a person asks of nets: preset, kind of scene, how much stays, and how long they learn."""

from dataclasses import replace

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.neuralgs.settings import (
    KINDS,
    MAX_CLUSTERS,
    PRESETS,
    NeuralSettings,
    Preset,
    SceneKind,
    settings_for,
)
from core.training import Background
from core.training.fitting import MAX_STEPS
from viewer.panels.panel import FieldGuard, align_labels, described
from viewer.panels.refine_settings import background_combo, settings_form
from viewer.widgets.section import Section

PRESET_TITLES: dict[Preset, str] = {"best": "Best", "paper": "As in the paper"}
PRESET_TIPS: dict[Preset, str] = {
    "best": "Small nets, coded positions and a few bytes of codes to each Gaussian: small and near "
    "the original within minutes.",
    "paper": "NeuralGS as published: 60,000 + 25,000 steps. Hours without a GPU: lower the steps.",
}
KIND_TITLES: dict[SceneKind, str] = {"object": "Object", "indoor": "Indoor", "outdoor": "Outdoor"}


class CompressSettings(QWidget):
    """The fields; ``changed`` tells of every change."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preset_combo, self.kind_combo = QComboBox(), QComboBox()
        for preset in PRESETS:
            self.preset_combo.addItem(PRESET_TITLES[preset], preset)
            place = self.preset_combo.count() - 1
            self.preset_combo.setItemData(place, PRESET_TIPS[preset], Qt.ItemDataRole.ToolTipRole)
        for kind in KINDS:
            self.kind_combo.addItem(KIND_TITLES[kind], kind)
        self.keep_spin = QDoubleSpinBox()
        self.keep_spin.setRange(1, 100)
        self.keep_spin.setDecimals(0)
        self.keep_spin.setSuffix(" %")
        self.codes_spin = QDoubleSpinBox()
        self.codes_spin.setRange(0, 64)
        self.codes_spin.setDecimals(1)
        self.codes_spin.setSuffix(" bytes")
        self.clusters_spin, self.fit_spin, self.finetune_spin = QSpinBox(), QSpinBox(), QSpinBox()
        self.clusters_spin.setRange(0, MAX_CLUSTERS)
        self.clusters_spin.setSpecialValueText("Auto")
        self.fit_spin.setRange(1, MAX_STEPS)
        self.finetune_spin.setRange(0, MAX_STEPS)
        self.background_combo = background_combo()
        self.protect_box = QCheckBox("Keep the selection as it is")
        self._describe()
        self._arrange()
        self._connect()
        self._fill()

    def _describe(self) -> None:
        described(self.preset_combo, "Preset of nets", "How nets are made and stored.")
        described(
            self.kind_combo,
            "Kind of scene",
            "How much a Gaussian's volume counts for its importance.",
        )
        described(
            self.keep_spin,
            "Share to keep",
            "The least important Gaussians go first. 100 % for a scene that is pruned already.",
        )
        described(
            self.codes_spin,
            "Codes for each Gaussian",
            "What the nets cannot know of a Gaussian: more is nearer to the scene, and larger.",
        )
        described(
            self.clusters_spin,
            "Number of nets",
            "One for each cluster of like Gaussians; Auto makes one for every 20,000.",
        )
        described(self.fit_spin, "Steps of the fit", "Nets learn the attributes of the Gaussians.")
        described(
            self.finetune_spin,
            "Steps of the fine-tune",
            "Nets learn from the pictures, one in each step: this is what quality comes from.",
        )
        described(
            self.protect_box,
            "Keep the selection as it is",
            "Selected Gaussians are not pruned, and are stored beside the nets.",
        )

    @property
    def _spins(self) -> tuple[QSpinBox | QDoubleSpinBox, ...]:
        return (
            self.keep_spin,
            self.codes_spin,
            self.clusters_spin,
            self.fit_spin,
            self.finetune_spin,
        )

    def _arrange(self) -> None:
        guard = FieldGuard(self)
        spins = self._spins
        combos = (self.preset_combo, self.kind_combo, self.background_combo)
        for spin in spins:
            spin.setKeyboardTracking(False)
            spin.setGroupSeparatorShown(True)
            spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        for field in (*spins, *combos):
            field.installEventFilter(guard)
        form, inner = settings_form(), settings_form()
        for title, field in (
            ("Preset", self.preset_combo),
            ("Keep", self.keep_spin),
            ("Codes", self.codes_spin),
            ("Fine-tune steps", self.finetune_spin),
        ):
            form.addRow(title, field)
        self.advanced = Section("Advanced", "compress.advanced")
        for title, field in (
            ("Scene", self.kind_combo),
            ("Nets", self.clusters_spin),
            ("Fit steps", self.fit_spin),
            ("Background", self.background_combo),
        ):
            inner.addRow(title, field)
        inner.addRow(self.protect_box)
        align_labels(form)
        align_labels(inner)
        self.advanced.body.addLayout(inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(form)
        column.addWidget(self.advanced)

    def _connect(self) -> None:
        self.preset_combo.activated.connect(self._fill)
        for combo in (self.kind_combo, self.background_combo):
            combo.activated.connect(self.changed)
        for spin in self._spins:
            spin.valueChanged.connect(self.changed)

    @Slot()
    def _fill(self) -> None:
        """Take the numbers of the preset."""
        settings = PRESETS[self.preset_combo.currentData()]
        self.kind_combo.setCurrentIndex(KINDS.index("indoor"))
        self.keep_spin.setValue(100 * settings.keep)
        self.codes_spin.setValue(settings.code_bytes)
        self.clusters_spin.setValue(settings.clusters or 0)
        self.fit_spin.setValue(settings.fit_steps)
        self.finetune_spin.setValue(settings.finetune_steps)
        self.changed.emit()

    @property
    def background(self) -> Background | None:
        """What lies behind everything."""
        color: Background | None = self.background_combo.currentData()
        return color

    def settings(self) -> NeuralSettings:
        """What the fields say.

        Raises
        ------
        UserError
            If nets cannot be made so.
        """
        return replace(
            settings_for(self.preset_combo.currentData(), self.kind_combo.currentData()),
            keep=self.keep_spin.value() / 100,
            code_bytes=self.codes_spin.value(),
            clusters=self.clusters_spin.value() or None,
            fit_steps=self.fit_spin.value(),
            finetune_steps=self.finetune_spin.value(),
        )
