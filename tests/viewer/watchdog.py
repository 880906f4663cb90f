"""Measures how long the window's thread was away from its event loop."""

import time

from PySide6.QtCore import QObject, Qt, QTimer


class Watchdog(QObject):
    """Counts the gaps between turns of the event loop while it runs.

    ``gaps_ms`` holds every gap between two beats; a beat is due every ``BEAT_MS``.
    """

    BEAT_MS = 2

    def __init__(self) -> None:
        super().__init__()
        self.gaps_ms: list[float] = []
        self._last = 0.0
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=self.BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin anew."""
        self.gaps_ms.clear()
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> float:
        """End; the longest gap in milliseconds, the last one included."""
        self._beat()
        self._timer.stop()
        return max(self.gaps_ms)

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps_ms.append((now - self._last) * 1e3)
        self._last = now
