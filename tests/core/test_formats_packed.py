"""Compressed PLY and .splat: bytes as they are described, round trips, damaged files."""

import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import UserError
from core.formats import compressed_ply, load_scene, save_scene
from core.scene import SH_C0, GaussianScene
from tests.core.formats_examples import random_scene
from tests.core.test_formats_spz import up_to_sign

SPLAT_ROW = struct.Struct("<3f3f4B4B")
MEMORY_LIMIT = 48 << 20


def unorm(value: float, bits: int) -> int:
    return min(max(int(value * (2**bits - 1) + 0.5), 0), 2**bits - 1)


def by_hand(path: Path, old: bool = False) -> None:
    """Two Gaussians of degree 1, packed as the description has it."""
    axes = [f"{side}_{axis}" for side in ("min", "max") for axis in "xyz"]
    scales = [f"{side}_scale_{axis}" for side in ("min", "max") for axis in "xyz"]
    colors = [] if old else [f"{side}_{c}" for side in ("min", "max") for c in "rgb"]
    lines = ["ply", "format binary_little_endian 1.0", "comment SplatRenderMode: mip"]
    lines += ["element chunk 1", *(f"property float {n}" for n in (*axes, *scales, *colors))]
    lines += ["element vertex 2"]
    lines += [f"property uint packed_{n}" for n in ("position", "rotation", "scale", "color")]
    lines += ["element sh 2", *(f"property uchar f_rest_{i}" for i in range(9)), "end_header", ""]
    ranges = [-1.0, 0.0, 2.0, 3.0, 0.0, 4.0, -5.0, -4.0, -3.0, -1.0, -2.0, -3.0]
    ranges += [] if old else [0.0, 0.2, 0.4, 1.0, 0.8, 0.4]
    position = unorm(0.25, 11) << 21 | unorm(0.7, 10) << 11 | unorm(1.0, 11)
    rotation = 0 << 30 | unorm(0.5, 10) << 20 | unorm(0.9, 10) << 10 | unorm(0.5, 10)
    turned = 3 << 30 | unorm(0.5, 10) << 20 | unorm(0.5, 10) << 10 | unorm(0.5, 10)
    scale = unorm(0.5, 11) << 21 | unorm(0.5, 10) << 11 | unorm(0.5, 11)
    color = 51 << 24 | 255 << 16 | 0 << 8 | 204
    body = struct.pack(f"<{len(ranges)}f", *ranges)
    body += struct.pack("<4I", position, rotation, scale, color)
    body += struct.pack("<4I", 0, turned, 0, 0xFF)
    body += bytes([0, 128, 255, 1, 2, 3, 4, 5, 6]) + bytes([128] * 9)
    path.write_bytes("\n".join(lines).encode() + body)


@pytest.mark.parametrize("old", [False, True])
def test_bytes_of_a_compressed_ply(tmp_path: Path, old: bool) -> None:
    by_hand(tmp_path / "a.ply", old)

    loaded = load_scene(tmp_path / "a.ply")

    scene = loaded.scene
    assert loaded.format == "compressed-ply"
    assert scene.antialiased
    np.testing.assert_allclose(scene.means[0], [0.0, 0.0, 4.0], atol=1e-3)
    np.testing.assert_allclose(scene.means[1], [-1.0, 0.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(scene.log_scales[0], [-3.0, -3.0, -3.0], atol=3e-3)
    y = 0.4 * 2**0.5
    np.testing.assert_allclose(scene.quats[0], [(1 - y * y) ** 0.5, 0, y, 0], atol=2e-3)
    np.testing.assert_allclose(scene.quats[1], [0, 0, 0, 1], atol=2e-3)
    rgb = [0.2, 1.0, 0.0] if old else [0.2, 0.8, 0.4]
    np.testing.assert_allclose(scene.sh[0, 0] * SH_C0 + 0.5, rgb, atol=1e-6)
    np.testing.assert_allclose(scene.opacities()[0], 0.8, atol=1e-6)
    assert scene.opacity_logits[1] == pytest.approx(20)
    # channel by channel: three of red, three of green, three of blue
    inner = [((b + 0.5) / 256 - 0.5) * 8 for b in (128, 1, 2, 3, 4, 5, 6)]
    red, green, blue = [-4.0, inner[0], 4.0], inner[1:4], inner[4:7]
    np.testing.assert_allclose(scene.sh[0, 1:].T, [red, green, blue], atol=1e-6)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 255, 256, 600])
def test_a_compressed_ply_comes_back(tmp_path: Path, count: int, degree: int) -> None:
    scene = random_scene(count, degree, antialiased=degree == 1)
    path = tmp_path / "a.compressed.ply"

    save_scene(scene, path)
    back = load_scene(path).scene

    assert path.read_bytes().count(b"property uchar") == 3 * ((degree + 1) ** 2 - 1)
    assert back.antialiased == scene.antialiased
    back = back.select(torch.cdist(scene.means, back.means).argmin(1))
    extent = float((scene.means.amax(0) - scene.means.amin(0)).amax()) + 1e-6
    assert (back.means - scene.means).abs().max() <= 0.51 * extent / 1023
    assert (back.log_scales - scene.log_scales).abs().max() < 0.01
    assert up_to_sign(back.quats, scene.quats).max() < 4e-3
    assert (back.opacities() - scene.opacities()).abs().max() <= 0.51 / 255
    assert (back.sh[:, 0] - scene.sh[:, 0]).abs().max() < 0.03
    cut = scene.sh[:, 1:].clamp(-4, 4)
    if degree:
        assert (back.sh[:, 1:] - cut).abs().max() <= 0.51 * 8 / 256
    save_scene(load_scene(path).scene, tmp_path / "b.compressed.ply")
    again = load_scene(tmp_path / "b.compressed.ply").scene
    assert len(again) == count


def test_gaussians_in_one_place_and_extreme_opacities(tmp_path: Path) -> None:
    scene = random_scene(300, 1)
    logits = torch.where(torch.arange(300) % 2 == 0, 30.0, -30.0)
    scene = replace(scene, means=torch.ones_like(scene.means), opacity_logits=logits)

    for name in ("a.compressed.ply", "a.splat"):
        save_scene(scene, tmp_path / name)
        back = load_scene(tmp_path / name)
        assert back.repairs == ()
        assert torch.equal(back.scene.means, scene.means)
        assert sorted(set(back.scene.opacity_logits.tolist())) == [-20.0, 20.0]


def test_bytes_of_a_splat(tmp_path: Path) -> None:
    first = SPLAT_ROW.pack(1, 2, 3, 0.5, 0.25, 1, 255, 0, 51, 204, 128, 255, 128, 0)
    second = SPLAT_ROW.pack(-1, 0, 0, 0.1, 0.1, 0.1, 0, 0, 0, 0, 255, 128, 128, 128)
    (tmp_path / "a.splat").write_bytes(first + second)

    loaded = load_scene(tmp_path / "a.splat")

    scene = loaded.scene
    assert (loaded.format, scene.sh_degree) == ("splat", 0)
    assert scene.means.tolist() == [[1, 2, 3], [-1, 0, 0]]
    np.testing.assert_allclose(scene.log_scales[0].exp(), [0.5, 0.25, 1], rtol=1e-6)
    np.testing.assert_allclose(scene.base_colors()[0], [1, 0, 0.2], atol=1e-6)
    np.testing.assert_allclose(scene.opacities()[0], 0.8, atol=1e-6)
    assert scene.quats[0].tolist() == [0, 127 / 128, 0, -1]


def test_a_splat_comes_back_the_large_and_opaque_first(tmp_path: Path) -> None:
    scene = random_scene(500, 2)

    save_scene(scene, tmp_path / "a.splat")
    back = load_scene(tmp_path / "a.splat").scene

    worth = scene.log_scales.sum(1).exp() * scene.opacities()
    worth = worth[torch.cdist(back.means, scene.means).argmin(1)]
    assert (worth[:-1] >= worth[1:]).all()
    assert (tmp_path / "a.splat").stat().st_size == 500 * 32
    back = back.select(torch.cdist(scene.means, back.means).argmin(1))
    assert torch.equal(back.means, scene.means)
    torch.testing.assert_close(back.log_scales, scene.log_scales, rtol=1e-5, atol=1e-5)
    assert up_to_sign(back.quats / back.quats.norm(dim=1, keepdim=True), scene.quats).max() < 0.02
    assert (back.base_colors() - scene.base_colors()).abs().max() <= 0.51 / 255


@pytest.mark.parametrize("name", ["a.compressed.ply", "a.splat"])
def test_a_scene_that_learns_can_be_saved(tmp_path: Path, name: str) -> None:
    scene = random_scene(20, 1)
    learning = replace(
        scene,
        means=scene.means.clone().requires_grad_(),
        log_scales=scene.log_scales.clone().requires_grad_(),
        quats=scene.quats.clone().requires_grad_(),
        opacity_logits=scene.opacity_logits.clone().requires_grad_(),
        sh=scene.sh.clone().requires_grad_(),
    )
    save_scene(scene, tmp_path / name)
    save_scene(learning, tmp_path / ("b" + name))
    assert (tmp_path / name).read_bytes() == (tmp_path / ("b" + name)).read_bytes()


def test_only_what_can_be_gaussians_is_a_splat(tmp_path: Path) -> None:
    text = tmp_path / "notes.splat"
    text.write_bytes(b"\xff" * 320)
    with pytest.raises(UserError, match="no known format"):
        load_scene(text)
    text.write_bytes(b'{"a": 1.0, "b": [1,2,3]}\n' * 64)
    with pytest.raises(UserError, match="no known format"):
        load_scene(text)
    text.write_bytes(b"A text of many words, line after line.\n" * 64)
    with pytest.raises(UserError, match="no known format"):
        load_scene(text)
    save_scene(random_scene(3), tmp_path / "a.splat")
    (tmp_path / "cut.splat").write_bytes((tmp_path / "a.splat").read_bytes()[:-1])
    with pytest.raises(UserError, match="not a whole number") as caught:
        load_scene(tmp_path / "cut.splat")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"element vertex 24", b"element vertex 25"),
        (b"element vertex 24", b"element vertex 999999999999"),
        (b"element chunk 1", b"element chunk 2"),
        (b"element sh 24", b"element sh 23"),
        (b"property uchar f_rest_0", b"property float f_rest_0"),
        (b"property uchar f_rest_0", b"property uchar f_rest_x"),
        (b"property uint packed_color", b"property uint packed_colour"),
        (b"property uint packed_color", b"property float packed_color"),
        (b"property float min_x", b"property float min_q"),
        (b"property float min_r", b"property float min_q"),
        (b"binary_little_endian", b"ascii"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "a.compressed.ply"
    save_scene(random_scene(24, 1), path)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        load_scene(path)
    assert caught.value.hint


def packed(chunk: tuple[str, ...], count: int, sh: int | None, ranges: tuple[float, ...]) -> bytes:
    """A compressed PLY with these ranges, all its packed numbers the same, ``sh`` bytes each."""
    lines = ["ply", "format binary_little_endian 1.0", f"element chunk {min(count, 1)}"]
    lines += [*(f"property float {name}" for name in chunk), f"element vertex {count}"]
    lines += [f"property uint packed_{n}" for n in ("position", "rotation", "scale", "color")]
    if sh is not None:
        lines += [f"element sh {count}", *(f"property uchar f_rest_{i}" for i in range(sh))]
    body = struct.pack(f"<{len(ranges)}f", *ranges) if count else b""
    body += struct.pack("<4I", *[0x12345678] * 4) * count + bytes(count * (sh or 0))
    return "\n".join([*lines, "end_header", ""]).encode() + body


RANGES = tuple(
    f"{side}_{axis}"
    for axes in (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
    for side in ("min", "max")
    for axis in axes
)
UNIT = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0) * 3


def test_elements_without_rows_or_properties(tmp_path: Path) -> None:
    path = tmp_path / "a.compressed.ply"
    path.write_bytes(packed(RANGES, 3, 0, UNIT))
    assert load_scene(path).scene.sh_degree == 0
    for chunk, count, sh, message in (
        (RANGES, 0, None, "holds no Gaussians"),
        (RANGES, 0, 9, "holds no Gaussians"),
        ((), 3, None, "no range of the position"),
    ):
        path.write_bytes(packed(chunk, count, sh, UNIT if chunk else ()))
        with pytest.raises(UserError, match=message) as caught:
            load_scene(path)
        assert caught.value.hint


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize(("low", "high"), [(3e38, -3e38), (-np.inf, np.inf), (np.nan, 1)])
def test_ranges_beyond_all_numbers(tmp_path: Path, kind: int, low: float, high: float) -> None:
    ranges = list(UNIT)
    ranges[6 * kind], ranges[6 * kind + 3] = low, high
    path = tmp_path / "a.compressed.ply"
    path.write_bytes(packed(RANGES, 3, None, tuple(ranges)))
    with pytest.raises(UserError, match="none of its Gaussians has finite values"):
        load_scene(path)


def body(path: Path) -> tuple[bytes, bytes]:
    """What follows the header of 600 Gaussians: the ranges of 3 chunks, and the rest."""
    content = path.read_bytes().partition(b"end_header\n")[2]
    return content[: 3 * 72], content[3 * 72 :]


def test_what_was_packed_packs_to_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same order, that is: rounded positions can be in another."""
    first, second = tmp_path / "a.compressed.ply", tmp_path / "b.compressed.ply"
    save_scene(random_scene(600, 3), first)
    monkeypatch.setattr(compressed_ply, "morton_order", lambda means: np.arange(len(means)))
    save_scene(load_scene(first).scene, second)

    (ranges, rest), (ranges_again, rest_again) = body(first), body(second)
    before, after = (np.frombuffer(r, "<f4").reshape(3, 18) for r in (ranges, ranges_again))
    assert np.array_equal(before[:, :12], after[:, :12])
    np.testing.assert_allclose(after[:, 12:], before[:, 12:], rtol=1e-6, atol=1e-6)
    words, again = (np.frombuffer(r[: 600 * 16], "<u4").reshape(-1, 4) for r in (rest, rest_again))
    assert np.array_equal(words[:, [0, 2, 3]], again[:, [0, 2, 3]])
    assert (words[:, 1] == again[:, 1]).mean() > 0.99
    assert rest[600 * 16 :] == rest_again[600 * 16 :]


@pytest.mark.parametrize("name", ["a.compressed.ply", "a.splat"])
def test_damaged_files_open_or_are_refused_within_bounds(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_scene(random_scene(24, 1), path)
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    tracemalloc.start()
    for number in range(400):
        damaged = bytearray(content)
        for _ in range(int(generator.integers(1, 6))):
            damaged[int(generator.integers(len(damaged)))] = int(generator.integers(256))
        if number % 4 == 0:
            damaged = damaged[: int(generator.integers(len(damaged)))]
        path.write_bytes(bytes(damaged))
        try:
            scene = load_scene(path).scene
        except UserError:
            continue
        assert usable(scene)
    assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
    tracemalloc.stop()


def usable(scene: GaussianScene) -> bool:
    return len(scene) > 0 and all(tensor.isfinite().all() for tensor in scene.tensors().values())
