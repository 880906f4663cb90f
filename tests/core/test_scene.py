"""GaussianScene: what it refuses, and that every operation leaves the original as it was."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.scene import SH_C0, GaussianScene, bytes_per_gaussian
from tests.core.formats_examples import random_scene, same


@pytest.mark.parametrize("degree", range(4))
def test_degree_and_size_follow_from_the_coefficients(degree: int) -> None:
    scene = random_scene(10, degree)
    assert len(scene) == 10
    assert scene.sh_degree == degree
    assert scene.ply_bytes == 10 * bytes_per_gaussian(degree)
    assert scene.device.type == "cpu"


def test_a_gaussian_has_the_published_size() -> None:
    assert [bytes_per_gaussian(degree) for degree in range(4)] == [68, 104, 164, 248]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("means", torch.zeros(5, 2)),
        ("log_scales", torch.zeros(4, 3)),
        ("quats", torch.zeros(5, 3)),
        ("opacity_logits", torch.zeros(5, 1)),
        ("sh", torch.zeros(5, 2, 3)),
        ("sh", torch.zeros(5, 25, 3)),
        ("sh", torch.zeros(5, 4, 4)),
        ("sh", torch.zeros(5, 12)),
        ("sh", torch.zeros(4, 4, 3)),
        ("means", torch.zeros(5, 3, dtype=torch.float64)),
        ("opacity_logits", torch.zeros(5, dtype=torch.float16)),
        ("means", torch.zeros(5, 3, device="meta")),
        ("columns", {"worth": torch.zeros(4)}),
        ("columns", {"worth": torch.zeros(5, 1)}),
    ],
)
def test_tensors_that_do_not_agree_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"expected|float32"):
        dataclasses.replace(random_scene(5, 1), **{name: value})


def test_a_scene_is_a_value() -> None:
    columns = {"worth": torch.ones(5)}
    scene = random_scene(5, columns=columns)
    columns["other"] = torch.ones(5)
    assert list(scene.columns) == ["worth"]
    with pytest.raises(TypeError):
        scene.columns["other"] = torch.ones(5)  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        scene.means = torch.zeros(5, 3)  # type: ignore[misc]


@given(st.lists(st.booleans(), min_size=12, max_size=12))
def test_selecting_by_mask_and_by_index_agree(chosen: list[bool]) -> None:
    scene = random_scene(12, 2, antialiased=True, columns={"worth": torch.arange(12.0)})
    mask = torch.tensor(chosen)
    by_mask = scene.select(mask)
    assert same(by_mask, scene.select(mask.nonzero()[:, 0]))
    assert len(by_mask) == sum(chosen)
    assert by_mask.antialiased
    assert by_mask.columns["worth"].tolist() == [i for i, keep in enumerate(chosen) if keep]
    assert torch.equal(by_mask.sh, scene.sh[mask])


@given(st.permutations(range(8)))
def test_selecting_by_index_keeps_the_order_asked_for(order: list[int]) -> None:
    scene = random_scene(8, 1)
    selected = scene.select(torch.tensor(order))
    for name, tensor in scene.tensors().items():
        assert torch.equal(selected.tensors()[name], torch.stack([tensor[i] for i in order]))
    assert same(scene, random_scene(8, 1))


def test_columns_are_added_and_replaced() -> None:
    scene = random_scene(4, columns={"a": torch.zeros(4), "b": torch.zeros(4)})
    changed = scene.with_columns({"b": torch.ones(4), "c": torch.ones(4, dtype=torch.int64)})
    assert list(changed.columns) == ["a", "b", "c"]
    assert changed.columns["b"].tolist() == [1, 1, 1, 1]
    assert scene.columns["b"].tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="column d"):
        scene.with_columns({"d": torch.ones(5)})


def test_moving_takes_everything_along() -> None:
    scene = random_scene(4, antialiased=True, columns={"a": torch.zeros(4)})
    moved = scene.to("meta")
    tensors = [*moved.tensors().values(), *moved.columns.values()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.device.type == "meta"
    assert moved.antialiased
    assert same(scene.to("cpu"), scene)


def test_opacities_and_colours_are_those_that_are_seen() -> None:
    scene = GaussianScene(
        torch.zeros(3, 3),
        torch.zeros(3, 3),
        torch.ones(3, 4),
        torch.tensor([0.0, 20.0, -20.0]),
        torch.tensor([[[0.0, 0.5 / SH_C0, -9.0]]] * 3),
    )
    torch.testing.assert_close(scene.opacities(), torch.tensor([0.5, 1.0, 0.0]))
    torch.testing.assert_close(scene.base_colors()[0], torch.tensor([0.5, 1.0, 0.0]))
