"""Sphere and box: volumes around a point of the scene, selected through and through."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRect, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath
from torch import Tensor

from core.editing.regions import Point, Sight, in_box, in_sphere
from viewer.tools.context import Find, Shot, ToolContext
from viewer.tools.drags import CLICK_PX, DragTool
from viewer.tools.outline import draw_corner, draw_outline

SIDES = 64
"""Of the polygons that are drawn for circles."""
EMPTY_TEXT = "There is nothing here. Press on the scene: the volume is laid around that point."


class VolumeTool(DragTool):
    """A volume around the point that was pressed; dragging sets its size.

    The point comes a moment after the press. A gesture that ends before that waits for it.
    """

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._seen: Sight | None = None
        self._released = False

    def lines(self, seen: Sight) -> NDArray[np.float64]:
        """The wire frame: straight lines in the world, ``(M, 2, 3)``."""
        raise NotImplementedError

    def inside(self, seen: Sight) -> Find:
        """Which Gaussians lie in the volume."""
        raise NotImplementedError

    def press(self, event: QMouseEvent) -> bool:
        """Ask for the point."""
        if self._released or not super().press(event):
            return False
        at = event.position()
        started = self.points[0]

        def take(seen: Sight | None) -> None:
            if not self.points or self.points[0] is not started:
                return
            self._seen = seen
            if seen is None:
                self.drop()
                self.context.session.notified.emit("info", EMPTY_TEXT)
            elif self._released:
                self.finish()
            else:
                self.show()

        self.context.pick(at, take)
        return True

    def release(self, event: QMouseEvent) -> bool:
        """Select what is in the volume, if it has a size."""
        if event.button() != Qt.MouseButton.LeftButton or not self.points:
            return False
        self.mouse = event.position()
        self.extend(event.position())
        if max(self.drag) < CLICK_PX:
            self.drop()
        elif self._seen is None:
            self._released = True
        else:
            self.finish()
        return True

    def move(self, event: QMouseEvent) -> bool:
        """Change the size."""
        return not self._released and super().move(event)

    def drop(self) -> None:
        """Forget point and size."""
        self._seen, self._released = None, False
        super().drop()

    @property
    def drag(self) -> tuple[float, float]:
        """How far the mouse was dragged, across and down, logical pixels."""
        way = self.points[-1] - self.points[0]
        return abs(way.x()), abs(way.y())

    def finder(self) -> Find | None:
        sized = self._seen is not None and len(self.points) > 1 and max(self.drag) >= CLICK_PX
        return self.inside(self._seen) if sized and self._seen is not None else None

    def paint(self, painter: QPainter, area: QRect) -> None:
        if self._seen is None or len(self.points) < 2:
            return
        segments = self.context.projection(self._seen.depth).segments(self.lines(self._seen))[0]
        path = QPainterPath()
        for x1, y1, x2, y2 in segments.tolist():
            line = QLineF(x1, y1, x2, y2)
            if path.currentPosition() != line.p1():
                path.moveTo(line.p1())
            path.lineTo(line.p2())
        draw_outline(painter, path, filled=False, dashed=False)
        draw_corner(painter, self.points[0])
        self.draw_count(painter, area)


class SphereTool(VolumeTool):
    """A ball; the drag is its radius."""

    id = "tool.sphere"
    title = "Sphere"
    name = "Select by sphere"
    hint = "Press on the scene and drag the radius"

    def radius(self, seen: Sight) -> float:
        """Radius in world units."""
        across, down = (self.context.world_per_px(seen.depth) * self.drag).tolist()
        return float(np.hypot(across, down))

    def inside(self, seen: Sight) -> Find:
        point, radius = seen.point, self.radius(seen)

        def find(shot: Shot) -> Tensor:
            return in_sphere(shot.scene.means, point, radius) & shot.visible

        return find

    def lines(self, seen: Sight) -> NDArray[np.float64]:
        angles = np.linspace(0, 2 * np.pi, SIDES + 1)
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * self.radius(seen)
        turn = self.context.camera().world_to_camera[:3, :3]
        axes = [(turn[0], turn[1]), *((np.eye(3)[a], np.eye(3)[b]) for a, b in _PLANES)]
        rings = np.stack([ring @ np.stack(pair) for pair in axes]) + seen.point
        lines: NDArray[np.float64] = np.stack([rings[:, :-1], rings[:, 1:]], axis=2)
        return lines.reshape(-1, 2, 3)


class BoxTool(VolumeTool):
    """A box along the axes of the world.

    Dragging across sets how far it goes along the two axes that lie more level in the picture,
    dragging up or down how far along the one that stands most upright.
    """

    id = "tool.box"
    title = "Box"
    name = "Select by box"
    hint = "Press on the scene; drag across for width, up for height"

    def ends(self, seen: Sight) -> tuple[Point, Point]:
        """Lowest and highest corner in the world, each ``(3,)``."""
        across, down = (self.context.world_per_px(seen.depth) * self.drag).tolist()
        upright = int(np.abs(self.context.camera().world_to_camera[1, :3]).argmax())
        half = np.full(3, across)
        half[upright] = down
        return seen.point - half, seen.point + half

    def inside(self, seen: Sight) -> Find:
        low, high = self.ends(seen)

        def find(shot: Shot) -> Tensor:
            return in_box(shot.scene.means, low, high) & shot.visible

        return find

    def lines(self, seen: Sight) -> NDArray[np.float64]:
        low, high = self.ends(seen)
        corners = low + (high - low) * _UNIT
        lines: NDArray[np.float64] = corners[_EDGES]
        return lines


_PLANES = ((0, 1), (1, 2), (2, 0))
_UNIT = np.array([(n & 1, n >> 1 & 1, n >> 2 & 1) for n in range(8)], dtype=np.float64)
_EDGES = np.array([(a, a | bit) for bit in (1, 2, 4) for a in range(8) if not a & bit])
