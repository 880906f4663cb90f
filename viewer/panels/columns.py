"""What can be plotted and filtered by: scores, properties and columns of the file."""

from collections.abc import Iterator

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QSizePolicy, QWidget

from core.editing import Contents, Document
from core.properties import PROPERTIES, property_names, property_title
from core.scoring import ORDINARY, SCORES
from core.statistics import Distribution, Values

MAX_WIDTH = 280
COLOURS = frozenset({"red", "green", "blue", "hue", "saturation", "lightness"})


def column_groups(document: Document) -> Iterator[tuple[str, list[str]]]:
    """Titles of groups and the names in each; what is both a score and a property comes once."""
    properties = [name for name in property_names(document.scene) if name in PROPERTIES]
    yield "Scores", [name for name in SCORES if name in document.scores and name not in properties]
    plain = [name for name in properties if name not in COLOURS and name != "opacity"]
    yield "Geometry", plain
    yield "Opacity", ["opacity"]
    yield "Colour", [name for name in properties if name in COLOURS]
    yield (
        "File columns",
        [name for name in property_names(document.scene) if name not in PROPERTIES],
    )


def column_names(document: Document) -> list[str]:
    """All that :func:`column_groups` lists."""
    return [name for _, names in column_groups(document) for name in names]


def column_title(document: Document, name: str) -> str:
    """What a person reads for a column."""
    return property_title(document.scene, name)


def column_values(contents: Contents, name: str) -> Values:
    """The numbers of a column, ``(N,)``; NaN where a score is not defined."""
    values = contents.values(name)
    worth = contents.scores.get(name)
    if worth is None:
        return values
    classes = worth.classes.numpy()
    return values if (classes == ORDINARY).all() else np.where(classes == ORDINARY, values, np.nan)


def suits_log(name: str, distribution: Distribution) -> bool:
    """Whether a column is better read on a logarithmic axis."""
    known = PROPERTIES.get(name)
    return distribution.spans_decades if known is None else known.log


class ColumnCombo(QComboBox):
    """Chooses a column; the groups are headings that cannot be chosen."""

    column_chosen = Signal(str)
    """A person chose another column."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._listed: list[str] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(7)
        self.setMaximumWidth(MAX_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(self._activated)

    @property
    def column(self) -> str:
        """Name of the chosen column; empty where there is none."""
        return self.currentData() or ""

    def list_columns(self, document: Document | None) -> None:
        """Offer the columns of a document; what was chosen stays chosen if it is there."""
        names = [] if document is None else column_names(document)
        if names == self._listed:
            return
        chosen = self.column
        model = QStandardItemModel(self)
        if document is not None:
            for title, group in column_groups(document):
                if group:
                    model.appendRow(_heading(title))
                for name in group:
                    item = QStandardItem(column_title(document, name))
                    item.setData(name, Qt.ItemDataRole.UserRole)
                    known = PROPERTIES.get(name)
                    if known is not None:
                        item.setToolTip(known.about)
                    model.appendRow(item)
        self.setModel(model)
        self._listed = names
        self.set_column(chosen)

    def set_column(self, name: str) -> None:
        """Show a column as chosen, without telling."""
        place = self.findData(name) if name else -1
        if place != self.currentIndex():
            self.setCurrentIndex(place)
        known = PROPERTIES.get(name)
        self.setToolTip(self.accessibleName() if known is None else known.about)

    @Slot(int)
    def _activated(self, place: int) -> None:
        self.column_chosen.emit(self.itemData(place))


def _heading(title: str) -> QStandardItem:
    item = QStandardItem(title)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    font = item.font()
    font.setBold(True)
    item.setFont(font)
    return item
