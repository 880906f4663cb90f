"""Where a scene is scored from."""

from collections.abc import Sequence

from core.cameras import Camera, Split, View
from core.jobs import Steps
from core.rigs import DEFAULT_RIG_COUNT, rig_steps
from core.scene import GaussianScene


def scoring_cameras(
    scene: GaussianScene, views: Sequence[View] = (), count: int | None = None
) -> Steps[tuple[Camera, ...]]:
    """Find the cameras to score a scene from: the training views, else generated ones; a job.

    ``count`` asks for that many generated ones even where there are views.
    """
    if views and count is None:
        return tuple(view.camera for view in views if view.split == Split.TRAIN)
    return (yield from rig_steps(scene, count or DEFAULT_RIG_COUNT))
