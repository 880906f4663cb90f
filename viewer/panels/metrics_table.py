"""The rows of the Metrics dock: how good the picture of each view is, before and now."""

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from core.metrics import ViewQuality
from viewer import theme
from viewer.measuring import Measured
from viewer.widgets.numbers import MISSING

FIGURES = ("psnr", "ssim", "lpips")
TITLES = {"psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS"}
DIGITS = {"psnr": 2, "ssim": 4, "lpips": 4}
LESS_IS_BETTER = frozenset({"lpips"})
MINUS = "−"

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole
SORT_ROLE = Role.UserRole


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of a view: before, now, or how it changed; the name of the view has none."""

    figure: str = ""
    kind: str = "now"

    @property
    def title(self) -> str:
        """What stands above it."""
        if not self.figure:
            return "View"
        name = TITLES[self.figure]
        return name if self.kind == "now" else self.kind.capitalize()

    @property
    def tip(self) -> str:
        """What it means."""
        if not self.figure:
            return "The view: a click goes there."
        name = TITLES[self.figure]
        better = "less" if self.figure in LESS_IS_BETTER else "more"
        return {
            "now": f"{name} of the scene as it is: {better} is better.",
            "before": f"{name} of the scene as opened.",
            "change": f"By how much {name} changed: {better} is better.",
        }[self.kind]


COLUMNS = (
    Column(),
    *(Column(figure, kind) for figure in FIGURES for kind in ("now", "before", "change")),
)


class MetricsModel(QAbstractTableModel):
    """One row for each view that was measured."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.measured: Measured | None = None

    def show(self, measured: Measured | None) -> None:
        """Show other figures; rows of the same job stay where they are."""
        old, self_rows = self.measured, self.rowCount()
        new_rows = 0 if measured is None else len(measured.after.views)
        if old is None or measured is None or old.plan is not measured.plan or new_rows < self_rows:
            self.beginResetModel()
            self.measured = measured
            self.endResetModel()
        elif new_rows > self_rows:
            self.beginInsertRows(QModelIndex(), self_rows, new_rows - 1)
            self.measured = measured
            self.endInsertRows()
        else:
            self.measured = measured

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        if parent.isValid() or self.measured is None:
            return 0
        return len(self.measured.after.views)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Role.DisplayRole:
            return column.title
        if role == Role.ToolTipRole:
            return column.tip
        if role == Role.TextAlignmentRole and column.figure:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        column = COLUMNS[index.column()]
        if not column.figure:
            name = self._views(index.row())[1].name
            return name if role in (Role.DisplayRole, Role.ToolTipRole, SORT_ROLE) else None
        value = self._value(index.row(), column)
        change = column.kind == "change"
        if role == Role.DisplayRole:
            if change:
                return change_text(value, DIGITS[column.figure])
            return figure_text(value, column.figure)
        if role == SORT_ROLE:
            return -math.inf if value is None else value
        if role == Role.ForegroundRole and change:
            tint = change_color(value, column.figure)
            return None if tint is None else QColor(theme.color(tint))
        if role == Role.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _views(self, row: int) -> tuple[ViewQuality | None, ViewQuality]:
        assert self.measured is not None
        before, after = self.measured.before, self.measured.after
        return (before.views[row] if before and before.views else None), after.views[row]

    def _value(self, row: int, column: Column) -> float | None:
        before, now = self._views(row)
        value: float | None = getattr(now, column.figure)
        if column.kind == "now":
            return value
        then: float | None = None if before is None else getattr(before, column.figure)
        if column.kind == "before" or value is None or then is None:
            return then if column.kind == "before" else None
        return 0.0 if value == then else value - then


def figure_text(value: float | None, figure: str) -> str:
    """A figure with the digits that are usual for it."""
    if value is None or math.isnan(value):
        return MISSING
    return "∞" if math.isinf(value) else f"{value:.{DIGITS[figure]}f}"


def change_text(value: float | None, digits: int) -> str:
    """A change with its sign."""
    if value is None:
        return MISSING
    if math.isinf(value):
        return "+∞" if value > 0 else f"{MINUS}∞"
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def change_color(value: float | None, figure: str) -> str | None:
    """The theme's colour of a change for the better or the worse, None for neither."""
    if value is None or not float(f"{value:.{DIGITS[figure]}f}"):
        return None
    return "success" if (value > 0) != (figure in LESS_IS_BETTER) else "error"
