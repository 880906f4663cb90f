"""The command line: the same functions as the window, with a progress bar.

Exit codes: 0 done, 2 wrong usage or input, 1 a bug.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from core import __version__
from core.cameras import Camera, View
from core.errors import UserError
from core.jobs import Progress, Steps, drain

if TYPE_CHECKING:
    from core.scene import GaussianScene
    from core.scoring import Worth

R = TypeVar("R")
DEFAULT_SCORE = "removal-error"
SCORE_NAMES = (
    "removal-error, fisher, fisher-paper, speedy, max-weight, importance, mini-splatting, opacity, "
    "size, random"
)

app = typer.Typer(
    name="splatscope",
    epilog="splatscope [SCENE] [--data DIR] opens the window.",
    help="See what every Gaussian of a splat scene is worth, and keep only those that matter.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
stderr = Console(stderr=True)

SceneFile = Annotated[Path, typer.Argument(help="A scene of Gaussians, such as a .ply file.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Posed photos: a folder or file of COLMAP, transforms.json or cameras.json; "
        "or another scene, whose generated views are then used.",
    ),
]
ViewCount = Annotated[
    int | None,
    typer.Option(
        "--views", min=1, help="Use this many views generated around the scene; 48 without --data."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="File to write.")]


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """See what every Gaussian of a splat scene is worth, and keep only those that matter."""
    if version:
        typer.echo(f"splatscope {__version__}")
        raise typer.Exit


@app.command()
def info(scene: SceneFile, as_json: Json = False) -> None:
    """Show what a scene file holds."""
    from core.formats import load_scene

    loaded = load_scene(scene)
    means = loaded.scene.means
    _report(
        {
            "file": str(scene),
            "format": loaded.format,
            "count": len(loaded.scene),
            "sh_degree": loaded.scene.sh_degree,
            "bytes": loaded.file_bytes,
            "antialiased": loaded.scene.antialiased,
            "bounds": [means.amin(0).tolist(), means.amax(0).tolist()],
            "columns": sorted(loaded.scene.columns),
            "repairs": list(loaded.repairs),
        },
        as_json,
    )


@app.command()
def render(
    scene: SceneFile,
    output: Output,
    view: Annotated[
        int | None, typer.Option("--view", min=0, help="Number of the view, from 0.")
    ] = None,
    heatmap: Annotated[
        str | None, typer.Option("--heatmap", metavar="SCORE", help="Colour by this score.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Size in pixels, as 1280x720.")
    ] = None,
    data: DataDir = None,
    views: ViewCount = None,
    as_json: Json = False,
) -> None:
    """Draw a scene from one of its views into an image."""
    from core.formats import load_scene
    from core.images import check_image_suffix, save_image
    from core.rendering import render as draw
    from core.rendering.device import preferred_device
    from core.rendering.heatmap import score_colors
    from core.rigs import default_view
    from core.scoring import find_score

    check_image_suffix(output)
    if heatmap is not None:
        find_score(heatmap)
    wanted = None if size is None else _parse_size(size)
    loaded = load_scene(scene)
    dataset = _views(data)
    if view is None and views is None and not dataset:
        camera = default_view(loaded.scene, wanted or (1280, 720))
    else:
        cameras = _cameras(loaded.scene, dataset, views, split=None)
        number = view or 0
        if number >= len(cameras):
            raise UserError(
                f"There is no view {number}.", f"Give --view a number from 0 to {len(cameras) - 1}."
            )
        camera = cameras[number]
    if wanted is not None:
        camera = _fit(camera, wanted)
    colors = None
    if heatmap is not None:
        sweep_cameras = _cameras(loaded.scene, dataset, views)
        colors = score_colors(_scores(loaded.scene, sweep_cameras, [heatmap])[heatmap])
    started = time.perf_counter()
    device = preferred_device()
    if colors is not None:
        colors = colors.to(device)
    picture = draw(loaded.scene.to(device), camera, colors=colors)
    seconds = time.perf_counter() - started
    save_image(picture.rgb, output)
    _report(
        {
            "output": str(output),
            "width": camera.width,
            "height": camera.height,
            "view": camera.name,
            "heatmap": heatmap,
            "seconds": round(seconds, 4),
        },
        as_json,
    )


@app.command()
def score(
    scene: SceneFile,
    output: Output,
    names: Annotated[
        list[str] | None,
        typer.Option("--score", help=f"Which score, may be given repeatedly: {SCORE_NAMES}."),
    ] = None,
    data: DataDir = None,
    views: ViewCount = None,
    as_json: Json = False,
) -> None:
    """Compute scores of every Gaussian and write them as NumPy arrays (.npz)."""
    from core.formats import load_scene
    from core.scoring import SCORES, find_score
    from core.scoring.export import save_scores

    if output.suffix != ".npz":
        raise UserError(f"{output.name} does not end in .npz.", "Scores are written as .npz.")
    chosen = names or [name for name, entry in SCORES.items() if not entry.color_term]
    for name in chosen:
        find_score(name)
    loaded = load_scene(scene)
    started = time.perf_counter()
    cameras = _cameras(loaded.scene, _views(data), views)
    worths = _scores(loaded.scene, cameras, chosen)
    save_scores(worths, output)
    _report(
        {
            "output": str(output),
            "count": len(loaded.scene),
            "scores": chosen,
            "views": len(cameras),
            "unseen": int((next(iter(worths.values())).classes == 0).sum()),
            "seconds": round(time.perf_counter() - started, 2),
        },
        as_json,
    )


@app.command()
def prune(
    scene: SceneFile,
    output: Output,
    keep: Annotated[
        float | None, typer.Option("--keep", help="Share of the Gaussians to keep, 0 to 1.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", help="Number of Gaussians to keep.")
    ] = None,
    megabytes: Annotated[
        float | None, typer.Option("--mb", help="Largest size of a plain PLY, in 10^6 bytes.")
    ] = None,
    name: Annotated[
        str, typer.Option("--score", help=f"Which score decides: {SCORE_NAMES}.")
    ] = DEFAULT_SCORE,
    data: DataDir = None,
    views: ViewCount = None,
    as_json: Json = False,
) -> None:
    """Keep the worthiest Gaussians: exactly as many as asked for."""
    from core.formats import load_scene, save_scene
    from core.pruning import keep_count
    from core.pruning import prune as cut
    from core.scoring import find_score

    targets = sum(target is not None for target in (keep, count, megabytes))
    if targets != 1:
        problem = "A target is needed." if targets == 0 else f"{targets} targets are given."
        raise UserError(problem, "Give exactly one of --keep, --count and --mb.")
    needs_views = bool(find_score(name).needs)
    started = time.perf_counter()
    loaded = load_scene(scene)
    kept = keep_count(loaded.scene, fraction=keep, count=count, megabytes=megabytes)
    cameras = _cameras(loaded.scene, _views(data), views) if needs_views else ()
    worth = _scores(loaded.scene, cameras, [name])[name]
    pruned = cut(loaded.scene, worth, kept)
    save_scene(pruned, output)
    _report(
        {
            "output": str(output),
            "count_before": len(loaded.scene),
            "count_after": len(pruned),
            "bytes_before": loaded.file_bytes,
            "bytes_after": output.stat().st_size,
            "score": name,
            "views": len(cameras),
            "repairs": list(loaded.repairs),
            "seconds": round(time.perf_counter() - started, 2),
        },
        as_json,
    )


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Scene to read.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Scene to write.")],
    as_json: Json = False,
) -> None:
    """Write a scene anew, repaired and in the usual layout; the suffix of OUT names the format."""
    from core.formats import load_scene, save_scene

    loaded = load_scene(source)
    save_scene(loaded.scene, output)
    _report(
        {
            "output": str(output),
            "count": len(loaded.scene),
            "bytes_before": loaded.file_bytes,
            "bytes_after": output.stat().st_size,
            "repairs": list(loaded.repairs),
        },
        as_json,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except UserError as error:
        return _fail(str(error))
    except typer.TyperException as error:
        return _fail(" ".join(error.format_message().split()) + " See --help.")
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _fail("Cancelled.")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"splatscope: {message}\n")
    return 2


def _report(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values))
        return
    width = max(map(len, values))
    for key, value in values.items():
        if value not in (None, []):
            text = f"{value:,}" if isinstance(value, int) else str(value)
            typer.echo(f"{key.replace('_', ' '):<{width}}  {text}")


def _run(steps: Steps[R]) -> R:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                description=progress.message,
            )

        return drain(steps, show)


def _views(data: Path | None) -> tuple[View, ...]:
    from core.datasets import load_dataset
    from core.formats import FORMATS, load_scene
    from core.rigs import rig_steps

    if data is None:
        return ()
    if any(data.name.lower().endswith(suffix) for known in FORMATS for suffix in known.suffixes):
        return tuple(View(camera) for camera in _run(rig_steps(load_scene(data).scene)))
    return load_dataset(data).views


def _parse_size(text: str) -> tuple[int, int]:
    width, separator, height = text.lower().partition("x")
    if separator and width.isdecimal() and height.isdecimal():
        size = int(width), int(height)
        if all(1 <= side <= 16384 for side in size):
            return size
    raise UserError(f"{text!r} is not a size.", "Write it as WIDTHxHEIGHT, such as 1280x720.")


def _cameras(
    scene: "GaussianScene",
    dataset: Sequence[View],
    count: int | None,
    split: str | None = "train",
) -> tuple[Camera, ...]:
    from core.scoring.cameras import scoring_cameras

    if dataset and count is None and split is None:
        return tuple(view.camera for view in dataset)
    return _run(scoring_cameras(scene, dataset, count))


def _scores(
    scene: "GaussianScene", cameras: Sequence[Camera], names: Sequence[str]
) -> "dict[str, Worth]":
    from core.scoring import score as compute

    return _run(compute(scene, cameras, names))


def _fit(camera: Camera, size: tuple[int, int]) -> Camera:
    """The same view in a picture of another size: the vertical field of view stays."""
    width, height = size
    scale = height / camera.height
    K = camera.K.copy()
    K[:2] *= scale
    K[0, 2] += (width - camera.width * scale) / 2
    return replace(camera, K=K, width=width, height=height)
