"""What a tool of the viewport is, and which one is in use."""

from PySide6.QtCore import QObject, QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QWheelEvent

from core.editing import SelectOp
from viewer.widgets.select_ops import op_for

BRUSH_PX = (4.0, 400.0)
"""Smallest and largest radius of the brush in logical pixels."""
BRUSH_STEP = 1.2


class Tool:
    """Turns mouse events of the viewport into edits.

    The event methods return whether they took the event; what is not taken navigates. Positions are
    in the viewport's logical pixels.
    """

    id = ""
    """Also the id of its action, such as ``tool.rect``."""
    title = ""
    hint = ""
    """What to call it, and how to use it in a few words."""
    cursor = Qt.CursorShape.CrossCursor
    knows_front = False
    """Whether it can leave out what lies behind the surface in front."""
    has_size = False
    """Whether it has a radius."""
    has_tolerance = False
    """Whether it goes by likeness of colours."""

    def press(self, event: QMouseEvent) -> bool:
        """A button went down."""
        return False

    def move(self, event: QMouseEvent) -> bool:
        """The mouse moved, with or without a button down."""
        return False

    def release(self, event: QMouseEvent) -> bool:
        """A button went up."""
        return False

    def double_click(self, event: QMouseEvent) -> bool:
        """A button went down for the second time."""
        return False

    def wheel(self, event: QWheelEvent) -> bool:
        """The wheel turned."""
        return False

    def leave(self) -> None:
        """The mouse left the picture."""

    def accept(self) -> bool:
        """Return was pressed; whether there was something to finish."""
        return False

    def step_back(self) -> bool:
        """Backspace was pressed; whether there was something to take back."""
        return False

    def cancel(self) -> bool:
        """Escape was pressed, or the tool is being left; whether there was something to drop."""
        return False

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Draw what the gesture has marked so far, over everything."""


class ToolBox(QObject):
    """The tool in use and the options that all tools share."""

    changed = Signal()
    """Another tool or option."""
    repaint = Signal()
    """What the tool paints has changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.active: Tool | None = None
        self.op = SelectOp.SET
        self.front_only = False
        self.brush_px = 24.0
        """Radius of the brush in logical pixels."""
        self.tolerance = 0.15
        """Largest difference in any channel of colours that count as alike, 0 to 1."""

    def choose(self, tool: Tool | None) -> None:
        """Take up a tool; the one in use is put away, and taking it up again puts it away."""
        if self.active is not None:
            self.active.cancel()
        self.active = None if tool is self.active else tool
        self.changed.emit()

    def escape(self) -> None:
        """Drop the gesture; where there is none, put the tool away."""
        if self.active is not None and not self.active.cancel():
            self.choose(None)
        self.repaint.emit()

    def accept(self) -> bool:
        """Finish the gesture; whether there was one to finish."""
        return self.active is not None and self.active.accept()

    def step_back(self) -> bool:
        """Take back the last part of the gesture; whether there was one."""
        return self.active is not None and self.active.step_back()

    def toggle_front_only(self) -> None:
        """Select only what the picture shows, or also what lies behind."""
        self.set_options(front_only=not self.front_only)

    def smaller(self) -> None:
        """Make the brush smaller by a step."""
        self.set_options(brush_px=self.brush_px / BRUSH_STEP)

    def bigger(self) -> None:
        """Make the brush larger by a step."""
        self.set_options(brush_px=self.brush_px * BRUSH_STEP)

    def set_options(
        self,
        op: SelectOp | None = None,
        front_only: bool | None = None,
        brush_px: float | None = None,
        tolerance: float | None = None,
    ) -> None:
        """Change options; None leaves one as it is."""
        self.op = self.op if op is None else op
        self.front_only = self.front_only if front_only is None else front_only
        if brush_px is not None:
            self.brush_px = min(max(brush_px, BRUSH_PX[0]), BRUSH_PX[1])
        if tolerance is not None:
            self.tolerance = min(max(tolerance, 0.0), 1.0)
        self.changed.emit()
        self.repaint.emit()

    def op_for(self, modifiers: Qt.KeyboardModifier) -> SelectOp:
        """What a gesture does: as the keys say, without any as chosen."""
        return op_for(modifiers, self.op)
