"""A histogram of depth, with what the peel draws shaded."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPen
from PySide6.QtWidgets import QGraphicsRectItem
from torch import Tensor

from core.gmae.layers import DepthLayers
from viewer import theme
from viewer.widgets.plots import CountAxis, Plot, ValueAxis, translucent

BINS = 72
TAIL = 0.2
"""Per cent of the Gaussians at either end that the histogram leaves out."""


@dataclass(frozen=True, slots=True, eq=False)
class DepthBars:
    """How many Gaussians, or how much opacity, lies at which depth.

    ``edges (B + 1,)`` are depths, ``heights (B,)``.
    """

    layers: DepthLayers
    edges: NDArray[np.float64]
    heights: NDArray[np.float64]


def depth_bars(layers: DepthLayers, opacities: Tensor | None) -> DepthBars | None:
    """Bars of the grouped Gaussians without the outermost; None where there are none.

    ``opacities (N,)``: add these up instead of counting.
    """
    inside = layers.groups < layers.count
    depths = layers.depths[inside].double().numpy()
    if not len(depths):
        return None
    low, high = np.percentile(depths, (TAIL, 100 - TAIL))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    weights = None if opacities is None else opacities[inside].double().numpy()
    heights, edges = np.histogram(depths, BINS, (float(low), float(high)), weights=weights)
    return DepthBars(layers, edges, heights.astype(np.float64))


class DepthPlot(Plot):
    """Bars of depth, with what is drawn shaded."""

    def __init__(self) -> None:
        super().__init__(CountAxis("left"), ValueAxis("bottom"))
        self.setFixedHeight(116)
        self.getPlotItem().getAxis("left").setWidth(48)
        self.setAccessibleName("Gaussians by depth")
        self.viewport().setCursor(Qt.CursorShape.SizeHorCursor)
        self.bars = pg.BarGraphItem(x0=[], x1=[], height=[])
        self.shade = QGraphicsRectItem()
        for part in (self.shade, self.bars):
            self.addItem(part, ignoreBounds=True)
        self.shade.hide()
        self._drawn: DepthBars | None = None
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    def draw(self, bars: DepthBars | None) -> None:
        """Show other bars, or none."""
        self._drawn = bars
        self.bars.setVisible(bars is not None)
        if bars is not None:
            edges, heights = bars.edges, bars.heights
            self.bars.setOpts(x0=edges[:-1], x1=edges[1:], height=heights)
            box = self.getPlotItem().getViewBox()
            box.setXRange(edges[0], edges[-1], padding=0.01)
            box.setYRange(0, float(heights.max()) * 1.05, padding=0)

    def shade_between(self, span: tuple[float, float] | None) -> None:
        """Shade what lies between two depths; None shades nothing."""
        self.shade.setVisible(span is not None and self._drawn is not None)
        if span is not None:
            (_, _), (bottom, top) = self.getPlotItem().getViewBox().viewRange()
            self.shade.setRect(QRectF(span[0], bottom, span[1] - span[0], top - bottom))

    def _restyle_items(self) -> None:
        color = QColor(theme.color("text-muted"))
        self.bars.setOpts(brush=QBrush(color), pen=QPen(color, 0))
        pen = QPen(QColor(theme.color("accent")))
        pen.setCosmetic(True)
        self.shade.setPen(pen)
        self.shade.setBrush(QBrush(translucent("accent", 60)))
