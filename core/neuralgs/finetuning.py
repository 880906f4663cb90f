"""The fine-tune: nets and codes are fitted to the pictures; positions stay."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.jobs import Progress, Steps
from core.neuralgs.attributes import Limits, scene_from
from core.neuralgs.codes import bit_slope, entropy_bytes, straight_through_codes
from core.neuralgs.fields import encoded, forward
from core.neuralgs.frequency import frequency_loss
from core.neuralgs.layout import KEPT_ROWS, Layout, layouts, one_thread, shared
from core.neuralgs.learner import BASIS, CODES, Learner
from core.neuralgs.settings import NeuralSettings
from core.neuralgs.weights import straight_through
from core.rendering import render
from core.training.checkpoint import Checkpoint
from core.training.fitting import DivergedError, Work
from core.training.losses import picture_loss
from core.training.targets import Example, Targets

NEAR = 0.01
MARGIN = 3.5
"""Standard deviations around a Gaussian's centre that may be seen."""
_CONTROL_STEPS = 5
_CONTROL_GAIN = 4.0
_FIRST_PRICE = 0.05
"""Of a bit, by the slopes of the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What stays as it is while the nets learn.

    Attributes
    ----------
    means, inputs
        Positions in the world and normalised for the nets, ``(N, 3)``.
    labels
        Cluster, int64 ``(N,)``.
    limits
        What the normalised attributes mean.
    reach
        How far each Gaussian may be seen from its centre, ``(N,)``, in world units.
    antialiased
        Of the scene.
    exact
        Channels ``(N, C)`` of the Gaussians that are stored beside the nets, NaN for all others;
        None where there are none.
    """

    means: Tensor
    inputs: Tensor
    labels: Tensor
    limits: Limits
    reach: Tensor
    antialiased: bool
    exact: Tensor | None = None


def reach_of(log_scales: Tensor) -> Tensor:
    """How far Gaussians may be seen from their centres, ``(N,)``."""
    return MARGIN * log_scales.amax(1).exp()


def finetune(
    learner: Learner,
    ground: Ground,
    targets: Targets,
    settings: NeuralSettings,
    *,
    partial: Callable[[], Any] | None = None,
    checkpoint: Path | None = None,
    identity: Mapping[str, str] | None = None,
) -> Steps[None]:
    """Fit nets and codes to the pictures; a job, one step per picture.

    ``(1 - w) L1 + w (1 - SSIM) + w_f L_f`` as in NeuralGS; in each step the attributes of those
    Gaussians are decoded that the picture may show. The codes pay for their bits, at a price that
    keeps them at the size they are allowed. The last steps see the weights rounded.

    Reports ``loss`` without the parts of frequencies and bits, and ``bytes`` of a Gaussian's codes.

    Parameters
    ----------
    partial
        Makes the partial result of a report, now and then.

    Raises
    ------
    UserError
        If a picture cannot be read, the loss stops being a number, or the checkpoint is another
        run's.
    """
    saved, done = None, 0
    price = _Price(settings.code_bytes)
    if checkpoint is not None:
        asked = json.dumps(["finetune", asdict(settings)])
        own = {"settings": asked, **(identity or {}), "targets": targets.identity}
        saved = Checkpoint(checkpoint, own)
        done = saved.resume(learner, price)
    resumed, total = done, settings.finetune_steps
    work = Work()
    try:
        while done < total:
            work.begin()
            example = targets.example(done, settings.seed)
            with one_thread():
                loss = _step(learner, ground, example, settings, done, price)
            done += 1
            found = None
            if partial is not None and work.partial_due() and done < total:
                with work.timed():
                    found = partial()
            if saved is not None and work.checkpoint_due():
                saved.save(learner, price, done)
            values = {"loss": loss}
            if learner.coded:
                values["bytes"] = price.bytes
            work.end()
            yield Progress(done, total, f"fine-tune, step {done} of {total}", values, found)
    except DivergedError:
        raise
    except (GeneratorExit, UserError):
        if saved is not None and done > resumed:
            saved.save(learner, price, done)
        raise
    if saved is not None and done > resumed:
        saved.save(learner, price, done)


def decoded_values(
    learner: Learner, ground: Ground, part: Layout, codes: Tensor | None, bits: int | None = None
) -> Tensor:
    """Normalised attributes ``(M, C)`` of a layout's Gaussians, differentiable by what is learned.

    Parameters
    ----------
    codes
        Of the layout's Gaussians, not rounded, ``(M, Z)``; None leaves them out.
    bits
        Round the nets' weights to so many, with the gradient of those that are not rounded.
    """
    network = learner.network()
    weights = [weight.index_select(0, part.clusters) for weight in network.weights]
    biases = [bias.index_select(0, part.clusters) for bias in network.biases]
    if bits is not None:
        weights = [straight_through(weight, bits) for weight in weights]
    inputs = encoded(ground.inputs[part.indices], network.levels)
    table = forward(weights, biases, part.spread(inputs))
    if codes is not None:
        basis = learner.tensors[BASIS].index_select(0, part.clusters)
        table = torch.baddbmm(table, part.spread(straight_through_codes(codes)), basis)
    return part.gathered(table)


def visible(camera: Camera, means: Tensor, reach: Tensor) -> Tensor:
    """Indices of the Gaussians that a picture may show, rising: a little too many."""
    pose = torch.from_numpy(np.array(camera.world_to_camera)).to(means)
    seen = means @ pose[:3, :3].T + pose[:3, 3]
    depth = seen[:, 2]
    inside = depth > NEAR
    sizes = ((0, camera.width), (1, camera.height))
    for axis, size in sizes:
        focal, middle = float(camera.K[axis, axis]), float(camera.K[axis, 2])
        # Distance to the plane through the eye and an edge of the picture, by its normal's length.
        for sign, bound in ((1.0, size - middle), (-1.0, middle)):
            slope = bound / focal
            beyond = (sign * seen[:, axis] - slope * depth) / math.hypot(1.0, slope)
            inside &= beyond < reach + 0.02 * depth.clamp_min(0)
    return inside.nonzero()[:, 0]


class _Price:
    """What a bit of the codes costs, so that they stay at the size they are allowed."""

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        self._price = torch.zeros((), dtype=torch.float64)
        self.bytes = 0.0

    def charge(self, codes: Tensor, slopes: Tensor, step: int) -> None:
        """Add the price's slope to those of the codes, both ``(N, Z)``."""
        if not float(self._price):
            self._price += _FIRST_PRICE * float(slopes.abs().mean())
        if step % _CONTROL_STEPS == 0:
            self.bytes = entropy_bytes(codes)
            self._price *= math.exp(_CONTROL_GAIN * (self.bytes / self._allowed - 1))
        slopes.add_(bit_slope(codes), alpha=float(self._price))

    def state(self) -> dict[str, Tensor]:
        return {"price": self._price, "bytes": torch.tensor(self.bytes, dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor], _parameters: object) -> None:
        self._price = state["price"].reshape(())
        self.bytes = float(state["bytes"])


def _step(
    learner: Learner,
    ground: Ground,
    example: Example,
    settings: NeuralSettings,
    step: int,
    price: _Price,
) -> float:
    """One step; the loss of its picture."""
    bits = None
    if step >= (1 - settings.quantized_share) * settings.finetune_steps:
        bits = settings.weight_bits
    parts = layouts(ground.labels, visible(example.camera, ground.means, ground.reach))
    if not parts:
        return 0.0
    # The intermediate values are kept where they fit; else they are computed again for the slopes.
    kept = sum(len(part.indices) for part in parts) <= KEPT_ROWS
    codes = [learner.codes_of(part.indices) for part in parts]

    def decode(number: int) -> Tensor:
        part = parts[number]
        values = decoded_values(learner, ground, part, codes[number], bits)
        channels = ground.limits.denormalized(values)
        if ground.exact is None:
            return channels
        exact = ground.exact[part.indices]
        return torch.where(exact.isnan(), channels, exact)

    def push_back(number: int) -> tuple[Tensor, ...]:
        out = channels[number] if kept else decode(number)
        rows = codes[number]
        return torch.autograd.grad(out, own if rows is None else [*own, rows], slopes[number])

    def decode_first(number: int) -> Tensor:
        with torch.set_grad_enabled(kept):
            return decode(number)

    channels = shared(range(len(parts)), decode_first)
    leaf = torch.cat([part.detach() for part in channels]).requires_grad_()
    indices = torch.cat([part.indices for part in parts])
    loss = _picture_loss(leaf, ground, indices, example, settings, step)
    slopes = leaf.grad.split([len(part.indices) for part in parts])  # type: ignore[union-attr]
    own = [tensor for name, tensor in learner.tensors.items() if name != CODES]
    gradients = shared(range(len(parts)), push_back)
    for place, tensor in enumerate(own):
        tensor.grad = torch.stack([gradient[place] for gradient in gradients]).sum(0)
    if learner.coded:
        slope = torch.zeros_like(learner.tensors[CODES])
        for part, gradient in zip(parts, gradients, strict=True):
            slope[part.indices] = gradient[-1]
        price.charge(learner.tensors[CODES].detach(), slope, step)
        learner.tensors[CODES].grad = slope
    learner.update(_rates(learner, settings, step))
    return loss


def _picture_loss(
    leaf: Tensor,
    ground: Ground,
    indices: Tensor,
    example: Example,
    settings: NeuralSettings,
    step: int,
) -> float:
    """The loss of the picture; the gradient of all parts of the loss is left at the leaf."""
    scene = scene_from(leaf, ground.means[indices], ground.antialiased)
    drawn = render(scene, example.camera, background=example.background).rgb
    target = example.picture.to(drawn.device)
    loss = picture_loss(drawn, target, settings.ssim_weight)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise DivergedError(
            f"The fine-tune's loss is no number any more at step {step + 1}.", "Use lower rates."
        )
    if settings.frequency_weight:
        loss = loss + settings.frequency_weight * frequency_loss(drawn, target, settings.frequency)
    loss.backward()  # type: ignore[no-untyped-call]
    return value


def _rates(learner: Learner, settings: NeuralSettings, step: int) -> dict[str, float]:
    end = settings.finetune_rate_end / settings.finetune_rate
    fallen = end ** (step / settings.finetune_steps)
    rates = {"nets": settings.finetune_rate * fallen}
    if learner.coded:
        size = float(learner.tensors[BASIS].detach().square().mean().sqrt())
        rates[CODES] = settings.code_rate * fallen
        rates[BASIS] = settings.basis_rate * size * fallen
    return rates
