"""The ``.ngs`` file: a manifest, and one stream for each part of a compressed scene.

``docs/ngs.md`` has it byte by byte. Everything is little-endian. What a manifest promises is
checked against its limits and against the size of the file before anything is allotted; every
stream is checked against its sum.
"""

import json
import math
import struct
import zlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zstandard
from numpy.typing import NDArray
from torch import Tensor

from core.errors import UserError
from core.formats.quantised import DAMAGED_HINT
from core.morton import morton_cells, morton_codes
from core.neuralgs import entropy
from core.neuralgs.model import MAGIC, Codes, Exact, Network, NeuralScene, PositionGrid
from core.neuralgs.positions import cells_of, places_of
from core.neuralgs.weights import quantized
from core.scene import MAX_SH_DEGREE

VERSION = (1, 0)
MAPPINGS = ("linear", "signed-log", "half")
PARTS = ("positions", "labels", "codes", "networks", "exact")
_HEAD = struct.Struct("<8sHHII")
_MAX_MANIFEST = 1 << 20
_MAX_STREAMS = 64
_MAX_COUNT = 1 << 27
_MAX_CLUSTERS, _MAX_LAYERS, _MAX_WIDTH, _MAX_LEVELS, _MAX_CODES = 4096, 16, 1024, 16, 128
_MAX_PARAMETERS = 1 << 28
_LEAST_BITS_EACH = 0.5
"""No scene takes fewer bits of its file to a Gaussian; more Gaussians are a trap."""
_LARGEST_TABLE = 1 << 31
"""Numbers in a table by Gaussian, such as codes and channels; beyond 2^24 they also take
:data:`_LEAST_BITS_TO_A_NUMBER` of the file each."""
_SMALL_TABLE = 1 << 24
_LEAST_BITS_TO_A_NUMBER = 1 / 256
_LABELS_AS_CONTEXTS = 256
_LEVEL = 19


def encoded(neural: NeuralScene) -> bytes:
    """The file of a compressed scene.

    Raises
    ------
    ValueError
        If the Gaussians are not in the order of their cells, or anything is not as it would come
        back from the file.
    """
    streams = _streams(neural)
    manifest = json.dumps(_manifest(neural, streams), separators=(",", ":"), allow_nan=False)
    text = manifest.encode()
    head = _HEAD.pack(MAGIC, *VERSION, len(text), zlib.crc32(text))
    return b"".join([head, text, *streams.values()])


def measured_streams(neural: NeuralScene) -> dict[str, int]:
    """Bytes of the file by what they are for: :data:`PARTS` and ``rest``."""
    streams = _streams(neural)
    sizes = dict.fromkeys(PARTS, 0)
    for name, content in streams.items():
        part = {"basis": "codes", "indices": "exact", "limits": "networks"}.get(name, name)
        sizes[part] += len(content)
    return {**sizes, "rest": len(encoded(neural)) - sum(sizes.values())}


def read_neural(path: Path) -> NeuralScene:
    """Read a file.

    Raises
    ------
    UserError
        If it is damaged, or of a version that is not known; with a message that continues "Cannot
        open NAME: ...".
    """
    return decoded_file(path.read_bytes())


def decoded_file(content: bytes) -> NeuralScene:
    """The compressed scene in a file's bytes; see :func:`read_neural`."""
    try:
        return _read(content)
    except (
        _Damage,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        OverflowError,
        RecursionError,
    ) as error:
        reason = str(error) if isinstance(error, _Damage) else "it is damaged"
        raise UserError(f"{reason}.", DAMAGED_HINT) from error


class _Damage(Exception):
    """What is wrong with a file."""


# Writing


def _streams(neural: NeuralScene) -> dict[str, bytes]:
    count, clusters = len(neural), len(neural.network.biases[0])
    streams = {"positions": _positions_written(neural)}
    if clusters > 1:
        labels = neural.labels.cpu().numpy().astype(np.int32)
        depth = (clusters - 1).bit_length()
        streams["labels"] = entropy.encode_symbols(
            labels, _label_contexts(labels, clusters), _label_context_count(clusters), depth
        ).tobytes()
    if neural.codes is not None:
        values = neural.codes.values.cpu().contiguous().numpy()
        streams["codes"] = entropy.encode_codes(values).tobytes()
        streams["basis"] = _packed(_halves(neural.codes.basis))
    streams["networks"] = _networks_written(neural.network, neural.weight_bits)
    limits = torch.stack([neural.lows, neural.highs]).float().cpu().numpy()
    streams["limits"] = _packed(limits.astype("<f4").view(np.uint8).reshape(-1, 4).T.tobytes())
    if neural.exact is not None:
        indices = neural.exact.indices.cpu().numpy().astype("<u4")
        if not count or (np.diff(indices.astype(np.int64)) <= 0).any():
            raise ValueError("indices of exact Gaussians must rise")
        streams["indices"] = _packed(np.diff(indices, prepend=indices[:1] * 0).tobytes())
        streams["exact"] = _packed(_halves(neural.exact.attributes))
    return streams


def _positions_written(neural: NeuralScene) -> bytes:
    grid, means = neural.grid, neural.means
    if grid.mapping == "half":
        return _packed(_halves(means))
    cells = cells_of(means, grid)
    if not torch.equal(places_of(cells, grid), means):
        raise ValueError("means are not those that come back from their grid")
    codes = morton_codes(cells.cpu().numpy())
    if (codes[1:] < codes[:-1]).any():
        raise ValueError("Gaussians must be in Morton order of their cells")
    return entropy.encode_cells(codes, grid.bits).tobytes()


def _networks_written(network: Network, bits: int) -> bytes:
    """Per layer the weights as whole numbers, then their scales; then all biases."""
    if bits == 16:
        return _packed(b"".join(_halves(part) for part in (*network.weights, *network.biases)))
    numbers, contexts, rest = [], [], []
    for layer, weight in enumerate(network.weights):
        whole, scale = quantized(weight, bits)
        if not torch.equal(whole * scale, weight):
            raise ValueError("weights are not those that come back from their file")
        numbers.append(whole.flatten().cpu().numpy().astype(np.int32) + 2 ** (bits - 1))
        contexts.append(np.full(weight.numel(), layer, np.int32))
        rest.append(_halves(scale))
    rest += [_halves(bias) for bias in network.biases]
    coded = entropy.encode_symbols(
        np.concatenate(numbers), np.concatenate(contexts), len(network.weights), bits
    ).tobytes()
    return struct.pack("<I", len(coded)) + coded + _packed(b"".join(rest))


def _manifest(neural: NeuralScene, streams: Mapping[str, bytes]) -> dict[str, Any]:
    grid, network = neural.grid, neural.network
    return {
        "format": "ngs",
        "count": len(neural),
        "sh_degree": neural.sh_degree,
        "antialiased": neural.antialiased,
        "clusters": len(network.biases[0]),
        "levels": network.levels,
        "widths": [bias.shape[1] for bias in network.biases],
        "weight_bits": neural.weight_bits,
        "mapping": grid.mapping,
        "bits": grid.bits,
        "lows": list(grid.lows),
        "highs": list(grid.highs),
        "codes": 0 if neural.codes is None else neural.codes.values.shape[1],
        "exact": 0 if neural.exact is None else len(neural.exact.indices),
        "notes": {
            name: note
            for name, note in neural.notes.items()
            if isinstance(note, str) or math.isfinite(note)
        },
        "streams": [
            {"name": name, "size": len(content), "crc32": zlib.crc32(content)}
            for name, content in streams.items()
        ],
    }


def _halves(tensor: Tensor) -> bytes:
    """float16, all low bytes before all high ones; a ValueError if that loses anything."""
    half = tensor.detach().half()
    if not torch.equal(half.to(tensor.dtype), tensor):
        raise ValueError("what is stored as float16 must have been rounded to it")
    return half.cpu().contiguous().numpy().astype("<f2").view(np.uint8).reshape(-1, 2).T.tobytes()


def _packed(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(content)


def _label_contexts(labels: NDArray[np.int32], clusters: int) -> NDArray[np.int32]:
    """The label before, or where there are many of them its remainder."""
    before = np.concatenate([np.zeros(1, np.int32), labels[:-1]])
    return before % _label_context_count(clusters)


def _label_context_count(clusters: int) -> int:
    return clusters if clusters <= _LABELS_AS_CONTEXTS else 1


# Reading


def _read(content: bytes) -> NeuralScene:
    if len(content) < _HEAD.size:
        raise _Damage("it ends inside its header")
    magic, major, minor, size, crc = _HEAD.unpack_from(content)
    if magic != MAGIC:
        raise _Damage("it is no .ngs file")
    if major != VERSION[0]:
        raise UserError(
            f"it is of version {major}.{minor}; known is {VERSION[0]}.", "Update this program."
        )
    text = content[_HEAD.size : _HEAD.size + size]
    if size > _MAX_MANIFEST or len(text) < size or zlib.crc32(text) != crc:
        raise _Damage("its manifest is damaged")
    facts = _Facts(json.loads(text), len(content))
    streams = _checked_streams(facts, memoryview(content)[_HEAD.size + size :])
    means = _positions_read(facts, streams["positions"])
    count, clusters = facts.count, facts.clusters
    labels = np.zeros(count, np.int32)
    if clusters > 1:
        contexts = _label_context_count(clusters)
        unknown = np.full(count, -1 if contexts > 1 else 0, np.int32)
        depth = (clusters - 1).bit_length()
        labels = entropy.decode_symbols(_array(streams["labels"]), unknown, contexts, depth)
        if labels.max(initial=0) >= clusters:
            raise _Damage("a label is no cluster's")
    limits = np.frombuffer(
        np.frombuffer(_unpacked(streams["limits"], 8 * facts.channels), np.uint8)
        .reshape(4, -1)
        .T.tobytes(),
        "<f4",
    ).reshape(2, -1)
    if not np.isfinite(limits).all():
        raise _Damage("its limits are no numbers")
    return NeuralScene(
        means=means,
        labels=torch.from_numpy(labels.astype(np.int64)),
        network=_network_read(facts, streams["networks"]),
        grid=facts.grid,
        weight_bits=facts.weight_bits,
        lows=torch.from_numpy(limits[0].copy()),
        highs=torch.from_numpy(limits[1].copy()),
        sh_degree=facts.sh_degree,
        antialiased=facts.antialiased,
        codes=_codes_read(facts, streams),
        exact=_exact_read(facts, streams),
        notes=facts.notes,
    )


class _Facts:
    """What a manifest says, each within its limits."""

    def __init__(self, said: Any, file_bytes: int) -> None:
        if not isinstance(said, dict) or said.get("format") != "ngs":
            raise _Damage("its manifest is no manifest")
        self.count = _whole(said["count"], 1, _MAX_COUNT)
        if self.count * _LEAST_BITS_EACH > 8 * file_bytes + 2**16:
            raise _Damage(f"it promises {self.count:,} Gaussians, for which it is too short")
        self.sh_degree = _whole(said["sh_degree"], 0, MAX_SH_DEGREE)
        self.channels = 7 + 3 * (self.sh_degree + 1) ** 2
        self.antialiased = bool(said["antialiased"])
        self.clusters = _whole(said["clusters"], 1, min(_MAX_CLUSTERS, self.count))
        self.levels = _whole(said["levels"], 0, _MAX_LEVELS)
        widths = said["widths"]
        if not isinstance(widths, list) or not 1 <= len(widths) <= _MAX_LAYERS:
            raise _Damage("its nets have no layers, or too many")
        widths = [_whole(width, 1, _MAX_WIDTH) for width in widths]
        if widths[-1] != self.channels:
            raise _Damage("its nets have another number of outputs than a Gaussian")
        self.widths = [3 + 6 * self.levels, *widths]
        parameters = self.clusters * sum((a + 1) * b for a, b in pairwise(self.widths))
        if parameters > min(_MAX_PARAMETERS, 64 * file_bytes + 2**20):
            raise _Damage("its nets are larger than the file can hold")
        self.weight_bits = _whole(said["weight_bits"], 4, 16)
        if 8 < self.weight_bits < 16:
            raise _Damage("its weights have an unknown size")
        self.codes = _whole(said["codes"], 0, _MAX_CODES)
        self.exact = _whole(said["exact"], 0, self.count)
        numbers = self.count * max(self.codes, self.channels)
        affordable = max(_SMALL_TABLE, 8 * file_bytes / _LEAST_BITS_TO_A_NUMBER)
        if numbers > min(_LARGEST_TABLE, affordable):
            raise _Damage(f"it promises {self.count:,} Gaussians, for which it is too short")
        self.grid = _grid(said)
        notes = said.get("notes")
        self.notes = {
            str(name): note
            for name, note in (notes.items() if isinstance(notes, dict) else ())
            if isinstance(note, str | int | float)
        }
        self.streams = said["streams"]


def _grid(said: Mapping[str, Any]) -> PositionGrid:
    mapping = said["mapping"]
    if mapping not in MAPPINGS:
        raise _Damage("its positions are stored in an unknown way")
    bits = _whole(said["bits"], 1, 21)
    lows, highs = (tuple(float(value) for value in said[name]) for name in ("lows", "highs"))
    if len(lows) != 3 or len(highs) != 3 or not all(map(math.isfinite, (*lows, *highs))):
        raise _Damage("its grid has no place")
    largest = math.log(float(np.finfo(np.float32).max)) if mapping == "signed-log" else 3e38
    if max(map(abs, (*lows, *highs))) > largest or any(
        a > b for a, b in zip(lows, highs, strict=True)
    ):
        raise _Damage("its grid has no place")
    return PositionGrid(mapping, bits, lows, highs)


def _checked_streams(facts: _Facts, content: memoryview) -> dict[str, memoryview]:
    """The streams by name; of the unknown ones none is looked at."""
    if not isinstance(facts.streams, list) or len(facts.streams) > _MAX_STREAMS:
        raise _Damage("it has no list of streams")
    streams, place = {}, 0
    for said in facts.streams:
        size = _whole(said["size"], 0, len(content) - place)
        stream = content[place : place + size]
        if zlib.crc32(stream) != said["crc32"]:
            raise _Damage(f"its stream {str(said['name'])[:20]!r} is damaged")
        streams[str(said["name"])] = stream
        place += size
    wanted = ["positions", "networks", "limits"]
    wanted += ["labels"] * (facts.clusters > 1)
    wanted += ["codes", "basis"] * (facts.codes > 0) + ["indices", "exact"] * (facts.exact > 0)
    for name in wanted:
        if name not in streams:
            raise _Damage(f"it has no {name}")
    return streams


def _positions_read(facts: _Facts, stream: memoryview) -> Tensor:
    grid = facts.grid
    if grid.mapping == "half":
        return _halves_read(_unpacked(stream, 6 * facts.count), (facts.count, 3))
    codes = entropy.decode_cells(_array(stream), facts.count, grid.bits)
    if len(codes) != facts.count:
        raise _Damage("its positions are damaged")
    return places_of(torch.from_numpy(morton_cells(codes).astype(np.int64)), grid)


def _network_read(facts: _Facts, stream: memoryview) -> Network:
    clusters, bits = facts.clusters, facts.weight_bits
    shapes = [(clusters, a, b) for a, b in pairwise(facts.widths)]
    biases = [(clusters, b) for b in facts.widths[1:]]
    if bits == 16:
        parts = _split(_unpacked(stream, _half_bytes([*shapes, *biases])), [*shapes, *biases])
        return Network(tuple(parts[: len(shapes)]), tuple(parts[len(shapes) :]), facts.levels)
    if len(stream) < 4:
        raise _Damage("its nets are damaged")
    size = struct.unpack_from("<I", stream)[0]
    if size > len(stream) - 4:
        raise _Damage("its nets are damaged")
    contexts = np.repeat(np.arange(len(shapes), dtype=np.int32), [math.prod(s) for s in shapes])
    numbers = entropy.decode_symbols(_array(stream[4 : 4 + size]), contexts, len(shapes), bits)
    scales = [(clusters, 1, b) for b in facts.widths[1:]]
    rest = [*scales, *biases]
    parts = _split(_unpacked(stream[4 + size :], _half_bytes(rest)), rest)
    weights, place = [], 0
    for shape, scale in zip(shapes, parts, strict=False):
        whole = numbers[place : place + math.prod(shape)] - 2 ** (bits - 1)
        weights.append(torch.from_numpy(whole.astype(np.float32)).reshape(shape) * scale)
        place += math.prod(shape)
    return Network(tuple(weights), tuple(parts[len(shapes) :]), facts.levels)


def _codes_read(facts: _Facts, streams: Mapping[str, memoryview]) -> Codes | None:
    if not facts.codes:
        return None
    shape = (facts.clusters, facts.codes, facts.channels)
    basis = _halves_read(_unpacked(streams["basis"], _half_bytes([shape])), shape)
    values = entropy.decode_codes(_array(streams["codes"]), facts.count, facts.codes)
    return Codes(torch.from_numpy(values), basis)


def _exact_read(facts: _Facts, streams: Mapping[str, memoryview]) -> Exact | None:
    if not facts.exact:
        return None
    steps = np.frombuffer(_unpacked(streams["indices"], 4 * facts.exact), "<u4")
    indices = np.cumsum(steps, dtype=np.int64)
    if (steps[1:] == 0).any() or indices[-1] >= facts.count:
        raise _Damage("its exact Gaussians are none of its own")
    shape = (facts.exact, facts.channels)
    attributes = _halves_read(_unpacked(streams["exact"], _half_bytes([shape])), shape)
    return Exact(torch.from_numpy(indices), attributes)


def _split(content: bytes, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    parts, place = [], 0
    for shape in shapes:
        size = 2 * math.prod(shape)
        parts.append(_halves_read(content[place : place + size], shape))
        place += size
    return parts


def _halves_read(content: bytes, shape: tuple[int, ...]) -> Tensor:
    planes = np.frombuffer(content, np.uint8).reshape(2, -1)
    values = np.frombuffer(planes.T.tobytes(), "<f2").astype(np.float32)
    if not np.isfinite(values).all():
        raise _Damage("it holds what is no number")
    return torch.from_numpy(values).reshape(shape)


def _half_bytes(shapes: list[tuple[int, ...]]) -> int:
    return 2 * sum(math.prod(shape) for shape in shapes)


def _unpacked(stream: memoryview, size: int) -> bytes:
    """Exactly ``size`` bytes; no more are ever unpacked."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(stream) as reader:
            content = reader.read(size + 1)
    except zstandard.ZstdError as error:
        raise _Damage("a stream is damaged") from error
    if len(content) != size:
        raise _Damage("a stream has another size than it should")
    return bytes(content)


def _array(stream: memoryview) -> NDArray[np.uint8]:
    return np.frombuffer(stream, np.uint8)


def _whole(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _Damage("its manifest has a number that cannot be")
    return value
