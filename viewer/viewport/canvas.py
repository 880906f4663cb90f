"""What a viewport paints on: OpenGL where a GPU drives it, else Qt's own rasterizer.

OpenGL shows finished pictures and draws splats. But a window that holds an OpenGL widget is
composed by OpenGL as a whole. On software OpenGL that takes 40 ms for a 1600x1000 window, where
Qt's rasterizer takes 5; so Qt draws there, and where there is no OpenGL 3.3 at all. The environment
variable ``SPLATSCOPE_OPENGL=on`` or ``off`` decides by hand.
"""

import logging
import os
from collections.abc import Callable

import moderngl
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
    QPaintEvent,
)
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QVBoxLayout, QWidget
from torch import Tensor

from core.cameras import Camera
from viewer.look import BACKGROUND, Engine
from viewer.viewport.frames import Frame, FrameRenderer, FrameStats, Pixels, host_copy
from viewer.viewport.presenter import HOST_ROUTE, Presenter
from viewer.viewport.splats import SplatPass
from viewer.viewport.splats_engine import OpenGl, Throughput
from viewer.viewport.splats_order import TEXELS_EACH, TEXTURE_WIDTH
from viewer.viewport.splats_painter import Painted, SplatPainter

log = logging.getLogger(__name__)

RASTER_ROUTE = "no OpenGL"
SPLAT_ROUTE = "OpenGL"
SETTLE_MS = 120
MOVING_SCALE = 0.5

Overlay = Callable[[QPainter, QRect], None]


def find_opengl() -> OpenGl | None:
    """The OpenGL 3.3 core of this machine, None where there is none or it is turned off."""
    if _wish() == "off":
        return None
    context = QOpenGLContext()
    surface = QOffscreenSurface()
    surface.create()
    if not (context.create() and context.makeCurrent(surface)):
        return None
    try:
        info = moderngl.create_context(require=330).info
    except Exception as error:  # moderngl raises bare Exception where the version is too low
        log.info("no OpenGL 3.3: %s", error)
        return None
    finally:
        context.doneCurrent()
    rows = int(info["GL_MAX_TEXTURE_SIZE"])
    return OpenGl(str(info["GL_RENDERER"]), rows * TEXTURE_WIDTH // TEXELS_EACH)


class Canvas(QWidget):
    """Shows frames, on the surface that suits them; tells the renderer what it can show.

    Parameters
    ----------
    renderer
        Makes the frames.
    overlay
        Paints over every picture.
    parent
        The Qt parent.
    """

    shown = Signal(FrameStats)
    """A new picture is there."""
    notified = Signal(str, str)
    """Level and text of what a person should know."""
    frame_wanted = Signal()
    """What could be shown has changed: the last frame is to be asked for anew."""

    def __init__(self, renderer: FrameRenderer, overlay: Overlay, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._renderer = renderer
        self._overlay = overlay
        self._throughput = Throughput()
        self._opengl = find_opengl()
        self._told: set[str] = set()
        self._frame: Frame | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.surface: GlCanvas | RasterCanvas = self._make_surface(self._composes_by_opengl)
        self._tell_renderer()

    @property
    def takes_tensors(self) -> bool:
        """Whether a CUDA picture is better handed over on its device."""
        return self.surface.takes_tensors

    @property
    def route(self) -> str:
        """How pictures reach the screen, for a person."""
        return self.surface.route

    @property
    def settled(self) -> bool:
        """Whether the picture of the last frame is shown as it will stay."""
        return self.surface.settled

    @property
    def moving_scale(self) -> float:
        """The scale at which to ask for frames while something moves, as far as it is known here.

        OpenGL draws splats at whatever scale keeps up; what is below 1 says that more will come.
        """
        return 1.0 if self._frame is None or self._frame.splats is None else MOVING_SCALE

    def show_frame(self, frame: Frame | None) -> None:
        """Show a frame from now on, or the background."""
        self._frame = frame
        splats = frame is not None and frame.splats is not None
        if frame is not None:
            self._tell_about_opengl(frame)
        self._use_surface(splats or self._composes_by_opengl)
        if frame is not None and splats and isinstance(self.surface, GlCanvas):
            self.surface.show_splats(frame)
        else:
            self.surface.show_pixels(None if frame is None else frame.pixels)
        self._tell_renderer()
        if frame is not None and not splats:
            self.shown.emit(_stats(frame, self.route))

    def set_camera(self, camera: Camera) -> None:
        """Draw splats from here at once; the next frame will bring their order."""
        if isinstance(self.surface, GlCanvas):
            self.surface.set_camera(camera)

    def picture(self) -> NDArray[np.uint8] | None:
        """What is shown, uint8 RGBA ``(H, W, 4)``, first row on top, without the overlay."""
        return self.surface.picture()

    def release(self) -> None:
        """Free what the driver holds."""
        self.surface.release()

    def update(self) -> None:  # type: ignore[override]
        """Paint the overlay anew."""
        self.surface.update()

    @property
    def _composes_by_opengl(self) -> bool:
        """Whether pictures that are finished already go through OpenGL as well."""
        opengl = self._opengl
        return opengl is not None and (not opengl.software or _wish() == "on")

    def _make_surface(self, by_opengl: bool) -> "GlCanvas | RasterCanvas":
        surface: GlCanvas | RasterCanvas
        if by_opengl:
            surface = GlCanvas(self._overlay, self, self._throughput)
            surface.painted.connect(self._tell_painted)
            surface.failed.connect(self._give_up_opengl)
        else:
            surface = RasterCanvas(self._overlay, self)
        self._layout.addWidget(surface)
        return surface

    def _use_surface(self, by_opengl: bool) -> None:
        if isinstance(self.surface, GlCanvas) != by_opengl:
            old, self.surface = self.surface, self._make_surface(by_opengl)
            self._layout.removeWidget(old)
            old.hide()
            self.surface.show()
            self._layout.activate()
            old.release()
            old.deleteLater()

    def _tell_renderer(self) -> None:
        self._renderer.on_device = self.surface.takes_tensors
        self._renderer.opengl = self._opengl
        self._renderer.affordable_px = self._throughput.affordable_px

    def _tell_painted(self) -> None:
        frame = self._frame
        painted = self.surface.painted_splats if isinstance(self.surface, GlCanvas) else None
        self._tell_renderer()
        if frame is not None and painted is not None and self._opengl is not None:
            text = f"{_thousands(painted.count)} of {_thousands(frame.picture.drawn)}"
            self.shown.emit(
                FrameStats(
                    painted.ms,
                    *painted.size,
                    not painted.sharp,
                    painted.count,
                    f"{frame.backend} · {self._opengl.name} · {text}",
                    SPLAT_ROUTE,
                )
            )

    def _tell_about_opengl(self, frame: Frame) -> None:
        """Say once why OpenGL does not draw where it was asked to."""
        if frame.request.look.engine != Engine.OPENGL or frame.splats is not None:
            return
        if self._opengl is None:
            why = "OpenGL 3.3 is not available here"
        elif len(frame.request.scene) > self._opengl.capacity:
            why = "This scene is too large for a texture of this OpenGL"
        else:
            return
        if why not in self._told:
            self._told.add(why)
            self.notified.emit("warning", f"{why}. The rasterizer draws the splats instead.")

    def _give_up_opengl(self, reason: str) -> None:
        """OpenGL cannot draw splats after all: finished pictures from now on."""
        log.warning("OpenGL cannot draw splats: %s", reason)
        self._opengl = None
        self._tell_renderer()
        self.frame_wanted.emit()


class GlCanvas(QOpenGLWidget):
    """Shows pictures as a textured quad, and draws splats.

    Splats are drawn from a timer, a frame's time at once, so that input comes between; painting
    only shows the last whole picture.
    """

    painted = Signal()
    """A picture of splats is finished."""
    failed = Signal(str)
    """Splats cannot be drawn, and why."""

    def __init__(self, overlay: Overlay, parent: QWidget, throughput: Throughput) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._overlay = overlay
        self._throughput = throughput
        self._presenter: Presenter | None = None
        self._painter: SplatPainter | None = None
        self._pixels: Pixels | None = None
        self._fresh = False
        self._frame: Frame | None = None
        self._layer: QImage | None = None
        self._unseen = False
        self._work = QTimer(self, singleShot=True, interval=0)
        self._work.timeout.connect(self._draw_some)
        self._still = QTimer(self, singleShot=True)
        self._still.timeout.connect(self._settle)

    @property
    def route(self) -> str:
        """How pictures reach the screen, for a person."""
        if self._frame is not None:
            return SPLAT_ROUTE
        return HOST_ROUTE if self._presenter is None else self._presenter.route

    @property
    def takes_tensors(self) -> bool:
        """Whether a CUDA picture is better handed over on its device."""
        return self._presenter is not None and self._presenter.interop

    @property
    def settled(self) -> bool:
        """Whether all splats of the last frame are in the picture."""
        return self._frame is None or (self._painter is not None and self._painter.settled)

    @property
    def painted_splats(self) -> Painted | None:
        """What the picture of splats shows, None where there is none."""
        return None if self._painter is None else self._painter.painted

    def show_pixels(self, pixels: Pixels | None) -> None:
        """Show a picture from now on, or the background."""
        self._pixels, self._fresh = pixels, True
        self._frame = self._layer = None
        if self._painter is not None:
            self._painter.show(None)
        self.update()

    def show_splats(self, frame: Frame) -> None:
        """Draw a frame's splats from now on; what is shown stays until they are drawn.

        All of them, if this is the sharp one after coarse ones, or if no other comes for a while.
        """
        awaited = self._frame is not None and self._frame.request.scale < 1
        self._frame = frame
        self._layer = None if frame.layer is None else layer_image(frame.layer)
        self._still.stop()
        if self._painter is not None:
            self._painter.show(frame.splats)
            if frame.request.scale == 1:
                self._still.start(0 if awaited else SETTLE_MS)
            self._go_on()

    def set_camera(self, camera: Camera) -> None:
        """Draw the splats from another camera."""
        if self._frame is not None and self._painter is not None:
            self._painter.look_from(camera)
            self._go_on()

    def picture(self) -> NDArray[np.uint8] | None:
        """What is shown, uint8 RGBA ``(H, W, 4)``, first row on top, without the overlay."""
        if self.painted_splats is None or self._painter is None:
            pixels = self._pixels
            return host_copy(pixels) if isinstance(pixels, Tensor) else pixels
        self.makeCurrent()
        pixels = self._painter.splat_pass.read()
        self.doneCurrent()
        image = as_image(pixels)
        with QPainter(image) as painter:
            self._paint_layer(painter, image.rect())
        return pixels

    def release(self) -> None:
        """Free textures, programs and CUDA registration."""
        self._work.stop()
        self._still.stop()
        if self._presenter is not None:
            self.makeCurrent()
            self._presenter.release()
            if self._painter is not None:
                self._painter.splat_pass.release()
            self._presenter = self._painter = None
            self.doneCurrent()

    def initializeGL(self) -> None:
        """Called by Qt, again after the widget moved to a window that shares no context."""
        context = moderngl.create_context(require=330)
        self._presenter = Presenter(context)
        self._fresh = True
        self.context().aboutToBeDestroyed.connect(self.release)
        try:
            self._painter = SplatPainter(SplatPass(context), self._throughput)
        except Exception as error:  # moderngl raises bare Exception where a program does not link
            self._painter = None
            self.failed.emit(str(error))
        if self._frame is not None:
            self.show_splats(self._frame)

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
        splats = None
        if self._painter is not None and self._painter.painted is not None:
            splats = self._painter.splat_pass.picture
        self._presenter.draw(
            self._presenter.context.detect_framebuffer(self.defaultFramebufferObject()),
            BACKGROUND,
            splats,
        )
        with QPainter(self) as painter:
            self._paint_layer(painter, self.rect())
            self._overlay(painter, self.rect())
        self._unseen = False
        if self._painter is not None and self._painter.busy:
            self._work.start()

    def _go_on(self) -> None:
        """Draw, unless the last picture has to be seen first."""
        if not self._unseen:
            self._work.start()

    def _settle(self) -> None:
        if self._painter is not None:
            self._painter.settle()
            self._go_on()

    def _draw_some(self) -> None:
        """Draw for a frame's time; a finished picture is shown before the next one is begun."""
        painter = self._painter
        if painter is None:
            return
        self.makeCurrent()
        try:
            finished = painter.step()
        except Exception as error:  # moderngl raises bare Exception, such as out of memory
            painter.show(None)
            self.failed.emit(str(error))
            return
        finally:
            self.doneCurrent()
        if finished:
            self._unseen = True
            self.update()
            self.painted.emit()
        elif painter.busy:
            self._work.start()

    def _paint_layer(self, painter: QPainter, area: QRect) -> None:
        """What lies over the splats, where they are seen from the camera that it is for."""
        painted, frame = self.painted_splats, self._frame
        if self._layer is None or painted is None or frame is None:
            return
        if painted.batch is frame.splats and painted.camera is frame.splats.camera:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(area, self._layer)


class RasterCanvas(QWidget):
    """Shows pictures with Qt's rasterizer, where OpenGL is missing or done in software."""

    def __init__(self, overlay: Overlay, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.route = RASTER_ROUTE
        self.takes_tensors = False
        self.settled = True
        self._overlay = overlay
        self._pixels: NDArray[np.uint8] | None = None

    def show_pixels(self, pixels: Pixels | None) -> None:
        """Show a picture from now on, or the background."""
        self._pixels = host_copy(pixels) if isinstance(pixels, Tensor) else pixels
        self.update()

    def picture(self) -> NDArray[np.uint8] | None:
        """What is shown, uint8 RGBA ``(H, W, 4)``, first row on top, without the overlay."""
        return self._pixels

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


def as_image(pixels: NDArray[np.uint8]) -> QImage:
    """An image that borrows an array, uint8 RGBA ``(H, W, 4)`` and opaque."""
    height, width, _ = pixels.shape
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)


def layer_image(pixels: NDArray[np.uint8]) -> QImage:
    """An image of a layer, premultiplied uint8 RGBA ``(H, W, 4)``."""
    height, width, _ = pixels.shape
    layout = QImage.Format.Format_RGBA8888_Premultiplied
    return QImage(pixels.data, width, height, 4 * width, layout).copy()


def _wish() -> str:
    return os.environ.get("SPLATSCOPE_OPENGL", "").lower()


def _stats(frame: Frame, route: str) -> FrameStats:
    coarse = frame.request.scale < 1
    ms = None if frame.picture.remembered else frame.ms
    return FrameStats(ms, *frame.size, coarse, frame.picture.drawn, frame.backend, route)


def _thousands(count: int) -> str:
    return f"{count}" if count < 1000 else f"{count / 1000:.0f}k"
