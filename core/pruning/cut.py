"""What a prune takes away: what filters describe, and the least worthy of what these leave."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.pruning.keep import keep_mask
from core.scoring.worth import Worth

Values = NDArray[np.float64]


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
        Number to keep; None leaves the score aside.
    filters
        What goes in any case (with ``or``), or all that the score may take (with ``and``).
    join
        ``or``: what any filter takes goes, and then the least worthy of what these leave, until
        exactly ``target`` stay. ``and``: the least worthy of what all filters take go, until
        exactly ``target`` stay; without a target all of these go. Where the filters leave fewer,
        or do not allow so many to go, the score comes as near as it can.
    """

    target: int | None = None
    filters: tuple[Filter, ...] = ()
    join: Join = Join.OR

    @property
    def empty(self) -> bool:
        """Whether it takes nothing, having no part."""
        return self.target is None and not self.filters


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What filters leave to the score.

    Attributes
    ----------
    among
        The Gaussians that the score may keep or take, bool ``(N,)``.
    count
        How many these are.
    others
        How many stay besides, whatever the score.
    """

    among: Tensor
    count: int
    others: int

    def kept(self, target: int) -> int:
        """How many of ``among`` stay so that ``target`` stay in all, or as near as can be."""
        return min(max(target - self.others, 0), self.count)


def choice(
    filters: tuple[Filter, ...], join: Join, alive: Tensor, values: Callable[[str], Values]
) -> Choice:
    """What filters leave to the score; parameters as for :func:`cut_mask`."""
    among = alive
    if filters and join == Join.AND:
        among = _filtered(filters, join, alive, values)
    elif filters:
        among = alive & ~_filtered(filters, join, alive, values)
    count = int(among.sum())
    others = int(alive.sum()) - count if join == Join.AND else 0
    return Choice(among, count, others)


def cut_mask(
    cut: Cut, worth: Worth | None, alive: Tensor, values: Callable[[str], Values]
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
    if cut.target is None or worth is None:
        return _filtered(cut.filters, cut.join, alive, values)
    left = choice(cut.filters, cut.join, alive, values)
    stays = keep_mask(worth, left.kept(cut.target), left.among)
    return left.among & ~stays if cut.join == Join.AND else alive & ~stays


def _filtered(
    filters: tuple[Filter, ...], join: Join, alive: Tensor, values: Callable[[str], Values]
) -> Tensor:
    """The living Gaussians that any filter takes, or all take, bool ``(N,)``; none take none."""
    if not filters:
        return torch.zeros_like(alive)
    parts = []
    for entry in filters:
        column = values(entry.name)
        above = entry.relation == Relation.ABOVE
        parts.append(torch.from_numpy(column > entry.value if above else column < entry.value))
    joined = torch.stack(parts)
    return alive & (joined.all(0) if join == Join.AND else joined.any(0))
