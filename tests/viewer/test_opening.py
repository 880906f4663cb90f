"""A file that takes long to decode is shown as it comes, and a cancel takes it back."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.formats import load_scene
from core.neuralgs import decoding, layout
from core.neuralgs.container import encoded
from tests.core.test_neuralgs_container import neural_scene
from tests.viewer.window_stage import COUNT, write_scene
from viewer.main_window import MainWindow
from viewer.session import LOCKED, Session

NETS = 2000


class Gate:
    """Lets the first parts of a file be decoded, and the others once it is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        self.opened, self.calls, self.free = threading.Event(), 0, free
        self.fails = False
        shared = decoding.shared

        def gated(*args):
            self.calls += 1
            if self.calls > self.free:
                assert self.opened.wait(60)
                if self.fails:
                    raise MemoryError
            return shared(*args)

        monkeypatch.setattr(decoding, "shared", gated)
        monkeypatch.setattr(layout, "ROWS_AT_ONCE", 50)


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    path = tmp_path / "nets.ngs"
    path.write_bytes(encoded(neural_scene(count=NETS, clusters=5)))
    return path


@pytest.fixture
def window(
    qtbot: QtBot, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")
    window = MainWindow(Session())
    failures = []
    window.session.crashed.connect(lambda text, trace: failures.append(trace))
    window.files.asks_before_discarding = False
    window.show()
    qtbot.waitExposed(window)
    yield window
    assert not failures
    window.session.shut_down()
    window.close()
    window.deleteLater()
    QTest.qWait(10)


def settle(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(
        lambda: not window.session.runner.busy and window.viewport.settled, timeout=60_000
    )


def test_parts_are_shown_then_the_whole_from_where_one_looks(
    qtbot: QtBot, window: MainWindow, nets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, session = Gate(monkeypatch, free=2), window.session
    window.files.open(nets)
    qtbot.waitUntil(lambda: session.live is not None and len(session.live.scene) == 400)
    document = session.document
    qtbot.waitUntil(
        lambda: (
            (frame := window.viewport.frame) is not None
            and frame.request.scene is session.live.scene
        ),
        timeout=60_000,
    )
    assert not window.centre.welcome.isVisible()
    assert window.windowTitle().startswith("nets.ngs")
    assert not window.isWindowModified()
    told = []
    session.notified.connect(lambda level, text: told.append(text))
    document.delete(torch.ones(len(document.scene), dtype=torch.bool))
    assert told == [LOCKED]
    camera = window.viewport.camera()

    gate.opened.set()
    settle(qtbot, window)

    assert session.live is None
    assert session.document is document
    whole = load_scene(nets).scene
    for name, tensor in whole.tensors().items():
        assert torch.equal(document.scene.tensors()[name], tensor), name
    assert document.alive_count == NETS
    assert not document.locked
    assert not document.modified
    assert not document.history.edits
    assert set(document.scores) >= {"opacity", "size"}
    assert session.compare.opened.contents is document.contents
    assert session.loaded.scene is document.scene
    here = window.viewport.camera().world_to_camera
    np.testing.assert_allclose(here, camera.world_to_camera, atol=1e-9)
    document.delete(torch.arange(NETS) < 10)
    assert document.alive_count == NETS - 10


def test_a_cancel_brings_back_what_was_open(
    qtbot: QtBot, window: MainWindow, nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = window.session
    window.files.open(write_scene(tmp_path))
    settle(qtbot, window)
    before = session.document
    before.delete(torch.arange(COUNT) < 100)
    settle(qtbot, window)
    gate = Gate(monkeypatch, free=1)
    window.files.open(nets)
    qtbot.waitUntil(lambda: session.live is not None)
    assert session.document is not before
    session.runner.cancel()
    gate.opened.set()
    settle(qtbot, window)
    assert session.document is before
    assert session.live is None
    assert before.alive_count == COUNT - 100
    assert window.windowTitle().startswith("ball.ply")
    assert window.isWindowModified(), "what was changed is still to be exported"
    session.undo()
    assert before.alive_count == COUNT


@pytest.mark.parametrize("fails", [False, True])
def test_where_nothing_was_open_nothing_is_after_a_stop(
    qtbot: QtBot, window: MainWindow, nets: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    gate, session = Gate(monkeypatch, free=1), window.session
    told = []
    session.notified.connect(lambda level, text: told.append(level))
    window.files.open(nets)
    qtbot.waitUntil(lambda: session.live is not None)
    gate.fails = fails
    if not fails:
        session.runner.cancel()
    gate.opened.set()
    qtbot.waitUntil(lambda: not session.runner.busy)
    QTest.qWait(50)
    assert session.document is None
    assert session.loaded is None
    assert session.live is None
    assert ("error" in told) == fails
    assert window.centre.welcome.isVisible()
    gate.fails = False
    window.files.open(nets)
    settle(qtbot, window)
    assert len(session.document.scene) == NETS
