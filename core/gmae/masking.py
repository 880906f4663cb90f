"""Which patches the encoder sees, and images as patches."""

import torch
from torch import Tensor


def split_patches(
    batch: int, patches: int, ratio: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Visible and masked patches of every image by chance, int64 ``(B, V)`` and ``(B, M)``.

    At least one patch is visible. Both come in increasing order.
    """
    visible = max(1, round(patches * (1 - ratio)))
    order = torch.rand(batch, patches, generator=generator).argsort(1)
    return order[:, :visible].sort(1).values, order[:, visible:].sort(1).values


def patchify(images: Tensor, patch: int) -> Tensor:
    """Images ``(B, 3, S, S)`` as rows of pixels ``(B, (S / patch)^2, 3 patch^2)``."""
    batch, channels, height, width = images.shape
    blocks = images.reshape(batch, channels, height // patch, patch, width // patch, patch)
    return blocks.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * patch * patch)


def pixels_of_patches(masked: Tensor, size: int, patch: int) -> Tensor:
    """Indices ``y S + x`` of all pixels of patches ``(B, M)``, int64 ``(B, M patch^2)``."""
    side = size // patch
    inside = torch.arange(patch)
    offsets = (inside[:, None] * size + inside).reshape(-1).to(masked.device)
    corners = (masked // side) * patch * size + (masked % side) * patch
    return (corners.unsqueeze(-1) + offsets).flatten(1)


def sample_pixels(
    masked: Tensor, size: int, patch: int, count: int, generator: torch.Generator
) -> Tensor:
    """``count`` pixels of the masked patches by chance, int64 ``(B, P)``.

    A mean over them is an unbiased estimate of the mean over all masked pixels.
    """
    pixels = pixels_of_patches(masked, size, patch)
    if count >= pixels.shape[1]:
        return pixels
    chosen = torch.randint(pixels.shape[1], (pixels.shape[0], count), generator=generator).to(
        pixels.device
    )
    return pixels.gather(1, chosen)
