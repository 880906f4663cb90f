"""From Gaussians to ellipses in the picture: the authors' camera, a pinhole, and a control.

Lengths are in half pictures: x and y go from -1 to 1 over the picture. The camera stands 8 before
the origin with a focal length of 1 (90 degrees).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.gmae.config import Projection
from core.gmae.gaussians import Gaussians

DISTANCE = 8.0
"""From the camera to z = 0."""
BLUR_PX2 = 0.3
"""Added to the variances in the picture, square pixels, as every splatting renderer does."""


@dataclass(frozen=True, slots=True, eq=False)
class Ellipses:
    """Gaussians as the camera sees them, in half pictures.

    Attributes
    ----------
    centers
        ``(B, K, 2)``.
    covariances
        Without blur: xx, xy, yy, ``(B, K, 3)``.
    depths
        ``(B, K)``; smaller is nearer.
    """

    centers: Tensor
    covariances: Tensor
    depths: Tensor

    def screen_sigmas(self) -> Tensor:
        """Geometric mean of the two standard deviations, half pictures, ``(B, K)``."""
        xx, xy, yy = self.covariances.unbind(-1)
        sigmas: Tensor = (xx * yy - xy * xy).clamp_min(0) ** 0.25
        return sigmas


def project(gaussians: Gaussians, projection: Projection, size: int) -> Ellipses:
    """How a camera sees Gaussians in pictures of ``size`` x ``size`` pixels.

    ``authors`` is what gsplat 0.1 makes of the authors' call with ``projmat = viewmat``: centres
    are orthographic and half a pixel off, covariances are those of a pinhole whose shear uses the
    orthographic x and y. ``pinhole`` is a true one, with x and y spread by 8 so that z = 0 fills
    the picture. ``ortho`` is the control: depth has no influence but the order, so no gradient.
    """
    x, y, z = gaussians.means.unbind(-1)
    depth = z + DISTANCE
    zero = torch.zeros_like(depth)
    match projection:
        case Projection.AUTHORS:
            near, shear_x, shear_y = 1 / depth, -x / depth**2, -y / depth**2
            centers = gaussians.means[..., :2] + 1 / size
        case Projection.PINHOLE:
            near = 1 / depth
            shear_x, shear_y = -DISTANCE * x / depth**2, -DISTANCE * y / depth**2
            centers = torch.stack([DISTANCE * x / depth, DISTANCE * y / depth], -1)
        case Projection.ORTHO:
            near, shear_x, shear_y = torch.full_like(depth, 1 / DISTANCE), zero, zero
            centers = gaussians.means[..., :2]
    rows = torch.stack(
        [torch.stack([near, zero, shear_x], -1), torch.stack([zero, near, shear_y], -1)], -2
    )
    # J R S, whose product with its transpose is the covariance in the picture
    halves = rows @ (rotations(gaussians.quats) * gaussians.scales.unsqueeze(-2))
    first, second = halves.unbind(-2)
    covariances = torch.stack(
        [(first * first).sum(-1), (first * second).sum(-1), (second * second).sum(-1)], -1
    )
    return Ellipses(centers, covariances, depth)


def rotations(quats: Tensor) -> Tensor:
    """Matrices ``(..., 3, 3)`` of unit quaternions ``(..., 4)``, ``w x y z``."""
    w, x, y, z = quats.unbind(-1)
    entries = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(entries, -1).reshape(*quats.shape[:-1], 3, 3)
