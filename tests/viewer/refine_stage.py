"""A scene, photos of what it should look like, and the whole window around them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.cameras import Camera
from core.formats import save_scene
from core.rendering import render
from core.scene import GaussianScene
from tests.blobs import blob_scene
from tests.viewer.panel_stage import views
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme

COUNT = 600
VIEWS = 9
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
"""From OpenCV's axes of a camera to OpenGL's, as transforms.json has them."""


def faded(scene: GaussianScene) -> GaussianScene:
    """A scene with dimmer colours: refining has something to mend."""
    return type(scene)(
        scene.means, scene.log_scales, scene.quats, scene.opacity_logits, 0.5 * scene.sh
    )


def write_capture(folder: Path, photos: bool = True, count: int = COUNT) -> Path:
    """A scene, and photos of a better one with their cameras; the scene's file."""
    truth = blob_scene(count)
    save_scene(faded(truth), folder / "ball.ply")
    frames = []
    for number, view in enumerate(views(VIEWS)):
        camera = view.camera
        name = f"photo_{number}.png"
        if photos:
            picture = (render(truth, camera).rgb.clamp(0, 1) * 255).round().to(torch.uint8)
            Image.fromarray(picture.numpy()).save(folder / name)
        pose = camera.camera_to_world @ FLIP
        frames.append({"file_path": name, "transform_matrix": pose.tolist(), **lens(camera)})
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}))
    return folder / "ball.ply"


def lens(camera: Camera) -> dict[str, float]:
    """The intrinsics of a camera, as transforms.json names them."""
    K = camera.K
    named = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
    return {**named, "w": camera.width, "h": camera.height}


class RefineStage:
    """The window with a scene open, and what is done with its Refine panel."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot, self.folder = qtbot, folder
        self.window = MainWindow(Session())
        self.session = self.window.session
        self.panel = self.window.refine_panel
        self.refining = self.session.refining
        self.notes: list[tuple[str, str]] = []
        self.crashes: list[str] = []
        self.session.notified.connect(lambda level, text: self.notes.append((level, text)))
        self.session.crashed.connect(lambda _text, trace: self.crashes.append(trace))

    def open(self, photos: bool = True, count: int = COUNT) -> None:
        """Open a capture; its data comes along with photos, else the scene comes alone."""
        path = write_capture(self.folder, photos, count)
        self.session.open(path, self.folder if photos else None)
        self.until(lambda: self.session.document is not None and not self.session.runner.busy)
        self.window.docks["refine"].raise_()
        self.settle()

    def until(self, true: Callable[[], bool], timeout: int = 60_000) -> None:
        self.qtbot.waitUntil(true, timeout=timeout)

    def settle(self) -> None:
        """Wait until no job runs and the sharp picture of the document is shown."""

        def still() -> bool:
            frame = self.window.viewport.frame
            return (
                not self.session.runner.busy
                and frame is not None
                and self.window.viewport.settled
                and frame.request.scene is self.session.document.scene
            )

        self.until(still)
        QTest.qWait(40)

    def rounds(self, *rounds: tuple[float, int]) -> None:
        """Set the rounds in the fields: cut in per cent, and steps."""
        rows = self.panel.choices.rounds
        while len(rows.rows) > len(rounds):
            rows.rows[-1].remove_button.click()
        while len(rows.rows) < len(rounds):
            rows.add_button.click()
        for row, (cut, steps) in zip(rows.rows, rounds, strict=True):
            row.cut_spin.setValue(cut)
            row.steps_spin.setValue(steps)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier):
        self.window.activateWindow()
        self.window.viewport.setFocus()
        QTest.qWait(20)
        QTest.keyClick(self.window, key, modifiers)
        QTest.qWait(20)

    def shot(self) -> np.ndarray:
        """What the viewport shows, ``(H, W, 3)``."""
        from tests.viewer.viewport_stage import levels

        return levels(self.window.viewport.screenshot())


@pytest.fixture
def stage(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RefineStage]:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")
    apply_theme(qapp)
    stage = RefineStage(qtbot, tmp_path)
    window = stage.window
    window.show()
    qtbot.waitExposed(window)
    yield stage
    stage.session.shut_down()
    QTest.qWait(20)
    assert not stage.crashes
    if stage.session.document is not None:
        stage.session.document.mark_saved()
    window.close()
    window.deleteLater()
    QTest.qWait(10)
