"""A panel in a window for tests: a session with a scene, real mouse and key events."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from core.cameras import Camera, View, intrinsics, look_at
from tests.viewer.window_stage import NAME, make_worth, write_scene
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.widgets.plots import Plot

LEFT = Qt.MouseButton.LeftButton
NO_MODIFIER = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def session(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Session]:
    """A session with a small scene; ``messages`` collects what it tells."""
    apply_theme(qapp)
    session = Session()
    session.messages = []
    session.notified.connect(lambda level, text: session.messages.append((level, text)))
    session.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: session.document is not None and not session.runner.busy)
    yield session
    assert session.shut_down()


@pytest.fixture
def scored(session: Session) -> Session:
    """The session with the score that is chosen first."""
    session.document.add_scores({NAME: make_worth()})
    return session


def pause(ms: int) -> None:
    """Let window and workers live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


def shown(qtbot: QtBot, widget: QWidget, width: int = 340, height: int = 700) -> QWidget:
    """The widget in a window of its own."""
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def drag(
    widget: QWidget,
    start: QPoint,
    end: QPoint,
    keys: Qt.KeyboardModifier = NO_MODIFIER,
    steps: int = 5,
    drop: bool = True,
) -> None:
    """Press, move and release the left button; without ``drop`` it stays down."""
    QTest.mousePress(widget, LEFT, keys, start)
    for step in range(1, steps + 1):
        QTest.mouseMove(widget, start + (end - start) * step / steps)
        pause(5)
    if drop:
        QTest.mouseRelease(widget, LEFT, keys, end)


def at(plot: Plot, x: float, y: float | None = None) -> QPoint:
    """The pixel of a point of a plot; without ``y`` half way up."""
    if y is None:
        y = sum(plot.getPlotItem().getViewBox().viewRange()[1]) / 2
    return plot.pixel_of(QPointF(x, y)).toPoint()


def type_into(field: QWidget, text: str) -> None:
    """Replace what a number field holds, and press Return."""
    field.setFocus()
    edit = field if isinstance(field, QLineEdit) else field.findChild(QLineEdit)
    edit.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def choose(combo: QComboBox, text: str) -> None:
    """Pick an entry with the arrow keys."""
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Home)
    while combo.currentText() != text:
        before = combo.currentIndex()
        QTest.keyClick(combo, Qt.Key.Key_Down)
        assert combo.currentIndex() > before


def views(count: int) -> tuple[View, ...]:
    """Small cameras around the scene, without photos."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return tuple(
        View(
            Camera(
                look_at((3 * np.sin(a), 0, 3 * np.cos(a)), (0, 0, 0), (0, -1, 0)),
                intrinsics(50, 64, 48),
                64,
                48,
                f"view_{number}",
            )
        )
        for number, a in enumerate(angles)
    )
