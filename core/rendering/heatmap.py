"""Colours for what is not a colour: scores and depth."""

from functools import cache

import numpy as np
import torch
from cmap import Colormap
from torch import Tensor

from core.scoring.worth import Worth

UNSEEN_COLOR = (0.25, 0.25, 0.28)
SEEN_ALPHA = 0.05


@cache
def colormap_table(name: str = "viridis") -> Tensor:
    """Colours of a map from low to high, float32 ``(256, 3)``."""
    table = np.asarray(Colormap(name).lut(256), dtype=np.float32)[:, :3]
    return torch.from_numpy(np.ascontiguousarray(table))


def score_colors(worth: Worth, alive: Tensor | None = None, colormap: str = "viridis") -> Tensor:
    """Colour of each Gaussian by its percentile among the living ones, float32 ``(N, 3)``.

    Percentiles make every score legible whatever its distribution; unseen Gaussians are grey.
    """
    order = worth.order if alive is None else worth.order[alive[worth.order]]
    percentile = torch.zeros(len(worth.order))
    percentile[order] = torch.linspace(0, 1, len(order)) if len(order) > 1 else 1.0
    colors = colormap_table(colormap)[(percentile * 255).round().long()]
    colors[worth.classes == 0] = torch.tensor(UNSEEN_COLOR)
    return colors


def depth_range(depth: Tensor, alpha: Tensor) -> tuple[float, float] | None:
    """1st and 99th percentile of the depths seen, ``(H, W)`` each; None where nothing is seen."""
    seen = alpha > SEEN_ALPHA
    if not bool(seen.any()):
        return None
    near, far = np.percentile(depth[seen].cpu().numpy(), (1, 99))
    return float(near), float(far)


def depth_picture(
    depth: Tensor, alpha: Tensor, limits: tuple[float, float] | None, colormap: str = "turbo"
) -> Tensor:
    """Colours of an expected-depth picture, near to far.

    Parameters
    ----------
    depth, alpha
        As from :func:`core.rendering.render`, ``(H, W)``.
    limits
        Depths at the ends of the colour map, as from :func:`depth_range`; None draws black.

    Returns
    -------
    Tensor
        ``(H, W, 3)``, dimmed by ``alpha``.
    """
    if limits is None:
        return torch.zeros(*depth.shape, 3, device=depth.device)
    near, far = limits
    scaled = ((depth - near) / max(far - near, 1e-9)).clamp(0, 1)
    colors = colormap_table(colormap).to(depth.device)[(scaled * 255).long()]
    return colors * alpha[..., None]
