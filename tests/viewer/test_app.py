import gc
import sys
import threading

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from viewer.app import with_default_command
from viewer.garbage import GarbageCollector


def test_qt_calls_without_a_result_leave_none_alone(qapp: QApplication) -> None:
    """PySide6 6.12.0 drops a reference to None in each: Python before 3.12 aborts in the end."""
    timer = QTimer()
    before = sys.getrefcount(None)
    for _ in range(1000):
        timer.setInterval(3)
    assert sys.getrefcount(None) > before - 500


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ([], ["open"]),
        (["scene.ply"], ["open", "scene.ply"]),
        (["--data", "photos", "scene.ply"], ["open", "--data", "photos", "scene.ply"]),
        (["info", "scene.ply"], ["info", "scene.ply"]),
        (["demo"], ["demo"]),
        (["gmae", "train", "photos"], ["gmae", "train", "photos"]),
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
    ],
)
def test_the_window_opens_where_no_command_is_named(given: list[str], meant: list[str]) -> None:
    assert with_default_command(given) == meant


def test_garbage_is_collected_on_the_windows_thread(qtbot: QtBot) -> None:
    gc.enable()
    collector = GarbageCollector()
    assert not gc.isenabled()
    threads: list[int] = []
    for _ in range(gc.get_threshold()[0] + 100):
        cycle: list[object] = [Witness(threads)]
        cycle.append(cycle)
    qtbot.waitUntil(lambda: bool(threads))
    assert set(threads) == {threading.get_ident()}
    collector.stop()
    assert gc.isenabled()


class Witness:
    def __init__(self, threads: list[int]) -> None:
        self.threads = threads

    def __del__(self) -> None:
        self.threads.append(threading.get_ident())
