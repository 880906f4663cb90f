"""A window with a tiny model in the box, and an image to open in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from torch import Tensor

from core.gmae import models
from core.gmae.images import ImageSource
from core.gmae.model import new_model
from core.gmae.splatting import WHITE
from core.gmae.weights import save_model
from core.rendering import render, warm_up
from core.scene import GaussianScene
from tests.core.test_cli_gmae import TINY
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme


class Stage:
    """A window, what it has told, and where the image lies."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot, self.folder = qtbot, folder
        self.image = write_image(folder / "boat.png")
        self.session = Session()
        self.window = MainWindow(self.session)
        self.messages: list[tuple[str, str]] = []
        self.session.notified.connect(lambda level, text: self.messages.append((level, text)))
        self.imaging = self.session.imaging
        self.panel = self.window.layers_panel
        self.window.show()
        qtbot.waitExposed(self.window)
        self.window.activateWindow()
        qtbot.waitUntil(self.window.isActiveWindow)

    def until(self, true: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(true()), timeout=20_000)

    def idle(self) -> None:
        """Wait for jobs, and for every question asked so far."""
        self.until(lambda: not self.session.runner.busy)
        answered: list[bool] = []
        self.session.asker.ask("test", lambda: True, answered.append)
        self.until(lambda: answered)
        QApplication.processEvents()

    def open(self, path: Path | None = None) -> ImageSource:
        before = self.session.document
        self.imaging.open(self.image if path is None else path)
        self.until(lambda: self.session.document is not before)
        self.idle()
        return self.source

    @property
    def source(self) -> ImageSource:
        assert self.imaging.source is not None
        return self.imaging.source

    def seen(self, scene: GaussianScene | None = None) -> Tensor:
        """The picture from the image's own camera."""
        document = self.session.document
        assert document is not None
        scene = document.scene if scene is None else scene
        camera = self.source.camera
        return render(scene, camera, background=WHITE, keep=document.alive).rgb.clamp(0, 1)

    def select(self, *chosen: int) -> None:
        mask = torch.zeros(TINY.gaussians, dtype=torch.bool)
        mask[list(chosen)] = True
        assert self.session.document is not None
        self.session.document.select(mask)
        QApplication.processEvents()

    def undo(self) -> None:
        self.window.actions_["edit.undo"].trigger()
        self.idle()

    def close(self) -> None:
        self.session.shut_down()
        self.window.files.asks_before_discarding = False
        QTest.qWait(10)
        self.window.close()
        self.window.deleteLater()
        QTest.qWait(10)


def write_image(path: Path, size: tuple[int, int] = (60, 40)) -> Path:
    image = Image.new("RGB", size, (40, 120, 200))
    image.paste((230, 60, 20), (size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 2))
    image.save(path)
    return path


@contextmanager
def tiny_model(folder: Path) -> Iterator[None]:
    """A small model, not trained, in the place of the one that comes along."""
    box = folder / "tiny.safetensors"
    save_model(new_model(TINY, seed=3), box, {"steps": 5})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "BOX_MODEL", box)
        yield


@pytest.fixture
def stage(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Stage]:
    apply_theme(qapp)
    warm_up()
    with tiny_model(tmp_path):
        stage = Stage(qtbot, tmp_path)
        yield stage
        stage.close()
