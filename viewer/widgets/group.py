"""Containers without a look of their own."""

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from viewer import theme


class Group(QWidget):
    """Holds widgets and shows what is behind it; the style sheet fills plain widgets."""


class Footer(Group):
    """What stays in sight below something that scrolls, with a line above it.

    ``rearranged`` tells that what is inside may want another height.
    """

    rearranged = Signal()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self.rearranged.emit()
        return done

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(QColor(theme.color("border")))
        painter.drawLine(0, 0, self.width(), 0)
        painter.end()
