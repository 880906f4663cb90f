"""What is known of every Gaussian without rendering: numbers for plots and filters."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.framing import scene_frame
from core.neighbors import neighbor_distance
from core.scene import GaussianScene
from core.scoring.scores import SCORES

NEIGHBORS = 8
FILE_PREFIX = "file."
"""What goes before a file column's name where that is taken: by a property, a score, or itself."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Property:
    """One number per Gaussian.

    Attributes
    ----------
    title, unit
        What to call it and what it is measured in; the unit is empty for plain numbers.
    about
        One sentence for a person.
    compute
        From a scene to a tensor ``(N,)``. Never raises: where the scene's numbers are not finite
        neither is the result, and finite numbers give a finite result if it fits a float64.
    log
        Whether a logarithmic axis suits it.
    slow
        Whether it takes a tenth of a second or, on large scenes, seconds; else milliseconds.
    """

    title: str
    unit: str
    about: str
    compute: Callable[[GaussianScene], Tensor]
    log: bool = False
    slow: bool = False


def _log_scales(scene: GaussianScene) -> Tensor:
    return scene.log_scales.double()


def _volume(scene: GaussianScene) -> Tensor:
    return (_log_scales(scene).sum(dim=1) + math.log(4 / 3 * math.pi)).exp()


def _anisotropy(scene: GaussianScene) -> Tensor:
    logs = _log_scales(scene)
    return (logs.amax(dim=1) - logs.amin(dim=1)).exp()


def _distance(scene: GaussianScene) -> Tensor:
    center = torch.tensor(scene_frame(scene).center, device=scene.device)
    distances: Tensor = torch.linalg.vector_norm(scene.means.double() - center, dim=1)
    return distances


def _coordinate(axis: int) -> Callable[[GaussianScene], Tensor]:
    return lambda scene: scene.means[:, axis]


def _channel(channel: int) -> Callable[[GaussianScene], Tensor]:
    return lambda scene: scene.base_colors()[:, channel]


def _hue(scene: GaussianScene) -> Tensor:
    red, green, blue = scene.base_colors().double().unbind(1)
    high, chroma = _high_and_chroma(scene)
    span = torch.where(chroma == 0, 1.0, chroma)
    sixths = torch.where(
        high == red,
        (green - blue) / span % 6,
        torch.where(high == green, (blue - red) / span + 2, (red - green) / span + 4),
    )
    return 60 * sixths


def _saturation(scene: GaussianScene) -> Tensor:
    high, chroma = _high_and_chroma(scene)
    room = 1 - (2 * high - chroma - 1).abs()
    return torch.where(chroma == 0, 0.0, chroma / torch.where(room > 0, room, 1.0)).clamp_max(1)


def _lightness(scene: GaussianScene) -> Tensor:
    high, chroma = _high_and_chroma(scene)
    return high - chroma / 2


def _high_and_chroma(scene: GaussianScene) -> tuple[Tensor, Tensor]:
    colors = scene.base_colors().double()
    high = colors.amax(dim=1)
    return high, high - colors.amin(dim=1)


def _neighbors(scene: GaussianScene) -> Tensor:
    return torch.from_numpy(neighbor_distance(scene.means, NEIGHBORS))


WORLD = "world units"
PROPERTIES: dict[str, Property] = {
    "opacity": Property("Opacity", "", "Opacity at the centre, 0 to 1.", GaussianScene.opacities),
    "largest": Property(
        "Largest axis",
        WORLD,
        "Standard deviation along the longest axis.",
        lambda scene: _log_scales(scene).amax(dim=1).exp(),
        log=True,
    ),
    "smallest": Property(
        "Smallest axis",
        WORLD,
        "Standard deviation along the shortest axis.",
        lambda scene: _log_scales(scene).amin(dim=1).exp(),
        log=True,
    ),
    "volume": Property(
        "Volume",
        "cubic world units",
        "Of the ellipsoid at one standard deviation: 4/3 π times the product of the axes.",
        _volume,
        log=True,
    ),
    "anisotropy": Property(
        "Anisotropy",
        "",
        "Longest axis over shortest: 1 is a ball, more is a disc or a needle.",
        _anisotropy,
        log=True,
    ),
    "distance": Property(
        "Distance from centre",
        WORLD,
        "From the middle of the scene.",
        _distance,
        log=True,
        slow=True,
    ),
    "x": Property("Position x", WORLD, "First coordinate of the centre.", _coordinate(0)),
    "y": Property("Position y", WORLD, "Second coordinate of the centre.", _coordinate(1)),
    "z": Property("Position z", WORLD, "Third coordinate of the centre.", _coordinate(2)),
    "red": Property("Red", "", "Of the colour seen from all sides, 0 to 1.", _channel(0)),
    "green": Property("Green", "", "Of the colour seen from all sides, 0 to 1.", _channel(1)),
    "blue": Property("Blue", "", "Of the colour seen from all sides, 0 to 1.", _channel(2)),
    "hue": Property("Hue", "degrees", "0 red, 120 green, 240 blue; greys are at 0.", _hue),
    "saturation": Property(
        "Saturation", "", "0 grey to 1 as colourful as its lightness allows (HSL).", _saturation
    ),
    "lightness": Property(
        "Lightness",
        "",
        "0 black to 1 white: middle of the strongest and weakest channel (HSL).",
        _lightness,
    ),
    "neighbours": Property(
        "Distance to neighbours",
        WORLD,
        f"Mean distance to the {NEIGHBORS} nearest other centres: high where one stands alone.",
        _neighbors,
        log=True,
        slow=True,
    ),
}
"""By name, in the order of menus.

Anisotropy is the ratio that PhysGaussian (arXiv 2311.12198, its anisotropy regularizer) and
nerfstudio's splatfacto limit. Colours are those of degree 0, clamped to 0..1.
"""


def property_names(scene: GaussianScene) -> list[str]:
    """The names of all properties, then of the file's columns in alphabetical order.

    A column whose name is also that of a property or a score, or begins with ``file.``, is named
    with ``file.`` before it.
    """
    return [*PROPERTIES, *(_name_of_column(column) for column in sorted(scene.columns))]


def property_title(scene: GaussianScene, name: str) -> str:
    """What a person reads for a property, score or column of the file.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    if name in PROPERTIES:
        return PROPERTIES[name].title
    if name in SCORES:
        return SCORES[name].title
    column = _column_of_name(scene, name)
    return column if column == name else f"{column} (file)"


def property_values(scene: GaussianScene, name: str) -> Values:
    """A property or a column of the file, float64 ``(N,)``; may hold NaN and infinities.

    Raises
    ------
    KeyError
        If the scene has no such property or column.
    """
    known = PROPERTIES.get(name)
    tensor = scene.columns[_column_of_name(scene, name)] if known is None else known.compute(scene)
    values: Values = tensor.detach().cpu().numpy().astype(np.float64)
    return values


def _name_of_column(column: str) -> str:
    taken = column in PROPERTIES or column in SCORES or column.startswith(FILE_PREFIX)
    return FILE_PREFIX + column if taken else column


def _column_of_name(scene: GaussianScene, name: str) -> str:
    column = name.removeprefix(FILE_PREFIX)
    if column not in scene.columns or _name_of_column(column) != name:
        raise KeyError(name)
    return column
