"""Masked autoencoders on CUDA: gsplat's pictures and gradients against the CPU's, and training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core.gmae.config import OUTPUTS, Projection, find_config
from core.gmae.folder import ImageFolder
from core.gmae.gaussians import activate
from core.gmae.model import new_model
from core.gmae.refining import refine_image
from core.gmae.splatting import drawn, splat
from core.gmae.training import Schedule, train_model
from core.jobs import drain

pytestmark = pytest.mark.gpu

SIZE = 64


def numbers() -> Tensor:
    return 2 * torch.randn(3, 192, OUTPUTS, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("projection", Projection)
def test_pictures_and_gradients_are_the_cpus(projection: Projection) -> None:
    target = torch.rand(3, SIZE**2, 3, generator=torch.Generator().manual_seed(1))
    pictures, gradients = [], []
    for device in ("cpu", "cuda"):
        outputs = numbers().to(device).requires_grad_()
        colors, _ = splat(activate(outputs, 1.0), projection, SIZE)
        ((colors - target.to(device)) ** 2).mean().backward()  # type: ignore[no-untyped-call]
        assert outputs.grad is not None
        pictures.append(colors.detach().cpu())
        gradients.append(outputs.grad.cpu())
    apart = (pictures[0] - pictures[1]).abs()
    assert float((apart < 2e-4).float().mean()) > 0.995
    assert float(apart.max()) < 4 / 255
    assert float((gradients[0] - gradients[1]).norm() / gradients[0].norm()) < 0.01


def test_chosen_pixels_and_another_order_are_the_cpus() -> None:
    pixels = torch.randint(SIZE**2, (3, 100), generator=torch.Generator().manual_seed(0))
    order = torch.arange(191, -1, -1).expand(3, -1)
    seen = []
    for device in ("cpu", "cuda"):
        gaussians = activate(numbers().to(device), 1.0)
        chosen = splat(
            gaussians, Projection.PINHOLE, SIZE, pixels.to(device), order=order.to(device)
        )
        whole = drawn(gaussians, Projection.PINHOLE, SIZE)
        seen.append([part.cpu() for part in (*chosen, *whole)])
    for own, cuda in zip(*seen, strict=True):
        assert own.shape == cuda.shape
        assert float(((own - cuda).abs() < 2e-4).float().mean()) > 0.99


@pytest.mark.parametrize("name", ["nano64", "base224"])
def test_training_makes_the_loss_smaller(name: str, tmp_path: Path) -> None:
    y, x = np.mgrid[0:256, 0:256] / 256
    for index in range(8):
        rgb = np.stack([x, y, np.full_like(x, index / 8)], -1)
        Image.fromarray((rgb * 255).astype(np.uint8)).save(tmp_path / f"{index}.png")
    config = find_config(name)
    schedule = Schedule(steps=30, batch=8, rate=3e-4, warm_up=3)
    steps = train_model(new_model(config).cuda(), ImageFolder(tmp_path, config.size), schedule)
    losses = []
    trained = drain(steps, lambda progress: losses.append(progress.values["loss"]))
    assert next(trained.model.parameters()).is_cuda
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])


def test_refining_an_image_comes_nearer() -> None:
    config = find_config("nano64")
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    image = torch.nn.functional.interpolate(image, size=config.size, mode="bilinear").cuda()
    few, many = (
        drain(refine_image(numbers()[:1].cuda(), image, config, steps)).psnr for steps in (1, 60)
    )
    assert many > few + 3
