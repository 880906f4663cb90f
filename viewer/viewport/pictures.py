"""Requests for pictures of the session's present state, on the screen and for files."""

from collections.abc import Callable
from dataclasses import fields

import numpy as np
from PySide6.QtGui import QImage

from core.cameras import Camera, View
from core.editing import Document
from core.errors import UserError
from viewer.compare import Comparison
from viewer.look import Look
from viewer.session import Session
from viewer.viewport.canvas import as_image
from viewer.viewport.comparing import Comparing
from viewer.viewport.frames import host_copy
from viewer.viewport.shading import FrameRequest

MOST_SIDE_PX = 8192
MOST_PIXELS = 64_000_000
_PLAIN = (int, float, str, Look)


def request_of(
    session: Session,
    document: Document,
    camera: Camera,
    view: View | None,
    *,
    scale: float = 1.0,
    pick: Camera | None = None,
) -> FrameRequest:
    """All that a frame of the present state needs."""
    return FrameRequest(
        scene=document.scene,
        alive=document.alive,
        visible=document.visible,
        selected=document.selected,
        camera=camera,
        look=session.look,
        worth=session.worth,
        removed=session.removed,
        view=view,
        comparison=session.compare.comparison(),
        hide=session.hiding,
        scale=scale,
        pick=pick,
    )


def same_picture(shown: FrameRequest, wanted: FrameRequest) -> bool:
    """Whether two requests make the same sharp picture."""
    a, b = shown.camera, wanted.camera
    same_camera = (a.width, a.height) == (b.width, b.height) and (
        np.array_equal(a.world_to_camera, b.world_to_camera) and np.array_equal(a.K, b.K)
    )
    compared = {"camera", "comparison", "pick"}
    return (
        same_camera
        and _same_comparison(shown.comparison, wanted.comparison)
        and all(
            _same(getattr(shown, field.name), getattr(wanted, field.name))
            for field in fields(FrameRequest)
            if field.name not in compared
        )
    )


def render_picture(
    session: Session, camera: Camera, view: View | None, done: Callable[[QImage], object]
) -> None:
    """Draw the present state sharp, off the window's thread, and hand over the image.

    Raises
    ------
    UserError
        If the picture would be too large.
    """
    width, height = camera.width, camera.height
    if max(width, height) > MOST_SIDE_PX or width * height > MOST_PIXELS:
        raise UserError(
            f"A picture of {width:,} x {height:,} pixels is too large.",
            f"Choose at most {MOST_SIDE_PX:,} pixels a side and {MOST_PIXELS // 10**6} megapixels.",
        )
    document = session.document
    if document is None:
        raise UserError("There is nothing to draw.", "Open a scene first.")
    request = request_of(session, document, camera, view)

    def question() -> QImage:
        pixels = Comparing().picture(request).pixels
        return as_image(host_copy(pixels)).copy()

    session.asker.ask("picture", question, done)


def _same_comparison(a: Comparison | None, b: Comparison | None) -> bool:
    if a is None or b is None:
        return a is b
    return all(
        _same(getattr(a, field.name), getattr(b, field.name)) for field in fields(Comparison)
    )


def _same(a: object, b: object) -> bool:
    """Tensors, views and the like only if they are the very same; plain values by value."""
    if a is b:
        return True
    return isinstance(a, _PLAIN) and a == b
