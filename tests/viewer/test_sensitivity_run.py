"""Running, pausing and mending needs in the Sensitivity panel, by real events."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.cameras import View
from core.jobs import JobState
from tests.viewer.frame_stage import front_camera
from tests.viewer.window_stage import write_scene
from viewer.look import Mode
from viewer.panels.sensitivity import SensitivityPanel
from viewer.session import Session

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(qtbot: QtBot, tmp_path: Path) -> Iterator[SensitivityPanel]:
    session = Session()
    session.open(write_scene(tmp_path))
    qtbot.waitUntil(lambda: session.document is not None and not session.runner.busy)
    panel = SensitivityPanel(session)
    qtbot.addWidget(panel)
    panel.resize(340, 760)
    with qtbot.waitExposed(panel):
        panel.show()
    yield panel
    assert session.shut_down()


def test_it_offers_to_attach_photos_where_there_are_none(
    qtbot: QtBot, panel: SensitivityPanel
) -> None:
    assert panel.attach_button.isVisible()
    with qtbot.waitSignal(panel.attach_asked):
        QTest.mouseClick(panel.attach_button, LEFT)
    panel.session.set_score("opacity")
    assert not panel.attach_button.isVisible()
    panel.session.set_score("removal-error")
    assert panel.session.document is not None
    panel.session.document.views = (View(front_camera()),)
    assert not panel.attach_button.isVisible()


def test_a_sweep_pauses_goes_on_and_shows_its_result(qtbot: QtBot, panel: SensitivityPanel) -> None:
    session = panel.session
    panel.views_spin.setValue(40)
    assert not panel.pause_button.isEnabled()
    panel.run_button.setFocus()
    QTest.mouseClick(panel.run_button, LEFT)
    job = session.runner.job
    assert job is not None
    assert not panel.cancel_button.hasFocus()
    qtbot.waitUntil(panel.pause_button.isEnabled)
    QTest.mouseClick(panel.pause_button, LEFT)
    qtbot.waitUntil(
        lambda: job.state == JobState.PAUSED and "Resume" in panel.pause_button.accessibleName()
    )
    assert session.worth is None
    QTest.mouseClick(panel.pause_button, LEFT)
    qtbot.waitUntil(lambda: job.state == JobState.DONE, timeout=60_000)
    qtbot.waitUntil(lambda: session.worth is not None and not panel.pause_button.isEnabled())
    assert "Pause" in panel.pause_button.accessibleName()
    assert session.mode == Mode.HEATMAP
    unseen, _, views, took = panel.table.values()
    assert views == "40 generated"
    assert took.endswith(" s")
    assert unseen != "–"
