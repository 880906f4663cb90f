"""SPZ, Niantic's compressed scenes: blocks of quantised values, packed with gzip or zstd.

Version 4 has a plain header and one zstd frame per block; versions 1 to 3 are one gzip stream of
a header and the blocks. Axes are taken and written as they are, like most programs do.
(Described in the README of https://github.com/nianticlabs/spz.)
"""

import gzip
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import torch
import zstandard
from numpy.typing import NDArray

from core.errors import UserError
from core.formats.format import Format
from core.formats.quantised import (
    DAMAGED_HINT,
    Bytes,
    Floats,
    bits_for,
    check_unpacked,
    from_smallest_three,
    opacity_bytes,
    opacity_logits,
    smallest_three,
)
from core.scene import MAX_SH_DEGREE, GaussianScene

MAGIC = b"NGSP"
GZIP_MAGIC = b"\x1f\x8b"
HEADER = struct.Struct("<4sIIBBBB")
"""Magic, version, count, SH degree, fractional bits, flags and a byte: streams, or reserved."""
REST_OF_HEADER = struct.Struct("<I12x")
"""Of version 4 only: where the table of streams is."""
ENTRY = struct.Struct("<QQ")
"""Bytes of a stream as it is stored and unpacked."""
ANTIALIASED = 1
ZSTD_LEVEL, GZIP_LEVEL = 12, 9
LARGEST_WHOLE = 2**23 - 1
"""Of 24 bits with sign."""
FRACTIONAL_BITS = (12, 20)
"""Steps from 1/4096 of a unit, as others write them, to what the smallest scenes need."""
COLOR_SCALE = 0.15
SH_BITS = (5, 4, 4)
"""Kept of each coefficient by degree: fewer different values pack better."""

_MAX_DEGREE = 4
_MAX_STREAMS = 64
_CHUNK_BYTES = 1 << 20


def recognises(head: bytes, path: Path) -> bool:
    """Whether the content is an SPZ of any version."""
    if not head.startswith(GZIP_MAGIC):
        return head.startswith(MAGIC)
    try:
        start = zlib.decompressobj(31).decompress(head[: 1 << 10], len(MAGIC))
    except zlib.error:
        return False
    return start == MAGIC


def load(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
    """Read versions 1 to 4 of any degree; the fourth is cut to the third.

    Raises
    ------
    UserError
        If the file is damaged, or of a later version.
    """
    file_bytes = path.stat().st_size
    with path.open("rb") as file, _damage_explained():
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        stream: BinaryIO = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        header = Header.read(stream)
        sizes = header.block_sizes()
        check_unpacked(header.count, sum(sizes.values()), file_bytes)
        if header.version == 4:
            blocks = _read_streams(file, header, sizes, file_bytes)
        else:
            blocks = {name: _read(stream, size) for name, size in sizes.items()}
            if packed:
                stream.read(1)
    notes = []
    if header.degree > MAX_SH_DEGREE:
        notes.append(f"Cut spherical harmonics of degree {header.degree} to degree 3.")
    return _decoded(header, blocks), tuple(notes)


def save(scene: GaussianScene, file: BinaryIO) -> None:
    """Write version 4: a zstd frame for each kind of value.

    Positions are rounded to steps that suit the scene, log scales to sixteenths between -10 and
    5.94; spherical harmonics are cut to -1 to 1; ``columns`` are dropped.
    """
    header, blocks = _encoded(scene, 4)
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    frames = [compressor.compress(block) for block in blocks]
    file.write(header.packed(len(frames)))
    file.write(REST_OF_HEADER.pack(HEADER.size + REST_OF_HEADER.size))
    for block, frame in zip(blocks, frames, strict=True):
        file.write(ENTRY.pack(len(frame), len(block)))
    for frame in frames:
        file.write(frame)


def save_v3(scene: GaussianScene, file: BinaryIO) -> None:
    """Write version 3, for programs that do not know version 4; the same values."""
    header, blocks = _encoded(scene, 3)
    with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as stream:
        stream.write(header.packed(0))
        for block in blocks:
            stream.write(block)


LOSES = "Values are rounded, log scales kept within -10 to 5.94; further columns are dropped."
BYTES_EACH = (15, 17, 20, 23)
"""By SH degree, as measured: 14 to 16, 20, and 19 to 27 of the last."""


def size(scene: GaussianScene, count: int) -> int:
    """About how many bytes so many Gaussians of a scene take."""
    return count * BYTES_EACH[scene.sh_degree]


FORMAT = Format("spz", "SPZ", (".spz",), recognises, load, save, loses=LOSES, size=size)
FORMAT_V3 = Format("spz3", "SPZ version 3", (), recognises, load, save_v3, loses=LOSES, size=size)


@dataclass(frozen=True, slots=True)
class Header:
    """What all versions start with."""

    version: int
    count: int
    degree: int
    fractional_bits: int
    flags: int
    streams: int

    @classmethod
    def read(cls, stream: BinaryIO) -> Self:
        """Read and check the first 16 bytes."""
        magic, *values = HEADER.unpack(_read(stream, HEADER.size))
        header = cls(*values)
        if magic != MAGIC or header.version == 0:
            raise UserError("its header is damaged.", DAMAGED_HINT)
        if header.version > 4:
            raise UserError(
                f"it is SPZ version {header.version}; versions 1 to 4 are known.",
                "Export it as version 4 in the program that made it.",
            )
        if header.degree > _MAX_DEGREE:
            raise UserError(
                f"its spherical harmonics have degree {header.degree}; at most {_MAX_DEGREE} "
                "is possible.",
                DAMAGED_HINT,
            )
        return header

    def packed(self, streams: int) -> bytes:
        """The first 16 bytes."""
        values = (self.version, self.count, self.degree, self.fractional_bits, self.flags)
        return HEADER.pack(MAGIC, *values, streams)

    def block_sizes(self) -> dict[str, int]:
        """Bytes of each kind of value, unpacked, in the order of the file."""
        each = {
            "positions": 6 if self.version == 1 else 9,
            "alphas": 1,
            "colors": 3,
            "scales": 3,
            "rotations": 4 if self.version >= 3 else 3,
            "sh": 3 * ((self.degree + 1) ** 2 - 1),
        }
        return {name: self.count * size for name, size in each.items() if size}


def _read(stream: BinaryIO, size: int) -> bytes:
    """Exactly ``size`` bytes; memory follows what is really there."""
    pieces = []
    missing = size
    while missing:
        piece = stream.read(min(missing, _CHUNK_BYTES))
        if not piece:
            raise EOFError
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _read_streams(
    file: BinaryIO, header: Header, sizes: Mapping[str, int], file_bytes: int
) -> dict[str, bytes]:
    (table_start,) = REST_OF_HEADER.unpack(_read(file, REST_OF_HEADER.size))
    if not len(sizes) <= header.streams <= _MAX_STREAMS:
        raise UserError(f"it has {header.streams} streams, not {len(sizes)}.", DAMAGED_HINT)
    file.seek(table_start)
    table = [ENTRY.unpack(_read(file, ENTRY.size)) for _ in range(header.streams)]
    start = table_start + ENTRY.size * header.streams
    blocks = {}
    for (name, size), (stored, unpacked) in zip(sizes.items(), table, strict=False):
        if unpacked != size or start + stored > file_bytes:
            raise UserError(
                f"its header promises {header.count:,} Gaussians, which its {name} are not for.",
                DAMAGED_HINT,
            )
        file.seek(start)
        with zstandard.ZstdDecompressor().stream_reader(BytesIO(_read(file, stored))) as stream:
            blocks[name] = _read(stream, size)
        start += stored
    return blocks


@contextmanager
def _damage_explained() -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise UserError("it ends inside its Gaussians.", DAMAGED_HINT) from error
    except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise UserError("it cannot be unpacked.", DAMAGED_HINT) from error


def _decoded(header: Header, blocks: Mapping[str, bytes]) -> GaussianScene:
    count = header.count
    values = {name: np.frombuffer(block, np.uint8) for name, block in blocks.items()}
    higher = (min(header.degree, MAX_SH_DEGREE) + 1) ** 2 - 1
    sh = np.empty((count, 1 + higher, 3), np.float32)
    sh[:, 0] = (values["colors"].reshape(count, 3) / np.float32(255) - 0.5) / COLOR_SCALE
    if higher:
        stored = values["sh"].reshape(count, -1, 3)[:, :higher]
        sh[:, 1:] = (stored.astype(np.float32) - 128) / 128
    scales = values["scales"].reshape(count, 3).astype(np.float32)
    return GaussianScene(
        means=torch.from_numpy(_positions(header, values["positions"])),
        log_scales=torch.from_numpy(scales / 16 - 10),
        quats=torch.from_numpy(_rotations(header, values["rotations"])),
        opacity_logits=torch.from_numpy(opacity_logits(values["alphas"])),
        sh=torch.from_numpy(sh),
        antialiased=bool(header.flags & ANTIALIASED),
    )


def _positions(header: Header, stored: Bytes) -> Floats:
    if header.version == 1:
        return stored.view("<f2").reshape(header.count, 3).astype(np.float32)
    wide = np.zeros((header.count * 3, 4), np.uint8)
    wide[:, 1:] = stored.reshape(-1, 3)
    whole = wide.view("<i4").reshape(header.count, 3) >> 8
    return np.ldexp(whole.astype(np.float32), -header.fractional_bits)


def _rotations(header: Header, stored: Bytes) -> Floats:
    """Quaternions ``w x y z``; the file's order is ``x y z w``."""
    if header.version < 3:
        xyz = stored.reshape(header.count, 3) / np.float32(127.5) - 1
        return from_smallest_three(np.zeros(header.count, np.intp), xyz)
    codes = stored.view("<u4").astype(np.int64)
    fields = codes[:, None] >> np.array([20, 10, 0])
    kept = np.where(fields & 512, -1, 1) * (fields & 511) * (np.sqrt(0.5) / 511)
    return np.roll(from_smallest_three(codes >> 30, kept), 1, axis=1)


def _encoded(scene: GaussianScene, version: int) -> tuple[Header, Sequence[bytes]]:
    """The header, and the blocks in the order of the file."""
    scene = scene.to("cpu")
    means, log_scales = scene.means.detach().numpy(), scene.log_scales.detach().numpy()
    sh = scene.sh.detach().numpy()
    bits = _fractional_bits(means, log_scales)
    header = Header(
        version, len(scene), scene.sh_degree, bits, ANTIALIASED * scene.antialiased, streams=0
    )
    whole = np.ldexp(means.astype(np.float64), bits)
    whole = np.rint(whole.clip(-LARGEST_WHOLE, LARGEST_WHOLE)).astype("<i4")
    blocks = [
        np.ascontiguousarray(whole.view(np.uint8).reshape(-1, 4)[:, :3]),
        opacity_bytes(scene.opacity_logits.detach().numpy()),
        _rounded(sh[:, 0] * (COLOR_SCALE * 255) + 127.5),
        _rounded((log_scales + 10) * 16),
        _rotation_codes(scene.quats.detach().numpy()),
    ]
    if scene.sh_degree:
        blocks.append(_sh_bytes(sh[:, 1:]))
    return header, [block.tobytes() for block in blocks]


def _fractional_bits(means: Floats, log_scales: Floats) -> int:
    """How fine positions are stored: a step is at most a quarter of the median size, if it can be.

    The range of 24 bits shrinks as steps do. All positions are to fit, but not at the price of
    steps above the median size: then one in a thousand may be moved to the edge of the range.
    """
    size = float(np.exp(np.median(np.sort(log_scales, axis=1)[:, 1]).clip(-40, 40)))
    coarsest, finest = FRACTIONAL_BITS
    needed = min(-bits_for(size / 4), finest)
    reach = np.abs(means).max(axis=1).astype(np.float64)
    tiny = np.finfo(np.float64).tiny
    fit_all, fit_most = (
        bits_for(LARGEST_WHOLE / max(float(distance), tiny))
        for distance in (reach.max(), np.quantile(reach, 0.999))
    )
    return max(0, min(max(needed, coarsest), max(fit_all, min(needed - 2, fit_most))))


def _rotation_codes(quats: Floats) -> NDArray[np.uint32]:
    largest, kept = smallest_three(np.roll(quats, -1, axis=1))
    magnitudes = np.floor(511 * np.abs(kept) / np.sqrt(0.5) + 0.5).astype(np.uint32).clip(max=511)
    fields = magnitudes | (kept < 0).astype(np.uint32) << np.uint32(9)
    codes = largest.astype(np.uint32)
    for i in range(3):
        codes = codes << np.uint32(10) | fields[:, i]
    return codes.astype("<u4")


def _sh_bytes(higher: Floats) -> Bytes:
    """Coefficients ``(N, K, 3)`` rounded to the middle of as many steps as their degree has."""
    bits = np.repeat(SH_BITS, [3, 5, 7])[: higher.shape[1], None]
    step = 1 << (8 - bits)
    whole = np.rint(higher.clip(-2, 2) * 128).astype(np.int32) + 128
    return _rounded((whole + step // 2) // step * step)


def _rounded(values: NDArray[np.floating | np.integer]) -> Bytes:
    rounded: Bytes = np.rint(values.clip(0, 255)).astype(np.uint8)
    return rounded
