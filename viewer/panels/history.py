"""The History dock: every edit, where we are among them, and what they cost in memory."""

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor, QFont, QIcon, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from core.editing import Edit
from viewer import theme
from viewer.panels.panel import described
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import MISSING, count_text, megabytes_text

COLUMNS = ("Edit", "Gaussians", "Memory")
ICON_PX = 16
NARROW_PX = 360
"""Below this width the memory of each edit is left out."""
OPENED = "As opened"
OLDEST = "Oldest state still known"

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole


class HistoryModel(QAbstractTableModel):
    """The states of the session's document: as opened, and after each edit."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._edits: tuple[Edit, ...] = ()
        self._open = False
        self._forgotten = 0
        blank = QPixmap(ICON_PX, ICON_PX)
        blank.fill(Qt.GlobalColor.transparent)
        self._blank = QIcon(blank)
        self.position = 0
        """Row of the present state."""

    def sync(self) -> None:
        """Show the history as it is now; rows that stay keep their places."""
        document = self._session.document
        history = None if document is None else document.history
        edits = () if history is None else history.edits
        is_open = document is not None
        forgotten = 0 if history is None else history.forgotten
        same = 0
        if is_open == self._open and forgotten == self._forgotten:
            pairs = zip(edits, self._edits, strict=False)
            same = next((n for n, (a, b) in enumerate(pairs) if a is not b), -1)
            same = min(len(edits), len(self._edits)) if same < 0 else same
            self._cut(same + 1)
            self._grow(edits, same + 1)
        else:
            self.beginResetModel()
            self._edits, self._open, self._forgotten = edits, is_open, forgotten
            self.endResetModel()
        self.position = 0 if history is None else history.position
        if self.rowCount():
            last = self.index(self.rowCount() - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def _cut(self, rows: int) -> None:
        if self.rowCount() > rows:
            self.beginRemoveRows(QModelIndex(), rows, self.rowCount() - 1)
            self._edits = self._edits[: rows - 1]
            self.endRemoveRows()

    def _grow(self, edits: tuple[Edit, ...], first: int) -> None:
        if len(edits) + 1 > first and self._open:
            self.beginInsertRows(QModelIndex(), first, len(edits))
            self._edits = edits
            self.endInsertRows()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() or not self._open else len(self._edits) + 1

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Role.DisplayRole:
            return COLUMNS[section]
        if role == Role.TextAlignmentRole and section > 0:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        row, column = index.row(), index.column()
        if role == Role.DisplayRole:
            return self._cells(row)[column]
        if role == Role.DecorationRole and column == 0:
            return theme.icon("play", "accent") if row == self.position else self._blank
        if role == Role.ForegroundRole and row > self.position:
            return QColor(theme.color("text-disabled"))
        if role == Role.FontRole and row == self.position:
            font = QFont()
            font.setBold(True)
            return font
        if role == Role.TextAlignmentRole and column > 0:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role in (Role.ToolTipRole, Role.AccessibleTextRole) and column == 0:
            return f"{self._cells(row)[0]}, {self._where(row)}"
        return None

    def _cells(self, row: int) -> tuple[str, str, str]:
        if row == 0:
            return (OLDEST if self._forgotten else OPENED, MISSING, MISSING)
        edit = self._edits[row - 1]
        return edit.name, count_text(edit.count), _memory(edit.nbytes)

    def _where(self, row: int) -> str:
        if row == self.position:
            return "here now"
        return "undone: click to do again" if row > self.position else "click to go back to here"


class HistoryPanel(QWidget):
    """The list of edits: a click, or Return on a row, goes to the state after that edit."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.model = HistoryModel(session)
        self.list = QTreeView()
        self.list.setModel(self.model)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAllColumnsShowFocus(True)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setAccessibleName("Edits")
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, sample in ((1, "10,000,000"), (2, "10,000.0 kB")):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, self.fontMetrics().horizontalAdvance(sample) + 24)
        self.list.clicked.connect(self._go)
        self.list.activated.connect(self._go)
        self.summary = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.summary.setProperty("role", "muted")
        self.summary.setAccessibleName("Memory of the history")
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.undo_button.setIcon(theme.icon("undo"))
        self.redo_button.setIcon(theme.icon("redo"))
        self.undo_button.clicked.connect(session.undo)
        self.redo_button.clicked.connect(session.redo)
        self._arrange()
        session.document_replaced.connect(self.refresh)
        session.history_changed.connect(self.refresh)
        theme.events.changed.connect(self.refresh)
        self.refresh()

    def _arrange(self) -> None:
        foot = QHBoxLayout()
        foot.setSpacing(6)
        foot.addWidget(self.summary, 1)
        foot.addWidget(self.undo_button)
        foot.addWidget(self.redo_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 4, 10, 6)
        layout.setSpacing(4)
        layout.addWidget(self.list, 1)
        layout.addLayout(foot)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the memory out where there is no room, and keep the present state in sight."""
        super().resizeEvent(event)
        self.list.setColumnHidden(2, self.width() < NARROW_PX)
        self.list.scrollTo(self.list.currentIndex())

    @Slot()
    def refresh(self) -> None:
        """Show the history as it is now, and keep the present state in sight."""
        self.model.sync()
        document = self.session.document
        history = None if document is None else document.history
        if history is not None:
            here = self.model.index(history.position, 0)
            self.list.selectionModel().setCurrentIndex(
                here,
                QItemSelectionModel.SelectionFlag.ClearAndSelect
                | QItemSelectionModel.SelectionFlag.Rows,
            )
            self.list.scrollTo(here)
        self._show_summary()
        undo, redo = (None, None) if history is None else (history.undo_name, history.redo_name)
        for button, name, verb, keys in (
            (self.undo_button, undo, "Undo", "Ctrl+Z"),
            (self.redo_button, redo, "Redo", "Ctrl+Shift+Z"),
        ):
            button.setEnabled(name is not None)
            what = f"There is nothing to {verb.lower()}." if name is None else name
            described(button, f"{verb} {name or ''}".strip(), f"{verb} ({keys})\n{what}")

    def _show_summary(self) -> None:
        document = self.session.document
        if document is None:
            self.summary.set_text("Open a scene first.")
            return
        history = document.history
        edits = len(history.edits)
        count = f"{edits:,} edit{'' if edits == 1 else 's'}" if edits else "No edits"
        parts = [count, f"{_memory(history.nbytes)} of {_memory(history.max_bytes)} used"]
        if history.forgotten:
            parts.append(f"{history.forgotten:,} forgotten")
        self.summary.set_text(" · ".join(parts))

    @Slot(QModelIndex)
    def _go(self, index: QModelIndex) -> None:
        document = self.session.document
        if document is not None and index.row() != document.history.position:
            document.go_to(index.row())


def _memory(count: int) -> str:
    """Bytes in units of 10**3 or 10**6."""
    if count >= 10**6:
        return megabytes_text(count / 1e6)
    return f"{count / 1e3:,.1f} kB" if count else "0 kB"
