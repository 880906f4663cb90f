"""Measuring how good the open scene is: what is compared, when, and what came out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from torch import Tensor

from core.cameras import Camera, Split, View
from core.editing import Document
from core.jobs import FINISHED, Job, Progress, Steps, retold
from core.metrics import Comparison, Evaluation, compare, evaluate
from core.metrics.export import save_csv
from core.metrics.references import Color, find_references, held_out
from core.rigs import DEFAULT_RIG_COUNT
from core.scene import GaussianScene
from viewer.session import Session
from viewer.steps import ready_lpips

JOB = "Metrics"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is measured, from where, and with what; the same for all that comes of one job.

    Attributes
    ----------
    cameras
        One for each row.
    source
        What the pictures are compared with, for a person.
    lpips
        What LPIPS is measured with, or why it is not.
    """

    scene: GaussianScene
    alive: Tensor
    cameras: tuple[Camera, ...]
    source: str
    lpips: str


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What came out. ``before`` is the scene as opened, None where it is the one measured."""

    plan: Plan
    before: Evaluation | None
    after: Evaluation

    @property
    def comparison(self) -> Comparison | None:
        """Both, where there are two."""
        return None if self.before is None else Comparison(self.before, self.after)

    def is_stale(self, document: Document) -> bool:
        """Whether the scene has changed since."""
        plan = self.plan
        if document.scene is not plan.scene:
            return True
        return document.alive is not plan.alive and not document.alive.equal(plan.alive)


class Measuring(QObject):
    """Runs the measuring job of a session and keeps what it yields; lives on the window's thread.

    While it runs, ``measured`` grows row by row; a job that is cancelled leaves what was there
    before it.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._measured: Measured | None = None
        self._job: Job | None = None
        session.runner.progressed.connect(self._progressed)
        session.runner.changed.connect(self._job_changed)
        session.document_replaced.connect(self._forget)
        session.views_changed.connect(self._forget)

    @property
    def measured(self) -> Measured | None:
        """The figures, or those so far; None where nothing was measured."""
        job = self._job
        so_far = None if job is None or job.state in FINISHED else job.partial
        return so_far if isinstance(so_far, Measured) else self._measured

    @property
    def running(self) -> bool:
        """Whether the job runs."""
        return self._job is not None and self._job.state not in FINISHED

    @property
    def source(self) -> str:
        """What the scene would be compared with; empty where there is nothing."""
        document = self._session.document
        if document is None:
            return ""
        return _source(document.views, self._unchanged(document))

    def run(self, background: Color) -> None:
        """Measure the scene as it is now, and as it was opened; runs as a job."""
        session, document = self._session, self._session.document
        if document is None or session.loaded is None or session.runner.busy:
            return
        source = self.source
        opened = None if self._unchanged(document) else session.loaded.scene
        scene, alive, views = document.scene, document.alive, document.views
        steps = _steps(scene, alive, opened, views, background, source)

        def take(measured: Measured) -> None:
            if session.document is document:
                self._measured = measured
                self.changed.emit()

        self._job = session.runner.start(JOB, steps, take)
        self.changed.emit()

    def save(self, path: Path) -> None:
        """Write the figures of every view as a table."""
        measured = self._measured
        if measured is None:
            return
        result = measured.comparison or measured.after
        session = self._session
        session.asker.ask(
            "metrics-csv",
            lambda: save_csv(result, path),
            lambda _: session.notified.emit("info", f"Saved {path.name}."),
        )

    def _unchanged(self, document: Document) -> bool:
        loaded = self._session.loaded
        same = loaded is not None and document.scene is loaded.scene
        return same and document.alive_count == len(document.scene)

    @Slot()
    def _progressed(self) -> None:
        if self.running:
            self.changed.emit()

    @Slot()
    def _job_changed(self) -> None:
        if self._job is not None:
            if not self.running:
                self._job = None
            self.changed.emit()

    @Slot()
    def _forget(self) -> None:
        self._measured = None
        self.changed.emit()


def _steps(
    scene: GaussianScene,
    alive: Tensor,
    opened: GaussianScene | None,
    views: tuple[View, ...],
    background: Color,
    source: str,
) -> Steps[Measured]:
    """Measure a scene, and the one opened before it unless that is the same."""
    yield Progress(0, 1, "reading the weights of LPIPS")
    lpips, lpips_text = ready_lpips()
    references = yield from find_references(views, opened, None, background)
    plan = Plan(scene, alive, references.cameras, source, lpips_text)
    now = scene if bool(alive.all()) else scene.select(alive)

    def so_far(progress: Progress) -> Progress:
        partial = progress.partial and _measured(plan, progress.partial)
        return replace(progress, partial=partial)

    if opened is None:
        return _measured(plan, (yield from retold(evaluate(now, references, lpips=lpips), so_far)))
    steps = compare(opened, now, references, lpips=lpips)
    return _measured(plan, (yield from retold(steps, so_far)))


def _measured(plan: Plan, result: Evaluation | Comparison) -> Measured:
    if isinstance(result, Comparison):
        return Measured(plan, result.before, result.after)
    return Measured(plan, None, result)


def _source(views: Sequence[View], unchanged: bool) -> str:
    """What there is to compare with; in the order of :func:`core.metrics.references`."""
    photos = [view for view in views if view.photo is not None]
    chosen = held_out(photos or views)
    tested = bool(chosen) and chosen[0].split == Split.TEST
    count = f"{len(chosen):,}"
    if photos:
        return f"{count} held-out photos" if tested else f"{count} photos, none of them held out"
    if unchanged:
        return ""
    places = (
        f"{count} {'held-out ' * tested}cameras"
        if views
        else f"{DEFAULT_RIG_COUNT} generated views"
    )
    return f"the scene as opened, from {places}"
