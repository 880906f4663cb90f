"""Pictures on disk."""

import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from core.errors import UserError
from core.files import replacing

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
READABLE = (*SUFFIXES, ".bmp", ".tif", ".tiff")
"""Ends of names of images that can be opened."""
UNREADABLE = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""What Pillow raises over damaged files."""
MOST_MASK_PIXELS = 2**26
BLACK, WHITE, MOST_GREY = 26, 230, 0.5
"""Levels between which a pixel is grey, and the share of a mask that may be."""
MASK_SHARE, LINE_SHARE = 0.5, 0.04
"""How white a pixel of a mask is; and of one that thin lines are to be found in."""


def is_image(path: Path) -> bool:
    """Whether a file calls itself an image."""
    return path.suffix.lower() in READABLE


def check_image_suffix(path: Path) -> None:
    """Refuse a name that is not an image's, before any work is done."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path.name} is not an image name.", f"Use one of {', '.join(SUFFIXES)}.")


def save_image(rgb: Tensor, path: Path) -> None:
    """Write colours in 0..1, ``(H, W, 3)``, as 8-bit; values outside are clamped."""
    check_image_suffix(path)
    pixels = (rgb.detach().cpu().numpy().clip(0, 1) * 255).round().astype(np.uint8)
    kind = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path) as file:
        Image.fromarray(pixels).save(file, format=kind)


def load_mask(path: Path, width: int, height: int, share: float = MASK_SHARE) -> Tensor:
    """Where a picture is white, bool ``(H, W)``: its middle, as much of it as fits the sides.

    Parameters
    ----------
    share
        How white a pixel is, 0 to 1.

    Raises
    ------
    UserError
        If it cannot be read, is too large, or is a picture of greys.
    """
    try:
        with Image.open(path) as file:
            if file.width * file.height > MOST_MASK_PIXELS:
                raise UserError(f"{path.name} is too large.", "Scale it down.")
            gray = ImageOps.exif_transpose(file).convert("L")
            if sum(gray.histogram()[BLACK:WHITE]) > MOST_GREY * gray.width * gray.height:
                raise UserError(
                    f"{path.name} is no mask: most of it is neither black nor white.",
                    "Use a picture that is white on black.",
                )
            return fit_mask(gray, width, height, share)
    except UNREADABLE as error:
        raise UserError(
            f"{path.name} cannot be read as a picture.", "Use a PNG that is white on black."
        ) from error


def fit_mask(gray: Image.Image, width: int, height: int, share: float = MASK_SHARE) -> Tensor:
    """Where the middle of a grey picture is white, bool ``(H, W)``; see :func:`load_mask`."""
    fitted = ImageOps.fit(gray, (width, height), Image.Resampling.BOX)
    return torch.from_numpy(np.array(fitted)) > 255 * share
