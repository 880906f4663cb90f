"""What OpenGL needs to draw a scene as splats: its texels, the order, the colours, what fits.

Pure functions of scene and camera, for a worker; nothing here touches OpenGL.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera
from core.rendering.cpu.common import F32, I32, LN2, LOG2_MIN_ALPHA, LOG2E, F, kernel, workers
from core.rendering.cpu.renderer import Workspace
from core.scene import GaussianScene
from viewer.look import BACKGROUND, Color
from viewer.viewport.marks import project_scene

TEXTURE_WIDTH = 2048
TEXELS_EACH = 3
MARGIN = 0.1
"""Share of the picture's size beside it where Gaussians are kept, for a camera that turns on."""
SETUP_PX = 150
"""What a Gaussian costs beside its pixels, in pixels."""
COARSEST, SCALE_STEPS = 0.25, 8
BRIGHTEST = 1000.0
"""Colours are cut here, so that sums of them stay finite in float16."""
GOLDEN = 2654435769
"""2^32 over the golden ratio."""
_RANK_BITS = 16

INSTANCE = np.dtype([("index", np.uint32), ("color", np.float16, 4)])

Instances = NDArray[np.void]
F64 = NDArray[np.float64]
U16 = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class SplatData:
    """A scene as the vertex shader reads it.

    Attributes
    ----------
    texels
        Float32 ``(rows, TEXTURE_WIDTH, 4)``; three texels a Gaussian, one after another: mean and
        opacity, unit quaternion, standard deviations.
    count
        Number of Gaussians.
    antialiased
        Whether opacities are compensated for the screen-space filter.
    """

    texels: F32
    count: int
    antialiased: bool


@dataclass(frozen=True, slots=True, eq=False)
class SplatList:
    """Gaussians to draw, the farthest first.

    ``instances (M,)`` of type ``INSTANCE``; ``cost (M + 1,)`` sums up what drawing takes, in
    pixels.
    """

    instances: Instances
    cost: F64

    def __len__(self) -> int:
        return len(self.instances)

    def reach(self, first: int, cost: float) -> int:
        """The end of the part from ``first`` on that costs no more; at least one Gaussian."""
        end = int(np.searchsorted(self.cost, self.cost[first] + cost, side="right")) - 1
        return min(max(end, first + 1), len(self))

    def cost_of(self, first: int, last: int) -> float:
        """What drawing a part takes, in pixels."""
        return float(self.cost[last] - self.cost[first])


@dataclass(frozen=True, slots=True, eq=False)
class SplatBatch:
    """All that OpenGL draws for a request.

    Attributes
    ----------
    data, camera
        The scene, and the camera that it was ordered for.
    full
        All Gaussians that are seen.
    coarse, scale
        What can be drawn in the time of a frame: at this share of the width and height, a part of
        them, as many as were affordable then. All of them where possible.
    background
        What lies behind them.
    """

    data: SplatData
    camera: Camera
    full: SplatList
    coarse: SplatList
    scale: float
    background: Color = BACKGROUND


def splat_data(scene: GaussianScene) -> SplatData:
    """The texels of a scene; what is not finite stays so, and is never drawn."""
    count = len(scene)
    rows = max(1, -(-TEXELS_EACH * count // TEXTURE_WIDTH))
    texels = np.zeros((rows, TEXTURE_WIDTH, 4), np.float32)
    each = texels.reshape(-1, 4)[: TEXELS_EACH * count].reshape(count, TEXELS_EACH, 4)
    each[:, 0, :3] = scene.means.numpy(force=True)
    each[:, 0, 3] = scene.opacities().numpy(force=True)
    quats = scene.quats / scene.quats.norm(dim=1, keepdim=True)
    each[:, 1] = quats.numpy(force=True)
    each[:, 2, :3] = scene.log_scales.exp().numpy(force=True)
    return SplatData(texels, count, scene.antialiased)


class SplatOrder:
    """Makes batches one after another; keeps the texels of the last scene and work arrays."""

    def __init__(self) -> None:
        self._scene: GaussianScene | None = None
        self._host: GaussianScene | None = None
        self._data: SplatData | None = None
        self._workspace = Workspace()

    def batch(
        self,
        scene: GaussianScene,
        camera: Camera,
        *,
        keep: Tensor,
        colors: Tensor | None,
        affordable: float,
        background: Color = BACKGROUND,
    ) -> SplatBatch:
        """Colour, cull and order a scene for a camera.

        Parameters
        ----------
        keep, colors
            As for :func:`core.rendering.render`.
        affordable
            What the coarse list may cost, in pixels.
        background
            What lies behind the scene.
        """
        if scene is not self._scene or self._host is None or self._data is None:
            self._host, self._data = scene.to("cpu"), splat_data(scene)
            self._scene = scene
        instances, area, prominence = _ordered(
            self._workspace,
            self._host,
            camera,
            keep.cpu(),
            None if colors is None else colors.to("cpu", torch.float32),
        )
        full = SplatList(instances, _sums(SETUP_PX + area))
        if full.cost[-1] <= affordable:
            return SplatBatch(self._data, camera, full, full, 1.0, background)
        scale = coarse_scale(len(instances), float(area.sum()), affordable)
        coarse = SplatList(instances, _sums(SETUP_PX + scale**2 * area))
        if coarse.cost[-1] > affordable:
            coarse = thinned(coarse, lots(instances["index"], prominence), affordable)
        return SplatBatch(self._data, camera, full, coarse, scale, background)


def coarse_scale(count: int, area: float, affordable: float) -> float:
    """Share of the picture's width and height at which Gaussians of an area can be drawn.

    Rather fewer pixels than holes; but a quarter of what is affordable goes into pixels. In steps,
    so that the size does not follow every measurement.
    """
    for_pixels = max(affordable - SETUP_PX * count, affordable / 4)
    fitting = math.sqrt(for_pixels / max(area, 1.0))
    return min(1.0, max(COARSEST, math.floor(fitting * SCALE_STEPS) / SCALE_STEPS))


def lots(index: NDArray[np.uint32], prominence: F32) -> U16:
    """The order ``(M,)`` in which Gaussians stay while not all can be drawn: the highest longest.

    They are drawn by lot, with chances as the square root of their prominence: the most prominent
    alone would pile up in some places and leave holes in others. The lot ``u`` of a Gaussian is
    always the same, and those of neighbours in the file are far apart. Highest ``u^(1 / w)`` is a
    draw with weights ``w`` without replacement (Efraimidis and Spirakis 2006).
    """
    lot = (index * np.uint32(GOLDEN) + 0.5) / 2.0**32
    staying = np.sqrt(prominence) / -np.log(lot)
    return _bits(staying.astype(np.float32))


def thinned(full: SplatList, rank: U16, affordable: float) -> SplatList:
    """The Gaussians of highest ``rank (M,)`` that cost no more than ``affordable``, in order.

    Whole ranks stay or go, so that nothing flickers while the camera moves.
    """
    cost = np.diff(full.cost)
    totals = np.bincount(rank, weights=cost, minlength=1 << _RANK_BITS)[::-1].cumsum()
    fitting = int(np.searchsorted(totals, affordable, side="right"))
    chosen = rank >= (1 << _RANK_BITS) - max(1, fitting)
    return SplatList(full.instances[chosen], _sums(cost[chosen]))


def _ordered(
    workspace: Workspace,
    scene: GaussianScene,
    camera: Camera,
    keep: Tensor,
    colors: Tensor | None,
) -> tuple[Instances, F32, F32]:
    """What a camera sees and a little beyond, farthest first.

    The instances ``(M,)``, their area inside the picture in pixels, and their prominence.
    """
    seen = _widened(camera)
    projected = project_scene(scene, seen, keep, colors, workspace)
    shown = len(projected.order)
    tones = workspace.array("tones", (shown, 3))
    area, prominence = np.empty(shown, np.float32), np.empty(shown, np.float32)
    left, top = seen.K[:2, 2] - camera.K[:2, 2]
    bounds = tuple(F(x) for x in (left, top, left + camera.width, top + camera.height))
    workers().ranges(
        shown, _gather, projected.order, projected.records, bounds, tones, area, prominence
    )
    instances = np.zeros(shown, INSTANCE)
    instances["index"] = projected.order[::-1]
    instances["color"][:, :3] = tones
    return instances, area, prominence


def _widened(camera: Camera) -> Camera:
    """The camera with a margin around its picture."""
    x, y = round(camera.width * MARGIN), round(camera.height * MARGIN)
    K = camera.K.copy()
    K[:2, 2] += (x, y)
    return Camera(camera.world_to_camera, K, camera.width + 2 * x, camera.height + 2 * y)


@kernel
def _gather(
    first: int,
    last: int,
    order: I32,
    records: F32,
    bounds: tuple[F, F, F, F],
    tones: F32,
    area: F32,
    prominence: F32,
) -> None:
    """Colours, area in pixels, and opacity times area, from the farthest on.

    ``bounds`` is the picture in the pixels of ``records``: left, top, right, bottom.
    """
    left, top, right, bottom = bounds
    shown = order.shape[0]
    for k in range(first, last):
        i = order[shown - 1 - k]
        for channel in range(3):
            tones[k, channel] = min(records[i, 6 + channel], F(BRIGHTEST))
        x = records[i, 0]
        y = records[i, 1]
        half_height = records[i, 9]
        half_width = records[i, 11]
        width = min(x + half_width, right) - max(x - half_width, left)
        height = min(y + half_height, bottom) - max(y - half_height, top)
        reach = F(2) * LN2 * (records[i, 5] - LOG2_MIN_ALPHA)
        quad = F(2) * reach * LOG2E / (records[i, 2] * records[i, 4])
        inside = min(quad, max(width, F(0)) * max(height, F(0)))
        area[k] = inside
        prominence[k] = inside * math.exp(LN2 * records[i, 5])


def _sums(cost: F32 | F64) -> F64:
    sums = np.zeros(len(cost) + 1)
    np.cumsum(cost, dtype=np.float64, out=sums[1:])
    return sums


def _bits(values: F32) -> U16:
    """Numbers of at least 0 by their leading bits, which order as they do."""
    return (values.view(np.uint32) >> (32 - 1 - _RANK_BITS)).astype(np.uint16)
