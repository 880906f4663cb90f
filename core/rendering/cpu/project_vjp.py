"""Chain rule from a Gaussian's whitened moments to its parameters, beside ``project``."""

import math
from typing import NamedTuple

import numpy as np

from core.rendering.cpu.common import F32, LN2, F, Real, inline, kernel
from core.rendering.cpu.harmonics import sh_basis, sh_color, sh_direction_gradient
from core.rendering.cpu.project import (
    Factor,
    Gaussians,
    Matrix3,
    View,
    clamped_slopes,
    covariance,
    rotation_matrix,
    screen_factor,
    sigmoid,
    to_camera,
    unit_quaternion,
    view_direction,
    world_jacobian,
)

MOMENTS = 9
"""Moments per Gaussian without depth: see ``blend_vjp``."""


class Gradients(NamedTuple):
    """Gradients of a scalar with respect to a scene, shaped like the scene's arrays.

    ``colors`` is empty if the scene was drawn in its own; ``means2d (N, 2)`` is the gradient with
    respect to the projected means in pixels.
    """

    means: F32
    log_scales: F32
    quats: F32
    opacity_logits: F32
    sh: F32
    colors: F32
    means2d: F32


@inline
def _column_gradient(
    k11: Real, k21: Real, k22: Real, s11: Real, s12: Real, s22: Real, u: Real, v: Real
) -> tuple[Real, Real, Real]:
    """Gradient of a column (u, v) of the screen factor, and its inner product with the column.

    ``s``: gradient of the covariance in whitened coordinates, times 2.
    """
    y1 = k11 * u + k21 * v
    y2 = k22 * v
    h1 = s11 * y1 + s12 * y2
    h2 = s12 * y1 + s22 * y2
    return k11 * h1, k21 * h1 + k22 * h2, h1 * y1 + h2 * y2


@inline
def _compensation_gradient(factor: Factor, v_log_rho: Real) -> Factor:
    """Gradient of ``v_log_rho log(det(U U^T)) / 2`` by U, where rho compensates the opacity.

    It is ``(U U^T)^-1 U``, by cross products: exact for needles, where the inverse is not.
    """
    u0, u1, u2, v0, v1, v2 = factor
    _, _, _, determinant = covariance(factor)
    n0 = u1 * v2 - u2 * v1
    n1 = u2 * v0 - u0 * v2
    n2 = u0 * v1 - u1 * v0
    s = v_log_rho / determinant
    return (
        s * (v1 * n2 - v2 * n1),
        s * (v2 * n0 - v0 * n2),
        s * (v0 * n1 - v1 * n0),
        s * (n1 * u2 - n2 * u1),
        s * (n2 * u0 - n0 * u2),
        s * (n0 * u1 - n1 * u0),
    )


@inline
def _factor_gradient(
    projected: F32, i: int, sums: F32, antialiased: bool, factor: Factor
) -> tuple[Factor, tuple[Real, Real, Real]]:
    """Gradient by the screen factor U, and by the logarithms of the scales."""
    k11 = projected[i, 2]
    k21 = projected[i, 3]
    k22 = projected[i, 4]
    scale = F(4) * LN2 * LN2
    s11 = scale * sums[i, 3]
    s12 = scale * sums[i, 4]
    s22 = scale * sums[i, 5]
    if antialiased:
        s11 -= F(2) * LN2 * sums[i, 0]
        s22 -= F(2) * LN2 * sums[i, 0]
    u0, u1, u2, v0, v1, v2 = factor
    a0, b0, e0 = _column_gradient(k11, k21, k22, s11, s12, s22, u0, v0)
    a1, b1, e1 = _column_gradient(k11, k21, k22, s11, s12, s22, u1, v1)
    a2, b2, e2 = _column_gradient(k11, k21, k22, s11, s12, s22, u2, v2)
    if antialiased:
        c0, c1, c2, d0, d1, d2 = _compensation_gradient(factor, sums[i, 0])
        a0 += c0
        a1 += c1
        a2 += c2
        b0 += d0
        b1 += d1
        b2 += d2
        e0 += c0 * u0 + d0 * v0
        e1 += c1 * u1 + d1 * v1
        e2 += c2 * u2 + d2 * v2
    return (a0, a1, a2, b0, b1, b2), (e0, e1, e2)


@inline
def _quaternion_gradient(
    w: Real, x: Real, y: Real, z: Real, inverse: Real, v: Matrix3
) -> tuple[Real, Real, Real, Real]:
    """Gradient by the stored quaternion, from ``v`` by the rotation matrix; w..z have length 1."""
    v00, v01, v02, v10, v11, v12, v20, v21, v22 = v
    v_w = F(2) * (x * (v21 - v12) + y * (v02 - v20) + z * (v10 - v01))
    v_x = F(2) * (F(-2) * x * (v11 + v22) + y * (v01 + v10) + z * (v02 + v20) + w * (v21 - v12))
    v_y = F(2) * (x * (v01 + v10) - F(2) * y * (v00 + v22) + z * (v12 + v21) + w * (v02 - v20))
    v_z = F(2) * (x * (v02 + v20) + y * (v12 + v21) - F(2) * z * (v00 + v11) + w * (v10 - v01))
    along = v_w * w + v_x * x + v_y * y + v_z * z
    return (
        (v_w - along * w) * inverse,
        (v_x - along * x) * inverse,
        (v_y - along * y) * inverse,
        (v_z - along * z) * inverse,
    )


@inline
def _center_gradient(
    view: View, x: Real, y: Real, z: Real, v_mean_x: Real, v_mean_y: Real, v_jacobian: Factor
) -> tuple[Real, Real, Real]:
    """Gradient by the centre in camera coordinates.

    ``v_jacobian``: gradient by ``J R``; J's entries depend on the centre, and where a slope is
    clamped, on z alone.
    """
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = view.rotation
    h00, h01, h02, h10, h11, h12 = v_jacobian
    v_j00 = h00 * r00 + h01 * r01 + h02 * r02
    v_j02 = h00 * r20 + h01 * r21 + h02 * r22
    v_j11 = h10 * r10 + h11 * r11 + h12 * r12
    v_j12 = h10 * r20 + h11 * r21 + h12 * r22
    inverse = F(1) / z
    slope_x, slope_y = clamped_slopes(view, x, y, z)
    jx = view.fx * inverse
    jy = view.fy * inverse
    v_x = jx * v_mean_x
    v_y = jy * v_mean_y
    v_z = -(jx * v_mean_x * x + jy * v_mean_y * y) * inverse
    v_z += (jx * (slope_x * v_j02 - v_j00) + jy * (slope_y * v_j12 - v_j11)) * inverse
    if slope_x == x * inverse:
        v_x -= jx * inverse * v_j02
        v_z += jx * inverse * slope_x * v_j02
    if slope_y == y * inverse:
        v_y -= jy * inverse * v_j12
        v_z += jy * inverse * slope_y * v_j12
    return v_x, v_y, v_z


@inline
def _color_gradient(
    gaussians: Gaussians,
    view: View,
    colors: F32 | None,
    i: int,
    sums: F32,
    out: Gradients,
    basis: F32,
    weights: F32,
) -> tuple[Real, Real, Real]:
    """Write the gradients by ``sh`` and ``colors``; return that by the mean through the colour."""
    v_r = sums[i, 6]
    v_g = sums[i, 7]
    v_b = sums[i, 8]
    count = gaussians.sh_count
    x, y, z, inverse = view_direction(view, gaussians.means, i)
    sh_basis(basis, count, x, y, z)
    r, g, b = sh_color(basis, count, gaussians.sh, i)
    if colors is not None:
        mix = F(1)
        if colors.shape[1] == 4:
            mix = colors[i, 3]
            out.colors[i, 3] = (
                v_r * (colors[i, 0] - r) + v_g * (colors[i, 1] - g) + v_b * (colors[i, 2] - b)
            )
        out.colors[i, 0] = mix * v_r
        out.colors[i, 1] = mix * v_g
        out.colors[i, 2] = mix * v_b
        v_r *= F(1) - mix
        v_g *= F(1) - mix
        v_b *= F(1) - mix
    v_r = v_r if r > F(0) else F(0)
    v_g = v_g if g > F(0) else F(0)
    v_b = v_b if b > F(0) else F(0)
    for k in range(count):
        out.sh[i, k, 0] = basis[k] * v_r
        out.sh[i, k, 1] = basis[k] * v_g
        out.sh[i, k, 2] = basis[k] * v_b
        weights[k] = (
            v_r * gaussians.sh[i, k, 0] + v_g * gaussians.sh[i, k, 1] + v_b * gaussians.sh[i, k, 2]
        )
    for k in range(count, out.sh.shape[1]):
        for c in range(3):
            out.sh[i, k, c] = F(0)
    g_x, g_y, g_z = sh_direction_gradient(weights, count, x, y, z)
    along = g_x * x + g_y * y + g_z * z
    return (g_x - along * x) * inverse, (g_y - along * y) * inverse, (g_z - along * z) * inverse


@inline
def _clear(out: Gradients, i: int) -> None:
    """Zero gradients of a Gaussian that was not drawn."""
    for c in range(3):
        out.means[i, c] = F(0)
        out.log_scales[i, c] = F(0)
    for c in range(4):
        out.quats[i, c] = F(0)
    out.opacity_logits[i] = F(0)
    for k in range(out.sh.shape[1]):
        for c in range(3):
            out.sh[i, k, c] = F(0)
    for c in range(2):
        out.means2d[i, c] = F(0)
    if out.colors.shape[0] > 0:
        for c in range(out.colors.shape[1]):
            out.colors[i, c] = F(0)


@kernel
def project_vjp(
    first: int,
    last: int,
    gaussians: Gaussians,
    view: View,
    colors: F32 | None,
    projected: F32,
    depth: F32,
    sums: F32,
    out: Gradients,
) -> None:
    """Chain rule from the summed moments ``(N, 9)`` or ``(N, 10)`` to the scene's parameters."""
    basis = np.zeros(16, np.float32)
    weights = np.zeros(16, np.float32)
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = view.rotation
    for i in range(first, last):
        if depth[i] <= F(0):
            _clear(out, i)
            continue
        k11 = projected[i, 2]
        p1 = F(-2) * LN2 * sums[i, 1]
        p2 = F(-2) * LN2 * sums[i, 2]
        v_mean_x = k11 * p1
        v_mean_y = projected[i, 3] * p1 + projected[i, 4] * p2
        out.means2d[i, 0] = v_mean_x
        out.means2d[i, 1] = v_mean_y
        out.opacity_logits[i] = sums[i, 0] * (F(1) - sigmoid(gaussians.opacity_logits[i]))

        x, y, z = to_camera(view, gaussians.means, i)
        jacobian = world_jacobian(view, x, y, z)
        qw, qx, qy, qz, inverse = unit_quaternion(gaussians.quats, i)
        rotation = rotation_matrix(qw, qx, qy, qz)
        s0 = math.exp(gaussians.log_scales[i, 0])
        s1 = math.exp(gaussians.log_scales[i, 1])
        s2 = math.exp(gaussians.log_scales[i, 2])
        factor = screen_factor(jacobian, rotation, s0, s1, s2)
        v_factor, v_log_scales = _factor_gradient(projected, i, sums, gaussians.antialiased, factor)
        out.log_scales[i, 0] = v_log_scales[0]
        out.log_scales[i, 1] = v_log_scales[1]
        out.log_scales[i, 2] = v_log_scales[2]

        a0 = v_factor[0] * s0
        a1 = v_factor[1] * s1
        a2 = v_factor[2] * s2
        b0 = v_factor[3] * s0
        b1 = v_factor[4] * s1
        b2 = v_factor[5] * s2
        v_rotation = _outer_sum(jacobian, a0, a1, a2, b0, b1, b2)
        v_quat = _quaternion_gradient(qw, qx, qy, qz, inverse, v_rotation)
        for c in range(4):
            out.quats[i, c] = v_quat[c]
        v_jacobian = _rotated(rotation, a0, a1, a2, b0, b1, b2)
        v_x, v_y, v_z = _center_gradient(view, x, y, z, v_mean_x, v_mean_y, v_jacobian)
        if sums.shape[1] > MOMENTS:
            v_z += sums[i, 9]
        c0, c1, c2 = _color_gradient(gaussians, view, colors, i, sums, out, basis, weights)
        out.means[i, 0] = r00 * v_x + r10 * v_y + r20 * v_z + c0
        out.means[i, 1] = r01 * v_x + r11 * v_y + r21 * v_z + c1
        out.means[i, 2] = r02 * v_x + r12 * v_y + r22 * v_z + c2


@inline
def _outer_sum(
    jacobian: Factor, a0: Real, a1: Real, a2: Real, b0: Real, b1: Real, b2: Real
) -> Matrix3:
    """``jacobian^T [a; b]``."""
    j00, j01, j02, j10, j11, j12 = jacobian
    return (
        j00 * a0 + j10 * b0,
        j00 * a1 + j10 * b1,
        j00 * a2 + j10 * b2,
        j01 * a0 + j11 * b0,
        j01 * a1 + j11 * b1,
        j01 * a2 + j11 * b2,
        j02 * a0 + j12 * b0,
        j02 * a1 + j12 * b1,
        j02 * a2 + j12 * b2,
    )


@inline
def _rotated(
    rotation: Matrix3, a0: Real, a1: Real, a2: Real, b0: Real, b1: Real, b2: Real
) -> Factor:
    """``[a; b] rotation^T``."""
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = rotation
    return (
        a0 * r00 + a1 * r01 + a2 * r02,
        a0 * r10 + a1 * r11 + a2 * r12,
        a0 * r20 + a1 * r21 + a2 * r22,
        b0 * r00 + b1 * r01 + b2 * r02,
        b0 * r10 + b1 * r11 + b2 * r12,
        b0 * r20 + b1 * r21 + b2 * r22,
    )
