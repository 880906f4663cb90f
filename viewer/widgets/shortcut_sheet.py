"""The sheet of keys and mouse gestures, made from the table of actions."""

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.actions import ACTIONS, MENUS, MOUSE, Scope, keys_text

ROW_HEIGHT = 24


class ShortcutSheet(QDialog):
    """Every action with its keys, by menu; typing narrows the list."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard and Mouse")
        self.resize(560, 640)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search")
        self.search.setAccessibleName("Search shortcuts")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._narrow)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Shortcuts")
        self.tree.setColumnCount(2)
        self.tree.setHeaderLabels(("Action", "Keys"))
        self.tree.setRootIsDecorated(False)
        self.tree.setIndentation(12)
        self.tree.setUniformRowHeights(True)
        self.tree.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.groups: list[QTreeWidgetItem] = []
        self._fill()
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.tree, 1)
        layout.addWidget(close)

    def _fill(self) -> None:
        for menu in MENUS:
            rows = []
            for spec in ACTIONS:
                if spec.menu == menu:
                    where = " (viewport)" if spec.scope == Scope.VIEWPORT else ""
                    keys = keys_text(spec)
                    rows.append((spec.title.rstrip("…"), keys + where if keys else "", spec.tip))
            self._add_group(menu, rows)
        self._add_group("Mouse in the viewport", [(what, how, "") for how, what in MOUSE])
        self.tree.expandAll()

    def _add_group(self, title: str, rows: list[tuple[str, str, str]]) -> None:
        group = QTreeWidgetItem([title])
        font = group.font(0)
        font.setBold(True)
        group.setFont(0, font)
        group.setForeground(0, QBrush(QColor(theme.ACCENT)))
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        group.setSizeHint(0, QSize(0, ROW_HEIGHT))
        for what, keys, tip in rows:
            item = QTreeWidgetItem(group, [what, keys])
            item.setSizeHint(0, QSize(0, ROW_HEIGHT))
            item.setToolTip(0, tip)
        self.tree.addTopLevelItem(group)
        self.groups.append(group)

    @Slot(str)
    def _narrow(self, text: str) -> None:
        wanted = text.casefold()
        for group in self.groups:
            rows = [row for n in range(group.childCount()) if (row := group.child(n)) is not None]
            for item in rows:
                item.setHidden(wanted not in f"{item.text(0)} {item.text(1)}".casefold())
            group.setHidden(all(item.isHidden() for item in rows))
