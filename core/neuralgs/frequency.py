"""The frequency loss: high frequencies of a picture should be those of its target."""

from typing import Literal

import torch
from torch import Tensor

CUT_OFF = 0.25
"""Of Nyquist's frequency; what lies below is left aside. NeuralGS does not publish its own."""

Way = Literal["complex", "paper"]


def frequency_loss(picture: Tensor, target: Tensor, way: Way = "complex") -> Tensor:
    """How far the high frequencies of two pictures ``(H, W, 3)`` are apart, a scalar.

    NeuralGS, eq. 5, is the sum of differences of amplitude and of phase: ``"paper"``. The phase
    wraps around and is undefined where there is no amplitude, so that its gradient is mostly noise:
    ``"complex"`` takes the distance of the two complex numbers instead. Both are means over the
    frequencies kept, of spectra scaled by ``1 / sqrt(HW)`` as in FreGS; the paper writes a sum.
    """
    keep = _high_pass(picture.shape[0], picture.shape[1]).to(picture.device)
    ours, theirs = (
        torch.fft.rfft2(image, dim=(0, 1), norm="ortho")[keep] for image in (picture, target)
    )
    if way == "complex":
        distance: Tensor = (ours - theirs).abs()
    else:
        distance = (ours.abs() - theirs.abs()).abs() + (ours.angle() - theirs.angle()).abs()
    return distance.mean()


def _high_pass(height: int, width: int) -> Tensor:
    """Which of the frequencies of ``rfft2`` are high, bool ``(H, W // 2 + 1)``."""
    rows: Tensor = torch.fft.fftfreq(height)[:, None]
    columns: Tensor = torch.fft.rfftfreq(width)[None]
    return (rows.square() + columns.square()).sqrt() > CUT_OFF / 2
