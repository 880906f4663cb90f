"""PSNR and SSIM of pictures with colours in 0..1, as Gaussian splatting papers report them.

Both are means over pixels and channels of one picture; a figure for several pictures is the mean of
theirs. Pictures that are to be compared with published numbers are rounded to 8 bits first, as
after saving them.
"""

import math

import torch
from torch import Tensor

from core.metrics.blur import blurred

C1, C2 = 0.01**2, 0.03**2


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None) -> float:
    """Peak signal-to-noise ratio in dB, ``-10 log10(mean((a - b)^2))``; infinite for equal ones.

    Parameters
    ----------
    a, b
        Float32 ``(H, W, 3)`` in 0..1.
    mask
        Count only the pixels where this bool ``(H, W)`` is true; NaN where there is none.
    """
    _check(a, b, mask)
    square = (a - b).square()
    error = float((square if mask is None else square[mask]).mean(dtype=torch.float64))
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(a: Tensor, b: Tensor, mask: Tensor | None = None) -> float:
    """Mean of :func:`ssim_map`, 1 for equal pictures; arguments as for :func:`psnr`.

    Outside of a ``mask`` the second picture is taken to agree with the first, so that pixels at the
    mask's border are judged by what lies inside it.
    """
    _check(a, b, mask)
    if mask is None:
        return float(ssim_map(a, b).mean(dtype=torch.float64))
    same = torch.where(mask[..., None], b, a)
    return float(ssim_map(a, same)[mask].mean(dtype=torch.float64))


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity at every pixel and channel, ``(H, W, 3)``; differentiable.

    Wang et al. 2004, eq. 13 with K1 = 0.01, K2 = 0.03 and L = 1, each channel by itself. Means,
    variances and covariance are taken under a Gaussian window of 11 x 11 pixels, sigma 1.5. As in
    the code of 3D Gaussian Splatting (loss_utils.py), pictures continue with zeros beyond their
    border and every pixel counts; the paper leaves the five outermost rows and columns out.

    Parameters
    ----------
    a, b
        Float32 ``(H, W, 3)`` in 0..1.
    """
    _check(a, b, None)
    maps = torch.cat([a, b, a * a + b * b, a * b], dim=-1)
    mean_a, mean_b, squares, product = blurred(maps).chunk(4, dim=-1)
    both = mean_a * mean_b
    power = mean_a * mean_a + mean_b * mean_b
    similar: Tensor = (
        (2 * both + C1) * (2 * (product - both) + C2) / ((power + C1) * (squares - power + C2))
    )
    return similar


def warm_up() -> None:
    """Compile or load the kernel of SSIM ahead of its first use; for a background thread."""
    picture = torch.zeros(2, 2, 3)
    ssim_map(picture, picture)


def _check(a: Tensor, b: Tensor, mask: Tensor | None) -> None:
    if a.shape != b.shape or a.ndim != 3 or a.shape[-1] != 3:
        raise ValueError("the pictures have the same shape (H, W, 3)")
    if mask is not None and (mask.shape != a.shape[:2] or mask.dtype != torch.bool):
        raise ValueError("mask is a bool tensor (H, W)")
