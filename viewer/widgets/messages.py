"""Messages for a person: toasts over the viewport, and a log of all of them."""

from datetime import datetime

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from viewer import theme

FADE_MS = {"info": 5000, "warning": 12_000}
MARGIN = 16
WIDTH = 340
MAX_SHOWN = 4
MAX_LOGGED = 1000


class Toast(QFrame):
    """One message; all but errors go by themselves unless the pointer rests on them."""

    closed = Signal()

    def __init__(self, level: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.level, self.text = level, text
        self.setObjectName("toast")
        self.setProperty("level", level)
        self.setAccessibleName(f"{level}: {text}")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Minimum)
        self.setFixedWidth(WIDTH)
        mark = QLabel()
        mark.setPixmap(theme.level_icon(level).pixmap(18, 18))
        words = QLabel(text)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setWordWrap(True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.close_button = QToolButton()
        self.close_button.setIcon(theme.icon("cancel"))
        self.close_button.setAutoRaise(True)
        self.close_button.setToolTip("Close this message")
        self.close_button.setAccessibleName("Close message")
        self.close_button.clicked.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 6, 8)
        layout.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(words, 1)
        layout.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        if level in FADE_MS:
            self._timer.start(FADE_MS[level])

    @Slot()
    def dismiss(self) -> None:
        """Take the message off the screen; the log keeps it."""
        self._timer.stop()
        self.hide()
        self.closed.emit()
        self.deleteLater()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._timer.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        if self.level in FADE_MS:
            self._timer.start(FADE_MS[self.level])
        super().leaveEvent(event)


class Toasts(QObject):
    """Stacks toasts at the upper right of a widget, newest highest: legends are below."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self.shown: list[Toast] = []
        over.installEventFilter(self)

    def show(self, level: str, text: str) -> None:
        """Show a message; one with the same words is replaced, not repeated."""
        for toast in [shown for shown in self.shown if shown.text == text]:
            toast.dismiss()
        toast = Toast(level, text, self._over)
        toast.closed.connect(self._forget)
        self.shown.append(toast)
        for old in self.shown[:-MAX_SHOWN]:
            old.dismiss()
        toast.show()
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    @Slot()
    def _forget(self) -> None:
        self.shown = [toast for toast in self.shown if toast is not self.sender()]
        self._place()

    def _place(self) -> None:
        top = MARGIN
        for toast in reversed(self.shown):
            height = toast.heightForWidth(WIDTH)
            toast.resize(WIDTH, height)
            toast.move(self._over.width() - MARGIN - WIDTH, top)
            toast.raise_()
            top += height + 8


class MessageLog(QListWidget):
    """Every message of this session, newest first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Messages")
        self.setWordWrap(True)
        self.setAlternatingRowColors(True)

    def add(self, level: str, text: str) -> None:
        """Remember a message with its time."""
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        item = QListWidgetItem(theme.level_icon(level), f"{time}  {text}")
        item.setToolTip(text)
        self.insertItem(0, item)
        while self.count() > MAX_LOGGED:
            self.takeItem(self.count() - 1)
