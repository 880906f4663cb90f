"""How good a model is: masked error, PSNR, depth against size, figure and ground with controls."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from core.errors import UserError
from core.gmae.depth_scale import measure_depth_scale
from core.gmae.figure_ground import compare_masks
from core.gmae.folder import ImageFolder
from core.gmae.gaussians import Gaussians
from core.gmae.losses import Loss, reconstruction_loss
from core.gmae.model import GaussianAutoencoder
from core.gmae.splatting import pictures, scene_camera, scene_of
from core.jobs import Progress, Steps

BATCH = 16


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
        Mean over images of the PSNR with all patches visible, dB.
    depth_scale
        As :class:`core.gmae.depth_scale.DepthScale`, by name.
    figure_ground
        Mean IoU and its standard error, by answer; None without masks.
    """

    images: int
    masked_mse: float
    psnr: float
    depth_scale: Mapping[str, Any]
    figure_ground: Mapping[str, tuple[float, float]] | None


def evaluate_model(
    model: GaussianAutoencoder,
    images: ImageFolder,
    masks: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Steps[Quality]:
    """Measure a model on the middle squares of a folder's images, or ``limit`` spread over them.

    ``masks`` holds pictures with the images' names (of any image suffix); white is figure.
    """
    config = model.config
    wanted = len(images) if limit is None else min(limit, len(images))
    indices = [index * len(images) // wanted for index in range(wanted)]
    generator = torch.Generator().manual_seed(seed)
    errors, decibels, parts = [], [], []
    ious: list[dict[str, float]] = []
    device = next(model.parameters()).device
    for start in range(0, wanted, BATCH):
        some = indices[start : start + BATCH]
        batch = images.squares(some).to(device)
        with torch.no_grad():
            error = reconstruction_loss(model, batch, Loss.MASKED, config.size**2, generator)
            made = model(batch)
        errors.append(float(error) * len(some))
        drawn = pictures(made, config.projection, config.size).permute(0, 3, 1, 2).clamp(0, 1)
        mse = ((drawn - batch) ** 2).mean((1, 2, 3)).clamp_min(1e-12)
        decibels += (-10 * mse.log10()).tolist()
        parts.append(made)
        if masks is not None:
            truths = [read_mask(masks, images.paths[index], config.size) for index in some]
            ious += [_compare(made, model, i, truth, seed) for i, truth in enumerate(truths)]
        done = start + len(some)
        yield Progress(done, wanted, f"image {done} of {wanted}")
    everything = Gaussians(
        *(
            torch.cat([getattr(part, name) for part in parts])
            for name in ("means", "scales", "quats", "colors", "opacities")
        )
    )
    return Quality(
        images=wanted,
        masked_mse=sum(errors) / wanted,
        psnr=float(np.mean(decibels)),
        depth_scale=asdict(measure_depth_scale(everything, config, seed)),
        figure_ground=_summary(ious) if masks is not None else None,
    )


def read_mask(folder: Path, image: Path, size: int) -> Tensor:
    """The middle square of the mask of an image, bool ``(S, S)``.

    Raises
    ------
    UserError
        If there is none, or it cannot be read.
    """
    path = next((p for p in sorted(folder.glob("*")) if p.stem == image.stem), None)
    if path is None:
        raise UserError(f"There is no mask of {image.name} in {folder}.", "Name it like the image.")
    try:
        with Image.open(path) as file:
            gray = ImageOps.fit(file.convert("L"), (size, size), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path.name} cannot be read as a mask.",
            "Use another one, or take it out of the folder.",
        ) from error
    return torch.from_numpy(np.array(gray)) > 127


def _compare(
    made: Gaussians, model: GaussianAutoencoder, index: int, truth: Tensor, seed: int
) -> dict[str, float]:
    config = model.config
    scene = scene_of(made, config.projection, config.size, index)
    return compare_masks(scene, scene_camera(config.size), truth.to(scene.device), seed)


def _summary(rows: list[dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard error of every column."""
    summary = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        spread = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        summary[name] = (float(values.mean()), spread)
    return summary
