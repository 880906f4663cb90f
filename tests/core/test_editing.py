import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.editing import Document, FlipState, State
from core.errors import UserError
from core.scene import GaussianScene
from core.scoring import Worth


def make_scene(n: int) -> GaussianScene:
    generator = torch.Generator().manual_seed(n)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return GaussianScene(normal(n, 3), normal(n, 3), normal(n, 4), normal(n), normal(n, 4, 3))


def make_worth(n: int) -> Worth:
    values = torch.from_numpy(np.random.default_rng(n).permutation(n).astype(np.float64))
    return Worth("test", values, torch.full((n,), 2, dtype=torch.uint8))


def test_prune_keeps_the_worthiest_and_undo_brings_all_back() -> None:
    document = Document(make_scene(20))
    worth = make_worth(20)
    document.prune(worth, 5)
    assert document.alive_count == 5
    assert set(worth.values[document.alive].tolist()) == {15, 16, 17, 18, 19}
    assert document.history.undo_name == "Prune to 5 Gaussians"
    document.undo()
    assert document.alive_count == 20
    assert document.history.redo_name == "Prune to 5 Gaussians"
    document.redo()
    assert len(document.kept_scene()) == 5


def test_a_second_prune_counts_only_living_gaussians() -> None:
    document = Document(make_scene(20))
    document.prune(make_worth(20), 10)
    document.prune(make_worth(20), 4)
    assert document.alive_count == 4
    document.undo()
    assert document.alive_count == 10


def test_a_prune_that_changes_nothing_is_refused_and_leaves_no_edit() -> None:
    document = Document(make_scene(8))
    with pytest.raises(UserError, match="Nothing would be pruned"):
        document.prune(make_worth(8), 8)
    assert document.history.undo_name is None
    assert not document.modified


def test_modified_follows_the_saved_state() -> None:
    document = Document(make_scene(8))
    document.prune(make_worth(8), 5)
    assert document.modified
    document.mark_saved()
    assert not document.modified
    document.undo()
    assert document.modified
    document.prune(make_worth(8), 3)
    document.undo()
    assert document.modified
    document.prune(make_worth(8), 5)
    assert not document.modified, "the same Gaussians are left as were saved"


def test_signals_announce_state_and_history() -> None:
    document = Document(make_scene(8))
    seen: list[str] = []
    document.state_changed.connect(lambda: seen.append("state"))
    document.history_changed.connect(lambda: seen.append("history"))
    document.delete(torch.arange(8) < 3)
    assert seen == ["state", "history"]


def test_history_forgets_the_oldest_beyond_its_budget() -> None:
    document = Document(make_scene(80))
    document.history._max_edits = 3
    for i in range(5):
        document.delete(torch.arange(80) == i)
    for _ in range(10):
        document.undo()
    assert document.alive_count == 78, "two deletions can no longer be taken back"
    assert document.modified


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.integers(0, 2**12 - 1), st.sampled_from(["undo", "redo"]))))
def test_any_sequence_of_edits_undoes_to_the_start_and_redoes_to_the_end(
    steps: list[int | str],
) -> None:
    document = Document(make_scene(12))
    for step in steps:
        if step == "undo":
            document.undo()
        elif step == "redo":
            document.redo()
        else:
            mask = np.array([(int(step) >> bit) & 1 for bit in range(12)], dtype=bool)
            document.history.push(FlipState.of("flip", State.HIDDEN, mask))
    while document.history.redo_name:
        document.redo()
    end = document.state.copy()
    while document.history.undo_name:
        document.undo()
    assert not document.state.any()
    while document.history.redo_name:
        document.redo()
    np.testing.assert_array_equal(document.state, end)


def test_a_score_is_stale_once_other_gaussians_live_than_were_swept() -> None:
    document = Document(make_scene(12))
    swept, plain = make_worth(12), make_worth(12)
    document.add_scores({"swept": swept}, document.alive)
    document.add_scores({"plain": plain})
    assert not document.is_stale("swept")
    document.prune(swept, 5)
    assert document.is_stale("swept")
    assert not document.is_stale("plain")
    assert not document.is_stale("unknown")
    document.undo()
    assert not document.is_stale("swept")
