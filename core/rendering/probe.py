"""Which Gaussians make a pixel."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera
from core.rendering.cpu.binning import depth_order
from core.rendering.cpu.blend import alpha_blend
from core.rendering.cpu.common import (
    EPS2D,
    F32,
    I32,
    NEAR,
    RECORD_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    F,
    Real,
    kernel,
)
from core.rendering.cpu.project import project
from core.rendering.cpu.renderer import gaussians_of, view_of
from core.scene import GaussianScene

KEEP_AT_MOST = 64
REACH = math.sqrt(2 * math.log(255))
"""Standard deviations at which an opaque Gaussian falls to the alpha cut-off."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The Gaussians that a pixel is blended from, nearest first.

    Attributes
    ----------
    indices
        Which, int64 ``(M,)``.
    weights
        Their shares of the pixel's colour, ``alpha T``, float64 ``(M,)``.
    alphas
        Their opacities at the pixel, float64 ``(M,)``.
    depths
        Distances of their centres along the viewing axis, world units, float64 ``(M,)``.
    coverage
        The picture's alpha there: the sum of all weights.
    total
        How many there are; more than M if only the heaviest were asked for.
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]
    alphas: NDArray[np.float64]
    depths: NDArray[np.float64]
    coverage: float
    total: int


def probe(
    scene: GaussianScene,
    camera: Camera,
    x: int,
    y: int,
    visible: Tensor | None = None,
    keep_at_most: int = KEEP_AT_MOST,
) -> Probe:
    """The Gaussians that :func:`core.rendering.render` blends at one pixel on the CPU.

    Same alpha cut-off, early stop and opacity compensation. Of a scene on a GPU only what may
    touch the pixel is copied.

    Parameters
    ----------
    x, y
        Column and row of the pixel, from 0.
    visible
        Only Gaussians where this bool ``(N,)`` is true are drawn.
    keep_at_most
        Return only this many, the heaviest.

    Raises
    ------
    ValueError
        If the pixel lies outside the picture.
    """
    if not (0 <= x < camera.width and 0 <= y < camera.height):
        raise ValueError(f"pixel ({x}, {y}) is outside {camera.width} x {camera.height}")
    near = _near_pixel(scene, camera, x, y, visible)
    gaussians = gaussians_of(scene.select(near).to("cpu"))
    count = len(near)
    records = np.zeros((count, RECORD_SIZE), np.float32)
    depth = np.empty(count, np.float32)
    project(0, count, gaussians, view_of(camera), None, records, depth)
    # As in the renderer, from the centre of the first pixel of the tile: long thin Gaussians
    # magnify how this is rounded.
    column, row = x % TILE_WIDTH, y % TILE_HEIGHT
    records[:, :2] -= np.array([x - column + 0.5, y - row + 0.5], np.float32)
    order = depth_order(depth)
    weights = np.zeros(len(order), np.float32)
    alphas = np.zeros(len(order), np.float32)
    rest = float(_blend_pixel(records, order, column, row, weights, alphas))
    hit = np.flatnonzero(weights > 0)
    chosen = hit
    if len(hit) > keep_at_most:
        heaviest = np.argsort(-weights[hit], kind="stable")[: max(0, keep_at_most)]
        chosen = np.sort(hit[heaviest])
    places = order[chosen]
    return Probe(
        indices=near.cpu().numpy()[places],
        weights=weights[chosen].astype(np.float64),
        alphas=alphas[chosen].astype(np.float64),
        depths=depth[places].astype(np.float64),
        coverage=1 - rest,
        total=len(hit),
    )


def _near_pixel(
    scene: GaussianScene, camera: Camera, x: int, y: int, visible: Tensor | None
) -> Tensor:
    """Indices, rising, of all Gaussians that can touch a pixel, and of some that cannot.

    The screen covariance is ``J R S S R^T J^T`` + EPS2D; the norm of ``J`` is at most
    ``f sqrt(1 + sx^2 + sy^2) / z`` with the largest slopes that the projection allows.
    """
    view = view_of(camera)
    pose = torch.tensor(camera.world_to_camera, dtype=torch.float32, device=scene.device)
    with torch.no_grad():
        in_camera = scene.means @ pose[:3, :3].T + pose[:3, 3]
        z = in_camera[:, 2]
        focal = in_camera.new_tensor([float(view.fx), float(view.fy)])
        offset = in_camera.new_tensor([float(view.cx) - x - 0.5, float(view.cy) - y - 0.5])
        away = in_camera[:, :2] * focal + offset * z[:, None]
        slopes = [max(abs(view.slope_min[i]), abs(view.slope_max[i])) for i in range(2)]
        norm = max(view.fx, view.fy) * math.sqrt(1 + slopes[0] ** 2 + slopes[1] ** 2)
        size = scene.log_scales.amax(dim=1).exp()
        margin = REACH * math.sqrt(EPS2D) + 1
        within = 1.001 * (REACH * float(norm) * size + margin * z)
        near = (z >= float(NEAR)) & (away.abs().amax(dim=1) <= within)
        if visible is not None:
            near &= visible.to(near.device)
    return torch.nonzero(near).flatten()


@kernel
def _blend_pixel(
    records: F32, order: I32, column: int, row: int, weights: F32, alphas: F32
) -> Real:
    """Blend one pixel as :func:`core.rendering.cpu.blend.blend` does; what remains of the light."""
    rest = F(1)
    for j in range(len(order)):
        i = order[j]
        dx = records[i, 0] - F(column)
        dy = records[i, 1] - F(row)
        p1 = records[i, 2] * dx + records[i, 3] * dy
        p2 = records[i, 4] * dy
        _, alpha, _, weight, rest = alpha_blend(records[i, 5] - p1 * p1 - p2 * p2, rest)
        weights[j] = weight
        alphas[j] = alpha
        if rest < F(0):
            break
    return abs(rest)
