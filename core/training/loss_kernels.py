"""L1 and SSIM of a picture and their gradient, in two passes over it.

What autograd does over :func:`core.metrics.ssim_map` in some thirty passes, each of which goes
through memory, takes several times as long.
"""

import numpy as np
from numpy.typing import NDArray

from core.metrics.blur import HALF, WINDOW, window
from core.metrics.similarity import C1 as _C1
from core.metrics.similarity import C2 as _C2
from core.rendering.cpu.common import F32, F, Real, U, inline, kernel, workers

F64 = NDArray[np.float64]

C1, C2 = F(_C1), F(_C2)
_ROWS_AT_ONCE = 8


def loss_and_gradient(
    picture: F32, target: F32, weights: F32, ssim_weight: float
) -> tuple[float, F32]:
    """``(1 - w) L1 + w (1 - SSIM)`` and its gradient by the picture.

    Parameters
    ----------
    picture, target
        Contiguous ``(H, W, 3)``.
    weights
        SSIM's window along one axis ``(11,)``.
    ssim_weight
        ``w`` in 0..1.

    Returns
    -------
    loss
        A mean over pixels and channels; the same for any number of threads.
    gradient
        ``(H, W, 3)``.
    """
    height, width, channels = picture.shape
    length = width * channels
    a, b = picture.reshape(height, length), target.reshape(height, length)
    slopes = np.empty((3, height, length), np.float32)
    gradient = np.empty_like(a)
    sums = np.zeros((height, 2))
    per_value = 1 / (height * length)
    ssim_slope, l1_slope = F(-ssim_weight * per_value), F((1 - ssim_weight) * per_value)
    team = workers()
    parts = -(-height // _ROWS_AT_ONCE)

    def first_pass(part: int) -> None:
        for band in range(part, parts, team.count):
            rows = band * _ROWS_AT_ONCE, min((band + 1) * _ROWS_AT_ONCE, height)
            _compare_rows(a, b, weights, channels, *rows, slopes, sums)

    def second_pass(part: int) -> None:
        for band in range(part, parts, team.count):
            rows = band * _ROWS_AT_ONCE, min((band + 1) * _ROWS_AT_ONCE, height)
            _gradient_rows(a, b, weights, channels, *rows, slopes, ssim_slope, l1_slope, gradient)

    team.each(team.count, first_pass)
    team.each(team.count, second_pass)
    similarity, difference = (float(total) * per_value for total in sums.sum(axis=0))
    loss = (1 - ssim_weight) * difference + ssim_weight * (1 - similarity)
    return loss, gradient.reshape(picture.shape)


def window_weights() -> F32:
    """SSIM's window along one axis, ``(11,)``."""
    import torch

    weights: F32 = window(torch.float32, torch.device("cpu")).numpy()
    return weights


@inline
def _taps(y: int, height: int, weights: F32, taps: F32, rows: NDArray[np.int64]) -> None:
    """The rows under the window at row ``y`` and their weights, zero beyond the border."""
    for k in range(WINDOW):
        row = y + k - HALF
        taps[k] = weights[k] if 0 <= row < height else F(0)
        rows[k] = min(max(row, 0), height - 1)


@inline
def _blur_lines(
    lines: F32, weights: F32, channels: int, count: int, length: int, means: F32
) -> None:
    """``means (count * L)``: padded ``lines`` under the window; one by one, to vectorise."""
    size = length + 2 * HALF * channels
    for line in range(count):
        for i in range(length):
            mean = F(0)
            for k in range(WINDOW):
                mean += weights[k] * lines[U(i + k * channels + line * size)]
            means[U(i + line * length)] = mean


@kernel
def _compare_rows(
    a: F32, b: F32, weights: F32, channels: int, first: int, last: int, slopes: F32, sums: F64
) -> None:
    """SSIM of rows ``first`` to ``last`` and its slopes.

    ``slopes (3, H, W * C)`` by the windowed means of a, a^2 and a b; ``sums (H, 2)`` of SSIM and
    of ``|a - b|``.
    """
    height, length = a.shape
    margin = HALF * channels
    size = length + 2 * margin
    lines = np.zeros(4 * size, np.float32)
    means = np.empty(4 * length, np.float32)
    taps = np.empty(WINDOW, np.float32)
    rows = np.empty(WINDOW, np.int64)
    for y in range(first, last):
        _taps(y, height, weights, taps, rows)
        lines[:] = F(0)
        for k in range(WINDOW):
            weight = taps[k]
            row = rows[k]
            for i in range(length):
                at = U(i + margin)
                value_a = a[row, U(i)]
                value_b = b[row, U(i)]
                lines[at] += weight * value_a
                lines[at + U(size)] += weight * value_b
                lines[at + U(2 * size)] += weight * (value_a * value_a + value_b * value_b)
                lines[at + U(3 * size)] += weight * (value_a * value_b)
        _blur_lines(lines, weights, channels, 4, length, means)
        similarity = F(0)
        difference = F(0)
        for i in range(length):
            mean_a = means[U(i)]
            mean_b = means[U(i) + U(length)]
            squares = means[U(i) + U(2 * length)]
            product = means[U(i) + U(3 * length)]
            both = mean_a * mean_b
            power = mean_a * mean_a + mean_b * mean_b
            luminance = F(2) * both + C1
            structure = F(2) * (product - both) + C2
            inverse_power = F(1) / (power + C1)
            inverse_spread = F(1) / (squares - power + C2)
            inverse = inverse_power * inverse_spread
            ssim = luminance * structure * inverse
            similarity += ssim
            difference += abs(a[y, U(i)] - b[y, U(i)])
            slopes[0, y, U(i)] = F(2) * (
                mean_b * (structure - luminance) * inverse
                + mean_a * ssim * (inverse_spread - inverse_power)
            )
            slopes[1, y, U(i)] = -ssim * inverse_spread
            slopes[2, y, U(i)] = F(2) * luminance * inverse
        sums[y, 0] = similarity
        sums[y, 1] = difference


@kernel
def _gradient_rows(
    a: F32,
    b: F32,
    weights: F32,
    channels: int,
    first: int,
    last: int,
    slopes: F32,
    ssim_slope: Real,
    l1_slope: Real,
    gradient: F32,
) -> None:
    """Gradient by ``a`` of rows ``first`` to ``last``: a symmetric window is its own adjoint."""
    height, length = a.shape
    margin = HALF * channels
    size = length + 2 * margin
    lines = np.zeros(3 * size, np.float32)
    means = np.empty(3 * length, np.float32)
    taps = np.empty(WINDOW, np.float32)
    rows = np.empty(WINDOW, np.int64)
    for y in range(first, last):
        _taps(y, height, weights, taps, rows)
        lines[:] = F(0)
        for k in range(WINDOW):
            weight = taps[k]
            row = rows[k]
            for i in range(length):
                at = U(i + margin)
                lines[at] += weight * slopes[0, row, U(i)]
                lines[at + U(size)] += weight * slopes[1, row, U(i)]
                lines[at + U(2 * size)] += weight * slopes[2, row, U(i)]
        _blur_lines(lines, weights, channels, 3, length, means)
        for i in range(length):
            by_mean = means[U(i)]
            by_squares = means[U(i) + U(length)]
            by_product = means[U(i) + U(2 * length)]
            value_a = a[y, U(i)]
            value_b = b[y, U(i)]
            excess = value_a - value_b
            sign = F(1) if excess > F(0) else (F(-1) if excess < F(0) else F(0))
            ssim_gradient = by_mean + F(2) * value_a * by_squares + value_b * by_product
            gradient[y, U(i)] = ssim_slope * ssim_gradient + l1_slope * sign
