"""Which Gaussians matter, and which of their attributes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera
from core.jobs import Progress, Steps, retold
from core.neuralgs.attributes import Limits, scene_from
from core.rendering import render
from core.scene import GaussianScene
from core.scoring.scores import importances
from core.scoring.sweeping import sweep

SENSITIVITY_VIEWS = 24
_FLOOR = 1e-3
"""Of the largest sensitivity: no channel counts less."""

Color = tuple[float, float, float]


def importance(
    scene: GaussianScene, cameras: Sequence[Camera], power: float, background: Color
) -> Steps[Tensor]:
    """The importance S of every Gaussian, float64 ``(N,)``, on the CPU; a job.

    NeuralGS, eq. 1-2: the sum of its blending weights over all pixels of all views, times
    ``min(V / V90, 1) ** power``. The text's 90 % largest volume is taken as the 90th percentile;
    LightGaussian, which it follows, takes the 10th in its program.
    """
    steps = sweep(scene, cameras, fisher=False, background=background)
    swept = yield from retold(steps, lambda progress: _named(progress, "importance"))
    return importances(scene, swept, power)


def most_important(importance: Tensor, keep: float, protected: Tensor | None = None) -> Tensor:
    """Indices of the Gaussians that stay, rising: protected ones, and the most important.

    Of equal importance the first in the scene stay. At least one stays where there are any.
    """
    count = max(1, round(keep * len(importance))) if len(importance) else 0
    values = importance.clone()
    if protected is not None:
        values[protected.cpu()] = torch.inf
        count = max(count, int(protected.sum()))
    order = torch.from_numpy(np.argsort(-values.numpy(), kind="stable"))
    return order[:count].sort().values


def sampling_weights(importance: Tensor) -> Tensor:
    """Importance from 0 to 1, float32: cut off at its 99th percentile, so that few do not rule."""
    values = importance.numpy()
    top = float(np.quantile(values, 0.99))
    if not top > 0:
        return torch.ones(len(values))
    return torch.from_numpy((values / top).clip(0, 1).astype(np.float32))


def sensitivities(
    values: Tensor,
    limits: Limits,
    means: Tensor,
    cameras: Sequence[Camera],
    background: Color,
    antialiased: bool,
    seed: int,
) -> Steps[Tensor]:
    """How much the pictures change with each channel, ``(C,)``, the largest 1; a job.

    The diagonal of ``J^T J``, J the pictures by the normalised attributes, averaged over the
    Gaussians: one backward pass with random signs in each view has it as its expected square.

    Parameters
    ----------
    values
        Normalised channels ``(N, C)``.
    """
    chosen = cameras[:: max(1, len(cameras) // SENSITIVITY_VIEWS)][:SENSITIVITY_VIEWS]
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(values.shape[1], dtype=torch.float64)
    for done, camera in enumerate(chosen, 1):
        moving = values.clone().requires_grad_()
        scene = scene_from(limits.denormalized(moving), means, antialiased)
        picture = render(scene, camera, background=background).rgb
        signs = torch.randint(0, 2, picture.shape, generator=generator) * 2.0 - 1
        (slopes,) = torch.autograd.grad((picture * signs.to(picture.device)).sum(), moving)
        total += slopes.square().sum(0, dtype=torch.float64).cpu()
        yield Progress(done, len(chosen), f"sensitivity, view {done} of {len(chosen)}")
    largest = float(total.max())
    if not largest > 0:
        return torch.ones(values.shape[1])
    return (total / largest).clamp_min(_FLOOR).float()


def _named(progress: Progress, name: str) -> Progress:
    return Progress(progress.done, progress.total, f"{name}, {progress.message}")
