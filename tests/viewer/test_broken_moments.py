"""Bad moments: events that come in the middle of something else, and scenes at the edge."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget
from pytestqt.qtbot import QtBot

from core.editing import SelectOp
from core.errors import UserError
from core.formats import load_scene, save_scene
from core.rendering import warm_up
from tests.blobs import blob_scene
from tests.viewer.test_window import CANCEL, DISCARD, EXPORT, answer, drop, file_dialog, slow_steps
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.compare import CompareMode
from viewer.look import Engine, Mode
from viewer.main_window import MainWindow
from viewer.panels import histogram, scatter
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.tour import pause

LEFT = Qt.MouseButton.LeftButton
TOOLS = ("rect", "lasso", "polygon", "brush", "flood", "picker", "sphere", "box")


class Desk:
    """A window and what it told."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot, self.folder = qtbot, folder
        self.session = Session()
        self.notes: list[tuple[str, str]] = []
        self.session.notified.connect(lambda level, text: self.notes.append((level, text)))
        self.session.crashed.connect(lambda text, _trace: self.notes.append(("crash", text)))
        self.window = MainWindow(self.session)
        self.viewport = self.window.viewport
        self.window.show()
        qtbot.waitExposed(self.window)
        self.window.activateWindow()
        pause(30)

    def open(self, path: Path) -> None:
        known = self.session.document
        drop(self.window, [path])
        self.qtbot.waitUntil(lambda: self.session.document is not known, timeout=20_000)
        self.wait_idle()
        self.settle()

    def wait_idle(self) -> None:
        self.qtbot.waitUntil(lambda: not self.session.runner.busy, timeout=30_000)
        pause(20)

    def settle(self) -> None:
        self.qtbot.waitUntil(lambda: self.viewport.settled, timeout=30_000)

    def at(self, x: float, y: float) -> QPoint:
        return QPoint(int(x * self.viewport.width()), int(y * self.viewport.height()))

    def told(self, *levels: str) -> list[str]:
        return [text for level, text in self.notes if level in levels]


@pytest.fixture
def desk(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    apply_theme(qapp)
    warm_up()
    desk = Desk(qtbot, tmp_path)
    yield desk
    desk.session.shut_down()
    pause(10)
    desk.window.files.asks_before_discarding = False
    desk.window.close()
    desk.window.deleteLater()
    pause(10)


@pytest.fixture
def opened(desk: Desk) -> Desk:
    desk.open(write_scene(desk.folder))
    return desk


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    return write_scene(folder, 700)


def picture(desk: Desk) -> np.ndarray:
    pixels = desk.viewport.canvas.picture()
    assert pixels is not None
    return pixels


# The screen


def test_no_opengl_and_splats_by_opengl_wanted(qtbot, qapp, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")
    apply_theme(qapp)
    desk = Desk(qtbot, tmp_path)
    desk.open(write_scene(tmp_path))
    desk.window.actions_["view.engine_opengl"].trigger()
    assert desk.session.look.engine == Engine.OPENGL
    desk.settle()
    qtbot.waitUntil(lambda: bool(desk.told("warning")), timeout=10_000)
    for step in range(3):
        QTest.mousePress(desk.viewport, LEFT, pos=desk.at(0.5, 0.5))
        QTest.mouseMove(desk.viewport, desk.at(0.5 + 0.1 * step, 0.6))
        QTest.mouseRelease(desk.viewport, LEFT, pos=desk.at(0.6, 0.6))
        desk.settle()
    assert len(desk.told("warning", "error", "crash")) == 1
    assert np.ptp(picture(desk)[..., :3]) > 100
    desk.session.shut_down()
    assert desk.window.close()
    desk.window.deleteLater()
    pause(10)


SCREENS = """
import json, sys
from pathlib import Path
from viewer.app import create_application
from PySide6.QtCore import QSettings
QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, sys.argv[2])
app = create_application(["splatscope"])
import viewer.thumbnails
viewer.thumbnails.thumbnail_folder = lambda: Path(sys.argv[2])
from viewer.look import Engine
from viewer.main_window import MainWindow
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.tour import pause
apply_theme(app)
session, notes, sizes = Session(), [], []
session.notified.connect(lambda level, text: notes.append(level))
window = MainWindow(session)
viewport = window.viewport
def settle():
    for _ in range(1500):
        pause(20)
        if session.document is not None and viewport.settled:
            break
    else:
        raise SystemExit("no picture")
    ratio, frame = viewport.devicePixelRatioF(), viewport.frame.size
    wanted = [round(viewport.width() * ratio), round(viewport.height() * ratio)]
    sizes.append([ratio, list(frame) == wanted])
window.resize(1100, 700)
window.show()
session.set_look(engine=Engine.OPENGL)
session.open(Path(sys.argv[1]))
settle()
for screen in (app.screens()[1], app.screens()[0]):
    window.windowHandle().setScreen(screen)
    window.windowHandle().setPosition(screen.geometry().topLeft())
    settle()
print(json.dumps([sizes, notes, viewport.canvas.route]))
window.close()
"""


def test_other_pixel_ratios_and_no_graphics_at_all(tmp_path) -> None:
    """Between two screens, of 1.5 and 2 pixels to one, where nothing knows OpenGL."""
    import json

    screens = tmp_path / "screens.json"
    each = {"width": 1600, "height": 1000, "logicalDpi": 96, "logicalBaseDpi": 96, "y": 0}
    screens.write_text(
        json.dumps(
            {
                "synchronousWindowSystemEvents": True,
                "screens": [
                    {"name": "one", "x": 0, "dpr": 1.0, **each},
                    {"name": "two", "x": 1600, "dpr": 4 / 3, **each},
                ],
            }
        )
    )
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    environment |= {
        "QT_QPA_PLATFORM": f"offscreen:configfile={screens}",
        "QT_SCALE_FACTOR": "1.5",
    }
    (tmp_path / "settings").mkdir()
    run = subprocess.run(
        [sys.executable, "-c", SCREENS, str(write_scene(tmp_path)), str(tmp_path / "settings")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    sizes, notes, route = json.loads(run.stdout.splitlines()[-1])
    assert [round(ratio, 3) for ratio, _ in sizes] == [1.5, 2.0, 1.5]
    assert all(fits for _, fits in sizes)
    assert notes == ["warning"]
    assert route == "no OpenGL"


def test_panels_float_and_the_window_fills_the_screen(opened) -> None:
    window = opened.window
    for name, dock in window.docks.items():
        window.toggle_dock(name)
        dock.show()
        dock.setFloating(True)
        pause(10)
        assert dock.isWindow()
    opened.settle()
    whole = window.centre.size()
    QTest.keyClick(window, Qt.Key.Key_F11)
    opened.settle()
    assert window.isFullScreen()
    QTest.keyClick(window, Qt.Key.Key_F11)
    pause(50)
    opened.settle()
    assert not window.isFullScreen()
    for dock in window.docks.values():
        dock.setFloating(False)
    pause(50)
    opened.settle()
    assert not any(isinstance(dock, QDockWidget) and dock.isWindow() for dock in window.docks.values())
    assert window.centre.width() < whole.width()
    assert np.ptp(picture(opened)[..., :3]) > 100
    assert not opened.told("error", "crash")


# Closing


def test_closing_during_an_export(opened, tmp_path) -> None:
    opened.session.export(tmp_path / "out.ply")
    if opened.session.runner.busy:
        seen: list[str] = []
        answer("Keep running", seen)
        assert not opened.window.close()
        assert seen
    opened.wait_idle()
    assert len(load_scene(tmp_path / "out.ply").scene) == COUNT
    assert opened.window.close()


def test_quitting_during_a_job_and_exporting_first_closes(qtbot, opened, tmp_path) -> None:
    opened.session.document.select(opened.session.document.alive)
    opened.session.document.delete(torch.arange(COUNT) < 500)
    opened.session.runner.start("Sensitivity", slow_steps(2000), lambda _: None)

    seen: list[str] = []
    answer("Cancel job and quit", seen)
    answer(EXPORT, seen)
    assert not opened.window.close()
    assert len(seen) == 2
    file_dialog(opened.window).accept()
    qtbot.waitUntil(lambda: not opened.window.isVisible(), timeout=20_000)
    assert len(load_scene(tmp_path / "ball_pruned.ply").scene) == COUNT - 500


def test_an_export_that_was_refused_closes_nothing_later(qtbot, opened, tmp_path) -> None:
    opened.session.document.delete(torch.arange(COUNT) < 500)
    answer(EXPORT, [])
    assert not opened.window.close()
    opened.session.runner.start("Sensitivity", slow_steps(2000), lambda _: None)
    file_dialog(opened.window).accept()
    pause(50)
    assert opened.told("warning")
    opened.session.runner.cancel()
    opened.wait_idle()
    opened.session.export(tmp_path / "later.ply")
    opened.wait_idle()
    assert opened.window.isVisible()


def test_closing_while_a_question_is_pending(opened) -> None:
    answers = []

    def question() -> int:
        QTest.qSleep(300)
        return 1

    for number in range(3):
        opened.session.asker.ask(f"slow {number}", question, answers.append)
    pause(20)
    assert opened.window.close()
    pause(50)
    assert answers == []
    assert not opened.told("error", "crash")


# Files that change


def test_exporting_what_was_deleted_on_disk_closes(qtbot, opened, tmp_path) -> None:
    (tmp_path / "ball.ply").unlink()
    answer(EXPORT, [])
    assert not opened.window.close()
    file_dialog(opened.window).accept()
    qtbot.waitUntil(lambda: not opened.window.isVisible(), timeout=20_000)
    assert len(load_scene(tmp_path / "ball_pruned.ply").scene) == COUNT


def test_an_edit_during_the_last_export_does_not_close_early(qtbot, opened, tmp_path) -> None:
    (tmp_path / "ball.ply").unlink()
    answer(EXPORT, [])
    assert not opened.window.close()
    opened.session.document.select(opened.session.document.alive)
    pause(50)
    assert opened.window.isVisible()
    file_dialog(opened.window).reject()


def test_a_file_replaced_on_disk_is_told_and_stays_open(qtbot, opened, tmp_path) -> None:
    document = opened.session.document
    save_scene(blob_scene(20, seed=5), tmp_path / "new.ply")
    (tmp_path / "new.ply").replace(tmp_path / "ball.ply")
    qtbot.waitUntil(lambda: bool(opened.notes), timeout=5000)
    assert "changed on disk" in opened.notes[0][1]
    assert opened.session.document is document
    assert opened.window.close()


def test_exporting_over_the_open_file_is_not_told_as_a_change(opened, tmp_path) -> None:
    opened.session.document.delete(torch.arange(COUNT) < 500)
    opened.session.export(tmp_path / "ball.ply")
    opened.wait_idle()
    pause(600)
    assert not opened.told("warning", "error", "crash")


def test_two_scenes_and_what_is_no_scene(desk, other, tmp_path) -> None:
    first = write_scene(tmp_path)
    drop(desk.window, [first, other])
    desk.qtbot.waitUntil(lambda: desk.session.document is not None)
    assert desk.session.document.path == first
    assert len(desk.told("warning")) == 1
    text = tmp_path / "notes.txt"
    text.write_text("no scene")
    drop(desk.window, [text])
    desk.wait_idle()
    assert len(desk.told("error")) == 1
    assert desk.session.document.path == first


def test_a_photo_that_is_no_image_is_told_once(desk, tmp_path) -> None:
    from tests.viewer.test_broken_situations import write_dataset

    data = write_dataset(tmp_path / "photos")
    drop(desk.window, [write_scene(tmp_path), data])
    desk.qtbot.waitUntil(lambda: desk.session.document is not None)
    (data / "a.png").write_bytes(b"not an image")
    desk.viewport.show_view(0)
    desk.session.set_look(photo_opacity=0.5)
    desk.qtbot.waitUntil(lambda: bool(desk.told("error")), timeout=20_000)
    desk.session.set_look(photo_opacity=0.7)
    desk.settle()
    desk.session.set_mode(Mode.ERROR)
    desk.settle()
    assert len(desk.told("error", "crash")) == 1
    desk.session.set_mode(Mode.COLOR)
    desk.settle()
    assert np.ptp(picture(desk)[..., :3]) > 100


# Scenes at the edge


def every_look(desk: Desk) -> None:
    """Every panel, mode, tool and comparison, and a prune, on whatever scene is open."""
    window, session = desk.window, desk.session
    for dock in window.docks.values():
        dock.show()
        dock.raise_()
        pause(40)
    for mode in Mode:
        session.set_mode(mode)
        desk.settle()
    for compare in CompareMode:
        session.compare.set_mode(compare)
        desk.settle()
    session.compare.set_mode(CompareMode.OFF)
    for name in TOOLS:
        window.actions_[f"tool.{name}"].trigger()
        QTest.mousePress(desk.viewport, LEFT, pos=desk.at(0.3, 0.3))
        QTest.mouseMove(desk.viewport, desk.at(0.7, 0.4))
        QTest.mouseMove(desk.viewport, desk.at(0.7, 0.7))
        QTest.mouseRelease(desk.viewport, LEFT, pos=desk.at(0.7, 0.7))
        pause(30)
        desk.viewport.escape()
        desk.viewport.escape()
    for id in ("select.all", "select.invert", "select.grow", "select.shrink", "select.none"):
        window.actions_[id].trigger()
        pause(10)
    for id in ("cam.frame", "cam.reset", "cam.ortho", "cam.nearest", "view.rings", "view.rings"):
        window.actions_[id].trigger()
        pause(300)
    session.set_target(1)
    pause(60)
    session.apply_prune()
    desk.settle()
    session.undo()
    desk.settle()


def no_crash(desk: Desk) -> None:
    assert not desk.told("crash")
    assert not [text for text in desk.told("error") if "failed" in text]
    for text in (desk.window.histogram_panel.empty.text(), desk.window.scatter_panel.empty.text()):
        if text.startswith("Computing"):
            assert not desk.window.histogram_panel.empty.isVisible()


def test_a_scene_of_one_gaussian(desk, tmp_path) -> None:
    desk.open(write_scene(tmp_path, 1))
    desk.session.document.add_scores({NAME: make_worth(1)})
    every_look(desk)
    no_crash(desk)


def test_all_gaussians_hidden(opened) -> None:
    opened.session.document.add_scores({NAME: make_worth()})
    opened.window.actions_["select.all"].trigger()
    opened.window.actions_["select.hide"].trigger()
    assert opened.session.document.visible_count == 0
    every_look(opened)
    no_crash(opened)


def test_all_but_one_deleted(opened, tmp_path) -> None:
    document = opened.session.document
    document.add_scores({NAME: make_worth()})
    document.delete(torch.arange(COUNT) > 0)
    every_look(opened)
    no_crash(opened)
    opened.session.export(tmp_path / "one.ply")
    opened.wait_idle()
    assert len(load_scene(tmp_path / "one.ply").scene) == 1


def test_all_deleted(opened) -> None:
    document = opened.session.document
    document.add_scores({NAME: make_worth()})
    document.delete(document.alive)
    assert document.alive_count == 0
    every_look(opened)
    no_crash(opened)


def test_columns_without_numbers(opened) -> None:
    worth = make_worth()
    values = torch.full_like(worth.values, torch.nan)
    opened.session.document.add_scores({NAME: type(worth)(NAME, values, worth.classes)})
    every_look(opened)
    no_crash(opened)


# In the middle of something


@pytest.mark.parametrize("panel", ["histogram", "scatter"])
def test_a_question_that_fails_leaves_nothing_waiting(opened, monkeypatch, panel) -> None:
    def fail(*_arguments: object) -> None:
        raise UserError("These numbers cannot be read.")

    name = {"histogram": "fill_bars", "scatter": "pair_up"}[panel]
    monkeypatch.setattr({"histogram": histogram, "scatter": scatter}[panel], name, fail)
    opened.window.docks[panel].show()
    opened.window.docks[panel].raise_()
    pause(60)
    data = getattr(opened.window, f"{panel}_panel")
    combo = data.column_combo if panel == "histogram" else data.combos[0]
    combo.column_chosen.emit("opacity" if combo.column != "opacity" else "x")
    if panel == "scatter":
        data.combos[0].set_column("opacity" if combo.column != "opacity" else "x")
        data.reload()
    opened.qtbot.waitUntil(lambda: bool(opened.told("error")), timeout=5000)
    pause(60)
    assert not (data.empty.isVisible() and data.empty.text().startswith("Computing"))


def test_a_filter_whose_first_value_fails_shows_its_old_one(opened, monkeypatch) -> None:
    from viewer.panels import filters

    opened.window.docks["prune"].show()
    opened.window.docks["prune"].raise_()
    panel = opened.window.prune_panel.filters
    QTest.mouseClick(panel.add_button, LEFT)
    opened.qtbot.waitUntil(lambda: bool(panel.rows), timeout=5000)

    def fail(*_arguments: object) -> float:
        raise UserError("These numbers cannot be read.")

    monkeypatch.setattr(filters, "first_value", fail)
    row = panel.rows[0]
    known = row.filter.name
    row.column_chosen.emit("opacity" if known != "opacity" else "x")
    opened.qtbot.waitUntil(lambda: bool(opened.told("error")), timeout=5000)
    pause(60)
    assert not row.takes.text().startswith("Computing")
    assert row.column_combo.column == known


@pytest.mark.parametrize("tool", TOOLS)
def test_another_scene_in_the_middle_of_a_tools_gesture(opened, other, tool) -> None:
    viewport = opened.viewport
    opened.window.actions_[f"tool.{tool}"].trigger()
    QTest.mousePress(viewport, LEFT, pos=opened.at(0.3, 0.3))
    QTest.mouseMove(viewport, opened.at(0.6, 0.3))
    QTest.mouseMove(viewport, opened.at(0.6, 0.6))
    pause(60)
    opened.open(other)
    QTest.mouseMove(viewport, opened.at(0.3, 0.6))
    QTest.mouseRelease(viewport, LEFT, pos=opened.at(0.3, 0.6))
    pause(150)
    document = opened.session.document
    assert len(document.scene) == 700
    assert document.selected_count == 0
    assert document.history.position == 0
    assert not viewport.toolbox.active.cancel(), "nothing is left of the gesture"
    assert not opened.told("error", "crash")


def test_another_scene_in_the_middle_of_a_range_drag(opened, other) -> None:
    plot = opened.window.histogram_panel.plot
    opened.window.docks["histogram"].raise_()
    opened.qtbot.waitUntil(lambda: opened.window.histogram_panel.shown is not None)
    pause(50)
    inside = plot.viewport()
    left, right = (QPoint(int(x * inside.width()), inside.height() // 2) for x in (0.3, 0.8))
    QTest.mousePress(inside, LEFT, pos=left)
    QTest.mouseMove(inside, right)
    opened.open(other)
    opened.qtbot.waitUntil(lambda: opened.window.histogram_panel.shown is not None)
    QTest.mouseRelease(inside, LEFT, pos=right)
    pause(50)
    assert opened.session.document.selected_count == 0
    assert not plot.band.isVisible()


def test_another_scene_during_flight_comparison_and_preview(opened, other) -> None:
    session = opened.session
    session.document.add_scores({NAME: make_worth()})
    session.set_target(300)
    session.compare.set_mode(CompareMode.WIPE)
    QTest.keyPress(opened.viewport, Qt.Key.Key_W)
    pause(30)
    opened.viewport.reset_view()
    opened.open(other)
    QTest.keyRelease(opened.viewport, Qt.Key.Key_W)
    opened.settle()
    assert session.removed is None
    assert session.compare.comparison() is None
    assert not opened.viewport._pilot.moving
    assert opened.window.prune_panel.count == 700
    assert not opened.told("error", "crash")


def test_another_scene_during_a_score_is_refused(opened, other) -> None:
    document = opened.session.document
    opened.session.runner.start("Sensitivity", slow_steps(2000), lambda _: None)
    drop(opened.window, [other])
    pause(50)
    assert opened.session.document is document
    assert [text for text in opened.told("warning") if "still runs" in text]
    opened.session.runner.cancel()
    opened.wait_idle()
    opened.open(other)


def test_a_refused_opening_asks_nothing(opened, other) -> None:
    opened.session.document.delete(torch.arange(COUNT) < 500)
    opened.session.runner.start("Sensitivity", slow_steps(2000), lambda _: None)
    asked: list[str] = []
    answer(DISCARD, asked)
    drop(opened.window, [other])
    assert asked == []
    assert opened.told("warning")
    answer(CANCEL, asked)


def test_a_held_flip_ends_when_the_window_loses_the_focus(opened) -> None:
    compare = opened.session.compare
    opened.session.document.delete(torch.arange(COUNT) < 500)
    opened.viewport.setFocus()
    keys = next(spec.keys[0] for spec in _held())
    QTest.keyPress(opened.viewport, keys)
    assert compare.flip
    QApplication.sendEvent(opened.viewport, QEvent(QEvent.Type.WindowDeactivate))
    assert not compare.flip
    QTest.keyRelease(opened.viewport, keys)
    assert not compare.flip
    QTest.keyPress(opened.viewport, keys)
    assert compare.flip
    opened.window.docks["prune"].raise_()
    opened.window.prune_panel.slider.setFocus()
    assert not compare.flip


def _held():
    from viewer.action_table import ACTIONS

    return [spec for spec in ACTIONS if spec.held]


def test_selecting_within_a_comparison_that_ends(opened) -> None:
    opened.session.compare.set_mode(CompareMode.SIDE_BY_SIDE)
    opened.window.actions_["tool.rect"].trigger()
    QTest.mousePress(opened.viewport, LEFT, pos=opened.at(0.05, 0.05))
    QTest.mouseMove(opened.viewport, opened.at(0.9, 0.9))
    opened.session.compare.set_mode(CompareMode.OFF)
    QTest.mouseRelease(opened.viewport, LEFT, pos=opened.at(0.95, 0.95))
    opened.qtbot.waitUntil(lambda: opened.session.document.selected_count > 0, timeout=5000)
    opened.session.document.select(opened.session.document.alive, SelectOp.REMOVE)
    assert not opened.told("error", "crash")
