"""The splatter of training against its own derivatives and the scene rasterizer."""

import pytest
import torch

from core.gmae.config import Projection
from core.gmae.gaussians import Gaussians, activate
from core.gmae.splatting import pictures, scene_camera, scene_of, splat
from core.rendering import render

TOLERANCE = 2e-4


def some_gaussians(count: int, batch: int = 1, spread: float = 2.0, seed: int = 0) -> Gaussians:
    generator = torch.Generator().manual_seed(seed)
    outputs = spread * torch.randn(batch, count, 14, generator=generator)
    return activate(outputs, 1.0)


@pytest.mark.parametrize("projection", Projection)
def test_gradients_are_those_of_finite_differences(projection: Projection) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = 0.5 * torch.randn(2, 3, 14, generator=generator, dtype=torch.float64)
    outputs.requires_grad_()
    pixels = torch.tensor([27, 36, 44])

    def picture(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return splat(activate(numbers, 4.0), projection, 8, pixels)

    assert torch.autograd.gradcheck(picture, (outputs,))


@pytest.mark.parametrize("projection", Projection)
@pytest.mark.parametrize("size", [64, 224])
def test_a_scene_of_the_gaussians_renders_the_same(projection: Projection, size: int) -> None:
    gaussians = some_gaussians(192, batch=2)
    own = pictures(gaussians, projection, size)[1]
    for exaggeration in (1.0, 4.0):
        scene = scene_of(gaussians, projection, size, 1, exaggeration)
        drawn = render(scene, scene_camera(size), background=(1.0, 1.0, 1.0)).rgb
        apart = (own - drawn).abs().amax(-1)
        # one pixel in thousands lies where rounding decides on the cut-off
        assert apart.max() < 1 / 255
        assert (apart > TOLERANCE).float().mean() < 5e-4
        assert drawn.std() > 0.05


def test_order_decides_and_number_does_not() -> None:
    gaussians = some_gaussians(30)
    turn = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    turned = Gaussians(
        gaussians.means[:, turn],
        gaussians.scales[:, turn],
        gaussians.quats[:, turn],
        gaussians.colors[:, turn],
        gaussians.opacities[:, turn],
    )
    own = pictures(gaussians, Projection.ORTHO, 16)
    assert torch.allclose(own, pictures(turned, Projection.ORTHO, 16), atol=1e-5)
    back = gaussians.means[..., 2].argsort(-1, descending=True)
    reversed_ = splat(gaussians, Projection.ORTHO, 16, order=back)[0]
    assert not torch.allclose(own.reshape(1, -1, 3), reversed_, atol=0.05)


def test_chosen_pixels_are_those_of_the_picture() -> None:
    gaussians = some_gaussians(20, batch=2)
    pixels = torch.tensor([[3, 40, 255], [0, 17, 90]])
    some, left = splat(gaussians, Projection.PINHOLE, 16, pixels)
    whole = pictures(gaussians, Projection.PINHOLE, 16).reshape(2, 256, 3)
    expected = whole.gather(1, pixels.unsqueeze(-1).expand(-1, -1, 3))
    assert torch.allclose(some, expected, atol=1e-6)
    assert left.min() >= 0
    assert left.max() <= 1
