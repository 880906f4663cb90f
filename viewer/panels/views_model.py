"""The dataset's views as a list: sorted and filtered, drawn with their photos."""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum

import numpy as np
from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from core.cameras import Camera, Split, View
from viewer import theme
from viewer.view_photos import PhotoState, ViewPhotos

THUMBNAIL = QSize(76, 56)
SMALL_THUMBNAIL, ROOMY = QSize(54, 40), 190
"""Of rows less than so wide."""
TEXT_GAP = 8
PADDING = 5
MARK_WIDTH = 3
ICON = 14

Index = QModelIndex | QPersistentModelIndex


class SortBy(StrEnum):
    """What the list is sorted by."""

    NAME = "name"
    SPLIT = "split"
    DISTANCE = "distance"


NOTES = {
    PhotoState.THERE: "",
    PhotoState.NONE: "no photo",
    PhotoState.MISSING: "photo is missing",
    PhotoState.UNREADABLE: "photo cannot be read",
}
USES = {Split.TRAIN: "for training", Split.TEST: "held out for testing"}


class Role(IntEnum):
    """What the model gives besides names."""

    NUMBER = Qt.ItemDataRole.UserRole
    """The view's number in the document."""
    CURRENT = Qt.ItemDataRole.UserRole + 1
    """Whether the camera went there."""
    PHOTO = Qt.ItemDataRole.UserRole + 2
    """A :class:`PhotoState`."""
    SPLIT = Qt.ItemDataRole.UserRole + 3


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts names as a person would: 2 before 10, whatever the case."""
    parts = re.split(r"([0-9]+)", name.lower())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


class ViewsModel(QAbstractListModel):
    """One row per view that the filters let through."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.views: tuple[View, ...] = ()
        self.current = -1
        self._numbers: dict[View, int] = {}
        self._keys: list[tuple[tuple[int, int, str], ...]] = []
        self._places = np.zeros((0, 3))
        self._photos: list[PhotoState] = []
        self._rows: list[int] = []
        self._text = ""
        self._split: Split | None = None
        self._sort = SortBy.NAME
        self._eye = np.zeros(3)

    def set_views(self, views: Sequence[View]) -> None:
        """List other views."""
        self.views = tuple(views)
        self.current = -1
        self._numbers = {view: number for number, view in enumerate(self.views)}
        self._keys = [natural_key(view.name) for view in self.views]
        self._places = np.array([view.camera.position for view in self.views]).reshape(-1, 3)
        self._photos = [
            PhotoState.NONE if view.photo is None else PhotoState.THERE for view in self.views
        ]
        self._arrange()

    def filter(self, text: str, split: Split | None) -> None:
        """Keep views whose name holds a text, in any case, and of one split or of both."""
        self._text, self._split = text.strip().lower(), split
        self._arrange()

    def sort_by(self, sort: SortBy, camera: Camera | None = None) -> None:
        """Sort; by distance means from ``camera``."""
        self._sort = sort
        if camera is not None:
            self._eye = np.asarray(camera.position)
        self._arrange()

    def mark(self, number: int) -> None:
        """Mark the view that the camera went to; -1 for none."""
        changed = {self.row_of(self.current), self.row_of(number)} - {None}
        self.current = number
        for row in changed:
            self._tell(row)

    def set_photo(self, numbers: Iterable[int], state: PhotoState) -> None:
        """Remember what became of the photos of views."""
        for number in numbers:
            self._photos[number] = state
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    def photo(self, number: int) -> PhotoState:
        """Whether the photo of a view can be shown."""
        return self._photos[number]

    def number_of(self, view: View) -> int | None:
        """The number of a view, None where it is not among these."""
        return self._numbers.get(view)

    def number(self, index: Index) -> int:
        """The number of the view in a row."""
        return self._rows[index.row()]

    def row_of(self, number: int) -> int | None:
        """The row of a view, None where it is filtered out."""
        return self._rows.index(number) if number in self._rows else None

    def thumbnail_came(self, number: int) -> None:
        """Draw a row again."""
        self._tell(self.row_of(number))

    def rowCount(self, parent: Index | None = None) -> int:
        """Number of views that the filters let through."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Name, what a screen reader says, and the roles of :class:`Role`."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        number = self._rows[index.row()]
        view = self.views[number]
        if role == Qt.ItemDataRole.DisplayRole:
            return view.name or f"View {number + 1}"
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._described(number)
        return {
            Role.NUMBER: number,
            Role.CURRENT: number == self.current,
            Role.PHOTO: self._photos[number],
            Role.SPLIT: view.split,
        }.get(role)  # type: ignore[call-overload]

    def _described(self, number: int) -> str:
        view = self.views[number]
        camera, note = view.camera, NOTES[self._photos[number]]
        lines = [
            view.name or f"View {number + 1}",
            f"{camera.width:,} × {camera.height:,}, {USES[view.split]}",
        ]
        if note:
            lines.append(f"{note[0].upper()}{note[1:]}" + (f": {view.photo}" if view.photo else ""))
        if number == self.current:
            lines.append("The camera went here last.")
        return "\n".join(lines)

    def _tell(self, row: int | None) -> None:
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def _arrange(self) -> None:
        self.beginResetModel()
        rows = [
            number
            for number, view in enumerate(self.views)
            if self._text in view.name.lower() and self._split in (None, view.split)
        ]
        if self._sort == SortBy.DISTANCE:
            distances = np.linalg.norm(self._places - self._eye, axis=1)
            rows.sort(key=lambda number: (distances[number], self._keys[number]))
        elif self._sort == SortBy.SPLIT:
            rows.sort(key=lambda n: (self.views[n].split == Split.TRAIN, self._keys[n]))
        else:
            rows.sort(key=lambda number: self._keys[number])
        self._rows = rows
        self.endResetModel()


class ViewDelegate(QStyledItemDelegate):
    """Draws a view: its photo small, its name, what it is for and how large it is."""

    def __init__(self, model: ViewsModel, photos: ViewPhotos, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self._photos = photos

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """The same for all rows."""
        return QSize(THUMBNAIL.width() + 90, THUMBNAIL.height() + 2 * PADDING)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a row in the colours of the theme."""
        area = QRect(option.rect)
        state = option.state
        number = self._model.number(index)
        view, photo = self._model.views[number], self._model.photo(number)
        current = number == self._model.current
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, QColor(theme.color("selection")))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, QColor(theme.color("hover")))
        if current:
            bar = QRect(area.left(), area.top(), MARK_WIDTH, area.height())
            painter.fillRect(bar, QColor(theme.color("accent")))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(theme.color("accent")), 1))
            painter.drawRect(area.adjusted(0, 0, -1, -1))
        size = THUMBNAIL if area.width() >= ROOMY else SMALL_THUMBNAIL
        down = (area.height() - size.height()) // 2
        frame = QRect(area.topLeft(), size).translated(PADDING + MARK_WIDTH, down)
        self._paint_photo(painter, frame, number, photo)
        text = area.adjusted(frame.right() - area.left() + TEXT_GAP, PADDING, -PADDING, -PADDING)
        self._paint_text(painter, text, str(index.data()), view, photo, current)
        painter.restore()

    def _paint_photo(self, painter: QPainter, frame: QRect, number: int, photo: PhotoState) -> None:
        image = self._photos.picture(self._model.views[number])
        if image is None:
            painter.fillRect(frame, QColor(theme.color("raised")))
            broken = photo in (PhotoState.MISSING, PhotoState.UNREADABLE)
            icon = theme.icon(
                "warning" if broken else "cameras", "warning" if broken else "text-muted"
            )
            icon.paint(painter, frame.adjusted(18, 12, -18, -12))
        else:
            painter.drawImage(fitted(image, frame), image)

    def _paint_text(
        self,
        painter: QPainter,
        area: QRect,
        name: str,
        view: View,
        photo: PhotoState,
        current: bool,
    ) -> None:
        font = QFont(painter.font())
        font.setBold(current)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        line = min(metrics.height() + 1, area.height() // 3)
        top = area.top() + (area.height() - 3 * line) // 2
        row = QRect(area.left(), top, area.width(), line)
        painter.setPen(QColor(theme.color("text")))
        elided = metrics.elidedText(name, Qt.TextElideMode.ElideLeft, row.width())
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, elided)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(QColor(theme.color("text-muted")))
        row.translate(0, line)
        if len(self._model.views) > 1:
            test = view.split == Split.TEST
            icon = theme.icon("split-test" if test else "split-train", "text-muted")
            icon.paint(painter, QRect(row.left(), row.center().y() - ICON // 2 + 1, ICON, ICON))
            use = row.adjusted(ICON + 5, 0, 0, 0)
            painter.drawText(use, Qt.AlignmentFlag.AlignVCenter, "Test" if test else "Train")
            row.translate(0, line)
        note = NOTES[photo]
        if photo in (PhotoState.MISSING, PhotoState.UNREADABLE):
            painter.setPen(QColor(theme.color("warning")))
        size = f"{view.camera.width:,} × {view.camera.height:,}"
        last = note if note and photo != PhotoState.NONE else size
        elided = metrics.elidedText(last, Qt.TextElideMode.ElideRight, row.width())
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, elided)


def fitted(image: QImage, frame: QRect) -> QRect:
    """The largest rectangle of a picture's shape inside another, in its middle."""
    size = image.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
    place = QRect(frame.topLeft(), size)
    place.moveCenter(frame.center())
    return place
