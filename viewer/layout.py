"""The docks of the window, its workspaces, and what is remembered between runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

LAYOUT_VERSION = 4
MAX_RECENT = 10


@dataclass(frozen=True, slots=True)
class Workspace:
    """Which panels one kind of work needs: those shown, and of those the ones in front."""

    shown: frozenset[str]
    front: tuple[str, ...]


WORKSPACES = {
    "inspect": Workspace(
        frozenset(
            {"scene", "cameras", "sensitivity", "prune", "refine", "compress", "layers"}
            | {"histogram", "scatter", "metrics", "jobs", "history", "messages"}
        ),
        ("sensitivity", "histogram"),
    ),
    "prune": Workspace(
        frozenset(
            {"scene", "cameras", "sensitivity", "prune", "refine", "compress"}
            | {"histogram", "metrics", "jobs", "history"}
        ),
        ("prune", "histogram"),
    ),
    "clean": Workspace(
        frozenset({"scene", "cameras", "sensitivity", "prune", "histogram", "scatter", "history"}),
        ("prune", "scatter"),
    ),
}
FIRST_WORKSPACE = "inspect"


def settings() -> QSettings:
    """The settings of this person, an INI file in the usual place of the system."""
    return QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "Splatscope", "Splatscope"
    )


def add_dock(
    window: QMainWindow, area: Qt.DockWidgetArea, name: str, title: str, content: QWidget
) -> QDockWidget:
    """Put a panel into a dock; ``name`` finds its place again in a saved layout."""
    dock = QDockWidget(title, window)
    dock.setObjectName(f"dock.{name}")
    dock.setWidget(content)
    dock.toggleViewAction().setToolTip(f"Show or hide {title}")
    window.addDockWidget(area, dock)
    return dock


def show_title(dock: QDockWidget, wanted: bool) -> None:
    """Give a dock its usual title bar, or none."""
    if wanted == (dock.titleBarWidget() is None):
        return
    previous = dock.titleBarWidget()
    bar = None if wanted else QWidget(dock)
    dock.setTitleBarWidget(bar)  # type: ignore[arg-type]
    if previous is not None:
        previous.deleteLater()


def save_layout(window: QMainWindow, workspace: str) -> None:
    """Remember size and place of the window, and the docks of the workspace."""
    store = settings()
    store.setValue("window/geometry", window.saveGeometry())
    store.setValue("window/workspace", workspace)
    store.setValue(f"window/state/{workspace}", window.saveState(LAYOUT_VERSION))


def restore_geometry(window: QMainWindow) -> None:
    """Put the window where it was, if that is known."""
    geometry = settings().value("window/geometry")
    if geometry is not None:
        window.restoreGeometry(geometry)


def restore_docks(window: QMainWindow, workspace: str) -> bool:
    """Put the docks of a workspace where they were; whether that is known."""
    state = settings().value(f"window/state/{workspace}")
    return state is not None and window.restoreState(state, LAYOUT_VERSION)


def forget_layouts() -> None:
    """Forget where docks were, in every workspace."""
    for key in ("window/state", "window/folded"):
        settings().remove(key)


def last_workspace() -> str:
    """The workspace of the last run."""
    name = str(settings().value("window/workspace", FIRST_WORKSPACE))
    return name if name in WORKSPACES else FIRST_WORKSPACE


def known_recent_files() -> list[Path]:
    """Scenes opened last, newest first, whether they still exist or not."""
    stored: Any = settings().value("recent", [])
    return [Path(name) for name in ([stored] if isinstance(stored, str) else list(stored or []))]


def recent_files() -> list[Path]:
    """Scenes opened last that still exist, newest first."""
    return [path for path in known_recent_files() if path.is_file()]


def remember_file(path: Path) -> None:
    """Put a scene at the head of the recent files."""
    path = path.resolve()
    paths = [path, *(known for known in recent_files() if known != path)]
    settings().setValue("recent", [str(known) for known in paths[:MAX_RECENT]])
