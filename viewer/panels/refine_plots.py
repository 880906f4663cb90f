"""What a run draws: the loss and the count by step, and PSNR and count by stage."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, Slot
from PySide6.QtGui import QPen

from core.pruning.rounds import Stage
from viewer import theme
from viewer.widgets.numbers import count_text, megabytes_text
from viewer.widgets.plots import CountAxis, Plot, ValueAxis, translucent

LOG_RATIO = 6.0
"""The loss is drawn on a logarithmic axis where its smoothed extremes are this far apart."""
SMOOTHED_SHARE, SMOOTHED_STEPS = 0.08, (12, 200)
MOST_POINTS = 4000
AXIS_WIDTH = 46
TICK_HEIGHT = 38
HEADROOM = 2.9
"""Room for the numbers above and below the dots, in margins."""
LABELLED = 5
"""So many stages find room for their names."""

Values = NDArray[np.float64]


def smoothed(losses: Values, starts: Sequence[int]) -> Values:
    """The mean of the last steps at each step; a cut begins anew, ``starts`` tells where."""
    low, high = SMOOTHED_STEPS
    window = int(min(max(SMOOTHED_SHARE * len(losses), low), high))
    result = np.empty(len(losses))
    bounds = sorted({0, len(losses), *(start for start in starts if start < len(losses))})
    for first, last in pairwise(bounds):
        sums = np.concatenate([[0.0], np.cumsum(losses[first:last])])
        ends = np.arange(1, last - first + 1)
        begins = np.maximum(ends - window, 0)
        result[first:last] = (sums[ends] - sums[begins]) / (ends - begins)
    return result


class LossPlot(Plot):
    """The loss of every step, faint, and smoothed; lines stand where Gaussians were cut."""

    def __init__(self) -> None:
        super().__init__(ValueAxis("left"), CountAxis("bottom"))
        self.setAccessibleName("Loss by step")
        self.getPlotItem().getAxis("left").setWidth(AXIS_WIDTH)
        self.log = False
        """Whether the loss is on a logarithmic axis."""
        self.raw, self.smooth = pg.PlotCurveItem(), pg.PlotCurveItem()
        self.cuts: list[pg.InfiniteLine] = []
        for part in (self.raw, self.smooth):
            self.addItem(part, ignoreBounds=True)
        self._drawn: tuple[Values, tuple[int, ...]] = (np.empty(0), ())
        self.hovered.connect(self._hover)
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    @Slot()
    def _restyle_items(self) -> None:
        self.raw.setPen(pg.mkPen(translucent("text-muted", 90), width=1))
        self.smooth.setPen(pg.mkPen(theme.color("accent"), width=2))
        for line in self.cuts:
            line.setPen(_cut_pen())

    def draw(self, losses: Sequence[float], cuts: Sequence[int]) -> None:
        """Show the losses of the steps so far, and after how many steps cuts were made."""
        values = np.asarray(losses, dtype=np.float64)
        mean = smoothed(values, cuts)
        self._drawn = mean, tuple(cuts)
        while len(self.cuts) > len(cuts):
            self.removeItem(self.cuts.pop())
        while len(self.cuts) < len(cuts):
            self.cuts.append(pg.InfiniteLine(angle=90, pen=_cut_pen()))
            self.addItem(self.cuts[-1], ignoreBounds=True)
        for line, start in zip(self.cuts, cuts, strict=True):
            line.setPos(start)
        self.getPlotItem().setVisible(len(values) > 0)
        if not len(values):
            self.raw.setData([], [])
            self.smooth.setData([], [])
            return
        self.log = bool(mean.min() > 0 and mean.max() / mean.min() > LOG_RATIO)
        self.getPlotItem().getAxis("left").setLogMode(False, self.log)
        stride = -(-len(values) // MOST_POINTS)
        steps = np.arange(1, len(values) + 1)[::stride]
        shown, lines = values[::stride], mean[::stride]
        if self.log:
            shown, lines = np.log10(np.maximum(shown, mean.min() / 10)), np.log10(lines)
        self.raw.setData(steps, shown)
        self.smooth.setData(steps, lines)
        low, high = np.quantile(shown, 0.01), np.quantile(shown, 0.995)
        low, high = min(low, lines.min()), max(high, lines.max())
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
        floor = low - margin if self.log else max(0.0, low - margin)
        box = self.getPlotItem().getViewBox()
        box.setXRange(0, max(len(values), 10), padding=0.01)
        box.setYRange(floor, high + margin, padding=0)

    @Slot(QPointF)
    def _hover(self, point: QPointF) -> None:
        mean, cuts = self._drawn
        step = round(point.x())
        if not 1 <= step <= len(mean):
            self.tell("")
            return
        number = sum(start < step for start in cuts)
        place = f"round {number}, " if number else ""
        self.tell(f"{place}step {step:,}: loss {mean[step - 1]:.4f}")


class _ShortCountAxis(pg.AxisItem):
    """Counts in few letters: a narrow axis has room for them."""

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [short_count(round(value * scale)) for value in values]


class CountPlot(Plot):
    """How many Gaussians there were at every step."""

    def __init__(self) -> None:
        super().__init__(_ShortCountAxis("left"), CountAxis("bottom"))
        self.setAccessibleName("Gaussians by step")
        self.getPlotItem().getAxis("left").setWidth(AXIS_WIDTH)
        self.line = pg.PlotCurveItem()
        self.addItem(self.line, ignoreBounds=True)
        self._counts: Sequence[float] = ()
        self.hovered.connect(self._hover)
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    @Slot()
    def _restyle_items(self) -> None:
        self.line.setPen(pg.mkPen(theme.color("accent"), width=2))

    def draw(self, counts: Sequence[float]) -> None:
        """Show the counts of the steps so far."""
        self._counts = counts
        self.getPlotItem().setVisible(len(counts) > 0)
        if not len(counts):
            self.line.setData([], [])
            return
        stride = -(-len(counts) // MOST_POINTS)
        values = np.asarray(counts, dtype=np.float64)[::stride]
        self.line.setData(np.arange(1, len(counts) + 1)[::stride], values)
        box = self.getPlotItem().getViewBox()
        box.setXRange(0, max(len(counts), 10), padding=0.01)
        box.setYRange(0, 1.1 * values.max(), padding=0)

    @Slot(QPointF)
    def _hover(self, point: QPointF) -> None:
        step = round(point.x())
        if not 1 <= step <= len(self._counts):
            self.tell("")
            return
        self.tell(f"step {step:,}: {self._counts[step - 1]:,.0f} Gaussians")


class StagePlot(Plot):
    """PSNR after every stage, with its name and how many Gaussians there were."""

    def __init__(self) -> None:
        super().__init__(pg.AxisItem("left"), pg.AxisItem("bottom"))
        self.setAccessibleName("PSNR by stage")
        item = self.getPlotItem()
        item.getAxis("left").setWidth(AXIS_WIDTH)
        item.getAxis("bottom").setHeight(TICK_HEIGHT)
        item.getAxis("bottom").setStyle(hideOverlappingLabels=False)
        self.line = pg.PlotCurveItem()
        self.points = pg.ScatterPlotItem(size=8)
        self.texts: list[pg.TextItem] = []
        for part in (self.line, self.points):
            self.addItem(part, ignoreBounds=True)
        self.stages: tuple[Stage, ...] = ()
        self.hovered.connect(self._hover)
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    @Slot()
    def _restyle_items(self) -> None:
        self.line.setPen(pg.mkPen(theme.color("text-muted"), width=1, style=Qt.PenStyle.DashLine))
        self.points.setPen(pg.mkPen(None))
        self.points.setBrush(pg.mkBrush(theme.color("accent")))
        for text in self.texts:
            text.setColor(theme.color("text"))

    def draw(self, stages: tuple[Stage, ...]) -> None:
        """Show the stages so far; one that was not measured, or differs in nothing, has no dot."""
        self.stages = stages
        measured = [
            (place, stage.evaluation.psnr)
            for place, stage in enumerate(stages)
            if math.isfinite(stage.evaluation.psnr)
        ]
        xs, ys = [place for place, _ in measured], [value for _, value in measured]
        self.line.setData(xs, ys)
        self.points.setData(xs, ys)
        crowded = len(stages) > LABELLED
        named = [(place, _tick(stage, crowded)) for place, stage in enumerate(stages)]
        self.getPlotItem().getAxis("bottom").setTicks([named])
        self._write_values(measured)
        low, high = (min(ys), max(ys)) if ys else (0.0, 1.0)
        margin = max(0.16 * (high - low), 0.2)
        box = self.getPlotItem().getViewBox()
        box.setXRange(-0.5, max(len(stages), 3) - 0.5, padding=0)
        box.setYRange(low - HEADROOM * margin, high + HEADROOM * margin, padding=0)

    def _write_values(self, measured: Sequence[tuple[int, float]]) -> None:
        while len(self.texts) > len(measured):
            self.removeItem(self.texts.pop())
        while len(self.texts) < len(measured):
            self.texts.append(pg.TextItem(anchor=(0.5, 1.1), color=theme.color("text")))
            self.addItem(self.texts[-1], ignoreBounds=True)
        values = [value for _, value in measured]
        for number, (text, (place, value)) in enumerate(zip(self.texts, measured, strict=True)):
            beside = values[max(0, number - 1) : number] + values[number + 1 : number + 2]
            dip = bool(beside) and value < min(beside)
            text.setText(f"{value:.1f}")
            text.setAnchor((0.5, 0.0 if dip else 1.0))
            text.setPos(place, value)

    @Slot(QPointF)
    def _hover(self, point: QPointF) -> None:
        place = round(point.x())
        if not 0 <= place < len(self.stages):
            self.tell("")
            return
        stage = self.stages[place]
        evaluation = stage.evaluation
        told = [stage.name.capitalize()]
        if math.isfinite(evaluation.psnr):
            told.append(f"{evaluation.psnr:.2f} dB")
        if evaluation.lpips is not None:
            told.append(f"LPIPS {evaluation.lpips:.3f}")
        told += [f"{count_text(evaluation.count)} Gaussians", megabytes_text(evaluation.megabytes)]
        if stage.taken_back:
            told.append("taken back")
        self.tell(" · ".join(told))


def short_count(count: int) -> str:
    """A count in few letters, such as 105k."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:.0f}k" if count < 10**6 else f"{count / 1e6:.1f}M"


def _tick(stage: Stage, crowded: bool) -> str:
    word = stage.name.split()[0]
    name = f"{word[:1]}{stage.round or ''}" if crowded else word
    return f"{name}\n{short_count(stage.evaluation.count)}"


def _cut_pen() -> QPen:
    pen: QPen = pg.mkPen(theme.color("error"), width=1, style=Qt.PenStyle.DashLine)
    return pen
