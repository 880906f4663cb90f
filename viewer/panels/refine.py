"""The Refine panel: refine in rounds, or train from points; watch it, keep it, compare it."""

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.cameras import Split
from core.errors import UserError
from core.rigs import DEFAULT_RIG_COUNT
from viewer.panels.footed import FootedPanel
from viewer.panels.panel import described, wrapped
from viewer.panels.refine_figures import ROWS, TIPS, lpips_tip, row_values, told
from viewer.panels.refine_plots import CountPlot, LossPlot, StagePlot
from viewer.panels.refine_settings import RefineSettings, summary_label, told_shares
from viewer.panels.train_settings import TrainFields
from viewer.refine_steps import refine_steps, train_steps
from viewer.refining import Choices, Outcome, Run, TrainChoices
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.group import Group
from viewer.widgets.numbers import (
    MISSING,
    duration_text,
    megabytes_text,
    percent_text,
)
from viewer.widgets.numbers_table import NumbersTable
from viewer.widgets.plots import Plot

PLOTS_MS = 200
PLOT_HEIGHTS = (118, 140)
ROUNDS_PURPOSE = "Cut in rounds, and refine what is left until it looks nearly as before."
TRAIN_PURPOSE = "Train a scene: the points become Gaussians that look like the photos."
NOTHING_TO_FIT = "Nothing goes, and there are no photos to fit to: cut something or attach photos."
CANCEL_TIP = (
    "Cancel (Ctrl+.)\nStop the run. The scene stays as it was; what the run had made can be kept."
)


class RefinePanel(FootedPanel):
    """Runs rounds; or training, where the scene is only the points of photos.

    ``attach_asked``: a person wants to attach photos and cameras.
    """

    attach_asked = Signal()

    title = "Refine"
    purpose = ROUNDS_PURPOSE
    run_title = "Refine"
    job_name = Choices.job

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.choices = RefineSettings()
        self.training = TrainFields()
        self.summary = summary_label()
        self._refining = session.refining
        self._reason = ""
        self._drawn: tuple[Run, int] | None = None
        self.cancel_button.setToolTip(CANCEL_TIP)
        self.attach_button = QPushButton("Attach photos and cameras…")
        described(
            self.attach_button,
            "Attach photos and cameras (Refine)",
            "Attach photos and cameras (Ctrl+Shift+O)\nRefine against what was really seen.",
        )
        self.body.addWidget(self.attach_button)
        self.body.addWidget(self.choices)
        self.body.addWidget(self.training)
        self.body.addWidget(self.summary)
        self._make_plots()
        self.table = NumbersTable(ROWS, tips=TIPS)
        self.table.setAccessibleName("Before and after the run")
        self.numbers.addWidget(self.table)
        self._make_footer()
        self._plots_timer = QTimer(self, singleShot=True, interval=PLOTS_MS)
        self._plots_timer.timeout.connect(self._draw)
        self._connect()
        self._fit_to_scene()
        self.refresh()

    def _make_plots(self) -> None:
        self.plots = Group()
        self.loss_plot, self.stage_plot, self.count_plot = LossPlot(), StagePlot(), CountPlot()
        self._plot_titles: dict[Plot, QLabel] = {}
        column = QVBoxLayout(self.plots)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for title, plot, height in (
            ("Loss by step", self.loss_plot, PLOT_HEIGHTS[0]),
            ("PSNR by stage, in dB", self.stage_plot, PLOT_HEIGHTS[1]),
            ("Gaussians by step", self.count_plot, PLOT_HEIGHTS[0]),
        ):
            label = QLabel(title)
            label.setProperty("role", "muted")
            plot.setFixedHeight(height)
            self._plot_titles[plot] = label
            column.addWidget(label)
            column.addWidget(plot)
        self.numbers.addWidget(self.plots)

    def _make_footer(self) -> None:
        """What became of a run above its buttons, how long one would take below."""
        self.estimate = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.estimate.setProperty("role", "muted")
        self.estimate.setAccessibleName("Time that the run would take")
        self.told = wrapped("")
        self.told.setAccessibleName("What became of the run")
        self.keep_button, self.discard_button = QPushButton("Keep what it has"), QPushButton()
        self.discard_button.setText("Discard")
        self.compare_button, self.undo_button = QPushButton("Compare"), QPushButton("Undo")
        self.card = Group()
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (
            self.keep_button,
            self.discard_button,
            self.compare_button,
            self.undo_button,
        ):
            buttons.addWidget(button, 1)
        card = QVBoxLayout(self.card)
        card.setContentsMargins(0, 0, 0, 0)
        card.setSpacing(6)
        card.addWidget(self.told)
        card.addLayout(buttons)
        self.foot.insertWidget(0, self.card)
        self.foot.addWidget(self.estimate)
        described(
            self.keep_button,
            "Keep what the run has",
            "Put in place what the run had made when it was stopped, as one step of Undo.",
        )
        described(self.discard_button, "Discard what the run has", "Forget it.")
        described(
            self.compare_button,
            "Compare with before",
            "Compare with before\nA wipe: the scene before the run left, as it is now right.",
        )

    def _connect(self) -> None:
        session, refining = self.session, self._refining
        self.choices.changed.connect(self.refresh)
        self.training.changed.connect(self.refresh)
        self.attach_button.clicked.connect(self.attach_asked)
        self.keep_button.clicked.connect(refining.keep)
        self.discard_button.clicked.connect(refining.decline)
        self.compare_button.clicked.connect(refining.compare)
        self.undo_button.clicked.connect(refining.toggle)
        refining.changed.connect(self._follow)
        for signal in (session.document_replaced, session.views_changed, session.state_changed):
            signal.connect(self._fit_to_scene)
        for signal in (session.history_changed, session.runner.changed):
            signal.connect(self.refresh)

    # What is asked

    @Slot()
    def run(self) -> None:
        """Begin the rounds, or training."""
        if not self._ready():
            return
        try:
            if self.session.untrained:
                self._refining.start(self.training.choices(), train_steps)
            else:
                self._refining.start(self.choices.choices(), refine_steps)
        except UserError as error:
            self.session.notified.emit("error", str(error))
            return
        self.plots.show()
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.table))

    def _ready(self) -> bool:
        return self.session.document is not None and not self.session.runner.busy

    @Slot()
    def _fit_to_scene(self) -> None:
        if self.put_off():
            return
        document = self.session.document
        scene = None if document is None else document.scene
        count = 0 if document is None else document.alive_count
        self.choices.show_scene(scene, count, self._photo_count() > 0)
        self.refresh()

    def catch_up(self) -> None:
        self._fit_to_scene()

    def _photo_count(self) -> int:
        """Photos to fit to: those of the training views."""
        document = self.session.document
        views = () if document is None else document.views
        return sum(view.photo is not None and view.split == Split.TRAIN for view in views)

    # What is shown

    @Slot()
    def refresh(self) -> None:
        """Show settings, needs and the run as they are now."""
        if self.put_off():
            return
        self._choose_page()
        self._refresh_needs()
        self._refresh_summary()
        busy = self.session.runner.busy
        for fields in (self.choices, self.training):
            fields.setEnabled(self.session.document is not None and not self.running)
        if self.session.document is None:
            reason = "Open a scene first."
        elif busy:
            reason = "Wait for the running job, or cancel it."
        else:
            does = "Train" if self.session.untrained else "Cut and refine"
            reason = self._reason or f"{does}; one step of Undo takes it all back."
        self.run_button.setEnabled(self._ready() and not self._reason)
        self.run_button.setToolTip(f"{self.run_button.text()} (Ctrl+Return)\n{reason}")
        self.refresh_job()
        self._refresh_run()
        self._refresh_card()
        self._draw()

    @Slot()
    def _follow(self) -> None:
        if self._refining.running:
            if not self._plots_timer.isActive():
                self._plots_timer.start()
        else:
            self.refresh()

    def _choose_page(self) -> None:
        """Show what can be done with the scene: rounds, or training of what is only points."""
        train, run = self.session.untrained, self._refining.run
        kind = TrainChoices if train else Choices
        self.job_name = run.choices.job if run is not None and self._refining.running else kind.job
        self.choices.setVisible(not train)
        self.training.setVisible(train)
        self.purpose_text.setText(TRAIN_PURPOSE if train else ROUNDS_PURPOSE)
        if self.run_button.text() != kind.job:
            self.run_button.setText(kind.job)
            self.run_button.setAccessibleName(f"{kind.job} ({self.title})")

    def _refresh_needs(self) -> None:
        document, photos = self.session.document, self._photo_count()
        self.attach_button.setVisible(document is not None and not document.views)
        if document is None:
            self.set_needs(False, "Open a scene first.")
        elif photos:
            held = sum(
                view.photo is not None and view.split == Split.TEST for view in document.views
            )
            measured = f"measured on {held} held out" if held else "measured on the same"
            self.set_needs(True, f"Fits to {photos} training photos, {measured}.")
        else:
            count = len(document.views) or DEFAULT_RIG_COUNT
            kind = "the dataset's" if document.views else "generated"
            self.set_needs(
                True, f"No photos: refines against the scene itself at {count} {kind} views."
            )

    def _refresh_summary(self) -> None:
        document = self.session.document
        self._reason = ""
        self.summary.setToolTip("")
        if document is None:
            self.summary.setText("")
            return
        total = document.alive_count
        if self.session.untrained:
            most = self.training.choices().settings.max_count
            self.summary.setText(f"From {total:,} points to at most {most:,} Gaussians")
            return
        try:
            choices = self.choices.choices()
        except UserError as error:
            self._reason = str(error)
            self.summary.setText(self._reason)
            return
        counts = choices.schedule.counts(total)
        left = counts[-1]
        if left == total and not self._photo_count():
            self._reason = NOTHING_TO_FIT
            self.summary.setText(self._reason)
            return
        size = megabytes_text(self.session.megabytes(left))
        self.summary.setText(
            f"Leaves {left:,} of {total:,} ({percent_text(left / max(1, total))}) · {size}"
        )
        self.summary.setToolTip(told_shares(counts, total))

    def _refresh_run(self) -> None:
        """While no run works, tell how long one would take."""
        self.estimate.setVisible(not self.running)
        self.estimate.set_text(self._estimate())

    def _estimate(self) -> str:
        """How long the run would take, by the steps of the last one."""
        step_s = self._refining.step_s
        if self.session.document is None:
            return ""
        if step_s is None or self._reason:
            return f"Time: {MISSING} (known after a first run)"
        fields = self.training if self.session.untrained else self.choices
        steps = fields.choices().steps
        return f"Steps: about {duration_text(steps * step_s)}, at {_step_text(step_s)}"

    def _refresh_card(self) -> None:
        run, in_place = self._refining.run, self._refining.in_place
        offered = run is not None and run.offered is not None
        self.keep_button.setVisible(offered)
        self.discard_button.setVisible(offered)
        finished = run is not None and run.before is not None
        self.compare_button.setVisible(finished)
        self.undo_button.setVisible(finished)
        self.compare_button.setEnabled(in_place is not None and in_place)
        self.undo_button.setEnabled(in_place is not None)
        word = "Redo" if in_place is False else "Undo"
        self.undo_button.setText(word)
        described(
            self.undo_button,
            f"{word} the run",
            f"{word} the run\nOther edits came after it: see History."
            if in_place is None
            else f"{word} the run\nThe whole run is one step.",
        )
        self.told.setText("" if run is None else told(run, in_place))
        self.card.setVisible(bool(self.told.text()) or offered or finished)
        self.place_footer()

    @Slot()
    def _draw(self) -> None:
        if self.put_off():
            return
        run = self._refining.run
        self.plots.setVisible(run is not None)
        dropped = run is not None and run.outcome == Outcome.STOPPED and run.offered is None
        self.table.setVisible(run is not None and not dropped)
        if run is None:
            return
        train = isinstance(run.choices, TrainChoices)
        for plot, shown in ((self.stage_plot, not train), (self.count_plot, train)):
            plot.setVisible(shown)
            self._plot_titles[plot].setVisible(shown)
        drawn = (run, len(run.losses))
        if self._drawn != drawn:
            self._drawn = drawn
            self.loss_plot.draw(run.losses, run.rounds)
            self.count_plot.draw(run.counts)
        if self.stage_plot.stages is not run.stages:
            self.stage_plot.draw(run.stages)
            self.table.show_values(*row_values(run.stages))
            self.table.set_tip("LPIPS", lpips_tip(run.stages))


def _step_text(step_s: float) -> str:
    return f"{1e3 * step_s:.0f} ms a step" if step_s < 1 else f"{step_s:.1f} s a step"
