import sys

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from viewer.app import with_default_command


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
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
    ],
)
def test_the_window_opens_where_no_command_is_named(given: list[str], meant: list[str]) -> None:
    assert with_default_command(given) == meant
