"""More Gaussians where the picture is not right yet, fewer where they are not seen.

The rules are those of 3D Gaussian Splatting (section 5.2) as gsplat's ``DefaultStrategy`` applies
them to tensors and Adam's moments, on any device. Its own reset of opacities never takes place (in
1.5.3 the condition reads ``step % n == 0 & step > 0``); the one here does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from gsplat.strategy import DefaultStrategy
from gsplat.strategy.ops import reset_opa
from torch import Tensor

from core.cameras import Camera
from core.training.growth import Growth
from core.training.parameters import Parameters

_NAMES = {
    "means": "means",
    "scales": "log_scales",
    "quats": "quats",
    "opacities": "opacity_logits",
    "sh": "sh",
}
_NEVER = 10**9


class Densification:
    """Watches gradients in the picture and changes the set of Gaussians now and then."""

    def __init__(
        self, growth: Growth, steps: int, seed: int, max_count: int, extent: float
    ) -> None:
        self._growth = growth
        self._first = round(growth.start * steps)
        self._last = round(growth.stop * steps)
        self._seed = seed
        self._max_count = max_count
        self._extent = extent
        self._strategy = DefaultStrategy(
            prune_opa=growth.least_opacity,
            grow_grad2d=growth.gradient,
            refine_start_iter=-1,
            refine_stop_iter=_NEVER,
            refine_every=1,
            reset_every=_NEVER,
        )
        self._total: Tensor | None = None
        self._seen: Tensor | None = None

    def watches(self, step: int) -> bool:
        """Whether gradients of a step count."""
        return step < self._last

    def after(
        self, parameters: Parameters, step: int, camera: Camera, means2d_grad: Tensor
    ) -> None:
        """Take note of a step's gradients ``(N, 2)`` in pixels, and act where it is time."""
        total, seen = self._total, self._seen
        if total is None or seen is None:
            total = self._total = torch.zeros_like(means2d_grad[:, 0])
            seen = self._seen = torch.zeros_like(total)
        length = torch.hypot(
            means2d_grad[:, 0] * (camera.width / 2), means2d_grad[:, 1] * (camera.height / 2)
        )
        total += length
        seen += length > 0
        done = step + 1
        if done > self._first and done % self._growth.every == 0:
            self._change(parameters, step, total, seen)
        if self._growth.reset_every and done % self._growth.reset_every == 0:
            self._reset(parameters)

    def state(self) -> dict[str, Tensor]:
        """Sums of gradients and of the times that a Gaussian was seen, ``(N,)`` each."""
        if self._total is None or self._seen is None:
            return {}
        return {"gradient": self._total, "seen": self._seen}

    def restore(self, state: Mapping[str, Tensor], parameters: Parameters) -> None:
        """Go back to a :meth:`state`; a ValueError if it is of other Gaussians."""
        if not state:  # just after a change
            self._total = self._seen = None
            return
        means = parameters.tensors["means"]
        for name in ("gradient", "seen"):
            if name not in state or state[name].shape != (len(means),):
                raise ValueError(f"{name} is missing or has another shape")
        self._total = state["gradient"].to(means.device)
        self._seen = state["seen"].to(means.device)

    def _change(self, parameters: Parameters, step: int, total: Tensor, seen: Tensor) -> None:
        """Split, double and remove; what was noted begins anew."""
        tensors = {theirs: parameters.tensors[ours] for theirs, ours in _NAMES.items()}
        optimizers = {theirs: parameters.optimizers[ours] for theirs, ours in _NAMES.items()}
        state: dict[str, Any] = {
            "grad2d": self._within_budget(total / seen.clamp_min(1)),
            "count": torch.ones_like(seen),
            "scene_scale": self._extent,
        }
        nobody = torch.zeros(1, len(total), 2, device=total.device)
        info = {
            "means2d": _WithGradient(nobody),
            "radii": nobody,
            "width": 1,
            "height": 1,
            "n_cameras": 1,
            "gaussian_ids": None,
        }
        with torch.random.fork_rng([total.device] if total.is_cuda else []):
            torch.manual_seed(_mixed(self._seed, step))
            self._strategy.step_post_backward(tensors, optimizers, state, step, info)
        for theirs, ours in _NAMES.items():
            parameters.tensors[ours] = tensors[theirs]
        self._total = self._seen = None

    def _within_budget(self, gradient: Tensor) -> Tensor:
        """Gradients with all but the largest set to zero, if more would grow than there may be.

        Whoever is split or doubled adds one Gaussian.
        """
        room = max(0, self._max_count - len(gradient))
        growing = int((gradient > self._growth.gradient).sum())
        if growing <= room:
            return gradient
        largest = gradient.topk(room).indices
        bounded = torch.zeros_like(gradient)
        bounded[largest] = gradient[largest]
        return bounded

    def _reset(self, parameters: Parameters) -> None:
        """Lower all opacities to twice the least one; those still needed will rise again."""
        tensors = {"opacities": parameters.tensors["opacity_logits"]}
        optimizers = {"opacities": parameters.optimizers["opacity_logits"]}
        reset_opa(tensors, optimizers, {}, 2 * self._growth.least_opacity)
        parameters.tensors["opacity_logits"] = tensors["opacities"]


@dataclass(frozen=True, slots=True, eq=False)
class _WithGradient:
    """What the strategy asks of projected means: their gradient, already counted here."""

    grad: Tensor


def _mixed(seed: int, step: int) -> int:
    """One number from two, for a generator that takes one."""
    return (seed * 1_000_003 + step) % 2**63
