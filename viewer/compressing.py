"""Trials of how to store the scene: what was asked, how one goes, and what came out."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PySide6.QtCore import QObject, Signal, Slot
from torch import Tensor

from core.cameras import View
from core.editing import Contents, Document
from core.formats import Format
from core.jobs import FINISHED, Job, Progress, Steps
from core.metrics.references import find_references
from core.neuralgs.compress import Compressed
from core.neuralgs.fitting import FitState
from core.neuralgs.settings import NeuralSettings
from core.rendering.heatmap import label_colors
from core.scene import SH_C0, GaussianScene
from core.training import Background, find_targets, lasting_background
from core.trials import Trial, save_trial, try_formats, try_nets
from viewer.compare import LIVE, CompareMode, Side
from viewer.look import Mode
from viewer.refining import living
from viewer.steps import ready_lpips
from viewer.widgets.numbers import megabytes_text

if TYPE_CHECKING:
    from viewer.session import Session

FORMATS_JOB, NETS_JOB = "Try formats", "Compress"


@dataclass(slots=True, eq=False)
class Story:
    """What is told of nets while they learn, and after.

    Attributes
    ----------
    losses
        Of every step: of the fit to the attributes, then of the fine-tune on pictures.
    fit_steps
        How many of them are of the fit.
    clusters
        Loss of each cluster at the end of the fit, ``(K,)``; None before it began.
    """

    losses: list[float]
    fit_steps: int = 0
    clusters: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a document held: its contents, and which of the Gaussians lived, bool ``(N,)``."""

    contents: Contents
    alive: Tensor

    def is_of(self, document: Document) -> bool:
        """Whether the document holds the same now."""
        return self.contents is document.contents and self.alive.equal(document.alive)


class Compressing(QObject):
    """Runs trials as jobs and keeps what they measured; lives on the window's thread.

    ``changed`` tells of every change, ``added`` of a new trial, by its number.
    """

    changed = Signal()
    added = Signal(int)

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self.trials: list[Trial] = []
        """In the order they were made; all of this document."""
        self.story = Story([])
        self._begun: State | None = None
        self._states: list[State] = []
        self._unsaved: set[int] = set()
        self._job: Job | None = None
        self._document: Document | None = None
        self._log: deque[Progress] = deque()
        self._sides: dict[tuple[int, str], Side] = {}
        session.runner.progressed.connect(self._read)
        session.runner.changed.connect(self._job_changed)
        session.document_replaced.connect(self._forget)

    @property
    def job_name(self) -> str:
        """Name of the trial that runs, empty where none does."""
        return "" if self._job is None else self._job.name

    @property
    def unsaved(self) -> int:
        """How many of the trials with nets, which took long to make, are in no file yet."""
        return len(self._unsaved)

    def is_current(self, trial: Trial) -> bool:
        """Whether a trial is of the scene as it is now."""
        document = self._session.document
        return document is not None and self._states[self.trials.index(trial)].is_of(document)

    def try_formats(self, formats: Sequence[Format], background: Background | None) -> None:
        """Store the scene in some formats and measure what comes back; runs as a job."""
        session, document = self._session, self._session.document
        if document is None or session.loaded is None or session.runner.busy:
            return
        steps = _format_steps(
            living(document), document.views, session.loaded.scene, formats, background
        )
        self._start(FORMATS_JOB, steps, document, lambda trials: self._take(document, trials))

    def try_nets(
        self, settings: NeuralSettings, background: Background | None, protect: bool = False
    ) -> None:
        """Compress the scene into nets and measure what comes back; runs as a job.

        ``protect``: store the selected Gaussians as they are.
        """
        session, document = self._session, self._session.document
        if document is None or session.loaded is None or session.runner.busy:
            return
        self.story = Story([])
        self._log.clear()
        protected = document.selected[document.alive] if protect else None
        steps = self._watched(
            _net_steps(
                living(document),
                document.views,
                session.loaded.scene,
                settings,
                background,
                protected,
            )
        )
        document.locked = True
        self._start(NETS_JOB, steps, document, lambda trial: self._take(document, (trial,)))

    def save(self, trial: Trial, path: Path) -> None:
        """Write the file that a trial measured."""
        session = self._session

        def told(_: object) -> None:
            if trial in self.trials:
                self._unsaved.discard(self.trials.index(trial))
            size = megabytes_text(path.stat().st_size / 1e6)
            session.notified.emit("info", f"Saved {path.name}, {size}.")

        session.asker.ask("save-trial", lambda: save_trial(trial, path), told)

    def compare(self, trial: Trial) -> None:
        """Compare the scene that was stored, left, with what comes back from the file, right."""
        self._compare(trial, self._side(trial, "", lambda: trial.scene))

    def compare_clusters(self, trial: Trial) -> None:
        """Compare the scene, left, with the clusters of a trial, each in a colour of its own."""
        side = self._side(trial, "Clusters of ", lambda: in_label_colors(trial), recolored=True)
        self._compare(trial, side)

    def _compare(self, trial: Trial, side: Side) -> None:
        compare = self._session.compare
        current = self.is_current(trial)
        compare.choose_a(LIVE if current else self._side(trial, "Before ", lambda: trial.source))
        compare.choose_b(side)
        if compare.mode == CompareMode.OFF:
            compare.set_mode(CompareMode.WIPE)
        if self._session.mode == Mode.HEATMAP:
            self._session.set_mode(Mode.COLOR)

    def _side(self, trial: Trial, prefix: str, make: Any, *, recolored: bool = False) -> Side:
        number = self.trials.index(trial) + 1
        key = number, prefix
        known = self._sides.get(key)
        if known is not None and known in self._session.compare.choices():
            return known
        scene = make()
        everything = torch.ones(len(scene), dtype=torch.bool)
        name = f"{prefix}{trial.title} ({number})"
        self._sides[key] = self._session.compare.remember(
            Contents(scene), everything, name, recolored=recolored
        )
        return self._sides[key]

    def _start(self, name: str, steps: Steps[Any], document: Document, take: Any) -> None:
        self._document = document
        self._begun = State(document.contents, document.alive)
        self._job = self._session.runner.start(name, steps, take, stopped=self._stopped)
        self.changed.emit()

    def _watched(self, steps: Steps[Trial]) -> Steps[Trial]:
        """The same steps; all that they report can be read, however fast they are."""
        try:
            while True:
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    trial: Trial = stop.value
                    return trial
                self._log.append(
                    progress
                    if isinstance(progress.partial, FitState)
                    else replace(progress, partial=None)
                )
                yield progress
        finally:
            steps.close()

    def _take(self, document: Document, trials: Sequence[Trial]) -> None:
        self._end()
        state = self._begun
        if self._session.document is document and state is not None:
            for trial in trials:
                if trial.neural is not None:
                    self._unsaved.add(len(self.trials))
                self.trials.append(trial)
                self._states.append(state)
                self.added.emit(len(self.trials) - 1)
        if trials:
            self._session.notified.emit("info", _told(trials))
        self.changed.emit()

    def _stopped(self, partial: object) -> None:
        document = self._document
        finished = partial if isinstance(partial, tuple) else ()
        if document is not None:
            self._take(document, finished)

    def _end(self) -> None:
        self._drain_log()
        if self._document is not None and self.job_name == NETS_JOB:
            self._document.locked = False
            self._session.show_live(None)
        self._job = None

    @Slot(Progress)
    def _read(self, _progress: Progress) -> None:
        job = self._job
        if job is None or job.state in FINISHED:
            return
        self._drain_log()
        if isinstance(job.partial, Compressed):
            self._session.show_live(job.partial.scene)
        self.changed.emit()

    def _drain_log(self) -> None:
        story = self.story
        while self._log:
            progress = self._log.popleft()
            state = progress.partial
            if isinstance(state, FitState):
                steps = state.step - story.fit_steps
                story.losses += steps * [progress.values["fit_loss"]]
                story.fit_steps, story.clusters = state.step, state.losses
            elif "loss" in progress.values:
                story.losses.append(progress.values["loss"])

    @Slot()
    def _job_changed(self) -> None:
        if self._job is not None:
            self.changed.emit()

    @Slot()
    def _forget(self) -> None:
        self.trials.clear()
        self._states.clear()
        self._unsaved.clear()
        self._sides.clear()
        self.story = Story([])
        self.changed.emit()


def _told(trials: Sequence[Trial]) -> str:
    """What a job came to."""
    if len(trials) > 1:
        return f"{len(trials)} formats tried: see Compress."
    trial = trials[0]
    size, psnr = megabytes_text(trial.bytes / 1e6), trial.evaluation.psnr
    return f"{trial.title}: {size}, {psnr:.2f} dB. It is in no file yet: save it in Compress."


def in_label_colors(trial: Trial) -> GaussianScene:
    """The Gaussians of a trial with nets, coloured by cluster alone."""
    if trial.neural is None:
        raise ValueError("there are no clusters")
    colors = label_colors(len(trial.neural.network.biases[0]))[trial.neural.labels.cpu()]
    sh = ((colors - 0.5) / SH_C0)[:, None].to(trial.scene.device)
    return replace(trial.scene, sh=sh)


def _format_steps(
    scene: GaussianScene,
    views: Sequence[View],
    opened: GaussianScene,
    formats: Sequence[Format],
    background: Background | None,
) -> Steps[tuple[Trial, ...]]:
    yield Progress(0, 1, "reading the weights of LPIPS")
    lpips, _ = ready_lpips()
    references = yield from find_references(
        views, opened, background=lasting_background(background)
    )
    return (yield from try_formats(scene, formats, references, lpips=lpips))


def _net_steps(
    scene: GaussianScene,
    views: Sequence[View],
    opened: GaussianScene,
    settings: NeuralSettings,
    background: Background | None,
    protected: Tensor | None,
) -> Steps[Trial]:
    yield Progress(0, 1, "reading the weights of LPIPS")
    lpips, _ = ready_lpips()
    references = yield from find_references(
        views, opened, background=lasting_background(background)
    )
    targets = yield from find_targets(scene, views, background=background)
    return (
        yield from try_nets(
            scene,
            targets,
            targets.cameras,
            settings,
            references,
            protected=protected,
            lpips=lpips,
        )
    )
