"""True edges read from pictures and from files of BSDS."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from core.errors import UserError
from core.gmae import true_edges
from core.gmae.true_edges import load_edges
from core.gmae.truths import mask_boundary
from core.images import LINE_SHARE, load_mask

HEIGHT, WIDTH = 40, 60


def write_bsds(path: Path, maps: list[np.ndarray], compressed: bool = True) -> Path:
    people = np.empty((1, len(maps)), object)
    for number, lines in enumerate(maps):
        people[0, number] = {"Segmentation": np.ones(lines.shape, np.uint16), "Boundaries": lines}
    savemat(path, {"groundTruth": people}, do_compression=compressed)
    return path


@pytest.fixture
def maps() -> list[np.ndarray]:
    lines = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    lines[0, 12] = 1
    lines[1, :, 30] = 1
    return list(lines)


@pytest.mark.parametrize("compressed", [True, False])
def test_an_edge_is_what_any_of_the_people_drew(
    maps: list[np.ndarray], compressed: bool, tmp_path: Path
) -> None:
    path = write_bsds(tmp_path / "true.mat", maps, compressed)
    np.testing.assert_array_equal(load_edges(path, WIDTH, HEIGHT).lines.numpy(), maps[0] | maps[1])
    middle = load_edges(path, 20, 20).lines.numpy()
    expected = np.zeros((20, 20), bool)
    expected[6] = expected[:, 10] = True  # of the middle 40 x 40, halved
    np.testing.assert_array_equal(middle, expected)


def test_a_picture_gives_the_same_edges(maps: list[np.ndarray], tmp_path: Path) -> None:
    Image.fromarray(255 * (maps[0] | maps[1])).save(tmp_path / "true.png")
    path = write_bsds(tmp_path / "true.mat", maps)
    drawn = load_edges(tmp_path / "true.png", 33, 22).lines
    assert bool((drawn == load_edges(path, 33, 22).lines).all())


def test_a_filled_mask_counts_by_its_outline(tmp_path: Path) -> None:
    mask = np.zeros((200, 300), np.uint8)
    mask[40:150, 60:220] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    lines = np.zeros_like(mask)
    lines[40:44, 60:220] = lines[40:150, 60:64] = 255
    Image.fromarray(lines).save(tmp_path / "lines.png")
    for width, height in ((300, 200), (96, 64)):
        edges = load_edges(tmp_path / "mask.png", width, height)
        assert edges.outlined
        assert torch.equal(
            edges.lines, mask_boundary(load_mask(tmp_path / "mask.png", width, height))
        )
        drawn = load_edges(tmp_path / "lines.png", width, height)
        assert not drawn.outlined
        assert torch.equal(
            drawn.lines, load_mask(tmp_path / "lines.png", width, height, LINE_SHARE)
        )


def test_damaged_files_are_refused(maps: list[np.ndarray], tmp_path: Path) -> None:
    whole = write_bsds(tmp_path / "true.mat", maps).read_bytes()
    broken = tmp_path / "broken.mat"
    for content in (b"", b"text", whole[:100], whole[:140], whole[:-9], whole[:128] + b"x" * 40):
        broken.write_bytes(content)
        with pytest.raises(UserError, match=r"broken\.mat"):
            load_edges(broken, WIDTH, HEIGHT)


def test_files_without_edges_are_refused(maps: list[np.ndarray], tmp_path: Path) -> None:
    for name, content in {
        "other": {"other": np.ones(3)},
        "numbers": {"groundTruth": np.ones((2, 2))},
        "none": {"groundTruth": np.empty((1, 0), object)},
    }.items():
        savemat(tmp_path / f"{name}.mat", content)
        with pytest.raises(UserError, match=name):
            load_edges(tmp_path / f"{name}.mat", WIDTH, HEIGHT)
    with pytest.raises(UserError, match="sizes"):
        load_edges(write_bsds(tmp_path / "sizes.mat", [maps[0], maps[1][:9]]), WIDTH, HEIGHT)


def test_what_would_unpack_without_bound_is_refused(
    maps: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = zlib.compress(bytes(1_000_000))
    path = write_bsds(tmp_path / "true.mat", maps)
    path.write_bytes(path.read_bytes()[:128] + struct.pack("<II", 15, len(packed)) + packed)
    monkeypatch.setattr(true_edges, "MOST_UNPACKED_BYTES", 999_999)
    with pytest.raises(UserError, match=r"true\.mat"):
        load_edges(path, WIDTH, HEIGHT)
    monkeypatch.setattr(true_edges, "MOST_BYTES", 99)
    with pytest.raises(UserError, match=r"true\.mat"):
        load_edges(path, WIDTH, HEIGHT)
