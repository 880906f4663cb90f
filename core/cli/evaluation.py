"""How good a scene is: evaluate, and the weights that LPIPS needs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import (
    Background,
    DataDir,
    Json,
    LpipsFile,
    SceneFile,
    ViewCount,
    find_lpips,
    parse_background,
    read_views,
)
from core.errors import UserError
from core.terminal import print_table, report, run_steps

if TYPE_CHECKING:
    from core.cameras import View
    from core.formats import Loaded
    from core.metrics import Comparison, Evaluation, References
    from core.scene import GaussianScene

FIGURES = ("psnr", "ssim", "lpips")
DIGITS = {"psnr": 3, "ssim": 5, "lpips": 5, "mb": 3, "frame_ms": 3}
PRINTED = {"psnr": 2, "ssim": 4, "lpips": 4, "mb": 2, "frame_ms": 1}
ROWS = ("psnr", "ssim", "lpips", "count", "mb", "frame_ms")


def evaluate(
    scene: SceneFile,
    data: DataDir = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="OTHER",
            help="Another scene to compare with: on the photos; without photos, by its pictures.",
        ),
    ] = None,
    views: ViewCount = None,
    weights: LpipsFile = None,
    background: Background = "black",
    table: Annotated[
        Path | None, typer.Option("--csv", help="Also write the figures of every view here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a scene: likeness to held-out photos or to another scene, size and frame time."""
    from core.formats import load_scene
    from core.metrics import Comparison
    from core.metrics import compare as compare_steps
    from core.metrics import evaluate as evaluate_steps
    from core.metrics.export import check_csv_suffix, save_csv
    from core.rendering.device import preferred_device

    color = parse_background(background)
    if table is not None:
        check_csv_suffix(table)
    lpips, notes = find_lpips(weights)
    found = read_views(data)
    device = preferred_device()
    loaded = load_scene(scene)
    measured = loaded.scene.to(device)
    loaded_other = None if against is None else load_scene(against)
    other = None if loaded_other is None else loaded_other.scene.to(device)
    references, source = _references(found, other, views, color, notes)
    result: Evaluation | Comparison
    if other is None:
        result = run_steps(evaluate_steps(measured, references, lpips=lpips))
    else:
        result = run_steps(compare_steps(other, measured, references, lpips=lpips))
    if table is not None:
        save_csv(result, table)
    after = result.after if isinstance(result, Comparison) else result
    values: dict[str, Any] = {
        "scene": str(scene),
        "reference": source,
        "views": len(after.views),
        **_figures(after, loaded),
        "frame_size": _frame_size(references),
        "background": background,
        "device": device.type,
    }
    before = None
    if isinstance(result, Comparison) and loaded_other is not None:
        values |= _changes(result)
        before = _figures(result.before, loaded_other)
    if as_json:
        values["per_view"] = _per_view(after)
        if isinstance(result, Comparison) and before is not None:
            values["against"] = {
                "scene": str(against),
                **before,
                "per_view": _per_view(result.before),
            }
        report({**values, "notes": notes}, as_json=True)
    else:
        _print(values, before, after, notes)


def lpips_weights(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="torchvision's vgg16 (or alexnet) and the lpips package's vgg.pth (or alex.pth).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write, .safetensors; else where it is found."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put the weights that LPIPS needs into one file; they do not come with Splatscope."""
    from core.metrics.lpips_weights import join_weights

    if output is not None and output.suffix != ".safetensors":
        raise UserError(f"{output.name} does not end in .safetensors.", "Name it so.")
    written, net = join_weights(sources, output)
    report({"output": str(written), "net": net.name, "bytes": written.stat().st_size}, as_json)


def _references(
    views: "Sequence[View]",
    other: "GaussianScene | None",
    count: int | None,
    background: tuple[float, float, float],
    notes: list[str],
) -> "tuple[References, str]":
    """What to measure against, and what that is in a word; adds to the notes."""
    from core.metrics import PhotoReferences
    from core.metrics.references import find_references

    if other is None and (count is not None or not any(view.photo for view in views)):
        raise UserError(
            "There are no photos to measure against.",
            "Give posed photos by --data, or another scene by --against.",
        )
    references = run_steps(find_references(views, other, count, background))
    if not isinstance(references, PhotoReferences):
        return references, "the other scene"
    if references.held_out:
        return references, "held-out photos"
    notes.append("No photo is held out, so that the scene may have been fitted to all of them.")
    return references, "all photos"


def _figures(evaluation: "Evaluation", loaded: "Loaded") -> dict[str, Any]:
    """All in all, and the size of the file itself."""
    return {
        **{name: _number(name, getattr(evaluation, name)) for name in FIGURES},
        "lpips_net": evaluation.lpips_net,
        "count": evaluation.count,
        "mb": _number("mb", loaded.file_bytes / 1e6),
        "frame_ms": _number("frame_ms", evaluation.frame_ms),
    }


def _changes(comparison: "Comparison") -> dict[str, float | None]:
    changes = {name: getattr(comparison, f"{name}_change") for name in FIGURES}
    ratio = comparison.frame_rate_ratio
    return {
        **{f"{name}_change": _number(name, change) for name, change in changes.items()},
        "frame_rate_ratio": None if ratio is None else round(ratio, 3),
    }


def _per_view(evaluation: "Evaluation") -> list[dict[str, Any]]:
    return [
        {"view": view.name, **{name: _number(name, getattr(view, name)) for name in FIGURES}}
        for view in evaluation.views
    ]


def _number(name: str, value: float | None) -> float | None:
    """Rounded for a report; None where JSON knows no such number, as for equal pictures' PSNR."""
    return None if value is None or not math.isfinite(value) else round(value, DIGITS[name])


def _frame_size(references: "References") -> str | None:
    """Size of the pictures, None where they differ."""
    sizes = {(camera.width, camera.height) for camera in references.cameras}
    return "{}x{}".format(*sizes.pop()) if len(sizes) == 1 else None


def _print(
    values: dict[str, Any], before: dict[str, Any] | None, after: "Evaluation", notes: list[str]
) -> None:
    """The figures for a person: all in all, with those of the other scene, and view by view."""
    report({key: value for key, value in values.items() if key not in ROWS}, as_json=False)
    sides = {"scene": values}
    if before is not None:
        sides = {"other": before, **sides}
    print_table(
        tuple(sides),
        {name: {side: _cell(name, sides[side][name]) for side in sides} for name in ROWS},
    )
    rows: dict[str, dict[str, str | None]] = {}
    for number, view in enumerate(after.views):
        name = view.name if view.name not in rows else f"{view.name} ({number})"
        rows[name] = {figure: _cell(figure, getattr(view, figure)) for figure in FIGURES}
    print_table(FIGURES, rows)
    for note in notes:
        typer.echo(f"\n{note}")


def _cell(name: str, value: float | None) -> str | None:
    return None if value is None else f"{value:,.{PRINTED.get(name, 0)}f}"
