"""The loop that fits a scene to pictures, whatever may happen between its steps."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.jobs import Progress, Steps
from core.rendering import render
from core.scene import GaussianScene
from core.training.checkpoint import Checkpoint
from core.training.losses import picture_loss
from core.training.parameters import Parameters
from core.training.targets import Targets

PARTIAL_S = 0.5
"""Seconds of work between two partial results."""
PARTIAL_SHARE = 0.05
"""Of the time that partial results may take."""
CHECKPOINT_S = 40.0
"""Seconds of work between two checkpoints."""
MAX_STEPS = 10**7


class Policy(Protocol):
    """What refining and training do differently."""

    @property
    def steps(self) -> int:
        """How many steps there are."""

    @property
    def seed(self) -> int:
        """What chance depends on."""

    @property
    def ssim_weight(self) -> float:
        """Weight of SSIM in the loss."""

    def rates(self, step: int) -> Mapping[str, float]:
        """Adam's rates in a step."""

    def sh_degree(self, step: int) -> int | None:
        """Degree of the colours in a step; None for the scene's own."""

    def penalty(self, parameters: Parameters, step: int) -> Tensor | None:
        """What is added to the loss."""

    def watches(self, step: int) -> bool:
        """Whether a step's gradients by the projected means are wanted afterwards."""

    def after(
        self, parameters: Parameters, step: int, camera: Camera, means2d_grad: Tensor | None
    ) -> None:
        """Change the set of Gaussians after a step; ``means2d_grad (N, 2)`` if it was wanted."""

    def state(self) -> dict[str, Tensor]:
        """What must outlive an interruption."""

    def restore(self, state: Mapping[str, Tensor], parameters: Parameters) -> None:
        """Go back to a :meth:`state`; a ValueError if it does not fit the parameters."""


def check_run(steps: int, seed: int, ssim_weight: float) -> None:
    """Refuse settings that no run can have."""
    if not 1 <= steps <= MAX_STEPS:
        raise UserError(f"{steps} steps cannot be made.", f"Choose 1 to {MAX_STEPS:,} steps.")
    if seed < 0:
        raise UserError(f"The seed is {seed}.", "Seeds are whole numbers from 0.")
    if not 0 <= ssim_weight <= 1:
        raise UserError(f"The weight of SSIM is {ssim_weight:g}.", "It lies between 0 and 1.")


def fit(
    parameters: Parameters,
    targets: Targets,
    policy: Policy,
    checkpoint: Path | None,
    identity: Mapping[str, str],
) -> Steps[GaussianScene]:
    """Make the policy's steps, one yield each; see :func:`core.training.refine`.

    With a checkpoint the state is written to that file every 40 seconds of work, at the end, and
    when the run is cancelled or fails for want of a picture; a run that finds its own there goes on
    from it and ends with the same result, bit by bit.

    Parameters
    ----------
    identity
        What the run depends on besides the targets, by name.
    """
    saved = None
    done = 0
    if checkpoint is not None:
        saved = Checkpoint(checkpoint, {**identity, "targets": targets.identity})
        done = saved.resume(parameters, policy)
    resumed = done
    work = Work()
    try:
        while done < policy.steps:
            work.begin()
            loss = _step(parameters, targets, policy, done)
            done += 1
            partial = None
            if work.partial_due() and done < policy.steps:
                with work.timed():
                    partial = parameters.snapshot()
            if saved is not None and work.checkpoint_due():
                saved.save(parameters, policy, done)
            values = {"loss": loss, "count": float(len(parameters))}
            work.end()
            yield Progress(done, policy.steps, f"step {done} of {policy.steps}", values, partial)
    except DivergedError:
        raise
    except (GeneratorExit, UserError):
        if saved is not None and done > resumed:
            saved.save(parameters, policy, done)
        raise
    if saved is not None and done > resumed:
        saved.save(parameters, policy, done)
    return parameters.snapshot()


def _step(parameters: Parameters, targets: Targets, policy: Policy, step: int) -> float:
    """One step; its loss without the penalty."""
    example = targets.example(step, policy.seed)
    means = parameters.tensors["means"]
    watched = torch.zeros_like(means[:, :2]) if policy.watches(step) else None
    drawn = render(
        parameters.scene(),
        example.camera,
        background=example.background,
        sh_degree=policy.sh_degree(step),
        means2d_grad=watched,
    )
    loss = picture_loss(drawn.rgb, example.picture.to(means.device), policy.ssim_weight)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise DivergedError(
            f"The loss is no number any more at step {step + 1}.",
            "Use lower learning rates. What was reached before can be kept.",
        )
    penalty = policy.penalty(parameters, step)
    (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
    parameters.update(policy.rates(step))
    policy.after(parameters, step, example.camera, watched)
    return value


class DivergedError(UserError):
    """A run that would only diverge again from where it stands."""


class Work:
    """Seconds of work since the last partial result and checkpoint; waiting does not count."""

    def __init__(self) -> None:
        self._since_partial = 0.0
        self._since_checkpoint = 0.0
        self._partial_cost = 0.0
        self._started = 0.0

    def begin(self) -> None:
        """A step begins."""
        self._started = time.perf_counter()

    def end(self) -> None:
        """A step ends."""
        spent = time.perf_counter() - self._started
        self._since_partial += spent
        self._since_checkpoint += spent

    def partial_due(self) -> bool:
        """Whether it is time for a partial result; if so, begin to wait for the next."""
        if self._since_partial < max(PARTIAL_S, self._partial_cost / PARTIAL_SHARE):
            return False
        self._since_partial = 0.0
        return True

    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint; if so, begin to wait for the next."""
        if self._since_checkpoint < CHECKPOINT_S:
            return False
        self._since_checkpoint = 0.0
        return True

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Learn how long a partial result takes."""
        started = time.perf_counter()
        yield
        self._partial_cost = time.perf_counter() - started
