"""Rigs: what the cameras made around a scene look at, from where, and how often the same."""

import itertools

import numpy as np
import pytest
import torch

from core.cameras import Camera, Split, View, intrinsics, look_at
from core.rendering import render
from core.rigs import default_view, make_rig, scene_frame
from core.scene import SH_C0, GaussianScene

CENTER = np.array([5.0, 1.0, -2.0])
ROOM = np.array([3.0, 1.5, 4.0])
COUNT = 10


def gaussians(
    means: np.ndarray, sizes: np.ndarray | float = 0.05, opacities: np.ndarray | float = 0.95
) -> GaussianScene:
    """Round Gaussians of random colour."""
    n = len(means)
    colors = np.random.default_rng(0).random((n, 1, 3))
    opacity = np.broadcast_to(opacities, (n,))
    return GaussianScene(
        means=torch.tensor(means, dtype=torch.float32),
        log_scales=torch.tensor(np.log(np.broadcast_to(sizes, (n,))), dtype=torch.float32)[
            :, None
        ].repeat(1, 3),
        quats=torch.tensor([[1.0, 0, 0, 0]]).repeat(n, 1),
        opacity_logits=torch.tensor(np.log(opacity / (1 - opacity)), dtype=torch.float32),
        sh=torch.tensor((colors - 0.5) / SH_C0, dtype=torch.float32),
    )


def box(half: np.ndarray, count: int, center: tuple[float, ...] = (0, 0, 0)) -> np.ndarray:
    """Points evenly on the faces of a box."""
    random = np.random.default_rng(count)
    areas = np.repeat(half.prod() / half, 2)
    face = random.choice(6, count, p=areas / areas.sum())
    points = (2 * random.random((count, 3)) - 1) * half
    points[np.arange(count), face // 2] = np.where(face % 2, 1, -1) * half[face // 2]
    return points + center


def ball(count: int = 4000, radius: float = 1.0) -> np.ndarray:
    """Points evenly in a ball around ``CENTER``."""
    random = np.random.default_rng(1)
    directions = random.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return CENTER + radius * directions * random.random((count, 1)) ** (1 / 3)


@pytest.fixture(scope="module")
def object_scene() -> GaussianScene:
    return gaussians(ball())


@pytest.fixture(scope="module")
def littered_scene() -> GaussianScene:
    """The object with a tenth of far floaters, and some giants."""
    random = np.random.default_rng(2)
    core = ball()
    floaters = 40 * random.normal(size=(len(core) // 10, 3))
    giants = 10 * random.normal(size=(20, 3))
    sizes = np.repeat([0.05, 8.0], [len(core) + len(floaters), 20])
    opacities = np.repeat([0.95, 0.2], [len(core) + len(floaters), 20])
    return gaussians(np.concatenate([core, floaters, giants]), sizes, opacities)


@pytest.fixture(scope="module")
def room_scene() -> GaussianScene:
    """Four walls, floor and ceiling, with furniture."""
    parts = [
        box(ROOM, 12_000),
        box(np.array([0.8, 0.4, 0.5]), 2000, (1, 1.05, 1)),
        box(np.array([0.4, 0.9, 0.4]), 2000, (-2.2, 0.55, -3)),
        box(np.array([0.3, 0.5, 0.3]), 1500, (-1, 0.95, 2)),
    ]
    return gaussians(np.concatenate(parts), 0.07)


def looks_at_object(camera: Camera) -> bool:
    """Whether the object's centre is well within the picture, in front of the camera."""
    local = camera.world_to_camera[:3, :3] @ CENTER + camera.world_to_camera[:3, 3]
    if local[2] <= 0:
        return False
    x, y, _ = camera.K @ local / local[2]
    return 0 < x < camera.width and 0 < y < camera.height


class TestFrame:
    def test_center_and_radius_of_an_object(self, object_scene: GaussianScene) -> None:
        frame = scene_frame(object_scene)
        assert frame.center == pytest.approx(CENTER, abs=0.1)
        assert 1.0 < frame.radius < 1.8
        assert not frame.surrounded
        inside = (object_scene.means.numpy() > frame.box[0]) & (
            object_scene.means.numpy() < frame.box[1]
        )
        assert inside.all(axis=1).mean() > 0.88
        assert np.ptp(frame.box, axis=0).max() < 2.2 * frame.radius

    def test_floaters_and_giants_hardly_matter(self, littered_scene: GaussianScene) -> None:
        frame = scene_frame(littered_scene)
        assert frame.center == pytest.approx(CENTER, abs=0.2)
        assert 1.0 < frame.radius < 2.0

    def test_nearly_transparent_gaussians_do_not_matter(self) -> None:
        haze = CENTER + 3 * np.random.default_rng(3).normal(size=(8000, 3))
        opacities = np.repeat([0.9, 0.05], [4000, 8000])
        frame = scene_frame(gaussians(np.concatenate([ball(), haze]), 0.05, opacities))
        assert frame.radius < 1.8

    def test_surroundings_of_large_gaussians(self) -> None:
        random = np.random.default_rng(4)
        shell = random.normal(size=(1000, 3))
        shell = CENTER + 6 * shell / np.linalg.norm(shell, axis=1)[:, None]
        near = CENTER + 1.2 * random.normal(size=(3000, 3))
        sizes = np.repeat([0.05, 0.08, 0.6], [4000, 3000, 1000])
        frame = scene_frame(gaussians(np.concatenate([ball(), near, shell]), sizes))
        assert frame.surrounded
        assert frame.box is None
        assert frame.center == pytest.approx(CENTER, abs=0.3)
        assert frame.radius < 2

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_hardly_anything(self, count: int) -> None:
        frame = scene_frame(gaussians(np.ones((count, 3))))
        assert np.isfinite(frame.center).all()
        assert frame.radius > 0

    def test_not_a_number(self, object_scene: GaussianScene) -> None:
        means = object_scene.means.clone()
        means[::50] = torch.nan
        broken = GaussianScene(**{**object_scene.tensors(), "means": means})
        assert scene_frame(broken).center == pytest.approx(CENTER, abs=0.1)
        assert len(make_rig(broken, 4)) == 4


class TestObject:
    def test_all_cameras_look_at_it_from_outside(self, object_scene: GaussianScene) -> None:
        rig = make_rig(object_scene, COUNT)
        assert [camera.name for camera in rig] == [f"view_{i:03d}" for i in range(COUNT)]
        for camera in rig:
            assert (camera.width, camera.height) == (640, 360)
            assert looks_at_object(camera)
            assert np.linalg.norm(camera.position - CENTER) > 1.2

    def test_from_all_sides(self, object_scene: GaussianScene) -> None:
        offsets = np.array([camera.position - CENTER for camera in make_rig(object_scene, 16)])
        directions = offsets / np.linalg.norm(offsets, axis=1)[:, None]
        for axis in np.vstack([np.eye(3), -np.eye(3)]):
            assert (directions @ axis).max() > 0.5

    def test_in_spite_of_floaters_and_giants(self, littered_scene: GaussianScene) -> None:
        for camera in make_rig(littered_scene, COUNT):
            assert looks_at_object(camera)
            assert 1.2 < np.linalg.norm(camera.position - CENTER) < 8

    def test_the_same_every_time(self, object_scene: GaussianScene) -> None:
        for first, again in zip(make_rig(object_scene, 6), make_rig(object_scene, 6), strict=True):
            assert np.array_equal(first.world_to_camera, again.world_to_camera)
            assert first.name == again.name

    def test_another_phase_gives_other_places(self, object_scene: GaussianScene) -> None:
        positions = [
            camera.position
            for phase in (0.0, 0.5)
            for camera in make_rig(object_scene, 8, phase=phase)
        ]
        for a, b in itertools.combinations(positions, 2):
            assert np.linalg.norm(a - b) > 0.05

    def test_size_and_field_of_view(self, object_scene: GaussianScene) -> None:
        camera = make_rig(object_scene, 1, (100, 200), fov_y_deg=40)[0]
        assert np.allclose(camera.K, intrinsics(40, 100, 200))

    def test_nothing_opaque_before_the_lens(self) -> None:
        """A screen stands between the object and half of the places around it."""
        random = np.random.default_rng(5)
        screen = random.normal(size=(300, 3))
        screen = 2.2 * screen / np.linalg.norm(screen, axis=1)[:, None]
        screen = CENTER + screen[screen[:, 2] < -0.5]
        sizes = np.repeat([0.05, 0.3], [4000, len(screen)])
        scene = gaussians(np.concatenate([ball(), screen]), sizes)
        for camera in make_rig(scene, 16):
            picture = render(scene, camera.resized(64, 36), depth=True)
            assert picture.depth is not None
            distance = np.linalg.norm(camera.position - CENTER)
            assert picture.depth[picture.alpha > 0.5].median() > 0.35 * distance

    def test_scene_that_cannot_be_seen(self) -> None:
        assert len(make_rig(gaussians(ball(200), 0.05, 0.001), 3)) == 3

    def test_no_rig_of_nothing(self, object_scene: GaussianScene) -> None:
        with pytest.raises(ValueError, match="at least one camera"):
            make_rig(object_scene, 0)
        with pytest.raises(ValueError, match="something to look at"):
            make_rig(gaussians(np.empty((0, 3))))


class TestRoom:
    def test_cameras_stand_inside_and_see_it(self, room_scene: GaussianScene) -> None:
        rig = make_rig(room_scene, COUNT)
        inside = [camera for camera in rig if (np.abs(camera.position) < ROOM).all()]
        assert len(inside) >= 0.8 * COUNT
        for camera in inside:
            assert render(room_scene, camera.resized(64, 36)).alpha.mean() > 0.9
        for a, b in itertools.combinations(rig, 2):
            assert np.linalg.norm(a.position - b.position) > 1e-3

    def test_it_opens_on_the_inside(self, room_scene: GaussianScene) -> None:
        assert (np.abs(default_view(room_scene, (64, 36)).position) < ROOM).all()


class TestDefaultView:
    def test_three_quarters_from_above(self, object_scene: GaussianScene) -> None:
        camera = default_view(object_scene, (300, 200))
        assert (camera.width, camera.height) == (300, 200)
        assert looks_at_object(camera)
        assert camera.position[1] < CENTER[1]
        picture = render(object_scene, camera)
        assert 0.1 < float(picture.alpha.mean()) < 0.8

    def test_the_first_training_view(self, object_scene: GaussianScene) -> None:
        pose = look_at((0, 0, -9), (0, 0, 0), (0, -1, 0))
        K = intrinsics(40, 200, 100)
        views = [View(Camera(np.eye(4), K, 200, 100), split=Split.TEST)]
        views += [View(Camera(pose, K, 200, 100)), View(Camera(np.eye(4), K, 200, 100))]
        camera = default_view(object_scene, (200, 200), views)
        assert np.array_equal(camera.world_to_camera, pose)
        assert np.allclose(camera.K, [[K[0, 0], 0, 100], [0, K[1, 1], 100], [0, 0, 1]])

    def test_an_empty_scene(self) -> None:
        assert default_view(gaussians(np.empty((0, 3))), (8, 8)).width == 8
