"""What a prune-refine run does: how much goes in each round, and how long is refined after it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from core.errors import UserError
from core.scoring.scores import DEFAULT_SCORE, find_score

DEFAULT_STEPS = 1000
"""Steps of refining after each cut: what pays within minutes without a GPU. PUP 3D-GS has 5000."""


@dataclass(frozen=True, slots=True)
class Round:
    """One cut and the refining after it.

    Parameters
    ----------
    cut
        Share of the Gaussians then there that goes, 0 up to but not including 1; 0 refines alone.
    steps
        Steps of refining; 0 cuts alone.
    """

    cut: float
    steps: int = DEFAULT_STEPS

    def __post_init__(self) -> None:
        if not 0 <= self.cut < 1:
            raise UserError(
                f"Cannot cut a share of {self.cut:g}.", "Give a number from 0 to below 1."
            )
        if self.steps < 0:
            raise UserError(f"Cannot refine for {self.steps} steps.", "Give 0 or more.")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rounds of a run, and when it may end early.

    Parameters
    ----------
    rounds
        In the order in which they are done; scores are computed anew for each.
    score
        Which score decides what goes, a key of :data:`core.scoring.SCORES`.
    target
        How many Gaussians the last cut leaves, whatever its share; the other cuts are scaled to
        lead there. None leaves the shares as they are.
    max_loss_db
        A round after which the held-out PSNR is lower than at the start by more than this is
        taken back, and only gentler ones are tried after it. None accepts every round.
    min_psnr_db
        The same for rounds after which the PSNR is lower than this: for runs without photos, whose
        scene is measured against itself.
    sparsify
        Refine before a further cut with GaussianSpa's pull towards what that cut will leave.
    """

    rounds: tuple[Round, ...]
    score: str = DEFAULT_SCORE
    target: int | None = None
    max_loss_db: float | None = None
    min_psnr_db: float | None = None
    sparsify: bool = False

    def __post_init__(self) -> None:
        if not self.rounds:
            raise UserError("There are no rounds.", "Give at least one cut.")
        find_score(self.score)
        if self.max_loss_db is not None and not self.max_loss_db >= 0:
            raise UserError(
                f"Cannot allow a loss of {self.max_loss_db:g} dB.", "Give a number of 0 or more."
            )

    def counts(self, total: int) -> tuple[int, ...]:
        """How many of ``total`` Gaussians each round leaves, if none is taken back.

        Raises
        ------
        UserError
            If the target cannot be met.
        """
        if self.target is not None and not 1 <= self.target <= total:
            raise UserError(
                f"Cannot keep {self.target:,} of {total:,} Gaussians.",
                f"Give a number from 1 to {total:,}.",
            )
        power = 1.0
        kept = math.prod(1 - entry.cut for entry in self.rounds)
        if self.target is not None and kept < 1:
            power = math.log(self.target / total) / math.log(kept)
        left, counts = float(total), []
        for entry in self.rounds:
            left *= (1 - entry.cut) ** power
            counts.append(max(1, round(left)))
        if self.target is not None:
            counts[-1] = self.target
        return tuple(counts)

    @property
    def steps(self) -> int:
        """Steps of refining in all rounds together."""
        return sum(entry.steps for entry in self.rounds)

    def with_steps(self, steps: int) -> Self:
        """The same rounds, each refined for ``steps`` steps."""
        return replace(self, rounds=tuple(replace(entry, steps=steps) for entry in self.rounds))


@dataclass(frozen=True, slots=True)
class SchedulePreset:
    """A ready schedule, and what a person reads about it."""

    title: str
    about: str
    schedule: Schedule


def schedule_of(cuts: Sequence[float], steps: int = DEFAULT_STEPS, **changes: object) -> Schedule:
    """A schedule of cuts that are each refined for the same number of steps."""
    return replace(Schedule(tuple(Round(cut, steps) for cut in cuts)), **changes)  # type: ignore[arg-type]


SCHEDULES: dict[str, SchedulePreset] = {
    "removal-error": SchedulePreset(
        "Removal error 80 % + 50 %",
        "Nine of ten go in two rounds by the exact error of removing each: the best at this ratio.",
        schedule_of((0.8, 0.5)),
    ),
    "pup": SchedulePreset(
        "PUP 80 % + 50 %",
        "The rounds of PUP 3D-GS by its score; the paper refines for 5000 steps each.",
        schedule_of((0.8, 0.5), score="fisher"),
    ),
    "sparsify": SchedulePreset(
        "Sparsified 80 % + 50 %",
        "As POPSpa: refining before the second cut pulls what it will take towards transparency.",
        schedule_of((0.8, 0.5), sparsify=True),
    ),
    "light": SchedulePreset(
        "Light 60 %",
        "One cut that costs next to nothing once refined.",
        schedule_of((0.6,)),
    ),
    "free": SchedulePreset(
        "What is free",
        "Cuts that get gentler, as long as less than 0.1 dB is lost on held-out views.",
        schedule_of((0.5, 0.4, 0.3, 0.2, 0.1), max_loss_db=0.1),
    ),
    "refine": SchedulePreset(
        "Refine only",
        "Nothing goes: fits what is there to the views.",
        schedule_of((0.0,)),
    ),
}
