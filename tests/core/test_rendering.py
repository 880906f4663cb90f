"""The CPU renderer against the dense float64 oracle, and its behaviour at the edges."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from core.cameras import Camera, intrinsics, look_at
from core.errors import UserError
from core.rendering import Render, render, warm_up
from core.rendering.cpu import common, renderer
from core.rendering.cpu.binning import depth_order
from core.scene import GaussianScene
from tests.reference import render_reference
from tests.synthetic import orbit_camera, surface_scene

BACKGROUND = (0.2, 0.5, 0.9)
FLIP = 1.05 / 255
"""How far a pixel moves when one alpha falls on the other side of the 1/255 threshold."""


def random_scene(
    count: int, sh_degree: int = 1, seed: int = 0, size: float = 0.15
) -> GaussianScene:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sh = 0.2 * normal(count, (sh_degree + 1) ** 2, 3)
    sh[:, 0] *= 4
    return GaussianScene(
        means=normal(count, 3),
        log_scales=np.log(size) + 0.6 * normal(count, 3),
        quats=normal(count, 4),
        opacity_logits=2 * normal(count),
        sh=sh,
    )


def camera(width: int = 45, height: int = 37, distance: float = 4.0) -> Camera:
    transform = look_at((0.3, -0.4, -distance), (0.1, 0, 0), (0, -1, 0))
    return Camera(transform, intrinsics(60, width, height), width, height)


def one(
    mean: tuple[float, float, float] = (0, 0, 0), scale: float = 0.3, logit: float = 2.0
) -> GaussianScene:
    return GaussianScene(
        means=torch.tensor([mean], dtype=torch.float32),
        log_scales=torch.full((1, 3), float(np.log(scale))),
        quats=torch.tensor([[1.0, 0, 0, 0]]),
        opacity_logits=torch.tensor([logit]),
        sh=torch.full((1, 1, 3), 0.5),
    )


def assert_matches(
    scene: GaussianScene, view: Camera, tolerance: float = 2e-6, flips: int = 0, **options: object
) -> Render:
    """Compare rgb, alpha and depth with the oracle; up to ``flips`` pixels may be off by a flip."""
    result = render(scene, view, background=BACKGROUND, depth=True, **options)
    reference = render_reference(
        scene.tensors(), view, background=BACKGROUND, antialiased=scene.antialiased, **options
    )
    assert result.depth is not None
    rgb_error = (result.rgb - reference[0]).abs().amax(-1)
    alpha_error = (result.alpha - reference[1]).abs()
    depth_error = (result.depth - reference[2]).abs() / reference[2].clamp_min(1)
    bad = (rgb_error > tolerance) | (alpha_error > tolerance) | (depth_error > 10 * tolerance)
    assert int(bad.sum()) <= flips
    assert float(alpha_error.max()) < FLIP
    return result


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_matches_the_oracle(degree: int) -> None:
    result = assert_matches(random_scene(200, degree, seed=degree), camera())
    assert 0.2 < float(result.alpha.mean()) < 0.99


@pytest.mark.parametrize("antialiased", [False, True])
def test_matches_the_oracle_on_surfaces(antialiased: bool) -> None:
    scene = surface_scene(600, antialiased=antialiased)
    assert_matches(scene, orbit_camera(61, 43), flips=1)


def test_antialiased_dims_small_gaussians() -> None:
    small = one(scale=0.005)
    plain = render(small, camera())
    faded = render(GaussianScene(**small.tensors(), antialiased=True), camera())
    assert float(faded.alpha.max()) < 0.2 * float(plain.alpha.max())


@pytest.mark.parametrize("width", [1, 15, 16, 17, 33])
@pytest.mark.parametrize("height", [1, 16, 31])
def test_any_size(width: int, height: int) -> None:
    assert_matches(random_scene(60), camera(width, height))


def test_near_opaque_gaussians_end_rays() -> None:
    scene = random_scene(150, size=0.4)
    scene = GaussianScene(**{**scene.tensors(), "opacity_logits": torch.full((150,), 9.0)})
    result = assert_matches(scene, camera())
    assert float(result.alpha.max()) > 0.999


def test_needles() -> None:
    scene = random_scene(150, seed=4)
    log_scales = scene.log_scales.clone()
    log_scales[:, 0] = -0.5
    log_scales[:, 1:] = -6.9
    scene = GaussianScene(**{**scene.tensors(), "log_scales": log_scales})
    assert_matches(scene, camera(160, 120), tolerance=5e-5, flips=3)


def test_huge_and_tiny_gaussians() -> None:
    scene = random_scene(120, seed=5)
    log_scales = scene.log_scales.clone()
    log_scales[:10] = 4.0
    log_scales[10:60] = -12.0
    scene = GaussianScene(**{**scene.tensors(), "log_scales": log_scales})
    assert_matches(scene, camera(), tolerance=1e-5, flips=1)


def test_inside_the_scene() -> None:
    """Gaussians behind, beside and very near the camera; far off-screen slopes are clamped."""
    scene = random_scene(400, seed=6)
    assert_matches(scene, camera(distance=0.3), tolerance=1e-5, flips=2)


def test_off_screen_and_behind_draw_nothing() -> None:
    for mean in [(50.0, 0, 0), (0, 0, -9.0), (0, 0, -4.2), (0, 0, 1e11)]:
        result = render(one(mean), camera(), background=BACKGROUND, depth=True)
        assert result.depth is not None
        assert not result.alpha.any()
        assert not result.depth.any()
        assert torch.equal(result.rgb[3, 5], torch.tensor(BACKGROUND))


def test_no_gaussians() -> None:
    result = render(random_scene(3).select(torch.zeros(3, dtype=torch.bool)), camera(), depth=True)
    assert result.rgb.shape == (37, 45, 3)
    assert not result.rgb.any()
    assert not result.alpha.any()


def test_pixel_centres_and_orientation() -> None:
    """A dot lies where the camera equation puts it, x right, y down."""
    view = Camera(np.eye(4), intrinsics(60, 40, 30), 40, 30)
    x, y, z = 0.4, 0.25, 2.0
    result = render(one((x, y, z), scale=1e-4), view)
    u, v, w = view.K @ (x, y, z)
    row, column = divmod(int(result.alpha.argmax()), 40)
    assert abs(column + 0.5 - u / w) <= 0.5
    assert abs(row + 0.5 - v / w) <= 0.5


def test_keep_is_the_same_as_selecting() -> None:
    scene = random_scene(300, seed=7)
    keep = torch.arange(300) % 3 == 0
    kept = render(scene, camera(), keep=keep, depth=True)
    selected = render(scene.select(keep), camera(), depth=True)
    assert torch.equal(kept.rgb, selected.rgb)
    assert torch.equal(kept.alpha, selected.alpha)
    assert not torch.equal(kept.rgb, render(scene, camera()).rgb)


def test_colors_replace_or_mix() -> None:
    scene = random_scene(150, degree := 2, seed=8)
    colors = torch.rand(150, 4, generator=torch.Generator().manual_seed(0))
    assert_matches(scene, camera(), colors=colors[:, :3])
    assert_matches(scene, camera(), colors=colors)
    own = render(scene, camera())
    colors[:, 3] = 0
    assert torch.equal(render(scene, camera(), colors=colors).rgb, own.rgb)
    colors[:, 3] = 1
    replaced = render(scene, camera(), colors=colors[:, :3].contiguous()).rgb
    assert torch.allclose(render(scene, camera(), colors=colors).rgb, replaced, atol=1e-6)
    assert scene.sh_degree == degree


def test_sh_degree_is_limited() -> None:
    scene = random_scene(150, 3, seed=9)
    for degree in range(4):
        assert_matches(scene, camera(), sh_degree=degree)
    assert torch.equal(
        render(scene, camera(), sh_degree=7).rgb, render(scene, camera(), sh_degree=3).rgb
    )


def test_depth_is_the_distance_along_the_axis() -> None:
    view = Camera(np.eye(4), intrinsics(60, 20, 20), 20, 20)
    result = render(one((0.0, 0.0, 3.0)), view, depth=True)
    assert result.depth is not None
    seen = result.alpha > 0
    assert torch.allclose(result.depth[seen], torch.tensor(3.0))
    assert render(one((0.0, 0.0, 3.0)), view).depth is None


def test_scene_is_not_copied_and_not_written_to() -> None:
    scene = random_scene(50, 3)
    before = {name: tensor.clone() for name, tensor in scene.tensors().items()}
    gaussians = renderer.gaussians_of(scene)
    assert gaussians.sh.ctypes.data == scene.sh.data_ptr()
    render(scene, camera(), colors=torch.rand(50, 4), depth=True)
    for name, tensor in scene.tensors().items():
        assert torch.equal(tensor, before[name])


@pytest.fixture
def _restore_threads() -> object:
    count = common.workers().count
    yield
    common.set_num_threads(count)


@pytest.mark.usefixtures("_restore_threads")
def test_thread_count_changes_no_bit() -> None:
    scene = surface_scene(4000)
    results = []
    for threads in (1, 2, 3):
        common.set_num_threads(threads)
        leaves = {name: t.clone().requires_grad_() for name, t in scene.tensors().items()}
        result = render(GaussianScene(**leaves), orbit_camera(150, 100), depth=True)
        (result.rgb.square().sum() + result.alpha.sum() + result.depth.sum()).backward()
        results.append([result.rgb, result.alpha, result.depth, *(t.grad for t in leaves.values())])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.usefixtures("_restore_threads")
def test_concurrent_renders_do_not_disturb_each_other() -> None:
    scenes = [random_scene(500, seed=seed) for seed in range(4)]
    expected = [render(scene, camera(64, 64)).rgb for scene in scenes]
    barrier = threading.Barrier(4)

    def loop(index: int) -> bool:
        barrier.wait()
        for turn in range(15):
            if index == 0:
                common.set_num_threads(1 + turn % 3)
            if not torch.equal(render(scenes[index], camera(64, 64)).rgb, expected[index]):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(loop, range(4)))


@pytest.mark.parametrize("seed", range(12))
def test_hostile_values_are_skipped(seed: int) -> None:
    """Gaussians with values that are not finite vanish; extreme ones do no harm; the rest stays."""
    rng = np.random.default_rng(seed)
    scene = random_scene(120, 3, seed=seed)
    poison = [np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-38, 3e18, -3e18]
    hit = np.zeros(120, bool)
    tensors = {name: t.clone() for name, t in scene.tensors().items()}
    for tensor in tensors.values():
        flat = tensor.view(120, -1).numpy()
        for i in rng.integers(0, 120, 12):
            flat[i, rng.integers(flat.shape[1])] = rng.choice(poison)
            hit[i] = True
    colors = torch.rand(120, 4)
    colors[int(rng.integers(120)), 3] = float("nan")
    leaves = {name: t.requires_grad_() for name, t in tensors.items()}
    view = camera(50, 40, distance=1.0)
    for options in ({}, {"colors": colors}):
        result = render(GaussianScene(**leaves, antialiased=seed % 2 == 1), view, **options)
        assert torch.isfinite(result.rgb).all()
        assert torch.isfinite(result.alpha).all()
        result.rgb.sum().backward()
    nan_only = {name: t.detach().clone() for name, t in scene.tensors().items()}
    nan_only["means"][hit] = float("nan")
    clean = render(scene, view, keep=torch.from_numpy(~hit))
    assert torch.equal(render(GaussianScene(**nan_only), view).rgb, clean.rgb)


def test_zero_quaternion_is_skipped() -> None:
    scene = one()
    empty = GaussianScene(**{**scene.tensors(), "quats": torch.zeros(1, 4)})
    assert not render(empty, camera()).alpha.any()


def test_too_many_pairs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "_MAX_PAIRS", 5)
    with pytest.raises(UserError, match="too large"):
        render(one(scale=3.0), camera(200, 200))


def test_wrong_arguments_are_refused() -> None:
    scene = random_scene(10)
    for options in (
        {"keep": torch.ones(9, dtype=torch.bool)},
        {"keep": torch.ones(10)},
        {"colors": torch.ones(10, 2)},
        {"colors": torch.ones(10, 3, dtype=torch.float64)},
        {"means2d_grad": torch.zeros(10, 3)},
        {"sh_degree": -1},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            render(scene, camera(), **options)


def test_exp2_is_accurate() -> None:
    x = np.linspace(-8, 0, 4001).astype(np.float32)
    error = [abs(common.exp2(v) / 2.0 ** float(v) - 1) for v in x]
    assert max(error) < 2.5e-6


def test_depth_order_is_stable() -> None:
    depth = np.random.default_rng(0).choice(
        np.array([-1, 1e-3, 0.5, 0.75, 3, 1e6], np.float32), 5000
    )
    visible = np.flatnonzero(depth > 0)
    expected = visible[np.argsort(depth[visible], kind="stable")]
    assert np.array_equal(depth_order(depth), expected)


def test_workspaces_are_reused_once_a_frame_is_dropped() -> None:
    gaussians = renderer.gaussians_of(random_scene(50))
    first = renderer.rasterize(gaussians, camera())
    second = renderer.rasterize(gaussians, camera())
    assert first.workspace is not second.workspace
    freed = first.workspace
    del first
    assert renderer.rasterize(gaussians, camera()).workspace is freed


def test_warm_up() -> None:
    warm_up()
