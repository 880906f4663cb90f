"""Where a scene is scored from."""

from collections.abc import Sequence

from core.cameras import Camera, Split, View
from core.rigs import DEFAULT_RIG_COUNT, make_rig
from core.scene import GaussianScene


def scoring_cameras(
    scene: GaussianScene, views: Sequence[View] = (), count: int | None = None
) -> tuple[Camera, ...]:
    """The cameras to score a scene from: the training views, else generated ones.

    ``count`` asks for that many generated ones even where there are views.
    """
    if views and count is None:
        return tuple(view.camera for view in views if view.split == Split.TRAIN)
    return make_rig(scene, count or DEFAULT_RIG_COUNT)
