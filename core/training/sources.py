"""What a scene can be fitted to: its photos, or else the unpruned scene itself."""

from collections.abc import Sequence

from core.cameras import Split, View
from core.jobs import Steps
from core.rigs import DEFAULT_RIG_COUNT, rig_steps
from core.scene import GaussianScene
from core.training.backgrounds import BLACK, Background
from core.training.targets import PhotoTargets, SelfTargets, Targets


def find_targets(
    scene: GaussianScene,
    views: Sequence[View] = (),
    count: int | None = None,
    background: Background | None = None,
) -> Steps[Targets]:
    """Choose what to fit to; a job.

    The training views' photos, if there are any; else the pictures of ``scene`` as it is now, from
    the training views or from cameras generated around it.

    Parameters
    ----------
    count
        Leave photos and views aside, and generate that many cameras.
    background
        What is behind everything; None: another colour in every step for photos that may be
        transparent, else black.

    Raises
    ------
    UserError
        If pictures are too small, or the scene is empty.
    """
    training = [view for view in views if view.split == Split.TRAIN and count is None]
    photos = [view for view in training if view.photo is not None]
    if photos:
        return PhotoTargets(photos, background, scene.device)
    if training:
        return SelfTargets(scene, [view.camera for view in training], background or BLACK)
    cameras = yield from rig_steps(scene, count or DEFAULT_RIG_COUNT)
    return SelfTargets(scene, cameras, background or BLACK)
