"""Tools that a click is enough for: what is connected, and what is of like colour."""

import torch
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent
from torch import Tensor

from core.editing import SelectOp
from core.editing.regions import Sight, flood, like_color
from viewer.tools.context import Shot, ToolContext
from viewer.tools.tool import Tool

LEFT = Qt.MouseButton.LeftButton


class ClickTool(Tool):
    """Selects by what the picture shows where it was clicked; empty places mean nothing."""

    name = ""
    has_tolerance = True

    def __init__(self, context: ToolContext) -> None:
        self.context = context
        self._pressed: QPointF | None = None
        self._op = SelectOp.SET

    def find(self, shot: Shot, seen: Sight, tolerance: float) -> Tensor:
        """The Gaussians that a click on ``seen`` means, bool ``(N,)``."""
        raise NotImplementedError

    def press(self, event: QMouseEvent) -> bool:
        """Selects when released, so that Escape can drop it."""
        if event.button() != LEFT:
            return False
        self._pressed = event.position()
        self._op = self.context.box.op_for(event.modifiers())
        return True

    def release(self, event: QMouseEvent) -> bool:
        """Select."""
        if event.button() != LEFT or self._pressed is None:
            return False
        at, tolerance = self._pressed, self.context.box.tolerance
        self._pressed = None

        def find(shot: Shot) -> Tensor:
            seen = self.context.sight(shot, at)
            if seen is None:
                return torch.zeros_like(shot.visible)
            return self.find(shot, seen, tolerance)

        self.context.select(find, self._op, self.name)
        return True

    def cancel(self) -> bool:
        """Do nothing when released."""
        pressed = self._pressed is not None
        self._pressed = None
        return pressed


class FloodTool(ClickTool):
    """What is connected with a point and of like colour."""

    id = "tool.flood"
    title = "Flood"
    name = "Select by flood"
    hint = "Click: what is connected and of like colour"
    cursor = Qt.CursorShape.PointingHandCursor

    def find(self, shot: Shot, seen: Sight, tolerance: float) -> Tensor:
        return flood(shot.scene, seen, tolerance, shot.visible)


class PickerTool(ClickTool):
    """All that is of like colour."""

    id = "tool.picker"
    title = "Colour picker"
    name = "Select by colour"
    hint = "Click: all Gaussians of like colour"
    cursor = Qt.CursorShape.PointingHandCursor

    def find(self, shot: Shot, seen: Sight, tolerance: float) -> Tensor:
        return like_color(shot.scene, seen.color, tolerance, shot.visible)
