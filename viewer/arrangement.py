"""How much room the docks take: less in a small window, where those below fold to their tabs."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QToolButton

from viewer import theme
from viewer.layout import WORKSPACES, settings

BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea
LARGEST = 16_777_215
"""Qt's own limit of a widget's size."""
NARROW, LOW = 1280, 830
"""Below this width docks at the sides are narrower, below this height those below are folded."""
SIDE_WIDTHS, NARROW_SIDE_WIDTHS = (250, 340), (190, 295)
SCENE_HEIGHT, BOTTOM_HEIGHT = 285, 230
BUTTON_WIDTH = 30
FOLD_TIP = "Fold the panels below (Shift+F12)\nOnly their tabs stay; a click on one opens them."
OPEN_TIP = "Open the panels below (Shift+F12)"


class Arrangement(QObject):
    """Sizes the docks of a window, folds those at the bottom to their tabs and opens them.

    Folding by size ends once a person folds or opens them.

    Parameters
    ----------
    window
        The window with its docks.
    docks
        The docks by name, among them "scene", "sensitivity" and "histogram".
    """

    changed = Signal()

    def __init__(self, window: QMainWindow, docks: Mapping[str, QDockWidget]) -> None:
        super().__init__(window)
        self._window = window
        self._docks = docks
        self._narrow = False
        self._chosen: bool | None = None
        self._height = BOTTOM_HEIGHT
        self.folded = False
        self.button = QToolButton(window)
        self.button.setAutoRaise(True)
        self.button.setIconSize(QSize(14, 14))
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button.setAccessibleName("Fold or open the panels below")
        self.button.clicked.connect(self.toggle)
        self.button.hide()
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._follow_tabs)
        window.installEventFilter(self)

    def place(self, workspace: str) -> None:
        """Give every dock its first size, and show those of a workspace."""
        plan = WORKSPACES[workspace]
        for name, dock in self._docks.items():
            dock.setVisible(name in plan.shown)
        for name in plan.front:
            self._docks[name].raise_()
        self._chosen, self._height = None, BOTTOM_HEIGHT
        self._narrow = self._window.width() < NARROW
        self._set_widths()
        self.sync()
        vertical = [self._docks["histogram"], self._docks["scene"]]
        heights = [BOTTOM_HEIGHT, SCENE_HEIGHT]
        self._window.resizeDocks(vertical, heights, Qt.Orientation.Vertical)

    def save(self, workspace: str) -> None:
        """Remember whether the docks below were folded by hand."""
        chosen = "" if self._chosen is None else "yes" if self._chosen else "no"
        settings().setValue(f"window/folded/{workspace}", chosen)

    def restore(self, workspace: str) -> None:
        """Fold or open as it was left, after the docks of a workspace were put where they were."""
        stored = str(settings().value(f"window/folded/{workspace}", ""))
        self._chosen = {"yes": True, "no": False}.get(stored)
        self._narrow = self._window.width() < NARROW
        self.sync()

    @Slot()
    def toggle(self) -> None:
        """Fold the docks below, or open them, by hand."""
        in_front = [one for one in self._foldable() if not one.visibleRegion().isEmpty()]
        if in_front and not self.folded:
            self._height = in_front[0].height()
        self._chosen = not self.folded
        self.sync()

    def open_for(self, dock: QDockWidget) -> None:
        """Open the docks below if this is one of them."""
        if self.folded and dock in self._foldable():
            self._chosen = False
            self.sync()

    @Slot()
    def sync(self) -> None:
        """Fold or open as chosen, else as the height of the window asks for."""
        folded = self._window.height() < LOW if self._chosen is None else self._chosen
        foldable = self._foldable()
        for dock in self._docks.values():
            limit = 0 if folded and dock in foldable else LARGEST
            if dock.maximumHeight() != limit:
                dock.widget().setMaximumHeight(limit)
                dock.setMaximumHeight(limit)
        if self.folded and not folded and foldable:
            self._window.resizeDocks(foldable[:1], [self._height], Qt.Orientation.Vertical)
        changed = folded != self.folded
        self.folded = folded
        self._later.start()
        if changed:
            self.changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the window's size, and that of the bar with the tabs."""
        if event.type() == QEvent.Type.Resize and watched is self._window:
            self._fit()
        elif event.type() in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Hide):
            self._later.start()
        return False

    def _fit(self) -> None:
        narrow = self._window.width() < NARROW
        if narrow != self._narrow:
            self._narrow = narrow
            self._set_widths()
        self.sync()

    def _set_widths(self) -> None:
        widths = NARROW_SIDE_WIDTHS if self._narrow else SIDE_WIDTHS
        sides = [self._docks["scene"], self._docks["sensitivity"]]
        self._window.resizeDocks(sides, list(widths), Qt.Orientation.Horizontal)

    def _foldable(self) -> list[QDockWidget]:
        """The docks below that share a bar of tabs."""
        window = self._window
        below = [
            dock
            for dock in self._docks.values()
            if window.dockWidgetArea(dock) == BOTTOM and not dock.isFloating()
        ]
        shown = [dock for dock in below if not dock.isHidden()]
        return [
            dock
            for dock in below
            if any(other in shown for other in window.tabifiedDockWidgets(dock))
        ]

    @Slot()
    def _follow_tabs(self) -> None:
        """Stand at the end of the bar with the tabs, and open at a click on one."""
        titles = {dock.windowTitle() for dock in self._foldable()}
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        self.button.hide()
        for bar in self._window.findChildren(QTabBar, options=direct):
            if not bar.property("followed"):
                bar.setProperty("followed", True)
                bar.installEventFilter(self)
                bar.tabBarClicked.connect(self._tab_clicked)
            if bar.isVisible() and {bar.tabText(tab) for tab in range(bar.count())} <= titles:
                self._place_button(bar)

    def _place_button(self, bar: QTabBar) -> None:
        place = bar.geometry()
        left = place.right() + 1 - BUTTON_WIDTH
        self.button.setGeometry(left, place.top(), BUTTON_WIDTH, place.height())
        self.button.setIcon(theme.icon("unfold" if self.folded else "fold"))
        self.button.setToolTip(OPEN_TIP if self.folded else FOLD_TIP)
        self.button.show()
        self.button.raise_()

    @Slot(int)
    def _tab_clicked(self, _tab: int) -> None:
        bar = self.sender()
        if self.folded and isinstance(bar, QTabBar):
            titles = {dock.windowTitle() for dock in self._foldable()}
            if {bar.tabText(tab) for tab in range(bar.count())} <= titles:
                self._chosen = False
                self.sync()
