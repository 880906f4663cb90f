"""The Data dock driven by real events: columns, scopes, bars, ranges, the line that cuts."""

import time

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolTip

from core.editing import SelectOp
from core.properties import PROPERTIES
from core.pruning import Filter, Relation
from core.scoring import Worth
from tests.viewer.panel_stage import (
    CONTROL,
    LEFT,
    NO_MODIFIER,
    SHIFT,
    at,
    choose,
    drag,
    pause,
    scored,
    session,
    shown,
    type_into,
)
from tests.viewer.window_stage import COUNT, NAME, make_worth, write_scene
from viewer.panels.columns import column_groups, column_title
from viewer.panels.histogram import HistogramPanel
from viewer.widgets.numbers import value_text

__all__ = ["scored", "session"]


def settled(qtbot, panel: HistogramPanel) -> HistogramPanel:
    """Wait until the panel shows the session as it is."""
    pause(30)
    qtbot.waitUntil(lambda: not panel._timer.isActive() and panel._asked is None)
    return panel


@pytest.fixture
def histogram(qtbot, scored):
    return settled(qtbot, shown(qtbot, HistogramPanel(scored), 900, 260))


def pick(qtbot, panel: HistogramPanel, name: str) -> None:
    """Choose a column with the arrow keys."""
    choose(panel.column_combo, column_title(panel.session.document, name))
    settled(qtbot, panel)


# What is shown


def test_columns_stand_in_groups(histogram, scored) -> None:
    combo = histogram.column_combo
    headings = [combo.itemText(row) for row in range(combo.count()) if combo.itemData(row) is None]
    assert headings == ["Scores", "Geometry", "Opacity", "Colour"]
    names = [combo.itemData(row) for row in range(combo.count()) if combo.itemData(row)]
    assert len(names) == len(set(names))
    assert set(PROPERTIES) | set(scored.document.scores) == set(names)
    groups = dict(column_groups(scored.document))
    assert groups["File columns"] == []
    model = combo.model()
    assert not model.item(combo.findText("Geometry")).flags()


def test_it_begins_with_the_score_or_else_the_opacity(qtbot, session) -> None:
    panel = settled(qtbot, shown(qtbot, HistogramPanel(session), 900, 260))
    assert panel.shown.name == "opacity"
    assert not panel.plot.line.isVisible()
    session.document.add_scores({NAME: make_worth()})
    settled(qtbot, panel)
    assert panel.shown.name == NAME
    assert panel.column_combo.currentText() == "Removal error"
    session.set_score("size")
    assert settled(qtbot, panel).shown.name == "size"


def test_a_chosen_property_stays_when_the_score_changes(qtbot, histogram, scored) -> None:
    pick(qtbot, histogram, "hue")
    scored.set_score("size")
    assert settled(qtbot, histogram).shown.name == "hue"


@pytest.mark.parametrize("name", ["opacity", "neighbours", "volume", "size"])
def test_bars_and_statistics_are_exact(qtbot, histogram, scored, name) -> None:
    pick(qtbot, histogram, name)
    values = scored.document.values(name)
    assert histogram.plot.bars.opts["height"].sum() == COUNT
    text = histogram.statistics.full_text
    for part in (
        f"{COUNT:,} Gaussians",
        f"mean {value_text(values.mean())}",
        f"median {value_text(np.median(values))}",
        f"p95 {value_text(np.quantile(values, 0.95))}",
        f"min {value_text(values.min())}",
        f"max {value_text(values.max())}",
    ):
        assert part in text


def test_scopes(qtbot, histogram, scored) -> None:
    document = scored.document
    document.select(torch.arange(COUNT) < 300)
    document.hide_selected()
    document.select(torch.arange(COUNT) < 700)
    settled(qtbot, histogram)
    for scope, count in (("All", 1500), ("Visible", 1200), ("Selected", 400)):
        choose(histogram.scope_combo, scope)
        settled(qtbot, histogram)
        assert histogram.statistics.full_text.startswith(f"{count:,} Gaussians")
        assert histogram.plot.bars.opts["height"].sum() == count
        assert histogram.plot.front.opts["height"].sum() == 400
    document.select(document.visible, SelectOp.REMOVE)
    settled(qtbot, histogram)
    assert histogram.empty.isVisible()
    assert histogram.empty.text() == "No Gaussians are selected."
    assert not histogram.select_button.isEnabled()


def test_the_selected_stand_in_front_in_the_same_bins(qtbot, histogram, scored) -> None:
    top = torch.from_numpy(scored.document.values(NAME) > 1.0)
    scored.document.select(top)
    settled(qtbot, histogram)
    bars = histogram.shown
    assert bars.selected.sum() == int(top.sum())
    above = bars.edges[:-1] > 1.0
    assert np.array_equal(bars.selected[above], bars.counts[above])
    assert bars.selected[bars.edges[1:] < 1.0].sum() == 0


def test_values_over_decades_get_a_logarithmic_axis(qtbot, histogram, scored) -> None:
    assert histogram.log_x.isChecked()
    flat = Worth(NAME, torch.linspace(1, 2, COUNT, dtype=torch.float64), scored.worth.classes)
    scored.document.add_scores({NAME: flat})
    settled(qtbot, histogram)
    assert not histogram.log_x.isChecked()
    negative = Worth(NAME, -make_worth().values, flat.classes)
    scored.document.add_scores({NAME: negative})
    settled(qtbot, histogram)
    assert not histogram.log_x.isChecked()
    assert not histogram.log_x.isEnabled()


def test_the_axis_can_be_chosen(qtbot, histogram) -> None:
    QTest.mouseClick(histogram.log_x, LEFT)
    settled(qtbot, histogram)
    assert not histogram.shown.log
    assert histogram.plot.bars.opts["height"].sum() == COUNT


def test_bars_carry_the_colours_of_the_heatmap(qtbot, histogram) -> None:
    first, last = (histogram.plot.bars.opts["brushes"][place] for place in (0, -1))
    assert first.blue() > first.green()
    assert last.green() > last.blue()
    pick(qtbot, histogram, "opacity")
    assert histogram.plot.bars.opts["brushes"] is None


def test_the_colours_follow_the_look(histogram, scored) -> None:
    scored.set_look(colormap="gray")
    middle: QColor = histogram.plot.bars.opts["brushes"][128]
    assert middle.red() == middle.green() == middle.blue()


def test_log_counts_show_single_gaussians(histogram) -> None:
    QTest.mouseClick(histogram.log_y, LEFT)
    heights = np.asarray(histogram.plot.bars.opts["height"])
    counts = histogram.shown.counts
    assert (counts == 1).any()
    assert (heights[counts == 1] > 0).all()
    assert (heights[counts == 0] == 0).all()


def test_what_has_no_score_is_left_aside_and_told(qtbot, histogram, scored) -> None:
    scored.document.add_scores({NAME: make_worth(unseen=100, singular=50)})
    settled(qtbot, histogram)
    text = histogram.statistics.full_text
    assert "100 unseen" in text
    assert "50 without parallax" in text
    assert histogram.plot.bars.opts["height"].sum() == COUNT - 150
    ordinary = scored.worth.values[150:]
    assert f"median {value_text(ordinary.quantile(0.5))}" in text


def test_without_a_scene_there_is_a_hint(qtbot, qapp) -> None:
    from viewer.session import Session

    session = Session()
    panel = shown(qtbot, HistogramPanel(session), 900, 260)
    assert panel.empty.isVisible()
    assert "Open a scene" in panel.empty.text()
    assert not panel.plot.isVisible()


def test_a_hidden_panel_counts_only_once_it_is_seen(qtbot, histogram, scored) -> None:
    before = histogram.shown
    histogram.hide()
    scored.document.select(torch.arange(COUNT) < 10)
    pause(80)
    assert histogram.shown is before
    histogram.show()
    qtbot.waitUntil(lambda: histogram.shown.selected.sum() == 10)


def test_hover_tells_the_range_and_the_count(histogram) -> None:
    bars = histogram.shown
    place = int(bars.counts.argmax())
    middle = bars.positions()[place : place + 2].mean()
    QTest.mouseMove(histogram.plot.viewport(), at(histogram.plot, middle))
    pause(20)
    text = QToolTip.text()
    assert f"{value_text(bars.edges[place])} … {value_text(bars.edges[place + 1])}" in text
    assert f"{bars.counts[place]:,} Gaussians" in text


# Selecting


def span(histogram: HistogramPanel, low: float, high: float) -> tuple[QPoint, QPoint]:
    return at(histogram.plot, np.log10(low)), at(histogram.plot, np.log10(high))


def inside(histogram: HistogramPanel, start: QPoint, end: QPoint) -> np.ndarray:
    """The Gaussians between two pixels, by the plot's own scale."""
    box = histogram.plot.getPlotItem().getViewBox()
    ends = [10 ** box.mapSceneToView(histogram.plot.mapToScene(spot)).x() for spot in (start, end)]
    values = histogram.shown.values
    return (values >= min(ends)) & (values <= max(ends))


def test_a_drag_selects_its_range(histogram, scored) -> None:
    start, end = span(histogram, 0.5, 20)
    drag(histogram.plot.viewport(), start, end)
    assert np.array_equal(scored.document.selected.numpy(), inside(histogram, start, end))
    name = scored.document.history.undo_name
    assert name.startswith("Select Removal error ")
    assert " … " in name
    scored.document.undo()
    assert scored.document.selected_count == 0


def test_keys_add_remove_and_intersect(histogram, scored) -> None:
    document, viewport = scored.document, histogram.plot.viewport()
    first, second = span(histogram, 0.5, 5), span(histogram, 2, 40)
    a, b = inside(histogram, *first), inside(histogram, *second)
    expected = {
        SHIFT: a | b,
        CONTROL: a & ~b,
        SHIFT | CONTROL: a & b,
        NO_MODIFIER: b,
    }
    for keys, wanted in expected.items():
        drag(viewport, *first)
        drag(viewport, *second[::-1], keys)
        assert np.array_equal(document.selected.numpy(), wanted)


def test_the_band_shows_what_will_be_selected(histogram, scored) -> None:
    start, end = span(histogram, 0.5, 20)
    drag(histogram.plot.viewport(), start, end, drop=False)
    assert histogram.plot.band.isVisible()
    assert scored.document.selected_count == 0
    count = int(inside(histogram, start, end).sum())
    assert histogram.counts.text() == f"{count:,} in range"
    QTest.mouseRelease(histogram.plot.viewport(), LEFT, NO_MODIFIER, end)
    assert not histogram.plot.band.isVisible()
    assert scored.document.selected_count == count
    assert float(histogram.from_edit.text()) == pytest.approx(0.5, rel=0.2)


def test_escape_drops_the_drag(histogram, scored) -> None:
    start, end = span(histogram, 0.5, 20)
    histogram.plot.setFocus()
    drag(histogram.plot.viewport(), start, end, drop=False)
    QTest.keyClick(histogram.plot, Qt.Key.Key_Escape)
    QTest.mouseRelease(histogram.plot.viewport(), LEFT, NO_MODIFIER, end)
    assert scored.document.selected_count == 0
    assert not histogram.plot.band.isVisible()


def test_a_click_selects_nothing(histogram, scored) -> None:
    start, _ = span(histogram, 0.5, 20)
    QTest.mouseClick(histogram.plot.viewport(), LEFT, pos=start)
    assert scored.document.history.undo_name is None


def test_a_drag_over_all_takes_the_outermost(histogram, scored) -> None:
    viewport = histogram.plot.viewport()
    middle = viewport.height() // 2
    drag(viewport, QPoint(viewport.width() - 2, middle), QPoint(2, middle))
    assert scored.document.selected_count == COUNT


def test_only_what_is_counted_is_selected(qtbot, histogram, scored) -> None:
    scored.document.select(torch.arange(COUNT) < 200)
    choose(histogram.scope_combo, "Selected")
    settled(qtbot, histogram)
    start, end = span(histogram, 0.5, 20)
    wanted = inside(histogram, start, end) & (np.arange(COUNT) < 200)
    drag(histogram.plot.viewport(), start, end)
    assert np.array_equal(scored.document.selected.numpy(), wanted)


def test_typing_a_range_selects(qtbot, histogram, scored) -> None:
    values = scored.document.values(NAME)
    histogram.from_edit.setFocus()
    QTest.keyClicks(histogram.from_edit, "0.5")
    type_into(histogram.to_edit, "20")
    assert scored.document.selected_count == ((values >= 0.5) & (values <= 20)).sum()
    choose(histogram.op_combo, "Remove")
    type_into(histogram.to_edit, "1")
    assert scored.document.selected_count == ((values > 1) & (values <= 20)).sum()
    choose(histogram.op_combo, "Set")
    histogram.from_edit.clear()
    QTest.mouseClick(histogram.select_button, LEFT)
    assert scored.document.selected_count == (values <= 1).sum()


# The line that cuts


def test_dragging_the_line_previews_live(histogram, scored) -> None:
    targets = []
    scored.target_changed.connect(lambda: targets.append(scored.target))
    start, end = at(histogram.plot, histogram.plot.line.value()), at(histogram.plot, 0.0)
    drag(histogram.plot.viewport(), start, end, steps=8)
    assert len(targets) >= 4
    expected = int((scored.worth.values >= 1).sum())
    assert scored.target == pytest.approx(expected, abs=0.02 * COUNT)
    assert f"keeps {scored.target:,}" in histogram.counts.text()
    assert histogram.plot.goes.isVisible()
    assert histogram.plot.goes.getRegion()[1] == pytest.approx(histogram.plot.line.value())
    assert scored.document.history.undo_name is None


def test_the_line_follows_the_target(qtbot, histogram, scored) -> None:
    scored.set_target(COUNT // 2)
    median = scored.ranking.threshold(COUNT // 2)
    assert histogram.plot.line.value() == pytest.approx(np.log10(median))
    QTest.mouseClick(histogram.log_x, LEFT)
    settled(qtbot, histogram)
    assert histogram.plot.line.value() == pytest.approx(median)
    scored.set_target(None)
    assert histogram.plot.line.value() == pytest.approx(float(scored.worth.values.min()))
    assert histogram.counts.text() == ""


def test_the_line_and_its_numbers_mind_the_filters(histogram, scored) -> None:
    scored.set_filters([Filter("opacity", Relation.BELOW, 0.3)])
    opaque = scored.document.values("opacity") >= 0.3
    left = int(opaque.sum())
    assert histogram.counts.text().startswith(f"keeps {left:,} (")
    assert not histogram.plot.goes.isVisible()
    scored.set_target(600)
    values = np.sort(scored.worth.values.numpy()[opaque])
    assert histogram.plot.line.value() == pytest.approx(np.log10(values[left - 600]))
    assert histogram.counts.text() == f"keeps 600 (40.0 %), {COUNT - 600:,} go"
    drag(
        histogram.plot.viewport(),
        at(histogram.plot, histogram.plot.line.value()),
        at(histogram.plot, 0.0),
    )
    assert scored.target == pytest.approx(int((values >= 1).sum()), abs=0.02 * COUNT)
    assert COUNT - scored.removed_count == scored.target


def test_only_the_chosen_score_has_the_line(qtbot, histogram) -> None:
    assert histogram.plot.line.isVisible()
    pick(qtbot, histogram, "largest")
    assert not histogram.plot.line.isVisible()
    pick(qtbot, histogram, NAME)
    assert histogram.plot.line.isVisible()


def test_many_gaussians_do_not_hold_the_window_up(qtbot, scored) -> None:
    """Only that the work is elsewhere: asking returns long before the answer."""
    panel = settled(qtbot, shown(qtbot, HistogramPanel(scored), 900, 260))
    with scored.runner.lane.step():
        began = time.perf_counter()
        panel.show_column("neighbours")
        pause(80)
        assert time.perf_counter() - began < 2
        assert panel.empty.text() == "Computing …"
        assert panel.shown is None
    settled(qtbot, panel)
    assert panel.shown.name == "neighbours"


def test_bars_of_the_scene_before_select_nothing(qtbot, histogram, scored, tmp_path) -> None:
    assert histogram.shown is not None
    shown_at_once: list[object] = []
    scored.document_replaced.connect(lambda: shown_at_once.append(histogram.shown))
    scored.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: bool(shown_at_once))
    assert shown_at_once == [None]
    settled(qtbot, histogram)
    assert histogram.shown is not None
