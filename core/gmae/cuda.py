"""The splatter of training on CUDA: gsplat 1.5.3 draws what the model's camera sees."""

import torch
from torch import Tensor

from core.gmae.cameras import BLUR_PX2, Ellipses
from core.rendering.cuda import gsplat_module


def splat_whole(
    ellipses: Ellipses,
    opacities: Tensor,
    colors: Tensor,
    size: int,
    order: Tensor,
    background: tuple[float, float, float],
) -> tuple[Tensor, Tensor]:
    """Colours ``(B, S S, 3)`` of all pixels and what shines through ``(B, S S)``.

    gsplat's orthographic camera draws a Gaussian with the centre and covariance it is given, so
    ellipses of every projection are drawn as they are, and gradients come back to them. Its depth
    only decides the order: it is the place in ``order``, int64 ``(B, K)``, first to last.
    """
    batch, count = opacities.shape
    device = opacities.device
    places = torch.arange(1, count + 1, device=device).expand(batch, -1)
    depths = torch.empty(batch, count, device=device).scatter_(1, order, places.float())
    xx, xy, yy = ellipses.covariances.unbind(-1)
    zero = torch.zeros_like(xx)
    covariances = torch.stack([xx, xy, zero, xy, yy, zero, zero, zero, torch.ones_like(xx)], -1)
    half = size / 2
    intrinsics = torch.tensor([[half, 0, half], [0, half, half], [0, 0, 1]], device=device)
    pictures, alpha, _ = gsplat_module().rasterization(
        means=torch.cat([ellipses.centers, depths.unsqueeze(-1)], -1),
        quats=None,
        scales=None,
        covars=covariances.reshape(batch, count, 3, 3),
        opacities=opacities,
        colors=colors,
        viewmats=torch.eye(4, device=device).expand(batch, 1, 4, 4),
        Ks=intrinsics.expand(batch, 1, 3, 3),
        width=size,
        height=size,
        eps2d=BLUR_PX2,
        packed=False,
        backgrounds=torch.tensor(background, device=device).expand(batch, 1, 3),
        camera_model="ortho",
    )
    return pictures.reshape(batch, -1, 3), 1 - alpha.reshape(batch, -1)
