"""What pictures of a scene are measured against: photos, or the pictures of another scene."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from core.cameras import Camera, Split, View
from core.datasets import load_photo, over_background
from core.errors import UserError
from core.jobs import Steps
from core.rendering import render
from core.rigs import DEFAULT_RIG_COUNT, rig_steps
from core.scene import GaussianScene

Color = tuple[float, float, float]
BLACK: Color = (0.0, 0.0, 0.0)
_RIG_PHASE = 0.5
"""Of generated cameras: others than those that scores are computed from."""


class References(Protocol):
    """One picture for each of some cameras, made when it is asked for."""

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """Where to measure from; at least one."""

    @property
    def background(self) -> Color:
        """What is behind everything, in the pictures and in what is measured."""

    def picture(self, number: int) -> Tensor:
        """The picture of a camera, uint8 ``(H, W, 3)``, on any device."""


class PhotoReferences:
    """The photos of views, transparent ones laid over the background.

    Parameters
    ----------
    views
        At least one; each with a photo.
    background
        Colour behind everything.
    """

    def __init__(self, views: Sequence[View], background: Color = BLACK) -> None:
        if not views:
            raise ValueError("there are no views to measure on")
        self.views = tuple(views)
        self.background = background

    @property
    def held_out(self) -> bool:
        """Whether nothing was fitted to any of these photos."""
        return all(view.split == Split.TEST for view in self.views)

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The cameras of the photos."""
        return tuple(view.camera for view in self.views)

    def picture(self, number: int) -> Tensor:
        """A photo, uint8 ``(H, W, 3)``.

        Raises
        ------
        UserError
            If it cannot be read.
        """
        photo = over_background(load_photo(self.views[number]), self.background)
        return torch.tensor(photo)


class SceneReferences:
    """The pictures of another scene."""

    def __init__(
        self, scene: GaussianScene, cameras: Sequence[Camera], background: Color = BLACK
    ) -> None:
        if not cameras:
            raise ValueError("there are no cameras to measure from")
        self.scene = scene
        self.cameras = tuple(cameras)
        self.background = background

    def picture(self, number: int) -> Tensor:
        """What the other scene looks like from a camera, uint8 ``(H, W, 3)``."""
        return draw(self.scene, self.cameras[number], self.background)


def find_references(
    views: Sequence[View],
    other: GaussianScene | None = None,
    count: int | None = None,
    background: Color = BLACK,
) -> Steps[References]:
    """Choose what to measure against; a job.

    The photos, if there are any; else the pictures of another scene, from the views or from cameras
    generated around it. Of photos and views the held-out ones are taken, all where none is.

    Parameters
    ----------
    other
        A scene to measure against where there are no photos.
    count
        Leave photos and views aside, and generate that many cameras.

    Raises
    ------
    UserError
        If there are neither photos nor another scene.
    """
    photos = [view for view in views if view.photo is not None and count is None]
    if photos:
        return PhotoReferences(held_out(photos), background)
    if other is None:
        raise UserError(
            "There are no photos to measure against.",
            "Give a folder of posed photos, or another scene to compare with.",
        )
    if views and count is None:
        return SceneReferences(other, [view.camera for view in held_out(views)], background)
    cameras = yield from rig_steps(other, count or DEFAULT_RIG_COUNT, phase=_RIG_PHASE)
    return SceneReferences(other, cameras, background)


def held_out(views: Sequence[View]) -> Sequence[View]:
    """The views that nothing was fitted to; all of them where none is held out."""
    return [view for view in views if view.split == Split.TEST] or views


@torch.no_grad()
def draw(scene: GaussianScene, camera: Camera, background: Color) -> Tensor:
    """A picture of a scene as it would be saved, uint8 ``(H, W, 3)``."""
    rgb = render(scene, camera, background=background).rgb
    return (rgb.clamp_(0, 1) * 255).round_().to(torch.uint8)
