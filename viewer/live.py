"""A scene in the making, drawn in the place of the document's while a job works on it."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from core.scene import GaussianScene


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """What a job has made so far; all of it is drawn, and nothing in it is selected.

    ``everything`` and ``nothing`` are the masks that say so, bool ``(N,)``.
    """

    scene: GaussianScene
    everything: Tensor
    nothing: Tensor

    @classmethod
    def of(cls, scene: GaussianScene) -> Self:
        """A scene that does not change any more: the next one is another."""
        everything = torch.ones(len(scene), dtype=torch.bool)
        return cls(scene, everything, torch.zeros_like(everything))
