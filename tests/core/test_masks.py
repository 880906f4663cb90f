"""Masks and lines read from pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import images
from core.errors import UserError
from core.images import LINE_SHARE, load_mask


def test_a_mask_is_where_most_of_a_pixel_is_white(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80), np.uint8)
    pixels[:, 52:] = 255  # the middle square is 20 to 60
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    mask = load_mask(tmp_path / "mask.png", 10, 10)
    expected = np.zeros((10, 10), bool)
    expected[:, 8:] = True
    np.testing.assert_array_equal(mask.numpy(), expected)


def test_thin_lines_are_not_lost_where_a_picture_shrinks(tmp_path: Path) -> None:
    pixels = np.zeros((200, 200), np.uint8)
    pixels[101] = 255
    Image.fromarray(pixels).save(tmp_path / "lines.png")
    assert not load_mask(tmp_path / "lines.png", 20, 20).any()
    lines = load_mask(tmp_path / "lines.png", 20, 20, LINE_SHARE)
    assert lines[10].all()
    assert int(lines.sum()) == 20


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"])
def test_what_is_no_picture_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(UserError, match=r"mask\.png"):
        load_mask(tmp_path / "mask.png", 8, 8)


def test_a_picture_that_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (20, 20)).save(tmp_path / "mask.png")
    monkeypatch.setattr(images, "MOST_MASK_PIXELS", 399)
    with pytest.raises(UserError, match="too large"):
        load_mask(tmp_path / "mask.png", 8, 8)


def test_a_picture_of_greys_is_no_mask(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(40, 220, (30, 40), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "photo.png")
    with pytest.raises(UserError, match=r"photo\.png is no mask"):
        load_mask(tmp_path / "photo.png", 20, 20)
    soft = np.clip(np.linspace(-400, 655, 40), 0, 255).astype(np.uint8)
    Image.fromarray(np.tile(soft, (30, 1))).save(tmp_path / "soft.png")
    assert load_mask(tmp_path / "soft.png", 40, 30).float().mean() == pytest.approx(0.5, abs=0.05)
