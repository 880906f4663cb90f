"""What goes wrong around the window: files that come together, go away or are no files at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.rendering import warm_up
from tests.viewer.test_window import CANCEL, answer, drop
from tests.viewer.window_stage import COUNT, write_scene
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme


@pytest.fixture
def window(qtbot, qapp):
    apply_theme(qapp)
    warm_up()
    window = MainWindow(Session())
    window.notes = []
    window.session.notified.connect(lambda level, text: window.notes.append((level, text)))
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.session.shut_down()
    if window.session.document is not None:
        window.session.document.mark_saved()
    window.files.asks_before_discarding = False
    window.close()
    window.deleteLater()
    QApplication.processEvents()


def write_dataset(folder: Path, photo: bool = True) -> Path:
    folder.mkdir()
    pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 3], [0, 0, 0, 1]]
    frame = {"file_path": "a.png", "transform_matrix": pose}
    (folder / "transforms.json").write_text(
        json.dumps({"fl_x": 60, "w": 64, "h": 48, "frames": [frame]})
    )
    if photo:
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(folder / "a.png")
    return folder


def test_a_scene_and_its_photos_dropped_together_open_both(qtbot, window, tmp_path) -> None:
    scene, data = write_scene(tmp_path), write_dataset(tmp_path / "photos")
    drop(window, [data, scene])
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert window.session.document.path == scene
    assert len(window.session.document.views) == 1
    assert not [text for level, text in window.notes if level != "info"]


def test_a_folder_with_scene_and_photos_opens_both(qtbot, window, tmp_path) -> None:
    data = write_dataset(tmp_path / "capture")
    scene = write_scene(data)
    drop(window, [data])
    qtbot.waitUntil(lambda: window.session.document is not None)
    assert window.session.document.path == scene
    assert len(window.session.document.views) == 1


def test_a_folder_without_a_scene_is_told(qtbot, window, tmp_path) -> None:
    drop(window, [write_dataset(tmp_path / "photos")])
    qtbot.waitUntil(lambda: bool(window.notes))
    assert window.notes[0][0] == "error"
    assert "no scene" in window.notes[0][1]
    assert window.session.document is None


def test_a_dropped_file_that_is_not_there_is_told(qtbot, window, tmp_path) -> None:
    drop(window, [tmp_path / "gone.ply"])
    qtbot.waitUntil(lambda: any(level == "error" for level, _ in window.notes))
    assert window.session.document is None


def test_a_file_deleted_while_open_is_told_and_closing_asks(qtbot, window, tmp_path) -> None:
    scene = write_scene(tmp_path)
    drop(window, [scene])
    qtbot.waitUntil(lambda: window.session.document is not None)
    scene.unlink()
    qtbot.waitUntil(lambda: any("removed from disk" in text for _, text in window.notes))
    seen: list[str] = []
    answer(CANCEL, seen)
    assert not window.close()
    assert seen == ["ball.ply is no longer on disk."]
    assert window.session.document.alive_count == COUNT
    window.session.export(tmp_path / "kept.ply")
    qtbot.waitUntil(lambda: any("Exported" in text for _, text in window.notes))
    assert window.close()


def test_missing_photos_are_told_once_and_all_goes_on(qtbot, window, tmp_path) -> None:
    scene, data = write_scene(tmp_path), write_dataset(tmp_path / "photos")
    drop(window, [data, scene])
    qtbot.waitUntil(lambda: window.session.document is not None)
    qtbot.waitUntil(lambda: window.viewport.settled, timeout=20_000)
    (data / "a.png").unlink()
    window.viewport.show_view(0)
    window.session.set_look(photo_opacity=0.5)
    qtbot.waitUntil(lambda: any(level == "error" for level, _ in window.notes), timeout=20_000)
    qtbot.waitUntil(lambda: window.viewport.settled, timeout=20_000)
    window.session.set_look(photo_opacity=0.6)
    qtbot.waitUntil(lambda: window.viewport.settled, timeout=20_000)
    assert sum(level == "error" for level, _ in window.notes) == 1, window.notes


def test_photos_of_another_scene_are_told_and_lead_to_it(qtbot, window, tmp_path) -> None:
    (tmp_path / "here").mkdir()
    window.session.open(write_scene(tmp_path / "here"))
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.runner.busy)
    data = write_dataset(tmp_path / "capture")
    scene = write_scene(data)
    window.files.open(data)
    qtbot.waitUntil(lambda: len(window.session.document.views) == 1)
    qtbot.waitUntil(lambda: len(window.toasts.shown) >= 2)
    toast = window.toasts.shown[-1]
    assert toast.level == "warning"
    assert "capture has a scene of its own, ball.ply" in toast.text
    QTest.mouseClick(toast.action_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.document.path == scene)
    assert len(window.session.document.views) == 1


def test_photos_beside_the_open_scene_say_nothing(qtbot, window, tmp_path) -> None:
    data = write_dataset(tmp_path / "capture")
    window.session.open(write_scene(data))
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.runner.busy)
    window.files.open(data)
    qtbot.waitUntil(lambda: len(window.session.document.views) == 1)
    qtbot.wait(50)
    assert not [text for level, text in window.notes if level != "info"]
    assert not [toast for toast in window.toasts.shown if toast.level != "info"]
