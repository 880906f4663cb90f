"""Nothing holds the window's thread: measured on 150,000 Gaussians, with real events.

Other programs on the machine make turns of the event loop longer by the clock, and pictures fewer.
So the limits here are on what the thread and the program work; the times by the clock, as they are
on a quiet machine, are what ``tests/benchmarks/bench_window.py`` tells.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.threads import go_first
from tests.viewer.stall_stage import (
    VIEWS,
    drag_slider,
    fly,
    large_window,
    orbit,
    prune_and_undo,
    resize,
    write_large_scene,
)
from tests.viewer.watchdog import Watchdog
from viewer.main_window import MainWindow
from viewer.tour import pause

LIMIT_MS = 100
"""Twice what the window is allowed on a quiet machine: a thread takes up to twice as long for the
same work where another's runs on the same core."""
LOOSE_LIMIT_MS = 1000
ATTEMPTS = 4
"""The best of some counts."""
PREVIEW_LIMIT_S = 0.2
"""What other threads may work for a preview: two cores then show ten a second."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def large_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_large_scene(tmp_path_factory.mktemp("large"))


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, large_scene: Path) -> Iterator[MainWindow]:
    interval, threads = sys.getswitchinterval(), torch.get_num_threads()
    go_first()
    with large_window(qapp, large_scene) as window:
        yield window
    sys.setswitchinterval(interval)
    torch.set_num_threads(threads)


def longest_stall(act: Callable[[], object]) -> float:
    """The best of some attempts: the most that the window's thread worked in one turn, in ms."""
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


def start_sweep(window: MainWindow) -> None:
    window.session.run_scores(view_count=VIEWS)
    pause(1000)
    assert window.session.runner.busy


@pytest.mark.parametrize("act", [orbit, fly, resize, prune_and_undo])
def test_nothing_stalls(window: MainWindow, act: Callable[[MainWindow], float]) -> None:
    assert longest_stall(lambda: act(window)) < LIMIT_MS


def test_dragging_the_slider_does_not_stall_and_follows(window: MainWindow) -> None:
    costs: list[float] = []

    def act() -> None:
        began, all_worked, worked = time.perf_counter(), time.process_time(), time.thread_time()
        shown = drag_slider(window) * (time.perf_counter() - began)
        others_s = time.process_time() - all_worked - (time.thread_time() - worked)
        costs.append(others_s / shown if shown else float("inf"))

    assert longest_stall(act) < LIMIT_MS
    assert min(costs) < PREVIEW_LIMIT_S


def test_nothing_stalls_while_scores_are_computed(window: MainWindow) -> None:
    start_sweep(window)
    for act in (orbit, drag_slider):
        assert longest_stall(lambda act=act: act(window)) < LIMIT_MS


def test_nothing_stalls_while_exporting(window: MainWindow, tmp_path: Path) -> None:
    def act() -> None:
        window.session.export(tmp_path / "out.ply")
        orbit(window, 0.6)

    assert longest_stall(act) < LIMIT_MS
