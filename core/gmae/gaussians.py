"""The Gaussians of a batch of images, and how 14 numbers become one."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """K Gaussians of each of B images, in the model's own space.

    Attributes
    ----------
    means
        ``(B, K, 3)`` in -1..1: x right, y down, z away; ``z + 8`` is the depth.
    scales
        Standard deviations, ``(B, K, 3)``.
    quats
        Rotations, ``w x y z``, of length 1, ``(B, K, 4)``.
    colors
        ``(B, K, 3)`` in 0..1.
    opacities
        ``(B, K)`` in 0..1.
    """

    means: Tensor
    scales: Tensor
    quats: Tensor
    colors: Tensor
    opacities: Tensor

    def image(self, index: int) -> "Gaussians":
        """Those of one image, as a batch of one."""
        only = slice(index, index + 1)
        return Gaussians(
            self.means[only],
            self.scales[only],
            self.quats[only],
            self.colors[only],
            self.opacities[only],
        )


def activate(outputs: Tensor, scale_cap: float) -> Gaussians:
    """Gaussians from the head's numbers, ``(B, K, 14)``.

    The activations of the authors' code: means ``2 (sigmoid - 0.5)``, so bounded where the paper
    says unbounded; scales ``c sigmoid``; rotations by Shoemake's map of three sigmoids to a unit
    quaternion, so that the tenth number has no effect; colours and opacity sigmoids.
    """
    unit = torch.sigmoid(outputs)
    first, second, third = unit[..., 6:9].unbind(-1)
    # sqrt has no derivative at 0, where a sigmoid of a large number can arrive
    low = first.clamp(1e-7, 1 - 1e-7).sqrt()
    high = (1 - first).clamp(1e-7, 1 - 1e-7).sqrt()
    turn, tilt = 2 * math.pi * second, 2 * math.pi * third
    quats = torch.stack(
        [high * turn.sin(), high * turn.cos(), low * tilt.sin(), low * tilt.cos()], -1
    )
    return Gaussians(
        means=2 * unit[..., :3] - 1,
        scales=scale_cap * unit[..., 3:6],
        quats=quats,
        colors=unit[..., 10:13],
        opacities=unit[..., 13],
    )
