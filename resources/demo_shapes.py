"""The still life as a signed distance field: y up, table top at y = 0, table radius 1.

Bodies of revolution are drawn as smooth outlines and looked up in tables of exact distances; all
else is made of spheres, rounded boxes and arcs. ``distance`` is what the ray marcher follows.
"""

from math import atan2, cos, exp, hypot, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

WOOD, CLOTH, JUG, DISH, ORANGE, HALF, PEAR, STEM, CHERRY, BOOK, BRASS, WAX, WICK = range(13)
NOTHING = -1

OUTLINES = {
    JUG: [(0, 0), (0.125, 0), (0.138, 0.006), (0.142, 0.024), (0.150, 0.045), (0.205, 0.12),
          (0.258, 0.23), (0.268, 0.32), (0.238, 0.43), (0.178, 0.54), (0.128, 0.63), (0.112, 0.70),
          (0.118, 0.77), (0.142, 0.84), (0.154, 0.866), (0.152, 0.876), (0.142, 0.874),
          (0.122, 0.84), (0.103, 0.77), (0.097, 0.70), (0.112, 0.62), (0.165, 0.53), (0.22, 0.43),
          (0.248, 0.32), (0.238, 0.23), (0.185, 0.13), (0.12, 0.06), (0.06, 0.04), (0, 0.038)],
    DISH: [(0, 0), (0.085, 0), (0.097, 0.004), (0.104, 0.018), (0.13, 0.032), (0.19, 0.066),
           (0.232, 0.108), (0.243, 0.124), (0.240, 0.131), (0.231, 0.127), (0.214, 0.108),
           (0.17, 0.070), (0.11, 0.043), (0.05, 0.033), (0, 0.032)],
    PEAR: [(0, 0.012), (0.035, 0.001), (0.075, 0.008), (0.122, 0.045), (0.149, 0.105),
           (0.145, 0.165), (0.118, 0.225), (0.084, 0.28), (0.066, 0.325), (0.054, 0.365),
           (0.034, 0.388), (0.012, 0.387), (0, 0.379)],
    BRASS: [(0, 0), (0.148, 0), (0.158, 0.004), (0.160, 0.012), (0.153, 0.021), (0.12, 0.028),
            (0.085, 0.045), (0.05, 0.075), (0.032, 0.105), (0.030, 0.118), (0.044, 0.126),
            (0.052, 0.140), (0.045, 0.155), (0.028, 0.164), (0.022, 0.20), (0.026, 0.245),
            (0.040, 0.285), (0.043, 0.31), (0.032, 0.333), (0.025, 0.350), (0.034, 0.366),
            (0.064, 0.384), (0.084, 0.394), (0.087, 0.401), (0.080, 0.407), (0.056, 0.407),
            (0.045, 0.415), (0.044, 0.455), (0.051, 0.464), (0.050, 0.474), (0.040, 0.476),
            (0, 0.476)],
    WAX: [(0, 0.45), (0.033, 0.452), (0.0335, 0.55), (0.033, 0.66), (0.034, 0.705), (0.031, 0.715),
          (0.024, 0.712), (0.016, 0.703), (0, 0.699)],
}  # fmt: skip
TABLED = (JUG, DISH, PEAR, BRASS, WAX)
PLACES = {
    JUG: (-0.33, 0.0, -0.30), DISH: (0.13, 0.016, 0.30), PEAR: (-0.50, 0.0, 0.24),
    BRASS: (0.24, 0.0, -0.50), WAX: (0.24, 0.0, -0.50),
}  # fmt: skip
CELL = 0.004
MARGIN = 0.02
JUG_AT, DISH_AT, PEAR_AT, BRASS_AT = (PLACES[k] for k in (JUG, DISH, PEAR, BRASS))

HANDLE_TURN = 2.55  # of the jug's handle about y, radians
RIM = 0.03  # rounding of the table's edge
THICK = 0.09
CLOTH_TURN = 1.22  # of the direction in which the runner hangs over, about y
CLOTH_HALF = 0.30
CLOTH_START = -1.12  # along the runner from the table's edge
CLOTH_HANG = 0.26
CLOTH_THIN = 0.008
ORANGE_AT = (-0.165, 0.152, 0.10)
ORANGE_RADIUS = 0.155
HALF_AT = (-0.225, 0.128, 0.53)
HALF_RADIUS = 0.148
HALF_NORMAL = (0.20, 0.80, 0.565)
BOOK_AT = (0.56, 0.062, -0.06)
BOOK_TURN = -0.38
BOOK_SIZE = (0.215, 0.062, 0.29)  # half sides: across the spine, up, along it
CHERRIES = (
    (0.075, 0.245, 0.0), (0.19, 0.265, 0.0), (0.125, 0.355, 0.0), (0.215, 0.36, 0.004),
    (0.04, 0.335, 0.004), (0.145, 0.29, 0.062), (0.16, 0.41, 0.006),
)  # fmt: skip  # x, z, height over the others
CHERRY_RADIUS = 0.052
CHERRY_LOOSE = (0.44, 0.068, 0.52)
STEMS = (  # from, bend, to, of cherries and the pear
    (0.145, 0.195, 0.29, 0.20, 0.30, 0.30, 0.31, 0.315, 0.26),
    (0.215, 0.135, 0.36, 0.28, 0.25, 0.40, 0.40, 0.235, 0.44),
    (0.44, 0.112, 0.52, 0.46, 0.20, 0.58, 0.56, 0.18, 0.66),
)


def _spline(points: list[tuple[float, float]], steps: int = 12) -> Array:
    """A smooth curve through the points."""
    p = np.array([points[0], *points, points[-1]], dtype=np.float64)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        before, here, after = (float(np.linalg.norm(v)) for v in (b - a, c - b, d - c))
        first = here * (c - a) / max(here + before, 1e-9)
        last = here * (d - b) / max(after + here, 1e-9)
        pieces.append(
            (2 * t**3 - 3 * t**2 + 1) * b + (t**3 - 2 * t**2 + t) * first
            + (3 * t**2 - 2 * t**3) * c + (t**3 - t**2) * last
        )  # fmt: skip
    return np.concatenate([*pieces, p[-1:]])


def _outline_table(points: list[tuple[float, float]]) -> Array:
    """Signed distance to an outline over radius and height, from -MARGIN on."""
    curve = _spline(points)
    whole = np.concatenate([curve, (curve * [-1, 1])[::-1]])
    rows = int((curve[:, 0].max() + MARGIN) / CELL) + 2
    columns = int((curve[:, 1].max() - curve[:, 1].min() + 2 * MARGIN) / CELL) + 2
    radius = np.arange(rows) * CELL
    height = curve[:, 1].min() - MARGIN + np.arange(columns) * CELL
    spot = np.stack(np.meshgrid(radius, height, indexing="ij"), -1)
    best = np.full(spot.shape[:2], np.inf)
    inside = np.zeros(spot.shape[:2], dtype=np.bool_)
    for a, b in zip(whole, np.roll(whole, -1, axis=0), strict=True):
        edge, to = b - a, spot - a
        t = np.clip((to @ edge) / max(edge @ edge, 1e-18), 0, 1)
        if abs(a[0]) + abs(b[0]) > 1e-9:
            best = np.minimum(best, np.linalg.norm(to - t[..., None] * edge, axis=-1))
        crosses = (a[1] > spot[..., 1]) != (b[1] > spot[..., 1])
        if a[1] != b[1]:
            x = a[0] + (spot[..., 1] - a[1]) / (b[1] - a[1]) * edge[0]
            inside ^= crosses & (spot[..., 0] < x)
    return np.asarray(np.where(inside, -best, best))


def outline_tables() -> Array:
    """Tables ``(k, radius, height)`` of the bodies in ``TABLED``; the first row holds their sizes.

    Entry ``[k, -1, :3]`` holds the number of rows and columns and the lowest height.
    """
    tables = [_outline_table(OUTLINES[body]) for body in TABLED]
    rows, columns = (max(t.shape[axis] for t in tables) for axis in (0, 1))
    result = np.full((len(tables), rows + 1, columns), 1.0)
    for k, (body, table) in enumerate(zip(TABLED, tables, strict=True)):
        result[k, : table.shape[0], : table.shape[1]] = table
        lowest = min(y for _, y in OUTLINES[body]) - MARGIN
        result[k, -1, :3] = (*table.shape, lowest)
    return result


@njit(cache=True, fastmath=True, inline="always")
def smoothstep(lo: float, hi: float, x: float) -> float:
    t = min(max((x - lo) / (hi - lo), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True, fastmath=True)
def revolved(tables: Array, k: int, radius: float, y: float) -> float:
    """Distance to a body of revolution; a lower bound outside of its table."""
    last = tables.shape[1] - 1
    rows, columns, low = int(tables[k, last, 0]), int(tables[k, last, 1]), tables[k, last, 2]
    a, b = radius / CELL, (y - low) / CELL
    ca, cb = min(max(a, 0.0), rows - 1.001), min(max(b, 0.0), columns - 1.001)
    i, j = int(ca), int(cb)
    u, v = ca - i, cb - j
    value = (1 - u) * ((1 - v) * tables[k, i, j] + v * tables[k, i, j + 1]) + u * (
        (1 - v) * tables[k, i + 1, j] + v * tables[k, i + 1, j + 1]
    )
    if ca == a and cb == b:
        return value
    return sqrt(((a - ca) * CELL) ** 2 + ((b - cb) * CELL) ** 2 + value * value)


@njit(cache=True, fastmath=True)
def _table(x: float, y: float, z: float) -> float:
    radius = hypot(x, z)
    across, up = radius - (1 - RIM), abs(y + THICK / 2) - (THICK / 2 - RIM)
    d = min(max(across, up), 0.0) + hypot(max(across, 0.0), max(up, 0.0)) - RIM
    if y > -0.01:
        d += 0.004 * exp(-(((radius - 0.935) / 0.008) ** 2))
    return d


@njit(cache=True, fastmath=True)
def cloth_coordinates(x: float, z: float) -> tuple[float, float]:
    """Place on the runner: along it from the table's edge outwards, and across it."""
    c, s = cos(CLOTH_TURN), sin(CLOTH_TURN)
    along, across = x * c + z * s, z * c - x * s
    return along - sqrt(max(1 - across * across, 0.0)), across


@njit(cache=True, fastmath=True)
def _ridge(a: float, width: float) -> float:
    return exp(-((a / width) ** 2))


@njit(cache=True, fastmath=True)
def _cloth(x: float, y: float, z: float) -> float:
    """A runner that lies on the table with some wrinkles and hangs over its edge."""
    s, v = cloth_coordinates(x, z)
    lie = smoothstep(-0.03, -0.25, s)
    wrinkle = 0.034 * _ridge(v - 0.15 - 0.25 * (s + 0.45), 0.034) * smoothstep(-0.75, -0.5, s)
    wrinkle += 0.028 * _ridge(v + 0.21 + 0.12 * sin(5 * s), 0.028) * smoothstep(-0.95, -0.7, s)
    wrinkle += 0.022 * _ridge(s + 0.98 - 0.3 * v, 0.026)
    wrinkle += 0.0025 * (1 + sin(21 * s + 9 * v) * sin(17 * v - 6 * s))
    height = 0.004 + CLOTH_THIN / 2 + wrinkle * lie
    reach = CLOTH_HANG + 0.012 * sin(9 * v + 1)
    depth = max(-RIM - y, 0.0)
    wave = 0.028 * (1 + sin(19 * v + 0.8)) * smoothstep(0.0, 0.2, depth)
    arc = RIM + 0.004 + CLOTH_THIN / 2
    if s < -RIM:
        d = hypot(max(CLOTH_START - s, 0.0), y - height)
        if y < -RIM:
            d = min(d, hypot(s - (arc - RIM) - wave, max(-RIM - reach - y, 0.0)))
    elif y > -RIM:
        d = abs(hypot(s + RIM, y + RIM) - arc)
    else:
        d = hypot(s - (arc - RIM) - wave, max(depth - reach, 0.0))
    side = max(abs(v) - CLOTH_HALF + 0.004 * sin(23 * s), 0.0)
    return 0.75 * (hypot(d, side) - CLOTH_THIN / 2)


@njit(cache=True, fastmath=True)
def jug_angle(x: float, z: float) -> float:
    """Angle about the jug's axis from its handle, in -pi..pi."""
    c, s = cos(HANDLE_TURN), sin(HANDLE_TURN)
    return atan2(z * c - x * s, x * c + z * s)


@njit(cache=True, fastmath=True)
def _jug(x: float, y: float, z: float, tables: Array) -> float:
    """A jug with a pinched spout opposite its handle."""
    c, s = cos(HANDLE_TURN), sin(HANDLE_TURN)
    out, side = x * c + z * s, z * c - x * s
    top = smoothstep(0.74, 0.88, y)
    radius = hypot(x, z)
    forward = max(-out / max(radius, 1e-6), 0.0)
    pull = top * (0.055 * forward**6 - 0.018 * (2 * forward * side / max(radius, 1e-6)) ** 2)
    body = 0.8 * revolved(tables, 0, max(radius - pull, 0.0), y - 0.02 * top * forward**6)
    ring = hypot((out - 0.17) / 1.12, (y - 0.565) / 1.22) - 0.17
    handle = hypot(ring, side / 1.35) - 0.0195 - 0.004 * smoothstep(0.6, 0.75, y)
    inner = 0.126 + (0.70 - y) * 0.42
    handle = max(handle, inner - out)
    h = max(0.035 - abs(body - handle), 0.0)
    return min(body, 0.9 * handle) - h * h / 0.14


@njit(cache=True, fastmath=True)
def _half_orange(x: float, y: float, z: float) -> float:
    dx, dy, dz = x - HALF_AT[0], y - HALF_AT[1], z - HALF_AT[2]
    cut = dx * HALF_NORMAL[0] + dy * HALF_NORMAL[1] + dz * HALF_NORMAL[2]
    ball = sqrt(dx * dx + dy * dy + dz * dz) - HALF_RADIUS
    a, b = ball + 0.008, cut + 0.008
    return min(max(a, b), 0.0) + hypot(max(a, 0.0), max(b, 0.0)) - 0.008


@njit(cache=True, fastmath=True)
def _orange(x: float, y: float, z: float) -> float:
    dx, dy, dz = x - ORANGE_AT[0], y - ORANGE_AT[1], z - ORANGE_AT[2]
    d = sqrt(dx * dx + dy * dy * 1.06 + dz * dz) - ORANGE_RADIUS
    top = hypot(dx - 0.045, dz - 0.03)
    if dy > 0:
        d += 0.012 * exp(-((top / 0.03) ** 2))
    return 0.97 * d


@njit(cache=True, fastmath=True)
def _pear(x: float, y: float, z: float, tables: Array) -> float:
    lean = 0.45 * y * y
    return 0.88 * revolved(tables, 2, hypot(x - lean, z + 0.3 * lean), y)


@njit(cache=True, fastmath=True)
def _capsule(
    x: float, y: float, z: float,
    ax: float, ay: float, az: float, bx: float, by: float, bz: float, radius: float,
) -> float:  # fmt: skip
    ex, ey, ez = bx - ax, by - ay, bz - az
    px, py, pz = x - ax, y - ay, z - az
    t = (px * ex + py * ey + pz * ez) / (ex * ex + ey * ey + ez * ez)
    t = min(max(t, 0.0), 1.0)
    px, py, pz = px - t * ex, py - t * ey, pz - t * ez
    return sqrt(px * px + py * py + pz * pz) - radius


@njit(cache=True, fastmath=True)
def _arc(x: float, y: float, z: float, s: tuple[float, ...], radius: float) -> float:
    """A thin bent stem as four straight pieces of a quadratic curve."""
    best = 10.0
    ax, ay, az = s[0], s[1], s[2]
    for k in range(1, 5):
        t = k / 4
        a, b, c = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
        bx, by, bz = (
            a * s[0] + b * s[3] + c * s[6],
            a * s[1] + b * s[4] + c * s[7],
            a * s[2] + b * s[5] + c * s[8],
        )
        best = min(best, _capsule(x, y, z, ax, ay, az, bx, by, bz, radius))
        ax, ay, az = bx, by, bz
    return best


@njit(cache=True, fastmath=True)
def _cherry(x: float, y: float, z: float) -> float:
    radius = sqrt(x * x + y * y + z * z)
    return radius - CHERRY_RADIUS + 0.012 * exp(-(x * x + z * z) / 0.0003) * (y > 0)


@njit(cache=True, fastmath=True)
def cherry_height(lift: float) -> float:
    return DISH_AT[1] + 0.045 + CHERRY_RADIUS + lift


@njit(cache=True, fastmath=True)
def _cherries(x: float, y: float, z: float) -> float:
    best = _cherry(x - CHERRY_LOOSE[0], y - CHERRY_LOOSE[1], z - CHERRY_LOOSE[2])
    for cherry in CHERRIES:
        best = min(best, _cherry(x - cherry[0], y - cherry_height(cherry[2]), z - cherry[1]))
    return best


@njit(cache=True, fastmath=True)
def book_coordinates(x: float, y: float, z: float) -> tuple[float, float, float]:
    c, s = cos(BOOK_TURN), sin(BOOK_TURN)
    dx, dz = x - BOOK_AT[0], z - BOOK_AT[2]
    return dx * c - dz * s, y - BOOK_AT[1], dx * s + dz * c


@njit(cache=True, fastmath=True, inline="always")
def _box(x: float, y: float, z: float, a: float, b: float, c: float, r: float) -> float:
    qx, qy, qz = abs(x) - a + r, abs(y) - b + r, abs(z) - c + r
    out = sqrt(max(qx, 0.0) ** 2 + max(qy, 0.0) ** 2 + max(qz, 0.0) ** 2)
    return out + min(max(qx, max(qy, qz)), 0.0) - r


@njit(cache=True, fastmath=True)
def book_parts(x: float, y: float, z: float) -> tuple[float, float]:
    """Distances to the pages and to the cover, in the book's own coordinates."""
    a, b, c = BOOK_SIZE
    hollow = 0.012 * max(1 - (y / b) ** 2, 0.0)
    pages = _box(x + 0.004 + hollow / 2, y, z, a - 0.014 - hollow / 2, b - 0.012, c - 0.013, 0.002)
    boards = _box(x, abs(y) - b + 0.007, z, a, 0.007, c, 0.004)
    bulge = 0.016 * max(1 - (y / b) ** 2, 0.0)
    spine = _box(x + a - 0.004, y, z, 0.010 + bulge, b, c, 0.006)
    groove = 0.004 * exp(-(((x + a - 0.034) / 0.009) ** 2))
    return pages, min(boards + groove, spine)


@njit(cache=True, fastmath=True, inline="always")
def _outside(x: float, y: float, z: float, cx: float, cz: float, r: float, top: float) -> float:
    """Distance to a can that holds an object, which may be skipped if another is nearer."""
    out = max(sqrt((x - cx) ** 2 + (z - cz) ** 2) - r, 0.0)
    up = max(y - top, -y, 0.0)
    return sqrt(out * out + up * up)


@njit(cache=True, fastmath=True, inline="always")
def _off_cloth(x: float, y: float, z: float) -> float:
    """A lower bound of the distance to the runner."""
    s, v = cloth_coordinates(x, z)
    out, up = max(abs(v) - CLOTH_HALF - 0.01, 0.0), max(y - 0.06, 0.0)
    along = max(CLOTH_START - 0.01 - s, s - 0.09, 0.0) * 0.7
    return 0.75 * sqrt(out * out + up * up + along * along)


@njit(cache=True, fastmath=True)
def distance(x: float, y: float, z: float, tables: Array) -> tuple[float, int]:
    """Signed distance to the still life and the material of what is nearest."""
    best, what = _table(x, y, z), WOOD
    if _outside(x, y, z, JUG_AT[0], JUG_AT[2], 0.40, 0.91) < best:
        d = _jug(x - JUG_AT[0], y, z - JUG_AT[2], tables)
        if d < best:
            best, what = d, JUG
    if _outside(x, y, z, BRASS_AT[0], BRASS_AT[2], 0.17, 0.76) < best:
        dx, dz = x - BRASS_AT[0], z - BRASS_AT[2]
        d = revolved(tables, 3, hypot(dx, dz), y)
        if d < best:
            best, what = d, BRASS
        d = revolved(tables, 4, hypot(dx, dz), y)
        if d < best:
            best, what = d, WAX
        d = _capsule(dx, y, dz, 0.0, 0.69, 0.0, 0.008, 0.742, 0.004, 0.0045)
        if d < best:
            best, what = d, WICK
    if _outside(x, y, z, BOOK_AT[0], BOOK_AT[2], 0.38, 0.13) < best:
        bx, by, bz = book_coordinates(x, y, z)
        pages, cover = book_parts(bx, by, bz)
        d = min(pages, cover)
        if d < best:
            best, what = d, BOOK
    if _outside(x, y, z, ORANGE_AT[0], ORANGE_AT[2], 0.16, 0.32) < best:
        d = _orange(x, y, z)
        if d < best:
            best, what = d, ORANGE
    if _outside(x, y, z, HALF_AT[0], HALF_AT[2], 0.15, 0.28) < best:
        d = _half_orange(x, y, z)
        if d < best:
            best, what = d, HALF
    if _outside(x, y, z, PEAR_AT[0] + 0.03, PEAR_AT[2], 0.19, 0.48) < best:
        dx, dz = x - PEAR_AT[0], z - PEAR_AT[2]
        d = _pear(dx, y, dz, tables)
        if d < best:
            best, what = d, PEAR
        d = _capsule(dx, y, dz, 0.063, 0.375, -0.019, 0.098, 0.462, -0.012, 0.0075)
        if d < best:
            best, what = d, STEM
    if _outside(x, y, z, DISH_AT[0] + 0.15, DISH_AT[2] + 0.09, 0.47, 0.33) < best:
        d = revolved(tables, 1, hypot(x - DISH_AT[0], z - DISH_AT[2]), y - DISH_AT[1])
        if d < best:
            best, what = d, DISH
        d = _cherries(x, y, z)
        if d < best:
            best, what = d, CHERRY
        for stem in STEMS:
            d = _arc(x, y, z, stem, 0.0055)
            if d < best:
                best, what = d, STEM
    if _off_cloth(x, y, z) < best:
        d = _cloth(x, y, z)
        if d < best:
            best, what = d, CLOTH
    return best, what


@njit(cache=True, fastmath=True)
def normal(x: float, y: float, z: float, tables: Array) -> tuple[float, float, float]:
    """Outward direction of length 1 (differences over the corners of a tetrahedron)."""
    e = 0.002
    a = distance(x + e, y - e, z - e, tables)[0]
    b = distance(x - e, y - e, z + e, tables)[0]
    c = distance(x - e, y + e, z - e, tables)[0]
    d = distance(x + e, y + e, z + e, tables)[0]
    nx, ny, nz = a - b - c + d, -a - b + c + d, -a + b - c + d
    length = max(sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
    return nx / length, ny / length, nz / length
