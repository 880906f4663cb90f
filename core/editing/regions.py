"""Which Gaussians lie in a part of the picture, of the scene, or of the space of colours."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from core.cameras import Camera
from core.jobs import drain
from core.neighbors import nearest
from core.rendering import render
from core.scene import GaussianScene
from core.scoring import sweep

SEEN_SHARE = 0.1
"""Share of the light of a Gaussian that must reach the camera for it to be in front."""
SEEN_SIDE = 1024
"""Visibility is measured in a picture whose longer side has at most this many pixels."""
OPAQUE = 0.1
"""A pixel with less alpha than this shows nothing."""
REACH = 1.5
"""Gaussians touch where they are closer than this many of their longest axes, added."""
NEIGHBORS = 12
"""Neighbours of a Gaussian that are looked at when a region grows."""
SEEDS = 16
SEED_REACH = 3.0
"""A region grows from at most so many Gaussians, within this many of their axes of its point."""

Region = NDArray[np.bool_]
Point = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What a pixel shows: a point ``(3,)`` in the world, its distance along the viewing axis in
    world units, and the mean colour ``(3,)`` in 0..1 as if seen from everywhere.
    """

    point: Point
    depth: float
    color: Tensor


def polygon_region(corners: ArrayLike, width: int, height: int) -> Region:
    """The pixels whose centres a closed polygon goes around at least once, bool ``(H, W)``.

    ``corners (M, 2)`` are x, y in pixels, the centre of the first pixel at (0.5, 0.5). Loops that
    overlap do not cancel: the rule is non-zero winding.
    """
    ends = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
    turns = np.zeros((height, width + 1), np.int32)
    for start, end in zip(ends, np.roll(ends, -1, axis=0), strict=True):
        step = 1 if end[1] > start[1] else -1
        (x0, y0), (x1, y1) = (start, end) if step > 0 else (end, start)
        first, last = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (y0, y1))
        if first < last:
            rows = np.arange(first, last)
            crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            turns[rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)] += step
    inside: Region = np.cumsum(turns, axis=1)[:, :width] != 0
    return inside


def stroke_region(points: ArrayLike, radius: float, width: int, height: int) -> Region:
    """The pixels within ``radius`` pixels of a line through ``points (M, 2)``, bool ``(H, W)``."""
    shift = 4
    path = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    path = np.clip(path, -4.0 * max(width, height), 4.0 * max(width, height))
    path = np.round((path - 0.5) * 2**shift).astype(np.int32)
    canvas = np.zeros((height, width), np.uint8)
    for x, y in path.tolist():
        cv2.circle(canvas, (x, y), round(radius * 2**shift), 1, cv2.FILLED, cv2.LINE_8, shift)
    for start, end in pairwise(path):
        across = np.array([start[1] - end[1], end[0] - start[0]], dtype=np.float64)
        length = np.hypot(*across)
        if length > 0:
            side = np.round(across * (radius * 2**shift / length)).astype(np.int32)
            corners = np.stack([start + side, end + side, end - side, start - side])
            cv2.fillConvexPoly(canvas, corners, 1, cv2.LINE_8, shift)
    return canvas.astype(bool)


def in_region(scene: GaussianScene, camera: Camera, region: Region, visible: Tensor) -> Tensor:
    """The visible Gaussians whose centres appear in a region of the picture, bool ``(N,)``.

    Parameters
    ----------
    camera, region
        The picture, and which of its pixels count, bool ``(height, width)``.
    visible
        Which Gaussians are drawn, bool ``(N,)``.
    """
    if region.shape != (camera.height, camera.width):
        raise ValueError(f"the region is {region.shape}, the picture {camera.height, camera.width}")
    x, y, depth = _projected(scene, camera)
    inside = (depth > 0) & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    which = torch.nonzero(inside & visible.to(inside.device)).reshape(-1)
    pixels = y[which].long() * camera.width + x[which].long()
    chosen = torch.zeros_like(inside)
    chosen[which] = torch.from_numpy(region).to(pixels.device).reshape(-1)[pixels]
    return chosen.cpu()


def in_front(scene: GaussianScene, camera: Camera, visible: Tensor) -> Tensor:
    """The visible Gaussians that this view shows: nothing opaque is before them, bool ``(N,)``.

    Exact for semi-transparent scenes: on average over the pixels that a Gaussian touches, at least
    a tenth of the light must pass what lies before it. The layers within a surface do, and make
    97 % of a picture; what lies behind does not.
    """
    longer = max(camera.width, camera.height)
    if longer > SEEN_SIDE:
        camera = camera.scaled(SEEN_SIDE / longer)
    seen = drain(sweep(scene, [camera], keep=visible, fisher=False))
    passing = seen.transmittance_sum / seen.hits.clamp(min=1)
    return visible & (seen.hits > 0) & (passing >= SEEN_SHARE)


def in_sphere(means: Tensor, center: ArrayLike, radius: float) -> Tensor:
    """The Gaussians whose centres ``(N, 3)`` lie within a sphere, bool ``(N,)`` in main memory."""
    middle = means.new_tensor(np.asarray(center, dtype=np.float64))
    return ((means - middle).square().sum(dim=1) <= radius * radius).cpu()


def in_box(means: Tensor, low: ArrayLike, high: ArrayLike) -> Tensor:
    """The Gaussians with centres ``(N, 3)`` in a box along the axes, bool ``(N,)`` in memory."""
    lower, upper = (means.new_tensor(np.asarray(end, dtype=np.float64)) for end in (low, high))
    return ((means >= lower) & (means <= upper)).all(dim=1).cpu()


def sight(
    scene: GaussianScene, camera: Camera, x: float, y: float, visible: Tensor
) -> Sight | None:
    """What the picture shows at x, y in pixels; None where that is next to nothing."""
    pixel = _pixel(camera, x, y)
    keep = visible.to(scene.device)
    with torch.no_grad():
        seen = render(scene, pixel, keep=keep, colors=scene.base_colors(), depth=True)
    alpha = float(seen.alpha[0, 0])
    if seen.depth is None or alpha < OPAQUE:
        return None
    depth = float(seen.depth[0, 0])
    ray = np.linalg.solve(pixel.K, np.array([0.5, 0.5, 1.0]))
    point: Point = camera.camera_to_world[:3, :3] @ (ray * depth) + camera.position
    return Sight(point, depth, seen.rgb[0, 0].cpu() / alpha)


def heaviest(scene: GaussianScene, camera: Camera, x: float, y: float, visible: Tensor) -> Tensor:
    """The one Gaussian with the largest weight at x, y in pixels, bool ``(N,)``; none on empty."""
    seen = drain(sweep(scene, [_pixel(camera, x, y)], keep=visible, fisher=False))
    chosen = torch.zeros_like(visible)
    if seen.weight_max.numel() and float(seen.weight_max.max()) > 0:
        chosen[int(seen.weight_max.argmax())] = True
    return chosen


def like_color(scene: GaussianScene, color: Tensor, tolerance: float, visible: Tensor) -> Tensor:
    """The visible Gaussians of like colour, bool ``(N,)``.

    Parameters
    ----------
    color
        Red, green and blue in 0..1, ``(3,)``.
    tolerance
        Largest difference in any channel, 0..1, of the colour that does not change with the view.
    """
    apart = (scene.base_colors() - color.to(scene.device)).abs().amax(dim=1)
    return (apart <= tolerance).cpu() & visible


def flood(scene: GaussianScene, seed: Sight, tolerance: float, visible: Tensor) -> Tensor:
    """The visible Gaussians of like colour that are connected with a point, bool ``(N,)``.

    Starts at the Gaussians of like colour that reach the point, or else at the one next to it, and
    goes from each to those of its neighbours of like colour that it touches.
    """
    finite = scene.means.isfinite().all(dim=1).cpu()
    alike = torch.nonzero(like_color(scene, seed.color, tolerance, visible & finite)).reshape(-1)
    chosen = torch.zeros_like(visible)
    if not len(alike):
        return chosen
    means = scene.means.detach().cpu()[alike].double().numpy()
    sizes = scene.log_scales.detach().cpu()[alike].amax(dim=1).exp().double().numpy()
    parts = _parts(means, sizes)
    away = np.sqrt(((means - seed.point) ** 2).sum(axis=1))
    first = np.argsort(away)[:SEEDS]
    first = first[(away[first] <= SEED_REACH * sizes[first]) | (first == first[0])]
    chosen[alike[torch.from_numpy(np.isin(parts, parts[first]))]] = True
    return chosen


def _parts(means: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.int32]:
    """Which Gaussians hang together by touching neighbours: the same number for each, ``(M,)``.

    ``means (M, 3)``; ``sizes (M,)``: standard deviation along the longest axis.
    """
    count = len(means)
    distances, others = nearest(means, NEIGHBORS)
    rows, columns = np.repeat(np.arange(count), NEIGHBORS), others.reshape(-1)
    touching = distances.reshape(-1) <= REACH * (sizes[rows] + sizes[columns])
    rows, columns = rows[touching], columns[touching]
    links = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    parts: NDArray[np.int32] = connected_components(links, directed=False)[1]
    return parts


def _pixel(camera: Camera, x: float, y: float) -> Camera:
    """A camera that sees but the pixel of a picture with x, y in it."""
    K = camera.K.copy()
    K[:2, 2] -= (np.floor(x), np.floor(y))
    return Camera(camera.world_to_camera, K, 1, 1)


def _projected(scene: GaussianScene, camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Where centres appear, x and y in pixels, and their distance along the axis, each ``(N,)``."""
    to_picture = camera.K @ camera.world_to_camera[:3]
    means = scene.means.detach()
    matrix = torch.as_tensor(to_picture, dtype=means.dtype, device=means.device)
    across, down, depth = matrix[:, :3] @ means.T + matrix[:, 3:]
    return across / depth, down / depth, depth
