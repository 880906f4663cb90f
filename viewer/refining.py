"""Runs of the window that refine or train: the picture meanwhile, the story, and the one edit."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, TypeVar

from PySide6.QtCore import QObject, Signal, Slot
from torch import Tensor

from core.editing import Contents, Document, Edit
from core.jobs import Progress, Steps, drain
from core.pruning import Schedule
from core.pruning.rounds import RoundsResult, Stage
from core.scene import GaussianScene
from core.scoring import Worth
from core.training import Background, TrainSettings
from viewer.compare import LIVE, CompareMode, Side
from viewer.steps import ready_scores
from viewer.widgets.numbers import steps_text

if TYPE_CHECKING:
    from viewer.session import Session

WARM_UP_STEPS = 3
"""Steps of a run that say nothing about the time of a step: kernels are compiled in them."""

Log = deque[tuple[Mapping[str, float], tuple[Stage, ...] | None, float]]
"""Values that were reported, the stages so far where they came along, and seconds of work."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person asks of rounds: which, what lies behind the scene, and the seed."""

    schedule: Schedule
    background: Background | None = None
    seed: int = 0
    job: ClassVar[str] = "Refine"
    gerund: ClassVar[str] = "refining"

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.schedule.steps


@dataclass(frozen=True, slots=True)
class TrainChoices:
    """What a person asks of training."""

    settings: TrainSettings
    job: ClassVar[str] = "Train"
    gerund: ClassVar[str] = "training"

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.settings.steps


Asked = TypeVar("Asked", Choices, TrainChoices)


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """What a run made, with the scores of the new scene that need no views."""

    result: RoundsResult
    scores: Mapping[str, Worth]


class Outcome(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """Cancelled or failed; the scene is as it was."""
    KEPT = "kept"
    """Stopped, and what there was by then is kept."""


@dataclass(slots=True, eq=False)
class Run:
    """The story of a run.

    Attributes
    ----------
    choices, document, contents, alive, shown
        What was asked for, and what it began with; of the contents the Gaussians that lived, and
        those that were visible, bool ``(N,)``.
    scene
        The scene of those that lived.
    outcome
        How it stands.
    losses, counts
        The loss and the number of Gaussians of every step.
    rounds
        How many steps were done when each cut was made.
    stages
        What was measured, in order.
    offered
        What a stopped run had made, until that is kept or declined.
    edit
        What put the new scene in place.
    before
        The state before, to compare with.
    """

    choices: Choices | TrainChoices
    document: Document
    contents: Contents
    alive: Tensor
    shown: Tensor
    scene: GaussianScene
    outcome: Outcome = Outcome.RUNNING
    losses: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    stages: tuple[Stage, ...] = ()
    offered: RoundsResult | None = None
    edit: Edit | None = None
    before: Side | None = None
    _log: Log = field(default_factory=deque)
    _seconds: float = 0.0

    @property
    def step_s(self) -> float | None:
        """Mean seconds of a step, None until some were made."""
        steps = len(self.losses) - WARM_UP_STEPS
        return self._seconds / steps if steps > 0 else None

    @property
    def unchanged(self) -> bool:
        """Whether the document still has the Gaussians that the run began with."""
        document = self.document
        return self.contents is document.contents and self.alive.equal(document.alive)

    def watched(self, steps: Steps[Refined]) -> Steps[Refined]:
        """The same steps; all that they report can be read, however fast they are."""
        try:
            while True:
                started = time.perf_counter()
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    result: Refined = stop.value
                    return result
                spent = time.perf_counter() - started
                partial = progress.partial
                self._log.append(
                    (progress.values, None if partial is None else partial.stages, spent)
                )
                yield progress
        finally:
            steps.close()

    def read(self) -> None:
        """Take over what was reported since the last time."""
        while self._log:
            values, stages, seconds = self._log.popleft()
            if "loss" in values:
                self.losses.append(values["loss"])
                self.counts.append(values["count"])
                if len(self.losses) > WARM_UP_STEPS:
                    self._seconds += seconds
            if stages is not None:
                self.take_stages(stages)

    def take_stages(self, stages: tuple[Stage, ...]) -> None:
        """Take over what was measured by now."""
        new = stages[len(self.stages) :]
        self.rounds += [len(self.losses) for stage in new if stage.name.startswith("cut")]
        self.stages = stages


class Refining(QObject):
    """Refines or trains the session's document; lives on the window's thread.

    While one runs the document is locked and the scene in the making is drawn. What comes out is
    put in place as one edit, and the state before becomes side A of the comparison. A run that was
    stopped leaves the document as it was, and offers what it had.
    """

    changed = Signal()
    """The run, or what is known of it."""
    offered = Signal(str)
    """A run was stopped, and what it had can be kept; what a person is told of it."""
    withdrawn = Signal(str)
    """That offer is over: taken, declined, or of Gaussians that are no longer there."""

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self.run: Run | None = None
        """The run that works, or the last one of this document."""
        self.step_s: float | None = None
        """Mean seconds of a step in the last run of this document; None until there was one."""
        session.runner.progressed.connect(self._read)
        session.document_replaced.connect(self._forget)
        session.state_changed.connect(self._follow_edits)

    @property
    def running(self) -> bool:
        """Whether a run works now, or is paused."""
        return self.run is not None and self.run.outcome == Outcome.RUNNING

    def start(
        self,
        choices: Asked,
        make: Callable[[GaussianScene, Document, Asked], Steps[Refined]],
    ) -> None:
        """Begin a run as a job; nothing happens without a document or while another job runs."""
        session, document = self._session, self._session.document
        if document is None or session.runner.busy:
            return
        scene = living(document)
        contents = document.contents
        run = Run(choices, document, contents, document.alive, document.visible, scene)
        steps = run.watched(make(scene, document, choices))
        if self.run is not None:
            self._withdraw(self.run)
        self.run = run
        document.locked = True
        session.runner.start(
            choices.job,
            steps,
            lambda refined: self._take(run, refined),
            stopped=lambda partial: self._stopped(run, partial),
        )
        self.changed.emit()

    def keep(self) -> None:
        """Put in place what a stopped run had made."""
        run = self.run
        if run is None or run.offered is None:
            return
        result = run.offered
        self._withdraw(run)

        def take(scores: dict[str, Worth]) -> None:
            if self.run is run and self._session.document is run.document and run.unchanged:
                run.outcome = Outcome.KEPT
                self._replace(run, Refined(result, scores))

        self._session.asker.ask("keep", lambda: drain(ready_scores(result.scene)), take)
        self.changed.emit()

    def decline(self) -> None:
        """Drop what a stopped run had made."""
        if self.run is not None and self.run.offered is not None:
            self._withdraw(self.run)
            self.changed.emit()

    def compare(self) -> None:
        """Compare the state before the run with what is there now."""
        run, compare = self.run, self._session.compare
        if run is not None and run.before is not None:
            compare.choose_b(LIVE)
            compare.choose_a(run.before)
            if compare.mode == CompareMode.OFF:
                compare.set_mode(CompareMode.WIPE)

    @property
    def in_place(self) -> bool | None:
        """Whether the last run's edit is done (True) or undone; None where Undo and Redo are of
        other edits."""
        run = self.run
        if run is None or run.edit is None:
            return None
        history = run.document.history
        edits, position = history.edits, history.position
        if position and edits[position - 1] is run.edit:
            return True
        return False if position < len(edits) and edits[position] is run.edit else None

    def toggle(self) -> None:
        """Undo the last run's edit, or do it again."""
        if self.in_place is not None:
            (self._session.undo if self.in_place else self._session.redo)()

    @Slot(Progress)
    def _read(self, _progress: Progress) -> None:
        run, job = self.run, self._session.runner.job
        if (
            run is None
            or job is None
            or job.name != run.choices.job
            or run.outcome != Outcome.RUNNING
        ):
            return
        run.read()
        self.step_s = run.step_s or self.step_s
        if job.partial is not None and job.partial.scene is not run.scene:
            self._session.show_live(job.partial.scene)
        self.changed.emit()

    def _take(self, run: Run, refined: Refined) -> None:
        run.read()
        run.outcome = Outcome.DONE
        self._replace(run, refined)

    def _replace(self, run: Run, refined: Refined) -> None:
        session, document, scene = self._session, run.document, refined.result.scene
        run.take_stages(refined.result.stages)
        document.locked = False
        count = int(run.alive.sum())
        document.replace_scene(scene, f"{run.choices.job} to {len(scene):,} Gaussians")
        document.add_scores(refined.scores)
        run.edit = document.history.edits[-1]
        run.before = session.compare.remember(
            run.contents, run.shown, f"Before {run.choices.gerund}: {count:,}"
        )
        session.show_live(None)
        session.notified.emit(
            "info",
            f"Trained: {len(scene):,} Gaussians. Export writes them to a file."
            if isinstance(run.choices, TrainChoices)
            else f"Refined: {count:,} Gaussians before, {len(scene):,} now. Undo brings them back.",
        )
        self.changed.emit()

    def _stopped(self, run: Run, partial: RoundsResult | None) -> None:
        run.read()
        run.outcome = Outcome.STOPPED
        run.document.locked = False
        self._session.show_live(None)
        if partial is not None and partial.scene is not run.scene:
            run.offered = partial
            self.offered.emit(_offer_text(run, partial))
        self.changed.emit()

    def _withdraw(self, run: Run) -> None:
        if run.offered is not None:
            self.withdrawn.emit(_offer_text(run, run.offered))
            run.offered = None

    @Slot()
    def _follow_edits(self) -> None:
        """What was made of Gaussians that are no longer there cannot be kept."""
        run = self.run
        if run is not None and not run.unchanged:
            self._withdraw(run)
        self.changed.emit()

    @Slot()
    def _forget(self) -> None:
        if self.run is not None:
            self._withdraw(self.run)
        self.run = self.step_s = None
        self.changed.emit()


def _offer_text(run: Run, partial: RoundsResult) -> str:
    count, steps = len(partial.scene), steps_text(len(run.losses))
    return f"Stopped with {count:,} Gaussians after {steps}. The scene is as it was."


def living(document: Document) -> GaussianScene:
    """The scene of a document without its deleted Gaussians."""
    scene = document.scene
    return scene if document.alive_count == len(scene) else scene.select(document.alive)
