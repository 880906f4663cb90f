"""What the viewport tells about its picture: facts, legends and hints."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from core.scoring import SCORES
from viewer.look import Mode
from viewer.session import Session
from viewer.viewport.frames import Frame
from viewer.viewport.overlays import (
    ColorBar,
    draw_color_bar,
    draw_empty,
    draw_line,
    draw_message,
)
from viewer.widgets.numbers import count_text, percent_text, value_text


def paint_hud(painter: QPainter, area: QRect, session: Session, frame: Frame | None) -> None:
    """Paint everything that stands over a frame; ``frame`` is None before the first one."""
    document = session.document
    if document is None:
        _paint_empty(painter, area, session)
        return
    if frame is None:
        draw_message(painter, area, "Drawing the first picture …", "")
        return
    if session.mode == Mode.HEATMAP:
        _paint_heatmap_legend(painter, area, session, frame)
    elif session.mode == Mode.DEPTH and frame.picture.depth_range is not None:
        draw_color_bar(painter, area, _depth_bar(*frame.picture.depth_range))
    draw_line(painter, area, _facts(frame))
    gone = session.removed_count
    if gone:
        count = document.alive_count
        verb = "hidden" if session.hiding else "would be removed"
        text = f"{verb}: {count_text(gone)} ({percent_text(gone / count)})"
        draw_line(painter, area, text, row=1, ghost=not session.hiding)


def _paint_empty(painter: QPainter, area: QRect, session: Session) -> None:
    job = session.runner.job
    if session.runner.busy and job is not None:
        message = "" if job.progress is None else job.progress.message
        draw_message(painter, area, f"{job.name} …", message)
    else:
        draw_empty(painter, area, "Drop a .ply here", "or use File > Open Scene")


def _paint_heatmap_legend(painter: QPainter, area: QRect, session: Session, frame: Frame) -> None:
    worth = session.worth
    if worth is None:
        title = SCORES[session.score_name].title
        draw_message(
            painter, area, f"No score yet: {title}", "Press Compute scores in Sensitivity."
        )
    elif frame.request.worth is worth and frame.picture.ticks:
        ticks = tuple(
            (percentile / 100, f"{percentile} %", value_text(value))
            for percentile, value in frame.picture.ticks
        )
        draw_color_bar(painter, area, ColorBar(SCORES[worth.name].title, "viridis", ticks))


def _depth_bar(near: float, far: float) -> ColorBar:
    middle = (near + far) / 2
    return ColorBar(
        "Depth",
        "turbo",
        (
            (0.0, value_text(near), "near"),
            (0.5, value_text(middle), ""),
            (1.0, value_text(far), "far"),
        ),
    )


def _facts(frame: Frame) -> str:
    height, width = frame.pixels.shape[:2]
    facts = [
        f"{count_text(frame.picture.drawn)} Gaussians",
        f"{frame.ms:.0f} ms",
        f"{width} × {height}",
    ]
    if frame.request.scale < 1:
        facts.append(f"coarse {100 * frame.request.scale:.0f} %")
    return "  ·  ".join(facts)
