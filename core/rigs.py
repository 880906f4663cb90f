"""Cameras made around a scene that comes without any.

A rig looks at what is there: from around an object, from within a room, or both where the scene
does not tell. Every candidate is drawn once in a few pixels with its depth, so that cameras in
dense matter, behind a floater or looking at nothing are left out; among the rest, those are taken
that together see the most Gaussians the most often.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from core.cameras import Camera, Matrix, Split, View, intrinsics, look_at
from core.framing import DEFAULT_UP, SceneFrame, scene_frame
from core.jobs import Progress, Steps, drain
from core.rendering import render
from core.scene import GaussianScene

RIG_FOV_Y_DEG = 50.0
DEFAULT_RIG_COUNT = 48
_PROBE_GAUSSIANS = 20_000
_PROBE_SIZE = (96, 54)
_SEEN_PX = 0.03  # blending weight, in pixels, over opacity
_MIN_COVERAGE = 0.15  # or half of what the candidates cover, where that is less
_NEAR = 0.4  # of the distance to the centre
_MAX_BLOCKED = 0.2  # of the picture, at half of that
_ORBIT_DISTANCES = (0.95, 0.7, 0.5)  # of the distance at which the frame's sphere fits
_ATTEMPTS = 3
_GRID = 9
_MIN_INNER = 12
_CLEARANCE = 0.15  # of the radius
_SOLID_OPACITY = 0.3
_SECTORS = 32
_SECTOR_GAUSSIANS = 4_000
_MIN_SECTOR_SHARE = 0.03
_ENCLOSED = 0.75
_ROUND_PX = 64
_ROUND_PLACES = 5
_LESS, _FAR_LESS = -0.1, -0.2  # of what there is to see
_DEFAULT_SINES = (0.35, 0.7, 0.0)  # of the elevation
_DEFAULT_AZIMUTHS = 7
_DEFAULT_COUNT = 12
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))

__all__ = ["SceneFrame", "default_view", "make_rig", "scene_frame"]

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A camera and which Gaussians it sees, ``(N,)``."""

    camera: Camera
    seen: Bools


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """Candidates around and within a scene, checked, and the share that should be within.

    ``orbit`` are all that were tried around it; ``weights`` are what each Gaussian counts.
    """

    orbit: list[Camera]
    outside: list[_Candidate]
    inside: list[_Candidate]
    inside_share: float
    weights: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class _Glance:
    """A tiny picture: covered share, depths of the covered pixels, which Gaussians are seen."""

    coverage: float
    depths: Matrix
    pixels: int
    seen: Bools


def make_rig(
    scene: GaussianScene,
    count: int = DEFAULT_RIG_COUNT,
    size: tuple[int, int] = (640, 360),
    fov_y_deg: float = RIG_FOV_Y_DEG,
    up: ArrayLike = DEFAULT_UP,
    phase: float = 0.0,
) -> tuple[Camera, ...]:
    """``count`` cameras that together see a scene from all sides that show something, at once.

    See :func:`rig_steps`.
    """
    return drain(rig_steps(scene, count, size, fov_y_deg, up, phase))


def rig_steps(
    scene: GaussianScene,
    count: int = DEFAULT_RIG_COUNT,
    size: tuple[int, int] = (640, 360),
    fov_y_deg: float = RIG_FOV_Y_DEG,
    up: ArrayLike = DEFAULT_UP,
    phase: float = 0.0,
) -> Steps[tuple[Camera, ...]]:
    """Choose ``count`` cameras that together see a scene from all sides that show something; a job.

    The same for the same scene and arguments. Another ``phase`` in 0..1 gives other positions, for
    instance to measure on views that nothing was fitted to.

    Parameters
    ----------
    size
        Width and height of the pictures in pixels.
    up
        What is upwards in the pictures.

    Raises
    ------
    ValueError
        If ``count`` is less than 1 or the scene is empty.
    """
    if count < 1 or not len(scene):
        raise ValueError("a rig has at least one camera, and something to look at")
    survey = yield from _survey(scene, count, size, fov_y_deg, scene_frame(scene, up), phase)
    weights = survey.weights
    chosen = _most_seen(survey.inside, weights, round(count * survey.inside_share))
    chosen += _most_seen(survey.outside, weights, count - len(chosen))
    chosen += _most_seen(survey.inside, weights, count - len(chosen), taken=chosen)
    cameras = [candidate.camera for candidate in chosen]
    unchecked = [camera for camera in survey.orbit if camera not in cameras]
    cameras += unchecked[: count - len(cameras)]
    return tuple(replace(camera, name=f"view_{i:03d}") for i, camera in enumerate(cameras))


def default_view(
    scene: GaussianScene,
    size: tuple[int, int],
    views: Sequence[View] | None = None,
    up: ArrayLike = DEFAULT_UP,
) -> Camera:
    """What to show when a scene opens, ``size`` pixels wide and high.

    The first training view's camera if there are views; else a three-quarter view of the scene that
    nothing stands in front of.
    """
    for view in views or ():
        if view.split == Split.TRAIN:
            return _reshaped(view.camera, size)
    frame = scene_frame(scene, up)
    cameras = [
        _towards(frame, _around(frame.up, azimuth, sine), 0.95, size, RIG_FOV_Y_DEG)
        for sine in _DEFAULT_SINES
        for azimuth in np.arange(_DEFAULT_AZIMUTHS) * (2 * math.pi / _DEFAULT_AZIMUTHS) + 0.6
    ]
    if not len(scene):
        return cameras[0]
    probe = _probe_scene(scene)
    if not frame.surrounded and len(_inner_positions(probe, frame)) >= _MIN_INNER:
        survey = drain(_survey(scene, _DEFAULT_COUNT, size, RIG_FOV_Y_DEG, frame, 0.0))
        if survey.inside and survey.inside_share > 0.5:
            return _most_seen(survey.inside, survey.weights, 1)[0].camera
    weights = probe.opacities().numpy().astype(np.float64)
    for start in range(0, len(cameras), _DEFAULT_AZIMUTHS):
        some = cameras[start : start + _DEFAULT_AZIMUTHS]
        checked = drain(_checked(probe, some, frame))
        if checked:
            return _most_seen(checked, weights, 1)[0].camera
    return cameras[0]


def _survey(
    scene: GaussianScene,
    count: int,
    size: tuple[int, int],
    fov_y_deg: float,
    frame: SceneFrame,
    phase: float,
) -> Steps[_Survey]:
    """At least ``count`` checked candidates, if they can be found in a few attempts."""
    probe = _probe_scene(scene)
    weights = np.nan_to_num(probe.opacities().numpy().astype(np.float64))
    positions = _inner_positions(probe, frame)
    orbit = _orbit(frame, 2 * count, size, fov_y_deg, phase)
    outside = yield from _checked(probe, orbit, frame)
    share = _inside_share(probe, positions, outside, weights, frame)
    within = math.ceil(share * count)
    inside: list[_Candidate] = []
    for attempt in range(_ATTEMPTS):
        turned = phase + attempt / (2 * _ATTEMPTS)
        if attempt and len(outside) + len(inside) < count:
            around = _orbit(frame, 2 * (count - len(outside)), size, fov_y_deg, turned)
            orbit += around
            outside += yield from _checked(probe, around, frame)
        if len(inside) < within:
            out = _inside_out(positions, frame, 2 * within, size, fov_y_deg, turned)
            inside += yield from _checked(probe, out, frame)
    return _Survey(orbit, outside, inside, share, weights)


def _reshaped(camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera with another picture shape; what it showed upright stays in the picture."""
    width, height = size
    zoom = min(width / camera.width, height / camera.height)
    K = intrinsics(RIG_FOV_Y_DEG, width, height)
    K[0, 0], K[1, 1] = camera.K[0, 0] * zoom, camera.K[1, 1] * zoom
    return Camera(camera.world_to_camera, K, width, height, camera.name)


def _probe_scene(scene: GaussianScene) -> GaussianScene:
    """A colourless stand-in on the CPU: fewer Gaussians that cover the same area."""
    step = max(1, math.ceil(len(scene) / _PROBE_GAUSSIANS))
    means = scene.means.detach()[::step].cpu()
    return GaussianScene(
        means=means,
        log_scales=scene.log_scales.detach()[::step].cpu() + 0.5 * math.log(step),
        quats=scene.quats.detach()[::step].cpu(),
        opacity_logits=scene.opacity_logits.detach()[::step].cpu(),
        sh=torch.zeros(len(means), 1, 3),
    )


def _around(up: Matrix, azimuth: float, sine: float) -> Matrix:
    """Unit direction at an azimuth in radians and with a sine of elevation above the horizon."""
    side = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    side /= np.linalg.norm(side)
    ahead = np.cross(side, up)
    flat = math.cos(azimuth) * ahead + math.sin(azimuth) * side
    return np.asarray(math.sqrt(max(0.0, 1 - sine * sine)) * flat + sine * up)


def _spiral(
    up: Matrix, count: int, phase: float, lowest: float, highest: float, upward: float = 1.0
) -> list[Matrix]:
    """Directions spread over a zone of the sphere between two sines of elevation.

    A Fibonacci spiral: even for ``upward`` 1, denser towards the top for less.
    """
    heights = ((np.arange(count) + 0.5) / count) ** upward
    return [
        _around(up, _GOLDEN_ANGLE * (i + phase), lowest + (highest - lowest) * float(height))
        for i, height in enumerate(heights)
    ]


def _towards(
    frame: SceneFrame,
    direction: Matrix,
    distance: float,
    size: tuple[int, int],
    fov_y_deg: float,
    shift: ArrayLike = (0.0, 0.0, 0.0),
) -> Camera:
    """A camera that looks at the frame's centre, moved by ``shift`` radii.

    ``distance`` is relative to where the frame's sphere fits into the picture.
    """
    K = intrinsics(fov_y_deg, *size)
    half_angle = math.atan(min(size[0] / K[0, 0], size[1] / K[1, 1]) / 2)
    away = distance * frame.radius / math.sin(half_angle)
    target = frame.center + frame.radius * np.asarray(shift)
    eye = frame.center + away * direction
    return Camera(look_at(eye, target, frame.up), K, *size)


def _orbit(
    frame: SceneFrame, count: int, size: tuple[int, int], fov_y_deg: float, phase: float
) -> list[Camera]:
    """Cameras around the frame at several distances that look at and about its centre."""
    lowest, upward = (-0.1, 1.0) if frame.surrounded else (-0.95, 0.6)
    directions = _spiral(frame.up, count, phase, lowest, 0.95, upward)
    shifts = _spiral(frame.up, count, phase + 0.5, -1.0, 1.0)
    cameras = []
    for i, direction in enumerate(directions):
        distance = _ORBIT_DISTANCES[i % len(_ORBIT_DISTANCES)]
        shift = 0.25 * shifts[int(count * math.fmod((i + 0.5) * _GOLDEN_RATIO, 1.0))]
        cameras.append(_towards(frame, direction, distance, size, fov_y_deg, shift))
    return cameras


def _inside_out(
    positions: Matrix,
    frame: SceneFrame,
    count: int,
    size: tuple[int, int],
    fov_y_deg: float,
    phase: float,
) -> list[Camera]:
    """Cameras at free places within the scene that look outwards."""
    directions = _spiral(frame.up, count, phase, -0.7, 0.7)
    K = intrinsics(fov_y_deg, *size)
    jitters = _spiral(frame.up, count, phase + 0.5, 1.0, -1.0)
    cameras = []
    for i, direction in enumerate(directions):
        place = positions[int(len(positions) * math.fmod(0.5 + (i + phase) * 0.754877666, 1.0))]
        eye = place + 0.2 * _CLEARANCE * frame.radius * jitters[i]
        world_to_camera = look_at(eye, eye + direction, frame.up)
        cameras.append(Camera(world_to_camera, K, *size))
    return cameras


def _glance(probe: GaussianScene, camera: Camera) -> _Glance:
    """Draw a tiny picture.

    The gradient of a picture's sum with respect to a Gaussian's colour is its blending weight,
    summed over the pixels: that tells which ones are seen.
    """
    colors = torch.zeros(len(probe), 3, requires_grad=True)
    with torch.enable_grad():
        picture = render(probe, camera, colors=colors, depth=True)
        (gradient,) = torch.autograd.grad(picture.rgb[..., 0].sum(), colors)
    alpha = picture.alpha.detach()
    depth = alpha if picture.depth is None else picture.depth.detach()
    covered = alpha > 0.5
    return _Glance(
        coverage=float(alpha.mean()),
        depths=depth[covered].numpy().astype(np.float64),
        pixels=alpha.numel(),
        seen=(gradient[:, 0] > _SEEN_PX * probe.opacities()).numpy(),
    )


def _checked(
    probe: GaussianScene, cameras: Sequence[Camera], frame: SceneFrame
) -> Steps[list[_Candidate]]:
    """The cameras that see something and have nothing right before the lens."""
    glances = []
    for done, camera in enumerate(cameras, 1):
        glances.append(_glance(probe, camera.resized(*_PROBE_SIZE)))
        yield Progress(0, len(cameras), f"choosing views: {done} of {len(cameras)} tried")
    usual = float(np.median([glance.coverage for glance in glances]))
    enough = min(_MIN_COVERAGE, usual / 2)
    good = []
    for camera, glance in zip(cameras, glances, strict=True):
        distance = float(np.linalg.norm(camera.position - frame.center))
        nearest = _NEAR * (distance if distance > frame.radius else frame.radius / 2)
        if glance.coverage < enough or not len(glance.depths):
            continue
        blocked = np.count_nonzero(glance.depths < nearest / 2) / glance.pixels
        if np.median(glance.depths) >= nearest and blocked <= _MAX_BLOCKED:
            good.append(_Candidate(camera, glance.seen))
    return good


def _inner_positions(probe: GaussianScene, frame: SceneFrame) -> Matrix:
    """Places in the frame with nothing solid near and something on all sides, ``(P, 3)``."""
    axis = np.linspace(-0.8, 0.8, _GRID) * frame.radius
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = frame.center + grid[np.linalg.norm(grid, axis=1) <= 0.8 * frame.radius]
    solid = probe.means[probe.opacities() > _SOLID_OPACITY].numpy().astype(np.float64)
    solid = solid[np.linalg.norm(solid - frame.center, axis=1) <= 3 * frame.radius]
    solid = solid[:: max(1, len(solid) // _SECTOR_GAUSSIANS)]
    if not len(solid):
        return np.empty((0, 3))
    sectors = np.stack(_spiral(frame.up, _SECTORS, 0.0, -1.0, 1.0))
    inner = []
    for place in grid:
        offsets = solid - place
        distances = np.linalg.norm(offsets, axis=1)
        if distances.min() < _CLEARANCE * frame.radius:
            continue
        counts = np.bincount((offsets @ sectors.T).argmax(axis=1), minlength=_SECTORS)
        if np.mean(counts > _MIN_SECTOR_SHARE * len(solid) / _SECTORS) >= _ENCLOSED:
            inner.append(place)
    return np.array(inner).reshape(-1, 3)


def _look_round(probe: GaussianScene, positions: Matrix, frame: SceneFrame) -> tuple[float, Bools]:
    """Coverage of the pictures in all directions from some of the places, and what they see."""
    K = intrinsics(90.0, _ROUND_PX, _ROUND_PX)
    places = positions[:: max(1, -(-len(positions) // _ROUND_PLACES))]
    glances = [
        _glance(probe, Camera(look_at(eye, eye + axis, frame.up), K, _ROUND_PX, _ROUND_PX))
        for eye in places
        for axis in np.vstack([np.eye(3), -np.eye(3)])
    ]
    seen = np.logical_or.reduce([glance.seen for glance in glances])
    return float(np.mean([glance.coverage for glance in glances])), seen


def _inside_share(
    probe: GaussianScene,
    positions: Matrix,
    outside: Sequence[_Candidate],
    weights: Matrix,
    frame: SceneFrame,
) -> float:
    """Share of the cameras that go inside: 1 if as much can be seen from there, 0 if far less."""
    if len(positions) < _MIN_INNER:
        return 0.0
    coverage, seen_inside = _look_round(probe, positions, frame)
    if coverage < _ENCLOSED:
        return 0.0
    seen_outside = np.logical_or.reduce([c.seen for c in outside] or [np.zeros_like(seen_inside)])
    gain = (weights[seen_inside].sum() - weights[seen_outside].sum()) / weights.sum()
    return float(np.clip((gain - _FAR_LESS) / (_LESS - _FAR_LESS), 0, 1))


def _most_seen(
    candidates: Sequence[_Candidate],
    weights: Matrix,
    count: int,
    taken: Sequence[_Candidate] = (),
) -> list[_Candidate]:
    """Up to ``count`` candidates, each the one that adds most to ``sum(w log(1 + times seen))``."""
    left = [candidate for candidate in candidates if candidate not in taken]
    chosen: list[_Candidate] = []
    times = np.zeros(len(weights))
    seen = np.array([candidate.seen for candidate in left], dtype=np.float32)
    seen = seen.reshape(len(left), len(weights))
    for _ in range(min(count, len(left))):
        gains = seen @ (weights * np.log((times + 2) / (times + 1))).astype(np.float32)
        gains[[candidate in chosen for candidate in left]] = -1
        best = int(gains.argmax())
        chosen.append(left[best])
        times += seen[best]
    return chosen
