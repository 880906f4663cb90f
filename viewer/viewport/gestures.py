"""What buttons and wheel of the mouse do: the parts of the picture first, then the tool in use,
then navigation."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from math import log as ln

from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from viewer.tools.tool import Tool, ToolBox
from viewer.viewport.handle import Handle
from viewer.viewport.navigation import DOLLY_FACTOR, Navigator

WHEEL_NOTCH = 120.0
TRACKPAD_PX_PER_STEP = 40.0
CLICK_PX = 4.0

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
TOOL_WHEEL = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class Gesture(Enum):
    """What dragging does."""

    ORBIT = auto()
    LOOK = auto()
    PAN = auto()


class Gestures(QObject):
    """Gives mouse events to whom they belong.

    The left button goes to ``front``, then to the tool in use, then navigates; a click that moved
    nothing goes to ``back``. The middle button always orbits, the right one always pans. With Ctrl
    or Alt the wheel is the tool's.

    Parameters
    ----------
    widget
        Whose cursor tells what the mouse would do.
    navigator
        What is moved.
    toolbox
        Holds the tool in use.
    front, back
        Parts of the picture, the first ones first.
    flying
        Whether a left drag turns the head instead of orbiting, and the wheel sets the speed.
    """

    began = Signal()
    """A drag or a turn of the wheel takes over from whatever moved the camera before."""
    moved = Signal()
    """The navigator's pose changed."""
    hovered = Signal()
    """What parts of the picture look like may have changed."""
    speed_steps = Signal(float)
    """The wheel asks to fly faster."""

    def __init__(
        self,
        widget: QWidget,
        navigator: Navigator,
        toolbox: ToolBox,
        front: Sequence[Handle],
        back: Sequence[Handle],
        flying: Callable[[], bool],
    ) -> None:
        super().__init__(widget)
        self._widget = widget
        self._navigator = navigator
        self._toolbox = toolbox
        self._front, self._back = front, back
        self._flying = flying
        self._gesture: Gesture | None = None
        self._holder: Tool | None = None
        self._start, self._mouse = QPointF(), QPointF()
        self._clicking = False
        self.invert_wheel = False
        """Whether turning the wheel away moves back instead of forth."""

    @property
    def busy(self) -> bool:
        """Whether a button is held for something."""
        return self._gesture is not None or self._holder is not None

    def press(self, event: QMouseEvent) -> None:
        """A button went down."""
        if self.busy:
            return
        self._start = self._mouse = event.position()
        if event.button() == LEFT:
            for taker in self._left_takers():
                if taker.press(event):
                    self._hold(taker)
                    return
        self._begin(event)

    def double_click(self, event: QMouseEvent) -> bool:
        """A button went down for the second time; whether somebody wanted that."""
        self._start = self._mouse = event.position()
        if event.button() != LEFT:
            self._begin(event)
            return True
        for taker in self._left_takers():
            if taker.double_click(event):
                self._hold(taker)
                return True
        return self._toolbox.active is not None

    def move(self, event: QMouseEvent) -> None:
        """The mouse moved."""
        moved = event.position() - self._mouse
        self._mouse = event.position()
        if self._holder is not None:
            self._holder.move(event)
            self.hovered.emit()
            return
        if self._gesture is None:
            self._hover(event)
            return
        if self._clicking:
            if (event.position() - self._start).manhattanLength() <= CLICK_PX:
                self._mouse = self._start
                return
            self._clicking = False
            self._show_gesture()
        if moved.isNull():
            return
        if self._gesture == Gesture.PAN:
            self._navigator.pan(moved.x(), moved.y())
        elif self._gesture == Gesture.LOOK:
            self._navigator.look(moved.x(), moved.y())
        else:
            self._navigator.orbit(moved.x(), moved.y())
        self.moved.emit()

    def release(self, event: QMouseEvent) -> None:
        """A button went up; the gesture ends with the last one."""
        if self._holder is not None:
            if event.button() == LEFT:
                holder, self._holder = self._holder, None
                holder.release(event)
                self._hover(event)
            return
        if event.buttons():
            return
        clicked = self._clicking and event.button() == LEFT
        self._gesture, self._clicking = None, False
        if clicked:
            at, modifiers = event.position(), event.modifiers()
            any(handle.click(at, modifiers) for handle in self._back)
        self._hover(event)

    def wheel(self, event: QWheelEvent) -> None:
        """Approach or leave the point under the cursor; by pixels where a trackpad gives them."""
        tool = self._toolbox.active
        if tool is not None and event.modifiers() & TOOL_WHEEL and tool.wheel(event):
            self.hovered.emit()
            return
        pixels = event.pixelDelta().y()
        if pixels and event.phase() != Qt.ScrollPhase.NoScrollPhase:
            steps = pixels / TRACKPAD_PX_PER_STEP
        else:
            steps = event.angleDelta().y() / WHEEL_NOTCH
        if self.invert_wheel:
            steps = -steps
        if self._flying():
            self.speed_steps.emit(steps)
        else:
            self._dolly(steps, event.position())

    def pinch(self, event: QNativeGestureEvent) -> None:
        """Two fingers moved apart or together on a trackpad."""
        if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._dolly(ln(max(0.1, 1 + event.value())) / -ln(DOLLY_FACTOR), event.position())

    def leave(self) -> None:
        """The mouse left the picture."""
        if not self.busy:
            for handle in (*self._front, *self._back):
                handle.leave()
            if self._toolbox.active is not None:
                self._toolbox.active.leave()
            self.hovered.emit()

    def show_cursor(self) -> None:
        """The cursor of the tool, where nothing else is going on."""
        if not self.busy:
            self._set_cursor(self._toolbox.active)

    def _left_takers(self) -> list[Tool]:
        tool = self._toolbox.active
        return [*self._front] if tool is None else [*self._front, tool]

    def _hold(self, taker: Tool) -> None:
        self._holder = taker
        self.began.emit()
        self.hovered.emit()

    def _begin(self, event: QMouseEvent) -> None:
        pans = bool(event.modifiers() & SHIFT) or event.button() == Qt.MouseButton.RightButton
        looks = event.button() == LEFT and self._flying()
        if pans:
            self._gesture = Gesture.PAN
        else:
            self._gesture = Gesture.LOOK if looks else Gesture.ORBIT
        self._clicking = event.button() == LEFT and self._toolbox.active is None
        self.began.emit()
        if not self._clicking:
            self._show_gesture()

    def _show_gesture(self) -> None:
        shape = Qt.CursorShape
        pans = self._gesture == Gesture.PAN
        self._widget.setCursor(shape.SizeAllCursor if pans else shape.ClosedHandCursor)

    def _hover(self, event: QMouseEvent) -> None:
        taker: Tool | None = None
        tool = self._toolbox.active
        for part in (*self._front, tool, *self._back):
            if part is None:
                continue
            if isinstance(part, Handle) and (taker is not None or self._is_covered(part)):
                part.leave()
            elif taker is None and part.move(event):
                taker = part
        self._set_cursor(taker or tool)
        self.hovered.emit()

    def _is_covered(self, part: Handle) -> bool:
        return part in self._back and self._toolbox.active is not None and not part.beside_tools

    def _set_cursor(self, taker: Tool | None) -> None:
        if taker is None:
            self._widget.unsetCursor()
        else:
            self._widget.setCursor(taker.cursor)

    def _dolly(self, steps: float, at: QPointF) -> None:
        self.began.emit()
        if steps:
            self._navigator.dolly(steps, at.x(), at.y())
            self.moved.emit()
