"""Colours for what is not a colour: scores, depth and error."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
import torch
from cmap import Colormap
from numpy.typing import NDArray
from torch import Tensor

from core.scoring.ranking import Ranking
from core.scoring.worth import ORDINARY, UNSEEN, Worth

UNSEEN_COLOR = (0.25, 0.25, 0.28)
SEEN_ALPHA = 0.05
ROBUST = (0.005, 0.995)
"""Shares of the values at the ends of the colours, where these are by value and not chosen."""


class HeatScale(StrEnum):
    """What the colours of a heatmap are even in."""

    PERCENTILE = "percentile"
    LINEAR = "linear"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class HeatRange:
    """What stands at the ends of a colour map: shares 0 to 1 for percentiles, values else."""

    scale: HeatScale
    low: float = 0.0
    high: float = 1.0

    def places(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Place on the colour map of shares or values, 0 to 1; what lies outside is clamped."""
        low, high = self.low, self.high
        if self.scale == HeatScale.LOG:
            low, high = np.log10(low), np.log10(high)
            with np.errstate(divide="ignore"):
                values = np.log10(np.maximum(values, 0))
        if not high > low:
            return (values >= low).astype(np.float64)
        clamped: NDArray[np.float64] = ((np.clip(values, low, high) - low) / (high - low)).clip(
            0, 1
        )
        return clamped

    def at(self, place: float) -> float:
        """What stands at a place of the colour map, the reverse of :meth:`places`."""
        if self.scale == HeatScale.LOG:
            return float(self.low * (self.high / self.low) ** place)
        return self.low + place * (self.high - self.low)


def percentile_range(low: float | None = None, high: float | None = None) -> HeatRange:
    """Colours even in percentiles, between two shares 0 to 1; None is the end of the data."""
    return HeatRange(
        HeatScale.PERCENTILE,
        0.0 if low is None else min(max(low, 0.0), 1.0),
        1.0 if high is None else min(max(high, 0.0), 1.0),
    )


def value_range(
    ranking: Ranking,
    low: float | None = None,
    high: float | None = None,
    log: bool | None = None,
) -> HeatRange:
    """Colours even in values or their logarithms, between two values; None is the data's own end.

    Parameters
    ----------
    ranking
        The living Gaussians; their own ends leave half a percent of the values out on each side.
    low, high
        Ends of the colours.
    log
        Whether to use logarithms; None uses them where the values span decades. They are not used
        where a chosen end is not positive.
    """
    finite = ranking.finite
    wanted = finite.spans_decades if log is None else log
    positive = finite.values[finite.not_positive :]
    log = wanted and len(positive) > 0 and all(end is None or end > 0 for end in (low, high))
    values = positive if log else finite.values
    own = np.quantile(values, ROBUST) if len(values) else np.array([0.0, 1.0])
    return HeatRange(
        HeatScale.LOG if log else HeatScale.LINEAR,
        float(own[0]) if low is None else low,
        float(own[1]) if high is None else high,
    )


@cache
def colormap_table(name: str = "viridis") -> Tensor:
    """Colours of a map from low to high, float32 ``(256, 3)``."""
    table = np.asarray(Colormap(name).lut(256), dtype=np.float32)[:, :3]
    return torch.from_numpy(np.ascontiguousarray(table))


def label_colors(count: int) -> Tensor:
    """Colours that are told apart, ``(count, 3)`` in 0..1; after 255 they begin anew."""
    few = Colormap("petroff10")
    many = Colormap("glasbey")
    stops = few.color_stops if count <= len(few.color_stops) else many.color_stops[1:]
    table = np.array([stop.color.rgba[:3] for stop in stops], np.float32)
    return torch.from_numpy(table[np.arange(count) % len(table)])


def heat_colors(
    worth: Worth, alive: Tensor, limits: HeatRange, colormap: str = "viridis"
) -> Tensor:
    """Colour of each Gaussian by its place on a range, float32 ``(N, 3)``.

    Percentiles count the Gaussians where bool ``alive`` ``(N,)`` is true, in the order of their
    worth. Unseen Gaussians are grey; those without a score of their own, being seen without
    parallax, have the lowest colour of a range by value.
    """
    if limits.scale == HeatScale.PERCENTILE:
        order = worth.order[alive[worth.order]].numpy()
        shares = np.zeros(len(worth))
        shares[order] = np.linspace(0, 1, len(order)) if len(order) > 1 else 1.0
        places = limits.places(shares)
    else:
        places = limits.places(worth.values.numpy())
        places[worth.classes.numpy() < ORDINARY] = 0
    colors = colormap_table(colormap)[torch.from_numpy(np.rint(places * 255).astype(np.int64))]
    colors[worth.classes == UNSEEN] = torch.tensor(UNSEEN_COLOR)
    return colors


def score_colors(worth: Worth, alive: Tensor | None = None, colormap: str = "viridis") -> Tensor:
    """Colour of each Gaussian by its percentile among the living ones, float32 ``(N, 3)``.

    Percentiles make every score legible whatever its distribution; unseen Gaussians are grey.
    """
    living = torch.ones(len(worth), dtype=torch.bool) if alive is None else alive
    return heat_colors(worth, living, percentile_range(), colormap)


def level_picture(levels: Tensor, low: float, high: float, colormap: str) -> Tensor:
    """Colours of numbers ``(H, W)`` between two ends, ``(H, W, 3)``; outside is clamped."""
    places = ((levels - low) / max(high - low, 1e-9)).clamp(0, 1)
    return colormap_table(colormap).to(levels.device)[(places * 255).long()]


def depth_range(depth: Tensor, alpha: Tensor) -> tuple[float, float] | None:
    """1st and 99th percentile of the depths seen, ``(H, W)`` each; None where nothing is seen."""
    seen = alpha > SEEN_ALPHA
    if not bool(seen.any()):
        return None
    near, far = np.percentile(depth[seen].cpu().numpy(), (1, 99))
    return float(near), float(far)


def depth_picture(
    depth: Tensor, alpha: Tensor, limits: tuple[float, float] | None, colormap: str = "turbo"
) -> Tensor:
    """Colours of an expected-depth picture, near to far.

    Parameters
    ----------
    depth, alpha
        As from :func:`core.rendering.render`, ``(H, W)``.
    limits
        Depths at the ends of the colour map, as from :func:`depth_range`; None draws black.

    Returns
    -------
    Tensor
        ``(H, W, 3)``, dimmed by ``alpha``.
    """
    if limits is None:
        return torch.zeros(*depth.shape, 3, device=depth.device)
    return level_picture(depth, *limits, colormap) * alpha[..., None]
