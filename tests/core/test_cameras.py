"""Cameras: conventions, derived values, resizing and views."""

from pathlib import Path

import numpy as np
import pytest

from core.cameras import Camera, Split, View, intrinsics, look_at


def pixel(camera: Camera, point: tuple[float, float, float]) -> np.ndarray:
    """Where a world point falls in the picture."""
    local = camera.world_to_camera[:3, :3] @ np.array(point) + camera.world_to_camera[:3, 3]
    x, y, z = camera.K @ local
    return np.array([x / z, y / z])


def test_look_at_puts_the_target_in_the_middle_and_up_upwards() -> None:
    eye, target = (1.0, 2.0, -5.0), (1.5, 0.0, 3.0)
    camera = Camera(look_at(eye, target, (0, -1, 0)), intrinsics(60, 200, 100), 200, 100)
    assert camera.position == pytest.approx(eye)
    assert pixel(camera, target) == pytest.approx((100, 50))
    above = (target[0], target[1] - 0.1, target[2])
    assert pixel(camera, above)[1] < 50
    assert np.linalg.det(camera.world_to_camera[:3, :3]) == pytest.approx(1)
    assert camera.camera_to_world @ camera.world_to_camera == pytest.approx(np.eye(4))


def test_look_at_along_up_is_still_a_rotation() -> None:
    rotation = look_at((0, 0, 0), (0, 5, 0), (0, 1, 0))[:3, :3]
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    assert rotation[2] == pytest.approx((0, 1, 0))


def test_intrinsics_span_the_field_of_view() -> None:
    K = intrinsics(90, 640, 480)
    camera = Camera(np.eye(4), K, 640, 480)
    assert pixel(camera, (0, 1, 1))[1] == pytest.approx(480)
    assert pixel(camera, (0, -1, 1))[1] == pytest.approx(0)


def test_resized_keeps_the_view() -> None:
    camera = Camera(np.eye(4), [[300, 0, 90], [0, 310, 55], [0, 0, 1]], 200, 100)
    half = camera.scaled(0.5)
    assert (half.width, half.height) == (100, 50)
    point = (0.1, -0.2, 2.0)
    assert pixel(half, point) == pytest.approx(pixel(camera, point) / 2)


@pytest.mark.parametrize(
    "change",
    [
        {"K": np.diag([0.0, 1.0, 1.0])},
        {"K": np.eye(4)},
        {"world_to_camera": np.full((4, 4), np.nan)},
        {"width": 0},
    ],
)
def test_impossible_cameras_are_refused(change: dict[str, object]) -> None:
    values = {"world_to_camera": np.eye(4), "K": np.eye(3), "width": 4, "height": 4}
    with pytest.raises(ValueError, match=r"matrix|pixel|positive"):
        Camera(**{**values, **change})


def test_a_view_is_named_after_its_camera_and_trains_by_default() -> None:
    view = View(Camera(np.eye(4), np.eye(3), 4, 4, "a.jpg"), Path("a.jpg"))
    assert view.name == "a.jpg"
    assert view.split == Split.TRAIN == "train"


def test_cameras_are_the_same_by_their_picture_not_by_their_name() -> None:
    pose, K = look_at((0, 0, -3), (0, 0, 0), (0, -1, 0)), intrinsics(50, 64, 48)
    camera = Camera(pose, K, 64, 48, "one")
    assert camera.same_as(Camera(pose.copy(), K.copy(), 64, 48, "another"))
    moved = pose.copy()
    moved[0, 3] += 1e-9
    for other in (
        Camera(moved, K, 64, 48),
        Camera(pose, 1.01 * K, 64, 48),
        Camera(pose, K, 63, 48),
    ):
        assert not camera.same_as(other)
