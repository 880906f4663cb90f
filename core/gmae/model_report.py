"""Several models measured alike: what emerges, figure and ground, edges, and what may be claimed.

Models of one configuration are taken as its seeds. A model of the camera ``ortho`` is the control
whose depth learns nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from core.errors import UserError
from core.gmae.config import Config, Projection
from core.gmae.evaluation import Quality, chosen_images, evaluate_model
from core.gmae.folder import ImageFolder, refuse_shared
from core.gmae.probe import Probe, probe_model
from core.gmae.truths import Truths
from core.gmae.weights import load_model
from core.jobs import Steps

LABELS = {
    "scale": "ρ(z, 3D scale)",
    "screen": "ρ(z, screen σ)",
    "residual_scale": "residual ρ(z, 3D scale)",
    "residual_screen": "residual ρ(z, screen σ)",
    "query_share": "var(z) between queries",
    "image_share": "var(z) between images",
    "rest_share": "var(z), the rest",
    "cap_low": "s/c, 5 %",
    "cap_middle": "s/c, 50 %",
    "cap_high": "s/c, 95 %",
    "mean_depth": "mean z",
}
"""What the parts of a :class:`core.gmae.depth_scale.DepthScale` are called."""
SEEDS = 3
IMAGES = 256
"""Fewer of them are said to be too few."""


@dataclass(frozen=True, slots=True)
class Materials:
    """What models are measured on.

    ``masks``, ``edges`` and ``probe`` (a folder of classes to learn from) are optional; no image
    may be in ``train``.
    """

    images: Path
    masks: Path | None = None
    edges: Path | None = None
    probe: Path | None = None
    train: Path | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model, as measured."""

    name: str
    config: Config
    notes: Mapping[str, Any]
    quality: Quality
    probe: Probe | None

    def numbers(self) -> dict[str, float]:
        """Everything of which a mean over seeds makes sense, by name."""
        quality = self.quality
        found = {
            "masked MSE": quality.masked_mse.mean,
            "PSNR": quality.psnr.mean,
            "holes": quality.transmittance.mean,
        }
        for name, value in asdict(quality.depth_scale).items():
            found[LABELS[name]] = value["rho"] if "rho" in value else value["value"]
        for answer, iou in (quality.figure_ground or {}).items():
            found[f"IoU {answer}"] = iou.mean
        for detector, score in (quality.edges or {}).items():
            found[f"F {detector}"] = score.f
        if self.probe is not None:
            found["probe"] = self.probe.accuracy
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """Models of one configuration and loss: means, and deviations over them (None for one)."""

    models: Sequence[str]
    camera: str
    scale_cap: float
    gaussians: int
    numbers: Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Report:
    """All models and groups, verdicts by rule, and what the report lacks."""

    models: Sequence[ModelReport]
    groups: Sequence[Group]
    verdicts: Mapping[str, str]
    lacks: Sequence[str]

    def values(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def report_models(paths: Sequence[Path], materials: Materials, seed: int = 0) -> Steps[Report]:
    """Measure every model on the same images.

    Raises
    ------
    UserError
        If a model or image cannot be read, two models have one name, or an image was trained on.
    """
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        raise UserError("Two models have the same name.", "Rename one of them.")
    masks = None if materials.masks is None else Truths(materials.masks)
    edges = None if materials.edges is None else Truths(materials.edges)
    models = []
    for name, path in zip(names, paths, strict=True):
        model, notes = load_model(path)
        images = ImageFolder(materials.images, model.config.size)
        if materials.train is not None:
            refuse_shared(images, ImageFolder(materials.train, model.config.size))
        quality = yield from evaluate_model(model, images, masks, edges, materials.limit, seed)
        probe = None
        if materials.probe is not None:
            chosen = chosen_images(images, materials.limit)
            probe = yield from probe_model(model, images, chosen, materials.probe)
        models.append(ModelReport(name, model.config, notes, quality, probe))
    groups = _groups(models)
    verdicts = {model.name: _verdict(model.quality) for model in models}
    return Report(models, groups, verdicts, _lacks(models, groups, materials))


def _groups(models: Sequence[ModelReport]) -> list[Group]:
    alike: dict[tuple[Config, str], list[ModelReport]] = {}
    for model in models:
        key = (model.config, str(model.notes.get("trained_for", "")))
        alike.setdefault(key, []).append(model)
    groups = []
    for (config, _), members in alike.items():
        columns = [member.numbers() for member in members]
        numbers = {}
        for name in columns[0]:
            values = [column[name] for column in columns]
            numbers[name] = (mean(values), stdev(values) if len(values) > 1 else None)
        groups.append(
            Group(
                models=[member.name for member in members],
                camera=str(config.projection),
                scale_cap=config.scale_cap,
                gaussians=config.gaussians,
                numbers=numbers,
            )
        )
    return groups


def _verdict(quality: Quality) -> str:
    if quality.margins is None:
        return "Figure and ground were not measured: there are no masks."
    parts = [
        f"{margin.mean:+.3f} ± {margin.error:.3f} to the {control}"
        for control, margin in quality.margins.items()
    ]
    word = "found" if quality.figure_claimed else "not found"
    return f"Figure and ground are {word}: the far side's IoU is {', '.join(parts)}."


def _lacks(
    models: Sequence[ModelReport], groups: Sequence[Group], materials: Materials
) -> list[str]:
    """What has to be there before a general statement is made, and is not."""
    lacks = []
    if all(model.config.projection is not Projection.ORTHO for model in models):
        lacks.append("There is no model of the camera ortho, whose depth learns nothing.")
    few = [group for group in groups if len(group.models) < SEEDS]
    if few:
        lacks.append(f"{len(few)} of {len(groups)} configurations have fewer than {SEEDS} seeds.")
    for group in groups:
        members = [model for model in models if model.name in group.models]
        if len({model.notes.get("steps") for model in members}) > 1:
            lacks.append(f"{', '.join(group.models)} were not trained for equal steps.")
    if models[0].quality.images < IMAGES:
        lacks.append(f"There are {models[0].quality.images} images, fewer than {IMAGES}.")
    if materials.train is None:
        lacks.append("It was not checked that the models were not trained on these images.")
    return lacks
