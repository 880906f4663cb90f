"""The command line: the same functions as the window, with a progress bar.

Exit codes: 0 done, 2 wrong usage or input, 1 a bug.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from core import __version__
from core.cameras import Camera, View
from core.errors import UserError
from core.terminal import fail, print_table, report, run_steps

if TYPE_CHECKING:
    from torch import Tensor

    from core.editing import Document
    from core.pruning import Filter, Join, Preset
    from core.scene import GaussianScene
    from core.scoring import Worth

DEFAULT_SCORE = "removal-error"
SCORE_NAMES = (
    "removal-error, fisher, fisher-paper, speedy, max-weight, importance, mini-splatting, opacity, "
    "size, random"
)
PRESET_NAMES = "giant, transparent, isolated, low-worth"
STATISTICS = ("min", "mean", "median", "p95", "max")

app = typer.Typer(
    name="splatscope",
    epilog="splatscope [SCENE] [--data DIR] opens the window.",
    help="See what every Gaussian of a splat scene is worth, and keep only those that matter.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

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
def info(
    scene: SceneFile,
    stats: Annotated[
        bool,
        typer.Option("--stats", help="Also least, mean, median, p95 and greatest of all values."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a scene file holds."""
    from core.formats import load_scene

    loaded = load_scene(scene)
    means = loaded.scene.means
    table = _statistics(loaded.scene) if stats else {}
    report(
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
            **({"stats": table} if as_json and stats else {}),
        },
        as_json,
    )
    if stats and not as_json:
        print_table(STATISTICS, table)


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
    report(
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
    report(
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
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="NAME<NUMBER",
            help="Take what lies below (<) or above (>) a number of a property, a column of the "
            "file or a score, as opacity<0.05; may be given repeatedly.",
        ),
    ] = None,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help=f"Take by a ready rule, may be given repeatedly: {PRESET_NAMES}.",
        ),
    ] = None,
    join: Annotated[
        str,
        typer.Option(
            "--join",
            metavar="and|or",
            help="Take what any part takes (or), or only what all take (and).",
        ),
    ] = "or",
    name: Annotated[
        str, typer.Option("--score", help=f"Which score decides: {SCORE_NAMES}.")
    ] = DEFAULT_SCORE,
    data: DataDir = None,
    views: ViewCount = None,
    as_json: Json = False,
) -> None:
    """Keep the worthiest Gaussians, exactly as many as asked for, and take away by filters."""
    from core.editing import Document
    from core.formats import load_scene, save_scene
    from core.pruning import Join, keep_count, parse_filter
    from core.scoring import SCORES, find_score, measure_psnr

    filters = tuple(parse_filter(text) for text in where or ())
    rules = _presets(presets or ())
    targets = sum(target is not None for target in (keep, count, megabytes))
    if targets > 1 or not (targets or filters or rules):
        raise UserError(
            f"{targets} targets are given." if targets else "Nothing says what goes.",
            "Give exactly one of --keep, --count and --mb, or filters by --where or --preset.",
        )
    if join not in list(Join):
        raise UserError(f"Parts cannot be joined by {join!r}.", "Give --join and, or --join or.")
    find_score(name)
    started = time.perf_counter()
    loaded = load_scene(scene)
    document = Document(loaded.scene)
    _check_names(loaded.scene, filters)
    kept = None
    if targets:
        kept = keep_count(loaded.scene, fraction=keep, count=count, megabytes=megabytes)
    decides = kept is not None or any(rule.needs_score for rule in rules.values())
    names = {entry.name for entry in filters if entry.name in SCORES}
    if decides:
        names.add(name)
    swept = any(SCORES[one].needs for one in names)
    cameras = _cameras(loaded.scene, _views(data), views) if swept else ()
    document.add_scores(_scores(loaded.scene, cameras, sorted(names)))
    removed, takes = _removed(document, kept, name, filters, rules, Join(join))
    pruned = loaded.scene.select(~removed)
    if len(pruned) == 0:
        raise UserError("Nothing would be left.", "Let the filters take less.")
    save_scene(pruned, output)
    psnr = run_steps(measure_psnr(loaded.scene, cameras, removed)) if cameras else math.inf
    report(
        {
            "output": str(output),
            "count_before": len(loaded.scene),
            "count_after": len(pruned),
            "bytes_before": loaded.file_bytes,
            "bytes_after": output.stat().st_size,
            "takes": takes,
            "join": join if len(takes) > 1 else None,
            "score": name if decides else None,
            "views": len(cameras),
            "psnr_against_unpruned": round(psnr, 2) if math.isfinite(psnr) else None,
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
    report(
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
        return fail(str(error))
    except typer.TyperException as error:
        return fail(" ".join(error.format_message().split()) + " See --help.")
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return fail("Cancelled.")
    return 0


def _statistics(scene: "GaussianScene") -> dict[str, dict[str, float | None]]:
    """Per property and column, of the finite values; None where there are none."""
    from core.properties import property_names, property_values
    from core.statistics import Distribution

    everything = np.ones(len(scene), np.bool_)
    table: dict[str, dict[str, float | None]] = {}
    for name in property_names(scene):
        values = Distribution.of(property_values(scene, name), everything)
        table[name] = dict.fromkeys(STATISTICS)
        if len(values):
            with np.errstate(over="ignore"):
                mean = values.mean
            median, p95 = values.quantile(0.5), values.quantile(0.95)
            row = (values.minimum, mean, median, p95, values.maximum)
            table[name] = {
                key: value if math.isfinite(value) else None
                for key, value in zip(STATISTICS, row, strict=True)
            }
        table[name]["left_out"] = values.left_out
    return table


def _check_names(scene: "GaussianScene", filters: "Sequence[Filter]") -> None:
    from core.properties import property_names
    from core.scoring import SCORES

    known = property_names(scene)
    known += [name for name in SCORES if name not in known]
    for entry in filters:
        if entry.name not in known:
            raise UserError(
                f"There is nothing named {entry.name!r} to filter by.",
                f"Choose from {', '.join(known)}.",
            )


def _presets(names: Sequence[str]) -> "dict[str, Preset]":
    from core.pruning import PRESETS

    for name in names:
        if name not in PRESETS:
            raise UserError(f"There is no preset named {name!r}.", f"Choose from {PRESET_NAMES}.")
    return {name: PRESETS[name] for name in names}


def _removed(
    document: "Document",
    kept: int | None,
    score: str,
    filters: "tuple[Filter, ...]",
    rules: "dict[str, Preset]",
    join: "Join",
) -> "tuple[Tensor, dict[str, int]]":
    """What goes, bool ``(N,)``, and what each part takes by itself."""
    from core.pruning import Cut, cut_mask, filter_text

    def mask(cut: Cut) -> "Tensor":
        return cut_mask(cut, document.scores.get(score), document.alive, document.values)

    parts = {} if kept is None else {f"{score}, all but {kept:,}": Cut(kept)}
    parts.update({filter_text(entry): Cut(None, (entry,)) for entry in filters})
    for name, rule in rules.items():
        made = rule.make(document.values, document.alive, score)
        if not made:
            raise UserError(
                f"No Gaussian has a value for the preset {name!r} to go by.",
                f"Leave out --preset {name}.",
            )
        parts[f"{name} ({', '.join(map(filter_text, made))})"] = Cut(None, made)
        filters += made
    takes = {part: int(mask(cut).sum()) for part, cut in parts.items()}
    return mask(Cut(kept, filters, join)), takes


def _views(data: Path | None) -> tuple[View, ...]:
    from core.datasets import load_dataset
    from core.formats import FORMATS, load_scene
    from core.rigs import rig_steps

    if data is None:
        return ()
    if any(data.name.lower().endswith(suffix) for known in FORMATS for suffix in known.suffixes):
        return tuple(View(camera) for camera in run_steps(rig_steps(load_scene(data).scene)))
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
    return run_steps(scoring_cameras(scene, dataset, count))


def _scores(
    scene: "GaussianScene", cameras: Sequence[Camera], names: Sequence[str]
) -> "dict[str, Worth]":
    from core.scoring import score as compute

    return run_steps(compute(scene, cameras, names))


def _fit(camera: Camera, size: tuple[int, int]) -> Camera:
    """The same view in a picture of another size: the vertical field of view stays."""
    width, height = size
    scale = height / camera.height
    K = camera.K.copy()
    K[:2] *= scale
    K[0, 2] += (width - camera.width * scale) / 2
    return replace(camera, K=K, width=width, height=height)
