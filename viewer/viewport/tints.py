"""The colour of every Gaussian: by a number, and mixed with what marks it."""

import torch
from torch import Tensor

from core.gmae.layers import DepthLayers
from core.properties import property_values
from core.rendering.heatmap import (
    HeatRange,
    colormap_table,
    heat_colors,
    percentile_range,
    value_range,
)
from core.scene import GaussianScene
from core.scoring import ORDINARY, UNSEEN, Worth
from core.scoring.ranking import Ranking
from viewer.look import BACKGROUND, Color, Scale

GHOST_COLOR = (1.0, 0.10, 0.50)
GHOST_SHARE = 0.75
SELECTED_COLOR = (1.0, 0.85, 0.10)
SELECTED_SHARE = 0.5
LIGHT_COLOR = (1.0, 1.0, 1.0)
LIGHT_SHARE = 0.22
"""Selected Gaussians are yellow among colours, and a little lighter where a colour stands for a
number: it can still be read."""
REST_SHARE, HEAT_REST_SHARE = 0.4, 0.75
"""How far all others recede into the background: the selection stands out on any colour map."""
PLAIN_MARKS = (0.85, 0.86, 0.88)
LUMA = (0.299, 0.587, 0.114)


def property_worth(scene: GaussianScene, name: str) -> Worth:
    """A property in the form of a score; what is not finite counts as unseen."""
    values = torch.from_numpy(property_values(scene, name).copy())
    classes = torch.where(values.isfinite(), ORDINARY, UNSEEN).to(torch.uint8)
    return Worth(name, values.nan_to_num(0, 0, 0), classes)


def heat_limits(
    ranking: Ranking,
    scale: Scale,
    low: float | None,
    high: float | None,
    log: bool | None,
) -> HeatRange:
    """What stands at the ends of the colours; ``log`` as for :func:`value_range`."""
    if scale == Scale.PERCENTILE:
        return percentile_range(low, high)
    return value_range(ranking, low, high, log)


def device_heat(
    worth: Worth, alive: Tensor, limits: HeatRange, colormap: str, scene: GaussianScene
) -> Tensor:
    """:func:`heat_colors` on the device of the scene, ``(N, 3)``."""
    return heat_colors(worth, alive, limits, colormap).to(scene.device)


def layer_colors(layers: DepthLayers, colormap: str, scene: GaussianScene) -> Tensor:
    """The colour of every Gaussian's layer on the scene's device, the nearest first, ``(N, 3)``."""
    table = colormap_table(colormap)
    places = (torch.arange(layers.count) + 0.5) / layers.count * (len(table) - 1)
    colors = table[places.round().long()]
    return colors[layers.groups.clamp(max=layers.count - 1)].to(scene.device)


def greys(scene: GaussianScene) -> Tensor:
    """The scene's own colours without their hue, ``(N, 3)``."""
    luma = scene.base_colors() @ torch.tensor(LUMA, device=scene.device)
    return luma[:, None].expand(-1, 3).contiguous()


def plain_marks(scene: GaussianScene) -> Tensor:
    """One light grey for all, ``(N, 3)``."""
    return torch.tensor(PLAIN_MARKS, device=scene.device).expand(len(scene), 3).contiguous()


def tints(
    removed: Tensor | None,
    selected: Tensor | None,
    scene: GaussianScene,
    heat: bool,
    background: Color = BACKGROUND,
) -> Tensor:
    """What is mixed over each Gaussian's colour, ``(N, 4)``: the selection over the ghost.

    What is neither recedes into the background.
    """
    ghost = (*GHOST_COLOR, 1.0 if heat else GHOST_SHARE)
    light = (*LIGHT_COLOR, LIGHT_SHARE) if heat else (*SELECTED_COLOR, SELECTED_SHARE)
    rest = (*background, 0.0 if selected is None else HEAT_REST_SHARE if heat else REST_SHARE)
    table = torch.tensor([rest, ghost, light, _over(light, ghost)])
    state = torch.zeros(len(scene), dtype=torch.uint8)
    if removed is not None:
        state += removed
    if selected is not None:
        state += 2 * selected.to(torch.uint8)
    return table[state.long()].to(scene.device)


def _over(upper: tuple[float, ...], lower: tuple[float, ...]) -> tuple[float, ...]:
    """One colour with a share mixed over another, as one such colour."""
    share = upper[3] + lower[3] * (1 - upper[3])
    mixed = (
        (a * upper[3] + b * lower[3] * (1 - upper[3])) / share
        for a, b in zip(upper[:3], lower[:3], strict=True)
    )
    return (*mixed, share)


def mixed(colors: Tensor, tints: Tensor) -> Tensor:
    """Colours ``(N, 3)`` with tints ``(N, 4)`` mixed over them by their fourth channel."""
    return torch.lerp(colors, tints[:, :3], tints[:, 3:])


def flags(scene: GaussianScene, removed: Tensor | None, selected: Tensor | None) -> Tensor:
    """1 in the first channel for what goes and in the second for what is selected, ``(N, 3)``."""
    flags = torch.zeros(len(scene), 3)
    for channel, mask in enumerate((removed, selected)):
        if mask is not None:
            flags[:, channel] = mask
    return flags.to(scene.device)
