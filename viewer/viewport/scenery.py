"""What lies in the world over the picture: ground grid, boxes and the dataset's cameras."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QRect, Signal, Slot
from PySide6.QtGui import QPainter

from core.cameras import Camera
from core.errors import UserError
from core.framing import SceneFrame
from viewer.look import Overlay
from viewer.session import Session
from viewer.viewport.boxes import Boxes, boxes, draw_boxes
from viewer.viewport.frustums import Frustums
from viewer.viewport.grid import Ground, GroundLines, floor_height
from viewer.viewport.occlusion import DepthMap
from viewer.viewport.projection import Projection


class Scenery(QObject):
    """Measures what is to be drawn off the window's thread, and draws it.

    Parameters
    ----------
    session
        Whose document and look it follows.
    choose_view
        Called with the number of a view whose pyramid was clicked.
    """

    repaint = Signal()
    looked = Signal()
    """What hides the grid is known for a camera; another one can be asked about."""

    def __init__(
        self, session: Session, choose_view: Callable[[int], object], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.frustums = Frustums(session.photos, choose_view)
        self.ground: GroundLines | None = None
        """The grid; None until it is measured."""
        self.boxes: Boxes | None = None
        """The bounding boxes; None until they are measured."""
        self._measured: tuple[object, object] | None = None
        self._hidden_from: tuple[Camera, object] | None = None
        self._looking = False
        session.look_changed.connect(self._measure_boxes)
        session.state_changed.connect(self._measure_boxes)
        session.photos.came.connect(self._photo_came)

    def clear(self) -> None:
        """Forget the document that was."""
        self.ground = self.boxes = self._measured = self._hidden_from = None
        self.frustums.set_views((), 1.0)

    def survey(self, frame: SceneFrame) -> None:
        """The document, its cameras or its up axis are new; ``frame`` tells where it is."""
        document = self._session.document
        if document is None:
            return
        scene = document.scene
        self.frustums.set_views(document.views, frame.radius)

        def take(height: float) -> None:
            if self._session.document is document:
                self.ground = GroundLines.of(Ground.of(frame, height))
                self._hidden_from = None
                self.repaint.emit()

        self._session.asker.ask("floor", lambda: floor_height(scene, frame), take)
        self._measure_boxes()

    def look_from(self, camera: Camera) -> None:
        """Find out which part of the grid the scene hides from a camera, one such at a time."""
        document, lines = self._session.document, self.ground
        visible = self._session.drawn
        if (
            document is None
            or visible is None
            or lines is None
            or not self._session.look.shows(Overlay.GRID)
        ):
            return
        scene, ground = document.scene, lines.ground
        known = self._hidden_from
        if known is not None and known[1] is visible and known[0].same_as(camera):
            return
        self._looking = True

        def question() -> GroundLines | None:
            try:
                return GroundLines.of(ground, DepthMap.of(scene, visible, camera))
            except UserError:
                return None

        def take(seen: GroundLines | None) -> None:
            self._looking = False
            now = self.ground
            if seen is not None and now is not None and now.ground is ground:
                self.ground = seen
                self._hidden_from = (camera, visible)
                self.looked.emit()
                self.repaint.emit()

        self._session.asker.ask("occlusion", question, take)

    def paint(self, painter: QPainter, parts: Sequence[tuple[QRect, Projection]]) -> None:
        """Draw what the look asks for over each of the pictures that are shown, all alike."""
        if not self._session.look.shows(Overlay.FRUSTUMS):
            self.frustums.clear()
        self.frustums.parts = [rect for rect, _ in parts]
        for rect, projection in parts:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setClipRect(rect)
            painter.translate(rect.topLeft())
            self._paint_part(painter, QRect(0, 0, rect.width(), rect.height()), projection)
            painter.restore()

    def _paint_part(self, painter: QPainter, area: QRect, projection: Projection) -> None:
        look = self._session.look
        if look.shows(Overlay.GRID) and self.ground is not None:
            self.ground.draw(painter, area, projection)
        if look.shows(Overlay.BOX) and self.boxes is not None:
            draw_boxes(painter, area, projection, self.boxes)
        if look.shows(Overlay.FRUSTUMS):
            self.frustums.draw(painter, area, projection)

    @Slot()
    def _photo_came(self) -> None:
        if self._session.look.shows(Overlay.FRUSTUMS):
            self.repaint.emit()

    @Slot()
    def _measure_boxes(self) -> None:
        document = self._session.document
        if document is None or not self._session.look.shows(Overlay.BOX):
            return
        scene, visible, selected = document.scene, document.visible, document.selected
        known = self._measured
        if known is not None and known[0] is visible and known[1] is selected:
            return

        def take(measured: Boxes) -> None:
            if self._session.document is document:
                self.boxes = measured
                self._measured = (visible, selected)
                self.repaint.emit()

        self._session.asker.ask("boxes", lambda: boxes(scene, visible, selected), take)
