"""From where figure and edges are measured, and of what."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.cameras import Camera, View
from core.errors import UserError
from core.gmae.splatting import WHITE
from core.scene import GaussianScene
from viewer.session import Session
from viewer.viewport.figures import measured_camera
from viewer.viewport.photos import photo_picture


@dataclass(frozen=True, slots=True, eq=False)
class Stand:
    """What is measured, and from where.

    Attributes
    ----------
    scene, drawn
        The scene, and which of its Gaussians are drawn, bool ``(N,)``.
    camera
        Where from, at the size that is measured.
    view
        The view whose camera that is, None where there is none.
    offset
        By how much depths from there are larger than those that are told; see
        :class:`viewer.viewport.request.FrameRequest`.
    """

    scene: GaussianScene
    drawn: Tensor
    camera: Camera
    view: View | None = None
    offset: float = 0.0

    def part(self) -> GaussianScene:
        """The Gaussians that are drawn, as a scene."""
        return self.scene if bool(self.drawn.all()) else self.scene.select(self.drawn)

    def photo(self) -> Tensor | None:
        """The photo from there, ``(H, W, 3)`` on white; None where there is none to be read."""
        if self.view is None or self.view.photo is None:
            return None
        try:
            return photo_picture(self.view, self.camera, WHITE).nan_to_num(1.0)
        except UserError:
            return None


def find_stand(session: Session) -> Stand | None:
    """Where to measure: the view that one stands at, else the present camera."""
    document, drawn, camera = session.document, session.drawn, session.peeling.view()
    if document is None or drawn is None or camera is None:
        return None
    view = next((one for one in document.views if _at(one.camera, camera)), None)
    if view is None:
        return Stand(document.scene, drawn, camera, offset=session.peeling.depth_offset())
    return Stand(document.scene, drawn, measured_camera(view.camera), view)


def view_camera(session: Session, camera: Camera) -> Camera:
    """The camera of the view that another stands at, whose picture has the photo's shape."""
    views = () if session.document is None else session.document.views
    return next((one.camera for one in views if _at(one.camera, camera)), camera)


def has_one_view(session: Session) -> bool:
    """Whether the document is seen from one place alone, as an image's Gaussians are."""
    return session.document is not None and len(session.document.views) == 1


def _at(one: Camera, other: Camera) -> bool:
    return np.allclose(one.world_to_camera, other.world_to_camera, atol=1e-6)
