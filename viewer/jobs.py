"""Runs one core job at a time for the window and brings its signals to the window's thread."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.jobs import FINISHED, Job, JobState, Lane, Progress, Steps


class JobRunner(QObject):
    """Starts jobs on workers; every signal is delivered on the thread of this object."""

    changed = Signal()
    progressed = Signal(Progress)
    failed = Signal(object)
    _ended = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lane = Lane()
        self.job: Job | None = None
        self._ended.connect(self._finish)

    @property
    def busy(self) -> bool:
        """Whether a job has not ended yet."""
        return self.job is not None and self.job.state not in FINISHED

    def start(
        self,
        name: str,
        steps: Steps[Any],
        done: Callable[[Any], None],
        *,
        computes: bool = True,
    ) -> Job:
        """Run a job; ``done`` gets its result on this thread, and only if it succeeded.

        ``computes`` makes it share the compute lane with the viewport.

        Raises
        ------
        RuntimeError
            If another job still runs.
        """
        if self.busy:
            raise RuntimeError("a job is running already")
        job = Job(name, steps, self.lane if computes else None)
        self.job = job
        job.progressed.connect(self.progressed.emit)
        job.state_changed.connect(lambda _: self.changed.emit())
        job.finished.connect(lambda: self._ended.emit(job, done))
        self.changed.emit()
        job.start()
        return job

    def cancel(self) -> None:
        """Cancel the running job, if any."""
        if self.job is not None:
            self.job.cancel()

    def toggle_pause(self) -> None:
        """Pause the running job, or let it go on."""
        if self.job is None:
            return
        if self.job.state == JobState.PAUSED:
            self.job.resume()
        else:
            self.job.pause()

    def shut_down(self, timeout_s: float = 10.0) -> bool:
        """Cancel and wait; whether the worker ended in time."""
        self.cancel()
        return self.job is None or self.job.wait(timeout_s)

    def _finish(self, job: Job, done: Callable[[Any], None]) -> None:
        if job.state == JobState.DONE:
            done(job.result)
        elif job.state == JobState.FAILED:
            self.failed.emit(job.error)
        self.changed.emit()
