"""Every part of the window follows when an edit puts another scene in place."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.editing import State
from core.formats import load_scene
from core.metrics import psnr
from core.rendering import render
from core.scoring import SCORES
from tests.blobs import blob_scene
from tests.viewer.panel_stage import at, drag
from tests.viewer.viewport_stage import levels
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.compare import CompareMode
from viewer.look import Mode, Overlay
from viewer.main_window import MainWindow
from viewer.session import LOCKED, Session
from viewer.theme import apply_theme
from viewer.viewport.comparing import half_camera
from viewer.viewport.tints import BACKGROUND
from viewer.widgets.numbers import megabytes_text

FEW = 350
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def window(qtbot: QtBot, qapp, tmp_path: Path, monkeypatch) -> Iterator[MainWindow]:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")
    apply_theme(qapp)
    window = MainWindow(Session())
    window.failures = []
    window.session.crashed.connect(lambda text, trace: window.failures.append(trace))
    window.session.set_look(overlays=frozenset())
    window.show()
    qtbot.waitExposed(window)
    window.session.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: window.session.document is not None, timeout=30_000)
    window.session.document.add_scores({NAME: make_worth()})
    settle(qtbot, window)
    yield window
    assert not window.failures
    window.session.shut_down()
    window.session.document.mark_saved()
    window.close()
    window.deleteLater()
    QTest.qWait(10)


def settle(qtbot: QtBot, window: MainWindow) -> None:
    def still() -> bool:
        frame, session = window.viewport.frame, window.session
        return (
            frame is not None
            and window.viewport.settled
            and not session.runner.busy
            and frame.request.scene is session.document.scene
        )

    qtbot.waitUntil(still, timeout=30_000)
    QTest.qWait(40)


def replace(qtbot: QtBot, window: MainWindow, count: int = FEW) -> None:
    window.session.document.replace_scene(blob_scene(count, seed=7), f"Refine to {count}")
    settle(qtbot, window)


def on_screen(window: MainWindow) -> np.ndarray:
    return levels(window.viewport.screenshot())


def rendered(window: MainWindow, half: bool = False) -> np.ndarray:
    document = window.session.document
    camera = window.viewport.camera()
    if half:
        camera = half_camera(camera)
    result = render(document.scene, camera, background=BACKGROUND, keep=document.visible)
    return (result.rgb.clamp(0, 1) * 255).round().int().numpy()


def key(window: MainWindow, name: Qt.Key, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    window.activateWindow()
    window.viewport.setFocus()
    QTest.qWait(20)
    QTest.keyClick(window.viewport, name, modifiers)
    QTest.qWait(20)


def test_the_picture_follows_there_and_back(qtbot, window) -> None:
    before = on_screen(window)
    camera = window.viewport.camera()
    assert np.abs(before - rendered(window)).max() <= 1
    replace(qtbot, window)
    after = on_screen(window)
    assert np.abs(after - rendered(window)).max() <= 1
    assert np.abs(after - before).max() > 100
    assert window.viewport.camera().same_as(camera), "the view stays where it was"
    key(window, Qt.Key.Key_Z, CONTROL)
    settle(qtbot, window)
    np.testing.assert_array_equal(on_screen(window), before)
    key(window, Qt.Key.Key_Z, CONTROL | SHIFT)
    settle(qtbot, window)
    np.testing.assert_array_equal(on_screen(window), after)


def test_panels_and_status_bar_show_the_other_scene(qtbot, window) -> None:
    for name in ("histogram", "scatter"):
        window.docks[name].raise_()
        QTest.qWait(60)
    replace(qtbot, window)
    assert "350 Gaussians" in window.status.counts.full_text
    shown = window.scene_panel.table.values()
    assert shown[0] == "350"
    assert shown[5] == megabytes_text(window.session.loaded.scene.ply_bytes / 1e6) != shown[4]
    scatter, histogram = window.scatter_panel, window.histogram_panel
    qtbot.waitUntil(lambda: scatter.pairs is not None and len(scatter.pairs.values[0]) == FEW)
    window.docks["histogram"].raise_()
    qtbot.waitUntil(lambda: histogram.shown is not None and len(histogram.shown.values) == FEW)
    assert histogram.column == "opacity", "the score of the other scene is not offered"
    assert NAME not in [histogram.column_combo.itemData(n) for n in range(20)]
    window.session.undo()
    settle(qtbot, window)
    qtbot.waitUntil(lambda: histogram.shown is not None and len(histogram.shown.values) == COUNT)
    assert histogram.column == NAME


def test_ranges_rectangles_and_clicks_select_in_the_scene_that_is_there(qtbot, window) -> None:
    replace(qtbot, window)
    document = window.session.document
    window.docks["histogram"].raise_()
    histogram = window.histogram_panel
    qtbot.waitUntil(lambda: histogram.shown is not None and len(histogram.shown.values) == FEW)
    plot = histogram.plot
    drag(plot.viewport(), at(plot, 0.5), at(plot, 0.95))
    opacities = document.scene.opacities()
    assert 0 < document.selected_count < FEW
    assert opacities[document.selected].min() > 0.4
    window.docks["scatter"].raise_()
    scatter = window.scatter_panel
    qtbot.waitUntil(lambda: scatter.pairs is not None and len(scatter.pairs.values[0]) == FEW)
    corners = scatter.plot.viewport().rect().adjusted(70, 12, -12, -30)
    drag(scatter.plot.viewport(), corners.topLeft(), corners.bottomRight())
    assert document.selected_count > FEW // 2
    key(window, Qt.Key.Key_R)
    middle = window.viewport.rect().center()
    drag(window.viewport, middle - QPoint(40, 40), middle + QPoint(40, 40))
    qtbot.waitUntil(lambda: document.history.undo_name == "Select by rectangle", timeout=10_000)
    assert 0 < document.selected_count < FEW
    key(window, Qt.Key.Key_Escape)
    key(window, Qt.Key.Key_Delete)
    assert document.alive_count < FEW
    document.go_to(0)
    settle(qtbot, window)
    assert document.alive_count == COUNT


def test_answers_about_the_scene_before_are_dropped(qtbot, window) -> None:
    session, document = window.session, window.session.document
    session.set_look(overlays=frozenset({Overlay.PROBE}), overlays_shown=True)
    key(window, Qt.Key.Key_R)
    middle = window.viewport.rect().center()
    with session.runner.lane.preview():
        drag(window.viewport, middle - QPoint(40, 40), middle + QPoint(40, 40))
        window.viewport._probe.pick(QPointF(middle))
        document.replace_scene(blob_scene(FEW, seed=7), "Refine")
    settle(qtbot, window)
    assert [edit.name for edit in document.history.edits] == ["Refine"]
    assert not document.selected_count


def test_a_heatmap_asks_for_a_score_of_the_other_scene(qtbot, window) -> None:
    session = window.session
    session.set_mode(Mode.HEATMAP)
    session.set_target(600)
    settle(qtbot, window)
    replace(qtbot, window)
    assert session.worth is None
    assert session.target is None
    assert window.viewport.frame.picture.legend is None
    assert "not computed yet" in window.prune_panel.needs_text.text()
    session.document.add_scores({NAME: make_worth(FEW)}, session.document.alive)
    session.set_target(100)
    settle(qtbot, window)
    assert window.viewport.frame.picture.legend is not None
    session.apply_prune()
    session.undo()
    assert session.target == 100, "undoing the prune previews it again"
    session.undo()
    settle(qtbot, window)
    assert session.target is None
    assert len(session.worth) == COUNT
    assert SCORES[NAME].title in window.prune_panel.needs_text.text()


def test_scores_of_a_sweep_that_was_overtaken_are_not_taken(qtbot, window) -> None:
    session, notes = window.session, []
    session.notified.connect(lambda level, text: notes.append((level, text)))
    session.run_scores(4)
    session.document.replace_scene(blob_scene(FEW, seed=7), "Refine")
    settle(qtbot, window)
    assert not session.document.scores
    assert [level for level, _ in notes] == ["warning"]


@pytest.mark.parametrize(
    "mode", [CompareMode.WIPE, CompareMode.SIDE_BY_SIDE, CompareMode.DIFFERENCE]
)
def test_before_compares_with_a_scene_of_another_count(qtbot, window, mode) -> None:
    session, document = window.session, window.session.document
    half = mode == CompareMode.SIDE_BY_SIDE
    whole, before = rendered(window), rendered(window, half)
    side = session.compare.remember(document.contents, document.visible, "Before")
    replace(qtbot, window)
    after = rendered(window, half)
    session.compare.set_mode(mode)
    settle(qtbot, window)
    seen = on_screen(window)
    part = seen.shape[1] // 2 - 4
    assert session.compare.a is side
    if mode != CompareMode.DIFFERENCE:
        assert np.abs(seen[:, :part] - before[:, :part]).max() <= 1
        assert np.abs(seen[:, -part:] - after[:, -part:]).max() <= 1
    else:
        assert seen.max() > 200
    numbers = window.centre.compare_bar.numbers
    qtbot.waitUntil(lambda: numbers.likeness is not None, timeout=20_000)
    if mode != CompareMode.SIDE_BY_SIDE:
        frames = [torch.from_numpy(picture / 255) for picture in (before, after)]
        assert numbers.likeness.psnr_db == pytest.approx(psnr(*frames), abs=0.1)
    session.compare.set_flip(True)
    session.compare.swap()
    settle(qtbot, window)
    assert np.abs(on_screen(window) - whole).max() <= 1
    session.compare.set_flip(False)


def test_a_side_of_another_scene_has_the_heatmap_of_its_own_score(qtbot, window) -> None:
    session, document = window.session, window.session.document
    session.set_mode(Mode.HEATMAP)
    settle(qtbot, window)
    before = on_screen(window)
    session.compare.remember(document.contents, document.visible, "Before")
    replace(qtbot, window)
    document.add_scores({NAME: make_worth(FEW)}, document.alive)
    session.compare.set_mode(CompareMode.WIPE)
    settle(qtbot, window)
    half = before.shape[1] // 2 - 2
    assert np.abs(on_screen(window)[:, :half] - before[:, :half]).max() <= 1


def test_export_writes_the_scene_that_is_there(qtbot, window, tmp_path) -> None:
    replace(qtbot, window)
    document = window.session.document
    document.delete(torch.arange(FEW) < 50)
    assert window.isWindowModified()
    out = tmp_path / "out.ply"
    window.session.export(out)
    settle(qtbot, window)
    assert len(load_scene(out).scene) == FEW - 50
    assert not window.isWindowModified()
    window.session.undo()
    assert window.isWindowModified()


def test_the_history_shows_counts_and_memory(qtbot, window) -> None:
    replace(qtbot, window)
    model = window.history_panel.model
    cells = [model.data(model.index(1, column)) for column in range(3)]
    assert cells[:2] == ["Refine to 350", "350"]
    assert cells[2].endswith(("kB", "MB"))
    held = window.session.document.history.nbytes
    assert held > COUNT * 4 * 20
    window.session.undo()
    assert window.session.document.history.nbytes < held


def test_framing_fits_the_scene_that_is_there(qtbot, window) -> None:
    scene = blob_scene(FEW, seed=7)
    moved = type(scene)(
        scene.means * 0.2 + 3, scene.log_scales, scene.quats, scene.opacity_logits, scene.sh
    )
    window.session.document.replace_scene(moved, "Move")
    settle(qtbot, window)
    key(window, Qt.Key.Key_F)
    qtbot.waitUntil(
        lambda: np.allclose(window.viewport.navigator.pose.pivot, 3, atol=0.3), timeout=10_000
    )


def test_a_locked_document_is_not_edited_by_any_part(qtbot, window) -> None:
    session, document = window.session, window.session.document
    document.select(torch.arange(COUNT) < 20)
    session.set_target(500)
    notes: list[str] = []
    session.notified.connect(lambda _level, text: notes.append(text))
    document.locked = True
    state = document.state.copy()
    key(window, Qt.Key.Key_Z, CONTROL)
    key(window, Qt.Key.Key_Delete)
    key(window, Qt.Key.Key_A, CONTROL)
    session.apply_prune()
    window.history_panel._go(window.history_panel.model.index(0, 0))
    assert notes == [LOCKED] * 5
    np.testing.assert_array_equal(document.state, state)
    assert session.target == 500
    document.locked = False
    key(window, Qt.Key.Key_Delete)
    assert int((document.state & State.DELETED > 0).sum()) == 20
