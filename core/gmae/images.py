"""One image as a model sees it: what it made of it, and how good that is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from core.cameras import Camera
from core.editing.changes import at_depths, depths_of
from core.gmae.config import Config
from core.gmae.folder import square
from core.gmae.gaussians import activate
from core.gmae.masking import pixels_of_patches, split_patches
from core.gmae.model import GaussianAutoencoder
from core.gmae.splatting import WHITE, scene_camera, scene_of
from core.rendering import render
from core.scene import GaussianScene

MAX_MASK_RATIO = 0.9
GREY = 0.5
"""What a hidden patch is shown as."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageSource:
    """An image, and the numbers that a model made of it.

    Attributes
    ----------
    name, path
        What to call the image, and its file; None where it was pasted.
    model, config, notes
        The model's name, its configuration, and what else its file tells.
    pixels
        The square that the model works on, ``(1, 3, S, S)`` in 0..1.
    outputs
        The head's numbers, ``(1, K, 14)``.
    mask_ratio, seed
        Share of the patches that the model did not see, and which those were.
    exaggeration
        Of depth, see :func:`drawn_out`.
    refined
        Steps of fitting to the image since the model made the numbers.
    """

    name: str
    path: Path | None
    model: str
    config: Config
    notes: Mapping[str, Any]
    pixels: Tensor
    outputs: Tensor
    mask_ratio: float = 0.0
    seed: int = 0
    exaggeration: float = 1.0
    refined: int = 0

    @property
    def camera(self) -> Camera:
        """The camera from which the scene is the image."""
        return scene_camera(self.config.size, self.name)

    def scene(self) -> GaussianScene:
        """The Gaussians as a scene."""
        made = activate(self.outputs, self.config.scale_cap)
        scene = scene_of(made, self.config.projection, self.config.size)
        return scene.with_tensors(drawn_out(scene, self.camera, self.exaggeration))

    def hidden(self) -> Tensor:
        """The pixels that the model did not see, bool ``(S, S)``."""
        size = self.config.size
        hidden = torch.zeros(size * size, dtype=torch.bool)
        split = _split(self.config, self.mask_ratio, self.seed)
        if split is not None:
            hidden[pixels_of_patches(split[1], size, self.config.patch).flatten()] = True
        return hidden.reshape(size, size)

    def seen(self) -> Tensor:
        """What the model saw, the rest grey, ``(S, S, 3)``."""
        picture = self.pixels[0].permute(1, 2, 0).clone()
        picture[self.hidden()] = GREY
        return picture


@dataclass(frozen=True, slots=True)
class PictureQuality:
    """How near the picture of a scene is to its image.

    Attributes
    ----------
    psnr
        Over the whole square, dB.
    hidden_mse
        Mean squared error of the patches that the model did not see; None if it saw all.
    uncovered
        Mean share of a pixel that no Gaussian covers.
    """

    psnr: float
    hidden_mse: float | None
    uncovered: float


@torch.no_grad()
def describe_image(
    model: GaussianAutoencoder,
    notes: Mapping[str, Any],
    image: Image.Image,
    name: str,
    path: Path | None,
    model_name: str,
) -> ImageSource:
    """The middle square of an image as a model's Gaussians, nothing of it hidden."""
    pixels = square(image, model.config.size).unsqueeze(0)
    outputs = model.outputs(pixels)
    return ImageSource(name, path, model_name, model.config, notes, pixels, outputs)


def drawn_out(scene: GaussianScene, camera: Camera, factor: float) -> dict[str, Tensor]:
    """Means and scales with ``factor`` times as much depth behind the nearest Gaussian.

    The picture of the camera stays. The nearest stays where it is: about ``z = 0``, as
    :func:`core.gmae.splatting.scene_of` exaggerates, a large factor would bring Gaussians to the
    eye, and what a model puts near would become small.
    """
    everything = torch.ones(len(scene), dtype=torch.bool)
    depths = depths_of(scene, everything, camera)
    nearest = depths.min()
    return at_depths(scene, everything, camera, nearest + factor * (depths - nearest))


@torch.no_grad()
def hide_patches(
    source: ImageSource, model: GaussianAutoencoder, ratio: float, seed: int
) -> ImageSource:
    """The same image described anew with a share of its patches hidden, chosen by a seed."""
    split = _split(source.config, ratio, seed)
    outputs = model.outputs(source.pixels, None if split is None else split[0])
    return replace(source, outputs=outputs, mask_ratio=ratio, seed=seed, refined=0)


@torch.no_grad()
def measure_picture(scene: GaussianScene, keep: Tensor, source: ImageSource) -> PictureQuality:
    """How near some of a scene's Gaussians ``(N,)`` are to the image, on white as in training."""
    drawn = render(scene, source.camera, keep=keep.to(scene.device), background=WHITE)
    rgb = drawn.rgb.clamp(0, 1).cpu()
    error = ((rgb - source.pixels[0].permute(1, 2, 0)) ** 2).mean(-1)
    hidden = source.hidden()
    return PictureQuality(
        psnr=-10 * math.log10(max(float(error.mean()), 1e-12)),
        hidden_mse=float(error[hidden].mean()) if bool(hidden.any()) else None,
        uncovered=float(1 - drawn.alpha.mean()),
    )


def _split(config: Config, ratio: float, seed: int) -> tuple[Tensor, Tensor] | None:
    """Visible and hidden patches, int64 ``(1, V)`` and ``(1, M)``; None where all are visible."""
    if ratio <= 0:
        return None
    generator = torch.Generator().manual_seed(seed)
    visible, hidden = split_patches(1, config.patches, ratio, generator)
    return (visible, hidden) if hidden.numel() else None
