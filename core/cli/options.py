"""What several commands share: their options, and finding views, cameras and scores by them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cameras import Camera, View
from core.errors import UserError
from core.terminal import run_steps

if TYPE_CHECKING:
    from core.metrics import Lpips
    from core.scene import GaussianScene
    from core.scoring import Worth
    from core.training import Background as FitColor

DEFAULT_SCORE = "removal-error"
SCORE_NAMES = (
    "removal-error, fisher, fisher-paper, speedy, max-weight, importance, mini-splatting, opacity, "
    "size, random"
)
PRESET_NAMES = "giant, transparent, isolated, low-worth"

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
Background = Annotated[
    str,
    typer.Option(
        "--background",
        metavar="black|white|R,G,B",
        help="Colour behind everything; numbers go from 0 to 1.",
    ),
]
FitBackground = Annotated[
    str | None,
    typer.Option(
        "--background",
        metavar="black|white|R,G,B|random",
        help="Colour behind everything, or another one in every step; without it random for "
        "transparent photos, else black. Random is measured on black.",
    ),
]
LpipsFile = Annotated[
    Path | None,
    typer.Option(
        "--lpips",
        metavar="FILE",
        help="Weights of LPIPS; else those that SPLATSCOPE_LPIPS names or lpips-weights made.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="File to write.")]


def parse_background(text: str) -> tuple[float, float, float]:
    """The colour that an option names.

    Raises
    ------
    UserError
        If it is none.
    """
    numbers = {"black": "0,0,0", "white": "1,1,1"}.get(text.lower(), text).split(",")
    try:
        red, green, blue = map(float, numbers)
    except ValueError:
        red = green = blue = math.nan
    if not all(0 <= value <= 1 for value in (red, green, blue)):
        raise UserError(
            f"{text!r} is no colour.",
            "Write black, white, or three numbers from 0 to 1 as 1,1,0.5.",
        )
    return red, green, blue


def parse_fit_background(text: str | None) -> "FitColor | None":
    """The background that an option of fitting names: a colour or ``"random"``; None if none.

    Raises
    ------
    UserError
        If it is neither.
    """
    from core.training import RANDOM

    if text is None:
        return None
    return RANDOM if text.lower() == RANDOM else parse_background(text)


def find_lpips(path: Path | None) -> "tuple[Lpips | None, list[str]]":
    """The metric, or none and a sentence on why.

    Raises
    ------
    UserError
        If a file of weights is none.
    """
    from core.metrics.lpips_weights import find_weights, load_lpips, missing_text

    found = find_weights(path)
    return (None, [missing_text()]) if found is None else (load_lpips(found), [])


def read_views(data: Path | None) -> tuple[View, ...]:
    """The views of a dataset; or, of another scene, those generated around it. None without data.

    Raises
    ------
    UserError
        If nothing can be read there.
    """
    from core.datasets import load_dataset
    from core.formats import FORMATS, load_scene
    from core.rigs import rig_steps

    if data is None:
        return ()
    if any(known.fits(data.name) for known in FORMATS):
        return tuple(View(camera) for camera in run_steps(rig_steps(load_scene(data).scene)))
    return load_dataset(data).views


def find_cameras(
    scene: "GaussianScene",
    dataset: Sequence[View],
    count: int | None,
    split: str | None = "train",
) -> tuple[Camera, ...]:
    """Where to look at a scene from: views of the dataset, else ``count`` generated ones.

    ``split`` "train" takes the training views; None takes all of them.
    """
    from core.scoring.cameras import scoring_cameras

    if dataset and count is None and split is None:
        return tuple(view.camera for view in dataset)
    return run_steps(scoring_cameras(scene, dataset, count))


def compute_scores(
    scene: "GaussianScene", cameras: Sequence[Camera], names: Sequence[str]
) -> "dict[str, Worth]":
    """Scores of every Gaussian by name, with a progress bar."""
    from core.scoring import score as compute

    return run_steps(compute(scene, cameras, names))
