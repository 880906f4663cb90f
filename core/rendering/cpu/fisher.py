"""The Fisher block of (mean, log-scale) from moments over pixels.

The block is ``sum_c g g^T`` over pixels with ``g = dI_c / d(mean, log-scale)`` [PUP 3D-GS, Eq. 10].
In the whitened coordinates ``P`` of a Gaussian (``ln alpha = const - P.P / 2``) the derivative of
``ln alpha`` with respect to any parameter is a polynomial in ``P`` whose coefficients are the same
at all pixels, so ``g = J psi`` with a Jacobian ``J`` per (Gaussian, view) and ``psi`` of monomials.
Only the second moments of ``psi`` are sums over pixels; one congruence with ``J`` then yields the
block, exactly. It is in float64: the block of a single view is singular, and has to stay so.
"""

import math

import numpy as np
from numpy.typing import NDArray

from core.rendering.cpu.common import EPS2D, F32, F, kernel
from core.rendering.cpu.harmonics import sh_direction_gradient
from core.rendering.cpu.project import Gaussians, rotation_matrix, unit_quaternion

F64 = NDArray[np.float64]

PSI = 9
"""Monomials: P1, P2, P1 P1 / 2, P1 P2, P2 P2 / 2; 1 (for ln alpha); r, g, b."""
_LAST_CROSS = 21
_WHITEN = math.sqrt(2 * math.log(2.0))


@kernel
def add_fisher(
    first: int,
    last: int,
    gaussians: Gaussians,
    world_to_camera: F64,
    slopes: F64,
    depth: F32,
    projected: F32,
    sums: F32,
    moments: F32,
    cross: F32 | None,
    color_term: bool,
    fisher: F64,
) -> None:
    """Add one view's Fisher blocks to ``fisher (N, 21)``, upper triangles row by row.

    ``slopes (2, 3)``: focal length and the bounds of x / z, of y / z. ``cross`` may be None if
    there is neither opacity compensation nor a colour term.
    """
    jacobian = np.zeros((6, PSI))
    second = np.zeros((PSI, PSI))
    product = np.zeros(PSI)
    axes = np.zeros((3, 3))
    screen = np.zeros((2, 3))
    work = np.zeros((4, 3))
    harmonics = np.zeros(16, np.float32)
    size = 5 if cross is None else PSI
    for i in range(first, last):
        if not (depth[i] > F(0) and sums[i, 4] > F(0)):
            continue
        _second_moments(moments, i, second)
        _camera_axes(gaussians, i, world_to_camera, axes)
        _geometry_jacobian(
            gaussians, i, world_to_camera, slopes, projected, axes, screen, work, jacobian
        )
        if cross is not None:
            _cross_moments(moments, cross, i, second)
            if color_term:
                _color_jacobian(
                    gaussians, i, world_to_camera, projected, harmonics, work[0], jacobian
                )
        for a in range(size):
            for b in range(a):
                second[a, b] = second[b, a]
        n = 0
        for row in range(6):
            for a in range(size):
                value = 0.0
                for b in range(size):
                    value += jacobian[row, b] * second[b, a]
                product[a] = value
            for column in range(row, 6):
                value = 0.0
                for a in range(size):
                    value += product[a] * jacobian[column, a]
                fisher[i, n] += value
                n += 1


@kernel
def _second_moments(moments: F32, i: int, second: F64) -> None:
    """Upper triangle of ``sum psi psi^T`` over the first five rows, from the moments in ``p``."""
    s2 = _WHITEN**2
    s3 = _WHITEN**3
    s4 = _WHITEN**4
    second[0, 0] = s2 * moments[i, 0]
    second[0, 1] = s2 * moments[i, 1]
    second[1, 1] = s2 * moments[i, 2]
    second[0, 2] = s3 * moments[i, 3] * 0.5
    second[0, 3] = s3 * moments[i, 4]
    second[0, 4] = s3 * moments[i, 5] * 0.5
    second[1, 2] = s3 * moments[i, 4] * 0.5
    second[1, 3] = s3 * moments[i, 5]
    second[1, 4] = s3 * moments[i, 6] * 0.5
    second[2, 2] = s4 * moments[i, 7] * 0.25
    second[2, 3] = s4 * moments[i, 8] * 0.5
    second[2, 4] = s4 * moments[i, 9] * 0.25
    second[3, 3] = s4 * moments[i, 9]
    second[3, 4] = s4 * moments[i, 10] * 0.5
    second[4, 4] = s4 * moments[i, 11] * 0.25


@kernel
def _cross_moments(moments: F32, cross: F32, i: int, second: F64) -> None:
    """The other rows and columns of the upper triangle: ln alpha and colour."""
    s1 = _WHITEN
    s2 = _WHITEN**2
    second[0, 5] = s1 * cross[i, 1]
    second[1, 5] = s1 * cross[i, 2]
    second[2, 5] = s2 * moments[i, 0] * 0.5
    second[3, 5] = s2 * moments[i, 1]
    second[4, 5] = s2 * moments[i, 2] * 0.5
    second[5, 5] = cross[i, 0]
    for channel in range(3):
        n = 3 + 6 * channel
        c = 6 + channel
        second[0, c] = s1 * cross[i, n + 1]
        second[1, c] = s1 * cross[i, n + 2]
        second[2, c] = s2 * cross[i, n + 3] * 0.5
        second[3, c] = s2 * cross[i, n + 4]
        second[4, c] = s2 * cross[i, n + 5] * 0.5
        second[5, c] = cross[i, n]
        second[c, c] = cross[i, _LAST_CROSS]


@kernel
def _camera_axes(gaussians: Gaussians, i: int, world_to_camera: F64, axes: F64) -> None:
    """Principal axes times standard deviations, in camera space: the columns of ``axes (3, 3)``."""
    w, x, y, z, _ = unit_quaternion(gaussians.quats, i)
    rotation = rotation_matrix(float(w), float(x), float(y), float(z))
    for axis in range(3):
        scale = math.exp(float(gaussians.log_scales[i, axis]))
        for row in range(3):
            axes[row, axis] = scale * (
                world_to_camera[row, 0] * rotation[axis]
                + world_to_camera[row, 1] * rotation[3 + axis]
                + world_to_camera[row, 2] * rotation[6 + axis]
            )


@kernel
def _geometry_jacobian(
    gaussians: Gaussians,
    i: int,
    world_to_camera: F64,
    slopes: F64,
    projected: F32,
    axes: F64,
    screen: F64,
    work: F64,
    jacobian: F64,
) -> None:
    """Rows P to ln alpha of ``jacobian (6, PSI)`` for (mean, log-scale); colour rows become 0.

    With ``L`` the whitening factor and ``rho`` the opacity compensation,
    ``d ln alpha = -(P . a + P^T B P / 2) + d ln rho`` where ``a = L^T d(mean on screen)`` and
    ``B = -L^T d(screen covariance) L``. ``screen (2, 3)`` becomes the projected
    axes; ``work (4, 3)`` is scratch.
    """
    point, held, move, turn = work[0], work[1], work[2], work[3]
    for row in range(3):
        point[row] = world_to_camera[row, 3]
        for k in range(3):
            point[row] += world_to_camera[row, k] * gaussians.means[i, k]
    z = point[2]
    xx = yy = xy = 0.0
    for row in range(2):
        held[row] = min(max(point[row] / z, slopes[row, 1]), slopes[row, 2])
        for axis in range(3):
            screen[row, axis] = slopes[row, 0] / z * (axes[row, axis] - held[row] * axes[2, axis])
    for axis in range(3):
        xx += screen[0, axis] * screen[0, axis]
        xy += screen[0, axis] * screen[1, axis]
        yy += screen[1, axis] * screen[1, axis]
    determinant = _squared_area(screen)
    l11 = _WHITEN * projected[i, 2]
    l21 = _WHITEN * projected[i, 3]
    l22 = _WHITEN * projected[i, 4]
    for parameter in range(6):
        dxx = dxy = dyy = 0.0
        if parameter >= 3:
            u = screen[0, parameter - 3]
            v = screen[1, parameter - 3]
            dxx = 2 * u * u
            dxy = 2 * u * v
            dyy = 2 * v * v
            move[0] = move[1] = 0.0
        else:
            dz = world_to_camera[2, parameter]
            for row in range(2):
                slope = point[row] / z
                shift = (world_to_camera[row, parameter] - slope * dz) / z
                move[row] = slopes[row, 0] * shift
                # The projection is linearised at a slope that is held inside bounds.
                turn[row] = move[row] if held[row] == slope else 0.0
            for axis in range(3):
                du = -screen[0, axis] * dz / z - turn[0] / z * axes[2, axis]
                dv = -screen[1, axis] * dz / z - turn[1] / z * axes[2, axis]
                dxx += 2 * screen[0, axis] * du
                dxy += screen[0, axis] * dv + screen[1, axis] * du
                dyy += 2 * screen[1, axis] * dv
        y1 = l11 * dxx + l21 * dxy
        y2 = l11 * dxy + l21 * dyy
        for row in range(5, PSI):
            jacobian[parameter, row] = 0.0
        jacobian[parameter, 0] = l11 * move[0] + l21 * move[1]
        jacobian[parameter, 1] = l22 * move[1]
        jacobian[parameter, 2] = -(y1 * l11 + y2 * l21)
        jacobian[parameter, 3] = -y2 * l22
        jacobian[parameter, 4] = -l22 * l22 * dyy
        if gaussians.antialiased:
            # rho^2 = det S / det (S + eps I); minus half the derivative of its logarithm.
            eps = float(EPS2D)
            full = determinant + eps * (xx + yy + eps)
            raw = yy * dxx - 2 * xy * dxy + xx * dyy
            jacobian[parameter, 5] = 0.5 * ((raw + eps * (dxx + dyy)) / full - raw / determinant)


@kernel
def _squared_area(screen: F64) -> float:
    """``|u x v|^2``: the determinant of the screen covariance, without cancellation."""
    area = 0.0
    for axis in range(3):
        p = (axis + 1) % 3
        q = (axis + 2) % 3
        side = screen[0, p] * screen[1, q] - screen[0, q] * screen[1, p]
        area += side * side
    return area


@kernel
def _color_jacobian(
    gaussians: Gaussians,
    i: int,
    world_to_camera: F64,
    projected: F32,
    harmonics: F32,
    direction: F64,
    jacobian: F64,
) -> None:
    """Colour rows of ``jacobian (6, PSI)``: minus d(colour)/d(mean) through the view direction.

    ``harmonics (16,)`` and ``direction (3,)`` are workspace.
    """
    squared = 0.0
    for k in range(3):
        center = 0.0
        for row in range(3):
            center -= world_to_camera[row, k] * world_to_camera[row, 3]
        direction[k] = gaussians.means[i, k] - center
        squared += direction[k] * direction[k]
    distance = math.sqrt(squared)
    for k in range(3):
        direction[k] /= distance
    for channel in range(3):
        if not projected[i, 6 + channel] > F(0):
            continue
        for k in range(gaussians.sh_count):
            harmonics[k] = gaussians.sh[i, k, channel]
        gradient = sh_direction_gradient(
            harmonics, gaussians.sh_count, direction[0], direction[1], direction[2]
        )
        along = gradient[0] * direction[0] + gradient[1] * direction[1] + gradient[2] * direction[2]
        for k in range(3):
            jacobian[k, 6 + channel] = (along * direction[k] - gradient[k]) / distance
