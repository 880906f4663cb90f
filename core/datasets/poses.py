"""Checks that turn numbers from a file into cameras."""

from pathlib import Path

import numpy as np

from core.cameras import Matrix
from core.errors import UserError

MAX_SIDE_PX = 65_536
MAX_PIXELS = 2**28
MAX_DISTANCE = 1e8
_MAX_NUMBER = 1e30
_MAX_SHEAR = 0.05


def finite(values: object, shape: tuple[int, ...], what: str, file: Path) -> Matrix:
    """Numbers from a file as a finite float64 array of ``shape``."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    if array.shape != shape:
        size = "x".join(map(str, shape)) or "one"
        raise UserError(f"{file}: {what} must be {size} numbers.", "Export the cameras again.")
    if not (np.abs(array) <= _MAX_NUMBER).all():
        raise UserError(
            f"{file}: {what} holds NaN, infinity or an absurd value.",
            "Remove that view from the file, or export the cameras again.",
        )
    return array


def picture_size(width: object, height: object, what: str, file: Path) -> tuple[int, int]:
    """A picture's width and height in pixels, bounded."""
    size = finite([width, height], (2,), f"size of {what}", file)
    w, h = (float(side) for side in size)
    sane = min(w, h) >= 1 and max(w, h) <= MAX_SIDE_PX and w * h <= MAX_PIXELS
    if not sane or w != round(w) or h != round(h):
        raise UserError(
            f"{file}: {what} has a size of {width} x {height} pixels.",
            f"Sides are whole numbers up to {MAX_SIDE_PX}, up to {MAX_PIXELS >> 20} megapixels.",
        )
    return round(w), round(h)


def rigid(rotation: Matrix, translation: Matrix, what: str, file: Path) -> Matrix:
    """A rigid transform ``(4, 4)`` from a rotation ``(3, 3)`` that may be rounded, and a shift.

    Small errors are mended by the nearest rotation (polar decomposition); mirrored, scaled or
    singular matrices are refused.
    """
    u, stretch, vt = np.linalg.svd(rotation)
    if np.abs(stretch - 1).max() > _MAX_SHEAR or np.linalg.det(rotation) <= 0:
        raise UserError(
            f"{file}: the rotation of {what} is not a rotation (scaled, mirrored or singular).",
            "Export the cameras again as rigid poses.",
        )
    if np.abs(translation).max() > MAX_DISTANCE:
        raise UserError(f"{file}: {what} is absurdly far away.", "Remove that view from the file.")
    transform = np.eye(4)
    transform[:3, :3] = u @ vt
    transform[:3, 3] = translation
    return transform


def inverse(transform: Matrix) -> Matrix:
    """Inverse of a rigid transform, ``(4, 4)``."""
    result = np.eye(4)
    result[:3, :3] = transform[:3, :3].T
    result[:3, 3] = -transform[:3, :3].T @ transform[:3, 3]
    return result


def check_focal(fx: float, fy: float, size: tuple[int, int], what: str, file: Path) -> None:
    """Refuse focal lengths that no picture was taken with."""
    for focal in (fx, fy):
        if not 1e-2 * max(size) < focal < 1e5 * max(size):
            raise UserError(
                f"{file}: {what} has a focal length of {focal:g} pixels.",
                "Export the cameras again; focal lengths are in pixels of the picture.",
            )
