"""3D Gaussian splatting PLY, as the 3DGS reference trainer writes it; it opens everywhere.

One ``vertex`` per Gaussian: ``x y z nx ny nz f_dc_0..2 f_rest_* opacity scale_0..2 rot_0..3``, with
opacity a logit, scales natural logarithms, rotations ``w x y z`` and ``f_rest`` channel by channel
(all red coefficients, then green, then blue). Read by name, in any order and of any numeric type.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import UserError
from core.formats.format import Format
from core.formats.ply_camera import camera_comment, commented_camera
from core.formats.ply_header import Element, Header, has_chunks, is_ply, read_header
from core.scene import MAX_SH_DEGREE, GaussianScene

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_CHUNK_BYTES = 1 << 20
_MAX_TOKEN_BYTES = 1024
_EXACT_INTEGERS = 1 << 24
_POSITION = ("x", "y", "z")
_NORMAL = ("nx", "ny", "nz")
_BASE_COLOR = ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALE = ("scale_0", "scale_1", "scale_2")
_ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")
_REQUIRED = (*_POSITION, *_BASE_COLOR, "opacity", *_SCALE, *_ROTATION)
_REST_COUNTS = {3 * ((degree + 1) ** 2 - 1): degree for degree in range(MAX_SH_DEGREE + 2)}
ANTIALIASED = re.compile(r"(SplatRenderMode:\s*mip|antialiased\s*:?\s*(1|true))\s*$", re.I)
ANTIALIASED_COMMENTS = ("SplatRenderMode: mip", "antialiased 1")
_DAMAGED_HINT = "The file is cut off or damaged: copy or export it again."
_GAUSSIANS_HINT = "Open a PLY that a Gaussian splatting trainer or editor wrote."


def recognises(head: bytes, path: Path) -> bool:
    """Whether the content is a PLY of any kind but one in chunks."""
    return is_ply(head) and not has_chunks(head)


def load(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
    """Read a Gaussian PLY: ascii or binary of either byte order, degree 0 to 3 (4 is cut to 3).

    Properties that are not part of a Gaussian become float32 ``columns``; normals are dropped.
    Whatever the header says, memory stays within a small multiple of the file's size.

    Raises
    ------
    UserError
        If the file is damaged, or is a PLY without Gaussians.
    """
    with path.open("rb") as file:
        header = read_header(file)
        vertex = _vertex(header)
        layout = _Layout.of(vertex)
        _check_size(header, vertex, path.stat().st_size)
        count = vertex.count
        tensors = {n: np.empty((count, len(c)), np.float32) for n, c in layout.tensors.items()}
        extras = {name: np.empty(count, np.float32) for name in layout.extras}
        start = 0
        for rows in _rows(file, header, vertex):
            stop = start + len(rows)
            for name, columns in layout.tensors.items():
                _gather(rows, columns, tensors[name][start:stop])
            for name, column in layout.extras.items():
                extras[name][start:stop] = rows[:, column]
            start = stop
    scene = GaussianScene(
        means=torch.from_numpy(tensors["means"]),
        log_scales=torch.from_numpy(tensors["log_scales"]),
        quats=torch.from_numpy(tensors["quats"]),
        opacity_logits=torch.from_numpy(tensors["opacity_logits"][:, 0]),
        sh=torch.from_numpy(tensors["sh"].reshape(count, len(layout.tensors["sh"]) // 3, 3)),
        antialiased=any(ANTIALIASED.match(comment) for comment in header.comments),
        columns={name: torch.from_numpy(values) for name, values in extras.items()},
        camera=commented_camera(header.comments),
    )
    return scene, _notes(vertex, extras)


def save(scene: GaussianScene, file: BinaryIO) -> None:
    """Write a binary little-endian float32 PLY in the order of the reference trainer.

    Normals are written as zeros: some readers want them. ``columns`` follow the rotation.
    """
    shades = 3 * scene.sh.shape[1]
    names = _names(scene)
    columns = _named_for_ply(scene.columns, names)
    names += columns
    file.write(_header(scene, len(scene)))
    channel_major = np.arange(3, shades).reshape(-1, 3).T.ravel()
    shade_order = np.concatenate([np.arange(3), channel_major])
    per_chunk = max(1, _CHUNK_BYTES // (4 * len(names)))
    block = np.zeros((min(per_chunk, len(scene)), len(names)), "<f4")
    for start in range(0, len(scene), per_chunk):
        stop = min(start + per_chunk, len(scene))
        rows = block[: stop - start]
        rows[:, 0:3] = _chunk(scene.means, start, stop)
        shs = _chunk(scene.sh, start, stop).reshape(len(rows), shades)
        rows[:, 6 : 6 + shades] = np.take(shs, shade_order, axis=1)
        rows[:, 6 + shades] = _chunk(scene.opacity_logits, start, stop)
        rows[:, 7 + shades : 10 + shades] = _chunk(scene.log_scales, start, stop)
        rows[:, 10 + shades : 14 + shades] = _chunk(scene.quats, start, stop)
        for i, column in enumerate(columns.values(), 14 + shades):
            rows[:, i] = _chunk(column, start, stop)
        file.write(rows.data)


def size(scene: GaussianScene, count: int) -> int:
    """Bytes of a file with so many Gaussians of a scene."""
    return len(_header(scene, count)) + count * scene.ply_bytes_each


FORMAT = Format(
    "ply",
    "Gaussian splatting PLY",
    (".ply",),
    recognises,
    load,
    save,
    size=size,
    size_known=True,
    keeps_camera=True,
)


def _names(scene: GaussianScene) -> list[str]:
    """Names of a row's properties, but for the scene's further columns."""
    rest = [f"f_rest_{i}" for i in range(3 * (scene.sh.shape[1] - 1))]
    return [*_POSITION, *_NORMAL, *_BASE_COLOR, *rest, "opacity", *_SCALE, *_ROTATION]


def _header(scene: GaussianScene, count: int) -> bytes:
    names = _names(scene)
    names += _named_for_ply(scene.columns, names)
    lines = ["ply", "format binary_little_endian 1.0"]
    if scene.antialiased:
        lines += [f"comment {comment}" for comment in ANTIALIASED_COMMENTS]
    if scene.camera is not None:
        lines.append(f"comment {camera_comment(scene.camera)}")
    lines += [f"element vertex {count}", *(f"property float {name}" for name in names)]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a scene's tensors, each seen as ``(N, columns)``, and further columns are in a row."""

    tensors: Mapping[str, Indices]
    extras: Mapping[str, int]

    @classmethod
    def of(cls, vertex: Element) -> Self:
        names = [prop.name for prop in vertex.properties]
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise UserError(f"its property {repeated[0]!r} appears twice.", _DAMAGED_HINT)
        where = {name: i for i, name in enumerate(names)}
        missing = [name for name in _REQUIRED if name not in where]
        if missing:
            raise _without_gaussians(missing)
        shades = [where[name] for name in _BASE_COLOR]
        rest = _rest_names(names)
        per_channel = len(rest) // 3
        for k in range(min(per_channel, (MAX_SH_DEGREE + 1) ** 2 - 1)):
            shades += [where[rest[channel * per_channel + k]] for channel in range(3)]
        tensors = {
            "means": [where[name] for name in _POSITION],
            "log_scales": [where[name] for name in _SCALE],
            "quats": [where[name] for name in _ROTATION],
            "opacity_logits": [where["opacity"]],
            "sh": shades,
        }
        known = {*_REQUIRED, *_NORMAL, *rest}
        return cls(
            {name: np.array(columns, np.intp) for name, columns in tensors.items()},
            {name: i for name, i in where.items() if name not in known},
        )


def _vertex(header: Header) -> Element:
    vertex = next((e for e in header.elements if e.name == "vertex"), None)
    if vertex is None:
        raise UserError("it is a PLY without a 'vertex' element.", _GAUSSIANS_HINT)
    return vertex


def _without_gaussians(missing: Sequence[str]) -> UserError:
    """Why a PLY without these properties does not open."""
    if {"f_dc_0", "opacity", "scale_0", "rot_0"}.issubset(missing):
        return UserError("it is a point cloud or mesh, not Gaussians.", _GAUSSIANS_HINT)
    return UserError(f"its Gaussians lack {', '.join(missing)}.", _GAUSSIANS_HINT)


def _rest_names(names: Sequence[str]) -> list[str]:
    """The higher colour coefficients in the order of their numbers."""
    count = sum(re.fullmatch(r"f_rest_\d+", name) is not None for name in names)
    rest = [f"f_rest_{i}" for i in range(count)]
    if count not in _REST_COUNTS or not set(rest).issubset(names):
        expected = ", ".join(str(count) for count in _REST_COUNTS if count)
        raise UserError(
            f"its {count} properties f_rest_* are no whole degree of spherical harmonics "
            f"({expected} would be).",
            _DAMAGED_HINT,
        )
    return rest


def _check_size(header: Header, vertex: Element, file_bytes: int) -> None:
    """Refuse a header that promises more than the file holds, before anything is allocated."""
    needed = header.size
    for element in _until(header, vertex):
        if not element.is_fixed:
            raise UserError(
                f"its {element.name!r} element holds lists, which cannot be read there.",
                "Export it with the vertices first and without lists.",
            )
        if header.is_ascii:
            needed += 2 * element.count * len(element.properties)
        else:
            needed += element.count * element.row_type(header.byte_order).itemsize
    if needed - header.is_ascii > file_bytes:
        raise UserError(
            f"its header promises {vertex.count:,} Gaussians, for which the file of "
            f"{file_bytes:,} bytes is too short.",
            _DAMAGED_HINT,
        )


def _until(header: Header, vertex: Element) -> tuple[Element, ...]:
    return header.elements[: header.elements.index(vertex) + 1]


def _rows(file: BufferedReader, header: Header, vertex: Element) -> Iterator[Floats]:
    """All vertices in file order, in pieces ``(n, properties)`` that live until the next one."""
    before = _until(header, vertex)[:-1]
    if header.is_ascii:
        file.seek(header.size)
        skipped = sum(element.count * len(element.properties) for element in before)
        return _ascii_rows(file, vertex, skipped)
    sizes = (e.count * e.row_type(header.byte_order).itemsize for e in before)
    file.seek(header.size + sum(sizes))
    return _binary_rows(file, vertex, header.byte_order)


def _binary_rows(file: BufferedReader, vertex: Element, byte_order: str) -> Iterator[Floats]:
    count, width = vertex.count, len(vertex.properties)
    row_type = vertex.row_type(byte_order)
    per_chunk = min(count, max(1, _CHUNK_BYTES // row_type.itemsize))
    raw = np.empty(per_chunk * row_type.itemsize, np.uint8)
    packed = all(row_type[i] == np.float32 for i in range(width))
    converted = np.empty((0 if packed else per_chunk, width), np.float32)
    for start in range(0, count, max(1, per_chunk)):
        stored = raw[: min(per_chunk, count - start) * row_type.itemsize]
        if file.readinto(stored.data) != len(stored):
            raise UserError("it ends inside its Gaussians.", _DAMAGED_HINT)
        if packed:
            yield stored.view(np.float32).reshape(-1, width)
            continue
        records = stored.view(row_type)
        rows = converted[: len(records)]
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(width):
                rows[:, i] = records[str(i)]
        yield rows


def _ascii_rows(file: BufferedReader, vertex: Element, skipped: int) -> Iterator[Floats]:
    width = len(vertex.properties)
    wanted = vertex.count * width
    cut_off = b""
    values = np.empty(0)
    while wanted:
        block = file.read(_CHUNK_BYTES)
        if not block and not cut_off:
            raise UserError("it ends inside its Gaussians.", _DAMAGED_HINT)
        text = cut_off + block
        tokens = text.split()
        cut_off = tokens.pop() if block and tokens and not text[-1:].isspace() else b""
        if len(cut_off) > _MAX_TOKEN_BYTES:
            raise UserError("it holds something that is not a number.", _DAMAGED_HINT)
        tokens, skipped = tokens[skipped:], max(0, skipped - len(tokens))
        values = np.concatenate([values, _numbers(tokens[: wanted - len(values)])])
        whole = len(values) // width * width
        wanted -= whole
        with np.errstate(over="ignore"):
            yield values[:whole].reshape(-1, width).astype(np.float32)
        values = values[whole:]


def _numbers(tokens: Sequence[bytes]) -> NDArray[np.float64]:
    try:
        return np.fromiter(map(float, tokens), np.float64, count=len(tokens))
    except ValueError as error:
        raise UserError("it holds something that is not a number.", _DAMAGED_HINT) from error


def _gather(rows: Floats, columns: Indices, out: Floats) -> None:
    """``out = rows[:, columns]`` for ``out`` of shape ``(n, len(columns))``."""
    first = columns[0]
    if np.array_equal(columns, np.arange(first, first + len(columns))):
        out[...] = rows[:, first : first + len(columns)]
    else:
        np.take(rows, columns, axis=1, out=out, mode="clip")


def _notes(vertex: Element, extras: Mapping[str, Floats]) -> tuple[str, ...]:
    """What reading changed."""
    notes = []
    rest = sum(prop.name.startswith("f_rest_") for prop in vertex.properties)
    degree = math.isqrt(rest // 3 + 1) - 1
    if degree > MAX_SH_DEGREE:
        notes.append(f"Cut spherical harmonics of degree {degree} to degree {MAX_SH_DEGREE}.")
    for prop in vertex.properties:
        if prop.name in extras and prop.type in ("i4", "u4"):
            values = extras[prop.name]
            if np.abs(values).max(initial=0) > _EXACT_INTEGERS:
                notes.append(f"Rounded whole numbers above {_EXACT_INTEGERS} in {prop.name!r}.")
    return tuple(notes)


def _named_for_ply(
    columns: Mapping[str, torch.Tensor], taken: Sequence[str]
) -> dict[str, torch.Tensor]:
    """The columns under names without spaces, none of which is ``taken``."""
    named = {re.sub(r"[^!-~]+", "_", name) or "_": column for name, column in columns.items()}
    clash = sorted(named.keys() & set(taken))
    if clash or len(named) < len(columns):
        which = repr(clash[0]) if clash else "one more"
        raise UserError(f"Two columns would have the same name in the PLY: {which}.")
    return named


def _chunk(tensor: torch.Tensor, start: int, stop: int) -> NDArray[np.generic]:
    return tensor[start:stop].detach().cpu().numpy()
