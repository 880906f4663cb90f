"""The splatter of training: chosen pixels of a batch of images, with gradients; and scenes.

On CUDA gsplat draws. Elsewhere it is dense: every pixel meets every Gaussian, in order of depth.
For a few hundred Gaussians that is faster than tiles, and both directions are matrix products: the
exponent is linear in six functions of the pixel, ``x^2, xy, y^2, x, y, 1``.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera
from core.gmae.cameras import BLUR_PX2, Ellipses, project
from core.gmae.config import Projection
from core.gmae.cuda import splat_whole
from core.gmae.gaussians import Gaussians
from core.scene import SH_C0, GaussianScene

WHITE = (1.0, 1.0, 1.0)
MAX_ALPHA = 0.999
MIN_ALPHA = 1 / 255
FLATNESS = 1e-4
"""Standard deviation in depth of the Gaussians of a scene."""
_CHUNK = 2**22


def splat(
    gaussians: Gaussians,
    projection: Projection,
    size: int,
    pixels: Tensor | None = None,
    background: tuple[float, float, float] = WHITE,
    order: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Colours ``(B, P, 3)`` of pixels of ``size`` x ``size`` pictures, and what shines through.

    Alike :func:`core.rendering.render` of :func:`scene_of` at ``size`` pixels: 0.3 square pixels of
    blur, alpha cut off below 1/255 and at 0.999; but without its early stop. So both differ by less
    than 2e-4, except where rounding decides whether a Gaussian is cut off: by 1/255 there.

    Parameters
    ----------
    pixels
        Which ones, int64 ``y S + x``: ``(B, P)``, or ``(P,)`` of all images; every one if None.
    order
        Which Gaussian comes first ... last, int64 ``(B, K)``; by depth without it.

    Returns
    -------
    tuple
        The colours, and the transmittance behind all Gaussians ``(B, P)``.
    """
    ellipses = project(gaussians, projection, size)
    if order is None:
        order = ellipses.depths.detach().argsort(dim=-1, stable=True)
    if gaussians.means.is_cuda:
        colors, opacities = gaussians.colors, gaussians.opacities
        whole = splat_whole(ellipses, opacities, colors, size, order, background)
        return whole if pixels is None else _at(pixels, *whole)
    points = _pixel_points(size, pixels, gaussians.means.dtype)
    powers = _features(points) @ _sorted(_coefficients(ellipses, size), order).transpose(1, 2)
    base = torch.tensor(background, dtype=powers.dtype, device=powers.device)
    opacities = gaussians.opacities.gather(1, order)
    colors = _sorted(gaussians.colors, order)
    blended: tuple[Tensor, Tensor] = _Composite.apply(  # type: ignore[no-untyped-call]
        powers, opacities, colors, base
    )
    return blended


@torch.no_grad()
def drawn(
    gaussians: Gaussians,
    projection: Projection,
    size: int,
    background: tuple[float, float, float] = WHITE,
) -> tuple[Tensor, Tensor]:
    """Whole pictures ``(B, S, S, 3)`` at the model's size, and what shines through them."""
    batch, count = gaussians.opacities.shape
    every = torch.arange(size * size, device=gaussians.means.device)
    rows = len(every) if every.is_cuda else max(1, _CHUNK // (batch * count))
    parts = [
        splat(gaussians, projection, size, some, background) for some in torch.split(every, rows)
    ]
    colors, through = (torch.cat(part, 1) for part in zip(*parts, strict=True))
    return colors.reshape(batch, size, size, 3), through.reshape(batch, size, size)


def pictures(
    gaussians: Gaussians,
    projection: Projection,
    size: int,
    background: tuple[float, float, float] = WHITE,
) -> Tensor:
    """Whole pictures ``(B, S, S, 3)`` at the model's size."""
    return drawn(gaussians, projection, size, background)[0]


@torch.no_grad()
def scene_of(
    gaussians: Gaussians,
    projection: Projection,
    size: int,
    index: int = 0,
    exaggeration: float = 1.0,
) -> GaussianScene:
    """An image's Gaussians as a scene like any other, seen by :func:`scene_camera` as they were.

    Every Gaussian becomes a flat one at its depth Z across the line of sight, with the centre and
    covariance that the model's camera gives it, times Z. So the picture of every projection comes
    back through a true pinhole, and depth may be exaggerated without a change of it.

    Parameters
    ----------
    exaggeration
        Depths are ``8 + exaggeration z``; above 0 and below 8.
    """
    if not 0 < exaggeration < 8:
        raise ValueError("depth can be exaggerated more than 0 and less than 8 times")
    gaussians = gaussians.image(index)
    seen = project(gaussians, projection, size)
    depths = 8 + exaggeration * gaussians.means[0, :, 2]
    xx, xy, yy = seen.covariances[0].double().unbind(-1)
    middle, radius = (xx + yy) / 2, (((xx - yy) / 2) ** 2 + xy**2).sqrt()
    long = (middle + radius).clamp_min(1e-12)
    short = ((xx * yy - xy**2) / long).clamp_min(1e-12)
    half_angle = torch.atan2(2 * xy, xx - yy) / 4
    zero = torch.zeros_like(half_angle)
    quats = torch.stack([half_angle.cos(), zero, zero, half_angle.sin()], -1).float()
    spread = (torch.stack([long, short], -1).sqrt() * depths[:, None]).float()
    flat = torch.full_like(spread[:, :1], FLATNESS)
    return GaussianScene(
        means=torch.cat([seen.centers[0] * depths[:, None], depths[:, None]], -1).float(),
        log_scales=torch.cat([spread, flat], -1).log(),
        quats=quats,
        opacity_logits=torch.logit(gaussians.opacities[0].float(), eps=1e-6),
        sh=((gaussians.colors[0].float() - 0.5) / SH_C0).unsqueeze(1),
        camera=scene_camera(size),
    )


def scene_camera(size: int, name: str = "") -> Camera:
    """The pinhole camera that sees a :func:`scene_of` as the model does: 90 degrees, at 0."""
    intrinsics = np.array([[size / 2, 0, size / 2], [0, size / 2, size / 2], [0, 0, 1.0]])
    return Camera(np.eye(4), intrinsics, size, size, name)


def _at(pixels: Tensor, colors: Tensor, through: Tensor) -> tuple[Tensor, Tensor]:
    """Chosen pixels of whole pictures."""
    pixels = pixels.expand(len(through), -1)
    return colors.gather(1, pixels.unsqueeze(-1).expand(-1, -1, 3)), through.gather(1, pixels)


def _pixel_points(size: int, pixels: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Centres of pixels in half pictures, ``(..., 2)``."""
    if pixels is None:
        pixels = torch.arange(size * size)
    places = torch.stack([pixels % size, pixels // size], -1)
    return (places.to(dtype) + 0.5) * (2 / size) - 1


def _features(points: Tensor) -> Tensor:
    x, y = points.unbind(-1)
    return torch.stack([x * x, x * y, y * y, x, y, torch.ones_like(x)], -1)


def _coefficients(ellipses: Ellipses, size: int) -> Tensor:
    """What the exponent ``-1/2 d^T cov^-1 d`` is in the features, ``(B, K, 6)``."""
    blur = BLUR_PX2 * (2 / size) ** 2
    xx, xy, yy = ellipses.covariances.unbind(-1)
    xx, yy = xx + blur, yy + blur
    determinant = (xx * yy - xy * xy).clamp_min(1e-20)
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    x, y = ellipses.centers.unbind(-1)
    constant = -0.5 * (a * x * x + 2 * b * x * y + c * y * y)
    return torch.stack([-0.5 * a, -b, -0.5 * c, a * x + b * y, b * x + c * y, constant], -1)


def _sorted(values: Tensor, order: Tensor) -> Tensor:
    return values.gather(1, order.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


class _Composite(torch.autograd.Function):
    """Front-to-back blending of exponents ``(B, P, K)``, opacities ``(B, K)``, colours."""

    @staticmethod
    def forward(
        ctx: Any, powers: Tensor, opacities: Tensor, colors: Tensor, background: Tensor
    ) -> tuple[Tensor, Tensor]:
        falloffs = powers.clamp(max=0).exp()
        alphas = (falloffs * opacities.unsqueeze(1)).clamp_(max=MAX_ALPHA)
        alphas *= alphas >= MIN_ALPHA
        through = torch.cumprod(1 - alphas, -1)
        before = torch.cat([torch.ones_like(through[..., :1]), through[..., :-1]], -1)
        left = through[..., -1]
        ctx.save_for_backward(falloffs, alphas, before, left, colors, background)
        return (alphas * before) @ colors + left.unsqueeze(-1) * background, left

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_left: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        falloffs, alphas, before, left, colors, background = ctx.saved_tensors
        weights = alphas * before
        grad_colors = weights.transpose(1, 2) @ grad
        along = grad @ colors.transpose(1, 2)
        # dC/dalpha_i = T_i c_i - (sum of w_j c_j behind i, and the background) / (1 - alpha_i)
        weighted = weights * along
        behind = weighted.sum(-1, keepdim=True) - weighted.cumsum(-1)
        behind += (left * (grad @ background + grad_left)).unsqueeze(-1)
        grad_alphas = before * along - behind / (1 - alphas)
        grad_alphas *= (alphas > 0) & (alphas < MAX_ALPHA)
        grad_opacities = (grad_alphas * falloffs).sum(1)
        return grad_alphas * alphas, grad_opacities, grad_colors, None
