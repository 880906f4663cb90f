"""Boxes around what is visible and what is selected, with their sides' lengths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from torch import Tensor

from core.cameras import Matrix
from core.scene import GaussianScene
from viewer.viewport.overlays import draw_shadowed
from viewer.viewport.projection import Projection, draw_segments
from viewer.widgets.numbers import value_text

VISIBLE = QColor(216, 222, 232)
SELECTED = QColor(255, 196, 84)
HALO = QColor(8, 10, 14, 130)
STRAYS = 0.005
LEAST_LABEL_PX = 30.0
_SAMPLED = 200_000

_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
_EDGES = np.array(
    [
        (a, b)
        for a in range(8)
        for b in range(a + 1, 8)
        if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1
    ]
)
_EDGE_AXES = np.abs(_CORNERS[_EDGES[:, 0]] - _CORNERS[_EDGES[:, 1]]).argmax(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Lower and upper corners ``(2, 3)`` around centres; None around nothing."""

    visible: Matrix | None
    selected: Matrix | None


def boxes(scene: GaussianScene, visible: Tensor, selected: Tensor) -> Boxes:
    """Measure both boxes.

    Around the visible Gaussians without the outermost 0.5 % on every side and without the nearly
    transparent ones; around the selected ones whole, so that a stray one is noticed.
    """
    solid = visible & (scene.opacity_logits.detach().cpu() > -2)
    if not solid.any():
        solid = visible
    means = scene.means.detach().cpu()[solid].numpy()
    means = means[:: max(1, len(means) // _SAMPLED)]
    around = None
    if len(means):
        around = np.quantile(means, (STRAYS, 1 - STRAYS), axis=0).astype(np.float64)
    chosen = scene.means.detach().cpu()[selected].numpy().astype(np.float64)
    return Boxes(
        around, np.stack([chosen.min(axis=0), chosen.max(axis=0)]) if len(chosen) else None
    )


def draw_boxes(painter: QPainter, area: QRect, projection: Projection, measured: Boxes) -> None:
    """Draw both boxes; the edges behind are dashed."""
    for box, color in ((measured.visible, VISIBLE), (measured.selected, SELECTED)):
        if box is not None:
            _draw_box(painter, area, projection, box, color)


def _draw_box(
    painter: QPainter, area: QRect, projection: Projection, box: Matrix, color: QColor
) -> None:
    corners = box[0] + _CORNERS * (box[1] - box[0])
    eye = projection.camera.position
    # An edge is behind where both faces that meet in it look away from the eye.
    toward = np.stack([eye < box[0], eye > box[1]])  # (2, 3): lower and upper faces
    hidden: NDArray[np.bool_] = np.array(
        [
            not any(toward[_CORNERS[edge[0]][other], other] for other in range(3) if other != axis)
            for edge, axis in zip(_EDGES, _EDGE_AXES, strict=True)
        ],
        dtype=bool,
    )
    behind: NDArray[np.bool_] = hidden & toward.any()
    ends = corners[_EDGES]
    for mask, style in ((behind, Qt.PenStyle.DotLine), (~behind, None)):
        segments, _ = projection.segments(ends[mask])
        if style is None:
            painter.setPen(QPen(HALO, 3.4))
            draw_segments(painter, segments)
            painter.setPen(QPen(color, 1.4))
        else:
            faint = QColor(color)
            faint.setAlpha(120)
            painter.setPen(QPen(faint, 1.0, style))
        draw_segments(painter, segments)
    _label_sides(painter, area, projection, box, behind, color)


def _label_sides(
    painter: QPainter,
    area: QRect,
    projection: Projection,
    box: Matrix,
    hidden: NDArray[np.bool_],
    color: QColor,
) -> None:
    """Each axis' length beside its outermost edge in front."""
    corners = box[0] + _CORNERS * (box[1] - box[0])
    pixels, depths = projection.points(corners)
    steepest = int(np.argmax(np.abs(projection.camera.world_to_camera[1, :3])))
    for axis in range(3):
        edges = [
            (pixels[a], pixels[b])
            for (a, b), along, behind in zip(_EDGES, _EDGE_AXES, hidden, strict=True)
            if along == axis and not behind and min(depths[a], depths[b]) > projection.near
        ]
        long = [(a, b) for a, b in edges if np.linalg.norm(a - b) >= LEAST_LABEL_PX]
        if not long:
            continue
        upright = axis == steepest
        a, b = max(long, key=lambda edge: _outwards(*edge, upright=upright))
        x, y = ((a + b) / 2).tolist()
        if area.contains(round(x), round(y)):
            text = f"{'XYZ'[axis]} {value_text(float(box[1, axis] - box[0, axis]))}"
            at = QPointF(x - 6, y) if upright else QPointF(x, y + 14)
            align = Qt.AlignmentFlag.AlignRight if upright else Qt.AlignmentFlag.AlignHCenter
            draw_shadowed(painter, at, text, color, align)


def _outwards(a: Matrix, b: Matrix, *, upright: bool) -> float:
    """How far an edge is to the left, if it stands upright, or else to the bottom."""
    x, y = float(a[0] + b[0]), float(a[1] + b[1])
    return -x if upright else y
