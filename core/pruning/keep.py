"""Which Gaussians stay: exact counts, the same choice every time."""

import torch
from torch import Tensor

from core.errors import UserError
from core.scene import GaussianScene
from core.scoring.worth import Worth

MEGABYTE = 1_000_000
HEADER_BYTES, HEADER_LINE_BYTES = 120, 25
"""Room for the header of a PLY file, and for its line about each property."""


def keep_count(
    scene: GaussianScene,
    *,
    fraction: float | None = None,
    count: int | None = None,
    megabytes: float | None = None,
) -> int:
    """How many Gaussians a target leaves; give exactly one target.

    Parameters
    ----------
    fraction
        Share to keep, above 0 and up to 1; rounded to the nearest count, at least 1.
    count
        Number to keep, 1 to the size of the scene.
    megabytes
        Largest size of the file as a plain 3DGS PLY with normals in 10^6 bytes; a scene that is
        smaller keeps everything.

    Raises
    ------
    UserError
        If the target cannot be met.
    ValueError
        If not exactly one target is given.
    """
    if sum(target is not None for target in (fraction, count, megabytes)) != 1:
        raise ValueError("give exactly one of fraction, count and megabytes")
    total = len(scene)
    if total == 0:
        raise UserError("The scene is empty.", "Open a scene with Gaussians in it.")
    if fraction is not None:
        if not 0 < fraction <= 1:
            raise UserError(
                f"Cannot keep a share of {fraction:g}.", "Give a number above 0 and up to 1."
            )
        return max(1, round(fraction * total))
    if count is not None:
        if not 1 <= count <= total:
            raise UserError(
                f"Cannot keep {count:,} Gaussians.", f"Give a number from 1 to {total:,}."
            )
        return count
    assert megabytes is not None
    kept = count_in_megabytes(scene, megabytes)
    if kept < 1:
        raise UserError(f"Not one Gaussian of this scene fits in {megabytes:g} MB.", "Give more.")
    return kept


def count_in_megabytes(scene: GaussianScene, megabytes: float) -> int:
    """How many of a scene's Gaussians fit in a plain PLY file of that many 10^6 bytes."""
    floats = scene.ply_bytes_each // 4
    room = megabytes * MEGABYTE - HEADER_BYTES - HEADER_LINE_BYTES * floats
    return int(min(len(scene), room // scene.ply_bytes_each)) if room > 0 else 0


def keep_mask(worth: Worth, count: int, alive: Tensor | None = None) -> Tensor:
    """Mark the ``count`` worthiest Gaussians, exactly; equal ones stay by higher index.

    Parameters
    ----------
    worth
        What each Gaussian is worth.
    count
        How many to keep.
    alive
        Choose only where this is true, bool ``(N,)``; None chooses among all.

    Returns
    -------
    Tensor
        bool ``(N,)`` with exactly ``count`` true, on the CPU.

    Raises
    ------
    UserError
        If there are fewer than ``count`` to choose from.
    ValueError
        If ``alive`` does not match ``worth``, or ``count`` is negative.
    """
    order = worth.order
    if alive is not None:
        if alive.shape != (len(worth),) or alive.dtype != torch.bool:
            raise ValueError(f"alive is not bool of shape ({len(worth)},)")
        order = order[alive.cpu()[order]]
    if count < 0:
        raise ValueError("count is negative")
    if count > len(order):
        raise UserError(
            f"Cannot keep {count:,} of {len(order):,} Gaussians.", "Give a smaller number."
        )
    mask = torch.zeros(len(worth), dtype=torch.bool)
    mask[order[len(order) - count :]] = True
    return mask


def prune(scene: GaussianScene, worth: Worth, count: int) -> GaussianScene:
    """The scene with only its ``count`` worthiest Gaussians, in their old order."""
    if len(worth) != len(scene):
        raise ValueError(f"worth of {len(worth)} Gaussians for a scene of {len(scene)}")
    return scene.select(keep_mask(worth, count))
