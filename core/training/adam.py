"""Adam in one pass over memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.rendering.cpu.common import F32, F, Real, U, inline, kernel, workers

EPS = 1e-15
"""As in 3D Gaussian Splatting: gradients by single Gaussians are tiny."""
BETAS = 0.9, 0.999


class FusedAdam(torch.optim.Adam):
    """Adam for one tensor ``(N, ...)``, whose first columns may move at a rate of their own.

    On the CPU by our own threads: torch's fused Adam is as fast on an idle machine, but its
    threads wait for each other by spinning, which takes many times as long on a busy one.

    Attributes
    ----------
    rate, base_rate
        Of the tensor, and of the ``base`` first of its values for each Gaussian.
    """

    def __init__(self, tensor: Tensor, base: int = 0) -> None:
        super().__init__([tensor], lr=1.0, betas=BETAS, eps=EPS, fused=tensor.is_cuda)
        self.rate = self.base_rate = 1.0
        self._base = base

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step by the tensor's gradient."""
        group = self.param_groups[0]
        (tensor,) = group["params"]
        if tensor.is_cuda:
            self._step_by_torch(tensor)
            return
        state = self.state[tensor]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(tensor)
            state["exp_avg_sq"] = torch.zeros_like(tensor)
        state["step"] += 1
        count = len(tensor)
        rates = np.full(tensor[:1].numel(), self.rate)
        rates[: self._base] = self.base_rate
        arrays = [
            array.detach().view(-1).numpy()
            for array in (tensor, tensor.grad.contiguous(), state["exp_avg"], state["exp_avg_sq"])
        ]
        done = float(state["step"])
        corrected = (rates / (1 - BETAS[0] ** done)).astype(np.float32)
        scale = F(1 / np.sqrt(1 - BETAS[1] ** done))
        workers().ranges(count, _adam, *arrays, corrected, self._base == 0, scale)

    def _step_by_torch(self, tensor: Tensor) -> None:
        """Adam's step is proportional to its rate: that of the base is stretched afterwards."""
        base = tensor.detach().reshape(len(tensor), -1)[:, : self._base]
        before = base.clone()
        self.param_groups[0]["lr"] = self.rate
        super().step()
        base.lerp_(before, 1 - self.base_rate / self.rate)


@inline
def _advance(
    values: F32, gradient: F32, mean: F32, square: F32, i: Real, rate: Real, scale: Real
) -> None:
    """Kingma and Ba 2015, algorithm 1, for one value."""
    g = gradient[i]
    m = mean[i] + F(1 - BETAS[0]) * (g - mean[i])
    v = F(BETAS[1]) * square[i] + F(1 - BETAS[1]) * (g * g)
    mean[i] = m
    square[i] = v
    values[i] -= rate * m / (np.sqrt(v) * scale + F(EPS))


@kernel
def _adam(
    first: int,
    last: int,
    values: F32,
    gradient: F32,
    mean: F32,
    square: F32,
    rates: F32,
    same: bool,
    scale: Real,
) -> None:
    """One step for the rows ``first`` to ``last`` of flat arrays with ``len(rates)`` columns.

    ``rates`` are over ``1 - beta1^t``, all the ``same`` or not; ``scale`` is
    ``1 / sqrt(1 - beta2^t)``.
    """
    columns = len(rates)
    if same:
        for i in range(U(first * columns), U(last * columns)):
            _advance(values, gradient, mean, square, i, rates[0], scale)
        return
    for row in range(first, last):
        for column in range(columns):
            at = U(row * columns + column)
            _advance(values, gradient, mean, square, at, rates[column], scale)


MOMENTS = ("exp_avg", "exp_avg_sq")


def state_of(
    tensors: Mapping[str, Tensor], optimizers: Mapping[str, FusedAdam]
) -> dict[str, Tensor]:
    """Tensors and their moments and steps by name, not copied; moments after the first step."""
    state: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        state[name] = tensor.detach()
        known = optimizers[name].state[tensor]
        state |= {f"{name}.{key}": known[key] for key in (*MOMENTS, "step") if key in known}
    return state
