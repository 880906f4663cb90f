"""One QApplication as the program makes it, settings of its own, and a check for leaked threads."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtGui import QOffscreenSurface, QOpenGLContext
from PySide6.QtWidgets import QApplication

from viewer.app import create_application


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    return create_application(["splatscope"])


@pytest.fixture(autouse=True)
def _collect_on_this_thread() -> Iterator[None]:
    """Qt objects must not be collected by a worker, see viewer.garbage."""
    gc.freeze()
    gc.disable()
    yield
    gc.collect()
    gc.enable()
    gc.unfreeze()


@pytest.fixture(scope="session")
def opengl(qapp: QApplication) -> bool:
    """Whether an OpenGL 3.3 context can be made here."""
    context = QOpenGLContext()
    surface = QOffscreenSurface()
    surface.create()
    return (
        context.create() and context.makeCurrent(surface) and context.format().version() >= (3, 3)
    )


@pytest.fixture(autouse=True)
def _needs_gl(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gl") and not request.getfixturevalue("opengl"):
        pytest.skip("no OpenGL 3.3 here")


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path) -> None:
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path))


@pytest.fixture(autouse=True)
def _own_thumbnails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewer.thumbnails.thumbnail_folder", lambda: tmp_path / "thumbnails")


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    leaked = [
        thread
        for thread in set(threading.enumerate()) - before
        if thread.is_alive() and thread.name.startswith(("job:", "frames", "asker", "warm-up"))
    ]
    for thread in leaked:
        thread.join(5)
    assert not [thread.name for thread in leaked if thread.is_alive()]
