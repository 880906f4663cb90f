"""What lies over a comparison: the line to drag, the sides' names and likeness, a colour scale."""

from PySide6.QtCore import QEvent, QLineF, QObject, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from viewer import theme
from viewer.compare import Compare, CompareMode
from viewer.look import Mode
from viewer.session import Session
from viewer.viewport.compare_numbers import CompareNumbers
from viewer.viewport.comparing import DIFFERENCE_COLORMAP, DIFFERENCE_FULL
from viewer.viewport.overlays import gradient
from viewer.viewport.viewport import Viewport

HANDLE_WIDTH = 26
GRIP_RADIUS = 11.0
MARGIN = 12
PADDING = 9
PLATE_GAP = 4
SMALLEST_PLATE = 24
ROOM_FOR_NAMES = 80
STEP, LEAP = 0.01, 0.1
LEGEND_SIZE = (190, 46)
ROOM_FOR_FACTS = 760
FACTS_HEIGHT = 62
ADVICE_HEIGHT = 70

PLATE = QColor(14, 15, 18, 205)
TEXT = QColor(232, 234, 238)
DIM = QColor(168, 173, 181)
EDGE = QColor(0, 0, 0, 150)


class CompareMarks(QObject):
    """Keeps handle, names, numbers and legend where the comparison and the viewport have them."""

    def __init__(self, session: Session, viewport: Viewport, numbers: CompareNumbers) -> None:
        super().__init__(viewport)
        self._session = session
        self._viewport = viewport
        self.handle = WipeHandle(session.compare, viewport)
        self.name_a = Plate(viewport)
        self.name_b = Plate(viewport)
        self.likeness = Plate(viewport)
        self.likeness.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        self._numbers = numbers
        numbers.changed.connect(self._show_numbers)
        self.legend = DifferenceLegend(viewport)
        session.compare.changed.connect(self.refresh)
        session.compare.sides_changed.connect(self.refresh)
        session.document_replaced.connect(self.refresh)
        viewport.frame_shown.connect(self.refresh)
        viewport.installEventFilter(self)
        self.refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the viewport's size."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self.refresh()
        return False

    @Slot()
    def refresh(self) -> None:
        """Show and place what the comparison needs."""
        compare = self._session.compare
        comparison = None if self._session.document is None else compare.comparison()
        top = MARGIN + ADVICE_HEIGHT if self._advises else MARGIN
        for plate in (self.name_a, self.name_b):
            plate.top = top
        mode = CompareMode.OFF if comparison is None else comparison.mode
        alone = None if comparison is None else comparison.alone
        wipes = mode == CompareMode.WIPE and alone is None
        if wipes:
            self.handle.place()
        self.handle.setVisible(wipes)
        self.legend.setVisible(mode == CompareMode.DIFFERENCE and alone is None)
        self.legend.place()
        if comparison is None:
            self.name_a.hide()
            self.name_b.hide()
        elif alone is not None:
            self.name_a.hide()
            letter = "A" if alone is comparison.a else "B"
            self.name_b.show_at(f"{letter}  {alone.name}", self._width / 2, 0.5)
        else:
            self._name_both(mode, comparison.a.name, comparison.b.name)
        self._show_numbers()

    @Slot()
    def _show_numbers(self) -> None:
        """How alike the sides are, below their names; nothing where a message says why not."""
        compare = self._session.compare
        compares = self._session.document is not None and compare.mode != CompareMode.OFF
        if not compares or self._advises:
            self.likeness.hide()
            return
        self.likeness.top = self.name_b.top + self.name_b.line_height + PLATE_GAP
        self.likeness.setToolTip(self._numbers.tip)
        self.likeness.show_at(self._numbers.text, self._width / 2, 0.5)

    @property
    def reach(self) -> int:
        """How far down from the top names and numbers reach; 0 where there are none."""
        plates = (self.name_a, self.name_b, self.likeness)
        return max((one.geometry().bottom() for one in plates if one.isVisible()), default=0)

    @property
    def _width(self) -> float:
        return float(self._viewport.width())

    @property
    def _advises(self) -> bool:
        """Whether a message stands where the names would be."""
        session, frame = self._session, self._viewport.frame
        unscored = session.mode == Mode.HEATMAP and session.worth is None
        return unscored or (frame is not None and frame.picture.advice is not None)

    def _name_both(self, mode: CompareMode, a: str, b: str) -> None:
        width, gap = self._width, HANDLE_WIDTH / 2
        if mode == CompareMode.DIFFERENCE:
            self.name_a.hide()
            self.name_b.show_at(f"A  {a}  −  B  {b}", width / 2, 0.5)
        elif mode == CompareMode.WIPE:
            line = self._session.compare.split * width
            self.name_a.show_at(f"A  {a}", line - gap, 1.0)
            self.name_b.show_at(f"B  {b}", line + gap, 0.0)
        else:
            self.name_a.show_at(f"A  {a}", width / 4, 0.5, width / 2)
            self.name_b.show_at(f"B  {b}", 3 * width / 4, 0.5, width / 2)


class WipeHandle(QWidget):
    """The line between A and B: dragged, or moved with the arrow keys."""

    def __init__(self, compare: Compare, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self._compare = compare
        self._grabbed: float | None = None
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Wipe position")
        self.setToolTip(
            "Drag to move the line between A and B.\n"
            "Arrow keys move it by 1 %, a double click centres it."
        )
        self.hide()

    def place(self) -> None:
        """Stand where the comparison is split."""
        over = self._over
        left = round(self._compare.split * over.width() - HANDLE_WIDTH / 2)
        self.setGeometry(left, 0, HANDLE_WIDTH, over.height())
        self.setAccessibleDescription(f"{100 * self._compare.split:.0f} %")
        self.raise_()

    def event(self, event: QEvent) -> bool:
        """Arrow keys belong to the line while it has the focus, not to the viewport."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and _step(event) is not None
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the line."""
        step = _step(event)
        if step is None:
            super().keyPressEvent(event)
        else:
            self._compare.set_split(round(self._compare.split + step, 4))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the line."""
        if event.button() == Qt.MouseButton.LeftButton:
            line = self._compare.split * self._over.width()
            self._grabbed = line - self.mapToParent(event.position()).x()
        else:
            event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Carry the line along."""
        if self._grabbed is None:
            event.ignore()
            return
        width = max(1, self._over.width())
        self._compare.set_split((self.mapToParent(event.position()).x() + self._grabbed) / width)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._grabbed = None
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Put the line in the middle."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._compare.set_split(0.5)
        else:
            event.ignore()

    def focusInEvent(self, event: QEvent) -> None:
        """Show the focus."""
        self.update()

    def focusOutEvent(self, event: QEvent) -> None:
        """Show that the focus is gone."""
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A line with a round grip, light with a dark edge: legible on every picture."""
        color = QColor(theme.color("accent")) if self.hasFocus() else TEXT
        middle = QPointF(self.width() / 2, self.height() / 2)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            line = QLineF(middle.x(), 0, middle.x(), self.height())
            for pen in (QPen(EDGE, 4), QPen(color, 1.6)):
                painter.setPen(pen)
                painter.drawLine(line)
            painter.setPen(QPen(color, 1.6))
            painter.setBrush(QColor(20, 21, 25))
            painter.drawEllipse(middle, GRIP_RADIUS, GRIP_RADIUS)
            pen = QPen(color, 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            for side in (-1, 1):
                tip = middle + QPointF(side * 6.5, 0)
                for up in (-1, 1):
                    painter.drawLine(tip, middle + QPointF(side * 3, up * 3.5))


class Plate(QWidget):
    """One line of text on a dark plate over the picture; mouse presses go through it."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.text = ""
        self.top = MARGIN
        self.hide()

    @property
    def line_height(self) -> int:
        """Height of a plate."""
        return round(QFontMetricsF(self.font()).height() + PADDING)

    def show_at(self, text: str, x: float, share: float, room: float | None = None) -> None:
        """Show a text with ``share`` of its width left of ``x``; hide where there is no room.

        ``room`` is the width it may take; None for what the picture has at ``x``.
        """
        over = self._over.width()
        metrics = QFontMetricsF(self.font())
        if room is None:
            left, right = x - MARGIN, over - MARGIN - x
            room = {0.0: right, 1.0: left}.get(share, 2 * min(left, right))
        else:
            room -= 2 * MARGIN
        wanted = metrics.horizontalAdvance(text) + 2 * PADDING + 1
        if wanted > room and room < ROOM_FOR_NAMES:
            text = text[0]
            wanted = metrics.horizontalAdvance(text) + 2 * PADDING + 1
        self.text = text
        self.setAccessibleName(text)
        width = min(wanted, room)
        if width < SMALLEST_PLATE:
            self.hide()
            return
        self.setGeometry(round(x - share * width), self.top, int(width), self.line_height)
        self.setVisible(True)
        self.raise_()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The plate and as much of its text as fits."""
        with QPainter(self) as painter:
            _draw_plate(painter, self)
            painter.setPen(TEXT)
            inner = self.rect().adjusted(PADDING, 0, -PADDING, 0)
            elided = self.fontMetrics().elidedText(
                self.text, Qt.TextElideMode.ElideRight, inner.width() + 1
            )
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, elided)


class DifferenceLegend(QWidget):
    """What the colours of a difference mean."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Scale of the difference")
        self.setAccessibleDescription(
            f"Colours end at {100 * DIFFERENCE_FULL:.0f} % of brightness."
        )
        self.hide()

    def place(self) -> None:
        """Stand in the lower right corner, above the facts and the preview where these reach."""
        over = self._over
        width, height = LEGEND_SIZE
        metrics = QFontMetricsF(self.font())
        height = max(height, round(2 * metrics.height() + 2 * PADDING))
        bottom = over.height() - MARGIN - (FACTS_HEIGHT if over.width() < ROOM_FOR_FACTS else 0)
        self.setGeometry(over.width() - MARGIN - width, bottom - height, width, height)
        self.raise_()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A strip of colours with the share of full brightness under it."""
        with QPainter(self) as painter:
            _draw_plate(painter, self)
            inner = QRectF(self.rect()).adjusted(PADDING, PADDING, -PADDING, -PADDING)
            strip = QRectF(inner.left(), inner.top(), inner.width(), 10)
            colors = gradient(strip.topLeft(), strip.topRight(), DIFFERENCE_COLORMAP)
            painter.fillRect(strip, QBrush(colors))
            below = inner.adjusted(0, 12, 0, 0)
            full = f"≥ {100 * DIFFERENCE_FULL:.0f} %"
            bottom = Qt.AlignmentFlag.AlignBottom
            painter.setPen(TEXT)
            painter.drawText(below, bottom | Qt.AlignmentFlag.AlignLeft, "0")
            painter.drawText(below, bottom | Qt.AlignmentFlag.AlignRight, full)
            painter.setPen(DIM)
            tenth = below.left() + 0.1 / DIFFERENCE_FULL * below.width()
            label = "10 %"
            half = QFontMetricsF(self.font()).horizontalAdvance(label) / 2
            painter.drawText(
                QRectF(tenth - half, below.top(), 2 * half + 1, below.height()), bottom, label
            )


def _draw_plate(painter: QPainter, widget: QWidget) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PLATE)
    painter.drawRoundedRect(QRectF(widget.rect()), 5, 5)


def _step(event: QKeyEvent) -> float | None:
    """What a key moves the line by, as a share of the width; None for other keys."""
    return {
        Qt.Key.Key_Left: -STEP,
        Qt.Key.Key_Right: STEP,
        Qt.Key.Key_PageUp: -LEAP,
        Qt.Key.Key_PageDown: LEAP,
        Qt.Key.Key_Home: -1.0,
        Qt.Key.Key_End: 1.0,
    }.get(Qt.Key(event.key()))
