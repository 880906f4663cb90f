"""The one table of actions: menus, tool bar, shortcuts, tooltips and help all come from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QToolBar, QWidget

from viewer import theme
from viewer.look import Mode
from viewer.session import Session


class Scope(StrEnum):
    """Where an action's keys work. Bare keys belong to the viewport: fields and lists need them."""

    WINDOW = "window"
    VIEWPORT = "viewport"


@dataclass(frozen=True, slots=True)
class Need:
    """What an action needs before it can be used, and what to tell a person until then."""

    met: Callable[[Session], bool]
    reason: str


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One thing a person can do.

    Attributes
    ----------
    id
        Stable name.
    title, short, tip
        Menu text, tool bar text where that is shorter, and a sentence that says more.
    keys
        Shortcuts in Qt's portable notation, the shown one first.
    scope
        Where the keys work.
    menu, section
        Menu it is in; a separator stands between sections.
    icon
        Name of a file in resources/icons, or empty.
    checkable
        Whether it has a check mark of its own.
    group
        Of the actions with the same group, exactly one is checked.
    needs
        What has to be there.
    """

    id: str
    title: str
    menu: str
    section: int = 0
    keys: tuple[str, ...] = ()
    scope: Scope = Scope.WINDOW
    short: str = ""
    tip: str = ""
    icon: str = ""
    checkable: bool = False
    group: str = ""
    needs: Need | None = None


DOCUMENT = Need(lambda session: session.document is not None, "Open a scene first.")
VIEWS = Need(
    lambda session: session.document is not None and bool(session.document.views),
    "Attach photos and cameras first.",
)
UNDO = Need(lambda session: _undo_names(session)[0] is not None, "There is nothing to undo.")
REDO = Need(lambda session: _undo_names(session)[1] is not None, "There is nothing to redo.")
TARGET = Need(lambda session: session.target is not None, "Choose how many Gaussians to keep.")
PRUNABLE = Need(
    lambda session: session.target is not None and session.worth is not None,
    "Compute a score and choose how many Gaussians to keep first.",
)
IDLE = Need(
    lambda session: session.document is not None and not session.runner.busy,
    "Open a scene first, or wait for the running job.",
)
NO_JOB = Need(lambda session: not session.runner.busy, "Wait for the running job, or cancel it.")
BUSY = Need(lambda session: session.runner.busy, "No job is running.")

MODE_ACTIONS = {
    Mode.COLOR: "view.mode_rgb",
    Mode.HEATMAP: "view.mode_sens",
    Mode.DEPTH: "view.mode_depth",
}

MENUS = ("File", "Edit", "View", "Run", "Window", "Help")

ACTIONS = (
    ActionSpec(
        "file.open",
        "Open Scene…",
        "File",
        keys=("Ctrl+O",),
        short="Open",
        tip="Open a scene of Gaussians, such as a .ply file.",
        icon="open",
        needs=NO_JOB,
    ),
    ActionSpec(
        "file.open_demo",
        "Open Demo Scene",
        "File",
        tip="Open the still life that comes along.",
        needs=NO_JOB,
    ),
    ActionSpec(
        "file.open_dataset",
        "Attach Photos and Cameras…",
        "File",
        keys=("Ctrl+Shift+O",),
        tip="Attach posed photos: COLMAP, transforms.json or cameras.json.",
        icon="cameras",
        needs=IDLE,
    ),
    ActionSpec(
        "file.export",
        "Export…",
        "File",
        section=1,
        keys=("Ctrl+E",),
        short="Export",
        tip="Write the scene without its deleted Gaussians.",
        icon="export",
        needs=IDLE,
    ),
    ActionSpec(
        "file.screenshot",
        "Save Screenshot…",
        "File",
        section=1,
        keys=("F9",),
        tip="Save the picture of the viewport.",
        icon="screenshot",
        needs=DOCUMENT,
    ),
    ActionSpec("app.quit", "Quit", "File", section=2, keys=("Ctrl+Q",), tip="Close Splatscope."),
    ActionSpec("edit.undo", "Undo", "Edit", keys=("Ctrl+Z",), icon="undo", needs=UNDO),
    ActionSpec(
        "edit.redo", "Redo", "Edit", keys=("Ctrl+Shift+Z", "Ctrl+Y"), icon="redo", needs=REDO
    ),
    ActionSpec(
        "prune.apply",
        "Apply Prune",
        "Edit",
        section=1,
        tip="Delete the Gaussians that the preview marks, as one undoable step.",
        icon="prune",
        needs=PRUNABLE,
    ),
    ActionSpec(
        "prune.reset",
        "Reset Prune Preview",
        "Edit",
        section=1,
        tip="Keep all Gaussians again.",
        needs=TARGET,
    ),
    ActionSpec(
        "view.mode_rgb",
        "Colour",
        "View",
        keys=("Alt+1",),
        scope=Scope.VIEWPORT,
        tip="Draw the scene in its own colours.",
        icon="color-mode",
        group="mode",
    ),
    ActionSpec(
        "view.mode_sens",
        "Sensitivity Heatmap",
        "View",
        keys=("Alt+2",),
        scope=Scope.VIEWPORT,
        short="Heatmap",
        tip="Colour every Gaussian by the chosen score.",
        icon="heatmap",
        group="mode",
    ),
    ActionSpec(
        "view.mode_depth",
        "Depth",
        "View",
        keys=("Alt+3",),
        scope=Scope.VIEWPORT,
        tip="Draw the distance from the camera.",
        icon="depth",
        group="mode",
    ),
    ActionSpec(
        "cam.frame",
        "Frame Scene",
        "View",
        section=1,
        keys=("F",),
        scope=Scope.VIEWPORT,
        short="Frame",
        tip="Move the camera until the whole scene is in view.",
        icon="frame",
        needs=DOCUMENT,
    ),
    ActionSpec(
        "cam.reset",
        "Reset Camera",
        "View",
        section=1,
        keys=("Shift+F", "Home"),
        scope=Scope.VIEWPORT,
        short="Reset",
        tip="Go back to the view at opening.",
        icon="reset-view",
        needs=DOCUMENT,
    ),
    ActionSpec(
        "cam.prev",
        "Previous View",
        "View",
        section=1,
        keys=("Left",),
        scope=Scope.VIEWPORT,
        tip="Go to the previous camera of the dataset.",
        needs=VIEWS,
    ),
    ActionSpec(
        "cam.next",
        "Next View",
        "View",
        section=1,
        keys=("Right",),
        scope=Scope.VIEWPORT,
        tip="Go to the next camera of the dataset.",
        needs=VIEWS,
    ),
    ActionSpec("app.fullscreen", "Full Screen", "View", section=2, keys=("F11",), checkable=True),
    ActionSpec(
        "job.run",
        "Run Active Panel",
        "Run",
        keys=("Ctrl+Return",),
        tip="Run what the panel in front is for.",
        icon="play",
        needs=IDLE,
    ),
    ActionSpec(
        "job.pause",
        "Pause or Resume Job",
        "Run",
        section=1,
        tip="Hold the running job, or let it go on.",
        icon="pause",
        needs=BUSY,
    ),
    ActionSpec(
        "job.cancel",
        "Cancel Job",
        "Run",
        section=1,
        keys=("Ctrl+.",),
        tip="Stop the running job; the scene stays as it was.",
        icon="cancel",
        needs=BUSY,
    ),
    ActionSpec("panel.scene", "Scene", "Window", checkable=True),
    ActionSpec("panel.sensitivity", "Sensitivity", "Window", keys=("Ctrl+1",), checkable=True),
    ActionSpec("panel.prune", "Prune", "Window", keys=("Ctrl+2",), checkable=True),
    ActionSpec("panel.histogram", "Histogram", "Window", keys=("Ctrl+D",), checkable=True),
    ActionSpec("panel.jobs", "Messages", "Window", keys=("Ctrl+5",), checkable=True),
    ActionSpec("panel.hide_all", "Hide or Show All Panels", "Window", section=1, keys=("F12",)),
    ActionSpec(
        "panel.reset_layout",
        "Reset Layout",
        "Window",
        section=1,
        tip="Put every panel back to its first place.",
    ),
    ActionSpec("app.next_pane", "Next Pane", "Window", section=2, keys=("F6",)),
    ActionSpec("app.prev_pane", "Previous Pane", "Window", section=2, keys=("Shift+F6",)),
    ActionSpec("app.help", "Keyboard and Mouse", "Help", keys=("F1",), icon="help"),
    ActionSpec("app.about", "About Splatscope", "Help"),
)

TOOL_BAR = (
    ("file.open", "file.export"),
    ("edit.undo", "edit.redo"),
    ("view.mode_rgb", "view.mode_sens", "view.mode_depth"),
    ("cam.frame", "cam.reset"),
)

MOUSE = (
    ("Left drag, middle drag", "Orbit"),
    ("Right drag, Shift+drag", "Pan"),
    ("Wheel, pinch", "Move towards the pointer"),
    ("Double click", "Set the centre of rotation under the pointer"),
)


def keys_text(spec: ActionSpec) -> str:
    """The shortcuts of an action as a person reads them here, such as "Ctrl+Shift+Z, Ctrl+Y"."""
    native = QKeySequence.SequenceFormat.NativeText
    return ", ".join(QKeySequence(key).toString(native) for key in spec.keys)


class Actions(QObject):
    """The actions of a window, made from the table and enabled by the session's state."""

    def __init__(
        self,
        window: QWidget,
        viewport: QWidget,
        session: Session,
        handlers: Mapping[str, Callable[[], object]],
    ) -> None:
        super().__init__(window)
        self._session = session
        self._actions: dict[str, QAction] = {}
        groups: dict[str, QActionGroup] = {}
        for spec in ACTIONS:
            action = QAction(spec.title, window)
            action.setObjectName(spec.id)
            if spec.icon:
                action.setIcon(theme.icon(spec.icon))
            action.setShortcuts([QKeySequence(key) for key in spec.keys])
            action.setCheckable(spec.checkable or bool(spec.group))
            if spec.group:
                group = groups.setdefault(spec.group, QActionGroup(self))
                group.addAction(action)
            if spec.scope == Scope.VIEWPORT:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                viewport.addAction(action)
            else:
                window.addAction(action)
            handler = handlers[spec.id]
            action.triggered.connect(lambda _checked=False, handler=handler: handler())
            self._actions[spec.id] = action
        for signal in (
            session.document_replaced,
            session.history_changed,
            session.look_changed,
            session.scores_changed,
            session.score_changed,
            session.target_changed,
            session.views_changed,
            session.runner.changed,
        ):
            signal.connect(self.refresh)
        self.refresh()

    def __getitem__(self, id: str) -> QAction:
        return self._actions[id]

    def fill_menus(self, bar: QMenuBar) -> dict[str, QMenu]:
        """Make a menu of each of MENUS; they are returned by title."""
        menus = {title: bar.addMenu(f"&{title}") for title in MENUS}
        for title, menu in menus.items():
            menu.setToolTipsVisible(True)
            section = 0
            for spec in ACTIONS:
                if spec.menu != title:
                    continue
                if spec.section != section:
                    menu.addSeparator()
                    section = spec.section
                menu.addAction(self._actions[spec.id])
        return menus

    def fill_tool_bar(self, bar: QToolBar) -> None:
        """Put the actions of TOOL_BAR into it."""
        for number, ids in enumerate(TOOL_BAR):
            if number:
                bar.addSeparator()
            for id in ids:
                bar.addAction(self._actions[id])

    @Slot()
    def refresh(self) -> None:
        """Enable what can be used now, and say why the rest cannot."""
        session = self._session
        for spec in ACTIONS:
            action = self._actions[spec.id]
            usable = spec.needs is None or spec.needs.met(session)
            action.setEnabled(usable)
            action.setText(self._title(spec))
            action.setIconText(spec.short or spec.title)
            action.setToolTip(self._tool_tip(spec, usable))
        self._actions[MODE_ACTIONS[session.mode]].setChecked(True)

    def _title(self, spec: ActionSpec) -> str:
        undo, redo = _undo_names(self._session)
        name = {"edit.undo": undo, "edit.redo": redo}.get(spec.id)
        return spec.title if name is None else f"{spec.title} {name}"

    def _tool_tip(self, spec: ActionSpec, usable: bool) -> str:
        keys = keys_text(spec)
        title = self._title(spec).rstrip("…")
        lines = [f"{title} ({keys})" if keys else title]
        if spec.tip:
            lines.append(spec.tip)
        if not usable and spec.needs is not None:
            lines.append(spec.needs.reason)
        return "\n".join(lines)


def _undo_names(session: Session) -> tuple[str | None, str | None]:
    if session.document is None:
        return None, None
    history = session.document.history
    return history.undo_name, history.redo_name
