"""Moments at which a window likes to break: two things at once, nothing left, odd numbers.

Every wait here has a limit, and each moment ends in a state from which a person can go on.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QSize, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from core.formats import load_scene, save_scene
from core.rendering import warm_up
from tests.blobs import blob_scene
from tests.viewer.action_stage import (
    LEFT,
    NO_KEY,
    Stage,
    _collect_on_this_thread,
    _no_leaked_threads,
    _own_settings,
    _own_thumbnails,
    folder,
    hold,
    shared,
    stage,
)
from tests.viewer.panel_stage import pause
from tests.viewer.window_stage import COUNT, NAME
from viewer import theme
from viewer.compare import CompareMode
from viewer.look import Mode
from viewer.theme import apply_theme
from viewer.viewport.viewport import Viewport

__all__ = [
    "_collect_on_this_thread",
    "_no_leaked_threads",
    "_own_settings",
    "_own_thumbnails",
    "folder",
    "shared",
    "stage",
]

ODD = "odd"
EMPTY = "empty"


@pytest.fixture
def make_stage(qtbot, qapp, tmp_path) -> Iterator[Callable[[], Stage]]:
    """Windows of a test's own, for what the shared one would not outlive."""
    apply_theme(qapp)
    warm_up()
    made: list[Stage] = []

    def make() -> Stage:
        (tmp_path / "stage").mkdir()
        made.append(Stage(tmp_path / "stage"))
        return made[-1]

    yield make
    for one in made:
        one.session.runner.cancel()
        one.wait(lambda one=one: not one.session.runner.busy)
        one.close()


def write_other(folder: Path, count: int = 400) -> Path:
    path = folder / "other.ply"
    save_scene(blob_scene(count, seed=5), path)
    return path


def assert_can_go_on(stage: Stage) -> None:
    """The picture settles, a selection and an undo work, and nothing went wrong unseen."""
    stage.settle()
    document = stage.session.document
    assert document is not None
    document.unhide()
    document.select_all()
    assert document.selected_count == document.alive_count
    stage.settle()
    document.undo()
    stage.settle()
    assert not stage.session.runner.busy
    assert not [text for level, text in stage.notes if "went wrong" in text]


# Two things at once


def test_a_job_started_while_a_scene_opens_is_refused_and_the_scene_opens(stage, tmp_path) -> None:
    first = stage.document
    stage.session.open(write_other(tmp_path))
    assert stage.session.runner.busy
    assert not stage.window.actions_["job.score"].isEnabled()
    stage.session.run_scores(4)
    stage.window.sensitivity_panel.run()
    stage.window.prune_panel.run()
    assert any("still runs" in text for _, text in stage.notes)
    stage.wait(lambda: stage.session.document is not first)
    stage.wait_idle()
    assert stage.session.document.alive_count == 400
    assert NAME not in stage.session.document.scores
    stage.session.run_scores(4)
    stage.wait(lambda: NAME in stage.session.document.scores)
    assert_can_go_on(stage)


def test_a_scene_opened_while_a_job_runs_waits_for_a_person(stage, tmp_path) -> None:
    stage.start_job()
    stage.session.open(write_other(tmp_path))
    pause(50)
    assert stage.session.document is stage.document
    assert any("still runs" in text for _, text in stage.notes)
    stage.session.runner.cancel()
    stage.wait(lambda: not stage.session.runner.busy)
    assert_can_go_on(stage)


@pytest.mark.parametrize("leave", [QEvent.Type.WindowDeactivate, QEvent.Type.FocusOut])
def test_the_flip_ends_when_the_focus_is_lost_while_its_key_is_down(stage, leave) -> None:
    compare = stage.session.compare
    stage.document.delete(torch.arange(COUNT) < 700)
    compare.set_mode(CompareMode.WIPE)
    stage.settle()
    hold(stage.viewport, "X")
    assert compare.flip
    if leave == QEvent.Type.FocusOut:
        stage.window.prune_panel.run_button.setEnabled(True)
        stage.window.docks["scene"].widget().setFocus()
    else:
        QCoreApplication.sendEvent(stage.viewport, QEvent(leave))
    stage.wait(lambda: not compare.flip)
    hold(stage.viewport, "X", down=False)
    assert not compare.flip
    assert stage.window.centre.compare_marks.handle.isVisible()
    assert_can_go_on(stage)


def test_the_flip_ends_when_another_scene_comes_while_its_key_is_down(stage, tmp_path) -> None:
    compare, first = stage.session.compare, stage.document
    stage.document.delete(torch.arange(COUNT) < 700)
    stage.document.mark_saved()
    hold(stage.viewport, "X")
    assert compare.flip
    stage.session.open(write_other(tmp_path))
    stage.wait(lambda: stage.session.document is not first)
    assert not compare.flip
    assert compare.mode == CompareMode.OFF
    hold(stage.viewport, "X", down=False)
    assert not compare.flip
    assert_can_go_on(stage)


# Nothing left to see


def test_with_everything_hidden_all_goes_on(stage, tmp_path) -> None:
    document, session = stage.document, stage.session
    document.select_all()
    document.hide_selected()
    assert (document.visible_count, document.hidden_count) == (0, COUNT)
    stage.settle()
    for mode in Mode:
        session.set_mode(mode)
        stage.settle()
    document.select_all()
    document.invert_selection()
    for id in ("select.grow", "select.shrink", "select.isolate", "edit.delete", "cam.frame"):
        stage.window.actions_[id].trigger()
    stage.perform("tool.rect", "R")
    stage.drag(stage.middle - QPoint(60, 60), stage.middle + QPoint(60, 60))
    stage.wait_idle()
    assert document.selected_count == 0
    assert document.alive_count == COUNT
    assert np.isfinite(stage.viewport.camera().world_to_camera).all()
    stage.window.histogram_panel.scope_combo.setCurrentText("Visible")
    stage.window.histogram_panel.reload()
    stage.wait_idle()
    assert stage.window.histogram_panel.empty.text() == "No Gaussians are visible."
    stage.window.histogram_panel.scope_combo.setCurrentText("All")
    session.run_scores(4)
    stage.wait(lambda: not session.runner.busy)
    out = tmp_path / "out.ply"
    session.export(out)
    stage.wait(lambda: not session.runner.busy)
    assert len(load_scene(out).scene) == COUNT, "what is hidden is exported"
    session.compare.set_mode(CompareMode.DIFFERENCE)
    stage.settle()
    session.set_target(COUNT // 2)
    stage.wait_idle()
    stage.settle()
    assert_can_go_on(stage)
    assert document.visible_count == COUNT


# Odd numbers


def odd_scene(tmp_path: Path) -> Path:
    """Columns of which some or all numbers are not finite."""
    odd = torch.linspace(-1, 1, COUNT)
    odd[0::5], odd[1::5], odd[2::5] = torch.nan, torch.inf, -torch.inf
    columns = {ODD: odd, EMPTY: torch.full((COUNT,), torch.nan)}
    path = tmp_path / "odd.ply"
    save_scene(blob_scene(COUNT).with_columns(columns), path)
    return path


def open_odd(stage: Stage, tmp_path: Path) -> None:
    first = stage.document
    stage.session.open(odd_scene(tmp_path))
    stage.wait(lambda: stage.session.document is not first)
    stage.wait_idle()


@pytest.mark.parametrize("name", [ODD, EMPTY])
def test_columns_that_are_not_finite_fill_histogram_and_scatter(stage, tmp_path, name) -> None:
    open_odd(stage, tmp_path)
    histogram, scatter = stage.window.histogram_panel, stage.window.scatter_panel
    histogram.show_column(name)
    stage.wait(lambda: histogram.shown is not None and histogram.shown.name == name)
    stage.window.toggle_dock("scatter")
    for combo, column in zip(scatter.combos, (name, ODD), strict=True):
        combo.set_column(column)
        combo.column_chosen.emit(column)
    stage.wait(lambda: scatter.pairs is not None and scatter.columns == (name, ODD))
    stage.wait_idle()
    finite = int(np.isfinite(stage.session.document.values(name)).sum())
    assert len(histogram.shown.distribution) == finite
    if finite:
        assert f"{COUNT - finite:,} not finite" in histogram.statistics.full_text
        histogram.select_range()
        assert stage.session.document.selected_count == finite
    else:
        assert "No Gaussian has a number" in histogram.empty.text()
        assert not histogram.select_button.isEnabled()
    assert_can_go_on(stage)


@pytest.mark.parametrize("name", [ODD, EMPTY])
def test_columns_that_are_not_finite_filter(stage, tmp_path, name) -> None:
    open_odd(stage, tmp_path)
    rows = stage.window.prune_panel.filters
    rows.add()
    stage.wait(lambda: len(rows.rows) == 1)
    rows.rows[0].column_combo.column_chosen.emit(name)
    rows.rows[0].column_combo.set_column(name)
    stage.wait_idle()
    rows.rows[0].column_chosen.emit(name)
    stage.wait(lambda: stage.session.cut.filters[0].name == name)
    entry = stage.session.cut.filters[0]
    assert np.isfinite(entry.value)
    values = stage.session.document.values(name)
    with np.errstate(invalid="ignore"):
        taken = values < entry.value if entry.relation == "below" else values > entry.value
    assert stage.session.removed_count == int(taken.sum())
    stage.settle()
    assert stage.window.prune_panel.count_spin.value() == COUNT - int(taken.sum())
    stage.session.reset_cut()
    assert_can_go_on(stage)


# Another screen, another place


def test_the_picture_follows_the_pixels_of_the_screen(make_stage, monkeypatch) -> None:
    ratio = [1.0]
    monkeypatch.setattr(Viewport, "devicePixelRatioF", lambda _: ratio[0])
    stage = make_stage()
    viewport = stage.viewport

    def assert_follows() -> None:
        stage.settle()
        size = round(viewport.width() * ratio[0]), round(viewport.height() * ratio[0])
        stage.wait(lambda: viewport.frame is not None and viewport.frame.size == size)
        camera = viewport.camera()
        assert (camera.width, camera.height) == size
        icon = theme.icon("frame").pixmap(QSize(20, 20), ratio[0])
        assert icon.size() == QSize(20, 20) * ratio[0]
        assert icon.devicePixelRatio() == ratio[0]

    def select() -> torch.Tensor:
        stage.perform("tool.rect", "R")
        stage.drag(stage.middle - QPoint(70, 50), stage.middle + QPoint(60, 40))
        stage.wait(lambda: stage.document.selected_count)
        chosen = stage.document.selected
        stage.document.select_none()
        stage.perform("tool.none", "Escape")
        return chosen

    assert_follows()
    chosen = select()
    for new in (2.0, 1.5, 1.0):
        ratio[0] = new
        for widget in (viewport, stage.window):
            QApplication.sendEvent(widget, QEvent(QEvent.Type.DevicePixelRatioChange))
        assert_follows()
        assert (select() != chosen).sum() <= 0.02 * COUNT, "the mouse finds what it found before"
    assert stage.at_home


def out_and_back(stage: Stage, name: str) -> Callable[[], None]:
    def move() -> None:
        dock = stage.window.docks[name]
        dock.setFloating(True)
        QApplication.processEvents()
        dock.setFloating(False)
        QApplication.processEvents()

    return move


@pytest.mark.parametrize("name", ["scene", "histogram", "prune"])
def test_docks_come_out_and_go_in_during_a_drag(stage, name) -> None:
    stage.drag(stage.middle, stage.middle + QPoint(80, 20), between=out_and_back(stage, name))
    assert not stage.at_home
    assert not stage.window.docks[name].isFloating()
    stage.settle()
    home = stage.viewport.camera().world_to_camera
    stage.move(stage.middle + QPoint(120, 90))
    assert np.array_equal(stage.viewport.camera().world_to_camera, home), "the drag has ended"
    assert_can_go_on(stage)


@pytest.mark.parametrize("opengl", [pytest.param("on", marks=pytest.mark.gl), "off"])
def test_the_viewport_comes_out_and_goes_in_during_a_drag(make_stage, monkeypatch, opengl) -> None:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", opengl)
    stage = make_stage()
    window, centre = stage.window, stage.window.centre

    def out_and_in() -> None:
        centre.setParent(None)
        centre.resize(420, 300)
        centre.show()
        QApplication.processEvents()
        window.setCentralWidget(centre)
        centre.show()
        QApplication.processEvents()

    stage.drag(stage.middle, stage.middle + QPoint(60, 30), between=out_and_in)
    stage.settle()
    assert stage.viewport.isVisible()
    assert stage.viewport.window() is window
    camera = stage.viewport.camera()
    assert (camera.width, camera.height) == (stage.viewport.width(), stage.viewport.height())
    stage.viewport.setFocus()
    assert_can_go_on(stage)
    assert np.ptp(stage.on_screen()) > 100, "the picture is there again"


# The end comes early


def test_closing_while_scores_are_computed_asks_and_ends_the_job(make_stage) -> None:
    stage = make_stage()
    stage.session.run_scores(400)
    stage.wait(lambda: stage.session.runner.busy)
    press_in_box("Keep running")
    assert not stage.window.close()
    press_in_box("Cancel job and quit")
    assert stage.window.close()
    stage.wait(lambda: not stage.session.runner.busy)


def test_closing_while_a_file_is_written_leaves_no_half_of_it(make_stage, tmp_path) -> None:
    stage = make_stage()
    out = tmp_path / "out"
    out.mkdir()
    stage.session.export(out / "big.ply")
    press_in_box("Cancel job and quit")
    assert stage.window.close()
    stage.wait(lambda: not stage.session.runner.busy)
    left = list(out.iterdir())
    assert left in ([], [out / "big.ply"])
    if left:
        assert len(load_scene(left[0]).scene) == COUNT


def press_in_box(title: str) -> None:
    """Click a button of the message box that is about to open, if one does."""

    def look(tries: int = 200) -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            next(button for button in box.buttons() if button.text() == title).click()
        elif tries:
            QTimer.singleShot(10, lambda: look(tries - 1))

    QTimer.singleShot(0, look)


def test_the_last_photo_is_deleted_while_it_lies_over_the_picture(stage, tmp_path) -> None:
    photo = tmp_path / "last.png"
    photo.write_bytes(Path(stage.views[0].photo).read_bytes())
    stage.document.views = (replace(stage.views[0], photo=photo),)
    stage.viewport.show_view(0)
    stage.session.set_look(photo_opacity=0.5)
    stage.settle()
    stage.wait_idle()
    photo.unlink()
    for opacity in (0.6, 0.7):
        stage.session.set_look(photo_opacity=opacity)
        stage.settle()
    for mode in (Mode.ERROR, Mode.HEATMAP, Mode.COLOR):
        stage.session.set_mode(mode)
        stage.settle()
    stage.window.viewport.nearest_view()
    stage.settle()
    assert sum(level == "error" for level, _ in stage.notes) <= 1, stage.notes
    QTest.mouseClick(stage.viewport, LEFT, NO_KEY, stage.middle)
    stage.session.set_look(photo_opacity=0.0)
    assert_can_go_on(stage)
