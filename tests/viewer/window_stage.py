"""A small scene and scores for it, as the tests of the window need them."""

from pathlib import Path

import torch

from core.formats import save_scene
from core.scoring import ORDINARY, SINGULAR, UNSEEN, Worth
from tests.blobs import blob_scene

COUNT = 1500
NAME = "removal-error"


def write_scene(folder: Path, count: int = COUNT) -> Path:
    """The scene as a file."""
    path = folder / "ball.ply"
    save_scene(blob_scene(count), path)
    return path


def make_worth(
    count: int = COUNT, unseen: int = 0, singular: int = 0, seed: int = 2, name: str = NAME
) -> Worth:
    """Log-normal scores over six decades; the first Gaussians are unseen, the next singular."""
    generator = torch.Generator().manual_seed(seed)
    values = (3 * torch.randn(count, generator=generator, dtype=torch.float64)).exp()
    classes = torch.full((count,), ORDINARY, dtype=torch.uint8)
    classes[:unseen] = UNSEEN
    classes[unseen : unseen + singular] = SINGULAR
    return Worth(name, values, classes)
