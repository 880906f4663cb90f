"""Weighted means under SSIM's Gaussian window."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from core.rendering.cpu.common import F32, F, U, kernel, workers

WINDOW = 11
HALF = WINDOW // 2
SIGMA = 1.5
ROWS_AT_ONCE = 16


def blurred(maps: Tensor) -> Tensor:
    """Every channel of ``(H, W, C)`` under an 11 x 11 Gaussian window, zeros beyond the border.

    Differentiable. The window is a product, so one axis is done after the other: by a kernel for
    float32 on the CPU, which is several times as fast there as the convolution used elsewhere.
    """
    if maps.device.type == "cpu" and maps.dtype == torch.float32:
        result: Tensor = _Blur.apply(maps)  # type: ignore[no-untyped-call]
        return result
    channels = maps.shape[-1]
    weights = window(maps.dtype, maps.device)
    across = weights.expand(channels, 1, 1, WINDOW)
    down = weights[:, None].expand(channels, 1, WINDOW, 1)
    image = conv2d(maps.permute(2, 0, 1)[None], across, padding=(0, HALF), groups=channels)
    return conv2d(image, down, padding=(HALF, 0), groups=channels)[0].permute(1, 2, 0)


@cache
def window(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The weights along one axis, ``(11,)``; they sum to 1."""
    places = torch.arange(WINDOW, dtype=torch.float64) - HALF
    weights = (-places.square() / (2 * SIGMA**2)).exp()
    return (weights / weights.sum()).to(device, dtype)


class _Blur(torch.autograd.Function):
    """A symmetric window with zeros outside is its own adjoint."""

    @staticmethod
    def forward(_ctx: Any, maps: Tensor) -> Tensor:
        return _filtered(maps)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return blurred(gradient)


def _filtered(maps: Tensor) -> Tensor:
    height, width, channels = maps.shape
    image = maps.detach().contiguous().numpy().reshape(height, width * channels)
    result = np.empty_like(image)
    weights = window(torch.float32, torch.device("cpu")).numpy()
    parts = -(-height // ROWS_AT_ONCE)
    team = workers()

    def rows(part: int) -> None:
        for band in range(part, parts, team.count):
            first = band * ROWS_AT_ONCE
            _blur_rows(image, weights, channels, first, min(first + ROWS_AT_ONCE, height), result)

    team.each(team.count, rows)
    return torch.from_numpy(result.reshape(height, width, channels))


@kernel
def _blur_rows(image: F32, weights: F32, channels: int, first: int, last: int, result: F32) -> None:
    """Rows ``first`` to ``last`` of ``(H, W * C)``: down into one padded row, then along it."""
    height, length = image.shape
    margin = HALF * channels
    line = np.zeros(length + 2 * margin, np.float32)
    for y in range(first, last):
        for i in range(length):
            line[U(i + margin)] = F(0)
        for k in range(WINDOW):
            row = y + k - HALF
            if 0 <= row < height:
                weight = weights[k]
                for i in range(length):
                    line[U(i + margin)] += weight * image[row, U(i)]
        for i in range(length):
            result[y, U(i)] = weights[0] * line[U(i)]
        for k in range(1, WINDOW):
            weight = weights[k]
            shift = k * channels
            for i in range(length):
                result[y, U(i)] += weight * line[U(i + shift)]
