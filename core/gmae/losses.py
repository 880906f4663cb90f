"""What training makes small: the losses of the paper's ablation (table 1c)."""

from enum import StrEnum

import torch
from torch import Tensor

from core.gmae.masking import patchify, sample_pixels, split_patches
from core.gmae.model import GaussianAutoencoder
from core.gmae.splatting import splat

_EPS = 1e-6


class Loss(StrEnum):
    """Which pixels count, and against what."""

    MASKED = "masked"
    """Those of masked patches; the paper's choice."""
    ALL = "all"
    """All pixels."""
    NORMALISED = "normalised"
    """Those of masked patches against patches of mean 0 and variance 1, as MAE has it."""


def reconstruction_loss(
    model: GaussianAutoencoder,
    images: Tensor,
    loss: Loss,
    pixels: int,
    generator: torch.Generator,
    mask_ratio: float | None = None,
) -> Tensor:
    """Mean squared error at ``pixels`` pixels by chance of each image ``(B, 3, S, S)``.

    Sampling leaves the expectation as it is and makes splatting cheap; the authors draw the whole
    picture. ``mask_ratio`` is the configuration's if None.
    """
    config = model.config
    ratio = config.mask_ratio if mask_ratio is None else mask_ratio
    visible, masked = split_patches(len(images), config.patches, ratio, generator)
    visible, masked = visible.to(images.device), masked.to(images.device)
    counted = masked
    if loss is Loss.ALL or masked.shape[1] == 0:
        everything = torch.arange(config.patches, device=images.device)
        counted = everything.expand(len(images), -1)
    chosen = sample_pixels(counted, config.size, config.patch, pixels, generator)
    colors, _ = splat(model(images, visible), config.projection, config.size, chosen)
    targets = _normalised(images, config.patch) if loss is Loss.NORMALISED else images
    rows = targets.flatten(2).transpose(1, 2)
    wanted = rows.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 3))
    return ((colors - wanted) ** 2).mean()


def _normalised(images: Tensor, patch: int) -> Tensor:
    """Every patch with mean 0 and variance 1 over its pixels and channels."""
    rows = patchify(images, patch)
    side = images.shape[-1] // patch
    mean, deviation = rows.mean(-1), (rows.var(-1) + _EPS).sqrt()

    def over_pixels(values: Tensor) -> Tensor:
        grid = values.reshape(-1, 1, side, side)
        return grid.repeat_interleave(patch, 2).repeat_interleave(patch, 3)

    return (images - over_pixels(mean)) / over_pixels(deviation)
