"""Draws a scene as sorted quads in OpenGL 3.3, with the picture that render() would make.

The quads are blended from the farthest on: what a layer loses by rounding is dimmed by those in
front of it, where from the nearest on small layers would vanish. Sharp pictures are summed up in
float32: drivers cut float16 off instead of rounding, which costs half a level of 255 over some
forty layers, good enough while something moves. What then differs from the rasterizers is their
early stop: a Gaussian that would leave less than 0.0001 of what lies behind is not drawn by them.
"""

from importlib.resources import files

import moderngl
import numpy as np
from numpy.typing import NDArray

from core.cameras import Camera
from core.rendering.cpu.renderer import view_of
from viewer.viewport.splats_order import INSTANCE, TEXTURE_WIDTH, SplatData, SplatList

CHUNK_ROWS = 128
"""Rows of the scene's texture that are uploaded at once: 4 MB."""
ATTRIBUTES = (("index", "i", "1u", 0), ("color", "f", "3f2", 4))
"""Name, kind and format of what the vertex shader reads of an instance, and where it lies in it."""


class SplatPass:
    """Draws lists of splats into a picture of its own, in slices if need be.

    While a picture is being drawn, ``picture`` is the last finished one.

    Parameters
    ----------
    context
        The current OpenGL context, 3.3 core or later; it is current at every call.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self.context = context
        self.picture: moderngl.Texture | None = None
        """The finished picture, RGBA; its first row is the top."""
        self._program = context.program(
            vertex_shader=shader("splat.vert"), fragment_shader=shader("splat.frag")
        )
        self._vertices = context.vertex_array(self._program, [])
        self._data: SplatData | None = None
        self._texture: moderngl.Texture | None = None
        self._rows = 0
        self._list: SplatList | None = None
        self._buffer: moderngl.Buffer | None = None
        self._written = 0
        self._back: moderngl.Framebuffer | None = None
        self._front: moderngl.Framebuffer | None = None

    def upload(self, data: SplatData) -> bool:
        """Take over a part of a scene; whether all of it is there."""
        if data is not self._data:
            self._data, self._rows = data, 0
            if self._texture is not None:
                self._texture.release()
            self._texture = self.context.texture(
                (TEXTURE_WIDTH, len(data.texels)), 4, dtype="f4", alignment=4
            )
            self._texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        rows = len(data.texels)
        if self._rows < rows and self._texture is not None:
            end = min(rows, self._rows + CHUNK_ROWS)
            self._texture.write(
                data.texels[self._rows : end],
                viewport=(0, self._rows, TEXTURE_WIDTH, end - self._rows),
                alignment=4,
            )
            self._rows = end
        return self._rows == rows

    def begin(
        self, camera: Camera, background: tuple[float, float, float], *, sharp: bool = True
    ) -> None:
        """Start a picture over a background; ``sharp`` ones are summed up in float32."""
        size, kind = (camera.width, camera.height), "f4" if sharp else "f2"
        if self._back is None or (self._back.size, _kind(self._back)) != (size, kind):
            self._release_target(self._back)
            texture = self.context.texture(size, 4, dtype=kind)
            texture.repeat_x = texture.repeat_y = False
            self._back = self.context.framebuffer([texture])
        self._back.use()
        self.context.viewport = (0, 0, *size)
        self.context.scissor = None
        self._back.clear(*background, 1.0)
        view = view_of(camera)
        self._set("rows", view.rotation)
        self._set("translation", view.translation)
        self._set("lens", (view.fx, view.fy, view.cx, view.cy))
        self._set("slopes", (*view.slope_min, *view.slope_max))
        self._set("size", size)

    def draw(self, splats: SplatList, first: int, last: int) -> None:
        """Blend a part of a list over what is there; the list is uploaded as it is drawn."""
        if self._texture is None or self._data is None or self._back is None or first == last:
            return
        buffer = self._uploaded(splats, last)
        self._back.use()
        self.context.enable_only(moderngl.BLEND)
        self.context.blend_equation = moderngl.FUNC_ADD, moderngl.FUNC_ADD
        self.context.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        self._texture.use(0)
        self._program["antialiased"] = self._data.antialiased
        for name, kind, layout, offset in ATTRIBUTES:
            attribute = self._program[name]
            assert isinstance(attribute, moderngl.Attribute)
            self._vertices.bind(
                attribute.location,
                kind,
                buffer,
                layout,
                offset + first * INSTANCE.itemsize,
                INSTANCE.itemsize,
                1,
            )
        self._vertices.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=last - first)
        self.context.enable_only(moderngl.NOTHING)

    def finish(self) -> tuple[int, int]:
        """The picture is complete and replaces the last one; its size."""
        finished = self._back
        if finished is None:
            raise RuntimeError("no picture was begun")
        self._back, self._front = self._front, finished
        self.picture = _texture(finished)
        return self.picture.size

    def read(self) -> NDArray[np.uint8]:
        """The finished picture, uint8 RGBA ``(H, W, 4)``, first row on top.

        Raises
        ------
        RuntimeError
            If no picture is finished.
        """
        if self._front is None:
            raise RuntimeError("no picture is finished")
        width, height = self._front.size
        pixels = np.empty((height, width, 4), np.uint8)
        self._front.read_into(pixels, components=4)
        pixels[..., 3] = 255
        return pixels

    def release(self) -> None:
        """Free everything."""
        for target in (self._back, self._front):
            self._release_target(target)
        self._back = self._front = self.picture = None
        for held in (self._texture, self._buffer, self._vertices, self._program):
            if held is not None:
                held.release()
        self._texture = self._buffer = self._data = self._list = None

    def _set(self, name: str, values: tuple[float, ...]) -> None:
        uniform = self._program[name]
        assert isinstance(uniform, moderngl.Uniform)
        uniform.write(np.array(values, np.float32).tobytes())

    def _uploaded(self, splats: SplatList, last: int) -> moderngl.Buffer:
        """The buffer with a list's instances, written at least up to ``last``."""
        buffer, size = self._buffer, splats.instances.nbytes
        if splats is not self._list or buffer is None:
            if buffer is None or buffer.size < size:
                if buffer is not None:
                    buffer.release()
                buffer = self._buffer = self.context.buffer(reserve=size + size // 4, dynamic=True)
            else:
                buffer.orphan()
            self._list, self._written = splats, 0
        if self._written < last:
            part = splats.instances[self._written : last]
            buffer.write(part.view(np.uint8), offset=self._written * INSTANCE.itemsize)
            self._written = last
        return buffer

    @staticmethod
    def _release_target(target: moderngl.Framebuffer | None) -> None:
        if target is not None:
            _texture(target).release()
            target.release()


def _texture(target: moderngl.Framebuffer) -> moderngl.Texture:
    attachment = target.color_attachments[0]
    assert isinstance(attachment, moderngl.Texture)
    return attachment


def _kind(target: moderngl.Framebuffer) -> str:
    return _texture(target).dtype


def shader(name: str) -> str:
    """The source of a shader."""
    return (files("shaders") / name).read_text(encoding="utf-8")
