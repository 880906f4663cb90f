"""SPZ: bytes spelled out from the description, losses, and damaged files."""

import gzip
import math
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard

from core.errors import UserError
from core.formats import Loaded, load_scene, save_scene
from core.formats.axes import turned
from core.rendering import render
from core.rigs import default_view
from core.scene import GaussianScene
from tests.blobs import blob_scene
from tests.core.formats_examples import opens, random_scene

HALF = math.sqrt(0.5)
MEMORY_LIMIT = 48 << 20


def int24(*values: int) -> bytes:
    return b"".join(struct.pack("<i", value)[:3] for value in values)


def gzipped(version: int, degree: int, bits: int, flags: int, *blocks: bytes, count: int) -> bytes:
    header = struct.pack("<IIIBBBB", 0x5053474E, version, count, degree, bits, flags, 0)
    return gzip.compress(header + b"".join(blocks))


def in_streams(
    degree: int, bits: int, flags: int, *blocks: bytes, count: int, gap: bytes = b""
) -> bytes:
    """Version 4; ``gap`` lies between the header and the table, where extensions would."""
    frames = [zstandard.compress(block) for block in blocks]
    header = struct.pack("<4sIIBBBB", b"NGSP", 4, count, degree, bits, flags, len(frames))
    header += struct.pack("<I12x", 32 + len(gap)) + gap
    sizes = zip(frames, blocks, strict=True)
    table = b"".join(struct.pack("<QQ", len(frame), len(block)) for frame, block in sizes)
    return header + table + b"".join(frames)


def opened(path: Path, content: bytes) -> Loaded:
    path.write_bytes(content)
    return load_scene(path)


def refusal(path: Path, content: bytes) -> str:
    with pytest.raises(UserError) as told:
        opened(path, content)
    assert told.value.hint
    return told.value.message


def close(a: torch.Tensor, b: object, tolerance: float = 1e-6) -> bool:
    return torch.allclose(a, torch.as_tensor(b, dtype=torch.float32), rtol=0, atol=tolerance)


def up_to_sign(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distances of unit quaternions, ``(N,)``."""
    a, b = (q / q.norm(dim=1, keepdim=True) for q in (a, b))
    return torch.minimum((a - b).norm(dim=1), (a + b).norm(dim=1))


def test_version_1_has_half_floats_and_three_bytes_of_rotation(tmp_path: Path) -> None:
    content = gzipped(
        1,
        0,
        0,
        0,
        np.array([1.5, -2, 0.25], "<f2").tobytes(),
        bytes([51]),
        bytes([255, 0, 51]),
        bytes([0, 160, 255]),
        bytes([0, 255, 128]),
        count=1,
    )
    loaded = opened(tmp_path / "a.spz", content)
    scene = loaded.scene
    assert (loaded.format, loaded.repairs, scene.sh_degree) == ("spz", (), 0)
    assert close(scene.means, [[1.5, -2, 0.25]])
    assert close(scene.opacities(), [0.2])
    assert close(scene.sh[:, 0], [[0.5 / 0.15, -0.5 / 0.15, -2]], 1e-5)
    assert close(scene.log_scales, [[-10, 0, 255 / 16 - 10]])
    assert close(scene.quats, [[0, -1, 1, 128 / 127.5 - 1]])


def test_version_2_has_fixed_point_positions_and_harmonics(tmp_path: Path) -> None:
    sh = bytes([128, 0, 255, 192, 64, 129, 128, 128, 128])
    content = gzipped(
        2,
        1,
        8,
        1,
        int24(256, -128, 2**23 - 1, -(2**23), 1, 0),
        bytes([0, 255]),
        bytes(6),
        bytes(6),
        bytes([128, 128, 128, 0, 128, 128]),
        sh,
        bytes(9),
        count=2,
    )
    scene = opened(tmp_path / "named.bin", content).scene
    assert scene.antialiased
    assert close(scene.means[0], [1, -0.5, (2**23 - 1) / 256])
    assert close(scene.means[1], [-(2**15), 1 / 256, 0])
    assert scene.opacity_logits.isfinite().all()
    assert close(scene.opacities(), [0, 1])
    assert close(scene.sh[0, 1:], [[0, -1, 127 / 128], [0.5, -0.5, 1 / 128], [0, 0, 0]])
    assert close(scene.sh[1, 1:], torch.full((3, 3), -1))
    assert close(scene.quats[0], [1, 0, 0, 0], 0.01)
    assert close(scene.quats[1], [0, -1, 0, 0], 0.01)


def rotation_code(largest: int, *fields: tuple[int, int]) -> bytes:
    """Which of x y z w is left out, then a sign and a magnitude in 511ths of sqrt(1/2) each."""
    code = largest
    for sign, magnitude in fields:
        code = code << 10 | sign << 9 | magnitude
    return struct.pack("<I", code)


@pytest.mark.parametrize("version", [3, 4])
def test_versions_3_and_4_leave_out_the_largest_component(version: int, tmp_path: Path) -> None:
    rotations = [
        rotation_code(3, (0, 0), (0, 0), (0, 0)),
        rotation_code(3, (0, 511), (0, 0), (0, 0)),
        rotation_code(0, (0, 0), (1, 511), (0, 0)),
        rotation_code(1, (0, 0), (0, 0), (1, 511)),
    ]
    blocks = [int24(*range(12)), bytes(4), bytes(12), bytes(12), b"".join(rotations)]
    if version == 3:
        content = gzipped(3, 0, 2, 0, *blocks, count=4)
    else:
        content = in_streams(0, 2, 0, *blocks, count=4)
    scene = opened(tmp_path / "a.spz", content).scene
    wxyz = [[1, 0, 0, 0], [HALF, HALF, 0, 0], [0, HALF, 0, -HALF], [-HALF, 0, HALF, 0]]
    assert close(scene.quats, wxyz)
    assert close(scene.means, np.arange(12).reshape(4, 3) / 4)


def test_extensions_are_skipped_and_degree_4_is_cut(tmp_path: Path) -> None:
    sh = bytes(range(100, 172))
    content = in_streams(
        4, 12, 3, int24(0, 0, 0), b"\x80", bytes(3), bytes(3), bytes(4), sh, count=1, gap=b"12345"
    )
    loaded = opened(tmp_path / "a.spz", content)
    assert loaded.repairs == ("Cut spherical harmonics of degree 4 to degree 3.",)
    assert loaded.scene.antialiased
    expected = (np.arange(100, 145).reshape(15, 3) - 128) / 128
    assert close(loaded.scene.sh[0, 1:], expected)


def one(degree: int = 1) -> GaussianScene:
    sh = torch.zeros(1, (degree + 1) ** 2, 3)
    sh[0, 0] = torch.tensor([0.0, 10.0, -1.0])
    sh[0, 1] = torch.tensor([0.03, -0.9, 5.0])
    return GaussianScene(
        means=torch.tensor([[1.0, -0.5, 0.00025]]),
        log_scales=torch.tensor([[-10.2, 0.01, 9.0]]),
        quats=torch.tensor([[-3.0, 0.0, 4.0, 0.0]]),
        opacity_logits=torch.tensor([0.0]),
        sh=sh,
        antialiased=True,
    )


BLOCKS = [
    int24(4096, -2048, 1),
    bytes([128]),
    bytes([128, 255, round(127.5 - 0.15 * 255)]),
    bytes([0, 160, 255]),
    # y is largest; x 0, z 0, w -0.6 of 0.7071
    rotation_code(1, (0, 0), (0, 0), (1, round(511 * 0.6 / HALF))),
    # 128 + 4 in steps of 8, rounded half up; 128 - 115 = 13; and the end of the range
    bytes([136, 16, 255, 128, 128, 128, 128, 128, 128]),
]


def test_version_3_is_written_as_described(tmp_path: Path) -> None:
    save_scene(one(), tmp_path / "a.spz", "spz3")
    content = (tmp_path / "a.spz").read_bytes()
    header = struct.pack("<4sIIBBBB", b"NGSP", 3, 1, 1, 12, 1, 0)
    assert gzip.decompress(content) == header + b"".join(BLOCKS)


def test_version_4_is_written_as_described(tmp_path: Path) -> None:
    save_scene(one(), tmp_path / "a.spz")
    content = (tmp_path / "a.spz").read_bytes()
    assert content[:16] == struct.pack("<4sIIBBBB", b"NGSP", 4, 1, 1, 12, 1, 6)
    assert content[16:32] == struct.pack("<I12x", 32)
    start = 32 + 6 * 16
    for i, block in enumerate(BLOCKS):
        stored, unpacked = struct.unpack_from("<QQ", content, 32 + 16 * i)
        assert unpacked == len(block)
        assert zstandard.decompress(content[start : start + stored]) == block
        start += stored
    assert start == len(content)


@pytest.mark.parametrize("name", ["spz", "spz3"])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_what_is_lost_is_bounded(name: str, degree: int, tmp_path: Path) -> None:
    scene = random_scene(300, degree, antialiased=degree == 2)
    scene = replace(scene, sh=scene.sh.clamp(-0.9, 0.9))
    save_scene(scene, tmp_path / "a.spz", name)
    loaded = load_scene(tmp_path / "a.spz")
    back = loaded.scene
    assert (loaded.format, loaded.repairs) == ("spz", ())
    assert (len(back), back.sh_degree, back.antialiased) == (300, degree, degree == 2)
    assert close(back.means, scene.means, 0.5 / 4096 + 1e-6)
    assert close(back.log_scales, scene.log_scales, 0.5 / 16 + 1e-5)
    assert close(back.opacities(), scene.opacities(), 0.5 / 255 + 1e-6)
    assert close(back.sh[:, 0], scene.sh[:, 0], 0.5 / 255 / 0.15 + 1e-5)
    assert close(back.sh[:, 1:4], scene.sh[:, 1:4], 4.5 / 128 + 1e-5)
    assert close(back.sh[:, 4:], scene.sh[:, 4:], 8.5 / 128 + 1e-5)
    assert up_to_sign(back.quats, scene.quats).max() < 0.003


@pytest.mark.parametrize("name", ["spz", "spz3"])
def test_the_same_scene_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    for file in ("a.spz", "b.spz"):
        save_scene(random_scene(), tmp_path / file, name)
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()


def scaled(extent: float, size: float) -> GaussianScene:
    scene = random_scene(2000, 0)
    log_scales = torch.full_like(scene.log_scales, math.log(size))
    return replace(scene, means=scene.means * extent, log_scales=log_scales)


@pytest.mark.parametrize(("extent", "size"), [(0.01, 1e-4), (1, 0.01), (3e4, 5), (1e6, 100)])
def test_steps_follow_the_size_of_the_scene(extent: float, size: float, tmp_path: Path) -> None:
    scene = scaled(extent, size)
    save_scene(scene, tmp_path / "a.spz")
    error = (load_scene(tmp_path / "a.spz").scene.means - scene.means).abs().max()
    assert error < max(size / 4, extent / 2**21)


def test_a_stray_gaussian_does_not_coarsen_the_others(tmp_path: Path) -> None:
    scene = scaled(1, 0.01)
    means = scene.means.clone()
    means[7] = torch.tensor([-1e18, 1e9, 0])
    save_scene(replace(scene, means=means), tmp_path / "a.spz")
    back = load_scene(tmp_path / "a.spz").scene.means
    near = torch.arange(2000) != 7
    assert close(back[near], means[near], 0.005)
    assert back[7, 0] < -1000
    assert back[7, 1] > 1000


def test_headers_that_promise_too_much_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.spz"
    zeros = bytes(1 << 20)
    assert "too few" in refusal(path, gzipped(2, 3, 12, 0, zeros, count=2**32 - 1))
    assert "ends inside" in refusal(path, gzipped(2, 3, 12, 0, zeros, count=30_000))
    blocks = [bytes(9), bytes(1), bytes(3), bytes(3), bytes(4)]
    assert "promises" in refusal(path, in_streams(0, 12, 0, *blocks, count=2))
    assert "too few" in refusal(path, in_streams(0, 12, 0, *blocks, count=2**32 - 1))


def test_other_versions_and_degrees_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.spz"
    assert "version 5" in refusal(path, struct.pack("<4sIIBBBB", b"NGSP", 5, 1, 0, 12, 0, 5))
    assert "header" in refusal(path, gzipped(0, 0, 12, 0, count=1))
    assert "degree 5" in refusal(path, gzipped(3, 5, 12, 0, count=1))
    assert "streams" in refusal(path, in_streams(0, 12, 0, bytes(9), count=1))


def test_other_gzip_files_are_no_scenes(tmp_path: Path) -> None:
    assert "no known format" in refusal(tmp_path / "a.spz", gzip.compress(b"something else"))


@pytest.mark.parametrize("name", ["spz", "spz3"])
def test_damaged_files_open_or_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.spz"
    save_scene(random_scene(40, 1), path, name)
    intact = path.read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for trial in range(250):
        content = bytearray(intact)
        if trial % 5 == 0:
            del content[int(random.integers(4, len(content))) :]
        else:
            top = 140 if trial % 2 else len(content)
            for where in random.integers(0, min(top, len(content)), 1 + trial % 3):
                content[where] = random.integers(256)
        path.write_bytes(content)
        refused += not opens(path, MEMORY_LIMIT)
    assert refused > 100


def test_other_axes_turn_everything_and_back() -> None:
    scene = blob_scene(300)
    generator = torch.Generator().manual_seed(0)
    scene = replace(scene, sh=0.3 * torch.randn(len(scene), 16, 3, generator=generator))
    other = turned(scene)
    for name, tensor in turned(other).tensors().items():
        assert torch.equal(tensor, scene.tensors()[name]), name
    assert close(other.means, scene.means * torch.tensor([1.0, -1, -1]))
    half = torch.diag(torch.tensor([1.0, -1, -1, 1])).double().numpy()
    camera = default_view(scene, (96, 64))
    seen = render(scene, camera).rgb
    from_there = replace(camera, world_to_camera=camera.world_to_camera @ half)
    assert (render(other, from_there).rgb - seen).abs().max() < 1e-4
    assert (render(other, camera).rgb - seen).abs().max() > 0.1
