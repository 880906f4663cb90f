"""Requests for pictures of the session's present state, on the screen and for files."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtGui import QImage

from core.cameras import Camera, View
from core.editing import Document
from core.errors import UserError
from viewer.look import Mode
from viewer.session import Session
from viewer.viewport.canvas import as_image
from viewer.viewport.comparing import Comparing, same_moment
from viewer.viewport.frames import host_copy
from viewer.viewport.request import FrameRequest

MOST_SIDE_PX = 8192
MOST_PIXELS = 64_000_000


def request_of(
    session: Session,
    document: Document,
    camera: Camera,
    view: View | None,
    *,
    scale: float = 1.0,
    pick: Camera | None = None,
    depth_offset: float = 0.0,
) -> FrameRequest:
    """All that a frame of the present state needs.

    A scene in the making has no scores and layers yet: where these are asked for it is drawn in its
    colours.
    """
    drawn = session.drawn
    request = FrameRequest(
        scene=document.scene,
        alive=document.alive,
        visible=document.visible if drawn is None else drawn,
        selected=document.selected,
        camera=camera,
        look=session.look,
        worth=session.worth,
        layers=session.peeling.layers if session.mode == Mode.LAYERS else None,
        removed=session.removed,
        view=view,
        comparison=session.compare.comparison(),
        hide=session.hiding,
        scale=scale,
        pick=pick,
        depth_offset=depth_offset,
        document=document,
    )
    live = session.live
    if live is None:
        return request
    scored = session.look.mode in (Mode.HEATMAP, Mode.LAYERS)
    return replace(
        request,
        scene=live.scene,
        alive=live.everything,
        visible=live.everything,
        selected=live.nothing,
        look=replace(session.look, mode=Mode.COLOR) if scored else session.look,
        worth=None,
        layers=None,
        removed=None,
        hide=False,
    )


def same_picture(shown: FrameRequest, wanted: FrameRequest) -> bool:
    """Whether two requests make the same sharp picture."""
    return same_moment(shown, wanted, {"pick"})


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
