"""The Histogram dock: how the chosen score is distributed, and where the cut lies."""

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.rendering.heatmap import colormap_table
from core.scoring import SCORES
from core.scoring.ranking import BINS, Ranking
from viewer import theme
from viewer.panels.panel import described
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import percent_text, value_text

LOG_FLOOR = -0.3
HEADROOM = 1.12
MIN_TICK_PX = 60


class CountAxis(pg.AxisItem):
    """An axis of counts, with thousands separators also on a logarithmic scale."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return [f"{10**value:,.0f}" if value == round(value) else "" for value in values]
        return [f"{value * scale:,.0f}" for value in values]


class ValueAxis(pg.AxisItem):
    """An axis of scores; on a logarithmic scale it names 1, 2 and 5 times powers of ten."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.logMode:
            return list(super().tickValues(low, high, size))
        decades = range(math.floor(low), math.ceil(high) + 1)
        every = max(1, math.ceil(len(decades) * MIN_TICK_PX / max(1.0, size)))
        major = [float(decade) for decade in decades if decade % every == 0]
        minor = [decade + math.log10(digit) for decade in decades for digit in (2, 5)]
        if size < 3 * MIN_TICK_PX * max(1.0, high - low):
            minor = []
        levels = [(1.0, major), (0.3, minor)]
        return [(gap, [tick for tick in ticks if low <= tick <= high]) for gap, ticks in levels]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return [value_text(10**value) for value in values]
        return list(super().tickStrings(values, scale, spacing))


class HistogramPanel(QWidget):
    """Bars of the chosen score's values with a line to drag: what lies left of it goes."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._shown: Ranking | None = None
        self._edges = np.linspace(0.0, 1.0, BINS + 1)
        self.caption = QLabel()
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.counts = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.counts.setAccessibleName("What the cut keeps")
        self.counts.setProperty("role", "number")
        self.statistics = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.statistics.setProperty("role", "muted")
        self.log_x = QCheckBox("Log values")
        described(self.log_x, "Logarithmic values", "Spread small values over a logarithmic axis.")
        self.log_y = QCheckBox("Log counts")
        described(self.log_y, "Logarithmic counts", "Show bars of few Gaussians too.")
        self.empty = QLabel("Compute a score to see how it is distributed.")
        self.empty.setProperty("role", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._make_plot()
        self._arrange()
        self.log_x.clicked.connect(self.redraw)
        self.log_y.toggled.connect(self.redraw)
        for signal in (
            session.document_replaced,
            session.state_changed,
            session.scores_changed,
            session.score_changed,
        ):
            signal.connect(self.reload)
        session.target_changed.connect(self.show_target)
        self.reload()

    def _make_plot(self) -> None:
        self.plot = pg.PlotWidget(
            axisItems={"left": CountAxis("left"), "bottom": ValueAxis("bottom")},
            background=theme.COLORS["panel"],
        )
        self.plot.setAccessibleName("Histogram of the chosen score")
        self.plot.setToolTip("Drag the line: Gaussians left of it would go.")
        self.plot.setMinimumHeight(110)
        self.plot.setAcceptDrops(False)
        item = self.plot.getPlotItem()
        item.setMenuEnabled(False)
        item.setContentsMargins(0, 8, 8, 0)
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        for side in ("left", "bottom"):
            axis = item.getAxis(side)
            axis.setPen(theme.MUTED)
            axis.setTextPen(theme.TEXT)
            axis.enableAutoSIPrefix(False)
        item.getAxis("left").setWidth(64)
        item.setLabel("left", "Gaussians")
        self.bars = pg.BarGraphItem(x=[0.0], height=[0.0], width=1.0)
        cut = QColor(theme.COLORS["error"])
        cut.setAlpha(46)
        self.goes = pg.LinearRegionItem(
            (0, 0), movable=False, brush=cut, hoverBrush=cut, pen=pg.mkPen(None)
        )
        self.line = pg.InfiniteLine(
            0,
            angle=90,
            movable=True,
            pen=pg.mkPen(theme.COLORS["error"], width=2),
            hoverPen=pg.mkPen(theme.TEXT, width=3),
        )
        self.line.setCursor(Qt.CursorShape.SizeHorCursor)
        self.line.sigDragged.connect(self._dragged)
        for part in (self.bars, self.goes, self.line):
            self.plot.addItem(part, ignoreBounds=True)

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(self.caption)
        head.addWidget(self.counts, 1)
        head.addWidget(self.log_x)
        head.addWidget(self.log_y)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.statistics)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.empty, 1)

    @Slot()
    def reload(self) -> None:
        """Take the session's ranking; the value axis becomes logarithmic where that helps."""
        ranking = self.session.ranking
        if ranking is not self._shown:
            self._shown = ranking
            if ranking is not None:
                self.log_x.setEnabled(bool((ranking.finite[-1:] > 0).any()))
                self.log_x.setChecked(ranking.spans_decades)
        self.redraw()

    @Slot()
    def redraw(self) -> None:
        """Draw bars, colours, statistics and the line."""
        ranking = self._shown
        drawable = ranking is not None and len(ranking.finite) > 0
        for widget in (self.plot, self.statistics, self.counts, self.log_x, self.log_y):
            widget.setVisible(drawable)
        self.empty.setVisible(not drawable)
        title = SCORES[self.session.score_name].title
        self.caption.setText(title if drawable else "")
        if ranking is None or not drawable:
            return
        edges, counts = ranking.histogram(self.log_x.isChecked())
        self._edges = edges
        self._draw_bars(ranking, edges, counts)
        self.plot.getPlotItem().getAxis("bottom").setLogMode(self.log_x.isChecked(), False)
        self.plot.getPlotItem().getAxis("left").setLogMode(False, self.log_y.isChecked())
        self.statistics.set_text(_statistics(ranking, self.log_x.isChecked()))
        self.show_target()

    def _draw_bars(self, ranking: Ranking, edges: np.ndarray, counts: np.ndarray) -> None:
        positions = self._position(edges)
        if self.log_y.isChecked():
            floor = LOG_FLOOR
            tops = np.where(counts > 0, np.log10(np.maximum(counts, 1)), floor)
        else:
            floor, tops = 0.0, counts.astype(np.float64)
        percentiles = ranking.percentiles((edges[:-1] + edges[1:]) / 2)
        rows = (np.clip(percentiles, 0, 1) * 255).round().astype(np.int64)
        colors = (colormap_table().numpy()[rows] * 255).astype(np.uint8)
        widths = np.diff(positions)
        if not widths.any():
            widths = np.full(BINS, 1.0)
        self.bars.setOpts(
            x0=positions[:-1],
            width=widths,
            y0=floor,
            height=tops - floor,
            brushes=[QColor(*(int(channel) for channel in color)) for color in colors],
            pen=pg.mkPen(None),
        )
        low, high = positions[0], max(positions[-1], positions[0] + widths[-1])
        margin = 0.01 * (high - low)
        view = self.plot.getPlotItem().getViewBox()
        view.setXRange(low - margin, high + margin, padding=0)
        view.setYRange(floor, floor + (max(float(tops.max()), 1e-9) - floor) * HEADROOM, padding=0)
        self.line.setBounds((low - margin, high + margin))

    @Slot()
    def show_target(self) -> None:
        """Put the line where the cut lies, and say what it keeps."""
        ranking, document = self._shown, self.session.document
        if ranking is None or document is None or not len(ranking.finite):
            return
        count = ranking.total if self.session.target is None else self.session.target
        threshold = ranking.threshold(count)
        start = self._edges[0]
        if not self.line.moving:
            at_start = threshold is None or not np.isfinite(threshold) or threshold < start
            place = start if at_start else threshold
            self.line.setPos(float(self._position(np.array([place]))[0]))
        self.goes.setRegion((self.plot.getPlotItem().viewRange()[0][0], self.line.value()))
        self.goes.setVisible(count < ranking.total)
        if count == ranking.total:
            self.counts.set_text(f"keeps all {count:,}")
        else:
            share = percent_text(count / ranking.total)
            gone = ranking.total - count
            self.counts.set_text(f"keeps {count:,} ({share}), {gone:,} go")

    @Slot(object)
    def _dragged(self, line: pg.InfiniteLine) -> None:
        ranking = self._shown
        if ranking is None:
            return
        place = float(line.value())
        threshold = 10**place if self.log_x.isChecked() else place
        if threshold <= self._edges[0]:
            threshold = -np.inf
        self.session.set_target(max(1, ranking.count_from(threshold)))
        self.show_target()

    def _position(self, values: np.ndarray) -> np.ndarray:
        return np.log10(values) if self.log_x.isChecked() else values


def _statistics(ranking: Ranking, log: bool) -> str:
    parts = [
        f"mean {value_text(float(ranking.finite.mean()))}",
        f"median {value_text(ranking.quantile(0.5))}",
        f"p95 {value_text(ranking.quantile(0.95))}",
    ]
    if log and ranking.not_positive:
        parts.append(f"{ranking.not_positive:,} not above zero left aside")
    if ranking.unseen:
        parts.append(f"{ranking.unseen:,} unseen left aside")
    if ranking.singular:
        parts.append(f"{ranking.singular:,} without parallax left aside")
    return " · ".join(parts)
