"""An image in the window: how it gets there, what is shown, and what a person does with it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QColorDialog, QFileDialog, QLineEdit

from core.editing.changes import depths_of
from core.formats import load_scene
from core.gmae import models
from core.gmae.images import GREY
from core.gmae.layers import Show
from core.gmae.model import new_model
from core.gmae.splatting import WHITE
from core.gmae.weights import save_model
from core.rendering import render
from core.scoring import SCORES
from tests.core.test_cli_gmae import TINY
from tests.viewer.image_stage import Stage, stage, write_image
from tests.viewer.test_window import CANCEL, answer, drop
from tests.viewer.window_stage import write_scene
from viewer.app import with_default_command
from viewer.export_dialog import ExportDialog
from viewer.imaging import PASTED
from viewer.layout import recent_files
from viewer.look import BACKGROUND, Backdrop

__all__ = ["stage"]

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier


def read_square(path: Path, side: int) -> torch.Tensor:
    with Image.open(path) as file:
        return torch.from_numpy(np.array(ImageOps.fit(file, (side, side)))) / 255


def drag(stage: Stage, slider, value: int, drop: bool = True) -> None:
    """Take a slider by its handle to a value."""
    stage.panel.ensureWidgetVisible(slider)
    QApplication.processEvents()

    def place(value: int) -> QPoint:
        share = (value - slider.minimum()) / (slider.maximum() - slider.minimum())
        return QPoint(round(8 + share * (slider.width() - 16)), slider.height() // 2)

    start = place(slider.value())
    QTest.mousePress(slider, LEFT, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(slider, start + (place(value) - start) * step / 5)
        QTest.qWait(5)
    if drop:
        QTest.mouseRelease(slider, LEFT, pos=place(value))
        stage.idle()


def click(stage: Stage, button) -> None:
    stage.panel.ensureWidgetVisible(button)
    QApplication.processEvents()
    QTest.mouseClick(button, LEFT)


# How it gets there


def test_a_dropped_image_opens_on_white_at_its_own_camera(stage: Stage) -> None:
    drop(stage.window, [stage.image])
    stage.until(lambda: stage.session.document is not None)
    stage.idle()
    document = stage.session.document
    assert stage.window.windowTitle().startswith("boat.png")
    assert len(document.scene) == TINY.gaussians
    assert not document.modified
    assert stage.session.look.background == WHITE
    assert stage.window.actions_["view.background_white"].isChecked()
    assert stage.panel.isVisible()
    assert recent_files() == [stage.image]
    (view,) = document.views
    with Image.open(view.photo) as file:
        photo = torch.from_numpy(np.array(file)) / 255
    assert photo.shape == (40, 40, 3), "sharper than the model's 32"
    assert (view.camera.width, view.camera.height) == (40, 40)
    assert view.camera.K[0, 0] == 20
    assert torch.equal(photo, read_square(stage.image, 40))
    stage.until(lambda: stage.window.viewport.settled)
    frame = stage.window.viewport.frame
    assert frame.request.view is view
    assert np.allclose(frame.request.camera.world_to_camera, np.eye(4))
    drawn = render(document.scene, frame.request.camera, background=WHITE).rgb
    shown = torch.as_tensor(frame.pixels)[..., :3]
    assert (shown - (drawn.clamp(0, 1) * 255)).abs().max() <= 1


def test_a_scene_after_an_image_is_drawn_on_what_the_person_chose(stage: Stage) -> None:
    stage.open()
    assert stage.window.metrics_panel.background_box.currentText() == "On white"
    stage.window.files.open(write_scene(stage.folder, 50))
    stage.until(lambda: len(stage.session.document.scene) == 50)
    stage.idle()
    assert stage.session.look.background == BACKGROUND
    assert stage.imaging.source is None
    assert stage.window.metrics_panel.background_box.currentText() == "On black"
    assert not stage.panel.image.made.isVisible()
    stage.window.actions_["view.background_black"].trigger()
    stage.open()
    assert stage.session.look.background == WHITE
    stage.window.files.open(stage.folder / "ball.ply")
    stage.until(lambda: stage.imaging.source is None)
    assert stage.session.look.background == (0, 0, 0)


def test_what_is_exported_opens_at_its_camera_on_white(stage: Stage) -> None:
    stage.open()
    stage.window.actions_["view.background_black"].trigger()
    before = stage.seen()
    path = stage.folder / "kept.ply"
    stage.session.export(path)
    stage.idle()
    stage.window.files.open(path)
    stage.until(lambda: stage.imaging.source is None)
    stage.idle()
    document, own = stage.session.document, stage.window.viewport.camera()
    (view,) = document.views
    assert view.photo is None
    assert view.camera.same_as(document.scene.camera)
    assert np.allclose(own.world_to_camera, np.eye(4))
    assert stage.session.look.background == WHITE
    assert (render(document.scene, view.camera, background=WHITE).rgb - before).abs().max() < 1e-4
    stage.until(lambda: stage.session.peeling.layers is not None)
    assert np.allclose(stage.session.peeling.layers.camera.world_to_camera, np.eye(4))


def test_the_whole_image_is_in_sight_with_a_margin(stage: Stage) -> None:
    stage.open()
    viewport = stage.window.viewport
    stage.until(lambda: viewport.settled)
    camera = viewport.camera()
    share = 2 * camera.K[0, 0] / min(camera.width, camera.height)
    assert 1 / 1.2 < share < 1 / 1.1
    assert viewport.frame.request.view is stage.session.document.views[0]


def test_the_menu_and_the_recent_files_open_images(stage: Stage) -> None:
    QTest.keyClick(stage.window, Qt.Key.Key_G, CONTROL)
    dialog = stage.window.findChild(QFileDialog)
    field = dialog.findChild(QLineEdit, "fileNameEdit")
    field.setText(str(stage.image))
    QTest.keyClick(field, Qt.Key.Key_Return)
    stage.until(lambda: stage.imaging.source is not None)
    stage.idle()
    stage.window.files.open(write_scene(stage.folder, 50))
    stage.until(lambda: stage.imaging.source is None)
    stage.idle()
    entry = next(e for e in stage.window.recent_menu.actions() if e.text() == "boat.png")
    entry.trigger()
    stage.until(lambda: stage.imaging.source is not None)
    assert with_default_command([str(stage.image)]) == ["open", str(stage.image)]


def test_an_image_and_an_image_file_are_pasted(stage: Stage) -> None:
    image = QImage(50, 70, QImage.Format.Format_ARGB32)
    image.fill(QColor(10, 200, 30, 128))
    QGuiApplication.clipboard().setImage(image)
    QTest.keyClick(stage.window.viewport, Qt.Key.Key_V, CONTROL)
    stage.until(lambda: stage.session.document is not None)
    stage.idle()
    assert stage.session.document.path is None
    assert not stage.session.untrained
    assert stage.window.windowTitle().startswith(PASTED)
    over_white = torch.tensor([132, 227, 142]) / 255
    assert (stage.source.pixels[0, :, 16, 16] - over_white).abs().max() < 0.01
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(stage.image))])
    QGuiApplication.clipboard().setMimeData(data)
    click(stage, stage.panel.image.paste_button)
    stage.until(lambda: stage.session.document.path == stage.image)
    stage.idle()
    QGuiApplication.clipboard().setText("no image")
    stage.window.actions_["file.paste_image"].trigger()
    assert "no image in the clipboard" in stage.messages[-1][1]
    assert stage.session.document.path == stage.image


@pytest.mark.parametrize("kind", ["text", "truncated", "huge", "gone"])
def test_a_bad_image_is_told_and_the_open_one_stays(stage: Stage, kind: str) -> None:
    stage.open()
    document, bad = stage.session.document, stage.folder / "bad.png"
    if kind == "text":
        bad.write_text("hello")
    elif kind == "truncated":
        Image.effect_noise((200, 200), 80).save(bad)
        bad.write_bytes(bad.read_bytes()[:4000])
    elif kind == "huge":
        Image.new("1", (9000, 9000)).save(bad)
    drop(stage.window, [bad])
    stage.until(lambda: any(level == "error" for level, _ in stage.messages))
    stage.idle()
    (error,) = [text for level, text in stage.messages if level == "error"]
    start = "Cannot open bad.png: there is no such file" if kind == "gone" else "bad.png"
    assert error.startswith(start)
    assert stage.session.document is document
    assert stage.source.name == "boat.png"
    assert stage.session.look.background == WHITE


def test_of_several_dropped_images_the_first_is_opened(stage: Stage) -> None:
    other = write_image(stage.folder / "other.png")
    drop(stage.window, [other, stage.image])
    stage.until(lambda: stage.session.document is not None)
    stage.idle()
    assert stage.session.title == "other.png"
    assert any("opening other.png of 2" in text for _, text in stage.messages)


def test_a_missing_model_says_how_to_get_one(stage: Stage, monkeypatch) -> None:
    monkeypatch.setattr(models, "BOX_MODEL", stage.folder / "none.safetensors")
    drop(stage.window, [stage.image])
    stage.until(lambda: stage.messages)
    assert "splatscope gmae train" in stage.messages[-1][1]
    assert stage.session.document is None


def test_another_image_asks_about_changes_first(stage: Stage) -> None:
    stage.open()
    stage.session.document.delete(torch.arange(TINY.gaussians) < 3)
    seen: list[str] = []
    answer(CANCEL, seen)
    drop(stage.window, [write_image(stage.folder / "other.png")])
    assert seen == ["boat.png has changes that are not exported."]
    assert stage.session.title == "boat.png"


def test_an_image_that_is_brought_back_is_one_again(stage: Stage) -> None:
    source, session = stage.open(), stage.session
    held = session.document, session.loaded, session.dataset
    stage.window.files.open(write_scene(stage.folder, 50))
    stage.until(lambda: stage.imaging.source is None)
    stage.idle()
    session.hold(held)
    assert stage.source is source
    assert session.look.background == WHITE
    stage.until(lambda: stage.imaging.quality is not None)
    stage.imaging.hide(0.5, 0)
    stage.until(lambda: stage.source.mask_ratio == 0.5)


def test_the_preferred_background_lies_behind_scenes(stage: Stage) -> None:
    stage.window.preferences.set(background=Backdrop.BLACK)
    assert stage.session.look.background == (0, 0, 0)
    stage.open()
    assert stage.session.look.background == WHITE
    stage.window.files.open(write_scene(stage.folder, 50))
    stage.until(lambda: stage.imaging.source is None)
    assert stage.session.look.background == (0, 0, 0)


# What a person does with it


def test_hidden_patches_are_seen_while_dragging_and_one_edit_in_the_end(stage: Stage) -> None:
    whole, section = stage.open(), stage.panel.image
    drag(stage, section.hide_slider, 75, drop=False)
    stage.until(lambda: stage.session.live is not None)
    assert not stage.session.document.history.edits
    stage.until(lambda: stage.imaging.shown.mask_ratio == section.hide_slider.value() / 100)
    QTest.mouseRelease(section.hide_slider, LEFT)
    stage.until(lambda: stage.session.document.history.edits)
    stage.idle()
    ratio = section.hide_slider.value() / 100
    assert stage.session.live is None
    assert ratio == pytest.approx(0.75, abs=0.05)
    assert stage.source.mask_ratio == ratio
    stage.until(lambda: stage.imaging.quality and stage.imaging.quality.hidden_mse)
    section.refresh()
    assert section.table.values()[1] != "–"
    shown = section.picture.pixmap().toImage()
    colors = {shown.pixelColor(x, y).name() for x in range(4, 100, 8) for y in range(4, 100, 8)}
    assert QColor.fromRgbF(GREY, GREY, GREY).name() in colors
    outputs = stage.source.outputs
    section.seed_spin.stepUp()
    stage.until(lambda: stage.source.seed == 1)
    assert not torch.equal(stage.source.outputs, outputs)
    stage.undo()
    stage.undo()
    assert stage.source is whole
    section.refresh()
    assert section.hide_slider.value() == 0


def test_exaggerated_depth_keeps_the_picture_of_the_image(stage: Stage) -> None:
    stage.open()
    before, everything = stage.seen(), torch.ones(TINY.gaussians, dtype=torch.bool)
    scene, camera = stage.session.document.scene, stage.source.camera
    span = np.ptp(depths_of(scene, everything, camera).numpy())
    drag(stage, stage.panel.image.depth_slider, 30, drop=False)
    assert stage.session.live is not None
    assert (stage.seen(stage.session.live.scene) - before).abs().max() <= 2 / 255
    QTest.mouseRelease(stage.panel.image.depth_slider, LEFT)
    stage.idle()
    factor = stage.source.exaggeration
    assert 6 < factor < 10
    assert stage.session.document.history.position == 1
    assert (stage.seen() - before).abs().max() <= 2 / 255
    drawn_out = depths_of(stage.session.document.scene, everything, camera)
    assert np.ptp(drawn_out.numpy()) == pytest.approx(factor * span, rel=1e-3)
    stage.undo()
    assert stage.source.exaggeration == 1
    assert torch.equal(stage.seen(), before)


def test_refining_nears_the_image_keeps_depth_and_what_is_deleted(stage: Stage) -> None:
    stage.open()
    document = stage.session.document
    document.delete(torch.arange(TINY.gaussians) < 3)
    stage.select(5)
    click_edit(stage, stage.panel.edit.far_button)
    stage.idle()
    quality, before = stage.imaging.quality, document.scene
    everything = torch.ones(TINY.gaussians, dtype=torch.bool)
    depths = depths_of(before, everything, stage.source.camera)
    stage.panel.image.steps_spin.setValue(30)
    click(stage, stage.panel.image.refine_button)
    assert document.locked
    stage.until(lambda: stage.imaging.psnr is not None)
    stage.idle()
    assert not document.locked
    assert stage.session.live is None
    assert document.history.undo_name == "Refine image"
    assert stage.imaging.quality.psnr > quality.psnr + 0.5
    assert document.alive_count == TINY.gaussians - 3
    after = depths_of(document.scene, everything, stage.source.camera)
    assert torch.allclose(after, depths, atol=1e-4)
    assert torch.equal(document.scene.means[:3], before.means[:3])
    assert stage.source.refined == 30
    stage.undo()
    assert torch.equal(document.scene.means, before.means)
    assert torch.equal(document.scene.sh, before.sh)
    assert stage.source.refined == 0
    stage.until(lambda: stage.imaging.quality.psnr == pytest.approx(quality.psnr))


def test_a_cancelled_refinement_leaves_all_as_it_was(stage: Stage) -> None:
    stage.open()
    document, scene = stage.session.document, stage.session.document.scene
    stage.panel.image.steps_spin.setValue(2000)
    click(stage, stage.panel.image.refine_button)
    stage.until(lambda: stage.panel.image.cancel_button.isVisible())
    click(stage, stage.panel.image.cancel_button)
    stage.idle()
    assert document.scene is scene
    assert not document.locked
    assert not document.history.edits
    assert stage.session.live is None


def click_edit(stage: Stage, button) -> None:
    if not stage.panel.edit.is_open:
        click(stage, stage.panel.edit.header)
    click(stage, button)


def test_selected_gaussians_are_recoloured_and_moved(stage: Stage) -> None:
    stage.open()
    document, edit = stage.session.document, stage.panel.edit
    assert not edit.color_button.isEnabled()
    stage.select(2, 7)
    click_edit(stage, edit.color_button)
    dialog = edit.findChild(QColorDialog)
    dialog.setCurrentColor(QColor(255, 0, 128))
    dialog.accept()
    stage.idle()
    assert document.history.undo_name == "Recolour"
    colors = document.scene.base_colors()[document.selected]
    plain = [name for name, entry in SCORES.items() if not entry.needs]
    assert plain
    stage.until(lambda: not any(document.is_stale(name) for name in plain))
    assert torch.allclose(colors, torch.tensor([1.0, 0.0, 128 / 255]).expand(2, 3), atol=1e-4)
    camera, everything = stage.source.camera, document.alive
    before = depths_of(document.scene, everything, camera)
    step = edit.step_spin.value()
    click_edit(stage, edit.near_button)
    moved = before - depths_of(document.scene, everything, camera)
    wanted = torch.zeros(TINY.gaussians)
    wanted[[2, 7]] = step
    assert torch.allclose(moved, wanted, atol=1e-4)
    assert document.history.undo_name == "Move nearer"
    edit.hide_button.setFocus()
    click_edit(stage, edit.hide_button)
    assert document.hidden_count == 2
    assert not edit.step_spin.hasFocus(), "a key after it changes no number"
    for _ in range(4):
        stage.undo()
    assert torch.equal(document.scene.sh, stage.source.scene().sh)
    assert not document.modified


def test_selected_gaussians_in_layers_that_are_not_drawn_are_told(stage: Stage) -> None:
    stage.open()
    peeling, edit = stage.session.peeling, stage.panel.edit
    peeling.set_enabled(True)
    peeling.set_peel(show=Show.SINGLE, step=1, count=2)
    stage.until(lambda: peeling.layers is not None and peeling.layers.count == 2)
    edit.toggle()
    near = int(peeling.layers.ranks.argmin())
    far = int(peeling.layers.ranks.argmax())
    stage.select(near, far)
    assert edit.told.text().startswith("2 selected, 1 of them in layers that are not drawn.")
    peeling.set_enabled(False)
    assert edit.told.text().startswith("2 selected. ")


def test_another_model_describes_the_open_image_anew(stage: Stage) -> None:
    stage.open()
    own = stage.folder / "own.safetensors"
    save_model(new_model(TINY.changed(size=48), seed=9), own)
    stage.window.files.use_model(own)
    stage.until(lambda: stage.source.config.size == 48)
    stage.idle()
    stage.panel.image.refresh()
    assert stage.panel.image.model_combo.currentText() == "own.safetensors"
    assert stage.source.name == "boat.png"
    combo = stage.panel.image.model_combo
    combo.setCurrentIndex(0)
    combo.activated.emit(0)
    stage.until(lambda: stage.source.config.size == TINY.size)
    assert stage.imaging.model_file is None


def test_metrics_are_those_of_the_model_on_white(stage: Stage) -> None:
    stage.open()
    stage.until(lambda: stage.imaging.quality is not None)
    stage.window.metrics_panel.run()
    stage.idle()
    measured = stage.window.metrics_panel.measuring.measured
    assert measured.after.psnr == pytest.approx(stage.imaging.quality.psnr, abs=0.1)


def test_an_exported_image_opens_again_as_the_same_picture(stage: Stage) -> None:
    stage.open()
    stage.session.document.delete(torch.arange(TINY.gaussians) == 0)
    QTest.keyClick(stage.window, Qt.Key.Key_E, CONTROL)
    stage.until(lambda: stage.window.findChild(ExportDialog) is not None)
    dialog = stage.window.findChild(ExportDialog)
    path = stage.folder / "boat.ply"
    assert dialog.path == path
    QTest.keyClick(dialog.path_field, Qt.Key.Key_Return)
    stage.until(path.exists)
    stage.idle()
    again = load_scene(path).scene
    seen = render(again, stage.source.camera, background=WHITE).rgb.clamp(0, 1)
    assert (seen - stage.seen()).abs().max() <= 2 / 255
    assert not stage.session.document.modified


def test_what_was_written_for_the_photo_is_gone_with_the_window(stage: Stage) -> None:
    stage.open()
    photo = stage.session.document.views[0].photo
    assert photo.is_file()
    stage.session.shut_down()
    assert not photo.parent.exists()
