"""From projected Gaussians to depth-ordered lists of Gaussians per tile.

Each Gaussian is listed at exactly the tiles that its ellipse ``alpha >= 1/255`` touches. The depth
order is counted and then filled in parts, side by side; a tile's list comes out in depth order
however many parts there are.
"""

import math

import numpy as np

from core.rendering.cpu.common import (
    F32,
    I32,
    I64,
    LOG2_MIN_ALPHA,
    RECORD_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    F,
    Real,
    inline,
    kernel,
)


@kernel
def depth_order(depth: F32) -> I32:
    """Indices of the Gaussians with positive depth, nearest first, equal depths by index ``(M,)``.

    A radix sort of 11 bits a pass: positive floats order like their bits.
    """
    n = depth.shape[0]
    bits = depth.view(np.uint32)
    position = np.zeros((3, 2048), np.int64)
    visible = 0
    for i in range(n):
        if depth[i] > 0:
            key = bits[i]
            position[0, key & 2047] += 1
            position[1, (key >> 11) & 2047] += 1
            position[2, key >> 22] += 1
            visible += 1
    for digit in range(3):
        total = 0
        for value in range(2048):
            count = position[digit, value]
            position[digit, value] = total
            total += count
    order = np.empty(visible, np.int32)
    keys = np.empty(visible, np.uint32)
    order_2 = np.empty(visible, np.int32)
    keys_2 = np.empty(visible, np.uint32)
    for i in range(n):
        if depth[i] > 0:
            key = bits[i]
            target = position[0, key & 2047]
            position[0, key & 2047] = target + 1
            order[target] = i
            keys[target] = key
    for i in range(visible):
        key = keys[i]
        target = position[1, (key >> 11) & 2047]
        position[1, (key >> 11) & 2047] = target + 1
        order_2[target] = order[i]
        keys_2[target] = key
    for i in range(visible):
        value = keys_2[i] >> 22
        target = position[2, value]
        position[2, value] = target + 1
        order[target] = order_2[i]
    return order


@inline
def _tile_rows(mean_y: Real, half_height: Real, rows: int) -> tuple[int, int]:
    """First and last tile row whose pixel centres the ellipse's box reaches; may be empty."""
    first = int(max(mean_y - half_height + F(0.499), F(0))) // TILE_HEIGHT
    last = int(max(mean_y + half_height - F(0.499), F(0))) // TILE_HEIGHT
    return first, min(last, rows - 1)


@inline
def _ellipse(records: F32, k: int) -> tuple[Real, Real, Real, Real, Real, Real, Real, Real, Real]:
    """What ``_row_span`` needs of a record.

    Mean x, mean y, half-width, half-height, k21, k22, 1 / k11, the largest ``p.p`` inside, and the
    height (pixel - mean) of the ellipse's rightmost point.
    """
    k11 = records[k, 2]
    k21 = records[k, 3]
    k22 = records[k, 4]
    half_width = records[k, 11]
    rightmost_y = -k11 * k21 * half_width / (k21 * k21 + k22 * k22)
    limit = records[k, 5] - LOG2_MIN_ALPHA
    return (
        records[k, 0],
        records[k, 1],
        half_width,
        records[k, 9],
        k21,
        k22,
        F(1) / k11,
        limit,
        rightmost_y,
    )


@inline
def _row_span(
    ellipse: tuple[Real, Real, Real, Real, Real, Real, Real, Real, Real], row: int, columns: int
) -> tuple[int, int]:
    """Tiles ``[first, last)`` of a tile row that the ellipse ``p.p <= limit`` touches."""
    mean_x, mean_y, _, half_height, k21, k22, inverse_k11, limit, rightmost_y = ellipse
    top = F(row * TILE_HEIGHT) + F(0.5)
    bottom = F(row * TILE_HEIGHT + TILE_HEIGHT) - F(0.5)
    first_y = max(top - mean_y, -half_height)
    last_y = min(bottom - mean_y, half_height)
    if first_y > last_y:
        return 0, 0
    right_y = min(max(rightmost_y, first_y), last_y)
    left_y = min(max(-rightmost_y, first_y), last_y)
    right_p2 = k22 * right_y
    left_p2 = k22 * left_y
    right = (
        mean_x
        + inverse_k11 * (math.sqrt(max(limit - right_p2 * right_p2, F(0))) - k21 * right_y)
        - F(0.499)
    )
    left = (
        mean_x
        - inverse_k11 * (math.sqrt(max(limit - left_p2 * left_p2, F(0))) + k21 * left_y)
        + F(0.499)
    )
    if not (right >= F(0) and left <= F(columns * TILE_WIDTH)):
        return 0, 0
    right = min(right, F(columns * TILE_WIDTH))
    left = max(left, F(0))
    if int(right + F(1)) < int(left):
        return 0, 0
    return int(left) // TILE_WIDTH, min(int(right) // TILE_WIDTH + 1, columns)


@kernel
def count_pairs(
    first: int,
    last: int,
    projected: F32,
    order: I32,
    records: F32,
    start: I64,
    counts: I32,
    columns: int,
    rows: int,
) -> int:
    """Gather the records of a range of the depth order, and count its (Gaussian, tile) pairs.

    Writes ``records[first:last]``, ``start[first:last]`` (pairs of this range before each Gaussian)
    and adds to this part's ``counts (tiles,)``. Two loops on purpose: the gather's cache misses
    overlap only if no unpredictable branch waits on them.
    """
    for k in range(first, last):
        i = order[k]
        for field in range(RECORD_SIZE):
            records[k, field] = projected[i, field]
    total = 0
    for k in range(first, last):
        ellipse = _ellipse(records, k)
        start[k] = total
        first_row, last_row = _tile_rows(ellipse[1], ellipse[3], rows)
        for row in range(first_row, last_row + 1):
            begin, end = _row_span(ellipse, row, columns)
            if end > begin:
                total += end - begin
                for tile in range(row * columns + begin, row * columns + end):
                    counts[tile] += 1
    return total


@kernel
def tile_offsets(counts: I32, offsets: I64) -> None:
    """Turn counts per part and tile into the places where each part is written; in place.

    ``offsets (tiles + 1,)`` receives the begin of each tile's list.
    """
    parts, tiles = counts.shape
    total = 0
    for tile in range(tiles):
        offsets[tile] = total
        for part in range(parts):
            count = counts[part, tile]
            counts[part, tile] = total
            total += count
    offsets[tiles] = total


@kernel
def fill_lists(
    first: int,
    last: int,
    records: F32,
    start: I64,
    base: int,
    positions: I32,
    ids: I32,
    slots: I32,
    columns: int,
    rows: int,
) -> None:
    """Write the tile lists of a range of the depth order.

    ``ids (P,)`` receives places in the depth order, tile by tile; ``slots[start[k]:start[k + 1]]``
    the places in ``ids`` of Gaussian ``k``. ``base``: pairs of the ranges before this one.
    """
    for k in range(first, last):
        n = start[k] + base
        start[k] = n
        ellipse = _ellipse(records, k)
        first_row, last_row = _tile_rows(ellipse[1], ellipse[3], rows)
        for row in range(first_row, last_row + 1):
            begin, end = _row_span(ellipse, row, columns)
            for tile in range(row * columns + begin, row * columns + end):
                position = positions[tile]
                ids[position] = k
                positions[tile] = position + 1
                slots[n] = position
                n += 1


@kernel
def segment_sum(
    first: int, last: int, rows: F32, start: I64, slots: I32, order: I32, sums: F32
) -> None:
    """Sum each Gaussian's rows ``(P, fields)`` over its tiles, into the scene's order.

    The order of the additions is fixed, so the sums do not depend on the number of threads.
    ``sums (N, fields)``: only rows of visible Gaussians are written.
    """
    fields = sums.shape[1]
    for k in range(first, last):
        i = order[k]
        for field in range(fields):
            sums[i, field] = F(0)
        for n in range(start[k], start[k + 1]):
            slot = slots[n]
            for field in range(fields):
                sums[i, field] += rows[slot, field]
