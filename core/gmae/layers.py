"""Gaussians in groups by depth: those of an image, or any scene's as a camera sees them."""

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn.functional import normalize

from core.cameras import Camera
from core.gmae.cameras import rotations
from core.rendering import Render, render
from core.scene import GaussianScene

PRESETS = (32, 64, 128, 256, 512, 1024)
"""How many of the nearest Gaussians the paper's figures draw, before all."""
GROUPS = (4, 8, 16, 32)
"""How many layers the paper's edges are drawn from."""


class Grouping(StrEnum):
    """How depth is cut into groups."""

    COUNTS = "counts"
    """As many Gaussians in each, as the paper has it."""
    BINS = "bins"
    """As much depth in each."""


class Show(StrEnum):
    """Which groups are drawn at a step."""

    NEAREST = "nearest"
    """All up to it from the near end, as the paper's figures."""
    FARTHEST = "farthest"
    """All up to it from the far end."""
    SINGLE = "single"
    """It alone."""


def camera_depths(scene: GaussianScene, camera: Camera) -> Tensor:
    """Distance of every centre along the viewing axis, world units, ``(N,)``."""
    row = torch.tensor(camera.world_to_camera[2], dtype=torch.float32, device=scene.device)
    depths: Tensor = scene.means @ row[:3] + row[3]
    return depths


def screen_sizes(scene: GaussianScene, camera: Camera) -> Tensor:
    """Geometric mean of the two standard deviations in the picture, pixels, ``(N,)``.

    Without blur and without the clamp of slopes outside the picture; NaN behind the camera.
    """
    view = torch.tensor(camera.world_to_camera, dtype=torch.float32, device=scene.device)
    x, y, z = (scene.means @ view[:3, :3].T + view[:3, 3]).unbind(-1)
    z = torch.where(z > 0, z, torch.nan)
    focal_x, focal_y = float(camera.K[0, 0]), float(camera.K[1, 1])
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [
            torch.stack([focal_x / z, zero, -focal_x * x / z**2], -1),
            torch.stack([zero, focal_y / z, -focal_y * y / z**2], -1),
        ],
        -2,
    )
    turns = rotations(normalize(scene.quats, dim=-1))
    halves = jacobian @ view[:3, :3] @ (turns * scene.log_scales.exp().unsqueeze(-2))
    # det(F F^T) is the sum of the squared minors of F: exact also for flat Gaussians
    minors = torch.linalg.cross(halves[:, 0], halves[:, 1])
    sizes: Tensor = minors.norm(dim=-1) ** 0.5
    return sizes


def depth_ranks(depths: Tensor) -> Tensor:
    """Place of every Gaussian in the order from near to far, int64 ``(N,)``; ties by number."""
    order = depths.argsort(dim=0, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device)
    return ranks


def depth_groups(depths: Tensor, count: int, grouping: Grouping = Grouping.COUNTS) -> Tensor:
    """The group of every Gaussian, 0 the nearest, int64 ``(N,)`` in 0..count-1.

    By counts the first ``floor(j N / count)`` Gaussians are those of the first j groups.
    """
    if count < 1:
        raise ValueError("there is at least one group")
    n = len(depths)
    if n == 0:
        return torch.zeros(0, dtype=torch.int64, device=depths.device)
    if grouping is Grouping.COUNTS:
        ends = torch.arange(1, count + 1, device=depths.device) * n // count
        return torch.searchsorted(ends, depth_ranks(depths), right=True)
    finite = depths[depths.isfinite()].double()
    if len(finite) == 0 or finite.min() == finite.max():
        return torch.zeros(n, dtype=torch.int64, device=depths.device)
    low, high = finite.min(), finite.max()
    shares = (depths.double() - low) / (high - low) * count
    return shares.nan_to_num(0, count, 0).long().clamp(0, count - 1)


def shown(groups: Tensor, step: int, count: int, show: Show = Show.NEAREST) -> Tensor:
    """Which Gaussians a step draws, bool ``(N,)``; steps are 0..count-1.

    Cumulative from the near end, step 0 is the nearest group; from the far end, the farthest.
    """
    match show:
        case Show.NEAREST:
            return groups <= step
        case Show.FARTHEST:
            return groups >= count - 1 - step
        case Show.SINGLE:
            return groups == step


def nearest(depths: Tensor, count: int) -> Tensor:
    """The ``count`` nearest Gaussians, bool ``(N,)``."""
    return depth_ranks(depths) < count


def slab(depths: Tensor, low: float, high: float) -> Tensor:
    """The Gaussians between two depths, bool ``(N,)``; both ends belong to it."""
    return (depths >= low) & (depths <= high)


@dataclass(frozen=True, slots=True, eq=False)
class DepthLayers:
    """The visible Gaussians of a scene in groups by depth.

    Attributes
    ----------
    camera
        From where depth is measured.
    count
        How many groups there are.
    depths
        Of all Gaussians, world units, ``(N,)``.
    ranks, groups
        Place from near to far, and group, int64 ``(N,)``; N and ``count`` for the invisible.
    sizes
        Gaussians in each group.
    spans
        Least and largest depth in each group; None where it is empty.
    """

    camera: Camera
    count: int
    depths: Tensor
    ranks: Tensor
    groups: Tensor
    sizes: tuple[int, ...]
    spans: tuple[tuple[float, float] | None, ...]

    @property
    def total(self) -> int:
        """How many Gaussians are in groups."""
        return sum(self.sizes)

    @property
    def span(self) -> tuple[float, float] | None:
        """Least and largest depth of all; None where nothing is visible."""
        spans = [span for span in self.spans if span is not None]
        return (spans[0][0], spans[-1][1]) if spans else None


def depth_layers(
    scene: GaussianScene,
    visible: Tensor,
    camera: Camera,
    count: int,
    grouping: Grouping = Grouping.COUNTS,
) -> DepthLayers:
    """Group the Gaussians where bool ``visible`` ``(N,)`` is true; results are on the CPU."""
    depths = camera_depths(scene, camera).detach().cpu()
    visible = visible.cpu()
    some = depths[visible]
    ranks = torch.full((len(depths),), len(depths), dtype=torch.int64)
    groups = torch.full((len(depths),), count, dtype=torch.int64)
    ranks[visible] = depth_ranks(some)
    own = depth_groups(some, count, grouping)
    groups[visible] = own
    ordered = some[some.argsort(stable=True)].tolist() if len(some) else []
    sizes = torch.bincount(own, minlength=count).tolist()
    spans: list[tuple[float, float] | None] = []
    start = 0
    for size in sizes:
        spans.append((ordered[start], ordered[start + size - 1]) if size else None)
        start += size
    return DepthLayers(camera, count, depths, ranks, groups, tuple(sizes), tuple(spans))


def draw_layer(
    scene: GaussianScene,
    camera: Camera,
    keep: Tensor,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Render:
    """Some of a scene's Gaussians with their alpha; on white as the paper's figures."""
    return render(scene, camera, keep=keep, background=background)


def layer_rgba(scene: GaussianScene, camera: Camera, keep: Tensor) -> Tensor:
    """Some of a scene's Gaussians as colour and alpha, not premultiplied, ``(H, W, 4)``."""
    drawn = render(scene, camera, keep=keep)
    alpha = drawn.alpha.unsqueeze(-1)
    rgb = torch.where(alpha > 0, drawn.rgb / torch.where(alpha > 0, alpha, 1.0), 0.0)
    return torch.cat([rgb, alpha], -1)


def depth_picture(scene: GaussianScene, camera: Camera) -> tuple[Tensor, Tensor]:
    """Expected depth ``sum(w z) / sum(w)`` and coverage ``sum(w)``, both ``(H, W)``."""
    drawn = render(scene, camera, depth=True)
    assert drawn.depth is not None
    return drawn.depth, drawn.alpha
