"""Marks over the picture: a dot at each Gaussian's centre, the outline of its ellipse, and lines.

A mark is drawn into a layer: float32 ``(H, W, 4)``, colours premultiplied by the fourth channel.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera
from core.rendering.cpu.binning import depth_order
from core.rendering.cpu.common import F32, I32, LOG2E, RECORD_SIZE, F, Real, inline, kernel, workers
from core.rendering.cpu.project import project
from core.rendering.cpu.renderer import Workspace, floats, gaussians_of, view_of
from core.scene import GaussianScene

RING_SIGMAS = 2.0
"""Rings stand this many standard deviations from the centre, where a splat has 14 % of its peak."""
SHARP_RINGS, COARSE_RINGS = 15_000, 2_000
DOT_PX, RING_PX, LINE_PX, RIM_PX = 2.4, 1.1, 1.5, 1.25
DASH_PX = 5.0
DOT_ALPHA, RING_ALPHA, RIM_ALPHA = 0.95, 0.75, 0.7
REFERENCE_HEIGHT = 1080
LINE_BLUR_PX = 1.2

Color = tuple[float, float, float]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """The Gaussians that a camera sees: ``records`` as of ``project`` ``(N, 12)``.

    ``order``, int32 ``(M,)``, holds the indices of those that are drawn, nearest first. Valid until
    the next projection into the same workspace.
    """

    records: F32
    order: I32


def project_scene(
    scene: GaussianScene,
    camera: Camera,
    keep: Tensor,
    colors: Tensor | None,
    workspace: Workspace,
) -> Projected:
    """Project a CPU scene's Gaussians with the rasterizer's own kernel.

    ``keep`` bool ``(N,)``; ``colors`` as :func:`core.rendering.render` takes them.
    """
    count = len(scene)
    records = workspace.array("records", (count, RECORD_SIZE))
    depth = workspace.array("depth", (count,))
    workers().ranges(
        count,
        project,
        gaussians_of(scene, keep=keep),
        view_of(camera),
        None if colors is None else floats(colors),
        records,
        depth,
    )
    return Projected(records, depth_order(depth))


def mark_size(height: int) -> float:
    """How much larger than usual marks are in a picture of this height."""
    return max(1.0, height / REFERENCE_HEIGHT)


def draw_centers(
    layer: F32,
    projected: Projected,
    selected: Mask,
    color: Color,
    size: float = 1.0,
    light: float = 0.0,
) -> None:
    """A dot per Gaussian in its record's colour, near over far; selected ones in ``color`` on top.

    ``selected`` is bool ``(N,)``; ``light`` is how much of the way to white the others go.
    """
    radius = F(max(0.5, DOT_PX / 2 * size))
    tint = np.array(color, np.float32)
    records, order = projected.records, projected.order

    def draw(first: int, last: int) -> None:
        for chosen in (False, True):
            _dots(first, last, layer, records, order, selected, chosen, radius, tint, F(light))

    _in_bands(layer, draw)


def draw_rings(
    layer: F32,
    projected: Projected,
    selected: Mask,
    color: Color,
    limit: int = SHARP_RINGS,
    size: float = 1.0,
    light: float = 0.0,
) -> int:
    """The ellipses at RING_SIGMAS of the Gaussians largest on the screen; how many were drawn.

    They are in their records' colours, near over far; selected ones in ``color`` on top.
    """
    order, records = projected.order, projected.records
    if len(order) > limit:
        extent = np.maximum(records[order, 9], records[order, 11])
        place = len(order) - limit
        largest = np.argpartition(extent, place)[place:]
        order = order[np.sort(largest)]
    tint, thickness = np.array(color, np.float32), F(RING_PX * size)

    def draw(first: int, last: int) -> None:
        for chosen in (False, True):
            _rings(first, last, layer, records, order, selected, chosen, thickness, tint, F(light))

    _in_bands(layer, draw)
    return len(order)


def draw_level_line(
    layer: F32, field: F32, level: float, color: Color, size: float = 1.0, dashed: bool = False
) -> None:
    """A line with a dark rim, maybe dashed in black, where a field ``(H, W)`` crosses a level.

    The distance to the crossing is the difference to the level over the slope, in pixels.
    """
    import cv2

    smooth = np.asarray(cv2.GaussianBlur(field, (0, 0), LINE_BLUR_PX * size), np.float32)
    dash = F(DASH_PX * size if dashed else 0)
    tint = np.array(color, np.float32)
    _level_line(layer, smooth, F(level), F(LINE_PX * size / 2), F(RIM_PX * size), tint, dash)


def _in_bands(layer: F32, draw: Callable[[int, int], None]) -> None:
    """``draw(first_row, last_row)`` for one band of rows per worker, at once."""
    team, height = workers(), layer.shape[0]
    cuts = [height * part // team.count for part in range(team.count + 1)]
    team.each(team.count, lambda part: draw(cuts[part], cuts[part + 1]))


@inline
def _blend(layer: F32, y: int, x: int, r: Real, g: Real, b: Real, alpha: Real) -> None:
    """Lay a colour over a pixel."""
    left = F(1) - alpha
    layer[y, x, 0] = layer[y, x, 0] * left + r * alpha
    layer[y, x, 1] = layer[y, x, 1] * left + g * alpha
    layer[y, x, 2] = layer[y, x, 2] * left + b * alpha
    layer[y, x, 3] = layer[y, x, 3] * left + alpha


@inline
def _mark_color(
    records: F32, i: int, chosen: bool, tint: F32, light: Real
) -> tuple[Real, Real, Real]:
    if chosen:
        return tint[0], tint[1], tint[2]
    return (
        min(F(1), records[i, 6] + light * (F(1) - records[i, 6])),
        min(F(1), records[i, 7] + light * (F(1) - records[i, 7])),
        min(F(1), records[i, 8] + light * (F(1) - records[i, 8])),
    )


@kernel
def _dots(
    first_row: int,
    last_row: int,
    layer: F32,
    records: F32,
    order: I32,
    selected: Mask,
    chosen: bool,
    radius: Real,
    tint: F32,
    light: Real,
) -> None:
    width = layer.shape[1]
    reach = radius + F(0.5)
    for k in range(order.shape[0] - 1, -1, -1):
        i = order[k]
        if selected[i] != chosen:
            continue
        mean_x = records[i, 0] - F(0.5)
        mean_y = records[i, 1] - F(0.5)
        if not (abs(mean_x) < F(1e6) and abs(mean_y) < F(1e6)):
            continue
        r, g, b = _mark_color(records, i, chosen, tint, light)
        for y in range(
            max(first_row, math.ceil(mean_y - reach)), min(last_row, math.floor(mean_y + reach) + 1)
        ):
            for x in range(
                max(0, math.ceil(mean_x - reach)), min(width - 1, math.floor(mean_x + reach)) + 1
            ):
                dx, dy = F(x) - mean_x, F(y) - mean_y
                cover = min(F(1), reach - math.sqrt(dx * dx + dy * dy))
                if cover > F(0):
                    _blend(layer, y, x, r, g, b, cover * F(DOT_ALPHA))


@kernel
def _rings(
    first_row: int,
    last_row: int,
    layer: F32,
    records: F32,
    order: I32,
    selected: Mask,
    chosen: bool,
    thickness: Real,
    tint: F32,
    light: Real,
) -> None:
    """Row by row, only near the outline: the part between a slightly larger and smaller ellipse."""
    width = layer.shape[1]
    radius = F(RING_SIGMAS) * math.sqrt(F(0.5) * LOG2E)
    reach = thickness / F(2) + F(0.5)
    for k in range(order.shape[0] - 1, -1, -1):
        i = order[k]
        if selected[i] != chosen:
            continue
        mean_x = records[i, 0] - F(0.5)
        mean_y = records[i, 1] - F(0.5)
        k11, k21, k22 = records[i, 2], records[i, 3], records[i, 4]
        margin = reach * math.sqrt(k11 * k11 + k21 * k21 + k22 * k22)
        outer = (radius + margin) ** 2
        inner = max(F(0), radius - margin) ** 2
        half_height = (radius + margin) / k22
        r, g, b = _mark_color(records, i, chosen, tint, light)
        for y in range(
            max(first_row, math.ceil(mean_y - half_height)),
            min(last_row, math.floor(mean_y + half_height) + 1),
        ):
            dy = F(y) - mean_y
            v = k22 * dy
            middle = mean_x - k21 * dy / k11
            far = math.sqrt(max(F(0), outer - v * v)) / k11
            near = math.sqrt(max(F(0), inner - v * v)) / k11
            for side in range(2):
                first = max(F(0), math.ceil(middle - far if side == 0 else middle + near))
                last = min(F(width - 1), math.floor(middle - near if side == 0 else middle + far))
                if side == 1 and near == F(0):
                    continue
                if near == F(0):
                    last = min(F(width - 1), math.floor(middle + far))
                for x in range(int(first), int(last) + 1):
                    u = k11 * (F(x) - mean_x) + k21 * dy
                    distance = math.sqrt(u * u + v * v)
                    if distance == F(0):
                        continue
                    slope_x = u * k11 / distance
                    slope_y = (u * k21 + v * k22) / distance
                    slope = math.sqrt(slope_x * slope_x + slope_y * slope_y)
                    cover = min(F(1), reach - abs(distance - radius) / slope)
                    if cover > F(0):
                        _blend(layer, y, x, r, g, b, cover * F(RING_ALPHA))


@kernel
def _level_line(
    layer: F32, field: F32, level: Real, half: Real, rim: Real, tint: F32, dash: Real
) -> None:
    height, width = field.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            slope_x = F(0.5) * (field[y, x + 1] - field[y, x - 1])
            slope_y = F(0.5) * (field[y + 1, x] - field[y - 1, x])
            slope = math.sqrt(slope_x * slope_x + slope_y * slope_y)
            if slope < F(1e-3):
                continue
            away = abs(field[y, x] - level) / slope
            if away >= half + rim + F(0.5):
                continue
            cover = min(F(1), half + rim + F(0.5) - away)
            _blend(layer, y, x, F(0), F(0), F(0), cover * F(RIM_ALPHA))
            cover = min(F(1), half + F(0.5) - away)
            dark = dash > F(0) and int((x + y) / dash) % 2 == 1
            if cover > F(0):
                if dark:
                    _blend(layer, y, x, F(0), F(0), F(0), cover)
                else:
                    _blend(layer, y, x, tint[0], tint[1], tint[2], cover)
