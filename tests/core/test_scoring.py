"""Named scores, the order they give, and the reduction of the Fisher block."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from core.errors import UserError
from core.jobs import drain
from core.pruning import keep_mask
from core.rendering import render
from core.scene import GaussianScene
from core.scoring import (
    DEFAULT_SCORE,
    ORDINARY,
    SCORES,
    SINGULAR,
    UNSEEN,
    Contributions,
    Worth,
    score,
    sweep,
)
from core.scoring.fisher import log_det, log_det_as_published, symmetric
from tests.core.test_scoring_sweep import make_cameras, make_scene
from tests.synthetic import orbit_camera, surface_scene

KEYS = {
    "fisher",
    "fisher-paper",
    "removal-error",
    "speedy",
    "max-weight",
    "importance",
    "mini-splatting",
    "opacity",
    "size",
    "random",
}


def worth(values: list[float], classes: list[int] | None = None, **more: Tensor) -> Worth:
    kinds = torch.tensor(classes or [ORDINARY] * len(values), dtype=torch.uint8)
    return Worth("test", torch.tensor(values, dtype=torch.float64), kinds, **more)


@pytest.fixture(scope="module")
def scene() -> GaussianScene:
    scene = make_scene(count=60, degree=2, spread=0.6)
    means = scene.means.clone()
    means[7] = torch.tensor([0.0, -80.0, 0.0])
    return replace(scene, means=means)


@pytest.fixture(scope="module")
def contributions(scene: GaussianScene) -> Contributions:
    return drain(sweep(scene, make_cameras(), color_term=True))


def test_every_score_is_there_and_says_what_it_is() -> None:
    assert set(SCORES) == KEYS
    assert DEFAULT_SCORE == "removal-error"
    for name, one in SCORES.items():
        assert one.name == name
        assert one.title
        assert one.source
        assert one.formula
        assert "\n" not in one.formula
        assert one.color_term <= (one.needs == "fisher")


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_score_gives_a_worth(
    name: str, scene: GaussianScene, contributions: Contributions
) -> None:
    one = SCORES[name]
    result = one.compute(scene, contributions)
    assert result.name == name
    assert len(result) == len(scene)
    assert torch.equal(result.order.sort().values, torch.arange(len(scene)))
    if one.needs:
        assert result.order[0] == 7
        with pytest.raises(ValueError, match="needs a sweep"):
            one.compute(scene, None)
    else:
        again = one.compute(scene, None)
        assert torch.equal(again.values, result.values)


def test_scores_follow_their_formulas(scene: GaussianScene, contributions: Contributions) -> None:
    def values(name: str) -> Tensor:
        return SCORES[name].compute(scene, contributions).values

    assert torch.equal(values("removal-error"), contributions.removal_error)
    assert torch.equal(values("speedy"), contributions.speedy)
    assert torch.equal(values("max-weight"), contributions.weight_max)
    assert torch.equal(values("mini-splatting"), contributions.top_mean_weight)
    torch.testing.assert_close(values("opacity").float(), scene.opacities())
    volume = scene.log_scales.double().exp().prod(1)
    torch.testing.assert_close(values("size").exp(), volume)
    ninetieth = volume.sort().values[int(0.9 * (len(volume) - 1))]
    expected = contributions.weight_sum * (volume / ninetieth).clamp(0, 1) ** 0.1
    torch.testing.assert_close(values("importance"), expected)
    assert values("random").unique().numel() == len(scene)
    assert torch.equal(values("random"), values("random"))


def test_fisher_is_the_log_determinant(scene: GaussianScene, contributions: Contributions) -> None:
    result = SCORES["fisher"].compute(scene, contributions)
    ordinary = result.classes == ORDINARY
    assert ordinary.sum() > 40
    assert result.classes[7] == UNSEEN
    expected = torch.linalg.slogdet(symmetric(contributions.fisher))[1]
    torch.testing.assert_close(result.values[ordinary], expected[ordinary])
    assert torch.all(result.values[~ordinary] == -torch.inf)
    published = SCORES["fisher-paper"].compute(scene, contributions)
    assert torch.isneginf(published.values[7])
    expected = torch.linalg.slogdet(symmetric(contributions.fisher_color))[1]
    torch.testing.assert_close(published.values[ordinary], expected[ordinary], rtol=0, atol=0.05)


def test_one_camera_gives_no_parallax(scene: GaussianScene) -> None:
    swept = drain(sweep(scene, make_cameras()[:1]))
    result = SCORES["fisher"].compute(scene, swept)
    seen = swept.views_seen > 0
    assert torch.all(result.classes[seen] == SINGULAR)
    assert torch.all(result.classes[~seen] == UNSEEN)
    by_error = swept.removal_error[result.order[int((~seen).sum()) :]]
    assert torch.all(by_error.diff() >= 0)


def test_little_parallax_is_singular_and_much_is_not() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((3, 6, 6))
    blocks = torch.from_numpy(root @ root.transpose(0, 2, 1))
    values, vectors = torch.linalg.eigh(blocks[1])
    values[0] = 1e-9 * values[5]
    blocks[1] = vectors @ torch.diag(values) @ vectors.T
    blocks[2] = torch.diag(torch.tensor([1e-30, 1e-20, 1.0, 1.0, 1e10, 1e20]).double())
    rows, columns = torch.triu_indices(6, 6)
    upper = blocks[:, rows, columns]
    found, classes = log_det(upper, torch.tensor([True] * 3), centers=2)
    assert classes.tolist() == [ORDINARY, SINGULAR, ORDINARY]
    expected = torch.linalg.slogdet(blocks)[1]
    torch.testing.assert_close(found[[0, 2]], expected[[0, 2]])
    scale = torch.tensor([1e-2, 1e-2, 1e-2, 1, 1, 1]).double()
    _, rescaled = log_det((blocks * scale[:, None] * scale)[:, rows, columns], classes > 0, 2)
    assert torch.equal(rescaled, classes)
    torch.testing.assert_close(log_det_as_published(upper[:1]), expected[:1], rtol=0, atol=1e-3)


def test_score_sweeps_once_and_only_if_needed(scene: GaussianScene) -> None:
    seen = []
    cameras = make_cameras()
    results = drain(score(scene, cameras, ["speedy", "fisher", "opacity"]), seen.append)
    assert list(results) == ["speedy", "fisher", "opacity"]
    assert len(seen) == len(cameras)
    alone = drain(score(scene, cameras, ["fisher"]))
    assert torch.equal(alone["fisher"].values, results["fisher"].values)
    seen.clear()
    assert list(drain(score(scene, [], ["size", "random"]), seen.append)) == ["size", "random"]
    assert not seen


def test_unknown_names_and_missing_cameras_are_the_users(scene: GaussianScene) -> None:
    with pytest.raises(UserError, match="removal-error"):
        drain(score(scene, make_cameras(), ["best"]))
    with pytest.raises(UserError, match="no cameras"):
        drain(score(scene, [], ["speedy"]))


def test_scores_of_an_empty_scene(scene: GaussianScene) -> None:
    empty = scene.select(torch.zeros(len(scene), dtype=torch.bool))
    for result in drain(score(empty, make_cameras(), SCORES)).values():
        assert len(result) == len(result.order) == 0


def test_order_is_by_class_then_precedence_then_value_then_index() -> None:
    result = worth(
        [5.0, 1.0, 9.0, 1.0, -torch.inf, 1.0],
        [ORDINARY, ORDINARY, UNSEEN, ORDINARY, SINGULAR, SINGULAR],
        precedence=torch.tensor([0, 0, 0, 0, 2, 1], dtype=torch.float64),
    )
    assert result.order.tolist() == [2, 5, 4, 1, 3, 0]
    assert result.ranks.tolist() == [5, 3, 0, 4, 2, 1]


def test_bad_values_are_refused() -> None:
    with pytest.raises(ValueError, match="1 NaN"):
        worth([1.0, torch.nan])
    with pytest.raises(ValueError, match="classes"):
        Worth("test", torch.zeros(2, dtype=torch.float64), torch.zeros(3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="float64"):
        Worth("test", torch.zeros(2), torch.zeros(2, dtype=torch.uint8))


def test_removal_error_picks_better_than_opacity_and_chance() -> None:
    scene = surface_scene(20_000, sh_degree=1)
    cameras = [orbit_camera(160, 90, index) for index in range(8)]
    worths = drain(score(scene, cameras, ["removal-error", "opacity", "random"]))
    view = orbit_camera(160, 90, 1, 16)
    whole = render(scene, view).rgb
    error = {
        name: float((render(scene, view, keep=keep_mask(one, 4_000)).rgb - whole).square().mean())
        for name, one in worths.items()
    }
    assert error["removal-error"] < 0.5 * error["opacity"]
    assert error["opacity"] < error["random"]
