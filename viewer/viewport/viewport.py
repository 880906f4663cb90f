"""The picture of the scene: asks for frames, shows them, and lets mouse and keys into it."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, QRect, Qt, Slot
from PySide6.QtCore import Signal as QtSignal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.cameras import Camera, Matrix, View
from viewer import theme
from viewer.compare import CompareMode
from viewer.look import Overlay
from viewer.session import Session
from viewer.tools.tool import ToolBox
from viewer.viewport.canvas import as_image
from viewer.viewport.comparing import half_camera
from viewer.viewport.cube import ViewCube
from viewer.viewport.fly import DEFAULT_SPEED
from viewer.viewport.frames import Frame, FrameStats
from viewer.viewport.gestures import Gestures
from viewer.viewport.handle import Handle
from viewer.viewport.hud import paint_hud
from viewer.viewport.navigation import Navigator
from viewer.viewport.overlays import draw_notice
from viewer.viewport.pictures import render_picture
from viewer.viewport.pilot import Pilot
from viewer.viewport.probe_card import ProbeCard
from viewer.viewport.projection import NEAR_SHARE, Projection
from viewer.viewport.scenery import Scenery
from viewer.viewport.stream import FrameStream
from viewer.widgets.numbers import value_text

RING_PX = 2
KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class Viewport(QWidget):
    """Draws the session's document and navigates in it.

    Left drag is the tool's; without one it orbits, or looks around in fly mode. Middle drag orbits,
    right drag pans, as does Shift with any drag that is no tool's. The wheel moves to the cursor,
    a double click makes the point under the cursor the one to orbit, W A S D Q E fly while held.
    Pictures are coarse while something moves and sharp when it is still; none is computed on the
    window's thread.

    Parameters
    ----------
    session
        What is shown, and the compute lane that frames share with jobs.
    parent
        The Qt parent.
    """

    frame_shown = QtSignal(FrameStats)
    camera_changed = QtSignal()
    view_shown = QtSignal(int)
    mode_changed = QtSignal()
    """Orbiting or flying, perspective or parallel."""
    probed = QtSignal(object)
    """What makes the pixel under the mouse, a :class:`ProbeReport`; None where that is unknown."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewport")
        self.setAccessibleName("Viewport")
        self.setAccessibleDescription(
            "Picture of the scene. Drag to orbit, wheel to approach, W A S D Q E to fly."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 120)
        self._session = session
        self._ring = False
        self.toolbox = ToolBox(self)
        self._pilot = Pilot(session, self._size, self)
        self._stream = FrameStream(
            session,
            self.camera,
            self._view,
            lambda: self.navigator.depth_offset,
            self._paint_overlay,
            self,
        )
        self.canvas = self._stream.canvas
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self._scenery = Scenery(session, self.show_view, self)
        self._probe = ProbeCard(session, self._under, lambda: self.navigator.depth_offset, self)
        self._cube = ViewCube(
            rotation=lambda: self.navigator.rotation,
            shown=lambda: session.document is not None and session.look.shows(Overlay.CUBE),
            look_along=self.look_along,
            orbit=self._pilot.orbit,
        )
        self._handles: list[Handle] = [self._cube]
        self._gestures = Gestures(
            self,
            self.navigator,
            self.toolbox,
            self._handles,
            (self._probe.handle, self._scenery.frustums),
            lambda: self._pilot.fly_mode,
        )
        self._listen(session)

    def _listen(self, session: Session) -> None:
        pilot, gestures = self._pilot, self._gestures
        stream = self._stream
        stream.shown.connect(self.frame_shown)
        stream.came.connect(self._look_at_scenery)
        stream.surveyed.connect(pilot.take_survey)
        stream.picked.connect(pilot.set_pivot)
        for follow in (stream.renew, self._probe.restart):
            session.live_changed.connect(follow)
        pilot.moved.connect(self._moved)
        pilot.view_shown.connect(self.view_shown)
        pilot.mode_changed.connect(self.mode_changed)
        pilot.mode_changed.connect(self._repaint)
        pilot.surveyed_changed.connect(self._take_surroundings)
        gestures.began.connect(pilot.stop)
        gestures.moved.connect(pilot.moved_by_hand)
        gestures.speed_steps.connect(pilot.change_speed)
        gestures.hovered.connect(self._repaint)
        self.toolbox.changed.connect(gestures.show_cursor)
        for repaint in (
            self.toolbox.changed,
            self.toolbox.repaint,
            self._scenery.repaint,
            self._probe.repaint,
            session.runner.changed,
            theme.events.changed,
        ):
            repaint.connect(self._repaint)
        self._probe.probed.connect(self.probed)
        self._scenery.looked.connect(self._look_at_scenery)
        session.document_replaced.connect(self._start_document)
        session.views_changed.connect(self._start_views)
        for changed in (
            session.state_changed,
            session.scores_changed,
            session.look_changed,
            session.score_changed,
            session.target_changed,
            session.compare.changed,
            session.peeling.changed,
        ):
            changed.connect(self.refresh)
            changed.connect(self._probe.restart)
        if session.document is not None:
            self._start_document()

    @Slot()
    def _repaint(self) -> None:
        self.canvas.update()

    # For the window

    @property
    def navigator(self) -> Navigator:
        """The camera as it is moved."""
        return self._pilot.navigator

    def camera(self) -> Camera:
        """The camera of the sharp picture, in physical pixels."""
        return self.navigator.camera(*self._size())

    def frame_scene(self) -> None:
        """Fit the selected Gaussians, or else the whole scene; keeps the viewing direction."""
        self._pilot.frame_scene()

    def reset_view(self) -> None:
        """Go back to the view that the scene opened with."""
        self._pilot.reset()

    def go_to(self, camera: Camera) -> None:
        """Fly to a camera's place, direction and field of view."""
        self._pilot.go_to(camera)

    def show_view(self, number: int) -> None:
        """Fly to one of the dataset's cameras, by its number."""
        self._pilot.show_view(number)

    def next_view(self) -> None:
        """Fly to the next of the dataset's cameras."""
        self._pilot.step_view(1)

    def previous_view(self) -> None:
        """Fly to the previous of the dataset's cameras."""
        self._pilot.step_view(-1)

    def nearest_view(self) -> None:
        """Fly to the dataset's camera nearest in place and direction."""
        self._pilot.nearest_view()

    def look_along(self, direction: Matrix) -> None:
        """Fly around the pivot to a level view along a direction, ``(3,)``."""
        self._pilot.look_along(direction)

    @property
    def current_view(self) -> int | None:
        """Number of the dataset's view that the camera stands at exactly, None if at none."""
        return self._pilot.current_view

    @property
    def fly_mode(self) -> bool:
        """Whether dragging looks around and the wheel sets the speed, instead of orbiting."""
        return self._pilot.fly_mode

    def toggle_fly(self) -> None:
        """Fly, or orbit."""
        self._pilot.set_fly_mode(not self.fly_mode)

    @property
    def orthographic(self) -> bool:
        """Whether the view is parallel."""
        return self.navigator.orthographic

    def toggle_orthographic(self) -> None:
        """Parallel view, or perspective."""
        self._pilot.set_orthographic(not self.orthographic)

    @property
    def up_axis(self) -> str | None:
        """The up axis chosen by hand, such as "-y"; None while it is found automatically."""
        return self._pilot.up_axis

    def set_speeds(self, fly: float, drag: float, invert_wheel: bool) -> None:
        """Take over a person's factors on the usual speeds, and which way the wheel goes."""
        self._pilot.keys.speed = DEFAULT_SPEED * fly
        self.navigator.drag_speed = drag
        self._gestures.invert_wheel = invert_wheel

    def set_up_axis(self, axis: str | None) -> None:
        """Choose what is up: a key of :data:`viewer.viewport.pilot.UP_AXES`, None for automatic.

        It is kept for scenes that are opened later.
        """
        self._pilot.set_up_axis(axis)

    def escape(self) -> None:
        """Drop what the tool has begun; where there is nothing, put it away."""
        self.toolbox.escape()

    def accept(self) -> None:
        """Let the tool finish."""
        if self.toolbox.active is not None and self.toolbox.active.accept():
            self.canvas.update()

    @property
    def settled(self) -> bool:
        """Whether nothing moves and the sharp picture of the present state is shown."""
        return not self._pilot.moving and self._stream.settled

    @property
    def frame(self) -> Frame | None:
        """The frame that is shown, None before the first one of a document."""
        return self._stream.frame

    def screenshot(self) -> QImage:
        """The picture last shown, in physical pixels, without legends."""
        pixels = self.canvas.picture()
        if pixels is None:
            image = QImage(*self._size(), QImage.Format.Format_RGBX8888)
            image.fill(QColor.fromRgbF(*self._session.look.background))
            return image
        return as_image(pixels).copy()

    def render_picture(self, width: int, height: int, done: Callable[[QImage], object]) -> None:
        """Draw the present state sharp at a size in pixels, without overlays, off this thread.

        ``done`` gets the image on this thread.

        Raises
        ------
        UserError
            If that is more than 8192 pixels a side or 64 megapixels, or no scene is open.
        """
        camera = self.navigator.camera(max(1, width), max(1, height))
        render_picture(self._session, camera, self._view(), done)

    def shut_down(self) -> None:
        """End the workers and free what the driver holds; to be called when the window closes."""
        self._pilot.shut_down()
        self._probe.stop()
        self._stream.shut_down()

    def refresh(self) -> None:
        """Ask for a new picture: one that keeps up at once, and a sharp one when all is still."""
        self._stream.refresh()

    # What is shown

    def _size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))

    def _view(self) -> View | None:
        document, number = self._session.document, self.current_view
        if document is None or number is None or number >= len(document.views):
            return None
        return document.views[number]

    def _start_document(self) -> None:
        self._scenery.clear()
        self._probe.restart()
        if self._stream.document is self._session.document:
            self._start_views()
        else:
            self._pilot.start_document()
            self._stream.start()

    def _start_views(self) -> None:
        self._pilot.start_views()
        self._stream.survey()

    def _take_surroundings(self) -> None:
        if self._pilot.frame is not None:
            self._scenery.survey(self._pilot.frame)

    def _look_at_scenery(self) -> None:
        self._scenery.look_from(self.camera())

    def _moved(self) -> None:
        self._probe.restart()
        self.camera_changed.emit()
        self._stream.move()
        self.canvas.update()

    # Qt events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin what the button is for."""
        self._show_ring(False)
        self._gestures.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with it, or hover."""
        self._gestures.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End it when the last button is up."""
        self._gestures.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for the point under the cursor; it becomes the pivot when the answer comes."""
        if self._gestures.double_click(event):
            return
        ratio = self.devicePixelRatioF()
        camera = self.camera()
        K = camera.K.copy()
        K[:2, 2] -= (int(event.position().x() * ratio), int(event.position().y() * ratio))
        self._stream.pick(Camera(camera.world_to_camera, K, 1, 1))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom, change the flying speed, or what the tool does."""
        self._gestures.wheel(event)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Begin to fly; Tab must not go on to the parents, who would move the focus."""
        tab = event.key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
        if not tab and not self._pilot.keys.press(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """End flying."""
        if not self._pilot.keys.release(event):
            super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show a ring where the keyboard brought the focus."""
        super().focusInEvent(event)
        self._show_ring(event.reason() in KEYBOARD_REASONS)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Keys that are let go elsewhere are not seen here."""
        super().focusOutEvent(event)
        self._pilot.keys.let_go()
        self._show_ring(False)

    def focusNextPrevChild(self, _next: bool) -> bool:
        """Tab is a key like others here; F6 leads out."""
        return False

    def event(self, event: QEvent) -> bool:
        """Also pinch gestures, keys that shortcuts must not take, and screens with other pixels."""
        if isinstance(event, QNativeGestureEvent):
            self._gestures.pinch(event)
            return True
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._pilot.keys.wants(event)
        ):
            event.accept()
            return True
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.refresh()
        return super().event(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is hovered any more."""
        super().leaveEvent(event)
        self._gestures.leave()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the scene framed."""
        super().resizeEvent(event)
        self.navigator.resize(self.width(), self.height())
        self._cube.place(self.rect())
        self._probe.restart()
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self.refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        """A viewport that is a window of its own ends with it."""
        self.shut_down()
        super().closeEvent(event)

    # Over the picture

    def _parts(self, width: int, height: int) -> list[tuple[QRect, Camera]]:
        """The pictures that are shown at a size, where they are, and their cameras."""
        camera = self.navigator.camera(width, height)
        compare = self._session.compare
        comparison = compare.comparison()
        if comparison is None or comparison.flip or comparison.mode != CompareMode.SIDE_BY_SIDE:
            return [(QRect(0, 0, width, height), camera)]
        half = half_camera(camera)
        return [(QRect(left, 0, half.width, height), half) for left in (0, width - half.width)]

    def _under(self, at: QPointF) -> tuple[Camera, int, int]:
        """The camera of the picture at a place, and the pixel there."""
        ratio = self.devicePixelRatioF()
        x, y = int(at.x() * ratio), int(at.y() * ratio)
        parts = self._parts(*self._size())
        rect, camera = next((part for part in parts if part[0].contains(x, y)), parts[0])
        x, y = x - rect.left(), y - rect.top()
        return camera, min(max(x, 0), camera.width - 1), min(max(y, 0), camera.height - 1)

    def _show_ring(self, shown: bool) -> None:
        if shown != self._ring:
            self._ring = shown
            self.canvas.update()

    def _paint_overlay(self, painter: QPainter, area: QRect) -> None:
        frame = self._stream.frame
        if frame is not None:
            near = NEAR_SHARE * self.navigator.pose.distance
            parts = self._parts(max(1, area.width()), max(1, area.height()))
            self._scenery.paint(
                painter, [(rect, Projection(camera, near)) for rect, camera in parts]
            )
        paint_hud(painter, area, self._session, frame)
        if self._session.document is not None:
            self._paint_controls(painter, area)
        if self.toolbox.active is not None:
            painter.save()
            self.toolbox.active.paint(painter, area)
            painter.restore()
        self._probe.paint(painter, area)
        if self._ring:
            self._paint_ring(painter, area)

    def _paint_controls(self, painter: QPainter, area: QRect) -> None:
        for handle in self._handles:
            painter.save()
            handle.paint(painter, area)
            painter.restore()
        pilot = self._pilot
        if pilot.speed_shown:
            speed = value_text(pilot.keys.speed)
            draw_notice(painter, area, f"Fly speed {speed} scene radii per second")

    @staticmethod
    def _paint_ring(painter: QPainter, area: QRect) -> None:
        painter.setPen(QPen(QColor(theme.color("accent")), RING_PX))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        half = RING_PX // 2
        painter.drawRect(area.adjusted(half, half, -half, -half))
