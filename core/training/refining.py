"""Refining: the same Gaussians, fitted anew after a cut."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.framing import scene_frame
from core.jobs import Steps
from core.scene import GaussianScene
from core.training.fitting import check_run, fit
from core.training.losses import SSIM_WEIGHT
from core.training.parameters import Parameters
from core.training.rates import REFINE_RATES, LearningRates
from core.training.sparsity import Sparsifier, Sparsify
from core.training.targets import Targets, extent_of, scene_digest


@dataclass(frozen=True, slots=True)
class RefineSettings:
    """How to refine.

    Parameters
    ----------
    steps
        One picture each.
    seed
        What the order of the pictures depends on.
    ssim_weight
        Weight of SSIM in the loss, 0..1.
    rates
        How fast the tensors move.
    sparsify
        Bring opacities to zero meanwhile, for a cut that follows; None leaves them free.
    """

    steps: int = 1000
    seed: int = 0
    ssim_weight: float = SSIM_WEIGHT
    rates: LearningRates = REFINE_RATES
    sparsify: Sparsify | None = None

    def __post_init__(self) -> None:
        check_run(self.steps, self.seed, self.ssim_weight)


def refine(
    scene: GaussianScene,
    targets: Targets,
    settings: RefineSettings = RefineSettings(),
    *,
    checkpoint: Path | None = None,
) -> Steps[GaussianScene]:
    """Fit a scene to pictures without adding or removing a Gaussian; a job, one step per picture.

    As PUP 3D-GS does after a cut: a fresh Adam, all degrees of colour, no densification and no
    reset of opacities; but at rates for fewer steps than its 5000 (its own are
    ``PAPER_REFINE_RATES``). Reports ``loss`` and ``count``, and every half second of work or so the
    scene as it is by then.

    Parameters
    ----------
    scene
        Where to begin; fitted where its tensors live.
    targets
        Photos, or the pictures of another scene.
    checkpoint
        A file to keep the state in, so that an interrupted run can go on; see
        :class:`core.training.checkpoint.Checkpoint`. It stays when the run is done, and the same
        run then ends at once with the same result.

    Raises
    ------
    UserError
        If the scene is empty, a picture cannot be read, the loss stops being a number, or the
        checkpoint is damaged, another run's or cannot be written.
    """
    if not len(scene):
        raise UserError("The scene is empty: there is nothing to refine.", "Cut less of it.")
    identity = {"settings": json.dumps(["refine", asdict(settings)]), "scene": scene_digest(scene)}
    extent = extent_of(targets.cameras, scene_frame(scene).radius)
    policy = _Refinement(settings, extent)
    result = yield from fit(Parameters(scene), targets, policy, checkpoint, identity)
    return result


class _Refinement:
    """The policy of refining."""

    def __init__(self, settings: RefineSettings, extent: float) -> None:
        self.steps = settings.steps
        self.seed = settings.seed
        self.ssim_weight = settings.ssim_weight
        self._rates = settings.rates
        self._extent = extent
        self._sparsifier = None if settings.sparsify is None else Sparsifier(settings.sparsify)

    def rates(self, step: int) -> Mapping[str, float]:
        return self._rates.at(step / self.steps, self._extent)

    def sh_degree(self, _step: int) -> int | None:
        return None

    def penalty(self, parameters: Parameters, step: int) -> Tensor | None:
        if self._sparsifier is None:
            return None
        return self._sparsifier.penalty(parameters.tensors["opacity_logits"], step)

    def watches(self, _step: int) -> bool:
        return False

    def after(
        self, parameters: Parameters, step: int, camera: Camera, means2d_grad: Tensor | None
    ) -> None:
        pass

    def state(self) -> dict[str, Tensor]:
        return {} if self._sparsifier is None else self._sparsifier.state()

    def restore(self, state: Mapping[str, Tensor], parameters: Parameters) -> None:
        if self._sparsifier is not None:
            self._sparsifier.restore(state, parameters.tensors["opacity_logits"])
