"""Scenes in other axes: y up and z back, as SPZ means them, or y down and z ahead, as trained."""

from dataclasses import replace

import numpy as np

from core.scene import GaussianScene

_SIGNS = (1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1)
"""By which the coefficients change when y and z turn: the harmonics are odd or even in them."""


def turned(scene: GaussianScene) -> GaussianScene:
    """The scene turned by half around x, so that y and z point the other way; its own inverse.

    A rotation ``w x y z`` becomes ``w x -y -z``: the axes of an ellipsoid turn too, to no effect.
    """
    camera = scene.camera
    if camera is not None:
        turn = np.diag([1.0, -1.0, -1.0, 1.0])
        camera = replace(camera, world_to_camera=camera.world_to_camera @ turn)
    signs = scene.sh.new_tensor(_SIGNS[: scene.sh.shape[1]])
    return replace(
        scene,
        means=scene.means * scene.means.new_tensor([1, -1, -1]),
        quats=scene.quats * scene.quats.new_tensor([1, 1, -1, -1]),
        sh=scene.sh * signs[:, None],
        camera=camera,
    )
