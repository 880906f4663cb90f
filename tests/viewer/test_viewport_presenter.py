"""The way from pixels to a framebuffer, in an OpenGL context without a window."""

import moderngl
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from viewer.viewport.presenter import HOST_ROUTE, Presenter

BACKGROUND = (0.2, 0.4, 0.6)

pytestmark = pytest.mark.gl


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 255
    return pixels


def drawn(presenter: Presenter, width: int, height: int) -> NDArray[np.uint8]:
    """What a framebuffer holds, first row on top."""
    framebuffer = presenter.context.simple_framebuffer((width, height), 4)
    presenter.draw(framebuffer, BACKGROUND)
    pixels = np.frombuffer(framebuffer.read(components=4), np.uint8).reshape(height, width, 4)
    framebuffer.release()
    return pixels[::-1]


def test_a_picture_of_the_right_size_is_shown_to_the_byte(presenter: Presenter) -> None:
    pixels = noise(37, 23)
    presenter.upload(pixels)
    np.testing.assert_array_equal(drawn(presenter, 37, 23), pixels)
    assert presenter.route == HOST_ROUTE


def test_a_smaller_picture_shows_nothing_of_a_larger_one_before(presenter: Presenter) -> None:
    white = np.full((64, 64, 4), 255, np.uint8)
    black = np.zeros((16, 24, 4), np.uint8)
    black[..., 3] = 255
    presenter.upload(white)
    presenter.upload(black)
    assert drawn(presenter, 64, 64)[..., :3].max() == 0
    presenter.upload(white)
    assert drawn(presenter, 64, 64).min() == 255


def test_a_coarse_picture_is_enlarged_smoothly_and_opposite_edges_stay_apart(
    presenter: Presenter,
) -> None:
    ramp = np.zeros((8, 8, 4), np.uint8)
    ramp[..., :3] = (np.arange(8) * 30)[:, None, None]
    ramp[..., 3] = 255
    presenter.upload(ramp)
    column = drawn(presenter, 64, 64)[:, 32, 0].astype(int)
    assert (np.diff(column) >= 0).all()
    assert np.diff(column).max() <= 5
    assert column[0] == 0
    assert column[-1] == 210


def test_without_a_picture_there_is_the_background(presenter: Presenter) -> None:
    expected = np.round(np.array([*BACKGROUND, 1.0]) * 255)
    assert np.abs(drawn(presenter, 5, 4) - expected).max() <= 1
    presenter.upload(noise(5, 4))
    presenter.clear()
    assert np.abs(drawn(presenter, 5, 4) - expected).max() <= 1


def test_a_tensor_that_cuda_cannot_hand_over_goes_through_the_host(presenter: Presenter) -> None:
    pixels = noise(9, 7)
    presenter.upload(torch.from_numpy(pixels))
    np.testing.assert_array_equal(drawn(presenter, 9, 7), pixels)
    assert presenter.route == HOST_ROUTE


def test_interop_can_be_turned_off(
    context: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLATSCOPE_INTEROP", "off")
    presenter = Presenter(context)
    assert not presenter.interop
    presenter.release()
