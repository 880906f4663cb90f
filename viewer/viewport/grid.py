"""The ground: a grid through the scene's floor, with the world's axes in it."""

from dataclasses import dataclass, replace
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from core.cameras import Matrix
from core.framing import SceneFrame
from core.scene import GaussianScene
from viewer.viewport.cube import AXIS_COLORS
from viewer.viewport.occlusion import DepthMap
from viewer.viewport.overlays import draw_shadowed
from viewer.viewport.projection import Projection, draw_segments
from viewer.widgets.numbers import value_text

CELLS_PER_RADIUS = 4
REACH = 5.0
"""How far the grid goes, in scene radii."""
PIECES = 60
LEVELS = 6
FLOOR_SHARE = 0.01
MAJOR_EVERY = 5
LINE = QColor(168, 176, 190)
MINOR_OPACITY, MAJOR_OPACITY = 0.30, 0.55
AXIS_KIND = LEVELS + 1
"""Kinds from here on are axes, below they are levels of opacity; 0 is not drawn."""
LABEL_WIDTH = 480
"""Narrower pictures have no room for the cell's size beside the line of facts."""
BENEATH = 0.02
"""How far below a surface the grid is hidden by it, in scene radii."""
_SAMPLED = 100_000


def round_number(about: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not more than a number."""
    power = 10.0 ** floor(log10(about))
    return max(step for step in (power, 2 * power, 5 * power) if step <= about * (1 + 1e-9))


def floor_height(scene: GaussianScene, frame: SceneFrame) -> float:
    """Where the lowest solid Gaussians near the middle lie along the up axis, world units."""
    step = max(1, len(scene) // _SAMPLED)
    means = scene.means.detach()[::step].cpu().numpy().astype(np.float64)
    solid = scene.opacity_logits.detach()[::step].cpu().numpy() > 0
    near = (np.linalg.norm(means - frame.center, axis=1) <= 1.5 * frame.radius) & solid
    if not near.any():
        return float(frame.center @ frame.up) - frame.radius
    return float(np.quantile(means[near] @ frame.up, FLOOR_SHARE))


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A grid as lines in the world.

    Attributes
    ----------
    lines
        Every line in :data:`PIECES` pieces, its points in order, ``(L, PIECES + 1, 3)``.
    kinds
        How to draw each piece, ``(L, PIECES)``: fainter with the distance from the scene.
    names
        The world's axes that lie in it: number and positive end.
    spacing
        Side of a cell, world units.
    margin
        How far below a surface it is hidden, world units.
    """

    lines: Matrix
    kinds: NDArray[np.intp]
    names: tuple[tuple[int, Matrix], ...]
    spacing: float
    margin: float

    @classmethod
    def of(cls, frame: SceneFrame, height: float) -> "Ground":
        """A grid perpendicular to the up axis at a height along it, around the scene's middle."""
        spacing = round_number(frame.radius / CELLS_PER_RADIUS)
        reach = REACH * frame.radius
        first, second, a, b = _directions(frame.up)
        middle = np.array([frame.center @ a, frame.center @ b])
        lines, kinds, names = [], [], []
        for along, (one, other, axis) in enumerate(((a, b, first), (b, a, second))):
            across = 1 - along
            low = ceil((middle[across] - reach) / spacing)
            high = floor((middle[across] + reach) / spacing)
            for number in range(low, high + 1):
                aside = number * spacing - middle[across]
                half = float(np.sqrt(max(0.0, reach**2 - aside**2)))
                places = np.linspace(-half, half, PIECES + 1)
                points = (places + middle[along])[:, None] * one + number * spacing * other
                lines.append(points + height * frame.up)
                if number == 0:
                    kinds.append(np.full(PIECES, AXIS_KIND + axis))
                    names.append((axis, lines[-1][-2]))
                else:
                    away = np.hypot((places[:-1] + places[1:]) / 2, aside) / reach
                    most = MINOR_OPACITY if number % MAJOR_EVERY else MAJOR_OPACITY
                    opacity = most * np.clip(1 - away, 0, 1) ** 1.5
                    kinds.append(np.ceil(opacity / MAJOR_OPACITY * LEVELS).astype(np.intp))
        margin = BENEATH * frame.radius
        return cls(np.stack(lines), np.stack(kinds), tuple(names), spacing, margin)

    def hidden_by(self, depths: DepthMap) -> "Ground":
        """The same grid without the pieces that solid surfaces hide."""
        middles = (self.lines[:, :-1] + self.lines[:, 1:]) / 2
        hidden = depths.hides(middles.reshape(-1, 3), self.margin).reshape(self.kinds.shape)
        ends = np.array([end for _, end in self.names]).reshape(-1, 3)
        covered = depths.hides(ends, self.margin)
        names = tuple(name for name, under in zip(self.names, covered, strict=True) if not under)
        return replace(self, kinds=np.where(hidden, 0, self.kinds), names=names)

    def runs(self) -> tuple[Matrix, NDArray[np.intp]]:
        """Neighbouring pieces of one kind as single lines ``(M, 2, 3)``, and their kinds."""
        changes = np.ones((len(self.kinds), PIECES + 1), dtype=bool)
        changes[:, 1:-1] = self.kinds[:, 1:] != self.kinds[:, :-1]
        start_line, start = np.nonzero(changes[:, :-1])
        _, end = np.nonzero(changes[:, 1:])
        ends = np.stack([self.lines[start_line, start], self.lines[start_line, end + 1]], axis=1)
        kinds = self.kinds[start_line, start]
        drawn = kinds > 0
        return ends[drawn], kinds[drawn]


@dataclass(frozen=True, slots=True, eq=False)
class GroundLines:
    """What is left to draw of a whole grid: lines ``(M, 2, 3)``, their kinds ``(M,)``, names."""

    ground: Ground
    ends: Matrix
    kinds: NDArray[np.intp]
    names: tuple[tuple[int, Matrix], ...]

    @classmethod
    def of(cls, ground: Ground, depths: DepthMap | None = None) -> "GroundLines":
        """The lines of a grid that are not hidden, all of them without a depth map."""
        seen = ground if depths is None else ground.hidden_by(depths)
        return cls(ground, *seen.runs(), seen.names)

    def draw(self, painter: QPainter, area: QRect, projection: Projection) -> None:
        """Draw the lines, the axes in their colours with their names, and the cell's size."""
        segments, which = projection.segments(self.ends)
        kinds = self.kinds[which]
        for level in range(1, LEVELS + 1):
            color = QColor(LINE)
            color.setAlphaF(level / LEVELS * MAJOR_OPACITY)
            painter.setPen(_pen(color, 1))
            draw_segments(painter, segments[kinds == level])
        for axis, color in enumerate(AXIS_COLORS):
            painter.setPen(_pen(color, 1.6))
            draw_segments(painter, segments[kinds == AXIS_KIND + axis])
        for axis, end in self.names:
            place, depth = projection.points(end)
            if depth > projection.near:
                at = QPointF(*place.tolist()) + QPointF(0, -4)
                draw_shadowed(painter, at, "XYZ"[axis], AXIS_COLORS[axis].lighter(130))
        if area.width() >= LABEL_WIDTH:
            draw_shadowed(
                painter,
                QPointF(area.right() - 12, area.bottom() - 12),
                f"Grid {value_text(self.ground.spacing)}",
                LINE.lighter(115),
                align=Qt.AlignmentFlag.AlignRight,
            )


def _directions(up: Matrix) -> tuple[int, int, Matrix, Matrix]:
    """The two world axes that lie flattest, and directions in the plane nearest to them."""
    order = np.argsort(np.abs(up), kind="stable")
    first, second = int(order[0]), int(order[1])
    a = np.eye(3)[first] - up[first] * up
    a /= np.linalg.norm(a)
    b = np.cross(up, a)
    return first, second, a, b if b[second] >= 0 else -b


def _pen(color: QColor, width: float) -> QPen:
    pen = QPen(color, width)
    pen.setCosmetic(True)
    return pen
