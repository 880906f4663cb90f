"""The demo scene, as shipped and as regenerated."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.datasets.cameras_json import read_cameras_json
from core.formats import load_scene
from core.rendering.render import render
from core.scene import GaussianScene
from resources import make_demo

RESOURCES = Path(make_demo.__file__).parent
DEMO = RESOURCES / "demo"
SMALL = 4000


@pytest.fixture(scope="module")
def shipped() -> GaussianScene:
    loaded = load_scene(DEMO / "demo.ply")
    assert loaded.repairs == ()
    return loaded.scene


@pytest.fixture(scope="module")
def small() -> GaussianScene:
    return make_demo.build_scene(SMALL)


def test_regenerating_is_deterministic(small: GaussianScene) -> None:
    again = make_demo.build_scene(SMALL)
    assert len(small) == SMALL
    for name, tensor in small.tensors().items():
        assert torch.equal(tensor, again.tensors()[name]), name
    assert not torch.equal(make_demo.build_scene(SMALL, seed=8).means, small.means)


def test_shares_of_floaters_and_duplicates(small: GaussianScene) -> None:
    faint = (small.opacities() < 0.11).float().mean().item()
    solid = (small.opacities() > 0.75).float().mean().item()
    assert make_demo.FLOATER_SHARE * 0.9 < faint < 0.25
    assert 0.5 < solid < 0.75


def test_shipped_scene_is_small_and_whole(shipped: GaussianScene) -> None:
    assert (DEMO / "demo.ply").stat().st_size < 5_000_000
    assert len(shipped) == make_demo.COUNT
    assert shipped.sh_degree == make_demo.SH_DEGREE
    assert shipped.means.norm(dim=1).max() < 2
    assert torch.allclose(shipped.quats.norm(dim=1), torch.ones(len(shipped)), atol=1e-5)


def test_up_is_minus_y(shipped: GaussianScene) -> None:
    reddest = shipped.base_colors() @ torch.tensor([1.0, -1.0, -1.0])
    apple = shipped.means[(reddest > 0.35) & (shipped.opacities() > 0.9)]
    table_top = make_demo.CENTRE[1]
    assert len(apple) > 100
    assert apple[:, 1].median() < table_top - 0.05


def test_shipped_cameras_are_those_of_the_program() -> None:
    assert (DEMO / "cameras.json").read_text() == make_demo.cameras_json(make_demo.build_cameras())
    views = read_cameras_json(DEMO / "cameras.json")
    assert len(views) == 40
    for view, made in zip(views, make_demo.build_cameras(), strict=True):
        assert (view.camera.width, view.camera.height) == make_demo.VIEW_SIZE
        assert np.allclose(view.camera.world_to_camera, made.world_to_camera, atol=1e-6)
        assert np.allclose(view.camera.K, made.K)


def test_every_camera_sees_the_still_life(shipped: GaussianScene) -> None:
    for view in read_cameras_json(DEMO / "cameras.json"):
        drawn = render(shipped, view.camera.scaled(0.25))
        solid = drawn.alpha > 0.95
        assert 0.15 < solid.float().mean() < 0.9, view.camera.name
        assert drawn.rgb[solid].std(dim=0).min() > 0.08, view.camera.name


def test_table_has_no_holes(shipped: GaussianScene) -> None:
    eye = make_demo.look_at((0, -4, 0), (0, 0, 0), (0, 0, 1))
    camera = make_demo.Camera(eye, make_demo.intrinsics(35, 200, 200), 200, 200)
    row, column = np.mgrid[:200, :200]
    radius = np.hypot(row + 0.5 - 100, column + 0.5 - 100) * (4 + 0.2) / camera.K[0, 0]
    inside = torch.from_numpy(radius < 0.95)
    assert render(shipped, camera).alpha[inside].min() > 0.97


def test_glossy_ball_changes_with_the_view(shipped: GaussianScene) -> None:
    centre = torch.tensor([0.66, make_demo.CENTRE[1] - 0.115, -0.42])
    ball = (shipped.means - centre).norm(dim=1) < 0.118
    table = shipped.means[:, 1] > make_demo.CENTRE[1] + 0.02
    change = shipped.sh[:, 1:].norm(dim=(1, 2))
    assert change[ball].median() > 2 * change[table].median()
