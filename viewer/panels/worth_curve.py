"""How much of the worth stays, against how many Gaussians stay; a drag sets the target.

Most of the worth lies in few Gaussians: the numbers stand on a logarithmic axis.
"""

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtWidgets import QStackedWidget

from core.pruning import Choice
from core.scoring import Worth, worth_curve
from viewer import theme
from viewer.panels.panel import wrapped
from viewer.session import Session
from viewer.widgets.numbers import percent_text
from viewer.widgets.plots import CountAxis, Plot, translucent

HEIGHT, EMPTY_HEIGHT = 84, 40
NO_SCORE = "Worth against count shows here once there is a score."
NO_SUM = "No curve: the values of this score do not add up."

Curve = tuple[NDArray[np.int64], NDArray[np.float64]]


class WorthCurve(Plot):
    """The curve, with a line at the target."""

    target_dragged = Signal(int)
    """How many Gaussians to keep."""

    def __init__(self) -> None:
        super().__init__(pg.AxisItem("left"), CountAxis("bottom"))
        self.curve: Curve | None = None
        self.setAccessibleName("Worth kept against Gaussians kept")
        self.viewport().setCursor(Qt.CursorShape.SizeHorCursor)
        item = self.getPlotItem()
        item.getAxis("bottom").setLogMode(True, False)
        item.getAxis("left").setWidth(48)
        item.getAxis("left").setTicks([[(0, "0 %"), (0.5, "50 %"), (1, "100 %")]])
        item.getViewBox().setYRange(0, 1.06, padding=0)
        self.path = pg.PlotCurveItem()
        self.line = pg.InfiniteLine(0, angle=90)
        self.line.addMarker("o", 0.5, 12)
        for part in (self.path, self.line):
            self.addItem(part, ignoreBounds=True)
        self.pressed.connect(lambda point: self._take(point, point))
        self.dragged.connect(self._take)
        self.hovered.connect(self._hover)
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    def _restyle_items(self) -> None:
        self.path.setPen(pg.mkPen(theme.color("accent"), width=2))
        self.path.setBrush(translucent("accent", 40))
        self.path.setFillLevel(0)
        self.line.setPen(pg.mkPen(theme.color("error"), width=2))

    def set_curve(self, curve: Curve | None) -> None:
        """Show another curve, or none."""
        self.curve = curve
        if curve is None:
            self.path.setData([], [])
        else:
            counts, shares = curve
            some = counts > 0
            self.path.setData(np.log10(counts[some]), shares[some])
            top = max(1.0, float(np.log10(max(2, int(counts[-1])))))
            self.getPlotItem().getViewBox().setXRange(0, top, padding=0.035)

    def set_target(self, count: int) -> None:
        """Put the line at a number of Gaussians."""
        place = float(np.log10(max(1, count)))
        if self.line.value() != place:
            self.line.setPos(place)

    def share(self, count: float) -> float | None:
        """Share of the worth that so many Gaussians hold, None without a curve."""
        return None if self.curve is None else float(np.interp(count, *self.curve))

    @Slot(QPointF, QPointF)
    def _take(self, _start: QPointF, now: QPointF) -> None:
        if self.curve is not None:
            total = int(self.curve[0][-1])
            self.target_dragged.emit(min(max(1, round(10 ** min(now.x(), 18.0))), total))

    @Slot(QPointF)
    def _hover(self, point: QPointF) -> None:
        if self.curve is None:
            self.tell("")
            return
        count = min(max(1, round(10 ** min(point.x(), 18.0))), int(self.curve[0][-1]))
        share = self.share(count)
        if share is not None:
            self.tell(
                f"{count:,} Gaussians hold {percent_text(share)} of the worth.\n"
                "Drag to keep so many."
            )


class SessionCurve(QStackedWidget):
    """The curve of the session's score among the Gaussians left to it, or why there is none."""

    drawn = Signal()
    """Another curve is there, or none any more."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asked: tuple[Worth, Choice] | None = None
        self.plot = WorthCurve()
        self.reason = wrapped("")
        self.reason.setProperty("role", "muted")
        self.reason.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFixedHeight(EMPTY_HEIGHT)
        self.addWidget(self.plot)
        self.addWidget(self.reason)

    def refresh(self, target: int) -> None:
        """Draw the curve of another score or other Gaussians to choose among, off this thread."""
        self.plot.set_target(target)
        left, worth = self._session.choice, self._session.worth
        if left is None or worth is None:
            self._asked = None
            self._show(None, "" if left is None else NO_SCORE)
            return
        if self._asked is not None and self._asked[0] is worth and self._asked[1] is left:
            return
        asked = self._asked = (worth, left)

        def take(curve: Curve | None) -> None:
            if self._asked is asked:
                if curve is not None:
                    curve = curve[0] + left.others, curve[1]
                self._show(curve, NO_SUM)
                self.drawn.emit()

        self._session.asker.ask("worth curve", lambda: worth_curve(worth, left.among), take)

    def _show(self, curve: Curve | None, reason: str) -> None:
        self.reason.setText(reason)
        self.plot.set_curve(curve)
        self.setCurrentWidget(self.reason if curve is None else self.plot)
        self.setFixedHeight(EMPTY_HEIGHT if curve is None else HEIGHT)
