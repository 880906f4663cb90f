"""Cyclic garbage collection on the window's thread only."""

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 200


class GarbageCollector(QObject):
    """Replaces automatic collection, which runs on whichever thread happens to allocate.

    A Qt object that dies on a worker thread can crash the program. What exists at the start is
    taken out of the collector's sight, so that a collection takes a millisecond or two.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.collect()
        gc.freeze()
        gc.disable()
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self._check)
        self._timer.start()

    def stop(self) -> None:
        """Hand collection back to Python."""
        self._timer.stop()
        gc.enable()
        gc.unfreeze()

    def _check(self) -> None:
        due = zip(gc.get_count(), gc.get_threshold(), strict=True)
        generations = [number for number, (count, limit) in enumerate(due) if count > limit]
        if generations:
            gc.collect(max(generations))
