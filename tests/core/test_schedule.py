"""Schedules of prune-refine runs: exact counts, and what cannot be asked for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from core.pruning import SCHEDULES, Round, Schedule, schedule_of

CUTS = st.lists(st.floats(0, 0.99), min_size=1, max_size=5)


def test_the_papers_rounds_leave_a_tenth() -> None:
    assert schedule_of((0.8, 0.5)).counts(100_000) == (20_000, 10_000)


@given(CUTS, st.integers(1, 10**6))
def test_counts_fall_and_leave_something(cuts: list[float], total: int) -> None:
    counts = schedule_of(cuts).counts(total)
    assert len(counts) == len(cuts)
    assert list(counts) == sorted(counts, reverse=True)
    assert 1 <= counts[-1] <= counts[0] <= total
    assert abs(counts[-1] - total * math.prod(1 - cut for cut in cuts)) <= 1


@given(CUTS, st.integers(2, 10**6), st.data())
def test_a_target_is_met_exactly_by_cuts_of_the_same_shape(
    cuts: list[float], total: int, data: st.DataObject
) -> None:
    target = data.draw(st.integers(1, total))
    counts = schedule_of(cuts, target=target).counts(total)
    assert counts[-1] == target
    assert list(counts) == sorted(counts, reverse=True)


def test_cuts_keep_their_proportions_on_the_way_to_a_target() -> None:
    first, last = schedule_of((0.8, 0.5), target=40_000).counts(100_000)
    assert last == 40_000
    power = math.log(0.4) / math.log(0.1)
    assert first == round(100_000 * 0.2**power)


def test_a_target_without_cuts_is_reached_in_the_last_round() -> None:
    assert schedule_of((0.0, 0.0), target=30).counts(100) == (100, 30)


@pytest.mark.parametrize("target", [0, -1, 101])
def test_targets_outside_of_the_scene_are_refused(target: int) -> None:
    with pytest.raises(UserError, match="Cannot keep"):
        schedule_of((0.5,), target=target).counts(100)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Round(1.0), "Cannot cut"),
        (lambda: Round(-0.1), "Cannot cut"),
        (lambda: Round(math.nan), "Cannot cut"),
        (lambda: Round(0.5, -1), "Cannot refine"),
        (lambda: Schedule(()), "no rounds"),
        (lambda: schedule_of((0.5,), score="beauty"), "beauty"),
        (lambda: schedule_of((0.5,), max_loss_db=-1.0), "Cannot allow"),
        (lambda: schedule_of((0.5,), max_loss_db=math.nan), "Cannot allow"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def test_ready_schedules_make_sense() -> None:
    for preset in SCHEDULES.values():
        counts = preset.schedule.counts(100_000)
        assert counts[-1] <= 100_000
        assert preset.schedule.with_steps(7).steps == 7 * len(preset.schedule.rounds)
    assert SCHEDULES["removal-error"].schedule.counts(1000)[-1] == 100
    assert SCHEDULES["light"].schedule.counts(1000)[-1] == 400
