"""One real window for a whole module of tests, driven as a person drives it, and reset between."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QAction, QKeySequence, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from core.cameras import View
from core.editing import Document, SelectOp
from core.jobs import Progress, Steps
from core.rendering import warm_up
from tests.viewer.panel_stage import pause, views
from tests.viewer.viewport_stage import levels
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.action_spec import ActionSpec
from viewer.action_table import ACTIONS
from viewer.compare import LIVE, CompareMode
from viewer.look import Look
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.viewport.canvas import GlCanvas

SPECS = {spec.id: spec for spec in ACTIONS}
SIZE = 1280, 840
VIEWS = 4
TIMEOUT_MS, STEP_MS = 20_000, 4
LEFT = Qt.MouseButton.LeftButton
NO_KEY = Qt.KeyboardModifier.NoModifier
WORKERS = ("job:", "frames", "asker", "warm-up")


class Stage:
    """The window with a scored scene and a few cameras with photos."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = write_scene(folder)
        self.views, self.worth = _photographed(folder), make_worth()
        self.notes: list[tuple[str, str]] = []
        self.window = MainWindow(Session())
        self.session, self.viewport = self.window.session, self.window.viewport
        self.toolbox = self.viewport.toolbox
        self.session.notified.connect(lambda level, text: self.notes.append((level, text)))
        self.window.resize(*SIZE)
        self.window.show()
        self.window.activateWindow()
        self.wait(self.window.isActiveWindow)
        self.document = self._open()
        self.document.views = self.views
        self.wait_idle()
        self.settle()
        self.viewport.reset_view()
        self.settle()
        self.home = self.viewport.camera().world_to_camera
        self._arrange()
        self.settle()

    # Waiting

    def wait(self, condition: Callable[[], object]) -> None:
        """Let the window live until something is so."""
        wait_for(condition, self.notes)

    def wait_idle(self) -> None:
        """Wait for the running job, and for every question asked so far."""
        self.wait(lambda: not self.session.runner.busy)
        answered: list[bool] = []
        self.session.asker.ask("test", lambda: True, answered.append)
        self.wait(lambda: answered)

    def settle(self) -> None:
        """Wait for the sharp picture of the present state."""
        self.wait(self._is_settled)
        QApplication.processEvents()

    def _is_settled(self) -> bool:
        frame, session = self.viewport.frame, self.session
        return (
            self.viewport.settled
            and frame is not None
            and frame.request.look == session.look
            and frame.request.scale == 1
            and np.array_equal(
                frame.request.camera.world_to_camera, self.viewport.camera().world_to_camera
            )
        )

    # Driving

    def perform(self, id: str, key: str | None = None, window: MainWindow | None = None) -> None:
        """Do an action by one of its keys, or by its menu entry where none is given."""
        window = self.window if window is None else window
        spec = SPECS[id]
        if key is None:
            by_menu(window, spec)
        elif spec.held:
            hold(window.viewport, key)
        else:
            QTest.keySequence(QApplication.focusWidget() or window, QKeySequence(key))
        QApplication.processEvents()

    def checked(self, id: str) -> bool:
        """Whether an action has a check mark."""
        return self.window.actions_[id].isChecked()

    def drag(
        self,
        start: QPoint,
        end: QPoint,
        keys: Qt.KeyboardModifier = NO_KEY,
        *,
        between: Callable[[], object] = lambda: None,
    ) -> None:
        """Drag with the left button in the viewport; ``between`` happens half way."""
        QTest.mousePress(self.viewport, LEFT, keys, start)
        self.move(start + (end - start) / 2, LEFT, keys)
        between()
        self.move(end, LEFT, keys)
        QTest.mouseRelease(self.viewport, LEFT, keys, end)

    def move(
        self,
        at: QPoint,
        buttons: Qt.MouseButton = Qt.MouseButton.NoButton,
        keys: Qt.KeyboardModifier = NO_KEY,
    ) -> None:
        """Move the mouse to a place in the viewport."""
        where = QPointF(self.viewport.mapToGlobal(at))
        none = Qt.MouseButton.NoButton
        event = QMouseEvent(QEvent.Type.MouseMove, QPointF(at), where, none, buttons, keys)
        QApplication.sendEvent(self.viewport, event)

    @property
    def middle(self) -> QPoint:
        """The middle of the viewport."""
        return self.viewport.rect().center()

    def select(self, count: int = 200) -> None:
        """Select the first Gaussians."""
        self.document.select(torch.arange(COUNT) < count)

    def start_job(self) -> None:
        """Start a job that lasts."""
        self.session.runner.start("Sensitivity", _slow_steps(), lambda _: None)

    def dialog(self, kind: type[QDialog]) -> QDialog:
        """The dialog of a kind that is shown."""
        self.wait(lambda: _shown(self.window, kind))
        (dialog,) = _shown(self.window, kind)
        self.wait(dialog.isActiveWindow)
        return dialog

    def choose_file(self, path: Path) -> None:
        """Choose a file in the dialog that is shown."""
        dialog = self.dialog(QFileDialog)
        field = dialog.findChild(QLineEdit, "fileNameEdit")
        field.setText(str(path))
        QTest.keyClick(field, Qt.Key.Key_Return)
        self.wait(lambda: not dialog.isVisible())

    def on_screen(self) -> NDArray[np.int_]:
        """What the viewport shows, ``(H, W, 3)``."""
        surface = self.viewport.canvas.surface
        if isinstance(surface, GlCanvas):
            return levels(surface.grabFramebuffer())
        return levels(surface.grab().toImage())

    def sees_change(self, change: Callable[[], object]) -> bool:
        """Whether something changes the picture."""
        self.settle()
        before = self.on_screen()
        change()
        self.settle()
        return not np.array_equal(before, self.on_screen())

    # Between tests

    def reset(self) -> None:
        """Everything as in the beginning."""
        window, session, viewport = self.window, self.session, self.viewport
        while (popup := QApplication.activePopupWidget()) is not None:
            popup.close()
        for dialog in _shown(window, QDialog):
            dialog.reject()
        session.runner.cancel()
        window.palette_.hide()
        self.wait_idle()
        if session.document is not self.document:
            if session.document is not None:
                session.document.mark_saved()
            self.document = self._open()
        self._reset_document()
        window.preferences.restore_defaults()
        session.set_look(**{name: getattr(Look(), name) for name in Look.__slots__})
        if self.toolbox.active is not None:
            self.toolbox.choose(None)
        self.toolbox.set_options(SelectOp.SET, front_only=False, brush_px=24.0)
        if viewport.fly_mode:
            viewport.toggle_fly()
        if viewport.orthographic:
            viewport.toggle_orthographic()
        if viewport.up_axis is not None:
            viewport.set_up_axis(None)
            self.wait_idle()
        self._reset_layout()
        if viewport.current_view is not None or not self.at_home:
            viewport.reset_view()
            self.settle()
        for toast in tuple(window.toasts.shown):
            toast.close_button.click()
        self.notes.clear()

    @property
    def at_home(self) -> bool:
        """Whether the camera stands where it does in the beginning."""
        return np.allclose(self.viewport.camera().world_to_camera, self.home, atol=1e-6)

    def _reset_document(self) -> None:
        document, session = self.document, self.session
        if document.history.position:
            document.go_to(0)
        if document.views != self.views:
            document.views = self.views
        if document.scores.get(NAME) is not self.worth:
            document.add_scores({NAME: self.worth})
        if session.score_name != NAME:
            session.set_score(NAME)
        session.reset_cut()
        session.set_hiding(False)
        compare = session.compare
        sides = compare.mode, compare.a, compare.b, compare.flip, compare.snapshots
        if sides != (CompareMode.OFF, compare.opened, LIVE, False, []):
            compare.reset(document)
        if document.modified:
            document.mark_saved()

    def _arrange(self) -> None:
        self.window.set_workspace("inspect")
        self.window.reset_layout()
        QApplication.processEvents()
        self.layout = self.window.saveState()

    def _reset_layout(self) -> None:
        window = self.window
        if window.windowState() != Qt.WindowState.WindowNoState:
            window.setWindowState(Qt.WindowState.WindowNoState)
            self.wait(lambda: not window.isFullScreen())
        if (window.width(), window.height()) != SIZE:
            window.resize(*SIZE)
        if window.saveState() != self.layout:
            self._arrange()
        window.activateWindow()
        self.viewport.setFocus()
        self.wait(self.viewport.hasFocus)

    def _open(self) -> Document:
        before = self.session.document
        self.session.open(self.path)
        self.wait(lambda: self.session.document is not before)
        assert self.session.document is not None
        self.wait(lambda: not self.session.runner.busy)
        self.settle()
        return self.session.document

    def close(self) -> None:
        """End the window and its workers."""
        self.window.files.asks_before_discarding = False
        assert self.window.close()
        self.window.deleteLater()
        pause(20)


def by_menu(window: MainWindow, spec: ActionSpec) -> None:
    """Open the menu of an action with the mouse and click the entry; keys for what lies deeper."""
    bar, action = window.menuBar(), window.actions_[spec.id]
    menu, inner = window.menus[spec.menu.partition("/")[0]], window.menus[spec.menu]
    QTest.mouseClick(bar, LEFT, NO_KEY, bar.actionGeometry(menu.menuAction()).center())
    assert menu.isVisible()
    assert action.isEnabled(), action.toolTip()
    if menu is inner:
        QTest.mouseClick(menu, LEFT, NO_KEY, menu.actionGeometry(action).center())
    else:
        go_down(menu, inner.menuAction())
        QTest.keyClick(menu, Qt.Key.Key_Right)
        wait_for(inner.isVisible)
        go_down(inner, action)
        QTest.keyClick(inner, Qt.Key.Key_Return)
    wait_for(lambda: not inner.isVisible())


def go_down(menu: QMenu, action: QAction) -> None:
    """Walk to an entry of a menu with the arrow key."""
    for _ in menu.actions():
        if menu.activeAction() is action:
            return
        QTest.keyClick(menu, Qt.Key.Key_Down)
    assert menu.activeAction() is action


def wait_for(condition: Callable[[], object], told: object = "") -> None:
    """Let the window live until something is so."""
    for _ in range(TIMEOUT_MS // STEP_MS):
        if condition():
            return
        pause(STEP_MS)
    raise AssertionError(f"it did not happen in time {told}")


def hold(widget: QWidget, key: str, *, down: bool = True) -> None:
    """Press a key and leave it down, or let it go."""
    code = QKeySequence(key)[0].key()  # type: ignore[index]
    (QTest.keyPress if down else QTest.keyRelease)(widget, code)


def _photographed(folder: Path) -> tuple[View, ...]:
    """Cameras around the scene whose photos are stripes."""
    photo = folder / "photo.png"
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, ::4] = (200, 120, 40)
    Image.fromarray(pixels).save(photo)
    return tuple(View(view.camera, photo, view.split) for view in views(VIEWS))


def _slow_steps() -> Steps[None]:
    for done in range(1000):
        time.sleep(0.005)
        yield Progress(done, 1000, f"view {done} of 1,000")


def _shown(window: QWidget, kind: type[QDialog]) -> list[QDialog]:
    return [dialog for dialog in window.findChildren(kind) if dialog.isVisible()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module keeps its files and settings."""
    return tmp_path_factory.mktemp("window")


@pytest.fixture(autouse=True, scope="module")
def _own_settings(folder: Path) -> None:
    """As the fixture of this name, for the whole module."""
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))


@pytest.fixture(autouse=True, scope="module")
def _own_thumbnails(folder: Path) -> Iterator[None]:
    """As the fixture of this name, for the whole module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("viewer.thumbnails.thumbnail_folder", lambda: folder / "thumbnails")
        yield


@pytest.fixture(autouse=True, scope="module")
def _collect_on_this_thread() -> Iterator[None]:
    """As the fixture of this name, for the whole module."""
    gc.freeze()
    gc.disable()
    yield
    gc.collect()
    gc.enable()
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def _no_leaked_threads() -> Iterator[None]:
    """As the fixture of this name, for the whole module: the window lives on between its tests."""
    before = set(threading.enumerate())
    yield
    leaked = [
        thread for thread in set(threading.enumerate()) - before if thread.name.startswith(WORKERS)
    ]
    for thread in leaked:
        thread.join(5)
    assert not [thread.name for thread in leaked if thread.is_alive()]


@pytest.fixture(scope="module")
def shared(
    qapp: QApplication,
    folder: Path,
    _own_settings: None,
    _own_thumbnails: None,
    _collect_on_this_thread: None,
    _no_leaked_threads: None,
) -> Iterator[Stage]:
    """The window of the module."""
    apply_theme(qapp)
    warm_up()
    stage = Stage(folder)
    yield stage
    stage.close()


@pytest.fixture
def stage(qtbot: QtBot, shared: Stage) -> Stage:
    """The window of the module as in the beginning."""
    shared.reset()
    return shared
