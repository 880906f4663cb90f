"""Peeling by depth: the panel by real events, what is drawn, and what tools select."""

import threading

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.cameras import Camera, look_at
from core.gmae.layers import Grouping, Show, camera_depths, depth_groups, depth_layers
from core.gmae.layers import shown as shown_layers
from core.rendering import render
from tests.blobs import blob_scene
from tests.viewer.frame_stage import front_camera
from tests.viewer.panel_stage import LEFT, at, choose, drag, pause, session, shown, type_into
from tests.viewer.window_stage import COUNT
from viewer.look import Mode
from viewer.panels.layers import LayersPanel
from viewer.panels.layers_peel import NOT_PLAYED
from viewer.session import Session
from viewer.viewport.comparing import Comparing
from viewer.viewport.pictures import request_of
from viewer.viewport.tints import BACKGROUND

__all__ = ["session"]

CAMERA = front_camera()


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> LayersPanel:
    session.peeling.set_view(lambda: CAMERA)
    panel = shown(qtbot, LayersPanel(session), 330, 1200)
    qtbot.waitUntil(lambda: session.peeling.layers is not None and panel.peel._bars is not None)
    assert isinstance(panel, LayersPanel)
    return panel


def click(widget) -> None:
    QTest.mouseClick(widget, LEFT, pos=QPoint(8, widget.height() // 2))


def depths(session: Session) -> torch.Tensor:
    return camera_depths(session.document.scene, CAMERA)


def drawn_count(session: Session) -> int:
    return int(session.drawn.sum())


def test_nothing_is_peeled_until_it_is_asked_for(panel: LayersPanel, session: Session) -> None:
    assert session.drawn is session.document.visible
    assert panel.peel.told.text() == "All layers are drawn."
    click(panel.peel.on_box)
    assert session.peeling.enabled
    assert session.drawn.all(), "the last step of eight draws all"
    assert session.drawn is session.drawn


def test_the_slider_steps_through_the_layers(panel: LayersPanel, session: Session) -> None:
    groups = depth_groups(depths(session), 8)
    panel.peel.slider.setFocus()
    QTest.keyClick(panel.peel.slider, Qt.Key.Key_Home)
    assert session.peeling.enabled, "moving the slider begins to peel"
    assert session.drawn.equal(groups == 0)
    QTest.keyClick(panel.peel.slider, Qt.Key.Key_Right)
    assert session.drawn.equal(groups <= 1)
    assert panel.peel.told.text().startswith("Layers 1 to 2 of 8, depth ")
    assert f": {int((groups <= 1).sum()):,} of {COUNT:,} Gaussians" in panel.peel.told.text()
    choose(panel.peel.show_combo, "From far")
    assert session.drawn.equal(shown_layers(groups, 1, 8, Show.FARTHEST))
    assert panel.peel.told.text().startswith("Layers 7 to 8 of 8")
    choose(panel.peel.show_combo, "One layer")
    assert session.drawn.equal(groups == 1)


def test_layers_are_cut_by_count_or_by_depth(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    choose(panel.peel.grouping_combo, "Equal depth")
    type_into(panel.peel.count_spin, "5")
    qtbot.waitUntil(lambda: session.peeling.layers.count == 5)
    qtbot.waitUntil(
        lambda: session.peeling.layers.groups.equal(depth_groups(depths(session), 5, Grouping.BINS))
    )
    assert panel.peel.slider.maximum() == 4
    assert panel.peel.slider.value() == 4, "all stay drawn where all were"
    low, high = session.peeling.layers.span
    assert low == pytest.approx(float(depths(session).min()))
    assert high == pytest.approx(float(depths(session).max()))


def test_more_layers_draw_the_same_until_they_are_known(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    choose(panel.peel.show_combo, "One layer")
    before = session.drawn
    assert drawn_count(session) < COUNT / 4, "the last of eight"
    type_into(panel.peel.count_spin, "32")
    assert session.drawn is before
    assert panel.peel.told.text().startswith("Measuring")
    qtbot.waitUntil(lambda: session.peeling.layers.count == 32)
    assert session.drawn.equal(depth_groups(depths(session), 32) == 31)
    assert panel.peel.told.text().startswith("Layer 32 of 32, depth ")


def test_a_number_of_the_nearest(panel: LayersPanel, session: Session) -> None:
    choose(panel.peel.show_combo, "Nearest 128")
    assert drawn_count(session) == 128
    near = depths(session)[session.drawn].max()
    assert bool((depths(session)[~session.drawn] >= near).all())


def test_no_more_of_the_nearest_are_offered_than_there_are(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    combo = panel.peel.show_combo
    assert combo.findData(1024) > 0
    choose(combo, "Nearest 1,024")
    session.document.replace_scene(blob_scene(200), "Refine")
    qtbot.waitUntil(lambda: session.peeling.layers is not None)
    assert combo.currentText() == "Nearest 1,024", "what is chosen stays to be seen"
    choose(combo, "Nearest 128")
    assert combo.currentText() == "Nearest 128"
    offered = [combo.itemData(row) for row in range(combo.count())]
    assert [count for count in offered if isinstance(count, int)] == [32, 64, 128]


def test_a_slab_is_dragged_in_the_histogram(panel: LayersPanel, session: Session) -> None:
    plot, all_depths = panel.peel.plot, depths(session)
    low, high = (float(all_depths.quantile(share)) for share in (0.3, 0.6))
    drag(plot.viewport(), at(plot, low), at(plot, high))
    slab = session.peeling.peel.slab
    pixel = plot.getPlotItem().getViewBox().viewPixelSize()[0]
    assert slab == pytest.approx((low, high), abs=2 * pixel)
    assert session.drawn.equal((all_depths >= slab[0]) & (all_depths <= slab[1]))
    assert plot.shade.isVisible()
    assert panel.peel.show_combo.currentText() == "Between two depths"

    width = slab[1] - slab[0]
    middle = (slab[0] + slab[1]) / 2
    drag(plot.viewport(), at(plot, middle), at(plot, middle + width / 3))
    moved = session.peeling.peel.slab
    assert moved[1] - moved[0] == pytest.approx(width)
    assert moved[0] == pytest.approx(slab[0] + width / 3, abs=3 * pixel)

    drag(plot.viewport(), at(plot, moved[0]), at(plot, slab[0]))
    wider = session.peeling.peel.slab
    assert wider[1] == moved[1]
    assert wider[0] == pytest.approx(slab[0], abs=3 * pixel)


def test_a_narrow_slab_is_drawn_in_one_that_holds_all(panel: LayersPanel, session: Session) -> None:
    plot, all_depths = panel.peel.plot, depths(session)
    choose(panel.peel.show_combo, "Between two depths")
    assert session.drawn.all()
    low, high = (float(all_depths.quantile(share)) for share in (0.4, 0.5))
    drag(plot.viewport(), at(plot, low), at(plot, high))
    pixel = plot.getPlotItem().getViewBox().viewPixelSize()[0]
    assert session.peeling.peel.slab == pytest.approx((low, high), abs=2 * pixel)


def test_peeling_begins_with_the_present_view(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    click(panel.peel.on_box)
    click(panel.peel.on_box)
    turned = look_at((1, 0, -3), (0, 0, 0), (0, -1, 0))
    here = Camera(turned, CAMERA.K, CAMERA.width, CAMERA.height)
    session.peeling.set_view(lambda: here)
    assert session.peeling.of_earlier_view
    click(panel.peel.on_box)
    qtbot.waitUntil(lambda: session.peeling.layers.camera.same_as(here))
    assert not session.peeling.of_earlier_view


def test_the_ends_of_a_slab_are_typed(panel: LayersPanel, session: Session) -> None:
    peel, all_depths = panel.peel, depths(session)
    assert peel.slider.isVisible()
    assert not peel.slab_row.isVisible()
    choose(peel.show_combo, "Between two depths")
    assert peel.slab_row.isVisible()
    assert not peel.slider.isVisible()
    low, high = (round(float(all_depths.quantile(share)), 2) for share in (0.4, 0.6))
    type_into(peel.low_spin, str(low))
    type_into(peel.high_spin, str(high))
    assert session.peeling.peel.slab == pytest.approx((low, high))
    assert session.drawn.equal((all_depths >= low) & (all_depths <= high))
    type_into(peel.high_spin, str(low - 0.2))
    assert session.peeling.peel.slab == pytest.approx((low - 0.2, low)), "ends are in order"
    assert (peel.low_spin.value(), peel.high_spin.value()) == pytest.approx((low - 0.2, low))


def test_any_number_of_the_nearest_is_typed(panel: LayersPanel, session: Session) -> None:
    peel = panel.peel
    choose(peel.show_combo, "Nearest 64")
    assert peel.nearest_row.isVisible()
    type_into(peel.nearest_spin, "77")
    assert drawn_count(session) == 77
    assert peel.show_combo.currentText() == "Nearest 77"
    type_into(peel.nearest_spin, "32")
    assert peel.show_combo.findData(77) < 0


def test_what_is_no_layer_is_not_played(panel: LayersPanel, session: Session) -> None:
    told: list[str] = []
    session.notified.connect(lambda _, text: told.append(text))
    choose(panel.peel.show_combo, "Between two depths")
    slab = session.peeling.peel.slab
    assert not panel.peel.play_button.isEnabled()
    panel.peel.toggle_play()
    assert not panel.peel.playing
    assert told == [NOT_PLAYED]
    assert session.peeling.peel.slab == slab
    choose(panel.peel.show_combo, "One layer")
    click(panel.peel.play_button)
    assert panel.peel.playing
    choose(panel.peel.show_combo, "Nearest 32")
    assert not panel.peel.playing


def test_depth_of_an_earlier_view_is_told(panel: LayersPanel, session: Session) -> None:
    assert "along the view" in panel.needs_text.text()
    turned = look_at((1, 0, -3), (0, 0, 0), (0, -1, 0))
    session.peeling.set_view(lambda: Camera(turned, CAMERA.K, CAMERA.width, CAMERA.height))
    panel.camera_moved()
    assert "an earlier view" in panel.needs_text.text()


def test_it_plays_until_something_else_is_asked(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    click(panel.peel.play_button)
    assert panel.peel.playing
    assert session.peeling.peel.step == 0, "from the beginning"
    qtbot.waitUntil(lambda: session.peeling.peel.step == 2)
    panel.peel.slider.setValue(6)
    assert not panel.peel.playing
    click(panel.peel.play_button)
    click(panel.peel.play_button)
    assert not panel.peel.playing
    for other in (panel.peel.follow_box, panel.peel.take_button, panel.peel.on_box):
        click(panel.peel.play_button)
        assert panel.peel.playing
        click(other)
        assert not panel.peel.playing


def test_it_plays_at_a_pace(qtbot: QtBot, panel: LayersPanel, session: Session) -> None:
    click(panel.peel.play_button)
    assert panel.peel._timer.interval() == 500
    choose(panel.peel.pace_combo, "8 / s")
    assert panel.peel.playing, "a pace does not stop it"
    assert panel.peel._timer.interval() == 125
    assert session.peeling.pace == 8
    qtbot.waitUntil(lambda: session.peeling.peel.step == 7)
    qtbot.waitUntil(lambda: session.peeling.peel.step == 0)


def test_depth_is_measured_off_the_windows_thread_and_not_for_steps(
    qtbot: QtBot, panel: LayersPanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def measured(*args):
        threads.append(threading.get_ident())
        return depth_layers(*args)

    monkeypatch.setattr("viewer.peeling.depth_layers", measured)
    slider = panel.peel.slider
    slider.setFocus()
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_Right):
        QTest.keyClick(slider, key)
    choose(panel.peel.show_combo, "Nearest 256")
    pause(30)
    assert threads == []
    type_into(panel.peel.count_spin, "16")
    qtbot.waitUntil(lambda: session.peeling.layers.count == 16)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_bars_of_counts_or_of_opacity(qtbot: QtBot, panel: LayersPanel, session: Session) -> None:
    counts = panel.peel._bars
    assert counts.heights.sum() == pytest.approx(COUNT, abs=0.005 * COUNT)
    click(panel.peel.opacity_box)
    qtbot.waitUntil(lambda: panel.peel._bars not in (None, counts))
    opacities = session.document.scene.opacity_logits.sigmoid()
    assert panel.peel._bars.heights.sum() == pytest.approx(float(opacities.sum()), rel=0.02)


def test_what_is_drawn_is_selected_and_deleted(panel: LayersPanel, session: Session) -> None:
    choose(panel.peel.show_combo, "Nearest 64")
    nearest = session.drawn
    click(panel.peel.select_button)
    document = session.document
    assert document.selected.equal(nearest)
    document.delete_selected()
    assert document.alive_count == COUNT - 64
    session.undo()
    assert document.alive_count == COUNT


def test_layers_are_of_what_is_there(qtbot: QtBot, panel: LayersPanel, session: Session) -> None:
    before = session.peeling.layers
    session.document.select(torch.arange(COUNT) < 500)
    pause(50)
    assert session.peeling.layers is before, "selecting does not move anything"
    session.document.delete_selected()
    qtbot.waitUntil(lambda: session.peeling.layers is not before)
    assert session.peeling.layers.total == COUNT - 500


def test_depth_is_that_of_a_view_or_follows(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    peeling, other = session.peeling, front_camera(90, 60)
    peeling.set_view(lambda: other)
    peeling.camera_moved()
    pause(30)
    assert peeling.layers.camera is CAMERA
    click(panel.peel.take_button)
    qtbot.waitUntil(lambda: peeling.layers.camera is other)
    click(panel.peel.follow_box)
    peeling.set_view(lambda: CAMERA)
    peeling.camera_moved()
    qtbot.waitUntil(lambda: peeling.layers.camera is CAMERA)


def test_a_moving_camera_does_not_keep_layers_from_coming(
    panel: LayersPanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(kind, question, answer) -> None:
        if kind == "layers":
            asked.append((question, answer))

    monkeypatch.setattr(session.asker, "ask", ask)
    peeling, cameras = session.peeling, [front_camera(80 + step, 60) for step in range(3)]
    peeling.set_follows(True)
    for camera in cameras:
        peeling.set_view(lambda camera=camera: camera)
        peeling.camera_moved()
    question, answer = asked[0]
    answer(question())
    assert peeling.layers.camera is cameras[0], "though others are wanted already"
    question, answer = asked[-1]
    answer(question())
    assert peeling.layers.camera is cameras[-1]
    late = asked[1]
    session.document.delete(torch.arange(COUNT) < 10)
    late[1](late[0]())
    assert peeling.layers.camera is cameras[-1], "of Gaussians that are gone"


def test_edits_leave_the_peel_as_it_is(qtbot: QtBot, panel: LayersPanel, session: Session) -> None:
    choose(panel.peel.show_combo, "Nearest 64")
    click(panel.peel.select_button)
    counts = []
    for signal in (session.scene_changed, session.state_changed, session.peeling.changed):
        signal.connect(lambda: counts.append(drawn_count(session)))
    panel.edit.set_camera_source(lambda: CAMERA)
    before = session.peeling.layers
    panel.edit.move_by(0.1)
    qtbot.waitUntil(lambda: session.peeling.layers is not before)
    assert set(counts) == {64}, "never the whole scene in between"


def test_other_gaussians_are_grouped_anew(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    choose(panel.peel.show_combo, "Nearest 64")
    session.document.replace_scene(blob_scene(900), "Refine")
    qtbot.waitUntil(lambda: session.peeling.layers is not None)
    assert (len(session.drawn), drawn_count(session)) == (900, 64)
    session.undo()
    qtbot.waitUntil(lambda: session.peeling.layers is not None)
    assert (len(session.drawn), drawn_count(session)) == (COUNT, 64)


def test_the_picture_is_of_the_drawn_layers(panel: LayersPanel, session: Session) -> None:
    choose(panel.peel.show_combo, "Nearest 256")
    document = session.document
    picture = Comparing().picture(request_of(session, document, CAMERA, None))
    wanted = render(document.scene, CAMERA, background=BACKGROUND, keep=session.drawn).rgb
    assert picture.drawn == 256
    difference = picture.pixels[..., :3].float() / 255 - wanted.clamp(0, 1)
    assert float(difference.abs().max()) < 1 / 255


def test_colours_by_layer(qtbot: QtBot, panel: LayersPanel, session: Session) -> None:
    session.set_mode(Mode.LAYERS)
    type_into(panel.peel.count_spin, "3")
    qtbot.waitUntil(lambda: session.peeling.layers.count == 3)
    picture = Comparing().picture(request_of(session, session.document, CAMERA, None))
    assert [tick.label for tick in picture.legend.ticks] == ["1", "2", "3"]
    session.peeling.set_enabled(True)
    session.peeling.set_peel(step=0)
    nearest = Comparing().picture(request_of(session, session.document, CAMERA, None))
    inside = nearest.pixels[..., :3].float()[nearest.pixels[..., :3].float().sum(-1) > 120]
    spread = (inside / inside.norm(dim=-1, keepdim=True)).std(0)
    assert bool((spread < 0.06).all()), "one layer has one colour"


def test_peeling_ends_with_the_document(qtbot: QtBot, panel: LayersPanel, session: Session) -> None:
    choose(panel.peel.show_combo, "One layer")
    choose(panel.peel.show_combo, "Nearest 32")
    session.peeling.set_follows(True)
    before = session.document
    session.open(before.path)
    qtbot.waitUntil(lambda: session.document is not before and not session.runner.busy)
    assert not session.peeling.enabled
    assert session.drawn is session.document.visible
    assert not panel.peel.on_box.isChecked()
    assert panel.peel.show_combo.currentText() == "From near"
    assert not session.peeling.follows


def test_depth_against_size_with_its_interval(
    qtbot: QtBot, panel: LayersPanel, session: Session
) -> None:
    sizes = panel.sizes
    click(sizes.header)
    qtbot.waitUntil(lambda: sizes.points is not None)
    rho = sizes.points.correlation
    assert rho.low <= rho.rho <= rho.high
    assert rho.count == COUNT == sizes.points.of
    assert f"{rho.rho:+.2f}" in sizes.told.text()
    assert -1 <= sizes.points.control < -0.05, "perspective alone makes the near ones large"
    assert f"sizes shuffled: ρ {sizes.points.control:+.2f}" in sizes.told.text()
    assert "says nothing" in sizes.honest.text()
    choose(panel.peel.show_combo, "Nearest 64")
    qtbot.waitUntil(lambda: sizes.points is not None and sizes.points.of == 64)
    assert np.ptp(sizes.points.depths) > 0
    click(sizes.header)
    before = session.document
    session.open(before.path)
    qtbot.waitUntil(lambda: session.document is not before and not session.runner.busy)
    assert sizes.summary.full_text == "", "another scene's number is not kept"
