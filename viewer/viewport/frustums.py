"""The dataset's cameras in the picture: pyramids with their photos, to hover and to click."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF, QTransform

from core.cameras import Matrix, Split, View
from viewer.view_photos import ViewPhotos
from viewer.viewport.handle import Handle
from viewer.viewport.overlays import draw_tag
from viewer.viewport.projection import Projection, draw_segments, outside_of

DEPTH_OF_RADIUS = 0.09
DEPTH_OF_SPACING = 0.45
TRAIN = QColor(104, 160, 226)
TEST = QColor(236, 170, 82)
CURRENT = QColor(255, 255, 255)
HALO = QColor(8, 10, 14, 150)
PHOTO_LEAST_PX, PHOTO_MOST_SHARE = 44.0, 0.5
MOST_PHOTOS = 40
PHOTO_OPACITY = 0.88
REACH_PX = 9.0
INSIDE = 1.5
"""Pyramids whose eye is nearer than this many depths are left out: one would look through them."""

_EDGES = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])


class Frustums(Handle):
    """Every view of the dataset as a small pyramid, the photo in its base.

    Training views have full lines, test views dashed ones in another colour, the current view is
    white.

    Parameters
    ----------
    photos
        Where the photos come from.
    chosen
        Called with the number of the view that was clicked.
    """

    def __init__(self, photos: ViewPhotos, chosen: Callable[[int], object]) -> None:
        self._photos = photos
        self._chosen = chosen
        self._views: tuple[View, ...] = ()
        self._corners = np.zeros((0, 5, 3))
        self._test = np.zeros(0, dtype=bool)
        self._flat = np.zeros((0, 5, 2))
        self._distances = np.zeros(0)
        self._seen = np.zeros(0, dtype=bool)
        self.current: int | None = None
        """The view that the camera stands at."""
        self.hovered: int | None = None
        """The view under the mouse."""
        self.parts: Sequence[QRect] = ()
        """Where the pictures are that they were drawn over."""

    def set_views(self, views: Sequence[View], radius: float) -> None:
        """Show other views; ``radius`` is the scene's."""
        self._views = tuple(views)
        self.hovered = self.current = None
        count = len(self._views)
        self._seen = np.zeros(count, dtype=bool)
        self._flat = np.zeros((count, 5, 2))
        self._corners = np.zeros((count, 5, 3))
        self._test = np.array([view.split == Split.TEST for view in views], dtype=bool)
        if count:
            self._corners = _pyramids(self._views, _depth(self._views, radius))

    def move(self, event: QMouseEvent) -> bool:
        """Mark the pyramid under the mouse."""
        self.hovered = self._under(event.position())
        return self.hovered is not None

    def leave(self) -> None:
        """Mark none."""
        self.hovered = None

    def click(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        """Go to the view under the mouse."""
        number = self._under(at)
        if number is None or modifiers != Qt.KeyboardModifier.NoModifier:
            return False
        self._chosen(number)
        return True

    def clear(self) -> None:
        """Nothing is shown, so nothing can be hovered."""
        self._seen[:] = False
        self.hovered = None

    def draw(self, painter: QPainter, area: QRect, projection: Projection) -> None:
        """Draw all pyramids, far ones first where photos cover each other."""
        if not self._views:
            return
        self._locate(area, projection)
        photos = self._paint_photos(painter, area)
        special = [number for number in (self.current, self.hovered) if number is not None]
        plain = self._seen.copy()
        plain[special] = False
        for mask, color, style in (
            (plain & ~self._test, TRAIN, Qt.PenStyle.SolidLine),
            (plain & self._test, TEST, Qt.PenStyle.DashLine),
        ):
            pen = QPen(color, 1, style)
            pen.setCosmetic(True)
            painter.setPen(pen)
            draw_segments(painter, self._lines(mask, projection))
        for number in special:
            if self._seen[number]:
                self._paint_special(painter, projection, number)
        if self.hovered is not None and self._seen[self.hovered]:
            self._paint_name(painter, area, self.hovered, photos)

    def _locate(self, area: QRect, projection: Projection) -> None:
        """Where all corners appear, and which pyramids can be seen at all."""
        self._flat, depths = projection.points(self._corners)
        self._distances = depths[:, 0]
        size = np.array([area.width(), area.height()])
        outside = outside_of(self._flat, size)
        apart = np.linalg.norm(self._corners[:, 0] - projection.camera.position, axis=1)
        length = np.linalg.norm(self._corners[:, 1] - self._corners[:, 0], axis=1)
        before = (depths > projection.near).all(axis=1)
        self._seen = before & ~outside & (apart > INSIDE * length)

    def _lines(self, mask: NDArray[np.bool_], projection: Projection) -> Matrix:
        ends = self._flat[mask][:, _EDGES]
        return ends.reshape(-1, 4)

    def _paint_photos(self, painter: QPainter, area: QRect) -> set[int]:
        """Photos into the bases that are large enough; which ones got theirs."""
        base = self._flat[:, 1:]
        span = base.max(axis=1) - base.min(axis=1)
        limits = PHOTO_MOST_SHARE * np.array([area.width(), area.height()])
        fits = (span.max(axis=1) >= PHOTO_LEAST_PX) & (span <= limits).all(axis=1)
        large = self._seen & fits
        numbers = np.flatnonzero(large)
        nearest = numbers[np.argsort(self._distances[numbers])][:MOST_PHOTOS]
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(PHOTO_OPACITY)
        painted = set()
        hovered = [] if self.hovered is None else [self.hovered]
        wanted = [*hovered, *nearest.tolist()]
        self._photos.want("frustums", [self._views[number] for number in wanted])
        for number in nearest[::-1].tolist():
            image = self._photos.picture(self._views[number])
            if image is None:
                continue
            width, height = image.width(), image.height()
            square = _polygon([[0, 0], [width, 0], [width, height], [0, height]])
            onto = QTransform()
            if QTransform.quadToQuad(square, _polygon(base[number].tolist()), onto):
                painter.save()
                painter.setTransform(onto, combine=True)
                painter.drawImage(0, 0, image)
                painter.restore()
                painted.add(number)
        painter.setOpacity(1.0)
        return painted

    def _paint_special(self, painter: QPainter, projection: Projection, number: int) -> None:
        mask = np.zeros(len(self._views), dtype=bool)
        mask[number] = True
        lines = self._lines(mask, projection)
        color = CURRENT if number == self.current else self._color(number).lighter(125)
        for pen in (QPen(HALO, 4.0), QPen(color, 2.0)):
            painter.setPen(pen)
            draw_segments(painter, lines)

    def _paint_name(self, painter: QPainter, area: QRect, number: int, photos: set[int]) -> None:
        view = self._views[number]
        lines = [view.name or f"View {number + 1}", "test view" if self._test[number] else ""]
        anchor = self._flat[number, 1:].min(axis=0)
        image = self._photos.picture(view)
        draw_tag(
            painter,
            area,
            QPointF(*self._flat[number].mean(axis=0).tolist()),
            [line for line in lines if line],
            image=image if number not in photos else None,
            above=float(anchor[1]),
        )

    def _color(self, number: int) -> QColor:
        return TEST if self._test[number] else TRAIN

    def _under(self, at: QPointF) -> int | None:
        """The nearest pyramid whose base or eye is under a place."""
        part = next((part for part in self.parts if part.contains(at.toPoint())), None)
        if part is None:
            return None
        point = np.array([at.x() - part.left(), at.y() - part.top()])
        apex = np.linalg.norm(self._flat[:, 0] - point, axis=1) <= REACH_PX
        base = self._flat[:, 1:]
        sides = np.roll(base, -1, axis=1) - base
        ways = point - base
        turns = sides[..., 0] * ways[..., 1] - sides[..., 1] * ways[..., 0]
        inside = (turns > 0).all(axis=1) | (turns < 0).all(axis=1)
        hits = np.flatnonzero(self._seen & (apex | inside))
        if not len(hits):
            return None
        return int(hits[np.argmin(self._distances[hits])])


def _depth(views: Sequence[View], radius: float) -> float:
    """How deep the pyramids are: small beside the scene, and not into each other."""
    positions = np.stack([view.camera.position for view in views])
    if len(positions) < 2:
        return DEPTH_OF_RADIUS * radius
    sample = positions[:: max(1, len(positions) // 200)]
    apart = np.linalg.norm(sample[:, None] - positions[None], axis=-1)
    apart[apart < 1e-9] = np.inf
    nearest = apart.min(axis=1)
    nearest = nearest[np.isfinite(nearest)]
    if not len(nearest):
        return DEPTH_OF_RADIUS * radius
    wanted = DEPTH_OF_SPACING * float(np.median(nearest))
    return min(max(wanted, DEPTH_OF_RADIUS * radius / 3), 2 * DEPTH_OF_RADIUS * radius)


def _pyramids(views: Sequence[View], depth: float) -> Matrix:
    """Eye and the base's four corners, from the upper left clockwise, ``(N, 5, 3)``.

    The half diagonal of a base is at most its depth, however wide the lens.
    """
    cameras = [view.camera for view in views]
    poses = np.stack([camera.world_to_camera for camera in cameras])
    K = np.stack([camera.K for camera in cameras])
    sizes = np.array([[camera.width, camera.height, 1.0] for camera in cameras])
    pixels = sizes[:, None] * np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1.0]])
    rays = np.linalg.solve(K, pixels.transpose(0, 2, 1)).transpose(0, 2, 1)
    reach = np.linalg.norm(rays[..., :2], axis=-1).max(axis=1)
    rays *= (depth / np.maximum(1.0, reach))[:, None, None]
    local = np.concatenate([np.zeros((len(views), 1, 3)), rays], axis=1)
    corners: Matrix = (local - poses[:, None, :3, 3]) @ poses[:, :3, :3]
    return corners


def _polygon(points: Sequence[Sequence[float]]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in points])
