"""Where a scene is and how large: robust to floaters, giants and surroundings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from core.cameras import Matrix
from core.scene import GaussianScene

DEFAULT_UP = (0.0, -1.0, 0.0)  # COLMAP's worlds are mostly y-down
_SAMPLED = 200_000
_MIN_OPACITY = 0.1
_GIANT = 10.0  # times the median size
_MAIN_SHARE = 0.8
_OUTLIER = 2.5  # times the distance within which the main share lies
_EDGES = (0.02, 0.98)
_FAR_EDGES = (0.002, 0.998)
_SURROUNDED = 1.4  # extent by area over extent by number
_TRIMS = 8


@dataclass(frozen=True, slots=True, eq=False)
class SceneFrame:
    """What to look at: ``center (3,)``, ``radius`` in world units, ``up (3,)`` of length 1.

    ``surrounded`` tells whether the scene goes far beyond the radius on all sides; otherwise
    ``box (2, 3)`` has the corners of a box with nearly all of it.
    """

    center: Matrix
    radius: float
    up: Matrix
    surrounded: bool = False
    box: Matrix | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Solid:
    """The Gaussians that count, as numpy: positions ``(N, 3)``, weights and sizes ``(N,)``."""

    means: Matrix
    weights: Matrix
    sizes: Matrix


def scene_frame(scene: GaussianScene, up: ArrayLike = DEFAULT_UP) -> SceneFrame:
    """Robust centre and radius of what a scene shows, for framing it and for rigs.

    Nearly transparent Gaussians and giants are left out. A scene whose larger Gaussians reach far
    beyond the many small ones has surroundings: there the frame is the half of it that is dense.
    """
    solid = _solid(scene)
    direction = np.asarray(up, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    if not len(solid.means):
        return SceneFrame(np.zeros(3), 1.0, direction)
    typical = float(_quantiles(solid.sizes, solid.weights, (0.5,))[0])
    middle = np.array([_quantiles(axis, solid.weights, (0.5,))[0] for axis in solid.means.T])
    distances = np.linalg.norm(solid.means - middle, axis=1)
    main = float(_quantiles(distances, solid.weights, (_MAIN_SHARE,))[0])
    near = distances <= _OUTLIER * main
    weights = np.where(near & (solid.sizes <= _GIANT * typical), solid.weights, 0.0)
    areas = np.where(near & (solid.sizes <= main), solid.weights * solid.sizes**2, 0.0)
    edges = _box(solid.means, weights)
    area_edges = _box(solid.means, areas) if areas.any() else edges
    radius, area_radius = (
        float(np.linalg.norm(box[1] - box[0])) / 2 for box in (edges, area_edges)
    )
    surrounded = area_radius > _SURROUNDED * radius
    if surrounded:
        center, radius = _dense_half(solid.means, weights)
        return SceneFrame(center, max(radius, 2 * typical, 1e-6), direction, True)
    pad = max(typical, 1e-6)
    box = _box(solid.means, weights, _FAR_EDGES) + np.array([[-pad], [pad]])
    return SceneFrame(edges.mean(axis=0), max(radius, 2 * pad), direction, False, box)


def _solid(scene: GaussianScene) -> _Solid:
    """The finite Gaussians that are not nearly transparent, weighted by opacity."""
    step = max(1, len(scene) // _SAMPLED)
    means = scene.means.detach()[::step].cpu().numpy().astype(np.float64)
    opacities = torch.sigmoid(scene.opacity_logits.detach()[::step]).cpu().numpy()
    sizes = scene.log_scales.detach()[::step].amax(dim=1).clamp(-30, 30).exp().cpu().numpy()
    finite = np.isfinite(means).all(axis=1) & np.isfinite(opacities) & np.isfinite(sizes)
    solid = finite & (opacities >= _MIN_OPACITY)
    if not solid.any():
        solid = finite
    return _Solid(
        means[solid], opacities[solid].astype(np.float64) + 1e-6, sizes[solid].astype(np.float64)
    )


def _quantiles(values: Matrix, weights: Matrix, shares: Sequence[float]) -> Matrix:
    """Weighted quantiles."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    at = np.searchsorted(cumulative, np.asarray(shares) * cumulative[-1])
    return np.asarray(values[order][at.clip(0, len(values) - 1)])


def _box(means: Matrix, weights: Matrix, shares: tuple[float, float] = _EDGES) -> Matrix:
    """Corners of the box that leaves out the weighted edges along each axis, ``(2, 3)``."""
    return np.stack([_quantiles(axis, weights, shares) for axis in means.T], axis=1)


def _dense_half(means: Matrix, weights: Matrix) -> tuple[Matrix, float]:
    """Centre and radius of the ball around the densest half (iterated trimmed median)."""
    near = weights
    for _ in range(_TRIMS):
        center = np.array([_quantiles(axis, near, (0.5,))[0] for axis in means.T])
        distances = np.linalg.norm(means - center, axis=1)
        radius = float(_quantiles(distances, weights, (0.5,))[0])
        near = np.where(distances <= radius, weights, 0.0)
    return center, radius
