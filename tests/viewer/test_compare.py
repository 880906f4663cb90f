"""Sides, snapshots and modes of comparing."""

import pytest
import torch

from core.editing import Document
from tests.blobs import blob_scene
from viewer.compare import LIVE, MAX_SNAPSHOTS, PHOTO, Compare, CompareMode

COUNT = 300


def first(number: int) -> torch.Tensor:
    return torch.arange(COUNT) < number


@pytest.fixture
def document() -> Document:
    return Document(blob_scene(COUNT))


@pytest.fixture
def compare(qapp, document) -> Compare:
    compare = Compare()
    compare.reset(document)
    return compare


def test_a_wipe_works_at_once(compare) -> None:
    assert compare.comparison() is None
    compare.set_mode(CompareMode.WIPE)
    comparison = compare.comparison()
    assert comparison.a.name == "As opened"
    assert comparison.a.shown.all()
    assert comparison.b is LIVE
    assert (comparison.split, comparison.flip) == (0.5, False)


def test_without_a_scene_there_is_nothing_to_compare(qapp) -> None:
    compare = Compare()
    compare.set_mode(CompareMode.WIPE)
    compare.set_flip(True)
    compare.swap()
    assert compare.comparison() is None
    assert compare.choices() == []


def test_a_snapshot_is_what_is_visible(compare, document) -> None:
    document.select(first(50))
    document.hide_selected()
    side = compare.keep_a(document)
    assert compare.a is side
    assert side.name == "Snapshot 1: 250"
    assert side.shown.equal(~first(50))
    document.unhide()
    assert side.shown.equal(~first(50))
    assert side in compare.choices()


def test_the_same_state_before_two_edits_is_listed_once(compare, document) -> None:
    first_time = compare.remember(document.contents, document.visible, "Before refining: 300")
    again = compare.remember(document.contents, document.visible.clone(), "Before refining: 300")
    assert again is first_time
    assert compare.a is first_time
    other = compare.remember(document.contents, document.visible, "Before pruning: 300")
    assert compare.snapshots == [first_time, other]


def test_the_same_state_is_remembered_once(compare, document) -> None:
    once = compare.take_snapshot(document)
    assert compare.take_snapshot(document) is once
    document.delete(first(10))
    document.undo()
    assert compare.take_snapshot(document) is once
    assert compare.snapshots == [once]


def test_equal_states_share_their_memory(compare, document) -> None:
    side = compare.remember(document.contents, document.visible, "Before Prune to 100")
    assert compare.a is side
    assert side.name == "Before Prune to 100"
    assert side.shown is compare.opened.shown


def test_snapshots_are_bounded_and_sides_in_use_stay(compare, document) -> None:
    kept = compare.keep_a(document)
    for number in range(MAX_SNAPSHOTS + 3):
        document.delete(first(number + 1) & document.alive)
        compare.take_snapshot(document)
    assert len(compare.snapshots) == MAX_SNAPSHOTS
    assert kept in compare.snapshots
    names = [side.name.split(":")[0] for side in compare.snapshots]
    assert names[1:] == [f"Snapshot {n}" for n in range(6, 13)]


def test_choosing_the_other_side_swaps(compare) -> None:
    opened = compare.opened
    compare.choose_a(LIVE)
    assert (compare.a, compare.b) == (LIVE, opened)
    compare.choose_b(PHOTO)
    assert (compare.a, compare.b) == (LIVE, PHOTO)
    compare.choose_b(LIVE)
    assert (compare.a, compare.b) == (PHOTO, LIVE)
    compare.swap()
    assert (compare.a, compare.b) == (LIVE, PHOTO)


def test_cycling_comes_back_to_off(compare) -> None:
    seen = []
    for _ in range(4):
        compare.cycle()
        seen.append(compare.mode)
    assert seen == [
        CompareMode.WIPE,
        CompareMode.SIDE_BY_SIDE,
        CompareMode.DIFFERENCE,
        CompareMode.OFF,
    ]


def test_a_flip_shows_b_or_what_is_not_seen_already(compare) -> None:
    compare.set_flip(True)
    assert compare.comparison().alone is compare.opened
    compare.set_mode(CompareMode.WIPE)
    assert compare.comparison().alone is LIVE
    compare.set_mode(CompareMode.OFF)
    compare.swap()
    assert compare.comparison().alone is compare.opened
    compare.set_flip(False)
    assert compare.comparison() is None


def test_the_wipe_stays_inside_and_changes_are_told_once(compare) -> None:
    told: list[float] = []
    compare.changed.connect(lambda: told.append(compare.split))
    for split in (0.25, 0.25, 7.0, 1.5, -1.0):
        compare.set_split(split)
    assert told == [0.25, 1.0, 0.0]
    compare.set_mode(CompareMode.OFF)
    compare.set_flip(False)
    assert len(told) == 3


def test_a_new_document_starts_anew(compare, document) -> None:
    compare.keep_a(document)
    compare.set_mode(CompareMode.DIFFERENCE)
    compare.set_split(0.1)
    other = Document(blob_scene(20))
    compare.reset(other)
    assert compare.snapshots == []
    assert len(compare.a.shown) == 20
    assert (compare.mode, compare.split) == (CompareMode.OFF, 0.5)
    compare.reset(None)
    assert compare.comparison() is None
