"""Values of a picture that know nothing of depth, to be cut into figure and ground like depths.

Larger is figure in all of them.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from core.cameras import Camera
from core.gmae.layers import camera_depths
from core.rendering import render
from core.scene import SH_C0, GaussianScene

WINDOW = 7
"""Side of the square that a local deviation is taken in, pixels."""
_RIDGE = 1e-4


def border_distance(picture: Tensor) -> Tensor:
    """How far a pixel's colour is from those of the border, ``(H, W)``.

    Mahalanobis' distance to the mean and covariance of the outermost pixels of ``(H, W, 3)``.
    """
    colors = picture.double()
    border = torch.cat([colors[0], colors[-1], colors[1:-1, 0], colors[1:-1, -1]])
    centered = border - border.mean(0)
    covariance = centered.T @ centered / len(border)
    covariance += _RIDGE * torch.eye(3, dtype=torch.float64, device=picture.device)
    away = colors - border.mean(0)
    distance: Tensor = ((away @ covariance.inverse()) * away).sum(-1).sqrt()
    return distance.float()


def local_deviation(picture: Tensor, window: int = WINDOW) -> Tensor:
    """Standard deviation of the lightness in a square around each pixel, ``(H, W)``."""
    gray = picture.double().mean(-1)[None, None]
    reach = window // 2
    padded = functional.pad(gray, (reach,) * 4, mode="replicate")
    mean = functional.avg_pool2d(padded, window, 1)
    square = functional.avg_pool2d(padded**2, window, 1)
    deviation: Tensor = (square - mean**2).clamp_min(0).sqrt()[0, 0]
    return deviation.float()


def expected_smallness(scene: GaussianScene, camera: Camera) -> Tensor:
    """``-log`` of the sizes seen in a pixel, weighted as its colours are, ``(H, W)``.

    The size of a Gaussian is the geometric mean of its two larger deviations over its depth, which
    for a :func:`core.gmae.splatting.scene_of` is that in the picture. Infinite where nothing is
    drawn.
    """
    depths = camera_depths(scene, camera).clamp_min(1e-6)
    small = depths.log() - scene.log_scales.sort(-1, descending=True).values[:, :2].mean(-1)
    low, high = small.aminmax()
    span = (high - low).clamp_min(1e-6)
    gray = ((small - low) / span)[:, None, None].expand(-1, 1, 3)
    drawn = render(replace(scene, sh=(gray - 0.5) / SH_C0), camera)
    shares = drawn.rgb[..., 0] / drawn.alpha.clamp_min(1e-12)
    return torch.where(drawn.alpha > 0, low + span * shares, torch.inf)
