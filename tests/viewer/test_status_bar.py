"""The status bar: counts, probe, backend and rates, each in a place that keeps still."""

import pytest
import torch

from core.editing import Document
from tests.blobs import blob_scene
from tests.viewer.window_stage import COUNT
from viewer.look import Overlay
from viewer.session import Session
from viewer.theme import apply_theme
from viewer.viewport.frames import FrameStats
from viewer.viewport.probe_card import Contributor, ProbeReport
from viewer.widgets.status_bar import StatusBar


def stats(ms: float | None = 28.44, backend: str = "CPU · 2 threads") -> FrameStats:
    return FrameStats(
        ms=ms, width=900, height=600, coarse=False, drawn=COUNT, backend=backend, route="copy"
    )


def probe(index: int, score: float | None, count: int = 3) -> ProbeReport:
    top = Contributor(index, 0.6, 0.9, 0.1, 2.0, score, (0.5, 0.5, 0.5))
    return ProbeReport(4, 5, 0.9, count, "" if score is None else "Removal error", (top,))


@pytest.fixture
def session(qapp):
    session = Session()
    document = Document(blob_scene(COUNT))
    document.state_changed.connect(session.state_changed.emit)
    document.history_changed.connect(session.history_changed.emit)
    session.document = document
    yield session
    assert session.shut_down()


@pytest.fixture
def bar(qtbot, qapp, session):
    apply_theme(qapp)
    bar = StatusBar(session)
    qtbot.addWidget(bar)
    bar.resize(1100, 28)
    bar.show()
    qtbot.waitExposed(bar)
    return bar


def places(bar: StatusBar) -> list[tuple[int, int]]:
    every = (bar.job, bar.counts, bar.probe, bar.backend, bar.frame)
    return [(place.x(), place.width()) for place in every]


def test_counts_of_every_kind(bar, session) -> None:
    document = session.document
    assert bar.counts.full_text == "1,500 Gaussians · 0 selected · 0 hidden · 0 deleted"
    mask = torch.zeros(COUNT, dtype=torch.bool)
    mask[:300] = True
    document.select(mask)
    assert "300 selected" in bar.counts.full_text
    document.hide_selected()
    assert "0 selected · 300 hidden" in bar.counts.full_text
    document.delete(mask.roll(700), "Delete")
    assert bar.counts.full_text.startswith("1,200 Gaussians")
    assert bar.counts.full_text.endswith("300 deleted")
    assert "Undo" in bar.counts.toolTip()


def test_nothing_jumps(qtbot, bar, session) -> None:
    session.set_look(overlays=session.look.overlays | {Overlay.PROBE})
    bar.show_frame(stats())
    qtbot.wait(20)
    before = places(bar)
    mask = torch.ones(COUNT, dtype=torch.bool)
    session.document.select(mask)
    for ms in (3.21, 999.0, 12.0):
        bar.show_frame(stats(ms))
    bar.show_probe(probe(4, 0.5))
    qtbot.wait(20)
    assert places(bar) == before


@pytest.mark.parametrize("width", [1100, 1600])
def test_nothing_but_the_counts_is_shortened(qtbot, bar, session, width) -> None:
    session.set_look(overlays=session.look.overlays | {Overlay.PROBE})
    bar.show_frame(stats(backend="CUDA · gsplat · 9.1/141 GB"))
    bar.resize(width, 28)
    qtbot.wait(20)
    for place in (bar.probe, bar.backend, bar.frame):
        assert place.text() == place.full_text
    assert bar.counts.text().startswith("1,500 Gaussians · 0 selected · 0 hidden")
    assert (bar.counts.text() == bar.counts.full_text) == (width == 1600)
    assert bar.frame.geometry().right() <= width
    assert bar.job.width() >= 200


def test_rates_are_measured_and_end_with_the_movement(qtbot, bar) -> None:
    assert bar.frame.full_text == "– ms"
    bar.show_frame(stats())
    assert bar.frame.full_text == "28 ms · – fps"
    for _ in range(5):
        qtbot.wait(20)
        bar.show_frame(stats(3.21))
    shown = bar.frame.full_text
    assert shown.startswith("3.2 ms · ")
    assert 10 <= int(shown.removeprefix("3.2 ms · ").removesuffix(" fps")) <= 55
    qtbot.waitUntil(lambda: bar.frame.full_text == "3.2 ms · – fps", timeout=3000)
    assert bar.backend.full_text == "CPU · 2 threads"
    assert "900 × 600" in bar.backend.toolTip()


def test_the_probe_tells_the_heaviest_gaussians_score(bar) -> None:
    assert bar.probe.full_text == "–"
    bar.show_probe(probe(7, None))
    assert bar.probe.full_text == "3 Gaussians"
    bar.show_probe(probe(1_234, 0.01234))
    assert bar.probe.full_text == "Removal error 0.0123"
    assert "number 1,234" in bar.probe.toolTip()
    bar.show_probe(ProbeReport(4, 5, 0.0, 0, "", ()))
    assert bar.probe.full_text == "–"
    bar.show_probe(None)
    assert bar.probe.full_text == "–"


def test_the_probe_has_a_place_while_it_is_on(qtbot, bar, session) -> None:
    before = [place.geometry() for place in (bar.backend, bar.frame)]
    assert not bar.probe.isVisible()
    shown = session.look.overlays
    session.set_look(overlays=shown | {Overlay.PROBE})
    assert bar.probe.isVisible()
    session.set_look(overlays_shown=False)
    assert not bar.probe.isVisible()
    qtbot.wait(20)
    assert [place.geometry() for place in (bar.backend, bar.frame)] == before


def test_a_remembered_picture_took_no_time(bar) -> None:
    bar.show_frame(stats(None))
    assert bar.frame.full_text == "– ms · – fps"


def test_without_a_scene_it_says_so(qtbot, bar, session) -> None:
    session.document = None
    session.document_replaced.emit()
    assert bar.counts.full_text == "No scene"
