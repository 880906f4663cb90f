"""How much room docks take: in a small window less, and those below fold to their tabs."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTabBar

from tests.viewer.panel_stage import LEFT, pause
from tests.viewer.window_stage import write_scene
from viewer.arrangement import NARROW_SIDE_WIDTHS, SIDE_WIDTHS
from viewer.main_window import MINIMUM_SIZE, MainWindow
from viewer.session import Session

LARGE = 1500, 950
BELOW = Qt.DockWidgetArea.BottomDockWidgetArea


@pytest.fixture
def make_window(qtbot) -> Iterator[Callable[..., MainWindow]]:
    windows = []

    def make(width: int = LARGE[0], height: int = LARGE[1]) -> MainWindow:
        window = MainWindow(Session())
        windows.append(window)
        window.resize(width, height)
        window.show()
        qtbot.waitExposed(window)
        window.activateWindow()
        QTest.qWaitForWindowActive(window)
        pause(20)
        return window

    yield make
    for window in windows:
        window.close()
        window.deleteLater()


def below(window: MainWindow) -> list[str]:
    """Names of the docks that are shown below the picture."""
    return [
        name
        for name, dock in window.docks.items()
        if window.dockWidgetArea(dock) == BELOW and not dock.isHidden()
    ]


def tab_bar(window: MainWindow) -> QTabBar:
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    titles = {window.docks[name].windowTitle() for name in below(window)}
    for bar in window.findChildren(QTabBar, options=direct):
        if bar.isVisible() and {bar.tabText(tab) for tab in range(bar.count())} & titles:
            return bar
    raise AssertionError("the docks below have no tabs")


def click_tab(window: MainWindow, title: str) -> None:
    bar = tab_bar(window)
    number = next(tab for tab in range(bar.count()) if bar.tabText(tab) == title)
    QTest.mouseClick(bar, LEFT, pos=bar.tabRect(number).center())
    pause(20)


def seen(window: MainWindow, name: str) -> bool:
    return not window.docks[name].visibleRegion().isEmpty()


def test_the_smallest_window_leaves_the_picture_room(qtbot, make_window, tmp_path) -> None:
    window = make_window(*MINIMUM_SIZE)
    window.session.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.runner.busy)
    pause(20)
    assert window.viewport.width() >= 560
    assert window.viewport.height() >= 430
    assert (window.width(), window.height()) == MINIMUM_SIZE
    for panel in (
        window.sensitivity_panel,
        window.prune_panel,
        window.refine_panel,
        window.compress_panel,
    ):
        assert panel.widget().minimumSizeHint().width() <= panel.viewport().width()
    bar = tab_bar(window)
    assert bar.count() == len(below(window))
    assert bar.tabRect(bar.count() - 1).right() < bar.width() - window.arrangement.button.width()


def test_a_large_window_shows_the_panels_below(make_window) -> None:
    window = make_window()
    assert not window.arrangement.folded
    assert seen(window, "histogram")
    assert window.docks["scene"].width() == pytest.approx(SIDE_WIDTHS[0], abs=3)


def test_a_click_on_a_tab_opens_and_the_button_folds_again(make_window) -> None:
    window = make_window(*MINIMUM_SIZE)
    assert window.arrangement.folded
    assert not any(seen(window, name) for name in below(window))
    height = window.viewport.height()
    click_tab(window, "Jobs")
    assert not window.arrangement.folded
    assert seen(window, "jobs")
    assert window.docks["jobs"].height() >= 150
    QTest.mouseClick(window.arrangement.button, LEFT)
    pause(20)
    assert window.arrangement.folded
    assert window.viewport.height() == height
    click_tab(window, "Jobs")
    assert seen(window, "jobs"), "a click on the tab in front opens as well"


def test_a_panels_key_opens_it(make_window) -> None:
    window = make_window(*MINIMUM_SIZE)
    window.viewport.setFocus()
    QTest.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    pause(20)
    assert seen(window, "histogram")


def test_the_size_of_the_window_decides_until_a_person_does(make_window) -> None:
    window = make_window()
    window.resize(*MINIMUM_SIZE)
    pause(20)
    assert window.arrangement.folded
    assert window.docks["scene"].width() == pytest.approx(NARROW_SIDE_WIDTHS[0], abs=3)
    window.resize(*LARGE)
    pause(20)
    assert not window.arrangement.folded
    assert window.docks["scene"].width() == pytest.approx(SIDE_WIDTHS[0], abs=3)
    assert window.docks["histogram"].height() >= 190
    QTest.mouseClick(window.arrangement.button, LEFT)
    window.resize(*MINIMUM_SIZE)
    window.resize(*LARGE)
    pause(20)
    assert window.arrangement.folded
    window.reset_layout()
    assert not window.arrangement.folded


def test_a_fold_by_hand_is_remembered(make_window) -> None:
    first = make_window()
    QTest.mouseClick(first.arrangement.button, LEFT)
    first.close()
    second = make_window()
    assert second.arrangement.folded
    QTest.mouseClick(second.arrangement.button, LEFT)
    pause(20)
    assert second.docks["histogram"].height() >= 190


def test_a_dock_alone_or_afloat_is_not_folded(make_window) -> None:
    window = make_window(*MINIMUM_SIZE)
    window.docks["jobs"].setFloating(True)
    pause(20)
    assert window.docks["jobs"].height() > 60
    for name in set(below(window)) - {"histogram", "jobs"}:
        window.docks[name].hide()
    pause(20)
    assert seen(window, "histogram")
    assert not window.arrangement.button.isVisible()
