"""Front-to-back alpha blending of a tile's Gaussians.

A kernel takes a tile, stages batches of its Gaussians into a small array of planes, and runs one
flat loop over the pixel rows that the Gaussian's ellipse touches; pixels are planes too, so that
the loop is a plain vector loop. Finished pixels (transmittance would fall to ``STOP_TRANSMITTANCE``
or below, 3DGS' early stop) carry a negative transmittance and take nothing more.

Coordinates are whitened: ``p = (k11 dx + k21 dy, k22 dy)`` with ``(dx, dy) = mean - pixel`` and
``log2 alpha = l - p.p``, where ``k`` is the Cholesky factor of the inverse screen covariance times
``log2(e) / 2``. Long thin Gaussians lose no digits in it.
"""

import math

import numpy as np

from core.rendering.cpu.common import (
    F32,
    I32,
    I64,
    LOG2_MIN_ALPHA,
    MAX_ALPHA,
    STOP_TRANSMITTANCE,
    TILE_HEIGHT,
    TILE_PIXELS,
    TILE_WIDTH,
    F,
    Real,
    U,
    exp2,
    fetch_add,
    inline,
    kernel,
)

BATCH = 32
"""Gaussians staged at a time."""
CHECK_EVERY = 8
"""Gaussians blended between two looks at whether any pixel of the tile is still unfinished."""
STAGED_FIELDS = 10

PLANE_2 = U(2 * TILE_PIXELS)
PLANE_3 = U(3 * TILE_PIXELS)
PLANE_4 = U(4 * TILE_PIXELS)
PLANE_5 = U(5 * TILE_PIXELS)
PLANE_6 = U(6 * TILE_PIXELS)
PLANE_7 = U(7 * TILE_PIXELS)


@inline
def make_scratch(planes: int) -> tuple[F32, F32, I32]:
    """Work arrays of one thread: pixel planes, staged batch, staged pixel ranges.

    Planes 0 and 1 hold each pixel's x and y inside the tile; ``planes`` more follow, by custom the
    transmittance first. Constant offsets into one array let LLVM prove that planes do not overlap.
    """
    pixels = np.zeros((2 + planes) * TILE_PIXELS, np.float32)
    for p in range(TILE_PIXELS):
        pixels[p] = F(p % TILE_WIDTH)
        pixels[TILE_PIXELS + p] = F(p // TILE_WIDTH)
    return pixels, np.ones(STAGED_FIELDS * BATCH, np.float32), np.zeros(2 * BATCH, np.int32)


@inline
def stage(
    records: F32, ids: I32, first: int, count: int, x0: int, y0: int, batch: F32, spans: I32
) -> None:
    """Gather ``count`` Gaussians ``ids[first:]`` of the tile whose first pixel is (x0, y0).

    ``batch[field * BATCH + j]`` receives mean x, mean y (from the centre of the tile's first
    pixel), k11, k21, k22, l, r, g, b, half-height; ``spans[j]`` and ``spans[BATCH + j]`` the range
    of pixels in the tile, in whole rows, where alpha can reach ``MIN_ALPHA``. The gather is a loop
    of its own because its cache misses overlap only if no branch waits on them.
    """
    origin_x = F(x0) + F(0.5)
    origin_y = F(y0) + F(0.5)
    for j in range(count):
        i = ids[first + j]
        batch[j] = records[i, 0] - origin_x
        batch[BATCH + j] = records[i, 1] - origin_y
        for field in range(2, STAGED_FIELDS):
            batch[field * BATCH + j] = records[i, field]
    for j in range(U(BATCH)):
        mean_x = batch[j]
        mean_y = batch[j + U(BATCH)]
        k11 = batch[j + U(2 * BATCH)]
        k21 = batch[j + U(3 * BATCH)]
        k22 = batch[j + U(4 * BATCH)]
        limit = batch[j + U(5 * BATCH)] - LOG2_MIN_ALPHA
        half_height = batch[j + U(9 * BATCH)]
        norm = k21 * k21 + k22 * k22
        inverse = F(1) / norm
        # The ellipse's lowest point, and the tile's columns nearest to it and to its opposite,
        # bound the rows: y = (-h x +- sqrt(norm limit - e^2 x^2)) / norm along a column x.
        lowest_x = -k21 / k11 * half_height
        left = -mean_x
        right = F(TILE_WIDTH - 1) - mean_x
        x_low = min(max(lowest_x, left), right)
        x_high = min(max(-lowest_x, left), right)
        e = k11 * k22
        h = k11 * k21
        reach = norm * limit
        low = inverse * (math.sqrt(max(reach - e * e * x_low * x_low, F(0))) - h * x_low)
        high = -inverse * (math.sqrt(max(reach - e * e * x_high * x_high, F(0))) + h * x_high)
        spans[j] = _row(mean_y + high + F(0.999)) * np.int32(TILE_WIDTH)
        spans[j + U(BATCH)] = _row(mean_y + low + F(1.001)) * np.int32(TILE_WIDTH)


@inline
def _row(y: Real) -> Real:
    """``y`` clamped to 0 .. TILE_HEIGHT and cut to int32; NaN gives 0."""
    y = y if y > F(0) else F(0)
    return np.int32(y if y < F(TILE_HEIGHT) else F(TILE_HEIGHT))


@inline
def staged(batch: F32, j: int) -> tuple[Real, Real, Real, Real, Real, Real, Real, Real, Real]:
    """Mean x, mean y, k11, k21, k22, l, r, g, b of the j-th staged Gaussian."""
    return (
        batch[j],
        batch[BATCH + j],
        batch[2 * BATCH + j],
        batch[3 * BATCH + j],
        batch[4 * BATCH + j],
        batch[5 * BATCH + j],
        batch[6 * BATCH + j],
        batch[7 * BATCH + j],
        batch[8 * BATCH + j],
    )


@inline
def any_unfinished(pixels: F32) -> bool:
    """Whether some pixel's transmittance (plane 2) is still positive."""
    n = np.int32(0)
    for p in range(U(2 * TILE_PIXELS), U(3 * TILE_PIXELS)):
        n += np.int32(1) if pixels[p] > F(0) else np.int32(0)
    return bool(n > 0)


@inline
def alpha_blend(log2_alpha: Real, transmittance: Real) -> tuple[Real, Real, Real, Real, Real]:
    """One Gaussian at one pixel.

    Returns alpha before the clamp to ``MAX_ALPHA``, alpha after it, the transmittance in front of
    the Gaussian (0 for a finished pixel), the weight ``alpha T`` (0 below ``MIN_ALPHA`` and where
    the ray ends), and the next transmittance, negative once the pixel is finished.
    """
    unclamped = exp2(log2_alpha)
    before = max(transmittance, F(0))
    alpha = min(unclamped, MAX_ALPHA)
    weight = alpha * before
    if log2_alpha < LOG2_MIN_ALPHA:
        weight = F(0)
    after = before - weight
    goes_on = after > STOP_TRANSMITTANCE
    weight = weight if goes_on else F(0)
    return unclamped, alpha, before, weight, (after if goes_on else -abs(transmittance))


@inline
def tile_origin(tile: int, width: int) -> tuple[int, int]:
    """x and y of a tile's first pixel; tiles are numbered row by row."""
    columns = (width + TILE_WIDTH - 1) // TILE_WIDTH
    row = tile // columns
    return (tile - row * columns) * TILE_WIDTH, row * TILE_HEIGHT


@inline
def tile_count(width: int, height: int) -> int:
    """Number of tiles of a picture."""
    columns = (width + TILE_WIDTH - 1) // TILE_WIDTH
    return columns * ((height + TILE_HEIGHT - 1) // TILE_HEIGHT)


@inline
def _add_gaussian(
    pixels: F32, batch: F32, spans: I32, j: int, z: Real, depth_sum: F32 | None
) -> None:
    """Blend the j-th staged Gaussian into the planes T, r, g, b and, if asked for, depth."""
    mean_x, mean_y, k11, k21, k22, log2_opacity, r, g, b = staged(batch, j)
    for p in range(U(spans[j]), U(spans[BATCH + j])):
        dx = mean_x - pixels[p]
        dy = mean_y - pixels[p + U(TILE_PIXELS)]
        p1 = k11 * dx + k21 * dy
        p2 = k22 * dy
        _, _, _, weight, after = alpha_blend(log2_opacity - p1 * p1 - p2 * p2, pixels[p + PLANE_2])
        pixels[p + PLANE_2] = after
        pixels[p + PLANE_3] += weight * r
        pixels[p + PLANE_4] += weight * g
        pixels[p + PLANE_5] += weight * b
        if depth_sum is not None:
            pixels[p + PLANE_6] += weight * z


@inline
def _store(
    pixels: F32,
    x0: int,
    y0: int,
    background: F32,
    image: F32,
    transmittance: F32,
    depth_sum: F32 | None,
) -> None:
    """Write a finished tile into the pictures."""
    height, width = transmittance.shape
    for y in range(min(TILE_HEIGHT, height - y0)):
        for x in range(min(TILE_WIDTH, width - x0)):
            p = y * TILE_WIDTH + x
            rest = abs(pixels[2 * TILE_PIXELS + p])
            for channel in range(3):
                image[y0 + y, x0 + x, channel] = (
                    pixels[(3 + channel) * TILE_PIXELS + p] + rest * background[channel]
                )
            transmittance[y0 + y, x0 + x] = rest
            if depth_sum is not None:
                depth_sum[y0 + y, x0 + x] = pixels[6 * TILE_PIXELS + p]


@kernel
def blend(
    records: F32,
    offsets: I64,
    ids: I32,
    background: F32,
    image: F32,
    transmittance: F32,
    depth_sum: F32 | None,
    counter: I64,
) -> None:
    """Blend tiles until none is left.

    Writes ``image (H, W, 3)``, background included, ``transmittance (H, W)``, and, unless it is
    None, ``depth_sum (H, W)`` = ``sum(w z)``.
    """
    height, width = transmittance.shape
    tiles = tile_count(width, height)
    pixels, batch, spans = make_scratch(5)
    while True:
        tile = fetch_add(counter, 1)
        if tile >= tiles:
            break
        x0, y0 = tile_origin(tile, width)
        pixels[2 * TILE_PIXELS : 3 * TILE_PIXELS] = F(1)
        pixels[3 * TILE_PIXELS :] = F(0)
        k = offsets[tile]
        end = offsets[tile + 1]
        while k < end:
            count = min(BATCH, end - k)
            stage(records, ids, k, count, x0, y0, batch, spans)
            for j in range(count):
                _add_gaussian(pixels, batch, spans, j, records[ids[k + j], 10], depth_sum)
                if j & (CHECK_EVERY - 1) == CHECK_EVERY - 1 and not any_unfinished(pixels):
                    k = end
                    break
            k += BATCH
        _store(pixels, x0, y0, background, image, transmittance, depth_sum)
