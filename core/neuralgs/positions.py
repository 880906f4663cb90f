"""Positions as cells of a grid."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.morton import morton_codes, morton_order
from core.neuralgs.model import PositionGrid

FINENESS = 0.25
"""A cell, by the median of the Gaussians' middle axes.

By the smallest axes, flat Gaussians would ask for cells far below a pixel: measured, 13 bits of an
axis, which this gives for a capture and for an object, cost 0.02 and 0.00 dB; and the fine-tune
follows.
"""
LEAST_BITS, MOST_BITS = 4, 21
RESOLVED_BITS = 21
"""Cells are not finer than float32 tells places apart, with a margin."""
_UNBOUNDED = 8.0
"""Extent by that of the middle 90 % from which on a scene is taken to have no bounds."""

Mapping = Literal["linear", "signed-log", "half"]


def grid_for(means: Tensor, log_scales: Tensor) -> PositionGrid:
    """A grid as fine as the Gaussians need.

    A cell is less than a quarter of the median middle axis, measured where each Gaussian is.
    Scenes that reach far beyond their middle are mapped by ``sign(x) log(1 + |x|)``.
    """
    few = means[:: max(1, len(means) // 2**18)].double()
    low, high = torch.quantile(few, 0.05, 0), torch.quantile(few, 0.95, 0)
    reach, middle = few.amax(0) - few.amin(0), high - low
    mapping: Mapping = "signed-log" if bool((reach > _UNBOUNDED * middle).any()) else "linear"
    places = _mapped(means.double(), mapping)
    lows, highs = places.amin(0), places.amax(0)
    slope = 1 / (1 + means.double().abs().amax(1)) if mapping == "signed-log" else 1.0
    axis = float((log_scales.double().median(1).values.exp() * slope).median())
    extent = float((highs - lows).amax())
    wanted = extent / max(FINENESS * axis, 1e-12)
    bits = min(max(math.ceil(math.log2(max(wanted, 1.0))), LEAST_BITS), MOST_BITS)
    resolved = extent / max(float(places.abs().amax()), 1e-30) * 2**RESOLVED_BITS
    bits = max(1, min(bits, math.floor(math.log2(max(resolved, 2.0)))))
    return PositionGrid(mapping, bits, _three(lows), _three(highs))


def half_grid(means: Tensor) -> PositionGrid:
    """Positions as float16, as NeuralGS stores them."""
    places = means.half().double()
    return PositionGrid("half", 16, _three(places.amin(0)), _three(places.amax(0)))


def snapped(means: Tensor, grid: PositionGrid) -> Tensor:
    """The positions that come back from the file, float32 ``(N, 3)``."""
    if grid.mapping == "half":
        return means.half().float()
    return places_of(cells_of(means, grid), grid)


def cells_of(means: Tensor, grid: PositionGrid) -> Tensor:
    """Cells of a grid that is not of float16, int64 ``(N, 3)``."""
    above = _mapped(means.double(), grid.mapping) - _lows(means, grid)
    return (above / _steps(means, grid)).round().clamp(0, 2**grid.bits - 1).long()


def places_of(cells: Tensor, grid: PositionGrid) -> Tensor:
    """The middles of cells, float32 ``(N, 3)``."""
    mapped = _lows(cells, grid) + cells * _steps(cells, grid)
    if grid.mapping == "signed-log":
        mapped = mapped.sign() * torch.expm1(mapped.abs())
    return mapped.float()


def order_of(means: Tensor, grid: PositionGrid) -> Tensor:
    """The order in which a file has Gaussians: along the Morton curve of their cells, ``(N,)``."""
    if grid.mapping == "half":
        order = morton_order(means.half().cpu().numpy())
    else:
        order = np.argsort(morton_codes(cells_of(means, grid).cpu().numpy()), kind="stable")
    return torch.from_numpy(order).to(means.device)


def normalized(means: Tensor, grid: PositionGrid) -> Tensor:
    """Mapped positions from -1 to 1, the inputs of the nets, float32 ``(N, 3)``."""
    lows = _lows(means, grid)
    half = (means.new_tensor(grid.highs, dtype=torch.float64) - lows) / 2
    half = torch.where(half > 0, half, 1.0)
    return ((_mapped(means.double(), grid.mapping) - lows) / half - 1).float()


def _mapped(means: Tensor, mapping: Mapping) -> Tensor:
    return means.sign() * torch.log1p(means.abs()) if mapping == "signed-log" else means


def _lows(means: Tensor, grid: PositionGrid) -> Tensor:
    return means.new_tensor(grid.lows, dtype=torch.float64)


def _steps(means: Tensor, grid: PositionGrid) -> Tensor:
    """Size of a cell: the same on all axes."""
    extent = max(high - low for low, high in zip(grid.lows, grid.highs, strict=True))
    return means.new_tensor((extent or 1.0) / (2**grid.bits - 1), dtype=torch.float64)


def _three(values: Tensor) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
