"""Fitting scenes to pictures: train, refine, rounds."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import (
    SCORE_NAMES,
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
from core.errors import UserError
from core.terminal import print_table, report, run_steps

if TYPE_CHECKING:
    from core.cameras import View
    from core.metrics import References
    from core.pruning import Schedule
    from core.pruning.rounds import RoundsResult, Stage
    from core.scene import GaussianScene
    from core.training import Targets

DEFAULT_STEPS = 1000
TRAIN_STEPS = 3000
MAX_COUNT = 500_000
SCHEDULE_NAMES = "removal-error, pup, sparsify, light, free, refine"
FIGURES = {"mb": 2, "psnr": 2, "ssim": 4, "lpips": 4, "frame_ms": 2, "seconds": 1}
QUALITY = ("psnr", "ssim", "lpips", "frame_ms")
COLUMNS = ("count", *FIGURES)

Seed = Annotated[int, typer.Option("--seed", min=0, help="What chance depends on.")]
CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Keep the state here, about twice a minute: the same command given again goes on from "
        "there. Removed once OUT is written.",
    ),
]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write the figures of every stage as JSON."),
]


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """A scene, what to fit it to and what to measure it on."""

    scene: "GaussianScene"
    targets: "Targets"
    references: "References"


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Posed photos: a folder or file of COLMAP, transforms.json or cameras.json.",
        ),
    ],
    output: Output,
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Steps, one photo each.")
    ] = TRAIN_STEPS,
    max_count: Annotated[
        int, typer.Option("--max-count", min=1, help="At most this many Gaussians.")
    ] = MAX_COUNT,
    sh_degree: Annotated[
        int, typer.Option("--sh-degree", min=0, max=3, help="Degree of the colours.")
    ] = 3,
    scale: Annotated[
        float, typer.Option("--scale", help="Size of the pictures by that of the photos, up to 1.")
    ] = 1.0,
    background: FitBackground = None,
    seed: Seed = 0,
    checkpoint: CheckpointFile = None,
    lpips: LpipsFile = None,
    as_json: Json = False,
) -> None:
    """Make a scene from posed photos, and measure it on those held out."""
    from core.datasets import load_dataset
    from core.datasets.dataset import PointCloud
    from core.formats import save_scene
    from core.metrics import PhotoReferences
    from core.metrics import evaluate as evaluate_steps
    from core.metrics.references import held_out
    from core.rendering.device import preferred_device
    from core.training import TrainSettings, lasting_background
    from core.training import train as train_steps

    settings = TrainSettings(
        steps=steps,
        seed=seed,
        sh_degree=sh_degree,
        max_count=max_count,
        background=parse_fit_background(background),
        scale=scale,
    )
    _check_files(output, checkpoint)
    weights, _ = find_lpips(lpips)
    dataset = load_dataset(data)
    points = dataset.points
    cloud = None if points is None else PointCloud(points, dataset.point_colors)
    photos = [view for view in dataset.train if view.photo is not None]
    started = time.perf_counter()
    scene = run_steps(
        train_steps(photos, cloud, settings, device=preferred_device(), checkpoint=checkpoint)
    )
    seconds = time.perf_counter() - started
    save_scene(scene.to("cpu"), output)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    references = PhotoReferences(
        held_out([view for view in dataset.views if view.photo is not None]),
        lasting_background(settings.background),
    )
    measured = run_steps(evaluate_steps(scene, references, lpips=weights))
    kind = "held-out" if references.held_out else "training"
    noun = "photo" if len(measured.views) == 1 else "photos"
    report(
        {
            "output": str(output),
            "count": len(scene),
            "bytes": output.stat().st_size,
            "steps": steps,
            "photos": len(photos),
            "seconds": round(seconds, 1),
            "measured_on": f"{len(measured.views)} {kind} {noun}",
            **{name: _figure(name, getattr(measured, name)) for name in QUALITY},
            "lpips_net": measured.lpips_net,
        },
        as_json,
    )


def refine(
    scene: SceneFile,
    output: Output,
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Steps, one picture each.")
    ] = DEFAULT_STEPS,
    data: DataDir = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="OTHER", help="Fit to the pictures of this scene, not to photos."
        ),
    ] = None,
    views: ViewCount = None,
    background: FitBackground = None,
    seed: Seed = 0,
    checkpoint: CheckpointFile = None,
    lpips: LpipsFile = None,
    report_file: ReportFile = None,
    as_json: Json = False,
) -> None:
    """Fit a scene to its photos, or to another scene, without adding or removing a Gaussian."""
    from core.pruning import Round, Schedule

    found = read_views(data)
    if against is None and (views is not None or not any(view.photo for view in found)):
        raise UserError(
            "There are no photos to fit to.",
            "Give posed photos by --data; or by --against the scene from which this one was cut.",
        )
    _check_files(output, report_file, checkpoint)
    bench = _prepare(scene, against, found, views, background)
    schedule = Schedule((Round(0.0, steps),))
    result = _run(bench, schedule, seed, checkpoint, lpips)
    _finish(result, schedule, output, checkpoint, report_file, as_json)


def rounds(
    scene: SceneFile,
    output: Output,
    cuts: Annotated[
        list[float] | None,
        typer.Option("--cut", help="Share of the Gaussians that goes, 0 to 1; one for each round."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help=f"A ready schedule: {SCHEDULE_NAMES}."),
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=0, help="Steps of refining after each cut.")
    ] = DEFAULT_STEPS,
    name: Annotated[
        str | None, typer.Option("--score", help=f"Which score decides: {SCORE_NAMES}.")
    ] = None,
    keep: Annotated[
        float | None, typer.Option("--keep", help="Share of the Gaussians that stays in the end.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", help="Number of Gaussians that stay in the end.")
    ] = None,
    megabytes: Annotated[
        float | None,
        typer.Option("--mb", help="Largest size in the end as a plain PLY, in 10^6 bytes."),
    ] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            "--max-loss", metavar="DB", help="Take a round back that loses more than this."
        ),
    ] = None,
    min_psnr: Annotated[
        float | None,
        typer.Option("--min-psnr", metavar="DB", help="Take a round back that ends below this."),
    ] = None,
    sparsify: Annotated[
        bool,
        typer.Option("--sparsify", help="Refine towards each further cut, as GaussianSpa does."),
    ] = False,
    data: DataDir = None,
    views: ViewCount = None,
    background: FitBackground = None,
    seed: Seed = 0,
    checkpoint: CheckpointFile = None,
    lpips: LpipsFile = None,
    report_file: ReportFile = None,
    as_json: Json = False,
) -> None:
    """Prune and refine in rounds: against the photos; without any, against the unpruned scene."""
    goals = {"fraction": keep, "count": count, "megabytes": megabytes}
    goal = {key: value for key, value in goals.items() if value is not None}
    if len(goal) > 1:
        raise UserError(f"{len(goal)} targets are given.", "Give one of --keep, --count and --mb.")
    changes: dict[str, Any] = {"score": name, "max_loss_db": max_loss, "min_psnr_db": min_psnr}
    given = {key: value for key, value in changes.items() if value is not None}
    schedule = replace(_schedule(cuts, preset, steps), **given)
    if sparsify:
        schedule = replace(schedule, sparsify=True)
    _check_files(output, report_file, checkpoint)
    bench = _prepare(scene, None, read_views(data), views, background)
    schedule = _aimed(schedule, bench.scene, goal)
    result = _run(bench, schedule, seed, checkpoint, lpips)
    _finish(result, schedule, output, checkpoint, report_file, as_json)


def _schedule(cuts: Sequence[float] | None, preset: str | None, steps: int) -> "Schedule":
    from core.pruning import SCHEDULES, schedule_of

    if bool(cuts) == (preset is not None):
        raise UserError(
            "Cuts and a preset are given." if cuts else "Nothing says how much goes.",
            f"Give --cut for every round, or --preset with one of {SCHEDULE_NAMES}.",
        )
    if preset is None:
        return schedule_of(cuts or (), steps)
    if preset not in SCHEDULES:
        raise UserError(f"There is no schedule named {preset!r}.", f"Choose from {SCHEDULE_NAMES}.")
    return SCHEDULES[preset].schedule.with_steps(steps)


def _aimed(schedule: "Schedule", scene: "GaussianScene", goal: Mapping[str, Any]) -> "Schedule":
    """The schedule with its target; the counts are checked."""
    from core.pruning import keep_count

    if goal:
        schedule = replace(schedule, target=keep_count(scene, **goal))
    schedule.counts(len(scene))
    return schedule


def _check_files(output: Path, *others: Path | None) -> None:
    """Refuse to begin work whose results could not be written."""
    from core.files import check_target
    from core.formats import check_output

    check_output(output)
    for file in others:
        if file is not None:
            check_target(file)


def _prepare(
    scene: Path,
    against: Path | None,
    views: "Sequence[View]",
    count: int | None,
    background: str | None,
) -> _Bench:
    from core.formats import load_scene
    from core.metrics.references import find_references
    from core.rendering.device import preferred_device
    from core.training import find_targets, lasting_background

    color, device = parse_fit_background(background), preferred_device()
    loaded = load_scene(scene).scene.to(device)
    source = loaded
    if against is not None:
        source = load_scene(against).scene.to(device)
        views = [replace(view, photo=None) for view in views]
    return _Bench(
        loaded,
        run_steps(find_targets(source, views, count, color)),
        run_steps(find_references(views, source, count, lasting_background(color))),
    )


def _run(
    bench: _Bench, schedule: "Schedule", seed: int, checkpoint: Path | None, lpips: Path | None
) -> "RoundsResult":
    from core.pruning.rounds import run_rounds
    from core.training import RefineSettings

    weights, _ = find_lpips(lpips)
    steps = run_rounds(
        bench.scene,
        bench.targets,
        schedule,
        bench.references,
        settings=RefineSettings(seed=seed),
        lpips=weights,
        checkpoint=checkpoint,
    )
    return run_steps(steps)


def _finish(
    result: "RoundsResult",
    schedule: "Schedule",
    output: Path,
    checkpoint: Path | None,
    report_file: Path | None,
    as_json: bool,
) -> None:
    """Save the scene and the report, drop the checkpoints, and tell every stage."""
    from core.files import replacing
    from core.formats import save_scene
    from core.pruning.rounds import checkpoint_files

    save_scene(result.scene.to("cpu"), output)
    stages = [_plain(stage) for stage in result.stages]
    values = {
        "output": str(output),
        "score": schedule.score,
        "count_before": stages[0]["count"],
        "count_after": len(result.scene),
        "bytes_after": output.stat().st_size,
        "steps": schedule.steps,
        "views": len(result.stages[0].evaluation.views),
        "seconds": round(sum(stage.seconds for stage in result.stages), 1),
    }
    if report_file is not None:
        with replacing(report_file) as file:
            file.write(json.dumps({**values, "stages": stages}, indent=1).encode())
    if checkpoint is not None:
        for state in checkpoint_files(checkpoint, schedule):
            state.unlink(missing_ok=True)
    report({**values, **({"stages": stages} if as_json else {})}, as_json)
    if not as_json:
        rows = {
            _title(stage): _cells(plain) for stage, plain in zip(result.stages, stages, strict=True)
        }
        print_table(COLUMNS, rows)


def _plain(stage: "Stage") -> dict[str, Any]:
    """The figures of a stage as JSON knows them, rounded."""
    values = stage.as_dict()
    return values | {name: _figure(name, values[name]) for name in FIGURES}


def _figure(name: str, value: float | None) -> float | None:
    """Rounded for a report; None where JSON knows no such number."""
    return None if value is None or not math.isfinite(value) else round(value, FIGURES[name])


def _title(stage: "Stage") -> str:
    return f"{stage.name}, taken back" if stage.taken_back else stage.name


def _cells(values: Mapping[str, Any]) -> dict[str, str | None]:
    cells: dict[str, str | None] = {"count": f"{values['count']:,}"}
    for name, digits in FIGURES.items():
        cells[name] = None if values[name] is None else f"{values[name]:,.{digits}f}"
    return cells
