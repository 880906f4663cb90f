"""The Compress panel: store the scene in several ways, see what each costs, save one."""

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.cameras import Split
from core.errors import UserError
from core.rigs import DEFAULT_RIG_COUNT
from core.trials import Trial, estimated_bytes, trial_formats
from viewer.compressing import FORMATS_JOB, NETS_JOB
from viewer.panels.compress_settings import CompressSettings
from viewer.panels.footed import FootedPanel
from viewer.panels.metrics_table import figure_text
from viewer.panels.panel import described, wrapped
from viewer.panels.refine_plots import LossPlot
from viewer.panels.trial_views import StreamBar, TrialPlot, TrialTable
from viewer.session import Session
from viewer.widgets.group import Group
from viewer.widgets.numbers import (
    count_text,
    duration_text,
    megabytes_text,
    value_text,
)
from viewer.widgets.numbers_table import NumbersTable

PLOTS_MS = 200
PLOT_HEIGHTS = (118, 150)
ROWS = ("Gaussians", "Bytes each", "Of the PLY", "SSIM", "LPIPS", "Time to make", "Time to open")
TIPS = {
    "Bytes each": "Bytes of the file to each Gaussian in it.",
    "Of the PLY": "Size of the file against the same Gaussians as a plain PLY.",
    "LPIPS": "Of the same pictures as PSNR; a dash without its weights.",
}
ERROR_TITLES = {
    "position": "Position",
    "scale": "Scale (ln)",
    "rotation": "Rotation, degrees",
    "opacity": "Opacity",
    "color": "Colour",
    "sh": "Further colours",
}


class CompressPanel(FootedPanel):
    """Tries formats and nets. ``save_asked``: a person wants the file of a trial."""

    attach_asked = Signal()
    save_asked = Signal(object)

    title = "Compress"
    purpose = "Make the file small: try formats and nets, see what each loses, save the best."
    run_title = "Compress"
    job_name = NETS_JOB

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._compressing = session.compressing
        self._chosen: int | None = None
        self._drawn = -1
        self.choices = CompressSettings()
        self._make_parts()
        self._arrange_parts()
        self._plots_timer = QTimer(self, singleShot=True, interval=PLOTS_MS)
        self._plots_timer.timeout.connect(self.refresh)
        self._connect()
        self.refresh()

    def _make_parts(self) -> None:
        self.formats_button = QPushButton("Try All Formats")
        names = ", ".join(known.title for known in trial_formats())
        described(
            self.formats_button,
            "Try all formats",
            f"Try All Formats\nStores the scene as {names}, and measures what comes back.",
        )
        self.attach_button = QPushButton("Attach photos and cameras…")
        described(
            self.attach_button,
            "Attach photos and cameras (Compress)",
            "Attach photos and cameras (Ctrl+Shift+O)\nMeasure against what was really seen.",
        )
        self.estimate = wrapped("")
        self.estimate.setProperty("role", "muted")
        self.estimate.setAccessibleName("Estimated size of the nets")
        self.loss_plot = LossPlot()
        self.loss_plot.setFixedHeight(PLOT_HEIGHTS[0])
        self.cluster_text = wrapped("")
        self.cluster_text.setProperty("role", "muted")
        self.table, self.plot, self.bar_ = TrialTable(), TrialPlot(), StreamBar()
        self.plot.setFixedHeight(PLOT_HEIGHTS[1])
        self.details = NumbersTable(ROWS, tips=TIPS)
        self.errors = NumbersTable(tuple(ERROR_TITLES.values()))
        self.errors.setToolTip(
            "Root of the mean squared difference between what was stored and what came back."
        )
        self.compare_button, self.clusters_button = QPushButton("Compare"), QPushButton("Clusters")
        self.save_button = QPushButton("Save…")
        described(
            self.compare_button,
            "Compare the scene with the trial",
            "Compare\nA wipe: the scene that was stored left, what comes back from the file right.",
        )
        described(
            self.clusters_button,
            "Show the clusters",
            "Clusters\nA wipe: the scene left, the Gaussians of each net in a colour right.",
        )
        described(self.save_button, "Save the trial's file", "Save…\nWrite the file of this size.")

    def _arrange_parts(self) -> None:
        self.body.addWidget(self.attach_button)
        self.body.addWidget(self.formats_button)
        self.body.addWidget(_heading("Nets (NeuralGS)"))
        self.body.addWidget(self.choices)
        self.foot.addWidget(self.estimate)
        self.learning = Group()
        column = QVBoxLayout(self.learning)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(_heading("Loss by step: fit, then fine-tune"))
        column.addWidget(self.loss_plot)
        column.addWidget(self.cluster_text)
        self.results = Group()
        column = QVBoxLayout(self.results)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(_heading("Trials"))
        column.addWidget(self.table)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.compare_button, self.clusters_button, self.save_button):
            buttons.addWidget(button, 1)
        column.addLayout(buttons)
        column.addWidget(_heading("PSNR in dB against size in MB"))
        column.addWidget(self.plot)
        self.chosen_title = _heading("")
        column.addWidget(self.chosen_title)
        column.addWidget(self.bar_)
        column.addWidget(self.details)
        self.errors_title = _heading("Error by attribute")
        column.addWidget(self.errors_title)
        column.addWidget(self.errors)
        self.numbers.addWidget(self.learning)
        self.numbers.addWidget(self.results)

    def _connect(self) -> None:
        session, compressing = self.session, self._compressing
        self.choices.changed.connect(self.refresh)
        self.attach_button.clicked.connect(self.attach_asked)
        self.formats_button.clicked.connect(self.try_formats)
        self.table.chosen.connect(self._choose)
        self.plot.chosen.connect(self._choose)
        self.compare_button.clicked.connect(self._compare)
        self.clusters_button.clicked.connect(self._show_clusters)
        self.save_button.clicked.connect(self._save)
        compressing.changed.connect(self._schedule_plots)
        compressing.added.connect(self._choose)
        for signal in (
            session.document_replaced,
            session.views_changed,
            session.state_changed,
            session.scene_changed,
            session.runner.changed,
        ):
            signal.connect(self.refresh)

    # What is asked

    @Slot()
    def run(self) -> None:
        """Compress the scene into nets."""
        if not self._ready():
            return
        try:
            settings = self.choices.settings()
        except UserError as error:
            self.session.notified.emit("error", str(error))
            return
        self._compressing.try_nets(
            settings, self.choices.background, self.choices.protect_box.isChecked()
        )
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.loss_plot))

    @Slot()
    def try_formats(self) -> None:
        """Store the scene in every format."""
        if self._ready():
            self._compressing.try_formats(trial_formats(), self.choices.background)

    def _ready(self) -> bool:
        return self.session.document is not None and not self.session.runner.busy

    @property
    def running(self) -> bool:
        job = self.session.runner.job
        names = (FORMATS_JOB, NETS_JOB)
        return self.session.runner.busy and job is not None and job.name in names

    @property
    def chosen(self) -> Trial | None:
        """The trial whose details are shown."""
        trials = self._compressing.trials
        if self._chosen is None or self._chosen >= len(trials):
            return None
        return trials[self._chosen]

    @Slot(int)
    def _choose(self, number: int) -> None:
        self._chosen = number
        self.table.show_trials(self._compressing.trials)
        self.table.choose(number)
        self._show_results()

    @Slot()
    def _compare(self) -> None:
        if self.chosen is not None:
            self._compressing.compare(self.chosen)

    @Slot()
    def _show_clusters(self) -> None:
        if self.chosen is not None:
            self._compressing.compare_clusters(self.chosen)

    @Slot()
    def _save(self) -> None:
        if self.chosen is not None:
            self.save_asked.emit(self.chosen)

    # What is shown

    @Slot()
    def _schedule_plots(self) -> None:
        if not self._plots_timer.isActive():
            self._plots_timer.start()

    @Slot()
    def refresh(self) -> None:
        """Show settings, needs, the job and the trials as they are now."""
        if self.put_off():
            return
        document = self.session.document
        self._refresh_needs()
        ready = self._ready()
        self.choices.setEnabled(document is not None and not self.running)
        reason = "One net for each cluster of like Gaussians; the scene stays as it is."
        if document is None:
            reason = "Open a scene first."
        elif not ready:
            reason = "Wait for the running job, or cancel it."
        self.run_button.setEnabled(ready)
        self.run_button.setToolTip(f"{self.run_title} (Ctrl+Return)\n{reason}")
        self.formats_button.setEnabled(ready)
        self._refresh_estimate()
        self.refresh_job()
        self.estimate.setVisible(bool(self.estimate.text()) and not self.running)
        story = self._compressing.story
        self.learning.setVisible(bool(story.losses))
        if len(story.losses) != self._drawn:
            self._drawn = len(story.losses)
            fitted = 0 < story.fit_steps < len(story.losses)
            self.loss_plot.draw(story.losses, [story.fit_steps] if fitted else [])
        if story.clusters is not None and len(story.clusters):
            worst = story.clusters.max()
            self.cluster_text.setText(
                f"Fit by cluster: mean {value_text(float(story.clusters.mean()))}, worst "
                f"{value_text(float(worst))} of {len(story.clusters)}"
            )
        self.cluster_text.setVisible(story.clusters is not None)
        self._show_results()

    def catch_up(self) -> None:
        self.refresh()

    def _refresh_needs(self) -> None:
        document = self.session.document
        self.attach_button.setVisible(document is not None and not document.views)
        if document is None:
            self.set_needs(False, "Open a scene first.")
            return
        photos = [view for view in document.views if view.photo is not None]
        held = sum(view.split == Split.TEST for view in photos)
        if photos:
            measured = f"{held} held out" if held else "all of them"
            self.set_needs(
                True, f"Learns from {len(photos) - held} photos, measures on {measured}."
            )
        else:
            count = len(document.views) or DEFAULT_RIG_COUNT
            self.set_needs(
                True, f"No photos: learns from and measures against the scene at {count} views."
            )

    def _refresh_estimate(self) -> None:
        document = self.session.document
        if document is None:
            self.estimate.setText("")
            return
        try:
            settings = self.choices.settings()
        except UserError as error:
            self.estimate.setText(str(error))
            return
        count = max(1, round(document.alive_count * settings.keep))
        nets = settings.cluster_count(count)
        size = estimated_bytes(count, document.scene.sh_degree, settings)
        self.estimate.setText(
            f"About {megabytes_text(size / 1e6)}: {count:,} Gaussians, "
            f"{nets:,} {'net' if nets == 1 else 'nets'}"
        )

    def _show_results(self) -> None:
        trials, trial = self._compressing.trials, self.chosen
        if trial is None:
            self._chosen = None
        self.table.show_trials(trials)
        self.plot.draw(trials, self._chosen)
        self.results.setVisible(bool(trials))
        for button in (self.compare_button, self.save_button):
            button.setEnabled(trial is not None)
        self.clusters_button.setVisible(any(one.neural is not None for one in trials))
        self.clusters_button.setEnabled(trial is not None and trial.neural is not None)
        parts = (self.chosen_title, self.bar_, self.details, self.errors_title, self.errors)
        for part in parts:
            part.setVisible(trial is not None)
        if trial is None:
            return
        earlier = "" if self._compressing.is_current(trial) else ", of an earlier state"
        size = megabytes_text(trial.bytes / 1e6)
        self.chosen_title.setText(f"{trial.title}, {size}{earlier}")
        self.bar_.show_streams(trial.streams)
        count = len(trial.scene)
        self.details.show_values(
            count_text(count),
            f"{trial.bytes / max(1, count):.1f}",
            f"{100 * trial.bytes / max(1, trial.source.ply_bytes):.1f} %",
            figure_text(trial.evaluation.ssim, "ssim"),
            figure_text(trial.evaluation.lpips, "lpips"),
            _seconds_text(trial.encode_s),
            _seconds_text(trial.decode_s),
        )
        for part in (self.errors_title, self.errors):
            part.setVisible(bool(trial.errors))
        if trial.errors:
            self.errors.show_values(*(value_text(trial.errors[name]) for name in ERROR_TITLES))


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "muted")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
    return label


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else duration_text(seconds)
