"""The demo scene with its photos and cameras, as shipped and as made again."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.cameras import View
from core.datasets import Dataset, DatasetKind, load_dataset, load_photo
from core.formats import find_scene, load_scene
from core.metrics import psnr
from core.rendering import render
from core.rigs import default_view
from core.scene import GaussianScene
from resources import demo_light, demo_photos, demo_shapes, make_demo

DEMO = Path(make_demo.__file__).parent / "demo"
Array = demo_shapes.Array
MAX_BYTES = 8_000_000
LEAST_PSNR = 27.0


@pytest.fixture(scope="module")
def scene() -> GaussianScene:
    loaded = load_scene(DEMO / "demo.ply")
    assert loaded.repairs == ()
    return loaded.scene


@pytest.fixture(scope="module")
def photos() -> Dataset:
    return load_dataset(DEMO)


@pytest.fixture(scope="module")
def tables() -> Array:
    return demo_shapes.outline_tables()


def picture_of(view: View) -> torch.Tensor:
    """The photo on black, ``(H, W, 3)``."""
    pixels = torch.from_numpy(np.array(load_photo(view))).float() / 255
    return pixels[..., :3] * pixels[..., 3:]


def test_what_is_shipped_is_small() -> None:
    files = [file for file in DEMO.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MAX_BYTES
    assert find_scene(DEMO) == DEMO / "demo.ply"
    assert "CC0" in (DEMO / "README.md").read_text()


def test_the_scene_is_whole(scene: GaussianScene) -> None:
    assert 20_000 <= len(scene) <= make_demo.MAX_COUNT
    assert scene.sh_degree == make_demo.SH_DEGREE
    assert all(torch.isfinite(tensor).all() for tensor in scene.tensors().values())
    assert scene.means.norm(dim=1).quantile(0.99) < 1.3


def test_cameras_and_photos_can_be_read(photos: Dataset) -> None:
    assert photos.kind == DatasetKind.TRANSFORMS
    assert photos.points is not None
    assert len(photos.points) == demo_photos.POINTS
    made = demo_photos.photo_cameras()
    assert len(photos.views) == len(made)
    for view, camera in zip(photos.views, made, strict=True):
        assert np.allclose(view.camera.world_to_camera, camera.world_to_camera, atol=1e-6)
        assert np.allclose(view.camera.K, camera.K, atol=1e-4)
        assert view.photo is not None
        assert load_photo(view).shape == (*demo_photos.SIZE[::-1], 4)
        assert view.photo.suffix == ".webp"


def test_held_out_views_are_from_all_rings(photos: Dataset) -> None:
    heights = {round(float(view.camera.position[1]), 1) for view in photos.test}
    assert len(photos.test) == len(photos.views) // 8
    assert len(heights) >= 4


def test_the_scene_shows_what_held_out_photos_show(scene: GaussianScene, photos: Dataset) -> None:
    values = [
        float(psnr(render(scene, view.camera).rgb.clamp(0, 1), picture_of(view)))
        for view in photos.test
    ]
    assert np.mean(values) > LEAST_PSNR, values


def test_the_scene_is_as_opaque_as_the_photos(scene: GaussianScene, photos: Dataset) -> None:
    for view in photos.test[::2]:
        alpha = torch.from_numpy(np.array(load_photo(view)))[..., 3].float() / 255
        assert (render(scene, view.camera).alpha - alpha).abs().mean() < 0.02, view.name


def test_it_opens_on_the_front_with_up_being_minus_y(scene: GaussianScene, photos: Dataset) -> None:
    assert photos.up @ np.array([0.0, -1.0, 0.0]) > 0.9
    camera = default_view(scene, (1280, 720), photos.views)
    assert np.allclose(camera.position, demo_photos.photo_cameras()[1].position, atol=1e-6)
    covered = render(scene, camera.scaled(0.25)).alpha > 0.5
    assert 0.2 < covered.float().mean() < 0.8
    assert not covered[:, :4].any()
    assert not covered[:, -4:].any()


def test_points_lie_on_the_model(photos: Dataset, tables: Array) -> None:
    assert photos.points is not None
    spots = photos.points[::60].astype(np.float64) @ demo_photos.MODEL_TO_WORLD.T
    for x, y, z in spots + demo_light.CENTRE:
        assert abs(demo_shapes.distance(x, y, z, tables)[0]) < 0.002


def test_photos_are_opaque_where_rays_meet_the_model(photos: Dataset, tables: Array) -> None:
    camera, alpha = photos.views[1].camera, load_photo(photos.views[1])[..., 3]
    eye = demo_photos.MODEL_TO_WORLD @ camera.position + demo_light.CENTRE
    to_model = demo_photos.MODEL_TO_WORLD @ camera.camera_to_world[:3, :3]
    met = {0: 0, 255: 0}
    for row, column in np.ndindex(16, 20):
        u, v = column * 25 + 13, row * 23 + 14
        ray = to_model @ np.linalg.inv(camera.K) @ (u + 0.5, v + 0.5, 1)
        if alpha[v - 1 : v + 2, u - 1 : u + 2].std() == 0:
            nearest = nearest_miss(eye, ray / np.linalg.norm(ray), tables)
            assert (nearest < 0.001) == (alpha[v, u] == 255), (u, v)
            met[int(alpha[v, u])] += 1
    assert min(met.values()) > 80


def nearest_miss(eye: Array, ray: Array, tables: Array) -> float:
    """How near a ray comes to the model."""
    t, nearest = 1.0, 9.0
    while nearest > 0.001 and t < 6:
        d = demo_shapes.distance(*(eye + t * ray), tables)[0]
        nearest, t = min(nearest, d), t + max(d, 0.001)
    return nearest


def test_outlines_become_distances(tables: Array) -> None:
    candle, jug = (demo_shapes.TABLED.index(k) for k in (demo_shapes.WAX, demo_shapes.JUG))
    for radius in (0.0, 0.02, 0.05):
        expected = pytest.approx(radius - 0.0335, abs=0.001)
        assert demo_shapes.revolved(tables, candle, radius, 0.55) == expected
    assert 0.2 < demo_shapes.revolved(tables, candle, 0.3, 0.55) < 0.3 - 0.0335  # never too far
    assert demo_shapes.revolved(tables, jug, 0.0, 0.5) > 0.1  # it is hollow
    assert demo_shapes.revolved(tables, jug, 0.0, 0.02) < 0
