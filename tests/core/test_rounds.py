"""Prune-refine rounds: exact counts, measured stages, rounds taken back, resumed runs."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import UserError
from core.jobs import Progress, drain
from core.metrics import SceneReferences
from core.pruning import Round, Schedule, schedule_of
from core.pruning.rounds import RoundsResult, checkpoint_files, run_rounds
from core.scene import GaussianScene
from core.training import RefineSettings, SelfTargets
from tests.synthetic import orbit_camera, surface_scene

COUNT = 1500
TRAINING = tuple(orbit_camera(72, 48, index, 8) for index in range(0, 8, 2))
HELD_OUT = tuple(orbit_camera(72, 48, index, 8) for index in (1, 5))


@pytest.fixture(scope="module")
def scene() -> GaussianScene:
    return surface_scene(COUNT, sh_degree=1)


def run(
    scene: GaussianScene,
    schedule: Schedule,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> RoundsResult:
    targets, references = SelfTargets(scene, TRAINING), SceneReferences(scene, HELD_OUT)
    return drain(run_rounds(scene, targets, schedule, references, **options), on_progress)


def same(a: GaussianScene, b: GaussianScene) -> bool:
    pairs = zip(a.tensors().values(), b.tensors().values(), strict=True)
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in pairs)


def test_two_rounds_are_measured_stage_by_stage(scene: GaussianScene) -> None:
    result = run(scene, schedule_of((0.9, 0.5), 25))
    assert [stage.name for stage in result.stages] == [
        "start",
        "cut 1",
        "refined 1",
        "cut 2",
        "refined 2",
    ]
    assert [stage.round for stage in result.stages] == [0, 1, 1, 2, 2]
    assert [stage.evaluation.count for stage in result.stages] == [COUNT, 150, 150, 75, 75]
    assert len(result.scene) == 75
    assert result.scene.sh_degree == scene.sh_degree
    start, *others = (stage.evaluation.psnr for stage in result.stages)
    assert math.isinf(start)
    assert others[1] > others[0] + 0.3
    assert others[3] > others[2] + 0.3
    assert all(stage.seconds > 0 for stage in result.stages[1:])
    assert result.stages[-1].as_dict()["mb"] == pytest.approx(75 * scene.ply_bytes_each / 1e6)


def test_progress_counts_up_and_brings_usable_results(scene: GaussianScene) -> None:
    reports: list[Progress] = []
    result = run(scene, schedule_of((0.5,), 5), reports.append)
    done = [progress.done for progress in reports]
    assert done == sorted(done)
    assert len({progress.total for progress in reports}) == 1
    assert done[-1] == reports[-1].total
    assert [p.values["count"] for p in reports if "loss" in p.values] == [COUNT // 2] * 5
    partial = [p.partial for p in reports if p.partial is not None]
    stages = {len(entry.stages): entry for entry in partial}
    assert set(stages) >= {1, 2, 3}
    assert len(stages[1].scene) == COUNT
    assert same(stages[3].scene, result.scene)


def test_scores_without_views_need_no_sweep(scene: GaussianScene) -> None:
    reports: list[Progress] = []
    run(scene, Schedule((Round(0.5, 0),), score="opacity"), reports.append)
    assert not any("scoring" in progress.message for progress in reports)
    run(scene, Schedule((Round(0.5, 0),), score="speedy"), reports.append)
    assert sum("scoring" in progress.message for progress in reports) == len(TRAINING)


def test_a_round_below_the_least_psnr_is_taken_back_and_gentler_ones_go_on(
    scene: GaussianScene,
) -> None:
    harsh, gentle = (run(scene, schedule_of((cut,), 0)) for cut in (0.9, 0.02))
    between = (harsh.stages[-1].evaluation.psnr + gentle.stages[-1].evaluation.psnr) / 2
    schedule = replace(schedule_of((0.9, 0.95, 0.02), 0), min_psnr_db=between)
    result = run(scene, schedule)
    assert [(stage.name, stage.taken_back) for stage in result.stages] == [
        ("start", False),
        ("cut 1", True),
        ("cut 3", False),
    ]
    assert same(result.scene, gentle.scene)


def test_a_run_that_is_taken_back_altogether_leaves_the_scene(scene: GaussianScene) -> None:
    result = run(scene, replace(schedule_of((0.5,), 0), min_psnr_db=200.0))
    assert result.scene is scene


def test_a_loss_in_db_needs_something_to_lose_against(scene: GaussianScene) -> None:
    with pytest.raises(UserError, match="against itself"):
        run(scene, replace(schedule_of((0.5,), 0), max_loss_db=0.5))


def test_a_largest_loss_counts_from_the_start(scene: GaussianScene) -> None:
    pruned = run(scene, schedule_of((0.3,), 0)).scene
    targets, references = SelfTargets(scene, TRAINING), SceneReferences(scene, HELD_OUT)

    def lose(decibels: float) -> RoundsResult:
        schedule = replace(schedule_of((0.5,), 0), max_loss_db=decibels)
        return drain(run_rounds(pruned, targets, schedule, references))

    loss = [stage.evaluation.psnr for stage in lose(100.0).stages]
    assert loss[1] < loss[0]
    assert lose(loss[0] - loss[1] + 0.01).stages[-1].taken_back is False
    assert lose(loss[0] - loss[1] - 0.01).stages[-1].taken_back is True


def test_refining_alone_keeps_every_gaussian(scene: GaussianScene) -> None:
    pruned = run(scene, schedule_of((0.9,), 0)).scene
    targets, references = SelfTargets(scene, TRAINING), SceneReferences(scene, HELD_OUT)
    result = drain(run_rounds(pruned, targets, schedule_of((0.0,), 20), references))
    assert [stage.name for stage in result.stages] == ["start", "refined 1"]
    assert len(result.scene) == len(pruned)
    assert result.stages[1].evaluation.psnr > result.stages[0].evaluation.psnr


def test_an_interrupted_run_ends_as_one_that_was_not(scene: GaussianScene, tmp_path: Path) -> None:
    schedule, file = schedule_of((0.6, 0.5), 8), tmp_path / "state"
    whole = run(scene, schedule)
    targets, references = SelfTargets(scene, TRAINING), SceneReferences(scene, HELD_OUT)
    steps = run_rounds(scene, targets, schedule, references, checkpoint=file)
    for progress in steps:
        if "round 2 of 2, step" in progress.message and progress.values["loss"]:
            steps.close()
    assert [part.exists() for part in checkpoint_files(file, schedule)] == [True, True]
    reports: list[Progress] = []
    resumed = run(scene, schedule, reports.append, checkpoint=file)
    refined = [p.message for p in reports if "step" in p.message]
    assert len(refined) == 7
    assert same(resumed.scene, whole.scene)


def test_sparsifying_makes_what_goes_next_fainter(scene: GaussianScene) -> None:
    def faint(sparsify: bool) -> float:
        """Mean opacity of those that the second cut takes, right before it."""
        before: dict[int, GaussianScene] = {}

        def note(progress: Progress) -> None:
            if progress.partial is not None:
                before[len(progress.partial.stages)] = progress.partial.scene

        schedule = replace(schedule_of((0.8, 0.5), 20), sparsify=sparsify, score="opacity")
        run(scene, schedule, note)
        opacities = before[3].opacities().sort().values
        return float(opacities[: len(opacities) // 2].mean())

    assert faint(True) < faint(False)


def test_the_seed_decides_what_is_seen_when(scene: GaussianScene) -> None:
    schedule = schedule_of((0.5,), 4)
    first, second, other = (
        run(scene, schedule, settings=RefineSettings(seed=seed)).scene for seed in (0, 0, 1)
    )
    assert same(first, second)
    assert not same(first, other)
