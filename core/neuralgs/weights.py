"""The nets' weights in few bits: whole numbers and one scale per cluster, layer and output."""

import torch
from torch import Tensor

from core.neuralgs.model import Network

_SMALLEST = 2.0**-14
"""Below, float16 has fewer digits, and rounded weights would not be their own scale's again."""


def quantized(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Whole numbers ``(K, in, out)`` and their scales ``(K, 1, out)``, exact in float16."""
    largest = 2 ** (bits - 1) - 1
    most = weight.abs().amax(1, keepdim=True)
    near = (most / largest).half().clamp_min(_SMALLEST)
    above = (near.view(torch.int16) + 1).view(torch.float16)
    # The least float16 that cuts nothing off: of rounded weights it is their own scale again.
    scale = torch.where(near.float() * largest < most, above, near).float()
    return (weight / scale).round().clamp(-largest, largest), scale


def rounded(network: Network, bits: int) -> Network:
    """The nets as they come back from a file; biases as float16."""
    if bits == 16:
        weights = tuple(weight.detach().half().float() for weight in network.weights)
    else:
        weights = tuple(_rounded(weight.detach(), bits) for weight in network.weights)
    biases = tuple(bias.detach().half().float() for bias in network.biases)
    return Network(weights, biases, network.levels)


def straight_through(weight: Tensor, bits: int) -> Tensor:
    """A rounded weight whose gradient is that of the weight itself."""
    whole = weight.detach()
    return weight + ((whole.half().float() if bits == 16 else _rounded(whole, bits)) - whole)


def _rounded(weight: Tensor, bits: int) -> Tensor:
    numbers, scale = quantized(weight, bits)
    return numbers * scale
