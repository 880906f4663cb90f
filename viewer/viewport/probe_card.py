"""The pixel probe: which Gaussians make the pixel under the mouse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PySide6.QtCore import QObject, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPen
from torch import Tensor

from core.cameras import Camera
from core.editing import Document
from core.rendering.probe import Probe, probe
from core.scene import GaussianScene
from core.scoring import SCORES, Worth
from viewer.look import Overlay
from viewer.session import Session
from viewer.viewport.handle import Handle
from viewer.viewport.overlays import DIM, PADDING, TEXT, draw_plate
from viewer.widgets.numbers import MISSING, count_text, percent_text, value_text

WAIT_MS = 80
MOST_ROWS = 6
GAP = 18.0
KIND = "probe"


@dataclass(frozen=True, slots=True)
class Contributor:
    """One Gaussian of a pixel: ``weight`` is its share of the colour, ``size`` its largest axis."""

    index: int
    weight: float
    opacity: float
    size: float
    distance: float
    score: float | None
    color: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What makes a pixel: the weightiest Gaussians, first the most, and how much is covered."""

    x: int
    y: int
    coverage: float
    count: int
    score_title: str
    top: tuple[Contributor, ...]


def report(
    scene: GaussianScene, found: Probe, x: int, y: int, worth: Worth | None, offset: float = 0.0
) -> ProbeReport:
    """What a person wants to know of what a probe found; depths are less by ``offset``."""
    order = np.argsort(-found.weights, kind="stable")[:MOST_ROWS]
    indices = torch.from_numpy(np.asarray(found.indices)[order])
    chosen = scene.select(indices)
    opacities = chosen.opacities().cpu().tolist()
    sizes = chosen.log_scales.amax(dim=1).exp().cpu().tolist()
    colors = chosen.base_colors().cpu().tolist()
    top = tuple(
        Contributor(
            index=int(found.indices[at]),
            weight=float(found.weights[at]),
            opacity=opacities[row],
            size=sizes[row],
            distance=float(found.depths[at]) - offset,
            score=None if worth is None else float(worth.values[int(found.indices[at])]),
            color=tuple(colors[row]),
        )
        for row, at in enumerate(order)
    )
    title = "" if worth is None else SCORES[worth.name].title
    return ProbeReport(x, y, float(found.coverage), found.total, title, top)


class ProbeCard(QObject):
    """Asks what is under the mouse once it rests, and shows the answer beside it.

    Parameters
    ----------
    session
        Whose document is asked about.
    under
        Gives the camera of the picture at a place of the widget, and the pixel's column and row.
    offset
        Gives what depths from that camera are to be lessened by.
    """

    probed = Signal(object)
    """A :class:`ProbeReport`, None when the mouse is nowhere."""
    repaint = Signal()

    def __init__(
        self,
        session: Session,
        under: Callable[[QPointF], tuple[Camera, int, int]],
        offset: Callable[[], float],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.handle = _ProbeHandle(self)
        self.shown: ProbeReport | None = None
        """What the card shows."""
        self._session = session
        self._under = under
        self._offset = offset
        self._at: QPointF | None = None
        self._card_at = QPointF()
        self._wait = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._wait.timeout.connect(self._ask)
        self._asked = 0

    @property
    def on(self) -> bool:
        """Whether the probe is in use: it knows nothing of a scene in the making."""
        session = self._session
        known = session.document is not None and session.live is None
        return known and session.look.shows(Overlay.PROBE)

    def hover(self, at: QPointF | None) -> None:
        """The mouse is at a place now, or nowhere."""
        self._at = at if self.on else None
        self.restart()

    def restart(self) -> None:
        """What is under the mouse may have changed."""
        self._asked += 1
        if self.shown is not None:
            self.shown = None
            self.probed.emit(None)
            self.repaint.emit()
        if self._at is not None and self.on:
            self._wait.start()
        else:
            self._wait.stop()

    def pick(self, at: QPointF) -> bool:
        """Select the weightiest Gaussian of the pixel at a place; whether the probe is in use."""
        if not self.on:
            return False
        self._question(at, _select_top)
        return True

    def stop(self) -> None:
        """Ask nothing any more."""
        self._wait.stop()
        self._at = None

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Draw the card beside the mouse."""
        if self.shown is not None and self.on:
            paint_card(painter, area, self._card_at, self.shown)

    def _ask(self) -> None:
        if self._at is None or not self.on:
            return
        at, number = self._at, self._asked

        def take(_document: Document, answer: ProbeReport) -> None:
            if number == self._asked:
                self.shown, self._card_at = answer, at
                self.probed.emit(answer)
                self.repaint.emit()

        self._question(at, take)

    def _question(self, at: QPointF, take: Callable[[Document, ProbeReport], None]) -> None:
        document, worth = self._session.document, self._session.worth
        visible = self._session.drawn
        if document is None or visible is None:
            return
        scene = document.scene
        if self._session.hiding and self._session.removed is not None:
            visible = visible & ~self._session.removed
        (camera, x, y), offset = self._under(at), self._offset()

        def question() -> ProbeReport:
            return report(scene, probe(scene, camera, x, y, visible), x, y, worth, offset)

        def answer(told: ProbeReport) -> None:
            if self._session.document is document and document.scene is scene:
                take(document, told)

        kind = KIND if take is not _select_top else "pick"
        self._session.asker.ask(kind, question, answer)


class _ProbeHandle(Handle):
    cursor = Qt.CursorShape.CrossCursor
    beside_tools = True

    def __init__(self, card: ProbeCard) -> None:
        self._card = card

    def move(self, event: QMouseEvent) -> bool:
        self._card.hover(event.position())
        return False

    def leave(self) -> None:
        self._card.hover(None)

    def click(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        return modifiers == Qt.KeyboardModifier.ControlModifier and self._card.pick(at)


def _select_top(document: Document, told: ProbeReport) -> None:
    if told.top:
        mask: Tensor = torch.zeros(len(document.scene), dtype=torch.bool)
        mask[told.top[0].index] = True
        document.select(mask, name="Pick")


def paint_card(painter: QPainter, area: QRect, at: QPointF, told: ProbeReport) -> None:
    """A table of the Gaussians of a pixel, beside a place and inside an area."""
    metrics = QFontMetricsF(painter.font())
    line = metrics.height() + 3
    rows = _rows(told)
    widths = [max(metrics.horizontalAdvance(row[n]) for row in rows) for n in range(len(rows[0]))]
    swatch = metrics.ascent()
    title, more = _titles(told)
    inner = max(
        swatch + 8 + sum(widths) + 14 * (len(widths) - 1),
        metrics.horizontalAdvance(title),
        metrics.horizontalAdvance(more),
    )
    height = line * (len(rows) if told.top else 0) + 2 * line + 2 * PADDING
    size = QRectF(0, 0, inner + 2 * PADDING, height)
    size.moveTopLeft(_corner(area, at, size.width(), height))
    draw_plate(painter, size)
    left, y = size.left() + PADDING, size.top() + PADDING + metrics.ascent()
    painter.setPen(TEXT)
    painter.drawText(QPointF(left, y), title)
    if told.top:
        for number, row in enumerate(rows):
            y += line
            if number:
                color = QColor.fromRgbF(*told.top[number - 1].color)
                painter.setPen(QPen(QColor(255, 255, 255, 70), 1))
                painter.setBrush(color)
                painter.drawRect(QRectF(left, y - swatch + 1, swatch - 1, swatch - 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(TEXT if number else DIM)
            x = left + swatch + 8
            for width, text in zip(widths, row, strict=True):
                painter.drawText(QPointF(x + width - metrics.horizontalAdvance(text), y), text)
                x += width + 14
    painter.setPen(DIM)
    painter.drawText(QPointF(left, y + line), more)


def _titles(told: ProbeReport) -> tuple[str, str]:
    title = f"Pixel {told.x}, {told.y}  ·  {percent_text(told.coverage)} covered"
    if not told.top:
        return title, "No Gaussian here"
    rest = told.count - len(told.top)
    more = f"and {count_text(rest)} more  ·  " if rest else ""
    return title, f"{more}Ctrl+click selects the first"


def _rows(told: ProbeReport) -> list[Sequence[str]]:
    score = told.score_title or "Score"
    rows: list[Sequence[str]] = [("Index", "Weight", score, "Opacity", "Size", "Distance")]
    for entry in told.top:
        rows.append(
            (
                count_text(entry.index),
                percent_text(entry.weight),
                MISSING if entry.score is None else value_text(entry.score),
                f"{entry.opacity:.2f}",
                value_text(entry.size),
                value_text(entry.distance),
            )
        )
    return rows


def _corner(area: QRect, at: QPointF, width: float, height: float) -> QPointF:
    """Right and below of the mouse, on its other side where there is no room."""
    x, y = at.x() + GAP, at.y() + GAP
    if x + width > area.right() - 4:
        x = at.x() - GAP - width
    if y + height > area.bottom() - 4:
        y = at.y() - GAP - height
    return QPointF(round(max(4.0, x)), round(max(4.0, y)))
