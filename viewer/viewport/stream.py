"""The stream of frames: what is asked for, what came, and whether it is the sharp one."""

import logging
from collections.abc import Callable

from PySide6.QtCore import QObject, QRect, QTimer, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from core.cameras import Camera, View
from core.editing import Document
from core.errors import UserError
from viewer.session import Session
from viewer.viewport.canvas import Canvas
from viewer.viewport.frames import Frame, FrameRenderer, FrameStats, Pace, Survey
from viewer.viewport.pictures import request_of, same_picture

log = logging.getLogger(__name__)

SETTLE_MS = 120
RESERVED_S = 0.12
"""After a move of the camera a job waits so long for the next one."""
LIVE_REST = 4.0
"""After a picture of a scene in the making the job has so many times as long for itself."""


class FrameStream(QObject):
    """Keeps the canvas of a widget showing the session's present state.

    Frames are coarse while something moves and sharp when it is still; a scene is surveyed before
    its first frame.

    Parameters
    ----------
    session
        What is shown, and the compute lane that frames share with jobs.
    camera, view
        Give the camera in physical pixels, and the dataset's view that it stands at, if any.
    depth_offset
        Gives by how much the camera's depths are larger than from the eye, world units.
    overlay
        Paints over every picture.
    widget
        Where the pictures are shown.
    """

    shown = Signal(FrameStats)
    came = Signal()
    """Another frame is there."""
    surveyed = Signal(object)
    """A :class:`viewer.viewport.frames.Surveyed` of the document."""
    picked = Signal(object)
    """The point ``(3,)`` that was asked for by :meth:`pick`."""

    def __init__(
        self,
        session: Session,
        camera: Callable[[], Camera],
        view: Callable[[], View | None],
        depth_offset: Callable[[], float],
        overlay: Callable[[QPainter, QRect], None],
        widget: QWidget,
    ) -> None:
        super().__init__(widget)
        self.frame: Frame | None = None
        """The frame that is shown, None before the first one of a document."""
        self._session = session
        self._camera, self._view, self._depth_offset = camera, view, depth_offset
        self._widget = widget
        self.document: Document | None = None
        """What it shows."""
        self._survey: Survey | None = None
        self._pick: Camera | None = None
        self._reported: set[str] = set()
        self._pace = Pace()
        self._asked_scale = 1.0
        """Of the last frame that was asked for, which may not be there yet."""
        self._renderer = FrameRenderer(session.runner.lane)
        self._renderer.ready.connect(self._take)
        self._renderer.failed.connect(self._report)
        self.canvas = Canvas(self._renderer, overlay, widget)
        self.canvas.shown.connect(self.shown)
        self.canvas.notified.connect(session.notified)
        self.canvas.frame_wanted.connect(self.refresh)
        self._settle = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._settle.timeout.connect(self._request_sharp)
        self._rest = QTimer(self, singleShot=True)
        self._rest.timeout.connect(self.renew)

    @property
    def settled(self) -> bool:
        """Whether the sharp picture of the present state is shown."""
        return self._current and self.canvas.settled

    def start(self) -> None:
        """Another document is there: show nothing of the one before."""
        self.document = self._session.document
        self.frame = self._pick = self._survey = None
        self._rest.stop()
        self._reported.clear()
        self._pace = Pace()
        self.survey()
        self.canvas.show_frame(None)

    def survey(self) -> None:
        """Find out anew where the scene is and how to look at it."""
        document = self._session.document
        if document is not None:
            camera = self._camera()
            size = camera.width, camera.height
            self._survey = Survey(document.scene, document.views, size, document)
            self.refresh()

    def pick(self, camera: Camera) -> None:
        """Ask for the visible point in a camera of one pixel."""
        self._pick = camera
        self.refresh()

    def move(self) -> None:
        """The camera moved."""
        self._session.runner.lane.reserve(RESERVED_S)
        self.canvas.set_camera(self._camera())
        self.refresh()

    def refresh(self) -> None:
        """Ask for a new picture: one that keeps up at once, and a sharp one when all is still.

        Where the sharp one of the present state is shown already, it stays sharp.
        """
        document = self._session.document
        if document is None or document is not self.document or not self._widget.isVisible():
            return
        splats = self.frame is not None and self.frame.splats is not None
        moving = self.canvas.moving_scale if splats else self._pace.scale
        self._request(1.0 if self._current else moving)
        self._settle.start()

    def renew(self) -> None:
        """The scene in the making went on: ask for a sharp picture, unless something moves.

        Not at once after the last one, so that drawing takes but a fifth of the time. Where no
        scene is in the making any more, show the document's again.
        """
        if self._session.live is None:
            self.refresh()
        elif self._widget.isVisible() and not (
            self._settle.isActive() or self._rest.isActive() or self._current
        ):
            self._request(1.0)

    def shut_down(self) -> None:
        """End the worker and free what the driver holds."""
        self._settle.stop()
        self._rest.stop()
        self._renderer.shut_down()
        self.canvas.release()

    @property
    def _current(self) -> bool:
        """Whether the last frame is of the present state and not coarse."""
        frame, document = self.frame, self._session.document
        if frame is None or document is None or self._survey is not None:
            return False
        wanted = request_of(
            self._session,
            document,
            self._camera(),
            self._view(),
            depth_offset=self._depth_offset(),
        )
        return same_picture(frame.request, wanted)

    def _request_sharp(self) -> None:
        coarse = self.frame is None or self._asked_scale < 1
        if (coarse or self._session.live is not None) and not self._current:
            self._request(1.0)

    def _request(self, scale: float) -> None:
        document = self.document
        if document is None or document is not self._session.document:
            return
        if self._survey is not None:
            self._renderer.request(self._survey)
            return
        self._asked_scale = scale
        self._renderer.request(
            request_of(
                self._session,
                document,
                self._camera(),
                self._view(),
                scale=scale,
                pick=self._pick,
                depth_offset=self._depth_offset(),
            )
        )

    def _take(self) -> None:
        document = self._session.document
        surveyed = self._renderer.take_surveyed()
        if surveyed is not None and surveyed.survey is self._survey:
            self._survey = None
            self.surveyed.emit(surveyed)
        frame = self._renderer.take_frame()
        if frame is None or document is None or frame.request.document is not document:
            return
        self.frame = frame
        if self._session.live is not None:
            self._rest.start(round(LIVE_REST * frame.ms))
        if frame.splats is None and not frame.picture.remembered:
            self._pace.record(frame.request.scale, frame.ms)
        if frame.picture.problem is not None:
            self._report(frame.picture.problem)
        self.canvas.show_frame(frame)
        if frame.request.pick is not None and frame.request.pick is self._pick:
            self._pick = None
            if frame.picked is not None:
                self.picked.emit(frame.picked)
        self.came.emit()

    def _report(self, error: Exception) -> None:
        """Tell a person once, not at every frame."""
        text = str(error) if isinstance(error, UserError) else f"Drawing failed: {error}."
        if text not in self._reported:
            self._reported.add(text)
            log.error("a frame failed", exc_info=error)
            self._session.notified.emit("error", text)
