"""What one view tells about every Gaussian: contribution sums and the Fisher block.

The blend is replayed front to back over a finished image, so that the colour still behind each
Gaussian is the image minus what was blended up to it. With ``alpha`` the opacity at a pixel, ``T``
the transmittance in front, ``w = alpha T`` and ``e_c = alpha dI_c / dalpha``, which is
``w c - B alpha / (1 - alpha)`` for a colour ``c`` and the part ``B`` of the image that lies behind,
every column is a sum over pixels.

The Fisher block needs no outer product per pixel: moments of ``sum_c e_c^2`` in the whitened
coordinates ``p`` are enough, see :mod:`core.rendering.cpu.fisher`.
"""

import numpy as np
from numpy.typing import NDArray

from core.rendering.cpu.blend import (
    BATCH,
    CHECK_EVERY,
    PLANE_2,
    PLANE_3,
    PLANE_4,
    PLANE_5,
    PLANE_6,
    PLANE_7,
    alpha_blend,
    any_unfinished,
    make_scratch,
    stage,
    staged,
    tile_origin,
)
from core.rendering.cpu.common import (
    F32,
    I32,
    I64,
    MAX_ALPHA,
    TILE_HEIGHT,
    TILE_PIXELS,
    TILE_WIDTH,
    F,
    Real,
    U,
    fetch_add,
    inline,
    kernel,
)

F64 = NDArray[np.float64]

SUMS = 7
"""Fields of a contribution row: removal error, Speedy-Splat, weight, transmittance, hits, pixels
where it is the largest weight, largest weight."""
MOMENTS = 12
"""Moments of ``sum_c e_c^2``: 11 12 22, 111 112 122 222, 1111 1112 1122 1222 2222."""
CROSS = 22
"""Moments of ``sum_c e_c^2``: 1, P1, P2; of ``e_c w`` for c = r, g, b: 1, P1, P2, 11, 12, 22; then
``sum w^2``."""
COLUMNS = 9
"""Per Gaussian over all views: the first six sums, largest weight, top mean weight, views seen."""


@inline
def _load(pixels: F32, x0: int, y0: int, image: F32) -> None:
    """Transmittance 1 (plane 2) and the finished colour (planes 3 to 5); 0 outside the picture."""
    height, width, _ = image.shape
    pixels[2 * TILE_PIXELS :] = F(0)
    for y in range(min(TILE_HEIGHT, height - y0)):
        for x in range(min(TILE_WIDTH, width - x0)):
            p = y * TILE_WIDTH + x
            pixels[2 * TILE_PIXELS + p] = F(1)
            for channel in range(3):
                pixels[(3 + channel) * TILE_PIXELS + p] = image[y0 + y, x0 + x, channel]


@inline
def _pass(behind: Real, color: Real, weight: Real, odds: Real) -> tuple[Real, Real]:
    """Colour behind the Gaussian, and ``e = alpha dI/dalpha``, of one channel."""
    behind -= weight * color
    return behind, weight * color - behind * odds


@inline
def _write(rows: F32, n: int, field: int, values: tuple[Real, ...]) -> None:
    """``rows[n, field:] = values``."""
    for offset in range(len(values)):
        rows[n, field + offset] = values[offset]


@inline
def _contribution_row(
    pixels: F32,
    batch: F32,
    spans: I32,
    j: int,
    place: Real,
    rows: F32,
    moments: F32 | None,
    n: int,
) -> None:
    """Write row ``n`` for the j-th staged Gaussian, number ``place`` of the tile; move past it."""
    mean_x, mean_y, k11, k21, k22, log2_opacity, r, g, b = staged(batch, j)
    removal = speedy = weights = transmittances = hits = F(0)
    peak = np.int32(0)
    m11 = m12 = m22 = m111 = m112 = m122 = m222 = F(0)
    m1111 = m1112 = m1122 = m1222 = m2222 = F(0)
    for p in range(U(spans[j]), U(spans[BATCH + j])):
        dx = mean_x - pixels[p]
        dy = mean_y - pixels[p + U(TILE_PIXELS)]
        p1 = k11 * dx + k21 * dy
        p2 = k22 * dy
        q11 = p1 * p1
        q22 = p2 * p2
        unclamped, alpha, before, weight, after = alpha_blend(
            log2_opacity - q11 - q22, pixels[p + PLANE_2]
        )
        pixels[p + PLANE_2] = after
        inverse = F(1) / (F(1) - alpha)
        odds = alpha * inverse
        behind_r, er = _pass(pixels[p + PLANE_3], r, weight, odds)
        behind_g, eg = _pass(pixels[p + PLANE_4], g, weight, odds)
        behind_b, eb = _pass(pixels[p + PLANE_5], b, weight, odds)
        pixels[p + PLANE_3] = behind_r
        pixels[p + PLANE_4] = behind_g
        pixels[p + PLANE_5] = behind_b
        hit = weight > F(0)
        squares = er * er + eg * eg + eb * eb if hit else F(0)
        slope = before * (r + g + b) - inverse * (behind_r + behind_g + behind_b)
        slope = slope if hit else F(0)
        removal += squares
        speedy += slope * slope
        weights += weight
        transmittances += before if hit else F(0)
        hits += F(1) if hit else F(0)
        # Floats >= 0 order like their bits; only of integers is a maximum a vector sum.
        bits = F(weight).view(np.int32)
        peak = bits if bits > peak else peak
        largest = pixels[p + PLANE_6]
        pixels[p + PLANE_7] = place if weight > largest else pixels[p + PLANE_7]
        pixels[p + PLANE_6] = max(weight, largest)
        if moments is not None:
            squares = F(0) if unclamped > MAX_ALPHA else squares
            q12 = p1 * p2
            e11 = squares * q11
            e12 = squares * q12
            e22 = squares * q22
            m11 += e11
            m12 += e12
            m22 += e22
            m111 += e11 * p1
            m112 += e11 * p2
            m122 += e22 * p1
            m222 += e22 * p2
            m1111 += e11 * q11
            m1112 += e11 * q12
            m1122 += e11 * q22
            m1222 += e12 * q22
            m2222 += e22 * q22
    _write(rows, n, 0, (removal, speedy, weights, transmittances, hits))
    rows[n, 6] = np.int32(peak).view(np.float32)
    if moments is not None:
        _write(moments, n, 0, (m11, m12, m22, m111, m112, m122, m222))
        _write(moments, n, 7, (m1111, m1112, m1122, m1222, m2222))


@kernel
def contribution_rows(
    records: F32,
    offsets: I64,
    ids: I32,
    first_tile: int,
    last_tile: int,
    image: F32,
    rows: F32,
    moments: F32 | None,
    counter: I64,
) -> None:
    """Sums of every (Gaussian, tile) pair of a range of tiles.

    ``rows (pairs, SUMS)`` and, unless it is None, ``moments (pairs, MOMENTS)`` receive them, the
    first pair of ``first_tile`` first. The moments leave out pixels where alpha is clamped.
    """
    width = image.shape[1]
    pixels, batch, spans = make_scratch(6)
    while True:
        tile = first_tile + fetch_add(counter, 1)
        if tile >= last_tile:
            break
        x0, y0 = tile_origin(tile, width)
        _load(pixels, x0, y0, image)
        begin = offsets[tile]
        base = offsets[first_tile]
        end = offsets[tile + 1]
        rows[begin - base : end - base] = F(0)
        if moments is not None:
            moments[begin - base : end - base] = F(0)
        k = begin
        while k < end:
            count = min(BATCH, end - k)
            stage(records, ids, k, count, x0, y0, batch, spans)
            for j in range(count):
                _contribution_row(
                    pixels, batch, spans, j, F(k + j - begin), rows, moments, k + j - base
                )
                if j & (CHECK_EVERY - 1) == CHECK_EVERY - 1 and not any_unfinished(pixels):
                    k = end
                    break
            k += BATCH
        for p in range(TILE_PIXELS):
            if pixels[6 * TILE_PIXELS + p] > F(0):
                rows[begin - base + int(pixels[7 * TILE_PIXELS + p]), 5] += F(1)


@inline
def _cross_row(pixels: F32, batch: F32, spans: I32, j: int, rows: F32, n: int) -> None:
    """Write row ``n`` for the j-th staged Gaussian, and move past it."""
    mean_x, mean_y, k11, k21, k22, log2_opacity, r, g, b = staged(batch, j)
    m0 = m1 = m2 = squared_weights = F(0)
    r0 = r1 = r2 = r11 = r12 = r22 = F(0)
    g0 = g1 = g2 = g11 = g12 = g22 = F(0)
    b0 = b1 = b2 = b11 = b12 = b22 = F(0)
    for p in range(U(spans[j]), U(spans[BATCH + j])):
        dx = mean_x - pixels[p]
        dy = mean_y - pixels[p + U(TILE_PIXELS)]
        p1 = k11 * dx + k21 * dy
        p2 = k22 * dy
        q11 = p1 * p1
        q12 = p1 * p2
        q22 = p2 * p2
        unclamped, alpha, _, weight, after = alpha_blend(
            log2_opacity - q11 - q22, pixels[p + PLANE_2]
        )
        pixels[p + PLANE_2] = after
        squared_weights += weight * weight
        odds = alpha / (F(1) - alpha)
        free = (weight > F(0)) & (unclamped <= MAX_ALPHA)
        pixels[p + PLANE_3], e = _pass(pixels[p + PLANE_3], r, weight, odds)
        e = e if free else F(0)
        squares = e * e
        e *= weight
        r0 += e
        r1 += e * p1
        r2 += e * p2
        r11 += e * q11
        r12 += e * q12
        r22 += e * q22
        pixels[p + PLANE_4], e = _pass(pixels[p + PLANE_4], g, weight, odds)
        e = e if free else F(0)
        squares += e * e
        e *= weight
        g0 += e
        g1 += e * p1
        g2 += e * p2
        g11 += e * q11
        g12 += e * q12
        g22 += e * q22
        pixels[p + PLANE_5], e = _pass(pixels[p + PLANE_5], b, weight, odds)
        e = e if free else F(0)
        squares += e * e
        e *= weight
        b0 += e
        b1 += e * p1
        b2 += e * p2
        b11 += e * q11
        b12 += e * q12
        b22 += e * q22
        m0 += squares
        m1 += squares * p1
        m2 += squares * p2
    _write(rows, n, 0, (m0, m1, m2))
    _write(rows, n, 3, (r0, r1, r2, r11, r12, r22))
    _write(rows, n, 9, (g0, g1, g2, g11, g12, g22))
    _write(rows, n, 15, (b0, b1, b2, b11, b12, b22))
    rows[n, 21] = squared_weights


@kernel
def cross_rows(
    records: F32,
    offsets: I64,
    ids: I32,
    first_tile: int,
    last_tile: int,
    image: F32,
    rows: F32,
    counter: I64,
) -> None:
    """Moments that tie colour and opacity to the geometry, per (Gaussian, tile) pair.

    ``rows (pairs, CROSS)``; the pairs as in :func:`contribution_rows`.
    """
    width = image.shape[1]
    pixels, batch, spans = make_scratch(4)
    while True:
        tile = first_tile + fetch_add(counter, 1)
        if tile >= last_tile:
            break
        x0, y0 = tile_origin(tile, width)
        _load(pixels, x0, y0, image)
        base = offsets[first_tile]
        k = offsets[tile]
        end = offsets[tile + 1]
        rows[k - base : end - base] = F(0)
        while k < end:
            count = min(BATCH, end - k)
            stage(records, ids, k, count, x0, y0, batch, spans)
            for j in range(count):
                _cross_row(pixels, batch, spans, j, rows, k + j - base)
                if j & (CHECK_EVERY - 1) == CHECK_EVERY - 1 and not any_unfinished(pixels):
                    k = end
                    break
            k += BATCH


@kernel
def gather_rows(
    first: int,
    last: int,
    rows: F32,
    base: int,
    limit: int,
    start: I64,
    slots: I32,
    order: I32,
    sums: F32,
    last_is_maximum: bool,
) -> None:
    """Add each Gaussian's rows of the pairs ``base .. limit`` to ``sums (N, fields)``.

    ``first .. last`` is a range of the depth order, ``sums`` is in the scene's order. The range of
    pairs that begins at 0 sets the sums to zero first; only visible Gaussians are written. The
    order of the additions does not depend on threads or ranges. The last field is a maximum if
    ``last_is_maximum``.
    """
    fields = sums.shape[1]
    added = fields - 1 if last_is_maximum else fields
    for k in range(first, last):
        i = order[k]
        if base == 0:
            for field in range(fields):
                sums[i, field] = F(0)
        for n in range(start[k], start[k + 1]):
            slot = slots[n]
            if slot >= base and slot < limit:
                for field in range(added):
                    sums[i, field] += rows[slot - base, field]
                if last_is_maximum:
                    sums[i, added] = max(sums[i, added], rows[slot - base, added])


@kernel
def add_columns(first: int, last: int, depth: F32, projected: F32, sums: F32, totals: F64) -> None:
    """Add one view's sums ``(N, SUMS)`` to the totals over all views ``(N, COLUMNS)``."""
    for i in range(first, last):
        if not (depth[i] > F(0) and sums[i, 4] > F(0)):
            continue
        opacity = 2.0 ** float(projected[i, 5])
        totals[i, 0] += sums[i, 0]
        totals[i, 1] += opacity * opacity * sums[i, 1]
        for field in range(2, 6):
            totals[i, field] += sums[i, field]
        totals[i, 6] = max(totals[i, 6], float(sums[i, 6]))
        if sums[i, 5] > F(0):
            totals[i, 7] += float(sums[i, 2]) / float(sums[i, 4])
        totals[i, 8] += 1.0
