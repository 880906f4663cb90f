"""What the still life is made of: colour, roughness, gloss and relief at a point of a surface.

Colours are linear. A material is ``(red, green, blue, roughness, reflectance)``; a reflectance of 1
means metal, whose colour is what it reflects.
"""

from math import atan2, cos, exp, floor, hypot, pi, sin

from numba import njit

from resources.demo_shapes import (
    BOOK,
    BOOK_SIZE,
    BRASS,
    BRASS_AT,
    CHERRY,
    CLOTH,
    CLOTH_HALF,
    CLOTH_HANG,
    CLOTH_START,
    DISH,
    DISH_AT,
    HALF,
    HALF_AT,
    HALF_NORMAL,
    HALF_RADIUS,
    JUG,
    JUG_AT,
    ORANGE,
    ORANGE_AT,
    PEAR,
    PEAR_AT,
    RIM,
    STEM,
    WAX,
    WOOD,
    book_coordinates,
    book_parts,
    cloth_coordinates,
    jug_angle,
    smoothstep,
)

Material = tuple[float, float, float, float, float]
Color = tuple[float, float, float]


def linear(code: str) -> Color:
    """Linear colour of a hexadecimal sRGB code."""
    r, g, b = ((int(code[k : k + 2], 16) / 255) ** 2.2 for k in (0, 2, 4))
    return r, g, b


WOOD_DARK, WOOD_LIGHT, WOOD_WARM = linear("3f2313"), linear("a8713f"), linear("7d4724")
LINEN, INDIGO, MADDER = linear("e6dcc6"), linear("2d4a78"), linear("ae3f2c")
GLAZE, COBALT, COBALT_LIGHT, RUST = map(linear, ("f0e8d6", "1d3f8c", "4f7cc0", "b4592a"))
CELADON, CELADON_DEEP = linear("86b7a6"), linear("3f7f74")
PEEL, PEEL_GREEN, PITH, PULP, PULP_LIGHT = map(
    linear, ("ee7a12", "7c8a2a", "f4e3bf", "ee7f12", "fbb04a")
)
PEEL_LIGHT, PEEL_DEEP = linear("f2952a"), linear("c24f08")
PEAR_SKIN, PEAR_GREEN, PEAR_BLUSH = linear("cdb14a"), linear("8c9640"), linear("b9502c")
CHERRY_SKIN, CHERRY_DARK, STALK, STALK_GREEN = map(linear, ("a01420", "4c0812", "5c4322", "6d7a30"))
COVER, GILT, PAPER, PAPER_DARK = map(linear, ("12585c", "e0b152", "ecdfc0", "b79f74"))
BRASS_COLOR, BRASS_DARK = linear("f0c069"), linear("c08a3c")
CREAM, SOOT = linear("f3e6c8"), linear("1c1714")


@njit(fastmath=True, inline="always")
def _mix(a: Color, b: Color, t: float) -> Color:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


@njit(fastmath=True, inline="always")
def _hash(i: int, j: int, k: int, seed: int) -> float:
    """A number in 0..1 for a cell."""
    n = (i * 73856093) ^ (j * 19349663) ^ (k * 83492791) ^ (seed * 2654435)
    n = ((n ^ (n >> 13)) * 1274126177) & 0x7FFFFFFF
    n = ((n ^ (n >> 15)) * 668265263) & 0x7FFFFFFF
    return ((n ^ (n >> 14)) & 0xFFFFF) / 1048575.0


@njit(fastmath=True)
def noise(x: float, y: float, z: float, seed: int) -> float:
    """Smooth noise in 0..1 with cells of size 1."""
    fx, fy, fz = floor(x), floor(y), floor(z)
    i, j, k = int(fx), int(fy), int(fz)
    u, v, w = x - fx, y - fy, z - fz
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _hash(i + a, j + b, k + c, seed)
    return total


@njit(fastmath=True)
def fractal(x: float, y: float, z: float, seed: int) -> float:
    """Three octaves of noise in 0..1."""
    return (
        4 * noise(x, y, z, seed)
        + 2 * noise(2.03 * x, 2.03 * y, 2.03 * z, seed + 1)
        + noise(4.1 * x, 4.1 * y, 4.1 * z, seed + 2)
    ) / 7


@njit(fastmath=True)
def pits(x: float, y: float, z: float, seed: int) -> float:
    """Round pits, one in each cell of size 1: 1 in the middle of a pit, 0 between them."""
    fx, fy, fz = floor(x), floor(y), floor(z)
    best = 9.0
    for a in range(-1, 2):
        for b in range(-1, 2):
            for c in range(-1, 2):
                i, j, k = int(fx) + a, int(fy) + b, int(fz) + c
                px = i + 0.2 + 0.6 * _hash(i, j, k, seed) - x
                py = j + 0.2 + 0.6 * _hash(i, j, k, seed + 1) - y
                pz = k + 0.2 + 0.6 * _hash(i, j, k, seed + 2) - z
                best = min(best, px * px + py * py + pz * pz)
    return exp(-best / 0.10)


@njit(fastmath=True, inline="always")
def _line(at: float, half: float, soft: float) -> float:
    """1 on a line of a half width about 0, 0 beyond."""
    return 1 - smoothstep(half - soft, half + soft, abs(at))


@njit(fastmath=True)
def _wood(x: float, y: float, z: float) -> Material:
    """Planks of walnut with rings, pores, and seams."""
    width = 0.29
    plank = floor(z / width + 0.5)
    shift = _hash(int(plank), 3, 5, 1) * 9
    across = z - plank * width
    warp = 0.10 * (fractal(1.3 * x + shift, 2.0 * y, 3.5 * z, 3) - 0.5)
    heart = across + 0.10 * (_hash(int(plank), 1, 2, 7) - 0.5) + warp
    depth = y + 0.20 + 0.1 * _hash(int(plank), 9, 4, 2) + 0.05 * sin(1.7 * x + shift)
    ring = 30 * hypot(heart, depth) + 0.6 * fractal(2 * x + shift, y, 9 * z, 5)
    ring -= floor(ring)
    late = smoothstep(0.25, 0.9, ring) * (1 - smoothstep(0.93, 1.0, ring))
    grain = fractal(3.5 * x + shift, 30 * y, 70 * z, 11)
    tone = _hash(int(plank), 8, 8, 3)
    color = _mix(WOOD_LIGHT, WOOD_WARM, 0.15 + 0.6 * late + 0.25 * tone)
    color = _mix(color, WOOD_DARK, 0.15 + 0.45 * smoothstep(0.42, 0.75, grain) * (0.5 + late / 2))
    pores = smoothstep(0.70, 0.80, noise(9 * x + shift, 60 * y, 170 * z, 13))
    color = _mix(color, WOOD_DARK, 0.5 * pores)
    seam = _line(abs(across) - width / 2, 0.0025, 0.0015)
    radius = hypot(x, z)
    groove = _line(radius - 0.935, 0.006, 0.004) * (y > -0.01)
    dark = 1 - 0.75 * seam - 0.45 * groove * (1 - seam)
    return color[0] * dark, color[1] * dark, color[2] * dark, 0.33 + 0.12 * grain, 0.04


@njit(fastmath=True)
def cloth_lengths(x: float, y: float, z: float) -> tuple[float, float]:
    """Arc length along the runner from the table's edge, and place across it."""
    s, v = cloth_coordinates(x, z)
    if y < -RIM:
        return -y + 0.03, v
    if s > -RIM:
        return (RIM + 0.01) * atan2(s + RIM, y + RIM) - RIM, v
    return s, v


@njit(fastmath=True)
def _cloth(x: float, y: float, z: float) -> Material:
    """Linen with woven stripes along both edges and across the ends."""
    s, v = cloth_lengths(x, y, z)
    edge = CLOTH_HALF - abs(v)
    end = min(s - CLOTH_START, CLOTH_HANG + 0.03 - s)
    blue = max(_line(edge - 0.060, 0.014, 0.003), _line(edge - 0.100, 0.004, 0.002))
    blue = max(blue, _line(end - 0.105, 0.022, 0.003))
    red = max(_line(edge - 0.086, 0.003, 0.002), _line(end - 0.070, 0.005, 0.002))
    red = max(red, _line(end - 0.143, 0.006, 0.002))
    lozenge = abs(abs((s * 12 - floor(s * 12)) - 0.5) * 0.075 - 0.004) + abs(v) * 0.9
    red = max(red, _line(lozenge - 0.014, 0.005, 0.002) * (floor(s * 12) < 1))
    warp, weft = sin(v * 2 * pi / 0.0145), sin(s * 2 * pi / 0.0145)
    weave = 0.90 + 0.10 * warp * weft
    weave *= 0.86 + 0.24 * noise(8 * s, 160 * v, 0.0, 21) * noise(160 * s, 8 * v, 1.0, 22) * 2
    color = _mix(LINEN, INDIGO, 0.9 * blue)
    color = _mix(color, MADDER, 0.9 * red)
    hem = 1 - 0.25 * _line(edge - 0.018, 0.002, 0.0015)
    weave *= hem
    return color[0] * weave, color[1] * weave, color[2] * weave, 1.0, 0.0


@njit(fastmath=True)
def _flower(a: float, b: float, size: float) -> tuple[float, float]:
    """Two tones of a painted flower of eight petals about the origin."""
    r, t = hypot(a, b) / size, atan2(b, a)
    petal = 0.62 + 0.38 * abs(cos(4 * t))
    light = smoothstep(petal + 0.05, petal - 0.05, r) * smoothstep(0.22, 0.30, r)
    vein = light * smoothstep(0.55, 0.85, abs(cos(4 * t))) * smoothstep(0.25, 0.5, r)
    outline = _line(r - petal, 0.07, 0.04)
    return light, max(max(outline, 0.6 * vein), smoothstep(0.20, 0.12, r))


@njit(fastmath=True)
def _jug(x: float, y: float, z: float) -> Material:
    """Cream glaze painted in cobalt: a frieze of flowers and a vine, bands, and leaves above."""
    dx, dz = x - JUG_AT[0], z - JUG_AT[2]
    angle, radius = jug_angle(dx, dz), hypot(dx, dz)
    handle = smoothstep(0.02, 0.03, radius - (0.126 + (0.70 - y) * 0.42) - 0.012)
    handle *= (abs(angle) < 0.5) * (y > 0.42)
    t = angle * 9 / (2 * pi)
    cell = (t - floor(t) - 0.5) * 2 * pi / 9 * 0.262
    light, dark = _flower(cell, y - 0.290, 0.072)
    vine = y - 0.290 - 0.070 * cos(angle * 9)
    dark = max(dark, _line(vine, 0.006, 0.003) * (1 - light))
    other = (t + 0.5 - floor(t + 0.5) - 0.5) * 2 * pi / 9 * 0.262
    bud, bud_dark = _flower(other, y - 0.365, 0.030)
    light, dark = max(light, bud), max(dark, bud_dark)
    for at, half in ((0.185, 0.007), (0.166, 0.0025), (0.402, 0.007), (0.421, 0.0025),
                     (0.055, 0.010), (0.655, 0.004), (0.868, 0.008)):  # fmt: skip
        dark = max(dark, _line(y - at, half, 0.0025))
    u = angle * 16 / (2 * pi)
    leaf = abs(u - floor(u) - 0.5) * 2 * pi / 16
    rise = (y - 0.440) / 0.17
    if 0 < rise < 1:
        shape = 0.13 * sin(pi * rise**0.7)
        light = max(light, smoothstep(shape, shape - 0.03, leaf))
        dark = max(dark, max(_line(leaf - shape, 0.018, 0.01), _line(leaf, 0.008, 0.006)))
    for k in range(2):
        dots = angle * 28 / (2 * pi) + 0.5 * k
        spot = hypot((dots - floor(dots) - 0.5) * 2 * pi / 28 * 0.2, y - 0.110 - 0.026 * k)
        dark = max(dark, _line(spot, 0.0075, 0.002))
    light, dark = light * (1 - handle), dark * (1 - handle)
    dark = max(dark, handle * _line(abs(y - 0.56) - 0.07, 0.05, 0.01) * 0.9)
    wash = 0.75 + 0.5 * (fractal(14 * x, 14 * y, 14 * z, 31) - 0.5)
    color = _mix(GLAZE, COBALT_LIGHT, min(0.75 * light * wash, 1.0))
    color = _mix(color, COBALT, min(0.95 * dark * (0.75 + 0.4 * wash), 1.0))
    speck = smoothstep(0.80, 0.86, noise(70 * x, 70 * y, 70 * z, 33))
    color = _mix(color, RUST, 0.25 * speck)
    color = _mix(color, RUST, 0.7 * smoothstep(0.024, 0.010, y))
    return color[0], color[1], color[2], 0.13, 0.05


@njit(fastmath=True)
def _dish(x: float, y: float, z: float) -> Material:
    """Celadon that pools dark in the middle and breaks pale at the rim."""
    radius, up = hypot(x - DISH_AT[0], z - DISH_AT[2]), y - DISH_AT[1]
    deep = 1 - smoothstep(0.02, 0.11, up + 0.02 * fractal(20 * x, 20 * y, 20 * z, 41))
    color = _mix(CELADON, CELADON_DEEP, 0.85 * deep)
    angle = atan2(z - DISH_AT[2], x - DISH_AT[0])
    flute = 0.5 + 0.5 * cos(angle * 24)
    color = _mix(color, CELADON_DEEP, 0.35 * flute * smoothstep(0.1, 0.13, radius))
    color = _mix(color, GLAZE, 0.7 * smoothstep(0.112, 0.128, up))
    return color[0], color[1], color[2], 0.14, 0.05


@njit(fastmath=True)
def _peel(x: float, y: float, z: float) -> Material:
    pore = pits(58 * x, 58 * y, 58 * z, 51)
    patch = fractal(7 * x, 7 * y, 7 * z, 53)
    color = _mix(PEEL, PEEL_LIGHT, 0.45 * patch)
    color = _mix(color, PEEL_DEEP, 0.30 * pore)
    return color[0], color[1], color[2], 0.36, 0.04


@njit(fastmath=True)
def _orange(x: float, y: float, z: float) -> Material:
    dx, dy, dz = x - ORANGE_AT[0] - 0.045, y - ORANGE_AT[1], z - ORANGE_AT[2] - 0.03
    color = _peel(x, y, z)
    if dy < 0:
        return color
    r, t = hypot(dx, dz), atan2(dz, dx)
    star = smoothstep(0.002, -0.002, r - 0.013 - 0.008 * cos(5 * t))
    near = 0.6 * exp(-((r / 0.035) ** 2))
    green = _mix((color[0], color[1], color[2]), PEEL_GREEN, near)
    green = _mix(green, STALK, 0.85 * star)
    return green[0], green[1], green[2], color[3], color[4]


@njit(fastmath=True)
def cut_coordinates(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Place on the cut face of the halved orange, and height over it."""
    nx, ny, nz = HALF_NORMAL
    length = hypot(nx, ny)
    ux, uy = ny / length, -nx / length
    wx, wy, wz = -nz * uy, nz * ux, nx * uy - ny * ux
    dx, dy, dz = x - HALF_AT[0], y - HALF_AT[1], z - HALF_AT[2]
    return dx * ux + dy * uy, dx * wx + dy * wy + dz * wz, dx * nx + dy * ny + dz * nz


@njit(fastmath=True)
def segments(a: float, b: float) -> tuple[float, float]:
    """Share of pulp, and of the membranes between segments, on a cut orange."""
    r, t = hypot(a, b) / HALF_RADIUS, atan2(b, a)
    t = t + 0.08 * sin(3 * t) + 0.2
    u = t * 10 / (2 * pi)
    u = abs(u - floor(u) - 0.5)
    between = (0.5 - u) * 2 * pi / 10 * r
    round_off = 0.895 - 0.035 * smoothstep(0.35, 0.5, u) * 4
    pulp = smoothstep(0.010, 0.022, between) * smoothstep(round_off, round_off - 0.03, r)
    pulp *= smoothstep(0.09, 0.13, r)
    return pulp, smoothstep(0.90, 0.92, r)


@njit(fastmath=True)
def _half(x: float, y: float, z: float) -> Material:
    a, b, height = cut_coordinates(x, y, z)
    if height < -0.006:
        return _peel(x, y, z)
    pulp, _ = segments(a, b)
    r, t = hypot(a, b), atan2(b, a)
    cells = noise(46 * r, 13 * t, 0.0, 61) * 0.6 + 0.4 * noise(90 * r, 30 * t, 2.0, 62)
    flesh = _mix(PULP, PULP_LIGHT, smoothstep(0.3, 0.75, cells))
    color = _mix(PITH, flesh, pulp)
    color = _mix(color, PEEL, smoothstep(0.935, 0.965, r / HALF_RADIUS))
    return color[0], color[1], color[2], 0.55 - 0.30 * pulp, 0.04


@njit(fastmath=True)
def _pear(x: float, y: float, z: float) -> Material:
    dx, dz = x - PEAR_AT[0], z - PEAR_AT[2]
    blush = smoothstep(
        0.42, 0.72, 0.5 + 2.3 * dx - 1.4 * dz + 0.35 * (fractal(9 * x, 5 * y, 9 * z, 71) - 0.5)
    )
    green = smoothstep(0.35, 0.7, fractal(6 * x, 4 * y, 6 * z, 73) + 0.6 * (y - 0.2))
    color = _mix(PEAR_SKIN, PEAR_GREEN, 0.75 * green)
    color = _mix(color, PEAR_BLUSH, 0.62 * blush)
    speck = pits(60 * x, 60 * y, 60 * z, 75)
    color = _mix(color, STALK, 0.42 * smoothstep(0.45, 0.9, speck))
    russet = smoothstep(0.07, 0.0, hypot(dx - 0.062, y - 0.385)) * fractal(
        40 * x, 40 * y, 40 * z, 76
    )
    color = _mix(color, STALK, min(1.0, 1.1 * russet))
    return color[0], color[1], color[2], 0.33, 0.04


@njit(fastmath=True)
def _cherry(x: float, y: float, z: float) -> Material:
    patch = fractal(11 * x, 11 * y, 11 * z, 81)
    color = _mix(CHERRY_SKIN, CHERRY_DARK, smoothstep(0.35, 0.65, patch))
    return color[0], color[1], color[2], 0.16, 0.045


@njit(fastmath=True)
def gilding(a: float, b: float) -> float:
    """Gold on the book's front: a double frame, corner fans, a compass star and a line of words."""
    half_a, half_b = BOOK_SIZE[0], BOOK_SIZE[2]
    a = a - 0.014
    edge = min(half_a - 0.014 - abs(a), half_b - abs(b))
    gold = max(_line(edge - 0.024, 0.0035, 0.0015), _line(edge - 0.036, 0.0015, 0.001))
    corner = hypot(half_a - 0.058 - abs(a), half_b - 0.044 - abs(b))
    gold = max(gold, _line(corner - 0.036, 0.002, 0.0015) * (edge > 0.036))
    gold = max(gold, _line(corner, 0.008, 0.002))
    up = b + 0.055
    r, t = hypot(a, up), atan2(a, up)
    point = 0.030 + 0.062 * abs(cos(2 * t)) ** 7
    small = 0.026 + 0.030 * abs(sin(2 * t)) ** 7
    gold = max(gold, smoothstep(0.003, -0.003, r - max(point, small)))
    gold *= 1 - _line(r - 0.019, 0.004, 0.002)
    gold = max(gold, _line(r - 0.104, 0.002, 0.0015))
    gold = max(gold, _line(r - 0.112, 0.001, 0.001))
    return max(gold, _words(a, b))


@njit(fastmath=True)
def _words(a: float, b: float) -> float:
    """Two rows of strokes that look like a title."""
    gold = 0.0
    for row in range(2):
        half, size = (0.125, 0.020) if row == 0 else (0.075, 0.011)
        up = (b - 0.115 - 0.052 * row) / size
        along = (a + half) / (size * 1.15)
        if abs(up) > 1 or abs(a) > half:
            continue
        letter = floor(along)
        u = (along - letter - 0.5) * 2
        kind = int(_hash(letter, row, 4, 91) * 5)
        if row == 0 and letter == 5:
            continue
        stem = _line(u + 0.5, 0.14, 0.08)
        ring = _line(hypot(u, up * 0.8) - 0.55, 0.14, 0.08)
        bar = _line(up - 0.75, 0.14, 0.08) * (abs(u) < 0.65)
        foot = _line(up + 0.75, 0.14, 0.08) * (abs(u) < 0.65)
        slant = _line(u - 0.5 * up, 0.14, 0.08)
        mark = (ring, max(stem, bar), max(stem, foot), max(slant, bar), max(stem, ring * (u > 0)))
        gold = max(gold, mark[kind])
    return gold


@njit(fastmath=True)
def _book(x: float, y: float, z: float) -> Material:
    a, up, b = book_coordinates(x, y, z)
    pages, cover = book_parts(a, up, b)
    if pages < cover:
        leaf = 0.5 * noise(up * 420, 0.7 * a * 9, 0.7 * b * 9, 95) + 0.5 * noise(
            up * 900, a * 3, b * 3, 96
        )
        color = _mix(PAPER, PAPER_DARK, smoothstep(0.35, 0.8, leaf))
        return color[0], color[1], color[2], 0.9, 0.0
    weave = (
        0.80
        + 0.22 * sin(a * 2 * pi / 0.009) * sin(b * 2 * pi / 0.009)
        + 0.25 * (fractal(18 * x, 18 * y, 18 * z, 97) - 0.5)
    )
    gold = 0.0
    if up > BOOK_SIZE[1] - 0.004:
        gold = gilding(a, b)
    if a < -BOOK_SIZE[0] + 0.012:
        ribs = abs(abs(abs(b) - 0.14) - 0.055)
        gold = max(gold, _line(ribs, 0.004, 0.002) * (abs(up) < 0.05))
        gold = max(gold, smoothstep(0.004, -0.002, abs(up) + abs(b) - 0.026))
    wear = smoothstep(0.56, 0.72, fractal(30 * x, 30 * y, 30 * z, 98))
    gold *= 1 - 0.5 * wear
    color = _mix((COVER[0] * weave, COVER[1] * weave, COVER[2] * weave), GILT, gold)
    return color[0], color[1], color[2], 0.55 - 0.25 * gold, 0.04 + 0.3 * gold


@njit(fastmath=True)
def material(what: int, x: float, y: float, z: float) -> Material:
    """Material of an object at a point of its surface."""
    if what == WOOD:
        return _wood(x, y, z)
    if what == CLOTH:
        return _cloth(x, y, z)
    if what == JUG:
        return _jug(x, y, z)
    if what == DISH:
        return _dish(x, y, z)
    if what == ORANGE:
        return _orange(x, y, z)
    if what == HALF:
        return _half(x, y, z)
    if what == PEAR:
        return _pear(x, y, z)
    if what == CHERRY:
        return _cherry(x, y, z)
    if what == BOOK:
        return _book(x, y, z)
    if what == BRASS:
        patina = smoothstep(0.45, 0.8, fractal(9 * x, 9 * y, 9 * z, 99))
        color = _mix(BRASS_COLOR, BRASS_DARK, patina)
        return color[0], color[1], color[2], 0.24 + 0.12 * patina, 1.0
    if what == STEM:
        color = _mix(STALK, STALK_GREEN, 1.0 * (x > DISH_AT[0] - 0.1))
        return color[0], color[1], color[2], 0.5, 0.04
    if what == WAX:
        return CREAM[0], CREAM[1], CREAM[2], 0.42, 0.04
    return SOOT[0], SOOT[1], SOOT[2], 0.9, 0.0


@njit(fastmath=True)
def relief(what: int, x: float, y: float, z: float) -> float:
    """How far the surface stands out of the distance field: only its normal follows."""
    if what in (ORANGE, HALF):
        if what == HALF:
            a, b, height = cut_coordinates(x, y, z)
            if height > -0.006:
                return 0.003 * segments(a, b)[0] * noise(60 * a, 60 * b, 0.0, 62)
        return -0.0026 * pits(58 * x, 58 * y, 58 * z, 51)
    if what == CLOTH:
        s, v = cloth_lengths(x, y, z)
        thread = sin(v * 2 * pi / 0.0145) * sin(s * 2 * pi / 0.0145)
        return 0.0007 * thread + 0.004 * fractal(11 * x, 11 * y, 11 * z, 23)
    if what == WOOD:
        return 0.0012 * fractal(3.5 * x, 30 * y, 70 * z, 11)
    if what == BRASS:
        angle = atan2(z - BRASS_AT[2], x - BRASS_AT[0])
        return 0.0012 * noise(8 * cos(angle), 40 * y, 8 * sin(angle), 87)
    if what == PEAR:
        return 0.004 * noise(12 * x, 12 * y, 12 * z, 88)
    if what == DISH:
        radius = hypot(x - DISH_AT[0], z - DISH_AT[2])
        angle = atan2(z - DISH_AT[2], x - DISH_AT[0])
        return 0.0022 * cos(angle * 24) * smoothstep(0.10, 0.13, radius)
    if what == WAX:
        return 0.004 * noise(30 * x, 9 * y, 30 * z, 89)
    return 0.0
