"""Other values for some Gaussians, as :meth:`core.editing.Document.change` takes them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from core.cameras import Camera
from core.scene import SH_C0, GaussianScene

LEAST_DEPTH = 0.05
"""Share of its distance that a Gaussian keeps at least when it is moved towards a camera."""


def recolored(scene: GaussianScene, mask: Tensor, rgb: Sequence[float]) -> dict[str, Tensor]:
    """One colour in 0..1 from every side: what depends on the direction of view is dropped."""
    sh = torch.zeros_like(scene.sh[mask.to(scene.device)])
    sh[:, 0] = (torch.tensor(rgb, device=sh.device) - 0.5) / SH_C0
    return {"sh": sh}


def moved_in_depth(
    scene: GaussianScene, mask: Tensor, camera: Camera, distance: float
) -> dict[str, Tensor]:
    """The same in a camera's picture but for the order: by a distance away from it, world units.

    Towards it, by a negative one, no farther than :data:`LEAST_DEPTH` of the way is left.
    """
    depths = depths_of(scene, mask, camera)
    return at_depths(scene, mask, camera, depths + distance)


def at_depths(
    scene: GaussianScene, mask: Tensor, camera: Camera, depths: Tensor
) -> dict[str, Tensor]:
    """The same in a camera's picture but for the order: at depths ``(M,)`` along its axis.

    Every Gaussian is stretched about the eye, which no pinhole can see. What is not before the
    camera stays where it is.
    """
    which = mask.to(scene.device)
    means, old = scene.means[which], depths_of(scene, mask, camera)
    factors = (depths / old).clamp_min(LEAST_DEPTH)
    factors = torch.where(old > 0, factors, 1.0).nan_to_num(1.0, 1.0, 1.0)
    eye = torch.tensor(camera.position, dtype=torch.float32, device=scene.device)
    return {
        "means": eye + (means - eye) * factors[:, None],
        "log_scales": scene.log_scales[which] + factors.log()[:, None],
    }


def depths_of(scene: GaussianScene, mask: Tensor, camera: Camera) -> Tensor:
    """Distance of the M chosen centres along a camera's axis, world units, ``(M,)``."""
    row = torch.tensor(camera.world_to_camera[2], dtype=torch.float32, device=scene.device)
    depths: Tensor = scene.means[mask.to(scene.device)] @ row[:3] + row[3]
    return depths


def usual_step(depths: Tensor) -> float:
    """A twentieth of the range of depths, rounded to one digit: a step that can be seen."""
    finite = depths[depths.isfinite()]
    span = float(finite.max() - finite.min()) / 20 if len(finite) else 0.0
    if not span > 0:
        return 0.1
    unit = 10.0 ** math.floor(math.log10(span))
    return max(1, round(span / unit)) * unit
