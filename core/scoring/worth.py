"""What every Gaussian is worth by one score, and the order in which they go."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

UNSEEN, SINGULAR, ORDINARY = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Worth:
    """One number per Gaussian, higher is worth more; all CPU tensors.

    Parameters
    ----------
    name
        Key of the score in :data:`core.scoring.SCORES`.
    values
        float64 ``(N,)``; may be infinite, never NaN. Comparable where ``classes`` is ``ORDINARY``.
    classes
        uint8 ``(N,)``: 0 seen by no view, 1 seen without parallax (the score is not defined
        there), 2 ordinary. Lower classes are worth less whatever their values. Scores that need
        no classes put everything in 2.
    precedence
        float64 ``(N,)``, sorts before ``values`` within a class; None if there is no need.
    pixels
        Number of pixels of all the views swept; None if no views were.

    Raises
    ------
    ValueError
        If a value is NaN, or shapes or types do not agree.
    """

    name: str
    values: Tensor
    classes: Tensor
    precedence: Tensor | None = None
    pixels: int | None = None

    def __post_init__(self) -> None:
        count = len(self.values)
        expected = [("values", self.values, torch.float64), ("classes", self.classes, torch.uint8)]
        if self.precedence is not None:
            expected.append(("precedence", self.precedence, torch.float64))
        for field, tensor, dtype in expected:
            if tensor.shape != (count,) or tensor.dtype != dtype:
                raise ValueError(f"{field} of {self.name} is not {dtype} of shape ({count},)")
            if torch.isnan(tensor).any():
                raise ValueError(f"{field} of {self.name} has {int(tensor.isnan().sum())} NaN")

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def order(self) -> Tensor:
        """Indices from least to most worth, int64 ``(N,)``: by class, precedence, value, index."""
        keys = [self.values, self.classes]
        if self.precedence is not None:
            keys.insert(1, self.precedence)
        return torch.from_numpy(np.lexsort([key.numpy() for key in keys]))

    @cached_property
    def ranks(self) -> Tensor:
        """Place of every Gaussian in :attr:`order`, 0 is the least worth, int64 ``(N,)``."""
        ranks = torch.empty_like(self.order)
        ranks[self.order] = torch.arange(len(self))
        return ranks


def ordinary(name: str, values: Tensor) -> Worth:
    """The worth by a score that needs no classes."""
    values = values.detach().to("cpu", torch.float64)
    return Worth(name, values, torch.full(values.shape, ORDINARY, dtype=torch.uint8))
