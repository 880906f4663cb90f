"""What Gaussians are worth, and pruning by it: score, prune."""

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    DEFAULT_SCORE,
    PRESET_NAMES,
    SCORE_NAMES,
    DataDir,
    Json,
    Output,
    SceneFile,
    ViewCount,
    compute_scores,
    find_cameras,
    read_views,
)
from core.errors import UserError
from core.terminal import report, run_steps

if TYPE_CHECKING:
    from core.editing import Document
    from core.pruning import Filter, Preset
    from core.scene import GaussianScene


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
    cameras = find_cameras(loaded.scene, read_views(data), views)
    worths = compute_scores(loaded.scene, cameras, chosen)
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
            help="Filters take what any of them takes, and the score the rest (or); or the score "
            "takes only what all of them take (and).",
        ),
    ] = "or",
    name: Annotated[
        str, typer.Option("--score", help=f"Which score decides: {SCORE_NAMES}.")
    ] = DEFAULT_SCORE,
    data: DataDir = None,
    views: ViewCount = None,
    as_json: Json = False,
) -> None:
    """Take away by filters, and the least worthy, until exactly as many stay as asked for."""
    from core.editing import Document
    from core.formats import load_scene, save_scene, scene_bytes
    from core.pruning import Cut, Join, choice, cut_mask, keep_count, parse_filter, shortfall_text
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
    cameras = find_cameras(loaded.scene, read_views(data), views) if swept else ()
    document.add_scores(compute_scores(loaded.scene, cameras, sorted(names)))
    takes, filters = _takes(document, name, filters, rules)
    cut = Cut(kept, filters, Join(join))
    removed = cut_mask(cut, document.scores.get(name), document.alive, document.values)
    left = choice(cut.filters, cut.join, document.alive, document.values)
    if kept is not None:
        takes = {f"{name}, of {left.count:,} left to it": left.count - left.kept(kept), **takes}
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
            "bytes_after": scene_bytes(output),
            "takes": takes,
            "note": shortfall_text(cut, left) or None,
            "join": join if len(takes) > 1 else None,
            "score": name if decides else None,
            "views": len(cameras),
            "psnr_against_unpruned": round(psnr, 2) if math.isfinite(psnr) else None,
            "repairs": list(loaded.repairs),
            "seconds": round(time.perf_counter() - started, 2),
        },
        as_json,
    )


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


def _takes(
    document: "Document",
    score: str,
    filters: "tuple[Filter, ...]",
    rules: "dict[str, Preset]",
) -> "tuple[dict[str, int], tuple[Filter, ...]]":
    """What each filter and preset takes by itself, and the filters of both."""
    from core.pruning import Cut, cut_mask, filter_text

    parts = {filter_text(entry): Cut(None, (entry,)) for entry in filters}
    for name, rule in rules.items():
        made = rule.make(document.values, document.alive, score)
        if not made:
            raise UserError(
                f"No Gaussian has a value for the preset {name!r} to go by.",
                f"Leave out --preset {name}.",
            )
        parts[f"{name} ({', '.join(map(filter_text, made))})"] = Cut(None, made)
        filters += made
    taken = {
        part: int(cut_mask(cut, None, document.alive, document.values).sum())
        for part, cut in parts.items()
    }
    return taken, filters
