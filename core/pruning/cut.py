"""What a prune takes away: the least worthy, and what filters describe, by and or or."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.pruning.keep import keep_mask
from core.scoring.worth import Worth


class Relation(StrEnum):
    """Which side of a filter's value goes."""

    ABOVE = "above"
    BELOW = "below"


class Join(StrEnum):
    """How the parts of a cut combine."""

    AND = "and"
    OR = "or"


@dataclass(frozen=True, slots=True)
class Filter:
    """Takes away Gaussians whose property ``name`` lies strictly above or below ``value``."""

    name: str
    relation: Relation
    value: float


@dataclass(frozen=True, slots=True)
class Cut:
    """What a prune takes away.

    Parameters
    ----------
    target
        Number to keep by score; None leaves the score aside.
    filters
        What else to take, or (with ``and``) what the score may take.
    join
        ``or`` takes what any part takes, ``and`` what all parts take.
    """

    target: int | None = None
    filters: tuple[Filter, ...] = ()
    join: Join = Join.OR

    @property
    def empty(self) -> bool:
        """Whether it takes nothing, having no part."""
        return self.target is None and not self.filters


def cut_mask(
    cut: Cut,
    worth: Worth | None,
    alive: Tensor,
    values: Callable[[str], NDArray[np.float64]],
) -> Tensor:
    """Which living Gaussians a cut takes away, bool ``(N,)``.

    Parameters
    ----------
    worth
        The score that ``cut.target`` counts by; without it the target is left aside.
    alive
        bool ``(N,)``.
    values
        The property of a name, ``(N,)``; NaN is never taken.
    """
    parts: list[Tensor] = []
    if cut.target is not None and worth is not None:
        parts.append(~keep_mask(worth, cut.target, alive))
    for entry in cut.filters:
        column = values(entry.name)
        above = entry.relation == Relation.ABOVE
        parts.append(torch.from_numpy(column > entry.value if above else column < entry.value))
    if not parts:
        return torch.zeros_like(alive)
    taken = parts[0]
    for part in parts[1:]:
        taken = taken & part if cut.join == Join.AND else taken | part
    return alive & taken
