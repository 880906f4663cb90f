"""Figure and ground by a threshold on depth, and the trivial answers it must beat.

The paper shows figure and ground in pictures alone: it states no threshold and no measure. Here
the figure is what lies farther than Otsu's threshold of the expected depth (as the paper reads it:
the ground is drawn first). It counts as found only where it beats :func:`center_ellipse` and depths
that were shuffled among the Gaussians.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from core.cameras import Camera
from core.gmae.baselines import border_distance, expected_smallness, local_deviation
from core.gmae.layers import camera_depths, depth_picture
from core.scene import GaussianScene

ELLIPSE_RADIUS = 0.7
"""Of the centre ellipse, half pictures: the best of 0.5 to 0.9 on SOD."""
_BINS = 256


class Polarity(StrEnum):
    """Which side of the threshold is the figure."""

    FAR = "far"
    """The paper's reading."""
    NEAR = "near"
    BORDER = "border"
    """The side that holds less of the picture's border."""


def otsu(values: Tensor) -> float:
    """Otsu's threshold: the cut into two classes with the largest variance between them."""
    finite = values[values.isfinite()].double().flatten()
    if len(finite) == 0:
        return 0.0
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return low
    counts = torch.histc(finite, _BINS, low, high)
    edges = torch.linspace(low, high, _BINS + 1, dtype=torch.float64, device=finite.device)
    middles = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum(0)
    above = below[-1] - below
    sums = (counts * middles).cumsum(0)
    valid = (below > 0) & (above > 0)
    distance = sums / below.clamp_min(1) - (sums[-1] - sums) / above.clamp_min(1)
    between = torch.where(valid, below * above * distance**2, -1.0)
    best = (between >= between.max() * (1 - 1e-9)).nonzero().double().mean()
    return float(edges[1 + int(best)])


def figure_depth(scene: GaussianScene, camera: Camera) -> Tensor:
    """Expected depth ``(H, W)``; infinite where nothing is drawn, which :func:`otsu` leaves out.

    What is never covered is figure to the paper: what is still white when the ground is drawn.
    """
    return covered_depth(*depth_picture(scene, camera))


def covered_depth(depth: Tensor, coverage: Tensor) -> Tensor:
    """Depth where there is coverage, else infinite; all ``(H, W)``."""
    return torch.where(coverage > 0, depth, torch.inf)


@dataclass(frozen=True, slots=True)
class Parting:
    """Where figure and ground part: at which depth, and whether the far side is the figure."""

    threshold: float
    far: bool

    def mask(self, depth: Tensor) -> Tensor:
        """The figure in a picture of depths ``(H, W)``, bool."""
        return (depth > self.threshold) == self.far


def part_figure(
    depth: Tensor, threshold: float | None = None, polarity: Polarity = Polarity.FAR
) -> Parting:
    """Part a picture of depths ``(H, W)``, infinite where nothing is; by Otsu without threshold."""
    cut = otsu(depth) if threshold is None else threshold
    if polarity is not Polarity.BORDER:
        return Parting(cut, polarity is Polarity.FAR)
    far = depth > cut
    border = torch.cat([far[0], far[-1], far[1:-1, 0], far[1:-1, -1]])
    return Parting(cut, bool(border.float().mean() <= 0.5))


def figure_mask(depth: Tensor, threshold: float, polarity: Polarity = Polarity.FAR) -> Tensor:
    """The figure in a picture of depths ``(H, W)``, bool."""
    return part_figure(depth, threshold, polarity).mask(depth)


def intersection_over_union(mask: Tensor, truth: Tensor) -> float:
    """IoU of two masks; 1 where both are empty."""
    union = int((mask | truth).sum())
    return int((mask & truth).sum()) / union if union else 1.0


def center_ellipse(height: int, width: int, radius: float = ELLIPSE_RADIUS) -> Tensor:
    """The answer that does not look: an ellipse in the middle, bool ``(H, W)``."""
    y = (torch.arange(height) + 0.5) / height * 2 - 1
    x = (torch.arange(width) + 0.5) / width * 2 - 1
    return y[:, None] ** 2 + x**2 < radius**2


def shuffled_depths(scene: GaussianScene, camera: Camera, seed: int = 0) -> GaussianScene:
    """The control: depths exchanged by chance among Gaussians, each where it was in the picture.

    A Gaussian moves along its line of sight and grows with the distance, so it covers the same
    pixels in another order.
    """
    depths = camera_depths(scene, camera)
    generator = torch.Generator().manual_seed(seed)
    turn = torch.randperm(len(scene), generator=generator).to(scene.device)
    usable = (depths > 0) & (depths[turn] > 0)
    factor = torch.where(usable, depths[turn] / torch.where(usable, depths, 1.0), 1.0)
    eye = torch.tensor(camera.position, dtype=torch.float32, device=scene.device)
    return replace(
        scene,
        means=eye + (scene.means - eye) * factor[:, None],
        log_scales=scene.log_scales + factor.log()[:, None],
    )


def compare_masks(
    scene: GaussianScene,
    camera: Camera,
    truth: Tensor,
    seed: int = 0,
    picture: Tensor | None = None,
    far_share: float | None = None,
) -> dict[str, float]:
    """IoU against a true mask ``(H, W)`` of all polarities, next to the trivial answers.

    ``picture`` is the image itself, ``(H, W, 3)``: with it come the answers from colours alone.
    The far side of ``size`` is what small Gaussians cover. ``far_share`` has the controls
    ``shuffled`` and ``size`` put so much of the picture on their far side, as a threshold chosen by
    hand does; Otsu's threshold parts all without it.
    """
    measured = _cut(figure_depth(scene, camera), truth)
    controls = {
        "shuffled": figure_depth(shuffled_depths(scene, camera, seed), camera),
        "size": expected_smallness(scene, camera),
    }
    for name, values in controls.items():
        found = _cut(values, truth, far_share)
        measured |= {f"{name} {key}": value for key, value in found.items()}
    if picture is not None:
        for name, values in (
            ("border colour", border_distance(picture)),
            ("local deviation", local_deviation(picture)),
        ):
            found = _cut(values, truth)
            measured |= {name: found[Polarity.FAR], f"{name} oracle": found["oracle"]}
    ellipse = center_ellipse(*truth.shape).to(truth.device)
    measured["center ellipse"] = intersection_over_union(ellipse, truth)
    measured["all figure"] = intersection_over_union(torch.ones_like(truth), truth)
    return measured


def _cut(values: Tensor, truth: Tensor, far_share: float | None = None) -> dict[str, float]:
    """IoU of values cut by Otsu's threshold or by area, by polarity, and of the better side."""
    cut = otsu(values) if far_share is None else _cut_by_area(values, far_share)
    found: dict[str, float] = {
        polarity: intersection_over_union(figure_mask(values, cut, polarity), truth)
        for polarity in Polarity
    }
    return found | {"oracle": max(found[Polarity.FAR], found[Polarity.NEAR])}


def _cut_by_area(values: Tensor, far_share: float) -> float:
    """The value beyond which so much of a picture lies."""
    ordered = values.flatten().sort().values
    near = round((1 - far_share) * len(ordered))
    return float(ordered[near - 1]) if near else -torch.inf
