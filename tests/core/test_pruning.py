"""Exact counts, whatever the values."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.formats import save_scene
from core.pruning import keep_count, keep_mask, prune
from core.scoring import Worth
from tests.blobs import blob_scene

VALUES = st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 0.5, 2.0, math.inf])


def worth(values: list[float], classes: list[int] | None = None) -> Worth:
    kinds = torch.tensor(classes or [2] * len(values), dtype=torch.uint8)
    return Worth("test", torch.tensor(values, dtype=torch.float64), kinds)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Worth, torch.Tensor | None, int]:
    n = draw(st.integers(0, 30))

    def many(of: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(of, min_size=n, max_size=n))

    one = worth(many(VALUES), many(st.sampled_from([0, 1, 2])))
    alive = torch.tensor(many(st.booleans()), dtype=torch.bool) if draw(st.booleans()) else None
    most = n if alive is None else int(alive.sum())
    return one, alive, draw(st.integers(0, most))


@settings(deadline=None)
@given(cases())
def test_exactly_the_worthiest_stay(case: tuple[Worth, torch.Tensor | None, int]) -> None:
    one, alive, count = case
    mask = keep_mask(one, count, alive)
    assert mask.dtype == torch.bool
    assert int(mask.sum()) == count
    among = torch.ones(len(one), dtype=torch.bool) if alive is None else alive
    assert not (mask & ~among).any()
    keys = [
        (int(c), float(v), i) for i, (c, v) in enumerate(zip(one.classes, one.values, strict=True))
    ]
    kept = [keys[i] for i in torch.nonzero(mask).flatten()]
    cut = [keys[i] for i in torch.nonzero(among & ~mask).flatten()]
    if kept and cut:
        assert max(cut) < min(kept)
    assert torch.equal(mask, keep_mask(one, count, alive))


@settings(deadline=None)
@given(cases(), st.integers(0, 30))
def test_fewer_are_part_of_more(case: tuple[Worth, torch.Tensor | None, int], fewer: int) -> None:
    one, alive, count = case
    small = keep_mask(one, min(fewer, count), alive)
    assert not (small & ~keep_mask(one, count, alive)).any()


def test_all_equal_and_all_minus_infinity() -> None:
    for value in (0.0, -math.inf):
        assert keep_mask(worth([value] * 5), 2).tolist() == [False, False, False, True, True]


def test_impossible_masks() -> None:
    with pytest.raises(UserError, match="Cannot keep 3 of 2"):
        keep_mask(worth([1.0, 2.0]), 3)
    with pytest.raises(UserError, match="of 1"):
        keep_mask(worth([1.0, 2.0]), 2, torch.tensor([True, False]))
    with pytest.raises(ValueError, match="negative"):
        keep_mask(worth([1.0]), -1)
    with pytest.raises(ValueError, match="alive"):
        keep_mask(worth([1.0]), 1, torch.tensor([True, True]))
    with pytest.raises(ValueError, match="NaN"):
        worth([math.nan])


@settings(deadline=None)
@given(st.integers(1, 5000), st.floats(1e-6, 1))
def test_a_fraction_is_a_rounded_count(n: int, fraction: float) -> None:
    scene = blob_scene(1).select(torch.zeros(n, dtype=torch.int64))
    count = keep_count(scene, fraction=fraction)
    assert 1 <= count <= n
    assert count == max(1, round(fraction * n))


def test_counts_from_each_target() -> None:
    scene = blob_scene(1000, sh_degree=3)
    assert keep_count(scene, fraction=1) == 1000
    assert keep_count(scene, count=10) == 10
    assert keep_count(scene, megabytes=math.inf) == 1000


@pytest.mark.parametrize("degree", [0, 3])
def test_a_size_is_met_by_the_whole_file_and_nearly_used_up(degree: int, tmp_path: Path) -> None:
    scene = blob_scene(1000, sh_degree=degree)
    scene = scene.with_columns({"a_rather_long_name": torch.zeros(1000)})
    kept = keep_count(scene, megabytes=0.05)
    path = tmp_path / "kept.ply"
    save_scene(scene.select(torch.arange(kept)), path)
    assert 50_000 - 1000 < path.stat().st_size <= 50_000


@pytest.mark.parametrize(
    "target",
    [
        {"fraction": 0},
        {"fraction": 1.01},
        {"fraction": math.nan},
        {"count": 0},
        {"count": 51},
        {"megabytes": 1e-6},
        {"megabytes": -1},
        {"megabytes": math.nan},
    ],
)
def test_impossible_targets_say_what_to_give(target: dict[str, float]) -> None:
    with pytest.raises(UserError) as caught:
        keep_count(blob_scene(50), **target)
    assert caught.value.hint


def test_exactly_one_target() -> None:
    for targets in ({}, {"fraction": 0.5, "count": 3}):
        with pytest.raises(ValueError, match="exactly one"):
            keep_count(blob_scene(50), **targets)
    with pytest.raises(UserError, match="empty"):
        keep_count(blob_scene(0), fraction=0.5)


def test_prune_keeps_the_worthiest_in_their_order() -> None:
    scene = blob_scene(6).with_columns({"tag": torch.arange(6)})
    left = prune(scene, worth([3.0, 1.0, 5.0, 0.0, 4.0, 2.0]), 3)
    assert left.columns["tag"].tolist() == [0, 2, 4]
    assert len(scene) == 6
    with pytest.raises(ValueError, match="for a scene of"):
        prune(scene, worth([1.0]), 1)
