"""Ready filters for what people most often want gone; their values are there to be edited."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.pruning.cut import Filter, Relation
from core.scoring.scores import DEFAULT_SCORE

FAR_ABOVE = 10
"""Times the median: on trained scenes between none and a few per cent lie beyond."""
TRANSPARENT = 0.05
LOW_WORTH = 0.2
DIGITS = 3
SMALLEST, LARGEST = 1e-300, 1e300
"""What lies outside does not count for the median: nothing can be said of its multiples."""

Values = Callable[[str], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Preset:
    """A rule that makes filters for a scene.

    Attributes
    ----------
    title
        What a person reads.
    about
        The rule in one sentence.
    needs
        Properties that ``make`` asks for.
    needs_score
        Whether it also asks for the chosen score, which then must have been computed.
    make
        ``make(values, alive, score)``: the filters, the same for the same input. ``values`` gives
        the property or score of a name ``(N,)``, ``alive`` is bool ``(N,)``, ``score`` the name of
        the chosen score. No filters if no living Gaussian has a value to go by.
    """

    title: str
    about: str
    needs: tuple[str, ...]
    make: Callable[[Values, Tensor, str], tuple[Filter, ...]]
    needs_score: bool = False


def _far_above(name: str) -> Callable[[Values, Tensor, str], tuple[Filter, ...]]:
    """Take what lies far above the living Gaussians' median of a positive property."""

    def make(values: Values, alive: Tensor, score: str = DEFAULT_SCORE) -> tuple[Filter, ...]:
        column = values(name)[alive.numpy()]
        column = column[(column > SMALLEST) & (column < LARGEST)]
        if not len(column):
            return ()
        limit = _rounded_up(FAR_ABOVE * float(np.median(column)))
        return (Filter(name, Relation.ABOVE, limit),)

    return make


def _transparent(values: Values, alive: Tensor, score: str = DEFAULT_SCORE) -> tuple[Filter, ...]:
    return (Filter("opacity", Relation.BELOW, TRANSPARENT),)


def _low_worth(values: Values, alive: Tensor, score: str = DEFAULT_SCORE) -> tuple[Filter, ...]:
    column = np.sort(values(score)[alive.numpy()])
    if not len(column):
        return ()
    limit = column[int(LOW_WORTH * len(column))]
    more = column[column > column[0]]
    if limit == column[0] and len(more):
        limit = more[0]
    return (Filter(score, Relation.BELOW, float(limit)),) if np.isfinite(limit) else ()


def _rounded_up(value: float) -> float:
    """The next number of ``DIGITS`` digits, so that what equals ``value`` is not above it."""
    unit = 10.0 ** (math.floor(math.log10(value)) - DIGITS + 1)
    return float(f"{math.ceil(value / unit) * unit:.{DIGITS}g}")


PRESETS: dict[str, Preset] = {
    "giant": Preset(
        "Giant",
        f"Longest axis more than {FAR_ABOVE} times the median.",
        ("largest",),
        _far_above("largest"),
    ),
    "transparent": Preset(
        "Transparent",
        f"Opacity below {TRANSPARENT:g}; below 1/255 a Gaussian is never drawn at all.",
        ("opacity",),
        _transparent,
    ),
    "isolated": Preset(
        "Isolated",
        "Mean distance to the 8 nearest neighbours more than "
        f"{FAR_ABOVE} times the median: statistical outlier removal.",
        ("neighbours",),
        _far_above("neighbours"),
    ),
    "low-worth": Preset(
        "Low worth",
        "The chosen score is below its 20th percentile; where more than a fifth share the lowest "
        "value, all of those.",
        (),
        _low_worth,
        needs_score=True,
    ),
}
