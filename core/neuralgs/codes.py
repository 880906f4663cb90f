"""Codes: what the nets cannot know from the position, in as few bits as it takes.

A transform code of the attributes' residuals: the principal directions of each cluster, in units of
what the pictures notice, rounded to one step for all of them, which is the best there is for normal
values at a given error.
"""

import torch
from torch import Tensor

LARGEST = 127
_BISECTIONS = 14
_WIDEST = 10.0
"""The largest step, by the residuals' root mean square."""
_CURVE = 2.0


def first_codes(
    residuals: Tensor, labels: Tensor, clusters: int, weights: Tensor, bytes_each: float
) -> tuple[Tensor, Tensor]:
    """Codes of residuals that take about so many bytes each.

    Parameters
    ----------
    residuals
        Normalised attributes less what the nets say, ``(N, C)``.
    labels
        Cluster by Gaussian, ``(N,)``.
    weights
        How much the square of a channel's error counts, ``(C,)``.

    Returns
    -------
    codes, basis
        Not rounded, float32 ``(N, Z)``, and ``(K, Z, C)``; Z is at least 1.
    """
    scale = weights.sqrt()
    directions = torch.empty(clusters, len(scale), len(scale), device=residuals.device)
    parts = torch.empty_like(residuals)
    for label in range(clusters):
        own = labels == label
        scaled = residuals[own] * scale
        moments = scaled.double().T @ scaled.double()
        directions[label] = torch.linalg.eigh(moments)[1].flip(1).T.float()
        parts[own] = scaled @ directions[label].T
    step = _step(parts, bytes_each)
    codes = (parts / step).clamp(-LARGEST, LARGEST)
    columns = max(1, int((codes.round() != 0).any(0).sum()))
    basis = directions[:, :columns] * step / scale
    return codes[:, :columns].contiguous(), basis.contiguous()


def entropy_bytes(codes: Tensor) -> float:
    """Bytes of each Gaussian's rounded codes ``(N, Z)`` by a coder that knows their frequencies.

    Column by column, without any knowledge of the neighbours.
    """
    count, columns = codes.shape
    if not count:
        return 0.0
    whole = codes.round().clamp(-LARGEST, LARGEST).long() + LARGEST
    size = 2 * LARGEST + 1
    places = whole + size * torch.arange(columns, device=codes.device)
    hits = torch.bincount(places.flatten(), minlength=size * columns).double() / count
    return float(-(hits * hits.clamp_min(1e-30).log2()).sum()) / 8


def bit_slope(codes: Tensor) -> Tensor:
    """How fast bits grow with each code, for a penalty: the slope of ``log2(1 + 2 |z|)``."""
    return codes.sign() * (_CURVE / 0.6931472) / (1 + _CURVE * codes.abs())


def straight_through_codes(codes: Tensor) -> Tensor:
    """Rounded codes whose gradient is that of the codes themselves."""
    return codes + (codes.round().clamp(-LARGEST, LARGEST) - codes).detach()


def _step(parts: Tensor, bytes_each: float) -> float:
    """The step at which the rounded parts take so many bytes, or as many as int8 allows."""
    size = float(parts.square().mean().sqrt())
    if not size > 0:
        return 1.0
    low = float(parts.abs().amax()) / LARGEST
    high = max(_WIDEST * size, low)
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5
        if entropy_bytes(parts / middle) > bytes_each:
            low = middle
        else:
            high = middle
    return high
