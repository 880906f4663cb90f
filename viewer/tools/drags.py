"""What all tools have in common that are dragged, and those that mark a part of the picture."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPen, QPolygonF, QWheelEvent
from torch import Tensor

from core.editing import SelectOp
from core.editing.regions import Region, heaviest, in_region, polygon_region, stroke_region
from viewer.tools.context import Find, Shot, ToolContext
from viewer.tools.outline import PAINT, draw_badge, draw_corner, draw_outline
from viewer.tools.tool import Tool

CLICK_PX = 4.0
CLOSE_PX = 9.0
STEP_PX = 1.5
"""Points of a line drawn by hand are at least this far apart."""
LEFT = Qt.MouseButton.LeftButton

Points = NDArray[np.float64]


class DragTool(Tool):
    """Press, drag, release: one selection.

    Subclasses say with :meth:`finder` which Gaussians the points marked so far mean.
    """

    name = ""
    """What the history calls the edit."""

    def __init__(self, context: ToolContext) -> None:
        self.context = context
        self.points: list[QPointF] = []
        self.mouse = QPointF()
        self.op = SelectOp.SET
        self._inside: int | None = None

    def finder(self) -> Find | None:
        """Which Gaussians the gesture means as it is now; None where it means none yet."""
        raise NotImplementedError

    def press(self, event: QMouseEvent) -> bool:
        """Begin."""
        if event.button() != LEFT:
            return False
        self.op = self.context.box.op_for(event.modifiers())
        self.mouse = event.position()
        self.points, self._inside = [event.position()], None
        self.show()
        return True

    def move(self, event: QMouseEvent) -> bool:
        """Go on."""
        self.mouse = event.position()
        if not self.points:
            return False
        self.extend(event.position())
        self.show()
        return True

    def extend(self, at: QPointF) -> None:
        """The mouse was dragged to a place."""
        self.points = [self.points[0], at]

    def release(self, event: QMouseEvent) -> bool:
        """Select."""
        if event.button() != LEFT or not self.points:
            return False
        self.mouse = event.position()
        self.extend(event.position())
        self.finish()
        return True

    def finish(self) -> None:
        """Select what was marked, and be ready for the next gesture."""
        find = self.finder()
        self.drop()
        if find is not None:
            self.context.select(find, self.op, self.name)

    def cancel(self) -> bool:
        """Drop what was marked."""
        marked = bool(self.points)
        self.drop()
        return marked

    def drop(self) -> None:
        """Forget what was marked."""
        self.points, self._inside = [], None
        self.context.box.repaint.emit()

    def show(self) -> None:
        """Paint what is marked, and count it."""
        self.context.box.repaint.emit()
        find, first = self.finder(), self.points[0] if self.points else None
        if find is None or first is None:
            self._inside = None
            return

        def take(count: int) -> None:
            if self.points and self.points[0] is first:
                self._inside = count
                self.context.box.repaint.emit()

        self.context.count(find, take)

    def draw_count(self, painter: QPainter, area: QRect) -> None:
        """Write beside the mouse how many Gaussians are marked."""
        draw_badge(painter, area, self.mouse, self.op, self._inside)


class RegionTool(DragTool):
    """Marks a part of the picture; a click without a drag means the one Gaussian under it."""

    knows_front = True

    def marker(self, marked: Points) -> Callable[[Shot], Region]:
        """From a shot to the pixels that logical points ``(M, 2)`` mark in it, ``(H, W)``."""

        def mark(shot: Shot) -> Region:
            return polygon_region(marked * shot.ratio, shot.camera.width, shot.camera.height)

        return mark

    def finder(self) -> Find | None:
        marked = np.array([(point.x(), point.y()) for point in self.points])
        if not len(marked):
            return None
        if self.is_click(marked):
            return self._one(marked[-1])

        mark = self.marker(marked)

        def find(shot: Shot) -> Tensor:
            found = in_region(shot.scene, shot.camera, mark(shot), shot.visible)
            return found & self.context.front(shot) if shot.front_only else found

        return find

    def is_click(self, marked: Points) -> bool:
        """Whether the mouse hardly moved from the first of the points ``(M, 2)``."""
        return bool(np.abs(marked - marked[0]).max() < CLICK_PX)

    def _one(self, at: Points) -> Find:
        def find(shot: Shot) -> Tensor:
            x, y = (at * shot.ratio).tolist()
            return heaviest(shot.scene, shot.camera, x, y, shot.visible)

        return find

    def show(self) -> None:
        """Clicks are not counted."""
        marked = np.array([(point.x(), point.y()) for point in self.points])
        if len(marked) and self.is_click(marked):
            self._inside = None
            self.context.box.repaint.emit()
        else:
            super().show()


class RectTool(RegionTool):
    """A rectangle from corner to corner."""

    id = "tool.rect"
    title = "Rectangle"
    name = "Select by rectangle"
    hint = "Drag a rectangle, or click one"

    def marker(self, marked: Points) -> Callable[[Shot], Region]:
        (left, top), (right, bottom) = marked[0], marked[-1]
        return super().marker(
            np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        )

    def paint(self, painter: QPainter, area: QRect) -> None:
        if len(self.points) > 1:
            path = QPainterPath()
            path.addRect(QRectF(self.points[0], self.points[-1]).normalized())
            draw_outline(painter, path)
            self.draw_count(painter, area)


class LassoTool(RegionTool):
    """A closed line drawn by hand."""

    id = "tool.lasso"
    title = "Lasso"
    name = "Select by lasso"
    hint = "Draw around Gaussians, or click one"

    def extend(self, at: QPointF) -> None:
        if (at - self.points[-1]).manhattanLength() >= STEP_PX:
            self.points.append(at)

    def paint(self, painter: QPainter, area: QRect) -> None:
        if len(self.points) > 1:
            path = QPainterPath()
            path.addPolygon(QPolygonF([*self.points, self.points[0]]))
            draw_outline(painter, path)
            self.draw_count(painter, area)


class BrushTool(RegionTool):
    """Paints with a round brush."""

    id = "tool.brush"
    title = "Brush"
    name = "Select by brush"
    hint = "Paint over Gaussians"
    has_size = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._over = False

    def move(self, event: QMouseEvent) -> bool:
        """Paint, or show where the brush is."""
        self._over = True
        taken = super().move(event)
        if not taken:
            self.context.box.repaint.emit()
        return taken

    def leave(self) -> None:
        """The circle goes with the mouse."""
        self._over = False
        self.context.box.repaint.emit()

    def cancel(self) -> bool:
        """Drop the stroke."""
        self._over = False
        return super().cancel()

    def extend(self, at: QPointF) -> None:
        if (at - self.points[-1]).manhattanLength() >= STEP_PX:
            self.points.append(at)

    def is_click(self, marked: Points) -> bool:
        """A dab is a stroke."""
        return False

    def marker(self, marked: Points) -> Callable[[Shot], Region]:
        radius = self.context.box.brush_px

        def mark(shot: Shot) -> Region:
            ratio, camera = shot.ratio, shot.camera
            return stroke_region(marked * ratio, radius * ratio, camera.width, camera.height)

        return mark

    def wheel(self, event: QWheelEvent) -> bool:
        """Change the size with Ctrl."""
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        if event.angleDelta().y() > 0:
            self.context.box.bigger()
        elif event.angleDelta().y() < 0:
            self.context.box.smaller()
        return True

    def paint(self, painter: QPainter, area: QRect) -> None:
        radius = self.context.box.brush_px
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.points:
            pen = QPen(PAINT, 2 * radius)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            painter.setPen(pen)
            if len(self.points) == 1:
                painter.drawPoint(self.points[0])
            else:
                painter.drawPolyline(QPolygonF(self.points))
            self.draw_count(painter, area)
        if self._over or self.points:
            path = QPainterPath()
            path.addEllipse(self.mouse, radius, radius)
            draw_outline(painter, path, filled=False, dashed=False)


class PolygonTool(RegionTool):
    """Corners set one by one; Return, a double click or the first corner closes."""

    id = "tool.polygon"
    title = "Polygon"
    name = "Select by polygon"
    hint = "Click corners; Enter or a double click closes, Backspace takes one back"

    def press(self, event: QMouseEvent) -> bool:
        """Set a corner, or close the polygon at its first one."""
        if event.button() != LEFT:
            return False
        self.mouse = event.position()
        if not self.points:
            self.op = self.context.box.op_for(event.modifiers())
        elif self._closes(event.position()):
            return self.accept()
        self.points.append(event.position())
        self.show()
        return True

    def move(self, event: QMouseEvent) -> bool:
        """Show where the next corner would be."""
        self.mouse = event.position()
        if self.points:
            self.context.box.repaint.emit()
        return False

    def release(self, event: QMouseEvent) -> bool:
        """Corners are set when pressed."""
        return event.button() == LEFT

    def double_click(self, event: QMouseEvent) -> bool:
        """Close; the first of the two clicks has set the last corner."""
        if event.button() != LEFT:
            return False
        self.accept()
        return True

    def accept(self) -> bool:
        """Close the polygon and select."""
        if len(self.points) < 3:
            return False
        self.finish()
        return True

    def step_back(self) -> bool:
        """Take the last corner back."""
        if not self.points:
            return False
        self.points.pop()
        self.show()
        return True

    def finder(self) -> Find | None:
        return super().finder() if len(self.points) >= 3 else None

    def is_click(self, marked: Points) -> bool:
        """Corners are all meant."""
        return False

    def paint(self, painter: QPainter, area: QRect) -> None:
        if not self.points:
            return
        path = QPainterPath()
        path.addPolygon(QPolygonF([*self.points, self.mouse, self.points[0]]))
        draw_outline(painter, path)
        for point in self.points:
            draw_corner(painter, point)
        if self._closes(self.mouse):
            ring = QPainterPath()
            ring.addEllipse(self.points[0], CLOSE_PX, CLOSE_PX)
            draw_outline(painter, ring, filled=False, dashed=False)
        self.draw_count(painter, area)

    def _closes(self, at: QPointF) -> bool:
        near = at - self.points[0]
        return len(self.points) >= 3 and np.hypot(near.x(), near.y()) < CLOSE_PX
