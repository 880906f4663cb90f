"""The filters of the Prune panel driven by real events: rows, ready ones, joining, slow numbers."""

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.pruning import PRESETS, Filter, Join, Relation
from tests.viewer.panel_stage import LEFT, choose, pause, scored, session, shown, type_into
from tests.viewer.window_stage import COUNT, NAME
from viewer.panels.prune import PrunePanel

__all__ = ["scored", "session"]

LOW = Filter("opacity", Relation.BELOW, 0.3)
LARGE = Filter("largest", Relation.ABOVE, 0.08)


@pytest.fixture
def prune(qtbot, scored):
    panel = shown(qtbot, PrunePanel(scored))
    QTest.mouseClick(panel.filters_section.header, LEFT)
    return panel


@pytest.fixture
def filters(prune):
    return prune.filters


def taken(session, entry: Filter) -> np.ndarray:
    values = session.document.values(entry.name)
    side = values > entry.value if entry.relation == Relation.ABOVE else values < entry.value
    return side & session.document.alive.numpy()


def test_a_new_filter_takes_a_twentieth_by_opacity(qtbot, filters, scored) -> None:
    QTest.mouseClick(filters.add_button, LEFT)
    qtbot.waitUntil(lambda: len(filters.rows) == 1)
    (entry,) = scored.cut.filters
    assert (entry.name, entry.relation) == ("opacity", Relation.BELOW)
    assert scored.removed_count == pytest.approx(0.05 * COUNT, abs=2)
    assert filters.rows[0].takes.full_text.startswith(f"{scored.removed_count:,} (")
    QTest.mouseClick(filters.add_button, LEFT)
    qtbot.waitUntil(lambda: len(filters.rows) == 2)
    assert scored.cut.filters[1].name == "largest"


def test_rows_show_the_filters_of_the_session(filters, scored) -> None:
    scored.set_filters([LOW, LARGE])
    first, second = filters.rows
    assert (first.column_combo.column, second.column_combo.column) == ("opacity", "largest")
    assert first.relation_combo.currentData() == Relation.BELOW
    assert float(second.value_edit.text()) == 0.08
    for row, entry in zip(filters.rows, (LOW, LARGE), strict=True):
        assert row.takes.full_text.startswith(f"{taken(scored, entry).sum():,} (")


def test_editing_value_and_side_previews_at_once(filters, scored) -> None:
    scored.set_filters([LOW])
    row = filters.rows[0]
    type_into(row.value_edit, "0.6")
    assert scored.cut.filters == (Filter("opacity", Relation.BELOW, 0.6),)
    assert scored.removed_count == taken(scored, scored.cut.filters[0]).sum()
    choose(row.relation_combo, "above")
    assert scored.cut.filters == (Filter("opacity", Relation.ABOVE, 0.6),)
    assert scored.removed_count == taken(scored, scored.cut.filters[0]).sum()
    assert filters.rows[0] is row


def test_leaving_a_value_keeps_all_its_digits(filters, scored) -> None:
    exact = Filter("opacity", Relation.BELOW, 1 / 3)
    scored.set_filters([exact])
    edit = filters.rows[0].value_edit
    edit.setFocus()
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert scored.cut.filters == (exact,)
    type_into(edit, "")
    assert scored.cut.filters == (exact,)


def test_another_property_gets_a_value_of_its_own(qtbot, filters, scored) -> None:
    scored.set_filters([LARGE])
    row = filters.rows[0]
    choose(row.column_combo, "Distance to neighbours")
    assert row.column_combo.column == "neighbours"
    qtbot.waitUntil(lambda: scored.cut.filters[0].name == "neighbours")
    entry = scored.cut.filters[0]
    values = scored.document.values("neighbours")
    assert entry.value == pytest.approx(np.quantile(values, 0.95), rel=0.01)
    assert scored.removed_count == taken(scored, entry).sum()


def test_an_answer_for_a_property_that_was_left_is_dropped(qtbot, filters, scored) -> None:
    scored.set_filters([LARGE])
    names = []
    scored.target_changed.connect(lambda: names.append(scored.cut.filters[0].name))
    combo = filters.rows[0].column_combo
    with scored.runner.lane.step():
        choose(combo, "Anisotropy")
        pause(50)
        choose(combo, "Hue")
    qtbot.waitUntil(lambda: "hue" in names)
    assert names == ["hue"]
    assert combo.column == "hue"


def test_removing_the_first_row_keeps_the_second(filters, scored) -> None:
    scored.set_filters([LOW, LARGE])
    QTest.mouseClick(filters.rows[0].remove_button, LEFT)
    assert scored.cut.filters == (LARGE,)
    assert len(filters.rows) == 1
    assert filters.rows[0].column_combo.column == "largest"
    QTest.mouseClick(filters.rows[0].remove_button, LEFT)
    assert scored.cut.empty
    assert scored.removed is None


def test_join_by_and_or(prune, filters, scored) -> None:
    scored.set_filters([LOW, LARGE])
    either = (taken(scored, LOW) | taken(scored, LARGE)).sum()
    both = (taken(scored, LOW) & taken(scored, LARGE)).sum()
    assert scored.removed_count == either
    assert prune.filters_section.summary.full_text.startswith(f"2 filters take {either:,} (")
    choose(filters.join_combo, "all of these (and)")
    assert scored.cut.join == Join.AND
    assert scored.removed_count == both
    assert prune.filters_section.summary.full_text.startswith(f"2 filters take {both:,} (")


@pytest.mark.parametrize("name", list(PRESETS))
def test_ready_filters(qtbot, filters, scored, name) -> None:
    scored.set_filters([LARGE])
    QTest.mouseClick(filters.preset_buttons[name], LEFT)
    expected = PRESETS[name].make(scored.document.values, scored.document.alive, NAME)
    qtbot.waitUntil(lambda: set(expected) <= set(scored.cut.filters))
    sides = {(entry.name, entry.relation) for entry in expected}
    assert (LARGE in scored.cut.filters) == ((LARGE.name, LARGE.relation) not in sides)
    QTest.mouseClick(filters.preset_buttons[name], LEFT)
    before = len(scored.cut.filters)
    qtbot.wait(100)
    assert len(scored.cut.filters) == before


def test_low_worth_needs_a_score(qtbot, session) -> None:
    panel = shown(qtbot, PrunePanel(session))
    assert not panel.filters.preset_buttons["low-worth"].isEnabled()
    assert panel.filters.preset_buttons["giant"].isEnabled()


def test_counts_follow_what_lives(filters, scored) -> None:
    scored.set_filters([LOW])
    gone = torch.from_numpy(taken(scored, LOW))
    scored.document.delete(gone)
    assert filters.rows[0].takes.full_text.startswith("0 (")


def test_the_section_stays_as_it_was_left(qtbot, prune, scored) -> None:
    assert prune.filters_section.is_open
    assert prune.filters.isVisible()
    assert shown(qtbot, PrunePanel(scored)).filters_section.is_open
    QTest.keyClick(prune.filters_section.header, Qt.Key.Key_Space)
    assert not prune.filters.isVisible()
    assert not shown(qtbot, PrunePanel(scored)).filters_section.is_open


def test_it_fits_a_narrow_panel(qtbot, prune, scored) -> None:
    qtbot.waitUntil(lambda: prune.curve.plot.curve is not None)
    scored.set_filters([LOW, LARGE, Filter("neighbours", Relation.ABOVE, 1.0)])
    prune.resize(300, 600)
    assert prune.widget().minimumSizeHint().width() <= prune.viewport().width()
