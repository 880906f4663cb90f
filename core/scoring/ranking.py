"""The living Gaussians in the order of their worth: counts, thresholds and ties."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from torch import Tensor

from core.scoring.worth import ORDINARY, SINGULAR, UNSEEN, Worth
from core.statistics import Distribution, Values


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
    def finite(self) -> Distribution:
        """How the finite ones among ``values`` are distributed."""
        return Distribution(self.values[np.isfinite(self.values)])

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
