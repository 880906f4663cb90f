"""A panel whose run, pause and cancel stay in sight below what scrolls."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.jobs import JobState
from viewer import theme
from viewer.panels.panel import Panel, described
from viewer.session import Session
from viewer.widgets.group import Footer, Group


class FootedPanel(Panel):
    """Keeps the buttons of the run and its progress in a footer.

    Subclasses may put more into ``foot``, above and below these.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.pause_button = QPushButton()
        self.pause_button.clicked.connect(session.runner.toggle_pause)
        self.footer = Footer(self)
        inside = Group()
        self.foot = QVBoxLayout(inside)
        self.foot.setContentsMargins(14, 8, 14, 10)
        self.foot.setSpacing(6)
        row = QHBoxLayout()
        row.addWidget(self.run_button, 1)
        row.addWidget(self.pause_button)
        row.addWidget(self.cancel_button)
        self.foot.addLayout(row)
        for widget in (self.bar, self.progress_text):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(False)
            widget.setSizePolicy(policy)
            self.foot.addWidget(widget)
        self._around = QVBoxLayout(self.footer)
        self._around.setContentsMargins(0, 0, 0, 0)
        self._around.addWidget(inside)
        self.footer.rearranged.connect(self.place_footer)
        self._footed = True
        self.refresh_job()

    _footed = False
    """Whether there is a footer: the panel's first look at the job comes before it."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.place_footer()

    @Slot()
    def place_footer(self) -> None:
        """Give the footer the height that is in it."""
        width = self.width()
        height = self._around.totalHeightForWidth(width)
        height = max(height, self._around.totalMinimumSize().height())
        self.setViewportMargins(0, 0, 0, height)
        self.footer.setGeometry(0, self.height() - height, width, height)

    @Slot()
    def refresh_job(self) -> None:
        super().refresh_job()
        if not self._footed:
            return
        job = self.session.runner.job if self.running else None
        word = "Resume" if job is not None and job.state == JobState.PAUSED else "Pause"
        self.pause_button.setEnabled(
            job is not None and job.state in (JobState.RUNNING, JobState.PAUSED)
        )
        self.pause_button.setIcon(theme.icon("play" if word == "Resume" else "pause"))
        described(
            self.pause_button,
            f"{word} ({self.title})",
            f"{word}\nHold the run, or let it go on.",
        )
