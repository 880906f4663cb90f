"""Real spherical harmonics up to degree 3, in the sign convention of 3DGS."""

from core.rendering.cpu.common import F32, F, Real, inline

_C0 = F(0.28209479177387814)
_C1 = F(0.4886025119029199)
_C2_XY = F(1.0925484305920792)
_C2_ZZ = F(0.31539156525252005)
_C2_XX = F(0.5462742152960396)
_C3_33 = F(0.5900435899266435)
_C3_XYZ = F(2.890611442640554)
_C3_31 = F(0.4570457994644658)
_C3_30 = F(0.3731763325901154)
_C3_32 = F(1.445305721320277)


@inline
def sh_basis(basis: F32, count: int, x: Real, y: Real, z: Real) -> None:
    """Write the first ``count`` (1, 4, 9 or 16) basis functions at a unit direction."""
    basis[0] = _C0
    if count > 1:
        basis[1] = -_C1 * y
        basis[2] = _C1 * z
        basis[3] = -_C1 * x
    if count > 4:
        xx = x * x
        yy = y * y
        zz = z * z
        basis[4] = _C2_XY * x * y
        basis[5] = -_C2_XY * y * z
        basis[6] = _C2_ZZ * (F(2) * zz - xx - yy)
        basis[7] = -_C2_XY * x * z
        basis[8] = _C2_XX * (xx - yy)
        if count > 9:
            basis[9] = -_C3_33 * y * (F(3) * xx - yy)
            basis[10] = _C3_XYZ * x * y * z
            basis[11] = -_C3_31 * y * (F(4) * zz - xx - yy)
            basis[12] = _C3_30 * z * (F(2) * zz - F(3) * (xx + yy))
            basis[13] = -_C3_31 * x * (F(4) * zz - xx - yy)
            basis[14] = _C3_32 * z * (xx - yy)
            basis[15] = -_C3_33 * x * (xx - F(3) * yy)


@inline
def sh_color(basis: F32, count: int, sh: F32, i: int) -> tuple[Real, Real, Real]:
    """Colour ``max(0, sum_k basis[k] sh[i, k] + 0.5)``."""
    r = F(0.5)
    g = F(0.5)
    b = F(0.5)
    for k in range(count):
        r += basis[k] * sh[i, k, 0]
        g += basis[k] * sh[i, k, 1]
        b += basis[k] * sh[i, k, 2]
    return max(r, F(0)), max(g, F(0)), max(b, F(0))


@inline
def sh_direction_gradient(v: F32, count: int, x: Real, y: Real, z: Real) -> tuple[Real, Real, Real]:
    """Gradient of ``sum_k v[k] basis_k(x, y, z)`` with respect to the direction."""
    gx = F(0)
    gy = F(0)
    gz = F(0)
    if count > 1:
        gx -= _C1 * v[3]
        gy -= _C1 * v[1]
        gz += _C1 * v[2]
    if count > 4:
        xx = x * x
        yy = y * y
        zz = z * z
        gx += _C2_XY * (y * v[4] - z * v[7]) + F(2) * x * (_C2_XX * v[8] - _C2_ZZ * v[6])
        gy += _C2_XY * (x * v[4] - z * v[5]) - F(2) * y * (_C2_XX * v[8] + _C2_ZZ * v[6])
        gz += F(4) * _C2_ZZ * z * v[6] - _C2_XY * (y * v[5] + x * v[7])
        if count > 9:
            v9 = _C3_33 * v[9]
            v10 = _C3_XYZ * v[10]
            v11 = _C3_31 * v[11]
            v12 = _C3_30 * v[12]
            v13 = _C3_31 * v[13]
            v14 = _C3_32 * v[14]
            v15 = _C3_33 * v[15]
            xy = x * y
            xz = x * z
            yz = y * z
            gx += (
                F(-6) * xy * v9
                + yz * v10
                + F(2) * xy * v11
                - F(6) * xz * v12
                - (F(4) * zz - F(3) * xx - yy) * v13
                + F(2) * xz * v14
                - F(3) * (xx - yy) * v15
            )
            gy += (
                F(-3) * (xx - yy) * v9
                + xz * v10
                - (F(4) * zz - xx - F(3) * yy) * v11
                - F(6) * yz * v12
                + F(2) * xy * v13
                - F(2) * yz * v14
                + F(6) * xy * v15
            )
            gz += (
                xy * v10
                - F(8) * yz * v11
                + (F(6) * zz - F(3) * (xx + yy)) * v12
                - F(8) * xz * v13
                + (xx - yy) * v14
            )
    return gx, gy, gz
