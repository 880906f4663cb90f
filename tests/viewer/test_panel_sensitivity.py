"""The Sensitivity panel driven by real events: scores, views, runs, cancelling."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.scoring import SCORES, SINGULAR
from tests.viewer.panel_stage import LEFT, pause, session, shown, views
from viewer.look import Mode
from viewer.panels.sensitivity import DATASET, GENERATED, SensitivityPanel

__all__ = ["session"]


@pytest.fixture
def sensitivity(qtbot, session):
    return shown(qtbot, SensitivityPanel(session))


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
    pause(20)
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
