"""Runs one core job at a time for the window and brings its signals to the window's thread."""

import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.errors import UserError
from core.jobs import FINISHED, Job, JobState, Lane, Progress, Steps

Takers = tuple[Callable[[Any], None], Callable[[Any], None] | None]
"""What gets the result of a job that is done, and of one that was stopped what there is."""
MAX_RECORDS = 100
MAX_LINES = 500


@dataclass(slots=True, eq=False)
class JobRecord:
    """What is remembered of a job: its story, but neither its result nor what it worked on.

    Attributes
    ----------
    name, started
        What it is called, and the time of day when it began.
    state
        Where it stands.
    progress, remaining_s
        Its last report, and how many seconds it may still take; None where that is not known.
    lines
        Its last messages, each with the seconds since the start.
    line_count
        How many messages there were in all.
    error, details
        Why it failed, and the traceback where the reason is a fault of the program.
    """

    name: str
    started: datetime
    state: JobState = JobState.QUEUED
    progress: Progress | None = None
    remaining_s: float | None = None
    lines: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MAX_LINES))
    line_count: int = 0
    error: str = ""
    details: str = ""
    _unread: deque[tuple[Progress, float | None]] = field(
        default_factory=lambda: deque(maxlen=MAX_LINES)
    )
    _announced: bool = False
    _begun: float = field(default_factory=time.monotonic)
    _ended: float | None = None

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self.state in FINISHED

    @property
    def elapsed_s(self) -> float:
        """Seconds from start to end, or until now; pauses count."""
        return (time.monotonic() if self._ended is None else self._ended) - self._begun

    def note(self, text: str) -> None:
        """Add a message, unless it repeats the last one or is empty."""
        if text and (not self.lines or self.lines[-1][1] != text):
            self.lines.append((self.elapsed_s, text))
            self.line_count += 1

    def report(self, progress: Progress, remaining_s: float | None) -> bool:
        """Leave a report, on any thread; whether its reader must be told."""
        self._unread.append((replace(progress, partial=None), remaining_s))
        tell, self._announced = not self._announced, True
        return tell

    def read(self) -> None:
        """Take over what was reported since the last time."""
        self._announced = False
        while self._unread:
            self.progress, self.remaining_s = self._unread.popleft()
            self.note(self.progress.message)

    def enter(self, state: JobState) -> None:
        """Take a new state; the clock stops at the end."""
        if state in FINISHED and self._ended is None:
            self._ended = time.monotonic()
        self.state = state

    def fail(self, error: BaseException) -> None:
        """Keep what a failure tells, not the failure: its traceback holds on to everything."""
        self.error = str(error) or type(error).__name__
        if not isinstance(error, UserError):
            self.details = "".join(traceback.format_exception(error))


class JobRunner(QObject):
    """Starts jobs on workers; every signal is delivered on the thread of this object.

    ``progressed`` brings the newest report; older ones that were not delivered in time are in the
    job's record alone.
    """

    changed = Signal()
    progressed = Signal(Progress)
    failed = Signal(object)
    _reported = Signal(object)
    _ended = Signal(object, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lane = Lane()
        self.job: Job | None = None
        self._busy = False
        self.records: list[JobRecord] = []
        """Jobs of this session, the oldest first; only the last :data:`MAX_RECORDS`."""
        self._reported.connect(self._read)
        self._ended.connect(self._finish)

    @property
    def busy(self) -> bool:
        """Whether a job has not ended yet, or its result has not been handed over."""
        return self._busy

    def start(
        self,
        name: str,
        steps: Steps[Any],
        done: Callable[[Any], None],
        *,
        computes: bool = True,
        stopped: Callable[[Any], None] | None = None,
    ) -> Job:
        """Run a job; ``done`` gets its result on this thread, and only if it succeeded.

        ``computes`` makes it share the compute lane with the viewport; ``stopped`` gets what it had
        made so far, or None, if it was cancelled or failed.

        Raises
        ------
        RuntimeError
            If another job still runs.
        """
        if self.busy:
            raise RuntimeError("a job is running already")
        job = Job(name, steps, self.lane if computes else None)
        record = JobRecord(name, datetime.now().astimezone())
        self.job, self._busy = job, True
        self.records = [*self.records, record][-MAX_RECORDS:]
        job.progressed.connect(partial(self._report, job, record))
        job.state_changed.connect(partial(self._enter, record))
        job.finished.connect(lambda: self._ended.emit(job, record, (done, stopped)))
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
        ended = self.job is None or self.job.wait(timeout_s)
        self._busy = not ended
        return ended

    def _report(self, job: Job, record: JobRecord, progress: Progress) -> None:
        if record.report(progress, job.remaining_s):
            self._reported.emit(record)

    def _enter(self, record: JobRecord, state: str) -> None:
        record.enter(JobState(state))
        self.changed.emit()

    def _read(self, record: JobRecord) -> None:
        record.read()
        if record.progress is not None:
            self.progressed.emit(record.progress)

    def _finish(self, job: Job, record: JobRecord, takers: Takers) -> None:
        """Hand the result over, and let go of it: the last job stays known until the next."""
        result, partial, error = job.result, job.partial, job.error
        job.result = job.partial = job.error = None
        if job.progress is not None:
            job.progress = replace(job.progress, partial=None)
        job.finished.disconnect()
        done, stopped = takers
        self._busy = False
        record.read()
        try:
            if job.state == JobState.DONE:
                done(result)
            elif stopped is not None:
                stopped(partial)
            if error is not None:
                record.fail(error)
                self.failed.emit(error)
        finally:
            self.changed.emit()
