"""Pictures of depth's own: figure over ground by a threshold, and edges between layers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from core.cameras import Camera
from core.gmae.edges import layer_edges
from core.gmae.exports import export_camera
from core.gmae.figure_ground import Parting, Polarity, covered_depth, part_figure
from core.gmae.layers import GROUPS, depth_picture
from core.gmae.true_edges import load_edges
from core.rendering.heatmap import depth_range, level_picture
from core.scene import GaussianScene
from viewer.viewport.marks import draw_level_line, mark_size
from viewer.viewport.photos import seen_from
from viewer.viewport.tints import LUMA

OUTLINE_COLOR, TRUTH_COLOR = (0.25, 0.95, 0.85), (1.0, 0.55, 0.1)
GROUND_GREY, GROUND_SHARE = 0.30, 0.70
"""The ground loses its hue and goes this far towards a grey."""
OUTSIDE_GREY, OUTSIDE_SHARE = 0.12, 0.92
"""So does what lies around an image."""
SHARP_EDGE_PX, COARSE_EDGE_PX = 512, 256
"""Edges are computed at most so large along the longer side, sharp and while the camera moves."""
EDGE_FULL = 0.5
"""Strength that is drawn at full brightness."""
EDGE_COLORMAP = "gray"
MEASURED_PX = 320
"""The longer side of a view's own picture, that figure and ground are parted by."""


def measured_camera(camera: Camera) -> Camera:
    """The same view at the size that answers are measured at."""
    return export_camera(camera, MEASURED_PX)


def part_view(
    scene: GaussianScene, keep: Tensor, camera: Camera, threshold: float | None, polarity: Polarity
) -> tuple[Parting, tuple[float, float] | None]:
    """How a view parts figure and ground of the Gaussians where bool ``keep`` ``(N,)`` is true.

    By its own picture, whatever else the window shows around it. With the ends of its depths.
    """
    drawn = scene if bool(keep.all()) else scene.select(keep)
    depth, alpha = (part.cpu() for part in depth_picture(drawn, measured_camera(camera)))
    parting = part_figure(covered_depth(depth, alpha), threshold, polarity)
    return parting, depth_range(depth, alpha)


def inside_view(view: Camera, camera: Camera) -> Tensor:
    """What of a camera's picture another one at the same place sees too, bool ``(H, W)``."""
    everything = np.ones((view.height, view.width), np.float32)
    return torch.from_numpy(np.isfinite(seen_from(everything, view, camera)))


def edge_lines(path: Path, width: int, height: int) -> Tensor:
    """True edges of a file, bool ``(H, W)``."""
    return load_edges(path, width, height).lines


def truth_seen(
    load: Callable[[Path, int, int], Tensor], path: Path, view: Camera, camera: Camera
) -> Tensor:
    """What is true of a view as another camera at the same place sees it, 0 to 1, ``(H, W)``.

    Raises
    ------
    UserError
        If ``load`` cannot read the file.
    """
    view = measured_camera(view)
    truth = load(path, view.width, view.height).float().numpy()
    return torch.from_numpy(np.nan_to_num(seen_from(truth, view, camera)))


def figure_picture(rgb: Tensor, mask: Tensor, inside: Tensor | None = None) -> Tensor:
    """A picture ``(H, W, 3)`` with its ground grey and dim, and a line around the figure.

    Outside of ``inside``, bool ``(H, W)``, is neither: it is faded.
    """
    if inside is not None:
        mask = mask & inside
    grey = (rgb @ torch.tensor(LUMA)).unsqueeze(-1)
    ground = grey + (GROUND_GREY - grey) * GROUND_SHARE
    shown = torch.where(mask.unsqueeze(-1), rgb, ground)
    if inside is not None:
        faded = grey + (OUTSIDE_GREY - grey) * OUTSIDE_SHARE
        shown = torch.where(inside.unsqueeze(-1), shown, faded)
    return outlined(shown, mask.float(), OUTLINE_COLOR)


def outlined(rgb: Tensor, share: Tensor, color: tuple[float, float, float]) -> Tensor:
    """A picture with a line where a share ``(H, W)`` passes a half."""
    height, width = share.shape
    line = np.zeros((height, width, 4), np.float32)
    draw_level_line(line, share.numpy(), 0.5, color, mark_size(height))
    over = torch.from_numpy(line)
    return rgb * (1 - over[..., 3:]) + over[..., :3]


def edge_counts(layers: int | None) -> tuple[int, ...]:
    """The numbers of layers that edges are from; None is the mean of the paper's."""
    return GROUPS if layers is None else (layers,)


def edge_camera(camera: Camera, sharp: bool = True) -> Camera:
    """The camera that edges are computed at."""
    most = SHARP_EDGE_PX if sharp else COARSE_EDGE_PX
    return camera.scaled(min(1.0, most / max(camera.width, camera.height)))


def edge_strength(
    scene: GaussianScene, keep: Tensor, camera: Camera, layers: int | None, change: float
) -> Tensor:
    """Edges of layers of the Gaussians where bool ``keep`` ``(N,)`` is true, ``(H, W)`` on CPU."""
    drawn = scene if bool(keep.all()) else scene.select(keep)
    return layer_edges(drawn, camera, edge_counts(layers), change).cpu()


def edge_picture(strength: Tensor, camera: Camera, limit: float = EDGE_FULL) -> Tensor:
    """Light lines on black at the size of a camera, ``(H, W, 3)``."""
    size = (camera.height, camera.width)
    large = interpolate(strength[None, None], size, mode="bilinear", align_corners=False)
    return level_picture(large[0, 0], 0, limit, EDGE_COLORMAP)
