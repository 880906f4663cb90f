"""Fitting an image's Gaussians further to this one image; depth stays, so the layers do."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from core.gmae.config import Config
from core.gmae.gaussians import activate
from core.gmae.splatting import splat
from core.jobs import Progress, Steps
from core.training.fitting import Work

RATE = 0.05
_DEPTH = 2


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """The numbers of an image's Gaussians, ``(1, K, 14)``, and how near their picture is in dB."""

    outputs: Tensor
    psnr: float


def refine_image(
    outputs: Tensor,
    image: Tensor,
    config: Config,
    steps: int = 100,
    rate: float = RATE,
    depths: Tensor | None = None,
) -> Steps[Refined]:
    """Adam on the head's numbers ``(1, K, 14)`` against an image ``(1, 3, S, S)`` in 0..1.

    The depth before the activation is frozen. ``depths (1, K)`` is where the Gaussians stand, if
    that is elsewhere by now: their order is that of these. PSNR is that before a step, at the end
    that of the result.
    """
    numbers = outputs.detach().clone().requires_grad_()
    where = numbers[..., _DEPTH].detach() if depths is None else depths
    order = where.argsort(dim=-1, stable=True)
    adam = torch.optim.Adam([numbers], rate)
    target = image.flatten(2).transpose(1, 2)

    def error() -> Tensor:
        gaussians = activate(numbers, config.scale_cap)
        drawn, _ = splat(gaussians, config.projection, config.size, order=order)
        return ((drawn - target) ** 2).mean()

    work = Work()
    for step in range(steps):
        work.begin()
        loss = error()
        before = _psnr(loss)
        partial = Refined(numbers.detach().clone(), before) if work.partial_due() else None
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert numbers.grad is not None
        numbers.grad[..., _DEPTH] = 0
        adam.step()
        work.end()
        message = f"step {step + 1} of {steps}"
        yield Progress(step + 1, steps, message, {"psnr": before}, partial)
    with torch.no_grad():
        return Refined(numbers.detach().clone(), _psnr(error()))


def _psnr(error: Tensor) -> float:
    return -10 * math.log10(max(float(error.detach()), 1e-12))
