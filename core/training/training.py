"""Training: a scene from photos, beginning with points."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from core.cameras import Camera, View
from core.datasets.dataset import PointCloud
from core.errors import UserError
from core.jobs import Steps
from core.scene import MAX_SH_DEGREE, GaussianScene
from core.training.backgrounds import Background
from core.training.fitting import check_run, fit
from core.training.growth import DEFAULT_GROWTH, Growth
from core.training.initial import initial_scene
from core.training.losses import SSIM_WEIGHT
from core.training.parameters import Parameters
from core.training.rates import TRAIN_RATES, LearningRates
from core.training.targets import PhotoTargets, extent_of, scene_digest

DEFAULT_STEPS = 3000


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How to train.

    Parameters
    ----------
    steps
        One picture each.
    seed
        What chance depends on.
    sh_degree
        Degree of the colours, 0 to 3.
    max_count
        How many Gaussians there may be.
    background
        What is behind everything and transparent photos; None: another colour in every step if
        they may be transparent, else black.
    scale
        Size of the pictures relative to the photos.
    ssim_weight
        Weight of SSIM in the loss, 0..1.
    rates
        How fast the tensors move.
    growth
        How Gaussians are added.
    degree_every
        Share of all steps after which the colours take the next degree.
    opacity_penalty, scale_penalty
        Weights of the mean opacity and of the mean standard deviation, relative to the extent of
        the cameras, in the loss (3DGS as Markov Chain Monte Carlo, eq. 14).
    """

    steps: int = DEFAULT_STEPS
    seed: int = 0
    sh_degree: int = MAX_SH_DEGREE
    max_count: int = 500_000
    background: Background | None = None
    scale: float = 1.0
    ssim_weight: float = SSIM_WEIGHT
    rates: LearningRates = TRAIN_RATES
    growth: Growth = DEFAULT_GROWTH
    degree_every: float = 0.05
    opacity_penalty: float = 0.005
    scale_penalty: float = 0.0

    def __post_init__(self) -> None:
        check_run(self.steps, self.seed, self.ssim_weight)
        if not 0 <= self.sh_degree <= MAX_SH_DEGREE:
            raise UserError(f"There is no SH degree {self.sh_degree}.", "Choose 0, 1, 2 or 3.")
        if self.max_count < 1:
            raise UserError(f"{self.max_count} Gaussians make no scene.", "Allow at least one.")
        if min(self.opacity_penalty, self.scale_penalty, self.degree_every) < 0:
            raise UserError("Penalties and shares of the steps are not negative.")
        if not 0 < self.scale <= 1:
            raise UserError(
                f"Photos cannot be scaled by {self.scale:g}.", "Scales lie above 0 and up to 1."
            )


def train(
    views: Sequence[View],
    points: PointCloud | None = None,
    settings: TrainSettings = TrainSettings(),
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
) -> Steps[GaussianScene]:
    """Fit a new scene to photos; a job, one step per photo.

    3D Gaussian Splatting with few steps in mind: from sparse points or, where there are none,
    random ones in the cameras' view, Gaussians are added and removed until a share of the steps is
    done. Reports ``loss`` and ``count``, and every half second of work or so the scene as it is by
    then.

    Parameters
    ----------
    views
        What to fit to; each has a photo.
    points
        Sparse points in the frame of the cameras.
    device
        Where to train.
    checkpoint
        As for :func:`core.training.refine`.

    Raises
    ------
    UserError
        If there are no photos or they are too small, a photo cannot be read, the loss stops being
        a number, or the checkpoint is damaged, another run's or cannot be written.
    """
    if settings.scale != 1:
        views = [replace(view, camera=view.camera.scaled(settings.scale)) for view in views]
    targets = PhotoTargets(views, settings.background, device)
    start = initial_scene(
        points, targets.cameras, settings.sh_degree, settings.max_count, settings.seed
    )
    identity = {"settings": json.dumps(["train", asdict(settings)]), "points": scene_digest(start)}
    policy = _Training(settings, extent_of(targets.cameras))
    parameters = Parameters(start.to(device))
    result = yield from fit(parameters, targets, policy, checkpoint, identity)
    return result


class _Training:
    """The policy of training."""

    def __init__(self, settings: TrainSettings, extent: float) -> None:
        from core.training.densification import Densification

        self.steps = settings.steps
        self.seed = settings.seed
        self.ssim_weight = settings.ssim_weight
        self._settings = settings
        self._extent = extent
        self._densification = Densification(
            settings.growth, settings.steps, settings.seed, settings.max_count, extent
        )

    def rates(self, step: int) -> Mapping[str, float]:
        return self._settings.rates.at(step / self.steps, self._extent)

    def sh_degree(self, step: int) -> int | None:
        every = self._settings.degree_every * self.steps
        return None if every <= 0 else int(step // every)

    def penalty(self, parameters: Parameters, _step: int) -> Tensor | None:
        settings, tensors = self._settings, parameters.tensors
        if not settings.opacity_penalty and not settings.scale_penalty:
            return None
        opacity = torch.sigmoid(tensors["opacity_logits"]).mean()
        size = tensors["log_scales"].exp().mean() / self._extent
        return settings.opacity_penalty * opacity + settings.scale_penalty * size

    def watches(self, step: int) -> bool:
        return self._densification.watches(step)

    def after(
        self, parameters: Parameters, step: int, camera: Camera, means2d_grad: Tensor | None
    ) -> None:
        if means2d_grad is not None:
            self._densification.after(parameters, step, camera, means2d_grad)

    def state(self) -> dict[str, Tensor]:
        return self._densification.state()

    def restore(self, state: Mapping[str, Tensor], parameters: Parameters) -> None:
        self._densification.restore(state, parameters)
