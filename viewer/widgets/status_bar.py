"""The status bar: the job, counts, the value under the pointer, backend and frame times."""

import time
from collections import deque

import torch
from PySide6.QtCore import QSize, Qt, QTimer, Slot
from PySide6.QtWidgets import QFrame, QSizePolicy, QStatusBar, QWidget

from viewer.look import Overlay
from viewer.session import Session
from viewer.viewport.frames import FrameStats
from viewer.viewport.probe_card import ProbeReport
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.job_status import JobStatus
from viewer.widgets.numbers import MISSING, milliseconds_text, value_text

JOB_WIDTH = 300
WIDEST = 200
RATE_FRAMES = 30
STILL_MS = 1000
"""After so long without a frame the picture stands still, and there is no rate."""
MEMORY_S = 1.0
COUNTS_TIP = (
    "Gaussians that are not deleted, and of those the selected and the hidden ones.\n"
    "Hidden Gaussians are exported; deleted ones are not, and Undo brings them back."
)
FRAME_TIP = "Time to draw the last picture, and pictures per second while they change"


class StatusBar(QStatusBar):
    """Shows what the session and the viewport do. Everything keeps its place.

    The place for what is under the pointer is there while the pixel probe is.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown: deque[float] = deque(maxlen=RATE_FRAMES)
        self._stats: FrameStats | None = None
        self._memory = (0.0, "")
        self.setSizeGripEnabled(False)
        self.job = JobStatus(session.runner)
        self.job.setMinimumWidth(JOB_WIDTH)
        self.counts = _Place("Counts", "000,000 Gaussians", shrinks=True)
        self.probe = _Place("Under the pointer", "Removal error 0.00e-00")
        self.backend = _Place("Backend", "CPU · 00 threads")
        self.frame = _Place("Last frame", "0,000 ms · 000 fps")
        self.addWidget(self.job, 1)
        self._probe_rule = _rule()
        for rule, place in (
            (self._probe_rule, self.probe),
            (_rule(), self.counts),
            (_rule(), self.backend),
            (_rule(), self.frame),
        ):
            self.addPermanentWidget(rule)
            self.addPermanentWidget(place)
        self._still = QTimer(self)
        self._still.setSingleShot(True)
        self._still.setInterval(STILL_MS)
        self._still.timeout.connect(self._stand_still)
        for signal in (
            session.document_replaced,
            session.state_changed,
            session.history_changed,
        ):
            signal.connect(self.refresh)
        session.look_changed.connect(self._show_probe_place)
        self.refresh()
        self._show_probe_place()
        self.show_probe(None)
        self.backend.set_text(MISSING, "What draws the picture")
        self.frame.set_text(f"{MISSING} ms", FRAME_TIP)

    @Slot()
    def refresh(self) -> None:
        """Show the counts of the scene."""
        document = self._session.document
        if document is None:
            self.counts.set_text("No scene", "Open a scene with Ctrl+O")
            return
        total, alive = len(document.scene), document.alive_count
        self.counts.reserve(_counts_text(total, total, total, total))
        text = _counts_text(alive, document.selected_count, document.hidden_count, total - alive)
        self.counts.set_text(text, COUNTS_TIP)

    @Slot(object)
    def show_frame(self, stats: FrameStats) -> None:
        """Show the measured time of a picture, and what drew it."""
        self._stats = stats
        self._shown.append(time.perf_counter())
        self._show_times()
        memory = self._memory_text()
        text = f"{stats.backend} · {memory}" if memory else stats.backend
        size = f"{stats.width:,} × {stats.height:,} pixels{', coarse' if stats.coarse else ''}"
        self.backend.reserve(text)
        self.backend.set_text(text, f"What draws the picture: {size}, {stats.route}")
        self._still.start()

    @Slot(object)
    def show_probe(self, probe: object) -> None:
        """Show what the pixel under the pointer is made of: a ProbeReport, or None away from it."""
        tip = "The chosen score of the Gaussian that weighs most under the pointer"
        if not isinstance(probe, ProbeReport) or not probe.top:
            self.probe.set_text(MISSING, tip)
            return
        heaviest = probe.top[0]
        if heaviest.score is None:
            count = f"{probe.count:,} Gaussian{'s' if probe.count != 1 else ''}"
            self.probe.set_text(count, "Gaussians that make the pixel under the pointer")
            return
        self.probe.reserve(f"{probe.score_title} 0.00e-00")
        text = f"{probe.score_title} {value_text(heaviest.score)}"
        self.probe.set_text(text, f"{tip}: number {heaviest.index:,}")

    @Slot()
    def _show_probe_place(self) -> None:
        shown = self._session.look.shows(Overlay.PROBE)
        self.probe.setVisible(shown)
        self._probe_rule.setVisible(shown)

    def _show_times(self) -> None:
        stats = self._stats
        if stats is None:
            return
        self.frame.set_text(f"{milliseconds_text(stats.ms)} · {self._rate_text()} fps", FRAME_TIP)

    def _rate_text(self) -> str:
        if len(self._shown) < 3:
            return MISSING
        elapsed = self._shown[-1] - self._shown[0]
        return f"{(len(self._shown) - 1) / max(elapsed, 1e-3):.0f}"

    @Slot()
    def _stand_still(self) -> None:
        self._shown.clear()
        self._show_times()

    def _memory_text(self) -> str:
        """Memory in use of the GPU that the scene is on, looked up once a second."""
        document = self._session.document
        if document is None or document.scene.device.type != "cuda":
            return ""
        checked, text = self._memory
        if not text or time.monotonic() - checked > MEMORY_S:
            free, total = torch.cuda.mem_get_info(document.scene.device)
            text = f"{(total - free) / 1e9:.1f}/{total / 1e9:.0f} GB"
            self._memory = (time.monotonic(), text)
        return text


class _Place(ElidedLabel):
    """A text whose place only grows, so that nothing beside it jumps."""

    padding = 12

    def __init__(self, name: str, widest: str, shrinks: bool = False) -> None:
        super().__init__(Qt.TextElideMode.ElideRight)
        self._widest, self._shrinks = widest, shrinks
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    def reserve(self, text: str) -> None:
        """Keep room for a text."""
        if self._width(text) > self._width(self._widest):
            self._widest = text
            self.updateGeometry()

    def set_text(self, text: str, tip: str = "") -> None:
        """Show a text as far as it fits; the tooltip has it whole, and says what it is."""
        self.reserve(text)
        super().set_text(text)
        self.setToolTip(f"{text}\n{tip}" if tip else text)

    def sizeHint(self) -> QSize:
        width = self._width(self._widest) + self.padding + 2
        return QSize(width if self._shrinks else min(width, WIDEST), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(60 if self._shrinks else self.sizeHint().width(), self.sizeHint().height())

    def _width(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text)


def _counts_text(alive: int, selected: int, hidden: int, deleted: int) -> str:
    return f"{alive:,} Gaussians · {selected:,} selected · {hidden:,} hidden · {deleted:,} deleted"


def _rule() -> QFrame:
    rule = QFrame()
    rule.setObjectName("rule")
    rule.setFixedSize(1, 14)
    return rule
