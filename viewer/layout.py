"""The docks of the window, their first places, and what is remembered between runs."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

LAYOUT_VERSION = 1
MAX_RECENT = 10


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


def save_layout(window: QMainWindow) -> None:
    """Remember size, place and docks of the window."""
    store = settings()
    store.setValue("window/geometry", window.saveGeometry())
    store.setValue("window/state", window.saveState(LAYOUT_VERSION))


def restore_layout(window: QMainWindow) -> bool:
    """Put the window where it was; whether anything was remembered."""
    store = settings()
    geometry, state = store.value("window/geometry"), store.value("window/state")
    if geometry is not None:
        window.restoreGeometry(geometry)
    return state is not None and window.restoreState(state, LAYOUT_VERSION)


def recent_files() -> list[Path]:
    """Scenes opened last that still exist, newest first."""
    stored: Any = settings().value("recent", [])
    names = [stored] if isinstance(stored, str) else list(stored or [])
    return [path for path in map(Path, names) if path.is_file()]


def remember_file(path: Path) -> None:
    """Put a scene at the head of the recent files."""
    path = path.resolve()
    paths = [path, *(known for known in recent_files() if known != path)]
    settings().setValue("recent", [str(known) for known in paths[:MAX_RECENT]])
