"""Codebooks: few values that stand for many, found by k-means."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

LINE_ROUNDS = 100
"""Cheap on sorted values, and the error has stopped falling by then."""
GROUP_ROUNDS, ROW_ROUNDS = 8, 10
"""Of k-means on the groups and within them; twice as many lower the error by under 1 %."""
GROUP_ENTRIES = 64
"""Of a group on average; 256 give a 2 to 5 % higher error. One k-means of all costs far more."""
SAMPLE = 64
"""Rows a centre is found from, at most; it is the time for millions of Gaussians."""
_BINS = 4096


def line_codebook(values: Floats, size: int) -> Floats:
    """Numbers, sorted, that any value is near to: ``(size,)``.

    Lloyd's algorithm on the sorted values, each weighed by the inverse root of how dense they lie:
    rare values count for more, which halves their error and leaves the mean one as it is. The
    start is as dense as the cube root of the weights, best for many entries (Panter, Dite 1951).
    """
    ordered = np.sort(values.ravel().astype(np.float64))
    distinct = np.unique(ordered)
    if len(distinct) <= size:
        return np.pad(distinct, (0, size - len(distinct)), "edge").astype(np.float32)
    above = ordered - ordered[0]
    counts, edges = np.histogram(above, _BINS)
    weights = 1 / np.sqrt(np.repeat(counts, counts))
    totals, sums = (_running(weights * factor) for factor in (np.ones_like(above), above))
    share = _running(np.cbrt(np.sqrt(counts)))
    codebook = np.interp((np.arange(size) + 0.5) / size * share[-1], share, edges)
    for _ in range(LINE_ROUNDS):
        inner = np.searchsorted(above, (codebook[1:] + codebook[:-1]) / 2)
        borders = np.concatenate([[0], inner, [len(above)]])
        filled = np.diff(borders) > 0
        codebook[filled] = np.diff(sums[borders])[filled] / np.diff(totals[borders])[filled]
    return np.sort(codebook + ordered[0]).astype(np.float32)


def _running(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the first 0, 1, ... N values."""
    return np.concatenate([[0], np.cumsum(values)])


def nearest(values: Floats, codebook: Floats) -> NDArray[np.uint8]:
    """Index of the entry of a sorted codebook, of up to 256, that is nearest to each value."""
    middles = (codebook[1:].astype(np.float64) + codebook[:-1]) / 2
    return np.searchsorted(middles, values).astype(np.uint8)


def palette(rows: Floats, size: int) -> tuple[Floats, Indices]:
    """Rows that stand for all, at most ``size``, and which of them stands for each.

    Where no more rows differ, such as those that come from a palette, they are kept. Else k-means
    in two levels: rows are gathered in groups, and each group gets entries by the sum of its
    squared distances, never more than it has rows.

    Parameters
    ----------
    rows
        ``(N, D)``.

    Returns
    -------
        The entries, ``(K, D)``, and indices into them, ``(N,)``.
    """
    if len(rows) <= size:
        return rows, np.arange(len(rows))
    rows = np.ascontiguousarray(rows, np.float32)
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, label_of = np.unique(whole, return_index=True, return_inverse=True)
    if len(first) <= size:
        return rows[first], label_of
    groups = max(1, size // GROUP_ENTRIES)
    centres, group_of, distances = _clustered(rows, groups, GROUP_ROUNDS)
    members = np.bincount(group_of, minlength=len(centres))
    spread = np.bincount(group_of, distances, minlength=len(centres)).astype(np.float64)
    shares = _shares(spread, members, size)
    order = np.argsort(group_of, kind="stable")
    entries, labels, start, used = [], np.empty(len(rows), np.int64), 0, 0
    for count, share in zip(members, shares, strict=True):
        which = order[start : start + count]
        start += count
        if count <= share:
            found, label = rows[which], np.arange(count)
        else:
            found, label, _ = _clustered(rows[which], share, ROW_ROUNDS)
        labels[which] = used + label
        entries.append(found)
        used += len(found)
    return np.concatenate(entries), labels


def _shares(spread: NDArray[np.float64], members: Indices, size: int) -> Indices:
    """Entries of each group in proportion to its spread, at least one and at most its members."""
    limits = np.maximum(members, 1)
    weights = spread + 1e-12 + 1e-9 * spread.sum()
    low, high = 0.0, float((limits / weights).max())
    for _ in range(64):
        middle = (low + high) / 2
        if np.clip(weights * middle, 1, limits).astype(np.int64).sum() > size:
            high = middle
        else:
            low = middle
    shares: Indices = np.clip(weights * low, 1, limits).astype(np.int64)
    return shares


def _clustered(rows: Floats, size: int, rounds: int) -> tuple[Floats, Indices, NDArray[np.float64]]:
    """Centres, the one nearest to each row, and the squared distance to it."""
    import faiss  # takes as long as all formats together, and is for this only

    kmeans = faiss.Kmeans(
        rows.shape[1],
        int(size),
        niter=rounds,
        seed=1,
        min_points_per_centroid=1,
        max_points_per_centroid=SAMPLE,
    )
    threads = faiss.omp_get_max_threads()
    # of hundreds of short searches, threads would mostly wait for each other
    faiss.omp_set_num_threads(1)
    try:
        kmeans.train(rows)
        distances, labels = kmeans.index.search(rows, 1)
    finally:
        faiss.omp_set_num_threads(threads)
    centres = np.array(kmeans.centroids, np.float32)
    return centres, labels[:, 0], distances[:, 0].astype(np.float64)
