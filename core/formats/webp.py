"""Lossless WebP as a store of numbers."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core.errors import UserError
from core.formats.quantised import DAMAGED_HINT

METHOD = 2
"""Effort, 0 to 6: 4 takes up to 25 times as long for files of the same size, 0 adds 9 %."""
_LARGEST_SIDE = 1 << 14


def read_pixels(name: str, content: bytes, most: int) -> NDArray[np.uint8]:
    """All pixels, red, green, blue and alpha, ``(height, width, 4)``.

    Raises
    ------
    UserError
        If it is no WebP, or has more than ``most`` pixels, or is damaged.
    """
    width, height = _size(content)
    if width * height == 0:
        raise UserError(f"its {name} is no WebP picture.", DAMAGED_HINT)
    if width * height > most:
        raise UserError(f"its {name} has {width} x {height} pixels, too many.", DAMAGED_HINT)
    try:
        with Image.open(BytesIO(content), formats=["WEBP"]) as image:
            if image.size != (width, height):
                raise UserError(f"its {name} is damaged.", DAMAGED_HINT)
            return np.asarray(image.convert("RGBA"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"its {name} is damaged.", DAMAGED_HINT) from error


def write_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """A file of pixels, ``(height, width, 3 or 4)``, that keeps each byte."""
    stream = BytesIO()
    # without ``exact`` the colour of transparent pixels is lost
    Image.fromarray(pixels).save(
        stream, "WEBP", lossless=True, exact=True, quality=100, method=METHOD
    )
    return stream.getvalue()


def _size(content: bytes) -> tuple[int, int]:
    """Width and height as the file's start tells them, before anything is decoded; else 0, 0."""
    start = content[:30].ljust(30, b"\0")
    if start[:4] != b"RIFF" or start[8:12] != b"WEBP":
        return 0, 0
    kind, body = start[12:16], start[20:]
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & (_LARGEST_SIDE - 1)), 1 + (bits >> 14 & (_LARGEST_SIDE - 1))
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8 ":
        sides = int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
        return sides[0] % _LARGEST_SIDE, sides[1] % _LARGEST_SIDE
    return 0, 0
