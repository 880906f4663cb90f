"""Surfaces of the demo scene, sampled as flat splats: y up, table top at y = 0, table radius 1."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Paint = Callable[[Array, Array, Array], Array]

TABLE_RADIUS = 1.0
GOLDEN_ANGLE = np.pi * (3 - 5**0.5)
CLOTH_HALF_WIDTH = 0.29
CLOTH_TURN = np.radians(24)
SAUCER = (-0.40, 0.44)


@dataclass(frozen=True, slots=True)
class Patch:
    """Flat splats on one surface.

    ``points``, ``normals``, ``tangents``, ``albedo`` (linear) are ``(n, 3)``; ``sizes`` ``(n, 2)``
    are the standard deviations along the tangent and across it; ``gloss`` is the mirror reflectance
    at normal incidence, ``sharpness`` how narrow its lobe is, ``part`` the stand-in that must not
    shade its own surface, ``cavity`` ``(n,)`` a factor on all light.
    """

    points: Array
    normals: Array
    tangents: Array
    sizes: Array
    albedo: Array
    cavity: Array
    gloss: float
    sharpness: float
    part: str


def unit(v: Array) -> Array:
    """Vectors of length 1 along the last axis."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)


def rgb(code: str) -> Array:
    """Linear colour ``(3,)`` of an sRGB hex code without ``#``."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]) ** 2.2


def mix(a: Array, b: Array, t: Array | float) -> Array:
    """Linear blend of colours ``(3,)`` or ``(n, 3)`` by ``t`` ``(n,)``."""
    t = np.asarray(t, dtype=np.float64)[..., None]
    return a * (1 - t) + b * t


def step(edge0: float, edge1: float, x: Array) -> Array:
    """Smooth step from 0 at ``edge0`` to 1 at ``edge1``."""
    t = np.clip((x - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)


def noise(p: Array, seed: int = 0) -> Array:
    """Value noise in 0..1 at points ``(n, 3)``, with cells of size 1."""
    cell = np.floor(p).astype(np.int64)
    f = p - cell
    f = f * f * (3 - 2 * f)
    total = np.zeros(len(p))
    for corner in np.ndindex(2, 2, 2):
        c = (cell + corner).astype(np.uint32)
        h = c[:, 0] * np.uint32(374761393) + c[:, 1] * np.uint32(668265263)
        h += c[:, 2] * np.uint32(2147483647) + np.uint32(seed * 974634777 & 0xFFFFFFFF)
        h = (h ^ (h >> np.uint32(13))) * np.uint32(1274126177)
        h ^= h >> np.uint32(16)
        weight = np.where(corner, f, 1 - f).prod(axis=1)
        total += weight * (h / np.float64(2**32))
    return total


def fractal(p: Array, seed: int = 0, octaves: int = 4) -> Array:
    """Sum of octaves of value noise, in 0..1."""
    weights = [0.5**k for k in range(octaves)]
    layers = [w * noise(p * 2**k, seed + k) for k, w in enumerate(weights)]
    return np.sum(layers, axis=0) / sum(weights)


def turn(axis: int, angle: float) -> Array:
    """Rotation matrix about a coordinate axis by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    m = np.eye(3)
    m[i, i], m[i, j], m[j, i], m[j, j] = c, -s, s, c
    return m


def placed(patch: Patch, rotation: Array, offset: Array) -> Patch:
    """The patch rotated and then moved."""
    return replace(
        patch,
        points=patch.points @ rotation.T + offset,
        normals=patch.normals @ rotation.T,
        tangents=patch.tangents @ rotation.T,
    )


def revolve(
    profile: Array,
    count: int,
    paint: Paint,
    part: str,
    *,
    density: Array | None = None,
    gloss: float = 0.04,
    sharpness: float = 40,
) -> Patch:
    """Surface of revolution about y, on a golden-angle spiral with spacing by density.

    ``profile`` ``(m, 2)`` holds radius and height from top to bottom of the outside; ``density``
    ``(m,)`` is relative; ``paint(points, angle, t)`` gives the albedo, with ``t`` in 0..1 along the
    profile's arc.
    """
    density = np.ones(len(profile)) if density is None else density
    length = np.linalg.norm(np.diff(profile, axis=0), axis=1)
    weight = length * (profile[1:, 0] + profile[:-1, 0]) * np.pi * (density[1:] + density[:-1]) / 2
    cumulative = np.concatenate([[0], np.cumsum(weight)])
    at = np.interp(
        (np.arange(count) + 0.5) / count, cumulative / cumulative[-1], np.arange(len(profile))
    )
    knots = np.arange(len(profile))
    radius, height = (np.interp(at, knots, profile[:, k]) for k in (0, 1))
    slope = np.gradient(profile, axis=0)
    dr, dy = (np.interp(at, knots, slope[:, k]) for k in (0, 1))
    arc = np.concatenate([[0], np.cumsum(length)])
    t = np.interp(at, knots, arc / arc[-1])
    angle = np.arange(count) * GOLDEN_ANGLE % (2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    points = np.stack([radius * c, height, radius * s], 1)
    normals = unit(np.stack([-dy * c, dr, -dy * s], 1))
    spacing = np.sqrt(cumulative[-1] / count / np.interp(at, knots, density))
    return Patch(
        points,
        normals,
        np.stack([-s, np.zeros(count), c], 1),
        0.6 * np.repeat(spacing[:, None], 2, 1),
        paint(points, angle, t),
        np.ones(count),
        gloss,
        sharpness,
        part,
    )


def bezier(control: Array, t: Array) -> Array:
    """Points of a cubic curve with control points ``(4, 3)`` at ``t`` ``(m,)``."""
    t = t[:, None]
    b = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3]
    return np.sum([b[k] * control[k] for k in range(4)], axis=0)


def tube(
    control: Array, radii: tuple[float, float], count: int, paint: Paint, part: str, gloss: float
) -> Patch:
    """A round tube along a cubic curve in the plane z = 0, tapering between two radii."""
    fine = np.linspace(0, 1, 200)
    path = bezier(control, fine)
    thick = radii[0] + (radii[1] - radii[0]) * fine
    step_length = np.linalg.norm(np.diff(path, axis=0), axis=1)
    cumulative = np.concatenate([[0], np.cumsum(step_length * (thick[1:] + thick[:-1]) * np.pi)])
    t = np.interp((np.arange(count) + 0.5) / count, cumulative / cumulative[-1], fine)
    along = unit(bezier(control, t + 1e-4) - bezier(control, t - 1e-4))
    side = np.array([0.0, 0.0, 1.0])
    angle = np.arange(count) * GOLDEN_ANGLE % (2 * np.pi)
    normals = np.cos(angle)[:, None] * np.cross(along, side) + np.sin(angle)[:, None] * side
    radius = np.interp(t, fine, thick)
    points = bezier(control, t) + radius[:, None] * normals
    sizes = np.full((count, 2), 0.6 * np.sqrt(cumulative[-1] / count))
    return Patch(
        points, normals, along, sizes, paint(points, angle, t), np.ones(count), gloss, 40, part
    )


def lattice(spacing: tuple[float, float], extent: tuple[float, float]) -> Array:
    """Staggered grid ``(n, 2)`` over ``[-extent, extent]`` with the given spacing."""
    a = np.arange(-extent[0], extent[0], spacing[0]) + spacing[0] / 2
    b = np.arange(-extent[1], extent[1], spacing[1]) + spacing[1] / 2
    u, v = np.meshgrid(a, b)
    u = u + np.where(np.arange(len(b)) % 2, 0.25, -0.25)[:, None] * spacing[0]
    return np.stack([u.ravel(), v.ravel()], 1)


def under_cloth(x: Array, z: Array) -> Array:
    """Distance in table units from a table point to the runner's long edge, negative below it."""
    return np.abs(x * np.cos(CLOTH_TURN) - z * np.sin(CLOTH_TURN)) - CLOTH_HALF_WIDTH


def wood(p: Array) -> Array:
    """Albedo of walnut planks along x."""
    width = 0.2
    plank = np.floor(p[:, 2] / width)
    shift = p + np.stack([plank * 7.3, plank * 3.1, plank * 0.0], 1)
    warp = 0.05 * fractal(shift * [1.6, 1, 4], 3)
    grain = fractal(np.stack([shift[:, 0] * 2.2, shift[:, 1], (shift[:, 2] + warp) * 34], 1), 11)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (8 * p[:, 2] + 9 * warp / 0.05 * 0.4 + plank * 0.37))
    tone = 0.08 + 0.5 * grain + 0.2 * rings + 0.3 * noise(np.stack([plank * 5.5] * 3, 1), 5)
    color = mix(rgb("3d2113"), rgb("b5743c"), np.clip(tone, 0, 1))
    seam = np.abs(p[:, 2] - np.round(p[:, 2] / width) * width)
    return color * (0.42 + 0.58 * step(0.002, 0.009, seam))[:, None]


def table(count: float) -> list[Patch]:
    """Top of planks inside an inlaid ring, a rounded rim, and a plain underside."""
    inner = 0.9 * TABLE_RADIUS
    across = np.sqrt((np.pi * inner**2 - 3.3 * CLOTH_HALF_WIDTH) / (0.68 * count) / 2.6)
    grid = lattice((2.6 * across, across), (1, 1))
    x, z = grid.T
    seen = (np.hypot(x - SAUCER[0], z - SAUCER[1]) > 0.18) & (under_cloth(x, z) > -across)
    grid = grid[(np.hypot(x, z) < inner - 0.3 * across) & seen]
    n = len(grid)
    points = np.stack([grid[:, 0], np.zeros(n), grid[:, 1]], 1)
    edge = under_cloth(points[:, 0], points[:, 2])
    top = Patch(
        points,
        np.tile([0.0, 1, 0], (n, 1)),
        np.tile([1.0, 0, 0], (n, 1)),
        across * np.tile([1.5, 0.62], (n, 1)),
        wood(points),
        1 - 0.5 * np.exp(-np.maximum(edge, 0) / 0.014),
        0.04,
        14,
        "table",
    )

    def ring(p: Array, angle: Array, t: Array) -> Array:
        r = np.hypot(p[:, 0], p[:, 2])
        along = np.stack([np.cos(angle) * 3, np.sin(angle) * 3, r * 40], 1)
        color = mix(rgb("2a160c"), rgb("6d3f20"), fractal(along, 21))
        inlay = step(0.006, 0.002, np.abs(r - 0.937)) * (p[:, 1] > -0.004)
        return mix(color, rgb("d9ab62"), inlay)

    bend = np.linspace(0, np.pi, 60)
    radius = np.concatenate(
        [np.linspace(inner, 0.97, 40, endpoint=False), 0.97 + 0.03 * np.sin(bend)]
    )
    height = np.concatenate([np.zeros(40), -0.03 + 0.03 * np.cos(bend)])
    border = circles(np.stack([radius, height], 1), 0.28 * count, ring, "table")
    border = chosen(border, under_cloth(border.points[:, 0], border.points[:, 2]) > -across)
    below = circles(
        np.stack([np.linspace(0.97, 0.02, 50), np.full(50, -0.06)], 1),
        0.05 * count,
        lambda p, a, t: np.tile(rgb("2c180e"), (len(p), 1)),
        "table",
        gloss=0.0,
    )
    return [top, border, below]


def chosen(patch: Patch, keep: Array) -> Patch:
    """The splats of a patch where ``keep`` is true."""
    names = ("points", "normals", "tangents", "sizes", "albedo", "cavity")
    return replace(patch, **{name: getattr(patch, name)[keep] for name in names})


def circles(
    profile: Array,
    count: float,
    paint: Paint,
    part: str,
    *,
    aspect: float = 3.0,
    density: Array | None = None,
    gloss: float = 0.04,
    sharpness: float = 20,
) -> Patch:
    """Surface of revolution about y as rows of splats ``aspect`` times longer than wide.

    Keeps round edges and rings of a pattern clean; arguments otherwise as in ``revolve``.
    """
    density = np.ones(len(profile)) if density is None else density
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    area = 2 * np.pi * np.trapezoid(profile[:, 0] * density, length)
    across = np.sqrt(area / count / aspect / density)
    row_at = np.concatenate([[0], np.cumsum(np.diff(length) * 2 / (across[1:] + across[:-1]))])
    rows = max(2, round(row_at[-1]))
    middles = np.interp((np.arange(rows) + 0.5) / rows * row_at[-1], row_at, length)
    slope = np.gradient(profile, length, axis=0)
    parts = []
    for k, at in enumerate(middles):
        r, y, dr, dy, width = (
            np.interp(at, length, v) for v in (*profile.T, *slope.T, across * row_at[-1] / rows)
        )
        m = max(6, round(2 * np.pi * r / (aspect * width)))
        angle = 2 * np.pi * (np.arange(m) + 0.5 * (k % 2)) / m
        c, s, one = np.cos(angle), np.sin(angle), np.ones(m)
        sizes = np.tile([0.54 * 2 * np.pi * r / m, 0.62 * width], (m, 1))
        parts.append((
            np.stack([r * c, y * one, r * s], 1), unit(np.stack([-dy * c, dr * one, -dy * s], 1)),
            np.stack([-s, 0 * one, c], 1), sizes, angle, at / length[-1] * one,
        ))  # fmt: skip
    points, normals, tangents, sizes, angle, t = (
        np.concatenate(v) for v in zip(*parts, strict=True)
    )
    return Patch(
        points,
        normals,
        tangents,
        sizes,
        paint(points, angle, t),
        np.ones(len(t)),
        gloss,
        sharpness,
        part,
    )


def cloth(count: float) -> list[Patch]:
    """A striped linen runner over the table that hangs over both edges."""
    hang, half = 0.2, CLOTH_HALF_WIDTH
    across = np.sqrt(4 * half * (1 + hang) / count / 2.8)
    columns = 2 * round(half / across) + 1
    across = 2 * half / columns
    grid = lattice((2.8 * across, across), (1.05 + hang, half))
    v, u = grid.T

    def surface(u: Array, v: Array) -> Array:
        edge = np.sqrt(TABLE_RADIUS**2 - u**2) - 0.022
        over = np.maximum(np.abs(v) - edge, 0)
        bend = 0.034
        a = np.minimum(over / bend, np.pi / 2)
        down = np.maximum(over - bend * np.pi / 2, 0)
        wave = 0.02 * np.sin(u * 21 + 2 * np.sign(v)) * step(0, 0.2, down)
        out = np.minimum(np.abs(v), edge) + bend * np.sin(a) + wave
        ripple = 0.003 * np.sin(u * 17 + v * 5) * np.sin(v * 7 - u * 3) + 0.004
        y = ripple * (over == 0) + 0.004 * (over > 0) - bend * (1 - np.cos(a)) - down
        return np.stack([u, y, np.sign(v) * out], 1)

    e = 1e-4
    du = surface(u + e, v) - surface(u - e, v)
    dv = surface(u, v + e) - surface(u, v - e)
    stripe = np.abs(u) / half
    color = np.tile(rgb("e9e0cc"), (len(u), 1))
    for lo, hi, code in (
        (0.80, 0.9, "2f4f6f"),
        (0.66, 0.70, "b5482f"),
        (0.28, 0.34, "2f4f6f"),
        (0.18, 0.22, "b5482f"),
    ):
        inside = step(lo - 0.01, lo + 0.01, stripe) * step(hi + 0.01, hi - 0.01, stripe)
        color = mix(color, rgb(code), inside)
    weave = 0.97 + 0.12 * (noise(grid[:, [0, 1, 1]] * [30, 80, 0], 8) - 0.5)
    n = len(u)
    patch = Patch(
        surface(u, v),
        unit(np.cross(dv, du)),
        unit(dv),
        across * np.tile([1.62, 0.63], (n, 1)),
        color * weave[:, None],
        np.ones(n),
        0.0,
        1,
        "cloth",
    )
    return [placed(patch, turn(1, CLOTH_TURN), np.zeros(3))]
