"""The bars of a histogram: what is asked off the window's thread, and how they are drawn."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from torch import Tensor

from core.editing import Contents
from core.statistics import Counts, Distribution, Values
from viewer import theme
from viewer.panels.columns import column_values, suits_log
from viewer.widgets.plots import CountAxis, Plot, ValueAxis, translucent

LOG_FLOOR = -0.3
HEADROOM = 1.12
GRIP_PX = 6
GRIP_SIZE = 14


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """A column in bins.

    Attributes
    ----------
    name, values
        The column, ``(N,)``.
    distribution
        Of the chosen Gaussians.
    log
        Whether the bins are even in log10.
    edges, counts, selected
        Edges of the bins ``(B + 1,)``, how many of the chosen Gaussians are in each and how many of
        those are selected, ``(B,)``.
    """

    name: str
    values: Values
    distribution: Distribution
    log: bool
    edges: Values
    counts: Counts
    selected: Counts

    def position(self, value: float) -> float:
        """Where a value is on the axis."""
        return float(np.log10(value)) if self.log else value

    def value(self, position: float) -> float:
        """The value at a place on the axis; the ends of the bins are exactly the extremes."""
        positions = self.positions()
        if position <= positions[0]:
            return self.lowest
        if position >= positions[-1]:
            return self.distribution.maximum
        return float(10**position) if self.log else position

    def positions(self) -> Values:
        """Where the edges are on the axis."""
        return np.log10(self.edges) if self.log else self.edges

    @property
    def lowest(self) -> float:
        """The smallest value that is shown."""
        first = self.distribution.not_positive if self.log else 0
        return float(self.distribution.values[first])

    def bin_at(self, position: float) -> int | None:
        """Number of the bin at a place on the axis, None beside them."""
        place = int(np.searchsorted(self.positions(), position, "right")) - 1
        return place if 0 <= place < len(self.counts) else None


def fill_bars(
    contents: Contents,
    name: str,
    chosen: Tensor,
    selected: Tensor,
    log: bool | None,
    known: Distribution | None,
) -> Bars:
    """Put a column into bins.

    Parameters
    ----------
    chosen, selected
        Which Gaussians count, and which are selected, bool ``(N,)``.
    log
        Whether the bins are even in log10; None chooses what is legible.
    known
        The distribution of the chosen ones, if it was found before.
    """
    values = column_values(contents, name)
    found = Distribution.of(values, chosen.numpy()) if known is None else known
    log = suits_log(name, found) if log is None else log
    log = log and found.not_positive < len(found)
    edges = found.edges(log)
    marked = Distribution.of(values, selected.numpy())
    return Bars(
        name, values, found, log, edges, found.counts(edges, log), marked.counts(edges, log)
    )


class BarPlot(Plot):
    """Bars of all with those of the selected in front, a band being dragged and a line to cut at.

    ``line`` and ``goes`` show where a prune cuts; they are hidden where there is no cut to show.
    """

    def __init__(self) -> None:
        super().__init__(CountAxis("left"), ValueAxis("bottom"))
        self.setMinimumHeight(90)
        self.setAntialiasing(False)
        self.getPlotItem().setLabel("left", "Gaussians")
        self.bars = pg.BarGraphItem(x=[0.0], height=[0.0], width=1.0, pen=None)
        self.front = pg.BarGraphItem(x=[0.0], height=[0.0], width=1.0, pen=None)
        self.goes = pg.LinearRegionItem((0, 0), movable=False, pen=pg.mkPen(None))
        self.band = pg.LinearRegionItem((0, 0), movable=False)
        self.line = pg.InfiniteLine(0, angle=90)
        self.line.addMarker("o", 0.5, GRIP_SIZE)
        for part in (self.bars, self.front, self.goes, self.band, self.line):
            self.addItem(part, ignoreBounds=True)
        self.band.hide()
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    def _restyle_items(self) -> None:
        gone = pg.mkBrush(translucent("error", 46))
        self.goes.setBrush(gone)
        self.band.setBrush(pg.mkBrush(translucent("accent", 60)))
        for edge in self.band.lines:
            edge.setPen(pg.mkPen(theme.color("accent"), width=1))
        self.line.setPen(pg.mkPen(theme.color("error"), width=2))
        self.front.setOpts(brush=QColor(theme.color("text")), pen=pg.mkPen(None))

    def draw(self, bars: Bars, log_counts: bool, colors: list[QColor] | None) -> None:
        """Show bars, each in its colour, or all in one."""
        positions = bars.positions()
        widths = np.diff(positions)
        if not widths.any():
            widths = np.ones(len(widths))
        floor = LOG_FLOOR if log_counts else 0.0
        looks = {"brush": QColor(theme.color("outline"))} if colors is None else {"brushes": colors}
        for item, counts in ((self.bars, bars.counts), (self.front, bars.selected)):
            tops = counts.astype(np.float64)
            if log_counts:
                tops = np.where(counts > 0, np.log10(np.maximum(counts, 1)), floor)
            item.setOpts(x0=positions[:-1], width=widths, y0=floor, height=tops - floor)
            if item is self.bars:
                item.setOpts(**{"brushes": None, **looks})
                top = float(tops.max())
        low, high = positions[0], max(positions[-1], positions[0] + widths[-1])
        margin = 0.02 * (high - low)
        view = self.getPlotItem().getViewBox()
        view.setXRange(low - margin, high + margin, padding=0)
        view.setYRange(floor, floor + (max(top, 1e-9) - floor) * HEADROOM, padding=0)
        self.getPlotItem().getAxis("bottom").setLogMode(bars.log, False)
        self.getPlotItem().getAxis("left").setLogMode(False, log_counts)

    def show_band(self, start: float, end: float) -> None:
        """Mark the range that is being dragged over."""
        self.band.setRegion((min(start, end), max(start, end)))
        self.band.show()

    def show_cut(self, place: float, any_goes: bool) -> None:
        """Put the line where a prune cuts, and mark what is left of it."""
        self.line.setPos(place)
        self.goes.setRegion((self.getPlotItem().viewRange()[0][0], place))
        self.goes.setVisible(any_goes)

    def on_line(self, point: QPointF) -> bool:
        """Whether a point is near enough to the line to take hold of it."""
        if not self.line.isVisible():
            return False
        gap = self.pixel_of(point).x() - self.pixel_of(QPointF(self.line.value(), point.y())).x()
        return abs(gap) <= GRIP_PX

    def show_grip(self, on_line: bool) -> None:
        """Show by the cursor and the line's width that it can be dragged."""
        shape = Qt.CursorShape.SizeHorCursor if on_line else Qt.CursorShape.CrossCursor
        self.viewport().setCursor(shape)
        self.line.setPen(pg.mkPen(theme.color("error"), width=3 if on_line else 2))
