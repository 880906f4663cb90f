"""Tools and parts of the picture get the mouse before navigation does."""

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QApplication

from tests.viewer.viewport_stage import (
    LEFT,
    MIDDLE,
    NO_MODIFIER,
    RIGHT,
    SHIFT,
    Stage,
    opened,
    plain,
    stage,
)
from viewer.tools.tool import Tool
from viewer.viewport.handle import Handle

__all__ = ["plain", "stage"]

NONE = Qt.MouseButton.NoButton
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


class Recorder(Tool):
    """Takes what it is told to take, and remembers everything."""

    id = "tool.recorder"
    cursor = Qt.CursorShape.UpArrowCursor

    def __init__(self, takes: bool = True) -> None:
        self.takes = takes
        self.seen: list[str] = []

    def press(self, event: QMouseEvent) -> bool:
        return self._note("press")

    def move(self, event: QMouseEvent) -> bool:
        return self._note("drag" if event.buttons() else "hover")

    def release(self, event: QMouseEvent) -> bool:
        return self._note("release")

    def double_click(self, event: QMouseEvent) -> bool:
        return self._note("double")

    def wheel(self, event: QWheelEvent) -> bool:
        return self._note("wheel")

    def accept(self) -> bool:
        return self._note("accept")

    def cancel(self) -> bool:
        self._note("cancel")
        return False

    def paint(self, painter: QPainter, area: QRect) -> None:
        painter.fillRect(QRect(5, 5, 10, 10), QColor(255, 0, 255))

    def _note(self, what: str) -> bool:
        self.seen.append(what)
        return self.takes


class Knob(Recorder, Handle):
    """A part of the picture that wants everything left of x = 40."""

    cursor = Handle.cursor

    def press(self, event: QMouseEvent) -> bool:
        return super().press(event) and event.position().x() < 40

    def move(self, event: QMouseEvent) -> bool:
        return super().move(event) and event.position().x() < 40

    def leave(self) -> None:
        self._note("leave")


def wheel(stage: Stage, modifiers: Qt.KeyboardModifier) -> None:
    event = QWheelEvent(
        QPointF(160, 150),
        QPointF(stage.viewport.mapToGlobal(QPoint(160, 150))),
        QPoint(),
        QPoint(0, 120),
        NONE,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(stage.viewport, event)


def pose(stage: Stage) -> np.ndarray:
    return stage.viewport.camera().world_to_camera


def test_the_tool_in_use_takes_the_left_button(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    tool = Recorder()
    before = pose(stage)
    viewport.toolbox.choose(tool)
    assert viewport.cursor().shape() == tool.cursor
    stage.drag(LEFT, (100, 100), (140, 120), steps=2)
    stage.drag(LEFT, (100, 100), (140, 120), SHIFT, steps=1)
    assert tool.seen[:4] == ["press", "drag", "drag", "release"]
    assert [name for name in tool.seen if name != "hover"][4:] == ["press", "drag", "release"]
    stage.mouse(QEvent.Type.MouseButtonDblClick, (100, 100))
    stage.mouse(QEvent.Type.MouseMove, (110, 100))
    stage.mouse(QEvent.Type.MouseButtonRelease, (110, 100), buttons=NONE)
    assert [name for name in tool.seen if name != "hover"][7:] == ["double", "drag", "release"]
    assert np.array_equal(pose(stage), before)
    assert viewport._stream._pick is None


def test_middle_and_right_buttons_navigate_whatever_the_tool(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    tool = Recorder()
    viewport.toolbox.choose(tool)
    pivot = viewport.navigator.pose.pivot
    stage.drag(MIDDLE, (100, 100), (140, 120))
    np.testing.assert_array_equal(viewport.navigator.pose.pivot, pivot)
    turned = pose(stage)
    stage.drag(RIGHT, (100, 100), (140, 120))
    assert not np.array_equal(viewport.navigator.pose.pivot, pivot)
    np.testing.assert_allclose(pose(stage)[:3, :3], turned[:3, :3], atol=1e-9)
    assert set(tool.seen) <= {"hover"}
    assert viewport.cursor().shape() == tool.cursor


def test_what_the_tool_leaves_navigates(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    tool = Recorder(takes=False)
    viewport.toolbox.choose(tool)
    before = pose(stage)
    stage.drag(LEFT, (100, 100), (140, 120))
    assert "press" in tool.seen
    assert "drag" not in tool.seen
    assert not np.array_equal(pose(stage), before)


def test_the_wheel_is_the_tools_with_ctrl_or_alt_only(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    tool = Recorder()
    viewport.toolbox.choose(tool)
    before = pose(stage)
    wheel(stage, CTRL)
    wheel(stage, ALT)
    assert tool.seen == ["wheel", "wheel"]
    assert np.array_equal(pose(stage), before)
    wheel(stage, NO_MODIFIER)
    assert len(tool.seen) == 2
    assert not np.array_equal(pose(stage), before)
    tool.takes = False
    after = pose(stage)
    wheel(stage, CTRL)
    assert not np.array_equal(pose(stage), after)


def test_the_tool_hovers_paints_accepts_and_is_put_away(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    tool = Recorder()
    bare = stage.on_screen()
    viewport.accept()
    viewport.toolbox.choose(tool)
    stage.hover((160, 160))
    viewport.accept()
    assert tool.seen == ["hover", "accept"]
    stage.qtbot.wait(30)
    assert (stage.on_screen()[5:15, 5:15] == (255, 0, 255)).all()
    viewport.escape()
    assert viewport.toolbox.active is None
    assert tool.seen[2] == "cancel"
    stage.qtbot.wait(30)
    assert np.array_equal(stage.on_screen()[:50, :50], bare[:50, :50])
    assert viewport.cursor().shape() == Qt.CursorShape.ArrowCursor


def test_another_button_does_not_end_the_tools_gesture(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    tool = Recorder()
    viewport.toolbox.choose(tool)
    before = pose(stage)
    kind = QEvent.Type
    stage.mouse(kind.MouseButtonPress, (150, 150))
    stage.mouse(kind.MouseButtonPress, (150, 150), RIGHT, LEFT | RIGHT)
    stage.mouse(kind.MouseMove, (160, 150), NONE, LEFT | RIGHT)
    stage.mouse(kind.MouseButtonRelease, (160, 150), RIGHT, LEFT)
    stage.mouse(kind.MouseMove, (170, 150), NONE, LEFT)
    stage.mouse(kind.MouseButtonRelease, (170, 150), LEFT, NONE)
    assert tool.seen[:4] == ["press", "drag", "drag", "release"]
    assert np.array_equal(pose(stage), before)


def test_parts_of_the_picture_come_before_the_tool(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    tool, knob = Recorder(), Knob()
    viewport._handles.append(knob)
    viewport.toolbox.choose(tool)
    before = pose(stage)
    stage.drag(LEFT, (20, 190), (80, 190), steps=2)
    assert knob.seen[:4] == ["press", "drag", "drag", "release"]
    assert "press" not in tool.seen
    assert np.array_equal(pose(stage), before)
    knob.seen.clear()
    stage.hover((20, 190))
    assert viewport.cursor().shape() == Qt.CursorShape.PointingHandCursor
    hovers = tool.seen.count("hover")
    stage.hover((90, 190))
    assert tool.seen.count("hover") == hovers + 1
    assert viewport.cursor().shape() == tool.cursor
    viewport.leaveEvent(QEvent(QEvent.Type.Leave))
    assert knob.seen[-1] == "leave"
