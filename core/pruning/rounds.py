"""Prune-refine rounds: score, cut, refine, measure, and again (PUP 3D-GS, arXiv 2406.10219).

The paper's run is a cut of 80 % and one of 50 %, each refined for 5000 steps with a fresh Adam, the
late position rate and no densification; scores are computed anew before each cut. This is that run
for any score, any cuts and any views, with every stage measured on held-out views.
"""

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from core.errors import UserError
from core.jobs import Progress, Steps
from core.metrics import Evaluation, Lpips, References, evaluate
from core.pruning.keep import prune
from core.pruning.schedule import Round, Schedule
from core.scene import GaussianScene
from core.scoring import SCORES, Worth, score
from core.training import RefineSettings, Sparsify, Targets, lasting_background, refine

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Stage:
    """One measured stage of a run.

    Attributes
    ----------
    name
        ``"start"``, then for each round k ``"cut k"`` and ``"refined k"``.
    round
        Number of the round, from 1; 0 at the start.
    evaluation
        Quality on the held-out views, count, size and frame time.
    seconds
        How long it took: scoring and cutting, or refining; without the measuring.
    taken_back
        Whether the round lost more than was allowed, so that the run went on from before it.
    """

    name: str
    round: int
    evaluation: Evaluation
    seconds: float
    taken_back: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for a report."""
        measured = self.evaluation
        return {
            "stage": self.name,
            "count": measured.count,
            "mb": measured.megabytes,
            "psnr": measured.psnr,
            "ssim": measured.ssim,
            "lpips": measured.lpips,
            "frame_ms": measured.frame_ms,
            "seconds": self.seconds,
            "taken_back": self.taken_back,
        }


@dataclass(frozen=True, slots=True, eq=False)
class RoundsResult:
    """A pruned and refined scene, and what was measured on the way, the start first."""

    scene: GaussianScene
    stages: tuple[Stage, ...]


def run_rounds(
    scene: GaussianScene,
    targets: Targets,
    schedule: Schedule,
    references: References,
    *,
    settings: RefineSettings | None = None,
    lpips: Lpips | None = None,
    checkpoint: Path | None = None,
) -> Steps[RoundsResult]:
    """Prune and refine a scene in rounds; a job.

    Reports come for every view scored, step refined and view measured; their ``partial`` is a
    :class:`RoundsResult`: with the scene as refined so far now and then while it is refined, and
    with a new stage whenever one was measured.

    Parameters
    ----------
    targets
        What to refine against; scores are swept from its cameras.
    schedule
        How much goes and how long is refined.
    references
        The held-out views that every stage is measured on.
    settings
        How to refine; the number of steps comes from the schedule.
    lpips
        Measure LPIPS as well.
    checkpoint
        Where to keep what was refined, so that an interrupted run can go on: for every round a
        file of this name and the round's number, see :func:`checkpoint_files`. Cuts and figures
        are found anew, which gives the same ones.

    Raises
    ------
    UserError
        If the schedule does not fit the scene, a photo cannot be read, or a checkpoint is another
        run's.
    """
    settings = settings or RefineSettings()
    run = _Run(scene, targets, schedule, references, settings, lpips, checkpoint)
    return (yield from run.steps())


def checkpoint_files(checkpoint: Path, schedule: Schedule) -> tuple[Path, ...]:
    """The files in which a run keeps its state, one for each round."""
    numbers = range(1, len(schedule.rounds) + 1)
    return tuple(checkpoint.with_name(f"{checkpoint.name}.{number}") for number in numbers)


@dataclass
class _Run:
    """A run under way: the scene so far, and what was measured."""

    scene: GaussianScene
    targets: Targets
    schedule: Schedule
    references: References
    settings: RefineSettings
    lpips: Lpips | None
    checkpoint: Path | None
    stages: list[Stage] = field(default_factory=list)
    done: int = 0
    total: int = 0

    def steps(self) -> Steps[RoundsResult]:
        counts = self.schedule.counts(len(self.scene))
        self.total = self._work()
        yield from self._measure("start", 0, 0.0)
        least, gentlest = self._least_psnr(), 1.0
        for number, entry in enumerate(self.schedule.rounds, 1):
            if entry.cut >= gentlest:
                self._skip(entry)
                continue
            before = self.scene
            later = counts[number] if number < len(counts) else None
            count = self._count(counts[number - 1], entry)
            yield from self._round(number, entry, count, later)
            if self.stages[-1].evaluation.psnr < least:
                self.stages[-1] = replace(self.stages[-1], taken_back=True)
                self.scene, gentlest = before, entry.cut
        return self._result()

    def _round(self, number: int, entry: Round, count: int, later: int | None) -> Steps[None]:
        if count < len(self.scene):
            started = time.perf_counter()
            worth = yield from self._worth(number)
            self.scene = prune(self.scene, worth, count)
            yield from self._measure(f"cut {number}", number, time.perf_counter() - started)
        if entry.steps:
            started = time.perf_counter()
            sparsify = None
            if self.schedule.sparsify and later is not None and later < count:
                sparsify = Sparsify(later)
            settings = replace(self.settings, steps=entry.steps, sparsify=sparsify)
            label = f"round {number} of {len(self.schedule.rounds)}"
            file = None
            if self.checkpoint is not None:
                file = checkpoint_files(self.checkpoint, self.schedule)[number - 1]
            self.scene = yield from self._within(
                refine(self.scene, self.targets, settings, checkpoint=file),
                label,
                entry.steps,
                lambda partial: RoundsResult(partial, tuple(self.stages)),
            )
            yield from self._measure(f"refined {number}", number, time.perf_counter() - started)

    def _count(self, planned: int, entry: Round) -> int:
        """What a round leaves; by its own share once an earlier round was taken back."""
        if any(stage.taken_back for stage in self.stages):
            return max(1, round(len(self.scene) * (1 - entry.cut)))
        return planned

    def _worth(self, number: int) -> Steps[Worth]:
        name = self.schedule.score
        cameras = self.targets.cameras if SCORES[name].needs else ()
        label = f"round {number} of {len(self.schedule.rounds)}: scoring"
        scores = yield from self._within(
            score(
                self.scene, cameras, [name], background=lasting_background(self.targets.background)
            ),
            label,
            self._scoring_work(),
        )
        return scores[name]

    def _measure(self, name: str, number: int, seconds: float) -> Steps[None]:
        evaluation = yield from self._within(
            evaluate(self.scene, self.references, lpips=self.lpips),
            f"measuring: {name}",
            len(self.references.cameras),
        )
        self.stages.append(Stage(name, number, evaluation, seconds))
        yield Progress(
            self.done, self.total, f"{name}: {_summary(evaluation)}", partial=self._result()
        )

    def _least_psnr(self) -> float:
        """The PSNR below which a round is taken back, in dB."""
        least = -math.inf if self.schedule.min_psnr_db is None else self.schedule.min_psnr_db
        if self.schedule.max_loss_db is None:
            return least
        start = self.stages[0].evaluation.psnr
        if math.isinf(start):
            raise UserError(
                "Nothing to lose dB against: the scene is measured against itself.",
                "Give the least PSNR instead of the largest loss.",
            )
        return max(least, start - self.schedule.max_loss_db)

    def _within(
        self,
        steps: Steps[R],
        label: str,
        work: int,
        partial: Callable[[Any], RoundsResult] | None = None,
    ) -> Steps[R]:
        """Go through a job of this run, reporting its progress as a part of the whole."""
        reached = 0
        with closing(steps):
            while True:
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    self.done += work
                    result: R = stop.value
                    return result
                reached = max(reached, round(work * progress.fraction))
                found = None
                if partial is not None and progress.partial is not None:
                    found = partial(progress.partial)
                yield Progress(
                    self.done + reached,
                    self.total,
                    f"{label}, {progress.message}" if progress.message else label,
                    progress.values,
                    found,
                )

    def _result(self) -> RoundsResult:
        return RoundsResult(self.scene, tuple(self.stages))

    def _scoring_work(self) -> int:
        return len(self.targets.cameras) if SCORES[self.schedule.score].needs else 1

    def _work(self) -> int:
        """Reports expected in all: about as many as pictures are drawn."""
        work = len(self.references.cameras)
        return work + sum(self._round_work(entry) for entry in self.schedule.rounds)

    def _round_work(self, entry: Round) -> int:
        measured = len(self.references.cameras)
        cutting = self._scoring_work() + measured if entry.cut or self.schedule.target else 0
        return cutting + (entry.steps + measured if entry.steps else 0)

    def _skip(self, entry: Round) -> None:
        self.done += self._round_work(entry)


def _summary(evaluation: Evaluation) -> str:
    return f"{evaluation.psnr:.2f} dB, {evaluation.count:,} Gaussians"
