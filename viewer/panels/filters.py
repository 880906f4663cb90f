"""The filters of the Prune panel: rows of property, side and value, and ready ones."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from torch import Tensor

from core.editing import Contents, Document
from core.pruning import PRESETS, Cut, Filter, Join, Relation, cut_mask
from viewer import theme
from viewer.memory import Recent
from viewer.panels.columns import ColumnCombo
from viewer.panels.panel import FieldGuard, described
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import percent_text

DIGITS = 3
VALUE_WIDTH = 84
WIDEST = 1000
FIRST_SHARES = {Relation.ABOVE: 0.95, Relation.BELOW: 0.05}
"""Where on the column a new filter's value lies, by its side."""
FIRST_COLUMNS = {
    "opacity": Relation.BELOW,
    "largest": Relation.ABOVE,
    "distance": Relation.ABOVE,
}
REMEMBERED = 32
JOINS = {Join.OR: "any of these (or)", Join.AND: "all of these (and)"}


def first_value(contents: Contents, name: str, relation: Relation, alive: Tensor) -> float:
    """A value that takes a twentieth of the living Gaussians, in few digits."""
    values = contents.values(name)[alive.numpy()]
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0
    return float(f"{np.quantile(values, FIRST_SHARES[relation]):.{DIGITS}g}")


class FilterRow(QWidget):
    """One filter: what, which side, which value; below, how many it takes alone."""

    changed = Signal(Filter)
    column_chosen = Signal(str)
    removed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.filter: Filter | None = None
        self.column_combo = ColumnCombo()
        self.column_combo.setMaximumWidth(WIDEST)
        described(self.column_combo, "Property to filter by", "What the filter looks at.")
        self.relation_combo = QComboBox()
        for relation in Relation:
            self.relation_combo.addItem(relation.value, relation)
        described(self.relation_combo, "Side that goes", "Which side of the value goes.")
        self.value_edit = QLineEdit()
        validator = QDoubleValidator(self)
        validator.setLocale(QLocale.c())
        self.value_edit.setValidator(validator)
        self.value_edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.value_edit.setFixedWidth(VALUE_WIDTH)
        self.value_edit.installEventFilter(FieldGuard(self))
        described(self.value_edit, "Value of the filter", "Where the filter's side begins.")
        self.value_edit.setAcceptDrops(False)
        self.remove_button = QToolButton()
        self.remove_button.setIcon(theme.icon("cancel"))
        described(self.remove_button, "Remove filter", "Remove filter\nTake this filter away.")
        self.takes = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.takes.setProperty("role", "muted")
        self.takes.setAccessibleName("What this filter takes alone")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.setColumnStretch(2, 1)
        grid.addWidget(self.column_combo, 0, 0, 1, 3)
        grid.addWidget(self.remove_button, 0, 3)
        grid.addWidget(self.relation_combo, 1, 0)
        grid.addWidget(self.value_edit, 1, 1)
        grid.addWidget(self.takes, 1, 2, 1, 2)
        self.column_combo.column_chosen.connect(self.column_chosen)
        self.relation_combo.activated.connect(self._edited)
        self.value_edit.editingFinished.connect(self._edited)
        self.remove_button.clicked.connect(self.removed)

    def show_filter(self, document: Document, entry: Filter) -> None:
        """Show a filter in the fields."""
        self.column_combo.list_columns(document)
        if entry == self.filter:
            return
        self.filter = entry
        self.column_combo.set_column(entry.name)
        self.relation_combo.setCurrentIndex(self.relation_combo.findData(entry.relation))
        self.value_edit.setText(f"{entry.value:.6g}")

    def show_taken(self, text: str) -> None:
        """Show how many it takes alone."""
        self.takes.set_text(text)
        self.takes.setToolTip(f"This filter alone takes {text}.")

    @Slot()
    def _edited(self) -> None:
        if self.filter is None:
            return
        text = self.value_edit.text()
        value = float(text) if text and self.value_edit.isModified() else self.filter.value
        if not text:
            self.value_edit.setText(f"{value:.6g}")
        self.value_edit.setModified(False)
        entry = Filter(self.filter.name, self.relation_combo.currentData(), value)
        if entry != self.filter:
            self.filter = entry
            self.changed.emit(entry)


class FilterRows(QWidget):
    """All filters of the session's cut, ready ones to add, and how they join with the score."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.rows: list[FilterRow] = []
        self._taken: Recent[int] = Recent(REMEMBERED)
        session.document_replaced.connect(self._forget)
        self._make_presets()
        self.add_button = QPushButton("Add filter")
        described(self.add_button, "Add filter", "Take Gaussians by another property as well.")
        self.add_button.clicked.connect(self.add)
        self.join_combo = QComboBox()
        for join, title in JOINS.items():
            self.join_combo.addItem(title, join)
        described(
            self.join_combo,
            "How score and filters join",
            "Or: what any filter takes goes, and the score takes the rest.\n"
            "And: the score takes only what all filters take.",
        )
        self.join_combo.activated.connect(self._joined)
        self._list = QVBoxLayout()
        self._list.setSpacing(6)
        foot = QHBoxLayout()
        foot.addWidget(self.add_button)
        foot.addStretch(1)
        foot.addWidget(self.join_combo)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self._presets_grid)
        column.addLayout(self._list)
        column.addLayout(foot)

    def _make_presets(self) -> None:
        self._presets_grid = QGridLayout()
        self._presets_grid.setSpacing(6)
        self.preset_buttons: dict[str, QPushButton] = {}
        for number, (name, preset) in enumerate(PRESETS.items()):
            button = QPushButton(preset.title)
            described(button, f"{preset.title} (ready filter)", preset.about)
            button.clicked.connect(partial(self.add_preset, name))
            self._presets_grid.addWidget(button, number // 2, number % 2)
            self.preset_buttons[name] = button

    @Slot()
    def add(self) -> None:
        """Add a filter by a property that none looks at yet."""
        used = {entry.name for entry in self.session.cut.filters}
        name = next((name for name in FIRST_COLUMNS if name not in used), "opacity")
        relation = FIRST_COLUMNS[name]
        self._with_value(
            name, relation, lambda entry: self._set([*self.session.cut.filters, entry])
        )

    def add_preset(self, name: str) -> None:
        """Add a ready filter; it replaces one of the same property and side."""
        document, score = self.session.document, self.session.score_name
        if document is None:
            return
        preset, alive, contents = PRESETS[name], document.alive, document.contents

        def make() -> tuple[Filter, ...]:
            return preset.make(contents.values, alive, score)

        def take(made: tuple[Filter, ...]) -> None:
            if self.session.document is not document or document.contents is not contents:
                return
            sides = {(entry.name, entry.relation) for entry in made}
            others = (f for f in self.session.cut.filters if (f.name, f.relation) not in sides)
            self._set([*others, *made])
            if not made:
                self.session.notified.emit(
                    "info", f"{preset.title}: no Gaussian has a value to go by."
                )

        self.session.asker.ask(f"preset {name}", make, take)

    @Slot()
    def refresh(self) -> None:
        """Show the session's filters."""
        document, cut = self.session.document, self.session.cut
        filters = cut.filters if document is not None else ()
        while len(self.rows) > len(filters):
            row = self.rows.pop()
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        while len(self.rows) < len(filters):
            self._append_row()
        self.join_combo.setCurrentIndex(self.join_combo.findData(cut.join))
        for button in (self.add_button, self.join_combo, *self.preset_buttons.values()):
            button.setEnabled(document is not None)
        for name, preset in PRESETS.items():
            if preset.needs_score and self.session.worth is None:
                self.preset_buttons[name].setEnabled(False)
        if document is not None:
            for row, entry in zip(self.rows, filters, strict=True):
                row.show_filter(document, entry)
                count = self.taken_by([entry])
                share = percent_text(count / max(1, document.alive_count))
                row.show_taken(f"{count:,} ({share})")

    @Slot()
    def _forget(self) -> None:
        self._taken.clear()

    def taken_by(self, filters: Sequence[Filter]) -> int:
        """How many living Gaussians some filters take, joined, without the score."""
        document = self.session.document
        if document is None:
            return 0
        cut = Cut(filters=tuple(filters), join=self.session.cut.join)
        scores = [document.scores.get(entry.name) for entry in filters]
        key = (document, document.alive, *scores, repr(cut))
        known = self._taken.find(*key)
        if known is None:
            mask = cut_mask(cut, None, document.alive, document.values)
            known = self._taken.keep(int(torch.count_nonzero(mask)), *key)
        return known

    def _append_row(self) -> None:
        row = FilterRow()
        row.changed.connect(partial(self._replace, row))
        row.column_chosen.connect(partial(self._choose_column, row))
        row.removed.connect(partial(self._remove, row))
        self.rows.append(row)
        self._list.addWidget(row)

    def _replace(self, row: FilterRow, entry: Filter) -> None:
        filters = list(self.session.cut.filters)
        filters[self.rows.index(row)] = entry
        self._set(filters)

    def _choose_column(self, row: FilterRow, name: str) -> None:
        kind = f"filter {id(row)}"
        if row.filter is not None and row.filter.name == name:
            self.session.asker.forget(kind)
            return
        relation = row.relation_combo.currentData()
        row.takes.set_text("Computing …")

        def take(entry: Filter) -> None:
            if row in self.rows and row.column_combo.column == name:
                self._replace(row, entry)

        self._with_value(name, relation, take, kind)

    def _remove(self, row: FilterRow) -> None:
        filters = list(self.session.cut.filters)
        del filters[self.rows.index(row)]
        self._set(filters)
        self.add_button.setFocus()

    def _with_value(
        self,
        name: str,
        relation: Relation,
        take: Callable[[Filter], object],
        kind: str = "filter",
    ) -> None:
        """Make a filter with a first value; the numbers may take long to find."""
        document = self.session.document
        if document is None:
            return
        contents, alive = document.contents, document.alive

        def answer(value: float) -> None:
            if self.session.document is document and document.contents is contents:
                take(Filter(name, relation, value))

        self.session.asker.ask(kind, lambda: first_value(contents, name, relation, alive), answer)

    def _set(self, filters: Sequence[Filter]) -> None:
        self.session.set_filters(filters)
        self.refresh()

    @Slot()
    def _joined(self) -> None:
        with QSignalBlocker(self.join_combo):
            self.session.set_filters(self.session.cut.filters, self.join_combo.currentData())
