"""Every action of the table, done by each of its keys and by its menu entry in a real window."""

from collections.abc import Callable
from functools import partial

import pytest
from PySide6.QtWidgets import QMessageBox

import tests.viewer.action_checks as work
import tests.viewer.action_checks_view as view
from tests.viewer.action_stage import (
    SPECS,
    VIEWS,
    Stage,
    _collect_on_this_thread,
    _no_leaked_threads,
    _own_settings,
    _own_thumbnails,
    folder,
    shared,
    stage,
)
from tests.viewer.window_stage import COUNT
from viewer.action_table import ACTIONS, MODE_ACTIONS, OVERLAY_ACTIONS, TOOL_IDS, UP_AXES
from viewer.commands import BACKGROUNDS, COMPARE_MODES, ENGINES
from viewer.layout import WORKSPACES
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.widgets.shortcut_sheet import ShortcutSheet

__all__ = [
    "_collect_on_this_thread",
    "_no_leaked_threads",
    "_own_settings",
    "_own_thumbnails",
    "folder",
    "shared",
    "stage",
]

PANELS = (
    *("scene", "cameras", "sensitivity", "prune", "refine", "compress", "layers"),
    *("histogram", "scatter", "metrics", "jobs", "history", "messages"),
)

Check = Callable[[Stage, Callable[[], None]], None]

CHECKS: dict[str, Check] = {
    "file.open": work.opens_a_file,
    "file.open_folder": work.opens_a_folder,
    "file.open_image": work.opens_an_image,
    "file.paste_image": work.pastes_an_image,
    "file.open_demo": work.opens_the_demo,
    "file.train": work.begins_training,
    "file.open_dataset": work.attaches_photos,
    "file.export": work.exports,
    "file.screenshot": work.saves_a_screenshot,
    "app.settings": work.opens_preferences,
    "edit.undo": work.undoes,
    "edit.redo": work.redoes,
    "edit.delete": work.deletes,
    "prune.apply": work.applies_the_prune,
    "prune.reset": work.resets_the_prune,
    "select.all": partial(work.selects, COUNT, 0),
    "select.none": partial(work.selects, 0, 0),
    "select.invert": partial(work.selects, COUNT - 100, 0),
    "select.hide": partial(work.selects, 0, 100),
    "select.isolate": partial(work.selects, 100, COUNT - 100),
    "select.grow": work.grows,
    "select.shrink": work.shrinks,
    "select.unhide": work.unhides,
    **{id: partial(work.takes_up, id) for id in TOOL_IDS},
    "tool.smaller": partial(work.resizes_the_brush, False),
    "tool.bigger": partial(work.resizes_the_brush, True),
    "tool.depth": work.selects_in_front,
    "tool.accept": work.finishes_a_polygon,
    "tool.none": work.leaves_the_tool,
    **{id: partial(view.shows_the_mode, id) for id in MODE_ACTIONS},
    **{id: partial(view.toggles_the_overlay, id) for id in OVERLAY_ACTIONS},
    "view.probe": view.probes,
    "view.rings": view.marks_in_turn,
    "view.overlay": view.hides_all_overlays,
    **{id: partial(view.draws_by, id) for id in ENGINES},
    **{id: partial(view.draws_on, id) for id in BACKGROUNDS},
    "app.fullscreen": view.goes_full_screen,
    "cam.frame": view.frames_the_selection,
    "cam.reset": view.goes_home,
    "cam.mode": view.flies,
    "cam.ortho": view.looks_in_parallel,
    "cam.prev": partial(view.steps_to_a_view, 1, -1),
    "cam.next": partial(view.steps_to_a_view, VIEWS - 2, 1),
    "cam.nearest": view.goes_to_the_nearest_view,
    "up.auto": partial(view.turns_up, None),
    **{f"up.{axis}": partial(view.turns_up, axis) for axis in UP_AXES},
    **{id: partial(view.compares, id) for id in COMPARE_MODES},
    "compare.cycle": view.cycles_compare,
    "compare.flip": view.flips,
    "compare.swap": view.swaps,
    "compare.keep_a": view.keeps_a,
    "job.run": work.runs_the_panel,
    "job.score": work.scores,
    "job.measure": work.measures,
    "job.pause": work.pauses,
    "job.cancel": work.cancels,
    **{f"workspace.{name}": partial(work.arranges, name) for name in WORKSPACES},
    **{f"panel.{name}": partial(work.toggles_the_panel, name) for name in PANELS},
    "panel.hide_all": work.hides_all_panels,
    "panel.fold": work.folds_the_panels_below,
    "panel.reset_layout": work.resets_the_layout,
    "app.next_pane": partial(work.moves_the_focus, "scene"),
    "app.prev_pane": partial(work.moves_the_focus, "histogram"),
    "app.palette": work.opens_the_palette,
    "app.help": partial(work.shows, ShortcutSheet),
    "app.about": partial(work.shows, QMessageBox),
}
QUIT = "app.quit"
WAYS = [(spec.id, key) for spec in ACTIONS for key in (*spec.keys, None)]


def test_every_action_has_a_check() -> None:
    assert {*CHECKS, QUIT} == set(SPECS)


@pytest.mark.parametrize(
    ("id", "key"),
    [way for way in WAYS if way[0] != QUIT],
    ids=lambda value: "menu" if value is None else value,
)
def test_an_action_does_what_it_says(stage: Stage, id: str, key: str | None) -> None:
    CHECKS[id](stage, partial(stage.perform, id, key))


@pytest.mark.parametrize("key", [*SPECS[QUIT].keys, None])
def test_quitting_closes_the_window(stage: Stage, key: str | None) -> None:
    window = MainWindow(Session())
    window.show()
    window.activateWindow()
    stage.wait(window.isActiveWindow)
    window.viewport.setFocus()
    stage.perform(QUIT, key, window)
    assert not window.isVisible()
    window.deleteLater()
