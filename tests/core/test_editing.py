import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.editing import Document, FlipState, SelectOp, State
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
    assert len(document.scene.select(document.alive)) == 5


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


MASKS = st.integers(0, 2**12 - 1)
OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(SelectOp), MASKS),
    st.tuples(
        st.sampled_from(
            [
                "select_all",
                "select_none",
                "invert_selection",
                "hide_selected",
                "isolate_selected",
                "unhide",
                "delete_selected",
                "undo",
                "redo",
            ]
        ),
        st.just(0),
    ),
)


def as_set(mask: torch.Tensor) -> set[int]:
    return set(mask.nonzero().flatten().tolist())


def as_mask(bits: int) -> torch.Tensor:
    return torch.tensor([bool(bits >> n & 1) for n in range(12)])


@settings(deadline=None, max_examples=80)
@given(st.lists(OPERATIONS, max_size=25))
def test_any_commands_follow_the_algebra_of_sets_and_undo_to_the_start(
    operations: list[tuple[SelectOp | str, int]],
) -> None:
    document = Document(make_scene(12))
    for name, bits in operations:
        alive, visible, selected = map(
            as_set, (document.alive, document.visible, document.selected)
        )
        wanted = as_set(as_mask(bits)) & visible
        if isinstance(name, SelectOp):
            document.select(as_mask(bits), name)
            expected = {
                SelectOp.SET: wanted,
                SelectOp.ADD: selected | wanted,
                SelectOp.REMOVE: selected - wanted,
                SelectOp.INTERSECT: selected & wanted,
            }[name]
            assert as_set(document.selected) == expected
            assert as_set(document.visible) == visible
        else:
            getattr(document, name)()
            after = {
                "select_all": (alive, visible, visible),
                "select_none": (alive, visible, set()),
                "invert_selection": (alive, visible, visible - selected),
                "hide_selected": (alive, visible - selected, set()),
                "isolate_selected": (alive, selected or visible, selected),
                "unhide": (alive, alive, selected),
                "delete_selected": (alive - selected, visible - selected, set()),
            }.get(name)
            if after is not None:
                now = map(as_set, (document.alive, document.visible, document.selected))
                assert tuple(now) == after
        assert document.alive_count == len(as_set(document.alive))
        assert document.hidden_count == len(as_set(document.alive) - as_set(document.visible))
        assert document.selected_count == len(as_set(document.selected))
    end = document.state.copy()
    position, last = document.history.position, len(document.history.edits)
    document.go_to(0)
    assert not document.state.any()
    document.go_to(last)
    document.go_to(position)
    np.testing.assert_array_equal(document.state, end)


def test_masks_are_the_same_objects_until_they_change() -> None:
    document = Document(make_scene(12))
    alive, visible, selected = document.alive, document.visible, document.selected
    document.select(as_mask(7))
    assert document.alive is alive
    assert document.visible is visible
    assert document.selected is not selected
    document.hide_selected()
    assert document.alive is alive
    assert document.visible is not visible


def test_going_far_is_announced_once() -> None:
    document = Document(make_scene(12))
    for bits in (1, 3, 7, 15):
        document.select(as_mask(bits))
    seen: list[int] = []
    document.state_changed.connect(lambda: seen.append(document.selected_count))
    document.go_to(0)
    document.go_to(3)
    document.go_to(3)
    document.go_to(99)
    assert seen == [0, 3, 4]


def test_a_selection_that_changes_nothing_is_no_edit() -> None:
    document = Document(make_scene(12))
    document.select(as_mask(5))
    document.select(as_mask(5))
    document.select(as_mask(0), SelectOp.ADD)
    assert [edit.name for edit in document.history.edits] == ["Select"]


def test_a_smaller_byte_budget_forgets_the_oldest_at_once() -> None:
    document = Document(make_scene(80))
    for n in range(6):
        document.delete(torch.arange(80) == n, f"Delete {n}")
    history = document.history
    assert history.nbytes == 6 * 10
    history.max_bytes = 35
    assert [edit.name for edit in history.edits] == ["Delete 3", "Delete 4", "Delete 5"]
    assert (history.position, history.forgotten, history.nbytes) == (3, 3, 30)
    document.go_to(0)
    assert document.alive_count == 77
    history.max_bytes = 15
    assert [edit.name for edit in history.edits] == ["Delete 3"], "undone edits go from the end"
    document.redo()
    assert document.alive_count == 76
    history.max_bytes = 0
    assert len(history.edits) == 1, "the last one can always be taken back"


def test_edits_tell_their_names_and_how_many_gaussians_they_change() -> None:
    document = Document(make_scene(12))
    document.select(as_mask(7), name="Select by lasso")
    document.hide_selected()
    document.unhide()
    assert [(edit.name, edit.count) for edit in document.history.edits] == [
        ("Select by lasso", 3),
        ("Hide selected", 3),
        ("Show all", 3),
    ]
