"""Names on the left, measured numbers on the right."""

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from viewer.widgets.numbers import MISSING


class NumbersTable(QWidget):
    """A small table of named numbers; a dash stands for "not measured".

    Parameters
    ----------
    names
        What is measured.
    parent
        The Qt parent.
    tips
        What a name means, shown when the pointer rests on its row.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        parent: QWidget | None = None,
        tips: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        self._names = names
        self._labels: list[QLabel] = []
        self._values: list[QLabel] = []
        for row, name in enumerate(names):
            label = QLabel(name)
            label.setProperty("role", "muted")
            value = QLabel(MISSING)
            value.setProperty("role", "number")
            value.setAccessibleName(name)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            value.setAlignment(Qt.AlignmentFlag.AlignRight)
            for widget in (label, value):
                widget.setToolTip("" if tips is None else tips.get(name, ""))
            grid.addWidget(label, row, 0)
            grid.addWidget(value, row, 1)
            self._labels.append(label)
            self._values.append(value)

    def show_values(self, *values: str | None) -> None:
        """Show one value per name; None is a dash."""
        for label, value in zip(self._values, values, strict=True):
            label.setText(MISSING if value is None else value)

    def set_tip(self, name: str, tip: str) -> None:
        """Change what a name means."""
        row = self._names.index(name)
        for label in (self._labels[row], self._values[row]):
            label.setToolTip(tip)

    def tip(self, name: str) -> str:
        """What is said of a name."""
        return self._values[self._names.index(name)].toolTip()

    def values(self) -> tuple[str, ...]:
        """What is shown, in the order of the names."""
        return tuple(label.text() for label in self._values)
