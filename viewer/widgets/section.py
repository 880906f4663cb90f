"""A part of a panel that folds away."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from viewer.layout import settings
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.group import Group


class Section(QWidget):
    """A heading that opens and closes what is below it, and is remembered as it was left.

    Parameters
    ----------
    title
        What the heading says.
    key
        Where the settings remember whether it is open.
    is_open
        Whether it is open as long as nobody opened or closed it.
    """

    opened = Signal(bool)

    def __init__(
        self, title: str, key: str, parent: QWidget | None = None, *, is_open: bool = False
    ) -> None:
        super().__init__(parent)
        self._key = f"sections/{key}"
        self.header = QToolButton()
        self.header.setText(title)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setAccessibleName(title)
        self.header.setToolTip(f"Show or hide {title}.")
        self.summary = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.summary.setProperty("role", "muted")
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.content = Group()
        self.body = QVBoxLayout(self.content)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(6)
        row = QHBoxLayout()
        row.addWidget(self.header)
        row.addWidget(self.summary, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.content)
        self._open = settings().value(self._key, is_open, bool) is True
        self._show()
        self.header.clicked.connect(self.toggle)

    @property
    def is_open(self) -> bool:
        """Whether the content is shown."""
        return self._open

    @Slot()
    def toggle(self) -> None:
        """Open what is closed, close what is open."""
        self._open = not self._open
        settings().setValue(self._key, self._open)
        self._show()
        self.opened.emit(self._open)

    def _show(self) -> None:
        arrow = Qt.ArrowType.DownArrow if self._open else Qt.ArrowType.RightArrow
        self.header.setArrowType(arrow)
        self.header.setAccessibleDescription("open" if self._open else "closed")
        self.content.setVisible(self._open)
