"""How gestures are drawn: legible over dark and bright pictures, the same in every theme."""

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from core.editing import SelectOp

DARK = QColor(0, 0, 0, 170)
LIGHT = QColor(255, 255, 255)
FILL = QColor(255, 138, 61, 42)
PAINT = QColor(255, 138, 61, 105)
PLATE = QColor(14, 15, 18, 215)
DARK_PX, LIGHT_PX = 3.2, 1.4
DASHES = (4.0, 4.0)
CORNER_PX = 3.5
BADGE_GAP = 16.0
SIGNS = {SelectOp.SET: "", SelectOp.ADD: "+ ", SelectOp.REMOVE: "− ", SelectOp.INTERSECT: "∩ "}


def draw_outline(
    painter: QPainter, path: QPainterPath, *, filled: bool = True, dashed: bool = True
) -> None:
    """Draw a dashed line, white on black, and what it encloses tinted."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if filled:
        path.setFillRule(Qt.FillRule.WindingFill)
        painter.fillPath(path, FILL)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(DARK, DARK_PX))
    painter.drawPath(path)
    pen = QPen(LIGHT, LIGHT_PX)
    if dashed:
        pen.setDashPattern(DASHES)
    painter.setPen(pen)
    painter.drawPath(path)


def draw_corner(painter: QPainter, at: QPointF) -> None:
    """Draw a small square at a corner."""
    painter.setPen(QPen(DARK, 1.5))
    painter.setBrush(LIGHT)
    painter.drawRect(QRectF(at.x() - CORNER_PX, at.y() - CORNER_PX, 2 * CORNER_PX, 2 * CORNER_PX))


def draw_badge(
    painter: QPainter, area: QRect, at: QPointF, op: SelectOp, count: int | None
) -> None:
    """Write how many Gaussians a gesture means beside the mouse, within the picture."""
    if count is None and not SIGNS[op]:
        return
    text = SIGNS[op] + ("…" if count is None else f"{count:,}")
    metrics = QFontMetricsF(painter.font())
    plate = QRectF(0, 0, metrics.horizontalAdvance(text) + 14, metrics.height() + 6)
    plate.moveTopLeft(at + QPointF(BADGE_GAP, BADGE_GAP))
    if plate.right() > area.right() - 4:
        plate.moveRight(at.x() - BADGE_GAP)
    if plate.bottom() > area.bottom() - 4:
        plate.moveBottom(at.y() - BADGE_GAP)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PLATE)
    painter.drawRoundedRect(plate, 5, 5)
    painter.setPen(LIGHT)
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
