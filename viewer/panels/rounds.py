"""The rounds of a schedule, one row each: how much goes, and how long is refined after it."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.pruning import Round
from viewer import theme
from viewer.panels.panel import FieldGuard, described

MOST_CUT = 99.9
MOST_STEPS = 1_000_000
MOST_ROUNDS = 20
STEPS_STEP = 100
SPIN_WIDTH, BUTTON_WIDTH = 76, 26
NEW_ROUND = Round(0.5)


class RoundRow(QWidget):
    """One round."""

    changed = Signal()
    raised = Signal()
    lowered = Signal()
    removed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        guard = FieldGuard(self)
        self.number = QLabel()
        self.number.setProperty("role", "muted")
        self.cut_spin = QDoubleSpinBox()
        self.cut_spin.setRange(0, MOST_CUT)
        self.cut_spin.setDecimals(1)
        self.cut_spin.setSingleStep(5)
        self.cut_spin.setSuffix(" %")
        self.steps_spin = QSpinBox()
        self.steps_spin.setRange(0, MOST_STEPS)
        self.steps_spin.setSingleStep(STEPS_STEP)
        self.steps_spin.setGroupSeparatorShown(True)
        self.up_button = _button("move-up")
        self.down_button = _button("move-down")
        self.remove_button = _button("cancel")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.number)
        for spin in (self.cut_spin, self.steps_spin):
            spin.setMinimumWidth(SPIN_WIDTH)
            spin.setKeyboardTracking(False)
            spin.setAlignment(Qt.AlignmentFlag.AlignRight)
            spin.installEventFilter(guard)
            spin.valueChanged.connect(self.changed)
            row.addWidget(spin, 1)
        for button, told in (
            (self.up_button, self.raised),
            (self.down_button, self.lowered),
            (self.remove_button, self.removed),
        ):
            button.clicked.connect(told)
            row.addWidget(button)

    @property
    def round(self) -> Round:
        """What the fields say."""
        return Round(self.cut_spin.value() / 100, self.steps_spin.value())

    def show_round(self, entry: Round, place: int, count: int) -> None:
        """Show a round, the ``place``-th of ``count``."""
        blockers = [QSignalBlocker(spin) for spin in (self.cut_spin, self.steps_spin)]
        self.cut_spin.setValue(100 * entry.cut)
        self.steps_spin.setValue(entry.steps)
        del blockers
        name = f"round {place + 1}"
        self.number.setText(f"{place + 1}")
        self.up_button.setEnabled(place > 0)
        self.down_button.setEnabled(place < count - 1)
        self.remove_button.setEnabled(count > 1)
        described(
            self.cut_spin, f"Cut of {name}", "Share of the Gaussians then there that goes; 0: none."
        )
        described(
            self.steps_spin, f"Steps of {name}", "Steps of refining after the cut, a picture each."
        )
        described(self.up_button, f"Move {name} up", f"Do {name} earlier.")
        described(self.down_button, f"Move {name} down", f"Do {name} later.")
        described(self.remove_button, f"Remove {name}", f"Leave {name} out.")


class RoundRows(QWidget):
    """All rounds in order; they can be added, removed and moved."""

    changed = Signal()
    """A person changed the rounds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[RoundRow] = []
        self.add_button = QPushButton("Add round")
        described(self.add_button, "Add round", "Cut and refine once more, after the others.")
        self.add_button.clicked.connect(self.add)
        head = QHBoxLayout()
        head.setSpacing(4)
        for text in ("Cut", "Refine, steps"):
            label = QLabel(text)
            label.setProperty("role", "muted")
            head.addWidget(label, 1)
        head.setContentsMargins(14, 0, 3 * (BUTTON_WIDTH + 4), 0)
        foot = QHBoxLayout()
        foot.addWidget(self.add_button)
        foot.addStretch(1)
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addLayout(self._list)
        column.addLayout(foot)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds as the fields say."""
        return tuple(row.round for row in self.rows)

    def set_rounds(self, rounds: Sequence[Round]) -> None:
        """Show other rounds, without telling."""
        while len(self.rows) > len(rounds):
            row = self.rows.pop()
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        while len(self.rows) < len(rounds):
            self._append_row()
        for place, (row, entry) in enumerate(zip(self.rows, rounds, strict=True)):
            row.show_round(entry, place, len(rounds))
        self.add_button.setEnabled(len(rounds) < MOST_ROUNDS)

    def add(self) -> None:
        """Add a round after the others, refined for as long as the last."""
        rounds = self.rounds
        steps = rounds[-1].steps if rounds else NEW_ROUND.steps
        self._change([*rounds, Round(NEW_ROUND.cut, steps)])
        self.rows[-1].cut_spin.setFocus()

    def _append_row(self) -> None:
        row = RoundRow()
        row.changed.connect(self.changed)
        row.raised.connect(partial(self._move, row, -1))
        row.lowered.connect(partial(self._move, row, 1))
        row.removed.connect(partial(self._remove, row))
        self.rows.append(row)
        self._list.addWidget(row)

    def _move(self, row: RoundRow, step: int) -> None:
        rounds, place = list(self.rounds), self.rows.index(row)
        rounds.insert(place + step, rounds.pop(place))
        self._change(rounds)
        moved = self.rows[place + step]
        button = moved.up_button if step < 0 else moved.down_button
        (button if button.isEnabled() else moved.cut_spin).setFocus()

    def _remove(self, row: RoundRow) -> None:
        rounds, place = list(self.rounds), self.rows.index(row)
        del rounds[place]
        self._change(rounds)
        self.rows[min(place, len(rounds) - 1)].cut_spin.setFocus()

    def _change(self, rounds: Sequence[Round]) -> None:
        self.set_rounds(rounds)
        self.changed.emit()


def _button(icon: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(theme.icon(icon))
    button.setAutoRaise(True)
    button.setFixedWidth(BUTTON_WIDTH)
    return button
