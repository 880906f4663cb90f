"""A plot that a mouse drags over, and its axes."""

import math

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QResizeEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip, QWidget

from viewer import theme
from viewer.widgets.numbers import value_text

MIN_TICK_PX = {"bottom": 60, "left": 22}
AXIS_WIDTH = 64
RELAYOUT_MS = 60


class CountAxis(pg.AxisItem):
    """An axis of counts, with thousands separators also on a logarithmic scale."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.setStyle(maxTickLevel=0)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return [f"{10**value:,.0f}" if value == round(value) else "" for value in values]
        return [f"{value * scale:,.0f}" for value in values]


class ValueAxis(pg.AxisItem):
    """An axis of numbers; on a logarithmic scale it names 1, 2 and 5 times powers of ten."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.logMode:
            return list(super().tickValues(low, high, size))
        decades = range(math.floor(low), math.ceil(high) + 1)
        gap_px = MIN_TICK_PX[self.orientation]
        every = max(1, math.ceil(len(decades) * gap_px / max(1.0, size)))
        major = [float(decade) for decade in decades if decade % every == 0]
        minor = [decade + math.log10(digit) for decade in decades for digit in (2, 5)]
        crowded = size < 3 * gap_px * max(1.0, high - low)
        if crowded and sum(low <= tick <= high for tick in major) > 1:
            minor = []
        levels = [(1.0, major), (0.3, minor)]
        return [(gap, [tick for tick in ticks if low <= tick <= high]) for gap, ticks in levels]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return [value_text(10**value) for value in values]
        return list(super().tickStrings(values, scale, spacing))


class Plot(pg.PlotWidget):
    """A plot that stays where it is; the left button drags over it.

    Points are in the plot's own coordinates, on logarithmic axes in powers of ten.
    """

    pressed = Signal(QPointF)
    dragged = Signal(QPointF, QPointF)
    """Where the drag began and where it is."""
    released = Signal(QPointF, QPointF, object)
    """Where the drag began and ended, and the modifier keys held at its end."""
    cancelled = Signal()
    hovered = Signal(QPointF)
    """Where the mouse is while no button is down."""
    restyled = Signal()
    """Items take their colours anew."""

    def __init__(self, left: pg.AxisItem, bottom: pg.AxisItem, parent: QWidget | None = None):
        super().__init__(parent, axisItems={"left": left, "bottom": bottom})
        self._start: QPointF | None = None
        self._resized = QTimer(self, singleShot=True, interval=RELAYOUT_MS)
        self._resized.timeout.connect(self._fit)
        self.setAcceptDrops(False)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.setContentsMargins(0, 8, 8, 0)
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        for axis in (left, bottom):
            axis.enableAutoSIPrefix(False)
        left.setWidth(AXIS_WIDTH)
        theme.events.changed.connect(self.restyle)
        self.restyle()

    @Slot()
    def restyle(self) -> None:
        """Take the colours of the theme in use."""
        self.setBackground(theme.color("panel"))
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(theme.color("text-muted"))
            axis.setTextPen(theme.color("text"))
        self.restyled.emit()

    @property
    def dragging(self) -> bool:
        """Whether the left button is down."""
        return self._start is not None

    def point_at(self, event: QMouseEvent) -> QPointF:
        """Where the mouse is, kept inside the plot."""
        box = self.getPlotItem().getViewBox()
        point = box.mapSceneToView(self.mapToScene(event.position().toPoint()))
        (left, right), (bottom, top) = box.viewRange()
        return QPointF(min(max(point.x(), left), right), min(max(point.y(), bottom), top))

    def pixel_of(self, point: QPointF) -> QPointF:
        """Where a point is drawn, in pixels of the viewport."""
        scene = self.getPlotItem().getViewBox().mapViewToScene(point)
        return QPointF(self.mapFromScene(scene))

    def tell(self, text: str) -> None:
        """Show a text beside the mouse; an empty one hides it."""
        if text:
            QToolTip.showText(self.cursor().pos(), text, self.viewport())
        else:
            QToolTip.hideText()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._start = self.point_at(event)
            self.tell("")
            self.pressed.emit(self._start)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = self.point_at(event)
        if self._start is not None:
            self.dragged.emit(self._start, point)
        elif event.buttons() == Qt.MouseButton.NoButton:
            self.hovered.emit(point)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._start is not None:
            start, self._start = self._start, None
            self.released.emit(start, self.point_at(event), event.modifiers())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._start is not None:
            self._start = None
            self.cancelled.emit()
        else:
            event.ignore()

    def showEvent(self, event: QShowEvent) -> None:
        self._fit()
        super().showEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """While the window's edge is dragged axes are laid out a few times a second, in turns of
        the event loop of their own."""
        if not self.isVisible():
            super().resizeEvent(event)
        elif not self._resized.isActive():
            self._resized.start()

    @Slot()
    def _fit(self) -> None:
        self._resized.stop()
        super().resizeEvent(QResizeEvent(self.size(), self.size()))

    def leaveEvent(self, event: QEvent) -> None:
        self.tell("")
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def translucent(name: str, alpha: int) -> QColor:
    """A colour of the theme with an opacity of 0 to 255."""
    color = QColor(theme.color(name))
    color.setAlpha(alpha)
    return color
