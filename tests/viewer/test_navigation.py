from itertools import pairwise, product
from math import atan, degrees, hypot, pi

import numpy as np
import pytest

from core.cameras import Camera, Matrix, intrinsics, look_at
from viewer.viewport.navigation import NEAREST, Navigator

WIDTH, HEIGHT = 800, 600


@pytest.fixture
def navigator() -> Navigator:
    navigator = Navigator((0, 0, 1))
    navigator.resize(WIDTH, HEIGHT)
    navigator.radius = 2.0
    navigator.frame((1.0, 2.0, 3.0), 2.0)
    return navigator


def seen(navigator: Navigator) -> Camera:
    return navigator.camera(WIDTH, HEIGHT)


def project(camera: Camera, point: Matrix) -> Matrix:
    inside = camera.world_to_camera[:3, :3] @ point + camera.world_to_camera[:3, 3]
    pixel: Matrix = camera.K @ inside / inside[2]
    return pixel[:2]


def under(navigator: Navigator, x: float, y: float) -> Matrix:
    """The point at the pivot's depth that appears at a pixel."""
    camera = seen(navigator)
    ray = np.linalg.solve(camera.K, np.array([x, y, 1.0])) * navigator.pose.distance
    point: Matrix = camera.camera_to_world[:3, :3] @ ray + camera.position
    return point


def turn(a: Camera, b: Camera) -> float:
    """Angle between two orientations in degrees."""
    between = a.world_to_camera[:3, :3] @ b.world_to_camera[:3, :3].T
    return degrees(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1)))


@pytest.mark.parametrize("seed", range(20))
def test_going_to_a_camera_takes_its_pose_roll_and_field_of_view(seed: int) -> None:
    random = np.random.default_rng(seed)
    navigator = Navigator(random.normal(size=3))
    eye, target, up = random.normal(size=(3, 3))
    camera = Camera(look_at(eye, target, up), intrinsics(40, WIDTH, HEIGHT), WIDTH, HEIGHT)
    navigator.go_to(camera)
    np.testing.assert_allclose(seen(navigator).world_to_camera, camera.world_to_camera, atol=1e-9)
    np.testing.assert_allclose(seen(navigator).K, camera.K)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_camera_may_look_straight_along_the_up_axis(direction: int) -> None:
    navigator = Navigator((0, 0, 1))
    transform = look_at((0, 0, -5 * direction), (0, 0, 0), (0.3, 1, 0))
    camera = Camera(transform, intrinsics(40, WIDTH, HEIGHT), WIDTH, HEIGHT)
    navigator.go_to(camera)
    np.testing.assert_allclose(seen(navigator).world_to_camera, transform, atol=1e-9)


def test_going_to_a_camera_keeps_the_depth_of_the_pivot(navigator: Navigator) -> None:
    pivot = navigator.pose.pivot
    transform = look_at(np.add(pivot, (4, 0, 0)), np.add(pivot, (0, 0.5, 0.2)), (0, 0, 1))
    navigator.go_to(Camera(transform, intrinsics(40, 400, 300), 400, 300))
    depth = (transform[:3, :3] @ pivot + transform[:3, 3])[2]
    assert navigator.pose.distance == pytest.approx(depth)


def test_the_whole_picture_of_a_camera_is_visible_in_any_window() -> None:
    navigator = Navigator()
    K = intrinsics(40, 400, 300)
    navigator.go_to(Camera(look_at((0, 0, -3), (0, 0, 0), (0, -1, 0)), K, 400, 300))
    for width, height in ((1000, 300), (300, 1000), (640, 480)):
        camera = navigator.camera(width, height)
        assert camera.K[0, 0] == camera.K[1, 1]
        assert width / camera.K[0, 0] >= 400 / K[0, 0] - 1e-12
        assert height / camera.K[1, 1] >= 300 / K[1, 1] - 1e-12


def test_orbiting_is_level_and_keeps_the_pivot_in_the_middle(navigator: Navigator) -> None:
    random = np.random.default_rng(3)
    distance, pivot = navigator.pose.distance, navigator.pose.pivot
    for dx, dy in random.normal(scale=40, size=(100, 2)):
        navigator.orbit(dx, dy)
        camera = seen(navigator)
        right, down, _ = camera.world_to_camera[:3, :3]
        assert abs(right @ (0, 0, 1)) < 1e-12
        assert down @ (0, 0, 1) <= 1e-12
        np.testing.assert_allclose(project(camera, pivot), (WIDTH / 2, HEIGHT / 2), atol=1e-6)
        assert np.linalg.norm(camera.position - pivot) == pytest.approx(distance)


def test_orbiting_back_and_forth_does_not_drift(navigator: Navigator) -> None:
    before = seen(navigator)
    for _ in range(5000):
        navigator.orbit(7.3, 2.1)
        navigator.orbit(-7.3, -2.1)
    np.testing.assert_allclose(seen(navigator).world_to_camera, before.world_to_camera, atol=1e-9)


@pytest.mark.parametrize("direction", [1, -1])
def test_nothing_flips_at_the_poles(navigator: Navigator, direction: int) -> None:
    last = seen(navigator)
    for _ in range(400):
        navigator.orbit(0.5, 2.0 * direction)
        now = seen(navigator)
        assert turn(last, now) < 1.0
        last = now
    assert abs(navigator.pose.pitch) == pytest.approx(pi / 2)


def test_the_near_side_follows_the_hand(navigator: Navigator) -> None:
    before = seen(navigator)
    near = navigator.pose.pivot - before.forward * 1.0
    navigator.orbit(30, 0)
    assert project(seen(navigator), near)[0] > WIDTH / 2 + 1
    navigator.orbit(-30, 20)
    assert project(seen(navigator), near)[1] > HEIGHT / 2 + 1


def test_a_taken_over_roll_levels_out_while_orbiting(navigator: Navigator) -> None:
    pivot = navigator.pose.pivot
    rolled = look_at(np.add(pivot, (0, -5, 0)), pivot, (0.5, 0, 1))
    navigator.go_to(Camera(rolled, intrinsics(40, WIDTH, HEIGHT), WIDTH, HEIGHT))
    before = abs(navigator.pose.roll)
    assert before > 0.3
    last = seen(navigator)
    for _ in range(300):
        navigator.orbit(2, 0)
        assert turn(last, seen(navigator)) < 1.5
        last = seen(navigator)
    assert abs(navigator.pose.roll) < 0.1 * before


def test_panning_keeps_the_point_under_the_mouse(navigator: Navigator) -> None:
    navigator.orbit(40, 25)
    point = under(navigator, 300, 200)
    before = seen(navigator)
    navigator.pan(57, -31)
    np.testing.assert_allclose(project(seen(navigator), point), (357, 169), atol=1e-6)
    assert turn(before, seen(navigator)) < 1e-6


@pytest.mark.parametrize("steps", [1, 3.5, -2])
def test_dollying_keeps_the_point_under_the_cursor(navigator: Navigator, steps: float) -> None:
    point = under(navigator, 620, 130)
    distance = navigator.pose.distance
    navigator.dolly(steps, 620, 130)
    np.testing.assert_allclose(project(seen(navigator), point), (620, 130), atol=1e-6)
    assert (navigator.pose.distance < distance) == (steps > 0)


def test_one_can_always_dolly_further_in_but_not_lose_the_scene(navigator: Navigator) -> None:
    for _ in range(100):
        navigator.dolly(1)
    assert navigator.pose.distance == pytest.approx(NEAREST * 2.0)
    before = seen(navigator)
    navigator.dolly(1)
    moved = seen(navigator).position - before.position
    assert moved @ before.forward > 0
    assert np.linalg.norm(np.cross(moved, before.forward)) < 1e-12
    for _ in range(500):
        navigator.dolly(-1)
    assert navigator.pose.distance == pytest.approx(100 * 2.0)


@pytest.mark.parametrize("size", [(800, 600), (300, 900), (1600, 400)])
def test_framing_fits_a_ball_tightly(navigator: Navigator, size: tuple[int, int]) -> None:
    navigator.resize(*size)
    navigator.orbit(100, 60)
    before = navigator.camera(*size)
    navigator.frame((5, 6, 7), 3.0)
    camera = navigator.camera(*size)
    assert turn(before, camera) < 1e-6
    distance = np.linalg.norm(camera.position - (5, 6, 7))
    edge = camera.K[0, 0] * 3.0 / np.sqrt(distance**2 - 9.0)
    assert 0.9 * min(size) / 2 < edge <= min(size) / 2


def test_a_new_pivot_comes_to_the_middle_without_turning_or_zooming(navigator: Navigator) -> None:
    before = seen(navigator)
    point = np.array([1.5, 2.5, 2.2])
    depth = (before.world_to_camera[:3, :3] @ point + before.world_to_camera[:3, 3])[2]
    navigator.set_pivot(point)
    np.testing.assert_allclose(project(seen(navigator), point), (WIDTH / 2, HEIGHT / 2), atol=1e-6)
    assert turn(before, seen(navigator)) < 1e-6
    assert navigator.pose.distance == pytest.approx(depth)
    navigator.set_pivot(seen(navigator).position - seen(navigator).forward)
    np.testing.assert_array_equal(navigator.pose.pivot, point)


def test_a_flight_begins_and_ends_where_it_should_and_turns_the_short_way() -> None:
    navigator = Navigator((0, 0, 1))
    navigator.orbit(-500, 0)
    start = navigator.pose
    navigator.orbit(1040, 30)
    end = navigator.pose
    navigator.pose = start.mix(end, 0.0)
    first = seen(navigator)
    navigator.pose = start
    np.testing.assert_allclose(first.world_to_camera, seen(navigator).world_to_camera, atol=1e-9)
    navigator.pose = start.mix(end, 1.0)
    last = seen(navigator)
    navigator.pose = end
    np.testing.assert_allclose(last.world_to_camera, seen(navigator).world_to_camera, atol=1e-9)
    steps = []
    for share in np.linspace(0, 1, 21):
        navigator.pose = start.mix(end, float(share))
        steps.append(seen(navigator))
    total = sum(turn(a, b) for a, b in pairwise(steps))
    assert total < 30


def test_changing_the_up_axis_keeps_a_camera_that_is_taken_over_again(
    navigator: Navigator,
) -> None:
    navigator.orbit(33, 21)
    before = seen(navigator)
    navigator.set_up((0.2, 1, 0.1))
    navigator.go_to(before)
    np.testing.assert_allclose(seen(navigator).world_to_camera, before.world_to_camera, atol=1e-9)


def test_the_default_field_of_view_is_of_the_smaller_side() -> None:
    camera = Navigator().camera(300, 900)
    assert 2 * degrees(atan(150 / camera.K[0, 0])) == pytest.approx(50)
    assert hypot(*camera.K[:2, 2]) == pytest.approx(hypot(150, 450))


def rays(camera: Camera) -> Matrix:
    """Viewing directions of the corners and the middle of a picture, ``(5, 3)``, of length 1."""
    w, h = camera.width, camera.height
    pixels = np.array([[0, 0, 1], [w, 0, 1], [w, h, 1], [0, h, 1], [w / 2, h / 2, 1.0]])
    directions = np.linalg.solve(camera.K, pixels.T).T
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def test_orthographic_rays_are_parallel_and_what_is_at_the_pivot_keeps_its_size(
    navigator: Navigator,
) -> None:
    navigator.orbit(40, 25)
    before, offset = seen(navigator), navigator.depth_offset
    point = under(navigator, 300, 200)
    navigator.orthographic = True
    after = navigator.camera(1600, 1000)
    directions = rays(after)
    assert np.linalg.norm(directions[:, :2], axis=1).max() < 0.002
    np.testing.assert_allclose(project(seen(navigator), point), (300, 200), atol=1e-6)
    assert turn(before, seen(navigator)) < 1e-6
    assert offset == 0
    far = np.linalg.norm(seen(navigator).position - navigator.pose.pivot)
    assert far == pytest.approx(navigator.pose.distance + navigator.depth_offset)
    deeper = point + before.forward * 1.5
    np.testing.assert_allclose(project(seen(navigator), deeper), (300, 200), atol=0.5)


def test_gestures_feel_the_same_in_an_orthographic_view(navigator: Navigator) -> None:
    navigator.orthographic = True
    navigator.orbit(30, 10)
    point = navigator.pose.pivot + navigator.rotation[0] * 0.4 - navigator.rotation[1] * 0.3
    at = project(seen(navigator), point)
    navigator.pan(57, -31)
    np.testing.assert_allclose(project(seen(navigator), point), at + np.array([57, -31]), atol=1e-6)
    at = project(seen(navigator), point)
    focal = seen(navigator).K[0, 0] / navigator.camera(WIDTH, HEIGHT).world_to_camera[2, 3]
    navigator.dolly(2, *at)
    np.testing.assert_allclose(project(seen(navigator), point), at, atol=1e-6)
    nearer = seen(navigator).K[0, 0] / seen(navigator).world_to_camera[2, 3]
    assert nearer / focal == pytest.approx(0.86**-2, rel=1e-3)
    distance = navigator.pose.distance
    navigator.set_pivot(np.add(navigator.pose.pivot, (0.3, 0.2, 0.5)))
    assert navigator.pose.distance == distance
    navigator.fly(0, 0, 0.5 * distance)
    assert navigator.pose.distance == pytest.approx(distance * np.exp(-0.5))


def test_a_datasets_camera_ends_the_orthographic_view(navigator: Navigator) -> None:
    navigator.orthographic = True
    camera = Camera(look_at((4, 0, 0), (0, 0, 0), (0, 0, 1)), intrinsics(40, 400, 300), 400, 300)
    navigator.go_to(camera)
    assert not navigator.orthographic
    np.testing.assert_allclose(seen(navigator).position, camera.position, atol=1e-9)


def test_looking_around_turns_about_the_eye(navigator: Navigator) -> None:
    before = seen(navigator)
    navigator.look(50, -20)
    after = seen(navigator)
    np.testing.assert_allclose(after.position, before.position, atol=1e-9)
    right, down, _ = before.world_to_camera[:3, :3]
    assert after.forward @ right > 0.1
    assert after.forward @ down < -0.05
    assert abs(after.world_to_camera[0, :3] @ (0, 0, 1)) < 1e-12


def test_flying_moves_eye_and_pivot_along_the_picture_and_the_up_axis(
    navigator: Navigator,
) -> None:
    navigator.orbit(20, 45)
    before = seen(navigator)
    right = before.world_to_camera[0, :3]
    navigator.fly(0.3, 0.7, 1.1)
    way = seen(navigator).position - before.position
    np.testing.assert_allclose(way, right * 0.3 + before.forward * 1.1 + (0, 0, 0.7), atol=1e-9)
    assert turn(before, seen(navigator)) < 1e-6


@pytest.mark.parametrize("direction", [*np.eye(3), *-np.eye(3)])
def test_axis_views_are_level_and_keep_the_pivot(navigator: Navigator, direction: Matrix) -> None:
    navigator.orbit(123, 45)
    pose = navigator.pose
    navigator.look_along(direction)
    camera = seen(navigator)
    np.testing.assert_allclose(camera.forward, direction, atol=1e-9)
    np.testing.assert_array_equal(navigator.pose.pivot, pose.pivot)
    assert navigator.pose.distance == pose.distance
    assert navigator.pose.roll == 0
    # The sides of the picture run along world axes, and up is not down.
    assert np.sort(np.abs(camera.world_to_camera[0, :3]))[:2].max() < 1e-9
    assert camera.world_to_camera[1, 2] <= 1e-9


def test_turning_the_up_axis_keeps_the_picture(navigator: Navigator) -> None:
    navigator.orbit(33, 21)
    before = seen(navigator)
    navigator.turn_up((1, 0, 0))
    np.testing.assert_allclose(navigator.up, (1, 0, 0))
    np.testing.assert_allclose(seen(navigator).world_to_camera, before.world_to_camera, atol=1e-9)


def test_something_tiny_can_be_framed_and_left_again(navigator: Navigator) -> None:
    navigator.frame((0, 0, 0), 1e-4)
    close = navigator.pose.distance
    assert close < NEAREST * navigator.radius
    navigator.dolly(1)
    assert navigator.pose.distance == close
    navigator.dolly(-1)
    assert close < navigator.pose.distance < 1.2 * close


@pytest.mark.parametrize(("side", "steps"), [(1.0, False), (3.4, True), (9.0, False)])
def test_it_steps_back_a_little_to_have_all_in_sight(
    navigator: Navigator, side: float, steps: bool
) -> None:
    before = navigator.pose
    middle = before.pivot + np.array([0.1, 0, 0])
    box = np.stack([middle - side / 2, middle + side / 2])
    navigator.step_back(box, 1.3)
    assert (navigator.pose.distance > before.distance) is steps
    assert navigator.pose.distance <= 1.3 * before.distance
    if steps:
        corners = np.array([project(seen(navigator), np.array(c)) for c in product(*box.T)])
        assert (corners >= 0).all()
        assert (corners <= (WIDTH, HEIGHT)).all()
    assert np.array_equal(navigator.pose.pivot, before.pivot)


@pytest.mark.parametrize("turned", [(0, 0), (150, -80), (-400, 200)])
@pytest.mark.parametrize("sides", [(4, 4, 0.1), (1, 6, 2), (1e-4, 1e-4, 1e-4)])
def test_a_framed_box_fills_the_picture_and_is_all_in_it(
    navigator: Navigator, turned: tuple[float, float], sides: tuple[float, float, float]
) -> None:
    navigator.orbit(*turned)
    before = seen(navigator).forward
    low = np.array([5.0, 6.0, 7.0])
    box = np.stack([low, low + sides])
    navigator.frame_box(box)
    camera = seen(navigator)
    corners = [project(camera, np.array(corner)) for corner in product(*box.T)]
    reach = np.abs(np.array(corners) / (WIDTH / 2, HEIGHT / 2) - 1).max()
    assert 0.85 < reach < 1
    assert np.allclose(camera.forward, before)
    assert np.allclose(navigator.pose.pivot, box.mean(axis=0))
