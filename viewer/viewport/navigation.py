"""The viewport's camera: where it looks from, and what orbiting, flying and zooming do to it."""

from dataclasses import dataclass, replace
from math import atan2, cos, exp, hypot, pi, radians, sin, tan

import numpy as np
from numpy.typing import ArrayLike

from core.cameras import Camera, Matrix

ORBIT_RADIANS_PER_PX = 0.006
DOLLY_FACTOR = 0.86
LEVELLING_PX = 150.0
DEFAULT_FOV_DEG = 50.0
FRAME_MARGIN = 1.05
LOOK_RADIANS_PER_PX = 0.004
ORTHO_FACTOR = 500.0
"""How much farther than the scene is large, or than the pivot is away, a parallel view stands."""
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

    With ``orthographic`` set, the picture is taken through a long lens from far away: the eye is
    :data:`ORTHO_FACTOR` times as far as the pivot (or the scene's radius, if that is more) and the
    focal length is scaled alike, so every renderer draws it as any other camera. This is not quite
    parallel: up to the corners of a 16:10 picture of the default field of view, rays leave the
    viewing direction by less than 0.2 %, and depths are counted from that far eye. What lies at
    the pivot keeps its size when it is switched on or off, and gestures act on the pose, so they
    feel the same.

    Parameters
    ----------
    up
        The world's up axis, ``(3,)``, of any non-zero length.
    """

    def __init__(self, up: ArrayLike = (0.0, -1.0, 0.0)) -> None:
        half = tan(radians(DEFAULT_FOV_DEG) / 2)
        self.pose = Pose(np.zeros(3), 3.0, 0.0, 0.0, 0.0, half, half)
        self._width, self._height = 1, 1
        self.radius = 1.0
        """Of the scene, in world units: the measure of speeds and limits."""
        self.orthographic = False
        self.drag_speed = 1.0
        """Factor on how far a drag turns."""
        self.set_up(up)

    def set_up(self, up: ArrayLike) -> None:
        """Orbit about another axis from now on; the angles are read against it."""
        axis = np.asarray(up, dtype=np.float64)
        self._up: Matrix = axis / np.linalg.norm(axis)
        least = np.eye(3)[np.argmin(np.abs(self._up))]
        self._east = np.cross(self._up, least)
        self._east /= np.linalg.norm(self._east)
        self._north = np.cross(self._up, self._east)

    @property
    def up(self) -> Matrix:
        """The axis that orbiting turns about, ``(3,)``, of length 1."""
        return self._up

    @property
    def rotation(self) -> Matrix:
        """The picture's right, down and forward in the world, as rows, ``(3, 3)``."""
        return self._rotation(self.pose)

    @property
    def depth_offset(self) -> float:
        """By how much the camera's depths are larger than from the pose's eye, world units."""
        if not self.orthographic:
            return 0.0
        return ORTHO_FACTOR * max(self.pose.distance, self.radius) - self.pose.distance

    def turn_up(self, up: ArrayLike) -> None:
        """Orbit about another axis from now on, but go on seeing the same picture."""
        rotation = self._rotation(self.pose)
        self.set_up(up)
        self.pose = self._turned(rotation)

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the widget, in the pixels of the mouse."""
        self._width, self._height = max(1, width), max(1, height)

    def camera(self, width: int, height: int) -> Camera:
        """The camera for a picture of a size in pixels."""
        rotation = self._rotation(self.pose)
        distance = self.pose.distance + self.depth_offset
        eye = self.pose.pivot - rotation[2] * distance
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3] = rotation
        world_to_camera[:3, 3] = -rotation @ eye
        focal = self._focal(width, height) * (distance / self.pose.distance)
        K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return Camera(world_to_camera, K, width, height)

    def orbit(self, dx: float, dy: float) -> None:
        """Turn about the pivot as if the scene were dragged by ``dx, dy`` pixels.

        A roll taken over from a dataset's camera levels out on the way.
        """
        pose = self.pose
        self.pose = replace(
            pose,
            yaw=pose.yaw - dx * ORBIT_RADIANS_PER_PX * self.drag_speed,
            pitch=_upright(pose.pitch - dy * ORBIT_RADIANS_PER_PX * self.drag_speed),
            roll=pose.roll * 2.0 ** (-hypot(dx, dy) / LEVELLING_PX),
        )

    def look(self, dx: float, dy: float) -> None:
        """Turn the head by a drag of ``dx, dy`` pixels: the eye stays, the pivot swings along."""
        pose = self.pose
        eye = self._eye(pose)
        turned = replace(
            pose,
            yaw=pose.yaw - dx * LOOK_RADIANS_PER_PX * self.drag_speed,
            pitch=_upright(pose.pitch - dy * LOOK_RADIANS_PER_PX * self.drag_speed),
            roll=pose.roll * 2.0 ** (-hypot(dx, dy) / LEVELLING_PX),
        )
        pivot = eye + self._rotation(turned)[2] * pose.distance
        self.pose = replace(turned, pivot=pivot)

    def fly(self, right: float, up: float, forward: float) -> None:
        """Move the eye and the pivot with it, world units; ``up`` is along the world's axis.

        In a parallel view, where going forward shows nothing new, it enlarges instead, as much as
        the same way would enlarge what lies at the pivot.
        """
        pose = self.pose
        across, _, ahead = self._rotation(pose)
        pivot = pose.pivot + across * right + self._up * up
        distance = pose.distance
        if self.orthographic:
            distance = self._limited(distance * exp(-forward / distance))
        else:
            pivot = pivot + ahead * forward
        self.pose = replace(pose, pivot=pivot, distance=distance)

    def look_along(self, direction: ArrayLike) -> None:
        """Look at the pivot along a direction, ``(3,)``, level and from the same distance.

        Straight along the up axis the picture is turned by the least angle that makes its sides
        run along world axes as well as they can.
        """
        axis = np.asarray(direction, dtype=np.float64)
        axis = axis / np.linalg.norm(axis)
        rise = min(1.0, max(-1.0, float(axis @ self._up)))
        flat = axis - rise * self._up
        length = float(np.linalg.norm(flat))
        if length > 1e-3:
            yaw = self._yaw(flat)
        else:
            aside = [a - (a @ self._up) * self._up for a in (*np.eye(3), *-np.eye(3))]
            yaws = [self._yaw(a) for a in aside if np.linalg.norm(a) > 0.5]
            yaw = min(yaws, key=lambda yaw: abs((yaw - self.pose.yaw + pi) % (2 * pi) - pi))
        self.pose = replace(self.pose, yaw=yaw, pitch=atan2(rise, length), roll=0.0)

    def level(self) -> None:
        """Take the roll out of the picture."""
        self.pose = replace(self.pose, roll=0.0)

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
        distance = self._limited(wanted)
        pivot = pose.pivot + aside * (pose.distance - distance)
        if steps > 0 and wanted < distance and not self.orthographic:
            pivot = pivot + (forward + aside) * (distance - wanted)
        self.pose = replace(pose, pivot=pivot, distance=distance)

    def frame(self, center: ArrayLike, radius: float) -> None:
        """Step back or forward until a ball fills the picture; keeps the viewing direction."""
        focal = self._focal(self._width, self._height)
        half = min(self._width, self._height) / 2
        distance = FRAME_MARGIN * max(float(radius), 1e-9) * hypot(half, focal) / half
        self.pose = replace(
            self.pose, pivot=np.array(center, dtype=np.float64), distance=distance, roll=0.0
        )

    def frame_box(self, box: Matrix) -> None:
        """Step back or forward until a box, corners ``(2, 3)``, fills the picture, as above."""
        self.pose = replace(self.pose, pivot=box.mean(axis=0), roll=0.0)
        self.pose = replace(self.pose, distance=self._distance_to(box))

    def step_back(self, box: Matrix, most: float) -> None:
        """Have a box all in sight, if the pose is not as good as there: ``most`` times as far."""
        distance = self._distance_to(box)
        if self.pose.distance < distance <= most * self.pose.distance:
            self.pose = replace(self.pose, distance=distance)

    def _distance_to(self, box: Matrix) -> float:
        """How far from the pivot a box, corners ``(2, 3)``, is all in sight."""
        corners = np.stack(np.meshgrid(*(box - self.pose.pivot).T), -1).reshape(-1, 3)
        right, down, ahead = (corners @ self._rotation(self.pose).T).T
        focal = self._focal(self._width, self._height)
        across = 2 * focal * np.maximum(abs(right) / self._width, abs(down) / self._height)
        return FRAME_MARGIN * float((across - ahead).max())

    def set_pivot(self, point: ArrayLike) -> None:
        """Bring a point into the middle of the picture without turning or zooming, and orbit it."""
        target = np.array(point, dtype=np.float64)
        depth = float((target - self._eye(self.pose)) @ self._rotation(self.pose)[2])
        if self.orthographic:
            self.pose = replace(self.pose, pivot=target)
        elif depth > self._nearest:
            self.pose = replace(self.pose, pivot=target, distance=depth)

    def go_to(self, camera: Camera) -> None:
        """Take over a camera's place, direction, roll and field of view; ends a parallel view.

        The pivot moves onto its axis, to the depth where the old pivot was.
        """
        forward = camera.forward
        depth = float((self.pose.pivot - camera.position) @ forward)
        distance = depth if depth > self._nearest else self.radius
        self.orthographic = False
        self.pose = replace(
            self._turned(camera.world_to_camera[:3, :3]),
            pivot=camera.position + forward * distance,
            distance=distance,
            tan_x=camera.width / (2 * float(camera.K[0, 0])),
            tan_y=camera.height / (2 * float(camera.K[1, 1])),
        )

    @property
    def _nearest(self) -> float:
        return min(NEAREST * self.radius, self.pose.distance)

    def _limited(self, distance: float) -> float:
        return min(max(distance, self._nearest), FARTHEST * self.radius)

    def _turned(self, rotation: Matrix) -> Pose:
        """The present pose with the angles that make a rotation, rows right, down, forward."""
        right, _, forward = rotation
        rise = min(1.0, max(-1.0, float(forward @ self._up)))
        heading = forward - rise * self._up
        if np.linalg.norm(heading) > 1e-6:
            yaw = self._yaw(heading)
        else:
            yaw = atan2(float(-right @ self._east), float(right @ self._north)) + pi
        pitch = atan2(rise, float(np.linalg.norm(heading)))
        level = replace(self.pose, yaw=yaw, pitch=pitch, roll=0.0)
        level_right, level_down, _ = self._rotation(level)
        roll = atan2(float(right @ level_down), float(right @ level_right))
        return replace(level, roll=roll)

    def _yaw(self, heading: Matrix) -> float:
        return atan2(float(heading @ self._north), float(heading @ self._east))

    def _focal(self, width: int, height: int) -> float:
        return min(width / (2 * self.pose.tan_x), height / (2 * self.pose.tan_y))

    def _eye(self, pose: Pose) -> Matrix:
        eye: Matrix = pose.pivot - self._rotation(pose)[2] * pose.distance
        return eye

    def _rotation(self, pose: Pose) -> Matrix:
        """Rows right, down, forward."""
        heading = self._east * cos(pose.yaw) + self._north * sin(pose.yaw)
        right = self._east * sin(pose.yaw) - self._north * cos(pose.yaw)
        forward = heading * cos(pose.pitch) + self._up * sin(pose.pitch)
        down = heading * sin(pose.pitch) - self._up * cos(pose.pitch)
        turned, risen = cos(pose.roll), sin(pose.roll)
        return np.array([right * turned + down * risen, down * turned - right * risen, forward])


def _upright(pitch: float) -> float:
    return min(pi / 2, max(-pi / 2, pitch))
