"""Requests for pictures of the session's present state, on the screen and for files."""

from collections.abc import Callable

from PySide6.QtGui import QImage

from core.cameras import Camera, View
from core.editing import Document
from core.errors import UserError
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
        depth_offset=depth_offset,
        document=document,
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
