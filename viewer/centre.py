"""The middle of the window: the bars over the viewport, the viewport, and the welcome page."""

from PySide6.QtCore import Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from viewer.session import Session
from viewer.tools.options_bar import ToolOptions
from viewer.viewport.compare_bar import CompareBar
from viewer.viewport.compare_numbers import CompareNumbers
from viewer.viewport.view_bar import ViewBar
from viewer.viewport.viewport import Viewport
from viewer.viewport.wipe import CompareMarks
from viewer.widgets.welcome import Welcome


class Centre(QWidget):
    """The viewport below its bars, and over it all the welcome page while no scene is open."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewport = Viewport(session)
        self.view_bar = ViewBar(session)
        numbers = CompareNumbers(session, self.viewport)
        self.compare_bar = CompareBar(session, numbers)
        self.tool_options = ToolOptions(session, self.viewport.toolbox)
        bars = QHBoxLayout()
        bars.setContentsMargins(0, 0, 0, 0)
        bars.setSpacing(0)
        bars.addWidget(self.view_bar, 1)
        bars.addWidget(self.compare_bar)
        session.look_changed.connect(self._share_bar)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bars)
        column.addWidget(self.tool_options)
        column.addWidget(self.viewport, 1)
        self.compare_marks = CompareMarks(session, self.viewport, numbers)
        self.welcome = Welcome(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.welcome.setGeometry(self.rect())
        self._share_bar()

    @Slot()
    def _share_bar(self) -> None:
        """Give the view bar what it wants first; the compare bar has a menu for what is cut."""
        least, wanted = self.compare_bar.minimumSizeHint().width(), self.compare_bar.sizeHint()
        left = self.width() - self.view_bar.sizeHint().width()
        self.compare_bar.setFixedWidth(max(least, min(left, wanted.width())))
