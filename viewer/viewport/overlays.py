"""What is painted over the picture: legends, the line of facts, the empty state."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen

from core.rendering.heatmap import colormap_table
from viewer.viewport.shading import GHOST_COLOR

PLATE = QColor(14, 15, 18, 205)
TEXT = QColor(232, 234, 238)
DIM = QColor(168, 173, 181)
MARGIN = 12.0
PADDING = 9.0
BAR_WIDTH = 14.0
MIN_BAR_HEIGHT, MAX_BAR_HEIGHT = 90.0, 240.0
BAR_SHARE = 0.42
GRADIENT_STOPS = 16


@dataclass(frozen=True, slots=True)
class ColorBar:
    """A legend: ``ticks`` are (place in 0..1 from the bottom, label, dim remark)."""

    title: str
    colormap: str
    ticks: tuple[tuple[float, str, str], ...]


def draw_line(
    painter: QPainter, area: QRect, text: str, row: int = 0, *, ghost: bool = False
) -> None:
    """A plate with one line of text in the lower left corner, ``row`` rows above the lowest."""
    metrics = QFontMetricsF(painter.font())
    swatch = metrics.height() if ghost else 0.0
    width = min(metrics.horizontalAdvance(text) + swatch + 2 * PADDING, area.width() - 2 * MARGIN)
    height = metrics.height() + PADDING
    top = area.bottom() + 1 - MARGIN - height - row * (height + 6)
    plate = QRectF(MARGIN, top, width, height)
    _plate(painter, plate)
    inner = plate.adjusted(PADDING, 0, -PADDING, 0)
    if ghost:
        side = metrics.ascent() * 0.8
        painter.fillRect(
            QRectF(inner.left(), inner.center().y() - side / 2, side, side),
            QColor.fromRgbF(*GHOST_COLOR),
        )
        inner.setLeft(inner.left() + swatch)
    painter.setPen(TEXT)
    elided = metrics.elidedText(text, Qt.TextElideMode.ElideRight, inner.width() + 1)
    painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, elided)


def draw_color_bar(painter: QPainter, area: QRect, bar: ColorBar) -> None:
    """A legend at the right edge, in the middle of the height."""
    metrics = QFontMetricsF(painter.font())
    line = metrics.height()
    labels = [f"{label}  {remark}".rstrip() for _, label, remark in bar.ticks]
    widest = max((metrics.horizontalAdvance(label) for label in labels), default=0.0)
    width = max(metrics.horizontalAdvance(bar.title), BAR_WIDTH + 10 + widest) + 2 * PADDING
    height = min(MAX_BAR_HEIGHT, max(MIN_BAR_HEIGHT, area.height() * BAR_SHARE))
    full = height + 2.4 * line + 2 * PADDING
    plate = QRectF(area.right() + 1 - MARGIN - width, area.center().y() - full / 2, width, full)
    _plate(painter, plate)
    painter.setPen(TEXT)
    painter.drawText(
        QPointF(plate.left() + PADDING, plate.top() + PADDING + metrics.ascent()), bar.title
    )
    strip = QRectF(
        plate.left() + PADDING, plate.top() + PADDING + 2.0 * line, BAR_WIDTH, height - PADDING
    )
    painter.fillRect(strip, QBrush(_gradient(strip, bar.colormap)))
    for place, label, remark in bar.ticks:
        y = strip.bottom() - place * strip.height()
        painter.setPen(QPen(TEXT, 1))
        painter.drawLine(QPointF(strip.right(), y), QPointF(strip.right() + 4, y))
        left = strip.right() + 10
        baseline = y + metrics.ascent() / 2 - 1
        painter.drawText(QPointF(left, baseline), label)
        painter.setPen(DIM)
        painter.drawText(QPointF(left + metrics.horizontalAdvance(label + "  "), baseline), remark)


def draw_message(painter: QPainter, area: QRect, title: str, hint: str) -> None:
    """A plate with a title and a hint in the upper middle."""
    metrics = QFontMetricsF(painter.font())
    widest = max(metrics.horizontalAdvance(title), metrics.horizontalAdvance(hint))
    width = min(widest + 4 * PADDING, area.width() - 2 * MARGIN)
    lines = 2 if hint else 1
    plate = QRectF(
        area.center().x() - width / 2,
        MARGIN * 2,
        width,
        lines * metrics.height() + 2 * PADDING,
    )
    _plate(painter, plate)
    inner = plate.adjusted(PADDING, PADDING, -PADDING, -PADDING)
    painter.setPen(TEXT)
    painter.drawText(inner, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, title)
    painter.setPen(DIM)
    painter.drawText(inner, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, hint)


def draw_empty(painter: QPainter, area: QRect, title: str, hint: str) -> None:
    """What stands where no scene is open: a drop target with a hint."""
    side = min(area.width(), area.height())
    box = QRectF(0, 0, min(460.0, area.width() - 2 * MARGIN), min(220.0, side - 2 * MARGIN))
    box.moveCenter(QPointF(area.center()))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(QColor(110, 116, 126), 1.5, Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.setBrush(QColor(255, 255, 255, 8))
    painter.drawRoundedRect(box, 14, 14)
    large = QFont(painter.font())
    large.setPointSizeF(large.pointSizeF() * 1.5)
    small = painter.font()
    half = box.height() / 2
    painter.setFont(large)
    painter.setPen(TEXT)
    painter.drawText(
        box.adjusted(0, 0, 0, -half),
        Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom,
        title,
    )
    painter.setFont(small)
    painter.setPen(DIM)
    painter.drawText(
        box.adjusted(0, half + 10, 0, 0),
        Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop,
        hint,
    )


def _plate(painter: QPainter, rect: QRectF) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PLATE)
    painter.drawRoundedRect(rect, 5, 5)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _gradient(strip: QRectF, colormap: str) -> QLinearGradient:
    gradient = QLinearGradient(strip.bottomLeft(), strip.topLeft())
    table = colormap_table(colormap)
    for stop in range(GRADIENT_STOPS + 1):
        place = stop / GRADIENT_STOPS
        color = table[round(place * (len(table) - 1))].tolist()
        gradient.setColorAt(place, QColor.fromRgbF(*color))
    return gradient
