"""Figure and ground, edges and export in the Layers panel, by real events."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot
from scipy.io import savemat

from core.cameras import Camera, View, look_at
from core.formats import load_scene
from core.gmae.edges import layer_edges, match_edges, thinned
from core.gmae.figure_ground import (
    Polarity,
    center_ellipse,
    figure_depth,
    figure_mask,
    intersection_over_union,
    otsu,
    part_figure,
)
from core.images import LINE_SHARE, load_mask
from core.rendering import render
from tests.viewer import refine_stage
from tests.viewer.frame_stage import HEIGHT, WIDTH, front_camera
from tests.viewer.panel_stage import LEFT, at, choose, drag, pause, session, shown, type_into
from tests.viewer.refine_stage import RefineStage
from viewer.layout import settings
from viewer.look import Look, Mode
from viewer.panels.layers import LayersPanel
from viewer.panels.layers_export import FOLDER_KEY, JOB
from viewer.panels.layers_figure import ANSWER, ANY_SCENE, HONEST
from viewer.panels.layers_figure import verdict as figure_verdict
from viewer.panels.layers_truth import AWAY
from viewer.session import Session
from viewer.viewport.figures import measured_camera
from viewer.viewport.pictures import request_of
from viewer.viewport.shading import Shading
from viewer.widgets.numbers import value_text
from viewer.widgets.section import Section

__all__ = ["session"]

CAMERA = front_camera()
MEASURED = measured_camera(CAMERA)


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[LayersPanel]:
    session.peeling.set_view(lambda: CAMERA)
    panel = shown(qtbot, LayersPanel(session), 330, 900)
    assert isinstance(panel, LayersPanel)
    for section in panel.sections:
        if section.is_open:
            section.toggle()
    yield panel
    for section in panel.sections:
        settings().remove(f"sections/{section._key.rpartition('/')[2]}")
    settings().remove(FOLDER_KEY)


def opened(panel: LayersPanel, section: Section) -> None:
    click(section.header, panel)
    assert section.is_open


def click(widget, panel: LayersPanel) -> None:
    panel.ensureWidgetVisible(widget)
    pause(20)
    QTest.mouseClick(widget, LEFT, pos=QPoint(8, widget.height() // 2))


def write_mask(path: Path, mask: np.ndarray) -> Path:
    Image.fromarray((mask * 255).astype(np.uint8)).save(path)
    return path


def depth_of(session: Session) -> torch.Tensor:
    return figure_depth(session.document.scene, CAMERA)


def test_the_figure_is_shown_and_parted_by_hand_or_by_otsu(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    figure = panel.figure
    opened(panel, figure)
    qtbot.waitUntil(lambda: figure.survey is not None)
    assert figure.survey.otsu == pytest.approx(otsu(depth_of(session)), rel=1e-4)
    click(figure.on_box, panel)
    assert session.mode == Mode.FIGURE
    assert session.look.figure_depth is None
    assert figure.otsu_button.isChecked()
    figure.slider.setFocus()
    QTest.keyClick(figure.slider, Qt.Key.Key_Home)
    near, far = figure.survey.limits
    assert session.look.figure_depth == pytest.approx(near)
    QTest.keyClick(figure.slider, Qt.Key.Key_End)
    assert session.look.figure_depth == pytest.approx(far)
    assert not figure.otsu_button.isChecked()
    click(figure.otsu_button, panel)
    assert session.look.figure_depth is None
    click(figure.otsu_button, panel)
    assert session.look.figure_depth == pytest.approx(figure.survey.otsu)
    choose(figure.polarity_combo, "The near side")
    assert session.look.polarity == Polarity.NEAR
    click(figure.on_box, panel)
    assert session.mode == Mode.COLOR
    assert figure.note.text() == ANY_SCENE


def test_the_threshold_is_dragged_over_the_depths_of_the_picture(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    figure, plot = panel.figure, panel.figure.plot
    opened(panel, figure)
    qtbot.waitUntil(lambda: figure.survey is not None)
    depth, (near, far) = depth_of(session), figure.survey.limits
    within = depth[(depth >= near) & (depth <= far)]
    assert int(figure.survey.counts.sum()) == len(within)
    assert plot.line.value() == pytest.approx(figure.survey.otsu)
    panel.ensureWidgetVisible(plot)
    pause(50)
    chosen = near + 0.75 * (far - near)
    drag(plot.viewport(), at(plot, near), at(plot, chosen))
    assert session.mode == Mode.FIGURE
    assert session.look.figure_depth == pytest.approx(chosen, abs=0.02 * (far - near))
    assert plot.line.value() == session.look.figure_depth
    assert not figure.otsu_button.isChecked()
    assert figure.slider.value() == pytest.approx(750, abs=20)
    assert figure.depth_text.text().endswith(f"to {value_text(far)}")
    dragged = session.look.figure_depth
    QTest.keyClick(figure.slider, Qt.Key.Key_PageDown)
    assert near < session.look.figure_depth < dragged


def test_the_side_of_the_figure_off_the_border_is_that_of_the_mask(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    figure = panel.figure
    opened(panel, figure)
    qtbot.waitUntil(lambda: figure.survey is not None)
    depth, (near, far) = depth_of(session), figure.survey.limits
    beyond = far + 1
    for cut in (near - 1, figure.survey.otsu, (near + far) / 2, beyond):
        mask = figure_mask(depth, cut, Polarity.BORDER)
        side = figure.survey.far_is_figure(cut, Polarity.BORDER)
        assert bool((mask == (depth > cut)).all()) == side
    for polarity in (Polarity.FAR, Polarity.NEAR):
        assert figure.survey.far_is_figure(near, polarity) == (polarity == Polarity.FAR)


def drop(target, path: Path) -> bool:
    """Whether a file is taken that is dropped on a widget."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    place, copy = QPointF(10, 10), Qt.DropAction.CopyAction
    enter = QDragEnterEvent(place.toPoint(), copy, data, LEFT, Qt.KeyboardModifier.NoModifier)
    enter.ignore()
    QApplication.sendEvent(target, enter)
    if enter.isAccepted():
        event = QDropEvent(place, copy, data, LEFT, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(target, event)
    return enter.isAccepted()


def test_files_are_dropped_on_their_buttons(
    qtbot: QtBot, panel: LayersPanel, tmp_path: Path
) -> None:
    path = write_mask(tmp_path / "true.png", np.eye(40, dtype=bool))
    people = np.empty((1, 1), object)
    people[0, 0] = {"Boundaries": np.eye(40, dtype=np.uint8)}
    savemat(tmp_path / "true.mat", {"groundTruth": people})
    opened(panel, panel.figure)
    assert not drop(panel.figure.truth_button, tmp_path / "true.mat")
    assert drop(panel.figure.truth_button, path)
    qtbot.waitUntil(lambda: panel.figure.truth == path)
    assert panel.figure.truth_text.full_text == "Against true.png"
    opened(panel, panel.edges)
    assert drop(panel.edges.truth_button, tmp_path / "true.mat")
    qtbot.waitUntil(lambda: bool(panel.edges.rows), timeout=20_000)
    assert panel.edges.truth == tmp_path / "true.mat"


def test_the_figure_is_measured_next_to_trivial_answers(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    parting = part_figure(depth_of(session))
    depth = figure_depth(session.document.scene, MEASURED)
    truth = ~parting.mask(depth)
    path = write_mask(tmp_path / "true.png", truth.numpy())
    figure = panel.figure
    opened(panel, figure)
    figure.load_truth(path)
    qtbot.waitUntil(lambda: bool(figure.rows))
    assert session.mode == Mode.FIGURE, "what is measured is shown"
    assert next(iter(figure.rows)) == ANSWER
    assert figure.rows[ANSWER] == pytest.approx(intersection_over_union(~truth, truth), abs=1e-6)
    ellipse = intersection_over_union(center_ellipse(MEASURED.height, MEASURED.width), truth)
    assert figure.rows["Centre ellipse"] == pytest.approx(ellipse, abs=1e-6)
    assert {"Depths shuffled", "All figure"} <= set(figure.rows)
    assert "does not beat" in figure.verdict.text()
    choose(figure.polarity_combo, "The near side")
    qtbot.waitUntil(lambda: figure.rows[ANSWER] > 0.99)
    assert figure.table.rows()[ANSWER] == ("1.000",)
    assert figure.verdict.text() == figure_verdict(figure.rows)


def test_an_image_is_parted_and_measured_by_its_own_picture(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    own, wide = front_camera(64, 64, fov=20), front_camera()
    view = View(own)
    session.document.views = (view,)
    truth = np.zeros((64, 64), bool)
    truth[:, :32] = True
    figure, scene = panel.figure, session.document.scene
    opened(panel, figure)
    choose(figure.polarity_combo, "Off the border")
    figure.load_truth(write_mask(tmp_path / "true.png", truth))
    qtbot.waitUntil(lambda: bool(figure.rows))
    depth = figure_depth(scene, measured_camera(own))
    parting = part_figure(depth, None, Polarity.BORDER)
    around = part_figure(figure_depth(scene, wide), None, Polarity.BORDER)
    assert around != parting, "what the window shows around the image would part it otherwise"
    true = load_mask(tmp_path / "true.png", *depth.shape[::-1])
    iou = intersection_over_union(parting.mask(depth), true)
    assert figure.rows[ANSWER] == pytest.approx(iou, abs=1e-6)
    assert figure.note.text() == HONEST
    picture = Shading().picture(request_of(session, session.document, wide, view))
    side = "far" if parting.far else "near"
    assert picture.legend.note == f"the {side} side, by the border"
    assert figure.survey.otsu == pytest.approx(parting.threshold)


def test_an_image_seen_from_elsewhere_is_not_measured(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    session.document.views = (View(front_camera(64, 64)),)
    figure = panel.figure
    opened(panel, figure)
    figure.load_truth(write_mask(tmp_path / "true.png", np.eye(64, dtype=bool)))
    qtbot.waitUntil(lambda: bool(figure.rows))
    turned = look_at((1, 0, -3), (0, 0, 0), (0, -1, 0))
    session.peeling.set_view(lambda: Camera(turned, CAMERA.K, WIDTH, HEIGHT))
    panel.camera_moved()
    qtbot.waitUntil(lambda: not figure.rows)
    assert figure.truth_text.full_text == AWAY


def test_the_layers_of_an_image_have_its_shape(panel: LayersPanel, session: Session) -> None:
    own = front_camera(64, 64, fov=20)
    session.document.views = (View(own),)
    assert panel.export._source().camera is own


def test_another_document_begins_with_the_papers_reading(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    truth = write_mask(tmp_path / "true.png", np.eye(40, dtype=bool))
    session.set_look(polarity=Polarity.NEAR, edge_layers=8, edge_change=0.3, figure_depth=2.0)
    panel.figure.load_truth(truth)
    panel.edges.load_truth(truth)
    qtbot.waitUntil(lambda: session.look.figure_truth == session.look.edge_truth == truth)
    before = session.document
    session.open(before.path)
    qtbot.waitUntil(lambda: session.document is not before and not session.runner.busy)
    look, plain = session.look, Look()
    for name in (
        "polarity",
        "figure_depth",
        "figure_truth",
        "edge_layers",
        "edge_change",
        "edge_truth",
    ):
        assert getattr(look, name) == getattr(plain, name)


def test_what_is_no_picture_is_told_once_and_left_alone(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    opened(panel, panel.figure)
    panel.figure.load_truth(tmp_path / "broken.png")
    qtbot.waitUntil(lambda: any("broken.png" in text for _, text in session.messages))
    assert panel.figure.truth is None


def test_the_mask_is_saved_as_it_is_shown(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    opened(panel, panel.figure)
    choose(panel.figure.polarity_combo, "The near side")
    panel.figure.save(tmp_path / "mask.png")
    qtbot.waitUntil(lambda: ("info", "Saved mask.png.") in session.messages)
    with Image.open(tmp_path / "mask.png") as file:
        assert file.mode == "L"
        saved = np.array(file)
    depth = depth_of(session)
    expected = figure_mask(depth, otsu(depth), Polarity.NEAR).numpy()
    np.testing.assert_array_equal(saved == 255, expected)


def test_edges_are_shown_and_measured(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    edges, scene = panel.edges, session.document.scene
    photo = (render(scene, CAMERA).rgb.clamp(0, 1) * 255).round().to(torch.uint8)
    Image.fromarray(photo.numpy()).save(tmp_path / "photo.png")
    session.document.views = (View(CAMERA, tmp_path / "photo.png"),)
    lines = np.zeros((HEIGHT, WIDTH), bool)
    lines[:, WIDTH // 3] = True
    path = write_mask(tmp_path / "lines.png", lines)
    opened(panel, edges)
    click(edges.on_box, panel)
    assert session.mode == Mode.EDGES
    choose(edges.layers_combo, "8")
    type_into(edges.change_spin, "0.10")
    assert (session.look.edge_layers, session.look.edge_change) == (8, 0.1)
    edges.load_truth(path)
    qtbot.waitUntil(lambda: bool(edges.rows), timeout=20_000)
    assert list(edges.table.rows()) == [
        *("Layers", "Random order", "Picture's gradient", "Photo's gradient")
    ]
    truth = load_mask(path, MEASURED.width, MEASURED.height, LINE_SHARE)
    own = match_edges(thinned(layer_edges(scene, MEASURED, (8,), 0.1)), truth)
    assert edges.rows["layers"].f == pytest.approx(own.f, abs=1e-6)
    assert edges.table.rows()["Layers"][0] == f"{own.f:.3f}"
    assert edges.verdict.text().startswith("They ")
    click(edges.on_box, panel)
    assert session.mode == Mode.COLOR


def test_layers_are_exported_as_a_job(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    export, out = panel.export, tmp_path / "out"
    opened(panel, export)
    assert not export.run_button.isEnabled(), "no folder is chosen"
    out.mkdir()
    export.choose_folder(out)
    session.peeling.set_peel(count=3)
    session.peeling.pace = 5
    for box in (export.masks_box, export.scenes_box, export.labelled_box):
        click(box, panel)
    choose(export.animation_combo, "GIF")
    type_into(export.size_spin, "60")
    click(export.run_button, panel)
    assert session.runner.job.name == JOB
    assert not export.run_button.isEnabled()
    qtbot.waitUntil(lambda: not session.runner.busy, timeout=20_000)
    (own,) = out.iterdir()
    assert own.name == f"{Path(session.title).stem}_layers"
    assert own.name in export.run_button.toolTip()
    assert ("info", f"Wrote 15 files of layers to {own}.") in session.messages
    assert len(list(own.iterdir())) == 15
    sizes = [len(load_scene(own / f"layer_{layer}.ply").scene) for layer in (1, 2, 3)]
    assert sum(sizes) == int(session.document.visible.sum())
    with Image.open(own / "layer_1.png") as picture:
        assert picture.size == (60, 40)
    with Image.open(own / "peel.gif") as peel:
        assert peel.info["duration"] == 200, "the pace of Peel"
    assert export.run_button.isEnabled()
    kept = {path: path.stat().st_mtime_ns for path in own.iterdir()}
    click(export.run_button, panel)
    qtbot.waitUntil(lambda: not session.runner.busy, timeout=20_000)
    second = own.with_name(f"{own.name}_2")
    assert ("info", f"Wrote 15 files of layers to {second}.") in session.messages
    assert {path: path.stat().st_mtime_ns for path in own.iterdir()} == kept
    assert sorted(path.name for path in second.iterdir()) == sorted(path.name for path in kept)
    click(export.pictures_box, panel)
    for box in (export.masks_box, export.scenes_box, export.labelled_box):
        click(box, panel)
    choose(export.animation_combo, "None")
    assert not export.run_button.isEnabled(), "nothing is to be written"


def test_layers_are_not_exported_into_a_folder_that_is_gone(
    qtbot: QtBot, panel: LayersPanel, session: Session, tmp_path: Path
) -> None:
    export, gone = panel.export, tmp_path / "gone"
    opened(panel, export)
    export.choose_folder(gone)
    click(export.run_button, panel)
    qtbot.waitUntil(lambda: not session.runner.busy, timeout=20_000)
    assert any(kind == "error" and str(gone) in text for kind, text in session.messages)
    assert not gone.exists()


@pytest.fixture
def stage(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RefineStage]:
    yield from refine_stage.stage.__wrapped__(qtbot, qapp, tmp_path, monkeypatch)


def test_dialogs_of_the_window_lead_to_the_sections(stage: RefineStage, tmp_path: Path) -> None:
    stage.open(photos=False)
    stage.press(Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    panel = stage.window.layers_panel
    assert panel.isVisible()
    path = write_mask(tmp_path / "true.png", np.eye(40, dtype=bool))
    answers = (
        (panel.figure, panel.figure.truth_button, path, lambda: panel.figure.truth == path),
        (
            panel.figure,
            panel.figure.save_button,
            tmp_path / "mask.png",
            lambda: (tmp_path / "mask.png").is_file(),
        ),
        (panel.edges, panel.edges.truth_button, path, lambda: panel.edges.truth == path),
        (
            panel.export,
            panel.export.folder_button,
            tmp_path,
            lambda: panel.export.folder == tmp_path,
        ),
    )
    for section, button, chosen, done in answers:
        if not section.is_open:
            section.toggle()
        click(button, panel)
        dialog = stage.window.findChildren(QFileDialog)[-1]
        dialog.fileSelected.emit(str(chosen))
        dialog.reject()
        stage.until(done)
    assert not stage.crashes
