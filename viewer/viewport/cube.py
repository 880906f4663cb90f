"""The view cube: shows how the world lies, turns the picture, leads to the axis views."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPen,
    QPixmap,
    QPolygonF,
    QTransform,
)

from core.cameras import Matrix
from viewer.viewport.handle import Handle

SIZE = 84.0
MARGIN = 10.0
LEAST_AREA = (300, 220)
CLICK_PX = 4.0
AXIS_COLORS = (QColor(226, 88, 88), QColor(110, 184, 86), QColor(84, 142, 240))
FACE = QColor(40, 43, 50)
FACE_HOVERED = QColor(72, 114, 176)
EDGE = QColor(150, 156, 168)
LABEL = QColor(240, 242, 246)
DULL = 0.86
TEXTURE = 100.0

_FACES = tuple((axis, sign) for axis in range(3) for sign in (1, -1))


class ViewCube(Handle):
    """A small cube in the upper left corner, turned as the world is in the picture.

    Messages appear at the upper right, legends below them, facts at the lower left.

    Parameters
    ----------
    rotation
        Gives the picture's right, down and forward in the world, as rows, ``(3, 3)``.
    shown
        Tells whether it is there.
    look_along
        Called with a viewing direction ``(3,)`` when a face was clicked.
    orbit
        Called with the pixels of a drag.
    """

    def __init__(
        self,
        rotation: Callable[[], Matrix],
        shown: Callable[[], bool],
        look_along: Callable[[Matrix], object],
        orbit: Callable[[float, float], object],
    ) -> None:
        self._rotation = rotation
        self._shown = shown
        self._look_along = look_along
        self._orbit = orbit
        self._area = QRect()
        self._hovered: tuple[int, int] | None = None
        self._pressed: QPointF | None = None
        self._last = QPointF()
        self._dragged = False
        self._drawn: tuple[object, ...] = ()
        self._picture = QPixmap()

    @property
    def hovered(self) -> str:
        """Name of the face under the mouse, such as "+X"; empty without one."""
        return "" if self._hovered is None else _name(*self._hovered)

    def place(self, area: QRect) -> None:
        """Tell the size of the picture."""
        self._area = area

    @property
    def box(self) -> QRectF:
        """Where it is drawn; empty where it is not."""
        area = self._area
        if not self._shown() or area.width() < LEAST_AREA[0] or area.height() < LEAST_AREA[1]:
            return QRectF()
        return QRectF(MARGIN, MARGIN, SIZE, SIZE)

    def press(self, event: QMouseEvent) -> bool:
        """Begin a click or a drag on the cube."""
        if event.button() != Qt.MouseButton.LeftButton or not self._over(event.position()):
            return False
        self._pressed = self._last = event.position()
        self._dragged = False
        return True

    def move(self, event: QMouseEvent) -> bool:
        """Turn the picture by a drag, or mark the face under the mouse."""
        at = event.position()
        if self._pressed is None:
            self._hovered = self._face_at(at)
            return self._over(at)
        way = at - self._pressed
        if not self._dragged and way.manhattanLength() > CLICK_PX:
            self._dragged = True
            self._hovered = None
        if self._dragged:
            moved = at - self._last
            self._last = at
            self._orbit(moved.x(), moved.y())
        return True

    def release(self, event: QMouseEvent) -> bool:
        """End a drag, or go to the view of the face that was clicked."""
        if self._pressed is None:
            return False
        self._pressed = None
        face = self._face_at(event.position())
        if face is not None and not self._dragged:
            axis, sign = face
            self._look_along(-sign * np.eye(3)[axis])
        return True

    def double_click(self, event: QMouseEvent) -> bool:
        """The second of two quick clicks counts like the first."""
        return self.press(event)

    def leave(self) -> None:
        """Mark no face."""
        self._hovered = None

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Draw the faces that can be seen, with their names upright."""
        self.place(area)
        box = self.box
        if box.isEmpty():
            return
        rotation = self._rotation()
        ratio = painter.device().devicePixelRatioF()
        wanted = rotation.tobytes(), self._hovered, self._over_box, ratio, painter.font()
        if wanted != self._drawn:
            self._drawn = wanted
            self._picture = self._draw(rotation, ratio, painter.font())
        painter.drawPixmap(box.topLeft(), self._picture)

    def _draw(self, rotation: Matrix, ratio: float, font: QFont) -> QPixmap:
        """A picture of the box, which is kept until something in it changes."""
        picture = QPixmap((QSizeF(SIZE, SIZE) * ratio).toSize())
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        with QPainter(picture) as painter:
            painter.setFont(font)
            painter.translate(-self.box.topLeft())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._over_box:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(14, 15, 18, 90))
                painter.drawEllipse(self.box)
            painter.setOpacity(1.0 if self._over_box else DULL)
            for axis, sign in _FACES:
                if sign * rotation[2, axis] < -1e-3:
                    self._paint_face(painter, rotation, axis, sign)
        return picture

    @property
    def _over_box(self) -> bool:
        return self._hovered is not None or self._pressed is not None

    def _over(self, at: QPointF) -> bool:
        box = self.box
        reach = QPointF(at - box.center())
        return not box.isEmpty() and float(np.hypot(reach.x(), reach.y())) <= SIZE / 2

    def _face_at(self, at: QPointF) -> tuple[int, int] | None:
        if not self._over(at):
            return None
        rotation = self._rotation()
        for axis, sign in _FACES:
            if sign * rotation[2, axis] < -1e-3:
                polygon = self._corners(rotation, axis, sign)
                if polygon.containsPoint(at, Qt.FillRule.OddEvenFill):
                    return axis, sign
        return None

    def _corners(self, rotation: Matrix, axis: int, sign: int) -> QPolygonF:
        """A face's corners, from upper left clockwise as its name is read."""
        normal = sign * np.eye(3)[axis]
        picture_up = -rotation[1]
        beside = [s * np.eye(3)[other] for other in range(3) if other != axis for s in (1, -1)]
        up = max(beside, key=lambda side: float(side @ picture_up))
        right = np.cross(up, normal)
        half = SIZE / (2 * sqrt(3)) * 0.98
        middle = self.box.center()
        polygon = QPolygonF()
        for x, y in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
            corner = rotation @ (normal + x * right + y * up) * half
            polygon.append(QPointF(middle.x() + corner[0], middle.y() + corner[1]))
        return polygon

    def _paint_face(self, painter: QPainter, rotation: Matrix, axis: int, sign: int) -> None:
        polygon = self._corners(rotation, axis, sign)
        hovered = self._hovered == (axis, sign)
        light = 0.72 + 0.38 * max(0.0, -sign * float(rotation[2, axis]))
        fill = _mixed(FACE, AXIS_COLORS[axis], 0.42 if sign > 0 else 0.16)
        fill = FACE_HOVERED if hovered else _scaled(fill, light)
        painter.setPen(QPen(EDGE, 1))
        painter.setBrush(QBrush(fill))
        painter.drawPolygon(polygon)
        square = QPolygonF(
            [QPointF(0, 0), QPointF(TEXTURE, 0), QPointF(TEXTURE, TEXTURE), QPointF(0, TEXTURE)]
        )
        onto = QTransform()
        if not QTransform.quadToQuad(square, polygon, onto):
            return
        painter.save()
        painter.setTransform(onto, combine=True)
        font = QFont(painter.font())
        font.setPixelSize(46)
        font.setBold(True)
        name = _name(axis, sign)
        text = QFontMetricsF(font).tightBoundingRect(name)
        painter.setFont(font)
        painter.setPen(LABEL)
        painter.drawText(QPointF(TEXTURE / 2, TEXTURE / 2) - text.center(), name)
        painter.restore()


def _name(axis: int, sign: int) -> str:
    return f"{'+' if sign > 0 else '−'}{'XYZ'[axis]}"


def _mixed(a: QColor, b: QColor, share: float) -> QColor:
    pairs = ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    return QColor(*(round(x + (y - x) * share) for x, y in pairs))


def _scaled(color: QColor, factor: float) -> QColor:
    levels = (color.red(), color.green(), color.blue())
    return QColor(*(min(255, round(level * factor)) for level in levels))
