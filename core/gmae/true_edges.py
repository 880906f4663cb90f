"""True edges that people drew, from a picture or from a file of BSDS."""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from torch import Tensor
from torch.nn import functional

from core.errors import UserError
from core.gmae.truths import mask_boundary
from core.images import LINE_SHARE, MOST_MASK_PIXELS, SUFFIXES, fit_mask, load_mask

EDGE_SUFFIXES = (*SUFFIXES, ".mat")
LEAST_LINE_PX, MOST_LINE_SHARE = 7, 0.03
"""How wide a line may be, pixels and of the longer side."""
MOST_BYTES = 2**24
MOST_UNPACKED_BYTES = 2**28
_VARIABLE, _FIELD = "groundTruth", "Boundaries"
_HEADER_BYTES, _TAG_BYTES, _COMPRESSED = 128, 8, 15
_BIG_ENDIAN = b"MI"
_UNREADABLE = (
    *(OSError, ValueError, TypeError, IndexError, KeyError, NotImplementedError, MemoryError),
    *(MatReadError, struct.error, zlib.error),
)


@dataclass(frozen=True, slots=True, eq=False)
class TrueEdges:
    """Edges, bool ``(H, W)``; ``outlined`` where they are the outline of what was a filled mask."""

    lines: Tensor
    outlined: bool = False


def load_edges(path: Path, width: int, height: int) -> TrueEdges:
    """True edges: the middle of the picture, as much of it as fits the sides.

    In a ``.mat`` file of BSDS an edge is what any of the people drew. A picture with areas that are
    no lines is a mask, whose outline counts.

    Raises
    ------
    UserError
        If the file cannot be read or is too large.
    """
    if path.suffix.lower() != ".mat":
        lines = load_mask(path, width, height, LINE_SHARE)
        if not _has_areas(lines):
            return TrueEdges(lines)
        return TrueEdges(mask_boundary(load_mask(path, width, height)), outlined=True)
    try:
        drawn = _read_boundaries(path)
    except _UNREADABLE as error:
        raise UserError(
            f"{path.name} cannot be read as true edges.",
            f"Use a file of BSDS, with {_FIELD} in {_VARIABLE}, or a picture.",
        ) from error
    gray = Image.fromarray(drawn.astype(np.uint8) * 255)
    return TrueEdges(fit_mask(gray, width, height, LINE_SHARE))


def _has_areas(lines: Tensor) -> bool:
    """Whether anything white is wider than a line is, in a picture bool ``(H, W)``."""
    width = max(LEAST_LINE_PX, round(MOST_LINE_SHARE * max(lines.shape))) | 1
    dark = (~lines).float()[None, None]
    around = functional.max_pool2d(dark, width, 1, width // 2)
    reach = width // 2
    return bool((around[0, 0, reach:-reach, reach:-reach] == 0).any())


def _read_boundaries(path: Path) -> NDArray[np.bool_]:
    """What any of the people drew, ``(H, W)``."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("the file is too large")
    content = _unpacked(path.read_bytes())
    people = loadmat(BytesIO(content), variable_names=[_VARIABLE])[_VARIABLE]
    maps = [np.asarray(person[_FIELD][0, 0]) for person in people.flat]
    if not maps or maps[0].ndim != 2 or not 0 < maps[0].size <= MOST_MASK_PIXELS:
        raise ValueError("there are no edges")
    if any(one.shape != maps[0].shape for one in maps):
        raise ValueError("edges differ in size")
    drawn: NDArray[np.bool_] = np.any([one.astype(np.float32) > 0 for one in maps], axis=0)
    return drawn


def _unpacked(content: bytes) -> bytes:
    """A MATLAB 5 file whose variables are not compressed, of a bounded size."""
    order = ">" if content[126:_HEADER_BYTES] == _BIG_ENDIAN else "<"
    parts, at, room = [content[:_HEADER_BYTES]], _HEADER_BYTES, MOST_UNPACKED_BYTES
    while at < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        end = at + _TAG_BYTES + size
        part = content[at:end]
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            part = unpacker.decompress(part[_TAG_BYTES:], room)
            if not unpacker.eof:
                raise ValueError("a variable is cut short or too large")
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise ValueError("the variables are too large")
        at = end
    return b"".join(parts)
