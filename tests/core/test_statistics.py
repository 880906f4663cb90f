"""Distributions and rank correlation against NumPy's and SciPy's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.statistics import BINS, Distribution, rank_correlation

numbers = st.lists(st.integers(-5, 5), min_size=2, max_size=60)


def some(count: int = 1501, seed: int = 0) -> np.ndarray:
    """Log-normal numbers over six decades, with a few that cannot be counted."""
    values = np.exp(3 * np.random.default_rng(seed).normal(size=count))
    values[:4] = np.nan, np.inf, -np.inf, np.nan
    return values


def test_only_finite_chosen_values_count() -> None:
    values, chosen = some(), np.arange(1501) < 1000
    found = Distribution.of(values, chosen)
    assert len(found) == 996
    assert found.left_out == 4
    assert np.array_equal(found.values, np.sort(values[4:1000]))


def test_statistics_are_exact() -> None:
    values = some()
    found, finite = Distribution.of(values, np.ones(1501, np.bool_)), values[4:]
    assert found.mean == pytest.approx(finite.mean())
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    for share in (0, 0.333, 0.5, 0.95, 1):
        assert found.quantile(share) == pytest.approx(np.quantile(finite, share))
    low, high = np.quantile(finite, (0.2, 0.7))
    assert found.count_within(low, high) == np.count_nonzero((finite >= low) & (finite <= high))
    assert found.count_within(high, low) == 0


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("shift", [0.0, -1.0])
def test_every_value_is_in_one_bin(log: bool, shift: float) -> None:
    found = Distribution(np.sort(some()[4:]) + shift)
    edges = found.edges(log)
    counts = found.counts(edges, log)
    assert len(counts) == BINS
    assert np.all(np.diff(edges) > 0)
    shown = found.values[found.values > 0] if log else found.values
    assert counts.sum() == len(shown)
    inner = np.histogram(shown, edges)[0]
    assert np.array_equal(counts[1:-1], inner[1:-1])
    assert np.count_nonzero(shown < edges[0]) <= 0.002 * len(found)
    assert edges[-1] == found.maximum


def test_parts_are_counted_in_the_bins_of_all() -> None:
    values = some()
    part = np.arange(1501) % 3 == 0
    edges = Distribution.of(values, np.ones(1501, np.bool_)).edges(True)
    counts = Distribution.of(values, part).counts(edges, True)
    assert counts.sum() == np.count_nonzero(part[4:])


def test_equal_values_and_none() -> None:
    same = Distribution(np.full(7, 3.0))
    assert same.counts(same.edges(False), False).sum() == 7
    none = Distribution.of(np.full(3, np.nan), np.ones(3, np.bool_))
    assert (len(none), none.left_out) == (0, 3)
    assert none.counts(none.edges(False), False).sum() == 0
    assert not none.spans_decades


def test_decades() -> None:
    assert Distribution(np.array([0.0, 1.0, 101.0])).spans_decades
    assert not Distribution(np.array([1.0, 99.0])).spans_decades
    assert not Distribution(np.array([-1.0, 1.0, 1000.0])).spans_decades


@given(numbers, st.data())
def test_rank_correlation_is_spearmans(x: list[int], data: st.DataObject) -> None:
    y = data.draw(st.lists(st.integers(-5, 5), min_size=len(x), max_size=len(x)))
    rho = rank_correlation(np.array(x, float), np.array(y, float))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert rho is None
    else:
        assert rho == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)


def test_rank_correlation_needs_two() -> None:
    assert rank_correlation(np.array([1.0]), np.array([1.0])) is None
