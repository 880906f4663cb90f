"""The Metrics dock: how good the scene is, view by view, before and now."""

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.measuring import Measured, Measuring
from viewer.panels.metrics_table import (
    COLUMNS,
    DIGITS,
    FIGURES,
    SORT_ROLE,
    TITLES,
    MetricsModel,
    change_color,
    change_text,
    figure_text,
)
from viewer.panels.panel import FieldGuard, described, wrapped
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.icon_label import IconLabel
from viewer.widgets.job_status import job_text
from viewer.widgets.numbers import MISSING, count_text, megabytes_text, milliseconds_text

REFRESH_MS = 50
ACROSS = (6, 3, 2)
"""How many figures of the whole may stand in a line."""
SPACING_PX = 16
MARGIN_PX = 10
NARROW_PX = {"before": 760, "change": 460}
"""Below these widths of the table these columns are left out."""
ON_WHITE = "On white"
BACKGROUNDS = {"On black": (0.0, 0.0, 0.0), ON_WHITE: (1.0, 1.0, 1.0)}
NO_SCENE = "Open a scene first."
NOTHING = (
    "There is nothing to compare the scene with: it has no photos, and is as it was opened. "
    "Attach photos, or prune first."
)


class Figure(QWidget):
    """A number of the whole scene, with its name before and its change behind."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bare")
        self.setAccessibleName(title)
        caption = QLabel(title)
        caption.setProperty("role", "muted")
        self.value = QLabel(MISSING)
        self.value.setProperty("role", "number")
        self.change = QLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for label in (caption, self.value, self.change):
            row.addWidget(label)
        row.addStretch(1)

    def show_number(self, value: str, change: str = "", role: str = "muted") -> None:
        """Write the value, and its change in the look of a role."""
        self.value.setText(value)
        self.change.setText(change)
        self.change.setVisible(bool(change))
        if self.change.property("role") != role:
            self.change.setProperty("role", role)
            self.change.style().polish(self.change)


class MetricsPanel(QWidget):
    """Measures the scene against its photos, or against itself as opened."""

    view_chosen = Signal(int)
    """Number of the dataset's view that a person chose."""
    camera_chosen = Signal(object)
    """A camera that a person chose and that is none of the dataset's."""
    csv_asked = Signal()
    attach_asked = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.measuring = Measuring(session, self)
        self._guard = FieldGuard(self)
        self._across = 0
        self._index_before: int | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Metrics panel")
        self._make_parts()
        self._make_table()
        self._arrange()
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self.measuring.changed.connect(self._schedule)
        session.document_replaced.connect(self._choose_background)
        for changed in (
            session.document_replaced,
            session.state_changed,
            session.scene_changed,
            session.views_changed,
            session.runner.changed,
            theme.events.changed,
        ):
            changed.connect(self._schedule)
        self.refresh()

    def _make_parts(self) -> None:
        self.figures = {name: Figure(title) for name, title in TITLES.items()}
        self.figures |= {
            name: Figure(title)
            for name, title in (("count", "Gaussians"), ("size", "Size"), ("frame", "Frame"))
        }
        self.empty_text = wrapped("")
        self.empty_text.setProperty("role", "muted")
        self.empty_text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.attach_button = QPushButton("Attach photos and cameras…")
        self.attach_button.clicked.connect(self.attach_asked)
        self.mark = IconLabel(theme.level_icon("warning"), 16)
        self.note = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.note.setProperty("role", "muted")
        self.note.setAccessibleName("What the figures are of")
        self.background_box = QComboBox()
        for title, color in BACKGROUNDS.items():
            self.background_box.addItem(title, color)
        described(
            self.background_box,
            "Background",
            "Background\nWhat is behind the scene, and behind photos that are transparent. "
            "Synthetic scenes are usually measured on white.",
        )
        self.background_box.installEventFilter(self._guard)
        self.csv_button = QPushButton("CSV…")
        described(self.csv_button, "Save table", "Save table\nWrite the figures of every view.")
        self.csv_button.clicked.connect(self.csv_asked)
        self.cancel_button = QPushButton("Cancel")
        described(self.cancel_button, "Cancel (Metrics)", "Cancel (Ctrl+.)\nStop measuring.")
        self.cancel_button.clicked.connect(self.session.runner.cancel)
        self.run_button = QPushButton("Measure")
        self.run_button.setProperty("primary", True)
        described(self.run_button, "Measure (Metrics)", "")
        self.run_button.clicked.connect(self.run)

    def _make_table(self) -> None:
        self.model = MetricsModel(self)
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSortRole(SORT_ROLE)
        self.sorted.setSourceModel(self.model)
        self.table = QTreeView()
        self.table.setModel(self.sorted)
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.table.setAllColumnsShowFocus(True)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAccessibleName("Figures of every view")
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        header = self.table.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for number, column in enumerate(COLUMNS[1:], 1):
            header.setSectionResizeMode(number, QHeaderView.ResizeMode.Fixed)
            room = self.fontMetrics().horizontalAdvance(max(column.title, "+00.0000", key=len))
            header.resizeSection(number, room + 26)
        self.table.clicked.connect(self._choose)
        self.table.activated.connect(self._choose)

    def _arrange(self) -> None:
        self.figure_row = QWidget()
        self.figure_row.setObjectName("bare")
        self.figure_row.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.figure_grid = QGridLayout(self.figure_row)
        self.figure_grid.setContentsMargins(0, 0, 0, 0)
        self.figure_grid.setHorizontalSpacing(SPACING_PX)
        self.figure_grid.setVerticalSpacing(2)
        blank = QWidget()
        blank.setObjectName("bare")
        inside = QVBoxLayout(blank)
        inside.addStretch(1)
        inside.addWidget(self.empty_text)
        inside.addWidget(self.attach_button, 0, Qt.AlignmentFlag.AlignHCenter)
        inside.addStretch(1)
        self.pages = QStackedWidget()
        self.pages.addWidget(blank)
        self.pages.addWidget(self.table)
        foot = QHBoxLayout()
        foot.setSpacing(6)
        foot.addWidget(self.mark)
        foot.addWidget(self.note, 1)
        for widget in (self.background_box, self.csv_button, self.cancel_button, self.run_button):
            foot.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, 6, MARGIN_PX, 6)
        layout.setSpacing(5)
        layout.addWidget(self.figure_row)
        layout.addWidget(self.pages, 1)
        layout.addLayout(foot)
        self._place_figures()

    def _place_figures(self) -> None:
        """Put the figures of the whole into as few lines as they fit in."""
        widths = [figure.sizeHint().width() for figure in self.figures.values()]
        for across in ACROSS:
            columns = [max(widths[column::across]) for column in range(across)]
            if sum(columns) + SPACING_PX * (across - 1) <= self._room:
                break
        if across == self._across:
            return
        self._across = across
        for figure in self.figures.values():
            self.figure_grid.removeWidget(figure)
        for number, figure in enumerate(self.figures.values()):
            self.figure_grid.addWidget(figure, *divmod(number, across))
        for column in range(len(self.figures)):
            self.figure_grid.setColumnStretch(column, column == across - 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out what finds no room."""
        super().resizeEvent(event)
        self._place_figures()
        self._show_columns()

    @property
    def _room(self) -> int:
        """Width between the margins."""
        return self.width() - 2 * MARGIN_PX

    # What a person does

    @Slot()
    def run(self) -> None:
        """Measure the scene, or say why that cannot be."""
        if self.measuring.source:
            self.measuring.run(self.background_box.currentData())
        else:
            self.session.notified.emit("warning", self.empty_text.text())

    @Slot()
    def _choose_background(self) -> None:
        """Images are measured as their models were trained, on white; other scenes as before."""
        if self.session.imaging.source is None:
            index, self._index_before = self._index_before, None
        else:
            if self._index_before is None:
                self._index_before = self.background_box.currentIndex()
            index = self.background_box.findText(ON_WHITE)
        if index is not None:
            self.background_box.setCurrentIndex(index)

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        measured, document = self.model.measured, self.session.document
        if measured is None or document is None:
            return
        camera = measured.plan.cameras[self.sorted.mapToSource(index).row()]
        for number, view in enumerate(document.views):
            if view.camera is camera:
                self.view_chosen.emit(number)
                return
        self.camera_chosen.emit(camera)

    @Slot(int)
    def mark_view(self, number: int) -> None:
        """Select the row of the dataset's view that the camera went to, if it was measured."""
        measured, document = self.model.measured, self.session.document
        if measured is None or document is None:
            return
        camera = document.views[number].camera
        rows = [row for row, one in enumerate(measured.plan.cameras) if one is camera]
        if rows and rows[0] < self.model.rowCount():
            index = self.sorted.mapFromSource(self.model.index(rows[0], 0))
            flags = QItemSelectionModel.SelectionFlag
            self.table.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.table.scrollTo(index)
        else:
            self.table.clearSelection()

    # What is shown

    @Slot()
    def _schedule(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Show the figures, and whether they are still true."""
        measured = self.measuring.measured
        self.model.show(measured)
        self._show_columns()
        self._show_whole(measured)
        self._place_figures()
        self._show_empty()
        self.pages.setCurrentIndex(1 if self.model.rowCount() else 0)
        running, busy = self.measuring.running, self.session.runner.busy
        source = self.measuring.source
        self.run_button.setEnabled(bool(source) and not busy)
        self.run_button.setVisible(not running)
        self.cancel_button.setVisible(running)
        self.background_box.setEnabled(not running)
        self.csv_button.setEnabled(measured is not None and not running)
        tip = f"Compare with {source}." if source else self.empty_text.text()
        if busy and not running:
            tip = "Wait for the running job, or cancel it."
        self.run_button.setToolTip(f"Measure\n{tip}")
        self._show_note(measured)

    def _show_note(self, measured: Measured | None) -> None:
        job, document = self.session.runner.job, self.session.document
        stale, text = False, ""
        if self.measuring.running and job is not None:
            text = job_text(job)
        elif measured is not None and document is not None:
            stale = measured.is_stale(document)
            against = f"against {measured.plan.source}"
            text = f"Measured before the last change, {against}" if stale else against.capitalize()
        self.mark.setVisible(stale)
        if text != self.note.full_text:
            self.note.set_text(text)

    def _show_empty(self) -> None:
        document, source = self.session.document, self.measuring.source
        no_photos = document is not None and not any(view.photo for view in document.views)
        self.attach_button.setVisible(no_photos)
        text = f"Measure how like {source} the scene looks, and how fast it draws."
        if document is None:
            text = NO_SCENE
        elif not source:
            text = NOTHING
        elif no_photos:
            text = f"Without photos, the scene is compared with {source}."
        self.empty_text.setText(text)

    def _show_columns(self) -> None:
        """Before and change only where there are both, and room."""
        measured = self.model.measured
        before = None if measured is None else measured.before
        for number, column in enumerate(COLUMNS):
            if column.kind != "now":
                known = before is not None and bool(before.views)
                known = known and getattr(before, column.figure) is not None
                wide = self._room >= NARROW_PX[column.kind]
                self.table.setColumnHidden(number, not (known and wide))

    def _show_whole(self, measured: Measured | None) -> None:
        after = None if measured is None else measured.after
        pair = None if measured is None or self.measuring.running else measured.comparison
        for name in FIGURES:
            value = None if after is None else getattr(after, name)
            change = None if pair is None else getattr(pair, f"{name}_change")
            text = figure_text(value, name) + (" dB" if name == "psnr" and value else "")
            self.figures[name].show_number(
                text,
                "" if change is None else change_text(change, DIGITS[name]),
                change_color(change, name) or "muted",
            )
            self.figures[name].setToolTip(f"Mean {TITLES[name]} of all views.")
        if measured is not None:
            self.figures["lpips"].setToolTip(measured.plan.lpips)
        self.figures["count"].show_number(
            count_text(None if after is None else after.count), _percent(measured, "count")
        )
        self.figures["size"].show_number(
            megabytes_text(None if after is None else after.megabytes),
            _percent(measured, "megabytes"),
        )
        ratio = None if pair is None else pair.frame_rate_ratio
        self.figures["frame"].show_number(
            milliseconds_text(None if after is None else after.frame_ms),
            "" if ratio is None else f"×{ratio:.2f}",
        )


def _percent(measured: Measured | None, name: str) -> str:
    """By how much of what it was a number changed; empty where there is nothing before."""
    if measured is None or measured.before is None:
        return ""
    now, before = getattr(measured.after, name), getattr(measured.before, name)
    percent = 100 * (now - before) / before
    return f"{change_text(percent, 0 if abs(percent) >= 10 else 1)} %"
