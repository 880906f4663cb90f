"""Draws batches of splats so that neither a move nor a sharp picture holds up the window."""

import time
from dataclasses import dataclass

from core.cameras import Camera
from viewer.viewport.splats import SplatPass
from viewer.viewport.splats_engine import DRAW_MS, Throughput
from viewer.viewport.splats_order import SplatBatch, SplatList

LARGEST_SLICE, SMALLEST_SLICE = 0.5, 0.1
"""Shares of the time that are drawn without looking at the clock."""


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A finished picture: of which batch and camera, whether all of it is there, what it took."""

    batch: SplatBatch
    camera: Camera
    sharp: bool
    size: tuple[int, int]
    count: int
    ms: float


@dataclass(slots=True, eq=False)
class _Task:
    batch: SplatBatch
    camera: Camera
    sharp: bool
    splats: SplatList
    place: int = -1
    ms: float = 0.0


class SplatPainter:
    """Draws what is affordable while something changes, and all when it is still, in slices.

    The picture shown is always a whole one: the next is drawn beside it.

    Parameters
    ----------
    splat_pass
        What draws; its OpenGL context is current whenever :meth:`step` is called.
    throughput
        Learns what is affordable; outlives the context.
    """

    def __init__(self, splat_pass: SplatPass, throughput: Throughput) -> None:
        self.splat_pass = splat_pass
        self.painted: Painted | None = None
        self._throughput = throughput
        self._batch: SplatBatch | None = None
        self._camera: Camera | None = None
        self._still = False
        self._task: _Task | None = None

    def show(self, batch: SplatBatch | None) -> None:
        """Draw a batch from now on, as its own camera sees it; or nothing."""
        self._batch = batch
        if batch is None:
            self._task = self.painted = None
        else:
            self._change(batch.camera)

    def look_from(self, camera: Camera) -> None:
        """Draw the batch as this camera sees it; its order is then a little old."""
        if self._camera is not None and not camera.same_as(self._camera):
            self._change(camera)

    def _change(self, camera: Camera) -> None:
        """Begin anew; a coarse picture that is being drawn is finished, so that one is seen."""
        self._camera, self._still = camera, False
        if self._task is not None and self._task.sharp:
            self._task = None

    def settle(self) -> None:
        """All is still: draw everything, once the order is that of the camera."""
        self._still = True

    @property
    def settled(self) -> bool:
        """Whether the picture shown is the sharp one of the newest batch and camera."""
        painted = self.painted
        return self._batch is None or (self._current and painted is not None and painted.sharp)

    @property
    def busy(self) -> bool:
        """Whether :meth:`step` has something to do."""
        return self._task is not None or self._next() is not None

    def step(self) -> bool:
        """Draw for the time of a frame; whether a picture was finished."""
        batch = self._batch
        if batch is None or not self.splat_pass.upload(batch.data):
            return False
        if self._task is None:
            self._task = self._next()
        task = self._task
        if task is None:
            return False
        end = time.perf_counter() + DRAW_MS / 1e3
        if task.place < 0:
            camera = task.camera if task.sharp else task.camera.scaled(task.batch.scale)
            self.splat_pass.begin(camera, task.batch.background, sharp=task.sharp)
            task.place = 0
        share = LARGEST_SLICE
        while share > SMALLEST_SLICE:
            self._draw_slice(task, share)
            if task.place == len(task.splats):
                break
            share = min(LARGEST_SLICE, (end - time.perf_counter()) * 1e3 / DRAW_MS)
        if task.place < len(task.splats):
            return False
        size, count = self.splat_pass.finish(), len(task.splats)
        self.painted = Painted(task.batch, task.camera, task.sharp, size, count, task.ms)
        self._task = None
        return True

    def _draw_slice(self, task: _Task, share: float) -> None:
        """Draw what should fit in a share of the time, and learn from it."""
        started = time.perf_counter()
        first = task.place
        last = task.splats.reach(first, share * self._throughput.affordable_px)
        self.splat_pass.draw(task.splats, first, last)
        self.splat_pass.context.finish()
        ms = (time.perf_counter() - started) * 1e3
        self._throughput.record(task.splats.cost_of(first, last), ms)
        task.place = last
        task.ms += ms

    @property
    def _current(self) -> bool:
        painted = self.painted
        return (
            painted is not None and painted.batch is self._batch and painted.camera is self._camera
        )

    def _next(self) -> _Task | None:
        batch, camera = self._batch, self._camera
        if batch is None or camera is None:
            return None
        if not self._current:
            return _Task(batch, camera, False, batch.coarse)
        settles = self._still and camera.same_as(batch.camera)
        if settles and self.painted is not None and not self.painted.sharp:
            return _Task(batch, camera, True, batch.full)
        return None
