"""The surface a viewport paints on: OpenGL where a GPU drives it, else Qt's own rasterizer.

A window that holds an OpenGL widget is composed by OpenGL as a whole. On software OpenGL that takes
40 ms for a 1600x1000 window, where Qt's rasterizer takes 5; so Qt draws there, and where there is
no OpenGL 3.3 at all. The environment variable ``SPLATSCOPE_OPENGL=on`` or ``off`` decides by hand.
"""

import logging
import os
from collections.abc import Callable

import moderngl
import numpy as np
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
    QPaintEvent,
)
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QWidget
from torch import Tensor

from viewer.viewport.frames import Pixels, host_copy
from viewer.viewport.presenter import HOST_ROUTE, Presenter
from viewer.viewport.shading import BACKGROUND

log = logging.getLogger(__name__)

SOFTWARE_OPENGL = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "basic render")
RASTER_ROUTE = "no OpenGL"

Overlay = Callable[[QPainter, QRect], None]


def opengl_renderer() -> str | None:
    """The name of the renderer behind an OpenGL 3.3 core context, None where there is none."""
    context = QOpenGLContext()
    surface = QOffscreenSurface()
    surface.create()
    if not (context.create() and context.makeCurrent(surface)):
        return None
    try:
        return str(moderngl.create_context(require=330).info["GL_RENDERER"])
    except Exception as error:  # moderngl raises bare Exception where the version is too low
        log.info("no OpenGL 3.3: %s", error)
        return None
    finally:
        context.doneCurrent()


def make_canvas(overlay: Overlay, parent: QWidget) -> "GlCanvas | RasterCanvas":
    """The best surface for this machine; ``overlay`` paints over every picture."""
    wish = os.environ.get("SPLATSCOPE_OPENGL", "").lower()
    if wish != "off":
        renderer = opengl_renderer()
        software = renderer is None or any(name in renderer.lower() for name in SOFTWARE_OPENGL)
        if renderer is not None and (wish == "on" or not software):
            return GlCanvas(overlay, parent)
        log.info("drawing without OpenGL (renderer: %s)", renderer)
    return RasterCanvas(overlay, parent)


class GlCanvas(QOpenGLWidget):
    """Shows pictures as a textured quad."""

    def __init__(self, overlay: Overlay, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._overlay = overlay
        self._presenter: Presenter | None = None
        self._pixels: Pixels | None = None
        self._fresh = False

    @property
    def route(self) -> str:
        """How pictures reach the screen, for a person."""
        return HOST_ROUTE if self._presenter is None else self._presenter.route

    @property
    def takes_tensors(self) -> bool:
        """Whether a CUDA picture is better handed over on its device."""
        return self._presenter is not None and self._presenter.interop

    def show_pixels(self, pixels: Pixels | None) -> None:
        """Show a picture from now on, or the background."""
        self._pixels, self._fresh = pixels, True
        self.update()

    def release(self) -> None:
        """Free texture, program and CUDA registration."""
        if self._presenter is not None:
            self.makeCurrent()
            self._presenter.release()
            self._presenter = None
            self.doneCurrent()

    def initializeGL(self) -> None:
        """Called by Qt, again after the widget moved to a window that shares no context."""
        self._presenter = Presenter(moderngl.create_context(require=330))
        self._fresh = True
        self.context().aboutToBeDestroyed.connect(self.release)

    def paintGL(self) -> None:
        """Called by Qt with the context current."""
        if self._presenter is None:
            return
        if self._fresh:
            if self._pixels is None:
                self._presenter.clear()
            else:
                self._presenter.upload(self._pixels)
            self._fresh = False
        context = self._presenter.context
        self._presenter.draw(
            context.detect_framebuffer(self.defaultFramebufferObject()), BACKGROUND
        )
        with QPainter(self) as painter:
            self._overlay(painter, self.rect())


class RasterCanvas(QWidget):
    """Shows pictures with Qt's rasterizer, where OpenGL is missing or done in software."""

    def __init__(self, overlay: Overlay, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.route = RASTER_ROUTE
        self.takes_tensors = False
        self._overlay = overlay
        self._pixels: np.ndarray | None = None

    def show_pixels(self, pixels: Pixels | None) -> None:
        """Show a picture from now on, or the background."""
        self._pixels = host_copy(pixels) if isinstance(pixels, Tensor) else pixels
        self.update()

    def release(self) -> None:
        """Nothing is held."""

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Called by Qt."""
        with QPainter(self) as painter:
            if self._pixels is None:
                painter.fillRect(self.rect(), QColor.fromRgbF(*BACKGROUND))
            else:
                image = as_image(self._pixels)
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(self.rect(), image)
            self._overlay(painter, self.rect())


def as_image(pixels: np.ndarray) -> QImage:
    """An image that borrows an array, uint8 RGBA ``(H, W, 4)`` and opaque."""
    height, width, _ = pixels.shape
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
