"""How far a rendered picture is from the one that it should be."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from core.metrics import ssim_map
from core.training.loss_kernels import loss_and_gradient, window_weights

SSIM_WEIGHT = 0.2
"""3D Gaussian Splatting, eq. 7."""


def picture_loss(
    picture: Tensor, target: Tensor, ssim_weight: float = SSIM_WEIGHT, mask: Tensor | None = None
) -> Tensor:
    """``(1 - w) L1 + w (1 - SSIM)``, means over pixels and channels, a scalar.

    3D Gaussian Splatting, eq. 7. Differentiable by ``picture`` alone. By kernels for float32 on
    the CPU without a mask, else by torch.

    Parameters
    ----------
    picture, target
        ``(H, W, 3)``, colours in 0..1.
    ssim_weight
        ``w`` in 0..1.
    mask
        Count only the pixels where this bool ``(H, W)`` is true; there is at least one. The picture
        is taken to agree with the target elsewhere.
    """
    if picture.shape != target.shape or picture.ndim != 3 or picture.shape[-1] != 3:
        raise ValueError("the pictures have the same shape (H, W, 3)")
    target = target.detach()
    on_cpu = picture.device.type == "cpu" and picture.dtype == target.dtype == torch.float32
    if mask is None and on_cpu:
        result: Tensor = _Loss.apply(picture, target, ssim_weight)  # type: ignore[no-untyped-call]
        return result
    if mask is not None:
        picture = torch.where(mask[..., None], picture, target)
    difference, similarity = (picture - target).abs(), ssim_map(picture, target)
    if mask is not None:
        difference, similarity = difference[mask], similarity[mask]
    return (1 - ssim_weight) * difference.mean() + ssim_weight * (1 - similarity.mean())


class _Loss(torch.autograd.Function):
    """The gradient is computed with the loss: their first pass is the same."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, target: Tensor, ssim_weight: float) -> Tensor:
        loss, gradient = loss_and_gradient(
            picture.detach().contiguous().numpy(),
            target.contiguous().numpy(),
            window_weights(),
            ssim_weight,
        )
        ctx.save_for_backward(torch.from_numpy(gradient))
        return picture.new_tensor(loss)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient if float(slope) == 1 else gradient * slope), None, None
