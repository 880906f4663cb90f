"""Long work as generators, and the one compute lane they share with previews.

A job is a generator that yields :class:`Progress` and returns its result. Each ``yield`` is a point
where it can be paused or cancelled. The command line drives it with :func:`drain`, the window with
a :class:`Job` on a worker thread.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from psygnal import Signal

from core.threads import step_back

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 0.4
"""A step waits at most so long for previews that were announced and do not wait already."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total`` steps, what it does, and values worth plotting.

    ``partial``, only now and then, is the result as it would be if the job ended here: a finished
    value that the job does not change any more.
    """

    done: int
    total: int
    message: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    partial: Any = None

    @property
    def fraction(self) -> float:
        """Done share in 0..1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


R = TypeVar("R")
T = TypeVar("T")
Steps = Generator[Progress, None, R]


def drain(steps: Steps[R], on_progress: Callable[[Progress], None] | None = None) -> R:
    """Run a job to its end on this thread and return its result."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            result: R = stop.value
            return result
        if on_progress is not None:
            on_progress(progress)


def retold(steps: Steps[R], change: Callable[[Progress], Progress]) -> Steps[R]:
    """The same job as a part of another, its reports changed for that."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            result: R = stop.value
            return result
        yield change(progress)


class Lane:
    """A lock with two classes of users: a waiting preview always goes before the next job step.

    Rendering uses all cores (or the one GPU), so a preview and a job never compute at once; a job
    holds the lane for one step at a time. While previews come one after another, such as while a
    camera moves, :meth:`reserve` keeps a step from going between each two of them.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._busy = False
        self._previews_waiting = 0
        self._reserved_until = 0.0

    @contextmanager
    def preview(self) -> Iterator[None]:
        """Hold the lane for a frame."""
        with self._condition:
            self._previews_waiting += 1
            self._condition.wait_for(lambda: not self._busy)
            self._previews_waiting -= 1
            self._busy = True
        yield from self._release()

    def reserve(self, seconds: float) -> None:
        """Keep the lane for previews that are about to come; a step waits :data:`LONGEST_WAIT_S`
        at most."""
        self._reserved_until = time.monotonic() + seconds

    @contextmanager
    def step(self) -> Iterator[None]:
        """Hold the lane for one step of a job."""
        asked = time.monotonic()
        with self._condition:
            while True:
                self._condition.wait_for(lambda: not self._busy and not self._previews_waiting)
                until = min(self._reserved_until, asked + LONGEST_WAIT_S)
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)
            self._busy = True
        yield from self._release()

    def _release(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._condition:
                self._busy = False
                self._condition.notify_all()


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ANY_STATE = frozenset(JobState)
FINISHED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class Job:
    """A generator run on a worker thread, step by step; with a :class:`Lane` if it computes.

    Signals are emitted on the worker thread; a user interface brings them to its own.
    """

    state_changed = Signal(str)
    progressed = Signal(Progress)
    finished = Signal()

    def __init__(self, name: str, steps: Steps[Any], lane: Lane | None = None) -> None:
        self.name = name
        self.state = JobState.QUEUED
        self.progress: Progress | None = None
        self.result: Any = None
        self.partial: Any = None
        """The latest result so far; still there after a cancel or a failure."""
        self.error: BaseException | None = None
        self._steps = steps
        self._lane = lane
        self._go = threading.Event()
        self._go.set()
        self._cancel = threading.Event()
        self._lock = threading.Lock()
        self._elapsed = 0.0
        self._pace: float | None = None
        self._stage: tuple[int, int, float] | None = None
        self._thread = threading.Thread(target=self._run, name=f"job:{name}", daemon=True)

    def start(self) -> None:
        """Begin on a thread of its own."""
        self._thread.start()

    def pause(self) -> None:
        """Stop before the next step until resumed."""
        if self._enter(JobState.PAUSED, {JobState.RUNNING}):
            self._go.clear()

    def resume(self) -> None:
        """Go on after a pause."""
        if self._enter(JobState.RUNNING, {JobState.PAUSED}):
            self._go.set()

    def cancel(self) -> None:
        """Stop before the next step for good; the generator is closed, ``partial`` is kept."""
        if self._enter(JobState.CANCELLING, ANY_STATE - FINISHED):
            self._cancel.set()
            self._go.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; whether it came within ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def elapsed_s(self) -> float:
        """Seconds spent in steps; waiting and pauses do not count."""
        return self._elapsed

    @property
    def remaining_s(self) -> float | None:
        """Estimated seconds to go; None until two reports of a stage tell its pace.

        The first step is left out: it may compile kernels or read files.
        """
        if self.progress is None or self._pace is None:
            return None
        return self._pace * max(0, self.progress.total - self.progress.done)

    def _enter(self, state: JobState, before: Collection[JobState] = ANY_STATE) -> bool:
        """Change the state if it is one of ``before``."""
        with self._lock:
            if self.state not in before:
                return False
            self.state = state
        self.state_changed.emit(str(state))
        return True

    def _measure(self, progress: Progress) -> None:
        """Seconds a step since the first report of this stage: the same total, counting up."""
        stage = self._stage
        if stage is None or stage[1] != progress.total or progress.done < stage[0]:
            self._stage, self._pace = (progress.done, progress.total, self._elapsed), None
        elif progress.done > stage[0]:
            self._pace = (self._elapsed - stage[2]) / (progress.done - stage[0])

    def _turn(self) -> AbstractContextManager[None]:
        return nullcontext() if self._lane is None else self._lane.step()

    def _run(self) -> None:
        step_back()
        self._enter(JobState.RUNNING, {JobState.QUEUED})
        try:
            while True:
                self._go.wait()
                if self._cancel.is_set():
                    self._steps.close()
                    end = JobState.CANCELLED
                    break
                try:
                    with self._turn():
                        started = time.perf_counter()
                        progress = next(self._steps)
                        self._elapsed += time.perf_counter() - started
                except StopIteration as stop:
                    self.result = stop.value
                    end = JobState.DONE
                    break
                self._measure(progress)
                if progress.partial is not None:
                    self.partial = progress.partial
                self.progress = progress
                self.progressed.emit(progress)
        except Exception as error:
            log.debug("job %s failed", self.name, exc_info=True)
            self.error = error
            end = JobState.FAILED
        self._enter(end)
        self.finished.emit()


class Slot(Generic[T]):
    """The latest value of a fast stream: a new one replaces an unread one; readers can wait."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._value: T | None = None
        self._closed = False

    def put(self, value: T) -> None:
        """Leave a value; an unread earlier one is dropped."""
        with self._condition:
            self._value = value
            self._condition.notify()

    def take(self, timeout: float | None = None) -> T | None:
        """Wait for a value and remove it; None on time-out or after :meth:`close`."""
        with self._condition:
            self._condition.wait_for(lambda: self._value is not None or self._closed, timeout)
            value, self._value = self._value, None
            return value

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def close(self) -> None:
        """Wake every reader for good."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
