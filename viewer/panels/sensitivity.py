"""The Sensitivity panel: choose a score and views, sweep, see what no view sees."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSpinBox, QWidget

from core.cameras import Split, View
from core.jobs import JobState
from core.rigs import DEFAULT_RIG_COUNT
from core.scoring import SCORES, SINGULAR
from viewer import theme
from viewer.look import Mode
from viewer.panels.panel import FieldGuard, Panel, align_labels, described, wrapped
from viewer.session import Session
from viewer.widgets.numbers import count_text
from viewer.widgets.numbers_table import NumbersTable

DATASET, GENERATED = 0, 1
MAX_VIEWS = 1000
PAUSE_WIDTH = 38


@dataclass(frozen=True, slots=True)
class Run:
    """A finished sweep: how many views, whether they were generated, and its seconds of work."""

    views: int
    generated: bool
    seconds: float


class SensitivityPanel(Panel):
    """Computes scores. ``attach_asked``: a person wants to attach photos and cameras."""

    attach_asked = Signal()

    title = "Sensitivity"
    purpose = "Measure what every Gaussian is worth to the pictures of the scene."
    run_title = "Compute scores"
    job_name = "Sensitivity"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._asked_generated = False
        self._last_run: Run | None = None
        guard = FieldGuard(self)

        self.score_combo = QComboBox()
        for name, entry in SCORES.items():
            self.score_combo.addItem(entry.title, name)
        described(self.score_combo, "Score", "The score behind heatmap, histogram and pruning.")
        self.formula = _selectable()
        self.source = _selectable()
        self.source.setProperty("role", "muted")
        self.views_combo = QComboBox()
        self.views_combo.addItem("", DATASET)
        self.views_combo.addItem("Generated views", GENERATED)
        described(self.views_combo, "Views", "The cameras the scene is seen from.")
        self.views_spin = QSpinBox()
        self.views_spin.setRange(1, MAX_VIEWS)
        self.views_spin.setValue(DEFAULT_RIG_COUNT)
        described(
            self.views_spin,
            "Number of generated views",
            "More views see more of the scene and take longer.",
        )
        for combo in (self.score_combo, self.views_combo):
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            combo.setMinimumContentsLength(6)
        for field in (self.score_combo, self.views_combo, self.views_spin):
            field.installEventFilter(guard)
        self.settings.addRow("Score", self.score_combo)
        self.settings.addRow(self.formula)
        self.settings.addRow(self.source)
        self.settings.addRow("Views", self.views_combo)
        self.settings.addRow("Number", self.views_spin)
        align_labels(self.settings)

        self.attach_button = QPushButton("Attach photos…")
        described(
            self.attach_button,
            "Attach photos and cameras",
            "Attach photos and cameras (Ctrl+Shift+O)\nScores of the dataset's own views.",
        )
        self.body.addWidget(self.attach_button)
        self.pause_button = QPushButton()
        described(self.pause_button, "Pause (Sensitivity)", "Pause\nHold the sweep, or go on.")
        self.pause_button.setFixedWidth(PAUSE_WIDTH)
        self.run_row.insertWidget(1, self.pause_button)

        self.table = NumbersTable(("Unseen", "No parallax", "Views", "Time"))
        self.heatmap_button = QPushButton("Show heatmap")
        self.heatmap_button.setCheckable(True)
        described(
            self.heatmap_button,
            "Show heatmap",
            "Show heatmap (Alt+2 in the viewport)\nColour every Gaussian by the chosen score.",
        )
        self.numbers.addWidget(self.table)
        self.numbers.addWidget(self.heatmap_button)
        self._connect()
        self._new_views()

    def _connect(self) -> None:
        session = self.session
        self.score_combo.activated.connect(self._choose_score)
        self.views_combo.currentIndexChanged.connect(self.refresh)
        self.views_spin.valueChanged.connect(self.refresh)
        self.heatmap_button.clicked.connect(self._toggle_heatmap)
        self.attach_button.clicked.connect(self.attach_asked)
        self.pause_button.clicked.connect(session.runner.toggle_pause)
        session.document_replaced.connect(self._new_document)
        session.views_changed.connect(self._new_views)
        session.scores_changed.connect(self._scored)
        for signal in (
            session.score_changed,
            session.state_changed,
            session.look_changed,
            session.runner.changed,
        ):
            signal.connect(self.refresh)

    @property
    def generated(self) -> bool:
        """Whether a run would use generated views."""
        return bool(self.views_combo.currentData() == GENERATED)

    @Slot()
    def run(self) -> None:
        """Sweep the chosen views."""
        if self.session.document is None or self.session.runner.busy:
            return
        self._asked_generated = self.generated
        self.session.run_scores(self.views_spin.value() if self.generated else None)

    @Slot()
    def refresh(self) -> None:
        """Show the session as it is now."""
        session = self.session
        entry = SCORES[session.score_name]
        self.score_combo.setCurrentIndex(self.score_combo.findData(session.score_name))
        self.formula.setText(entry.formula)
        self.source.setText(entry.source)
        self.views_spin.setEnabled(self.generated)
        self._refresh_needs()
        self._refresh_run_button()
        self._refresh_numbers()
        self.refresh_job()

    def _refresh_needs(self) -> None:
        document = self.session.document
        views = () if document is None else document.views
        needs_views = bool(SCORES[self.session.score_name].needs)
        self.attach_button.setVisible(document is not None and needs_views and not views)
        count = self.views_spin.value()
        if document is None:
            self.set_needs(False, "Open a scene first.")
        elif not needs_views:
            self.set_needs(True, "This score needs no views: it is there already.")
        elif not views:
            self.set_needs(
                False, f"No photos or cameras: scores come from {count} generated views."
            )
        elif self.generated:
            self.set_needs(True, f"Scores come from {count} generated views, not the dataset's.")
        else:
            training = _training_count(views)
            self.set_needs(True, f"Scores come from the dataset's {training} training views.")

    def _refresh_run_button(self) -> None:
        busy = self.session.runner.busy
        if self.session.document is None:
            reason = "Open a scene first."
        elif busy:
            reason = "Wait for the running job, or cancel it."
        else:
            reason = "Sweep the views once and compute every score from it."
        job = self.session.runner.job
        paused = job is not None and job.state == JobState.PAUSED
        self.pause_button.setEnabled(self.running)
        word = "Resume" if self.running and paused else "Pause"
        self.pause_button.setIcon(theme.icon("play" if word == "Resume" else "pause"))
        self.pause_button.setAccessibleName(f"{word} ({self.title})")
        self.run_button.setEnabled(self.session.document is not None and not busy)
        self.run_button.setToolTip(f"{self.run_title} (Ctrl+Return)\n{reason}")

    def _refresh_numbers(self) -> None:
        document = self.session.document
        swept = document is not None and "max-weight" in document.scores
        run = self._last_run if swept else None
        views = None
        if run is not None:
            views = f"{run.views:,} {'generated' if run.generated else 'of the dataset'}"
        self.table.show_values(
            count_text(self._unseen_count()),
            count_text(self._singular_count()),
            views,
            f"{run.seconds:.{1 if run.seconds >= 1 else 2}f} s" if run is not None else None,
        )
        scored = self.session.worth is not None
        self.heatmap_button.setEnabled(scored)
        shown = scored and self.session.mode == Mode.HEATMAP
        self.heatmap_button.setChecked(shown)
        self.heatmap_button.setText("Heatmap is shown" if shown else "Show heatmap")

    def _unseen_count(self) -> int | None:
        """A Gaussian that some view sees has a weight there."""
        document = self.session.document
        worth = None if document is None else document.scores.get("max-weight")
        if document is None or worth is None:
            return None
        return int((document.alive & (worth.values == 0)).sum())

    def _singular_count(self) -> int | None:
        document = self.session.document
        worth = None if document is None else document.scores.get("fisher")
        if document is None or worth is None:
            return None
        return int((document.alive & (worth.classes == SINGULAR)).sum())

    @Slot(int)
    def _choose_score(self, index: int) -> None:
        self.session.set_score(self.score_combo.itemData(index))

    @Slot(bool)
    def _toggle_heatmap(self, on: bool) -> None:
        self.session.set_mode(Mode.HEATMAP if on else Mode.COLOR)

    @Slot()
    def _new_document(self) -> None:
        self._last_run = None
        self._new_views()

    @Slot()
    def _new_views(self) -> None:
        document = self.session.document
        views = () if document is None else document.views
        self.views_combo.setItemText(DATASET, f"Training views ({_training_count(views)})")
        model = self.views_combo.model()
        if isinstance(model, QStandardItemModel):
            model.item(DATASET).setEnabled(bool(views))
        self.views_combo.setCurrentIndex(DATASET if views else GENERATED)
        self.refresh()

    @Slot()
    def _scored(self) -> None:
        job = self.session.runner.job
        if job is not None and job.name == self.job_name and job.state == JobState.DONE:
            first = self._last_run is None
            views = job.progress.total if job.progress is not None else 0
            self._last_run = Run(views, self._asked_generated, job.elapsed_s)
            if first:
                self.session.set_mode(Mode.HEATMAP)
        self.refresh()


def _training_count(views: Sequence[View]) -> int:
    return sum(view.split == Split.TRAIN for view in views)


def _selectable() -> QLabel:
    label = wrapped("")
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label
