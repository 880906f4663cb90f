"""A scene's own camera as a comment of a PLY header, which other programs pass over.

``splatscope camera``, width and height in pixels, fx fy cx cy in pixels, and the rotation and
translation from world to camera: the upper three rows of the matrix, row by row.
"""

from collections.abc import Iterable

import numpy as np

from core.cameras import Camera

_NAME = "splatscope camera"
_NUMBERS = 18
_MOST_SIDE_PX = 65_536
_MOST = 1e9
_TOLERANCE = 1e-4


def camera_comment(camera: Camera) -> str:
    """The comment that :func:`commented_camera` reads; exact but for skew, which has no place."""
    K = camera.K
    lengths = (K[0, 0], K[1, 1], K[0, 2], K[1, 2], *camera.world_to_camera[:3].ravel())
    numbers = " ".join(f"{float(value)!r}" for value in lengths)
    return f"{_NAME} {camera.width} {camera.height} {numbers}"


def commented_camera(comments: Iterable[str]) -> Camera | None:
    """The camera among a header's comments; None without one, or where it is none that can be."""
    words = next((text[len(_NAME) :].split() for text in comments if text.startswith(_NAME)), [])
    try:
        width, height = (int(word) for word in words[:2])
        fx, fy, cx, cy, *rows = (float(word) for word in words[2:])
    except ValueError:
        return None
    numbers = np.array([fx, fy, cx, cy, *rows])
    if len(words) != _NUMBERS or not (np.abs(numbers) < _MOST).all():
        return None
    world_to_camera = np.vstack([np.reshape(rows, (3, 4)), [0, 0, 0, 1]])
    rotation = world_to_camera[:3, :3]
    is_rotation = np.allclose(rotation @ rotation.T, np.eye(3), atol=_TOLERANCE)
    if not is_rotation or np.linalg.det(rotation) < 0 or max(width, height) > _MOST_SIDE_PX:
        return None
    try:
        intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        return Camera(world_to_camera, intrinsics, width, height, "image")
    except ValueError:
        return None
