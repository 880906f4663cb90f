"""The main window: the viewport in the middle, panels around it."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
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
from viewer import commands, theme
from viewer.action_table import SIDE_BAR, TOOL_BAR
from viewer.actions import Actions
from viewer.arrangement import Arrangement
from viewer.centre import Centre
from viewer.files import Answer, FileCommands
from viewer.layout import (
    add_dock,
    forget_layouts,
    known_recent_files,
    last_workspace,
    recent_files,
    remember_file,
    restore_docks,
    restore_geometry,
    save_layout,
    show_title,
)
from viewer.look import BACKDROPS
from viewer.panels.cameras import CamerasPanel
from viewer.panels.compress import CompressPanel
from viewer.panels.histogram import HistogramPanel
from viewer.panels.history import HistoryPanel
from viewer.panels.jobs import JobsPanel
from viewer.panels.layers import LayersPanel
from viewer.panels.metrics import MetricsPanel
from viewer.panels.panel import Panel
from viewer.panels.prune import PrunePanel
from viewer.panels.refine import RefinePanel
from viewer.panels.scatter import ScatterPanel
from viewer.panels.scene import ScenePanel
from viewer.panels.sensitivity import SensitivityPanel
from viewer.panes import focus_inside, has_focus, in_front, move_focus
from viewer.preferences import Preferences, Values
from viewer.session import Session
from viewer.thumbnails import save_thumbnail
from viewer.tools.context import ToolContext
from viewer.tools.kit import make_tools
from viewer.widgets.messages import Action, MessageLog, Toasts
from viewer.widgets.palette import CommandPalette
from viewer.widgets.preferences_dialog import PreferencesDialog
from viewer.widgets.shortcut_sheet import ShortcutSheet
from viewer.widgets.status_bar import StatusBar

DEFAULT_SIZE = (1600, 1000)
MINIMUM_SIZE = (1100, 700)
TITLE_PX = 40
"""Room for the bar that a desktop puts above a window."""
THUMBNAIL_MS = 1500

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
        room = self.screen().availableSize() - QSize(0, TITLE_PX)
        self.resize(QSize(*DEFAULT_SIZE).boundedTo(room))
        self.setAcceptDrops(True)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        for corner, area in (
            (Qt.Corner.BottomLeftCorner, LEFT),
            (Qt.Corner.BottomRightCorner, RIGHT),
        ):
            self.setCorner(corner, area)

        self.preferences = Preferences(self)
        self.centre = Centre(session)
        self.viewport = self.centre.viewport
        self.setCentralWidget(self.centre)
        self.files = FileCommands(self, session, self.viewport)
        context = ToolContext(
            session, self.viewport.toolbox, self.viewport.camera, self.viewport.devicePixelRatioF
        )
        self.tools = make_tools(context)
        self._hidden_docks: list[QDockWidget] = []
        self.workspace = ""
        self._make_docks()
        self.arrangement = Arrangement(self, self.docks)
        self.actions_ = Actions(
            self,
            self.viewport,
            session,
            commands.handlers(self),
            commands.checks(self),
            commands.held(self),
            commands.needs(self),
        )
        self.palette_ = CommandPalette(self, self.actions_, recent_files)
        self._fill_bars()
        self.status = StatusBar(session)
        self.setStatusBar(self.status)
        self.toasts = Toasts(self.centre, self.viewport, lambda: self.centre.compare_marks.reach)
        self._preferred = Values()
        self._connect()
        self._factory_state = self.saveState()
        if self.preferences.values.restore_layout:
            restore_geometry(self)
        self.set_workspace(last_workspace())
        self._apply_preferences()
        self._refresh_title()
        self._refresh_recent()
        self.viewport.setFocus()

    def _make_docks(self) -> None:
        session = self.session
        self.scene_panel = ScenePanel(session)
        self.cameras_panel = CamerasPanel(session, self.viewport.camera)
        self.sensitivity_panel = SensitivityPanel(session)
        self.prune_panel = PrunePanel(session)
        self.refine_panel = RefinePanel(session)
        self.compress_panel = CompressPanel(session)
        self.layers_panel = LayersPanel(session)
        self.histogram_panel = HistogramPanel(session)
        self.scatter_panel = ScatterPanel(session)
        self.metrics_panel = MetricsPanel(session)
        self.jobs_panel = JobsPanel(session)
        self.history_panel = HistoryPanel(session)
        self.message_log = MessageLog()
        self.docks: dict[str, QDockWidget] = {
            name: add_dock(self, area, name, title, content)
            for area, name, title, content in (
                (LEFT, "scene", "Scene", self.scene_panel),
                (LEFT, "cameras", "Cameras", self.cameras_panel),
                (RIGHT, "sensitivity", "Sensitivity", self.sensitivity_panel),
                (RIGHT, "prune", "Prune", self.prune_panel),
                (RIGHT, "refine", "Refine", self.refine_panel),
                (RIGHT, "compress", "Compress", self.compress_panel),
                (RIGHT, "layers", "Layers", self.layers_panel),
                (BOTTOM, "histogram", "Data", self.histogram_panel),
                (BOTTOM, "scatter", "Scatter", self.scatter_panel),
                (BOTTOM, "metrics", "Metrics", self.metrics_panel),
                (BOTTOM, "jobs", "Jobs", self.jobs_panel),
                (BOTTOM, "history", "History", self.history_panel),
                (BOTTOM, "messages", "Messages", self.message_log),
            )
        }
        for panel in (self.refine_panel, self.compress_panel, self.layers_panel):
            self.docks[panel.title.lower()].visibilityChanged.connect(panel.follow_dock)
        self.tabifyDockWidget(self.docks["sensitivity"], self.docks["prune"])
        self.tabifyDockWidget(self.docks["prune"], self.docks["refine"])
        self.tabifyDockWidget(self.docks["refine"], self.docks["compress"])
        self.tabifyDockWidget(self.docks["compress"], self.docks["layers"])
        for name in ("scatter", "metrics", "jobs", "history", "messages"):
            self.tabifyDockWidget(self.docks["histogram"], self.docks[name])

    def set_workspace(self, name: str) -> None:
        """Arrange the panels for one kind of work, as they were left there."""
        if self.workspace:
            self._save_layout()
        self.workspace = name
        if self.preferences.values.restore_layout and restore_docks(self, name):
            self.arrangement.restore(name)
        else:
            self.restoreState(self._factory_state)
            self.arrangement.place(name)
        self._sync_docks()

    def _save_layout(self) -> None:
        save_layout(self, self.workspace)
        self.arrangement.save(self.workspace)

    def _fill_bars(self) -> None:
        self.menus = self.actions_.fill_menus(self.menuBar())
        self.recent_menu = QMenu("Open Recent", self)
        self.menus["File"].insertMenu(self.actions_["file.open_demo"], self.recent_menu)
        self.recent_menu.aboutToShow.connect(self._refresh_recent)
        find = QToolButton(self.menuBar())
        find.setDefaultAction(self.actions_["app.palette"])
        find.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        find.setAutoRaise(True)
        find.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.menuBar().setCornerWidget(find)
        bar = self._tool_bar("Tool Bar", TOOL_BAR)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        for id in ("edit.undo", "edit.redo", *TOOL_BAR[-1]):
            button = bar.widgetForAction(self.actions_[id])
            if isinstance(button, QToolButton):
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.addToolBar(bar)
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self._tool_bar("Tools", SIDE_BAR))

    def _tool_bar(self, title: str, groups: tuple[tuple[str, ...], ...]) -> QToolBar:
        bar = QToolBar(title)
        bar.setObjectName(title.replace(" ", "").lower())
        bar.setMovable(False)
        self.actions_.fill_tool_bar(bar, groups)
        return bar

    def _connect(self) -> None:
        session, viewport, welcome = self.session, self.viewport, self.centre.welcome
        session.notified.connect(self._notify)
        session.crashed.connect(self._tell_crash)
        session.other_scene_found.connect(self._offer_scene)
        session.document_replaced.connect(self._document_replaced)
        session.runner.changed.connect(self._refresh_welcome)
        session.history_changed.connect(self._refresh_title)
        viewport.frame_shown.connect(self.status.show_frame)
        viewport.probed.connect(self.status.show_probe)
        for changed in (viewport.mode_changed, viewport.toolbox.changed):
            changed.connect(self.actions_.refresh)
        viewport.camera_changed.connect(self.prune_panel.camera_changed)
        viewport.camera_changed.connect(self.cameras_panel.camera_moved)
        viewport.camera_changed.connect(session.peeling.camera_moved)
        viewport.camera_changed.connect(self.layers_panel.camera_moved)
        session.peeling.set_view(viewport.camera, lambda: viewport.navigator.depth_offset)
        layers = self.layers_panel
        layers.edit.set_camera_source(viewport.camera)
        layers.image.open_asked.connect(self.files.ask_image)
        layers.image.paste_asked.connect(self.files.paste_image)
        layers.image.model_asked.connect(self.files.ask_model)
        layers.image.model_chosen.connect(self.files.use_model)
        self.prune_panel.set_camera_source(viewport.camera)
        self.prune_panel.score_button.clicked.connect(self.sensitivity_panel.run)
        cameras = self.cameras_panel
        cameras.view_chosen.connect(viewport.show_view)
        viewport.view_shown.connect(cameras.mark_view)
        metrics = self.metrics_panel
        panels = (self.sensitivity_panel, self.refine_panel, self.compress_panel)
        for panel in (cameras, metrics, *panels):
            panel.attach_asked.connect(self.files.ask_dataset)
        self.compress_panel.save_asked.connect(self.files.ask_trial)
        self.files.measure_asked.connect(self.compress_panel.try_formats)
        self._connect_layers()
        session.refining.offered.connect(self._offer)
        session.refining.withdrawn.connect(self.toasts.withdraw)
        metrics.view_chosen.connect(viewport.show_view)
        metrics.camera_chosen.connect(viewport.go_to)
        viewport.view_shown.connect(metrics.mark_view)
        metrics.csv_asked.connect(partial(self.files.ask_csv, metrics.measuring.save))
        cameras.next_asked.connect(viewport.next_view)
        cameras.previous_asked.connect(viewport.previous_view)
        cameras.nearest_asked.connect(viewport.nearest_view)
        welcome.open_asked.connect(self.files.ask_scene)
        welcome.dataset_asked.connect(self.files.ask_scene_with_photos)
        welcome.train_asked.connect(self.files.ask_training)
        welcome.image_asked.connect(self.files.ask_image)
        welcome.demo_asked.connect(self.files.open_demo)
        welcome.recent_asked.connect(self.files.open)
        self.palette_.recent_asked.connect(self.files.open)
        self.preferences.changed.connect(self._apply_preferences)
        self.arrangement.changed.connect(self.actions_.refresh)
        session.compare.changed.connect(self.toasts.place)
        for dock in self.docks.values():
            for moved in (dock.visibilityChanged, dock.topLevelChanged, dock.dockLocationChanged):
                moved.connect(self._sync_docks)
        self._thumbnail_timer = QTimer(self, singleShot=True, interval=THUMBNAIL_MS)
        self._thumbnail_timer.timeout.connect(self._save_thumbnail)

    def _connect_layers(self) -> None:
        panel, files = self.layers_panel, self.files
        figure, edges, export = panel.figure, panel.edges, panel.export
        mask, lines = figure.truth_button.suffixes, edges.truth_button.suffixes
        figure.truth_asked.connect(
            partial(files.ask_truth, "Load a True Mask", mask, figure.load_truth)
        )
        figure.save_asked.connect(partial(files.ask_mask, figure.save))
        edges.truth_asked.connect(
            partial(files.ask_truth, "Load True Edges", lines, edges.load_truth)
        )
        export.folder_asked.connect(
            partial(files.ask_folder, "Export Layers To", export.choose_folder)
        )

    @Slot()
    def _apply_preferences(self) -> None:
        values, before = self.preferences.values, self._preferred
        self._preferred = values
        application = QApplication.instance()
        if isinstance(application, QApplication):
            theme.apply_theme(application, values.theme)
        if (values.colormap, values.engine) != (before.colormap, before.engine):
            self.session.set_look(colormap=values.colormap, engine=values.engine)
        if values.background != before.background:
            self.session.set_background(BACKDROPS[values.background])
        if values.generated_views != before.generated_views:
            self.sensitivity_panel.views_spin.setValue(values.generated_views)
        if (values.fly_speed, values.orbit_speed, values.invert_wheel) != (
            before.fly_speed,
            before.orbit_speed,
            before.invert_wheel,
        ):
            self.viewport.set_speeds(values.fly_speed, values.orbit_speed, values.invert_wheel)
        self.files.asks_before_discarding = values.ask_before_discarding
        self._limit_history()

    def _limit_history(self) -> None:
        if self.session.document is not None:
            self.session.document.history.max_bytes = self._preferred.undo_memory_mb * 10**6
            self.history_panel.refresh()

    @Slot()
    def _save_thumbnail(self) -> None:
        """Keep a small picture of the open scene for the list of recent files."""
        document = self.session.document
        if document is None or document.path is None:
            return
        if self.viewport.settled:
            save_thumbnail(document.path, self.viewport.screenshot())
        else:
            self._thumbnail_timer.start()

    def active_panel(self) -> Panel:
        """The panel of the right side that has the focus, or else is in front."""
        panels = (
            self.sensitivity_panel,
            self.prune_panel,
            self.refine_panel,
            self.compress_panel,
            self.layers_panel,
        )
        focus = QApplication.focusWidget()
        for panel in panels:
            if focus is not None and panel.isAncestorOf(focus):
                return panel
        return next((panel for panel in panels if in_front(panel)), self.sensitivity_panel)

    @Slot()
    def reset_layout(self) -> None:
        """Put every panel back to its first place, in every workspace."""
        forget_layouts()
        self.restoreState(self._factory_state)
        self.arrangement.place(self.workspace)
        self._sync_docks()

    @Slot(str, str)
    def _notify(
        self, level: str, text: str, details: str = "", action: Action | None = None
    ) -> None:
        self.message_log.add(level, text, details)
        self.toasts.show(level, text, details, action)

    @Slot(Path, Path)
    def _offer_scene(self, scene: Path, folder: Path) -> None:
        """Tell that attached photos have a scene of their own, and offer to open that."""
        self._notify(
            "warning",
            f"{folder.name} has a scene of its own, {scene.name}. Its cameras fit the scene that "
            "is open only if both are in the same place.",
            action=("Open that scene", lambda: self.files.open_folder(folder)),
        )

    @Slot(str)
    def _offer(self, text: str) -> None:
        """Tell of a run that was stopped, and let a person keep what it had."""
        self._notify("info", text, action=("Keep what it has", self.session.refining.keep))

    @Slot(str, str)
    def _tell_crash(self, text: str, details: str) -> None:
        self._notify("error", text, details)

    @Slot()
    def _document_replaced(self) -> None:
        document = self.session.document
        if document is not None and document.path is not None:
            remember_file(document.path)
        self._refresh_recent()
        self._refresh_title()
        self._refresh_welcome()
        self._limit_history()
        self._thumbnail_timer.start()
        image = self.session.imaging.source is not None
        if image or self.session.untrained:
            dock = self.docks["layers" if image else "refine"]
            dock.show()
            dock.raise_()
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
        self.setWindowTitle(f"{self.session.title}[*] – Splatscope")
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
        self.centre.welcome.show_recent(known_recent_files())

    @Slot()
    def _sync_docks(self) -> None:
        """Check the shown panels in the menu; tabs need no title bar below them."""
        for dock in self.docks.values():
            tabs = [other for other in self.tabifiedDockWidgets(dock) if not other.isHidden()]
            show_title(dock, dock.isFloating() or not tabs)
        self.arrangement.sync()
        self.actions_.refresh()

    def toggle_dock(self, name: str) -> None:
        """Bring a panel to the front and the focus into it; hide it if both were so already."""
        dock = self.docks[name]
        first = in_front(dock.widget())
        if first and has_focus(dock):
            dock.hide()
        else:
            dock.show()
            dock.raise_()
            self.arrangement.open_for(dock)
            focus_inside(dock.widget())
            if first and not has_focus(dock):
                dock.hide()
        self._sync_docks()

    def toggle_all_docks(self) -> None:
        shown = [dock for dock in self.docks.values() if not dock.isHidden()]
        if shown:
            self._hidden_docks = shown
        for dock in self._hidden_docks:
            dock.setVisible(not shown)

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def move_focus(self, step: int) -> None:
        panes: list[QWidget] = [self.viewport]
        panes += [dock.widget() for dock in self.docks.values() if in_front(dock.widget())]
        move_focus(panes, step)

    def show_preferences(self) -> None:
        """Let a person change the preferences; they apply at once."""
        dialog = PreferencesDialog(self.preferences, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_help(self) -> None:
        """Show the keys; a sheet that is open already comes to the front."""
        sheet = self.findChild(ShortcutSheet) or ShortcutSheet(self)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()
        sheet.raise_()
        sheet.activateWindow()

    def show_about(self) -> None:
        box = QMessageBox(self)
        box.setWindowTitle("About Splatscope")
        box.setIconPixmap(theme.icon("splatscope", "accent").pixmap(56, 56))
        box.setText(f"<b>Splatscope {__version__}</b>")
        box.setInformativeText(
            "See what every Gaussian is worth, and keep only those that matter.\n\n"
            "Free software under the GNU General Public License, version 3 or later."
        )
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.WindowStateChange:
            self.actions_.refresh()
        super().changeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_paths(event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _dropped_paths(event.mimeData().urls())
        event.acceptProposedAction()
        self.files.open_dropped(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        event.ignore()
        if self.session.runner.busy and not self._may_stop_job():
            return
        answer = self.files.unsaved_answer()
        if answer == Answer.EXPORT:
            self.files.ask_export(then=self.close)
        elif answer == Answer.PROCEED:
            self._save_layout()
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


def _dropped_paths(urls: list[QUrl]) -> list[Path]:
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
