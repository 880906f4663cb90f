"""From the world to the viewport's logical pixels, many points at a time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF
from PySide6.QtGui import QPainter

from core.cameras import Camera, Matrix

NEAR_SHARE = 1e-3
"""How near to the eye lines are cut off, as a share of its distance to the pivot."""


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A camera whose pixels are the widget's logical ones, and where its lines are cut off.

    Parameters
    ----------
    camera
        At the logical size of the widget.
    near
        Least distance along the viewing axis that is drawn, world units.
    """

    camera: Camera
    near: float

    def inside(self, points: Matrix) -> Matrix:
        """Points ``(..., 3)`` of the world in the camera's own frame."""
        transform = self.camera.world_to_camera
        local: Matrix = points @ transform[:3, :3].T + transform[:3, 3]
        return local

    def pixels(self, local: Matrix) -> Matrix:
        """Where points of the camera's frame before it, ``(..., 3)``, appear, ``(..., 2)``."""
        K = self.camera.K
        depth = np.maximum(local[..., 2], 1e-12)
        return np.stack(
            [
                K[0, 0] * local[..., 0] / depth + K[0, 2],
                K[1, 1] * local[..., 1] / depth + K[1, 2],
            ],
            axis=-1,
        )

    def points(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """Pixels ``(..., 2)`` and depths ``(...)``; pixels mean nothing where depth < ``near``."""
        local = self.inside(points)
        return self.pixels(local), local[..., 2]

    def segments(self, ends: Matrix) -> tuple[Matrix, NDArray[np.intp]]:
        """Straight lines ``(N, 2, 3)`` as they appear, ``(M, 4)``: x1, y1, x2, y2.

        Cut at the near plane; the second result tells which of the lines each one is, those
        entirely outside of the picture being left out.
        """
        local = self.inside(ends)
        depth = local[..., 2]
        seen = (depth > self.near).any(axis=1)
        which = np.flatnonzero(seen)
        local, depth = local[seen], depth[seen]
        for end, other in ((0, 1), (1, 0)):
            behind = depth[:, end] < self.near
            gap = depth[behind, other] - depth[behind, end]
            share = (self.near - depth[behind, end]) / gap
            step = local[behind, other] - local[behind, end]
            local[behind, end] += share[:, None] * step
        flat = self.pixels(local)
        size = np.array([self.camera.width, self.camera.height])
        outside = outside_of(flat, size)
        return flat[~outside].reshape(-1, 4), which[~outside]


def outside_of(points: Matrix, size: Matrix) -> NDArray[np.bool_]:
    """Which groups of pixels ``(N, M, 2)`` lie beyond one side of a picture, bool ``(N,)``."""
    beyond: NDArray[np.bool_] = np.concatenate(
        [(points < 0).all(axis=1), (points > size).all(axis=1)], axis=1
    )
    return np.asarray(beyond.any(axis=1))


def draw_segments(painter: QPainter, segments: Matrix) -> None:
    """Draw lines ``(N, 4)`` with the painter's pen."""
    if len(segments):
        painter.drawLines(list(map(QLineF, *segments.T.tolist())))
