"""Brings pictures into an OpenGL texture, without a copy to the host where CUDA allows it."""

import logging
import os
from typing import Any

import moderngl
import numpy as np
import torch
from torch import Tensor

from viewer.viewport.frames import Pixels, host_copy
from viewer.viewport.splats import shader

log = logging.getLogger(__name__)

GL_TEXTURE_2D = 0x0DE1
ALIGNMENT = 4
"""OpenGL's default for rows of pixels; moderngl's own would garble the text that Qt draws after."""
INTEROP_ROUTE = "CUDA interop"
HOST_ROUTE = "host copy"


class InteropError(RuntimeError):
    """CUDA cannot write into this OpenGL context's textures."""


class CudaTexture:
    """An OpenGL texture that CUDA writes into. The OpenGL context is current at every call.

    Raises
    ------
    InteropError
        If the texture cannot be registered: no driver, or OpenGL runs elsewhere.
    """

    def __init__(self, texture: moderngl.Texture, device: torch.device) -> None:
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise InteropError("cuda-bindings is not installed") from error
        self._runtime = runtime
        self._device = device
        self._stream = torch.cuda.Stream(device)
        flags = runtime.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard
        with torch.cuda.device(device):
            self._resource = self._call(
                runtime.cudaGraphicsGLRegisterImage, texture.glo, GL_TEXTURE_2D, flags
            )

    def write(self, pixels: Tensor) -> None:
        """Copy finished pixels, contiguous uint8 ``(H, W, 4)``, to the texture's first rows."""
        runtime, stream = self._runtime, self._stream.cuda_stream
        height, width, _ = pixels.shape
        with torch.cuda.device(self._device):
            self._call(runtime.cudaGraphicsMapResources, 1, self._resource, stream)
            try:
                array = self._call(
                    runtime.cudaGraphicsSubResourceGetMappedArray, self._resource, 0, 0
                )
                self._call(
                    runtime.cudaMemcpy2DToArrayAsync,
                    array,
                    0,
                    0,
                    pixels.data_ptr(),
                    width * 4,
                    width * 4,
                    height,
                    runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice,
                    stream,
                )
                pixels.record_stream(self._stream)
            finally:
                self._call(runtime.cudaGraphicsUnmapResources, 1, self._resource, stream)

    def release(self) -> None:
        """Unregister; the texture itself stays."""
        with torch.cuda.device(self._device):
            self._runtime.cudaGraphicsUnregisterResource(self._resource)

    def _call(self, function: Any, *arguments: Any) -> Any:
        error, *results = function(*arguments)
        if error != self._runtime.cudaError_t.cudaSuccess:
            raise InteropError(f"{function.__name__}: {error!r}")
        return results[0] if results else None


class Presenter:
    """Shows the newest picture on a quad over the whole framebuffer.

    CUDA pictures go from tensor to texture by interop. The first failure of that, or the
    environment variable ``SPLATSCOPE_INTEROP=off``, makes it take the way over the host for good.

    Parameters
    ----------
    context
        The current OpenGL context, 3.3 or later.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self.interop = os.environ.get("SPLATSCOPE_INTEROP", "").lower() != "off"
        """Whether CUDA tensors are worth handing over; goes from true to false at most once."""
        self.route = HOST_ROUTE
        """How the last picture reached the texture."""
        self.context = context
        self._program = context.program(
            vertex_shader=shader("present.vert"), fragment_shader=shader("present.frag")
        )
        self._quad = context.vertex_array(self._program, [])
        self._texture: moderngl.Texture | None = None
        self._cuda_texture: CudaTexture | None = None
        self._size = (0, 0)

    def upload(self, pixels: Pixels) -> None:
        """Take over a picture, uint8 RGBA ``(H, W, 4)``, first row on top."""
        height, width = pixels.shape[:2]
        texture = self._fit(width, height)
        self._size = (width, height)
        if isinstance(pixels, Tensor):
            if self._try_interop(texture, pixels):
                self.route = INTEROP_ROUTE
                return
            pixels = host_copy(pixels)
        texture.write(
            np.ascontiguousarray(pixels), viewport=(0, 0, width, height), alignment=ALIGNMENT
        )
        self.route = HOST_ROUTE

    def draw(
        self,
        framebuffer: moderngl.Framebuffer,
        background: tuple[float, float, float],
        other: moderngl.Texture | None = None,
    ) -> None:
        """Fill a framebuffer with the picture, or with the background if there is none.

        ``other`` is shown instead, as it is; its first row is the top as well.
        """
        framebuffer.use()
        self.context.viewport = (0, 0, *framebuffer.size)
        self.context.scissor = None
        self.context.enable_only(moderngl.NOTHING)
        self.context.clear(*background, 1.0)
        texture, size = (self._texture, self._size) if other is None else (other, other.size)
        if texture is None or size == (0, 0):
            return
        exact = size == framebuffer.size
        texture.filter = (moderngl.NEAREST,) * 2 if exact else (moderngl.LINEAR,) * 2
        texture.use(0)
        width, height = texture.size
        self._program["extent"] = (size[0] / width, size[1] / height)
        self._quad.render(moderngl.TRIANGLE_STRIP, vertices=4)

    def clear(self) -> None:
        """Forget the picture."""
        self._size = (0, 0)

    def release(self) -> None:
        """Free everything; the context is current."""
        self._release_texture()
        self._quad.release()
        self._program.release()

    def _fit(self, width: int, height: int) -> moderngl.Texture:
        """A texture with room for a picture; it only grows, so that it is registered rarely."""
        texture = self._texture
        if texture is None or texture.width < width or texture.height < height:
            old = (0, 0) if texture is None else texture.size
            self._release_texture()
            size = (max(width, old[0]), max(height, old[1]))
            texture = self.context.texture(size, 4, alignment=ALIGNMENT)
            texture.repeat_x = texture.repeat_y = False
            self._texture = texture
        return texture

    def _try_interop(self, texture: moderngl.Texture, pixels: Tensor) -> bool:
        if not self.interop or pixels.device.type != "cuda":
            return False
        try:
            if self._cuda_texture is None:
                self._cuda_texture = CudaTexture(texture, pixels.device)
            self._cuda_texture.write(pixels)
        except (InteropError, RuntimeError) as error:
            log.warning("CUDA-OpenGL interop is not available (%s); copying over the host", error)
            self.interop = False
            self._release_cuda_texture()
            return False
        return True

    def _release_texture(self) -> None:
        self._release_cuda_texture()
        if self._texture is not None:
            self._texture.release()
            self._texture = None

    def _release_cuda_texture(self) -> None:
        if self._cuda_texture is not None:
            self._cuda_texture.release()
            self._cuda_texture = None
