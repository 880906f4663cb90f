"""The Cameras dock: every view of the dataset with its photo, to find it and to fly there."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QModelIndex, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.cameras import Camera, Split, View
from core.datasets.photos import PHOTO_FOLDERS
from viewer import theme
from viewer.panels.panel import FieldGuard, described, wrapped
from viewer.panels.views_model import Role, SortBy, ViewDelegate, ViewsModel
from viewer.session import Session
from viewer.view_photos import PhotoState
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import count_text

REST_MS = 300
STEP_WIDTH = 26
NO_CAMERAS = (
    "No cameras. Scores use generated views around the scene; photos are needed to see the error "
    "or to compare with them."
)
NO_SCENE = "Open a scene to see its cameras."


class CamerasPanel(QWidget):
    """Lists the views of the dataset.

    Parameters
    ----------
    session
        Whose dataset it is.
    camera
        Gives the viewport's camera, for sorting by distance.
    """

    view_chosen = Signal(int)
    previous_asked = Signal()
    nearest_asked = Signal()
    next_asked = Signal()
    attach_asked = Signal()

    def __init__(
        self, session: Session, camera: Callable[[], Camera], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._camera = camera
        self._told: object = None
        self._guard = FieldGuard(self)
        self.setMinimumWidth(186)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Cameras panel")
        self.model = ViewsModel(self)
        self._make_parts()
        self._arrange()
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._sort)
        self._seek = QTimer(self, singleShot=True, interval=0)
        self._seek.timeout.connect(self._want_visible)
        session.photos.came.connect(self._photo_came)
        self.model.modelReset.connect(self._seek.start)
        self.list.verticalScrollBar().valueChanged.connect(self._seek.start)
        session.document_replaced.connect(self.refresh)
        session.views_changed.connect(self.refresh)
        session.look_changed.connect(self._show_opacity)
        theme.events.changed.connect(self.list.viewport().update)
        self.refresh()

    def _make_parts(self) -> None:
        self.heading = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.heading.setProperty("role", "title")
        self.previous_button = _step_button(
            "camera-prev", "Previous view (Left)", self.previous_asked.emit
        )
        self.nearest_button = _step_button(
            "camera-nearest",
            "Nearest view (J)\nFly to the camera nearest to this view.",
            self.nearest_asked.emit,
        )
        self.next_button = _step_button("camera-next", "Next view (Right)", self.next_asked.emit)
        self.filter_field = QLineEdit()
        self.filter_field.setPlaceholderText("Filter by name")
        self.filter_field.setClearButtonEnabled(True)
        described(self.filter_field, "Filter by name", "Show views whose name holds this text.")
        self.filter_field.textChanged.connect(self._filter)
        self.split_box = QComboBox()
        for title, split in (("All", None), ("Train", Split.TRAIN), ("Test", Split.TEST)):
            self.split_box.addItem(title, split)
        described(
            self.split_box,
            "Which views",
            "Which views\nTraining views are fitted to, test views are held out for measuring.",
        )
        self.split_box.currentIndexChanged.connect(self._filter)
        self.sort_box = QComboBox()
        for title, sort in (
            ("By name", SortBy.NAME),
            ("Test views first", SortBy.SPLIT),
            ("Nearest first", SortBy.DISTANCE),
        ):
            self.sort_box.addItem(title, sort)
        described(self.sort_box, "Sort views", "Sort views\nNearest: to where the camera is now.")
        self.sort_box.currentIndexChanged.connect(self._sort)
        for box in (self.split_box, self.sort_box):
            box.installEventFilter(self._guard)
        self.list = ViewsList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ViewDelegate(self.model, self.session.photos, self.list))
        described(self.list, "Views", "")
        self.list.chosen.connect(self._choose)
        self.list.resized.connect(lambda: self._seek.start())
        self.note = wrapped("")
        self.note.setProperty("role", "muted")
        self.opacity_label = QLabel("Photo")
        self.opacity_slider = QSlider(Qt.Orientation.Horizontal)
        self.opacity_slider.setRange(0, 100)
        self.opacity_slider.setPageStep(10)
        described(
            self.opacity_slider,
            "Opacity of the photo",
            "How much of the photo lies over the picture, at a camera that has one.",
        )
        self.opacity_label.setToolTip(self.opacity_slider.toolTip())
        self.opacity_slider.installEventFilter(self._guard)
        self.opacity_slider.valueChanged.connect(
            lambda percent: self.session.set_look(photo_opacity=percent / 100)
        )
        self.opacity_text = QLabel()
        self.opacity_text.setProperty("role", "number")
        self.attach_button = QPushButton("Attach photos…")
        described(
            self.attach_button,
            "Attach photos and cameras",
            "Attach photos and cameras (Ctrl+Shift+O)\nCOLMAP, transforms.json or cameras.json.",
        )
        self.attach_button.clicked.connect(self.attach_asked)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(6)
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self.heading, 1)
        for button in (self.previous_button, self.nearest_button, self.next_button):
            head.addWidget(button)
        layout.addLayout(head)
        self.controls = QWidget()
        self.controls.setObjectName("bare")
        rows = QVBoxLayout(self.controls)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(6)
        rows.addWidget(self.filter_field)
        boxes = QHBoxLayout()
        boxes.setSpacing(6)
        boxes.addWidget(self.split_box, 2)
        boxes.addWidget(self.sort_box, 3)
        rows.addLayout(boxes)
        layout.addWidget(self.controls)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.note)
        self.opacity_row = QWidget()
        self.opacity_row.setObjectName("bare")
        opacity = QHBoxLayout(self.opacity_row)
        opacity.setContentsMargins(0, 0, 0, 0)
        opacity.setSpacing(6)
        opacity.addWidget(self.opacity_label)
        opacity.addWidget(self.opacity_slider, 1)
        opacity.addWidget(self.opacity_text)
        self.opacity_text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.opacity_text.setMinimumWidth(self.fontMetrics().horizontalAdvance("100 %") + 2)
        layout.addWidget(self.opacity_row)
        layout.addWidget(self.attach_button)
        layout.addStretch()

    def showEvent(self, event: QShowEvent) -> None:
        """Decode the photos that are seen now."""
        super().showEvent(event)
        self._seek.start()

    # What is shown

    @Slot()
    def refresh(self) -> None:
        """List the views of the document."""
        document = self.session.document
        views = () if document is None else document.views
        if views is not self.model.views:
            self.model.set_views(views)
            if any(view.photo is not None for view in views):
                self.session.photos.find_missing(views, partial(self._files_checked, views))
        has_photos = any(view.photo is not None for view in views)
        for widget in (
            self.controls,
            self.list,
            self.previous_button,
            self.nearest_button,
            self.next_button,
        ):
            widget.setVisible(bool(views))
        self.opacity_row.setVisible(has_photos)
        self.attach_button.setVisible(not views)
        self.attach_button.setEnabled(document is not None)
        self._show_heading()
        self._show_note()
        self._show_opacity()

    @Slot(int)
    def mark_view(self, number: int) -> None:
        """Mark the view that the camera went to and scroll to it."""
        self.model.mark(number)
        row = self.model.row_of(number)
        if row is not None:
            index = self.model.index(row)
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    @Slot()
    def camera_moved(self) -> None:
        """Sort anew when the camera rests, where that changes the order."""
        if self.sort_box.currentData() == SortBy.DISTANCE and self.model.views:
            self._rest.start()

    def _show_heading(self) -> None:
        total, shown = len(self.model.views), self.model.rowCount()
        if not total:
            self.heading.set_text("No cameras")
            return
        shown_text = "" if shown == total else f"{count_text(shown)} of "
        self.heading.set_text(f"{shown_text}{count_text(total)} view{'s' if total > 1 else ''}")
        dataset = self.session.dataset
        if dataset is not None:
            self.heading.setToolTip(f"{self.heading.full_text}\n{dataset.kind}: {dataset.path}")

    def _show_note(self) -> None:
        model, tip = self.model, ""
        if self.session.document is None:
            text = NO_SCENE
        elif not model.views:
            text = NO_CAMERAS
        else:
            text, tip = self._missing_text()
        self.note.setText(text)
        self.note.setToolTip(tip)
        self.note.setVisible(bool(text))

    def _missing_text(self) -> tuple[str, str]:
        """How many photos are missing, and where they were looked for; both empty if none is."""
        states = [self.model.photo(number) for number in range(len(self.model.views))]
        there = states.count(PhotoState.THERE)
        missing = len(states) - there - states.count(PhotoState.UNREADABLE)
        if not missing:
            return "", ""
        dataset = self.session.dataset
        place = ""
        if dataset is not None:
            folder = dataset.path if dataset.path.is_dir() else dataset.path.parent
            places = ", ".join(PHOTO_FOLDERS)
            place = f"Looked for where the cameras name them, and in {places} of {folder}."
        if missing == len(states):
            return "Cameras without photos.", place
        return f"{count_text(missing)} of {count_text(len(states))} photos are missing.", place

    @Slot()
    def _show_opacity(self) -> None:
        percent = round(100 * self.session.look.photo_opacity)
        self.opacity_slider.blockSignals(True)
        self.opacity_slider.setValue(percent)
        self.opacity_slider.blockSignals(False)
        self.opacity_text.setText(f"{percent} %")

    # What a person does

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        self.view_chosen.emit(index.data(Role.NUMBER))

    @Slot()
    def _filter(self) -> None:
        self.model.filter(self.filter_field.text(), self.split_box.currentData())
        self._show_heading()
        self._restore_row()

    @Slot()
    def _sort(self) -> None:
        self.model.sort_by(self.sort_box.currentData(), self._camera())
        self._restore_row()

    def _restore_row(self) -> None:
        """Keep the current view under the eye although the rows are others."""
        row = self.model.row_of(self.model.current)
        if row is not None:
            self.list.setCurrentIndex(self.model.index(row))

    # Photos

    @Slot()
    def _want_visible(self) -> None:
        views = self.model.views
        self.session.photos.want("cameras", [views[n] for n in self.list.visible_numbers()])

    @Slot(object, str)
    def _photo_came(self, view: View, state: str) -> None:
        number = self.model.number_of(view)
        if number is None:
            return
        if state != PhotoState.THERE:
            self.model.set_photo([number], PhotoState(state))
            self._show_note()
        self.model.thumbnail_came(number)

    def _files_checked(self, views: tuple[View, ...], gone: list[int]) -> None:
        """Tell once for these views how many photos are missing."""
        if views is not self.model.views:
            return
        if gone:
            self.model.set_photo(gone, PhotoState.MISSING)
            self._show_note()
        missing, place = self._missing_text()
        if missing and self._told is not views and not missing.startswith("Cameras without"):
            self._told = views
            self.session.notified.emit("warning", f"{missing} {place}".strip())


class ViewsList(QListView):
    """A list whose rows are chosen by a click, or by Enter."""

    chosen = Signal(QModelIndex)
    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.clicked.connect(self.chosen)

    def visible_numbers(self) -> list[int]:
        """Numbers of the views whose rows can be seen, from the top; none while it is hidden."""
        area = self.viewport().rect()
        first, last = self.indexAt(area.topLeft()), self.indexAt(area.bottomLeft())
        if not first.isValid() or not self.isVisible():
            return []
        end = last.row() if last.isValid() else self.model().rowCount() - 1
        return [self.model().index(row, 0).data(Role.NUMBER) for row in range(first.row(), end + 1)]

    def minimumSizeHint(self) -> QSize:
        """Room for one row."""
        return QSize(120, 72)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter chooses the row that the keyboard is at."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            if self.currentIndex().isValid():
                self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other rows may be seen."""
        super().resizeEvent(event)
        self.resized.emit()


def _step_button(icon: str, tip: str, do: Callable[[], None]) -> QToolButton:
    button = QToolButton()
    button.setIcon(theme.icon(icon))
    button.setAutoRaise(True)
    button.setFixedWidth(STEP_WIDTH)
    described(button, tip.split(" (")[0], tip)
    button.clicked.connect(lambda: do())
    return button
