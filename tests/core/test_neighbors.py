"""Nearest neighbours against brute force, and selections that grow and shrink."""

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import core.neighbors as neighbors
from core.neighbors import grow, nearest, neighbor_distance, shrink

COORDINATES = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, 1e-30, 1e30, math.nan, math.inf])
CLOUDS = st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES), max_size=25)


def tensor(points: list[tuple[float, ...]]) -> torch.Tensor:
    return torch.tensor(points, dtype=torch.float32).reshape(-1, 3)


def brute_force(means: torch.Tensor, k: int) -> np.ndarray:
    """Distances to the k nearest others ``(N, k)``, infinite where there are none."""
    points = means.double().numpy()
    result = np.full((len(points), k), np.inf)
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    for i in finite:
        others = points[finite[finite != i]]
        apart = np.sort(np.sqrt(((others - points[i]) ** 2).sum(axis=1)))[:k]
        result[i, : len(apart)] = apart
    return result


@settings(deadline=None)
@given(CLOUDS, st.integers(1, 9))
def test_nearest_agrees_with_brute_force(points: list[tuple[float, ...]], k: int) -> None:
    means = tensor(points)
    distances, indices = nearest(means, k)
    assert distances.shape == indices.shape == (len(points), k)
    np.testing.assert_allclose(distances, brute_force(means, k), rtol=1e-12)
    assert indices.dtype == np.int64
    places = means.double().numpy()
    for i in range(len(points)):
        there = indices[i] >= 0
        np.testing.assert_array_equal(there, np.isfinite(distances[i]))
        some = indices[i][there]
        assert i not in some
        assert len(set(some.tolist())) == len(some)
        apart = np.sqrt(((places[some] - places[i]) ** 2).sum(axis=1))
        np.testing.assert_allclose(apart, distances[i][there], rtol=1e-12)
    mean = neighbor_distance(means, k)
    for i, row in enumerate(distances):
        there = row[np.isfinite(row)]
        if len(there):
            assert mean[i] == pytest.approx(there.mean(), rel=1e-12)
        else:
            assert math.isnan(mean[i])


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    means = torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
    whole = nearest(means, 4)
    monkeypatch.setattr(neighbors, "CHUNK", 37)
    for a, b in zip(whole, nearest(means.numpy(), 4), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(whole[0], brute_force(means, 4), rtol=1e-12)


def test_many_coinciding_centres_are_no_trap() -> None:
    means = torch.ones(200_000, 3)
    means[100_000:, 0] = 3
    started = time.monotonic()
    distances, indices = nearest(means, 8)
    assert time.monotonic() - started < 20
    assert not distances.any()
    assert ((indices < 100_000) == (np.arange(200_000) < 100_000)[:, None]).all()
    everything = torch.ones(200_000, dtype=torch.bool)
    first = everything.clone()
    first[1:] = False
    grown = grow(first, means, everything)
    assert grown[:100_000].all()
    assert not grown[100_000:].any()
    assert time.monotonic() - started < 30


def test_at_least_one_neighbour() -> None:
    with pytest.raises(ValueError, match="at least one"):
        nearest(torch.zeros(3, 3), 0)


def line(count: int) -> torch.Tensor:
    means = torch.zeros(count, 3)
    means[:, 0] = torch.arange(count)
    return means


def chosen(count: int, *indices: int) -> torch.Tensor:
    mask = torch.zeros(count, dtype=torch.bool)
    mask[list(indices)] = True
    return mask


def test_grow_reaches_as_far_as_neighbours_typically_are() -> None:
    # In the middle of a line the 8 nearest are 1, 1, 2, 2, 3, 3, 4, 4 away: 2.5 on average.
    everything = torch.ones(21, dtype=torch.bool)
    middle = chosen(21, 10)
    assert torch.nonzero(grow(middle, line(21), everything)).flatten().tolist() == [
        8,
        9,
        10,
        11,
        12,
    ]
    assert int(grow(middle, line(21), everything, 2.0).sum()) == 11
    assert torch.equal(grow(middle, line(21), everything, 0.1), middle)


def test_shrink_takes_the_edge_away() -> None:
    everything = torch.ones(40, dtype=torch.bool)
    block = chosen(40, *range(10, 30))
    left = torch.nonzero(shrink(block, line(40), everything)).flatten()
    assert left.tolist() == list(range(12, 28))
    assert torch.equal(shrink(everything, line(40), everything), everything)


def test_the_selected_tell_what_is_typical() -> None:
    """A dense block in sparse surroundings has its own scale, in both directions."""
    means = line(60)
    means[:30] *= 0.1
    block = chosen(60, *range(20, 30))
    assert torch.equal(
        shrink(block, means, torch.ones(60, dtype=torch.bool)), chosen(60, *range(22, 30))
    )


def test_only_visible_ones_count() -> None:
    visible = torch.ones(21, dtype=torch.bool)
    visible[11:] = False
    grown = grow(chosen(21, 10), line(21), visible)
    assert not grown[11:].any()
    assert grown[9]
    block = chosen(21, *range(5, 11))
    assert shrink(block, line(21), visible)[10]
    assert not shrink(block, line(21), visible)[5]


@settings(deadline=None, max_examples=60)
@given(CLOUDS, st.data(), st.floats(0, 5))
def test_hostile_selections(
    points: list[tuple[float, ...]], data: st.DataObject, factor: float
) -> None:
    n = len(points)
    masks = st.lists(st.booleans(), min_size=n, max_size=n)
    visible = torch.tensor(data.draw(masks), dtype=torch.bool)
    mask = torch.tensor(data.draw(masks), dtype=torch.bool) & visible
    before = mask.clone()
    grown, shrunk = (
        grow(mask, tensor(points), visible, factor),
        shrink(mask, tensor(points), visible, factor),
    )
    assert torch.equal(mask, before)
    assert not (mask & ~grown).any()
    assert not (grown & ~visible).any()
    assert not (shrunk & ~mask).any()
    finite = tensor(points).isfinite().all(dim=1)
    assert not ((grown ^ mask) & ~finite).any()
    assert not ((shrunk ^ mask) & ~finite).any()
