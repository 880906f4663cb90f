"""The Jobs dock: what runs, what ran in this session, and what each job said."""

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    Qt,
    QTimer,
    Slot,
)
from PySide6.QtGui import QColor, QFontDatabase, QGuiApplication, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QProgressBar,
    QSplitter,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from core.jobs import JobState
from viewer import theme
from viewer.jobs import MAX_LINES, JobRecord, JobRunner
from viewer.panels.panel import described
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.job_status import job_text, show_controls, show_fraction
from viewer.widgets.numbers import MISSING, duration_text

REFRESH_MS = 100
TICK_MS = 1000
SHORT_S = 10.0
NARROW_PX = ((520, 4), (430, 3), (340, 2))
"""Below these widths of the list, these columns are left out."""
COLUMNS = ("Job", "State", "Time", "Left", "Started")
STATE_LOOKS: dict[JobState, tuple[str, str, str]] = {
    JobState.QUEUED: ("Starting", "play", "accent"),
    JobState.RUNNING: ("Running", "play", "accent"),
    JobState.PAUSED: ("Paused", "pause", "warning"),
    JobState.CANCELLING: ("Cancelling…", "cancel", "warning"),
    JobState.DONE: ("Done", "check", "success"),
    JobState.FAILED: ("Failed", "warning", "error"),
    JobState.CANCELLED: ("Cancelled", "cancel", "text-muted"),
}
IDLE_TEXT = "No job is running."
ONE_TEXT = "One job at a time: two would share the same cores, and neither would be done sooner."

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole


class JobsModel(QAbstractTableModel):
    """The records of a runner, the newest first: what runs is on top."""

    def __init__(self, runner: JobRunner) -> None:
        super().__init__(runner)
        self._runner = runner
        self.records: list[JobRecord] = runner.records[::-1]

    def sync(self) -> None:
        """Take over new records, and show the others as they are now."""
        records = self._runner.records[::-1]
        newest = self.records[0] if self.records else None
        added = next((row for row, one in enumerate(records) if one is newest), len(records))
        if added:
            self.beginInsertRows(QModelIndex(), 0, added - 1)
            self.records = records[:added] + self.records
            self.endInsertRows()
        if len(self.records) > len(records):
            self.beginRemoveRows(QModelIndex(), len(records), len(self.records) - 1)
            self.records = records
            self.endRemoveRows()
        if records:
            last = self.index(len(records) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.records)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Role.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        record = self.records[index.row()]
        if role == Role.DisplayRole:
            return _cells(record)[index.column()]
        if role == Role.DecorationRole and index.column() == 1:
            _, icon, color = STATE_LOOKS[record.state]
            return theme.icon(icon, color)
        if role == Role.TextAlignmentRole and index.column() in (2, 3):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Role.ToolTipRole:
            return f"{record.name}: {record.error}" if record.error else record.name
        if role == Role.UserRole:
            running = not record.finished and record.progress is not None
            return record.progress.fraction if running and record.progress else None
        return None


class ProgressDelegate(QStyledItemDelegate):
    """Draws a thin bar below the state of a job that runs."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        fraction = index.data(Role.UserRole)
        if fraction is None:
            return
        rect = QRectF(option.rect)
        track = QRectF(rect.left() + 6, rect.bottom() - 3.5, rect.width() - 12, 2.5)
        painter.fillRect(track, QColor(theme.color("border")))
        track.setWidth(track.width() * fraction)
        painter.fillRect(track, QColor(theme.color("accent")))


class JobsList(QTreeView):
    """Leaves out columns that find no room."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for least, column in NARROW_PX:
            self.setColumnHidden(column, self.width() < least)


class JobsPanel(QWidget):
    """A strip for the job that runs, the list of all jobs, and the story of the chosen one."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._shown: JobRecord | None = None
        self._lines = 0
        self._told = False
        self._make_strip()
        self._make_list()
        self._make_story()
        self._arrange()
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._clock = QTimer(self, interval=TICK_MS)
        self._clock.timeout.connect(self.refresh)
        session.runner.changed.connect(self.refresh)
        session.runner.progressed.connect(self._schedule)
        theme.events.changed.connect(self.refresh)
        self.refresh()

    def _make_strip(self) -> None:
        runner = self.session.runner
        self.running_text = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.running_text.setAccessibleName("Running job")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setObjectName("thin")
        self.bar.setFixedWidth(120)
        self.bar.setAccessibleName("Progress of the running job")
        self.pause_button, self.cancel_button = QToolButton(), QToolButton()
        described(self.pause_button, "Pause job", "Pause the running job")
        described(
            self.cancel_button,
            "Cancel job",
            "Cancel the running job (Ctrl+.)\nThe scene stays as it was.",
        )
        self.cancel_button.setIcon(theme.icon("cancel"))
        self.pause_button.clicked.connect(runner.toggle_pause)
        self.cancel_button.clicked.connect(runner.cancel)

    def _make_list(self) -> None:
        self.model = JobsModel(self.session.runner)
        self.list = JobsList()
        self.list.setModel(self.model)
        self.list.setItemDelegateForColumn(1, ProgressDelegate(self.list))
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAllColumnsShowFocus(True)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setAccessibleName("Jobs")
        self.list.setToolTip("Jobs of this session, the newest on top.")
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, sample in enumerate(("Cancelling… 100 %", "0:00:00", "0:00:00", "00:00:00"), 1):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            icon = 30 if column == 1 else 0
            width = self.fontMetrics().horizontalAdvance(sample) + 24 + icon
            header.resizeSection(column, width)
        self.list.selectionModel().currentRowChanged.connect(self._show_current)

    def _make_story(self) -> None:
        self.story_title = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.story_title.setProperty("role", "title")
        self.details_button, self.copy_button = QToolButton(), QToolButton()
        self.details_button.setText("Details")
        self.details_button.setCheckable(True)
        described(
            self.details_button,
            "Details of the failure",
            "Show where in the program it went wrong, for a report.",
        )
        self.details_button.toggled.connect(self._tell_again)
        self.copy_button.setIcon(theme.icon("copy"))
        described(self.copy_button, "Copy log", "Copy the log with all details.")
        self.copy_button.clicked.connect(self._copy)
        self.story = QPlainTextEdit()
        self.story.setReadOnly(True)
        self.story.setMaximumBlockCount(4 * MAX_LINES)
        self.story.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.story.setTabChangesFocus(True)
        self.story.setPlaceholderText("What a job says stands here.")
        described(self.story, "Log of the job", "What the job said, with the time since its start.")

    def _arrange(self) -> None:
        strip = QHBoxLayout()
        strip.setSpacing(6)
        strip.addWidget(self.running_text, 1)
        for widget in (self.bar, self.pause_button, self.cancel_button):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
            strip.addWidget(widget)
        head = QHBoxLayout()
        head.addWidget(self.story_title, 1)
        head.addWidget(self.details_button)
        head.addWidget(self.copy_button)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(6, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self.story, 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.list)
        self.splitter.addWidget(right)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 4, 10, 6)
        layout.setSpacing(4)
        layout.addLayout(strip)
        layout.addWidget(self.splitter, 1)

    @Slot()
    def refresh(self) -> None:
        """Show all jobs as they are now."""
        known = len(self.model.records)
        follows = self._shown is None or (known > 0 and self._shown is self.model.records[0])
        started = self.session.runner.records[-1:] != self.model.records[:1]
        self.model.sync()
        if started and follows:
            self.list.selectionModel().setCurrentIndex(
                self.model.index(0, 0),
                QItemSelectionModel.SelectionFlag.ClearAndSelect
                | QItemSelectionModel.SelectionFlag.Rows,
            )
        self._show_running()
        self._tell()
        self._run_clock()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with the time that passed while hidden."""
        super().showEvent(event)
        self.refresh()

    def _run_clock(self) -> None:
        wanted = self.session.runner.busy and self.isVisible()
        if wanted != self._clock.isActive():
            self._clock.start() if wanted else self._clock.stop()

    def _show_running(self) -> None:
        runner = self.session.runner
        busy, job = runner.busy, runner.job
        for widget in (self.bar, self.pause_button, self.cancel_button):
            widget.setVisible(busy)
        if not busy or job is None:
            self.running_text.set_text(IDLE_TEXT)
            self.running_text.setToolTip(ONE_TEXT)
            return
        elapsed = duration_text(runner.records[-1].elapsed_s)
        self.running_text.set_text(f"{job.name}: {job_text(job)} · {elapsed} so far")
        self.running_text.setToolTip(f"{self.running_text.full_text}\n{ONE_TEXT}")
        show_fraction(self.bar, job)
        show_controls(self.pause_button, self.cancel_button, job)

    @Slot(QModelIndex)
    def _show_current(self, current: QModelIndex) -> None:
        self._shown = self.model.records[current.row()] if current.isValid() else None
        self._tell_again()

    @Slot()
    def _tell_again(self) -> None:
        self.story.clear()
        wrap = QPlainTextEdit.LineWrapMode
        details = self.details_button.isChecked()
        self.story.setLineWrapMode(wrap.NoWrap if details else wrap.WidgetWidth)
        self._lines, self._told = 0, False
        self._tell()

    def _tell(self) -> None:
        """Add what the chosen job said since the last time."""
        record = self._shown
        self.copy_button.setEnabled(record is not None)
        self.details_button.setVisible(record is not None and bool(record.details))
        if record is None:
            self.story_title.set_text("")
            return
        self.story_title.set_text(_headline(record))
        new = min(record.line_count - self._lines, len(record.lines))
        self._lines = record.line_count
        for at_s, text in list(record.lines)[len(record.lines) - new :]:
            self.story.appendPlainText(f"{duration_text(at_s):>7}  {text}")
        if record.error and not self._told:
            self._told = True
            self.story.appendPlainText(f"{duration_text(record.elapsed_s):>7}  {record.error}")
            if self.details_button.isChecked():
                reason = self.story.document().lastBlock().blockNumber()
                self.story.appendPlainText(record.details)
                self.story.verticalScrollBar().setValue(reason)

    @Slot()
    def _copy(self) -> None:
        record = self._shown
        if record is not None:
            lines = [f"{duration_text(at_s):>7}  {text}" for at_s, text in record.lines]
            parts = [_headline(record), *lines, record.error, record.details]
            QGuiApplication.clipboard().setText("\n".join(part for part in parts if part))

    @Slot()
    def _schedule(self) -> None:
        if not self._timer.isActive() and self.isVisible():
            self._timer.start()


def _cells(record: JobRecord) -> tuple[str, ...]:
    state = STATE_LOOKS[record.state][0]
    left = MISSING
    if not record.finished and record.progress is not None and record.progress.total > 0:
        state = f"{state} {100 * record.progress.fraction:.0f} %"
        if record.remaining_s is not None:
            left = duration_text(record.remaining_s)
    return (
        record.name,
        state,
        _seconds(record.elapsed_s),
        left,
        record.started.strftime("%H:%M:%S"),
    )


def _headline(record: JobRecord) -> str:
    state = STATE_LOOKS[record.state][0].rstrip("…").lower()
    return f"{record.name} – {state}, {_seconds(record.elapsed_s)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < SHORT_S else duration_text(seconds)
