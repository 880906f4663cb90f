"""Storing the scene in several ways: try, compare, choose, save, stop."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from core.formats import load_scene
from core.trials import NETS, trial_formats
from tests.viewer import refine_stage
from tests.viewer.refine_stage import RefineStage
from viewer.compare import LIVE, CompareMode
from viewer.compressing import FORMATS_JOB, NETS_JOB
from viewer.panels.compress import CompressPanel
from viewer.session import LOCKED

CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def stage(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RefineStage]:
    for stage in refine_stage.stage.__wrapped__(qtbot, qapp, tmp_path, monkeypatch):
        yield stage
        stage.window.files.asks_before_discarding = False


def opened(stage: RefineStage, photos: bool = True) -> CompressPanel:
    """The panel in front of a small scene, with nets that learn fast."""
    stage.open(photos)
    stage.press(Qt.Key.Key_3, CONTROL)
    panel = stage.window.compress_panel
    assert panel.isVisible()
    panel.choices.fit_spin.setValue(20)
    panel.choices.finetune_spin.setValue(4)
    return panel


def click(panel: CompressPanel, widget) -> None:
    panel.ensureWidgetVisible(widget)
    QTest.qWait(20)
    QTest.mouseClick(widget, LEFT)


def finish(stage: RefineStage) -> None:
    stage.until(lambda: not stage.session.runner.busy)
    QTest.qWait(300)


def test_formats_are_tried_and_told(stage: RefineStage) -> None:
    panel = opened(stage)
    click(panel, panel.formats_button)
    assert stage.session.runner.job.name == FORMATS_JOB
    finish(stage)
    trials = stage.session.compressing.trials
    assert [trial.format for trial in trials] == [known.name for known in trial_formats()]
    assert panel.table.row_count == len(trials)
    by_format = {trial.format: trial for trial in trials}
    assert by_format["spz"].bytes < by_format["ply"].bytes / 3
    assert all(math.isfinite(trial.evaluation.psnr) for trial in trials)
    assert by_format["spz"].evaluation.psnr > by_format["ply"].evaluation.psnr - 3
    assert panel.chosen is trials[-1]
    assert panel.details.values()[0] == "600"
    assert panel.chosen_title.text().startswith(trials[-1].title)


def test_a_click_in_the_plot_chooses(stage: RefineStage) -> None:
    panel = opened(stage)
    click(panel, panel.formats_button)
    finish(stage)
    panel.ensureWidgetVisible(panel.plot)
    QTest.qWait(150)
    x, y = panel.plot._places[0]
    at = panel.plot.pixel_of(QPointF(x, y)).toPoint()
    QTest.mouseClick(panel.plot.viewport(), LEFT, pos=at)
    assert panel.chosen is stage.session.compressing.trials[0]
    assert panel.table.marked == 0


def test_nets_are_watched_compared_and_saved(stage: RefineStage, tmp_path: Path) -> None:
    panel = opened(stage)
    document = stage.session.document
    before = stage.shot()
    stage.press(Qt.Key.Key_Return, CONTROL)
    assert stage.session.runner.job.name == NETS_JOB
    assert document.locked
    finish(stage)
    assert not document.locked
    assert stage.session.live is None
    stage.settle()
    np.testing.assert_array_equal(stage.shot(), before)
    (trial,) = stage.session.compressing.trials
    assert trial.format == NETS
    assert len(trial.scene) == 360
    assert sum(trial.streams.values()) == trial.bytes
    story = stage.session.compressing.story
    assert (story.fit_steps, len(story.losses)) == (20, 24), "one loss for every step"
    assert any(".ngs, best: " in text for _, text in stage.notes)
    assert panel.loss_plot.isVisible()

    click(panel, panel.compare_button)
    assert stage.session.compare.mode == CompareMode.WIPE
    assert stage.session.compare.b.name == f"{trial.title} (1)"
    click(panel, panel.clusters_button)
    assert stage.session.compare.b.name.startswith("Clusters of")
    assert stage.window.centre.compare_bar.numbers.text == "Colours tell clusters"

    click(panel, panel.save_button)
    dialog = stage.window.findChild(QFileDialog)
    assert dialog.selectedFiles()[0].endswith(".ngs")
    path = tmp_path / "small.ngs"
    dialog.selectFile(str(path))
    dialog.accept()
    stage.until(path.exists)
    stage.until(lambda: any("Saved small.ngs" in text for _, text in stage.notes))
    assert path.stat().st_size == trial.bytes
    again = load_scene(path).scene
    assert torch.equal(again.means, trial.scene.means)


def test_the_selection_is_kept_as_it_is(stage: RefineStage) -> None:
    panel = opened(stage)
    document = stage.session.document
    chosen = torch.arange(600) % 60 == 0
    document.select(chosen)
    panel.choices.protect_box.setChecked(True)
    click(panel, panel.run_button)
    finish(stage)
    (trial,) = stage.session.compressing.trials
    assert trial.streams["exact"] > 0
    wanted = document.scene.select(chosen)
    nearest = torch.cdist(wanted.means, trial.scene.means).argmin(1)
    back = trial.scene.select(nearest)
    assert (back.means - wanted.means).abs().max() < 0.02
    assert (back.opacity_logits - wanted.opacity_logits).abs().max() < 0.01
    assert (back.sh - wanted.sh).abs().max() < 0.01


def test_a_trial_of_an_earlier_state_is_told_and_compared_with_that(stage: RefineStage) -> None:
    panel = opened(stage)
    document = stage.session.document
    click(panel, panel.formats_button)
    finish(stage)
    assert "earlier" not in panel.chosen_title.text()
    document.delete(torch.arange(600) < 300)
    QTest.qWait(300)
    assert "of an earlier state" in panel.chosen_title.text()
    click(panel, panel.compare_button)
    before = stage.session.compare.a
    assert before is not None
    assert before.name.startswith("Before ")
    assert before.contents is not None
    assert len(before.contents.scene) == 600
    document.undo()
    QTest.qWait(300)
    assert "earlier" not in panel.chosen_title.text()
    click(panel, panel.compare_button)
    assert stage.session.compare.a is LIVE


def test_nets_in_no_file_are_not_lost_unasked(
    stage: RefineStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = opened(stage)
    click(panel, panel.run_button)
    finish(stage)
    asked: list[str] = []

    def answer(box: QMessageBox) -> QMessageBox.StandardButton:
        asked.append(box.text())
        return QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(QMessageBox, "exec", answer)
    stage.window.files.open(stage.folder / "ball.ply")
    assert asked == ["A scene compressed into nets is in no file yet."]
    assert len(stage.session.compressing.trials) == 1
    stage.session.compressing.save(panel.chosen, tmp_path / "kept.ngs")
    stage.until(lambda: not stage.session.compressing.unsaved)
    stage.window.files.open(stage.folder / "ball.ply")
    stage.until(lambda: not stage.session.compressing.trials)
    assert len(asked) == 1


def test_the_progress_of_nets_is_one(stage: RefineStage) -> None:
    panel = opened(stage)
    panel.choices.finetune_spin.setValue(12)
    seen: list[float] = []
    stage.session.runner.progressed.connect(
        lambda progress: (
            "measur" in progress.message
            or "view" in progress.message
            or seen.append(progress.fraction)
        )
    )
    click(panel, panel.run_button)
    finish(stage)
    steps = [share for share in seen if share > 0]
    assert len(steps) > 3
    assert max(steps) == 1.0
    assert sum(after < before for before, after in pairwise(steps)) <= 1, "then it is measured"


def test_a_stopped_run_leaves_everything_as_it_was(stage: RefineStage) -> None:
    panel = opened(stage, photos=False)
    panel.choices.finetune_spin.setValue(100_000)
    document = stage.session.document
    scene = document.scene
    click(panel, panel.run_button)
    stage.until(lambda: len(stage.session.compressing.story.losses) > 5)
    stage.window.activateWindow()
    document.delete(torch.ones(len(scene), dtype=torch.bool))
    assert ("warning", LOCKED) in stage.notes
    click(panel, panel.cancel_button)
    finish(stage)
    stage.settle()
    assert document.scene is scene
    assert not document.locked
    assert stage.session.compressing.trials == []
    assert panel.run_button.isEnabled()


def test_trials_go_with_the_document(stage: RefineStage) -> None:
    panel = opened(stage)
    click(panel, panel.formats_button)
    finish(stage)
    assert stage.session.compressing.trials
    stage.session.open(stage.folder / "ball.ply")
    stage.until(lambda: not stage.session.compressing.trials)
    QTest.qWait(300)
    assert panel.table.row_count == 0
    assert not panel.results.isVisible()


def test_the_estimate_follows_the_settings(stage: RefineStage) -> None:
    panel = opened(stage)
    assert "360 Gaussians, 1 net" in panel.estimate.text()
    panel.choices.keep_spin.setValue(100)
    panel.choices.clusters_spin.setValue(3)
    assert "600 Gaussians, 3 nets" in panel.estimate.text()
    panel.choices.preset_combo.setCurrentIndex(1)
    panel.choices.preset_combo.activated.emit(1)
    assert panel.choices.fit_spin.value() == 60_000
    assert panel.choices.settings().preset == "paper"
