"""Who stands near whom: nearest neighbours of centres, and selections that grow and shrink."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

WORKERS = 2
CHUNK = 2**17
"""Centres asked for at a time."""
GROW_NEIGHBORS = 8
GROW_SAMPLE = 4096
"""Selected Gaussians whose neighbours tell the typical distance."""

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


def nearest(means: Tensor | F64, k: int) -> tuple[F64, I64]:
    """The ``k`` nearest other centres of every centre, nearest first.

    Exact, also among coinciding centres. Takes seconds for a million centres, and besides the
    result some 200 bytes for each.

    Parameters
    ----------
    means
        Centres ``(N, 3)``, on any device.
    k
        How many, at least 1.

    Returns
    -------
    distances
        ``(N, k)``; infinite where there are no more centres, and for centres that are not finite,
        which are nobody's neighbours.
    indices
        int64 ``(N, k)``; -1 where the distance is infinite.
    """
    distances = np.full((len(means), k), np.inf)
    indices = np.full((len(means), k), -1, np.int64)
    for rows, some_distances, some_indices in _nearest(means, k):
        distances[rows] = some_distances
        indices[rows] = some_indices
    return distances, indices


def neighbor_distance(means: Tensor | F64, k: int) -> F64:
    """Mean distance to the ``k`` nearest other centres, or to all if they are fewer, ``(N,)``.

    NaN for a centre that is not finite or that is alone. Takes less memory than :func:`nearest`.
    """
    mean = np.full(len(means), np.nan)
    for rows, distances, _ in _nearest(means, k):
        there = np.isfinite(distances)
        count = there.sum(axis=1)
        total = np.where(there, distances, 0.0).sum(axis=1)
        mean[rows] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def grow(mask: Tensor, means: Tensor, visible: Tensor, factor: float = 1.0) -> Tensor:
    """A selection and the visible Gaussians close to it, bool ``(N,)`` on the CPU.

    Close is within ``factor`` times the typical neighbour distance of a selected centre: the
    median, over (a sample of) the selected, of the mean distance to their 8 nearest visible.

    Parameters
    ----------
    mask
        The selected Gaussians, bool ``(N,)``.
    means
        Centres ``(N, 3)``; those that are not finite are never added.
    visible
        Which may be added, bool ``(N,)``.
    """
    selected, seen = mask.cpu().numpy(), visible.cpu().numpy()
    added = _close(means, selected & seen, seen & ~selected, seen, factor)
    return torch.from_numpy(selected | added)


def shrink(mask: Tensor, means: Tensor, visible: Tensor, factor: float = 1.0) -> Tensor:
    """A selection without its Gaussians close to visible ones outside it; see :func:`grow`."""
    selected, seen = mask.cpu().numpy(), visible.cpu().numpy()
    inside = selected & seen
    taken = _close(means, seen & ~selected, inside, seen, factor, inside)
    return torch.from_numpy(selected & ~taken)


def _close(
    means: Tensor,
    near: Bools,
    of: Bools,
    seen: Bools,
    factor: float,
    typical: Bools | None = None,
) -> Bools:
    """Those ``of`` whose centre is close to one that is ``near``; see :func:`grow`."""
    points = _points(means)
    finite = np.isfinite(points).all(axis=1)
    sources, asked = np.flatnonzero(near & finite), np.flatnonzero(of & finite)
    result = np.zeros(len(points), np.bool_)
    if not len(sources) or not len(asked):
        return result
    samples = sources if typical is None else np.flatnonzero(typical & finite)
    radius = factor * _typical_distance(points, samples, np.flatnonzero(seen & finite))
    tree = cKDTree(points[sources[_first_copies(points[sources], 1)[0]]])
    limit = radius * (1 + 1e-9) + 1e-150  # a bound is exclusive, and squared
    for first in range(0, len(asked), CHUNK):
        some = asked[first : first + CHUNK]
        distances, _ = tree.query(points[some], distance_upper_bound=limit, workers=WORKERS)
        result[some] = distances <= radius
    return result


def _typical_distance(points: F64, samples: I64, among: I64) -> float:
    """Median over ``samples`` of the mean distance to the nearest others ``among``."""
    if len(among) < 2:
        return 0.0
    samples = samples[:: max(1, len(samples) // GROW_SAMPLE)]
    kept, _ = _first_copies(points[among], GROW_NEIGHBORS + 1)
    tree = cKDTree(points[among[kept]])
    k = min(GROW_NEIGHBORS + 1, len(kept))
    distances, _ = tree.query(points[samples], k=np.arange(1, k + 1), workers=WORKERS)
    return float(np.median(distances[:, 1:].mean(axis=1))) if k > 1 else 0.0


def _nearest(means: Tensor | F64, k: int) -> Iterator[tuple[I64, F64, I64]]:
    """Rows, and the distances and indices ``(rows, k)`` of their neighbours, chunk by chunk."""
    if k < 1:
        raise ValueError("at least one neighbour is needed")
    points = _points(means)
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not len(finite):
        return
    kept, copied = _first_copies(points[finite], k + 1)
    rows = finite[kept]
    tree = cKDTree(points[rows])
    # Whoever coincides with more than k others has neighbours among the copies that are kept.
    asked = np.concatenate([rows, finite[copied]])
    for first in range(0, len(asked), CHUNK):
        some = asked[first : first + CHUNK]
        distances, places = tree.query(points[some], k=np.arange(1, k + 2), workers=WORKERS)
        there = places < len(rows)
        indices = np.where(there, rows[np.minimum(places, len(rows) - 1)], -1)
        itself = indices == some[:, None]
        drop = np.where(itself.any(axis=1), itself.argmax(axis=1), k)
        others = np.arange(k + 1) != drop[:, None]
        yield some, distances[others].reshape(-1, k), indices[others].reshape(-1, k)


def _points(means: Tensor | F64) -> F64:
    points = means.detach().cpu().numpy() if isinstance(means, Tensor) else means
    return np.asarray(points, np.float64)


def _first_copies(points: F64, copies: int) -> tuple[I64, I64]:
    """Indices of the first ``copies`` of each distinct point, and of all further ones.

    A tree over thousands of equal points would be searched like a list.
    """
    order = np.lexsort(points.T)
    ordered = points[order]
    starts = np.ones(len(points), np.bool_)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    firsts = np.flatnonzero(starts)
    rank = np.arange(len(points)) - firsts[np.cumsum(starts) - 1]
    return np.sort(order[rank < copies]), np.sort(order[rank >= copies])
