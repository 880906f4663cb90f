"""Depths of the picture as bars, with the line at which figure and ground part."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtGui import QBrush, QColor
from torch import Tensor

from core.gmae.figure_ground import Polarity, covered_depth, otsu
from core.rendering.heatmap import depth_range
from viewer import theme
from viewer.viewport.figures import OUTLINE_COLOR
from viewer.widgets.plots import CountAxis, Plot, ValueAxis

BINS = 64
HEIGHT_PX = 96


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Depths that the present view shows.

    Attributes
    ----------
    limits
        Ends of a slider; None where nothing is drawn.
    otsu
        Otsu's threshold.
    edges, counts
        Pixels by depth between the limits, ``(B + 1,)`` and ``(B,)``; empty where nothing is drawn.
    border
        Depths at the picture's border, ``(M,)``; infinite where nothing is.
    """

    limits: tuple[float, float] | None
    otsu: float
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    border: NDArray[np.float32]

    @classmethod
    def of(cls, depth: Tensor, alpha: Tensor) -> Self:
        """Of expected depth and coverage, each ``(H, W)`` on the CPU."""
        limits, seen = depth_range(depth, alpha), covered_depth(depth, alpha).numpy()
        border = np.concatenate([seen[0], seen[-1], seen[1:-1, 0], seen[1:-1, -1]])
        edges, counts = np.empty(0), np.empty(0, np.int64)
        if limits is not None:
            near, far = limits
            room = (near, far) if far > near else (near - 0.5, far + 0.5)
            counts, edges = np.histogram(seen[np.isfinite(seen)].astype(np.float64), BINS, room)
        return cls(limits, otsu(covered_depth(depth, alpha)), edges, counts, border)

    def far_is_figure(self, threshold: float, polarity: Polarity) -> bool:
        """Which side of a threshold is the figure; see :class:`Polarity`."""
        if polarity is Polarity.BORDER:
            return bool((self.border > threshold).mean() <= 0.5)
        return polarity is Polarity.FAR


class ThresholdPlot(Plot):
    """Pixels by depth: the figure's in its colour, the ground's grey. A press moves the line."""

    moved = Signal(float)

    def __init__(self) -> None:
        super().__init__(CountAxis("left"), ValueAxis("bottom"))
        self.setFixedHeight(HEIGHT_PX)
        self.setAccessibleName("Pixels by depth")
        self.setToolTip("Drag to where figure and ground part.")
        self.getPlotItem().hideAxis("left")
        self.viewport().setCursor(Qt.CursorShape.SizeHorCursor)
        self.bars = pg.BarGraphItem(x0=[], x1=[], height=[], pen=pg.mkPen(None))
        self.line = pg.InfiniteLine(0, angle=90)
        for part in (self.bars, self.line):
            self.addItem(part, ignoreBounds=True)
        self._drawn: tuple[Survey, float, bool] | None = None
        self.pressed.connect(self._move)
        self.dragged.connect(lambda _, now: self._move(now))
        self.restyled.connect(self._restyle_items)
        self.clear_survey()
        self._restyle_items()

    def clear_survey(self) -> None:
        """Show nothing."""
        self._drawn = None
        self.bars.hide()
        self.line.hide()

    def show_survey(self, survey: Survey, threshold: float, far: bool) -> None:
        """Show depths that part at a threshold; ``far`` is whether those beyond are the figure."""
        if not len(survey.counts):
            self.clear_survey()
            return
        changed = self._drawn is None or self._drawn[0] is not survey
        self._drawn = (survey, threshold, far)
        if changed:
            view = self.getPlotItem().getViewBox()
            view.setXRange(survey.edges[0], survey.edges[-1], padding=0.01)
            view.setYRange(0, max(1.0, 1.05 * float(survey.counts.max())), padding=0)
            self.bars.show()
            self.line.show()
        self.line.setValue(min(max(threshold, survey.edges[0]), survey.edges[-1]))
        self._paint_bars()

    def _paint_bars(self) -> None:
        if self._drawn is None:
            return
        survey, threshold, far = self._drawn
        figure = QBrush(QColor.fromRgbF(*OUTLINE_COLOR))
        ground = QBrush(QColor(theme.color("outline")))
        middles = (survey.edges[:-1] + survey.edges[1:]) / 2
        self.bars.setOpts(
            x0=survey.edges[:-1],
            x1=survey.edges[1:],
            height=survey.counts,
            brushes=[figure if (middle > threshold) == far else ground for middle in middles],
        )

    @Slot(QPointF)
    def _move(self, at: QPointF) -> None:
        if self._drawn is not None:
            edges = self._drawn[0].edges
            self.moved.emit(min(max(at.x(), float(edges[0])), float(edges[-1])))

    @Slot()
    def _restyle_items(self) -> None:
        self.line.setPen(pg.mkPen(theme.color("text"), width=2))
        self._paint_bars()
