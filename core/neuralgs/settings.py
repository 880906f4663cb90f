"""What a compression may be asked for, and sets of settings that go together."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import UserError
from core.training.fitting import MAX_STEPS
from core.training.losses import SSIM_WEIGHT

Preset = Literal["best", "paper"]
SceneKind = Literal["object", "indoor", "outdoor"]
KINDS: tuple[SceneKind, ...] = ("object", "indoor", "outdoor")
MAX_CLUSTERS = 4096
VOLUME_POWERS: dict[SceneKind, float] = {"object": 0.03, "indoor": 0.1, "outdoor": 0.1}
"""NeuralGS does not publish its beta. MesonGS takes 0.03 for objects and 0.1 for most others,
LightGaussian 0.1."""


def _check(fine: bool, what: str, allowed: str) -> None:
    if not fine:
        raise UserError(f"{what}.", f"Allowed: {allowed}.")


def _whole(value: int, what: str, least: int, most: int) -> None:
    _check(least <= value <= most, f"{value:,} {what}", f"{least:,} to {most:,}")


@dataclass(frozen=True, slots=True)
class NeuralSettings:
    """How to compress a scene; the defaults are the preset "best".

    Parameters
    ----------
    preset
        Where these come from; a note in the file.
    keep
        Share of the Gaussians that is left, 0..1; the least important go.
    volume_power
        Beta of the importance: how much a Gaussian's volume counts.
    clusters
        Number of nets; None makes one for every ``cluster_size`` Gaussians.
    canonical
        Describe every Gaussian by falling scales and the least rotation before all else.
    color_weight
        How much a colour coefficient beyond the first counts for the clusters, against 1 of others.
    position_weight
        How much a position counts for the clusters.
    balanced
        Keep clusters within half and one and a half times the mean size.
    levels, hidden, layers
        Of the nets: of the positional encoding, values in a hidden layer, layers with weights.
    fit_steps, fit_batch
        Steps of fitting to the attributes, and Gaussians of each cluster in one.
    fit_rate, fit_rate_end
        Adam's rate at the first and the last of them.
    importance
        How the fit minds it: ``"drawn"`` draws important Gaussians more often, ``"weighted"``
        weights their errors as the paper does, ``"none"`` leaves it aside.
    sensitive
        Weight the attributes in the fit by how much the pictures depend on each.
    early_stop
        End the fit when it does not get better any more.
    finetune_steps
        Steps of fitting to the pictures, one picture each.
    finetune_rate, finetune_rate_end
        Adam's rate for the nets at the first and the last of them.
    code_rate, basis_rate
        Of the codes, in their units, and of their basis, relative to its size; they fall alike.
    ssim_weight, frequency_weight
        Weights of SSIM and of the frequency loss.
    frequency
        ``"complex"`` compares the spectra as they are, ``"paper"`` amplitude and phase.
    positions
        ``"grid"``, or ``"half"`` for float16 as in the paper.
    weight_bits
        16 for float16, or 4 to 8.
    quantized_share
        The last share of the fine-tune that sees the nets' weights rounded. With all of it, codes
        hold what the rounding costs: measured, 6 bits then end as 8 do.
    code_bytes
        Bytes of codes to each Gaussian; 0 for none: the nets alone.
    exact_share
        Share of the Gaussians, those with the largest weighted error, to be stored beside the nets.
    seed
        What chance depends on.
    """

    preset: Preset = "best"
    keep: float = 0.6
    volume_power: float = 0.1
    clusters: int | None = None
    cluster_size: int = 20_000
    canonical: bool = True
    color_weight: float = 0.25
    position_weight: float = 0.5
    balanced: bool = True
    levels: int = 7
    hidden: int = 64
    layers: int = 4
    fit_steps: int = 2000
    fit_batch: int = 1024
    fit_rate: float = 5e-3
    fit_rate_end: float = 5e-4
    importance: Literal["drawn", "weighted", "none"] = "drawn"
    sensitive: bool = True
    early_stop: bool = True
    finetune_steps: int = 600
    finetune_rate: float = 1e-4
    finetune_rate_end: float = 1e-5
    code_rate: float = 0.05
    basis_rate: float = 5e-4
    ssim_weight: float = SSIM_WEIGHT
    frequency_weight: float = 0.01
    frequency: Literal["complex", "paper"] = "complex"
    positions: Literal["grid", "half"] = "grid"
    weight_bits: int = 6
    quantized_share: float = 1.0
    code_bytes: float = 7.0
    exact_share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        _check(0 < self.keep <= 1, f"The share to keep is {self.keep:g}", "above 0 and at most 1")
        _check(0 <= self.volume_power <= 1, f"The volume's power is {self.volume_power:g}", "0..1")
        if self.clusters is not None:
            _whole(self.clusters, "clusters", 1, MAX_CLUSTERS)
        _whole(self.cluster_size, "Gaussians to a cluster", 16, 10**9)
        _whole(self.levels, "levels of the encoding", 0, 16)
        _whole(self.hidden, "values in a hidden layer", 1, 1024)
        _whole(self.layers, "layers", 1, 16)
        _whole(self.fit_steps, "steps of fitting", 1, MAX_STEPS)
        _whole(self.fit_batch, "Gaussians in a step", 1, 2**20)
        _whole(self.finetune_steps, "steps of the fine-tune", 0, MAX_STEPS)
        _whole(self.seed, "as a seed", 0, 2**63 - 1)
        bits = self.weight_bits
        _check(bits == 16 or 4 <= bits <= 8, f"A weight has {bits} bits", "4 to 8, or 16")
        for name in ("ssim_weight", "quantized_share", "exact_share"):
            value = getattr(self, name)
            _check(0 <= value <= 1, f"{name} is {value:g}", "0..1")
        for name in ("color_weight", "position_weight", "frequency_weight"):
            value = getattr(self, name)
            _check(0 <= value < math.inf, f"{name} is {value:g}", "0 or more")
        _check(0 <= self.code_bytes <= 64, f"{self.code_bytes:g} bytes of codes", "0 to 64")
        rates = ("fit_rate", "fit_rate_end", "finetune_rate", "finetune_rate_end")
        for name in (*rates, "code_rate", "basis_rate"):
            value = getattr(self, name)
            _check(0 < value < math.inf, f"{name} is {value:g}", "positive and finite")

    def cluster_count(self, gaussians: int) -> int:
        """Number of nets for that many Gaussians; no more than there are Gaussians."""
        wanted = self.clusters or max(1, round(gaussians / self.cluster_size))
        return min(wanted, gaussians, MAX_CLUSTERS)


_PAPER = NeuralSettings(
    preset="paper",
    canonical=False,  # unit quaternions with w >= 0; its "ends with a zero" is not so in files
    color_weight=1.0,
    position_weight=1.0,
    balanced=False,
    cluster_size=20_000,  # v2; v1 has 6-10 clusters for objects, 40-80 indoors, 100-140 outdoors
    levels=10,
    hidden=128,
    layers=5,
    fit_steps=60_000,
    fit_batch=4096,  # not published
    fit_rate=5e-3,  # not published, like all rates; "decaying"
    fit_rate_end=5e-5,
    importance="weighted",
    sensitive=False,
    early_stop=False,
    finetune_steps=25_000,
    finetune_rate=5e-4,
    finetune_rate_end=1e-5,
    ssim_weight=0.2,  # v2; v1's are lost
    frequency_weight=0.01,  # v2
    frequency="paper",
    positions="half",
    weight_bits=16,  # v1: half precision; how v2 gets below that is not published
    quantized_share=0.0,
    code_bytes=0.0,
)
"""NeuralGS, arXiv 2503.23162 (v2, AAAI-26, where the versions differ)."""

PRESETS: dict[Preset, NeuralSettings] = {"best": NeuralSettings(), "paper": _PAPER}


def settings_for(preset: str = "best", kind: str = "indoor") -> NeuralSettings:
    """The settings of a preset for a kind of scene.

    Raises
    ------
    UserError
        If there is no such preset or kind.
    """
    for preset_name, settings in PRESETS.items():
        for kind_name in KINDS:
            if (preset_name, kind_name) == (preset, kind):
                return replace(settings, volume_power=VOLUME_POWERS[kind_name])
    if preset not in PRESETS:
        raise UserError(f"There is no preset {preset!r}.", f"Choose from {', '.join(PRESETS)}.")
    raise UserError(f"There is no kind of scene {kind!r}.", f"Choose from {', '.join(KINDS)}.")
