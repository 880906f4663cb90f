"""How numbers of Gaussians are distributed, and how far two of them go together."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

BINS = 256
LOG_DECADES = 2.0
LOG_TAIL = 0.002

Values = NDArray[np.float64]
Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Distribution:
    """The finite ones of some numbers, in rising order.

    Parameters
    ----------
    values
        float64 ``(M,)``, rising, all finite.
    left_out
        How many numbers were infinite or missing (NaN).
    """

    values: Values
    left_out: int = 0

    @classmethod
    def of(cls, values: Values, chosen: Bools) -> Self:
        """The distribution of ``values`` ``(N,)`` where bool ``chosen`` ``(N,)`` is true."""
        some = values[chosen]
        finite = some[np.isfinite(some)]
        finite.sort()
        return cls(finite, len(some) - len(finite))

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        """Arithmetic mean; needs one value."""
        return float(self.values.mean())

    @property
    def minimum(self) -> float:
        """Smallest value; needs one."""
        return float(self.values[0])

    @property
    def maximum(self) -> float:
        """Largest value; needs one."""
        return float(self.values[-1])

    @property
    def not_positive(self) -> int:
        """Number of values that a logarithmic axis cannot show."""
        return int(np.searchsorted(self.values, 0, "right"))

    @property
    def spans_decades(self) -> bool:
        """Whether the values are better read on a logarithmic axis."""
        if not len(self.values) or self.values[0] < 0:
            return False
        positive = self.values[self.not_positive :]
        return len(positive) > 1 and bool(np.log10(positive[-1] / positive[0]) > LOG_DECADES)

    def quantile(self, share: float) -> float:
        """Value below which a share of all lies, interpolated; needs one."""
        place = share * (len(self.values) - 1)
        low = int(place)
        high = min(low + 1, len(self.values) - 1)
        return float(self.values[low] + (place - low) * (self.values[high] - self.values[low]))

    def count_within(self, low: float, high: float) -> int:
        """How many values lie from ``low`` to ``high``, both included."""
        first = np.searchsorted(self.values, low, "left")
        return max(0, int(np.searchsorted(self.values, high, "right") - first))

    def edges(self, log: bool) -> Values:
        """Edges of BINS bins ``(BINS + 1,)`` from the smallest to the largest value.

        With ``log`` they are evenly spaced in log10 over the positive values, and the smallest
        LOG_TAIL of these are all in the first bin, which would else leave little room.
        """
        values = self.values[self.not_positive :] if log else self.values
        if not len(values):
            return np.linspace(0, 1, BINS + 1)
        low, high = float(values[0]), float(values[-1])
        if log:
            low = float(values[int(LOG_TAIL * len(values))])
            edges = np.logspace(np.log10(low), np.log10(high), BINS + 1)
        else:
            edges = np.linspace(low, high, BINS + 1)
        edges[0], edges[-1] = low, high
        return edges

    def counts(self, edges: Values, log: bool) -> Counts:
        """How many values are in each bin, ``(BINS,)``; the ends take what lies beyond them.

        With ``log`` only positive values count.
        """
        first = self.not_positive if log else 0
        below = np.maximum(np.searchsorted(self.values, edges, "left"), first)
        below[0], below[-1] = first, len(self.values)
        return np.diff(below)


def rank_correlation(x: Values, y: Values) -> float | None:
    """Spearman's rank correlation of two columns of finite numbers ``(M,)``, ties averaged.

    None where it is not defined: fewer than two pairs, or a column of equal numbers.
    """
    if len(x) < 2:
        return None
    a, b = (_ranks(column) for column in (x, y))
    a -= a.mean()
    b -= b.mean()
    norm = float(np.sqrt(a @ a) * np.sqrt(b @ b))
    return float(a @ b) / norm if norm > 0 else None


def _ranks(values: Values) -> Values:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.append(starts, len(values)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes - 1) / 2, sizes)
    return ranks
