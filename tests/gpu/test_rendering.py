"""The CUDA renderer against the CPU renderer, which stands against the float64 oracle."""

import pytest
import torch
from torch import Tensor

from core.rendering import Render, render
from core.scene import GaussianScene
from tests.synthetic import orbit_camera, surface_scene

pytestmark = pytest.mark.gpu

CAMERA = orbit_camera(200, 120)
BACKGROUND = (0.2, 0.5, 0.9)


def scene(antialiased: bool = False) -> GaussianScene:
    return surface_scene(3000, antialiased=antialiased)


def assert_same(ours: Render, cuda: Render) -> None:
    """Nearly all pixels agree closely; none by more than a few flips of the 1/255 threshold."""
    pairs = [(ours.rgb, cuda.rgb), (ours.alpha, cuda.alpha)]
    if ours.depth is not None:
        assert cuda.depth is not None
        pairs.append((ours.depth / 10, cuda.depth / 10))
    for a, b in pairs:
        assert b.is_cuda
        error = (a - b.detach().cpu()).abs()
        assert float((error < 1e-4).float().mean()) > 0.995
        assert float(error.max()) < 4 / 255


def both(source: GaussianScene, **options: object) -> tuple[Render, Render]:
    moved = {
        name: value.cuda() if isinstance(value, Tensor) else value
        for name, value in options.items()
    }
    return (
        render(source, CAMERA, background=BACKGROUND, depth=True, **options),
        render(source.to("cuda"), CAMERA, background=BACKGROUND, depth=True, **moved),
    )


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("degree", [0, 1, 3, 5])
def test_same_picture(antialiased: bool, degree: int) -> None:
    assert_same(*both(scene(antialiased), sh_degree=degree))


def test_same_picture_with_keep_and_colors() -> None:
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand(3000, generator=generator) < 0.5
    colors = torch.rand(3000, 4, generator=generator)
    assert_same(*both(scene(), keep=keep))
    assert_same(*both(scene(), colors=colors[:, :3].contiguous()))
    assert_same(*both(scene(), colors=colors, keep=keep))


def test_nothing_to_draw() -> None:
    nobody = torch.zeros(3000, dtype=torch.bool)
    ours, cuda = both(scene(), keep=nobody)
    assert_same(ours, cuda)
    assert not cuda.alpha.any()


@pytest.mark.parametrize("antialiased", [False, True])
def test_same_gradients(antialiased: bool) -> None:
    source = scene(antialiased)
    weights = torch.randn(120, 200, 5, generator=torch.Generator().manual_seed(0))
    keep = torch.arange(3000) % 4 > 0

    def gradients(device: str) -> dict[str, Tensor]:
        leaves = {
            name: tensor.to(device, copy=True).requires_grad_()
            for name, tensor in source.tensors().items()
        }
        means2d = torch.full((3000, 2), 9.0, device=device)
        result = render(
            GaussianScene(**leaves, antialiased=antialiased),
            CAMERA,
            background=BACKGROUND,
            keep=keep.to(device),
            depth=True,
            means2d_grad=means2d,
        )
        assert result.depth is not None
        stacked = torch.cat([result.rgb, result.alpha[..., None], result.depth[..., None]], -1)
        (stacked * weights.to(device)).sum().backward()
        grads = {name: leaf.grad.cpu() for name, leaf in leaves.items() if leaf.grad is not None}
        return {**grads, "means2d": means2d.cpu()}

    ours, cuda = gradients("cpu"), gradients("cuda")
    assert set(ours) == set(cuda)
    for name, reference in ours.items():
        assert float((cuda[name] - reference).norm() / reference.norm()) < 1e-2, name
    assert not cuda["means2d"][~keep].any()
