"""The Gaussians that training begins with."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera, Matrix
from core.datasets.dataset import PointCloud
from core.neighbors import neighbor_distance
from core.scene import SH_C0, GaussianScene
from core.training.targets import extent_of

RANDOM_COUNT = 20_000
OPACITY = 0.1
_NEIGHBORS = 3
_LEAST_POINTS = 4
_NEAREST, _FARTHEST = 0.3, 3.0  # of the distance to what the cameras look at
_LARGEST = 0.1  # of the extent
_SMALLEST = 1e-6


def initial_scene(
    points: PointCloud | None,
    cameras: Sequence[Camera],
    sh_degree: int,
    max_count: int,
    seed: int,
) -> GaussianScene:
    """A faint round Gaussian at every point, as large as its neighbours are far, on the CPU.

    As in 3D Gaussian Splatting: opacity 0.1, the size is the mean distance to the three nearest
    points. Where there are no points, some are scattered within the cameras' views.

    Parameters
    ----------
    points
        Sparse points and their colours; if there are more than ``max_count``, some are chosen.
    seed
        What chance depends on.
    """
    rng = np.random.default_rng([seed, 2])
    if points is None or len(points.positions) < _LEAST_POINTS:
        points = PointCloud(scattered(cameras, min(RANDOM_COUNT, max_count), rng), None)
    positions, colors = points.positions, points.colors
    if len(positions) > max_count:
        some = np.sort(rng.choice(len(positions), max_count, replace=False))
        positions, colors = positions[some], None if colors is None else colors[some]
    count = len(positions)
    extent = extent_of(cameras)
    sizes = neighbor_distance(positions.astype(np.float64), _NEIGHBORS)
    sizes = np.nan_to_num(sizes, nan=extent / 100).clip(_SMALLEST * extent, _LARGEST * extent)
    sh = torch.zeros(count, (sh_degree + 1) ** 2, 3)
    if colors is not None:
        sh[:, 0] = (_tensor(colors) / 255 - 0.5) / SH_C0
    quats = torch.zeros(count, 4)
    quats[:, 0] = 1
    return GaussianScene(
        means=_tensor(positions),
        log_scales=_tensor(np.log(sizes))[:, None].repeat(1, 3),
        quats=quats,
        opacity_logits=torch.full((count,), math.log(OPACITY / (1 - OPACITY))),
        sh=sh,
    )


def scattered(
    cameras: Sequence[Camera], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Random points that each lie in the picture of some camera, ``(count, 3)``.

    Between 0.3 and 3 times the distance at which the cameras' axes come closest to each other.
    """
    depths = _depths(cameras)
    chosen = rng.integers(len(cameras), size=count)
    spread = rng.random((count, 3))
    points = np.empty((count, 3), np.float32)
    for index, camera in enumerate(cameras):
        rows = np.flatnonzero(chosen == index)
        pixels = spread[rows, :2] * (camera.width, camera.height)
        rays = np.column_stack([pixels, np.ones(len(rows))]) @ np.linalg.inv(camera.K).T
        stretch = _NEAREST * (_FARTHEST / _NEAREST) ** spread[rows, 2]
        local = rays * (depths[index] * stretch)[:, None]
        points[rows] = local @ camera.world_to_camera[:3, :3] + camera.position
    return points


def _depths(cameras: Sequence[Camera]) -> Matrix:
    """How far in front of each camera the point is that all look at, ``(C,)``.

    At least half the extent of the cameras, which also serves where their axes are parallel.
    """
    centers = np.stack([camera.position for camera in cameras])
    axes = np.stack([camera.forward for camera in cameras])
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    total = across.sum(axis=0) + 1e-3 * len(cameras) * np.eye(3)
    toward = np.einsum("cij,cj->i", across, centers) + 1e-3 * len(cameras) * centers.mean(axis=0)
    focus = np.linalg.solve(total, toward)
    depths = ((focus - centers) * axes).sum(axis=1)
    return np.asarray(np.maximum(depths, extent_of(cameras) / 2))


def _tensor(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
