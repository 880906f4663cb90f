"""Clusters of Gaussians that are alike, of similar sizes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.jobs import Progress, Steps
from core.neuralgs.attributes import COLORS
from core.neuralgs.settings import NeuralSettings

ITERATIONS = 25
SAMPLE = 2**18
"""Gaussians that the centres are found from."""
LEAST, MOST = 0.5, 1.5
"""Sizes of balanced clusters, by their mean."""
_ROUNDS = 8

Points = NDArray[np.float32]
Labels = NDArray[np.int64]


def cluster(values: Tensor, positions: Tensor, settings: NeuralSettings) -> Steps[Tensor]:
    """Part Gaussians into clusters by k-means over attributes and positions; a job.

    NeuralGS clusters all channels alike (58: positions and attributes), which the 45 of colour then
    dominate; here they have weights.

    Parameters
    ----------
    values, positions
        Normalised to -1..1, ``(N, C)`` and ``(N, 3)``.

    Returns
    -------
    labels
        int64 ``(N,)``, 0..K-1, the largest cluster first; none is empty.
    """
    weights = torch.ones(values.shape[1])
    weights[COLORS][3:] = settings.color_weight
    features = torch.cat([values.cpu() * weights, positions.cpu() * settings.position_weight], 1)
    points = np.ascontiguousarray(features.numpy(), np.float32)
    count = settings.cluster_count(len(points))
    centers = yield from _centers(points, count, settings.seed)
    labels = _nearest(points, centers)
    if settings.balanced:
        labels = balanced(points, labels, count)
    return torch.from_numpy(_by_size(labels)).to(values.device)


def balanced(points: Points, labels: Labels, count: int) -> Labels:
    """Clusters of half to one and a half times the mean size, where few enough steps lead there.

    The largest is cut in halves across its longest direction, and the smallest is joined with the
    nearest that has room; again and again.
    """
    labels = labels.copy()
    mean = len(points) / count
    for _ in range(_ROUNDS * count):
        sizes = np.bincount(labels, minlength=count)
        large, small = int(sizes.argmax()), int(sizes.argmin())
        if large == small or (sizes[large] <= MOST * mean and sizes[small] >= LEAST * mean):
            break
        centers = np.stack(
            [points[labels == k].mean(0) if sizes[k] else points[0] for k in range(count)]
        )
        if sizes[small]:
            distances = np.square(centers - centers[small]).sum(1)
            after = sizes + sizes[small]
            halved = after.copy()
            halved[large] = sizes[large] // 2 + sizes[small]
            distances[(halved > MOST * mean)] += 1e12
            distances[small] = np.inf
            home = int(distances.argmin())
            moved = labels == small
        members = np.flatnonzero(labels == large)
        offsets = points[members] - centers[large]
        _, directions = np.linalg.eigh((offsets.T @ offsets).astype(np.float64))
        order = np.argsort(offsets @ directions[:, -1].astype(np.float32), kind="stable")
        if sizes[small]:
            labels[moved] = home
        labels[members[order[len(order) // 2 :]]] = small
    return labels


def _centers(points: Points, count: int, seed: int) -> Steps[Points]:
    """Lloyd's iterations by faiss over a sample, ``(count, F)``."""
    import faiss

    rng = np.random.default_rng(seed)
    sample = points
    if len(points) > SAMPLE:
        sample = points[np.sort(rng.choice(len(points), SAMPLE, replace=False))]
    centers = sample[np.sort(rng.choice(len(sample), count, replace=False))]
    faiss.omp_set_num_threads(torch.get_num_threads())
    for done in range(ITERATIONS):
        means = faiss.Kmeans(
            points.shape[1],
            count,
            niter=1,
            seed=seed % 2**31,
            min_points_per_centroid=1,
            max_points_per_centroid=SAMPLE,
        )
        means.train(sample, init_centroids=centers)
        centers = np.array(means.centroids, np.float32).reshape(count, -1)
        yield Progress(done + 1, ITERATIONS, f"clusters, round {done + 1} of {ITERATIONS}")
    return centers


def _nearest(points: Points, centers: Points) -> Labels:
    import faiss

    index = faiss.IndexFlatL2(points.shape[1])
    index.add(centers)
    return np.asarray(index.search(points, 1)[1][:, 0], np.int64)


def _by_size(labels: Labels) -> Labels:
    """The same clusters, the largest first, without empty ones."""
    sizes = np.bincount(labels)
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    numbers = np.empty(len(sizes), np.int64)
    numbers[order] = np.arange(len(order))
    return numbers[labels]
