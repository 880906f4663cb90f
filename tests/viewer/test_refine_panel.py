"""Prune-refine rounds in the window: run, watch, pause, stop, keep, undo, compare."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from core.jobs import JobState
from core.metrics import psnr
from core.pruning import SCHEDULES, Round, count_in_megabytes
from core.rendering import render
from tests.viewer import refine_stage
from tests.viewer.panel_stage import choose, type_into
from tests.viewer.refine_stage import COUNT, RefineStage
from viewer.compare import CompareMode, SideKind
from viewer.look import Mode
from viewer.refining import Outcome
from viewer.session import LOCKED
from viewer.viewport.tints import BACKGROUND
from viewer.widgets.messages import Toast

stage = refine_stage.stage
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LONG = 100_000


def run(stage: RefineStage) -> None:
    """Start a run by its keys, and wait until its first steps are seen."""
    stage.press(Qt.Key.Key_Return, CONTROL)
    assert stage.refining.running
    stage.until(lambda: len(stage.refining.run.losses) > 20 and stage.session.live is not None)


def finish(stage: RefineStage) -> None:
    stage.until(lambda: not stage.session.runner.busy)
    stage.settle()


def drawn(stage: RefineStage, scene) -> np.ndarray:
    rgb = render(scene, stage.window.viewport.camera(), background=BACKGROUND).rgb
    return (rgb.clamp(0, 1) * 255).round().int().numpy()


def test_a_run_is_watched_and_is_one_step_of_undo(stage: RefineStage) -> None:
    stage.open()
    document = stage.session.document
    before, opened = stage.shot(), document.scene
    stage.rounds((50, 60), (40, 60))
    assert "180 of 600" in stage.panel.summary.text()
    stage.press(Qt.Key.Key_Return, CONTROL)
    finish(stage)
    story = stage.refining.run
    assert story.outcome == Outcome.DONE
    assert len(document.scene) == 180
    assert [stage_.name for stage_ in story.stages] == [
        "start",
        "cut 1",
        "refined 1",
        "cut 2",
        "refined 2",
    ]
    assert len(story.losses) == 120
    assert story.rounds == [0, 60]
    assert document.scores["opacity"].values.shape == (180,), "scores without views are there"
    after = stage.shot()
    assert np.abs(after - drawn(stage, document.scene)).max() <= 1
    assert stage.session.live is None
    assert not document.locked
    assert [edit.name for edit in document.history.edits] == ["Refine to 180 Gaussians"]
    stage.press(Qt.Key.Key_Z, CONTROL)
    stage.settle()
    assert document.scene is opened
    np.testing.assert_array_equal(stage.shot(), before)
    stage.press(Qt.Key.Key_Z, CONTROL | SHIFT)
    stage.settle()
    np.testing.assert_array_equal(stage.shot(), after)


def test_the_picture_improves_while_it_trains_and_orbits(stage: RefineStage) -> None:
    stage.open()
    document = stage.session.document
    stage.rounds((30, LONG))
    first = stage.shot()
    run(stage)
    seen = []

    def another() -> bool:
        frame = stage.window.viewport.frame
        live = stage.session.live
        return (
            live is not None
            and frame.request.scene is live.scene
            and all(frame.request.scene is not known for known in seen)
        )

    for _ in range(3):
        stage.until(another)
        seen.append(stage.window.viewport.frame.request.scene)
    assert np.abs(stage.shot() - first).max() > 20
    camera = stage.window.viewport.camera()
    viewport = stage.window.viewport
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=viewport.rect().center())
    QTest.mouseMove(viewport, viewport.rect().center() * 1.2)
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=viewport.rect().center() * 1.2)
    assert not viewport.camera().same_as(camera)
    stage.until(lambda: viewport.frame.request.camera.same_as(viewport.camera()))
    stage.session.set_mode(Mode.HEATMAP)
    stage.until(lambda: viewport.frame.request.look.mode == Mode.COLOR and viewport.settled)
    stage.session.runner.cancel()
    finish(stage)
    assert document.scene is not seen[-1]


def test_pause_holds_the_run_and_its_picture(stage: RefineStage) -> None:
    stage.open()
    stage.rounds((30, LONG))
    run(stage)
    panel, runner = stage.panel, stage.session.runner
    panel.pause_button.click()
    stage.until(lambda: runner.job.state == JobState.PAUSED)
    with runner.lane.preview():  # the step under way has ended
        pass
    QTest.qWait(300)
    steps = len(stage.refining.run.losses)
    stage.until(lambda: stage.window.viewport.settled)
    QTest.qWait(150)
    assert len(stage.refining.run.losses) == steps
    assert panel.pause_button.accessibleName() == "Resume (Refine)"
    panel.pause_button.click()
    stage.until(lambda: len(stage.refining.run.losses) > steps)
    assert panel.pause_button.accessibleName() == "Pause (Refine)"
    panel.cancel_button.click()
    finish(stage)


def offers(stage: RefineStage) -> list[Toast]:
    """Messages on the screen that offer what a stopped run had."""
    shown = stage.window.toasts.shown
    return [toast for toast in shown if toast.action_button.text() == "Keep what it has"]


def test_a_cancelled_run_leaves_the_scene_and_what_it_had_can_be_kept(stage: RefineStage) -> None:
    stage.open()
    document = stage.session.document
    before, opened = stage.shot(), document.scene
    stage.rounds((50, LONG))
    run(stage)
    stage.press(Qt.Key.Key_Period, CONTROL)
    finish(stage)
    assert document.scene is opened
    assert not document.history.edits
    np.testing.assert_array_equal(stage.shot(), before)
    panel = stage.panel
    assert panel.keep_button.isVisible()
    assert not panel.compare_button.isVisible()
    assert "scene is as it was" in panel.told.text()
    panel.keep_button.setFocus()
    QTest.keyClick(panel.keep_button, Qt.Key.Key_Space)
    stage.until(lambda: document.scene is not opened)
    stage.settle()
    assert len(document.scene) == 300
    assert stage.refining.run.outcome == Outcome.KEPT
    assert panel.compare_button.isVisible()
    assert not panel.keep_button.isVisible()
    assert not offers(stage)
    stage.press(Qt.Key.Key_Z, CONTROL)
    stage.settle()
    assert document.scene is opened


def test_the_offer_of_a_stopped_run_can_be_declined_and_ends_with_an_edit(
    stage: RefineStage,
) -> None:
    stage.open()
    document = stage.session.document
    for decline in (True, False):
        stage.rounds((50, LONG))
        run(stage)
        stage.panel.cancel_button.click()
        finish(stage)
        assert stage.refining.run.offered is not None
        assert len(offers(stage)) == 1
        if decline:
            stage.panel.discard_button.click()
        else:
            document.select(torch.arange(COUNT) < 5)
            assert stage.refining.run.offered is not None, "selecting changes no Gaussian"
            document.delete_selected()
        assert stage.refining.run.offered is None
        assert not stage.panel.keep_button.isVisible()
        assert not offers(stage)


def test_the_message_of_a_stopped_run_keeps_too(stage: RefineStage) -> None:
    stage.open()
    stage.rounds((50, LONG))
    run(stage)
    stage.session.runner.cancel()
    finish(stage)
    (toast,) = offers(stage)
    toast.action_button.click()
    stage.until(lambda: len(stage.session.document.scene) == 300)
    stage.settle()


def test_before_and_after_compare_at_once_and_with_the_photo(stage: RefineStage) -> None:
    stage.open()
    session = stage.session
    before = drawn(stage, session.document.scene)
    stage.rounds((50, 60))
    stage.press(Qt.Key.Key_Return, CONTROL)
    finish(stage)
    after = drawn(stage, session.document.scene)
    stage.panel.compare_button.click()
    stage.settle()
    assert session.compare.mode == CompareMode.WIPE
    assert session.compare.a.name == "Before refining: 600"
    seen = stage.shot()
    half = seen.shape[1] // 2 - 2
    assert np.abs(seen[:, :half] - before[:, :half]).max() <= 1
    assert np.abs(seen[:, -half:] - after[:, -half:]).max() <= 1
    numbers = stage.window.centre.compare_bar.numbers
    stage.until(lambda: numbers.likeness is not None)
    pictures = [torch.from_numpy(picture / 255) for picture in (before, after)]
    assert numbers.likeness.psnr_db == pytest.approx(psnr(*pictures), abs=0.1)
    photo = next(side for side in session.compare.choices() if side.kind == SideKind.PHOTO)
    session.compare.choose_a(photo)
    stage.window.viewport.show_view(0)
    stage.until(lambda: stage.window.viewport.current_view == 0)
    stage.settle()
    stage.until(lambda: numbers.likeness is not None)
    assert numbers.likeness.psnr_db > 20


def test_a_second_run_starts_from_the_first_and_tells_its_time_before(stage: RefineStage) -> None:
    stage.open()
    panel = stage.panel
    assert "Time: –" in panel.estimate.full_text
    stage.rounds((50, 40))
    for left in (300, 150):
        stage.press(Qt.Key.Key_Return, CONTROL)
        finish(stage)
        assert len(stage.session.document.scene) == left
        assert "ms a step" in panel.estimate.full_text
    assert len(stage.session.document.history.edits) == 2
    assert stage.session.compare.a.name == "Before refining: 300"
    stage.session.document.go_to(0)
    stage.settle()
    assert len(stage.session.document.scene) == COUNT
    assert not panel.undo_button.isEnabled(), "Undo and Redo are of another edit now"


def test_deleted_gaussians_take_no_part(stage: RefineStage) -> None:
    stage.open()
    document = stage.session.document
    document.delete(torch.arange(COUNT) < 200)
    stage.rounds((50, 20))
    assert "200 of 400" in stage.panel.summary.text()
    stage.press(Qt.Key.Key_Return, CONTROL)
    finish(stage)
    assert len(document.scene) == 200
    stage.press(Qt.Key.Key_Z, CONTROL)
    assert document.alive_count == 400


def test_nothing_is_edited_while_it_runs(stage: RefineStage) -> None:
    stage.open()
    document = stage.session.document
    stage.rounds((50, LONG))
    run(stage)
    stage.press(Qt.Key.Key_A, CONTROL)
    assert stage.notes[-1] == ("warning", LOCKED)
    assert not document.selected_count
    assert not stage.panel.run_button.isEnabled()
    assert not stage.panel.choices.isEnabled()
    stage.session.runner.cancel()
    finish(stage)
    stage.press(Qt.Key.Key_A, CONTROL)
    assert document.selected_count == COUNT


def test_a_failed_run_leaves_the_scene_as_it_was(stage: RefineStage) -> None:
    stage.open()
    document, opened = stage.session.document, stage.session.document.scene
    for photo in stage.folder.glob("photo_3.png"):
        photo.write_bytes(b"no picture")
    stage.rounds((50, 60))
    stage.press(Qt.Key.Key_Return, CONTROL)
    stage.until(lambda: any(level == "error" for level, _ in stage.notes))
    finish(stage)
    assert document.scene is opened
    assert not document.locked
    assert stage.session.live is None
    assert stage.refining.run.outcome == Outcome.STOPPED
    assert stage.panel.run_button.isEnabled()


def test_without_photos_it_refines_against_the_scene_itself(stage: RefineStage) -> None:
    stage.open(photos=False, count=200)
    panel = stage.panel
    assert "No photos" in panel.needs_text.text()
    assert panel.attach_button.isVisible()
    choose(panel.choices.preset_combo, SCHEDULES["refine"].title)
    assert not panel.run_button.isEnabled(), "nothing goes, and there is nothing to fit to"
    assert "no photos to fit to" in panel.summary.text()
    stage.rounds((50, 4))
    assert panel.run_button.isEnabled()
    assert "ends under" in panel.choices.stop_box.text()
    stage.press(Qt.Key.Key_Return, CONTROL)
    finish(stage)
    story = stage.refining.run
    assert math.isinf(story.stages[0].evaluation.psnr)
    assert len(stage.session.document.scene) == 100
    assert panel.table.values()[2].startswith("equal → ")
    assert "like before" in panel.told.text()


def test_a_round_that_loses_too_much_is_taken_back(stage: RefineStage) -> None:
    stage.open()
    panel = stage.panel
    stage.rounds((95, 5), (10, 30))
    QTest.mouseClick(
        panel.choices.stop_box,
        Qt.MouseButton.LeftButton,
        pos=panel.choices.stop_box.rect().center() - panel.choices.stop_box.rect().center() / 2,
    )
    assert panel.choices.stop_box.isChecked()
    type_into(panel.choices.stop_spin, "1.5")
    assert panel.choices.choices().schedule.max_loss_db == 1.5
    stage.press(Qt.Key.Key_Return, CONTROL)
    finish(stage)
    assert len(stage.session.document.scene) == 540
    assert "Taken back: 1 round" in panel.told.text()
    assert panel.table.values()[0].startswith("600 → 540")


def test_presets_rounds_and_targets_make_the_schedule(stage: RefineStage) -> None:
    stage.open()
    choices = stage.panel.choices
    for name, preset in SCHEDULES.items():
        choose(choices.preset_combo, preset.title)
        assert choices.choices().schedule == preset.schedule, name
    choose(choices.preset_combo, SCHEDULES["removal-error"].title)
    rows = choices.rounds
    type_into(rows.rows[0].cut_spin, "70")
    type_into(rows.rows[1].steps_spin, "250")
    assert choices.preset_combo.currentText() == "Own rounds"
    rows.add_button.click()
    assert rows.rounds == (Round(0.7, 1000), Round(0.5, 250), Round(0.5, 250))
    rows.rows[0].down_button.click()
    assert rows.rounds[:2] == (Round(0.5, 250), Round(0.7, 1000))
    rows.rows[1].up_button.click()
    rows.rows[2].remove_button.click()
    assert rows.rounds == (Round(0.7, 1000), Round(0.5, 250))
    assert [row.up_button.isEnabled() for row in rows.rows] == [False, True]
    assert "90 of 600" in stage.panel.summary.text()
    choose(choices.target_combo, "A number of")
    type_into(choices.count_spin, "123")
    assert "123 of 600" in stage.panel.summary.text()
    assert "Round 2 leaves 123" in stage.panel.summary.toolTip()
    choose(choices.target_combo, "A size of")
    type_into(choices.megabytes_spin, "0.0312")
    scene = stage.session.document.scene
    assert choices.choices().schedule.target == count_in_megabytes(scene, 0.0312) == 292
    choose(choices.score_combo, "Opacity")
    choices.sparsify_box.setChecked(True)
    choices.seed_spin.setValue(7)
    choose(choices.background_combo, "White")
    asked = choices.choices()
    assert (asked.seed, asked.background) == (7, (1.0, 1.0, 1.0))
    assert (asked.schedule.score, asked.schedule.sparsify) == ("opacity", True)
    for row in rows.rows:
        row.cut_spin.setValue(0)
    assert replace(asked.schedule, rounds=rows.rounds).counts(COUNT)[-1] == 292


def test_quitting_asks_while_it_runs(stage: RefineStage, monkeypatch) -> None:
    stage.open()
    stage.rounds((50, LONG))
    run(stage)
    asked = []

    def stay(box: QMessageBox) -> int:
        asked.append(box.text())
        return 0

    monkeypatch.setattr(QMessageBox, "exec", stay)
    stage.window.close()
    assert asked == ["Refine is still running."]
    assert stage.window.isVisible()
    assert stage.refining.running
    assert not stage.window.actions_["file.open"].isEnabled()
    stage.session.runner.cancel()
    finish(stage)


def test_the_panel_is_reached_by_keys_menu_and_palette(stage: RefineStage) -> None:
    stage.open()
    dock = stage.window.docks["refine"]
    stage.window.docks["sensitivity"].raise_()
    QTest.qWait(30)
    stage.press(Qt.Key.Key_6, CONTROL)
    assert not stage.panel.visibleRegion().isEmpty()
    focus = QApplication.focusWidget()
    assert stage.panel.isAncestorOf(focus)
    assert stage.window.actions_["panel.refine"] in stage.window.menus["Window"].actions()
    assert stage.window.active_panel() is stage.panel
    assert not dock.isHidden()
    unnamed = [
        type(widget).__name__
        for widget in stage.panel.findChildren(type(stage.panel.run_button))
        if not widget.accessibleName()
    ]
    assert not unnamed
