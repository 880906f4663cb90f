"""Projection of Gaussians to the screen: EWA splatting [Zwicker 2001] as in 3DGS and gsplat."""

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.rendering.cpu.common import (
    EPS2D,
    F32,
    FAR,
    LN2,
    LOG2_MIN_ALPHA,
    LOG2E,
    MIN_ALPHA,
    NEAR,
    F,
    Real,
    inline,
    kernel,
)
from core.rendering.cpu.harmonics import sh_basis, sh_color

_HALF_LOG2E = F(0.5) * LOG2E
Matrix3: TypeAlias = tuple[Real, ...]
"""A 3x3 matrix, row by row."""
Factor: TypeAlias = tuple[Real, ...]
"""A 2x3 matrix, row by row."""


class Gaussians(NamedTuple):
    """A scene as the kernels read it; all arrays float32, contiguous, shared with the tensors.

    ``means (N, 3)``, ``log_scales (N, 3)``, ``quats (N, 4)`` w x y z, ``opacity_logits (N,)``,
    ``sh (N, K, 3)`` of which the first ``sh_count`` coefficients are used; ``keep (N,)`` bool or
    ``(0,)`` to draw all.
    """

    means: F32
    log_scales: F32
    quats: F32
    opacity_logits: F32
    sh: F32
    sh_count: int
    antialiased: bool
    keep: NDArray[np.bool_]


class View(NamedTuple):
    """A camera as the kernels read it: float32 scalars.

    ``rotation`` (row by row) and ``translation`` map world to camera; ``position`` is the camera's
    centre; ``slope_min`` and ``slope_max`` bound x / z and y / z in the projection's Jacobian: the
    picture widened by 15 % of its size on each side, as in 3DGS.
    """

    rotation: Matrix3
    translation: tuple[Real, ...]
    position: tuple[Real, ...]
    fx: Real
    fy: Real
    cx: Real
    cy: Real
    width: Real
    height: Real
    slope_min: tuple[Real, ...]
    slope_max: tuple[Real, ...]


@inline
def to_camera(view: View, means: F32, i: int) -> tuple[Real, Real, Real]:
    """Centre of Gaussian i in camera coordinates."""
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = view.rotation
    t0, t1, t2 = view.translation
    x = means[i, 0]
    y = means[i, 1]
    z = means[i, 2]
    return (
        r00 * x + r01 * y + r02 * z + t0,
        r10 * x + r11 * y + r12 * z + t1,
        r20 * x + r21 * y + r22 * z + t2,
    )


@inline
def unit_quaternion(quats: F32, i: int) -> tuple[Real, Real, Real, Real, Real]:
    """w, x, y, z of length 1, and 1 / the stored length; NaN for a zero quaternion."""
    w = quats[i, 0]
    x = quats[i, 1]
    y = quats[i, 2]
    z = quats[i, 3]
    inverse = F(1) / math.sqrt(w * w + x * x + y * y + z * z)
    return w * inverse, x * inverse, y * inverse, z * inverse, inverse


@inline
def rotation_matrix(w: Real, x: Real, y: Real, z: Real) -> Matrix3:
    """Rotation of a unit quaternion."""
    return (
        F(1) - F(2) * (y * y + z * z),
        F(2) * (x * y - w * z),
        F(2) * (x * z + w * y),
        F(2) * (x * y + w * z),
        F(1) - F(2) * (x * x + z * z),
        F(2) * (y * z - w * x),
        F(2) * (x * z - w * y),
        F(2) * (y * z + w * x),
        F(1) - F(2) * (x * x + y * y),
    )


@inline
def clamped_slopes(view: View, x: Real, y: Real, z: Real) -> tuple[Real, Real]:
    """x / z and y / z, clamped to the bounds of the Jacobian."""
    inverse_z = F(1) / z
    return (
        min(view.slope_max[0], max(view.slope_min[0], x * inverse_z)),
        min(view.slope_max[1], max(view.slope_min[1], y * inverse_z)),
    )


@inline
def world_jacobian(view: View, x: Real, y: Real, z: Real) -> Factor:
    """``J R``: derivative of the projected centre by the world position (slopes clamped)."""
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = view.rotation
    slope_x, slope_y = clamped_slopes(view, x, y, z)
    jx = view.fx / z
    jy = view.fy / z
    return (
        jx * (r00 - slope_x * r20),
        jx * (r01 - slope_x * r21),
        jx * (r02 - slope_x * r22),
        jy * (r10 - slope_y * r20),
        jy * (r11 - slope_y * r21),
        jy * (r12 - slope_y * r22),
    )


@inline
def screen_factor(jacobian: Factor, rotation: Matrix3, s0: Real, s1: Real, s2: Real) -> Factor:
    """``U = J R rotation diag(s)``: the screen covariance is ``U U^T`` + ``EPS2D``."""
    j00, j01, j02, j10, j11, j12 = jacobian
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rotation
    return (
        (j00 * r00 + j01 * r10 + j02 * r20) * s0,
        (j00 * r01 + j01 * r11 + j02 * r21) * s1,
        (j00 * r02 + j01 * r12 + j02 * r22) * s2,
        (j10 * r00 + j11 * r10 + j12 * r20) * s0,
        (j10 * r01 + j11 * r11 + j12 * r21) * s1,
        (j10 * r02 + j11 * r12 + j12 * r22) * s2,
    )


@inline
def covariance(factor: Factor) -> tuple[Real, Real, Real, Real]:
    """Entries xx, xy, yy of ``U U^T`` and its determinant ``|u x v|^2``, free of cancellation."""
    u0, u1, u2, v0, v1, v2 = factor
    cross0 = u1 * v2 - u2 * v1
    cross1 = u2 * v0 - u0 * v2
    cross2 = u0 * v1 - u1 * v0
    return (
        u0 * u0 + u1 * u1 + u2 * u2,
        u0 * v0 + u1 * v1 + u2 * v2,
        v0 * v0 + v1 * v1 + v2 * v2,
        cross0 * cross0 + cross1 * cross1 + cross2 * cross2,
    )


@inline
def sigmoid(x: Real) -> Real:
    """``1 / (1 + exp(-x))``."""
    return F(1) / (F(1) + math.exp(-x))


@inline
def view_direction(view: View, means: F32, i: int) -> tuple[Real, Real, Real, Real]:
    """Unit direction from the camera to Gaussian i, and 1 / its distance."""
    x = means[i, 0] - view.position[0]
    y = means[i, 1] - view.position[1]
    z = means[i, 2] - view.position[2]
    inverse = F(1) / math.sqrt(x * x + y * y + z * z)
    return x * inverse, y * inverse, z * inverse, inverse


@inline
def _color(
    gaussians: Gaussians, view: View, colors: F32 | None, i: int, basis: F32
) -> tuple[Real, Real, Real]:
    """Colour to draw Gaussian i in: its own, replaced, or mixed; ``basis (16,)`` is scratch."""
    if colors is not None and colors.shape[1] == 3:
        return colors[i, 0], colors[i, 1], colors[i, 2]
    x, y, z, _ = view_direction(view, gaussians.means, i)
    sh_basis(basis, gaussians.sh_count, x, y, z)
    r, g, b = sh_color(basis, gaussians.sh_count, gaussians.sh, i)
    if colors is not None:
        mix = colors[i, 3]
        r += mix * (colors[i, 0] - r)
        g += mix * (colors[i, 1] - g)
        b += mix * (colors[i, 2] - b)
    return r, g, b


@kernel
def project(
    first: int,
    last: int,
    gaussians: Gaussians,
    view: View,
    colors: F32 | None,
    projected: F32,
    depth: F32,
) -> None:
    """Project Gaussians ``first .. last - 1``, drawn in their own colours if ``colors`` is None.

    ``depth (N,)`` receives the distance along the viewing axis, -1 where the Gaussian is not drawn;
    ``projected (N, 12)`` (only where drawn): mean x, mean y in pixels; whitening factor k11, k21,
    k22; log2 of the opacity; r, g, b; half-height of the ellipse ``alpha >= 1/255``; depth;
    half-width. A value that is not finite anywhere in a Gaussian makes it not drawn: the kernels
    after this one index by these numbers, and nothing checks their bounds.
    """
    basis = np.zeros(16, np.float32)
    keep = gaussians.keep
    for i in range(first, last):
        depth[i] = F(-1)
        if keep.shape[0] > 0 and not keep[i]:
            continue
        x, y, z = to_camera(view, gaussians.means, i)
        if not (z >= NEAR and z <= FAR):
            continue
        opacity = sigmoid(gaussians.opacity_logits[i])
        if not opacity >= MIN_ALPHA:
            continue
        mean_x = view.fx * x / z + view.cx
        mean_y = view.fy * y / z + view.cy
        qw, qx, qy, qz, _ = unit_quaternion(gaussians.quats, i)
        factor = screen_factor(
            world_jacobian(view, x, y, z),
            rotation_matrix(qw, qx, qy, qz),
            math.exp(gaussians.log_scales[i, 0]),
            math.exp(gaussians.log_scales[i, 1]),
            math.exp(gaussians.log_scales[i, 2]),
        )
        xx, xy, yy, raw_determinant = covariance(factor)
        determinant = raw_determinant + EPS2D * (xx + yy + EPS2D)
        xx += EPS2D
        yy += EPS2D
        if gaussians.antialiased:
            opacity *= math.sqrt(raw_determinant / determinant)
            if not opacity >= MIN_ALPHA:
                continue
        log2_opacity = math.log(opacity) * LOG2E
        reach = F(2) * LN2 * (log2_opacity - LOG2_MIN_ALPHA)
        half_width = math.sqrt(reach * xx)
        half_height = math.sqrt(reach * yy)
        extent = half_width + half_height + abs(mean_x) + abs(mean_y)
        if not (determinant > F(0) and determinant < F(1e30) and extent < F(1e8)):
            continue
        if (
            mean_x + half_width <= F(0.5)
            or mean_x - half_width >= view.width - F(0.5)
            or mean_y + half_height <= F(0.5)
            or mean_y - half_height >= view.height - F(0.5)
        ):
            continue
        r, g, b = _color(gaussians, view, colors, i, basis)
        if not abs(r) + abs(g) + abs(b) < F(1e30):
            continue
        inverse = F(1) / determinant
        k11 = math.sqrt(_HALF_LOG2E * yy * inverse)
        projected[i, 0] = mean_x
        projected[i, 1] = mean_y
        projected[i, 2] = k11
        projected[i, 3] = -_HALF_LOG2E * xy * inverse / k11
        projected[i, 4] = math.sqrt(_HALF_LOG2E / yy)
        projected[i, 5] = log2_opacity
        projected[i, 6] = r
        projected[i, 7] = g
        projected[i, 8] = b
        projected[i, 9] = half_height
        projected[i, 10] = z
        projected[i, 11] = half_width
        depth[i] = z
