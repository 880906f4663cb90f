"""Scenes as they are: info, render, convert."""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from core.cameras import Camera
from core.cli.options import (
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
from core.terminal import print_table, report

if TYPE_CHECKING:
    from core.scene import GaussianScene

AXES, SPZ = ("same", "rub"), "spz"
STATISTICS = ("min", "mean", "median", "p95", "max")


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
    dataset = read_views(data)
    if view is None and views is None and not dataset:
        camera = default_view(loaded.scene, wanted or (1280, 720))
    else:
        cameras = find_cameras(loaded.scene, dataset, views, split=None)
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
        sweep_cameras = find_cameras(loaded.scene, dataset, views)
        colors = score_colors(compute_scores(loaded.scene, sweep_cameras, [heatmap])[heatmap])
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


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Scene to read.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Scene to write.")],
    to: Annotated[
        str | None, typer.Option(help="Format, such as spz3; else by the suffix of OUT.")
    ] = None,
    axes: Annotated[
        str,
        typer.Option(
            "--axes",
            metavar="same|rub",
            help="Axes in SPZ files, read or written: the scene's own, as most programs have "
            "them, or x right, y up, z back, as Niantic's and Scaniverse mean them.",
        ),
    ] = "same",
    as_json: Json = False,
) -> None:
    """Write a scene anew, repaired and in the usual layout of its format."""
    from core.formats import find_format, load_scene, save_scene, scene_bytes
    from core.formats.axes import turned

    if axes not in AXES:
        raise UserError(f"{axes!r} are no axes.", f"Choose from {', '.join(AXES)}.")
    chosen = find_format(output, to)
    loaded = load_scene(source)
    scene, written = loaded.scene, chosen.name.startswith(SPZ)
    if axes == "rub":
        if loaded.format != SPZ and not written:
            raise UserError("--axes rub is for SPZ files.", "Leave it out.")
        if (loaded.format == SPZ) != written:
            scene = turned(scene)
    save_scene(scene, output, to)
    report(
        {
            "output": str(output),
            "count": len(loaded.scene),
            "bytes_before": loaded.file_bytes,
            "bytes_after": scene_bytes(output),
            "repairs": list(loaded.repairs),
            "loses": chosen.loses,
        },
        as_json,
    )


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


def _parse_size(text: str) -> tuple[int, int]:
    width, separator, height = text.lower().partition("x")
    if separator and width.isdecimal() and height.isdecimal():
        size = int(width), int(height)
        if all(1 <= side <= 16384 for side in size):
            return size
    raise UserError(f"{text!r} is not a size.", "Write it as WIDTHxHEIGHT, such as 1280x720.")


def _fit(camera: Camera, size: tuple[int, int]) -> Camera:
    """The same view in a picture of another size: the vertical field of view stays."""
    width, height = size
    scale = height / camera.height
    K = camera.K.copy()
    K[:2] *= scale
    K[0, 2] += (width - camera.width * scale) / 2
    return replace(camera, K=K, width=width, height=height)
