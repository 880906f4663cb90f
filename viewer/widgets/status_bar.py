"""The status bar: job on the left; counts, frame time and backend on the right."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel, QStatusBar, QWidget

from viewer.session import Session
from viewer.viewport.frames import FrameStats
from viewer.widgets.job_status import JobStatus


class StatusBar(QStatusBar):
    """Shows what the session and the viewport do."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setSizeGripEnabled(False)
        self.job = JobStatus(session.runner)
        self.counts = QLabel()
        self.counts.setAccessibleName("Counts")
        self.frame = QLabel()
        self.frame.setAccessibleName("Last frame")
        self.frame.setToolTip("Time, rate, size and backend of the last picture")
        self.addWidget(self.job, 1)
        self.addPermanentWidget(self.counts)
        self.addPermanentWidget(self.frame)
        session.document_replaced.connect(self.refresh)
        session.state_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the counts of the scene."""
        document = self._session.document
        if document is None:
            self.counts.setText("No scene")
            return
        alive = document.alive_count
        deleted = len(document.scene) - alive
        self.counts.setText(f"{alive:,} Gaussians" + (f" · {deleted:,} deleted" if deleted else ""))

    @Slot(object)
    def show_frame(self, stats: FrameStats) -> None:
        """Show the measured time and size of a picture; the place only grows: no jitter."""
        rate = 1000 / max(stats.ms, 1e-3)
        self.frame.setText(
            f"{stats.ms:.{0 if stats.ms >= 10 else 1}f} ms · {rate:.{0 if rate >= 10 else 1}f} fps"
            f" · {stats.width}×{stats.height} · {stats.backend}"
        )
        self.frame.setMinimumWidth(max(self.frame.minimumWidth(), self.frame.sizeHint().width()))
