"""Gradients of a frame: pixels back to tiles' Gaussians, then Gaussians back to parameters.

The blending loop runs front to back like the forward one and keeps, per pixel, the inner product of
the incoming gradient with all that is still behind. Its sums are moments in whitened coordinates,
from which the gradients of mean and covariance follow without cancellation.
"""

import numpy as np

from core.rendering.cpu.binning import segment_sum
from core.rendering.cpu.blend import (
    BATCH,
    CHECK_EVERY,
    PLANE_2,
    PLANE_3,
    PLANE_4,
    PLANE_5,
    PLANE_6,
    PLANE_7,
    alpha_blend,
    any_unfinished,
    make_scratch,
    stage,
    staged,
    tile_count,
    tile_origin,
)
from core.rendering.cpu.common import (
    F32,
    I32,
    I64,
    MAX_ALPHA,
    TILE_HEIGHT,
    TILE_PIXELS,
    TILE_WIDTH,
    F,
    Real,
    U,
    fetch_add,
    inline,
    kernel,
)
from core.rendering.cpu.project_vjp import MOMENTS, Gradients, project_vjp
from core.rendering.cpu.renderer import Frame


@inline
def _load(
    pixels: F32,
    x0: int,
    y0: int,
    image: F32,
    transmittance: F32,
    depth_sum: F32 | None,
    v_image: F32,
    v_alpha: F32,
    v_depth: F32 | None,
) -> None:
    """Fill a tile's planes: T, gradient times all that is behind, gradients by r, g, b, depth."""
    height, width = transmittance.shape
    pixels[2 * TILE_PIXELS :] = F(0)
    for y in range(min(TILE_HEIGHT, height - y0)):
        for x in range(min(TILE_WIDTH, width - x0)):
            p = y * TILE_WIDTH + x
            pixels[2 * TILE_PIXELS + p] = F(1)
            behind = -v_alpha[y0 + y, x0 + x] * transmittance[y0 + y, x0 + x]
            for channel in range(3):
                v = v_image[y0 + y, x0 + x, channel]
                pixels[(4 + channel) * TILE_PIXELS + p] = v
                behind += v * image[y0 + y, x0 + x, channel]
            if v_depth is not None and depth_sum is not None:
                pixels[7 * TILE_PIXELS + p] = v_depth[y0 + y, x0 + x]
                behind += v_depth[y0 + y, x0 + x] * depth_sum[y0 + y, x0 + x]
            pixels[3 * TILE_PIXELS + p] = behind


@inline
def _gaussian_moments(
    pixels: F32, batch: F32, spans: I32, j: int, z: Real, v_depth: F32 | None
) -> tuple[Real, Real, Real, Real, Real, Real, Real, Real, Real, Real]:
    """The moments of the j-th staged Gaussian over the tile; moves the planes on past it."""
    mean_x, mean_y, k11, k21, k22, log2_opacity, r, g, b = staged(batch, j)
    m0 = F(0)
    m1 = F(0)
    m2 = F(0)
    m11 = F(0)
    m12 = F(0)
    m22 = F(0)
    v_r = F(0)
    v_g = F(0)
    v_b = F(0)
    v_z = F(0)
    for p in range(U(spans[j]), U(spans[BATCH + j])):
        dx = mean_x - pixels[p]
        dy = mean_y - pixels[p + U(TILE_PIXELS)]
        p1 = k11 * dx + k21 * dy
        p2 = k22 * dy
        unclamped, alpha, _, weight, after = alpha_blend(
            log2_opacity - p1 * p1 - p2 * p2, pixels[p + PLANE_2]
        )
        pixels[p + PLANE_2] = after
        pixel_r = pixels[p + PLANE_4]
        pixel_g = pixels[p + PLANE_5]
        pixel_b = pixels[p + PLANE_6]
        own = pixel_r * r + pixel_g * g + pixel_b * b
        if v_depth is not None:
            own += pixels[p + PLANE_7] * z
            v_z += weight * pixels[p + PLANE_7]
        own *= weight
        behind = pixels[p + PLANE_3] - own
        pixels[p + PLANE_3] = behind
        moment = own - behind * (alpha / (F(1) - alpha))
        if (weight <= F(0)) | (unclamped > MAX_ALPHA):
            moment = F(0)
        moment1 = moment * p1
        moment2 = moment * p2
        m0 += moment
        m1 += moment1
        m2 += moment2
        m11 += moment1 * p1
        m12 += moment1 * p2
        m22 += moment2 * p2
        v_r += weight * pixel_r
        v_g += weight * pixel_g
        v_b += weight * pixel_b
    return m0, m1, m2, m11, m12, m22, v_r, v_g, v_b, v_z


@kernel
def blend_vjp(
    records: F32,
    offsets: I64,
    ids: I32,
    image: F32,
    transmittance: F32,
    depth_sum: F32 | None,
    v_image: F32,
    v_alpha: F32,
    v_depth: F32 | None,
    moments: F32,
    counter: I64,
) -> None:
    """Per (Gaussian, tile) sums over the tile's pixels, ``moments (P, 9)`` or ``(P, 10)``.

    With ``G = alpha dL/dalpha`` and whitened ``p``: G, G p1, G p2, G p1 p1, G p1 p2, G p2 p2,
    dL/dr, dL/dg, dL/db, and dL/dz if ``v_depth``, the gradient of ``sum(w z)``, is not None.
    """
    height, width = transmittance.shape
    tiles = tile_count(width, height)
    pixels, batch, spans = make_scratch(6)
    while True:
        tile = fetch_add(counter, 1)
        if tile >= tiles:
            break
        x0, y0 = tile_origin(tile, width)
        _load(pixels, x0, y0, image, transmittance, depth_sum, v_image, v_alpha, v_depth)
        k = offsets[tile]
        end = offsets[tile + 1]
        while k < end:
            count = min(BATCH, end - k)
            stage(records, ids, k, count, x0, y0, batch, spans)
            for j in range(count):
                i = k + j
                z = records[ids[i], 10]
                m0, m1, m2, m11, m12, m22, v_r, v_g, v_b, v_z = _gaussian_moments(
                    pixels, batch, spans, j, z, v_depth
                )
                moments[i, 0] = m0
                moments[i, 1] = m1
                moments[i, 2] = m2
                moments[i, 3] = m11
                moments[i, 4] = m12
                moments[i, 5] = m22
                moments[i, 6] = v_r
                moments[i, 7] = v_g
                moments[i, 8] = v_b
                if v_depth is not None:
                    moments[i, 9] = v_z
                if j & (CHECK_EVERY - 1) == CHECK_EVERY - 1 and not any_unfinished(pixels):
                    moments[i + 1 : end] = F(0)
                    k = end
                    break
            k += BATCH


def frame_vjp(frame: Frame, v_image: F32, v_alpha: F32, v_depth: F32 | None) -> Gradients:
    """Gradients by the scene from those by ``image``, ``1 - transmittance`` and ``depth_sum``."""
    gaussians, colors = frame.gaussians, frame.colors
    team, workspace = frame.workers, frame.workspace
    count = len(gaussians.means)
    fields = MOMENTS if v_depth is None else MOMENTS + 1
    moments = workspace.array("moments", (len(frame.ids), fields))
    team.tiles(
        blend_vjp,
        frame.records,
        frame.offsets,
        frame.ids,
        frame.image,
        frame.transmittance,
        None if v_depth is None else frame.depth_sum,
        v_image,
        v_alpha,
        v_depth,
        moments,
    )
    sums = workspace.array("sums", (count, fields))
    team.ranges(len(frame.order), segment_sum, moments, frame.start, frame.slots, frame.order, sums)
    out = Gradients(
        means=np.empty_like(gaussians.means),
        log_scales=np.empty_like(gaussians.log_scales),
        quats=np.empty_like(gaussians.quats),
        opacity_logits=np.empty_like(gaussians.opacity_logits),
        sh=np.empty_like(gaussians.sh),
        colors=np.empty((0, 0), np.float32) if colors is None else np.empty_like(colors),
        means2d=np.empty((count, 2), np.float32),
    )
    team.ranges(
        count,
        project_vjp,
        gaussians,
        frame.view,
        colors,
        frame.projected,
        frame.depth,
        sums,
        out,
    )
    return out
