"""What compressed formats share: opacities in a byte, quaternions in three numbers, bounds."""

import math

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.formats.repair import LARGEST_LOGIT

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

DAMAGED_HINT = "The file is cut off or damaged: copy or export it again."
LARGEST_RATIO = 256
"""Scenes shrink by a factor of 2 to 20; only something made to fill the memory by far more."""
SMALL_BYTES = 64 << 20
"""So much is unpacked at any ratio: many equal Gaussians shrink without end."""

_KEPT = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]], np.intp)


def opacity_bytes(logits: Floats) -> Bytes:
    """``round(255 sigmoid(logit))``."""
    with np.errstate(over="ignore"):
        return np.rint(255 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.uint8)


def opacity_logits(stored: Bytes) -> Floats:
    """The logits of opacities in a byte; 0 and 1 get large finite ones."""
    opacities = np.arange(1, 255) / 255
    inner = np.log(opacities / (1 - opacities))
    table = np.concatenate([[-LARGEST_LOGIT], inner, [LARGEST_LOGIT]]).astype(np.float32)
    return table[stored]


def smallest_three(quats: Floats) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Unit quaternions without their largest component, signed so that it is positive.

    Parameters
    ----------
    quats
        Of any non-zero length, ``(N, 4)``.

    Returns
    -------
        Which component is left out, ``(N,)``, and the others in order, within ``1/sqrt(2)`` of
        zero, ``(N, 3)``.
    """
    unit = quats.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    largest = np.abs(unit).argmax(1)
    negative = np.take_along_axis(unit, largest[:, None], 1) < 0
    kept = np.take_along_axis(unit, _KEPT[largest], 1)
    return largest, np.where(negative, -kept, kept)


def from_smallest_three(largest: NDArray[np.intp], kept: NDArray[np.floating]) -> Floats:
    """The quaternions, ``(N, 4)``, of what :func:`smallest_three` leaves."""
    quats = np.empty((len(kept), 4), np.float32)
    np.put_along_axis(quats, _KEPT[largest], kept.astype(np.float32), 1)
    rest = np.sqrt(np.maximum(0, 1 - (kept.astype(np.float32) ** 2).sum(1)))
    np.put_along_axis(quats, largest[:, None], rest[:, None], 1)
    return quats


def check_unpacked(count: int, unpacked: int, packed: int) -> None:
    """Refuse what would unpack to far more than a scene of ``packed`` bytes can.

    Raises
    ------
    UserError
        If ``unpacked`` bytes for ``count`` Gaussians are beyond reason.
    """
    if unpacked > max(SMALL_BYTES, LARGEST_RATIO * packed):
        raise UserError(
            f"its header promises {count:,} Gaussians, for which {packed:,} bytes are too few.",
            DAMAGED_HINT,
        )


def bits_for(value: float) -> int:
    """The largest whole number whose power of two is not above a positive value."""
    return math.frexp(value)[1] - 1
