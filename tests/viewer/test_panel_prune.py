"""The Prune panel driven by real events: one target in every field, what it costs, Apply."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSpinBox, QStyle, QStyleOptionSlider

from core.metrics import psnr, ssim
from core.pruning import Filter, Join, Relation, count_in_megabytes
from core.rendering import render
from core.scene import bytes_per_gaussian
from core.scoring import Worth, predicted_psnr, worth_curve
from tests.viewer.panel_stage import LEFT, at, drag, pause, scored, session, shown, type_into, views
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.panels.damage import STILL_MS
from viewer.panels.prune import PrunePanel
from viewer.session import Session
from viewer.viewport.tints import BACKGROUND
from viewer.widgets.numbers import megabytes_text, value_text

__all__ = ["scored", "session"]

TRANSPARENT = Filter("opacity", Relation.BELOW, 0.3)


@pytest.fixture
def prune(qtbot, scored):
    return shown(qtbot, PrunePanel(scored))


def assert_fields_agree(panel: PrunePanel, session: Session, count: int) -> None:
    total = session.document.alive_count
    each = bytes_per_gaussian(session.document.scene.sh_degree)
    threshold = session.ranking.threshold(count)
    assert panel.count_spin.value() == count
    assert panel.percent_spin.value() == pytest.approx(100 * count / total, abs=0.0051)
    assert panel.megabytes_spin.value() == pytest.approx(count * each / 1e6, abs=5.1e-5)
    assert round(total * panel.slider.value() / 1000) == pytest.approx(count, abs=total / 1000)
    assert panel.threshold_edit.text() == value_text(threshold, grouped=False)
    assert panel.curve.plot.line.value() == pytest.approx(np.log10(count))
    goes, stays, size = panel.table.values()[:3]
    assert goes.startswith(f"{total - count:,} (")
    assert stays.startswith(f"{count:,} (")
    assert size.endswith(megabytes_text(count * each / 1e6))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(count=st.integers(1, COUNT))
def test_every_field_shows_the_same_target(prune, scored, count) -> None:
    scored.set_target(count)
    assert prune.count == count
    assert_fields_agree(prune, scored, count)


def test_dragging_the_slider_previews_without_history(prune, scored) -> None:
    option = QStyleOptionSlider()
    prune.slider.initStyleOption(option)
    style = prune.slider.style()
    handle = style.subControlRect(
        QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, prune.slider
    ).center()
    targets = []
    scored.target_changed.connect(lambda: targets.append(scored.target))
    drag(prune.slider, handle, QPoint(prune.slider.width() // 4, handle.y()))
    assert len(targets) >= 3
    assert targets == sorted(targets, reverse=True)
    assert 0.2 * COUNT < scored.target < 0.3 * COUNT
    assert_fields_agree(prune, scored, scored.target)
    assert scored.document.history.undo_name is None


def test_slider_keys_step_by_a_percent(prune, scored) -> None:
    prune.slider.setFocus()
    for _ in range(3):
        QTest.keyClick(prune.slider, Qt.Key.Key_Left)
    assert scored.target == round(0.97 * COUNT)
    QTest.keyClick(prune.slider, Qt.Key.Key_PageDown)
    assert scored.target == round(0.87 * COUNT)
    QTest.keyClick(prune.slider, Qt.Key.Key_End)
    assert scored.target is None


def test_typing_percent_count_and_size(prune, scored) -> None:
    type_into(prune.percent_spin, "20")
    assert scored.target == 300
    type_into(prune.count_spin, "123")
    assert scored.target == 123
    type_into(prune.megabytes_spin, "0.01")
    fits = count_in_megabytes(scored.document.scene, 0.01)
    assert scored.target == fits
    assert_fields_agree(prune, scored, fits)


def test_half_typed_numbers_preview_nothing(prune, scored) -> None:
    prune.count_spin.setFocus()
    prune.count_spin.selectAll()
    QTest.keyClicks(prune.count_spin, "12")
    assert scored.target is None


def test_typing_a_threshold_keeps_what_reaches_it(prune, scored) -> None:
    values = scored.worth.values
    type_into(prune.threshold_edit, "0.5")
    assert scored.target == int((values >= 0.5).sum())
    type_into(prune.threshold_edit, "2e1")
    assert scored.target == int((values >= 20).sum())


def test_small_scenes_can_be_stepped(qtbot, qapp, tmp_path) -> None:
    session = Session()
    session.open(write_scene(tmp_path, 7))
    qtbot.waitUntil(lambda: session.document is not None and not session.runner.busy)
    panel = shown(qtbot, PrunePanel(session))
    panel.percent_spin.setFocus()
    QTest.keyClick(panel.percent_spin, Qt.Key.Key_Down)
    assert session.target == 6
    session.set_target(None)
    panel.slider.setFocus()
    for _ in range(15):
        QTest.keyClick(panel.slider, Qt.Key.Key_Left)
    assert session.target == 6
    type_into(panel.percent_spin, "0")
    assert session.target == 1


def test_apply_needs_a_score_and_a_target_and_says_so(qtbot, session) -> None:
    panel = shown(qtbot, PrunePanel(session))
    assert not panel.run_button.isEnabled()
    assert "Compute the score" in panel.run_button.toolTip()
    assert panel.score_button.isVisible()
    session.document.add_scores({NAME: make_worth()})
    assert not panel.score_button.isVisible()
    assert "Choose how many" in panel.run_button.toolTip()
    session.set_target(500)
    assert panel.run_button.isEnabled()


def test_apply_deletes_exactly_and_undo_brings_back(prune, scored) -> None:
    type_into(prune.count_spin, "400")
    worst = scored.worth.order[: COUNT - 400]
    QTest.mouseClick(prune.run_button, LEFT)
    assert scored.document.alive_count == 400
    assert not scored.document.alive[worst].any()
    assert scored.target is None
    assert prune.count_spin.maximum() == 400
    assert not prune.run_button.isEnabled()
    scored.document.undo()
    assert scored.document.alive_count == COUNT
    assert prune.count_spin.value() == COUNT


def test_reset_ends_the_preview(prune, scored) -> None:
    scored.set_target(10)
    scored.set_filters([TRANSPARENT])
    QTest.mouseClick(prune.reset_button, LEFT)
    assert scored.cut.empty
    assert prune.count_spin.value() == COUNT
    assert not prune.reset_button.isEnabled()


def test_notes_tell_of_ties_unseen_and_singular(prune, scored) -> None:
    scored.document.add_scores({NAME: make_worth(unseen=100, singular=50)})
    scored.set_target(COUNT - 60)
    assert "100 that no view sees" in prune.note.full_text
    assert prune.threshold_edit.text() == ""
    scored.set_target(COUNT - 120)
    assert "50 without parallax" in prune.note.full_text
    tied = make_worth()
    values = tied.values.clone()
    values[:200] = 1e-9
    scored.document.add_scores({NAME: Worth(NAME, values, tied.classes)})
    scored.set_target(COUNT - 30)
    assert prune.note.full_text == "200 share the threshold's score; 30 of them go."
    scored.set_target(COUNT - 200)
    assert prune.note.full_text == ""


def test_the_wheel_scrolls_past_fields(qtbot, prune, scored) -> None:
    prune.setFocus()
    for field in prune.findChildren(QSpinBox):
        position = QPointF(field.rect().center())
        QTest.wheelEvent(
            field.window().windowHandle(), field.mapTo(prune, position), QPoint(0, 120)
        )
    assert scored.target is None


def test_filters_alone_can_be_applied_without_a_score(qtbot, session) -> None:
    panel = shown(qtbot, PrunePanel(session))
    session.set_filters([TRANSPARENT])
    taken = session.document.values("opacity") < 0.3
    assert panel.run_button.isEnabled()
    assert panel.table.values()[0].startswith(f"{int(taken.sum()):,} (")
    QTest.mouseClick(panel.run_button, LEFT)
    assert np.array_equal(session.document.alive.numpy(), ~taken)
    assert session.cut.empty


def test_what_cannot_be_applied_says_why(prune, scored) -> None:
    scored.set_filters([Filter("opacity", Relation.BELOW, 2.0)])
    assert not prune.run_button.isEnabled()
    assert "Nothing would be left" in prune.run_button.toolTip()
    scored.set_filters([Filter("opacity", Relation.ABOVE, 2.0)])
    assert not prune.run_button.isEnabled()
    assert "takes nothing" in prune.run_button.toolTip()


def filter_count(session: Session, entry: Filter = TRANSPARENT) -> int:
    values = session.document.values(entry.name)
    below = entry.relation == Relation.BELOW
    return int((values < entry.value if below else values > entry.value).sum())


def assert_shows(panel: PrunePanel, session: Session, stays: int) -> None:
    """Fields and table tell the same number, which is what the preview really leaves."""
    total = session.document.alive_count
    each = bytes_per_gaussian(session.document.scene.sh_degree)
    assert total - session.removed_count == stays
    assert panel.count_spin.value() == stays
    assert panel.percent_spin.value() == pytest.approx(100 * stays / total, abs=0.0051)
    assert panel.megabytes_spin.value() == pytest.approx(stays * each / 1e6, abs=5.1e-5)
    assert panel.curve.plot.line.value() == pytest.approx(np.log10(stays))
    assert panel.table.values()[1].startswith(f"{stays:,} (")


def test_a_target_is_met_exactly_with_filters_on_top(prune, scored) -> None:
    scored.set_filters([TRANSPARENT])
    taken = filter_count(scored)
    assert_shows(prune, scored, COUNT - taken)
    type_into(prune.count_spin, "700")
    assert_shows(prune, scored, 700)
    type_into(prune.megabytes_spin, "0.05")
    assert_shows(prune, scored, count_in_megabytes(scored.document.scene, 0.05))
    type_into(prune.percent_spin, "50")
    assert_shows(prune, scored, COUNT // 2)
    gone = scored.removed.numpy()
    assert gone[scored.document.values("opacity") < 0.3].all()
    by_score = COUNT - taken - COUNT // 2
    assert prune.by_score.full_text.startswith(f"{by_score:,} by score (")
    rest = scored.worth.values.numpy()[scored.document.values("opacity") >= 0.3]
    assert prune.threshold_edit.text() == value_text(np.sort(rest)[by_score], grouped=False)
    type_into(prune.threshold_edit, "1.5")
    assert_shows(prune, scored, int((rest >= 1.5).sum()))


def test_filters_that_leave_fewer_than_asked_for_say_so(prune, scored) -> None:
    scored.set_filters([TRANSPARENT])
    left = COUNT - filter_count(scored)
    type_into(prune.count_spin, str(left + 20))
    assert_shows(prune, scored, left)
    assert prune.note.full_text == f"The filters alone leave only {left:,}."
    type_into(prune.count_spin, str(left - 20))
    assert prune.note.full_text == ""


def test_filters_that_limit_the_score_say_when_they_allow_no_more(prune, scored) -> None:
    scored.set_filters([TRANSPARENT], Join.AND)
    allowed = filter_count(scored)
    assert_shows(prune, scored, COUNT - allowed)
    scored.set_target(COUNT)
    assert_shows(prune, scored, COUNT)
    type_into(prune.count_spin, str(COUNT - 10))
    assert_shows(prune, scored, COUNT - 10)
    faint = scored.document.values("opacity") < 0.3
    assert not scored.removed.numpy()[~faint].any()
    worst = np.sort(scored.worth.values.numpy()[faint])
    assert prune.threshold_edit.text() == value_text(worst[10], grouped=False)
    type_into(prune.count_spin, "5")
    assert_shows(prune, scored, COUNT - allowed)
    assert prune.note.full_text == f"The filters allow no more: {COUNT - allowed:,} stay."
    assert prune.filters_section.summary.full_text.startswith(f"1 filter allows {allowed:,} (")


def test_an_applied_target_with_filters_is_met(prune, scored) -> None:
    scored.set_filters([TRANSPARENT])
    type_into(prune.count_spin, "321")
    QTest.mouseClick(prune.run_button, LEFT)
    assert scored.document.alive_count == 321
    assert (scored.document.values("opacity")[scored.document.alive.numpy()] >= 0.3).all()


def test_hiding_what_goes(prune, scored) -> None:
    QTest.mouseClick(prune.hide_box, LEFT, pos=QPoint(8, prune.hide_box.height() // 2))
    assert scored.hiding
    scored.set_hiding(False)
    assert not prune.hide_box.isChecked()


def test_apply_stays_in_sight_in_a_small_window(qtbot, scored) -> None:
    panel = shown(qtbot, PrunePanel(scored), 320, 420)
    panel.verticalScrollBar().setValue(0)
    for widget in (panel.run_button, panel.reset_button, panel.table):
        corner = widget.mapTo(panel, widget.rect().bottomRight())
        assert panel.rect().contains(corner)
        assert not widget.visibleRegion().isEmpty()
    inside = panel.widget()
    assert inside.minimumSizeHint().width() <= panel.viewport().width()


# The curve


def test_the_curve_is_that_of_the_worth(qtbot, prune, scored) -> None:
    qtbot.waitUntil(lambda: prune.curve.plot.curve is not None)
    counts, shares = worth_curve(scored.worth, scored.document.alive)
    assert np.array_equal(prune.curve.plot.curve[0], counts)
    assert np.allclose(prune.curve.plot.curve[1], shares)
    scored.set_target(600)
    kept = scored.worth.values[scored.worth.order[COUNT - 600 :]].sum() / scored.worth.values.sum()
    assert prune.curve.plot.share(600) == pytest.approx(float(kept), abs=0.01)
    assert "% of worth" in prune.by_score.full_text


def test_dragging_on_the_curve_sets_the_target(qtbot, prune, scored) -> None:
    qtbot.waitUntil(lambda: prune.curve.plot.curve is not None)
    targets = []
    scored.target_changed.connect(lambda: targets.append(scored.target))
    plot = prune.curve.plot
    drag(plot.viewport(), at(plot, np.log10(COUNT)), at(plot, np.log10(300)))
    assert len(targets) >= 4
    assert scored.target == pytest.approx(300, rel=0.05)
    assert_fields_agree(prune, scored, scored.target)


def test_scores_that_do_not_add_up_have_no_curve(qtbot, prune, scored) -> None:
    scored.document.add_scores({NAME: Worth(NAME, -scored.worth.values, scored.worth.classes)})
    qtbot.waitUntil(prune.curve.reason.isVisible)
    assert "do not add up" in prune.curve.reason.text()
    assert prune.curve.plot.curve is None
    assert prune.widget().minimumSizeHint().width() <= 290


# What it costs


def test_predicted_damage_needs_swept_views(prune, scored) -> None:
    scored.set_target(1200)
    assert prune.table.values()[4] == "–"
    worth = Worth(NAME, scored.worth.values, scored.worth.classes, pixels=10**6)
    scored.document.add_scores({NAME: worth})
    expected = predicted_psnr(worth, scored.removed)
    assert prune.table.values()[4] == f"{expected:.1f} dB at best"
    scored.set_target(None)
    assert prune.table.values()[4] == "–"


def test_damage_is_measured_in_the_view_once_all_is_still(qtbot, prune, scored) -> None:
    camera = views(1)[0].camera.resized(96, 72)
    prune.set_camera_source(lambda: camera)
    scored.set_target(700)
    assert prune.table.values()[3] == "–"
    pause(STILL_MS // 3)
    scored.set_target(400)
    pause(STILL_MS // 3)
    assert prune.table.values()[3] == "–"
    qtbot.waitUntil(lambda: prune.meter.result is not None)
    scene, removed = scored.document.scene, scored.removed
    whole, rest = (
        render(scene, camera, background=BACKGROUND, keep=keep).rgb.clamp(0, 1)
        for keep in (scored.document.visible, ~removed)
    )
    decibels, likeness = psnr(rest, whole), ssim(rest, whole)
    assert math.isfinite(decibels)
    assert prune.table.values()[3] == f"{decibels:.1f} dB · SSIM {likeness:.3f}"
    prune.camera_changed()
    assert prune.table.values()[3] == "–"
    qtbot.waitUntil(lambda: prune.meter.result is not None)
    scored.reset_cut()
    assert prune.table.values()[3] == "–"


def test_nothing_is_measured_while_nobody_looks(qtbot, prune, scored) -> None:
    asked = []
    prune.set_camera_source(lambda: asked.append(1) or views(1)[0].camera)
    prune.hide()
    scored.set_target(400)
    pause(2 * STILL_MS)
    assert not asked
    assert prune.meter.result is None
    prune.show()
    qtbot.waitUntil(lambda: prune.meter.result is not None)
