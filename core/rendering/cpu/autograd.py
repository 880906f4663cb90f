"""The CPU renderer as a differentiable torch operation."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from core.cameras import Camera
from core.rendering.cpu.backward import frame_vjp
from core.rendering.cpu.renderer import Frame, floats, gaussians_of, rasterize
from core.scene import GaussianScene


def draw(
    scene: GaussianScene,
    camera: Camera,
    background: tuple[float, float, float],
    keep: Tensor | None,
    colors: Tensor | None,
    sh_degree: int | None,
    depth: bool,
    means2d_grad: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """``rgb (H, W, 3)``, ``alpha (H, W)`` and ``sum(w z) (H, W)`` or None; see ``render``."""
    frame = rasterize(
        gaussians_of(scene, keep=keep, sh_degree=sh_degree),
        camera,
        background=background,
        colors=None if colors is None else floats(colors),
        depth=depth,
    )
    parameters = [*scene.tensors().values(), colors]
    differentiable = any(t is not None and t.requires_grad for t in parameters)
    if not (differentiable and torch.is_grad_enabled()):
        return _tensors(frame)
    results: tuple[Tensor, Tensor, Tensor | None] = _Rasterize.apply(
        frame, means2d_grad, *parameters
    )
    return results


def _tensors(frame: Frame) -> tuple[Tensor, Tensor, Tensor | None]:
    depth_sum = None if frame.depth_sum is None else torch.from_numpy(frame.depth_sum)
    alpha = torch.from_numpy(np.float32(1) - frame.transmittance)
    return torch.from_numpy(frame.image), alpha, depth_sum


class _Rasterize(torch.autograd.Function):
    """A drawn frame as a function of the tensors that it was drawn from.

    Each call owns its frame until the graph is freed, so any number of forward passes may precede
    the backward ones. The saved tensors serve torch's check that nobody has overwritten them.
    """

    @staticmethod
    def forward(
        ctx: Any, frame: Frame, means2d_grad: Tensor | None, *parameters: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        rgb, alpha, depth_sum = _tensors(frame)
        ctx.frame = frame
        ctx.means2d_grad = means2d_grad
        ctx.save_for_backward(rgb, depth_sum, *parameters)
        return rgb, alpha, depth_sum

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, v_rgb: Tensor, v_alpha: Tensor, v_depth: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        _, depth_sum, *_, colors = ctx.saved_tensors
        gradients = frame_vjp(
            ctx.frame,
            floats(v_rgb),
            floats(v_alpha),
            None if depth_sum is None or v_depth is None else floats(v_depth),
        )
        if ctx.means2d_grad is not None:
            ctx.means2d_grad.copy_(torch.from_numpy(gradients.means2d))
        arrays = gradients[:-2] if colors is None else gradients[:-1]
        by_parameter = [torch.from_numpy(array) for array in arrays]
        return None, None, *by_parameter, *([None] if colors is None else [])
