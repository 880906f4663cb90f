"""Photos of the still life: cameras around it, pictures marched ray by ray, and the files of both.

The still life is modelled with y up; the photos' world has y down, as COLMAP's worlds mostly have,
and its origin is ``demo_light.CENTRE``. Photos are WebP with alpha: opaque is only the still life.
"""

import json
from math import sqrt
from pathlib import Path

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from PIL import Image
from plyfile import PlyData, PlyElement

from core.cameras import Camera, intrinsics, look_at
from resources.demo_light import CENTRE, Array, Studio, display, march, shade
from resources.demo_shapes import NOTHING

SIZE = (512, 384)
FOV_Y_DEG = 36.0
SAMPLES = 8
ENOUGH, EVEN = 3, 0.025  # samples after which an even pixel is done, and how even that is
QUALITY = 91
POINTS = 6000
MODEL_TO_WORLD = np.diag([1.0, -1.0, -1.0])
AIM = (0.0, 0.03, 0.0)
FIRST_DEG = -12.0  # azimuth of the view that opens
RINGS = (  # count, elevation in degrees, distance
    (16, 24.0, 3.2),
    (12, 8.0, 3.05),
    (14, 44.0, 3.3),
    (4, 70.0, 3.1),
)
CLOSE = (  # azimuth and elevation in degrees, distance, target
    (-35, 20, 1.45, (-0.33, 0.42, -0.25)),
    (8, 30, 1.25, (0.05, 0.12, 0.30)),
    (62, 28, 1.40, (0.50, 0.10, 0.00)),
    (118, 24, 1.45, (0.35, 0.25, -0.35)),
    (168, 22, 1.45, (-0.05, 0.35, -0.40)),
    (212, 30, 1.50, (-0.30, 0.40, -0.25)),
    (258, 22, 1.35, (-0.40, 0.25, 0.05)),
    (305, 34, 1.25, (-0.25, 0.15, 0.25)),
    (338, 14, 1.20, (-0.05, 0.15, 0.35)),
    (28, 14, 1.50, (0.05, 0.25, -0.25)),
    (20, 24, 1.30, (0.33, 0.00, 0.75)),
    (88, 50, 1.45, (0.20, 0.15, 0.05)),
    (285, 55, 1.50, (-0.20, 0.35, -0.10)),
    (40, 42, 1.25, (0.30, 0.10, 0.15)),
)
BELOW = (4, -24.0, 2.9)
COUNT = sum(ring[0] for ring in (*RINGS, BELOW)) + len(CLOSE)

Bytes = NDArray[np.uint8]
Place = tuple[float, float, float, tuple[float, float, float]]


def photo_cameras(size: tuple[int, int] = SIZE) -> list[Camera]:
    """The cameras in the order of their names: ring by ring, so that every eighth is spread."""
    places = [place for number, ring in enumerate(RINGS) for place in _ring(*ring, number)]
    places += [*CLOSE, *_ring(*BELOW, len(RINGS))]
    return [_camera(*place, f"photo_{k:03d}", size) for k, place in enumerate(places)]


def _ring(count: int, elevation: float, distance: float, number: int) -> list[Place]:
    """Places all round; each ring starts elsewhere."""
    start = FIRST_DEG + (360 / count) * (0.37 * number - 1)
    return [(start + 360 * k / count, elevation, distance, AIM) for k in range(count)]


def _camera(
    azimuth: float,
    elevation: float,
    distance: float,
    target: tuple[float, float, float],
    name: str,
    size: tuple[int, int],
) -> Camera:
    a, e = np.radians([azimuth, elevation])
    offset = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    aim = np.array(target) - CENTRE
    pose = look_at(
        MODEL_TO_WORLD @ (aim + distance * offset), MODEL_TO_WORLD @ aim, (0.0, -1.0, 0.0)
    )
    return Camera(pose, intrinsics(FOV_Y_DEG, *size), *size, name)


@njit(fastmath=True, parallel=True)
def _expose(
    eye: Array, rays: Array, width: int, height: int, samples: int, studio: Studio, out: Array
) -> None:
    """Mean displayed colour where something is hit and the share of hits, into ``(H, W, 4)``.

    ``rays`` ``(3, 3)`` takes a pixel's place (x, y, 1) to its direction in the model.
    """
    for row in prange(height):
        for column in range(width):
            hits = 0
            red, green, blue = 0.0, 0.0, 0.0
            low, high, taken = 1.0, 0.0, 0
            for k in range(samples):
                if k >= ENOUGH and high - low < EVEN and hits in (0, k):
                    break
                taken += 1
                u = column + (0.5 + 0.7548776662466927 * (k + 1)) % 1.0
                v = row + (0.5 + 0.5698402909980532 * (k + 1)) % 1.0
                dx = rays[0, 0] * u + rays[0, 1] * v + rays[0, 2]
                dy = rays[1, 0] * u + rays[1, 1] * v + rays[1, 2]
                dz = rays[2, 0] * u + rays[2, 1] * v + rays[2, 2]
                length = sqrt(dx * dx + dy * dy + dz * dz)
                dx, dy, dz = dx / length, dy / length, dz / length
                t, what = march(eye[0], eye[1], eye[2], dx, dy, dz, 20.0, studio.tables)
                if what == NOTHING:
                    continue
                x, y, z = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
                r, g, b = shade(what, x, y, z, dx, dy, dz, studio)
                hits += 1
                r, g, b = display(r), display(g), display(b)
                red, green, blue = red + r, green + g, blue + b
                tone = (r + g + b) / 3
                low, high = min(low, tone), max(high, tone)
            if hits:
                out[row, column] = (red / hits, green / hits, blue / hits, hits / taken)


def take_photo(camera: Camera, studio: Studio, samples: int = SAMPLES) -> Bytes:
    """A picture of the still life, uint8 ``(H, W, 4)`` with straight alpha."""
    to_model = MODEL_TO_WORLD.T @ camera.world_to_camera[:3, :3].T
    eye = MODEL_TO_WORLD.T @ camera.position + CENTRE
    rays = to_model @ np.linalg.inv(camera.K)
    out = np.zeros((camera.height, camera.width, 4))
    _expose(eye, rays, camera.width, camera.height, samples, studio, out)
    return np.asarray((out * 255 + 0.5).astype(np.uint8))


def save_photo(pixels: Bytes, file: Path) -> None:
    """Write WebP whose colours go on beyond the outline, so that no dark rim is mixed in there."""
    import cv2

    color, alpha = pixels[..., :3].copy(), pixels[..., 3]
    known = alpha > 0
    for _ in range(12):
        near = cv2.blur(np.where(known[..., None], color, 0).astype(np.float32), (3, 3))
        share = cv2.blur(known.astype(np.float32), (3, 3))
        fresh = ~known & (share > 0)
        color[fresh] = (near[fresh] / share[fresh][:, None]).round()
        known |= fresh
    color[~known] = color[known].mean(axis=0).round()
    picture = Image.fromarray(np.dstack([color, alpha]))
    picture.save(file, quality=QUALITY, method=6, exact=True, alpha_quality=100)


def surface_points(
    cameras: list[Camera], studio: Studio, count: int = POINTS, seed: int = 5
) -> tuple[NDArray[np.float32], Bytes]:
    """Points of the surface that the cameras see, ``(M, 3)``, and their colours ``(M, 3)``."""
    rng = np.random.default_rng(seed)
    each = -(-count // len(cameras))
    positions, colors = [], []
    for camera in cameras:
        u, v = rng.uniform(0, camera.width, 8 * each), rng.uniform(0, camera.height, 8 * each)
        to_model = MODEL_TO_WORLD.T @ camera.world_to_camera[:3, :3].T @ np.linalg.inv(camera.K)
        eye = MODEL_TO_WORLD.T @ camera.position + CENTRE
        directions = np.stack([u, v, np.ones_like(u)], 1) @ to_model.T
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        found = 0
        for d in directions:
            t, what = march(*eye, *d, 20.0, studio.tables)
            if what != NOTHING and found < each:
                found += 1
                spot = eye + t * d
                radiance = shade(what, *spot, *d, studio)
                positions.append(MODEL_TO_WORLD @ (spot - CENTRE))
                colors.append([255 * display(c) for c in radiance])
    chosen = rng.permutation(len(positions))[:count]
    return (
        np.array(positions, dtype=np.float32)[chosen],
        np.array(colors).round().astype(np.uint8)[chosen],
    )


def save_points(positions: NDArray[np.float32], colors: Bytes, file: Path) -> None:
    """Write sparse points as a binary PLY."""
    names = [(n, "<f4") for n in ("x", "y", "z")] + [(n, "u1") for n in ("red", "green", "blue")]
    table = np.empty(len(positions), dtype=names)
    for k, (name, _) in enumerate(names):
        table[name] = positions[:, k] if k < 3 else colors[:, k - 3]
    PlyData([PlyElement.describe(table, "vertex")]).write(str(file))


def transforms_json(cameras: list[Camera]) -> str:
    """The cameras as ``transforms.json``: camera-to-world with OpenGL's axes."""
    first = cameras[0]
    shared = {
        "camera_model": "PINHOLE",
        "w": first.width,
        "h": first.height,
        "fl_x": round(float(first.K[0, 0]), 6),
        "fl_y": round(float(first.K[1, 1]), 6),
        "cx": float(first.K[0, 2]),
        "cy": float(first.K[1, 2]),
        "ply_file_path": "points3D.ply",
    }
    frames = []
    for camera in cameras:
        pose = camera.camera_to_world @ np.diag([1.0, -1.0, -1.0, 1.0])
        matrix = json.dumps(pose.round(9).tolist())
        frames.append(f'{{"file_path": "images/{camera.name}.webp", "transform_matrix": {matrix}}}')
    head = json.dumps(shared, indent=1)[:-2]
    return head + ',\n "frames": [\n  ' + ",\n  ".join(frames) + "\n ]\n}\n"
