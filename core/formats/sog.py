"""SOG, PlayCanvas's compressed scenes: ``meta.json`` and lossless WebP pictures, zipped or loose.

Each Gaussian is a pixel, and each kind of value a picture or two. Version 2 is written; version 1,
whose ``meta.json`` has no version, is read too.
(Described at https://developer.playcanvas.com/user-manual/gaussian-splatting/formats/sog.)
"""

import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import UserError
from core.formats.format import Format
from core.formats.quantised import (
    DAMAGED_HINT,
    Bytes,
    Floats,
    check_unpacked,
    from_smallest_three,
    opacity_logits,
)
from core.formats.sog_encoding import META, PALETTE_ROW, QUATERNION_TAG, parts, save
from core.formats.sog_meta import Meta
from core.formats.webp import read_pixels
from core.scene import GaussianScene

COEFFICIENTS = (3, 8, 15)
"""Above the constant one, by degree; a row of the palette's picture tells which it is."""

_ZIP_MAGIC = b"PK\x03\x04"
_META_BYTES = 1 << 20
_PICTURE_BYTES = 64 << 10
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,100}\.webp")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1

Source = Callable[[str, int], bytes]
"""Reads a file beside ``meta.json`` by its name, if it has no more than so many bytes."""


def recognises_bundle(head: bytes, path: Path) -> bool:
    """Whether the content is a ZIP that starts with a picture or the description."""
    if not head.startswith(_ZIP_MAGIC) or len(head) < 30:
        return False
    length = int.from_bytes(head[26:28], "little")
    name = head[30 : 30 + length]
    return name == META.encode() or name.endswith(b".webp")


def recognises_folder(head: bytes, path: Path) -> bool:
    """Whether the content is the description of a scene; any other JSON is not."""
    names = (b'"means"', b'"scales"', b'"quats"', b".webp")
    return head.lstrip()[:1] == b"{" and all(name in head for name in names)


def load_bundle(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
    """Read a ZIP of version 1 or 2.

    Raises
    ------
    UserError
        If the file is damaged, or of a later version.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            entries = {entry.filename: entry for entry in bundle.infolist()}

            def source(name: str, limit: int) -> bytes:
                entry = entries.get(name)
                if entry is None:
                    raise _missing(name)
                if entry.compress_type not in _METHODS or entry.flag_bits & _ENCRYPTED:
                    raise UserError(f"its {name} is encrypted or packed in an unusual way.")
                with bundle.open(entry) as stream:
                    return _within(name, stream.read(limit + 1), limit)

            return _decoded(source, path.stat().st_size), ()
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise UserError("its ZIP is damaged.", DAMAGED_HINT) from error


def load_folder(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
    """Read a scene of loose pictures by its ``meta.json``, of version 1 or 2.

    Raises
    ------
    UserError
        If a file is missing or damaged, or of a later version.
    """

    def source(name: str, limit: int) -> bytes:
        file = path if name == META else path.parent / name
        if not file.is_file():
            raise _missing(name)
        with file.open("rb") as stream:
            return _within(name, stream.read(limit + 1), limit)

    return _decoded(source, sum(file.stat().st_size for file in pictures(path))), ()


def pictures(path: Path) -> list[Path]:
    """The pictures beside a ``meta.json``."""
    return [file for file in path.parent.glob("*.webp") if file.is_file()]


LOSES = "Values are rounded to tables, further colours to a palette; further columns are dropped."
BYTES_EACH = (13, 16, 22, 34)
"""By SH degree, as measured: 13, 18 to 26, and 32 to 36 of the last."""


def size(scene: GaussianScene, count: int) -> int:
    """About how many bytes so many Gaussians of a scene take."""
    return count * BYTES_EACH[scene.sh_degree]


FORMAT = Format(
    "sog", "SOG", (".sog",), recognises_bundle, load_bundle, save, loses=LOSES, size=size
)
FORMAT_FOLDER = Format(
    "sog-folder",
    "SOG folder",
    (META,),
    recognises_folder,
    load_folder,
    save_parts=parts,
    loses=LOSES,
    size=size,
)


def _missing(name: str) -> UserError:
    return UserError(f"its {name} is missing.", "Keep all files of the scene together.")


def _within(name: str, content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise UserError(f"its {name} is far too large.", DAMAGED_HINT)
    return content


def _decoded(source: Source, file_bytes: int) -> GaussianScene:
    meta = Meta.parse(source(META, _META_BYTES))
    count = meta.count
    check_unpacked(count, 4 * count, file_bytes)

    def picture(name: str) -> NDArray[np.uint8]:
        """The pixels of all Gaussians, ``(N, 4)``."""
        pixels = read_pixels(name, _read(source, name, 2 * count), 2 * count + 4096)
        if len(pixels.reshape(-1, 4)) < count:
            raise UserError(f"its {name} has too few pixels for {count:,} Gaussians.", DAMAGED_HINT)
        return pixels.reshape(-1, 4)[:count]

    low, high = (picture(name) for name in meta.files("means", 2))
    quats = picture(*meta.files("quats", 1))
    scales = meta.values("scales", picture(*meta.files("scales", 1))[:, :3])
    colors = picture(*meta.files("sh0", 1))
    higher = _higher(meta, source, picture)
    base = meta.values("sh0", colors if meta.version == 1 else colors[:, :3])
    return GaussianScene(
        means=torch.from_numpy(_positions(meta, low, high)),
        log_scales=torch.from_numpy(scales),
        quats=torch.from_numpy(_rotations(quats)),
        opacity_logits=torch.from_numpy(
            base[:, 3].copy() if meta.version == 1 else opacity_logits(colors[:, 3])
        ),
        sh=torch.from_numpy(np.concatenate([base[:, None, :3], higher], axis=1)),
        antialiased=meta.antialiased,
    )


def _read(source: Source, name: str, pixels: int) -> bytes:
    """A picture's file; lossless WebP is hardly larger than its pixels."""
    if _PLAIN_NAME.fullmatch(name) is None:
        raise UserError(f"it names a picture {name!r}, which is no plain file name.", DAMAGED_HINT)
    return source(name, 5 * pixels + _PICTURE_BYTES)


def _positions(meta: Meta, low: Bytes, high: Bytes) -> Floats:
    mins, maxs = meta.numbers("means", "mins", 3), meta.numbers("means", "maxs", 3)
    whole = low[:, :3].astype(np.uint16) | high[:, :3].astype(np.uint16) << np.uint16(8)
    logarithms = mins + (maxs - mins) * (whole / 65535)
    with np.errstate(over="ignore", invalid="ignore"):
        positions: Floats = (np.sign(logarithms) * np.expm1(np.abs(logarithms))).astype(np.float32)
    return positions


def _rotations(pixels: Bytes) -> Floats:
    largest = pixels[:, 3].astype(np.intp) - QUATERNION_TAG
    if largest.min(initial=0) < 0:
        raise UserError("its rotations are damaged.", DAMAGED_HINT)
    return from_smallest_three(largest, (pixels[:, :3] / 255 - 0.5) * np.sqrt(2))


def _higher(meta: Meta, source: Source, picture: Callable[[str], Bytes]) -> Floats:
    """The coefficients above the constant one, ``(N, K, 3)``; K is 0 where there are none."""
    if not meta.has("shN"):
        return np.empty((meta.count, 0, 3), np.float32)
    palette_name, labels_name = meta.files("shN", 2)
    most = PALETTE_ROW * COEFFICIENTS[-1] * 1024
    stored = read_pixels(palette_name, _read(source, palette_name, most), most)
    coefficients = stored.shape[1] // PALETTE_ROW
    if coefficients * PALETTE_ROW != stored.shape[1] or coefficients not in COEFFICIENTS:
        raise UserError(f"its {palette_name} is of a wrong width.", DAMAGED_HINT)
    entries = stored[:, :, :3].reshape(-1, coefficients, 3)
    pixels = picture(labels_name)
    labels = pixels[:, 0].astype(np.intp) | pixels[:, 1].astype(np.intp) << 8
    if labels.max(initial=0) >= len(entries):
        raise UserError(f"its {labels_name} points beyond the palette.", DAMAGED_HINT)
    shades: Floats = meta.values("shN", entries)[labels]
    return shades
