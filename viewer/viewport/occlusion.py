"""What the scene hides of the lines that lie in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera, Matrix
from core.rendering import render
from core.scene import GaussianScene

WIDTH = 256
SOLID = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap:
    """How far away the first solid surface is, seen from a camera.

    ``depth`` is float64 ``(H, W)`` along the viewing axis, infinite where nothing is solid.
    """

    camera: Camera
    depth: Matrix

    @classmethod
    def of(cls, scene: GaussianScene, visible: Tensor, camera: Camera) -> "DepthMap":
        """A small depth map of the visible Gaussians; for a worker."""
        small = camera.scaled(min(1.0, WIDTH / camera.width))
        seen = render(scene, small, keep=visible.to(scene.device), depth=True)
        assert seen.depth is not None
        depth = seen.depth.detach().cpu().numpy().astype(np.float64)
        depth[seen.alpha.detach().cpu().numpy() < SOLID] = np.inf
        return cls(small, depth)

    def hides(self, points: Matrix, margin: float) -> NDArray[np.bool_]:
        """Which points ``(N, 3)`` lie more than ``margin`` behind the surface, bool ``(N,)``.

        Points outside of the map are not hidden.
        """
        camera = self.camera
        local = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        depth = local[:, 2]
        flat = local @ camera.K.T
        pixels = np.floor(flat[:, :2] / np.maximum(depth, 1e-9)[:, None])
        size = (camera.width, camera.height)
        inside = (depth > 0) & ((pixels >= 0) & (pixels < size)).all(axis=1)
        column, row = pixels[inside].astype(int).T
        hidden = np.zeros(len(points), dtype=bool)
        hidden[inside] = depth[inside] > self.depth[row, column] + margin
        return hidden
