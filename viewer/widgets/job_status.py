"""What the running job does: text, thin bar, time left, pause and cancel."""

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QToolButton, QWidget

from core.jobs import Job, JobState
from viewer import theme
from viewer.jobs import JobRunner
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import duration_text

REFRESH_MS = 50
LABEL_PADDING = 12
_STATE_TEXTS = {JobState.PAUSED: "paused", JobState.CANCELLING: "cancelling…"}


def job_text(job: Job) -> str:
    """What a running job does now, such as "view 13 of 48 · 0:07 left"."""
    if job.state in _STATE_TEXTS:
        return _STATE_TEXTS[job.state]
    progress = job.progress
    if progress is None:
        return "starting…"
    parts = [progress.message or f"{progress.done:,} of {progress.total:,}"]
    remaining = job.remaining_s
    if remaining is not None:
        parts.append(f"{duration_text(remaining)} left")
    return " · ".join(parts)


def show_fraction(bar: QProgressBar, job: Job) -> None:
    """Fill a bar as far as a job is; it moves to and fro until the first step is done."""
    begun = job.progress is not None and job.progress.done > 0
    bar.setRange(0, 1000 if begun else 0)
    if job.progress is not None and begun:
        bar.setValue(round(1000 * job.progress.fraction))


def show_controls(pause: QToolButton, cancel: QToolButton, job: Job) -> None:
    """Have the buttons that pause and cancel a job do, and say, what they can now."""
    paused = job.state == JobState.PAUSED
    pause.setIcon(theme.icon("play" if paused else "pause"))
    pause.setToolTip("Let the job go on" if paused else "Pause the running job")
    pause.setAccessibleName("Resume job" if paused else "Pause job")
    pause.setEnabled(job.state in (JobState.RUNNING, JobState.PAUSED))
    cancel.setEnabled(job.state != JobState.CANCELLING)


class JobStatus(QWidget):
    """The job display of the status bar; its places stay reserved while nothing runs."""

    def __init__(self, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self.label = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.label.padding = LABEL_PADDING
        self.label.setAccessibleName("State of the program")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setObjectName("thin")
        self.bar.setFixedWidth(100)
        self.bar.setAccessibleName("Progress of the running job")
        self.pause_button = _button("pause", "Pause the running job")
        self.cancel_button = _button("cancel", "Cancel the running job (Ctrl+.)")
        self.pause_button.clicked.connect(runner.toggle_pause)
        self.cancel_button.clicked.connect(runner.cancel)

        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 0)
        layout.setSpacing(6)
        layout.addWidget(self.label, 1)
        for widget in (self.bar, self.pause_button, self.cancel_button):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
            layout.addWidget(widget)

        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        runner.changed.connect(self.refresh)
        runner.progressed.connect(self._schedule)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the job as it is now."""
        busy, job = self._runner.busy, self._runner.job
        for widget in (self.bar, self.pause_button, self.cancel_button):
            widget.setVisible(busy)
        if not busy or job is None:
            self.label.set_text("Ready")
            return
        self.label.set_text(f"{job.name}: {job_text(job)}")
        show_fraction(self.bar, job)
        show_controls(self.pause_button, self.cancel_button, job)

    @Slot()
    def _schedule(self) -> None:
        if not self._timer.isActive():
            self._timer.start()


def _button(icon: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(theme.icon(icon))
    button.setAutoRaise(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
