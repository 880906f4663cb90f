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
from core.editing import Document
from core.framing import DEFAULT_UP, SceneFrame, scene_frame
from core.jobs import Lane, Slot
from core.rendering.cpu.common import workers
from core.rigs import default_view
from core.scene import GaussianScene
from core.threads import step_back
from viewer.viewport.comparing import Comparing
from viewer.viewport.request import FrameRequest, Picture
from viewer.viewport.shading import Shading
from viewer.viewport.splats_engine import FIRST_GUESS_PX, OpenGl, draws_splats
from viewer.viewport.splats_order import SplatBatch, SplatOrder

log = logging.getLogger(__name__)

TARGET_MS = 1000 / 30
COARSEST = 0.25
OPENGL_BACKEND = "OpenGL splats"
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
    document
        Whose scene it is.
    """

    scene: GaussianScene
    views: tuple[View, ...]
    size: tuple[int, int]
    document: Document | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Surveyed:
    """The answer to a :class:`Survey`: the extent of the scene, and a camera that shows it."""

    survey: Survey
    frame: SceneFrame
    home: Camera


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A finished picture, or all that OpenGL needs to draw it.

    Attributes
    ----------
    request
        What it is a picture of.
    picture
        What is to be told about it; without pixels where there are ``splats``.
    pixels
        uint8 RGBA ``(H, W, 4)``, a CUDA tensor where the canvas takes those and else an array; None
        where there are ``splats``.
    ms
        The time it took without waiting for the lane.
    backend
        What drew it, for a person.
    picked
        The answer to ``request.pick``.
    splats
        What is left for OpenGL to draw.
    layer
        What lies over the splats, premultiplied uint8 RGBA ``(H, W, 4)``; for their camera only.
    """

    request: FrameRequest
    picture: Picture
    pixels: Pixels | None
    ms: float
    backend: str
    picked: Matrix | None = None
    splats: SplatBatch | None = None
    layer: NDArray[np.uint8] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in physical pixels."""
        if self.pixels is None:
            return self.request.camera.width, self.request.camera.height
        height, width = self.pixels.shape[:2]
        return width, height


@dataclass(frozen=True, slots=True)
class FrameStats:
    """What the status bar tells about the picture that is shown.

    ``ms``: the time to draw it, None where it was remembered and nothing had to be drawn.
    ``coarse``: it is small, or some Gaussians are left out. ``drawn`` counts Gaussians.
    """

    ms: float | None
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
        self.opengl: OpenGl | None = None
        """What can draw splats, None where all pictures are to be finished here."""
        self.affordable_px = FIRST_GUESS_PX
        """What OpenGL can draw in the time of a frame; see :class:`SplatList`."""
        self._lane = lane
        self._requests: Slot[FrameRequest | Survey] = Slot()
        self._frames: Slot[Frame] = Slot()
        self._surveys: Slot[Surveyed] = Slot()
        self._document: Document | None = None
        self._forget()
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
        step_back()
        while (request := self._requests.take()) is not None and not self._requests.closed:
            try:
                with self._lane.preview():
                    if request.document is not self._document:
                        self._document = request.document
                        self._forget()
                    if isinstance(request, Survey):
                        self._surveys.put(_survey(request))
                    else:
                        self._frames.put(self._draw(request))
            except Exception as error:
                log.debug("a frame failed", exc_info=True)
                self.failed.emit(error)
            else:
                self.ready.emit()

    def _forget(self) -> None:
        """Let go of all that was remembered: it would hold on to a scene that is gone."""
        self._comparing = Comparing()
        self._shading = Shading()
        self._order = SplatOrder()

    def _draw(self, request: FrameRequest) -> Frame:
        started = time.perf_counter()
        with torch.no_grad():
            if draws_splats(request, self.opengl):
                return self._order_splats(request, started)
            picture = self._comparing.picture(request)
            picked = self._comparing.pick(request)
            pixels = _delivered(picture.pixels, self.on_device)
        elapsed_ms = (time.perf_counter() - started) * 1e3
        return Frame(request, picture, pixels, elapsed_ms, backend_text(request.scene), picked)

    def _order_splats(self, request: FrameRequest, started: float) -> Frame:
        shading, shown = self._shading, self._shading.shown(request)
        batch = self._order.batch(
            request.scene,
            request.camera,
            keep=shown.visible,
            colors=shading.splat_colors(shown),
            affordable=self.affordable_px,
            background=request.look.background,
        )
        layer = shading.layer(shown)
        ghosts = 0 if shown.removed is None else int((shown.removed & shown.visible).sum())
        picture = Picture(
            pixels=torch.empty(0, 0, 4, dtype=torch.uint8),
            drawn=int(shown.visible.sum()),
            ghosts=ghosts,
            legend=shading.legend(shown),
            notes=layer.notes,
            problem=layer.problem,
        )
        return Frame(
            request,
            picture,
            pixels=None,
            ms=(time.perf_counter() - started) * 1e3,
            backend=OPENGL_BACKEND,
            picked=shading.pick(shown),
            splats=batch,
            layer=None if layer.pixels is None else _bytes(layer.pixels),
        )


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


def _bytes(layer: Tensor) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = (layer * 255).add_(0.5).clamp_(0, 255).to(torch.uint8).numpy()
    return array


def _survey(survey: Survey) -> Surveyed:
    scene, views = survey.scene, survey.views
    up = mean_up(views) if views else DEFAULT_UP
    return Surveyed(survey, scene_frame(scene, up), default_view(scene, survey.size, views, up))
