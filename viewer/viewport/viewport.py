"""The picture of the scene: asks for frames, shows them, and moves the camera by the mouse."""

import logging
from enum import Enum, auto
from math import log as ln

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, Qt, QTimer, QVariantAnimation
from PySide6.QtCore import Signal as QtSignal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QImage,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from viewer.session import Session
from viewer.viewport.canvas import as_image, make_canvas
from viewer.viewport.frames import (
    Frame,
    FrameRenderer,
    FrameStats,
    Pace,
    Survey,
    Surveyed,
    host_copy,
)
from viewer.viewport.hud import paint_hud
from viewer.viewport.navigation import DOLLY_FACTOR, Navigator, Pose
from viewer.viewport.shading import BACKGROUND, FrameRequest

log = logging.getLogger(__name__)

SETTLE_MS = 120
FLIGHT_MS = 220
WHEEL_NOTCH = 120.0
TRACKPAD_PX_PER_STEP = 40.0


class Gesture(Enum):
    """What dragging does."""

    ORBIT = auto()
    PAN = auto()


class Viewport(QWidget):
    """Draws the session's document and navigates in it.

    Left or middle drag orbits, right drag or Shift with any drag pans, the wheel moves to the
    cursor, a double click makes the point under the cursor the one to orbit. Pictures are coarse
    while something moves and sharp when it is still; none is computed on the window's thread.

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

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewport")
        self.setAccessibleName("Viewport")
        self.setAccessibleDescription("Picture of the scene. Drag to orbit, wheel to approach.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setMinimumSize(160, 120)
        self._session = session
        self.navigator = Navigator()
        self._frame: Frame | None = None
        self._survey: Survey | None = None
        self._surveyed: Surveyed | None = None
        self._pick: Camera | None = None
        self._view_index = -1
        self._gesture: Gesture | None = None
        self._mouse = QPointF()
        self._reported: set[str] = set()
        self._pace = Pace()
        self._renderer = FrameRenderer(session.runner.lane)
        self._renderer.ready.connect(self._take)
        self._renderer.failed.connect(self._report)
        self.canvas = make_canvas(self._paint_overlay, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self._settle = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._settle.timeout.connect(self._request_sharp)
        self._flight = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=FLIGHT_MS)
        self._flight.valueChanged.connect(self._fly)
        self._flight_poses: tuple[Pose, Pose] = (self.navigator.pose, self.navigator.pose)
        self._listen(session)

    def _listen(self, session: Session) -> None:
        session.document_replaced.connect(self._start_document)
        session.views_changed.connect(self._start_survey)
        for changed in (
            session.state_changed,
            session.scores_changed,
            session.look_changed,
            session.score_changed,
            session.target_changed,
            session.compare.changed,
        ):
            changed.connect(self.refresh)
        session.runner.changed.connect(self.canvas.update)
        if session.document is not None:
            self._start_document()

    # For the window

    def camera(self) -> Camera:
        """The camera of the sharp picture, in physical pixels."""
        ratio = self.devicePixelRatioF()
        return self.navigator.camera(
            max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))
        )

    def frame_scene(self) -> None:
        """Fit the whole scene into the picture; keeps the viewing direction."""
        if self._surveyed is not None:
            before = self.navigator.pose
            self.navigator.frame(self._surveyed.frame.center, self._surveyed.frame.radius)
            self._fly_from(before)

    def reset_view(self) -> None:
        """Go back to the view that the scene opened with."""
        if self._surveyed is not None:
            before = self.navigator.pose
            self._take_home(self._surveyed)
            self._fly_from(before)

    def go_to(self, camera: Camera) -> None:
        """Fly to a camera's place, direction and field of view."""
        before = self.navigator.pose
        self.navigator.go_to(camera)
        self._fly_from(before)

    def show_view(self, number: int) -> None:
        """Fly to one of the dataset's cameras, by its number."""
        document = self._session.document
        if document is not None and 0 <= number < len(document.views):
            self._view_index = number
            self.go_to(document.views[number].camera)
            self.view_shown.emit(number)

    def next_view(self) -> None:
        """Fly to the next of the dataset's cameras."""
        self._step_view(1)

    def previous_view(self) -> None:
        """Fly to the previous of the dataset's cameras."""
        self._step_view(-1)

    @property
    def settled(self) -> bool:
        """Whether the sharp picture of the present state is shown."""
        frame, session = self._frame, self._session
        if frame is None or session.document is None or self._survey is not None:
            return False
        request, camera = frame.request, self.camera()
        return (
            request.scale == 1
            and request.alive is session.document.alive
            and request.visible is session.document.visible
            and request.selected is session.document.selected
            and request.look == session.look
            and request.removed is session.removed
            and request.hide == session.hiding
            and request.worth is session.worth
            and (request.camera.width, request.camera.height) == (camera.width, camera.height)
            and np.array_equal(request.camera.world_to_camera, camera.world_to_camera)
        )

    @property
    def frame(self) -> Frame | None:
        """The frame that is shown, None before the first one of a document."""
        return self._frame

    def screenshot(self) -> QImage:
        """The picture last shown, in physical pixels, without legends."""
        if self._frame is None:
            camera = self.camera()
            image = QImage(camera.width, camera.height, QImage.Format.Format_RGBX8888)
            image.fill(QColor.fromRgbF(*BACKGROUND))
            return image
        pixels = self._frame.pixels
        return as_image(host_copy(pixels) if isinstance(pixels, Tensor) else pixels).copy()

    def shut_down(self) -> None:
        """End the worker and free what the driver holds; to be called when the window closes."""
        self._settle.stop()
        self._flight.stop()
        self._renderer.shut_down()
        self.canvas.release()

    def refresh(self) -> None:
        """Ask for a new picture: one that keeps up at once, and a sharp one when all is still."""
        if self._session.document is None or not self.isVisible():
            return
        self._request(self._pace.scale)
        self._settle.start()

    # Frames

    def _start_document(self) -> None:
        self._frame = self._surveyed = self._pick = None
        self._view_index = -1
        self._reported.clear()
        self._pace = Pace()
        self._flight.stop()
        self.canvas.show_pixels(None)
        self._start_survey()

    def _start_survey(self) -> None:
        document = self._session.document
        if document is not None:
            size = self.camera()
            self._survey = Survey(document.scene, document.views, (size.width, size.height))
            self.refresh()

    def _request_sharp(self) -> None:
        shown = self._frame
        if self._pace.scale < 1 or shown is None or shown.request.scale < 1:
            self._request(1.0)

    def _request(self, scale: float) -> None:
        session = self._session
        document = session.document
        if document is None:
            return
        if self._survey is not None:
            self._renderer.request(self._survey)
            return
        self._renderer.request(
            FrameRequest(
                scene=document.scene,
                alive=document.alive,
                visible=document.visible,
                selected=document.selected,
                camera=self.camera(),
                look=session.look,
                worth=session.worth,
                removed=session.removed,
                comparison=session.compare.comparison(),
                hide=session.hiding,
                scale=scale,
                pick=self._pick,
            )
        )

    def _take(self) -> None:
        document = self._session.document
        surveyed = self._renderer.take_surveyed()
        if surveyed is not None and surveyed.survey is self._survey:
            self._take_survey(surveyed)
        frame = self._renderer.take_frame()
        if frame is None or document is None or frame.request.scene is not document.scene:
            return
        self._frame = frame
        self._pace.record(frame.request.scale, frame.ms)
        self.canvas.show_pixels(frame.pixels)
        self._renderer.on_device = self.canvas.takes_tensors
        if frame.request.pick is not None and frame.request.pick is self._pick:
            self._pick = None
            if frame.picked is not None:
                before = self.navigator.pose
                self.navigator.set_pivot(frame.picked)
                self._fly_from(before)
        height, width = frame.pixels.shape[:2]
        coarse = frame.request.scale < 1
        self.frame_shown.emit(
            FrameStats(
                frame.ms,
                width,
                height,
                coarse,
                frame.picture.drawn,
                frame.backend,
                self.canvas.route,
            )
        )

    def _take_survey(self, surveyed: Surveyed) -> None:
        """Opened scenes are shown from their best side; later surveys leave the camera alone."""
        opening = self._surveyed is None
        self._survey, self._surveyed = None, surveyed
        if opening:
            self._take_home(surveyed)
        else:
            self._end_flight()
            here = self.camera()
            self.navigator.set_up(surveyed.frame.up)
            self.navigator.go_to(here)
        self._moved()

    def _take_home(self, surveyed: Surveyed) -> None:
        self.navigator.set_up(surveyed.frame.up)
        self.navigator.frame(surveyed.frame.center, surveyed.frame.radius)
        self.navigator.go_to(surveyed.home)

    def _report(self, error: Exception) -> None:
        """Tell a person once, not at every frame."""
        text = str(error) if isinstance(error, UserError) else f"Drawing failed: {error}."
        if text not in self._reported:
            self._reported.add(text)
            log.error("a frame failed", exc_info=error)
            self._session.notified.emit("error", text)

    # Navigation

    def _step_view(self, step: int) -> None:
        document = self._session.document
        if document is None or not document.views:
            self._session.notified.emit("info", "No cameras yet. Attach photos and cameras first.")
            return
        count = len(document.views)
        first = 0 if step > 0 else count - 1
        self.show_view(first if self._view_index < 0 else (self._view_index + step) % count)

    def _fly_from(self, before: Pose) -> None:
        """Ease from a pose to the navigator's present one."""
        self._flight.stop()
        self._flight_poses = (before, self.navigator.pose)
        self._fly(0.0)
        self._flight.start()

    def _fly(self, share: float) -> None:
        start, end = self._flight_poses
        eased = share * share * (3 - 2 * share)
        self.navigator.pose = end if share >= 1 else start.mix(end, eased)
        self._moved()

    def _end_flight(self) -> None:
        if self._flight.state() == QVariantAnimation.State.Running:
            self._flight.stop()
            self.navigator.pose = self._flight_poses[1]

    def _moved(self) -> None:
        self.camera_changed.emit()
        self.refresh()

    # Qt events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to orbit or pan."""
        if self._gesture is not None:
            return
        self._flight.stop()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        pans = shift or event.button() == Qt.MouseButton.RightButton
        self._gesture = Gesture.PAN if pans else Gesture.ORBIT
        self._mouse = event.position()
        self.setCursor(Qt.CursorShape.SizeAllCursor if pans else Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Orbit or pan."""
        moved = event.position() - self._mouse
        self._mouse = event.position()
        if self._gesture is None or moved.isNull():
            return
        if self._gesture == Gesture.PAN:
            self.navigator.pan(moved.x(), moved.y())
        else:
            self.navigator.orbit(moved.x(), moved.y())
        self._moved()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the gesture when the last button is up."""
        if not event.buttons():
            self._gesture = None
            self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for the point under the cursor; it becomes the pivot when the answer comes."""
        if event.button() != Qt.MouseButton.LeftButton:
            self.mousePressEvent(event)
            return
        ratio = self.devicePixelRatioF()
        camera = self.camera()
        K = camera.K.copy()
        K[:2, 2] -= (int(event.position().x() * ratio), int(event.position().y() * ratio))
        self._pick = Camera(camera.world_to_camera, K, 1, 1)
        self.refresh()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Approach or leave the point under the cursor; by pixels where a trackpad gives them."""
        self._flight.stop()
        pixels = event.pixelDelta().y()
        if pixels and event.phase() != Qt.ScrollPhase.NoScrollPhase:
            steps = pixels / TRACKPAD_PX_PER_STEP
        else:
            steps = event.angleDelta().y() / WHEEL_NOTCH
        self._dolly(steps, event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Also pinch gestures, and moving to a screen with other pixels."""
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self._dolly(ln(max(0.1, 1 + event.value())) / -ln(DOLLY_FACTOR), event.position())
            return True
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.refresh()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the scene framed."""
        super().resizeEvent(event)
        self.navigator.resize(self.width(), self.height())
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        self.refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        """A viewport that is a window of its own ends with it."""
        self.shut_down()
        super().closeEvent(event)

    def _dolly(self, steps: float, at: QPointF) -> None:
        if steps:
            self.navigator.dolly(steps, at.x(), at.y())
            self._moved()

    def _paint_overlay(self, painter: QPainter, area: QRect) -> None:
        paint_hud(painter, area, self._session, self._frame)
