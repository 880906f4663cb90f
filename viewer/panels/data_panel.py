"""What the panels below the picture have in common: they are up to date while they are seen."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel

DEBOUNCE_MS = 25


class DataPanel(QWidget):
    """A plot of the session's numbers, made anew a little after the last change.

    While it is not seen it waits; it then catches up when it is painted.
    """

    def __init__(self, session: Session, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(name)
        self._asked: object = None
        """Stands for the question whose answer is waited for."""
        self._stale = True
        self._timer = self._make_timer(self._reload_if_seen)
        self.statistics = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.statistics.setProperty("role", "muted")
        self.empty = QLabel()
        self.empty.setProperty("role", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def reload(self) -> None:
        """Make it anew."""
        raise NotImplementedError

    def _make_timer(self, slot: Callable[[], object]) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=DEBOUNCE_MS)
        timer.timeout.connect(slot)
        return timer

    @Slot()
    def _reload_if_seen(self) -> None:
        if self.isVisible() and not self.visibleRegion().isEmpty():
            self.reload()
        else:
            self._stale = True

    def paintEvent(self, event: QPaintEvent) -> None:
        """Catch up with what changed while hidden."""
        super().paintEvent(event)
        if self._stale and not self._timer.isActive():
            self._timer.start()
