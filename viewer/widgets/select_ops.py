"""How a new set of Gaussians combines with the selected ones: the chooser and its keys."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QWidget

from core.editing import SelectOp

TITLES = {
    SelectOp.SET: "Set",
    SelectOp.ADD: "Add",
    SelectOp.REMOVE: "Remove",
    SelectOp.INTERSECT: "Intersect",
}


def op_for(modifiers: Qt.KeyboardModifier, chosen: SelectOp = SelectOp.SET) -> SelectOp:
    """What a drag does: Shift adds, Ctrl removes, both intersect, neither as chosen."""
    shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
    control = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
    by_keys = {
        (True, False): SelectOp.ADD,
        (False, True): SelectOp.REMOVE,
        (True, True): SelectOp.INTERSECT,
    }
    return by_keys.get((shift, control), chosen)


class SelectOpCombo(QComboBox):
    """Chooses what a selection does; Shift and Ctrl say otherwise for one drag."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for op, title in TITLES.items():
            self.addItem(title, op)
        self.setAccessibleName("How to select")
        self.setToolTip(
            "What a selection does to the selected Gaussians.\n"
            "While dragging: Shift adds, Ctrl removes, both intersect."
        )

    @property
    def op(self) -> SelectOp:
        """The chosen operation."""
        return SelectOp(self.currentData())
