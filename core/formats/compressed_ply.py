"""The compressed PLY of SuperSplat: each value packed by the range of its chunk of 256 Gaussians.

``element chunk`` has the ranges, 18 floats (12 before colours had one); ``element vertex`` four
packed numbers: position and scale in 11, 10 and 11 bits, the rotation as the three smallest
components in 10 bits each, colour and opacity in bytes; ``element sh`` a byte for each further
coefficient, channel by channel. (Described by the writer of
https://github.com/playcanvas/splat-transform.)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import UserError
from core.formats.format import Format
from core.formats.ply import ANTIALIASED, ANTIALIASED_COMMENTS
from core.formats.ply_header import Element, Header, has_chunks, is_ply, read_header
from core.formats.quantised import (
    DAMAGED_HINT,
    Bytes,
    Floats,
    from_smallest_three,
    opacity_bytes,
    opacity_logits,
    smallest_three,
)
from core.morton import morton_order
from core.scene import SH_C0, GaussianScene

CHUNK = 256
LARGEST_LOG_SCALE = 20.0
SH_REACH = 4.0
_SIDES = ("min", "max")
_RANGES = {
    "position": ("x", "y", "z"),
    "scale": ("scale_x", "scale_y", "scale_z"),
    "color": ("r", "g", "b"),
}
_PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_POINT_BITS = np.array([11, 10, 11], np.uint32)
_POINT_SHIFTS = np.array([21, 11, 0], np.uint32)
_ROTATION_SHIFTS = np.array([20, 10, 0], np.uint32)
_SH_COUNTS = (0, 9, 24, 45)

Words = NDArray[np.uint32]


def recognises(head: bytes, path: Path) -> bool:
    """Whether the content is a PLY with chunks."""
    return is_ply(head) and has_chunks(head)


def load(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
    """Read a compressed PLY of degree 0 to 3, with ranges of colours or without.

    Raises
    ------
    UserError
        If the file is damaged, or holds something else.
    """
    with path.open("rb") as file:
        header = read_header(file)
        elements = {element.name: element for element in header.elements}
        chunk, vertex = (_wanted(elements, name) for name in ("chunk", "vertex"))
        _check(header, chunk, vertex, elements.get("sh"), path.stat().st_size)
        file.seek(header.size)
        tables = {}
        for element in header.elements:
            row = element.row_type(header.byte_order)
            if element.name in ("chunk", "vertex", "sh") and element.properties:
                raw = file.read(element.count * row.itemsize)
                if len(raw) < element.count * row.itemsize:
                    raise UserError("it ends inside its Gaussians.", DAMAGED_HINT)
                tables[element.name] = np.frombuffer(raw, row)
            else:
                file.seek(element.count * row.itemsize, 1)
    ranges = _ranges(chunk, tables.get("chunk"))
    words = {
        prop.name: tables["vertex"][str(i)].astype(np.uint32)
        for i, prop in enumerate(vertex.properties)
        if prop.name in _PACKED
    }
    count = vertex.count
    chunk_of = np.arange(count) // CHUNK
    position, rotation, scale, color = (words[name] for name in _PACKED)
    bytes_ = color.astype(">u4").view(np.uint8).reshape(-1, 4)
    rgb = _between(bytes_[:, :3] / np.float64(255), ranges["color"], chunk_of)
    with np.errstate(over="ignore"):
        base = (rgb - np.float32(0.5)) / np.float32(SH_C0)
    sh = _sh(elements.get("sh"), tables.get("sh"), count)
    scene = GaussianScene(
        means=_tensor(_point(position, ranges["position"], chunk_of)),
        log_scales=_tensor(_point(scale, ranges["scale"], chunk_of)),
        quats=_tensor(_quats(rotation)),
        opacity_logits=_tensor(opacity_logits(bytes_[:, 3])),
        sh=_tensor(np.concatenate([base[:, None], sh], 1)),
        antialiased=any(ANTIALIASED.match(comment) for comment in header.comments),
    )
    return scene, ()


def save(scene: GaussianScene, file: BinaryIO) -> None:
    """Write the Gaussians in Morton order, 16 bytes each and one for each further coefficient.

    Harmonics are cut to -4 to 4, log scales to -20 to 20; ``columns`` are dropped.
    """
    order = morton_order(scene.means.detach().cpu().numpy())
    scene = scene.to("cpu").select(torch.from_numpy(order))
    means, log_scales = scene.means.detach().numpy(), scene.log_scales.detach().numpy()
    log_scales = log_scales.clip(-LARGEST_LOG_SCALE, LARGEST_LOG_SCALE)
    sh = scene.sh.detach().numpy()
    colors = sh[:, 0] * np.float32(SH_C0) + np.float32(0.5)
    starts = np.arange(0, len(scene), CHUNK)
    sides = {
        name: (np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts))
        for name, values in (("position", means), ("scale", log_scales), ("color", colors))
    }
    ranges = np.concatenate([side for pair in sides.values() for side in pair], 1)
    chunk_of = np.arange(len(scene)) // CHUNK
    shades = np.empty((len(scene), 4), np.uint8)
    shades[:, :3] = _levels(colors, sides["color"], chunk_of, np.full(3, 8, np.uint32))
    shades[:, 3] = opacity_bytes(scene.opacity_logits.detach().numpy())
    words = np.stack(
        [
            _point_words(means, sides["position"], chunk_of),
            _rotation_words(scene.quats.detach().numpy()),
            _point_words(log_scales, sides["scale"], chunk_of),
            shades.view(">u4")[:, 0].astype(np.uint32),
        ],
        1,
    )
    file.write(_header(scene, len(scene)))
    file.write(ranges.astype("<f4").tobytes())
    file.write(words.astype("<u4").tobytes())
    scaled = (sh[:, 1:].transpose(0, 2, 1).reshape(len(scene), -1) / (2 * SH_REACH) + 0.5) * 256
    file.write(scaled.clip(0, 255).astype(np.uint8).tobytes())


def size(scene: GaussianScene, count: int) -> int:
    """Bytes of a file with so many Gaussians of a scene."""
    ranges = 4 * sum(len(_SIDES) * len(axes) for axes in _RANGES.values())
    each = 4 * len(_PACKED) + 3 * (scene.sh.shape[1] - 1)
    return len(_header(scene, count)) + _chunks(count) * ranges + count * each


FORMAT = Format(
    "compressed-ply",
    "Compressed PLY",
    (".compressed.ply",),
    recognises,
    load,
    save,
    loses="Values are rounded to 8 to 11 bits, harmonics cut to -4 to 4; further columns are "
    "dropped.",
    size=size,
    size_known=True,
)


def _chunks(count: int) -> int:
    return -(-count // CHUNK)


def _header(scene: GaussianScene, count: int) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0"]
    if scene.antialiased:
        lines += [f"comment {comment}" for comment in ANTIALIASED_COMMENTS]
    names = [f"{side}_{axis}" for axes in _RANGES.values() for side in _SIDES for axis in axes]
    lines += [f"element chunk {_chunks(count)}", *(f"property float {name}" for name in names)]
    lines += [f"element vertex {count}", *(f"property uint {name}" for name in _PACKED)]
    rest = 3 * (scene.sh.shape[1] - 1)
    if rest:
        lines.append(f"element sh {count}")
        lines += [f"property uchar f_rest_{i}" for i in range(rest)]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


def _wanted(elements: Mapping[str, Element], name: str) -> Element:
    if name not in elements:
        raise UserError(f"its PLY header has no {name!r} element.", DAMAGED_HINT)
    return elements[name]


def _check(
    header: Header, chunk: Element, vertex: Element, sh: Element | None, file_bytes: int
) -> None:
    """Refuse what cannot be read, before anything is allotted."""
    if not vertex.count:
        raise UserError("it holds no Gaussians.", DAMAGED_HINT)
    if header.is_ascii:
        raise UserError("it is a compressed PLY in text form.", "Export it in binary form.")
    names = [prop.name for prop in vertex.properties]
    if any(names.count(name) != 1 for name in _PACKED):
        raise UserError("its Gaussians are not packed as in a compressed PLY.", DAMAGED_HINT)
    if any(prop.type != "u4" for prop in vertex.properties if prop.name in _PACKED):
        raise UserError("its Gaussians are packed in other numbers than uint.", DAMAGED_HINT)
    if chunk.count != -(-vertex.count // CHUNK):
        raise UserError(
            f"it has {chunk.count:,} chunks for {vertex.count:,} Gaussians.", DAMAGED_HINT
        )
    if sh is not None and (sh.count != vertex.count or len(sh.properties) not in _SH_COUNTS):
        raise UserError("its spherical harmonics do not fit its Gaussians.", DAMAGED_HINT)
    if sh is not None and any(prop.type != "u1" for prop in sh.properties):
        raise UserError("its spherical harmonics are no bytes.", DAMAGED_HINT)
    needed = sum(e.count * e.row_type(header.byte_order).itemsize for e in header.elements)
    if header.size + needed > file_bytes:
        raise UserError(
            f"its header promises {vertex.count:,} Gaussians, for which the file of "
            f"{file_bytes:,} bytes is too short.",
            DAMAGED_HINT,
        )


def _ranges(
    chunk: Element, table: NDArray[np.void] | None
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Least and greatest value of each chunk, ``(chunks, 3)`` each; of old colours 0 and 1."""
    where = {prop.name: str(i) for i, prop in enumerate(chunk.properties)}
    found = {}
    for kind, axes in _RANGES.items():
        names = [[f"{side}_{axis}" for axis in axes] for side in _SIDES]
        known = [name in where for side in names for name in side]
        if table is not None and kind == "color" and not any(known):
            shape = len(table), 3
            found[kind] = np.zeros(shape, np.float32), np.ones(shape, np.float32)
        elif table is not None and all(known):
            low, high = (
                np.stack([table[where[name]].astype(np.float32) for name in side], 1)
                for side in names
            )
            found[kind] = low, high
        else:
            raise UserError(f"its chunks have no range of the {kind}.", DAMAGED_HINT)
    return found


def _levels(
    values: Floats, sides: tuple[Floats, Floats], chunk_of: NDArray[np.intp], bits: Words
) -> Words:
    """Whole numbers from 0 to ``2^bits - 1`` between a chunk's least and greatest value."""
    low, high = (side.astype(np.float64)[chunk_of] for side in sides)
    extent = np.where(high > low, high - low, 1.0)
    most = (1 << bits.astype(np.int64)) - 1
    return np.floor((values - low) / extent * most + 0.5).clip(0, most).astype(np.uint32)


def _point_words(values: Floats, sides: tuple[Floats, Floats], chunk_of: NDArray[np.intp]) -> Words:
    levels = _levels(values, sides, chunk_of, _POINT_BITS)
    words: Words = np.bitwise_or.reduce(levels << _POINT_SHIFTS, axis=1)
    return words


def _point(words: Words, sides: tuple[Floats, Floats], chunk_of: NDArray[np.intp]) -> Floats:
    most = (np.uint32(1) << _POINT_BITS) - 1
    levels = (words[:, None] >> _POINT_SHIFTS) & most
    return _between(levels / most, sides, chunk_of)


def _between(
    places: NDArray[np.float64], sides: tuple[Floats, Floats], chunk_of: NDArray[np.intp]
) -> Floats:
    """Values at places from 0 to 1 between a chunk's least and greatest, which come back as such.

    Ranges of damaged files may be anything; what is not finite then is left out later.
    """
    low, high = (side.astype(np.float64)[chunk_of] for side in sides)
    with np.errstate(over="ignore", invalid="ignore"):
        return (low + places * (high - low)).astype(np.float32)


def _rotation_words(quats: Floats) -> Words:
    largest, kept = smallest_three(quats)
    levels = np.floor((kept * 0.5**0.5 + 0.5) * 1023 + 0.5).clip(0, 1023).astype(np.uint32)
    words: Words = np.bitwise_or.reduce(levels << _ROTATION_SHIFTS, axis=1)
    return words | (largest.astype(np.uint32) << np.uint32(30))


def _quats(words: Words) -> Floats:
    levels = (words[:, None] >> _ROTATION_SHIFTS) & np.uint32(1023)
    kept = (levels / 1023 - 0.5) * 2**0.5
    return from_smallest_three((words >> np.uint32(30)).astype(np.intp), kept)


def _sh(element: Element | None, table: NDArray[np.void] | None, count: int) -> Floats:
    """The coefficients beyond the first, ``(N, K - 1, 3)``."""
    if element is None or table is None or not element.properties:
        return np.empty((count, 0, 3), np.float32)
    names = {prop.name: str(i) for i, prop in enumerate(element.properties)}
    wanted = [f"f_rest_{i}" for i in range(len(element.properties))]
    if set(names) != set(wanted):
        raise UserError("its spherical harmonics have unknown names.", DAMAGED_HINT)
    levels: Bytes = np.stack([table[names[name]] for name in wanted], 1)
    places = (levels.astype(np.float32) + 0.5) / 256
    places[levels == 0], places[levels == 255] = 0, 1
    values = (places - 0.5) * (2 * SH_REACH)
    return values.astype(np.float32).reshape(count, 3, -1).transpose(0, 2, 1)


def _tensor(values: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
