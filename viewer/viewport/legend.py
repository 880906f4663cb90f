"""What the legend beside a picture tells: which number has which colour."""

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Self

import numpy as np
from torch import Tensor

from core.gmae.figure_ground import Parting, Polarity
from core.gmae.layers import DepthLayers
from core.rendering.heatmap import HeatRange, HeatScale
from core.scoring import SINGULAR, UNSEEN, Worth
from core.scoring.ranking import Ranking
from viewer.viewport.figures import EDGE_COLORMAP, EDGE_FULL, OUTLINE_COLOR, edge_counts
from viewer.widgets.numbers import apart_text, percent_text, value_text

STEPS = 4
DECADES, FEW_DECADES = 6, 2
TICK_ROOM = 0.07
LAYER_TICKS = 8
GROUND_COLOR = (0.36, 0.36, 0.36)
NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
SCALE_NOTES = {
    HeatScale.PERCENTILE: "by percentile",
    HeatScale.LINEAR: "by value, linear",
    HeatScale.LOG: "by value, log scale",
}

Color = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """One place of the colour bar, 0 at the bottom to 1, with a label and a dim remark."""

    place: float
    label: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Legend:
    """A colour bar.

    Attributes
    ----------
    title, note
        What is shown, and on which scale.
    colormap
        Name of the colour map, low at the bottom.
    ticks
        From low to high.
    cut
        Where the previewed cut stands, if it is one place of the bar.
    unseen
        Number of living Gaussians drawn grey because no view sees them.
    parts
        In the place of a colour map: the upper end of each part of the bar, and its colour.
    """

    title: str
    note: str
    colormap: str
    ticks: tuple[Tick, ...]
    cut: Tick | None = None
    unseen: int = 0
    parts: tuple[tuple[float, Color], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The living Gaussians by a score.

    ``order`` holds their indices from least to most worth, int64 ``(M,)``.
    """

    worth: Worth
    order: Tensor
    ranking: Ranking

    @classmethod
    def of(cls, worth: Worth, alive: Tensor) -> Self:
        """Those where bool ``alive`` ``(N,)`` is true."""
        return cls(worth, worth.order[alive[worth.order]], Ranking.of(worth, alive))


def heat_legend(
    title: str, ranked: Ranked, limits: HeatRange, colormap: str, removed: Tensor | None
) -> Legend | None:
    """The legend of a heatmap; None where nothing lives.

    ``removed``, bool ``(N,)``: what a preview takes; where that is one end of the order, the legend
    marks the place.
    """
    worth, order, ranking = ranked.worth, ranked.order, ranked.ranking
    if not len(order):
        return None
    by_share = limits.scale == HeatScale.PERCENTILE
    ticks = _percentile_ticks(worth, order, limits) if by_share else _value_ticks(ranking, limits)
    cut = None if removed is None else _cut_tick(worth, order, limits, removed)
    note = SCALE_NOTES[limits.scale]
    return Legend(title, note, colormap, ticks, cut, ranking.unseen)


def depth_legend(limits: tuple[float, float], colormap: str = "turbo") -> Legend:
    """The legend of a depth picture between two distances."""
    near, far = limits
    ticks = (
        Tick(0.0, value_text(near), "near"),
        Tick(0.5, value_text((near + far) / 2)),
        Tick(1.0, value_text(far), "far"),
    )
    return Legend("Depth", "world units", colormap, ticks)


def layers_legend(layers: DepthLayers, colormap: str) -> Legend:
    """The legend of colours by layer: layers counted from the near end, and where they begin."""
    ticks = []
    stride = max(1, ceil(layers.count / LAYER_TICKS))
    gap = 0.0 if layers.span is None else (layers.span[1] - layers.span[0]) / layers.count
    for number in range(0, layers.count, stride):
        span = layers.spans[number]
        remark = "" if span is None else apart_text(span[0], gap)
        ticks.append(Tick((number + 0.5) / layers.count, str(number + 1), remark))
    return Legend("Layers", "1 is the nearest", colormap, tuple(ticks))


def figure_legend(
    parting: Parting, limits: tuple[float, float], by_otsu: bool, polarity: Polarity
) -> Legend:
    """The legend of figure and ground: their depths, near at the bottom, and where they part."""
    near, far = limits
    low, high = min(near, parting.threshold), max(far, parting.threshold)
    place = (parting.threshold - low) / (high - low) if high > low else 0.5
    colors = (GROUND_COLOR, OUTLINE_COLOR) if parting.far else (OUTLINE_COLOR, GROUND_COLOR)
    side = "far" if parting.far else "near"
    note = f"the {side} side{', by the border' if polarity is Polarity.BORDER else ''}"
    ticks = [Tick(place, value_text(parting.threshold), "Otsu" if by_otsu else "chosen")]
    if place > TICK_ROOM:
        ticks.insert(0, Tick(0.0, value_text(low), "near"))
    if place < 1 - TICK_ROOM:
        ticks.append(Tick(1.0, value_text(high), "far"))
    return Legend("Figure", note, "gray", tuple(ticks), parts=((place, colors[0]), (1, colors[1])))


def edge_legend(layers: int | None, size: int) -> Legend:
    """The legend of edges between layers, that were computed at so many pixels."""
    ticks = [Tick(share, f"{EDGE_FULL * share:.3g}") for share in (0.0, 0.5)]
    ticks.append(Tick(1.0, f"≥ {EDGE_FULL:.3g}"))
    counts = edge_counts(layers)
    of = f"{layers} layers" if layers else f"{counts[0]} to {counts[-1]} layers"
    return Legend("Edges", f"{of}, at {size} px", EDGE_COLORMAP, tuple(ticks))


def error_legend(limit: float, largest: float, mean: float, colormap: str) -> Legend:
    """The legend of an error picture from 0 to ``limit``; all errors in shares of full scale."""
    ticks = [Tick(share, f"{255 * share * limit:.0f}") for share in (0.0, 0.25, 0.5, 0.75)]
    ticks.append(Tick(1.0, f"{'≥ ' if largest > limit else ''}{255 * limit:.0f}"))
    note = f"levels of 255, mean {255 * mean:.1f}"
    return Legend("Error to the photo", note, colormap, tuple(ticks))


def cut_place(order: Tensor, removed: Tensor) -> int | None:
    """How many of an order lie below a cut that takes one end of it; None for any other set.

    ``order`` holds indices into ``removed``, bool ``(N,)``.
    """
    gone = removed[order]
    count = int(gone.sum())
    if count in (0, len(order)):
        return None
    if bool(gone[:count].all()):
        return count
    return len(order) - count if bool(gone[-count:].all()) else None


def _percentile_ticks(worth: Worth, order: Tensor, limits: HeatRange) -> tuple[Tick, ...]:
    ticks = []
    for step in range(STEPS + 1):
        place = step / STEPS
        share = limits.at(place)
        outside = (place == 0 and share > 0, place == 1 and share < 1)
        index = int(order[round(share * (len(order) - 1))])
        label = f"{_clamped(*outside)}{100 * share:.3g} %"
        ticks.append(Tick(place, label, _value_of(worth, index)))
    return tuple(ticks)


def _value_ticks(ranking: Ranking, limits: HeatRange) -> tuple[Tick, ...]:
    values = ranking.values
    below = bool(len(values)) and bool(values[0] < limits.low)
    above = bool(len(values)) and bool(values[-1] > limits.high)
    low, high = limits.low, limits.high
    inner = [value for value in _nice_values(limits) if low < value < high]
    places = limits.places(np.array(inner))
    spread = [
        (float(place), value)
        for place, value in zip(places, inner, strict=True)
        if TICK_ROOM < place < 1 - TICK_ROOM
    ]
    shares = ranking.percentiles(np.array([low, *(value for _, value in spread), high]))
    remarks = [f"{100 * share:.3g} %" for share in shares]
    return (
        Tick(0.0, _clamped(below, False) + value_text(low), remarks[0]),
        *(
            Tick(place, value_text(value), remark)
            for (place, value), remark in zip(spread, remarks[1:-1], strict=True)
        ),
        Tick(1.0, _clamped(False, above) + value_text(high), remarks[-1]),
    )


def _nice_values(limits: HeatRange) -> list[float]:
    """Round values between the ends, about as many as the bar has room for."""
    low, high = limits.low, limits.high
    if not high > low:
        return []
    if limits.scale == HeatScale.LOG:
        lowest, highest = ceil(log10(low)), floor(log10(high))
        if highest - lowest < FEW_DECADES:
            units = (1.0, 2.0, 5.0)
            powers = range(lowest - 1, highest + 1)
            return [unit * 10.0**power for power in powers for unit in units]
        stride = max(1, ceil((highest - lowest + 1) / DECADES))
        return [10.0**power for power in range(lowest, highest + 1, stride)]
    raw = (high - low) / STEPS
    unit = 10.0 ** floor(log10(raw))
    step = next(nice for nice in NICE if nice * unit >= raw * 0.999) * unit
    first = ceil(low / step)
    return [round(number * step, 12) for number in range(first, floor(high / step) + 1)]


def _cut_tick(worth: Worth, order: Tensor, limits: HeatRange, removed: Tensor) -> Tick | None:
    below = cut_place(order, removed)
    if below is None:
        return None
    share = (below - 0.5) / (len(order) - 1)
    index = int(order[below])
    by_share = limits.scale == HeatScale.PERCENTILE
    at = share if by_share else float(worth.values[index])
    place = float(limits.places(np.array([at]))[0])
    return Tick(place, percent_text(below / len(order)), _value_of(worth, index))


def _value_of(worth: Worth, index: int) -> str:
    known = {UNSEEN: "unseen", SINGULAR: "no parallax"}
    return known.get(int(worth.classes[index])) or value_text(float(worth.values[index]))


def _clamped(below: bool, above: bool) -> str:
    return "≤ " if below else "≥ " if above else ""
