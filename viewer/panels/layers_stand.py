"""From where figure and edges are measured, and of what."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.cameras import Camera, View
from core.errors import UserError
from core.gmae.exports import export_camera
from core.gmae.splatting import WHITE
from core.scene import GaussianScene
from viewer.session import Session
from viewer.viewport.photos import photo_picture

MEASURED_PX = 320
"""Answers are compared in pictures at most so large along the longer side."""


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


def find_stand(session: Session, offset: float = 0.0, present: bool = False) -> Stand | None:
    """Where to measure: a document's one view, else the view one stands at, else the present one.

    Parameters
    ----------
    offset
        That of the present camera.
    present
        Always look from the present camera, at its full size.
    """
    document, drawn, camera = session.document, session.drawn, session.peeling.view()
    if document is None or drawn is None or camera is None:
        return None
    views = document.views
    view = next((one for one in views if not present and _at(one.camera, camera)), None)
    if not present and has_one_view(session):
        view = views[0]
    chosen = camera if view is None else view.camera
    full = max(chosen.width, chosen.height)
    size = full if present else min(MEASURED_PX, full)
    return Stand(document.scene, drawn, export_camera(chosen, size), view, 0.0 if view else offset)


def has_one_view(session: Session) -> bool:
    """Whether the document is seen from one place alone, as an image's Gaussians are."""
    return session.document is not None and len(session.document.views) == 1


def _at(one: Camera, other: Camera) -> bool:
    return np.allclose(one.world_to_camera, other.world_to_camera, atol=1e-6)
