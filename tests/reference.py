"""A plain dense renderer in float64: the oracle for pictures and gradients.

Every Gaussian at every pixel, no tiles, no approximations; written for reading, with torch's
autograd. Conventions are gsplat 1.5.3's.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from core.cameras import Camera

EPS2D = 0.3
NEAR, FAR = 0.01, 1e10
MIN_ALPHA = 1 / 255
STOP_TRANSMITTANCE = 1e-4


def render_reference(
    tensors: Mapping[str, Tensor],
    camera: Camera,
    *,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    keep: Tensor | None = None,
    colors: Tensor | None = None,
    sh_degree: int | None = None,
    antialiased: bool = False,
    max_alpha: float = 0.999,
    means2d_offset: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """``rgb (H, W, 3)``, ``alpha (H, W)``, ``depth (H, W)``, float64, of ``scene.tensors()``.

    ``means2d_offset (N, 2)`` is added to the projected means: its gradient is theirs.
    """
    scene = {name: tensor.double() for name, tensor in tensors.items()}
    means2d, inverse, z, opacities = project(scene, camera, antialiased)
    if means2d_offset is not None:
        means2d = means2d + means2d_offset
    drawn = (z.detach() >= NEAR) & (z.detach() <= FAR) & (opacities.detach() >= MIN_ALPHA)
    if keep is not None:
        drawn = drawn & keep
    order = torch.argsort(z.detach(), stable=True)
    order = order[drawn[order]]
    rgb_of = gaussian_colors(scene, camera, colors, sh_degree)

    y, x = torch.meshgrid(
        torch.arange(camera.height, dtype=torch.float64) + 0.5,
        torch.arange(camera.width, dtype=torch.float64) + 0.5,
        indexing="ij",
    )
    pixels = torch.stack([x, y], -1).reshape(-1, 2)
    weights, transmittance = pixel_weights(
        pixels, means2d[order], inverse[order], opacities[order], max_alpha
    )
    shape = (camera.height, camera.width)
    rgb = weights @ rgb_of[order] + transmittance[:, None] * torch.tensor(background).double()
    alpha = weights.sum(1)
    seen = alpha > 0
    depth = torch.where(seen, weights @ z[order] / torch.where(seen, alpha, 1.0), 0.0)
    return rgb.reshape(*shape, 3), alpha.reshape(shape), depth.reshape(shape)


def project(
    scene: Mapping[str, Tensor], camera: Camera, antialiased: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Projected means ``(N, 2)``, inverse covariances ``(N, 2, 2)``, depths and opacities."""
    world_to_camera = torch.tensor(camera.world_to_camera).to(scene["means"].dtype)
    rotation, translation = world_to_camera[:3, :3], world_to_camera[:3, 3]
    fx, fy, cx, cy = camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]
    x, y, z = (scene["means"] @ rotation.T + translation).unbind(-1)
    margin_x, margin_y = 0.15 * camera.width / fx, 0.15 * camera.height / fy
    slope_x = (x / z).clamp(-cx / fx - margin_x, (camera.width - cx) / fx + margin_x)
    slope_y = (y / z).clamp(-cy / fy - margin_y, (camera.height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [fx / z, zero, -fx * slope_x / z, zero, fy / z, -fy * slope_y / z], -1
    ).reshape(-1, 2, 3)
    axes = rotation_matrices(scene["quats"]) * scene["log_scales"].exp()[:, None, :]
    factor = jacobian @ rotation @ axes
    raw = factor @ factor.transpose(1, 2)
    blurred = raw + EPS2D * torch.eye(2, dtype=raw.dtype)
    opacities = torch.sigmoid(scene["opacity_logits"])
    if antialiased:
        ratio = determinant(raw).clamp_min(1e-300) / determinant(blurred)
        opacities = opacities * ratio.sqrt()
    means2d = torch.stack([fx * x / z + cx, fy * y / z + cy], -1)
    adjugate = torch.stack(
        [blurred[:, 1, 1], -blurred[:, 0, 1], -blurred[:, 1, 0], blurred[:, 0, 0]], -1
    ).reshape(-1, 2, 2)
    return means2d, adjugate / determinant(blurred)[:, None, None], z, opacities


def determinant(m: Tensor) -> Tensor:
    """Determinants of ``(N, 2, 2)``."""
    return m[:, 0, 0] * m[:, 1, 1] - m[:, 0, 1] * m[:, 1, 0]


def pixel_weights(
    pixels: Tensor, means2d: Tensor, inverse: Tensor, opacities: Tensor, max_alpha: float
) -> tuple[Tensor, Tensor]:
    """Weights ``(P, M)`` of Gaussians in depth order, and the transmittances left ``(P,)``."""
    dx, dy = (means2d[None] - pixels[:, None]).unbind(-1)
    sigma = 0.5 * (inverse[:, 0, 0] * dx**2 + inverse[:, 1, 1] * dy**2)
    sigma = sigma + inverse[:, 0, 1] * dx * dy
    alpha = (opacities * torch.exp(-sigma)).clamp_max(max_alpha)
    alpha = torch.where(alpha >= MIN_ALPHA, alpha, 0.0)
    after = torch.cumprod(1 - alpha, 1)
    goes_on = torch.cumprod((after > STOP_TRANSMITTANCE).to(torch.int8), 1).bool()
    alpha = torch.where(goes_on, alpha, 0.0)
    after = torch.cumprod(1 - alpha, 1)
    before = torch.cat([torch.ones(len(pixels), 1, dtype=alpha.dtype), after], 1)
    return alpha * before[:, :-1], before[:, -1]


def gaussian_colors(
    scene: Mapping[str, Tensor], camera: Camera, colors: Tensor | None, sh_degree: int | None
) -> Tensor:
    """Colours ``(N, 3)`` to draw in."""
    if colors is not None and colors.shape[1] == 3:
        return colors.to(scene["sh"].dtype)
    sh = scene["sh"]
    if sh_degree is not None:
        sh = sh[:, : (sh_degree + 1) ** 2]
    direction = scene["means"] - torch.tensor(camera.position).to(sh.dtype)
    direction = direction / direction.norm(dim=-1, keepdim=True)
    own = ((sh_basis(direction, sh.shape[1])[:, :, None] * sh).sum(1) + 0.5).clamp_min(0)
    if colors is None:
        return own
    colors = colors.to(sh.dtype)
    mix = colors[:, 3:]
    return (1 - mix) * own + mix * colors[:, :3]


def rotation_matrices(quats: Tensor) -> Tensor:
    """Rotations ``(N, 3, 3)`` of quaternions w x y z of any length."""
    w, x, y, z = (quats / quats.norm(dim=-1, keepdim=True)).unbind(-1)
    entries = [
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    ]
    return torch.stack(entries, -1).reshape(-1, 3, 3)


def sh_basis(direction: Tensor, count: int) -> Tensor:
    """The first ``count`` real spherical harmonics, 3DGS' signs, ``(N, count)``."""
    x, y, z = direction.unbind(-1)
    pi = math.pi
    functions = [
        math.sqrt(1 / (4 * pi)) * torch.ones_like(x),
        -math.sqrt(3 / (4 * pi)) * y,
        math.sqrt(3 / (4 * pi)) * z,
        -math.sqrt(3 / (4 * pi)) * x,
        math.sqrt(15 / (4 * pi)) * x * y,
        -math.sqrt(15 / (4 * pi)) * y * z,
        math.sqrt(5 / (16 * pi)) * (2 * z * z - x * x - y * y),
        -math.sqrt(15 / (4 * pi)) * x * z,
        math.sqrt(15 / (16 * pi)) * (x * x - y * y),
        -math.sqrt(35 / (32 * pi)) * y * (3 * x * x - y * y),
        math.sqrt(105 / (4 * pi)) * x * y * z,
        -math.sqrt(21 / (32 * pi)) * y * (4 * z * z - x * x - y * y),
        math.sqrt(7 / (16 * pi)) * z * (2 * z * z - 3 * x * x - 3 * y * y),
        -math.sqrt(21 / (32 * pi)) * x * (4 * z * z - x * x - y * y),
        math.sqrt(105 / (16 * pi)) * z * (x * x - y * y),
        -math.sqrt(35 / (32 * pi)) * x * (x * x - 3 * y * y),
    ]
    return torch.stack(functions[:count], -1)
