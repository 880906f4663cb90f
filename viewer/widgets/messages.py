"""Messages for a person: toasts over the viewport, and a log of all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QEnterEvent,
    QGuiApplication,
)
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.widgets.icon_label import IconLabel

FADE_MS = {"info": 5000, "warning": 12_000}
MARGIN = 16
TOP = 14
WIDTH = 360
DETAILS_HEIGHT = 130
MAX_SHOWN = 4
MAX_LOGGED = 1000
MESSAGE = Qt.ItemDataRole.UserRole
FILTERS = (
    ("All messages", frozenset({"info", "warning", "error"})),
    ("Warnings and errors", frozenset({"warning", "error"})),
    ("Errors", frozenset({"error"})),
)

Action = tuple[str, Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its time of day, level ("info", "warning", "error"), text and details."""

    time: str
    level: str
    text: str
    details: str = ""

    def as_text(self) -> str:
        """The message as a line, its details below."""
        line = f"{self.time}  {self.level}  {self.text}"
        return f"{line}\n{self.details}" if self.details else line


def message_now(level: str, text: str, details: str = "") -> Message:
    """A message of this moment."""
    time = datetime.now().astimezone().strftime("%H:%M:%S")
    return Message(time, level, text, details.strip())


class Toast(QFrame):
    """One message; all but errors go by themselves unless the pointer or the focus is on them."""

    closed = Signal()
    resized = Signal()

    def __init__(
        self,
        level: str,
        text: str,
        parent: QWidget,
        details: str = "",
        action: Action | None = None,
    ) -> None:
        super().__init__(parent)
        self.level, self.text, self.details = level, text, details.strip()
        self.setObjectName("toast")
        self.setProperty("level", level)
        self.setAccessibleName(f"{level}: {text}")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Minimum)
        self.setFixedWidth(WIDTH)
        mark = IconLabel(theme.level_icon(level))
        words = QLabel(text)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setWordWrap(True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.close_button = QToolButton()
        self.close_button.setIcon(theme.icon("close"))
        self.close_button.setAutoRaise(True)
        self.close_button.setToolTip("Close this message")
        self.close_button.setAccessibleName("Close message")
        self.close_button.clicked.connect(self.dismiss)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(words, 1)
        top.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 6, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        self.details_text = QPlainTextEdit(self.details)
        self.details_text.setReadOnly(True)
        self.details_text.setAccessibleName("Details")
        self.details_text.setFixedHeight(DETAILS_HEIGHT)
        self.details_text.hide()
        buttons = self._buttons(action)
        if buttons is not None:
            layout.addLayout(buttons)
        layout.addWidget(self.details_text)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._fade)
        self._restart()

    def _buttons(self, action: Action | None) -> QHBoxLayout | None:
        self.action_button = QPushButton(action[0] if action else "")
        self.details_button = QPushButton("Details")
        self.details_button.setCheckable(True)
        self.details_button.setToolTip("Show what is behind this message")
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the message and its details")
        if action is not None:
            self.action_button.setAccessibleName(f"{action[0]}: {self.text}")
            run = action[1]
            self.action_button.clicked.connect(lambda: (self.dismiss(), run()))
        self.details_button.toggled.connect(self._show_details)
        self.copy_button.clicked.connect(self._copy)
        shown = [self.action_button] if action is not None else []
        shown += [self.details_button, self.copy_button] if self.details else []
        row = QHBoxLayout()
        row.setContentsMargins(26, 0, 6, 0)
        for button in (self.action_button, self.details_button, self.copy_button):
            if button in shown:
                row.addWidget(button)
            else:
                button.setParent(self)
                button.hide()
        row.addStretch(1)
        self.copy_button.hide()
        return row if shown else None

    @Slot()
    def dismiss(self) -> None:
        """Take the message off the screen; the log keeps it."""
        self._timer.stop()
        self.hide()
        self.closed.emit()
        self.deleteLater()

    @Slot()
    def _fade(self) -> None:
        focus = QApplication.focusWidget()
        if focus is not None and self.isAncestorOf(focus):
            self._restart()
        else:
            self.dismiss()

    def _restart(self) -> None:
        if self.level in FADE_MS and not self.details_button.isChecked():
            self._timer.start(FADE_MS[self.level])

    @Slot(bool)
    def _show_details(self, shown: bool) -> None:
        self.details_text.setVisible(shown)
        self.copy_button.setVisible(shown)
        if shown:
            self._timer.stop()
        self.resized.emit()

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.text}\n{self.details}")

    def enterEvent(self, event: QEnterEvent) -> None:
        self._timer.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._restart()
        super().leaveEvent(event)


class Toasts(QObject):
    """Stacks toasts at the upper right of a widget, newest highest: legends are below.

    Parameters
    ----------
    over
        What they lie over.
    within
        A part of it that they begin at the top of, so that what is above stays clear.
    taken
        Height at the top of that part where something else stands now.
    """

    def __init__(
        self,
        over: QWidget,
        within: QWidget | None = None,
        taken: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(over)
        self._taken = taken
        self._over = over
        self._within = within or over
        self.shown: list[Toast] = []
        for widget in {over, self._within}:
            widget.installEventFilter(self)

    def show(self, level: str, text: str, details: str = "", action: Action | None = None) -> None:
        """Show a message; one with the same words is replaced, not repeated.

        ``details`` can be unfolded and copied; ``action`` is the text of a button and what it does.
        """
        self.withdraw(text)
        toast = Toast(level, text, self._over, details, action)
        toast.closed.connect(self._forget)
        toast.resized.connect(self.place)
        self.shown.append(toast)
        for old in self.shown[:-MAX_SHOWN]:
            old.dismiss()
        toast.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(toast, text))
        self.place()

    @Slot(str)
    def withdraw(self, text: str) -> None:
        """Take the message with these words off the screen, if it is there."""
        for toast in [shown for shown in self.shown if shown.text == text]:
            toast.dismiss()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self.place()
        return False

    @Slot()
    def _forget(self) -> None:
        self.shown = [toast for toast in self.shown if toast is not self.sender()]
        self.place()

    @Slot()
    def place(self) -> None:
        """Stack them anew."""
        top = TOP + self._within.mapTo(self._over, QPoint(0, 0)).y() + self._taken()
        for toast in reversed(self.shown):
            toast.adjustSize()
            height = toast.heightForWidth(WIDTH)
            toast.resize(WIDTH, height)
            toast.move(self._over.width() - MARGIN - WIDTH, top)
            toast.raise_()
            top += height + 8


class MessageLog(QWidget):
    """Every message of this session, newest first, with the details of the chosen one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._messages: list[Message] = []
        self.filter = QComboBox()
        for title, levels in FILTERS:
            self.filter.addItem(title, levels)
        self.filter.setAccessibleName("Which messages")
        self.filter.setToolTip("Show all messages, or only the graver ones.")
        self.filter.currentIndexChanged.connect(self._filter)
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.copy_button = _button("Copy all", "Copy the messages shown, with their details")
        self.clear_button = _button("Clear", "Forget all messages")
        self.copy_button.clicked.connect(self._copy)
        self.clear_button.clicked.connect(self.clear)
        self.list = QTreeWidget()
        self.list.setAccessibleName("Messages")
        self.list.setHeaderLabels(("Time", "Message"))
        self.list.setRootIsDecorated(False)
        self.list.setAlternatingRowColors(True)
        self.list.setUniformRowHeights(True)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.list.currentItemChanged.connect(self._show_details)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setAccessibleName("Details of the message")
        self.details.setPlaceholderText("Choose a message to see its details.")
        self._arrange()
        self._refresh_count()

    def _arrange(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self.filter)
        bar.addWidget(self.count)
        bar.addStretch(1)
        bar.addWidget(self.copy_button)
        bar.addWidget(self.clear_button)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.list)
        split.addWidget(self.details)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.addLayout(bar)
        layout.addWidget(split, 1)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages, newest first, whether the filter shows them or not."""
        return tuple(self._messages)

    def add(self, level: str, text: str, details: str = "") -> None:
        """Remember a message with its time."""
        message = message_now(level, text, details)
        self._messages.insert(0, message)
        del self._messages[MAX_LOGGED:]
        item = QTreeWidgetItem([message.time, text.replace("\n", " ")])
        item.setIcon(0, theme.level_icon(level))
        item.setToolTip(1, message.as_text())
        item.setData(0, MESSAGE, message)
        item.setData(1, Qt.ItemDataRole.AccessibleTextRole, f"{level}: {text}")
        self.list.insertTopLevelItem(0, item)
        item.setHidden(level not in self._levels)
        while self.list.topLevelItemCount() > MAX_LOGGED:
            self.list.takeTopLevelItem(self.list.topLevelItemCount() - 1)
        self._refresh_count()

    @Slot()
    def clear(self) -> None:
        """Forget all messages."""
        self._messages.clear()
        self.list.clear()
        self._refresh_count()

    @property
    def _levels(self) -> frozenset[str]:
        return FILTERS[self.filter.currentIndex()][1]

    def _shown(self) -> list[Message]:
        return [message for message in self._messages if message.level in self._levels]

    @Slot()
    def _filter(self) -> None:
        for row, message in enumerate(self._messages):
            item = self.list.topLevelItem(row)
            if item is not None:
                item.setHidden(message.level not in self._levels)
        self._refresh_count()

    @Slot()
    def _copy(self) -> None:
        texts = [message.as_text() for message in reversed(self._shown())]
        QGuiApplication.clipboard().setText("\n".join(texts))

    @Slot()
    def _show_details(self) -> None:
        item = self.list.currentItem()
        message: Message | None = None if item is None else item.data(0, MESSAGE)
        if message is None:
            self.details.setPlainText("")
        else:
            self.details.setPlainText("\n\n".join(filter(None, (message.text, message.details))))

    def _refresh_count(self) -> None:
        shown, total = len(self._shown()), len(self._messages)
        of_total = f" of {total:,}" if shown < total else ""
        self.count.setText(f"{shown:,}{of_total} message{'' if total == 1 else 's'}")
        self.copy_button.setEnabled(shown > 0)
        self.clear_button.setEnabled(total > 0)


def _button(title: str, tip: str) -> QPushButton:
    button = QPushButton(title)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
