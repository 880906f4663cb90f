"""The Gaussians of a pixel, against the picture and against the float64 oracle."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.cameras import Camera, intrinsics, look_at
from core.rendering import render
from core.rendering.probe import Probe, probe
from core.scene import GaussianScene
from tests.core.test_scoring_sweep import make_scene
from tests.reference import MIN_ALPHA, NEAR, pixel_weights, project
from tests.synthetic import orbit_camera, surface_scene


@pytest.fixture(scope="module", params=[False, True], ids=["classic", "antialiased"])
def scene(request: pytest.FixtureRequest) -> GaussianScene:
    return surface_scene(4000, sh_degree=1, antialiased=request.param)


def some_pixels(camera: Camera, count: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(3)
    corners = [(0, 0), (camera.width - 1, camera.height - 1), (camera.width - 1, 0)]
    inside = zip(
        rng.integers(0, camera.width, count), rng.integers(0, camera.height, count), strict=True
    )
    return corners + [(int(x), int(y)) for x, y in inside]


def oracle(
    scene: GaussianScene, camera: Camera, x: int, y: int, visible: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices in depth order and their weights, of all that may be drawn, in float64."""
    tensors = {name: tensor.double() for name, tensor in scene.tensors().items()}
    means2d, inverse, z, opacities = project(tensors, camera, scene.antialiased)
    drawn = (z >= NEAR) & (opacities >= MIN_ALPHA)
    if visible is not None:
        drawn &= visible
    order = torch.argsort(z, stable=True)
    order = order[drawn[order]]
    pixel = torch.tensor([[x + 0.5, y + 0.5]], dtype=torch.float64)
    weights, _ = pixel_weights(pixel, means2d[order], inverse[order], opacities[order], 0.999)
    return order, weights[0]


def check(found: Probe) -> None:
    assert found.indices.dtype == np.int64
    assert len(found.indices) == len(set(found.indices.tolist())) == len(found.weights)
    assert (np.diff(found.depths) >= 0).all()
    assert (found.weights > 0).all()
    assert (found.alphas >= 0.999 / 255).all()
    before = np.concatenate([[1.0], np.cumprod(1 - found.alphas)[:-1]])
    if found.total == len(found.indices):
        np.testing.assert_allclose(found.weights, found.alphas * before, rtol=1e-4, atol=1e-6)
        assert found.weights.sum() == pytest.approx(found.coverage, abs=1e-5)


def test_weights_are_the_oracles(scene: GaussianScene) -> None:
    camera = orbit_camera(160, 120)
    seen = 0
    for x, y in some_pixels(camera, 25):
        found = probe(scene, camera, x, y, keep_at_most=10_000)
        check(found)
        order, weights = oracle(scene, camera, x, y)
        expected = np.zeros(len(scene))
        expected[order.numpy()] = weights.numpy()
        actual = np.zeros(len(scene))
        actual[found.indices] = found.weights
        # A Gaussian whose alpha is within rounding of the cut-off may be in one and not the other.
        flips = (expected > 0) != (actual > 0)
        assert flips.sum() <= 1
        np.testing.assert_allclose(
            actual[~flips], expected[~flips], atol=2e-5 + 0.005 * flips.any()
        )
        place = {int(index): at for at, index in enumerate(order)}
        places = [place[int(index)] for index in found.indices]
        assert places == sorted(places)
        seen += len(places)
    assert seen > 300


def test_a_pixel_adds_up_to_the_picture(scene: GaussianScene) -> None:
    camera = orbit_camera(333, 251)
    colors = torch.rand(len(scene), 3, generator=torch.Generator().manual_seed(0))
    picture = render(scene, camera, colors=colors, depth=True)
    assert picture.depth is not None
    for x, y in some_pixels(camera, 60):
        found = probe(scene, camera, x, y, keep_at_most=10_000)
        assert found.coverage == pytest.approx(float(picture.alpha[y, x]), abs=1e-6)
        blended = found.weights @ colors.double().numpy()[found.indices]
        np.testing.assert_allclose(blended, picture.rgb[y, x], atol=1e-5)
        if found.coverage > 0:
            depth = found.weights @ found.depths / found.weights.sum()
            assert depth == pytest.approx(float(picture.depth[y, x]), rel=1e-4)


def test_only_visible_ones_make_the_pixel(scene: GaussianScene) -> None:
    camera = orbit_camera(160, 120)
    first = probe(scene, camera, 80, 70)
    visible = torch.ones(len(scene), dtype=torch.bool)
    visible[first.indices[:3]] = False
    second = probe(scene, camera, 80, 70, visible)
    check(second)
    assert not set(second.indices) & set(first.indices[:3])
    alpha = render(scene, camera, keep=visible).alpha[70, 80]
    assert second.coverage == pytest.approx(float(alpha), abs=1e-6)
    nothing = probe(scene, camera, 80, 70, torch.zeros_like(visible))
    assert (nothing.total, nothing.coverage, len(nothing.indices)) == (0, 0.0, 0)


def test_the_heaviest_are_kept(scene: GaussianScene) -> None:
    camera = orbit_camera(160, 120)
    every = probe(scene, camera, 80, 70, keep_at_most=10_000)
    assert every.total == len(every.indices) > 8
    some = probe(scene, camera, 80, 70, keep_at_most=5)
    assert some.total == every.total
    assert some.coverage == every.coverage
    heaviest = set(every.indices[np.argsort(-every.weights)[:5]])
    assert set(some.indices) == heaviest
    assert (np.diff(some.depths) >= 0).all()


def test_a_solid_front_ends_the_ray() -> None:
    scene = make_scene(count=40, spread=0.1, opacity=(0.98, 0.995))
    camera = Camera(look_at((0, 0, -4), (0, 0, 0), (0, -1, 0)), intrinsics(50, 64, 64), 64, 64)
    found = probe(scene, camera, 32, 32)
    check(found)
    assert 1 <= found.total < 40
    assert found.coverage == pytest.approx(float(render(scene, camera).alpha[32, 32]), abs=1e-6)


def test_hostile_scenes_and_cameras_close_by() -> None:
    scene = make_scene(count=300, spread=2.0)
    means, logs = scene.means.clone(), scene.log_scales.clone()
    means[:5] = torch.tensor([np.nan, np.inf, -np.inf, 1e30, -1e30], dtype=torch.float32)[:, None]
    logs[5:9] = torch.tensor([np.nan, np.inf, 200.0, -200.0], dtype=torch.float32)[:, None]
    scene = replace(scene, means=means, log_scales=logs)
    for eye in ((0.2, 0.1, 0.0), (0.0, 0.0, -4.0), (1.0, -1.0, 1.0)):
        camera = Camera(look_at(eye, (0, 0, 3), (0, -1, 0)), intrinsics(100, 40, 30), 40, 30)
        alpha = render(scene, camera).alpha
        for x in range(0, 40, 3):
            for y in range(0, 30, 3):
                found = probe(scene, camera, x, y, keep_at_most=1000)
                assert found.coverage == pytest.approx(float(alpha[y, x]), abs=2e-6)


def test_pixels_outside_are_refused() -> None:
    scene, camera = make_scene(), orbit_camera(8, 6)
    for x, y in ((-1, 0), (8, 0), (0, 6)):
        with pytest.raises(ValueError, match="outside"):
            probe(scene, camera, x, y)
    empty = probe(scene.select(torch.zeros(10, dtype=torch.bool)), camera, 3, 3)
    assert empty.total == 0


@pytest.mark.gpu
def test_a_scene_on_the_gpu_is_probed_where_it_is() -> None:
    scene, camera = surface_scene(4000), orbit_camera(160, 120)
    here, there = probe(scene, camera, 80, 70), probe(scene.to("cuda"), camera, 80, 70)
    np.testing.assert_array_equal(here.indices, there.indices)
    np.testing.assert_array_equal(here.weights, there.weights)
