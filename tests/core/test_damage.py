"""Curves of worth, and damage predicted and measured."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.jobs import Progress, drain
from core.pruning import keep_mask
from core.rendering import render
from core.scene import GaussianScene
from core.scoring import Worth, measure_psnr, predicted_psnr, score, worth_curve
from core.scoring.worth import ordinary
from tests.core.test_scoring_sweep import make_scene
from tests.synthetic import orbit_camera, surface_scene

CAMERAS = [orbit_camera(96, 64, index) for index in range(5)]
PIXELS = 5 * 96 * 64


@pytest.fixture(scope="module")
def scene() -> GaussianScene:
    return surface_scene(3000, sh_degree=1)


@pytest.fixture(scope="module")
def removal_error(scene: GaussianScene) -> Worth:
    return drain(score(scene, CAMERAS, ["removal-error"]))["removal-error"]


def psnr_of_all(scene: GaussianScene, removed: torch.Tensor, clamp: bool) -> float:
    error = 0.0
    for camera in CAMERAS:
        before, after = (render(scene, camera, keep=keep).rgb for keep in (None, ~removed))
        if clamp:
            before, after = before.clamp(0, 1), after.clamp(0, 1)
        error += float((before - after).double().square().sum())
    return -10 * math.log10(error / (3 * PIXELS)) if error else math.inf


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1e-300, 0.5, 1.0, 3.0, 1.5e308]), min_size=1, max_size=40),
    st.data(),
    st.integers(1, 50),
)
def test_a_curve_is_the_share_of_the_worthiest(
    values: list[float], data: st.DataObject, points: int
) -> None:
    n = len(values)
    alive = torch.tensor(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    one = ordinary("test", torch.tensor(values, dtype=torch.float64))
    curve = worth_curve(one, alive, points)
    living = [value for value, lives in zip(values, alive, strict=True) if lives]
    if not any(living):
        assert curve is None
        return
    assert curve is not None
    counts, shares = curve
    assert (counts[0], counts[-1]) == (0, len(living))
    assert 2 <= len(counts) <= points + 2
    assert (np.diff(counts) > 0).all()
    assert (shares[0], shares[-1]) == (0, 1)
    total = sum(value / max(living) for value in living)
    for count, share in zip(counts, shares, strict=True):
        kept = keep_mask(one, int(count), alive)
        part = sum(value / max(living) for value in one.values[kept].tolist())
        assert share == pytest.approx(part / total, abs=1e-9)


@pytest.mark.parametrize("values", [[1.0, -0.1], [1.0, math.inf], [0.0, 0.0], []])
def test_no_curve_where_shares_mean_nothing(values: list[float]) -> None:
    one = ordinary("test", torch.tensor(values, dtype=torch.float64))
    assert worth_curve(one, torch.ones(len(values), dtype=torch.bool)) is None
    dead = torch.zeros(len(values), dtype=torch.bool)
    assert worth_curve(one, dead) is None


def test_scores_know_the_pixels_they_were_swept_over(removal_error: Worth) -> None:
    assert removal_error.pixels == PIXELS
    assert drain(score(make_scene(), (), ["opacity"]))["opacity"].pixels is None


def test_the_damage_of_one_is_exact(scene: GaussianScene, removal_error: Worth) -> None:
    rising = removal_error.order
    for place in (len(scene) // 2, -300, -1):
        removed = torch.zeros(len(scene), dtype=torch.bool)
        removed[rising[place]] = True
        measured = psnr_of_all(scene, removed, clamp=False)
        assert predicted_psnr(removal_error, removed) == pytest.approx(measured, abs=0.05)


def test_the_prediction_is_what_to_hope_for_at_best(
    scene: GaussianScene, removal_error: Worth
) -> None:
    last = math.inf
    for share in (0.6, 0.4, 0.2, 0.1):
        removed = ~keep_mask(removal_error, round(share * len(scene)))
        predicted = predicted_psnr(removal_error, removed)
        assert psnr_of_all(scene, removed, clamp=True) < predicted < last
        last = predicted


def test_nothing_removed_costs_nothing(scene: GaussianScene, removal_error: Worth) -> None:
    nothing = torch.zeros(len(scene), dtype=torch.bool)
    assert predicted_psnr(removal_error, nothing) == math.inf
    assert drain(measure_psnr(scene, CAMERAS, nothing)) == math.inf
    unseen = removal_error.values == 0
    assert unseen.any()
    assert predicted_psnr(removal_error, unseen) == math.inf
    assert drain(measure_psnr(scene, CAMERAS, unseen)) == math.inf


def test_pixels_are_needed(removal_error: Worth) -> None:
    everything = torch.ones(len(removal_error), dtype=torch.bool)
    known = predicted_psnr(removal_error, everything)
    unknown = replace(removal_error, pixels=None)
    assert predicted_psnr(unknown, everything, PIXELS) == known
    with pytest.raises(ValueError, match="pixels"):
        predicted_psnr(unknown, everything)


def test_measuring_all_views_is_the_truth(scene: GaussianScene, removal_error: Worth) -> None:
    scene = replace(scene, sh=6 * scene.sh)
    removed = ~keep_mask(removal_error, 800)
    assert psnr_of_all(scene, removed, clamp=False) < psnr_of_all(scene, removed, clamp=True) - 0.01
    steps: list[Progress] = []
    measured = drain(measure_psnr(scene, CAMERAS, removed), steps.append)
    assert measured == pytest.approx(psnr_of_all(scene, removed, clamp=True), abs=1e-3)
    assert [step.done for step in steps] == [1, 2, 3, 4, 5]
    assert steps[-1].values["psnr"] == measured
    few: list[Progress] = []
    assert drain(measure_psnr(scene, CAMERAS, removed, views=2), few.append) != measured
    assert len(few) == 2
    with pytest.raises(ValueError, match="no cameras"):
        drain(measure_psnr(scene, (), removed))


def test_the_dead_do_not_count(scene: GaussianScene, removal_error: Worth) -> None:
    alive = torch.arange(len(scene)) % 3 > 0
    removed = alive & ~keep_mask(removal_error, 1000)
    left = scene.select(alive)
    expected = drain(measure_psnr(left, CAMERAS, removed[alive]))
    assert drain(measure_psnr(scene, CAMERAS, removed, alive)) == pytest.approx(expected, abs=0.01)
