"""Named scores: small functions from the columns of one sweep to one number per Gaussian."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.jobs import Steps
from core.scene import GaussianScene
from core.scoring.contributions import Contributions
from core.scoring.fisher import log_det, log_det_as_published
from core.scoring.sweeping import sweep
from core.scoring.worth import ORDINARY, SINGULAR, UNSEEN, Worth, ordinary

VOLUME_POWER = 0.1
VOLUME_QUANTILE = 0.9
RANDOM_SEED = 0

Values = Callable[[GaussianScene, Contributions], Tensor]


@dataclass(frozen=True, slots=True)
class Score:
    """A way to tell what a Gaussian is worth.

    Attributes
    ----------
    name
        Key in :data:`SCORES`.
    title
        What a person reads.
    formula
        One line of plain text.
    source
        Paper and equation.
    needs
        ``"sweep"`` the columns, ``"fisher"`` also the Fisher block, ``""`` only the scene.
    color_term
        Whether it needs the Fisher block with the change of colour with the viewing direction.
    compute
        ``compute(scene, contributions)`` returns the :class:`Worth`; ``contributions`` may be None
        where ``needs`` is empty.
    """

    name: str
    title: str
    formula: str
    source: str
    needs: Literal["sweep", "fisher", ""]
    color_term: bool
    compute: Callable[[GaussianScene, Contributions | None], Worth]


def _swept(contributions: Contributions | None) -> Contributions:
    if contributions is None:
        raise ValueError("this score needs a sweep over the views")
    return contributions


def _asked(block: Tensor | None) -> Tensor:
    if block is None:
        raise ValueError("this score needs a Fisher block that the sweep was not asked for")
    return block


def _fisher(scene: GaussianScene, contributions: Contributions | None) -> Worth:
    swept = _swept(contributions)
    values, classes = log_det(_asked(swept.fisher), swept.views_seen > 0, swept.centers)
    precedence = torch.where(classes == SINGULAR, swept.removal_error.double(), 0.0)
    return Worth("fisher", values, classes, precedence)


def _fisher_paper(scene: GaussianScene, contributions: Contributions | None) -> Worth:
    swept = _swept(contributions)
    values = log_det_as_published(_asked(swept.fisher_color))
    seen = swept.views_seen > 0
    return Worth("fisher-paper", values, torch.where(seen, ORDINARY, UNSEEN).to(torch.uint8))


def importances(scene: GaussianScene, swept: Contributions, power: float = VOLUME_POWER) -> Tensor:
    """Blending weights by volume, float64 ``(N,)``: NeuralGS, eq. 1-2, ``power`` its beta."""
    log_volume = scene.log_scales.double().sum(1).cpu().clamp(-600, 600)
    if not len(log_volume):
        return log_volume
    place = int(VOLUME_QUANTILE * (len(log_volume) - 1))
    large = float(np.partition(log_volume.numpy(), place)[place])
    return swept.weight_sum * (power * (log_volume - large)).clamp_max(0).exp()


def _random(scene: GaussianScene) -> Tensor:
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    return torch.rand(len(scene), generator=generator, dtype=torch.float64)


def _from_columns(name: str, title: str, formula: str, source: str, values: Values) -> Score:
    def compute(scene: GaussianScene, contributions: Contributions | None) -> Worth:
        return ordinary(name, values(scene, _swept(contributions)))

    return Score(name, title, formula, source, "sweep", False, compute)


def _from_scene(
    name: str, title: str, formula: str, source: str, values: Callable[[GaussianScene], Tensor]
) -> Score:
    def compute(scene: GaussianScene, contributions: Contributions | None) -> Worth:
        return ordinary(name, values(scene))

    return Score(name, title, formula, source, "", False, compute)


_ALL = [
    _from_columns(
        "removal-error",
        "Removal error",
        "Σ (α ∂I/∂α)² over views, pixels and channels: the squared error of removing it alone",
        "GaussianPOP, arXiv 2602.06830; POTR, arXiv 2601.14821 (closed form)",
        lambda scene, swept: swept.removal_error,
    ),
    Score(
        "fisher",
        "Fisher sensitivity",
        "log |Σ g gᵀ|, g = ∂I/∂(x, log s) per view, pixel and channel; no parallax ranks below",
        "PUP 3D-GS, arXiv 2406.10219, Eq. 10; float64, singular blocks ordered by removal error",
        "fisher",
        False,
        _fisher,
    ),
    Score(
        "fisher-paper",
        "Fisher sensitivity, as published",
        "Σ log σᵢ(F) in float32, F = Σ g gᵀ, g with the colour's change by view; unseen first",
        "PUP 3D-GS, arXiv 2406.10219, Eq. 10, and its program; it renders at a quarter of the size",
        "fisher",
        True,
        _fisher_paper,
    ),
    _from_columns(
        "speedy",
        "Speedy-Splat",
        "Σ (o Σ_c ∂I_c/∂α)² over views and pixels",
        "Speedy-Splat, arXiv 2412.00578: squared derivative with respect to the kernel's value",
        lambda scene, swept: swept.speedy,
    ),
    _from_columns(
        "max-weight",
        "Largest weight",
        "max α T over views and pixels",
        "RadSplat, arXiv 2403.13806",
        lambda scene, swept: swept.weight_max,
    ),
    _from_columns(
        "importance",
        "Importance",
        "Σ α T · min(V / V₉₀, 1)^0.1, V = s₁ s₂ s₃, V₉₀ the 90th percentile",
        "NeuralGS, arXiv 2503.23162, Eq. 1-2, after LightGaussian, arXiv 2311.17245",
        importances,
    ),
    _from_columns(
        "mini-splatting",
        "Mini-Splatting",
        "Σ (Σ α T / pixels hit) over the views where it is some pixel's largest weight",
        "Mini-Splatting, arXiv 2403.14166 (outdoor variant of its program)",
        lambda scene, swept: swept.top_mean_weight,
    ),
    _from_scene(
        "opacity",
        "Opacity",
        "o",
        "3D Gaussian Splatting, arXiv 2308.04079, sec. 5",
        lambda scene: scene.opacities(),
    ),
    _from_scene(
        "size",
        "Size",
        "log (s₁ s₂ s₃): the logarithm of the volume",
        "baseline",
        lambda scene: scene.log_scales.double().sum(1),
    ),
    _from_scene("random", "Random", "uniform in 0..1, seed 0", "baseline", _random),
]

SCORES: dict[str, Score] = {score.name: score for score in _ALL}
DEFAULT_SCORE = "removal-error"


def score(
    scene: GaussianScene,
    cameras: Sequence[Camera],
    names: Iterable[str],
    *,
    keep: Tensor | None = None,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Steps[dict[str, Worth]]:
    """Compute scores by name with at most one sweep over the views; a job.

    Parameters
    ----------
    cameras
        The views to sweep; may be empty if no score needs a sweep.
    names
        Keys of :data:`SCORES`.
    keep, background
        As in :func:`core.scoring.sweep`.

    Raises
    ------
    UserError
        If a name is unknown, or views are needed and there are none.
    """
    chosen = {name: find_score(name) for name in names}
    contributions = None
    if any(one.needs for one in chosen.values()):
        contributions = yield from sweep(
            scene,
            cameras,
            keep=keep,
            fisher=any(one.needs == "fisher" for one in chosen.values()),
            color_term=any(one.color_term for one in chosen.values()),
            background=background,
        )
    worths = {name: one.compute(scene, contributions) for name, one in chosen.items()}
    pixels = sum(camera.width * camera.height for camera in cameras)
    return {
        name: replace(worth, pixels=pixels) if chosen[name].needs else worth
        for name, worth in worths.items()
    }


def find_score(name: str) -> Score:
    """The score of that name; a :class:`UserError` lists the names if there is none."""
    if name not in SCORES:
        raise UserError(f"There is no score named {name!r}.", f"Choose from {', '.join(SCORES)}.")
    return SCORES[name]
