"""Named answers below each other, with the same measures of each beside them."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from viewer.widgets.numbers import MISSING


class ScoreTable(QWidget):
    """Rows come and go with the answers; the first is the one that the others are compared with.

    Parameters
    ----------
    columns
        What is measured.
    tips
        What a column means.
    row_tips
        What a row means, by name.
    """

    def __init__(
        self,
        columns: Sequence[str],
        tips: Sequence[str],
        row_tips: Mapping[str, str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        self._grid.setHorizontalSpacing(10)
        self._grid.setColumnStretch(0, 1)
        self._columns, self._row_tips = tuple(columns), row_tips
        self._rows: dict[str, list[QLabel]] = {}
        self._heads = []
        for column, (title, tip) in enumerate(zip(columns, tips, strict=True), 1):
            head = self._label(title, "muted", 0, column)
            head.setToolTip(tip)
            self._heads.append(head)
        self.clear()

    def show_rows(self, rows: Mapping[str, Sequence[float | None]]) -> None:
        """Show numbers by name; None is a dash. The order is that of the mapping."""
        if list(rows) != list(self._rows):
            self._drop_rows()
            for row, name in enumerate(rows, 1):
                title = self._label(name, "" if row == 1 else "muted", row, 0)
                title.setToolTip(self._row_tips.get(name, ""))
                title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
                values = [
                    self._label("", "number", row, column)
                    for column in range(1, len(self._columns) + 1)
                ]
                self._rows[name] = [title, *values]
        for name, numbers in rows.items():
            for column, value, number in zip(
                self._columns, self._rows[name][1:], numbers, strict=True
            ):
                value.setText(MISSING if number is None else f"{number:.3f}")
                value.setAccessibleName(f"{column}, {name}")
        self.setVisible(True)

    def clear(self) -> None:
        """Show nothing."""
        self._drop_rows()
        self.setVisible(False)

    def rows(self) -> dict[str, tuple[str, ...]]:
        """What is shown, by name."""
        return {name: tuple(one.text() for one in row[1:]) for name, row in self._rows.items()}

    def _label(self, text: str, role: str, row: int, column: int) -> QLabel:
        label = QLabel(text)
        if role:
            label.setProperty("role", role)
        side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
        self._grid.addWidget(label, row, column, side | Qt.AlignmentFlag.AlignVCenter)
        return label

    def _drop_rows(self) -> None:
        for row in self._rows.values():
            for label in row:
                self._grid.removeWidget(label)
                label.hide()
                label.deleteLater()
        self._rows = {}
