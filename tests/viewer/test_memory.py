"""What counts as the same input, and how long results are remembered."""

import torch

from core.cameras import Camera, intrinsics, look_at
from viewer.memory import Memory, Recent, same


def test_plain_values_are_the_same_by_value_and_tensors_by_object() -> None:
    tensor = torch.ones(3)
    assert same(tensor, tensor)
    assert not same(tensor, tensor.clone())
    assert same((1.0, "a"), (1.0, "a"))
    assert not same(1, True)
    assert not same(None, 0)


def test_cameras_are_the_same_by_their_picture() -> None:
    pose, K = look_at((0, 0, -3), (0, 0, 0), (0, -1, 0)), intrinsics(50, 64, 48)
    assert same(Camera(pose, K, 64, 48, "a"), Camera(pose, K, 64, 48, "b"))
    assert not same(Camera(pose, K, 64, 48), Camera(pose, K, 32, 48))
    assert not same(Camera(pose, K, 64, 48), "camera")


def test_the_one_not_used_for_longest_is_forgotten() -> None:
    recent: Recent[int] = Recent(2)
    recent.keep(1, "a")
    recent.keep(2, "b")
    assert recent.find("a") == 1
    recent.keep(3, "c")
    assert recent.find("b") is None
    assert (recent.find("a"), recent.find("c")) == (1, 3)
    assert recent.find("a", "c") is None
    recent.clear()
    assert recent.find("a") is None


def test_a_result_of_none_is_remembered_too() -> None:
    made: list[int] = []
    memory = Memory(1)
    for number in (1, 1, 2):
        assert memory.get(made.append, number) is None
    assert made == [1, 2]
    memory.clear()
    memory.get(made.append, 2)
    assert made == [1, 2, 2]
