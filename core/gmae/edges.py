"""Edges where the layer that last changed a pixel changes (arXiv 2501.03229, its BSDS figure).

The paper does not state when a change counts; here it is a step of any channel above
:data:`CHANGE`. Layers tell something only if their edges beat those of a random order and of the
picture's own gradient.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import lcm, pi, sqrt

import torch
from torch import Tensor
from torch.nn import functional

from core.cameras import Camera
from core.gmae.layers import GROUPS, camera_depths, depth_groups, draw_layer
from core.rendering import render
from core.scene import GaussianScene

CHANGE = 0.06
TOLERANCE = 0.0075
"""How far an edge may be from a true one, of the picture's diagonal, as in BSDS."""


def layer_labels(
    scene: GaussianScene,
    camera: Camera,
    count: int,
    change: float = CHANGE,
    order: Tensor | None = None,
) -> Tensor:
    """The last of ``count`` layers that changed a pixel, int64 ``(H, W)``; 0 for the background.

    ``C_j`` draws the nearest ``floor(j K / l)`` Gaussians; the label is the largest j at which a
    channel differs from ``C_(j-1)`` by more than ``change``.

    Parameters
    ----------
    order
        Values to order by instead of depth, ``(N,)``: for the control by chance.
    """
    return _labels(scene, camera, (count,), change, order)[0]


def _labels(
    scene: GaussianScene,
    camera: Camera,
    counts: Sequence[int],
    change: float,
    order: Tensor | None,
) -> list[Tensor]:
    """:func:`layer_labels` for several numbers of layers, from one pass over the finest of them.

    ``floor(j K / l)`` is also ``floor(i j K / (i l))``: layers of all counts end where those of
    their least common multiple do.
    """
    finest = lcm(*counts)
    size = (camera.height, camera.width)
    labels = [torch.zeros(size, dtype=torch.int64, device=scene.device) for _ in counts]
    before = [torch.ones(*size, 3, device=scene.device) for _ in counts]
    for step, drawn in enumerate(_drawn_layers(scene, camera, finest, order), 1):
        for number, count in enumerate(counts):
            layer, rest = divmod(step * count, finest)
            if rest == 0:
                changed = (drawn - before[number]).abs().amax(-1) > change
                labels[number][changed] = layer
                before[number] = drawn
    return labels


def _drawn_layers(
    scene: GaussianScene, camera: Camera, count: int, order: Tensor | None
) -> Iterator[Tensor]:
    """``C_1 ... C_l``, each ``(H, W, 3)`` on white.

    In the order of depth a layer lies behind all that were drawn, so that each Gaussian is drawn
    once: ``C_j = C_(j-1) - T_(j-1) + T_(j-1) (L_j + 1 - a_j)`` with colour L and alpha a.
    """
    groups = depth_groups(camera_depths(scene, camera) if order is None else order, count)
    if order is not None:
        for step in range(count):
            yield draw_layer(scene, camera, groups <= step).rgb
        return
    through = torch.ones(camera.height, camera.width, 1, device=scene.device)
    colors = torch.zeros(camera.height, camera.width, 3, device=scene.device)
    members = groups.argsort(stable=True)
    ends = groups.bincount(minlength=count).cumsum(0).tolist()
    for start, end in pairwise([0, *ends]):
        layer = render(scene.select(members[start:end]), camera)
        colors = colors + through * layer.rgb
        through = through * (1 - layer.alpha.unsqueeze(-1))
        yield colors + through


def label_edges(labels: Tensor, count: int) -> Tensor:
    """Strength in 0..1 where labels of neighbours differ, ``|difference| / l``, ``(H, W)``."""
    strength = torch.zeros(labels.shape, device=labels.device)
    down = (labels[1:] - labels[:-1]).abs() / count
    right = (labels[:, 1:] - labels[:, :-1]).abs() / count
    strength[:-1] = torch.maximum(strength[:-1], down)
    strength[:, :-1] = torch.maximum(strength[:, :-1], right)
    return strength


def layer_edges(
    scene: GaussianScene,
    camera: Camera,
    counts: Sequence[int] = GROUPS,
    change: float = CHANGE,
    order: Tensor | None = None,
) -> Tensor:
    """Mean of the edges from several numbers of layers, ``(H, W)`` in 0..1."""
    labels = _labels(scene, camera, counts, change, order)
    maps = [label_edges(layers, count) for layers, count in zip(labels, counts, strict=True)]
    return torch.stack(maps).mean(0)


def gradient_edges(picture: Tensor, sigma: float = 2.0) -> Tensor:
    """The baseline: the strongest channel's Gaussian gradient, ``(H, W)``.

    Scaled so that a step from black to white is 1.
    """
    reach = int(3 * sigma + 0.5)
    x = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    bell = torch.exp(-(x**2) / (2 * sigma**2))
    bell, slope = bell / bell.sum(), -x * bell / (bell.sum() * sigma**2)
    planes = functional.pad(picture.permute(2, 0, 1)[:, None], (reach,) * 4, mode="replicate")
    along = functional.conv2d(
        functional.conv2d(planes, slope[None, None, None]), bell[:, None][None, None]
    )
    across = functional.conv2d(
        functional.conv2d(planes, bell[None, None, None]), slope[:, None][None, None]
    )
    gradient: Tensor = (along**2 + across**2).sqrt().amax((0, 1))
    return gradient * (sqrt(2 * pi) * sigma)


def thinned(strength: Tensor) -> Tensor:
    """Only what is no weaker than its neighbours along rows or along columns, ``(H, W)``."""
    across = functional.max_pool2d(strength[None, None], (1, 3), 1, (0, 1))[0, 0]
    along = functional.max_pool2d(strength[None, None], (3, 1), 1, (1, 0))[0, 0]
    return torch.where((strength >= across) | (strength >= along), strength, 0.0)


def edge_answers(
    scene: GaussianScene,
    camera: Camera,
    counts: Sequence[int] = GROUPS,
    change: float = CHANGE,
    photo: Tensor | None = None,
    seed: int = 0,
) -> dict[str, Callable[[], Tensor]]:
    """Edges of layers, and the answers they must beat: each computes its strength ``(H, W)``.

    Parameters
    ----------
    photo
        The photo that the camera took, ``(H, W, 3)``; None where there is none.
    """
    chance = torch.rand(len(scene), generator=torch.Generator().manual_seed(seed))
    everything = torch.ones(len(scene), dtype=torch.bool, device=scene.device)
    answers: dict[str, Callable[[], Tensor]] = {
        "layers": lambda: layer_edges(scene, camera, counts, change),
        "random order": lambda: layer_edges(scene, camera, counts, change, chance.to(scene.device)),
        "gradient of the picture": lambda: gradient_edges(
            draw_layer(scene, camera, everything).rgb
        ),
    }
    if photo is not None:
        answers["gradient of the photo"] = lambda: gradient_edges(photo)
    return answers


@dataclass(frozen=True, slots=True)
class EdgeMatch:
    """How edges agree with true ones at the best threshold: all three in 0..1."""

    threshold: float
    precision: float
    recall: float

    @property
    def f(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def match_edges(strength: Tensor, truth: Tensor, steps: int = 33) -> EdgeMatch:
    """Precision and recall at the threshold with the best F.

    Edges within 0.0075 diagonals of one another match, many to one: about 0.02 kinder than the
    one-to-one matching of BSDS, so to be read next to the baselines only.
    """
    radius = match_radius(truth)
    near_truth = grown(truth, radius)
    best = EdgeMatch(0.0, 0.0, 0.0)
    for cut in torch.linspace(0, float(strength.max()), steps + 1)[:-1].tolist():
        found = strength > cut
        precision = float(near_truth[found].float().mean()) if bool(found.any()) else 0.0
        recall = float(grown(found, radius)[truth].float().mean()) if bool(truth.any()) else 0.0
        match = EdgeMatch(cut, precision, recall)
        if match.f > best.f:
            best = match
    return best


def match_radius(truth: Tensor) -> int:
    """How far edges may be from true ones ``(H, W)``, pixels."""
    return max(1, round(TOLERANCE * float(torch.tensor(truth.shape).float().norm())))


def grown(masks: Tensor, radius: int) -> Tensor:
    """Masks ``(..., H, W)`` and all within so many pixels of each."""
    side = torch.arange(-radius, radius + 1, device=masks.device)
    disc = (side[:, None] ** 2 + side**2 <= radius**2).float()
    planes = masks.float().reshape(-1, 1, *masks.shape[-2:])
    hits = functional.conv2d(planes, disc[None, None], padding=radius)
    return hits.reshape(masks.shape) > 0.5
