"""What is known of every Gaussian without rendering: numbers for plots and filters."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.framing import scene_frame
from core.scene import GaussianScene

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
        From a scene to a tensor ``(N,)``.
    """

    title: str
    unit: str
    about: str
    compute: Callable[[GaussianScene], Tensor]


def _distance(scene: GaussianScene) -> Tensor:
    center = scene.means.new_tensor(scene_frame(scene).center)
    distances: Tensor = torch.linalg.vector_norm(scene.means - center, dim=1)
    return distances


PROPERTIES: dict[str, Property] = {
    "opacity": Property("Opacity", "", "Opacity at the centre, 0 to 1.", GaussianScene.opacities),
    "largest": Property(
        "Largest axis",
        "world units",
        "Standard deviation along the longest axis.",
        lambda scene: scene.log_scales.amax(dim=1).exp(),
    ),
    "distance": Property(
        "Distance from centre", "world units", "From the middle of the scene.", _distance
    ),
}


def property_values(scene: GaussianScene, name: str) -> Values:
    """A property or a column of the file, float64 ``(N,)``.

    Raises
    ------
    KeyError
        If the scene has no such property or column.
    """
    known = PROPERTIES.get(name)
    tensor = scene.columns[name] if known is None else known.compute(scene)
    values: Values = tensor.detach().cpu().numpy().astype(np.float64)
    return values
