"""CUDA pictures in OpenGL textures. The OpenGL context has to be the GPU's, through EGL."""

import moderngl
import numpy as np
import pytest
import torch
from torch import Tensor

from viewer.viewport.frames import host_copy
from viewer.viewport.presenter import HOST_ROUTE, INTEROP_ROUTE, InteropError, Presenter

pytestmark = pytest.mark.gpu


@pytest.fixture
def interop(context: moderngl.Context) -> None:
    """Skips where OpenGL does not run on the CUDA device."""
    runtime = pytest.importorskip("cuda.bindings.runtime")
    error, *_ = runtime.cudaGLGetDevices(8, runtime.cudaGLDeviceList.cudaGLDeviceListAll)
    if error != runtime.cudaError_t.cudaSuccess:
        pytest.skip(f"{context.info['GL_RENDERER']} is not driven by CUDA: {error!r}")


def noise(width: int, height: int, seed: int) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(seed)
    size = (height, width, 4)
    pixels = torch.randint(0, 256, size, generator=generator, device="cuda", dtype=torch.uint8)
    pixels[..., 3] = 255
    return pixels


def assert_shown(presenter: Presenter, pixels: Tensor) -> None:
    height, width, _ = pixels.shape
    framebuffer = presenter.context.simple_framebuffer((width, height), 4)
    presenter.draw(framebuffer, (0.0, 0.0, 0.0))
    seen = np.frombuffer(framebuffer.read(components=4), np.uint8).reshape(height, width, 4)
    framebuffer.release()
    np.testing.assert_array_equal(seen[::-1], pixels.cpu().numpy())


@pytest.mark.usefixtures("interop")
def test_a_cuda_picture_reaches_the_texture_without_the_host(presenter: Presenter) -> None:
    for seed, (width, height) in enumerate([(64, 48), (1920, 1080), (333, 201), (1921, 1081)]):
        for repeat in range(3):
            pixels = noise(width, height, 10 * seed + repeat)
            torch.cuda.synchronize()
            presenter.upload(pixels)
            assert presenter.route == INTEROP_ROUTE
            assert_shown(presenter, pixels)
    assert presenter.interop


def test_the_first_failure_degrades_for_good(
    presenter: Presenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise InteropError("refused")

    with monkeypatch.context() as patch:
        patch.setattr("viewer.viewport.presenter.CudaTexture", refuse)
        pixels = noise(40, 30, 1)
        presenter.upload(pixels)
    assert presenter.route == HOST_ROUTE
    assert not presenter.interop
    assert_shown(presenter, pixels)
    pixels = noise(50, 20, 2)
    presenter.upload(pixels)
    assert presenter.route == HOST_ROUTE
    assert_shown(presenter, pixels)


def test_interop_can_be_turned_off(
    context: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLATSCOPE_INTEROP", "off")
    presenter = Presenter(context)
    pixels = noise(40, 30, 3)
    presenter.upload(pixels)
    assert presenter.route == HOST_ROUTE
    assert_shown(presenter, pixels)
    presenter.release()


@pytest.mark.parametrize("pinned", [True, False])
def test_the_host_copy_is_exact_with_and_without_page_locked_memory(
    pinned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = noise(123, 77, 4)
    expected = pixels.cpu().numpy()
    if not pinned:
        empty = torch.empty

        def refuse(*arguments: object, pin_memory: bool = False, **keywords: object) -> Tensor:
            if pin_memory:
                raise RuntimeError("no page-locked memory")
            return empty(*arguments, **keywords)

        monkeypatch.setattr(torch, "empty", refuse)
    np.testing.assert_array_equal(host_copy(pixels), expected)
