"""The main window: the viewport in the middle, panels around it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QUrl, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QMenu,
    QMessageBox,
    QTabWidget,
    QToolBar,
    QToolButton,
    QWidget,
)

from core import __version__
from viewer.actions import Actions
from viewer.files import Answer, FileCommands
from viewer.layout import (
    add_dock,
    recent_files,
    remember_file,
    restore_layout,
    save_layout,
    show_title,
)
from viewer.look import Mode
from viewer.panels.histogram import HistogramPanel
from viewer.panels.panel import Panel
from viewer.panels.prune import PrunePanel
from viewer.panels.scene import ScenePanel
from viewer.panels.sensitivity import SensitivityPanel
from viewer.session import Session
from viewer.viewport.viewport import Viewport
from viewer.widgets.messages import MessageLog, Toasts
from viewer.widgets.shortcut_sheet import ShortcutSheet
from viewer.widgets.status_bar import StatusBar
from viewer.widgets.welcome import Welcome

DEFAULT_SIZE = (1600, 1000)
MINIMUM_SIZE = (1100, 700)
SIDE_WIDTHS = (250, 340)
BOTTOM_HEIGHT = 230

LEFT = Qt.DockWidgetArea.LeftDockWidgetArea
RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea


class MainWindow(QMainWindow):
    """Puts the parts together; what they do is in the session, the viewport and the panels."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setObjectName("main")
        self.setMinimumSize(*MINIMUM_SIZE)
        self.resize(*DEFAULT_SIZE)
        self.setAcceptDrops(True)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        for corner, area in (
            (Qt.Corner.BottomLeftCorner, LEFT),
            (Qt.Corner.BottomRightCorner, RIGHT),
        ):
            self.setCorner(corner, area)

        self.centre = Centre(session)
        self.viewport = self.centre.viewport
        self.setCentralWidget(self.centre)
        self.files = FileCommands(self, session, self.viewport.screenshot)
        self._make_docks()
        self.actions_ = Actions(self, self.viewport, session, self._handlers())
        self._fill_bars()
        self.status = StatusBar(session)
        self.setStatusBar(self.status)
        self.toasts = Toasts(self.centre)
        self._connect()
        self._factory_state = self.saveState()
        restore_layout(self)
        self._refresh_title()
        self._refresh_recent()
        self._sync_docks()
        self.viewport.setFocus()

    def _make_docks(self) -> None:
        self.scene_panel = ScenePanel(self.session)
        self.sensitivity_panel = SensitivityPanel(self.session)
        self.prune_panel = PrunePanel(self.session)
        self.histogram_panel = HistogramPanel(self.session)
        self.message_log = MessageLog()
        self.docks: dict[str, QDockWidget] = {
            name: add_dock(self, area, name, title, content)
            for area, name, title, content in (
                (LEFT, "scene", "Scene", self.scene_panel),
                (RIGHT, "sensitivity", "Sensitivity", self.sensitivity_panel),
                (RIGHT, "prune", "Prune", self.prune_panel),
                (BOTTOM, "histogram", "Histogram", self.histogram_panel),
                (BOTTOM, "jobs", "Messages", self.message_log),
            )
        }
        self.tabifyDockWidget(self.docks["sensitivity"], self.docks["prune"])
        self.tabifyDockWidget(self.docks["histogram"], self.docks["jobs"])
        self._place_docks()

    def _place_docks(self) -> None:
        self.docks["sensitivity"].raise_()
        self.docks["histogram"].raise_()
        sides = [self.docks["scene"], self.docks["sensitivity"]]
        self.resizeDocks(sides, list(SIDE_WIDTHS), Qt.Orientation.Horizontal)
        self.resizeDocks([self.docks["histogram"]], [BOTTOM_HEIGHT], Qt.Orientation.Vertical)

    def _handlers(self) -> dict[str, Callable[[], object]]:
        session, viewport, files = self.session, self.viewport, self.files
        handlers: dict[str, Callable[[], object]] = {
            "file.open": files.ask_scene,
            "file.open_demo": files.open_demo,
            "file.open_dataset": files.ask_dataset,
            "file.export": files.ask_export,
            "file.screenshot": files.ask_screenshot,
            "app.quit": self.close,
            "edit.undo": session.undo,
            "edit.redo": session.redo,
            "prune.apply": session.apply_prune,
            "prune.reset": lambda: session.set_target(None),
            "view.mode_rgb": lambda: session.set_mode(Mode.COLOR),
            "view.mode_sens": lambda: session.set_mode(Mode.HEATMAP),
            "view.mode_depth": lambda: session.set_mode(Mode.DEPTH),
            "cam.frame": viewport.frame_scene,
            "cam.reset": viewport.reset_view,
            "cam.prev": viewport.previous_view,
            "cam.next": viewport.next_view,
            "app.fullscreen": self._toggle_full_screen,
            "job.run": lambda: self.active_panel().run(),
            "job.pause": session.runner.toggle_pause,
            "job.cancel": session.runner.cancel,
            "panel.hide_all": self._toggle_all_docks,
            "panel.reset_layout": self.reset_layout,
            "app.next_pane": lambda: self._move_focus(1),
            "app.prev_pane": lambda: self._move_focus(-1),
            "app.help": self._show_help,
            "app.about": self._show_about,
        }
        for name in self.docks:
            handlers[f"panel.{name}"] = partial(self._toggle_dock, name)
        return handlers

    def _fill_bars(self) -> None:
        self.menus = self.actions_.fill_menus(self.menuBar())
        self.recent_menu = QMenu("Open Recent", self)
        self.menus["File"].insertMenu(self.actions_["file.open_demo"], self.recent_menu)
        self.recent_menu.aboutToShow.connect(self._refresh_recent)
        bar = QToolBar("Tool Bar")
        bar.setObjectName("toolbar")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.actions_.fill_tool_bar(bar)
        for id in ("edit.undo", "edit.redo"):
            button = bar.widgetForAction(self.actions_[id])
            if isinstance(button, QToolButton):
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.addToolBar(bar)

    def _connect(self) -> None:
        session, welcome = self.session, self.centre.welcome
        session.notified.connect(self._notify)
        session.document_replaced.connect(self._document_replaced)
        session.runner.changed.connect(self._refresh_welcome)
        session.history_changed.connect(self._refresh_title)
        self.viewport.frame_shown.connect(self.status.show_frame)
        self.scene_panel.view_chosen.connect(self.viewport.show_view)
        self.viewport.view_shown.connect(self.scene_panel.mark_view)
        self.scene_panel.attach_asked.connect(self.files.ask_dataset)
        self.prune_panel.score_button.clicked.connect(self.sensitivity_panel.run)
        welcome.open_asked.connect(self.files.ask_scene)
        welcome.demo_asked.connect(self.files.open_demo)
        welcome.recent_asked.connect(self.files.open)
        for dock in self.docks.values():
            for moved in (dock.visibilityChanged, dock.topLevelChanged, dock.dockLocationChanged):
                moved.connect(self._sync_docks)

    def active_panel(self) -> Panel:
        """The panel of the right side that has the focus, or else is in front."""
        panels = (self.sensitivity_panel, self.prune_panel)
        focus = QApplication.focusWidget()
        for panel in panels:
            if focus is not None and panel.isAncestorOf(focus):
                return panel
        return next((panel for panel in panels if _in_front(panel)), self.sensitivity_panel)

    @Slot()
    def reset_layout(self) -> None:
        """Put every panel back to its first place."""
        self.restoreState(self._factory_state)
        self._place_docks()

    @Slot(str, str)
    def _notify(self, level: str, text: str) -> None:
        self.message_log.add(level, text)
        self.toasts.show(level, text)

    @Slot()
    def _document_replaced(self) -> None:
        document = self.session.document
        if document is not None and document.path is not None:
            remember_file(document.path)
        self._refresh_recent()
        self._refresh_title()
        self._refresh_welcome()
        self.viewport.setFocus()

    @Slot()
    def _refresh_welcome(self) -> None:
        session = self.session
        self.centre.welcome.setVisible(session.document is None and not session.runner.busy)

    @Slot()
    def _refresh_title(self) -> None:
        document = self.session.document
        if document is None:
            self.setWindowTitle("Splatscope")
            self.setWindowModified(False)
            return
        name = document.path.name if document.path else "Untitled"
        self.setWindowTitle(f"{name}[*] – Splatscope")
        self.setWindowModified(document.modified)

    @Slot()
    def _refresh_recent(self) -> None:
        paths = recent_files()
        self.recent_menu.clear()
        self.recent_menu.setEnabled(bool(paths))
        for path in paths:
            action = self.recent_menu.addAction(path.name)
            action.setToolTip(str(path))
            action.triggered.connect(lambda _checked=False, path=path: self.files.open(path))
        self.centre.welcome.show_recent(paths)

    @Slot()
    def _sync_docks(self) -> None:
        """Check the shown panels in the menu; tabs need no title bar below them."""
        for name, dock in self.docks.items():
            self.actions_[f"panel.{name}"].setChecked(not dock.isHidden())
            show_title(dock, dock.isFloating() or not self.tabifiedDockWidgets(dock))

    def _toggle_dock(self, name: str) -> None:
        """Bring a panel to the front and the focus into it; hide it if both were so already."""
        dock = self.docks[name]
        in_front = _in_front(dock.widget())
        if in_front and _has_focus(dock):
            dock.hide()
        else:
            dock.show()
            dock.raise_()
            _focus_inside(dock.widget())
            if in_front and not _has_focus(dock):
                dock.hide()
        self._sync_docks()

    def _toggle_all_docks(self) -> None:
        shown = [dock for dock in self.docks.values() if not dock.isHidden()]
        if shown:
            self._hidden_docks = shown
        for dock in self._hidden_docks:
            dock.setVisible(not shown)

    def _toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _move_focus(self, step: int) -> None:
        panes: list[QWidget] = [self.viewport]
        panes += [dock.widget() for dock in self.docks.values() if _in_front(dock.widget())]
        focus = QApplication.focusWidget()
        here = 0
        if focus is not None:
            inside = (
                n for n, pane in enumerate(panes) if pane is focus or pane.isAncestorOf(focus)
            )
            here = next(inside, 0)
        for steps in range(1, len(panes) + 1):
            if _focus_inside(panes[(here + steps * step) % len(panes)]):
                return

    def _show_help(self) -> None:
        sheet = ShortcutSheet(self)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()

    def _show_about(self) -> None:
        box = QMessageBox(self)
        box.setWindowTitle("About Splatscope")
        box.setText(f"Splatscope {__version__}")
        box.setInformativeText(
            "See what every Gaussian is worth, and keep only those that matter.\n\n"
            "Free software under the GNU General Public License, version 3 or later."
        )
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.WindowStateChange:
            self.actions_["app.fullscreen"].setChecked(self.isFullScreen())
        super().changeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_paths(event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _dropped_paths(event.mimeData().urls())
        event.acceptProposedAction()
        if len(paths) > 1:
            self.session.notified.emit(
                "warning", f"One at a time: opening {paths[0].name}, the first of {len(paths)}."
            )
        if paths:
            self.files.open(paths[0])

    def closeEvent(self, event: QCloseEvent) -> None:
        event.ignore()
        if self.session.runner.busy and not self._may_stop_job():
            return
        answer = self.files.unsaved_answer()
        if answer == Answer.EXPORT:
            self.files.ask_export(then=self.close)
        elif answer == Answer.PROCEED:
            save_layout(self)
            self.viewport.shut_down()
            self.session.shut_down()
            event.accept()

    def _may_stop_job(self) -> bool:
        job = self.session.runner.job
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("A job is running")
        box.setText(f"{job.name if job else 'A job'} is still running.")
        box.setInformativeText("Its result is lost if you quit now.")
        quit_button = box.addButton("Cancel job and quit", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton("Keep running", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        box.exec()
        return box.clickedButton() is quit_button


class Centre(QWidget):
    """The viewport, and over it the welcome page while no scene is open."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewport = Viewport(session)
        self.viewport.setParent(self)
        self.viewport.setAccessibleName("Viewport")
        self.welcome = Welcome(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.viewport.setGeometry(self.rect())
        self.welcome.setGeometry(self.rect())


def _dropped_paths(urls: list[QUrl]) -> list[Path]:
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]


def _in_front(widget: QWidget) -> bool:
    return widget.isVisible() and not widget.visibleRegion().isEmpty()


def _has_focus(widget: QWidget) -> bool:
    focus = QApplication.focusWidget()
    return focus is not None and widget.isAncestorOf(focus)


def _focus_inside(pane: QWidget) -> bool:
    """Give the keyboard to a pane, or to the first in it that takes keys; whether one does."""
    for widget in (pane, *pane.findChildren(QWidget)):
        takes_keys = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if takes_keys and widget.isVisible() and widget.isEnabled():
            widget.setFocus(Qt.FocusReason.TabFocusReason)
            return True
    return False
