"""Posed views read from a file, whatever the file was."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.cameras import Matrix, Split, View

TEST_EVERY = 8


class DatasetKind(StrEnum):
    """Where the poses came from."""

    TRANSFORMS = "transforms"
    COLMAP = "colmap"
    CAMERAS_JSON = "cameras.json"


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """Sparse points: ``positions`` float32 ``(M, 3)``, ``colors`` uint8 ``(M, 3)`` or None."""

    positions: NDArray[np.float32]
    colors: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Views of one scene, sorted by name, and the sparse points that came with them.

    Parameters
    ----------
    views
        At least one; each with or without its photo.
    points, point_colors
        Sparse points in the frame of the cameras, ``(M, 3)``, and their colours in 0..255.
    up
        Estimated direction away from the ground, ``(3,)``, of length 1.
    kind, path
        What the poses were read from, and where.
    """

    views: tuple[View, ...]
    points: NDArray[np.float32] | None
    point_colors: NDArray[np.uint8] | None
    up: Matrix
    kind: DatasetKind
    path: Path

    @property
    def train(self) -> tuple[View, ...]:
        """The views to fit to."""
        return tuple(view for view in self.views if view.split == Split.TRAIN)

    @property
    def test(self) -> tuple[View, ...]:
        """The held-out views."""
        return tuple(view for view in self.views if view.split == Split.TEST)


def every_eighth(index: int) -> Split:
    """The field's split: sorted by name, every eighth view from the first is for testing."""
    return Split.TEST if index % TEST_EVERY == 0 else Split.TRAIN


def mean_up(views: Sequence[View]) -> Matrix:
    """Mean upward direction of the pictures (camera ``-y``), ``(3,)``; ``-y`` if they cancel."""
    total = -np.sum([view.camera.world_to_camera[1, :3] for view in views], axis=0)
    length = float(np.linalg.norm(total))
    if length < 0.05 * len(views):
        return np.array([0.0, -1.0, 0.0])
    return np.asarray(total / length, dtype=np.float64)
