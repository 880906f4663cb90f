"""Pinhole cameras and the views they make: a camera with or without its photo."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera in the OpenCV convention: x right, y down, z forward.

    Parameters
    ----------
    world_to_camera
        Rigid transform, float64 ``(4, 4)``.
    K
        Intrinsics in pixels, float64 ``(3, 3)``; the centre of the first pixel is at (0.5, 0.5).
    width, height
        Size of the picture in pixels.
    name
        What to call it, usually the photo's file name.
    """

    world_to_camera: Matrix
    K: Matrix
    width: int
    height: int
    name: str = ""

    def __post_init__(self) -> None:
        for attribute, shape in (("world_to_camera", (4, 4)), ("K", (3, 3))):
            matrix = np.array(getattr(self, attribute), dtype=np.float64)
            if matrix.shape != shape or not np.isfinite(matrix).all():
                raise ValueError(f"{attribute} must be a finite {shape} matrix")
            matrix.flags.writeable = False
            object.__setattr__(self, attribute, matrix)
        if self.width < 1 or self.height < 1:
            raise ValueError("a camera's picture has at least one pixel")
        if self.K[0, 0] <= 0 or self.K[1, 1] <= 0:
            raise ValueError("focal lengths are positive")

    @property
    def position(self) -> Matrix:
        """Centre of projection in the world, ``(3,)``."""
        return -self.world_to_camera[:3, :3].T @ self.world_to_camera[:3, 3]

    @property
    def camera_to_world(self) -> Matrix:
        """Inverse of ``world_to_camera``, ``(4, 4)``."""
        inverse = np.eye(4)
        inverse[:3, :3] = self.world_to_camera[:3, :3].T
        inverse[:3, 3] = self.position
        return inverse

    @property
    def forward(self) -> Matrix:
        """Viewing direction in the world, ``(3,)``, of length 1."""
        return np.array(self.world_to_camera[2, :3])

    def same_as(self, other: "Camera") -> bool:
        """Whether both make the same picture, whatever they are called."""
        return self is other or (
            (self.width, self.height) == (other.width, other.height)
            and np.array_equal(self.world_to_camera, other.world_to_camera)
            and np.array_equal(self.K, other.K)
        )

    def resized(self, width: int, height: int) -> Self:
        """The same view at another size in pixels."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return replace(self, K=scale @ self.K, width=width, height=height)

    def scaled(self, factor: float) -> Self:
        """The same view with its sides multiplied by ``factor``, at least one pixel each."""
        return self.resized(max(1, round(self.width * factor)), max(1, round(self.height * factor)))


@dataclass(frozen=True, slots=True)
class Lens:
    """How a photo was taken where that is not a pinhole: a COLMAP camera model.

    Parameters
    ----------
    model
        Name in COLMAP's list, such as ``OPENCV`` or ``SIMPLE_RADIAL_FISHEYE``.
    params
        Focal lengths, principal point and distortion coefficients in that model's order; lengths
        in pixels of a ``width`` x ``height`` photo, first pixel centre at (0.5, 0.5).
    """

    model: str
    params: tuple[float, ...]
    width: int
    height: int


class Split(StrEnum):
    """What a view is for: to fit the scene to, or to measure it on."""

    TRAIN = "train"
    TEST = "test"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A camera with or without its photo.

    Parameters
    ----------
    camera
        The pinhole camera that the undistorted photo agrees with.
    photo
        The photo's file, as taken; None where there is none.
    split
        Whether to fit to it or to measure on it.
    lens
        The lens the photo was taken with; None if the photo already is a pinhole picture.
    """

    camera: Camera
    photo: Path | None = None
    split: Split = Split.TRAIN
    lens: Lens | None = None

    @property
    def name(self) -> str:
        """What to call it: the camera's name."""
        return self.camera.name


def intrinsics(fov_y_deg: float, width: int, height: int) -> Matrix:
    """Centred pinhole intrinsics for a vertical field of view in degrees, ``(3, 3)``."""
    focal = 0.5 * height / np.tan(np.radians(fov_y_deg) / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike) -> Matrix:
    """World-to-camera transform of an eye that looks at a target, ``(4, 4)``.

    ``up`` is the direction that appears upwards in the picture (camera ``-y``).
    """
    eye, target, up = (np.asarray(v, dtype=np.float64) for v in (eye, target, up))
    forward = target - eye
    norm = np.linalg.norm(forward)
    if norm == 0:
        raise ValueError("eye and target are the same point")
    forward /= norm
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-9:
        right = np.cross(forward, np.eye(3)[np.argmin(np.abs(forward))])
    right /= np.linalg.norm(right)
    transform = np.eye(4)
    transform[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    transform[:3, 3] = -transform[:3, :3] @ eye
    return transform
