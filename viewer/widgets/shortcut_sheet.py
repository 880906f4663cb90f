"""The sheet of keys and mouse gestures, made from the table of actions."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from PySide6.QtCore import Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.action_spec import Scope, keys_text
from viewer.action_table import ACTIONS, HELD_KEYS, MENUS, MOUSE

COLUMN_WIDTH = 330
MAX_COLUMNS = 3
LONGEST_CHIP = 20
LINE_LENGTH = 38
LEAST_ROWS = 2
NOTE = "Keys marked ◦ work in the viewport only: click it, or press F6 until it has the focus."


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the sheet: what happens, by which keys or gesture, and where those work."""

    what: str
    keys: tuple[str, ...]
    viewport: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Lines under a heading."""

    title: str
    rows: tuple[Row, ...]


def shortcut_groups(words: str = "") -> list[Group]:
    """The keys of every action by menu, then the mouse; only lines with all the words."""
    groups = [
        Group(
            menu,
            tuple(
                Row(
                    _title(spec.title, spec.held),
                    tuple(keys_text(spec).split(", ")),
                    spec.scope == Scope.VIEWPORT,
                )
                for spec in ACTIONS
                if spec.keys and spec.menu.partition("/")[0] == menu
            ),
        )
        for menu in MENUS
    ]
    groups.append(Group("Flying", tuple(Row(what, (keys,), True) for keys, what in HELD_KEYS)))
    groups.append(Group("Mouse", tuple(Row(what, (how,)) for how, what in MOUSE)))
    wanted = words.casefold().split()
    found = [
        Group(
            group.title,
            tuple(
                row
                for row in group.rows
                if all(
                    word in f"{group.title} {row.what} {' '.join(row.keys)}".casefold()
                    for word in wanted
                )
            ),
        )
        for group in groups
    ]
    return [group for group in found if group.rows]


class ShortcutView(QWidget):
    """The keys in as many columns as fit, with a field to search them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search by name or key")
        self.search.setAccessibleName("Search shortcuts")
        self.search.setToolTip("Show only lines with all of these words.")
        self.search.setClearButtonEnabled(True)
        self.search.addAction(
            theme.icon("search", "text-muted"), QLineEdit.ActionPosition.LeadingPosition
        )
        self.search.textChanged.connect(self.refresh)
        self.text = QTextBrowser()
        self.text.setObjectName("shortcuts")
        self.text.setAccessibleName("Shortcuts")
        note = QLabel(NOTE)
        note.setProperty("role", "muted")
        note.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.search)
        layout.addWidget(note)
        layout.addWidget(self.text, 1)
        self._columns = 0
        theme.events.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the lines that are searched for."""
        columns = max(1, min(MAX_COLUMNS, self.width() // COLUMN_WIDTH))
        self._columns = columns
        self.text.setHtml(_html(shortcut_groups(self.search.text()), columns))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if max(1, min(MAX_COLUMNS, self.width() // COLUMN_WIDTH)) != self._columns:
            self.refresh()


class ShortcutSheet(QDialog):
    """Every key, by menu; typing narrows the list."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard and Mouse")
        self.resize(1080, 690)
        self.view = ShortcutView()
        self.search, self.text = self.view.search, self.view.text
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.addWidget(self.view, 1)
        layout.addWidget(close)
        self.search.setFocus()


def _title(title: str, held: bool) -> str:
    return f"{title.rstrip('…')} (hold)" if held else title.rstrip("…")


def _lines(row: Row) -> int:
    return 1 + (len(row.what) + sum(map(len, row.keys)) > LINE_LENGTH)


def _columns(groups: Sequence[Group], count: int) -> list[list[Group]]:
    """The groups in order, in columns of equal height; a group may go on in the next column."""
    weights = [2 + sum(map(_lines, group.rows)) for group in groups]
    limit = -(-sum(weights) // count) + 1
    columns: list[list[Group]] = [[]]
    filled = 0
    for group in groups:
        title, rows = group.title, list(group.rows)
        while rows:
            fitting, height = 0, 2
            while fitting < len(rows) and filled + height + _lines(rows[fitting]) <= limit:
                height += _lines(rows[fitting])
                fitting += 1
            if len(columns) == count:
                fitting = len(rows)
            elif fitting < min(LEAST_ROWS, len(rows)):
                columns.append([])
                filled = 0
                continue
            elif len(rows) - fitting == 1:
                fitting -= 1
            columns[-1].append(Group(title, tuple(rows[:fitting])))
            filled += height
            rows = rows[fitting:]
    return [column for column in columns if column]


def _html(groups: Sequence[Group], count: int) -> str:
    muted, accent = theme.color("text-muted"), theme.color("accent")
    if not groups:
        return f'<p style="color:{muted}">Nothing of that name.</p>'
    cells = "".join(
        f'<td width="{100 // count}%" style="padding-right:26px">'
        + "".join(_group_html(group, accent) for group in column)
        + "</td>"
        for column in _columns(groups, count)
    )
    return f'<table width="100%" cellspacing="0" cellpadding="0"><tr>{cells}</tr></table>'


def _group_html(group: Group, accent: str) -> str:
    rows = "".join(
        f'<tr><td style="padding:0 8px 0 0">{escape(row.what)}</td>'
        f'<td align="right">{_keys_html(row)}</td></tr>'
        for row in group.rows
    )
    return (
        f'<p style="color:{accent}; font-weight:600; margin-top:7px; margin-bottom:1px">'
        f'{escape(group.title)}</p><table width="100%" cellspacing="0" cellpadding="0">{rows}'
        "</table>"
    )


def _keys_html(row: Row) -> str:
    mark = f'<span style="color:{theme.color("text-muted")}">◦&nbsp;</span>' if row.viewport else ""
    return mark + " ".join(map(_chip, row.keys))


def _chip(key: str) -> str:
    text = escape(key)
    if len(key) <= LONGEST_CHIP:
        text = text.replace(" ", "&nbsp;")
    return f'<span style="background-color:{theme.color("hover")}">&nbsp;{text}&nbsp;</span>'
