"""How good a model is: masked error, PSNR, depth against size, figure and ground with controls."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.gmae.depth_scale import DepthScale, measure_depth_scale
from core.gmae.edge_scores import EdgeScore, EdgeTally, detected
from core.gmae.figure_ground import compare_masks
from core.gmae.folder import ImageFolder
from core.gmae.gaussians import Gaussians
from core.gmae.masking import pixels_of_patches, split_patches
from core.gmae.model import GaussianAutoencoder
from core.gmae.splatting import drawn, pictures, scene_camera, scene_of
from core.gmae.truths import Truths, mask_boundary
from core.jobs import Progress, Steps

BATCH = 16
CONTROLS = ("center ellipse", "shuffled far")
"""What the claimed polarity has to beat before figure and ground may be said to be found."""


class Estimate(NamedTuple):
    """A mean over images and its standard error."""

    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured on a folder of images.

    Attributes
    ----------
    images
        How many.
    masked_mse
        Of pixels in masked patches, at the configuration's ratio.
    psnr
        With all patches visible, dB.
    transmittance
        Share of the background that shines through, with all patches visible.
    depth_scale
        Depth against size.
    figure_ground
        IoU by answer; None without masks.
    margins
        By how much the claimed polarity exceeds each control, image by image; None without masks.
    figure_claimed
        Whether all margins are above two standard errors; None without masks.
    edges
        By detector; None without masks and edges.
    """

    images: int
    masked_mse: Estimate
    psnr: Estimate
    transmittance: Estimate
    depth_scale: DepthScale
    figure_ground: Mapping[str, Estimate] | None
    margins: Mapping[str, Estimate] | None
    figure_claimed: bool | None
    edges: Mapping[str, EdgeScore] | None


def chosen_images(images: ImageFolder, limit: int | None) -> list[int]:
    """Numbers of all images of a folder, or of ``limit`` spread over them."""
    wanted = len(images) if limit is None else min(limit, len(images))
    return [index * len(images) // wanted for index in range(wanted)]


def evaluate_model(
    model: GaussianAutoencoder,
    images: ImageFolder,
    masks: Truths | None = None,
    edges: Truths | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Steps[Quality]:
    """Measure a model on the middle squares of a folder's images, or ``limit`` spread over them.

    Without ``edges`` the boundaries of ``masks`` are the true edges.
    """
    indices = chosen_images(images, limit)
    measured = _Measured(model, masks, edges, seed)
    for start in range(0, len(indices), BATCH):
        some = indices[start : start + BATCH]
        made = measured.add_batch(images.squares(some))
        if masks is not None or edges is not None:
            for place, index in enumerate(some):
                measured.add_truths(made, place, images, index)
        done = start + len(some)
        yield Progress(done, len(indices), f"image {done} of {len(indices)}")
    return measured.quality()


class _Measured:
    """Rows of what was measured so far, image by image."""

    def __init__(
        self,
        model: GaussianAutoencoder,
        masks: Truths | None,
        edges: Truths | None,
        seed: int,
    ) -> None:
        self.model, self.masks, self.edges, self.seed = model, masks, edges, seed
        self._device = next(model.parameters()).device
        self._generator = torch.Generator().manual_seed(seed)
        self._errors: list[float] = []
        self._psnrs: list[float] = []
        self._through: list[float] = []
        self._parts: list[Gaussians] = []
        self._ious: list[dict[str, float]] = []
        self._tallies: dict[str, EdgeTally] = {}

    @torch.no_grad()
    def add_batch(self, batch: Tensor) -> Gaussians:
        """Errors of images ``(B, 3, S, S)``; their Gaussians with all patches visible."""
        config = self.model.config
        batch = batch.to(self._device)
        ratio = config.mask_ratio
        visible, masked = split_patches(len(batch), config.patches, ratio, self._generator)
        guessed = pictures(
            self.model(batch, visible.to(self._device)), config.projection, config.size
        )
        wrong = ((guessed.permute(0, 3, 1, 2) - batch) ** 2).mean(1).flatten(1)
        if masked.shape[1]:
            hidden = pixels_of_patches(masked.to(self._device), config.size, config.patch)
            wrong = wrong.gather(1, hidden)
        self._errors += wrong.mean(1).tolist()
        made: Gaussians = self.model(batch)
        colors, through = drawn(made, config.projection, config.size)
        whole = colors.permute(0, 3, 1, 2).clamp(0, 1)
        mse = ((whole - batch) ** 2).mean((1, 2, 3)).clamp_min(1e-12)
        self._psnrs += (-10 * mse.log10()).tolist()
        self._through += through.mean((1, 2)).tolist()
        self._parts.append(made)
        return made

    def add_truths(self, made: Gaussians, place: int, images: ImageFolder, index: int) -> None:
        """Figure and edges of one image of a batch against the true ones."""
        config = self.model.config
        scene = scene_of(made, config.projection, config.size, place)
        camera = scene_camera(config.size)
        picture = images.squares([index])[0].permute(1, 2, 0).to(scene.device)
        path = images.paths[index]
        mask = None if self.masks is None else self.masks.mask(path, config.size)
        if mask is not None:
            truth = mask.to(scene.device)
            self._ious.append(compare_masks(scene, camera, truth, self.seed, picture))
        if self.edges is not None:
            outline = self.edges.edges(path, config.size)
        else:
            assert mask is not None
            outline = mask_boundary(mask)
        for name, strength in detected(scene, camera, picture, self.seed).items():
            self._tallies.setdefault(name, EdgeTally()).add(strength, outline.to(scene.device))

    def quality(self) -> Quality:
        """All of it."""
        everything = Gaussians(
            *(
                torch.cat([getattr(part, field.name) for part in self._parts])
                for field in fields(Gaussians)
            )
        )
        figure = margins = None
        if self._ious:
            columns = {name: [row[name] for row in self._ious] for name in self._ious[0]}
            figure = {name: estimate(values) for name, values in columns.items()}
            margins = {
                control: estimate(np.subtract(columns["far"], columns[control]).tolist())
                for control in CONTROLS
            }
        scores = {name: tally.score(self.seed) for name, tally in self._tallies.items()}
        return Quality(
            images=len(self._errors),
            masked_mse=estimate(self._errors),
            psnr=estimate(self._psnrs),
            transmittance=estimate(self._through),
            depth_scale=measure_depth_scale(everything, self.model.config, self.seed),
            figure_ground=figure,
            margins=margins,
            figure_claimed=None if margins is None else all(map(is_clear, margins.values())),
            edges=scores or None,
        )


def is_clear(margin: Estimate) -> bool:
    """Whether a margin is above two of its standard errors; one image tells nothing."""
    return margin.error > 0 and margin.mean > 2 * margin.error


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and standard error of numbers; the error of a single one is 0."""
    n = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    return Estimate(float(np.mean(values)), error)
