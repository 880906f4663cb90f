"""A scripted tour: drives the window with real mouse and key events and leaves pictures."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QWidget,
)

from core.formats import load_scene
from viewer.compare import CompareMode
from viewer.export_dialog import ExportDialog
from viewer.look import Mode
from viewer.main_window import DEFAULT_SIZE, MainWindow

KEEP = 0.6
VIEWS_TIMEOUT_S = 600
STEP_TIMEOUT_S = 60
DRAG_STEPS = 24
DIALOG_MS = 600
SETTLE_MS = 300
WIPE = 0.45
LEFT = Qt.MouseButton.LeftButton
ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


def pause(ms: int) -> None:
    """Let the window live for a while; unlike QTest.qWait, other Python threads live on as well."""
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


class TourError(RuntimeError):
    """The window did not do what it should."""


class Tour:
    """From opening to the exported file as a person would go, checked at each stop.

    Parameters
    ----------
    window
        The shown window, with a scene being opened.
    folder
        Where pictures and the exported file go; made if missing.
    """

    def __init__(self, window: MainWindow, folder: Path) -> None:
        self._window = window
        self._session = window.session
        self._folder = folder
        self._number = 0

    def run(self, application: QApplication) -> int:
        """Drive the window to the end of the tour and close it; the exit code."""
        QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("[0-9][0-9]-*.png"):
            old.unlink()
        code = [1]

        def drive() -> None:
            try:
                self._drive()
                code[0] = 0
            except TourError as error:
                sys.stderr.write(f"splatscope: the tour stopped: {error}\n")
                self._picture("stopped")
            finally:
                self._discard_changes()
                self._window.close()
                application.quit()

        QTimer.singleShot(0, drive)
        application.exec()
        return code[0]

    def _drive(self) -> None:
        session, window = self._session, self._window
        window.reset_layout()
        window.resize(*DEFAULT_SIZE)
        self._wait(lambda: session.document is not None, "the scene opens")
        document = session.document
        if document is None:
            raise TourError("there is no document")
        total = document.alive_count
        self._sharp()
        self._picture("open")

        self._orbit()
        self._sharp()
        self._picture("orbited")

        self._show("sensitivity")
        QTest.mouseClick(window.sensitivity_panel.run_button, LEFT)
        self._wait(lambda: session.worth is not None, "the scores are computed", VIEWS_TIMEOUT_S)
        self._wait(lambda: session.mode == Mode.HEATMAP, "the heatmap is shown")
        self._sharp()
        self._picture("heatmap")

        self._key(Qt.Key.Key_1, ALT)
        self._wait(lambda: session.mode == Mode.COLOR, "the colours are back")
        self._show("prune")
        self._drag_slider(window.prune_panel.slider, KEEP)
        self._sharp()
        self._picture("preview")

        kept = session.target
        QTest.mouseClick(window.prune_panel.run_button, LEFT)
        self._wait(lambda: document.alive_count == kept, "the prune is applied")
        self._sharp()
        self._picture("pruned")

        self._key(Qt.Key.Key_Backslash, CONTROL)
        self._wait(lambda: session.compare.mode == CompareMode.WIPE, "the wipe is there")
        self._drag_wipe()
        self._sharp()
        self._wait(self._compared, "the compared pictures are measured")
        self._picture("compared")
        for _ in range(3):
            self._key(Qt.Key.Key_Backslash, CONTROL)
        self._wait(lambda: session.compare.mode == CompareMode.OFF, "the wipe is gone")

        self._key(Qt.Key.Key_Z, CONTROL)
        self._wait(lambda: document.alive_count == total, "undo brings all back")
        self._sharp()
        self._picture("undone")

        self._key(Qt.Key.Key_Y, CONTROL)
        self._wait(lambda: document.alive_count == kept, "redo prunes again")
        self._select()
        self._sharp()
        self._picture("selected")
        self._key(Qt.Key.Key_Z, CONTROL)
        self._wait(lambda: document.selected_count == 0, "undo takes the selection back")

        exported = (self._folder / "demo_pruned.ply").resolve()
        exported.unlink(missing_ok=True)
        self._export(exported)
        self._wait(lambda: not session.runner.busy and exported.exists(), "the export is written")
        self._sharp()
        self._picture("exported")
        count = len(load_scene(exported).scene)
        if count != kept:
            raise TourError(f"the exported file holds {count} Gaussians, not {kept}")
        sys.stdout.write(
            f"Kept {kept:,} of {total:,} Gaussians; {exported.stat().st_size / 1e6:.2f} MB in "
            f"{exported.name}; {self._number} pictures in {self._folder}\n"
        )

    def _orbit(self) -> None:
        canvas = self._target_of(self._window.viewport)
        start = canvas.rect().center()
        QTest.mousePress(canvas, LEFT, pos=start)
        for step in range(DRAG_STEPS):
            QTest.mouseMove(canvas, start + QPoint(5 * step, step))
            pause(15)
        QTest.mouseRelease(canvas, LEFT, pos=start + QPoint(5 * DRAG_STEPS, DRAG_STEPS))

    def _drag_wipe(self) -> None:
        handle = self._window.centre.compare_marks.handle
        start = handle.rect().center()
        QTest.mousePress(handle, LEFT, pos=start)
        for step in range(DRAG_STEPS):
            QTest.mouseMove(handle, start + QPoint(-3, 0))
            pause(15)
            if self._session.compare.split < WIPE or step == DRAG_STEPS - 1:
                break
        QTest.mouseRelease(handle, LEFT, pos=start)

    def _compared(self) -> bool:
        return self._window.centre.compare_bar.numbers.likeness is not None

    def _select(self) -> None:
        """Drag a rectangle over the upper middle of the picture."""
        viewport, document = self._window.viewport, self._session.document
        self._key(Qt.Key.Key_R)
        self._wait(lambda: viewport.toolbox.active is not None, "the rectangle is taken up")
        area = viewport.rect()
        start = QPoint(area.width() * 2 // 5, area.height() // 5)
        end = QPoint(area.width() * 3 // 5, area.height() // 2)
        canvas = self._target_of(viewport)
        QTest.mousePress(canvas, LEFT, pos=start)
        for step in range(1, DRAG_STEPS + 1):
            QTest.mouseMove(canvas, start + (end - start) * (step / DRAG_STEPS))
            pause(10)
        QTest.mouseRelease(canvas, LEFT, pos=end)
        self._wait(lambda: document is not None and document.selected_count > 0, "the selection")
        self._key(Qt.Key.Key_Escape)

    @staticmethod
    def _target_of(widget: QWidget) -> QWidget:
        """The widget that a mouse at the centre of another one would hit."""
        child = widget.childAt(widget.rect().center())
        while child is not None and child.testAttribute(
            Qt.WidgetAttribute.WA_TransparentForMouseEvents
        ):
            child = child.parentWidget()
        return child if child is not None and widget.isAncestorOf(child) else widget

    def _drag_slider(self, slider: QSlider, share: float) -> None:
        option = QStyleOptionSlider()
        slider.initStyleOption(option)
        handle = slider.style().subControlRect(
            QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, slider
        )
        start = handle.center()
        span = slider.width() - handle.width()
        end = QPoint(round(handle.width() / 2 + share * span), start.y())
        QTest.mousePress(slider, LEFT, pos=start)
        for step in range(1, DRAG_STEPS + 1):
            QTest.mouseMove(slider, start + (end - start) * (step / DRAG_STEPS))
            pause(30)
        QTest.mouseRelease(slider, LEFT, pos=end)
        target = self._session.target
        document = self._session.document
        if target is None or document is None:
            raise TourError("dragging the slider set no target")
        if abs(target / document.alive_count - share) > 0.03:
            raise TourError(f"the slider gave {target}, far from {share:.0%}")

    def _export(self, path: Path) -> None:
        self._window.actions_["file.export"].trigger()
        self._wait(lambda: self._dialog() is not None, "the export dialog opens")
        pause(DIALOG_MS)
        dialog = self._dialog()
        if dialog is None:
            raise TourError("there is no export dialog")
        dialog.path_field.selectAll()
        QTest.keyClicks(dialog.path_field, str(path))
        QTest.mouseClick(dialog.export_button, LEFT)

    @staticmethod
    def _dialog() -> ExportDialog | None:
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, ExportDialog) and widget.isVisible():
                return widget
        return None

    def _key(
        self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        viewport = self._window.viewport
        self._window.activateWindow()
        if not QTest.qWaitForWindowActive(self._window):
            raise TourError("the window cannot be made active")
        viewport.setFocus()
        QTest.keyClick(viewport, key, modifiers)

    def _discard_changes(self) -> None:
        document = self._session.document
        if document is not None:
            document.mark_saved()

    def _sharp(self) -> None:
        """Wait until the sharp picture of the present state is on the screen."""
        self._wait(lambda: self._window.viewport.settled, "the picture is sharp")
        pause(SETTLE_MS)

    def _show(self, dock: str) -> None:
        self._window.docks[dock].show()
        self._window.docks[dock].raise_()
        pause(SETTLE_MS)

    @staticmethod
    def _wait(ready: Callable[[], object], what: str, seconds: float = STEP_TIMEOUT_S) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise TourError(f"waited {seconds:.0f} s in vain until {what}")
            pause(20)

    def _picture(self, name: str) -> None:
        self._number += 1
        path = self._folder / f"{self._number:02d}-{name}.png"
        if not self._window.grab().save(str(path)):
            raise TourError(f"{path} could not be written")
