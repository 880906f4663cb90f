"""The objects of the demo's still life: tea set, fruits and a marble ball."""

import numpy as np

from resources.demo_surfaces import (
    SAUCER,
    Array,
    Patch,
    bezier,
    circles,
    fractal,
    mix,
    noise,
    placed,
    revolve,
    rgb,
    step,
    tube,
    turn,
)

GLAZE = rgb("eef0ea")
COBALT = rgb("1c3f94")
GOLD = rgb("c8963c")
POT_PLACE = np.array([-0.13, 0.012, -0.2])
POT_TURN = turn(1, np.radians(28))
SPOUT = np.array([[0.24, 0.13, 0], [0.42, 0.13, 0], [0.37, 0.34, 0], [0.53, 0.42, 0]])
HANDLE = np.array([[-0.25, 0.385, 0], [-0.56, 0.46, 0], [-0.56, 0.10, 0], [-0.28, 0.115, 0]])


def smooth_profile(knots: list[tuple[float, float]], samples: int = 240) -> Array:
    """Catmull-Rom curve through radius-height knots, ``(samples, 2)``."""
    p = np.array([knots[0], *knots, knots[-1]])
    t = np.linspace(0, len(knots) - 1 - 1e-9, samples)
    i = t.astype(int)
    f = (t - i)[:, None]
    a, b, c, d = (p[i + k] for k in range(4))
    curve = 0.5 * (
        2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3
    )
    curve[:, 0] = np.maximum(curve[:, 0], 1e-4)
    return curve


def line(distance: Array, half_width: float, soft: float) -> Array:
    """1 within ``half_width`` of zero distance, falling to 0 over ``soft``."""
    return 1 - step(half_width, half_width + soft, np.abs(distance))


def flower_band(angle: Array, b: Array, repeats: int) -> Array:
    """Coverage of cobalt in a frieze of flowers and a vine; ``b`` in -1..1 across the band."""
    cell = angle * repeats / (2 * np.pi)
    a = (cell - np.floor(cell)) * 2 - 1
    x, y = a * 1.25, b
    rho, phi = np.hypot(x, y), np.arctan2(y, x)
    petal = 0.40 + 0.24 * np.abs(np.cos(2.5 * phi + np.pi / 4))
    flower = step(petal + 0.05, petal - 0.02, rho) * (0.55 + 0.45 * step(0.18, 0.5, rho))
    flower *= 1 - line(rho - 0.2, 0.045, 0.05)
    side = np.abs(x) - 1.25
    leaf = step(0.06, -0.02, np.hypot(side * 1.9, np.abs(y) - 0.42) - 0.27 - 0.1 * np.abs(y))
    stem = line(side, 0.035, 0.04) * (np.abs(y) < 0.7)
    return np.maximum(flower, np.maximum(0.8 * leaf, stem))


def teapot(count: int) -> list[Patch]:
    """Tea pot with its lid, spout and handle."""
    patches = [pot_body(count), *pot_lid(count), *pot_tubes(count)]
    return [placed(patch, POT_TURN, POT_PLACE) for patch in patches]


def pot_body(count: int) -> Patch:
    """Round body with a frieze of flowers."""
    profile = smooth_profile(
        [
            (0.15, 0.455),
            (0.185, 0.445),
            (0.25, 0.40),
            (0.305, 0.30),
            (0.315, 0.21),
            (0.28, 0.11),
            (0.21, 0.045),
            (0.185, 0.02),
            (0.195, 0.0),
        ]
    )

    def paint(p: Array, angle: Array, t: Array) -> Array:
        y = p[:, 1]
        ink = flower_band(angle, (y - 0.235) / 0.085, 9) * (np.abs(y - 0.235) < 0.085)
        for at, width in ((0.338, 0.0065), (0.132, 0.0065), (0.318, 0.003), (0.152, 0.003)):
            ink = np.maximum(ink, line(y - at, width, 0.004))
        scallop = 0.385 - 0.022 * np.abs(np.sin(angle * 9))
        ink = np.maximum(ink, 0.9 * step(scallop, scallop + 0.008, y) * (y < 0.44))
        gold = step(0.446, 0.450, y)
        return mix(mix(GLAZE, COBALT, ink), GOLD, gold)

    y = profile[:, 1]
    density = 1 + 1.3 * ((y > 0.125) & (y < 0.41)) + 0.3 * (y < 0.05)
    return circles(
        profile, 0.56 * count, paint, "pot", aspect=1.15, density=density, gloss=0.1, sharpness=14
    )


def pot_lid(count: int) -> list[Patch]:
    """Domed lid and its knob."""
    dome = smooth_profile(
        [(0.001, 0.512), (0.06, 0.507), (0.115, 0.487), (0.15, 0.458), (0.153, 0.45)]
    )

    def paint_lid(p: Array, angle: Array, t: Array) -> Array:
        ray = 0.5 + 0.5 * np.cos(angle * 9)
        r = np.hypot(p[:, 0], p[:, 2])
        ink = step(0.55, 0.75, ray * step(0.03, 0.06, r)) * (r > 0.05) * (r < 0.112)
        ink = np.maximum(ink, line(r - 0.122, 0.004, 0.004))
        return mix(mix(GLAZE, COBALT, ink), GOLD, step(0.141, 0.145, r))

    lid = revolve(dome, int(0.12 * count), paint_lid, "lid", gloss=0.1, sharpness=14)
    ball = smooth_profile(
        [
            (0.001, 0.583),
            (0.022, 0.578),
            (0.034, 0.553),
            (0.026, 0.53),
            (0.013, 0.515),
            (0.016, 0.506),
        ]
    )
    knob = revolve(
        ball,
        int(0.03 * count),
        lambda p, a, t: np.tile(GOLD, (len(p), 1)),
        "lid",
        gloss=0.2,
        sharpness=30,
    )

    return [lid, knob]


def pot_tubes(count: int) -> list[Patch]:
    """Spout and handle."""

    def white(p: Array, angle: Array, t: Array) -> Array:
        return mix(mix(GLAZE, COBALT, line(t - 0.9, 0.02, 0.01)), GOLD, step(0.955, 0.965, t))

    spout = tube(
        SPOUT,
        (0.066, 0.027),
        int(0.16 * count),
        white,
        "spout",
        0.05,
    )

    def stripe(p: Array, angle: Array, t: Array) -> Array:
        rings = np.max([line(t - at, 0.012, 0.01) for at in (0.1, 0.16, 0.84, 0.9)], axis=0)
        return mix(GLAZE, COBALT, rings)

    handle = tube(
        HANDLE,
        (0.027, 0.022),
        int(0.13 * count),
        stripe,
        "handle",
        0.05,
    )
    return [spout, handle]


def cup(count: int) -> list[Patch]:
    """Tea cup on a saucer, full of tea, with a frieze that matches the pot."""
    where = np.array([SAUCER[0], 0.006, SAUCER[1]])
    patches = [*cup_walls(count), saucer(count), cup_grip(count)]
    return [placed(patch, turn(1, np.radians(-150)), where) for patch in patches]


def cup_walls(count: int) -> list[Patch]:
    """Outside and inside of the cup, and the tea."""
    outer = smooth_profile(
        [
            (0.125, 0.150),
            (0.121, 0.12),
            (0.105, 0.07),
            (0.07, 0.032),
            (0.055, 0.022),
            (0.058, 0.012),
        ]
    )

    def paint(p: Array, angle: Array, t: Array) -> Array:
        y = p[:, 1]
        ink = flower_band(angle, (y - 0.088) / 0.034, 9) * (np.abs(y - 0.088) < 0.034)
        ink = np.maximum(ink, line(y - 0.13, 0.003, 0.002))
        return mix(mix(GLAZE, COBALT, ink), GOLD, step(0.143, 0.146, y))

    wall = circles(outer, 0.36 * count, paint, "cup", aspect=1.15, gloss=0.1, sharpness=14)
    inner = smooth_profile([(0.098, 0.108), (0.112, 0.122), (0.119, 0.14), (0.125, 0.15)])
    inside = circles(
        inner,
        0.10 * count,
        lambda p, a, t: mix(GLAZE, GOLD, step(0.143, 0.146, p[:, 1])),
        "cup",
        aspect=2,
    )
    liquid = np.stack([np.linspace(0.001, 0.107, 40), np.full(40, 0.115)], 1)
    tea = revolve(
        liquid,
        int(0.09 * count),
        lambda p, a, t: mix(
            rgb("8a3d12"), rgb("c26a22"), step(0.07, 0.107, np.hypot(p[:, 0], p[:, 2]))
        ),
        "cup",
        gloss=0.05,
        sharpness=90,
    )
    return [wall, inside, tea]


def saucer(count: int) -> Patch:
    """Saucer with a scalloped border."""
    dish = np.stack(
        [
            np.linspace(0.055, 0.215, 60),
            0.012 + 0.022 * step(0.09, 0.215, np.linspace(0.055, 0.215, 60)),
        ],
        1,
    )

    def paint_dish(p: Array, angle: Array, t: Array) -> Array:
        r = np.hypot(p[:, 0], p[:, 2])
        petal = 0.165 + 0.016 * np.abs(np.sin(angle * 8))
        ink = np.maximum(line(r - petal, 0.0045, 0.004), line(r - 0.196, 0.005, 0.003))
        return mix(mix(GLAZE, COBALT, ink), GOLD, step(0.208, 0.210, r))

    return circles(dish, 0.39 * count, paint_dish, "saucer", aspect=2)


def cup_grip(count: int) -> Patch:
    """Handle of the cup."""
    return tube(
        np.array([[0.116, 0.125, 0], [0.2, 0.14, 0], [0.185, 0.045, 0], [0.09, 0.055, 0]]),
        (0.012, 0.01),
        int(0.06 * count),
        lambda p, a, t: np.tile(GLAZE, (len(p), 1)),
        "grip",
        0.05,
    )


def apple(count: int) -> list[Patch]:
    """Red apple with yellow streaks, lighter specks and a stem."""
    a = np.linspace(0.02, np.pi - 0.02, 240)
    radius = 0.172 * np.sin(a) * (1 + 0.13 * np.cos(a))
    height = 0.15 * (
        np.cos(a) - 0.36 * np.exp(-((a / 0.42) ** 2)) + 0.2 * np.exp(-(((np.pi - a) / 0.35) ** 2))
    )
    profile = np.stack([radius, height], 1)

    def paint(p: Array, angle: Array, t: Array) -> Array:
        around = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(p))], 1)
        streak = fractal(around * 9 + [0, 0, 1] * (2.2 * t)[:, None], 31)
        sunny = 0.5 + 0.5 * np.cos(angle - 0.6)
        yellow = step(0.45, 0.95, 0.62 * streak + 0.35 * sunny + 0.22 * np.abs(t - 0.5))
        top = np.exp(-((t / 0.13) ** 2)) + 0.6 * np.exp(-(((1 - t) / 0.12) ** 2))
        color = mix(rgb("a3161c"), rgb("e0a032"), 0.75 * yellow)
        color = mix(color, rgb("9a9a3a"), np.clip(top, 0, 1))
        return mix(color, rgb("f0c98a"), 0.3 * step(0.76, 0.9, noise(p * 52, 32)))

    body = revolve(profile, int(0.96 * count), paint, "apple", gloss=0.09, sharpness=10)
    stem = tube(
        np.array([[0, 0.085, 0], [0, 0.13, 0], [0.01, 0.16, 0], [0.045, 0.195, 0]]),
        (0.006, 0.011),
        int(0.04 * count),
        lambda p, a, t: np.tile(rgb("4a3018"), (len(p), 1)),
        "stem",
        0.02,
    )
    where, rotation = np.array([0.50, 0.136, -0.30]), turn(2, -0.22) @ turn(1, 0.5)
    return [placed(p, rotation, where) for p in (body, stem)]


def peel(p: Array, angle: Array, t: Array) -> Array:
    """Albedo of orange peel with pores."""
    pores = noise(p * 110, 41)
    return mix(rgb("f28c14"), rgb("d06a0c"), 0.35 * pores + 0.4 * fractal(p * 6, 42))


def peel_with_navel(p: Array, angle: Array, t: Array) -> Array:
    """Albedo of orange peel with the navel at the upper pole."""
    return mix(peel(p, angle, t), rgb("5f6a2a"), np.exp(-((t / 0.035) ** 2)))


def oranges(count: int) -> list[Patch]:
    """A whole orange, and half of one whose cut faces the light."""
    a = np.linspace(0.01, np.pi - 0.01, 200)
    whole = revolve(
        np.stack([0.152 * np.sin(a), 0.144 * np.cos(a)], 1),
        int(0.42 * count),
        peel_with_navel,
        "orange",
        gloss=0.035,
        sharpness=14,
    )
    half_radius = 0.15
    a = np.linspace(np.pi / 2, np.pi - 0.01, 120)
    rind = revolve(
        half_radius * np.stack([np.sin(a), np.cos(a)], 1),
        int(0.17 * count),
        peel,
        "half",
        gloss=0.03,
        sharpness=14,
    )

    def flesh(p: Array, angle: Array, t: Array) -> Array:
        r = np.hypot(p[:, 0], p[:, 2]) / half_radius
        cell = angle * 10 / (2 * np.pi)
        side = np.abs(cell - np.round(cell)) * 2 * np.pi / 10 * r
        fibre = noise(np.stack([angle * 26, r * 5, np.zeros(len(p))], 1), 43)
        color = mix(rgb("f2860f"), rgb("fbb848"), 0.75 * fibre)
        color = mix(color, rgb("e5700a"), 0.5 * step(0.55, 0.8, r))
        wall = np.maximum(line(side, 0.009, 0.016), step(0.115, 0.075, r))
        color = mix(color, rgb("fbe6b0"), np.maximum(wall, step(0.84, 0.87, r)))
        return mix(color, rgb("e8800c"), step(0.945, 0.965, r))

    face = np.stack([np.linspace(0.001, half_radius, 80), np.zeros(80)], 1)
    inside = circles(face, 0.41 * count, flesh, "half", aspect=1)
    lean = turn(1, 0.35) @ turn(0, np.radians(38))
    return [
        placed(whole, turn(0, 0.25) @ turn(2, 0.5), np.array([0.48, 0.148, 0.07])),
        *(placed(p, lean, np.array([0.32, 0.146, 0.34])) for p in (rind, inside)),
    ]


def lemon(count: int) -> list[Patch]:
    """A lemon lying on its side."""
    a = np.linspace(0.01, np.pi - 0.01, 240)
    tip = 0.045 * (np.exp(-((a / 0.28) ** 2)) - np.exp(-(((np.pi - a) / 0.24) ** 2)))
    profile = np.stack([0.107 * np.sin(a) ** 0.92, 0.132 * np.cos(a) + tip], 1)

    def paint(p: Array, angle: Array, t: Array) -> Array:
        pores = noise(p * 110, 51)
        color = mix(rgb("ecc318"), rgb("d2a30c"), 0.4 * pores + 0.3 * fractal(p * 7, 52))
        return mix(color, rgb("8f9a2c"), 0.7 * np.exp(-(((1 - t) / 0.07) ** 2)))

    body = revolve(profile, count, paint, "lemon", gloss=0.04, sharpness=16)
    return [placed(body, turn(1, 0.65) @ turn(2, np.pi / 2 - 0.06), np.array([0.05, 0.110, 0.55]))]


def marble(count: int) -> list[Patch]:
    """A polished ball of green stone with pale veins."""
    a = np.linspace(0.01, np.pi - 0.01, 200)
    radius = 0.115

    def paint(p: Array, angle: Array, t: Array) -> Array:
        warp = np.stack([fractal(p * 9, 60 + k) for k in range(3)], 1)
        vein = np.abs(fractal(p * 4 + 1.5 * warp, 64, 2) - 0.5)
        cloud = fractal(p * 8 + warp, 65, 3)
        color = mix(rgb("08302c"), rgb("1f6f5e"), step(0.3, 0.7, cloud))
        return mix(color, rgb("dfe9da"), 0.9 * step(0.05, 0.012, vein))

    ball = revolve(
        radius * np.stack([np.sin(a), np.cos(a)], 1),
        count,
        paint,
        "marble",
        gloss=0.18,
        sharpness=16,
    )
    return [placed(ball, turn(0, 0.7), np.array([0.66, radius, 0.42]))]


def still_life(count: float) -> list[Patch]:
    """All objects of the still life with about ``count`` splats."""
    shares = {teapot: 0.46, cup: 0.17, apple: 0.10, oranges: 0.15, lemon: 0.06, marble: 0.06}
    return [patch for make, share in shares.items() for patch in make(round(share * count))]


def stand_ins() -> list[tuple[str, Array, Array, Array]]:
    """Ellipsoids that shade and tint the others: part, centre, matrix to the unit ball, colour."""
    spheres = [
        ("pot", POT_PLACE + np.array([0, 0.225, 0]), np.array([0.315, 0.232, 0.315]), GLAZE * 0.8),
        ("lid", POT_PLACE + np.array([0, 0.445, 0]), np.array([0.15, 0.065, 0.15]), GLAZE * 0.8),
        ("lid", POT_PLACE + np.array([0, 0.553, 0]), np.full(3, 0.032), GOLD),
        ("cup", np.array([-0.40, 0.125, 0.44]), np.array([0.121, 0.105, 0.121]), GLAZE * 0.8),
        ("saucer", np.array([-0.40, 0.03, 0.44]), np.array([0.212, 0.012, 0.212]), GLAZE * 0.8),
        ("apple", np.array([0.50, 0.13, -0.30]), np.array([0.172, 0.14, 0.172]), rgb("a3261c")),
        ("orange", np.array([0.48, 0.148, 0.07]), np.full(3, 0.149), rgb("e07a10")),
        ("lemon", np.array([0.05, 0.110, 0.55]), np.full(3, 0.108), rgb("e8c418")),
        ("marble", np.array([0.66, 0.115, 0.42]), np.full(3, 0.115), rgb("1d6355")),
    ]
    face = turn(1, 0.35) @ turn(0, np.radians(38)) @ [0, 1, 0]
    spheres.append(
        ("half", np.array([0.32, 0.146, 0.34]) - 0.06 * face, np.full(3, 0.118), rgb("e07a10"))
    )
    curves = (
        ("spout", SPOUT, np.linspace(0.06, 0.028, 9)),
        ("handle", HANDLE, np.full(14, 0.026)),
    )
    for part, control, radii in curves:
        path = bezier(control, np.linspace(0.12, 1, len(radii))) @ POT_TURN.T + POT_PLACE
        spheres += [(part, c, np.full(3, r), GLAZE * 0.8) for c, r in zip(path, radii, strict=True)]
    return [(part, centre, np.diag(1 / radii), color) for part, centre, radii, color in spheres]
