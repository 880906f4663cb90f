"""Images of a folder, as squares of a model's size."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from core.errors import UserError
from core.images import SUFFIXES, UNREADABLE

MAX_PIXELS = 2**26
CROP_SHARE = (0.2, 1.0)
"""Of an image's area that a training crop covers; MAE's, where the authors' code has 0.08."""
_KEPT_BYTES = 2**29


class ImageFolder:
    """All images below a folder, in the order of their names.

    Once read they are kept small, with sides of at least twice the model's size, up to half a
    gigabyte; others are read again every time.

    Raises
    ------
    UserError
        If there is no image.
    """

    def __init__(self, folder: Path, size: int) -> None:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.", "Give a folder of images.")
        self.folder = folder
        self.size = size
        self.paths = sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
        if not self.paths:
            raise UserError(f"There are no images in {folder}.", f"Add {', '.join(SUFFIXES)}.")
        names = "\n".join(
            f"{path.relative_to(folder)} {path.stat().st_size}" for path in self.paths
        )
        self.identity = hashlib.sha256(names.encode()).hexdigest()
        self._kept: dict[int, Image.Image] = {}
        self._kept_bytes = 0

    def __len__(self) -> int:
        return len(self.paths)

    def crops(self, count: int, seed: int, step: int) -> Tensor:
        """Images by chance, cropped and mirrored by chance, ``(B, 3, S, S)`` in 0..1.

        The same for the same seed and step.
        """
        generator = np.random.default_rng((seed, step))
        chosen = generator.integers(0, len(self), count)
        return torch.stack([self._crop(int(index), generator) for index in chosen])

    def squares(self, indices: list[int]) -> Tensor:
        """The middle squares of images by number, ``(B, 3, S, S)`` in 0..1."""
        return torch.stack([square(self._image(index), self.size) for index in indices])

    def _crop(self, index: int, generator: np.random.Generator) -> Tensor:
        """As RandomResizedCrop: a share of the area with sides from 3:4 to 4:3."""
        image = self._image(index)
        area = image.width * image.height * generator.uniform(*CROP_SHARE)
        ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)))
        width = min(image.width, max(1, round(float(np.sqrt(area * ratio)))))
        height = min(image.height, max(1, round(float(np.sqrt(area / ratio)))))
        left = int(generator.integers(0, image.width - width + 1))
        top = int(generator.integers(0, image.height - height + 1))
        box = (left, top, left + width, top + height)
        crop = image.resize((self.size,) * 2, Image.Resampling.BICUBIC, box)
        return _tensor(ImageOps.mirror(crop) if generator.random() < 0.5 else crop)

    def _image(self, index: int) -> Image.Image:
        if index in self._kept:
            return self._kept[index]
        image = read_image(self.paths[index], 2 * self.size)
        weight = 3 * image.width * image.height
        if self._kept_bytes + weight <= _KEPT_BYTES:
            self._kept[index] = image
            self._kept_bytes += weight
        return image


def refuse_shared(images: ImageFolder, train: ImageFolder) -> None:
    """Refuse to measure on images that a folder of training holds too, byte for byte.

    Raises
    ------
    UserError
        Naming the first of them.
    """
    sizes = {path.stat().st_size for path in images.paths}
    known = {_content(path): path for path in train.paths if path.stat().st_size in sizes}
    shared = [(path, known[key]) for path in images.paths if (key := _content(path)) in known]
    if shared:
        path, twin = shared[0]
        others = f", and so are {len(shared) - 1} more" if len(shared) > 1 else ""
        raise UserError(
            f"{path.name} is one of the training images, {twin.name}{others}.",
            "Measure on images that a model has not seen.",
        )


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def read_image(path: Path, side: int) -> Image.Image:
    """An image in RGB, transparency on white, turned upright; its shorter side at most ``side``.

    Raises
    ------
    UserError
        If there is no such file, or it cannot be read or is too large.
    """
    try:
        with Image.open(path) as file:
            if file.width * file.height > MAX_PIXELS or max(file.size) > 50 * min(file.size):
                raise UserError(f"{path.name} is too large or too long.", "Scale or crop it.")
            file.draft("RGB", (2 * side, 2 * side))
            return prepared(ImageOps.exif_transpose(file), side)
    except FileNotFoundError as error:
        raise UserError(
            f"Cannot open {path.name}: there is no such file.", f"Looked for {path.absolute()}."
        ) from error
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise UserError(f"Cannot open {path}: {error.strerror}.") from error
        raise UserError(
            f"{path.name} cannot be read as an image.",
            "Use another one; it may be damaged, or be no image.",
        ) from error


def prepared(image: Image.Image, side: int) -> Image.Image:
    """An image in RGB, transparency on white; its shorter side at most ``side``."""
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    image = image.convert("RGB")
    scale = side / min(image.size)
    if scale >= 1:
        return image
    small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(small, Image.Resampling.BICUBIC, reducing_gap=2.0)


def square(image: Image.Image, size: int) -> Tensor:
    """The middle square of an image, ``(3, S, S)`` in 0..1."""
    return _tensor(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))


def _tensor(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels.permute(2, 0, 1).float() / 255
