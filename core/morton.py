"""The Morton order: neighbours in space become neighbours in a list."""

import numpy as np
from numpy.typing import NDArray

MAX_BITS = 21
"""Per axis, so that a code fits into 64 bits."""


def morton_codes(cells: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Codes of cells of a grid, their bits interleaved: ``... z1 y1 x1 z0 y0 x0``.

    Parameters
    ----------
    cells
        Whole numbers from 0 to ``2**21 - 1``, ``(N, 3)``.
    """
    spread = cells.astype(np.uint64)
    for shift, mask in (
        (32, 0x001F00000000FFFF),
        (16, 0x001F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        spread = (spread | (spread << np.uint64(shift))) & np.uint64(mask)
    spread[:, 1] <<= np.uint64(1)
    spread[:, 2] <<= np.uint64(2)
    codes: NDArray[np.uint64] = np.bitwise_or.reduce(spread, axis=1)
    return codes


def morton_cells(codes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The cells of codes, ``(N, 3)``: the inverse of :func:`morton_codes`."""
    packed = np.stack([codes, codes >> np.uint64(1), codes >> np.uint64(2)], 1)
    packed &= np.uint64(0x1249249249249249)
    for shift, mask in (
        (2, 0x10C30C30C30C30C3),
        (4, 0x100F00F00F00F00F),
        (8, 0x001F0000FF0000FF),
        (16, 0x001F00000000FFFF),
        (32, 0x00000000001FFFFF),
    ):
        packed = (packed | (packed >> np.uint64(shift))) & np.uint64(mask)
    return packed.astype(np.uint32)


def morton_order(means: NDArray[np.floating]) -> NDArray[np.int64]:
    """The order of points, float ``(N, 3)``, along the curve through their bounding box, ``(N,)``.

    Points of one cell keep their order.
    """
    above = means.astype(np.float64) - means.min(0)
    extents = np.maximum(above.max(0), np.finfo(np.float64).tiny)
    cells = (above / extents * (2**MAX_BITS - 1)).astype(np.uint32)
    return np.argsort(morton_codes(cells), kind="stable")
