"""An orbit camera: where the viewport looks from, and what the mouse does to it."""

from dataclasses import dataclass, replace
from math import atan2, cos, hypot, pi, radians, sin, tan

import numpy as np
from numpy.typing import ArrayLike

from core.cameras import Camera, Matrix

ORBIT_RADIANS_PER_PX = 0.006
DOLLY_FACTOR = 0.86
LEVELLING_PX = 150.0
DEFAULT_FOV_DEG = 50.0
FRAME_MARGIN = 1.05
NEAREST, FARTHEST = 1e-2, 1e2
"""Limits of the distance to the pivot, in scene radii."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where an orbit camera stands, in angles about the world's up axis.

    Attributes
    ----------
    pivot
        The point in the middle of the picture that orbiting turns about, ``(3,)``.
    distance
        From the eye to the pivot, world units.
    yaw, pitch, roll
        Radians; ``pitch`` is the height of the viewing direction above the horizon, from -pi/2 to
        pi/2; ``roll`` turns the picture, 0 is level.
    tan_x, tan_y
        Tangents of the half angles that are at least visible, whatever the window's shape.
    """

    pivot: Matrix
    distance: float
    yaw: float
    pitch: float
    roll: float
    tan_x: float
    tan_y: float

    def mix(self, other: "Pose", share: float) -> "Pose":
        """The pose at ``share`` of the way to another one; angles take the short way."""

        def linear(a: float, b: float) -> float:
            return a + (b - a) * share

        def angle(a: float, b: float) -> float:
            return a + ((b - a + pi) % (2 * pi) - pi) * share

        return Pose(
            pivot=self.pivot + (other.pivot - self.pivot) * share,
            distance=self.distance * (other.distance / self.distance) ** share,
            yaw=angle(self.yaw, other.yaw),
            pitch=linear(self.pitch, other.pitch),
            roll=angle(self.roll, other.roll),
            tan_x=linear(self.tan_x, other.tan_x),
            tan_y=linear(self.tan_y, other.tan_y),
        )


class Navigator:
    """Turns gestures in pixels into poses. Orbiting is level and free of drift.

    The orientation is kept as angles, so it cannot drift, and the picture's right-hand direction
    depends on the yaw alone, so nothing flips at the poles.

    Parameters
    ----------
    up
        The world's up axis, ``(3,)``, of any non-zero length.
    """

    def __init__(self, up: ArrayLike = (0.0, -1.0, 0.0)) -> None:
        half = tan(radians(DEFAULT_FOV_DEG) / 2)
        self.pose = Pose(np.zeros(3), 3.0, 0.0, 0.0, 0.0, half, half)
        self._width, self._height = 1, 1
        self._radius = 1.0
        self.set_up(up)

    def set_up(self, up: ArrayLike) -> None:
        """Orbit about another axis from now on; the angles are read against it."""
        axis = np.asarray(up, dtype=np.float64)
        self._up = axis / np.linalg.norm(axis)
        least = np.eye(3)[np.argmin(np.abs(self._up))]
        self._east = np.cross(self._up, least)
        self._east /= np.linalg.norm(self._east)
        self._north = np.cross(self._up, self._east)

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the widget, in the pixels of the mouse."""
        self._width, self._height = max(1, width), max(1, height)

    def camera(self, width: int, height: int) -> Camera:
        """The camera for a picture of a size in pixels."""
        rotation = self._rotation(self.pose)
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3] = rotation
        world_to_camera[:3, 3] = -rotation @ self._eye(self.pose)
        focal = self._focal(width, height)
        K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return Camera(world_to_camera, K, width, height)

    def orbit(self, dx: float, dy: float) -> None:
        """Turn about the pivot as if the scene were dragged by ``dx, dy`` pixels.

        A roll taken over from a dataset's camera levels out on the way.
        """
        pose = self.pose
        self.pose = replace(
            pose,
            yaw=pose.yaw - dx * ORBIT_RADIANS_PER_PX,
            pitch=min(pi / 2, max(-pi / 2, pose.pitch - dy * ORBIT_RADIANS_PER_PX)),
            roll=pose.roll * 2.0 ** (-hypot(dx, dy) / LEVELLING_PX),
        )

    def pan(self, dx: float, dy: float) -> None:
        """Move the eye so that what lies at the pivot's depth follows the mouse."""
        right, down, _ = self._rotation(self.pose)
        unit = self.pose.distance / self._focal(self._width, self._height)
        self.pose = replace(self.pose, pivot=self.pose.pivot - (right * dx + down * dy) * unit)

    def dolly(self, steps: float, x: float | None = None, y: float | None = None) -> None:
        """Approach (``steps`` > 0) or leave the point under the cursor at the pivot's depth.

        Very near the pivot the whole camera moves on, so one can always go further in.
        """
        pose = self.pose
        right, down, forward = self._rotation(pose)
        focal = self._focal(self._width, self._height)
        x = self._width / 2 if x is None else x
        y = self._height / 2 if y is None else y
        aside = (right * (x - self._width / 2) + down * (y - self._height / 2)) / focal
        wanted = pose.distance * DOLLY_FACTOR**steps
        distance = min(max(wanted, NEAREST * self._radius), FARTHEST * self._radius)
        pivot = pose.pivot + aside * (pose.distance - distance)
        if steps > 0 and wanted < distance:
            pivot = pivot + (forward + aside) * (distance - wanted)
        self.pose = replace(pose, pivot=pivot, distance=distance)

    def frame(self, center: ArrayLike, radius: float) -> None:
        """Step back or forward until a ball fills the picture; keeps the viewing direction."""
        self._radius = max(float(radius), 1e-9)
        focal = self._focal(self._width, self._height)
        half = min(self._width, self._height) / 2
        distance = FRAME_MARGIN * self._radius * hypot(half, focal) / half
        self.pose = replace(
            self.pose, pivot=np.array(center, dtype=np.float64), distance=distance, roll=0.0
        )

    def set_pivot(self, point: ArrayLike) -> None:
        """Bring a point into the middle of the picture without turning or zooming, and orbit it."""
        target = np.array(point, dtype=np.float64)
        depth = float((target - self._eye(self.pose)) @ self._rotation(self.pose)[2])
        if depth > NEAREST * self._radius:
            self.pose = replace(self.pose, pivot=target, distance=depth)

    def go_to(self, camera: Camera) -> None:
        """Take over a camera's place, direction, roll and field of view.

        The pivot moves onto its axis, to the depth where the old pivot was.
        """
        right, _, forward = camera.world_to_camera[:3, :3]
        rise = min(1.0, max(-1.0, float(forward @ self._up)))
        heading = forward - rise * self._up
        if np.linalg.norm(heading) > 1e-6:
            yaw = atan2(float(heading @ self._north), float(heading @ self._east))
        else:
            yaw = atan2(float(-right @ self._east), float(right @ self._north)) + pi
        pitch = atan2(rise, float(np.linalg.norm(heading)))
        level = replace(self.pose, yaw=yaw, pitch=pitch, roll=0.0)
        level_right, level_down, _ = self._rotation(level)
        depth = float((self.pose.pivot - camera.position) @ forward)
        distance = depth if depth > NEAREST * self._radius else self._radius
        self.pose = Pose(
            pivot=camera.position + forward * distance,
            distance=distance,
            yaw=yaw,
            pitch=pitch,
            roll=atan2(float(right @ level_down), float(right @ level_right)),
            tan_x=camera.width / (2 * float(camera.K[0, 0])),
            tan_y=camera.height / (2 * float(camera.K[1, 1])),
        )

    def _focal(self, width: int, height: int) -> float:
        return min(width / (2 * self.pose.tan_x), height / (2 * self.pose.tan_y))

    def _eye(self, pose: Pose) -> Matrix:
        eye: Matrix = pose.pivot - self._rotation(pose)[2] * pose.distance
        return eye

    def _rotation(self, pose: Pose) -> Matrix:
        """Rows right, down, forward."""
        heading = self._east * cos(pose.yaw) + self._north * sin(pose.yaw)
        right = np.cross(heading, self._up)
        forward = heading * cos(pose.pitch) + self._up * sin(pose.pitch)
        down = np.cross(forward, right)
        rolled = right * cos(pose.roll) + down * sin(pose.roll)
        return np.stack([rolled, np.cross(forward, rolled), forward])
