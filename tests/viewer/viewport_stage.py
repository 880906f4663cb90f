"""A viewport in a window for tests: real events in, pixels out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.cameras import Camera
from core.formats import save_scene
from core.rendering import render
from tests.blobs import blob_scene
from viewer.look import Overlay
from viewer.session import Session
from viewer.viewport.canvas import GlCanvas
from viewer.viewport.frames import FrameStats
from viewer.viewport.tints import BACKGROUND
from viewer.viewport.viewport import Viewport

COUNT = 1500
WIDTH, HEIGHT = 360, 260
LEFT = Qt.MouseButton.LeftButton
RIGHT = Qt.MouseButton.RightButton
MIDDLE = Qt.MouseButton.MiddleButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
NO_MODIFIER = Qt.KeyboardModifier.NoModifier


@pytest.fixture(params=[pytest.param("on", marks=pytest.mark.gl, id="opengl"), "off"])
def surface(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", request.param)
    return str(request.param)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what does not depend on the surface."""
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")


class Stage:
    """A viewport in a window, with a scene in its session."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot = qtbot
        self.folder = folder
        self.session = Session()
        self.notes: list[tuple[str, str]] = []
        self.session.notified.connect(lambda level, text: self.notes.append((level, text)))
        self.viewport = Viewport(self.session)
        self.viewport.resize(WIDTH, HEIGHT)
        self.stats: list[FrameStats] = []
        self.viewport.frame_shown.connect(self.stats.append)

    def open(self, seed: int = 0) -> None:
        path = self.folder / f"ball{seed}.ply"
        save_scene(blob_scene(COUNT, seed=seed), path)
        with self.qtbot.waitSignal(self.session.document_replaced, timeout=20_000):
            self.session.open(path)
        self.qtbot.waitUntil(lambda: not self.session.runner.busy, timeout=20_000)

    def settle(self) -> None:
        """Wait until the sharp picture of the present state is shown."""
        self.qtbot.waitUntil(self.is_settled, timeout=20_000)
        self.qtbot.wait(30)

    def is_settled(self) -> bool:
        session, frame = self.session, self.viewport.frame
        if frame is None or session.document is None:
            return False
        request, camera = frame.request, self.viewport.camera()
        return (
            self.viewport.settled
            and request.scale == 1
            and request.scene is session.document.scene
            and request.alive is session.document.alive
            and request.look == session.look
            and request.removed is session.removed
            and request.worth is session.worth
            and (request.camera.width, request.camera.height) == (camera.width, camera.height)
            and np.array_equal(request.camera.world_to_camera, camera.world_to_camera)
            and np.array_equal(request.camera.K, camera.K)
        )

    def on_screen(self) -> NDArray[np.int_]:
        """What the surface shows, ``(H, W, 3)``."""
        surface = self.viewport.canvas.surface
        if isinstance(surface, GlCanvas):
            return levels(surface.grabFramebuffer())
        return levels(surface.grab().toImage())

    def rendered(self, **arguments: torch.Tensor) -> NDArray[np.int_]:
        """What render draws for the present camera, ``(H, W, 3)``."""
        assert self.session.document is not None
        document = self.session.document
        result = render(
            document.scene,
            self.viewport.camera(),
            background=BACKGROUND,
            keep=document.alive,
            **arguments,
        )
        return (result.rgb.clamp(0, 1) * 255).round().int().numpy()

    def assert_shows(self, expected: NDArray[np.int_]) -> None:
        """Compare where nothing is painted over the picture."""
        seen = self.on_screen()
        assert seen.shape == expected.shape
        height, width = expected.shape[:2]
        bare = np.s_[int(0.4 * height) : int(0.75 * height), : width // 2]
        difference = np.abs(seen - expected)[bare]
        assert np.ptp(expected[bare]) > 100
        assert difference.max() <= 2

    def drag(
        self,
        button: Qt.MouseButton,
        start: tuple[float, float],
        end: tuple[float, float],
        modifiers: Qt.KeyboardModifier = NO_MODIFIER,
        steps: int = 4,
    ) -> None:
        kind = QEvent.Type
        self.mouse(kind.MouseButtonPress, start, button, button, modifiers)
        for step in range(1, steps + 1):
            share = step / steps
            at = (
                start[0] + (end[0] - start[0]) * share,
                start[1] + (end[1] - start[1]) * share,
            )
            self.mouse(kind.MouseMove, at, Qt.MouseButton.NoButton, button, modifiers)
        self.mouse(kind.MouseButtonRelease, end, button, Qt.MouseButton.NoButton, modifiers)

    def mouse(
        self,
        kind: QEvent.Type,
        at: tuple[float, float],
        button: Qt.MouseButton = LEFT,
        buttons: Qt.MouseButton = LEFT,
        modifiers: Qt.KeyboardModifier = NO_MODIFIER,
    ) -> None:
        point = QPointF(*at)
        everywhere = QPointF(self.viewport.mapToGlobal(point))
        event = QMouseEvent(kind, point, everywhere, button, buttons, modifiers)
        QApplication.sendEvent(self.viewport, event)

    def hover(self, at: tuple[float, float]) -> None:
        none = Qt.MouseButton.NoButton
        self.mouse(QEvent.Type.MouseMove, at, none, none)

    def click(self, at: tuple[float, float], modifiers: Qt.KeyboardModifier = NO_MODIFIER) -> None:
        self.drag(LEFT, at, at, modifiers, steps=1)

    def show(self, *overlays: Overlay) -> NDArray[np.int_]:
        """Show only these overlays; what the surface shows then."""
        self.session.set_look(overlays=frozenset(overlays), overlays_shown=True)
        self.settle()
        return self.on_screen()

    def wheel(self, at: tuple[float, float], angle: int = 0, pixels: int = 0) -> None:
        point = QPointF(*at)
        phase = Qt.ScrollPhase.ScrollUpdate if pixels else Qt.ScrollPhase.NoScrollPhase
        event = QWheelEvent(
            point,
            QPointF(self.viewport.mapToGlobal(point)),
            QPoint(0, pixels),
            QPoint(0, angle),
            Qt.MouseButton.NoButton,
            NO_MODIFIER,
            phase,
            False,
        )
        QApplication.sendEvent(self.viewport, event)


def levels(image: QImage) -> NDArray[np.int_]:
    image = image.convertToFormat(QImage.Format.Format_RGBX8888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4)
    return pixels[..., :3].astype(int)


def project(camera: Camera, point: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = camera.world_to_camera[:3, :3] @ point + camera.world_to_camera[:3, 3]
    pixel: NDArray[np.float64] = camera.K @ inside / inside[2]
    return pixel[:2]


@pytest.fixture
def stage(qtbot: QtBot, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(qtbot, tmp_path)
    qtbot.addWidget(stage.viewport)
    with qtbot.waitExposed(stage.viewport):
        stage.viewport.show()
    yield stage
    stage.session.shut_down()
    stage.viewport.shut_down()


def opened(stage: Stage) -> Stage:
    stage.open()
    stage.settle()
    return stage
