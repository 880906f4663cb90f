"""A large scene in the window, and what a person does to it while its thread is watched."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QStyle, QStyleOptionSlider

from core.formats import save_scene
from tests.blobs import blob_scene
from viewer.app import warm_up
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.tour import pause

COUNT = 150_000
SIZE = 1600, 1000
VIEWS = 400
STEP_MS = 8
TIMEOUT_S = 120
LEFT = Qt.MouseButton.LeftButton


def write_large_scene(folder: Path) -> Path:
    """The scene as a file."""
    path = folder / "large.ply"
    save_scene(blob_scene(COUNT, sh_degree=2), path)
    return path


@contextmanager
def large_window(application: QApplication, scene: Path) -> Iterator[MainWindow]:
    """The window with a scene in it, scored by opacity, and the Prune panel in front."""
    apply_theme(application)
    warming = threading.Thread(target=warm_up)
    warming.start()
    warming.join()
    window = MainWindow(Session())
    window.resize(*SIZE)
    window.show()
    window.session.open(scene)
    wait_until(lambda: window.session.document is not None and window.viewport.settled)
    window.session.set_score("opacity")
    window.docks["prune"].show()
    window.docks["prune"].raise_()
    pause(500)
    yield window
    end_job(window)
    document = window.session.document
    if document is not None:
        document.mark_saved()
    window.close()
    window.deleteLater()


def wait_until(reached: Callable[[], bool]) -> None:
    """Let the window live until something is so.

    Raises
    ------
    TimeoutError
        If that takes more than two minutes.
    """
    end = time.monotonic() + TIMEOUT_S
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError("the window does not get there")
        pause(20)


def end_job(window: MainWindow) -> None:
    """Cancel the running job, if there is one, and wait for its end."""
    window.session.runner.cancel()
    wait_until(lambda: not window.session.runner.busy)


@contextmanager
def counting(window: MainWindow) -> Iterator[Callable[[], float]]:
    """Count pictures; what it gives is their number in a second until now."""
    count, began = 0, time.perf_counter()

    def note(_stats: object) -> None:
        nonlocal count
        count += 1

    window.viewport.frame_shown.connect(note)
    yield lambda: count / (time.perf_counter() - began)
    window.viewport.frame_shown.disconnect(note)


def orbit(window: MainWindow, seconds: float = 1.0) -> float:
    """Drag in the picture; pictures a second."""
    viewport = window.viewport
    start = viewport.rect().center()
    with counting(window) as rate:
        QTest.mousePress(viewport, LEFT, pos=start)
        until, step = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            step += 1
            QTest.mouseMove(viewport, start + QPoint((7 * step) % 160, step % 20))
            pause(STEP_MS)
        QTest.mouseRelease(viewport, LEFT, pos=start)
        return rate()


def fly(window: MainWindow, seconds: float = 1.0) -> float:
    """Fly ahead and back; pictures a second."""
    viewport = window.viewport
    viewport.setFocus()
    with counting(window) as rate:
        for key in (Qt.Key.Key_W, Qt.Key.Key_S):
            QTest.keyPress(viewport, key)
            pause(round(500 * seconds))
            QTest.keyRelease(viewport, key)
        return rate()


def resize(window: MainWindow, seconds: float = 1.0) -> float:
    """Make the window smaller and larger, as a drag at its corner does; pictures a second."""
    width, height = SIZE
    with counting(window) as rate:
        until, step = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            step += 1
            window.resize(width - (10 * step) % 200, height - (5 * step) % 100)
            pause(2 * STEP_MS)
        window.resize(width, height)
        pause(2 * STEP_MS)
        return rate()


def drag_slider(window: MainWindow, seconds: float = 1.0) -> float:
    """Drag the prune slider to and fro; previews shown a second."""
    slider = window.prune_panel.slider
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    handle = slider.style().subControlRect(
        QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, slider
    )
    shown: set[int] = set()

    def note(_stats: object) -> None:
        frame = window.viewport.frame
        if frame is not None and frame.request.removed is not None:
            shown.add(id(frame.request.removed))

    window.viewport.frame_shown.connect(note)
    QTest.mousePress(slider, LEFT, pos=handle.center())
    began, step = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step += 1
        place = 0.5 + 0.4 * (1 - abs((step % 100) / 50 - 1))
        QTest.mouseMove(slider, QPoint(int(place * slider.width()), handle.center().y()))
        pause(STEP_MS)
    elapsed = time.perf_counter() - began
    QTest.mouseRelease(slider, LEFT, pos=handle.center())
    window.viewport.frame_shown.disconnect(note)
    return len(shown) / elapsed


def prune_and_undo(window: MainWindow) -> float:
    """Preview a prune, apply it, and take it back; pictures a second."""
    session = window.session
    with counting(window) as rate:
        session.set_target(COUNT // 2)
        pause(300)
        session.apply_prune()
        pause(300)
        session.undo()
        pause(300)
        return rate()
