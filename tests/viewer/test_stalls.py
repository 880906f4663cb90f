"""Nothing holds the window's thread: measured on 150,000 Gaussians, with real events."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QStyle, QStyleOptionSlider
from pytestqt.qtbot import QtBot

from core.formats import save_scene
from core.rendering import warm_up
from tests.blobs import blob_scene
from tests.viewer.watchdog import Watchdog
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.tour import pause

COUNT = 150_000
LIMIT_MS = 50
LOOSE_LIMIT_MS = 1000
ATTEMPTS = 4
"""The best of some counts: other programs on the machine stall the thread as well."""
PREVIEWS_PER_SECOND = 10
LEFT = Qt.MouseButton.LeftButton

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def large_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.ply"
    save_scene(blob_scene(COUNT), path)
    return path


@pytest.fixture
def window(qtbot: QtBot, qapp, large_scene: Path):
    apply_theme(qapp)
    warm_up()
    window = MainWindow(Session())
    window.show()
    qtbot.waitExposed(window)
    window.session.open(large_scene)
    qtbot.waitUntil(lambda: window.viewport.settled, timeout=60_000)
    window.session.set_score("opacity")
    pause(500)
    yield window
    window.session.runner.cancel()
    qtbot.waitUntil(lambda: not window.session.runner.busy, timeout=60_000)
    window.session.document.mark_saved()
    window.close()
    window.deleteLater()


def longest_stall(act: Callable[[], object]) -> float:
    """The best of some attempts: the most that the window's thread worked in one turn, in ms.

    By the clock turns are longer where other programs have the cores: those gaps are only bounded
    loosely, so that a busy machine fails no test.
    """
    watchdog = Watchdog()
    best = gap = float("inf")
    for _ in range(ATTEMPTS):
        watchdog.start()
        act()
        watchdog.stop()
        best, gap = min(best, max(watchdog.busy_ms)), min(gap, max(watchdog.gaps_ms))
        if best < LIMIT_MS and gap < LOOSE_LIMIT_MS:
            break
    assert gap < LOOSE_LIMIT_MS
    return best


def orbit(window: MainWindow, seconds: float = 1.0) -> None:
    viewport = window.viewport
    start = viewport.rect().center()
    QTest.mousePress(viewport, LEFT, pos=start)
    until, step = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        step += 1
        QTest.mouseMove(viewport, start + QPoint((7 * step) % 160, step % 20))
        pause(8)
    QTest.mouseRelease(viewport, LEFT, pos=start)


def drag_slider(window: MainWindow, seconds: float = 1.5) -> float:
    """Drag the prune slider to and fro; previews shown per second."""
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
    began = time.perf_counter()
    step = 0
    while time.perf_counter() - began < seconds:
        step += 1
        place = 0.5 + 0.4 * (1 - abs((step % 100) / 50 - 1))
        QTest.mouseMove(slider, QPoint(int(place * slider.width()), handle.center().y()))
        pause(8)
    elapsed = time.perf_counter() - began
    QTest.mouseRelease(slider, LEFT, pos=handle.center())
    window.viewport.frame_shown.disconnect(note)
    return len(shown) / elapsed


def test_orbiting_does_not_stall(window: MainWindow) -> None:
    assert longest_stall(lambda: orbit(window)) < LIMIT_MS


def test_dragging_the_slider_does_not_stall_and_follows(window: MainWindow) -> None:
    window.docks["prune"].show()
    window.docks["prune"].raise_()
    pause(300)
    rates: list[float] = []
    assert longest_stall(lambda: rates.append(drag_slider(window))) < LIMIT_MS
    assert max(rates) >= PREVIEWS_PER_SECOND


def test_orbiting_while_scores_are_computed_does_not_stall(window: MainWindow) -> None:
    window.session.run_scores(view_count=400)
    pause(1000)
    assert window.session.runner.busy
    assert longest_stall(lambda: orbit(window)) < LIMIT_MS


def test_orbiting_while_exporting_does_not_stall(window: MainWindow, tmp_path: Path) -> None:
    def act() -> None:
        window.session.export(tmp_path / "out.ply")
        orbit(window, 0.6)

    assert longest_stall(act) < LIMIT_MS


def test_applying_a_prune_does_not_stall(window: MainWindow) -> None:
    def act() -> None:
        window.session.set_target(COUNT // 2)
        pause(300)
        window.session.apply_prune()
        pause(300)
        window.session.undo()
        pause(300)

    assert longest_stall(act) < LIMIT_MS
