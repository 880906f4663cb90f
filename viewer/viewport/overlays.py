"""What is painted over the picture: plates with text, words in the scene, the empty state."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QLinearGradient,
    QPainter,
    QPen,
)

from core.rendering.heatmap import colormap_table
from viewer.viewport.tints import GHOST_COLOR

PLATE = QColor(14, 15, 18, 205)
TEXT = QColor(232, 234, 238)
DIM = QColor(168, 173, 181)
SHADOW = QColor(10, 11, 14, 190)
TAG_GAP = 8.0
MARGIN = 12.0
PADDING = 9.0
GRADIENT_STOPS = 32


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
    draw_plate(painter, plate)
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


def draw_message(painter: QPainter, area: QRect, title: str, hint: str, left: float = 0) -> None:
    """A plate with a title and a hint in the upper middle, right of ``left`` if there is room."""
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
    plate.moveLeft(min(max(plate.left(), left), area.right() + 1 - MARGIN - width))
    draw_plate(painter, plate)
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


def draw_plate(painter: QPainter, rect: QRectF) -> None:
    """A dark, rounded ground for text."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PLATE)
    painter.drawRoundedRect(rect, 5, 5)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def draw_shadowed(
    painter: QPainter,
    at: QPointF,
    text: str,
    color: QColor,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignHCenter,
) -> None:
    """A word on the picture, dark around its letters; ``at`` is on its baseline."""
    width = QFontMetricsF(painter.font()).horizontalAdvance(text)
    share = {Qt.AlignmentFlag.AlignRight: 1.0, Qt.AlignmentFlag.AlignLeft: 0.0}.get(align, 0.5)
    start = QPointF(round(at.x() - share * width), round(at.y()))
    painter.setPen(SHADOW)
    for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):
        painter.drawText(start + QPointF(x, y), text)
    painter.setPen(color)
    painter.drawText(start, text)


def draw_tag(
    painter: QPainter,
    area: QRect,
    at: QPointF,
    lines: Sequence[str],
    *,
    image: QImage | None = None,
    above: float | None = None,
) -> None:
    """A plate with a few short lines, the first one bright, and maybe a picture.

    It stands over ``above`` (or ``at``), below it where there is no room, and always inside.
    """
    metrics = QFontMetricsF(painter.font())
    width = max(metrics.horizontalAdvance(line) for line in lines) + 2 * PADDING
    height = len(lines) * metrics.height() + PADDING
    if image is not None:
        width = max(width, image.width() + 2 * PADDING)
        height += image.height() + PADDING
    top = (at.y() if above is None else above) - height - TAG_GAP
    if top < 4:
        top = at.y() + 2 * TAG_GAP
    left = min(max(4.0, at.x() - width / 2), max(4.0, area.right() - 4 - width))
    top = min(top, max(4.0, area.bottom() - 4 - height))
    plate = QRectF(round(left), round(top), width, height)
    draw_plate(painter, plate)
    y = plate.top() + PADDING / 2
    if image is not None:
        painter.drawImage(QPointF(plate.center().x() - image.width() / 2, y + PADDING / 2), image)
        y += image.height() + PADDING
    for row, line in enumerate(lines):
        painter.setPen(TEXT if row == 0 else DIM)
        painter.drawText(QPointF(plate.left() + PADDING, y + metrics.ascent()), line)
        y += metrics.height()


def draw_notice(painter: QPainter, area: QRect, text: str) -> None:
    """A plate with one line in the lower middle, for something that passes."""
    metrics = QFontMetricsF(painter.font())
    width = min(metrics.horizontalAdvance(text) + 2 * PADDING, area.width() - 2 * MARGIN)
    height = metrics.height() + PADDING
    plate = QRectF(0, 0, width, height)
    plate.moveCenter(QPointF(area.center().x(), area.bottom() - 4 * MARGIN - height))
    draw_plate(painter, plate)
    painter.setPen(TEXT)
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)


def gradient(start: QPointF, end: QPointF, colormap: str) -> QLinearGradient:
    """The colours of a map from one place to another."""
    made = QLinearGradient(start, end)
    table = colormap_table(colormap)
    for stop in range(GRADIENT_STOPS + 1):
        place = stop / GRADIENT_STOPS
        color = table[round(place * (len(table) - 1))].tolist()
        made.setColorAt(place, QColor.fromRgbF(*color))
    return made
