"""Training a scene from photos in the window: points, run, watch, stop, keep, unsaved."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plyfile import PlyData, PlyElement
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QMessageBox

from core.datasets import load_dataset
from core.datasets.dataset import PointCloud
from core.jobs import JobState, drain
from core.metrics import lpips_weights
from core.metrics.lpips import ALEX
from core.training import RANDOM, TrainSettings, train
from tests.blobs import blob_scene
from tests.core.training_stage import same_bits
from tests.viewer import refine_stage
from tests.viewer.panel_stage import choose, type_into
from tests.viewer.refine_stage import RefineStage, write_capture
from viewer.panels.train_settings import TrainFields
from viewer.refining import Outcome

stage = refine_stage.stage
CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
POINTS = 120
LONG = 100_000


@pytest.fixture(autouse=True)
def _no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips_weights, "weights_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("SPLATSCOPE_LPIPS", raising=False)


def photos(folder: Path, scene: bool = False) -> Path:
    """Photos of a ball with their cameras and some of its points; maybe with a scene as well."""
    folder.mkdir()
    path = write_capture(folder)
    if not scene:
        path.unlink()
    ball = blob_scene(refine_stage.COUNT)
    names = [(name, "<f4") for name in "xyz"] + [(n, "u1") for n in ("red", "green", "blue")]
    table = np.empty(POINTS, names)
    colors = (255 * ball.base_colors()).to(torch.uint8)
    for place, name in enumerate("xyz"):
        table[name] = ball.means[:POINTS, place]
    for place, name in enumerate(("red", "green", "blue")):
        table[name] = colors[:POINTS, place]
    PlyData([PlyElement.describe(table, "vertex")]).write(str(folder / "points3D.ply"))
    return folder


def begin(stage: RefineStage, steps: int = LONG) -> None:
    """The points of photos in the window, and the number of steps in the field."""
    stage.window.files.train(photos(stage.folder / "photos"))
    stage.until(lambda: stage.session.document is not None and not stage.session.runner.busy)
    stage.settle()
    type_into(stage.panel.training.steps_spin, str(steps))


def run(stage: RefineStage) -> None:
    stage.press(Qt.Key.Key_Return, CONTROL)
    assert stage.refining.running
    stage.until(lambda: len(stage.refining.run.losses) > 20 and stage.session.live is not None)


def finish(stage: RefineStage) -> None:
    stage.until(lambda: not stage.session.runner.busy)
    stage.settle()


def answer(text: str, seen: list[str]) -> None:
    """Press a button of the question that comes up, by the mouse."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        seen.append(box.text())
        (button,) = [each for each in box.buttons() if each.text().replace("&", "") == text]
        QTest.mouseClick(button, LEFT)

    QTimer.singleShot(50, press)


def test_the_points_come_first_from_the_welcome_page(stage: RefineStage) -> None:
    welcome = stage.window.centre.welcome
    QTest.mouseClick(welcome.train_button, LEFT)
    dialog = stage.window.findChild(QFileDialog)
    field = dialog.findChild(QLineEdit, "fileNameEdit")
    field.setText(str(photos(stage.folder / "photos")))
    QTest.keyClick(field, Qt.Key.Key_Return)
    stage.until(lambda: stage.session.document is not None and not stage.session.runner.busy)
    stage.settle()
    document, panel = stage.session.document, stage.panel
    assert stage.session.untrained
    assert len(document.scene) == POINTS
    assert len(document.views) == refine_stage.VIEWS
    assert document.path is None
    assert not document.modified
    assert stage.window.windowTitle().startswith("Untitled")
    assert panel.isVisible()
    assert panel.run_button.text() == "Train"
    assert panel.training.isVisible()
    assert not panel.choices.isVisible()
    assert "7 training photos, measured on 2 held out" in panel.needs_text.text()
    assert panel.summary.text() == "From 120 points to at most 500,000 Gaussians"


def test_training_is_watched_and_makes_an_unsaved_scene(stage: RefineStage) -> None:
    begin(stage, 60)
    document, panel = stage.session.document, stage.panel
    points, before = document.scene, stage.shot()
    stage.press(Qt.Key.Key_Return, CONTROL)
    assert stage.session.runner.job.name == "Train"
    assert stage.refining.running
    finish(stage)
    story = stage.refining.run
    assert story.outcome == Outcome.DONE
    assert [each.name for each in story.stages] == ["start", "trained"]
    assert len(story.losses) == len(story.counts) == 60
    first, last = (each.evaluation for each in story.stages)
    assert last.psnr > first.psnr + 0.5
    assert document.scene is not points
    assert document.modified
    assert document.path is None
    assert not stage.session.untrained
    assert np.abs(stage.shot() - before).mean() > 0.5
    assert panel.run_button.text() == "Refine"
    assert panel.choices.isVisible()
    assert not panel.training.isVisible()
    assert panel.count_plot.isVisibleTo(panel)
    assert not panel.stage_plot.isVisibleTo(panel)
    assert panel.count_plot.line.getData()[1].tolist() == story.counts
    assert panel.told.text() == f"Trained: {len(document.scene)} Gaussians, {last.psnr:.2f} dB."
    assert panel.table.values()[2] == f"{first.psnr:.2f} dB → {last.psnr:.2f} dB"
    assert panel.table.values()[4] == "–"
    stage.press(Qt.Key.Key_Z, CONTROL)
    stage.settle()
    assert document.scene is points
    assert stage.session.untrained
    assert panel.run_button.text() == "Train"
    assert not document.modified


def test_it_trains_as_the_command_does(stage: RefineStage) -> None:
    begin(stage, 25)
    fields = stage.panel.training
    fields.advanced.toggle()
    for spin, value in ((fields.count_spin, 100), (fields.degree_spin, 1), (fields.seed_spin, 4)):
        type_into(spin, str(value))
    choose(fields.background_combo, "White")
    stage.panel.run_button.click()
    finish(stage)
    dataset = load_dataset(stage.folder / "photos")
    settings = TrainSettings(steps=25, max_count=100, sh_degree=1, seed=4, background=(1, 1, 1))
    cloud = PointCloud(dataset.points, dataset.point_colors)
    assert same_bits(stage.session.document.scene, drain(train(dataset.train, cloud, settings)))


def test_deleted_points_take_no_part(stage: RefineStage) -> None:
    begin(stage, 1)
    document = stage.session.document
    document.delete(torch.arange(POINTS) < 50)
    assert stage.panel.summary.text().startswith("From 70 points")
    stage.panel.run_button.click()
    finish(stage)
    assert len(document.scene) == 70


def test_it_pauses_and_what_a_cancelled_run_had_is_kept_or_not(stage: RefineStage) -> None:
    begin(stage)
    document, panel = stage.session.document, stage.panel
    points = document.scene
    run(stage)
    assert stage.session.live.scene is not points
    assert panel.progress_text.full_text.startswith("step ")
    panel.pause_button.click()
    stage.until(lambda: stage.session.runner.job.state == JobState.PAUSED)
    QTest.qWait(60)
    held = len(stage.refining.run.losses)
    QTest.qWait(60)
    assert len(stage.refining.run.losses) == held
    panel.pause_button.click()
    stage.until(lambda: len(stage.refining.run.losses) > held)
    panel.cancel_button.click()
    finish(stage)
    assert document.scene is points
    assert stage.session.untrained
    panel.discard_button.click()
    assert stage.refining.run.offered is None
    assert document.scene is points
    run(stage)
    stage.press(Qt.Key.Key_Period, CONTROL)
    finish(stage)
    offered = stage.refining.run.offered.scene
    panel.keep_button.click()
    stage.until(lambda: document.scene is offered)
    stage.settle()
    assert document.modified
    assert not stage.session.untrained
    assert panel.told.text().startswith("Kept after ")


def test_a_trained_scene_in_the_folder_is_offered(stage: RefineStage) -> None:
    folder = photos(stage.folder / "photos", scene=True)
    seen: list[str] = []
    answer("Cancel", seen)
    stage.window.files.train(folder)
    assert seen == ["photos has a scene already: ball.ply."]
    assert not stage.session.runner.busy
    answer("Open It", seen)
    stage.window.files.train(folder)
    finish(stage)
    assert stage.session.document.path == folder / "ball.ply"
    assert stage.session.document.views
    assert not stage.session.untrained
    answer("Train Another", seen)
    stage.window.files.train(folder)
    stage.until(lambda: stage.session.untrained)
    finish(stage)
    assert len(stage.session.document.scene) == POINTS


def test_what_was_trained_is_not_lost_unasked(stage: RefineStage) -> None:
    begin(stage, 1)
    stage.panel.run_button.click()
    finish(stage)
    document, seen = stage.session.document, []
    answer("Cancel", seen)
    stage.window.files.train(stage.folder / "photos")
    assert seen == ["The scene has changes that are not exported."]
    assert stage.session.document is document


def test_photos_that_are_not_there_are_told(stage: RefineStage) -> None:
    folder = photos(stage.folder / "photos")
    for photo in folder.glob("*.png"):
        photo.unlink()
    stage.window.files.train(folder)
    stage.until(lambda: bool(stage.notes))
    level, text = stage.notes[-1]
    assert level == "error"
    assert "no photos to train from" in text
    stage.until(lambda: not stage.session.runner.busy)
    empty = stage.folder / "empty"
    empty.mkdir()
    stage.window.files.train(empty)
    stage.until(lambda: len(stage.notes) == 2)
    assert str(empty) in stage.notes[-1][1]
    stage.until(lambda: not stage.session.runner.busy)
    assert stage.session.document is None


def test_lpips_stands_in_the_table_where_there_are_weights(stage: RefineStage) -> None:
    begin(stage, 1)
    panel = stage.panel
    panel.run_button.click()
    finish(stage)
    assert panel.table.values()[4] == "–"
    assert "lpips-weights" in panel.table.tip("LPIPS")
    folder = stage.folder / "cache"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.rand(s, generator=generator) / 50 for name, s in ALEX.shapes.items()}
    np.savez(folder / "alex.npz", **{name: each.numpy() for name, each in weights.items()})
    stage.rounds((50, 2))
    panel.run_button.click()
    finish(stage)
    stages = stage.refining.run.stages
    first, last = (each.evaluation.lpips for each in (stages[0], stages[-1]))
    assert panel.table.values()[4] == f"{first:.3f} → {last:.3f}"
    assert panel.table.tip("LPIPS").startswith("By ")
    shutil.rmtree(folder)


def test_the_fields_begin_as_the_command(qapp: QApplication) -> None:
    fields = TrainFields()
    assert fields.choices().settings == TrainSettings()
    choose(fields.background_combo, "Random colours")
    fields.size_spin.setValue(50)
    asked = replace(TrainSettings(), background=RANDOM, scale=0.5)
    assert fields.choices().settings == asked
