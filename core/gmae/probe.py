"""Linear probe: how well classes are told from an encoder's features by one linear layer."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from core.errors import UserError
from core.gmae.folder import ImageFolder, refuse_shared
from core.gmae.model import GaussianAutoencoder, new_model
from core.jobs import Progress, Steps

PIXEL_SIDE = 16
"""Side of the pictures whose pixels are the control."""
_BATCH = 64
_DECAY = 1e-3
_ITERATIONS = 100


@dataclass(frozen=True, slots=True)
class Probe:
    """Share of images whose class is found first, and what it has to be compared with.

    Attributes
    ----------
    accuracy, error
        Of the encoder, and its standard error.
    untrained, pixels
        The same from an encoder before training, and from the pixels of pictures of 16 x 16.
    chance
        The share of images in the class that is most frequent in the training folder.
    classes, train_images, images
        How many.
    """

    accuracy: float
    error: float
    untrained: float
    pixels: float
    chance: float
    classes: int
    train_images: int
    images: int


def probe_model(
    model: GaussianAutoencoder, images: ImageFolder, indices: list[int], train: Path
) -> Steps[Probe]:
    """Train a linear layer on a folder whose subfolders are classes; measure on images by number.

    Features are the mean over an encoder's patches after its last block; they are made mean 0 and
    variance 1 by those of the training folder, as batch normalisation without learnt numbers does.

    Raises
    ------
    UserError
        If subfolders are no classes, or an image is in both folders.
    """
    learnt = ImageFolder(train, model.config.size)
    refuse_shared(images, learnt)
    names = sorted(set(_classes(learnt, range(len(learnt)))))
    if len(names) < 2:
        raise UserError(f"{train} has fewer than two classes.", "Make a subfolder of each class.")
    labels = torch.tensor([names.index(name) for name in _classes(learnt, range(len(learnt)))])
    wanted = _classes(images, indices)
    for name in sorted(set(wanted) - set(names)):
        raise UserError(f"The class {name} is not in {train}.", "Use the same subfolders.")
    truth = torch.tensor([names.index(name) for name in wanted])
    untrained = new_model(model.config, 0).to(next(model.parameters()).device).eval()
    total = len(learnt) + len(indices)
    known = yield from _features((model, untrained), learnt, list(range(len(learnt))), 0, total)
    asked = yield from _features((model, untrained), images, indices, len(learnt), total)
    shares = [
        float((_fitted(x, labels, len(names), y) == truth).float().mean())
        for x, y in zip(known, asked, strict=True)
    ]
    frequent = labels.bincount(minlength=len(names)).argmax()
    return Probe(
        accuracy=shares[0],
        error=(shares[0] * (1 - shares[0]) / len(indices)) ** 0.5,
        untrained=shares[1],
        pixels=shares[2],
        chance=float((truth == frequent).float().mean()),
        classes=len(names),
        train_images=len(learnt),
        images=len(indices),
    )


def _classes(images: ImageFolder, indices: range | list[int]) -> list[str]:
    """The names of the subfolders that images by number are in."""
    parts = [images.paths[index].relative_to(images.folder).parts for index in indices]
    if any(len(part) < 2 for part in parts):
        raise UserError(
            f"In {images.folder} there are images outside of classes.",
            "A probe needs every image in the subfolder of its class.",
        )
    return [part[0] for part in parts]


@torch.no_grad()
def _features(
    models: tuple[GaussianAutoencoder, ...],
    images: ImageFolder,
    indices: list[int],
    done: int,
    total: int,
) -> Steps[list[Tensor]]:
    """Features ``(N, C)`` of images by number from each encoder, and their pixels."""
    rows: list[list[Tensor]] = [[] for _ in range(len(models) + 1)]
    device = next(models[0].parameters()).device
    for start in range(0, len(indices), _BATCH):
        batch = images.squares(indices[start : start + _BATCH]).to(device)
        for row, model in zip(rows, models, strict=False):
            row.append(model.encode(batch)[:, 1:].mean(1).cpu())
        rows[-1].append(functional.adaptive_avg_pool2d(batch, PIXEL_SIDE).flatten(1).cpu())
        at = done + start + len(batch)
        yield Progress(at, total, f"features of image {at} of {total}")
    return [torch.cat(row) for row in rows]


def _fitted(known: Tensor, labels: Tensor, classes: int, asked: Tensor) -> Tensor:
    """The class of each row of ``asked`` by a softmax regression of ``known``: no chance in it."""
    mean, deviation = known.mean(0), known.std(0).clamp_min(1e-6)
    x = (known - mean) / deviation
    weight = torch.zeros(classes, x.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    descent = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        descent.zero_grad()
        value = functional.cross_entropy(x @ weight.T + bias, labels)
        value = value + 0.5 * _DECAY * (weight**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    descent.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return ((asked - mean) / deviation @ weight.T + bias).argmax(1)
