"""How long the window's thread is away from its events, and how many pictures come meanwhile.

``python -m tests.benchmarks.bench_window [ROUNDS [SCENE]]`` opens the window on 150,000 Gaussians
of degree 2, or on a scene of yours, and does what a person does, with real events: while nothing
else runs, while a sweep computes scores, and while an export begins. Of some rounds it prints the
best and the worst: the longest gap between two turns of the event loop by the clock, and the
longest time that the thread worked in one turn; then the most pictures a second, previews for the
slider. Other programs lengthen the gaps: only a quiet machine tells what the window does.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings

from core.threads import go_first
from tests.viewer.stall_stage import (
    COUNT,
    SIZE,
    VIEWS,
    drag_slider,
    end_job,
    fly,
    large_window,
    orbit,
    prune_and_undo,
    resize,
    wait_until,
    write_large_scene,
)
from tests.viewer.watchdog import Watchdog
from viewer.app import create_application
from viewer.garbage import GarbageCollector
from viewer.main_window import MainWindow
from viewer.tour import pause

ROUNDS = 3
SECONDS = 1.5
JOBS = ("idle", "sweep", "export")

ACTS: dict[str, Callable[[MainWindow], float]] = {
    "slider": lambda window: drag_slider(window, SECONDS),
    "orbit": lambda window: orbit(window, SECONDS),
    "fly": lambda window: fly(window, SECONDS),
    "resize": lambda window: resize(window, SECONDS),
    "prune, undo": prune_and_undo,
}


@dataclass(frozen=True, slots=True)
class Round:
    """The longest gap by the clock, the longest work in one turn, and pictures a second."""

    gap_ms: float
    busy_ms: float
    rate: float


def measure(
    window: MainWindow, folder: Path, job: str, act: Callable[[MainWindow], float]
) -> Round:
    """One round of an act beside a job."""
    if job != "sweep":
        end_job(window)
    elif not window.session.runner.busy:
        window.session.run_scores(view_count=VIEWS)
        pause(800)
    watchdog = Watchdog()
    watchdog.start()
    if job == "export":
        window.session.export(folder / "out.ply")
    rate = act(window)
    watchdog.stop()
    if job == "export":
        wait_until(lambda: not window.session.runner.busy)
    pause(400)
    return Round(max(watchdog.gaps_ms), max(watchdog.busy_ms), rate)


def run(window: MainWindow, folder: Path, rounds: int) -> None:
    """Print the table."""
    print(f"{'':>19} {'gap, ms':>14} {'work, ms':>14} {'pictures':>9}")
    print(f"{'job':>6} {'act':>12} {'best':>7}{'worst':>7} {'best':>7}{'worst':>7} {'a second':>9}")
    for job in JOBS:
        for name, act in ACTS.items():
            found = [measure(window, folder, job, act) for _ in range(rounds)]
            gaps, works = [one.gap_ms for one in found], [one.busy_ms for one in found]
            rate = max(one.rate for one in found)
            print(
                f"{job:>6} {name:>12} {min(gaps):>7.0f}{max(gaps):>7.0f} "
                f"{min(works):>7.0f}{max(works):>7.0f} {rate:>9.1f}",
                flush=True,
            )


def main() -> None:
    """Set the window up as the program does, and measure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    go_first()
    application = create_application()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        QSettings.setDefaultFormat(QSettings.Format.IniFormat)
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, name)
        scene = Path(sys.argv[2]) if len(sys.argv) > 2 else write_large_scene(folder)
        with large_window(application, scene) as window:
            collector = GarbageCollector()
            document = window.session.document
            count = COUNT if document is None else len(document.scene)
            print(f"{count:,} Gaussians in a window of {SIZE[0]}x{SIZE[1]}, {rounds} rounds")
            run(window, folder, rounds)
            collector.stop()


if __name__ == "__main__":
    main()
