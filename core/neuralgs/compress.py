"""From a scene to nets: prune, cluster, fit, code, fine-tune, round."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.jobs import Progress, Steps, retold
from core.neuralgs.attributes import (
    Limits,
    canonical,
    channels_of,
    full_limits,
    robust_limits,
    tamed,
)
from core.neuralgs.clustering import cluster
from core.neuralgs.codes import LARGEST, first_codes
from core.neuralgs.decoding import decoded
from core.neuralgs.fields import new_network
from core.neuralgs.finetuning import Ground, decoded_values, finetune, reach_of
from core.neuralgs.fitting import Examples, fit_nets
from core.neuralgs.importance import (
    importance,
    most_important,
    sampling_weights,
    sensitivities,
)
from core.neuralgs.layout import layouts
from core.neuralgs.learner import BASIS, CODES, Learner
from core.neuralgs.model import Codes, Exact, NeuralScene, PositionGrid
from core.neuralgs.positions import grid_for, half_grid, normalized, order_of, snapped
from core.neuralgs.settings import NeuralSettings
from core.neuralgs.weights import rounded
from core.scene import GaussianScene
from core.training.backgrounds import lasting_background
from core.training.targets import Targets, scene_digest

R = TypeVar("R")

STAGES = ("importance", "cluster", "fit", "finetune")
STEP_COST = 10
"""Of the fine-tune, in steps of the fit: for the progress of the whole."""
OTHERS_COST = 0.05
"""Of importance, clusters and sensitivity each, by that of fit and fine-tune."""


@dataclass(frozen=True, slots=True, eq=False)
class Compressed:
    """A compressed scene, and what it stands for.

    Attributes
    ----------
    neural
        What goes to the file.
    scene
        What comes back from it.
    pruned
        The Gaussians that it encodes, in the same order.
    seconds
        Time by stage.
    """

    neural: NeuralScene
    scene: GaussianScene
    pruned: GaussianScene
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What is to be encoded: the Gaussians that stay, and all that the nets learn of them.

    Attributes
    ----------
    pruned
        As they are, in the order of the file.
    importance
        float64 ``(N,)``.
    channels, values, limits
        Their attributes, and normalised ones, ``(N, C)``.
    means, grid, inputs
        Positions as the file has them, and as the nets see them, ``(N, 3)``.
    protected
        Those that are to be stored exactly, bool ``(N,)``.
    """

    pruned: GaussianScene
    importance: Tensor
    channels: Tensor
    values: Tensor
    limits: Limits
    means: Tensor
    grid: PositionGrid
    inputs: Tensor
    protected: Tensor


def compress(
    scene: GaussianScene,
    targets: Targets,
    cameras: Sequence[Camera] | None = None,
    settings: NeuralSettings = NeuralSettings(),
    *,
    protected: Tensor | None = None,
    checkpoint: Path | None = None,
) -> Steps[Compressed]:
    """Compress a scene; a job.

    NeuralGS, arXiv 2503.23162: the least important Gaussians go, the rest is parted into clusters
    of like attributes, a small net per cluster learns them by position and is fine-tuned on the
    pictures. Where there are codes they hold what the nets cannot know; they learn from the
    pictures as well.

    Parameters
    ----------
    targets
        What the scene should look like: photos, or its own pictures.
    cameras
        Where importance is counted from; those of the targets by default.
    protected
        Gaussians that stay and come back as they are, bool ``(N,)``.
    checkpoint
        Fit and fine-tune keep their state in files of this name, see :func:`checkpoint_files`; the
        rest is computed anew, which gives the same.

    Raises
    ------
    UserError
        If the scene is empty, a picture cannot be read, a loss stops being a number, or a
        checkpoint is another run's.
    """
    if protected is not None and protected.shape != (len(scene),):
        raise ValueError(f"protected is a bool tensor of shape ({len(scene)},)")
    if not len(scene):
        raise UserError("The scene is empty: there is nothing to compress.")
    run = _Run(scene, targets, tuple(cameras or targets.cameras), settings, protected, checkpoint)
    return (yield from run.steps())


def checkpoint_files(checkpoint: Path) -> tuple[Path, Path]:
    """The files in which fit and fine-tune keep their state."""
    return (
        checkpoint.with_name(f"{checkpoint.name}.fit"),
        checkpoint.with_name(f"{checkpoint.name}.finetune"),
    )


def prepare(
    scene: GaussianScene,
    worth: Tensor,
    settings: NeuralSettings,
    protected: Tensor | None = None,
) -> Prepared:
    """Prune a scene by importance and bring it to the form that is encoded.

    Parameters
    ----------
    worth
        Importance, ``(N,)``.
    """
    scene = tamed(scene)
    kept = most_important(worth, settings.keep, protected)
    here = scene.select(kept)
    if settings.positions == "half":
        grid = half_grid(here.means)
    else:
        grid = grid_for(here.means, here.log_scales)
    order = order_of(here.means, grid)
    kept, pruned = kept[order.to(kept.device)], here.select(order)
    described = canonical(pruned) if settings.canonical else pruned
    channels = channels_of(described)
    limits = robust_limits(channels) if settings.canonical else full_limits(channels)
    means = snapped(pruned.means, grid)
    shielded = torch.zeros(len(kept), dtype=torch.bool)
    if protected is not None:
        shielded = protected.cpu()[kept]
    return Prepared(
        pruned,
        worth[kept],
        channels,
        limits.normalized(channels),
        limits,
        means,
        grid,
        normalized(means, grid),
        shielded.to(scene.device),
    )


class _Parts:
    """The stages as parts of one progress, by what they cost."""

    def __init__(self, settings: NeuralSettings) -> None:
        fit, finetune = settings.fit_steps, STEP_COST * settings.finetune_steps
        other = max(1, round(OTHERS_COST * (fit + finetune)))
        sizes = {"importance": other, "cluster": other, "sensitivity": other}
        sizes |= {"fit": fit, "finetune": finetune}
        self._begins, self._sizes, self._total = {}, sizes, 0
        for name, size in sizes.items():
            self._begins[name] = self._total
            self._total += size

    def __call__(self, name: str, steps: Steps[R]) -> Steps[R]:
        """A stage of the whole."""
        begin, size = self._begins[name], self._sizes[name]

        def told(progress: Progress) -> Progress:
            done = begin + round(size * progress.fraction)
            return replace(progress, done=done, total=self._total)

        return retold(steps, told)


@dataclass
class _Run:
    """A compression under way."""

    scene: GaussianScene
    targets: Targets
    cameras: tuple[Camera, ...]
    settings: NeuralSettings
    protected: Tensor | None
    checkpoint: Path | None
    seconds: dict[str, float] = field(default_factory=dict)

    def steps(self) -> Steps[Compressed]:
        settings, background = self.settings, lasting_background(self.targets.background)
        part = _Parts(settings)
        files = (None, None) if self.checkpoint is None else checkpoint_files(self.checkpoint)
        identity = {"scene": scene_digest(self.scene)}
        if self.protected is not None:
            chosen = self.protected.cpu().numpy().tobytes()
            identity["protected Gaussians"] = hashlib.sha256(chosen).hexdigest()
        with self._timed("importance"):
            worth = yield from part(
                "importance",
                importance(self.scene, self.cameras, settings.volume_power, background),
            )
            ready = prepare(self.scene, worth, settings, self.protected)
        with self._timed("cluster"):
            labels = yield from part("cluster", cluster(ready.values, ready.inputs, settings))
        with self._timed("fit"):
            weights = torch.ones(ready.values.shape[1])
            if settings.sensitive:
                weights = yield from part(
                    "sensitivity",
                    sensitivities(
                        ready.values,
                        ready.limits,
                        ready.means,
                        self.targets.cameras,
                        background,
                        self.scene.antialiased,
                        settings.seed,
                    ),
                )
            weights = weights.to(self.scene.device)
            learner = self._learner(int(labels.max()) + 1, ready)
            examples = Examples(
                ready.inputs,
                ready.values,
                labels,
                sampling_weights(ready.importance).to(labels.device),
                weights,
            )
            fit = fit_nets(learner, examples, settings, checkpoint=files[0], identity=identity)
            yield from part("fit", fit)
        with self._timed("finetune"):
            ground = Ground(
                ready.means,
                ready.inputs,
                labels,
                ready.limits,
                reach_of(ready.pruned.log_scales),
                self.scene.antialiased,
            )
            ground = add_codes(learner, ground, examples, ready, settings)
            learner.renew()
            if settings.finetune_steps:
                yield from part(
                    "finetune",
                    finetune(
                        learner,
                        ground,
                        self.targets,
                        settings,
                        partial=lambda: self._result(learner, ground, ready),
                        checkpoint=files[1],
                        identity=identity,
                    ),
                )
        return self._result(learner, ground, ready)

    def _learner(self, clusters: int, ready: Prepared) -> Learner:
        settings = self.settings
        network = new_network(
            clusters,
            ready.values.shape[1],
            settings.levels,
            settings.hidden,
            settings.layers,
            settings.seed,
        )
        device = self.scene.device
        return Learner(
            replace(
                network,
                weights=tuple(weight.to(device) for weight in network.weights),
                biases=tuple(bias.to(device) for bias in network.biases),
            )
        )

    def _result(self, learner: Learner, ground: Ground, ready: Prepared) -> Compressed:
        neural = neural_scene(learner, ground, ready, self.settings)
        return Compressed(neural, decoded(neural), ready.pruned, dict(self.seconds))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = time.perf_counter() - started


@torch.no_grad()
def add_codes(
    learner: Learner,
    ground: Ground,
    examples: Examples,
    ready: Prepared,
    settings: NeuralSettings,
) -> Ground:
    """Give the nets codes for what they do not say, where the settings allow any.

    Returns the ground with the Gaussians that are stored beside the nets: protected ones, and
    those whose error counts most.
    """
    residuals = examples.values.clone()
    for part in layouts(ground.labels):
        residuals[part.indices] -= decoded_values(learner, ground, part, None, settings.weight_bits)
    if settings.code_bytes:
        codes, basis = first_codes(
            residuals, ground.labels, len(learner), examples.weights, settings.code_bytes
        )
        for label in range(len(learner)):
            own = ground.labels == label
            residuals[own] -= codes[own].round() @ basis[label]
        learner.add(CODES, codes)
        learner.add(BASIS, basis)
    errors = examples.importance * (residuals.square() * examples.weights).sum(1)
    chosen = ready.protected.clone()
    chosen[errors.topk(round(settings.exact_share * len(errors))).indices] = True
    if not chosen.any():
        return ground
    if settings.code_bytes:
        learner.add(CODES, torch.where(chosen[:, None], 0.0, codes))
    channels = stored_exactly(ready.channels)
    return replace(ground, exact=torch.where(chosen[:, None], channels, torch.nan))


def stored_exactly(channels: Tensor) -> Tensor:
    """Channels as they come back from the file where they are stored beside the nets: float16."""
    return channels.half().float()


@torch.no_grad()
def neural_scene(
    learner: Learner, ground: Ground, ready: Prepared, settings: NeuralSettings
) -> NeuralScene:
    """What goes to the file: everything rounded as it comes back from there."""
    codes = None
    if learner.coded:
        values = learner.tensors[CODES].detach().round().clamp(-LARGEST, LARGEST)
        codes = Codes(values.to(torch.int8), learner.tensors[BASIS].detach().half().float())
    exact = None
    if ground.exact is not None:
        indices = (~ground.exact[:, 0].isnan()).nonzero()[:, 0]
        exact = Exact(indices, ground.exact[indices])
    return NeuralScene(
        means=ready.means,
        labels=ground.labels,
        network=rounded(learner.network(), settings.weight_bits),
        grid=ready.grid,
        weight_bits=settings.weight_bits,
        lows=ready.limits.lows,
        highs=ready.limits.highs,
        sh_degree=ready.pruned.sh_degree,
        antialiased=ready.pruned.antialiased,
        codes=codes,
        exact=exact,
        notes={"preset": settings.preset},
    )
