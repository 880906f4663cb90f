"""What a scene is fitted to: pictures by camera, photos or renders of another scene."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera, Matrix, View
from core.datasets import load_photo, over_background
from core.datasets.photos import Photo, may_be_transparent
from core.errors import UserError
from core.framing import scene_frame
from core.metrics.blur import WINDOW
from core.rendering import render
from core.scene import GaussianScene
from core.training.backgrounds import (
    BLACK,
    RANDOM,
    Background,
    Color,
    background_at,
)

PHOTO_BYTES = 2**31
"""Photos held in memory, as they are read; the rest is read anew each time."""
EXTENT_FACTOR = 1.1
"""3D Gaussian Splatting's extent, by the largest distance of a camera from their mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A camera, the picture wanted there, float32 ``(H, W, 3)`` in 0..1, and what is behind it."""

    camera: Camera
    picture: Tensor
    background: Color


class Targets(Protocol):
    """Pictures to fit a scene to."""

    @property
    def background(self) -> Background:
        """What is behind everything."""

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """Where the pictures are from, each once."""

    @property
    def identity(self) -> str:
        """Equal for targets that give equal examples: a resumed run must go on with the same."""

    def example(self, step: int, seed: int) -> Example:
        """What to fit to in a step; depends on ``step`` and ``seed`` alone."""


class PhotoTargets:
    """Photos, each once in every epoch, in an order of its own.

    Photos are read when first needed and kept as bytes while they fit into ``max_bytes``; those
    beyond are read each time.

    Parameters
    ----------
    views
        The views to fit to, with photos; cameras of another size than their photo take a resized
        one.
    background
        What transparent photos lie on, and what the scene is drawn on. None: another colour in
        every step if a photo may be transparent, else black.
    device
        Where the pictures are wanted: the scene's.

    Raises
    ------
    UserError
        If there are no views, or one has no photo or is too small to be compared.
    """

    def __init__(
        self,
        views: Sequence[View],
        background: Background | None = None,
        device: torch.device | str = "cpu",
        max_bytes: int = PHOTO_BYTES,
    ) -> None:
        self._views = tuple(views)
        self._device = torch.device(device)
        self._room = max_bytes
        self._photos: dict[int, Photo] = {}
        if not self._views:
            raise UserError("There are no photos to fit to.", "Give a folder of posed photos.")
        for view in self._views:
            if view.photo is None or not view.photo.is_file():
                raise UserError(
                    f"There is no photo for view {view.name}.",
                    "Put the photos beside the cameras (folder images), or refine against the "
                    "scene itself.",
                )
        _check_sizes(self.cameras)
        if background is None:
            files = [view.photo for view in self._views if view.photo is not None]
            background = RANDOM if any(map(may_be_transparent, files)) else BLACK
        self.background: Background = background

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The views' cameras."""
        return tuple(view.camera for view in self._views)

    @property
    def identity(self) -> str:
        """By cameras, names and background."""
        return _digest("photos", self.background, self.cameras)

    def example(self, step: int, seed: int) -> Example:
        """The photo of a step, on the background of that step.

        Raises
        ------
        UserError
            If its file is gone or damaged by now.
        """
        background = background_at(self.background, step, seed)
        index = shuffled(step, len(self._views), seed)
        photo = over_background(self._photo(index), background)
        picture = torch.from_numpy(np.divide(photo, np.float32(255))).to(self._device)
        return Example(self._views[index].camera, picture, background)

    def _photo(self, index: int) -> Photo:
        photo = self._photos.get(index)
        if photo is None:
            photo = load_photo(self._views[index])
            if photo.nbytes <= self._room:
                self._room -= photo.nbytes
                self._photos[index] = photo
        return photo


class SelfTargets:
    """A scene's own pictures, for fitting another to them where there are no photos.

    Some pictures are from exactly one of the cameras, the rest from beside one, moved and turned a
    little, so that what is fitted holds between them too.

    Parameters
    ----------
    scene
        What to look like; it is drawn anew for each step.
    cameras
        Where to look from.
    background
        What the scenes are drawn on.
    jitter
        How far pictures stray: the standard deviation of the position by the distance to the
        nearest camera, and of the direction by an eighth of the field of view.
    straight
        Share of the pictures from exactly the cameras.

    Raises
    ------
    UserError
        If there are no cameras, or their pictures are too small to be compared.
    """

    def __init__(
        self,
        scene: GaussianScene,
        cameras: Sequence[Camera],
        background: Background = BLACK,
        jitter: float = 1.0,
        straight: float = 0.5,
    ) -> None:
        self.background = background
        self._scene = scene
        self._cameras = tuple(cameras)
        self._jitter = jitter
        self._straight = straight
        if not self._cameras:
            raise UserError("There are no cameras to draw the scene from.", "Give views.")
        if not len(scene):
            raise UserError("The scene is empty: there is nothing to fit to.")
        _check_sizes(self._cameras)
        self._reach = _spacing(scene, self._cameras)

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The cameras as they were given."""
        return self._cameras

    @property
    def identity(self) -> str:
        """By cameras, settings and what is drawn."""
        return _digest(
            "self", self.background, self._cameras, self._jitter, self._straight, self._scene
        )

    def example(self, step: int, seed: int) -> Example:
        """The scene from a camera or from beside it."""
        index = shuffled(step, len(self._cameras), seed)
        camera = self._cameras[index]
        rng = np.random.default_rng([seed, step, 1])
        if rng.random() >= self._straight:
            camera = self._moved(camera, float(self._reach[index]), rng)
        background = background_at(self.background, step, seed)
        with torch.no_grad():
            drawn = render(self._scene, camera, background=background)
        return Example(camera, drawn.rgb.clamp(0, 1), background)

    def _moved(self, camera: Camera, reach: float, rng: np.random.Generator) -> Camera:
        slope = min(camera.width / camera.K[0, 0], camera.height / camera.K[1, 1]) / 2
        fov = 2 * math.atan(slope)
        turn = _rotation(self._jitter * fov / 8 * rng.standard_normal(3))
        position = camera.position + self._jitter * reach / math.sqrt(3) * rng.standard_normal(3)
        transform = np.eye(4)
        transform[:3, :3] = turn @ camera.world_to_camera[:3, :3]
        transform[:3, 3] = -transform[:3, :3] @ position
        return replace(camera, world_to_camera=transform)


def shuffled(step: int, count: int, seed: int) -> int:
    """The index of a step when ``count`` things are gone through again and again, each time in a
    new order."""
    epoch, place = divmod(step, count)
    return int(np.random.default_rng([seed, epoch, 0]).permutation(count)[place])


def extent_of(cameras: Sequence[Camera], otherwise: float = 1.0) -> float:
    """The scale of learning rates and sizes in world units, as in 3D Gaussian Splatting.

    1.1 times the largest distance of a camera from their mean; ``otherwise`` if there is none.
    """
    centers = np.stack([camera.position for camera in cameras])
    radius = float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).max())
    return EXTENT_FACTOR * radius if radius > 1e-9 else otherwise


def _spacing(scene: GaussianScene, cameras: Sequence[Camera]) -> Matrix:
    """How far each camera may stray, ``(C,)``.

    The distance to its nearest other camera, but at most a tenth of that to the scene's middle.
    """
    centers = np.stack([camera.position for camera in cameras])
    limit = np.linalg.norm(centers - scene_frame(scene).center, axis=1) / 10
    if len(cameras) < 2:
        return np.asarray(limit)
    apart = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    return np.asarray(np.where(nearest > 0, np.minimum(nearest, limit), limit))


def _rotation(vector: NDArray[np.float64]) -> Matrix:
    """Rotation by ``|vector|`` radians around it (Rodrigues), ``(3, 3)``."""
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


def _check_sizes(cameras: Sequence[Camera]) -> None:
    for camera in cameras:
        if min(camera.width, camera.height) < WINDOW:
            raise UserError(
                f"The picture of {camera.name or 'a view'} has {camera.width} x {camera.height} "
                f"pixels; fitting needs at least {WINDOW} x {WINDOW}.",
                "Use larger photos or a larger scale.",
            )


def _digest(*parts: object) -> str:
    """A short fingerprint of colours, cameras and scenes."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, GaussianScene):
            digest.update(scene_digest(part).encode())
        elif isinstance(part, tuple) and part and isinstance(part[0], Camera):
            for camera in part:
                digest.update(repr((camera.name, camera.width, camera.height)).encode())
                digest.update(camera.world_to_camera.tobytes() + camera.K.tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def scene_digest(scene: GaussianScene) -> str:
    """A fingerprint of a scene's tensors."""
    digest = hashlib.blake2b(repr(scene.antialiased).encode(), digest_size=16)
    for name, tensor in scene.tensors().items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
