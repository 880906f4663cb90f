"""Panels driven by real events: linked fields, histogram line, sensitivity settings."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSpinBox, QStyle, QStyleOptionSlider

from core.cameras import Camera, View, intrinsics, look_at
from core.pruning import count_in_megabytes
from core.scene import bytes_per_gaussian
from core.scoring import SCORES, SINGULAR, Worth
from core.scoring.ranking import BINS, Ranking
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.look import Mode
from viewer.panels.histogram import HistogramPanel
from viewer.panels.prune import PrunePanel
from viewer.panels.scene import ScenePanel
from viewer.panels.sensitivity import DATASET, GENERATED, SensitivityPanel
from viewer.session import Session
from viewer.theme import apply_theme

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session(qtbot, qapp, tmp_path):
    apply_theme(qapp)
    session = Session()
    session.messages = []
    session.notified.connect(lambda level, text: session.messages.append((level, text)))
    session.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: session.document is not None and not session.runner.busy)
    yield session
    assert session.shut_down()


@pytest.fixture
def scored(session):
    session.document.add_scores({NAME: make_worth()})
    return session


def shown(qtbot, widget, width=380, height=700):
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def drag(widget, start: QPoint, end: QPoint, steps: int = 5) -> None:
    QTest.mousePress(widget, LEFT, pos=start)
    for step in range(1, steps + 1):
        QTest.mouseMove(widget, start + (end - start) * step / steps)
        QTest.qWait(5)
    QTest.mouseRelease(widget, LEFT, pos=end)


def type_into(field, text: str) -> None:
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


# Ranking


classes = st.lists(st.integers(0, 2), min_size=1, max_size=40)
levels = st.lists(st.integers(-3, 3), min_size=40, max_size=40)


@given(classes, levels, st.data())
def test_ranking_agrees_with_the_order_of_pruning(kinds, values, data) -> None:
    worth = Worth(
        NAME,
        torch.tensor(values[: len(kinds)], dtype=torch.float64),
        torch.tensor(kinds, dtype=torch.uint8),
    )
    alive = torch.tensor(
        data.draw(st.lists(st.booleans(), min_size=len(kinds), max_size=len(kinds)))
    )
    ranking = Ranking.of(worth, alive)
    total = int(alive.sum())
    assert ranking.total == total
    if not total:
        return
    count = data.draw(st.integers(1, total))
    order = worth.order[alive[worth.order]]
    last_kept = int(order[total - count])
    if worth.classes[last_kept] == 2:
        threshold = float(worth.values[last_kept])
        assert ranking.threshold(count) == threshold
        ordinary = alive & (worth.classes == 2)
        assert ranking.count_from(threshold) == int((ordinary & (worth.values >= threshold)).sum())
        same, going = ranking.ties(count)
        tied = ordinary & (worth.values == threshold)
        assert same == int(tied.sum())
        assert going == int(tied[order[: total - count]].sum())
    else:
        assert ranking.threshold(count) is None
        assert ranking.ties(count) == (0, 0)


@pytest.mark.parametrize("log", [False, True])
def test_histogram_counts_every_finite_value_once(log) -> None:
    values = make_worth().values.sort().values.numpy()
    ranking = Ranking(0, 0, np.concatenate([[-np.inf], values, [np.inf]]))
    edges, counts = ranking.histogram(log)
    assert len(counts) == BINS
    assert counts.sum() == COUNT
    assert counts[0] == np.count_nonzero(values < edges[1])
    assert np.count_nonzero(values < edges[0]) <= 0.002 * COUNT
    assert edges[-1] == values[-1]
    assert np.all(np.diff(edges) > 0)


def test_histogram_of_equal_values_is_whole() -> None:
    _, counts = Ranking(0, 0, np.full(7, 3.0)).histogram(False)
    assert counts.sum() == 7


def test_quantiles_are_interpolated() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=101))
    ranking = Ranking(3, 2, values)
    for share in (0, 0.333, 0.5, 0.95, 1):
        assert ranking.quantile(share) == pytest.approx(np.quantile(values, share))


# Prune


@pytest.fixture
def prune(qtbot, scored):
    return shown(qtbot, PrunePanel(scored))


def assert_fields_agree(panel: PrunePanel, session: Session, count: int) -> None:
    total = session.document.alive_count
    each = bytes_per_gaussian(session.document.scene.sh_degree)
    assert panel.count_spin.value() == count
    assert panel.percent_spin.value() == pytest.approx(100 * count / total, abs=0.0051)
    assert panel.megabytes_spin.value() == pytest.approx(count * each / 1e6, abs=5.1e-5)
    assert round(total * panel.slider.value() / 1000) == pytest.approx(count, abs=total / 1000)
    keep, goes, size, threshold = panel.table.values()
    assert keep.startswith(f"{count:,} (")
    assert size.endswith(f"{count * each / 1e6:.3g} MB")
    assert goes == f"{total - count:,} of {total:,}"
    assert threshold == f"{session.ranking.threshold(count):.3g}"


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
    QTest.mouseClick(prune.reset_button, LEFT)
    assert scored.target is None
    assert prune.count_spin.value() == COUNT
    assert not prune.reset_button.isEnabled()


def test_notes_tell_of_ties_unseen_and_singular(prune, scored) -> None:
    scored.document.add_scores({NAME: make_worth(unseen=100, singular=50)})
    scored.set_target(COUNT - 60)
    assert "100 Gaussians that no view sees" in prune.note.text()
    assert prune.threshold_edit.text() == ""
    scored.set_target(COUNT - 120)
    assert "50 Gaussians without parallax" in prune.note.text()
    tied = make_worth()
    values = tied.values.clone()
    values[:200] = 1e-9
    scored.document.add_scores({NAME: Worth(NAME, values, tied.classes)})
    scored.set_target(COUNT - 30)
    assert prune.note.text() == "200 Gaussians share the threshold's score; 30 of them go."
    scored.set_target(COUNT - 200)
    assert prune.note.text() == ""


def test_the_wheel_scrolls_past_fields(qtbot, prune, scored) -> None:
    prune.setFocus()
    for field in prune.findChildren(QSpinBox):
        position = QPointF(field.rect().center())
        QTest.wheelEvent(
            field.window().windowHandle(), field.mapTo(prune, position), QPoint(0, 120)
        )
    assert scored.target is None


# Histogram


@pytest.fixture
def histogram(qtbot, scored):
    panel = shown(qtbot, HistogramPanel(scored), 900, 260)
    QTest.qWait(50)
    return panel


def pixel_of(panel: HistogramPanel, position: float) -> QPoint:
    box = panel.plot.getPlotItem().getViewBox()
    scene = box.mapViewToScene(QPointF(position, sum(box.viewRange()[1]) / 2))
    return panel.plot.mapFromScene(scene)


def test_values_over_decades_get_a_logarithmic_axis(histogram, scored) -> None:
    assert histogram.log_x.isChecked()
    flat = Worth(NAME, torch.linspace(1, 2, COUNT, dtype=torch.float64), scored.worth.classes)
    scored.document.add_scores({NAME: flat})
    assert not histogram.log_x.isChecked()
    negative = Worth(NAME, -scored.worth.values, flat.classes)
    scored.document.add_scores({NAME: negative})
    assert not histogram.log_x.isChecked()
    assert not histogram.log_x.isEnabled()


def test_dragging_the_line_previews_live(histogram, scored) -> None:
    targets = []
    scored.target_changed.connect(lambda: targets.append(scored.target))
    viewport = histogram.plot.viewport()
    start = pixel_of(histogram, histogram.line.value())
    end = pixel_of(histogram, 0.0)
    drag(viewport, start, end, steps=8)
    assert len(targets) >= 4
    expected = int((scored.worth.values >= 1).sum())
    assert scored.target == pytest.approx(expected, abs=0.02 * COUNT)
    assert f"keeps {scored.target:,}" in histogram.counts.full_text
    assert histogram.goes.isVisible()
    assert histogram.goes.getRegion()[1] == pytest.approx(histogram.line.value())
    assert scored.document.history.undo_name is None


def test_the_line_follows_the_target(histogram, scored) -> None:
    scored.set_target(COUNT // 2)
    median = scored.ranking.threshold(COUNT // 2)
    assert histogram.line.value() == pytest.approx(np.log10(median))
    QTest.mouseClick(histogram.log_x, LEFT)
    assert histogram.line.value() == pytest.approx(median)
    scored.set_target(None)
    assert histogram.line.value() == pytest.approx(float(scored.worth.values.min()))
    assert histogram.counts.full_text == f"keeps all {COUNT:,}"


def test_bars_carry_the_colours_of_the_heatmap(histogram) -> None:
    brushes = histogram.bars.opts["brushes"]
    first, last = brushes[0], brushes[-1]
    assert first.blue() > first.green()
    assert last.green() > last.blue()
    assert histogram.bars.opts["height"].sum() == COUNT


def test_log_counts_show_single_gaussians(histogram) -> None:
    QTest.mouseClick(histogram.log_y, LEFT)
    heights = np.asarray(histogram.bars.opts["height"])
    counts = histogram.session.ranking.histogram(True)[1]
    assert (heights[counts == 1] > 0).all()
    assert (heights[counts == 0] == 0).all()


def test_what_has_no_score_is_left_aside_and_told(histogram, scored) -> None:
    scored.document.add_scores({NAME: make_worth(unseen=100, singular=50)})
    text = histogram.statistics.full_text
    assert "100 unseen" in text
    assert "50 without parallax" in text
    assert histogram.bars.opts["height"].sum() == COUNT - 150
    ordinary = scored.worth.values[150:]
    assert f"median {ordinary.quantile(0.5):.3g}" in text


def test_without_a_score_there_is_a_hint(qtbot, session) -> None:
    panel = shown(qtbot, HistogramPanel(session), 900, 260)
    assert panel.empty.isVisible()
    assert not panel.plot.isVisible()


# Sensitivity


@pytest.fixture
def sensitivity(qtbot, session):
    return shown(qtbot, SensitivityPanel(session))


def views(count: int) -> tuple[View, ...]:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return tuple(
        View(
            Camera(
                look_at((3 * np.sin(a), 0, 3 * np.cos(a)), (0, 0, 0), (0, -1, 0)),
                intrinsics(50, 64, 48),
                64,
                48,
                f"view_{number}",
            )
        )
        for number, a in enumerate(angles)
    )


def test_every_score_shows_its_formula_and_source(sensitivity, session) -> None:
    assert sensitivity.score_combo.count() == len(SCORES)
    sensitivity.score_combo.setFocus()
    for entry in list(SCORES.values())[1:]:
        QTest.keyClick(sensitivity.score_combo, Qt.Key.Key_Down)
        assert session.score_name == entry.name
        assert sensitivity.formula.text() == entry.formula
        assert sensitivity.source.text() == entry.source


def test_without_views_it_says_that_they_are_generated(sensitivity) -> None:
    assert sensitivity.views_combo.currentData() == GENERATED
    sensitivity.views_spin.setValue(12)
    assert sensitivity.needs_text.text() == (
        "No photos or cameras: scores come from 12 generated views."
    )


def test_with_views_it_takes_the_training_ones(sensitivity, session) -> None:
    session.document.views = views(5)
    assert sensitivity.views_combo.currentData() == DATASET
    assert "(5)" in sensitivity.views_combo.currentText()
    assert not sensitivity.views_spin.isEnabled()
    sensitivity.views_combo.setCurrentIndex(GENERATED)
    assert sensitivity.views_spin.isEnabled()


def test_a_run_measures_and_switches_to_the_heatmap_once(qtbot, sensitivity, session) -> None:
    session.document.views = views(4)
    QTest.mouseClick(sensitivity.run_button, LEFT)
    assert sensitivity.cancel_button.isEnabled()
    assert sensitivity.bar.isVisible()
    qtbot.waitUntil(lambda: session.worth is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not session.runner.busy)
    assert session.mode == Mode.HEATMAP
    unseen, parallax, count, seconds = sensitivity.table.values()
    assert unseen == f"{int((session.document.scores['max-weight'].values == 0).sum()):,}"
    fisher = session.document.scores.get("fisher")
    assert parallax == ("–" if fisher is None else f"{int((fisher.classes == SINGULAR).sum()):,}")
    assert count == "4 of the dataset"
    assert seconds.endswith(" s")
    assert float(seconds.removesuffix(" s")) >= 0
    assert not sensitivity.bar.isVisible()
    session.set_mode(Mode.COLOR)
    QTest.mouseClick(sensitivity.run_button, LEFT)
    qtbot.waitUntil(lambda: not session.runner.busy, timeout=60_000)
    QTest.qWait(20)
    assert session.mode == Mode.COLOR
    QTest.mouseClick(sensitivity.heatmap_button, LEFT)
    assert session.mode == Mode.HEATMAP


def test_cancel_leaves_no_score(qtbot, sensitivity, session) -> None:
    session.document.views = views(60)
    QTest.mouseClick(sensitivity.run_button, LEFT)
    qtbot.waitSignal(session.runner.progressed, timeout=60_000).wait()
    QTest.mouseClick(sensitivity.cancel_button, LEFT)
    qtbot.waitUntil(lambda: not session.runner.busy, timeout=30_000)
    assert session.worth is None
    assert session.mode == Mode.COLOR


# Scene


def test_scene_panel_tells_counts_and_sizes(qtbot, scored) -> None:
    panel = shown(qtbot, ScenePanel(scored), 260, 700)
    assert panel.file_name.full_text == "ball.ply"
    assert panel.table.values()[:3] == (f"{COUNT:,}", "0", "SH degree 1")
    scored.set_target(500)
    scored.apply_prune()
    each = bytes_per_gaussian(1)
    assert panel.table.values()[:2] == ("500", f"{COUNT - 500:,}")
    assert panel.table.values()[4] == f"{COUNT * each / 1e6:.3g} MB"
    assert panel.table.values()[3] == f"{500 * each / 1e6:.3g} MB"


def test_clicking_a_view_chooses_its_camera(qtbot, session) -> None:
    panel = shown(qtbot, ScenePanel(session), 260, 700)
    assert panel.attach_button.isVisible()
    session.document.views = views(3)
    assert panel.views_list.count() == 3
    assert not panel.attach_button.isVisible()
    item = panel.views_list.item(1)
    spot = panel.views_list.visualItemRect(item).center()
    with qtbot.waitSignal(panel.view_chosen) as chosen:
        QTest.mouseClick(panel.views_list.viewport(), LEFT, pos=spot)
    assert chosen.args == [1]
