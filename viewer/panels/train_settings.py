"""What a person asks of training: steps and background, and what is advanced."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QSpinBox, QVBoxLayout, QWidget

from core.scene import MAX_SH_DEGREE
from core.training import TrainSettings
from viewer.panels.panel import FieldGuard, align_labels, described
from viewer.panels.refine_settings import (
    MOST_SEED,
    SPIN_WIDTH,
    background_combo,
    settings_form,
)
from viewer.refining import TrainChoices
from viewer.widgets.section import Section

MOST_STEPS, MOST_COUNT = 1_000_000, 20_000_000


class TrainFields(QWidget):
    """The fields, those of the command at first; ``changed`` tells of every change."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        usual = TrainSettings()
        self.steps_spin = _spin(1, MOST_STEPS, usual.steps, 500)
        described(self.steps_spin, "Steps of training", "One photo each; more is better.")
        self.background_combo = background_combo()
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.background_combo.setSizeAdjustPolicy(policy)
        self.background_combo.setMinimumContentsLength(6)
        self.count_spin = _spin(1, MOST_COUNT, usual.max_count, 50_000)
        described(self.count_spin, "Most Gaussians", "There will be no more than these.")
        self.size_spin = _spin(1, 100, round(100 * usual.scale), 25)
        self.size_spin.setSuffix(" %")
        described(self.size_spin, "Size of the photos", "Smaller photos train faster.")
        self.degree_spin = _spin(0, MAX_SH_DEGREE, usual.sh_degree, 1)
        described(
            self.degree_spin, "SH degree", "How far colours may change with direction; 0: not."
        )
        self.seed_spin = _spin(0, MOST_SEED, usual.seed, 1)
        described(self.seed_spin, "Seed", "The same seed makes the same run.")
        guard = FieldGuard(self)
        spins = (self.steps_spin, self.count_spin, self.size_spin, self.degree_spin, self.seed_spin)
        for spin in spins:
            spin.valueChanged.connect(self.changed)
        self.background_combo.activated.connect(self.changed)
        for field in (*spins, self.background_combo):
            field.installEventFilter(guard)
        self._arrange()

    def _arrange(self) -> None:
        form, inner = settings_form(), settings_form()
        form.addRow("Steps", self.steps_spin)
        form.addRow("Background", self.background_combo)
        inner.addRow("Most Gaussians", self.count_spin)
        inner.addRow("Photo size", self.size_spin)
        inner.addRow("SH degree", self.degree_spin)
        inner.addRow("Seed", self.seed_spin)
        for lines in (form, inner):
            align_labels(lines)
        self.advanced = Section("Advanced", "train.advanced")
        self.advanced.body.addLayout(inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(form)
        column.addWidget(self.advanced)

    def choices(self) -> TrainChoices:
        """What the fields say."""
        return TrainChoices(
            TrainSettings(
                steps=self.steps_spin.value(),
                seed=self.seed_spin.value(),
                sh_degree=self.degree_spin.value(),
                max_count=self.count_spin.value(),
                background=self.background_combo.currentData(),
                scale=self.size_spin.value() / 100,
            )
        )


def _spin(least: int, most: int, value: int, step: int) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(least, most)
    spin.setValue(value)
    spin.setSingleStep(step)
    spin.setGroupSeparatorShown(True)
    spin.setMinimumWidth(SPIN_WIDTH)
    spin.setKeyboardTracking(False)
    spin.setAlignment(Qt.AlignmentFlag.AlignRight)
    return spin
