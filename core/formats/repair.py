"""Values that no renderer can use: mended or left out, and said so."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from core.errors import UserError
from core.scene import GaussianScene

LARGEST_VALUE = 1e18
"""Of positions, rotations and colours: the square still fits a float32."""
LARGEST_LOG_SCALE = 40.0
"""The variance, e^80, still fits a float32."""
SMALLEST_LOG_SCALE = -30.0
"""The variance, e^-60, is still a normal float32."""
LARGEST_LOGIT = 20.0
"""What stands for an infinite opacity logit: its sigmoid is within 3e-9 of 1."""
SHORTEST_QUATERNION = 1e-15
"""The squared length of a shorter one nears the end of float32, and so does its direction."""

_FLOAT_MAX = torch.finfo(torch.float32).max


def repaired(scene: GaussianScene) -> tuple[GaussianScene, tuple[str, ...]]:
    """The scene, on the CPU, with nothing but usable values, and a sentence for each repair.

    Gaussians with a NaN, or with infinite or far too large positions, scales, rotations or colours,
    are left out. Infinite opacity logits and vanishing scales become finite; a zero quaternion
    becomes the identity.

    Raises
    ------
    UserError
        If no Gaussian remains.
    """
    if len(scene) == 0:
        raise UserError("it holds no Gaussians.")
    sentences = []
    if not _all_usable(scene):
        usable = _usable(scene)
        if not usable.any():
            raise UserError("none of its Gaussians has finite values.")
        sentences.append(f"Left out {_count(~usable)} with non-finite or far too large values.")
        scene = scene.select(usable)

    logits, log_scales, quats = scene.opacity_logits, scene.log_scales, scene.quats
    if not _within(logits, -_FLOAT_MAX, _FLOAT_MAX):
        infinite = logits.isinf()
        logits = torch.where(infinite, logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT), logits)
        sentences.append(f"Set an infinite opacity logit to a finite one in {_count(infinite)}.")
    if not _within(log_scales, SMALLEST_LOG_SCALE, math.inf):
        vanishing = (log_scales < SMALLEST_LOG_SCALE).any(dim=1)
        log_scales = log_scales.clamp(min=SMALLEST_LOG_SCALE)
        sentences.append(f"Set a vanishing scale to the smallest usable in {_count(vanishing)}.")
    lengths = torch.linalg.vector_norm(quats, dim=1)
    if not _within(lengths, SHORTEST_QUATERNION, math.inf):
        zero = lengths < SHORTEST_QUATERNION
        quats = torch.where(zero[:, None], quats.new_tensor([1.0, 0.0, 0.0, 0.0]), quats)
        sentences.append(f"Set a zero quaternion to the identity rotation in {_count(zero)}.")
    if sentences:
        scene = replace(scene, opacity_logits=logits, log_scales=log_scales, quats=quats)
    return scene, tuple(sentences)


def _within(values: Tensor, low: float, high: float) -> bool:
    """Whether all values are in ``[low, high]``; NaN is not. Needs no mask, so it is cheap."""
    array = values.numpy()
    return bool(array.min() >= low) and bool(array.max() <= high)


def _all_usable(scene: GaussianScene) -> bool:
    bounded = (scene.means, scene.quats, scene.sh)
    return (
        all(_within(values, -LARGEST_VALUE, LARGEST_VALUE) for values in bounded)
        and _within(scene.log_scales, -math.inf, LARGEST_LOG_SCALE)
        and _within(scene.opacity_logits, -math.inf, math.inf)
    )


def _usable(scene: GaussianScene) -> Tensor:
    usable = (scene.log_scales <= LARGEST_LOG_SCALE).all(dim=1) & ~scene.opacity_logits.isnan()
    for values in (scene.means, scene.quats, scene.sh):
        usable &= (values.abs() <= LARGEST_VALUE).flatten(start_dim=1).all(dim=1)
    return usable


def _count(mask: Tensor) -> str:
    count = int(mask.sum())
    return f"{count:,} {'Gaussian' if count == 1 else 'Gaussians'}"
