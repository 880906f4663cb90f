"""The command palette: everything that can be done, found by typing a few letters of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QAction, QColor, QFontMetrics, QIcon, QKeyEvent, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.action_spec import ActionSpec, keys_text
from viewer.action_table import ACTIONS
from viewer.layout import settings

WIDTH = 620
TOP = 44
ROW_HEIGHT = 44
MAX_ROWS = 9
MAX_REMEMBERED = 12
MAX_SPREAD = 8
UNUSABLE = 1.5
"""Points that an entry loses by not being usable."""
REMEMBERED = "palette/used"
SELF = "app.palette"
ENTRY = Qt.ItemDataRole.UserRole

Index = QModelIndex | QPersistentModelIndex


class ActionsById(Protocol):
    """The window's actions by the ids of the table."""

    def __getitem__(self, id: str, /) -> QAction: ...


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One line of the palette.

    Attributes
    ----------
    id
        What it is remembered by.
    title, path, keys, tip
        Its name, the menu it is in, its shortcuts, and what it does.
    reason
        Why it cannot be used now; empty if it can.
    icon
        Its icon, which may be null.
    checked
        Whether it is switched on.
    run
        Does it.
    """

    id: str
    title: str
    path: str
    keys: str
    reason: str
    icon: QIcon
    checked: bool
    run: Callable[[], object]
    tip: str = ""


def match(query: str, title: str, path: str = "", tip: str = "") -> float | None:
    """How well a title fits what was typed, more is better; None if it does not.

    Every word must begin a word of the title, or else stand in it, or else in its menu, or else
    have its letters there in order, or else begin a word of what the tip says.
    """
    points = 0.0
    name, menu = title.casefold(), path.casefold()
    for word in query.casefold().split():
        if name.startswith(word):
            points += 5
        elif any(part.startswith(word) for part in name.split()):
            points += 4
        elif word in name:
            points += 3
        elif word in menu:
            points += 2
        elif (spread := _spread(word, name)) is not None:
            points += 1 / (1 + spread)
        elif any(part.startswith(word) for part in tip.casefold().split()):
            points += 0.5
        else:
            return None
    return points - len(name) / 1000


def _spread(letters: str, text: str) -> int | None:
    """How many letters lie between those typed, where they stand in order from the start of a word.

    None if they do not, or too far apart to be meant.
    """
    spreads = []
    for start in (place for place in range(len(text)) if place == 0 or text[place - 1] == " "):
        place = start if text[start] == letters[0] else -1
        for letter in letters[1:]:
            place = text.find(letter, place + 1) if place >= 0 else -1
        if place >= 0:
            spreads.append(place - start + 1 - len(letters))
    return min((spread for spread in spreads if spread <= MAX_SPREAD), default=None)


def ranked(query: str, entries: Iterable[Entry], used: Sequence[str]) -> list[Entry]:
    """The entries that fit, best first; among equals those used last.

    What cannot be used now comes after what fits nearly as well, and last where nothing is typed.
    """
    order = {id: number for number, id in enumerate(used)}
    typed = bool(query.strip())
    found = []
    for entry in entries:
        points = match(query, entry.title, entry.path, entry.tip)
        if points is not None:
            unusable = UNUSABLE if entry.reason else 0.0
            place = order.get(entry.id, len(order))
            key = (unusable - round(points), place, -points) if typed else (unusable, place, 0.0)
            found.append((key, entry))
    found.sort(key=lambda pair: pair[0])
    return [entry for _, entry in found]


class CommandPalette(QFrame):
    """A field and a list over the upper middle of the window, shown by :meth:`open`.

    Parameters
    ----------
    window
        What it lies over.
    actions
        The actions of the window.
    recent
        Gives the files opened last, newest first.
    """

    recent_asked = Signal(Path)

    def __init__(
        self, window: QWidget, actions: ActionsById, recent: Callable[[], Sequence[Path]]
    ) -> None:
        super().__init__(window)
        self._window, self._actions, self._recent = window, actions, recent
        self._before: QWidget | None = None
        self._entries: list[Entry] = []
        self.setObjectName("palette")
        self.setAccessibleName("Command palette")
        self.field = QLineEdit()
        self.field.setPlaceholderText("Type what you want to do")
        self.field.setAccessibleName("Find a command")
        self.field.setToolTip("Enter runs, arrow keys choose, Esc closes.")
        self.field.addAction(
            theme.icon("search", "text-muted"), QLineEdit.ActionPosition.LeadingPosition
        )
        self.field.textChanged.connect(self._fill)
        self.field.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName("Commands")
        self.list.setItemDelegate(_Delegate(self.list))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.itemClicked.connect(self._run)
        self.empty = QLabel("Nothing of that name.")
        self.empty.setProperty("role", "muted")
        self.empty.setMargin(10)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addWidget(self.field)
        layout.addWidget(self.list)
        layout.addWidget(self.empty)
        self.hide()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_moved)
        window.installEventFilter(self)

    @Slot()
    def open(self) -> None:
        """Show the palette with the focus in it; close it if it is shown."""
        if self.isVisible():
            self.close_again()
            return
        self._before = QApplication.focusWidget()
        self._entries = [*self._commands(), *self._files()]
        self.field.clear()
        self._fill()
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot()
    def close_again(self) -> None:
        """Hide the palette and give the focus back."""
        before, self._before = self._before, None
        self.hide()
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)

    def titles(self) -> list[str]:
        """What is listed, in order."""
        return [self._entry(row).title for row in range(self.list.count())]

    def _commands(self) -> list[Entry]:
        return [self._command(spec) for spec in ACTIONS if spec.id != SELF]

    def _command(self, spec: ActionSpec) -> Entry:
        action = self._actions[spec.id]
        unmet = "" if action.isEnabled() or spec.needs is None else spec.needs.reason
        return Entry(
            id=spec.id,
            title=action.text().partition("\t")[0].replace("&", ""),
            path=spec.menu.replace("/", " › "),
            keys=keys_text(spec),
            reason=unmet or ("" if action.isEnabled() else "Not possible now."),
            icon=action.icon(),
            checked=action.isCheckable() and action.isChecked(),
            run=action.trigger,
            tip=spec.tip,
        )

    def _files(self) -> list[Entry]:
        may_open = self._actions["file.open"].isEnabled()
        reason = "" if may_open else "Wait for the running job, or cancel it."
        return [
            Entry(
                id=f"recent:{path}",
                title=f"Open Recent: {path.name}",
                path=str(path.parent),
                keys="",
                reason=reason,
                icon=theme.icon("history"),
                checked=False,
                run=lambda path=path: self.recent_asked.emit(path),  # type: ignore[misc]
            )
            for path in self._recent()
        ]

    @Slot()
    def _fill(self) -> None:
        self.list.clear()
        for entry in ranked(self.field.text(), self._entries, _used()):
            item = QListWidgetItem(entry.title)
            item.setData(ENTRY, entry)
            spoken = (entry.title, entry.keys, entry.path, entry.reason)
            item.setData(
                Qt.ItemDataRole.AccessibleTextRole, ", ".join(part for part in spoken if part)
            )
            self.list.addItem(item)
        found = self.list.count()
        self.list.setVisible(found > 0)
        self.empty.setVisible(found == 0)
        if found:
            self.list.setCurrentRow(0)
        self._place()

    def _place(self) -> None:
        room = self._window.height() - TOP - 80
        rows = min(MAX_ROWS, max(1, room // ROW_HEIGHT), self.list.count())
        self.list.setFixedHeight(rows * ROW_HEIGHT + 4)
        width = min(WIDTH, self._window.width() - 40)
        self.setFixedWidth(width)
        self.adjustSize()
        self.move((self._window.width() - width) // 2, TOP)

    def _entry(self, row: int) -> Entry:
        entry: Entry = self.list.item(row).data(ENTRY)
        return entry

    @Slot()
    def _run(self) -> None:
        row = self.list.currentRow()
        if row < 0 or self._entry(row).reason:
            return
        entry = self._entry(row)
        self.close_again()
        _remember(entry.id)
        entry.run()

    def _choose(self, row: int) -> None:
        if self.list.count():
            self.list.setCurrentRow(min(max(row, 0), self.list.count() - 1))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        if watched is self.field and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        if watched is self.field and isinstance(event, QKeyEvent):
            return event.type() == QEvent.Type.KeyPress and self._take_key(event)
        return False

    def _take_key(self, event: QKeyEvent) -> bool:
        row, last = self.list.currentRow(), self.list.count() - 1
        moves = {
            Qt.Key.Key_Down: 0 if row == last else row + 1,
            Qt.Key.Key_Up: last if row == 0 else row - 1,
            Qt.Key.Key_PageDown: row + MAX_ROWS,
            Qt.Key.Key_PageUp: row - MAX_ROWS,
        }
        key = Qt.Key(event.key())
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if key in moves:
            self._choose(moves[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._run()
        elif key == Qt.Key.Key_Escape or (control and key == Qt.Key.Key_P):
            self.close_again()
        else:
            return key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
        return True

    @Slot(QWidget, QWidget)
    def _focus_moved(self, _before: QWidget | None, now: QWidget | None) -> None:
        if self.isVisible() and now is not None and not self.isAncestorOf(now):
            self._before = None
            self.hide()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._place()


class _Delegate(QStyledItemDelegate):
    """Icon, title over menu path or reason, keys at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: Entry = index.data(ENTRY)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        area: QRect = option.rect
        painter.save()
        if chosen:
            painter.fillRect(area, QColor(theme.color("selection")))
            painter.fillRect(area.x(), area.y(), 3, area.height(), QColor(theme.color("accent")))
        ink = theme.color("text-disabled" if entry.reason and not chosen else "text")
        soft = theme.color("text" if chosen else "text-disabled" if entry.reason else "text-muted")
        entry.icon.paint(
            painter,
            QRect(area.x() + 12, area.center().y() - 9, 20, 20),
            Qt.AlignmentFlag.AlignCenter,
            QIcon.Mode.Disabled if entry.reason else QIcon.Mode.Normal,
            QIcon.State.On if entry.checked else QIcon.State.Off,
        )
        metrics = QFontMetrics(option.font)
        line = metrics.height()
        top = area.y() + (area.height() - 2 * line - 2) // 2
        keys_width = metrics.horizontalAdvance(entry.keys)
        left, right = area.x() + 44, area.right() - 12
        painter.setPen(QColor(soft))
        painter.drawText(
            QRect(right - keys_width, area.y(), keys_width + 1, area.height()),
            Qt.AlignmentFlag.AlignVCenter,
            entry.keys,
        )
        width = right - keys_width - 16 - left
        title = f"{entry.title}  ✓" if entry.checked else entry.title
        below = f"{entry.path} · {entry.reason}" if entry.reason else entry.path
        elided = Qt.TextElideMode.ElideMiddle
        painter.drawText(
            QRect(left, top + line + 2, width, line), 0, metrics.elidedText(below, elided, width)
        )
        painter.setPen(QColor(ink))
        painter.drawText(QRect(left, top, width, line), 0, metrics.elidedText(title, elided, width))
        painter.restore()


def _used() -> list[str]:
    stored = settings().value(REMEMBERED, [])
    names = [stored] if isinstance(stored, str) else stored if isinstance(stored, list) else []
    return [name for name in names if isinstance(name, str)][:MAX_REMEMBERED]


def _remember(id: str) -> None:
    used = [id, *(known for known in _used() if known != id)]
    settings().setValue(REMEMBERED, used[:MAX_REMEMBERED])
