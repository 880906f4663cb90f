"""What a cut takes: score, filters and presets, by and or or; filters in words."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.editing import Document
from core.errors import UserError
from core.pruning import (
    PRESETS,
    Cut,
    Filter,
    Join,
    Relation,
    choice,
    cut_mask,
    filter_text,
    keep_mask,
    parse_filter,
    shortfall_text,
)
from core.scene import GaussianScene
from core.scoring.worth import Worth, ordinary
from tests.blobs import blob_scene

VALUES = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 0.5, 2.0])
NAMES = ("a", "b")


def worth(values: list[float]) -> Worth:
    return ordinary("test", torch.tensor(values, dtype=torch.float64))


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Cut, Worth, torch.Tensor, dict[str, NDArray[np.float64]]]:
    n = draw(st.integers(0, 12))
    alive = torch.tensor(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=torch.bool)
    columns = {
        name: np.array(draw(st.lists(VALUES, min_size=n, max_size=n)), np.float64) for name in NAMES
    }
    filters = st.builds(Filter, st.sampled_from(NAMES), st.sampled_from(Relation), VALUES)
    target = draw(st.none() | st.integers(0, int(alive.sum())))
    cut = Cut(target, tuple(draw(st.lists(filters, max_size=3))), draw(st.sampled_from(Join)))
    return cut, worth(draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))), alive, columns


@settings(deadline=None)
@given(cuts())
def test_a_cut_leaves_its_target_as_near_as_its_filters_let_it(
    case: tuple[Cut, Worth, torch.Tensor, dict[str, NDArray[np.float64]]],
) -> None:
    cut, one, alive, columns = case
    taken = cut_mask(cut, one, alive, columns.__getitem__)
    assert taken.dtype == torch.bool
    assert not (taken & ~alive).any()
    filtered = torch.zeros_like(alive)
    for i in range(len(alive)):
        parts = []
        for entry in cut.filters:
            value = columns[entry.name][i]
            above = entry.relation == Relation.ABOVE
            parts.append(value > entry.value if above else value < entry.value)
        whole = all(parts) if cut.join == Join.AND else any(parts)
        filtered[i] = bool(alive[i]) and bool(parts) and bool(whole)
    if cut.target is None:
        assert torch.equal(taken, filtered)
        return
    total, stays = int(alive.sum()), int((alive & ~taken).sum())
    limits = cut.join == Join.AND and bool(cut.filters)
    among = filtered if limits else alive & ~filtered
    if limits:
        assert stays == max(cut.target, total - int(filtered.sum()))
        assert not (taken & ~filtered).any()
    else:
        assert stays == min(cut.target, total - int(filtered.sum()))
        assert not (filtered & ~taken).any()
    by_score = taken & among
    kept = keep_mask(one, int((among & ~taken).sum()), among)
    assert torch.equal(by_score, among & ~kept)
    left = choice(cut.filters, cut.join, alive, columns.__getitem__)
    assert torch.equal(left.among, among)
    assert left.others + left.kept(cut.target) == stays
    assert (shortfall_text(cut, left) == "") == (stays == cut.target)


def test_a_shortfall_is_told_in_words() -> None:
    column = np.arange(10.0)
    alive = torch.ones(10, dtype=torch.bool)
    filters = (Filter("a", Relation.BELOW, 4.0),)

    def told(target: int, join: Join) -> str:
        left = choice(filters, join, alive, lambda _: column)
        return shortfall_text(Cut(target, filters, join), left)

    assert told(6, Join.OR) == told(2, Join.OR) == told(6, Join.AND) == told(9, Join.AND) == ""
    assert told(7, Join.OR) == "The filters alone leave only 6."
    assert told(5, Join.AND) == "The filters allow no more: 6 stay."


def test_filters_are_strict_and_pass_over_nan() -> None:
    column = np.array([math.nan, 1.0, 2.0, 3.0, math.inf, -math.inf])
    alive = torch.ones(6, dtype=torch.bool)

    def taken(relation: Relation, value: float) -> list[int]:
        mask = cut_mask(Cut(None, (Filter("a", relation, value),)), None, alive, lambda _: column)
        return torch.nonzero(mask).flatten().tolist()

    assert taken(Relation.BELOW, 2) == [1, 5]
    assert taken(Relation.ABOVE, 2) == [3, 4]
    assert taken(Relation.ABOVE, math.inf) == []
    assert taken(Relation.BELOW, -math.inf) == []
    assert taken(Relation.BELOW, math.nan) == []


def test_a_target_without_its_score_is_left_aside() -> None:
    alive = torch.ones(3, dtype=torch.bool)
    assert not cut_mask(Cut(1), None, alive, lambda _: np.zeros(3)).any()
    assert Cut().empty
    assert Cut(join=Join.AND).empty
    assert not Cut(3).empty


def sized(sizes: list[float]) -> GaussianScene:
    """A row of balls of given sizes, one unit apart."""
    n = len(sizes)
    means = torch.zeros(n, 3)
    means[:, 0] = torch.arange(n)
    return GaussianScene(
        means=means,
        log_scales=torch.tensor(sizes).log()[:, None].expand(n, 3).contiguous(),
        quats=torch.tensor([[1.0, 0, 0, 0]]).expand(n, 4).contiguous(),
        opacity_logits=torch.linspace(-6, 6, n),
        sh=torch.zeros(n, 1, 3),
    )


def taken_by(preset: str, document: Document, score: str = "test") -> list[int]:
    filters = PRESETS[preset].make(document.values, document.alive, score)
    mask = cut_mask(Cut(None, filters), None, document.alive, document.values)
    return torch.nonzero(mask).flatten().tolist()


def test_giants_are_over_ten_times_the_median() -> None:
    document = Document(sized([0.1] * 20 + [0.9, 1.1, 50.0]))
    assert taken_by("giant", document) == [21, 22]
    (entry,) = PRESETS["giant"].make(document.values, document.alive, "test")
    assert 1 <= entry.value <= 1.01
    document.delete(torch.arange(23) == 22)
    assert taken_by("giant", document) == [21]


def test_the_isolated_stand_ten_times_as_far_off_as_is_typical() -> None:
    scene = blob_scene(500)
    means = scene.means.clone()
    means[123] = torch.tensor([40.0, 0.0, 0.0])
    scene = GaussianScene(means, scene.log_scales, scene.quats, scene.opacity_logits, scene.sh)
    assert taken_by("isolated", Document(scene)) == [123]


def test_transparent_ones_are_below_a_twentieth() -> None:
    document = Document(blob_scene(400))
    opacities = document.values("opacity")
    assert taken_by("transparent", document) == np.flatnonzero(opacities < 0.05).tolist()
    assert taken_by("transparent", document)


def test_low_worth_takes_the_least_fifth() -> None:
    document = Document(blob_scene(50))
    values = np.random.default_rng(0).permutation(50).astype(np.float64)
    document.add_scores({"test": ordinary("test", torch.from_numpy(values))})
    assert taken_by("low-worth", document) == np.flatnonzero(values < 10).tolist()
    document.delete(torch.from_numpy(values < 20))
    assert (
        taken_by("low-worth", document) == np.flatnonzero((values < 26) & (values >= 20)).tolist()
    )


@pytest.mark.parametrize("lowest", [0.0, -math.inf])
def test_low_worth_takes_all_that_are_worth_nothing(lowest: float) -> None:
    document = Document(blob_scene(10))
    values = torch.tensor([lowest] * 6 + [1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    document.add_scores({"test": ordinary("test", values)})
    assert taken_by("low-worth", document) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_of_equal_gaussians_take_nothing(name: str) -> None:
    document = Document(sized([0.0523187] * 30))
    document.add_scores({"test": ordinary("test", torch.full((30,), 0.3))})
    preset = PRESETS[name]
    assert preset.needs_score == (name == "low-worth")
    first = preset.make(document.values, document.alive, "test")
    assert first == preset.make(document.values, document.alive, "test")
    if name != "transparent":
        assert taken_by(name, document) == []
        nobody = torch.zeros(30, dtype=torch.bool)
        assert preset.make(document.values, nobody, "test") == ()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(PRESETS)),
    st.lists(VALUES | st.sampled_from([5e-324, 1e308, 1e-310]), max_size=12),
    st.data(),
)
def test_presets_bear_any_values(name: str, values: list[float], data: st.DataObject) -> None:
    n = len(values)
    alive = torch.tensor(
        data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=torch.bool
    )
    column = np.array(values, np.float64)
    if name == "low-worth":
        column = np.nan_to_num(column)
    filters = PRESETS[name].make(lambda _: column, alive, "test")
    assert all(math.isfinite(entry.value) for entry in filters)
    if name != "transparent":
        taken = cut_mask(Cut(None, filters), None, alive, lambda _: column)
        assert not alive.any() or not torch.equal(taken, alive)


@given(
    st.sampled_from(["opacity", "removal-error", "my column", "file.x", "a<b"]),
    st.sampled_from(Relation),
    st.floats(allow_nan=False),
)
def test_filters_in_words_read_back(name: str, relation: Relation, value: float) -> None:
    entry = Filter(name, relation, value)
    assert parse_filter(filter_text(entry)) == entry


def test_filters_as_people_write_them() -> None:
    assert parse_filter("opacity<0.05") == Filter("opacity", Relation.BELOW, 0.05)
    assert parse_filter(" largest >  1e-2 ") == Filter("largest", Relation.ABOVE, 0.01)
    for text in ("", "opacity", "opacity<", "<1", "opacity<=1", "opacity=1", "a<nan", "a<1<"):
        with pytest.raises(UserError, match="is not a filter") as caught:
            parse_filter(text)
        assert "opacity<0.05" in caught.value.hint
