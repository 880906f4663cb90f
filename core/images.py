"""Pictures on disk."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from core.errors import UserError
from core.files import replacing

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
READABLE = (*SUFFIXES, ".bmp", ".tif", ".tiff")
"""Ends of names of images that can be opened."""


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
