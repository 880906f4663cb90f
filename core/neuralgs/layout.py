"""Gaussians sorted by cluster and padded, so that all nets work at once; and sharing that work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from core.rendering.cpu.common import workers

PARTS = 4
"""Into which work is shared, whatever the number of threads: sums stay the same."""
ROWS_AT_ONCE = 2**15
"""Gaussians in a part at most."""
KEPT_ROWS = 2**18
"""Gaussians whose intermediate values are held: nets 128 wide of five layers take 0.6 GB then."""

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Some Gaussians as a table with a row of places for each cluster.

    Attributes
    ----------
    indices
        Of the Gaussians, sorted by cluster, int64 ``(M,)``.
    places
        Where each stands in the flattened table, int64 ``(M,)``.
    clusters
        That have Gaussians here, int64 ``(L,)``, rising.
    width
        Places of each cluster.
    """

    indices: Tensor
    places: Tensor
    clusters: Tensor
    width: int

    def spread(self, rows: Tensor) -> Tensor:
        """Rows ``(M, F)`` as a table ``(L, width, F)``, zero where there is none."""
        table = rows.new_zeros(len(self.clusters) * self.width, rows.shape[1])
        return table.index_copy(0, self.places, rows).view(-1, self.width, rows.shape[1])

    def gathered(self, table: Tensor) -> Tensor:
        """The rows ``(M, F)`` of a table ``(L, width, F)``."""
        return table.flatten(0, 1).index_select(0, self.places)


def layouts(labels: Tensor, which: Tensor | None = None) -> list[Layout]:
    """All Gaussians, or those of the indices ``which``, in tables of bounded size.

    Parameters
    ----------
    labels
        Cluster by Gaussian, ``(N,)``.
    """
    indices = torch.arange(len(labels), device=labels.device) if which is None else which
    order = labels[indices].argsort(stable=True)
    indices = indices[order]
    rows = min(ROWS_AT_ONCE, max(1, -(-len(indices) // PARTS)))
    return [_layout(part, labels[part]) for part in torch.split(indices, rows) if len(part)]


def _layout(indices: Tensor, labels: Tensor) -> Layout:
    clusters, numbers, sizes = torch.unique_consecutive(
        labels, return_inverse=True, return_counts=True
    )
    starts = sizes.cumsum(0) - sizes
    width = int(sizes.max())
    places = numbers * width + torch.arange(len(labels), device=labels.device) - starts[numbers]
    return Layout(indices, places, clusters, width)


def shared(parts: Sequence[P], function: Callable[[P], R]) -> list[R]:
    """``function`` of each part, on all cores at once, its torch operations on one each.

    torch's own threads wait for each other by spinning, which on a busy machine takes many times
    as long as such small operations need.
    """

    def work(number: int) -> list[R]:
        with one_thread():
            return [function(parts[place]) for place in range(number, len(parts), count)]

    team = workers()
    count = min(team.count, len(parts))
    found = team.each(count, work) if count else []
    return [found[place % count][place // count] for place in range(len(parts))]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch divide no operation of this thread."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
