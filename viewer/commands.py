"""What the actions of the window do, which of them are checked, and which keys are held."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDockWidget

from viewer.action_spec import Need
from viewer.action_table import MODE_ACTIONS, OVERLAY_ACTIONS, TOOL_IDS, UP_AXES
from viewer.compare import CompareMode
from viewer.layout import WORKSPACES
from viewer.look import BACKDROPS, Color, Engine, Mode, Overlay
from viewer.tools.commands import SelectionCommands

if TYPE_CHECKING:
    from viewer.main_window import MainWindow

Handlers = dict[str, Callable[[], object]]
Checks = dict[str, Callable[[], bool]]

ENGINES = {f"view.engine_{engine}": engine for engine in Engine}
BACKGROUNDS = {f"view.background_{name}": color for name, color in BACKDROPS.items()}
COMPARE_MODES = {f"compare.{mode}": mode for mode in CompareMode}


def handlers(window: "MainWindow") -> Handlers:
    """What each action of the table does."""
    session = window.session
    made: Handlers = {
        "app.settings": window.show_preferences,
        "app.quit": window.close,
        "app.fullscreen": window.toggle_full_screen,
        "app.next_pane": lambda: window.move_focus(1),
        "app.prev_pane": lambda: window.move_focus(-1),
        "app.palette": lambda: window.palette_.open(),
        "app.help": window.show_help,
        "app.about": window.show_about,
        "edit.undo": session.undo,
        "edit.redo": session.redo,
        "prune.apply": session.apply_prune,
        "prune.reset": session.reset_cut,
        "job.score": window.sensitivity_panel.run,
        "job.measure": partial(_measure, window),
        "job.run": lambda: window.active_panel().run(),
        "job.pause": session.runner.toggle_pause,
        "job.cancel": session.runner.cancel,
        "panel.hide_all": window.toggle_all_docks,
        "panel.fold": window.arrangement.toggle,
        "panel.reset_layout": window.reset_layout,
        **_file_handlers(window),
        **_selection_handlers(window),
        **_view_handlers(window),
        **_camera_handlers(window),
        **_compare_handlers(window),
    }
    for name in window.docks:
        made[f"panel.{name}"] = partial(window.toggle_dock, name)
    for name in WORKSPACES:
        made[f"workspace.{name}"] = partial(window.set_workspace, name)
    return made


def checks(window: "MainWindow") -> Checks:
    """Which actions are checked now."""
    session, viewport, toolbox = window.session, window.viewport, window.viewport.toolbox
    made: Checks = {
        "app.fullscreen": window.isFullScreen,
        "cam.mode": lambda: viewport.fly_mode,
        "cam.ortho": lambda: viewport.orthographic,
        "tool.depth": lambda: toolbox.front_only,
        "view.overlay": lambda: session.look.overlays_shown,
        "compare.flip": lambda: session.compare.flip,
        "up.auto": lambda: viewport.up_axis is None,
        "panel.fold": lambda: window.arrangement.folded,
    }

    def engine_is(engine: Engine) -> bool:
        return session.look.engine == engine

    def drawn_on(color: Color) -> bool:
        return session.look.background == color

    def compares_by(mode: CompareMode) -> bool:
        return session.compare.mode == mode

    def has_overlay(overlay: Overlay) -> bool:
        return overlay in session.look.overlays

    def uses(id: str) -> bool:
        return toolbox.active is not None and toolbox.active.id == id

    def mode_is(mode: Mode) -> bool:
        return session.mode == mode

    def in_workspace(name: str) -> bool:
        return window.workspace == name

    def up_is(axis: str) -> bool:
        return viewport.up_axis == axis

    made |= {f"workspace.{name}": partial(in_workspace, name) for name in WORKSPACES}
    made |= {f"up.{axis}": partial(up_is, axis) for axis in UP_AXES}
    made |= {id: partial(mode_is, mode) for id, mode in MODE_ACTIONS.items()}
    made |= {id: partial(engine_is, engine) for id, engine in ENGINES.items()}
    made |= {id: partial(drawn_on, color) for id, color in BACKGROUNDS.items()}
    made |= {id: partial(compares_by, mode) for id, mode in COMPARE_MODES.items()}
    made |= {id: partial(has_overlay, overlay) for id, overlay in OVERLAY_ACTIONS.items()}
    made |= {id: partial(uses, id) for id in TOOL_IDS}
    made |= {f"panel.{name}": partial(_shown, dock) for name, dock in window.docks.items()}
    return made


def _shown(dock: QDockWidget) -> bool:
    return not dock.isHidden()


def held(window: "MainWindow") -> dict[str, Callable[[bool], object]]:
    """What happens while the keys of a held action are down."""
    return {"compare.flip": window.session.compare.set_flip}


def needs(window: "MainWindow") -> dict[str, Need]:
    """What actions need of the tool in use."""
    toolbox = window.viewport.toolbox
    has_size = Need(
        lambda _: toolbox.active is not None and toolbox.active.has_size, "Take up the brush first."
    )
    return {
        "tool.smaller": has_size,
        "tool.bigger": has_size,
        "tool.accept": Need(
            lambda _: toolbox.active is not None and toolbox.active.id == "tool.polygon",
            "Take up the polygon first.",
        ),
        "tool.none": Need(lambda _: toolbox.active is not None, "No tool is in use."),
    }


def _measure(window: "MainWindow") -> None:
    """Measure the scene, and show the figures as they come."""
    dock = window.docks["metrics"]
    dock.show()
    dock.raise_()
    window.metrics_panel.run()


def _file_handlers(window: "MainWindow") -> Handlers:
    files = window.files
    return {
        "file.open": files.ask_scene,
        "file.open_demo": files.open_demo,
        "file.open_folder": files.ask_scene_with_photos,
        "file.train": files.ask_training,
        "file.open_dataset": files.ask_dataset,
        "file.open_image": files.ask_image,
        "file.paste_image": files.paste_image,
        "file.export": files.ask_export,
        "file.screenshot": files.ask_screenshot,
    }


def _selection_handlers(window: "MainWindow") -> Handlers:
    commands, viewport = SelectionCommands(window.session), window.viewport
    toolbox, tools = viewport.toolbox, window.tools

    def step_back_or_delete() -> None:
        if not toolbox.step_back():
            commands.delete()

    made: Handlers = {
        "edit.delete": step_back_or_delete,
        "select.all": commands.select_all,
        "select.none": commands.select_none,
        "select.invert": commands.invert,
        "select.grow": commands.grow,
        "select.shrink": commands.shrink,
        "select.hide": commands.hide,
        "select.isolate": commands.isolate,
        "select.unhide": commands.unhide,
        "tool.smaller": toolbox.smaller,
        "tool.bigger": toolbox.bigger,
        "tool.depth": toolbox.toggle_front_only,
        "tool.accept": viewport.accept,
        "tool.none": viewport.escape,
    }
    for id in TOOL_IDS:
        made[id] = partial(toolbox.choose, tools[id])
    return made


def _view_handlers(window: "MainWindow") -> Handlers:
    session = window.session

    def toggle(overlay: Overlay) -> None:
        session.set_look(overlays=session.look.overlays ^ {overlay}, overlays_shown=True)

    def next_marks() -> None:
        marks = [frozenset(), frozenset({Overlay.CENTERS}), frozenset({Overlay.RINGS})]
        overlays = session.look.overlays
        now = overlays & {Overlay.CENTERS, Overlay.RINGS}
        following = marks[(marks.index(now) + 1) % len(marks)] if now in marks else marks[0]
        session.set_look(overlays=(overlays - now) | following, overlays_shown=True)

    made: Handlers = {
        "view.rings": next_marks,
        "view.overlay": lambda: session.set_look(overlays_shown=not session.look.overlays_shown),
    }
    made |= {id: partial(session.set_mode, mode) for id, mode in MODE_ACTIONS.items()}
    made |= {id: partial(session.set_look, engine=engine) for id, engine in ENGINES.items()}
    made |= {id: partial(session.set_background, color) for id, color in BACKGROUNDS.items()}
    made |= {id: partial(toggle, overlay) for id, overlay in OVERLAY_ACTIONS.items()}
    return made


def _camera_handlers(window: "MainWindow") -> Handlers:
    viewport = window.viewport
    made: Handlers = {
        "cam.frame": viewport.frame_scene,
        "cam.reset": viewport.reset_view,
        "cam.mode": viewport.toggle_fly,
        "cam.ortho": viewport.toggle_orthographic,
        "cam.prev": viewport.previous_view,
        "cam.next": viewport.next_view,
        "cam.nearest": viewport.nearest_view,
        "up.auto": partial(viewport.set_up_axis, None),
    }
    made |= {f"up.{axis}": partial(viewport.set_up_axis, axis) for axis in UP_AXES}
    return made


def _compare_handlers(window: "MainWindow") -> Handlers:
    session, compare = window.session, window.session.compare

    def keep_a() -> None:
        if session.document is not None:
            compare.keep_a(session.document)

    made: Handlers = {
        "compare.cycle": compare.cycle,
        "compare.flip": lambda: compare.set_flip(not compare.flip),
        "compare.swap": compare.swap,
        "compare.keep_a": keep_a,
    }
    made |= {id: partial(compare.set_mode, mode) for id, mode in COMPARE_MODES.items()}
    return made
