"""PSNR and SSIM against the formulas written out in float64."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from core.metrics import psnr, ssim, ssim_map
from core.metrics.blur import blurred

HEIGHT, WIDTH = 23, 37


def pictures(height: int = HEIGHT, width: int = WIDTH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    smooth = torch.stack([x / width, y / height, (x + y) / (width + height)], dim=-1)
    noisy = smooth + 0.15 * torch.randn(height, width, 3, generator=generator)
    return smooth, noisy.clamp(0, 1)


def direct_ssim(a: Tensor, b: Tensor) -> np.ndarray:
    """Sums over an explicit 11 x 11 window around every pixel, zeros beyond the border."""
    places = np.arange(11) - 5
    one = np.exp(-(places**2) / (2 * 1.5**2))
    window = np.outer(one, one) / np.outer(one, one).sum()
    pad = ((5, 5), (5, 5), (0, 0))
    x, y = (np.pad(t.numpy().astype(np.float64), pad) for t in (a, b))
    result = np.empty(a.shape)
    for row in range(a.shape[0]):
        for column in range(a.shape[1]):
            here = np.s_[row : row + 11, column : column + 11]
            w = window[..., None]
            mean_x, mean_y = (w * x[here]).sum((0, 1)), (w * y[here]).sum((0, 1))
            var_x = (w * x[here] ** 2).sum((0, 1)) - mean_x**2
            var_y = (w * y[here] ** 2).sum((0, 1)) - mean_y**2
            cov = (w * x[here] * y[here]).sum((0, 1)) - mean_x * mean_y
            result[row, column] = ((2 * mean_x * mean_y + 1e-4) * (2 * cov + 9e-4)) / (
                (mean_x**2 + mean_y**2 + 1e-4) * (var_x + var_y + 9e-4)
            )
    return result


def test_ssim_is_the_formula_at_every_pixel() -> None:
    a, b = pictures()
    expected = direct_ssim(a, b)
    assert np.abs(ssim_map(a, b).numpy() - expected).max() < 2e-4
    assert ssim(a, b) == pytest.approx(expected.mean(), abs=1e-5)
    assert 0.1 < ssim(a, b) < 0.9
    exact = ssim_map(a.double(), b.double()).numpy()
    assert np.abs(exact - expected).max() < 1e-9


def test_psnr_is_the_formula() -> None:
    a, b = pictures()
    error = np.mean((a.numpy().astype(np.float64) - b.numpy()) ** 2)
    assert psnr(a, b) == pytest.approx(-10 * math.log10(error), abs=1e-6)
    half_off = torch.zeros(4, 4, 3), torch.full((4, 4, 3), 0.5)
    assert psnr(*half_off) == pytest.approx(20 * math.log10(2))


def test_equal_pictures() -> None:
    a, _ = pictures()
    assert psnr(a, a) == math.inf
    assert ssim(a, a.clone()) == pytest.approx(1, abs=1e-6)


def test_a_mask_leaves_out_the_rest() -> None:
    a, b = pictures()
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[4:20, 6:30] = True
    spoiled = torch.where(mask[..., None], b, 0.0)
    assert psnr(a, b, mask) == psnr(a, spoiled, mask)
    assert ssim(a, b, mask) == ssim(a, spoiled, mask)
    inside = a[4:20, 6:30], b[4:20, 6:30]
    assert psnr(a, b, mask) == pytest.approx(psnr(*inside), abs=1e-5)
    everywhere = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    assert ssim(a, b, everywhere) == pytest.approx(ssim(a, b))
    assert math.isnan(psnr(a, b, ~everywhere))
    assert math.isnan(ssim(a, b, ~everywhere))


def test_the_gradient_is_that_of_the_formula() -> None:
    a, b = pictures(9, 14)
    exact = b.double().requires_grad_()
    ssim_map(a.double(), exact).mean().backward()
    fast = b.clone().requires_grad_()
    ssim_map(a, fast).mean().backward()
    assert exact.grad is not None
    assert fast.grad is not None
    assert (fast.grad - exact.grad).abs().max() < 1e-3 * exact.grad.abs().max()
    step = 1e-6 * torch.randn(b.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        rise = (ssim_map(a.double(), exact + step) - ssim_map(a.double(), exact - step)).mean() / 2
    assert float(rise) == pytest.approx(float((exact.grad * step).sum()), rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 3, 4), (40, 17, 12)])
def test_the_kernel_agrees_with_the_convolution(shape: tuple[int, int, int]) -> None:
    maps = torch.rand(shape, generator=torch.Generator().manual_seed(5))
    assert (blurred(maps) - blurred(maps.double())).abs().max() < 1e-6
    sliced = maps.flip(0)[:, ::2]
    assert (blurred(sliced) - blurred(sliced.double())).abs().max() < 1e-6


def test_pictures_of_other_shapes_are_refused() -> None:
    a, b = pictures()
    with pytest.raises(ValueError, match="same shape"):
        psnr(a, b[1:])
    with pytest.raises(ValueError, match="same shape"):
        ssim_map(a[..., :1], b[..., :1])
    with pytest.raises(ValueError, match="mask"):
        ssim(a, b, torch.ones(HEIGHT, WIDTH))
