"""What a person asks of a run: preset, score, rounds, target, stop rule, and what is advanced."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.pruning import SCHEDULES, Schedule, count_in_megabytes
from core.scene import GaussianScene
from core.scoring import SCORES
from core.training import RANDOM, Background
from viewer.panels.panel import FieldGuard, align_labels, described
from viewer.panels.rounds import RoundRows
from viewer.refining import Choices
from viewer.widgets.section import Section

OWN = "own"
BY_CUTS, BY_COUNT, BY_MEGABYTES = range(3)
BACKGROUNDS: dict[str, Background | None] = {
    "Automatic": None,
    "Black": (0.0, 0.0, 0.0),
    "White": (1.0, 1.0, 1.0),
    "Random colours": RANDOM,
}
MOST_SEED = 2**31 - 1
LOSS_DB, LEAST_DB = 0.1, 35.0
"""First values of the stop rule: the loss against photos, the least likeness without them."""
FORM_GAP = 6
SPIN_WIDTH = 84


class RefineSettings(QWidget):
    """The fields; ``changed`` tells of every change."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: GaussianScene | None = None
        self._count = 0
        self._photos = False
        self._make_fields()
        self._arrange()
        self._connect()
        self._name_stop_rule()
        self.choose_preset("removal-error")

    def _make_fields(self) -> None:
        guard = FieldGuard(self)
        self.preset_combo, self.score_combo = QComboBox(), QComboBox()
        for name, preset in SCHEDULES.items():
            self.preset_combo.addItem(preset.title, name)
            place = self.preset_combo.count() - 1
            self.preset_combo.setItemData(place, preset.about, Qt.ItemDataRole.ToolTipRole)
        self.preset_combo.addItem("Own rounds", OWN)
        for name, score in SCORES.items():
            self.score_combo.addItem(score.title, name)
        described(self.score_combo, "Score of the cuts", "Which Gaussians go: those worth least.")
        self.rounds = RoundRows()
        self.target_combo = QComboBox()
        self.target_combo.addItems(["What the cuts leave", "A number of", "A size of"])
        described(
            self.target_combo,
            "What is to be left",
            "What the cuts leave, or so many Gaussians or megabytes:\n"
            "then the cuts are scaled to lead there.",
        )
        self.count_spin = QSpinBox()
        self.count_spin.setGroupSeparatorShown(True)
        described(self.count_spin, "Gaussians to be left", "How many the last cut leaves.")
        self.megabytes_spin = QDoubleSpinBox()
        self.megabytes_spin.setSuffix(" MB")
        described(self.megabytes_spin, "Size to be left", "As plain PLY, in MB of a million bytes.")
        self.target_pages = QStackedWidget()
        for page in (QWidget(), self.count_spin, self.megabytes_spin):
            self.target_pages.addWidget(page)
        self.target_pages.hide()
        self.stop_box = QCheckBox()
        self.stop_spin = QDoubleSpinBox()
        self.stop_spin.setSuffix(" dB")
        self.background_combo = background_combo()
        self.seed_spin = QSpinBox()
        self.seed_spin.setRange(0, MOST_SEED)
        described(self.seed_spin, "Seed", "The same seed makes the same run.")
        self.sparsify_box = QCheckBox("Sparsify before further cuts")
        described(
            self.sparsify_box,
            "Sparsify before further cuts",
            "Refining pulls what the next cut takes towards transparency (GaussianSpa).",
        )
        for spin in (self.count_spin, self.megabytes_spin, self.stop_spin, self.seed_spin):
            spin.setMinimumWidth(SPIN_WIDTH)
            spin.setKeyboardTracking(False)
            spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        for combo in (
            self.preset_combo,
            self.score_combo,
            self.target_combo,
            self.background_combo,
        ):
            policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            combo.setSizeAdjustPolicy(policy)
            combo.setMinimumContentsLength(6)
        for field in (
            *self.findChildren(QWidget),
            self.preset_combo,
            self.score_combo,
            self.target_combo,
            self.background_combo,
            self.count_spin,
            self.megabytes_spin,
            self.stop_spin,
            self.seed_spin,
        ):
            field.installEventFilter(guard)

    def _arrange(self) -> None:
        form = settings_form()
        form.addRow("Preset", self.preset_combo)
        form.addRow("Score", self.score_combo)
        target = QHBoxLayout()
        target.setSpacing(6)
        target.addWidget(self.target_combo, 1)
        target.addWidget(self.target_pages, 1)
        stop = QHBoxLayout()
        stop.setSpacing(6)
        stop.addWidget(self.stop_box, 1)
        self.stop_spin.setMaximumWidth(SPIN_WIDTH + 16)
        stop.addWidget(self.stop_spin)
        lower = settings_form()
        lower.addRow("Leave", target)
        align_labels(form)
        align_labels(lower)
        self.advanced = Section("Advanced", "refine.advanced")
        inner = settings_form()
        inner.addRow("Background", self.background_combo)
        inner.addRow("Seed", self.seed_spin)
        inner.addRow(self.sparsify_box)
        align_labels(inner)
        self.advanced.body.addLayout(inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(form)
        column.addWidget(self.rounds)
        column.addLayout(lower)
        column.addLayout(stop)
        column.addWidget(self.advanced)

    def _connect(self) -> None:
        self.preset_combo.activated.connect(self._preset_chosen)
        self.rounds.changed.connect(self._edited)
        self.score_combo.activated.connect(self._edited)
        self.sparsify_box.clicked.connect(self._edited)
        self.target_combo.currentIndexChanged.connect(self._target_chosen)
        self.stop_box.toggled.connect(self._stop_chosen)
        for spin in (self.count_spin, self.megabytes_spin, self.stop_spin, self.seed_spin):
            spin.valueChanged.connect(self.changed)
        self.background_combo.activated.connect(self.changed)

    def choose_preset(self, name: str) -> None:
        """Fill the fields from a preset, a key of :data:`core.pruning.SCHEDULES`."""
        schedule = SCHEDULES[name].schedule
        self.preset_combo.setCurrentIndex(self.preset_combo.findData(name))
        self.rounds.set_rounds(schedule.rounds)
        self.score_combo.setCurrentIndex(self.score_combo.findData(schedule.score))
        self.sparsify_box.setChecked(schedule.sparsify)
        self.stop_box.setChecked(schedule.max_loss_db is not None)
        if schedule.max_loss_db is not None and self._photos:
            self.stop_spin.setValue(schedule.max_loss_db)
        self._describe_preset()
        self.changed.emit()

    def show_scene(self, scene: GaussianScene | None, count: int, photos: bool) -> None:
        """Fit the fields to a scene of which ``count`` Gaussians live, and to its photos."""
        first = self._scene is None and scene is not None
        self._scene, self._count = scene, count
        blockers = [QSignalBlocker(spin) for spin in (self.count_spin, self.megabytes_spin)]
        each = 0.0 if scene is None else scene.ply_bytes_each / 1e6
        size = count * each
        self.count_spin.setRange(min(1, count), count)
        self.count_spin.setSingleStep(max(1, count // 100))
        self.megabytes_spin.setDecimals(2 if size >= 1 else 4)
        self.megabytes_spin.setRange(0, size)
        self.megabytes_spin.setSingleStep(max(size / 100, each))
        if first:
            self.count_spin.setValue(max(1, count // 10))
            self.megabytes_spin.setValue(size / 10)
        del blockers
        if first or photos != self._photos:
            self._photos = photos
            self._name_stop_rule()

    def choices(self) -> Choices:
        """What the fields say.

        Raises
        ------
        UserError
            If no run can be made of it.
        """
        target = self._target()
        stop = self.stop_spin.value() if self.stop_box.isChecked() else None
        schedule = Schedule(
            self.rounds.rounds,
            self.score_combo.currentData(),
            target=target,
            max_loss_db=stop if self._photos else None,
            min_psnr_db=None if self._photos else stop,
            sparsify=self.sparsify_box.isChecked(),
        )
        schedule.counts(max(1, self._count))
        return Choices(schedule, self.background_combo.currentData(), self.seed_spin.value())

    def _target(self) -> int | None:
        kind = self.target_combo.currentIndex()
        if kind == BY_COUNT:
            return self.count_spin.value()
        if kind == BY_MEGABYTES and self._scene is not None:
            return count_in_megabytes(self._scene, self.megabytes_spin.value())
        return None

    def _name_stop_rule(self) -> None:
        """Against photos a loss can be measured; a scene measured against itself starts perfect."""
        if self._photos:
            self.stop_box.setText("No round loses over")
            tip = "A round that loses more than this on held-out photos is taken back."
            low, high, step, value = 0.0, 20.0, 0.1, LOSS_DB
        else:
            self.stop_box.setText("No round ends under")
            tip = "A round whose pictures are less like the present scene than this is taken back."
            low, high, step, value = 10.0, 80.0, 1.0, LEAST_DB
        self.stop_spin.setRange(low, high)
        self.stop_spin.setSingleStep(step)
        self.stop_spin.setDecimals(2 if self._photos else 1)
        self.stop_spin.setValue(value)
        described(self.stop_box, f"Stop rule: {self.stop_box.text().lower()}", tip)
        described(self.stop_spin, "Limit of the stop rule", tip)

    def _describe_preset(self) -> None:
        name = self.preset_combo.currentData()
        about = "Rounds as set below." if name == OWN else SCHEDULES[name].about
        described(self.preset_combo, "Preset of rounds", about)

    @Slot()
    def _preset_chosen(self) -> None:
        name = self.preset_combo.currentData()
        if name == OWN:
            self._describe_preset()
        else:
            self.choose_preset(name)

    @Slot()
    def _edited(self) -> None:
        """The rounds are nobody's preset any more."""
        self.preset_combo.setCurrentIndex(self.preset_combo.findData(OWN))
        self._describe_preset()
        self.changed.emit()

    @Slot(int)
    def _target_chosen(self, index: int) -> None:
        self.target_pages.setCurrentIndex(index)
        self.target_pages.setVisible(index != BY_CUTS)
        self.changed.emit()

    @Slot(bool)
    def _stop_chosen(self, on: bool) -> None:
        self.stop_spin.setEnabled(on)
        self.changed.emit()


def settings_form() -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(FORM_GAP)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def background_combo() -> QComboBox:
    """Where the background of a run is chosen."""
    combo = QComboBox()
    for name, background in BACKGROUNDS.items():
        combo.addItem(name, background)
    described(
        combo,
        "Background",
        "What lies behind the scene, and behind photos that are transparent there.\n"
        "Automatic: another colour in every step if they may be transparent, else black.",
    )
    return combo


def told_shares(counts: tuple[int, ...], total: int) -> str:
    """What each round leaves, for a tooltip."""
    lines = (
        f"Round {number} leaves {count:,} ({100 * count / max(1, total):.1f} %)"
        for number, count in enumerate(counts, 1)
    )
    return "\n".join(lines)


def summary_label() -> QLabel:
    """Where it stands what a run would leave."""
    label = QLabel()
    label.setWordWrap(True)
    label.setProperty("role", "muted")
    label.setAccessibleName("What the run leaves")
    return label
