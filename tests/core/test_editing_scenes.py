"""Edits that put another scene in the place of the one there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.editing import Document, FlipState, SelectOp, State
from core.errors import UserError
from tests.core.test_editing import make_scene, make_worth


def mask_of(bits: int, count: int) -> np.ndarray:
    return np.array([(bits >> bit) & 1 for bit in range(count)], dtype=bool)


def told(document: Document) -> list[str]:
    seen: list[str] = []
    for name in ("scene", "state", "scores", "history"):
        signal = getattr(document, f"{name}_changed")
        signal.connect(lambda name=name: seen.append(name))
    return seen


def test_undo_and_redo_bring_back_tensors_states_and_scores() -> None:
    first, second = make_scene(12), make_scene(5)
    document = Document(first)
    document.select(torch.arange(12) < 3)
    document.hide_selected()
    document.select(torch.arange(12) == 7)
    worth = make_worth(12)
    document.add_scores({"test": worth}, document.alive)
    document.delete(torch.arange(12) == 11)
    visible, selected, opacity = document.visible, document.selected, document.values("opacity")
    assert document.is_stale("test")

    document.replace_scene(second, "Refine")
    assert document.scene is second
    assert document.alive_count == document.visible_count == 5
    assert document.selected_count == document.hidden_count == 0
    assert not document.scores
    assert not document.is_stale("test")
    assert len(document.values("opacity")) == 5
    other = make_worth(5)
    document.add_scores({"test": other}, document.alive)
    document.prune(other, 4)

    document.go_to(document.history.position - 2)
    assert document.scene is first
    assert document.visible is visible
    assert document.selected is selected
    assert document.values("opacity") is opacity
    assert document.scores == {"test": worth}
    assert document.is_stale("test")

    document.redo()
    assert document.scene is second
    assert document.scores == {"test": other}
    assert document.alive_count == 5
    document.redo()
    assert document.alive_count == 4


def test_another_scene_is_told_before_its_states_and_scores() -> None:
    document = Document(make_scene(4))
    seen = told(document)
    document.replace_scene(make_scene(6), "Refine")
    assert seen == ["scene", "state", "scores", "history"]
    seen.clear()
    document.select(torch.arange(6) < 2)
    document.go_to(0)
    assert seen == ["state", "history", "scene", "state", "scores", "history"]
    seen.clear()
    document.go_to(2)
    document.undo()
    assert seen == ["scene", "state", "scores", "history", "state", "history"]


def test_modified_follows_the_scene_that_was_saved() -> None:
    document = Document(make_scene(6))
    document.replace_scene(make_scene(6), "Refine")
    assert document.modified, "other Gaussians, though as many"
    document.mark_saved()
    assert not document.modified
    document.undo()
    assert document.modified
    document.redo()
    assert not document.modified
    document.delete(torch.arange(6) == 1)
    assert document.modified


def test_an_edit_tells_what_it_alone_holds_and_how_many_gaussians_it_brings() -> None:
    first, second = make_scene(100), make_scene(40)
    bytes_each = 4 * (3 + 3 + 4 + 1 + 12)
    document = Document(first)
    document.replace_scene(second, "Refine")
    (edit,) = document.history.edits
    assert (edit.name, edit.count) == ("Refine", 40)
    assert document.history.nbytes == 100 * (bytes_each + 1)
    document.undo()
    assert document.history.nbytes == 40 * (bytes_each + 1)
    document.redo()
    document.replace_scene(replace(second, means=second.means + 1), "Move")
    moved = document.history.edits[-1]
    assert moved.nbytes == 40 * (4 * 3 + 1), "all but the centres is shared with the present scene"


def test_scores_count_as_memory_too() -> None:
    document = Document(make_scene(100))
    document.add_scores({"test": make_worth(100)})
    document.replace_scene(make_scene(40), "Refine")
    assert document.history.nbytes == 100 * (4 * 23 + 1) + 100 * (8 + 1)


def test_the_byte_budget_forgets_old_scenes() -> None:
    document = Document(make_scene(100))
    document.history.max_bytes = 20_000
    for count in (90, 80, 70, 60):
        document.replace_scene(make_scene(count), f"Refine to {count}")
    names = [edit.name for edit in document.history.edits]
    assert names == ["Refine to 70", "Refine to 60"]
    document.go_to(0)
    assert len(document.scene) == 80


def test_an_empty_scene_is_refused() -> None:
    document = Document(make_scene(4))
    with pytest.raises(UserError, match="Nothing would be left"):
        document.replace_scene(document.scene.select(torch.zeros(4, dtype=torch.bool)), "Refine")
    assert not document.history.edits


def test_a_locked_document_refuses_every_edit_and_tells() -> None:
    document = Document(make_scene(8))
    document.select(torch.arange(8) < 2)
    refusals: list[int] = []
    document.refused.connect(lambda: refusals.append(1))
    document.locked = True
    before = document.state.copy()
    document.undo()
    document.redo()
    document.go_to(0)
    document.delete_selected()
    document.hide_selected()
    document.select(torch.arange(8) == 5, SelectOp.ADD)
    document.prune(make_worth(8), 3)
    document.replace_scene(make_scene(3), "Refine")
    np.testing.assert_array_equal(document.state, before)
    assert len(document.history.edits) == 1
    assert len(refusals) == 8
    document.locked = False
    document.undo()
    assert not document.selected_count


STEPS = st.one_of(
    st.tuples(st.just("flip"), st.integers(1, 2**9 - 1)),
    st.tuples(st.just("replace"), st.integers(1, 9)),
    st.tuples(st.just("go"), st.integers(0, 12)),
    st.tuples(st.just("score"), st.just(0)),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(STEPS, max_size=20))
def test_any_sequence_of_flips_and_scenes_undoes_to_the_start_and_redoes_to_the_end(
    steps: list[tuple[str, int]],
) -> None:
    first = make_scene(9)
    document = Document(first)
    for kind, number in steps:
        count = len(document.scene)
        if kind == "flip":
            mask = mask_of(number, count)
            document.history.push(FlipState.of("flip", State.HIDDEN, mask))
        elif kind == "replace":
            document.replace_scene(make_scene(number), "replace")
        elif kind == "go":
            document.go_to(number)
        else:
            document.add_scores({"test": make_worth(count)}, document.alive)
    last = len(document.history.edits)
    document.go_to(last)
    states = []
    for position in range(last, -1, -1):
        document.go_to(position)
        states.append((document.scene, document.state.copy(), dict(document.scores)))
        assert document.visible_count == int((document.state == 0).sum())
        assert all(len(worth) == len(document.scene) for worth in document.scores.values())
        assert len(document.values("opacity")) == len(document.scene)
    assert document.scene is first
    assert not document.state.any()
    assert not document.modified
    for position, (scene, state, scores) in enumerate(reversed(states)):
        document.go_to(position)
        assert document.scene is scene
        np.testing.assert_array_equal(document.state, state)
        assert document.scores == scores
    document.go_to(0)
    document.go_to(last)
    assert document.scene is states[0][0]
    np.testing.assert_array_equal(document.state, states[0][1])
