"""The ranking of the living Gaussians: counts, thresholds, ties."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from core.scoring import Worth
from core.scoring.ranking import Ranking
from tests.viewer.window_stage import NAME

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
