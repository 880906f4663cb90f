"""Flying by held keys: W A S D forward, left, back, right; Q down, E up."""

import time

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent

TICK_MS = 15
LONGEST_TICK_S = 0.1
DEFAULT_SPEED = 0.6
SLOWEST, FASTEST = 0.01, 50.0
SPEED_FACTOR = 1.25
FASTER = 4.0

DIRECTIONS = {
    Qt.Key.Key_W: (0, 0, 1),
    Qt.Key.Key_S: (0, 0, -1),
    Qt.Key.Key_D: (1, 0, 0),
    Qt.Key.Key_A: (-1, 0, 0),
    Qt.Key.Key_E: (0, 1, 0),
    Qt.Key.Key_Q: (0, -1, 0),
}
"""Right, up, forward by key."""
NOT_FLYING = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.MetaModifier


class FlyKeys(QObject):
    """Which flying keys are held, and the way they make per tick of a timer.

    Shift is four times as fast, Alt four times slower. The way depends on the time that passed, not
    on how often the timer fires or the keyboard repeats.
    """

    flown = Signal(float, float, float)
    """A way to the right, up and forward, in scene radii."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.speed = DEFAULT_SPEED
        """Scene radii per second."""
        self._held: set[int] = set()
        self._fast = self._slow = False
        self._last = 0.0
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    @property
    def flying(self) -> bool:
        """Whether a flying key is held."""
        return bool(self._held)

    @staticmethod
    def wants(event: QKeyEvent) -> bool:
        """Whether a key event is about flying, so that no shortcut may take it."""
        return event.key() in DIRECTIONS and not event.modifiers() & NOT_FLYING

    def press(self, event: QKeyEvent) -> bool:
        """A key went down; whether it was one for flying."""
        self._read_modifiers(event, down=True)
        if not self.wants(event):
            return False
        if not event.isAutoRepeat():
            if not self._held:
                self._last = time.perf_counter()
                self._timer.start()
            self._held.add(event.key())
        return True

    def release(self, event: QKeyEvent) -> bool:
        """A key went up; whether it was one for flying that was held."""
        self._read_modifiers(event, down=False)
        if event.key() not in self._held:
            return False
        if not event.isAutoRepeat():
            self._tick()
            self._held.discard(event.key())
            if not self._held:
                self._timer.stop()
        return True

    def let_go(self) -> None:
        """Forget all held keys: their releases will not be seen here."""
        self._held.clear()
        self._fast = self._slow = False
        self._timer.stop()

    def change_speed(self, steps: float) -> None:
        """Go faster by ``steps`` turns of the wheel."""
        self.speed = min(max(self.speed * SPEED_FACTOR**steps, SLOWEST), FASTEST)

    def _read_modifiers(self, event: QKeyEvent, *, down: bool) -> None:
        modifiers = event.modifiers()
        self._fast = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        self._slow = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        if event.key() == Qt.Key.Key_Shift:
            self._fast = down
        elif event.key() == Qt.Key.Key_Alt:
            self._slow = down

    def _tick(self) -> None:
        now = time.perf_counter()
        passed = min(now - self._last, LONGEST_TICK_S)
        self._last = now
        way = np.sum([DIRECTIONS[Qt.Key(key)] for key in self._held], axis=0, dtype=float)
        length = float(np.linalg.norm(way))
        if length and passed > 0:
            pace = self.speed * (FASTER if self._fast else 1) / (FASTER if self._slow else 1)
            self.flown.emit(*(way / length * pace * passed).tolist())
