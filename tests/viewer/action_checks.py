"""What must come of the actions on files, the selection, jobs and the window itself."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from core.formats import load_scene, save_scene
from core.jobs import JobState
from tests.blobs import blob_scene
from tests.viewer.action_stage import LEFT, NO_KEY, Stage
from tests.viewer.image_stage import tiny_model, write_image
from tests.viewer.window_stage import COUNT
from viewer.action_table import TOOL_IDS
from viewer.export_dialog import ExportDialog
from viewer.layout import WORKSPACES
from viewer.main_window import MainWindow
from viewer.widgets.preferences_dialog import PreferencesDialog
from viewer.widgets.screenshot_dialog import ScreenshotDialog

Act = Callable[[], None]


# Files and editing


def opens_a_file(stage: Stage, act: Act) -> None:
    other = stage.folder / "other.ply"
    save_scene(blob_scene(50), other)
    act()
    stage.choose_file(other)
    stage.wait(lambda: stage.session.document is not stage.document)
    assert stage.session.document is not None
    assert len(stage.session.document.scene) == 50
    assert stage.window.windowTitle().startswith("other.ply")


def opens_an_image(stage: Stage, act: Act) -> None:
    image = write_image(stage.folder / "boat.png")
    with tiny_model(stage.folder):
        act()
        stage.choose_file(image)
        stage.wait(lambda: stage.session.imaging.source is not None)
    assert stage.window.windowTitle().startswith("boat.png")


def pastes_an_image(stage: Stage, act: Act) -> None:
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    QApplication.clipboard().setImage(image)
    with tiny_model(stage.folder):
        act()
        stage.wait(lambda: stage.session.imaging.source is not None)
    assert stage.window.windowTitle().startswith("Pasted image")


def opens_a_folder(stage: Stage, act: Act) -> None:
    data = stage.folder / "both"
    data.mkdir(exist_ok=True)
    _write_data(data)
    save_scene(blob_scene(60), data / "point_cloud.ply")
    act()
    stage.choose_file(data)
    stage.wait(lambda: stage.session.document is not stage.document)
    assert stage.session.document is not None
    assert len(stage.session.document.scene) == 60
    assert len(stage.session.document.views) == 1


def begins_training(stage: Stage, act: Act) -> None:
    data = stage.folder / "photos"
    data.mkdir(exist_ok=True)
    _write_data(data, "ab")
    act()
    stage.choose_file(data)
    stage.wait(lambda: stage.session.untrained)
    assert stage.session.document is not None
    assert len(stage.session.document.views) == 2
    assert stage.window.refine_panel.run_button.text() == "Train"
    assert stage.window.active_panel() is stage.window.refine_panel


def opens_the_demo(stage: Stage, act: Act) -> None:
    act()
    stage.wait(lambda: stage.session.document is not stage.document)
    assert stage.session.document is not None
    assert stage.session.document.path is not None
    assert stage.session.document.path.name == "demo.ply"
    assert stage.session.document.views


def _write_data(data: Path, names: str = "a") -> None:
    pose = "[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 3], [0, 0, 0, 1]]"
    frames = [f'{{"file_path": "{name}.png", "transform_matrix": {pose}}}' for name in names]
    (data / "transforms.json").write_text(
        f'{{"fl_x": 60, "w": 64, "h": 48, "frames": [{", ".join(frames)}]}}'
    )
    for name in names:
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(data / f"{name}.png")


def attaches_photos(stage: Stage, act: Act) -> None:
    data = stage.folder / "data"
    data.mkdir(exist_ok=True)
    _write_data(data)
    act()
    stage.choose_file(data)
    stage.wait(lambda: len(stage.document.views) == 1)
    assert stage.document.views[0].photo == data / "a.png"


def exports(stage: Stage, act: Act) -> None:
    stage.session.set_target(600)
    stage.session.apply_prune()
    path = stage.folder / "out.ply"
    path.unlink(missing_ok=True)
    act()
    dialog = stage.dialog(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    dialog.path_field.setFocus()
    dialog.path_field.selectAll()
    QTest.keyClicks(dialog.path_field, str(path))
    QTest.keyClick(dialog.path_field, Qt.Key.Key_Return)
    stage.wait(lambda: not stage.document.modified)
    assert len(load_scene(path).scene) == 600


def saves_a_screenshot(stage: Stage, act: Act) -> None:
    path = stage.folder / "shot.png"
    path.unlink(missing_ok=True)
    act()
    dialog = stage.dialog(ScreenshotDialog)
    assert isinstance(dialog, ScreenshotDialog)
    dialog.width_spin.setValue(96)
    dialog.height_spin.setValue(64)
    QTest.mouseClick(dialog.save_button, LEFT)
    stage.choose_file(path)
    stage.wait(lambda: ("info", "Saved shot.png.") in stage.notes)
    with Image.open(path) as picture:
        assert picture.size == (96, 64)
        assert np.ptp(np.asarray(picture)) > 100


def opens_preferences(stage: Stage, act: Act) -> None:
    act()
    dialog = stage.dialog(PreferencesDialog)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def undoes(stage: Stage, act: Act) -> None:
    stage.select(10)
    act()
    assert stage.document.selected_count == 0
    assert not stage.window.actions_["edit.undo"].isEnabled()


def redoes(stage: Stage, act: Act) -> None:
    stage.select(10)
    stage.document.undo()
    act()
    assert stage.document.selected_count == 10
    assert not stage.window.actions_["edit.redo"].isEnabled()


def deletes(stage: Stage, act: Act) -> None:
    stage.select(100)
    act()
    assert stage.document.alive_count == COUNT - 100
    assert stage.document.history.undo_name is not None
    assert "100 deleted" in stage.window.status.counts.text()


def applies_the_prune(stage: Stage, act: Act) -> None:
    stage.session.set_target(600)
    act()
    assert stage.document.alive_count == 600
    assert not stage.window.actions_["prune.apply"].isEnabled()


def resets_the_prune(stage: Stage, act: Act) -> None:
    stage.session.set_target(600)
    act()
    assert stage.session.cut.empty
    assert stage.document.alive_count == COUNT
    assert not stage.window.actions_["prune.reset"].isEnabled()


# Selection and tools


def selects(count: int, hidden: int, stage: Stage, act: Act) -> None:
    stage.select(100)
    act()
    assert (stage.document.selected_count, stage.document.hidden_count) == (count, hidden)


def grows(stage: Stage, act: Act) -> None:
    stage.document.select(stage.document.scene.means.norm(dim=1) < 0.3)
    before = stage.document.selected
    act()
    stage.wait(lambda: stage.document.selected_count > int(before.sum()))
    assert not (before & ~stage.document.selected).any()


def shrinks(stage: Stage, act: Act) -> None:
    stage.document.select(stage.document.scene.means.norm(dim=1) < 0.5)
    before = stage.document.selected
    act()
    stage.wait(lambda: 0 < stage.document.selected_count < int(before.sum()))
    assert not (stage.document.selected & ~before).any()


def unhides(stage: Stage, act: Act) -> None:
    stage.select(100)
    stage.document.hide_selected()
    act()
    assert (stage.document.hidden_count, stage.document.visible_count) == (0, COUNT)
    assert not stage.window.actions_["select.unhide"].isEnabled()


def takes_up(id: str, stage: Stage, act: Act) -> None:
    options = stage.window.centre.tool_options
    act()
    assert stage.toolbox.active is stage.window.tools[id]
    assert [other for other in TOOL_IDS if stage.checked(other)] == [id]
    assert options.isVisible()
    assert stage.viewport.cursor().shape() == stage.window.tools[id].cursor
    act()
    assert stage.toolbox.active is None
    assert not stage.checked(id)
    assert not options.isVisible()


def resizes_the_brush(larger: bool, stage: Stage, act: Act) -> None:
    stage.perform("tool.brush", "B")
    before = stage.toolbox.brush_px
    act()
    assert (stage.toolbox.brush_px > before) == larger
    assert stage.toolbox.brush_px != before


def selects_in_front(stage: Stage, act: Act) -> None:
    act()
    assert stage.toolbox.front_only
    assert stage.checked("tool.depth")
    act()
    assert not stage.toolbox.front_only
    assert not stage.checked("tool.depth")


def finishes_a_polygon(stage: Stage, act: Act) -> None:
    stage.perform("tool.polygon", "P")
    for x, y in ((-60, -60), (60, -60), (0, 60)):
        QTest.mouseClick(stage.viewport, LEFT, NO_KEY, stage.middle + QPoint(x, y))
    act()
    stage.wait(lambda: stage.document.selected_count)
    assert stage.document.history.undo_name == "Select by polygon"


def leaves_the_tool(stage: Stage, act: Act) -> None:
    stage.perform("tool.polygon", "P")
    QTest.mouseClick(stage.viewport, LEFT, NO_KEY, stage.middle)
    act()
    assert stage.toolbox.active is not None, "first the gesture"
    act()
    assert stage.toolbox.active is None


# Jobs


def runs_the_panel(stage: Stage, act: Act) -> None:
    stage.window.docks["prune"].raise_()
    QApplication.processEvents()
    stage.session.set_target(700)
    act()
    assert stage.document.alive_count == 700


def scores(stage: Stage, act: Act) -> None:
    before = stage.session.worth
    stage.document.views = ()
    stage.window.sensitivity_panel.views_spin.setValue(2)
    act()
    stage.wait(lambda: stage.session.worth is not before)
    assert stage.session.runner.job is not None
    assert stage.session.runner.job.name == "Sensitivity"


def measures(stage: Stage, act: Act) -> None:
    panel = stage.window.metrics_panel
    stage.wait(panel.run_button.isEnabled)
    act()
    stage.wait(lambda: not stage.session.runner.busy)
    stage.wait(lambda: panel.model.rowCount() == len(stage.views))
    assert panel.isVisible()


def pauses(stage: Stage, act: Act) -> None:
    stage.start_job()
    runner = stage.session.runner
    states = (JobState.RUNNING, JobState.PAUSED, JobState.RUNNING)
    for state, following in pairwise(states):
        stage.wait(lambda state=state: runner.job is not None and runner.job.state == state)
        act()
        stage.wait(lambda state=following: runner.job is not None and runner.job.state == state)


def cancels(stage: Stage, act: Act) -> None:
    stage.start_job()
    act()
    stage.wait(lambda: not stage.session.runner.busy)
    assert stage.session.runner.job is not None
    assert stage.session.runner.job.state == JobState.CANCELLED


# Window and help


def arranges(name: str, stage: Stage, act: Act) -> None:
    stage.perform("workspace.clean" if name != "clean" else "workspace.prune")
    assert not stage.checked(f"workspace.{name}")
    act()
    assert [other for other in WORKSPACES if stage.checked(f"workspace.{other}")] == [name]
    plan = WORKSPACES[name]
    assert {key for key, dock in stage.window.docks.items() if not dock.isHidden()} == plan.shown
    for front in plan.front:
        assert in_front(stage.window, front)


def in_front(window: MainWindow, name: str) -> bool:
    return not window.docks[name].widget().visibleRegion().isEmpty()


def toggles_the_panel(name: str, stage: Stage, act: Act) -> None:
    dock = stage.window.docks[name]
    dock.hide()
    assert not stage.checked(f"panel.{name}")
    act()
    assert not dock.isHidden()
    assert in_front(stage.window, name)
    assert stage.checked(f"panel.{name}")
    act()
    assert dock.isHidden()
    assert not stage.checked(f"panel.{name}")


def hides_all_panels(stage: Stage, act: Act) -> None:
    docks = stage.window.docks
    docks["scatter"].hide()
    shown = {name for name, dock in docks.items() if not dock.isHidden()}
    act()
    assert all(dock.isHidden() for dock in docks.values())
    assert not any(stage.checked(f"panel.{name}") for name in docks)
    act()
    assert {name for name, dock in docks.items() if not dock.isHidden()} == shown


def folds_the_panels_below(stage: Stage, act: Act) -> None:
    before = stage.window.arrangement.folded
    act()
    assert stage.window.arrangement.folded != before
    assert stage.checked("panel.fold") != before
    act()
    assert stage.window.arrangement.folded == before


def resets_the_layout(stage: Stage, act: Act) -> None:
    docks = stage.window.docks
    docks["history"].setFloating(True)
    docks["scene"].hide()
    act()
    assert not docks["history"].isFloating()
    assert not any(docks[name].isHidden() for name in WORKSPACES["inspect"].shown)


def moves_the_focus(first: str, stage: Stage, act: Act) -> None:
    act()
    focus = QApplication.focusWidget()
    assert focus is not None
    assert stage.window.docks[first].isAncestorOf(focus)


def opens_the_palette(stage: Stage, act: Act) -> None:
    act()
    palette = stage.window.palette_
    assert palette.isVisible()
    assert palette.field.hasFocus()
    QTest.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not palette.isVisible()


def shows(kind: type[QDialog], stage: Stage, act: Act) -> None:
    act()
    dialog = stage.dialog(kind)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
