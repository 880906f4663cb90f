"""Edits of some Gaussians' values: what they keep, what they leave alone, and what turns stale."""

import numpy as np
import pytest
import torch

from core.cameras import Camera, intrinsics, look_at
from core.editing import ChangeRows, Document
from core.editing.changes import at_depths, depths_of, moved_in_depth, recolored, usual_step
from core.rendering import render
from core.scene import GaussianScene
from tests.core.test_editing import make_scene, make_worth

CAMERA = Camera(look_at((0, 0, -6), (0, 0, 0), (0, -1, 0)), intrinsics(60, 48, 48), 48, 48)


def some(n: int, *chosen: int) -> torch.Tensor:
    mask = torch.zeros(n, dtype=torch.bool)
    mask[list(chosen)] = True
    return mask


def visible_scene(n: int = 30) -> GaussianScene:
    generator = torch.Generator().manual_seed(5)
    return GaussianScene(
        torch.randn(n, 3, generator=generator) * 0.6,
        torch.randn(n, 3, generator=generator) * 0.2 - 1.5,
        torch.randn(n, 4, generator=generator),
        torch.randn(n, generator=generator),
        torch.randn(n, 4, 3, generator=generator) * 0.2,
    )


def test_an_edit_of_rows_is_done_undone_and_redone_exactly() -> None:
    scene = make_scene(12)
    document = Document(scene)
    mask = some(12, 2, 7)
    document.change(mask, recolored(scene, mask, (0.2, 0.4, 0.6)), "Recolour")
    recolour = document.scene
    assert torch.allclose(recolour.base_colors()[mask], torch.tensor([0.2, 0.4, 0.6]))
    assert not recolour.sh[mask][:, 1:].any()
    assert torch.equal(recolour.sh[~mask], scene.sh[~mask])
    assert recolour.means is scene.means
    assert document.modified
    assert document.history.undo_name == "Recolour"
    document.undo()
    assert torch.equal(document.scene.sh, scene.sh)
    assert not document.modified
    document.redo()
    assert torch.equal(document.scene.sh, recolour.sh)
    assert document.modified


def test_an_edit_of_rows_holds_those_rows_only() -> None:
    scene = make_scene(1000)
    document = Document(scene)
    mask = some(1000, 3, 500, 999)
    document.change(mask, recolored(scene, mask, (1, 0, 0)), "Recolour")
    edit = document.history.edits[0]
    assert isinstance(edit, ChangeRows)
    assert edit.count == 3
    assert edit.nbytes == 3 * 8 + 2 * 3 * 4 * 3 * 4
    assert document.history.nbytes == edit.nbytes


def test_states_stay_and_deleted_gaussians_stay_deleted() -> None:
    scene = make_scene(10)
    document = Document(scene)
    document.delete(some(10, 0, 4))
    document.select(some(10, 1))
    document.hide_selected()
    document.select(some(10, 2, 3))
    alive, hidden = document.alive, document.hidden
    everything = torch.ones(10, dtype=torch.bool)
    document.change(everything, {"means": scene.means + 1}, "Move")
    assert document.alive is alive
    assert document.hidden is hidden
    assert document.selected.tolist() == some(10, 2, 3).tolist()
    document.select_none()
    document.undo()
    document.undo()
    assert torch.equal(document.scene.means, scene.means)
    assert document.selected_count == 2
    assert document.alive_count == 8


def test_scores_turn_stale_with_the_values_and_are_right_again_once_undone() -> None:
    document = Document(make_scene(10))
    document.add_scores({"test": make_worth(10)}, document.alive)
    mask = some(10, 1)
    document.change(mask, {"opacity_logits": torch.zeros(1)}, "Fade")
    assert document.is_stale("test")
    assert "test" in document.scores
    assert document.values("opacity")[1] == pytest.approx(0.5)
    document.undo()
    assert not document.is_stale("test")
    assert document.values("opacity")[1] != pytest.approx(0.5)
    document.redo()
    document.add_scores({"test": make_worth(10)}, document.alive)
    assert not document.is_stale("test")
    document.undo()
    assert document.is_stale("test")


def test_rows_and_whole_scenes_are_undone_in_turn() -> None:
    first, second = make_scene(6), make_scene(4)
    document = Document(first)
    document.change(some(6, 5), {"means": torch.zeros(1, 3)}, "Move")
    document.replace_scene(second, "Replace")
    document.change(some(4, 0), {"means": torch.ones(1, 3)}, "Move")
    moved = document.scene
    document.go_to(0)
    assert torch.equal(document.scene.means, first.means)
    assert not document.modified
    document.go_to(3)
    assert torch.equal(document.scene.means, moved.means)
    assert torch.equal(document.scene.means[1:], second.means[1:])


def test_a_change_of_nothing_is_no_edit_and_a_locked_document_refuses() -> None:
    document = Document(make_scene(5))
    nothing = torch.zeros(5, dtype=torch.bool)
    document.change(nothing, {"means": torch.zeros(0, 3)}, "Move")
    refused = []
    document.refused.connect(lambda: refused.append(1))
    document.locked = True
    document.change(~nothing, {"means": torch.zeros(5, 3)}, "Move")
    assert not document.history.edits
    assert refused == [1]


def test_a_move_in_depth_changes_the_order_but_not_the_picture() -> None:
    scene = visible_scene()
    one = some(len(scene), 4)
    far = moved_in_depth(scene, one, CAMERA, 2.5)
    moved = Document(scene)
    moved.change(one, far, "Move")
    before, after = (depths_of(each, one, CAMERA) for each in (scene, moved.scene))
    assert float(after - before) == pytest.approx(2.5, abs=1e-4)
    alone = [render(each, CAMERA, keep=one).rgb for each in (scene, moved.scene)]
    assert float((alone[0] - alone[1]).abs().max()) < 2 / 255
    assert float(alone[0].max()) > 0.05
    together = [render(each, CAMERA).rgb for each in (scene, moved.scene)]
    assert float((together[0] - together[1]).abs().max()) > 2 / 255


def test_a_move_never_goes_through_the_eye_and_leaves_what_is_behind_it() -> None:
    scene = visible_scene()
    behind = CAMERA.position - 2 * CAMERA.forward
    means = scene.means.clone()
    means[0] = torch.tensor(behind, dtype=torch.float32)
    scene = scene.with_tensors({"means": means})
    everything = torch.ones(len(scene), dtype=torch.bool)
    near = moved_in_depth(scene, everything, CAMERA, -100.0)
    assert torch.allclose(near["means"][0], means[0])
    depths = depths_of(scene.with_tensors(near), everything, CAMERA)
    assert bool((depths[1:] > 0).all())
    assert all(bool(value.isfinite().all()) for value in near.values())
    back = at_depths(scene, everything, CAMERA, depths_of(scene, everything, CAMERA))
    assert torch.allclose(back["means"], means, atol=1e-5)


@pytest.mark.parametrize(
    ("depths", "step"), [([0.0, 2.0], 0.1), ([3.0, 3.0], 0.1), ([0.0, 77.0], 4.0)]
)
def test_the_usual_step_is_a_round_part_of_the_range(depths: list[float], step: float) -> None:
    assert usual_step(torch.tensor(depths)) == pytest.approx(step)
    assert usual_step(torch.tensor([np.nan, np.inf])) == pytest.approx(0.1)
