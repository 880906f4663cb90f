"""The viewport draws a scene in the making, and the document again after it."""

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from core.jobs import Progress, Steps
from core.rendering import render
from core.scene import GaussianScene
from tests.blobs import blob_scene
from tests.viewer import viewport_stage
from tests.viewer.viewport_stage import LEFT, Stage, levels, opened
from tests.viewer.window_stage import NAME, make_worth
from viewer.compare import CompareMode
from viewer.jobs import JobRunner
from viewer.look import Mode, Overlay
from viewer.viewport.hud import facts_text
from viewer.viewport.tints import BACKGROUND

stage, plain = viewport_stage.stage, viewport_stage.plain
pytestmark = pytest.mark.usefixtures("plain")


def drawn(stage: Stage, scene: GaussianScene) -> np.ndarray:
    rgb = render(scene, stage.viewport.camera(), background=BACKGROUND).rgb
    return (rgb.clamp(0, 1) * 255).round().int().numpy()


def wait_for(stage: Stage, scene: GaussianScene) -> np.ndarray:
    def there() -> bool:
        frame = stage.viewport.frame
        return frame is not None and frame.request.scene is scene and stage.viewport.settled

    stage.qtbot.waitUntil(there, timeout=20_000)
    return levels(stage.viewport.screenshot())


def test_the_scene_in_the_making_is_drawn_and_then_the_document_again(stage: Stage) -> None:
    opened(stage)
    session = stage.session
    before = levels(stage.viewport.screenshot())
    for seed, count in ((3, 900), (4, 400)):
        scene = blob_scene(count, seed=seed)
        session.show_live(scene)
        seen = wait_for(stage, scene)
        assert np.abs(seen - drawn(stage, scene)).max() <= 1
        assert facts_text(stage.viewport.frame, count).startswith(f"{count:,} Gaussians")
        assert np.abs(seen - before).max() > 100
    camera = stage.viewport.camera()
    stage.drag(LEFT, (100, 100), (180, 130))
    assert not stage.viewport.camera().same_as(camera)
    seen = wait_for(stage, scene)
    assert np.abs(seen - drawn(stage, scene)).max() <= 1, "it orbits like any scene"
    session.show_live(None)
    stage.settle()
    assert (
        np.abs(levels(stage.viewport.screenshot()) - drawn(stage, session.document.scene)).max()
        <= 1
    )


def test_modes_that_need_scores_fall_back_to_the_scenes_own_colours(stage: Stage) -> None:
    opened(stage)
    session = stage.session
    session.document.add_scores({NAME: make_worth()})
    session.set_mode(Mode.HEATMAP)
    session.set_target(300)
    stage.settle()
    heat = levels(stage.viewport.screenshot())
    scene = blob_scene(400, seed=3)
    session.show_live(scene)
    seen = wait_for(stage, scene)
    assert np.abs(seen - drawn(stage, scene)).max() <= 1
    assert stage.viewport.frame.picture.legend is None
    session.set_mode(Mode.OPACITY)
    wait_for(stage, scene)
    assert stage.viewport.frame.picture.legend is not None, "opacities need no scores"
    session.set_mode(Mode.HEATMAP)
    session.show_live(None)
    stage.settle()
    np.testing.assert_array_equal(levels(stage.viewport.screenshot()), heat)


def test_what_was_compares_with_what_is_in_the_making(stage: Stage) -> None:
    opened(stage)
    session = stage.session
    before = drawn(stage, session.document.scene)
    scene = blob_scene(400, seed=3)
    session.compare.set_mode(CompareMode.WIPE)
    session.show_live(scene)
    seen = wait_for(stage, scene)
    half = seen.shape[1] // 2 - 2
    assert np.abs(seen[:, :half] - before[:, :half]).max() <= 1
    assert np.abs(seen[:, -half:] - drawn(stage, scene)[:, -half:]).max() <= 1


def test_a_probe_tells_nothing_of_a_scene_in_the_making(stage: Stage) -> None:
    opened(stage)
    stage.session.set_look(overlays=frozenset({Overlay.PROBE}), overlays_shown=True)
    probe = stage.viewport._probe
    stage.hover((180, 130))
    stage.qtbot.waitUntil(lambda: probe.shown is not None, timeout=20_000)
    stage.session.show_live(blob_scene(400, seed=3))
    assert probe.shown is None
    assert not probe.on
    stage.session.show_live(None)
    assert probe.on


def test_a_stopped_job_hands_over_what_it_had_and_records_hold_no_results(qtbot: QtBot) -> None:
    runner = JobRunner()
    made, done = [], []

    def steps() -> Steps[int]:
        for number in range(1, 10_000):
            torch.ones(1000).sum()
            yield Progress(
                number, 10_000, values={"loss": 1.0}, partial=number if number % 2 else None
            )
        return 0

    runner.start("count", steps(), done.append, stopped=made.append)
    qtbot.waitUntil(lambda: runner.job.partial is not None)
    runner.cancel()
    qtbot.waitUntil(lambda: bool(made))
    assert made[0] % 2 == 1
    assert not done
    assert runner.job.partial is None
    assert runner.job.progress.partial is None
    assert runner.records[0].progress.partial is None

    def failing() -> Steps[int]:
        yield Progress(1, 2, partial=7)
        raise ValueError("broken")

    errors = []
    runner.failed.connect(errors.append)
    runner.start("fail", failing(), done.append, stopped=made.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert made[1] == 7
    assert not done
