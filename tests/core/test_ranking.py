"""The ranking of the living Gaussians: counts, thresholds, ties, bins."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.scoring import Worth
from core.scoring.ranking import BINS, Ranking
from tests.viewer.window_stage import COUNT, NAME, make_worth

classes = st.lists(st.integers(0, 2), min_size=1, max_size=40)
levels = st.lists(st.integers(-3, 3), min_size=40, max_size=40)


@given(classes, levels, st.data())
def test_ranking_agrees_with_the_order_of_pruning(kinds, values, data) -> None:
    worth = Worth(
        NAME,
        torch.tensor(values[: len(kinds)], dtype=torch.float64),
        torch.tensor(kinds, dtype=torch.uint8),
    )
    alive = torch.tensor(
        data.draw(st.lists(st.booleans(), min_size=len(kinds), max_size=len(kinds)))
    )
    ranking = Ranking.of(worth, alive)
    total = int(alive.sum())
    assert ranking.total == total
    if not total:
        return
    count = data.draw(st.integers(1, total))
    order = worth.order[alive[worth.order]]
    last_kept = int(order[total - count])
    if worth.classes[last_kept] == 2:
        threshold = float(worth.values[last_kept])
        assert ranking.threshold(count) == threshold
        ordinary = alive & (worth.classes == 2)
        assert ranking.count_from(threshold) == int((ordinary & (worth.values >= threshold)).sum())
        same, going = ranking.ties(count)
        tied = ordinary & (worth.values == threshold)
        assert same == int(tied.sum())
        assert going == int(tied[order[: total - count]].sum())
    else:
        assert ranking.threshold(count) is None
        assert ranking.ties(count) == (0, 0)


@pytest.mark.parametrize("log", [False, True])
def test_histogram_counts_every_finite_value_once(log) -> None:
    values = make_worth().values.sort().values.numpy()
    ranking = Ranking(0, 0, np.concatenate([[-np.inf], values, [np.inf]]))
    edges, counts = ranking.histogram(log)
    assert len(counts) == BINS
    assert counts.sum() == COUNT
    assert counts[0] == np.count_nonzero(values < edges[1])
    assert np.count_nonzero(values < edges[0]) <= 0.002 * COUNT
    assert edges[-1] == values[-1]
    assert np.all(np.diff(edges) > 0)


def test_histogram_of_equal_values_is_whole() -> None:
    _, counts = Ranking(0, 0, np.full(7, 3.0)).histogram(False)
    assert counts.sum() == 7


def test_quantiles_are_interpolated() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=101))
    ranking = Ranking(3, 2, values)
    for share in (0, 0.333, 0.5, 0.95, 1):
        assert ranking.quantile(share) == pytest.approx(np.quantile(values, share))
