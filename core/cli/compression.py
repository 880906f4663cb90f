"""Scenes as nets: compress."""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import (
    DataDir,
    FitBackground,
    Json,
    LpipsFile,
    Output,
    SceneFile,
    ViewCount,
    find_lpips,
    parse_fit_background,
    read_views,
)
from core.cli.training import CheckpointFile, Seed
from core.errors import UserError
from core.terminal import print_table, report, run_steps

if TYPE_CHECKING:
    from core.metrics import Evaluation
    from core.neuralgs.settings import NeuralSettings

SUFFIX = ".ngs"
DIGITS = {"psnr": 3, "ssim": 5, "lpips": 5}


def compress(
    scene: SceneFile,
    output: Output,
    data: DataDir = None,
    preset: Annotated[
        str, typer.Option("--preset", metavar="best|paper", help="Ours, or NeuralGS as published.")
    ] = "best",
    kind: Annotated[
        str,
        typer.Option(
            "--kind", metavar="object|indoor|outdoor", help="What is shown: how volumes count."
        ),
    ] = "indoor",
    clusters: Annotated[
        int | None,
        typer.Option("--clusters", help="Number of nets; else one for every 20,000 Gaussians."),
    ] = None,
    keep: Annotated[
        float | None, typer.Option("--keep", help="Share of the Gaussians that stays; 0.6.")
    ] = None,
    fit_steps: Annotated[
        int | None, typer.Option("--fit-steps", help="Steps of fitting to the attributes; 2000.")
    ] = None,
    finetune_steps: Annotated[
        int | None,
        typer.Option("--finetune-steps", help="Steps of fitting to the pictures, one each; 600."),
    ] = None,
    code_bytes: Annotated[
        float | None,
        typer.Option(
            "--code-bytes",
            help="Bytes to each Gaussian beside the nets: more is better and larger; 7.",
        ),
    ] = None,
    weight_bits: Annotated[
        int | None, typer.Option("--weight-bits", help="Bits of a net's weight: 4 to 8, or 16.")
    ] = None,
    views: ViewCount = None,
    background: FitBackground = None,
    seed: Seed = 0,
    checkpoint: CheckpointFile = None,
    lpips: LpipsFile = None,
    as_json: Json = False,
) -> None:
    """Compress a scene into nets: against the photos; without any, against the scene itself."""
    from core.files import check_target, replacing
    from core.formats import load_scene
    from core.metrics import evaluate
    from core.metrics.references import PhotoReferences, find_references
    from core.neuralgs.compress import checkpoint_files
    from core.neuralgs.compress import compress as compress_steps
    from core.neuralgs.container import encoded, measured_streams
    from core.rendering.device import preferred_device
    from core.training import find_targets, lasting_background

    changes = {
        "clusters": clusters,
        "keep": keep,
        "fit_steps": fit_steps,
        "finetune_steps": finetune_steps,
        "code_bytes": code_bytes,
        "weight_bits": weight_bits,
    }
    settings = _settings(preset, kind, seed, changes)
    color = parse_fit_background(background)
    if output.suffix.lower() != SUFFIX:
        raise UserError(f"{output.name} does not end in {SUFFIX}.", "Name it so.")
    for file in (output, *(() if checkpoint is None else (checkpoint,))):
        check_target(file)
    weights, _ = find_lpips(lpips)
    found = read_views(data)
    loaded = load_scene(scene).scene.to(preferred_device())
    targets = run_steps(find_targets(loaded, found, views, color))
    references = run_steps(find_references(found, loaded, views, lasting_background(color)))
    started = time.perf_counter()
    result = run_steps(compress_steps(loaded, targets, None, settings, checkpoint=checkpoint))
    seconds = time.perf_counter() - started
    before = run_steps(evaluate(result.pruned, references, lpips=weights, frames=False))
    after = run_steps(evaluate(result.scene, references, lpips=weights, frames=False))
    notes = {**result.neural.notes, "source": scene.name}
    if math.isfinite(after.psnr):
        notes["psnr"] = round(after.psnr, 3)
    content = encoded(replace(result.neural, notes=notes))
    with replacing(output) as file:
        file.write(content)
    if checkpoint is not None:
        for state in checkpoint_files(checkpoint):
            state.unlink(missing_ok=True)
    photos = isinstance(references, PhotoReferences)
    stages = {name: round(value, 1) for name, value in result.seconds.items()}
    report(
        {
            "output": str(output),
            "preset": preset,
            "count_before": len(loaded),
            "count_after": len(result.scene),
            "clusters": len(result.neural.network.weights[0]),
            "bytes_before": loaded.ply_bytes,
            "bytes_after": len(content),
            "streams": measured_streams(result.neural),
            "seconds": round(seconds, 1),
            "stages": stages,
            "measured_on": _measured_on(len(after.views), photos),
            **({"pruned": _figures(before), "compressed": _figures(after)} if as_json else {}),
        },
        as_json,
    )
    if not as_json:
        rows = {"pruned": _figures(before), "compressed": _figures(after)}
        print_table(tuple(DIGITS), rows)


def _settings(preset: str, kind: str, seed: int, changes: dict[str, Any]) -> "NeuralSettings":
    """A preset's settings with what is given by hand."""
    from core.neuralgs.settings import settings_for

    given = {name: value for name, value in changes.items() if value is not None}
    return replace(settings_for(preset, kind), seed=seed, **given)


def _measured_on(count: int, photos: bool) -> str:
    noun, rest = ("photo", "") if photos else ("view", " of the scene")
    return f"{count} {noun}{'s' if count > 1 else ''}{rest}"


def _figures(measured: "Evaluation") -> dict[str, float | str | None]:
    """Rounded for a report; None where JSON knows no such number."""
    figures: dict[str, float | str | None] = {}
    for name, digits in DIGITS.items():
        value = getattr(measured, name)
        known = value is not None and math.isfinite(value)
        figures[name] = round(value, digits) if known else None
    return figures
