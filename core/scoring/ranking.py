"""The living Gaussians in the order of their worth: counts, thresholds and bins of a histogram."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.scoring.worth import ORDINARY, SINGULAR, UNSEEN, Worth

BINS = 256
LOG_DECADES = 2.0
LOG_TAIL = 0.002

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Counts of the living Gaussians by class, and the ordinary ones' values in rising order.

    Parameters
    ----------
    unseen
        Number that no view sees; they go first.
    singular
        Number seen without parallax, for which the score is not defined; they go next.
    values
        Scores of the rest, float64 ``(M,)``; may begin and end with infinities.
    """

    unseen: int
    singular: int
    values: Values

    @classmethod
    def of(cls, worth: Worth, alive: Tensor) -> Self:
        """The ranking of the Gaussians where bool ``alive`` ``(N,)`` is true."""
        order = worth.order.numpy()
        living = alive.numpy()[order]
        sizes = np.bincount(worth.classes.numpy(), minlength=ORDINARY + 1)
        first, second = int(sizes[UNSEEN]), int(sizes[UNSEEN] + sizes[SINGULAR])
        return cls(
            int(np.count_nonzero(living[:first])),
            int(np.count_nonzero(living[first:second])),
            worth.values.numpy()[order[second:][living[second:]]],
        )

    @property
    def total(self) -> int:
        """Number of living Gaussians."""
        return self.unseen + self.singular + len(self.values)

    @cached_property
    def finite(self) -> Values:
        """The finite ones among ``values``."""
        return self.values[np.isfinite(self.values)]

    @property
    def not_positive(self) -> int:
        """Number of finite values that a logarithmic axis cannot show."""
        return int(np.searchsorted(self.finite, 0, "right"))

    @property
    def spans_decades(self) -> bool:
        """Whether the positive values are better read on a logarithmic axis."""
        finite = self.finite
        if not len(finite) or finite[0] < 0:
            return False
        positive = finite[self.not_positive :]
        return len(positive) > 1 and bool(np.log10(positive[-1] / positive[0]) > LOG_DECADES)

    def quantile(self, share: float) -> float:
        """Value below which a share of the finite ones lies, interpolated; needs one."""
        place = share * (len(self.finite) - 1)
        low = int(place)
        high = min(low + 1, len(self.finite) - 1)
        return float(self.finite[low] + (place - low) * (self.finite[high] - self.finite[low]))

    def threshold(self, count: int) -> float | None:
        """Score of the least worthy of the ``count`` that stay; None if that has no score."""
        place = self.total - count - self.unseen - self.singular
        return float(self.values[place]) if 0 <= place < len(self.values) else None

    def count_from(self, threshold: float) -> int:
        """How many have at least this score."""
        return len(self.values) - int(np.searchsorted(self.values, threshold, "left"))

    def ties(self, count: int) -> tuple[int, int]:
        """Number of Gaussians with exactly the threshold's score, and how many of them go."""
        threshold = self.threshold(count)
        if threshold is None:
            return 0, 0
        first, last = (
            int(np.searchsorted(self.values, threshold, side)) for side in ("left", "right")
        )
        return last - first, self.total - count - self.unseen - self.singular - first

    def percentiles(self, values: Values) -> Values:
        """Share of all living Gaussians that come before each value, 0..1."""
        before = self.unseen + self.singular + np.searchsorted(self.values, values)
        return before / max(1, self.total)

    def histogram(self, log: bool) -> tuple[Values, NDArray[np.int64]]:
        """Bin edges ``(BINS + 1,)`` and counts ``(BINS,)`` of the finite values.

        With ``log`` the edges are evenly spaced in log10, only positive values count, and the
        smallest LOG_TAIL of them are all in the first bin, which would else leave little room.
        """
        finite = self.finite
        if log:
            finite = finite[self.not_positive :]
        if not len(finite):
            return np.linspace(0, 1, BINS + 1), np.zeros(BINS, np.int64)
        low, high = float(finite[0]), float(finite[-1])
        if log:
            low = float(finite[int(LOG_TAIL * len(finite))])
            edges = np.logspace(np.log10(low), np.log10(high), BINS + 1)
        else:
            edges = np.linspace(low, high, BINS + 1)
        edges[0], edges[-1] = low, high
        below = np.searchsorted(finite, edges, "left")
        below[0], below[-1] = 0, len(finite)
        return edges, np.diff(below)
