"""What the viewport tells about its picture: facts, legends and hints."""

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen

from core.jobs import JobState
from core.rendering.heatmap import UNSEEN_COLOR
from core.scoring import SCORES
from viewer.look import Mode, Overlay
from viewer.session import Session
from viewer.viewport.frames import Frame
from viewer.viewport.legend import Legend, Tick
from viewer.viewport.overlays import (
    DIM,
    MARGIN,
    PADDING,
    TEXT,
    draw_empty,
    draw_line,
    draw_message,
    draw_plate,
    gradient,
)
from viewer.widgets.numbers import count_text, milliseconds_text, percent_text

BAR_WIDTH = 14.0
BAR_HEIGHTS = (80.0, 240.0)
BAR_SHARE = 0.4
TICK = 4.0
GAP = 6.0
CUBE_ROOM = 104.0
CUT_LABEL = "cut"
NO_PHOTOS = "Attach photos and cameras first (Ctrl+Shift+O)."


def paint_hud(painter: QPainter, area: QRect, session: Session, frame: Frame | None) -> None:
    """Paint everything that stands over a frame; ``frame`` is None before the first one."""
    document = session.document
    if document is None:
        _paint_empty(painter, area, session)
        return
    if frame is None:
        draw_message(painter, area, "Drawing the first picture …", "")
        return
    picture = frame.picture
    clear = CUBE_ROOM if session.look.shows(Overlay.CUBE) else 0.0
    if picture.legend is not None:
        paint_legend(painter, area, picture.legend)
    if picture.advice is not None:
        title, hint = picture.advice
        if session.mode == Mode.ERROR and not any(view.photo for view in document.views):
            hint = NO_PHOTOS
        draw_message(painter, area, title, hint, clear)
    elif session.mode == Mode.HEATMAP and session.worth is None and session.live is None:
        title = SCORES[session.score_name].title
        draw_message(
            painter,
            area,
            f"No score yet: {title}",
            "Press Compute scores in Sensitivity.",
            clear,
        )
    row = 0
    if session.look.shows(Overlay.INFO):
        live = session.live
        total = document.alive_count if live is None else len(live.scene)
        draw_line(painter, area, facts_text(frame, total))
        row = 1
    if session.live is not None:
        _paint_live(painter, area, session, row)
        return
    gone = session.removed_count
    if gone:
        verb = "Hidden" if session.hiding else "Would be removed"
        text = f"{verb}: {count_text(gone)} ({percent_text(gone / document.alive_count)})"
        draw_line(painter, area, text, row=row, ghost=not session.hiding)
        row += 1
    for note in picture.notes:
        draw_line(painter, area, note, row=row)
        row += 1


def _paint_live(painter: QPainter, area: QRect, session: Session, row: int) -> None:
    """Say that the picture is of a scene in the making."""
    job = session.runner.job
    if session.runner.busy and job is not None:
        state = "paused" if job.state == JobState.PAUSED else "in the making"
        draw_line(painter, area, f"{job.name}: {state}", row=row)
        row += 1
    if session.mode == Mode.HEATMAP:
        draw_line(painter, area, "In its colours: there are no scores yet", row=row)


def paint_legend(painter: QPainter, area: QRect, legend: Legend) -> None:
    """A colour bar with its numbers at the right edge, in the middle of the height."""
    metrics = QFontMetricsF(painter.font())
    line = metrics.height()
    advance = metrics.horizontalAdvance
    height = min(BAR_HEIGHTS[1], max(BAR_HEIGHTS[0], area.height() * BAR_SHARE))
    labels = max(advance(tick.label) for tick in legend.ticks)
    remarks = max(advance(tick.remark) for tick in legend.ticks)
    cut = legend.cut
    before = 0.0
    if cut is not None:
        before = max(advance(text) for text in (CUT_LABEL, cut.label, cut.remark)) + TICK + GAP
    unseen = f"{count_text(legend.unseen)} unseen" if legend.unseen else ""
    inside = max(
        before + BAR_WIDTH + GAP + labels + (2 * GAP + remarks if remarks else 0),
        advance(legend.title),
        advance(legend.note),
        BAR_WIDTH + GAP + advance(unseen),
    )
    full = height + (5.2 if unseen else 3.4) * line + 2 * PADDING
    width = inside + 2 * PADDING
    plate = QRectF(area.right() + 1 - MARGIN - width, area.center().y() - full / 2, width, full)
    draw_plate(painter, plate)
    left, top = plate.left() + PADDING, plate.top() + PADDING
    _write(painter, left, top + metrics.ascent(), legend.title, TEXT)
    _write(painter, left, top + line + metrics.ascent(), legend.note, DIM)
    strip = QRectF(left + before, top + 2.7 * line, BAR_WIDTH, height)
    painter.fillRect(strip, QBrush(gradient(strip.bottomLeft(), strip.topLeft(), legend.colormap)))
    low = 0.0
    for high, color in legend.parts:
        top_of, part = strip.bottom() - high * height, (high - low) * height
        painter.fillRect(QRectF(strip.left(), top_of, BAR_WIDTH, part), QColor.fromRgbF(*color))
        low = high
    remark_x = strip.right() + GAP + labels + 2 * GAP
    for tick in _with_room(legend.ticks, height, line):
        _paint_tick(painter, strip, tick, remark_x)
    if cut is not None:
        _paint_cut(painter, strip, cut)
    if unseen:
        y = strip.bottom() + 1.1 * line
        swatch = QRectF(left, y, BAR_WIDTH, metrics.ascent())
        painter.fillRect(swatch, QColor.fromRgbF(*UNSEEN_COLOR))
        painter.setPen(QPen(DIM, 1))
        painter.drawRect(swatch)
        _write(painter, swatch.right() + GAP, y + metrics.ascent() - 1, unseen, DIM)


def _with_room(ticks: tuple[Tick, ...], height: float, line: float) -> list[Tick]:
    """The ends, and of the ticks between them those whose labels do not touch."""
    kept = [ticks[0]]
    for tick in ticks[1:-1]:
        if (tick.place - kept[-1].place) * height >= line <= (1 - tick.place) * height:
            kept.append(tick)
    return [*kept, ticks[-1]] if len(ticks) > 1 else kept


def _paint_tick(painter: QPainter, strip: QRectF, tick: Tick, remark_x: float) -> None:
    y = strip.bottom() - tick.place * strip.height()
    painter.setPen(QPen(TEXT, 1))
    painter.drawLine(QPointF(strip.right(), y), QPointF(strip.right() + TICK, y))
    baseline = y + QFontMetricsF(painter.font()).ascent() / 2 - 1
    _write(painter, strip.right() + TICK + GAP / 2, baseline, tick.label, TEXT)
    _write(painter, remark_x, baseline, tick.remark, DIM)


def _paint_cut(painter: QPainter, strip: QRectF, cut: Tick) -> None:
    """A line across the bar, with its share of the Gaussians and its value to the left."""
    metrics = QFontMetricsF(painter.font())
    y = strip.bottom() - cut.place * strip.height()
    painter.setPen(QPen(QColor(0, 0, 0, 200), 4))
    painter.drawLine(QPointF(strip.left(), y), QPointF(strip.right(), y))
    painter.setPen(QPen(QColor(255, 255, 255), 2))
    painter.drawLine(QPointF(strip.left() - TICK, y), QPointF(strip.right(), y))
    lines = [(CUT_LABEL, DIM), (cut.label, TEXT), (cut.remark, DIM)]
    step = metrics.height() * 0.95
    first = min(max(y - 1.5 * step, strip.top() - step), strip.bottom() - 2.4 * step)
    for row, (text, color) in enumerate(lines):
        x = strip.left() - TICK - GAP - metrics.horizontalAdvance(text)
        _write(painter, x, first + row * step + metrics.ascent(), text, color)


def _write(painter: QPainter, x: float, baseline: float, text: str, color: QColor) -> None:
    painter.setPen(color)
    painter.drawText(QPointF(x, baseline), text)


def _paint_empty(painter: QPainter, area: QRect, session: Session) -> None:
    job = session.runner.job
    if session.runner.busy and job is not None:
        message = "" if job.progress is None else job.progress.message
        draw_message(painter, area, f"{job.name} …", message)
    else:
        draw_empty(painter, area, "Drop a .ply here", "or use File > Open Scene")


def facts_text(frame: Frame, total: int) -> str:
    """What the information display tells of a frame; ``total`` counts the living Gaussians.

    A side of a comparison can show more than live now; a remembered picture took no time.
    """
    width, height = frame.size
    drawn = frame.picture.drawn
    of_total = f" of {count_text(total)}" if drawn < total else ""
    facts = [
        f"{count_text(drawn)}{of_total} Gaussians",
        milliseconds_text(None if frame.picture.remembered else frame.ms),
        f"{width} × {height}",
    ]
    if frame.request.scale < 1:
        facts.append(f"coarse {100 * frame.request.scale:.0f} %")
    facts.append(frame.backend)
    return "  ·  ".join(facts)
