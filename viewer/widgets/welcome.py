"""What the middle of the window shows while no scene is open."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.thumbnails import HEIGHT, WIDTH, load_thumbnail
from viewer.widgets.numbers import megabytes_text

MAX_RECENT = 6
MAX_WIDTH = 980
ROOMY_HEIGHT = 560
CARD_MARGINS = 96
THREE_COLUMNS_WIDTH = 820
CARD_HEIGHT = 124
RADIUS = 8
HINT = "F1 shows all keys  ·  Ctrl+Shift+P finds any command"


class Card(QAbstractButton):
    """A large button: icon, title, one sentence, key."""

    def __init__(self, icon: str, title: str, sentence: str, key: str) -> None:
        super().__init__()
        self._icon, self._title, self._sentence, self._key = icon, title, sentence, key
        self.setText(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(sentence)
        self.setToolTip(f"{title} ({key})" if key else title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)

        self._compact = False

    def upright_width(self) -> int:
        """The least width at which the title fits with the text below the icon."""
        return QFontMetrics(self._title_font()).horizontalAdvance(self._title) + 36

    def set_compact(self, compact: bool) -> None:
        """Put the text beside the icon instead of below it."""
        if compact != self._compact:
            self._compact = compact
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, self.heightForWidth(300))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        text = self._text_area(width)
        sentence = self.fontMetrics().boundingRect(
            QRect(0, 0, text.width(), 1000), Qt.TextFlag.TextWordWrap, self._sentence
        )
        below = 8 if self._compact else 12
        needed = text.y() + self._title_height() + sentence.height() + below
        return needed if self._compact else max(CARD_HEIGHT, needed)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _paint_ground(painter, self, theme.color("panel"))
        mark = QRect(16, 16, 30, 30)
        if self._compact:
            mark.moveTop((self.height() - mark.height()) // 2)
        theme.icon(self._icon, "accent").paint(painter, mark)
        text, line = self._text_area(self.width()), self._title_height()
        painter.setPen(QColor(theme.color("text-muted")))
        key_top = text.y() if self._compact else mark.y() + 6
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(QRect(text.x(), key_top, text.width(), line), right, self._key)
        painter.drawText(text.adjusted(0, line, 0, 0), Qt.TextFlag.TextWordWrap, self._sentence)
        painter.setFont(self._title_font())
        painter.setPen(QColor(theme.color("text")))
        painter.drawText(QRect(text.x(), text.y(), text.width(), line), 0, self._title)

    def _text_area(self, width: int) -> QRect:
        left, top = (62, 7) if self._compact else (16, 54)
        return QRect(left, top, max(1, width - left - 16), max(1, self.height() - top))

    def _title_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 1.18)
        font.setWeight(QFont.Weight.DemiBold)
        return font

    def _title_height(self) -> int:
        return QFontMetrics(self._title_font()).height() + 2


class RecentCard(QAbstractButton):
    """A file opened before: its picture, name, folder and size."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        try:
            self._size = megabytes_text(path.stat().st_size / 1e6)
            self.missing = False
        except OSError:
            self._size = "missing"
            self.missing = True
        picture = None if self.missing else load_thumbnail(path)
        self._picture = None if picture is None else QPixmap.fromImage(picture)
        self.setText(path.name)
        self.setAccessibleName(f"Open {path.name}")
        self.setAccessibleDescription(f"{path.parent}, {self._size}")
        self.setToolTip(f"{path}\nThis file is not there any more." if self.missing else str(path))
        self.setEnabled(not self.missing)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(200, 3 * self.fontMetrics().height() + 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        _paint_ground(painter, self, theme.color("window"))
        frame = QRect(8, 7, round((self.height() - 14) * WIDTH / HEIGHT), self.height() - 14)
        if self._picture is not None:
            painter.drawPixmap(frame, self._picture)
        else:
            painter.fillRect(frame, QColor(theme.color("raised")))
            mark = QRect(0, 0, 26, 26)
            mark.moveCenter(frame.center())
            theme.icon("warning" if self.missing else "sample", "text-muted").paint(painter, mark)
        left = frame.right() + 12
        width = self.width() - left - 10
        metrics = self.fontMetrics()
        line = metrics.height() + 1
        top = (self.height() - 3 * line) // 2
        rows = (
            (self.path.name, "text", Qt.TextElideMode.ElideMiddle),
            (str(self.path.parent), "text-muted", Qt.TextElideMode.ElideLeft),
            (self._size, "text-muted", Qt.TextElideMode.ElideRight),
        )
        for number, (text, ink, mode) in enumerate(rows):
            painter.setPen(QColor(theme.color("text-disabled" if self.missing else ink)))
            painter.drawText(
                QRect(left, top + number * line, width, line),
                0,
                metrics.elidedText(text, mode, width),
            )


class DropTarget(QWidget):
    """Says where files may be dropped; the window takes them wherever they fall."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMaximumHeight(110)
        self.setAccessibleName("Drop a scene file or an image anywhere on this window")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(theme.color("outline")), 1.5, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        text = "Or drop a scene file or an image anywhere on this window"
        width = self.fontMetrics().horizontalAdvance(text)
        painter.setPen(QColor(theme.color("text-muted")))
        area = self.rect().adjusted(30, 0, 0, 0)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
        mark = QRect(0, 0, 20, 20)
        mark.moveCenter(area.center())
        mark.moveRight(area.center().x() - width // 2 - 10)
        theme.icon("open", "text-muted").paint(painter, mark)


class Welcome(QScrollArea):
    """Three ways to begin, the files opened last, and a place to drop files."""

    open_asked = Signal()
    dataset_asked = Signal()
    train_asked = Signal()
    image_asked = Signal()
    demo_asked = Signal()
    recent_asked = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Welcome")
        self.open_card = Card(
            "open", "Open a splat", "See any trained scene, such as a .ply file.", "Ctrl+O"
        )
        self.dataset_card = Card(
            "cameras",
            "Open a splat with its photos",
            "A folder with the scene and its photos: scores and errors against the real thing.",
            "",
        )
        self.demo_card = Card(
            "sample", "Try the demo scene", "A small trained still life with its photos.", ""
        )
        self.open_card.clicked.connect(self.open_asked)
        self.dataset_card.clicked.connect(self.dataset_asked)
        self.demo_card.clicked.connect(self.demo_asked)
        self.train_button = QPushButton("No scene yet? Train one from posed photos…")
        self.train_button.setObjectName("link")
        self.train_button.setToolTip(
            "Train from Photos\nA folder of photos with their cameras: COLMAP, transforms.json or "
            "cameras.json."
        )
        self.train_button.clicked.connect(self.train_asked)
        self.image_button = QPushButton("Or open an image…")
        self.image_button.setObjectName("link")
        self.image_button.setToolTip(
            "Open Image as Gaussians (Ctrl+G)\nA masked autoencoder makes a few hundred Gaussians "
            "of it, in layers of depth."
        )
        self.image_button.clicked.connect(self.image_asked)
        self.recent_cards: list[RecentCard] = []
        self._recent_title = QLabel("Recent")
        self._recent_title.setProperty("role", "title")
        self._recent = QGridLayout()
        self._recent.setSpacing(6)
        self._paths: tuple[Path, ...] = ()
        self.setWidget(self._page())
        theme.events.changed.connect(self._repaint)

    def _page(self) -> QWidget:
        title = QLabel("Splatscope")
        title.setObjectName("welcome-title")
        line = QLabel("See what every Gaussian is worth, and keep only those that matter.")
        line.setObjectName("welcome-line")
        line.setWordWrap(True)
        self._cards = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        for card in (self.open_card, self.dataset_card, self.demo_card):
            self._cards.addWidget(card, 1)
        hint = QLabel(HINT)
        hint.setProperty("role", "muted")
        hint.setWordWrap(True)
        column = QVBoxLayout()
        column.addWidget(title)
        column.addWidget(line)
        column.addSpacing(4)
        column.addLayout(self._cards)
        links = QHBoxLayout()
        links.setSpacing(8)
        links.addWidget(self.train_button)
        links.addWidget(self.image_button)
        links.addStretch(1)
        column.addLayout(links)
        self._drop = DropTarget()
        column.addWidget(self._drop, 1)
        column.addSpacing(2)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent)
        column.addSpacing(4)
        column.addWidget(hint)
        inner = QWidget()
        inner.setMaximumWidth(MAX_WIDTH)
        inner.setLayout(column)
        page = QWidget()
        page.setObjectName("welcome-page")
        outer = QVBoxLayout(page)
        outer.addStretch(2)
        self._column, self._outer = column, outer
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(inner, 1000)
        row.addStretch(1)
        outer.addLayout(row, 1)
        outer.addStretch(3)
        return page

    def show_recent(self, paths: Sequence[Path]) -> None:
        """List the files opened last, newest first; those that are gone are greyed."""
        self._paths = tuple(paths[:MAX_RECENT])
        for card in self.recent_cards:
            self._recent.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.recent_cards = [RecentCard(path) for path in self._paths]
        for card in self.recent_cards:
            card.clicked.connect(lambda _=False, path=card.path: self.recent_asked.emit(path))
        self._recent_title.setVisible(bool(self.recent_cards))
        self._arrange()

    def _arrange(self) -> None:
        """Fit cards and margins to the room there is."""
        width, height = self.width(), self.height()
        cards = (self.open_card, self.dataset_card, self.demo_card)
        stacked = width < 3 * max(card.upright_width() for card in cards) + CARD_MARGINS
        compact = stacked or height < ROOMY_HEIGHT
        direction = QBoxLayout.Direction
        self._cards.setDirection(direction.TopToBottom if stacked else direction.LeftToRight)
        self._cards.setSpacing(6 if stacked else 12)
        for card in cards:
            card.set_compact(stacked)
        self._drop.setMinimumHeight(38 if compact else 84)
        self._column.setSpacing(5 if compact else 10)
        self._outer.setContentsMargins(*((16, 8, 16, 8) if compact else (24, 16, 24, 16)))
        columns = 3 if width >= THREE_COLUMNS_WIDTH else 2
        for number, recent in enumerate(self.recent_cards):
            self._recent.addWidget(recent, number // columns, number % columns)
        for column in range(3):
            self._recent.setColumnStretch(column, 1 if column < columns else 0)

    @Slot()
    def _repaint(self) -> None:
        for child in self.findChildren(QWidget):
            child.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()


def _paint_ground(painter: QPainter, button: QAbstractButton, plain: str) -> None:
    hovered = button.isEnabled() and button.underMouse()
    ground = (
        theme.color("raised") if button.isDown() else theme.color("hover") if hovered else plain
    )
    border = theme.color("accent" if hovered else "border")
    width = 1.0
    if button.hasFocus():
        border, width = theme.color("focus"), 2.0
    painter.setPen(QPen(QColor(border), width))
    painter.setBrush(QColor(ground))
    inset = width / 2
    painter.drawRoundedRect(
        QRectF(button.rect()).adjusted(inset, inset, -inset, -inset), RADIUS, RADIUS
    )
