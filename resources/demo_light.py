"""Light on the still life: a studio of soft boxes, soft shadows, and light that bounces.

Indirect light is computed once, on a grid of points near the surfaces: each holds the light that
falls on the six sides of a small cube (an ambient cube), gathered along many rays of which those
that hit something take up what is reflected there. Pictures then look it up, without noise.
"""

from math import exp, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from resources.demo_materials import Color, material, relief
from resources.demo_shapes import (
    CHERRY,
    CLOTH,
    HALF,
    NOTHING,
    ORANGE,
    PEAR,
    WAX,
    distance,
    normal,
    outline_tables,
    smoothstep,
)

Array = NDArray[np.float64]
Light = NDArray[np.float32]

CENTRE = (0.0, 0.24, 0.0)
RADIUS = 1.34  # of a ball about the centre that holds everything
TOP, WIDTH = 0.93, 1.13  # what it reaches up and out from its axis
NEAREST = 0.0004
CELL = 0.02
LOW = (-1.14, -0.42, -1.14)
CELLS = (115, 68, 115)
RAYS = 96
BOUNCES = 2

KEY = (-0.585, 0.700, 0.410)
KEY_SIDE = (0.574, 0.0, 0.819)
KEY_UP = (0.574, 0.714, -0.402)
KEY_HALF = (0.30, 0.30)  # tangents
KEY_COLOR = (12.4, 11.0, 9.1)
KEY_SUN = 3.1  # times its colour over 10: what falls on a surface that faces it
RIM = (0.62, 0.42, -0.66)
RIM_COLOR = (3.4, 4.3, 5.6)
EXPOSURE = 0.80


class Studio(NamedTuple):
    """What rays need: outlines of bodies ``(k, r, h)`` and indirect light ``(x, y, z, 6, 3)``.

    Grid points without light, within objects or far from them, hold -1.
    """

    tables: Array
    light: Light


@njit(fastmath=True)
def environment(x: float, y: float, z: float, roughness: float, key: float) -> Color:
    """Radiance from a direction, as blurred as a surface of a roughness sees it.

    ``key`` scales the key light, which surfaces that are not glossy get by its shadows instead.
    """
    soft = 0.10 + 1.1 * roughness
    up = smoothstep(-0.35 - soft, 0.35 + soft, y)
    r, g, b = 0.11 + 0.25 * up, 0.10 + 0.29 * up, 0.09 + 0.37 * up
    high = smoothstep(0.2, 1.0, y)
    r, g, b = r + 0.20 * high, g + 0.21 * high, b + 0.22 * high
    ahead = x * KEY[0] + y * KEY[1] + z * KEY[2]
    if key > 0 and ahead > 0.2:
        u = abs(x * KEY_SIDE[0] + z * KEY_SIDE[2]) / ahead
        v = abs(x * KEY_UP[0] + y * KEY_UP[1] + z * KEY_UP[2]) / ahead
        blur = 0.04 + 0.55 * roughness
        box = smoothstep(KEY_HALF[0] + blur, KEY_HALF[0] - blur, u)
        box *= smoothstep(KEY_HALF[1] + blur, KEY_HALF[1] - blur, v)
        box *= key * (KEY_HALF[0] / (KEY_HALF[0] + 0.45 * blur)) ** 2
        r, g, b = r + box * KEY_COLOR[0], g + box * KEY_COLOR[1], b + box * KEY_COLOR[2]
    facing = x * RIM[0] + y * RIM[1] + z * RIM[2]
    rim = exp((facing - 1) / (0.045 + 0.12 * roughness)) * 0.9 / (1 + 2 * roughness)
    window = exp((x * -0.86 + y * 0.22 + z * -0.46 - 1) / (0.05 + 0.12 * roughness)) * 0.35
    return (
        r + rim * RIM_COLOR[0] + window * 3.0,
        g + rim * RIM_COLOR[1] + window * 3.1,
        b + rim * RIM_COLOR[2] + window * 3.3,
    )


@njit(fastmath=True)
def march(
    x: float, y: float, z: float, dx: float, dy: float, dz: float, far: float, tables: Array
) -> tuple[float, int]:
    """Distance along a ray to what it hits, and its material; ``NOTHING`` if it leaves."""
    ox, oy, oz = x - CENTRE[0], y - CENTRE[1], z - CENTRE[2]
    b = ox * dx + oy * dy + oz * dz
    inner = b * b - (ox * ox + oy * oy + oz * oz - RADIUS * RADIUS)
    if inner <= 0:
        return far, NOTHING
    root = sqrt(inner)
    t, end = max(-b - root, 0.0), min(-b + root, far)
    for _ in range(160):
        if t >= end:
            return far, NOTHING
        d, what = distance(x + t * dx, y + t * dy, z + t * dz, tables)
        if d < NEAREST:
            return t, what
        t += max(d * 0.92, 0.0006)
    return far, NOTHING


@njit(fastmath=True)
def openness(
    x: float, y: float, z: float, dx: float, dy: float, dz: float, sharpness: float, tables: Array
) -> float:
    """Share of a cone of light that comes through, 0..1 (penumbra by the nearest miss)."""
    t, light = 0.006, 1.0
    for _ in range(60):
        px, py, pz = x + t * dx, y + t * dy, z + t * dz
        if py > TOP or px * px + pz * pz > WIDTH * WIDTH:
            break
        d, _ = distance(px, py, pz, tables)
        light = min(light, 0.5 + 0.5 * sharpness * d / t)
        if light <= 0:
            break
        t += min(max(abs(d) * 0.8, 0.006 + 0.02 * t), 0.2)
    light = max(light, 0.0)
    return light * light * (3 - 2 * light)


@njit(fastmath=True)
def ambient(x: float, y: float, z: float, nx: float, ny: float, nz: float, light: Light) -> Color:
    """Indirect light on a surface, from the grid points before it."""
    a = (x + 0.8 * CELL * nx - LOW[0]) / CELL
    b = (y + 0.8 * CELL * ny - LOW[1]) / CELL
    c = (z + 0.8 * CELL * nz - LOW[2]) / CELL
    if min(a, min(b, c)) < 0 or a > CELLS[0] - 2 or b > CELLS[1] - 2 or c > CELLS[2] - 2:
        return 0.4, 0.4, 0.4
    i, j, k = int(a), int(b), int(c)
    r, g, s, total = 0.0, 0.0, 0.0, 1e-6
    for p in range(2):
        for q in range(2):
            for w in range(2):
                weight = abs(1 - p - a + i) * abs(1 - q - b + j) * abs(1 - w - c + k)
                cube = light[i + p, j + q, k + w]
                if cube[0, 0] < 0:
                    continue
                ahead = (i + p - a) * nx + (j + q - b) * ny + (k + w - c) * nz
                weight = weight * max(1 + ahead, 0.05) + 1e-7
                sx, sy, sz = cube[int(nx < 0)], cube[2 + int(ny < 0)], cube[4 + int(nz < 0)]
                r += weight * (nx * nx * sx[0] + ny * ny * sy[0] + nz * nz * sz[0])
                g += weight * (nx * nx * sx[1] + ny * ny * sy[1] + nz * nz * sz[1])
                s += weight * (nx * nx * sx[2] + ny * ny * sy[2] + nz * nz * sz[2])
                total += weight
    return r / total, g / total, s / total


@njit(fastmath=True)
def nearby(x: float, y: float, z: float, nx: float, ny: float, nz: float, tables: Array) -> float:
    """Occlusion by what is nearer than the grid of indirect light can tell, 1 for none."""
    total, weight = 0.0, 1.0
    for k in range(1, 5):
        t = 0.0065 * k
        d, _ = distance(x + t * nx, y + t * ny, z + t * nz, tables)
        total += max(t - d, 0.0) / t * weight
        weight *= 0.75
    return max(1 - 0.36 * total, 0.15)


@njit(fastmath=True)
def matte(
    what: int, x: float, y: float, z: float, nx: float, ny: float, nz: float, studio: Studio
) -> Color:
    """Radiance of a surface without its gloss."""
    r, g, b, _, shine = material(what, x, y, z)
    cosine = nx * KEY[0] + ny * KEY[1] + nz * KEY[2]
    wrap = 0.30 if what in (WAX, HALF) else 0.08 if what in (ORANGE, PEAR, CHERRY, CLOTH) else 0.0
    facing = max((cosine + wrap) / (1 + wrap), 0.0)
    direct = 0.0
    if facing > 0:
        px, py, pz = x + 0.004 * nx, y + 0.004 * ny, z + 0.004 * nz
        direct = facing * openness(px, py, pz, KEY[0], KEY[1], KEY[2], 5.5, studio.tables)
    ir, ig, ib = ambient(x, y, z, nx, ny, nz, studio.light)
    close = nearby(x, y, z, nx, ny, nz, studio.tables)
    direct *= KEY_SUN / 10
    keep = 0.25 if shine >= 1 else 1.0
    return (
        keep * r * (direct * KEY_COLOR[0] + ir * close),
        keep * g * (direct * KEY_COLOR[1] + ig * close),
        keep * b * (direct * KEY_COLOR[2] + ib * close),
    )


@njit(fastmath=True)
def embossed(what: int, x: float, y: float, z: float, n: Color) -> Color:
    """The normal with the material's relief."""
    e = 0.0012
    base = relief(what, x, y, z)
    gx = (relief(what, x + e, y, z) - base) / e
    gy = (relief(what, x, y + e, z) - base) / e
    gz = (relief(what, x, y, z + e) - base) / e
    along = gx * n[0] + gy * n[1] + gz * n[2]
    nx, ny, nz = n[0] - gx + along * n[0], n[1] - gy + along * n[1], n[2] - gz + along * n[2]
    length = sqrt(nx * nx + ny * ny + nz * nz)
    return nx / length, ny / length, nz / length


@njit(fastmath=True)
def shade(
    what: int, x: float, y: float, z: float, dx: float, dy: float, dz: float, studio: Studio
) -> Color:
    """Radiance that leaves a surface against the direction of a ray that hit it."""
    flat = normal(x, y, z, studio.tables)
    n = embossed(what, x, y, z, flat)
    r, g, b = matte(what, x, y, z, n[0], n[1], n[2], studio)
    mr, mg, mb, roughness, shine = material(what, x, y, z)
    if shine <= 0:
        return r, g, b
    along = dx * n[0] + dy * n[1] + dz * n[2]
    rx, ry, rz = dx - 2 * along * n[0], dy - 2 * along * n[1], dz - 2 * along * n[2]
    below = rx * flat[0] + ry * flat[1] + rz * flat[2]
    if below < 0.02:
        rx, ry, rz = (rx + (0.02 - below) * flat[0], ry + (0.02 - below) * flat[1],
                      rz + (0.02 - below) * flat[2])  # fmt: skip
    edge = (1 - min(max(-along, 0.0), 1.0)) ** 5 * (1 - 0.85 * roughness)
    sr, sg, sb = environment(rx, ry, rz, roughness, 1.0)
    px, py, pz = x + 0.004 * flat[0], y + 0.004 * flat[1], z + 0.004 * flat[2]
    clear = openness(px, py, pz, rx, ry, rz, 1.2 / (0.06 + roughness), studio.tables)
    if clear < 0.995:
        hr, hg, hb = 0.20, 0.17, 0.14
        t, other = march(px, py, pz, rx, ry, rz, 2.5, studio.tables)
        if other != NOTHING:
            hx, hy, hz = px + t * rx, py + t * ry, pz + t * rz
            m = normal(hx, hy, hz, studio.tables)
            hr, hg, hb = matte(other, hx, hy, hz, m[0], m[1], m[2], studio)
        sr, sg, sb = hr + (sr - hr) * clear, hg + (sg - hg) * clear, hb + (sb - hb) * clear
    if shine >= 1:
        fr, fg, fb = mr + (1 - mr) * edge, mg + (1 - mg) * edge, mb + (1 - mb) * edge
    else:
        fr = fg = fb = shine + (1 - shine) * edge
    keep = 1 - (0.0 if shine >= 1 else fr)
    return r * keep + sr * fr, g * keep + sg * fg, b * keep + sb * fb


@njit(fastmath=True, inline="always")
def display(value: float) -> float:
    """Radiance as shown: a filmic curve, then gamma, 0..1."""
    x = EXPOSURE * 0.6 * max(value, 0.0)
    curve = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return min(curve, 1.0) ** (1 / 2.2)


@njit(fastmath=True)
def _gather(x: float, y: float, z: float, directions: Array, studio: Studio, cube: Light) -> None:
    """Light on the six sides of a cube at a point, into ``cube`` ``(6, 3)``."""
    for side in range(6):
        for channel in range(3):
            cube[side, channel] = 0
    for m in range(len(directions)):
        dx, dy, dz = directions[m]
        t, what = march(x, y, z, dx, dy, dz, 2.6, studio.tables)
        if what == NOTHING:
            r, g, b = environment(dx, dy, dz, 0.9, 0.0)
        else:
            hx, hy, hz = x + t * dx, y + t * dy, z + t * dz
            n = normal(hx, hy, hz, studio.tables)
            r, g, b = matte(what, hx, hy, hz, n[0], n[1], n[2], studio)
        for side in range(6):
            axis = dx if side < 2 else dy if side < 4 else dz
            weight = max(-axis if side % 2 else axis, 0.0) * 4 / len(directions)
            cube[side, 0] += weight * r
            cube[side, 1] += weight * g
            cube[side, 2] += weight * b


@njit(fastmath=True, parallel=True)
def _bounce(directions: Array, studio: Studio, result: Light) -> None:
    """One more bounce of light at every grid point near a surface."""
    for i in prange(CELLS[0]):
        for j in range(CELLS[1]):
            for k in range(CELLS[2]):
                x, y, z = LOW[0] + i * CELL, LOW[1] + j * CELL, LOW[2] + k * CELL
                d, _ = distance(x, y, z, studio.tables)
                if 0.0015 < d < 2.3 * CELL:
                    _gather(x, y, z, directions, studio, result[i, j, k])


def make_studio(rays: int = RAYS, bounces: int = BOUNCES) -> Studio:
    """The studio with its indirect light computed."""
    height = 1 - 2 * (np.arange(rays) + 0.5) / rays
    turn = np.arange(rays) * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - height * height)
    directions = np.stack([flat * np.cos(turn), height, flat * np.sin(turn)], 1)
    studio = Studio(outline_tables(), np.zeros((*CELLS, 6, 3), dtype=np.float32))
    for _ in range(bounces):
        light = np.full((*CELLS, 6, 3), -1, dtype=np.float32)
        _bounce(directions, studio, light)
        studio = Studio(studio.tables, light)
    return studio
