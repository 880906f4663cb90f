"""Things in the picture that react to the mouse without being tools."""

from PySide6.QtCore import QPointF, Qt

from viewer.tools.tool import Tool


class Handle(Tool):
    """Part of the picture that can be hovered, clicked or dragged.

    It gets the same events as a tool, and ``click`` for a press and release without a drag that
    nothing else wanted.
    """

    cursor = Qt.CursorShape.PointingHandCursor
    beside_tools = False
    """Whether it can be hovered while a tool is in use."""

    def click(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        """The left button went down and up at a place; whether something came of it."""
        return False

    def leave(self) -> None:
        """The mouse is elsewhere now."""
