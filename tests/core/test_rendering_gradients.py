"""Gradients of the CPU renderer against autograd through the oracle, and against differences."""

import numpy as np
import pytest
import torch
from torch import Tensor

from core.cameras import Camera, intrinsics, look_at
from core.rendering import render
from core.scene import GaussianScene
from tests.core.test_rendering import camera, random_scene
from tests.reference import render_reference
from tests.synthetic import orbit_camera, surface_scene

BACKGROUND = (0.3, 0.6, 0.1)


def gradients(
    scene: GaussianScene,
    view: Camera,
    *,
    seed: int = 0,
    with_depth: bool = False,
    colors: Tensor | None = None,
    **options: object,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Ours and the oracle's gradients of a random linear function of rgb, alpha (and depth)."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(view.height, view.width, 5, generator=generator)

    def loss(rgb: Tensor, alpha: Tensor, depth: Tensor | None) -> Tensor:
        value = (weights[..., :3] * rgb).sum() + (weights[..., 3] * alpha).sum()
        if with_depth and depth is not None:
            value = value + (weights[..., 4] * depth).sum()
        return value

    def leaves(dtype: torch.dtype) -> tuple[dict[str, Tensor], Tensor | None]:
        tensors = {
            name: tensor.detach().to(dtype).requires_grad_()
            for name, tensor in scene.tensors().items()
        }
        return tensors, None if colors is None else colors.detach().to(dtype).requires_grad_()

    ours, our_colors = leaves(torch.float32)
    means2d = torch.full((len(scene), 2), 7.0)
    result = render(
        GaussianScene(**ours, antialiased=scene.antialiased),
        view,
        background=BACKGROUND,
        colors=our_colors,
        depth=with_depth,
        means2d_grad=means2d,
        **options,
    )
    loss(result.rgb, result.alpha, result.depth).backward()

    exact, exact_colors = leaves(torch.float64)
    offset = torch.zeros(len(scene), 2, dtype=torch.float64, requires_grad=True)
    loss(
        *render_reference(
            exact,
            view,
            background=BACKGROUND,
            antialiased=scene.antialiased,
            colors=exact_colors,
            means2d_offset=offset,
            **options,
        )
    ).backward()

    def grads(tensors: dict[str, Tensor], colors: Tensor | None) -> dict[str, Tensor]:
        named = {**tensors} if colors is None else {**tensors, "colors": colors}
        return {
            name: torch.zeros_like(t) if t.grad is None else t.grad for name, t in named.items()
        }

    ours_grads, exact_grads = grads(ours, our_colors), grads(exact, exact_colors)
    ours_grads["means2d"] = means2d
    assert offset.grad is not None
    exact_grads["means2d"] = offset.grad
    return ours_grads, exact_grads


def assert_close(
    ours: dict[str, Tensor], exact: dict[str, Tensor], tolerance: float = 5e-5
) -> None:
    for name, reference in exact.items():
        scale = float(reference.norm())
        if scale == 0:
            assert not ours[name].any(), name
        else:
            assert float((ours[name] - reference).norm()) / scale < tolerance, name


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_every_parameter(degree: int) -> None:
    ours, exact = gradients(random_scene(150, degree, seed=degree), camera())
    assert_close(ours, exact)
    assert all(float(g.norm()) > 0 for g in exact.values())


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("with_depth", [False, True])
def test_surfaces(antialiased: bool, with_depth: bool) -> None:
    scene = surface_scene(400, antialiased=antialiased)
    assert_close(*gradients(scene, orbit_camera(61, 43), with_depth=with_depth))


@pytest.mark.parametrize("channels", [3, 4])
def test_colors(channels: int) -> None:
    colors = torch.rand(120, channels, generator=torch.Generator().manual_seed(1))
    ours, exact = gradients(random_scene(120, 2, seed=11), camera(), colors=colors)
    assert_close(ours, exact)
    assert float(exact["colors"].norm()) > 0


def test_sh_degree_limit_and_keep() -> None:
    scene = random_scene(120, 3, seed=12)
    keep = torch.arange(120) % 2 == 0
    ours, exact = gradients(scene, camera(), sh_degree=1, keep=keep)
    assert_close(ours, exact)
    assert not ours["sh"][:, 4:].any()
    assert not ours["means"][~keep].any()
    assert not ours["means2d"][~keep].any()


@pytest.mark.parametrize("antialiased", [False, True])
def test_needles(antialiased: bool) -> None:
    scene = random_scene(80, seed=4)
    log_scales = scene.log_scales.clone()
    log_scales[:, 0] = -0.5
    log_scales[:, 1:] = -6.9
    tensors = {**scene.tensors(), "log_scales": log_scales}
    scene = GaussianScene(**tensors, antialiased=antialiased)
    assert_close(*gradients(scene, camera(90, 70)), tolerance=2e-4)


def test_slopes_clamped_beside_the_picture() -> None:
    """Wide Gaussians around the camera: many lie beyond the bounds of the Jacobian's slopes."""
    scene = random_scene(150, seed=13, size=0.5)
    assert_close(*gradients(scene, camera(distance=0.5)), tolerance=2e-4)


def test_clamped_alpha_gives_no_gradient_and_ended_rays_neither() -> None:
    """Three opaque Gaussians in a row: the first is clamped, the last is never reached."""
    scene = GaussianScene(
        means=torch.tensor([[0.0, 0, 2], [0, 0, 3], [0, 0, 4]]),
        log_scales=torch.full((3, 3), 6.0),
        quats=torch.tensor([[1.0, 0, 0, 0]]).repeat(3, 1),
        opacity_logits=torch.tensor([12.0, 2.0, 12.0]),
        sh=torch.tensor([0.3, -0.4, 0.7]).reshape(3, 1, 1).repeat(1, 1, 3),
    )
    view = Camera(np.eye(4), intrinsics(60, 24, 24), 24, 24)
    ours, exact = gradients(scene, view)
    assert not ours["opacity_logits"][0]
    assert ours["opacity_logits"][1]
    assert not ours["sh"][2].any()
    assert_close(ours, exact, tolerance=2e-3)


def test_finite_differences() -> None:
    """The oracle's own gradient is what differences of the oracle say, and so is ours."""
    scene = random_scene(12, 2, seed=3, size=0.4)
    view = camera(24, 20)
    ours, _ = gradients(scene, view)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(20, 24, 5, generator=generator).double()
    rng = np.random.default_rng(0)

    def loss(tensors: dict[str, Tensor]) -> float:
        rgb, alpha, _ = render_reference(tensors, view, background=BACKGROUND)
        return float((weights[..., :3] * rgb).sum() + (weights[..., 3] * alpha).sum())

    step = 1e-7
    for name, tensor in scene.tensors().items():
        direction = torch.from_numpy(rng.standard_normal(tensor.shape))
        base = {key: t.double() for key, t in scene.tensors().items()}
        up = loss({**base, name: base[name] + step * direction})
        down = loss({**base, name: base[name] - step * direction})
        slope = float((ours[name] * direction).sum())
        assert slope == pytest.approx((up - down) / (2 * step), rel=2e-3, abs=1e-3), name


def test_two_frames_before_the_first_backward() -> None:
    """Each graph owns its frame: a later frame does not disturb an earlier gradient."""
    scene = random_scene(100, seed=14)
    leaves = {name: t.clone().requires_grad_() for name, t in scene.tensors().items()}
    expected = torch.autograd.grad(
        render(GaussianScene(**leaves), camera()).rgb.sum(), leaves["means"]
    )[0]
    first = render(GaussianScene(**leaves), camera())
    second = render(GaussianScene(**leaves), camera(90, 90))
    second.rgb.sum().backward()
    gradient = torch.autograd.grad(first.rgb.sum(), leaves["means"])[0]
    assert torch.equal(gradient, expected)


def test_backward_twice_with_retained_graph() -> None:
    leaves = {n: t.clone().requires_grad_() for n, t in random_scene(50).tensors().items()}
    loss = render(GaussianScene(**leaves), camera()).rgb.square().sum()
    once = torch.autograd.grad(loss, leaves["sh"], retain_graph=True)[0]
    again = torch.autograd.grad(loss, leaves["sh"])[0]
    assert torch.equal(once, again)


def test_overwritten_picture_is_noticed() -> None:
    leaves = {n: t.clone().requires_grad_() for n, t in random_scene(50).tensors().items()}
    rgb = render(GaussianScene(**leaves), camera()).rgb
    loss = rgb.square().sum()
    rgb.detach().mul_(0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_no_graph_without_need() -> None:
    leaves = {n: t.clone().requires_grad_() for n, t in random_scene(20).tensors().items()}
    with torch.no_grad():
        assert not render(GaussianScene(**leaves), camera()).rgb.requires_grad
    assert not render(random_scene(20), camera()).rgb.requires_grad


def test_descent_fits_a_picture() -> None:
    target = render(random_scene(60, seed=20, size=0.3), camera()).rgb
    leaves = {
        n: t.clone().requires_grad_()
        for n, t in random_scene(60, seed=21, size=0.3).tensors().items()
    }
    errors = []
    for _ in range(60):
        error = (render(GaussianScene(**leaves), camera()).rgb - target).square().mean()
        steps = torch.autograd.grad(error, list(leaves.values()))
        with torch.no_grad():
            for leaf, gradient in zip(leaves.values(), steps, strict=True):
                leaf -= 0.02 * gradient.sign()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.25 * errors[0]


def test_look_at_camera_with_offset_principal_point() -> None:
    K = np.array([[40.0, 0, 30], [0, 55.0, 8], [0, 0, 1]])
    view = Camera(look_at((1.0, -2, -3), (0, 0, 0), (0, -1, 0)), K, 41, 29)
    assert_close(*gradients(random_scene(100, 1, seed=15), view))
