"""Synthetic scenes with the statistics of trained ones, for tests and benchmarks."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera, intrinsics, look_at
from core.scene import SH_C0, GaussianScene

_HAZE = 0.12
_UP = (0.0, 1.0, 0.0)

Array = NDArray[np.float64]


def surface_scene(
    count: int, sh_degree: int = 3, seed: int = 0, antialiased: bool = False
) -> GaussianScene:
    """Ground, sphere, box and dome covered by flat Gaussians, in a haze of faint ones; y is up.

    Sizes are log-normal around the surfaces' spacing, opacities are bimodal.
    """
    rng = np.random.default_rng(seed)
    haze = int(_HAZE * count)
    on_surfaces = count - haze
    points, normals, spacing = _surfaces(rng, on_surfaces)
    tangent = _unit(np.cross(normals, rng.standard_normal((on_surfaces, 3))))
    frames = np.stack([tangent, np.cross(normals, tangent), normals], 2)
    size = 0.55 * spacing * np.exp(0.65 * rng.standard_normal(on_surfaces))
    stretch = np.exp(0.55 * rng.standard_normal(on_surfaces))
    flat = np.exp(-1.6 + 0.5 * rng.standard_normal(on_surfaces))
    solid = rng.random(on_surfaces) < 0.45
    opacity = np.where(solid, rng.beta(6, 1.2, on_surfaces), rng.beta(1.1, 3.5, on_surfaces)).clip(
        0.006, 0.998
    )

    means = np.concatenate([points, rng.uniform([-6, -1, -6], [6, 4, 6], (haze, 3))])
    haze_size = 1.56 * count ** (-1 / 3) * np.exp(0.5 * rng.standard_normal((haze, 3)))
    scales = np.concatenate([np.stack([size * stretch, size / stretch, size * flat], 1), haze_size])
    quats = np.concatenate([_quaternions(frames), rng.standard_normal((haze, 4))])
    opacity = np.concatenate([opacity, rng.beta(1, 12, haze).clip(0.005, 0.6)])
    sh = 0.08 * rng.standard_normal((count, (sh_degree + 1) ** 2, 3))
    sh[:, 0] = 0.35 * np.sin(means * [3.1, 4.3, 2.7] + [0, 1, 2]) / SH_C0
    shuffle = rng.permutation(count)

    def tensor(array: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array[shuffle], np.float32))

    return GaussianScene(
        means=tensor(means),
        log_scales=tensor(np.log(scales)),
        quats=tensor(quats),
        opacity_logits=tensor(np.log(opacity / (1 - opacity))),
        sh=tensor(sh),
        antialiased=antialiased,
    )


def orbit_camera(width: int, height: int, index: int = 0, count: int = 8) -> Camera:
    """One of ``count`` cameras around ``surface_scene``, 60 degrees wide."""
    angle = 2 * math.pi * index / count + 0.3
    eye = (4.5 * math.cos(angle), 1.0, 4.5 * math.sin(angle))
    fov_y = math.degrees(2 * math.atan(math.tan(math.radians(30)) * height / width))
    transform = look_at(eye, (0, -0.2, 0), _UP)
    return Camera(transform, intrinsics(fov_y, width, height), width, height)


def _surfaces(rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Points and normals ``(count, 3)`` and the spacing of points there ``(count,)``."""
    ground, sphere, box = (int(share * count) for share in (0.30, 0.20, 0.15))
    dome = count - ground - sphere - box

    radius = 8 * rng.random(ground) ** 0.75
    angle = rng.random(ground) * 2 * np.pi
    level = -1 + 0.01 * rng.standard_normal(ground)
    ground_points = np.stack([radius * np.cos(angle), level, radius * np.sin(angle)], 1)
    density = ground * (4 / 3) / (2 * np.pi * 8 ** (4 / 3)) * radius ** (-2 / 3)

    ball = _unit(rng.standard_normal((sphere, 3)))
    bumps = 1 + 0.05 * np.sin(8 * ball[:, :1]) * np.sin(9 * ball[:, 1:2])

    half = np.array([1.8, 0.4, 1.2])
    faces = rng.integers(0, 6, box)
    axis, side = faces // 2, (faces % 2) * 2.0 - 1
    box_points = rng.uniform(-half, half, (box, 3))
    box_points[np.arange(box), axis] = side * half[axis]
    box_normals = np.zeros((box, 3))
    box_normals[np.arange(box), axis] = side
    box_area = 8 * (half[0] * half[1] + half[1] * half[2] + half[0] * half[2])

    sky = rng.standard_normal((dome, 3))
    sky[:, 1] = np.abs(sky[:, 1])
    sky = _unit(sky)
    far = 12 * (1 + 0.5 * rng.random(dome))

    box_points += np.array([0.8, -0.6, 0])
    points = [ground_points, ball * bumps, box_points, sky * far[:, None]]
    normals = [np.tile(_UP, (ground, 1)), ball, box_normals, sky]
    spacing = [
        1 / np.sqrt(density),
        np.full(sphere, math.sqrt(4 * np.pi / max(sphere, 1))),
        np.full(box, math.sqrt(box_area / max(box, 1))),
        far * math.sqrt(2 * np.pi / max(dome, 1)),
    ]
    return np.concatenate(points), np.concatenate(normals), np.concatenate(spacing)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _quaternions(rotations: Array) -> Array:
    """Quaternions w x y z of rotations ``(N, 3, 3)``: the dominant eigenvector of Davenport's K."""
    m = rotations
    k = np.empty((len(m), 4, 4))
    k[:, 0, 0] = m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2]
    k[:, 1, 1] = m[:, 0, 0] - m[:, 1, 1] - m[:, 2, 2]
    k[:, 2, 2] = m[:, 1, 1] - m[:, 0, 0] - m[:, 2, 2]
    k[:, 3, 3] = m[:, 2, 2] - m[:, 0, 0] - m[:, 1, 1]
    k[:, 0, 1] = k[:, 1, 0] = m[:, 2, 1] - m[:, 1, 2]
    k[:, 0, 2] = k[:, 2, 0] = m[:, 0, 2] - m[:, 2, 0]
    k[:, 0, 3] = k[:, 3, 0] = m[:, 1, 0] - m[:, 0, 1]
    k[:, 1, 2] = k[:, 2, 1] = m[:, 1, 0] + m[:, 0, 1]
    k[:, 1, 3] = k[:, 3, 1] = m[:, 2, 0] + m[:, 0, 2]
    k[:, 2, 3] = k[:, 3, 2] = m[:, 2, 1] + m[:, 1, 2]
    return np.asarray(np.linalg.eigh(k)[1][:, :, -1])
