"""Make the demo scene: a still life of 3D Gaussians placed on analytic surfaces.

Nothing is trained: every surface is sampled on a regular lattice, its light is computed with
ellipsoid stand-ins of the objects, and the view-dependent sheen is fitted to spherical harmonics.
As a trained scene has them, faint floaters and hidden near-duplicates are added.

The surfaces are modelled with y up and the table top at y = 0; the scene is written in the
COLMAP-like convention (y down) with the middle of the still life at the origin.

Usage: ``python resources/make_demo.py [--out DIR] [--count N]``
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from core.cameras import Camera, intrinsics, look_at  # noqa: E402
from core.formats import save_scene  # noqa: E402
from core.scene import SH_C0, GaussianScene  # noqa: E402
from resources.demo_objects import stand_ins, still_life  # noqa: E402
from resources.demo_surfaces import (  # noqa: E402
    GOLDEN_ANGLE,
    TABLE_RADIUS,
    Array,
    Patch,
    cloth,
    rgb,
    table,
    under_cloth,
    unit,
)

COUNT = 47_000
SH_DEGREE = 1
FLOATER_SHARE = 0.15
DUPLICATE_SHARE = 0.25
CENTRE = np.array([0.0, 0.2, 0.0])
MODEL_TO_WORLD = np.diag([1.0, -1.0, -1.0])
VIEW_SIZE = (640, 400)
VIEW_ANGLE_DEG = 38.0

KEY = unit(np.array([-0.60, 0.66, 0.45]))
KEY_COLOR = np.array([3.3, 2.75, 2.1])
FILL = unit(np.array([0.75, 0.42, -0.5]))
FILL_COLOR = np.array([0.42, 0.55, 0.80])
GLINT = unit(KEY + np.array([0.0, 0.45, 0.0]))
GLINT_STRENGTH = 40.0
GLINT_SHARPNESS = 90.0
WOOD_BOUNCE = rgb("8a5630") * 0.7
CLOTH_BOUNCE = rgb("d8cdb8") * 0.8
FIT_DIRECTIONS = 320
DUPLICATE_SIZE = 0.02
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Splats:
    """Gaussians in model space: ``frames`` ``(n, 3, 3)`` hold the axes as columns."""

    means: Array
    scales: Array
    frames: Array
    opacities: Array
    sh: Array


def sphere_directions(count: int) -> Array:
    """Evenly spread directions ``(count, 3)`` (Fibonacci sphere)."""
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    a = np.arange(count) * GOLDEN_ANGLE
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(a), z, r * np.sin(a)], 1)


def cone_directions(axis: Array, half_angle: float, count: int) -> Array:
    """Directions ``(count, 3)`` spread over a cone about ``axis``: the points of an area light."""
    radius = np.tan(half_angle) * np.sqrt((np.arange(count) + 0.5) / count)
    a = np.arange(count) * GOLDEN_ANGLE
    side = unit(np.cross(axis, [0.0, 1.0, 0.3]))
    up = np.cross(axis, side)
    return unit(axis + radius[:, None] * (np.cos(a)[:, None] * side + np.sin(a)[:, None] * up))


def environment(d: Array, sharpness: float) -> Array:
    """Radiance that a mirror of the given sharpness sees in directions ``(..., 3)``."""
    up = d[..., 1:2]
    sky = np.array([0.30, 0.33, 0.38]) + np.array([0.22, 0.26, 0.34]) * np.maximum(up, 0)
    ground = WOOD_BOUNCE * 0.7
    blend = np.clip(up * 4 + 0.5, 0, 1)
    light = sky * blend + ground * (1 - blend)
    key = np.exp(np.minimum(sharpness, 60) * (d @ KEY - 1))[..., None] * KEY_COLOR
    fill = np.exp(0.5 * np.minimum(sharpness, 40) * (d @ FILL - 1))[..., None] * FILL_COLOR
    return light + 0.22 * np.sqrt(sharpness) * (1.6 * key + 1.6 * fill)


def hits(
    points: Array, directions: Array, own_part: str
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which rays ``(n, m)`` meet a stand-in, and the colour they meet there ``(n, m, 3)``."""
    blocked = np.zeros((len(points), directions.shape[-2]), dtype=np.bool_)
    color = np.zeros((*blocked.shape, 3), dtype=np.float32)
    for part, centre, to_unit, tint in stand_ins():
        if part == own_part:
            continue
        o = (points - centre) @ to_unit.T
        d = directions @ to_unit.T
        b = np.einsum("nk,nmk->nm", o, np.broadcast_to(d, (len(o), *d.shape[-2:])))
        a = (d * d).sum(-1)
        disc = b * b - a * ((o * o).sum(-1)[:, None] - 1)
        hit = (disc > 0) & (np.sqrt(np.maximum(disc, 0)) > b) & ~blocked
        blocked |= hit
        color[hit] = tint
    if own_part not in ("table", "cloth"):
        height = np.maximum(points[:, 1], 1e-3)[:, None]
        t = height / np.maximum(-directions[..., 1], 1e-6)
        x, z = (points[:, None, k] + t * directions[..., k] for k in (0, 2))
        down = (directions[..., 1] < 0) & (np.hypot(x, z) < TABLE_RADIUS) & ~blocked
        blocked |= down
        color[down] = np.where((under_cloth(x, z) < 0)[down][:, None], CLOTH_BOUNCE, WOOD_BOUNCE)
    return blocked, color


def irradiance(patch: Patch, which: slice) -> Array:
    """Light that falls on the splats, ``(n, 3)``: two area lights, sky, and one bounce."""
    points = patch.points[which] + 2e-3 * patch.normals[which]
    normals = patch.normals[which]
    total = np.zeros_like(points)
    for axis, color, half_angle in ((KEY, KEY_COLOR, 0.13), (FILL, FILL_COLOR, 0.3)):
        d = cone_directions(axis, half_angle, 24)
        blocked, _ = hits(points, d[None], patch.part)
        total += (np.maximum(normals @ d.T, 0) * ~blocked).mean(1)[:, None] * color
    d = sphere_directions(192)
    cosine = np.maximum(normals @ d.T, 0)
    blocked, bounce = hits(points, d[None], patch.part)
    up = np.clip(d[:, 1] * 0.5 + 0.5, 0, 1)[:, None]
    sky = np.array([0.20, 0.17, 0.15]) * (1 - up) + np.array([0.62, 0.72, 0.88]) * up
    light = np.where(blocked[..., None], 0.55 * bounce, sky)
    return total + np.einsum("nm,nmc->nc", cosine, light) / cosine.sum(1)[:, None] * 0.85


def tone(radiance: Array) -> Array:
    """Linear radiance to display colour: a filmic curve, then gamma."""
    x = 0.62 * np.maximum(radiance, 0)
    curve = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return np.clip(curve, 0, 1) ** (1 / 2.2)


def sh_basis(d: Array) -> Array:
    """Real spherical harmonics with the signs of 3DGS, ``(m, K)``."""
    x, y, z = d.T
    values = np.stack([
        np.full(len(d), SH_C0),
        -0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x,
        1.0925484305920792 * x * y, -1.0925484305920792 * y * z,
        0.31539156525252005 * (2 * z * z - x * x - y * y),
        -1.0925484305920792 * x * z, 0.5462742152960396 * (x * x - y * y),
    ], 1)  # fmt: skip
    return values[:, : (SH_DEGREE + 1) ** 2]


def shade(patch: Patch) -> Array:
    """SH coefficients ``(n, K, 3)`` of the shaded patch by least squares over its visible side.

    Low degrees cannot carry a small highlight that wanders with the eye: its place is baked for the
    mean view, while its strength and the broad sheen follow the view.
    """
    towards = sphere_directions(FIT_DIRECTIONS)
    towards = towards[towards[:, 1] > -0.35]
    basis = sh_basis(-towards @ MODEL_TO_WORLD.T)
    likely = np.exp(-(((towards[:, 1] - 0.45) / 0.4) ** 2))
    ridge = np.diag([1e-4] + [0.003] * (basis.shape[1] - 1))
    result = np.empty((len(patch.points), basis.shape[1], 3))
    for start in range(0, len(result), CHUNK):
        which = slice(start, start + CHUNK)
        n, cavity = patch.normals[which], patch.cavity[which, None]
        diffuse = patch.albedo[which] * irradiance(patch, which) * cavity
        cosine = n @ towards.T
        mirror = 2 * cosine[..., None] * n[:, None] - towards
        fresnel = patch.gloss + (1 - patch.gloss) * (1 - np.clip(cosine, 0, 1)) ** 5 * 0.35
        free = np.ones_like(cosine)
        if patch.gloss > 0:
            blocked, _ = hits(patch.points[which] + 2e-3 * n, mirror, patch.part)
            free = 1 - 0.75 * blocked
        spot = GLINT_STRENGTH * np.exp(GLINT_SHARPNESS * (n @ GLINT - 1))[:, None] * free
        spot = spot * patch.gloss * np.exp(2.0 * (mirror @ KEY - 1))
        glint = (fresnel * free * (patch.gloss > 0))[..., None]
        sheen = glint * environment(mirror, patch.sharpness) + spot[..., None] * KEY_COLOR
        color = tone(diffuse[:, None] + cavity[..., None] * sheen)
        weight = np.clip(cosine + 0.05, 0, 0.4) * (likely + 0.05)
        weight /= weight.sum(1, keepdims=True)
        gram = np.einsum("nm,mk,ml->nkl", weight, basis, basis, optimize=True)
        right = np.einsum("nm,mk,nmc->nkc", weight, basis, color - 0.5, optimize=True)
        result[which] = np.linalg.solve(gram + ridge * SH_C0**2, right)
    return result


def sharpened(patch: Patch, values: Array, rounds: int = 4) -> Array:
    """Coefficients whose blend over neighbouring splats gives ``values`` at the splats' centres.

    Gaussians overlap, so a pattern painted on them comes out blurred; a few Van Cittert iterations
    ``c += values - blend(c)`` undo it.
    """
    near, weights = neighbours(patch)
    target = values.reshape(len(values), -1)
    result = target.copy()
    for _ in range(rounds):
        error = target - np.einsum("nk,nkc->nc", weights, result[near])
        result += 0.9 * error
    return np.clip(result, target - 0.9, target + 0.9).reshape(values.shape)


def neighbours(patch: Patch, count: int = 16) -> tuple[NDArray[np.int64], Array]:
    """The splats that cover each splat's centre most, and their normalized weights ``(n, k)``."""
    x = patch.points
    count = min(count, len(x))
    near, weights = np.empty((len(x), count), dtype=np.int64), np.empty((len(x), count))
    axes = (patch.tangents, np.cross(patch.normals, patch.tangents), patch.normals)
    sizes = (*patch.sizes.T, 0.6 * patch.sizes.min(axis=1))
    for start in range(0, len(x), CHUNK // 4):
        rows = x[start : start + CHUNK // 4]
        exponent = np.zeros((len(rows), len(x)))
        for axis, size in zip(axes, sizes, strict=True):
            exponent -= 0.5 * ((rows @ axis.T - (x * axis).sum(1)) / size) ** 2
        best = np.argpartition(-exponent, count - 1, axis=1)[:, :count]
        near[start : start + len(rows)] = best
        weights[start : start + len(rows)] = np.exp(np.take_along_axis(exponent, best, 1))
    return near, weights / weights.sum(1, keepdims=True)


def surface_splats(patch: Patch, rng: np.random.Generator) -> Splats:
    """Flat, nearly opaque splats of one patch; the thinner ones are at random."""
    n = len(patch.points)
    thickness = 0.12 * patch.sizes.min(axis=1)
    scales = np.column_stack([patch.sizes * np.exp(0.04 * rng.standard_normal((n, 2))), thickness])
    frames = np.stack([patch.tangents, np.cross(patch.normals, patch.tangents), patch.normals], 2)
    opacities = np.clip(0.985 - np.abs(0.05 * rng.standard_normal(n)), 0.6, 0.99)
    return Splats(patch.points, scales, frames, opacities, sharpened(patch, shade(patch)))


def near_duplicates(base: Splats, count: int, rng: np.random.Generator) -> Splats:
    """Copies just beneath the surface that hardly any view needs."""
    small = np.flatnonzero(base.scales[:, 1] < DUPLICATE_SIZE)
    pick = rng.choice(small, count, replace=count > len(small))
    scales = base.scales[pick] * np.exp(0.35 * rng.standard_normal((count, 3)))
    size = base.scales[pick][:, :2].min(axis=1, keepdims=True)
    shift = size * rng.normal(0, 0.5, (count, 2))
    depth = size * rng.uniform(0.4, 1.6, (count, 1))
    local = np.hstack([shift, -depth])
    means = base.means[pick] + np.einsum("nij,nj->ni", base.frames[pick], local)
    opacities = np.clip(rng.beta(1.6, 1.4, count), 0.04, 0.97)
    return Splats(means, scales, base.frames[pick], opacities, base.sh[pick])


def floaters(count: int, rng: np.random.Generator) -> Splats:
    """Faint haze around the table, with a few specks that can be seen."""
    speck = rng.random(count) < 0.012
    distance = np.where(speck, 1.15 + 0.4 * rng.random(count), 1.55 * rng.random(count) ** 0.45)
    direction = unit(rng.standard_normal((count, 3)))
    means = direction * distance[:, None] * [1.0, 0.6, 1.0] + [0, 0.28, 0]
    scales = np.exp(rng.normal(np.log(0.014), 0.5, (count, 3)))
    scales[speck] *= 0.5
    opacities = np.clip(rng.beta(1.0, 60, count), 0.005, 0.1)
    opacities[speck] = rng.uniform(0.1, 0.35, int(speck.sum()))
    frames = np.linalg.qr(rng.standard_normal((count, 3, 3)))[0]
    frames[:, :, 2] *= np.sign(np.linalg.det(frames))[:, None]
    tint = np.array([0.26, 0.26, 0.28]) + 0.16 * rng.random((count, 1)) * [1.0, 0.9, 0.7]
    sh = 0.04 * rng.standard_normal((count, (SH_DEGREE + 1) ** 2, 3))
    sh[:, 0] = (tint - 0.5) / SH_C0
    return Splats(means, scales, frames, opacities, sh)


def quaternions(frames: Array) -> Array:
    """Unit quaternions ``(n, 4)``, w x y z with w >= 0, of rotations ``(n, 3, 3)``."""
    m = frames
    squares = np.stack([
        1 + m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2], 1 + m[:, 0, 0] - m[:, 1, 1] - m[:, 2, 2],
        1 - m[:, 0, 0] + m[:, 1, 1] - m[:, 2, 2], 1 - m[:, 0, 0] - m[:, 1, 1] + m[:, 2, 2],
    ], 1)  # fmt: skip
    products = np.empty((len(m), 4, 4))
    products[:, range(4), range(4)] = squares
    for i, j, value in (
        (0, 1, m[:, 2, 1] - m[:, 1, 2]), (0, 2, m[:, 0, 2] - m[:, 2, 0]),
        (0, 3, m[:, 1, 0] - m[:, 0, 1]), (1, 2, m[:, 0, 1] + m[:, 1, 0]),
        (1, 3, m[:, 0, 2] + m[:, 2, 0]), (2, 3, m[:, 1, 2] + m[:, 2, 1]),
    ):  # fmt: skip
        products[:, i, j] = products[:, j, i] = value
    q = unit(products[np.arange(len(m)), squares.argmax(1)])
    return q * np.where(q[:, :1] < 0, -1, 1)


def build_scene(count: int = COUNT, seed: int = 7) -> GaussianScene:
    """The demo scene with exactly ``count`` Gaussians; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    wanted = count * (1 - FLOATER_SHARE - DUPLICATE_SHARE)
    patches = [*table(0.22 * wanted), *cloth(0.14 * wanted), *still_life(0.64 * wanted)]
    surface = joined([surface_splats(patch, rng) for patch in patches])
    haze = floaters(round(FLOATER_SHARE * count), rng)
    rest = count - len(surface.means) - len(haze.means)
    if rest < 0:
        raise ValueError(f"{count} Gaussians are too few for the surfaces")
    splats = joined([surface, near_duplicates(surface, rest, rng), haze])
    order = rng.permutation(count)
    values: dict[str, Array] = {
        "means": (splats.means - CENTRE) @ MODEL_TO_WORLD.T,
        "log_scales": np.log(splats.scales),
        "quats": quaternions(MODEL_TO_WORLD @ splats.frames),
        "opacity_logits": np.log(splats.opacities / (1 - splats.opacities)),
        "sh": splats.sh,
    }
    tensors = {k: torch.from_numpy(v[order].astype(np.float32)) for k, v in values.items()}
    return GaussianScene(**tensors)


def joined(parts: list[Splats]) -> Splats:
    """All splats of several lists in order."""
    names = Splats.__dataclass_fields__
    return Splats(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def build_cameras() -> list[Camera]:
    """Forty views: two rings around the table and ten from nearer."""
    width, height = VIEW_SIZE
    K = intrinsics(VIEW_ANGLE_DEG, width, height)
    views = [(360 * k / 16, 23.0, 2.75, (0.0, -0.2, 0.0)) for k in range(16)]
    views += [(360 * (k + 0.5) / 14, 43.0, 2.85, (0.0, -0.17, 0.0)) for k in range(14)]
    near = [(-0.13, 0.05, -0.2), (0.4, -0.05, 0.1), (-0.4, -0.1, 0.44), (0.3, -0.05, 0.4)]
    views += [(360 * (k + 0.25) / 10, 18 + 9.0 * (k % 3), 1.55, near[k % 4]) for k in range(10)]
    cameras = []
    for index, (azimuth, elevation, distance, target) in enumerate(views):
        a, e = np.radians([azimuth, elevation])
        offset = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
        eye = MODEL_TO_WORLD @ (np.array(target) + distance * offset)
        pose = look_at(eye, MODEL_TO_WORLD @ np.array(target), (0.0, -1.0, 0.0))
        cameras.append(Camera(pose, K, width, height, f"demo_{index:03d}"))
    return cameras


def cameras_json(cameras: list[Camera]) -> str:
    """The cameras as the ``cameras.json`` that 3DGS trainers write."""
    entries = [
        {
            "id": index,
            "img_name": camera.name,
            "width": camera.width,
            "height": camera.height,
            "position": camera.position.round(9).tolist(),
            "rotation": camera.camera_to_world[:3, :3].round(12).tolist(),
            "fx": float(camera.K[0, 0]),
            "fy": float(camera.K[1, 1]),
        }
        for index, camera in enumerate(cameras)
    ]
    return "[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n"


def main() -> None:
    """Write ``demo.ply`` and ``cameras.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "demo")
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    save_scene(build_scene(options.count), options.out / "demo.ply")
    (options.out / "cameras.json").write_text(cameras_json(build_cameras()))


if __name__ == "__main__":
    main()
