"""Frames on a thread of their own: the newest request in, the newest picture out."""

import logging
import threading
import time
from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from torch import Tensor

from core.cameras import Camera, Matrix, View
from core.datasets.dataset import mean_up
from core.framing import DEFAULT_UP, SceneFrame, scene_frame
from core.jobs import Lane, Slot
from core.rendering.cpu.common import workers
from core.rigs import default_view
from core.scene import GaussianScene
from viewer.viewport.shading import FrameRequest, Picture, Shading

log = logging.getLogger(__name__)

TARGET_MS = 1000 / 30
COARSEST = 0.25
SCALE_STEPS = 16

Pixels = NDArray[np.uint8] | Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What to find out about a scene before it can be drawn well: where it is, how to look at it.

    Parameters
    ----------
    scene
        The scene.
    views
        The dataset's views, if any.
    size
        Width and height of the picture.
    """

    scene: GaussianScene
    views: tuple[View, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Surveyed:
    """The answer to a :class:`Survey`: the extent of the scene, and a camera that shows it."""

    survey: Survey
    frame: SceneFrame
    home: Camera


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A finished picture.

    ``pixels`` is uint8 RGBA ``(H, W, 4)``, a CUDA tensor where the canvas takes those and else an
    array; ``ms`` the time it took without waiting for the lane; ``picked`` the answer to
    ``request.pick``.
    """

    request: FrameRequest
    picture: Picture
    pixels: Pixels
    ms: float
    backend: str
    picked: Matrix | None = None


@dataclass(frozen=True, slots=True)
class FrameStats:
    """What the status bar tells about the frame that is shown; ``ms`` is the time to render it."""

    ms: float
    width: int
    height: int
    coarse: bool
    drawn: int
    backend: str
    route: str


class Pace:
    """The share of the full resolution at which moving pictures keep up with the eye.

    It goes in steps, and a little beyond each before it changes, so that the picture does not
    flicker between two sizes.
    """

    def __init__(self) -> None:
        self.scale = 1.0
        self._wanted = 1.0
        self._measured = False

    def record(self, scale: float, ms: float) -> None:
        """Learn from a frame. Sharp frames only give the first estimate."""
        fitting = min(1.0, max(COARSEST, scale * sqrt(TARGET_MS / max(ms, 0.1))))
        if not self._measured:
            self._wanted = fitting
        elif scale == self.scale:
            self._wanted += (fitting - self._wanted) / 2
        else:
            return
        self._measured = True
        step, slack = 1 / SCALE_STEPS, 0.25 / SCALE_STEPS
        if not self.scale - slack <= self._wanted < self.scale + step + slack:
            self.scale = max(COARSEST, floor(self._wanted / step) * step)
        if self._wanted > 1 - slack:
            self.scale = 1.0


class FrameRenderer(QObject):
    """Renders the latest request on a worker thread, in turn with running jobs.

    ``ready`` and ``failed`` are delivered on the thread of this object; then :meth:`take_frame` and
    :meth:`take_surveyed` give what is new. It has no parent: the worker keeps it alive until
    :meth:`shut_down`.
    """

    ready = Signal()
    failed = Signal(object)

    def __init__(self, lane: Lane) -> None:
        super().__init__()
        self.on_device = False
        """Whether CUDA pictures are to stay on their device."""
        self._lane = lane
        self._requests: Slot[FrameRequest | Survey] = Slot()
        self._frames: Slot[Frame] = Slot()
        self._surveys: Slot[Surveyed] = Slot()
        self._shading = Shading()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def request(self, request: FrameRequest | Survey) -> None:
        """Ask for a frame; one that was asked for before and not begun is dropped."""
        self._requests.put(request)

    def take_frame(self) -> Frame | None:
        """The newest finished frame, once."""
        return self._frames.take(0)

    def take_surveyed(self) -> Surveyed | None:
        """The newest finished survey, once."""
        return self._surveys.take(0)

    def shut_down(self, timeout_s: float = 10.0) -> bool:
        """End the worker; whether it ended in time."""
        self._requests.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (request := self._requests.take()) is not None and not self._requests.closed:
            try:
                with self._lane.preview():
                    if isinstance(request, Survey):
                        self._surveys.put(_survey(request))
                    else:
                        self._frames.put(self._draw(request))
            except Exception as error:
                log.debug("a frame failed", exc_info=True)
                self.failed.emit(error)
            else:
                self.ready.emit()

    def _draw(self, request: FrameRequest) -> Frame:
        started = time.perf_counter()
        with torch.no_grad():
            picture = self._shading.picture(request)
            picked = self._shading.pick(request)
            pixels = _delivered(picture.pixels, self.on_device)
        elapsed_ms = (time.perf_counter() - started) * 1e3
        return Frame(request, picture, pixels, elapsed_ms, backend_text(request.scene), picked)


def backend_text(scene: GaussianScene) -> str:
    """Which rasterizer draws a scene, for a person."""
    if scene.device.type == "cuda":
        return "CUDA · gsplat"
    count = workers().count
    return f"CPU · {count} thread{'s' if count > 1 else ''}"


def host_copy(pixels: Tensor) -> NDArray[np.uint8]:
    """A picture as an array; from CUDA through page-locked memory, where that can be had."""
    if pixels.device.type == "cuda":
        try:
            pinned = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
        except RuntimeError:
            log.info("no page-locked memory, copying frames through ordinary memory")
            pixels = pixels.cpu()
        else:
            pinned.copy_(pixels, non_blocking=True)
            torch.cuda.current_stream(pixels.device).synchronize()
            pixels = pinned
    array: NDArray[np.uint8] = pixels.numpy()
    return array


def _delivered(pixels: Tensor, on_device: bool) -> Pixels:
    if pixels.device.type != "cuda" or not on_device:
        return host_copy(pixels)
    torch.cuda.current_stream(pixels.device).synchronize()
    return pixels


def _survey(survey: Survey) -> Surveyed:
    scene, views = survey.scene, survey.views
    up = mean_up(views) if views else DEFAULT_UP
    return Surveyed(survey, scene_frame(scene, up), default_view(scene, survey.size, views, up))
