"""The pixel probe: what it tells, shows and selects."""

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEvent, Qt

from core.rendering import render
from tests.viewer.viewport_stage import (
    COUNT,
    HEIGHT,
    MIDDLE,
    WIDTH,
    Stage,
    opened,
    plain,
    stage,
)
from tests.viewer.window_stage import make_worth
from viewer.look import Overlay
from viewer.viewport.probe_card import ProbeReport

__all__ = ["plain", "stage"]

CTRL = Qt.KeyboardModifier.ControlModifier


def middle_of(stage: Stage) -> tuple[int, int]:
    """The most solid pixel."""
    assert stage.session.document is not None
    alpha = render(stage.session.document.scene, stage.viewport.camera()).alpha
    y, x = np.unravel_index(int(alpha.argmax()), alpha.shape)
    return int(x), int(y)


def test_the_probe_tells_what_makes_the_pixel_under_the_mouse(plain: None, stage: Stage) -> None:
    session, viewport = opened(stage).session, stage.viewport
    document = session.document
    assert document is not None
    worth = make_worth(COUNT)
    document.add_scores({session.score_name: worth})
    told: list[ProbeReport | None] = []
    viewport.probed.connect(told.append)
    at = middle_of(stage)
    stage.hover((float(at[0]), float(at[1])))
    stage.qtbot.wait(200)
    assert not told
    bare = stage.show(Overlay.PROBE)
    stage.hover((float(at[0]), float(at[1])))
    stage.qtbot.waitUntil(lambda: bool(told), timeout=10_000)
    report = told[-1]
    assert report is not None
    assert (report.x, report.y) == at
    assert 1 <= len(report.top) <= 6
    weights = [entry.weight for entry in report.top]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) <= report.coverage + 1e-6
    first = report.top[0]
    assert first.score == pytest.approx(float(worth.values[first.index]))
    assert first.opacity == pytest.approx(float(document.scene.opacities()[first.index]))
    position = document.scene.means[first.index].numpy()
    depth = (position - viewport.camera().position) @ viewport.camera().forward
    assert first.distance == pytest.approx(depth, abs=1e-4)
    without = render(
        document.scene, viewport.camera(), keep=torch.arange(COUNT) != first.index
    ).rgb[at[1], at[0]]
    whole = render(document.scene, viewport.camera()).rgb[at[1], at[0]]
    assert float((without - whole).abs().max()) > 0.01
    stage.qtbot.wait(30)
    assert (np.abs(stage.on_screen() - bare).max(axis=-1) > 60).sum() > 3000
    stage.hover((3, 3))
    assert told[-1] is None
    stage.qtbot.waitUntil(lambda: told[-1] is not None, timeout=10_000)
    assert told[-1].top == ()
    viewport.leaveEvent(QEvent(QEvent.Type.Leave))
    assert told[-1] is None
    assert viewport._probe.shown is None


def test_ctrl_click_selects_what_weighs_most_and_orbiting_hides_the_card(
    plain: None, stage: Stage
) -> None:
    session, viewport = opened(stage).session, stage.viewport
    document = session.document
    assert document is not None
    x, y = (float(v) for v in middle_of(stage))
    stage.click((x, y), CTRL)
    stage.qtbot.wait(100)
    assert document.selected_count == 0
    stage.show(Overlay.PROBE)
    stage.hover((x, y))
    stage.qtbot.waitUntil(lambda: viewport._probe.shown is not None, timeout=10_000)
    assert viewport._probe.shown is not None
    top = viewport._probe.shown.top[0].index
    stage.click((x, y), CTRL)
    stage.qtbot.waitUntil(lambda: document.selected_count == 1, timeout=10_000)
    assert bool(document.selected[top])
    stage.qtbot.waitUntil(lambda: viewport._probe.shown is not None, timeout=10_000)
    stage.drag(MIDDLE, (x, y), (x + 20, y))
    assert viewport._probe.shown is None
    viewport.toggle_orthographic()
    stage.settle()
    stage.hover((WIDTH / 2, HEIGHT / 2))
    stage.qtbot.waitUntil(lambda: viewport._probe.shown is not None, timeout=10_000)
    assert viewport._probe.shown is not None
    assert all(entry.distance < 10 for entry in viewport._probe.shown.top)


def test_the_card_stays_inside_the_picture(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    viewport.resize(640, 420)
    stage.settle()
    bare = stage.show(Overlay.PROBE)
    for at in ((630.0, 410.0), (5.0, 410.0), (635.0, 5.0)):
        stage.hover(at)
        stage.qtbot.waitUntil(lambda: viewport._probe.shown is not None, timeout=10_000)
        stage.qtbot.wait(30)
        changed = np.abs(stage.on_screen() - bare).max(axis=-1) > 8
        rows, columns = np.nonzero(changed)
        assert changed.sum() > 500
        assert rows.min() >= 3
        assert columns.min() >= 3
        assert rows.max() <= 417
        assert columns.max() <= 637
