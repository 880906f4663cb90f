"""The skeleton that every panel on the right shares."""

from abc import abstractmethod

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.icon_label import IconLabel
from viewer.widgets.job_status import REFRESH_MS, job_text, show_fraction

LEAST_WIDTH = 280
LABEL_HEIGHT = 20
"""Qt centres a form's label at its field if it is at least 4/7 as high."""
WINDOW_KEYS = frozenset({Qt.Key.Key_E, Qt.Key.Key_Y, Qt.Key.Key_Z})


class Panel(QScrollArea):
    """Purpose, needs, settings, run and cancel, progress, numbers: in this order, always.

    Subclasses set ``title``, ``purpose`` and ``run_title``, fill ``settings``, ``body`` and
    ``numbers``, and implement :meth:`run`. ``job_name`` names the job whose progress is shown.
    """

    title = ""
    purpose = ""
    run_title = "Run"
    job_name = ""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._behind = self._told = False
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(f"{self.title} panel")

        self.needs_mark = IconLabel(theme.level_icon("info"), 16)
        self.needs_text = wrapped("")
        self.settings = QFormLayout()
        self.settings.setContentsMargins(0, 0, 0, 0)
        self.settings.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.settings.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self.settings.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        self.run_button = QPushButton(self.run_title)
        self.run_button.setProperty("primary", True)
        self.run_button.setAccessibleName(f"{self.run_title} ({self.title})")
        self.run_button.clicked.connect(self.run)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setAccessibleName(f"Cancel ({self.title})")
        self.cancel_button.setToolTip("Cancel (Ctrl+.)\nStop the job; the scene stays as it was.")
        self.cancel_button.clicked.connect(session.runner.cancel)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setObjectName("thin")
        self.bar.setAccessibleName(f"Progress of {self.title}")
        self.progress_text = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.progress_text.setProperty("role", "muted")
        self.numbers = QVBoxLayout()
        self.numbers.setSpacing(4)
        self._arrange()

        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh_job)
        session.runner.progressed.connect(self._schedule)
        session.runner.changed.connect(self.refresh_job)
        self.refresh_job()

    def _arrange(self) -> None:
        inside = QWidget()
        inside.setObjectName("panel")
        column = QVBoxLayout(inside)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(12)
        self.purpose_text = wrapped(self.purpose)
        column.addWidget(self.purpose_text)
        needs = QHBoxLayout()
        needs.setSpacing(6)
        needs.addWidget(self.needs_mark, 0, Qt.AlignmentFlag.AlignTop)
        needs.addWidget(self.needs_text, 1)
        column.addLayout(needs)
        column.addLayout(self.settings)
        column.addLayout(self.body)
        self.run_row = QHBoxLayout()
        self.run_row.setSpacing(6)
        self.run_row.addWidget(self.run_button, 1)
        self.run_row.addWidget(self.cancel_button)
        column.addLayout(self.run_row)
        for widget in (self.bar, self.progress_text):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(bool(self.job_name))
            widget.setSizePolicy(policy)
            column.addWidget(widget)
        column.addLayout(self.numbers)
        column.addStretch(1)
        self.setWidget(inside)

    def minimumSizeHint(self) -> QSize:
        """Wide enough for what is inside, and its scroll bar: nothing is cut off at the side."""
        inside = self.widget()
        least = LEAST_WIDTH if inside is None else inside.minimumSizeHint().width()
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(max(LEAST_WIDTH, least + bar), super().minimumSizeHint().height())

    def put_off(self) -> bool:
        """Whether nobody sees the panel in its window: then it catches up once it is seen."""
        self._behind = self.window().isVisible() and self.visibleRegion().isEmpty()
        return self._behind

    @Slot(bool)
    def follow_dock(self, shown: bool) -> None:
        """Catch up after the dock came to the front."""
        if shown:
            QTimer.singleShot(0, self, self._catch_up_if_behind)

    @Slot()
    def _catch_up_if_behind(self) -> None:
        if self._behind:
            self.catch_up()

    def catch_up(self) -> None:
        """Show everything as it is now; called where :meth:`put_off` told that it was not."""

    @abstractmethod
    def run(self) -> None:
        """Do what the panel is for; also Ctrl+Return while it is in front."""

    def set_needs(self, met: bool, text: str) -> None:
        """Say what the panel works with, or what it lacks and how to mend it."""
        level = "info" if met else "warning"
        self.needs_mark.set_icon(theme.level_icon(level))
        self.needs_text.setText(text)

    @property
    def running(self) -> bool:
        """Whether this panel's job runs."""
        runner = self.session.runner
        return runner.busy and runner.job is not None and runner.job.name == self.job_name

    @Slot()
    def refresh_job(self) -> None:
        """Show this panel's job as it is now."""
        job = self.session.runner.job if self.running else None
        for widget in (self.bar, self.progress_text):
            widget.setVisible(job is not None)
        self.cancel_button.setEnabled(job is not None)
        if job is not None and not self._told:
            self._leave_buttons()
        self._told = job is not None
        if job is not None:
            show_fraction(self.bar, job)
            self.progress_text.set_text(job_text(job))

    def _leave_buttons(self) -> None:
        """Keep the keyboard off Cancel, where Qt moves it when the run button goes grey."""
        if self.run_button.hasFocus() or self.cancel_button.hasFocus():
            self.setFocus()

    @Slot()
    def _schedule(self) -> None:
        if not self._timer.isActive():
            self._timer.start()


class FieldGuard(QObject):
    """Keeps number fields from taking what is not meant for them.

    The wheel scrolls the panel unless the field has the focus; the window's own Ctrl keys, such as
    undo and export, reach the window although a text field knows them too.
    """

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if control and event.key() in WINDOW_KEYS:
                event.ignore()
                return True
        if (
            event.type() == QEvent.Type.Wheel
            and isinstance(watched, QWidget)
            and not watched.hasFocus()
        ):
            event.ignore()
            return True
        return False


def steady(label: QLabel, lines: int) -> QLabel:
    """A label that takes the room of so many lines even with fewer, so that nothing below moves."""
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setMinimumHeight(lines * label.fontMetrics().lineSpacing())
    return label


def wrapped(text: str) -> QLabel:
    """A label of plain text that wraps and never widens its panel."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def align_labels(form: QFormLayout) -> None:
    """Put the names in a form at the middle of their fields, however high these are."""
    for row in range(form.rowCount()):
        name = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
        label = None if name is None else name.widget()
        if isinstance(label, QLabel):
            label.setMinimumHeight(LABEL_HEIGHT)


def described(widget: QWidget, name: str, tip: str) -> None:
    """Name a field for assistive programs and give it a tooltip."""
    widget.setAccessibleName(name)
    widget.setToolTip(tip)
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    for edit in widget.findChildren(QLineEdit):
        edit.setAcceptDrops(False)
