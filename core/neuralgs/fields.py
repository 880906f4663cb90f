"""The nets: one small multilayer perceptron per cluster, all computed at once."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from core.neuralgs.model import Network


def encoded(positions: Tensor, levels: int) -> Tensor:
    """Positions ``(..., 3)`` in -1..1 and waves of them, ``(..., 3 + 6 levels)``.

    ``x``, then for each level l ``sin(2^l pi x)`` and ``cos(2^l pi x)``, three numbers each.
    """
    if not levels:
        return positions
    octaves = math.pi * 2.0 ** torch.arange(levels, device=positions.device)
    waves = positions[..., None, :] * octaves.to(positions.dtype)[:, None]
    both = torch.stack([waves.sin(), waves.cos()], -2).flatten(-3)
    return torch.cat([positions, both], -1)


def forward(weights: Sequence[Tensor], biases: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """What the nets say to inputs ``(K, B, in)``, ``(K, B, out)``; tanh between the layers."""
    values = inputs
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        values = torch.baddbmm(bias[:, None], values.tanh() if number else values, weight)
    return values


def predict(network: Network, positions: Tensor) -> Tensor:
    """What the nets say of normalised positions ``(K, B, 3)``: ``(K, B, C)``, not cut off."""
    return forward(network.weights, network.biases, encoded(positions, network.levels))


def new_network(
    clusters: int, channels: int, levels: int, hidden: int, layers: int, seed: int
) -> Network:
    """Nets with weights by Glorot and Bengio 2010 and biases of zero, on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    widths = [3 + 6 * levels, *[hidden] * (layers - 1), channels]
    weights = []
    for before, after in pairwise(widths):
        reach = math.sqrt(6 / (before + after))
        uniform = torch.rand(clusters, before, after, generator=generator)
        weights.append((2 * uniform - 1) * reach)
    return Network(
        tuple(weights), tuple(torch.zeros(clusters, width) for width in widths[1:]), levels
    )
