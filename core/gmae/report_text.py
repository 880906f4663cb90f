"""A report on models as Markdown: tables with intervals, and the verdicts."""

from collections.abc import Callable, Sequence

from core.gmae.depth_scale import Correlation
from core.gmae.evaluation import Estimate
from core.gmae.model_report import LABELS, Group, ModelReport, Report


def markdown(report: Report) -> str:
    """The whole report."""
    parts = [
        "# Gaussian masked autoencoders: what was measured\n",
        f"{len(report.models)} models, {report.models[0].quality.images} images. "
        "± is a standard error over images, brackets are 95 % intervals over images, and spread is "
        "the standard deviation over the seeds of a configuration.\n",
        "## Verdict\n",
        "Figure and ground are found only if the IoU of the far side exceeds, by more than two "
        "standard errors of the difference, that of an ellipse in the middle and that of depths "
        "shuffled among the Gaussians.\n",
        *(f"- **{name}**: {text}" for name, text in report.verdicts.items()),
        *(f"- What is missing: {text}" for text in report.lacks),
        "\n## Pictures and classes\n",
        _quality(report.models),
        "\n## Depth against size\n",
        "Under the authors' camera depth learns through size alone. A residual has each query's "
        "mean over the images taken off, and is correlated within each image.\n",
        _emergence(report.models),
    ]
    if any(model.quality.figure_ground for model in report.models):
        parts += ["\n## Figure and ground: IoU\n", _figures(report.models)]
    if any(model.quality.edges for model in report.models):
        parts += [
            "\n## Edges: best F at one threshold\n",
            "Matched many to one: about 0.02 kinder than the measure of BSDS.\n",
            _edges(report.models),
        ]
    parts += ["\n## Over seeds: mean and spread\n", _seeds(report.groups)]
    return "\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_safe(cell) for cell in line)} |" for line in lines)


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _by_model(models: Sequence[ModelReport], rows: dict[str, Callable[[ModelReport], str]]) -> str:
    """A column for each model."""
    made = [[name, *(cell(model) for model in models)] for name, cell in rows.items()]
    return _table(["", *(model.name for model in models)], made)


def _with_error(estimate: Estimate, digits: int = 3) -> str:
    return f"{estimate.mean:.{digits}f} ± {estimate.error:.{digits}f}"


def _quality(models: Sequence[ModelReport]) -> str:
    rows: dict[str, Callable[[ModelReport], str]] = {
        "camera": lambda model: str(model.config.projection),
        "scale cap c": lambda model: f"{model.config.scale_cap:g}",
        "Gaussians": lambda model: str(model.config.gaussians),
        "masking ratio": lambda model: f"{model.config.mask_ratio:g}",
        "steps": lambda model: str(model.notes.get("steps", "-")),
        "trained on": lambda model: str(model.notes.get("data", "-")),
        "masked MSE": lambda model: _with_error(model.quality.masked_mse, 4),
        "PSNR, dB": lambda model: _with_error(model.quality.psnr, 2),
        "background that shines through": lambda model: _with_error(model.quality.transmittance),
    }
    if any(model.probe for model in models):
        rows |= {
            "linear probe": lambda model: _probe(model, "accuracy"),
            "of an encoder before training": lambda model: _probe(model, "untrained"),
            "of pixels at 16 x 16": lambda model: _probe(model, "pixels"),
            "by chance": lambda model: _probe(model, "chance"),
        }
    return _by_model(models, rows)


def _probe(model: ModelReport, name: str) -> str:
    return "-" if model.probe is None else f"{getattr(model.probe, name):.3f}"


def _emergence(models: Sequence[ModelReport]) -> str:
    def cell(model: ModelReport, name: str) -> str:
        value = getattr(model.quality.depth_scale, name)
        middle = value.rho if isinstance(value, Correlation) else value.value
        return f"{middle:.3f} [{value.low:.3f}, {value.high:.3f}]"

    rows = [[label, *(cell(model, name) for model in models)] for name, label in LABELS.items()]
    return _table(["", *(model.name for model in models)], rows)


def _figures(models: Sequence[ModelReport]) -> str:
    answers = list(models[0].quality.figure_ground or {})
    rows = [
        [name, *(_with_error((model.quality.figure_ground or {})[name]) for model in models)]
        for name in answers
    ]
    return _table(["answer", *(model.name for model in models)], rows)


def _edges(models: Sequence[ModelReport]) -> str:
    rows = []
    for name in models[0].quality.edges or {}:
        scores = [(model.quality.edges or {})[name] for model in models]
        rows.append(
            [name, *(f"{score.f:.3f} [{score.low:.3f}, {score.high:.3f}]" for score in scores)]
        )
    return _table(["edges from", *(model.name for model in models)], rows)


def _seeds(groups: Sequence[Group]) -> str:
    def cell(group: Group, name: str) -> str:
        middle, spread = group.numbers[name]
        return f"{middle:.4f}" if spread is None else f"{middle:.4f}, spread {spread:.4f}"

    titles = [
        f"{group.camera}, c {group.scale_cap:g}, {group.gaussians} Gaussians: "
        f"{', '.join(group.models)}"
        for group in groups
    ]
    rows = [[name, *(cell(group, name) for group in groups)] for name in groups[0].numbers]
    return _table(["", *titles], rows)
