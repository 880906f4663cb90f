"""The .ngs file: what is written comes back, and what is damaged is told."""

import json
import struct
import tracemalloc
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import UserError
from core.formats import load_scene, load_steps, save_scene
from core.jobs import drain
from core.morton import morton_codes
from core.neuralgs import entropy, layout
from core.neuralgs.container import PARTS, decoded_file, encoded, measured_streams
from core.neuralgs.decoding import decoded, decoding
from core.neuralgs.model import Codes, Exact, Network, NeuralScene, PositionGrid
from core.neuralgs.positions import grid_for, half_grid, order_of, snapped
from core.neuralgs.weights import rounded
from tests.blobs import blob_scene

HEAD = struct.Struct("<8sHHII")


def neural_scene(
    count: int = 300,
    clusters: int = 3,
    degree: int = 1,
    bits: int = 6,
    codes: int = 5,
    exact: int = 7,
    seed: int = 0,
    half: bool = False,
) -> NeuralScene:
    """A compressed scene of random nets, as a fit would leave it."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    scene = blob_scene(count)
    grid = half_grid(scene.means) if half else grid_for(scene.means, scene.log_scales)
    means = snapped(scene.means[order_of(scene.means, grid)], grid)
    channels = 7 + 3 * (degree + 1) ** 2
    widths = [3 + 6 * 4, 16, 16, channels]
    pairs = list(pairwise(widths))
    network = Network(
        tuple(0.3 * normal(clusters, a, b) for a, b in pairs),
        tuple(0.1 * normal(clusters, b) for _, b in pairs),
        4,
    )
    values = (1.5 * normal(count, codes)).round().clamp(-127, 127).to(torch.int8)
    return NeuralScene(
        means=means,
        labels=torch.randint(0, clusters, (count,), generator=generator),
        network=rounded(network, bits),
        grid=grid,
        weight_bits=bits,
        lows=-normal(channels).abs() - 1,
        highs=normal(channels).abs() + 1,
        sh_degree=degree,
        antialiased=True,
        codes=Codes(values, (0.05 * normal(clusters, codes, channels)).half().float())
        if codes
        else None,
        exact=Exact(torch.arange(exact) * (count // exact), normal(exact, channels).half().float())
        if exact
        else None,
        notes={"preset": "best", "psnr": 29.5},
    )


def assert_same(a: NeuralScene, b: NeuralScene) -> None:
    for name in ("means", "labels", "lows", "highs"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    for mine, theirs in zip(
        (*a.network.weights, *a.network.biases),
        (*b.network.weights, *b.network.biases),
        strict=True,
    ):
        assert torch.equal(mine, theirs)
    for name in ("grid", "weight_bits", "sh_degree", "antialiased"):
        assert getattr(a, name) == getattr(b, name)
    assert dict(a.notes) == dict(b.notes)
    for name, parts in (("codes", ("values", "basis")), ("exact", ("indices", "attributes"))):
        mine, theirs = getattr(a, name), getattr(b, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert all(torch.equal(getattr(mine, part), getattr(theirs, part)) for part in parts)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"clusters": 1, "codes": 0, "exact": 0},
        {"bits": 16, "half": True, "codes": 0, "degree": 3},
        {"bits": 4, "degree": 0},
        {"bits": 8, "degree": 2, "clusters": 290},
        {"count": 1, "clusters": 1, "exact": 1},
    ],
)
def test_what_is_written_comes_back(given: dict[str, int]) -> None:
    neural = neural_scene(**given)

    assert_same(decoded_file(encoded(neural)), neural)


def test_many_clusters_have_no_context_each() -> None:
    neural = neural_scene(count=400, clusters=300)

    assert_same(decoded_file(encoded(neural)), neural)


def test_gaussians_in_one_place_stay_apart() -> None:
    neural = neural_scene()
    means = neural.means.clone()
    means[100:140] = means[100]

    assert_same(decoded_file(encoded(replace(neural, means=means))), replace(neural, means=means))


def test_the_sizes_of_the_parts_are_those_of_the_file() -> None:
    neural = neural_scene()

    streams = measured_streams(neural)

    assert tuple(streams) == (*PARTS, "rest")
    assert sum(streams.values()) == len(encoded(neural))
    assert all(size > 0 for size in streams.values())


def test_a_file_opens_like_any_scene_but_a_plain_scene_is_not_saved_so(tmp_path: Path) -> None:
    neural = neural_scene()
    path = tmp_path / "scene.dat"
    path.write_bytes(encoded(neural))

    loaded = load_scene(path)

    assert loaded.format == "ngs"
    wanted = decoded(neural)
    for name, tensor in wanted.tensors().items():
        torch.testing.assert_close(loaded.scene.tensors()[name], tensor, rtol=0, atol=1e-5)
    assert loaded.scene.antialiased
    with pytest.raises(UserError, match="can be opened but not saved") as caught:
        save_scene(loaded.scene, tmp_path / "other.ngs")
    assert "splatscope compress" in caught.value.hint


def test_what_would_not_come_back_is_refused() -> None:
    neural = neural_scene()
    with pytest.raises(ValueError, match="Morton order"):
        encoded(replace(neural, means=neural.means.flip(0)))
    with pytest.raises(ValueError, match="come back from their grid"):
        encoded(replace(neural, means=neural.means + 1e-4))
    with pytest.raises(ValueError, match="float16"):
        encoded(
            replace(neural, codes=Codes(neural.codes.values, neural.codes.basis + 1e-6))  # type: ignore[union-attr]
        )


def test_other_versions_and_unknown_streams() -> None:
    content = encoded(neural_scene())
    newer = with_manifest(content, lambda said: said["streams"].append(_stream(b"abc")), b"abc")
    assert_same(decoded_file(newer), neural_scene())
    with pytest.raises(UserError, match="version 2"):
        decoded_file(content[:8] + struct.pack("<HH", 2, 0) + content[12:])


@pytest.mark.parametrize(
    "change",
    [
        {"count": 10**8},
        {"count": 299},
        {"count": 301},
        {"count": -1},
        {"count": 1.5},
        {"clusters": 4096},
        {"clusters": 0},
        {"widths": [16, 16]},
        {"widths": [1024] * 40},
        {"widths": "abc"},
        {"weight_bits": 9},
        {"mapping": "cubic"},
        {"bits": 40},
        {"lows": [0, 0]},
        {"highs": [1e39, 1, 1]},
        {"highs": [None, 1, 1]},
        {"codes": 100},
        {"codes": 128},
        {"exact": 300},
        {"sh_degree": 3},
        {"streams": []},
        {"streams": [{}] * 100},
        {"format": "else"},
    ],
)
def test_a_manifest_that_lies_is_refused(change: dict[str, object]) -> None:
    content = with_manifest(encoded(neural_scene()), lambda said: said.update(change))
    refused(content)


def test_a_file_that_is_cut_off_is_refused() -> None:
    content = encoded(neural_scene())
    for length in (*range(40), *range(40, len(content), 61)):
        refused(content[:length])


def test_flipped_bits_are_noticed() -> None:
    content = encoded(neural_scene())
    generator = np.random.default_rng(0)
    for _ in range(300):
        flipped = bytearray(content)
        flipped[int(generator.integers(12, len(content)))] ^= 1 << int(generator.integers(8))
        refused(bytes(flipped))


def test_damage_behind_right_sums_is_read_or_refused_within_bounds() -> None:
    content = encoded(neural_scene())
    size = HEAD.unpack_from(content)[3]
    begin = HEAD.size + size
    generator = np.random.default_rng(1)
    tracemalloc.start()
    opened = 0
    for _ in range(300):
        body = bytearray(content[begin:])
        for _ in range(int(generator.integers(1, 5))):
            body[int(generator.integers(len(body)))] = int(generator.integers(256))
        damaged = with_manifest(content[:begin] + bytes(body), resummed(bytes(body)))
        try:
            scene = decoded(decoded_file(damaged))
        except UserError:
            continue
        opened += 1
        assert len(scene) == 300
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert opened


def test_symbols_codes_and_cells_come_back() -> None:
    generator = np.random.default_rng(0)
    symbols = generator.integers(0, 64, 500, dtype=np.int32)
    contexts = generator.integers(0, 4, 500, dtype=np.int32)
    data = entropy.encode_symbols(symbols, contexts, 4, 6)
    assert np.array_equal(entropy.decode_symbols(data, contexts, 4, 6), symbols)

    codes = np.rint(generator.laplace(0, [20.0, 3, 0.3], (500, 3))).clip(-127, 127)
    codes[0] = 127, -127, 1
    codes = codes.astype(np.int8)
    data = entropy.encode_codes(codes)
    assert np.array_equal(entropy.decode_codes(data, *codes.shape), codes)

    cells = generator.integers(0, 2**21, (500, 3), dtype=np.uint32)
    for bits in (1, 8, 21):
        sorted_codes = np.sort(morton_codes(cells >> np.uint32(21 - bits)))
        data = entropy.encode_cells(sorted_codes, bits)
        assert np.array_equal(entropy.decode_cells(data, 500, bits), sorted_codes)
        assert len(entropy.decode_cells(data, 499, bits)) == 0


def test_codes_take_hardly_more_than_their_entropy() -> None:
    codes = np.rint(np.random.default_rng(0).laplace(0, [2.0, 0.3], (20_000, 2))).astype(np.int8)
    bits = 0.0
    for column in codes.T:
        shares = np.unique(column, return_counts=True)[1] / len(column)
        bits -= float((shares * np.log2(shares)).sum()) * len(column)

    assert len(entropy.encode_codes(codes)) * 8 < 1.04 * bits


def test_the_same_bytes_everywhere() -> None:
    """What any machine writes, once and for all."""
    symbols = np.arange(64, dtype=np.int32) % 7
    codes = ((np.arange(60) % 11) - 5).astype(np.int8).reshape(20, 3)
    cells = np.sort(morton_codes(np.arange(90, dtype=np.uint32).reshape(30, 3)))

    sums = [
        zlib.crc32(entropy.encode_symbols(symbols, 0 * symbols, 1, 3).tobytes()),
        zlib.crc32(entropy.encode_codes(codes).tobytes()),
        zlib.crc32(entropy.encode_cells(cells, 7).tobytes()),
    ]

    assert sums == [765421300, 93238142, 345487368]


def test_a_grid_far_from_the_origin_is_no_finer_than_its_floats() -> None:
    scene = blob_scene(200)
    means = scene.means * 1e-3 + 1000.0
    grid = grid_for(means, scene.log_scales - 12)

    again = snapped(snapped(means, grid), grid)

    assert torch.equal(again, snapped(means, grid))
    assert grid.mapping != "half"
    assert isinstance(grid, PositionGrid)


def refused(content: bytes) -> None:
    with pytest.raises(UserError) as caught:
        decoded_file(content)
    assert caught.value.hint


def with_manifest(content: bytes, change, more: bytes = b"") -> bytes:
    """The file with another manifest, and its sum put right."""
    magic, major, minor, size, _ = HEAD.unpack_from(content)
    said = json.loads(content[HEAD.size : HEAD.size + size])
    change(said)
    text = json.dumps(said).encode()
    head = HEAD.pack(magic, major, minor, len(text), zlib.crc32(text))
    return head + text + content[HEAD.size + size :] + more


def resummed(body: bytes):
    def change(said) -> None:
        place = 0
        for stream in said["streams"]:
            stream["crc32"] = zlib.crc32(body[place : place + stream["size"]])
            place += stream["size"]

    return change


def _stream(content: bytes) -> dict[str, object]:
    return {"name": "later", "size": len(content), "crc32": zlib.crc32(content)}


@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("size", [1e-7, 1e-5, 1e-3, 1.0, 100.0])
def test_rounded_weights_stay_as_they_are(bits: int, size: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = size * torch.randn(2, 30, 20, generator=generator)
    once = rounded(Network((weights,), (torch.zeros(2, 20),), 4), bits)

    twice = rounded(once, bits)

    assert torch.equal(once.weights[0], twice.weights[0])
    assert (once.weights[0] - weights).abs().max() <= max(1.01 * size * 5 / 2 ** (bits - 1), 6.2e-5)


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"a":' * 100_000, b"[1e999]", b"\xff", b""])
def test_a_manifest_that_is_none_is_refused(text: bytes) -> None:
    refused(HEAD.pack(b"\x89NGS\r\n\x1a\n", 1, 0, len(text), zlib.crc32(text)) + text)


def test_many_codes_to_many_gaussians_are_not_allotted() -> None:
    content = encoded(neural_scene())
    padded = with_manifest(content, lambda said: said.update(count=900_000, codes=128))

    refused(padded + bytes(120_000))


def test_what_is_no_number_is_no_note() -> None:
    neural = neural_scene()
    noted = replace(neural, notes={"psnr": float("inf"), "ssim": float("nan"), "by": "me"})

    assert decoded_file(encoded(noted)).notes == {"by": "me"}


def test_the_largest_clusters_come_first_and_the_whole_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    neural = neural_scene(count=2000, clusters=5, exact=40)
    sizes = torch.tensor([100, 700, 150, 800, 250])
    shuffled = torch.randperm(2000, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(5).repeat_interleave(sizes)[shuffled]
    neural = replace(neural, labels=labels)
    monkeypatch.setattr(layout, "ROWS_AT_ONCE", 50)
    whole = decoded(neural)

    progresses = []
    scene = drain(decoding(neural), progresses.append)

    parts = [progress.partial for progress in progresses if progress.partial is not None]
    assert [len(part) for part in parts] == [200, 400, 800, 1600], "each has twice as many"
    assert [p.done / p.total for p in progresses] == sorted(p.done / p.total for p in progresses)
    for name, tensor in whole.tensors().items():
        assert torch.equal(scene.tensors()[name], tensor), name
    place = {tuple(mean.tolist()): number for number, mean in enumerate(neural.means)}
    assert len(place) == 2000
    for part in parts:
        rows = torch.tensor([place[tuple(mean.tolist())] for mean in part.means])
        assert (rows.diff() > 0).all(), "in the order of the file"
        for name, tensor in part.tensors().items():
            assert torch.equal(tensor, whole.tensors()[name][rows]), name
    first, half = (
        set(labels[[place[tuple(mean.tolist())] for mean in part.means]].tolist())
        for part in (parts[0], parts[2])
    )
    assert first == {3}
    assert half <= {3, 1}

    path = tmp_path / "scene.ngs"
    path.write_bytes(encoded(neural))
    seen = []
    loaded = drain(load_steps(path), lambda progress: seen.append(progress.partial))
    assert [len(part.scene) for part in seen if part is not None] == [200, 400, 800, 1600]
    for name, tensor in load_scene(path).scene.tensors().items():
        assert torch.equal(loaded.scene.tensors()[name], tensor)
