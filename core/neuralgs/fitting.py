"""Fitting the nets to the attributes: where the fine-tune begins."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.errors import UserError
from core.jobs import Progress, Steps
from core.neuralgs.fields import encoded, forward
from core.neuralgs.layout import PARTS, one_thread, shared
from core.neuralgs.learner import Learner
from core.neuralgs.settings import NeuralSettings
from core.training.checkpoint import Checkpoint
from core.training.fitting import DivergedError, Work

WINDOWS, LEAST_WINDOW = 20, 50
"""Parts of the fit whose mean losses are compared for an early stop, and steps of one at least."""
ENOUGH = 0.995
"""The fit ends when a window's loss is not below this share of that of the third before."""
SHARE_BY_IMPORTANCE = 0.8
_STEPS_AT_ONCE = 10
_UNIFORM = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class FitState:
    """How far the fit is: steps made, and the loss of each cluster ``(K,)`` in the last one."""

    step: int
    losses: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What the nets learn: by Gaussian, sorted in any way.

    Attributes
    ----------
    positions, values
        Normalised, ``(N, 3)`` and ``(N, C)``.
    labels
        Cluster, int64 ``(N,)``.
    importance
        0..1, ``(N,)``.
    weights
        How much the square of a channel's error counts, ``(C,)``.
    """

    positions: Tensor
    values: Tensor
    labels: Tensor
    importance: Tensor
    weights: Tensor


def fit_nets(
    learner: Learner,
    examples: Examples,
    settings: NeuralSettings,
    *,
    checkpoint: Path | None = None,
    identity: Mapping[str, str] | None = None,
) -> Steps[None]:
    """Fit the nets to the attributes of their clusters' Gaussians; a job.

    NeuralGS, eq. 3: the squared error weighted by importance, of all clusters at once. With
    importance sampling, important Gaussians are drawn more often instead, which has the same
    expectation at a lower variance; a fifth is drawn evenly.

    Reports ``fit_loss``, the mean over the clusters, and a :class:`FitState`.

    Raises
    ------
    UserError
        If the loss stops being a number, or the checkpoint is another run's.
    """
    saved, done = None, 0
    plan = _Plan(settings)
    if checkpoint is not None:
        asked = json.dumps(["fit", asdict(settings)])
        saved = Checkpoint(checkpoint, {"settings": asked, **(identity or {})})
        done = saved.resume(learner, plan)
    resumed, total = done, settings.fit_steps
    draw = _Draw(examples, settings)
    work = Work()
    try:
        while done < total and not plan.over(done):
            work.begin()
            with one_thread():
                losses = _step(learner, draw, settings, done)
            plan.note(float(losses.mean()), done)
            done += 1
            if done % _STEPS_AT_ONCE and done < total:
                work.end()
                continue
            if saved is not None and work.checkpoint_due():
                saved.save(learner, plan, done)
            work.end()
            values = {"fit_loss": float(losses.mean())}
            state = FitState(done, losses)
            yield Progress(done, total, f"fit, step {done} of {total}", values, state)
    except DivergedError:
        raise
    except (GeneratorExit, UserError):
        if saved is not None and done > resumed:
            saved.save(learner, plan, done)
        raise
    if saved is not None and done > resumed:
        saved.save(learner, plan, done)


class _Draw:
    """Draws Gaussians of every cluster, as the nets' inputs and what they should say."""

    def __init__(self, examples: Examples, settings: NeuralSettings) -> None:
        self._examples = examples
        self._settings = settings
        self.channel_weights = examples.weights
        labels = examples.labels.cpu()
        self._order = labels.argsort(stable=True)
        sizes = torch.bincount(labels)
        self._sizes = sizes
        self._starts = sizes.cumsum(0) - sizes
        shares = examples.importance.cpu()[self._order].double() + _UNIFORM
        self._sums = torch.cat([shares.new_zeros(1), shares.cumsum(0)])

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Positions ``(K, B, 3)``, values ``(K, B, C)`` and weights of the errors ``(K, B, 1)``."""
        settings, examples = self._settings, self._examples
        generator = torch.Generator().manual_seed((settings.seed * 1_000_003 + step) % 2**63)
        clusters, batch = len(self._sizes), min(settings.fit_batch, int(self._sizes.max()))
        chance = torch.rand(clusters, batch, generator=generator, dtype=torch.float64)
        places = self._starts[:, None] + (chance * self._sizes[:, None]).long()
        if settings.importance == "drawn":
            first = int(SHARE_BY_IMPORTANCE * batch)
            low = self._sums[self._starts][:, None]
            high = self._sums[self._starts + self._sizes][:, None]
            wanted = low + chance[:, :first] * (high - low)
            found = torch.searchsorted(self._sums, wanted, right=True) - 1
            ends = (self._starts + self._sizes - 1)[:, None]
            places[:, :first] = found.maximum(self._starts[:, None]).minimum(ends)
        chosen = self._order[places].to(examples.values.device)
        weights = torch.ones_like(examples.importance[chosen])
        if settings.importance == "weighted":
            weights = examples.importance[chosen]
            weights = weights / weights.mean(1, keepdim=True).clamp_min(1e-12)
        return examples.positions[chosen], examples.values[chosen], weights[..., None]


class _Plan:
    """When the fit ends: mean losses of its windows."""

    def __init__(self, settings: NeuralSettings) -> None:
        self._width = max(LEAST_WINDOW, settings.fit_steps // WINDOWS)
        self._stops = settings.early_stop
        self._sums = torch.zeros(settings.fit_steps // self._width + 1, dtype=torch.float64)

    def note(self, loss: float, step: int) -> None:
        """The loss of a step."""
        self._sums[step // self._width] += loss / self._width

    def over(self, done: int) -> bool:
        """Whether it does not get better any more after ``done`` steps."""
        window = done // self._width - 1
        if not self._stops or done % self._width or window < 3:
            return False
        return bool(self._sums[window] >= ENOUGH * self._sums[window - 3])

    def state(self) -> dict[str, Tensor]:
        return {"sums": self._sums}

    def restore(self, state: Mapping[str, Tensor], _parameters: object) -> None:
        if state["sums"].shape != self._sums.shape:
            raise ValueError("the losses have another shape")
        self._sums = state["sums"]


def _step(learner: Learner, draw: _Draw, settings: NeuralSettings, step: int) -> Tensor:
    """One step; the loss of each cluster ``(K,)``."""
    examples = draw(step)
    size = -(-examples[0].shape[1] // PARTS)
    parts = list(zip(*(torch.split(tensor, size, 1) for tensor in examples), strict=True))
    batch = examples[0].shape[1]
    network = learner.network()
    learned = list(learner.tensors.values())

    def learn(part: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        positions, values, weights = part
        said = forward(network.weights, network.biases, encoded(positions, network.levels))
        errors = (said - values).square() * draw.channel_weights * weights
        losses = errors.sum((1, 2)) / batch
        return losses.detach(), torch.autograd.grad(losses.sum(), learned)

    losses = torch.zeros(len(learner), device=examples[0].device)
    found = shared(parts, learn)
    for part_losses, _ in found:
        losses += part_losses
    for place, tensor in enumerate(learned):
        tensor.grad = torch.stack([gradients[place] for _, gradients in found]).sum(0)
    if not bool(losses.isfinite().all()):
        raise DivergedError(
            f"The fit's loss is no number any more at step {step + 1}.", "Use lower rates."
        )
    fallen = (settings.fit_rate_end / settings.fit_rate) ** (step / settings.fit_steps)
    learner.update({"nets": settings.fit_rate * fallen})
    return losses
