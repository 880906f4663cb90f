"""Masks and edges that belong to a folder's images by name, at a model's size."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from core.errors import UserError
from core.gmae.folder import MAX_PIXELS
from core.images import SUFFIXES


class Truths:
    """A folder of masks or of edges with the images' names, of any image suffix; white is true.

    Raises
    ------
    UserError
        If there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.", "Give a folder of pictures.")
        self.folder = folder
        paths = sorted(folder.rglob("*"), reverse=True)
        self._paths = {path.stem: path for path in paths if path.suffix.lower() in SUFFIXES}

    def mask(self, image: Path, size: int) -> Tensor:
        """The middle square of the mask of an image, bool ``(S, S)``: where most is white."""
        gray = ImageOps.fit(self._read(image), (size, size), Image.Resampling.BOX)
        return torch.from_numpy(np.array(gray)) > 127

    def edges(self, image: Path, size: int) -> Tensor:
        """The middle square of the edges of an image, bool ``(S, S)``: where anything is white."""
        gray = self._read(image)
        side = min(gray.size)
        left, top = (gray.width - side) // 2, (gray.height - side) // 2
        pixels = np.array(gray.crop((left, top, left + side, top + side)))
        white = (torch.from_numpy(pixels) > 127).float()[None, None]
        return functional.adaptive_max_pool2d(white, size)[0, 0] > 0.5

    def _read(self, image: Path) -> Image.Image:
        """The picture of an image, grey.

        Raises
        ------
        UserError
            If there is none, or it cannot be read.
        """
        path = self._paths.get(image.stem)
        if path is None:
            raise UserError(
                f"In {self.folder} nothing belongs to {image.name}.", "Name it like the image."
            )
        try:
            with Image.open(path) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise UserError(f"{path.name} is too large.", "Scale it.")
                return file.convert("L")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(
                f"{path.name} cannot be read as a picture.",
                "Use another one, or take it out of the folder.",
            ) from error


def mask_boundary(mask: Tensor) -> Tensor:
    """Pixels whose right or lower neighbour is on the other side of a mask, bool ``(H, W)``."""
    boundary = torch.zeros_like(mask)
    boundary[:-1] |= mask[1:] != mask[:-1]
    boundary[:, :-1] |= mask[:, 1:] != mask[:, :-1]
    return boundary
