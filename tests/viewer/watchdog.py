"""Measures how long the window's thread was away from its event loop."""

import time

from PySide6.QtCore import QObject, Qt, QTimer


class Watchdog(QObject):
    """Watches the turns of the event loop while it runs; a beat is due every ``BEAT_MS``.

    ``gaps_ms`` holds the time between two beats by the clock, ``busy_ms`` the part of it that this
    thread was at work. Other programs lengthen the first alone.
    """

    BEAT_MS = 2

    def __init__(self) -> None:
        super().__init__()
        self.gaps_ms: list[float] = []
        self.busy_ms: list[float] = []
        self._last = self._worked = 0.0
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=self.BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin anew."""
        self.gaps_ms.clear()
        self.busy_ms.clear()
        self._last, self._worked = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self) -> None:
        """End; the turn that is under way counts as well."""
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self.gaps_ms.append((now - self._last) * 1e3)
        self.busy_ms.append((worked - self._worked) * 1e3)
        self._last, self._worked = now, worked
