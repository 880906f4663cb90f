"""A picture sheet of what a model makes of images, a row for each."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from core.gmae.edges import layer_edges
from core.gmae.figure_ground import figure_depth, figure_mask, otsu
from core.gmae.model import GaussianAutoencoder
from core.gmae.splatting import pictures, scene_camera, scene_of
from core.gmae.training import sample_pictures

COLUMNS = ("image", "shown", "from the shown", "from all", "depth", "figure (far)", "edges")
_CELL = 128
_GAP = 6
_HEADER = 26


@torch.no_grad()
def model_sheet(model: GaussianAutoencoder, images: Tensor, seed: int = 0) -> Tensor:
    """Rows of :data:`COLUMNS` for images ``(B, 3, S, S)``, ``(H, W, 3)`` in 0..1.

    Near is light in the depth; the ground is dimmed in the figure; edges are dark.
    """
    config = model.config
    samples = sample_pictures(model, images, seed)
    made = model(images)
    whole = pictures(made, config.projection, config.size).clamp(0, 1).cpu()
    camera = scene_camera(config.size)
    rows = []
    for index in range(len(images)):
        scene = scene_of(made, config.projection, config.size, index)
        depth = figure_depth(scene, camera)
        figure = figure_mask(depth, otsu(depth)).float().cpu()[..., None]
        edges = layer_edges(scene, camera).cpu()
        picture = samples[index, 0]
        rows.append(
            [
                *samples[index].clamp(0, 1),
                whole[index],
                _gray(depth.cpu()),
                picture * (0.2 + 0.8 * figure),
                (1 - edges / edges.max().clamp_min(1e-6))[..., None].expand(-1, -1, 3),
            ]
        )
    return _laid_out(rows)


def _gray(depth: Tensor) -> Tensor:
    """Depths as grey, the nearest white; black where nothing is drawn, ``(H, W, 3)``."""
    drawn = depth.isfinite()
    if not bool(drawn.any()):
        return torch.zeros(*depth.shape, 3)
    low, high = depth[drawn].aminmax()
    gray = 1 - 0.9 * (depth - low) / (high - low).clamp_min(1e-6)
    return torch.where(drawn, gray, 0.0)[..., None].expand(-1, -1, 3)


def _laid_out(rows: list[list[Tensor]]) -> Tensor:
    """Cells in rows below the names of their columns, enlarged where they are small."""
    size = rows[0][0].shape[0]
    side = size * max(1, -(-_CELL // size))
    step = side + _GAP
    sheet = Image.new(
        "RGB", (len(COLUMNS) * step + _GAP, _HEADER + len(rows) * step), (255, 255, 255)
    )
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(COLUMNS):
        middle = (_GAP + column * step + side // 2, _HEADER // 2)
        draw.text(middle, name, (0, 0, 0), ImageFont.load_default(15), anchor="mm")
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            pixels = (cell.numpy() * 255).round().astype(np.uint8)
            picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(picture, (_GAP + column * step, _HEADER + row * step))
    return torch.from_numpy(np.array(sheet)).float() / 255
