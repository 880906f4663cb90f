"""What the window is doing: the document, the chosen score, mode and prune target.

Panels and viewport know the session and nothing of each other.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PySide6.QtCore import QObject, Signal
from torch import Tensor

from core.cameras import Camera
from core.datasets import Dataset
from core.editing import Document, Edit
from core.errors import UserError
from core.formats import Loaded, is_scene
from core.gmae.splatting import WHITE
from core.images import is_image
from core.jobs import Steps, drain
from core.pruning import Choice, Cut, Filter, Join, choice, cut_mask
from core.scene import GaussianScene
from core.scoring import DEFAULT_SCORE, SCORES, Worth
from core.scoring.ranking import Ranking
from viewer.asking import Asker
from viewer.compare import Compare
from viewer.compressing import Compressing
from viewer.imaging import Imaging
from viewer.jobs import JobRunner
from viewer.live import Live
from viewer.look import Color, Look, Mode
from viewer.memory import Memory
from viewer.opening import Opening
from viewer.peeling import Peeling
from viewer.refining import Refining
from viewer.steps import (
    Opened,
    dataset_steps,
    export_steps,
    open_steps,
    photos_steps,
    ready_scores,
    score_steps,
)
from viewer.view_photos import ViewPhotos
from viewer.widgets.numbers import megabytes_text

log = logging.getLogger(__name__)

LOCKED = "The scene cannot be edited while a job makes the next one of it: wait, or cancel the job."
Held = tuple[Document | None, Loaded | None, Dataset | None]
"""What is open: the document, the file it came from, and the photos and cameras."""


class Session(QObject):
    """The state shared by all parts of the window. Lives on the window's thread."""

    document_replaced = Signal()
    scene_changed = Signal()
    """The document has another scene, with other state bytes and scores."""
    state_changed = Signal()
    scores_changed = Signal()
    views_changed = Signal()
    history_changed = Signal()
    live_changed = Signal()
    """Another state of the scene in the making is there, or the document is drawn again."""
    look_changed = Signal()
    score_changed = Signal()
    target_changed = Signal()
    exported = Signal(Path)
    other_scene_found = Signal(Path, Path)
    """A scene that lies with photos which were attached to another one, and their folder."""
    notified = Signal(str, str)
    """Level ("info", "warning", "error") and text for a person."""
    crashed = Signal(str, str)
    """Text for a person and traceback of what should not have happened."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.runner = JobRunner(self)
        self.runner.failed.connect(self.report)
        self.document: Document | None = None
        self.loaded: Loaded | None = None
        self.dataset: Dataset | None = None
        self.live: Live | None = None
        """What is drawn in the place of the document's scene, while a job works on that."""
        self._memory = Memory()
        self.asker = Asker(self.runner.lane)
        self.asker.failed.connect(self.report)
        self.photos = ViewPhotos(self)
        self.photos.failed.connect(self.report)
        self.compare = Compare(self)
        self.opening = Opening(self)
        self.imaging = Imaging(self)
        self.refining = Refining(self)
        self.compressing = Compressing(self)
        self._look = Look()
        self.peeling = Peeling(self)
        self._background = self._look.background
        self._score_name = DEFAULT_SCORE
        self._cut = Cut()
        self._applied: tuple[Edit, Cut] | None = None
        """The last prune and what it was asked for, so that undoing it asks for that again."""
        self._hiding = False

    # What is shown

    @property
    def look(self) -> Look:
        """How the viewport draws."""
        return self._look

    def set_look(self, **changes: Any) -> None:
        """Draw differently: new values for fields of :class:`Look`."""
        look = replace(self._look, **changes)
        if look != self._look:
            self._look = look
            self.look_changed.emit()

    @property
    def mode(self) -> Mode:
        """What the viewport draws."""
        return self._look.mode

    def set_mode(self, mode: Mode) -> None:
        """Draw something else."""
        self.set_look(mode=mode)

    def set_background(self, color: Color) -> None:
        """Draw this scene and the next ones on a colour; images are drawn on white at first."""
        self._background = color
        self.set_look(background=color)

    @property
    def score_name(self) -> str:
        """The chosen score, a key of :data:`core.scoring.SCORES`."""
        return self._score_name

    @property
    def worth(self) -> Worth | None:
        """The chosen score's values, None until computed."""
        return None if self.document is None else self.document.scores.get(self._score_name)

    @property
    def ranking(self) -> Ranking | None:
        """The living Gaussians by the chosen score, None until computed."""
        worth = self.worth
        if self.document is None or worth is None:
            return None
        return self._memory.get(Ranking.of, worth, self.document.alive)

    def set_score(self, name: str) -> None:
        """Choose the score behind heatmap, histogram and pruning."""
        self._score_name = name
        self.score_changed.emit()

    def show_live(self, scene: GaussianScene | None) -> None:
        """Draw a scene in the making in the place of the document's; None draws this again."""
        if scene is None and self.live is None:
            return
        if scene is None or self.live is None or self.live.scene is not scene:
            self.live = None if scene is None else Live.of(scene)
            self.live_changed.emit()

    @property
    def drawn(self) -> Tensor | None:
        """What the viewport draws of the document, bool ``(N,)``: what is visible and not peeled.

        The same tensor until that changes; None without a document.
        """
        document, mask = self.document, self.peeling.mask
        if document is None or mask is None:
            return None if document is None else document.visible
        return self._memory.get(torch.logical_and, document.visible, mask)

    # The prune target: slider, number, count, megabytes and threshold are views of it

    @property
    def cut(self) -> Cut:
        """What the prune that is being previewed takes away; empty where there is none."""
        return self._cut

    @property
    def target(self) -> int | None:
        """How many Gaussians are to stay, by score, while that is being previewed; else None."""
        return self._cut.target

    @property
    def removed(self) -> Tensor | None:
        """Which living Gaussians the preview takes away, bool ``(N,)``; None without a preview."""
        document, worth = self.document, self.worth
        if document is None or self._cut.empty:
            return None
        return self._memory.get(cut_mask, self._cut, worth, document.alive, document.values)

    @property
    def removed_count(self) -> int:
        """How many Gaussians the preview takes away."""
        removed = self.removed
        return 0 if removed is None else self._memory.get(_count, removed)

    @property
    def choice(self) -> Choice | None:
        """What the filters leave to the score; None without a document."""
        document, cut = self.document, self._cut
        if document is None:
            return None
        return self._memory.get(choice, cut.filters, cut.join, document.alive, document.values)

    @property
    def choice_ranking(self) -> Ranking | None:
        """What the filters leave to the score, in its order; None until that is computed."""
        worth, left = self.worth, self.choice
        if worth is None or left is None:
            return None
        return self._memory.get(Ranking.of, worth, left.among)

    def set_target(self, count: int | None) -> None:
        """Preview that ``count`` Gaussians stay, by score; None leaves the score aside."""
        if self.document is not None and count is not None:
            count = max(1, min(count, self.document.alive_count))
            limits = self._cut.filters and self._cut.join == Join.AND
            if count == self.document.alive_count and not limits:
                count = None
        self._set_cut(replace(self._cut, target=count))

    def set_filters(self, filters: Sequence[Filter], join: Join | None = None) -> None:
        """Preview what filters take away, joined with the score and each other."""
        join = self._cut.join if join is None else join
        self._set_cut(replace(self._cut, filters=tuple(filters), join=join))

    def reset_cut(self) -> None:
        """End the preview."""
        self._set_cut(Cut(join=self._cut.join))

    def _set_cut(self, cut: Cut) -> None:
        if cut != self._cut:
            self._cut = cut
            self.target_changed.emit()

    @property
    def hiding(self) -> bool:
        """Whether the preview leaves out what would go, instead of marking it."""
        return self._hiding

    def set_hiding(self, hiding: bool) -> None:
        """Leave out what would go in the preview, or mark it."""
        if hiding != self._hiding:
            self._hiding = hiding
            self.target_changed.emit()

    @property
    def stale(self) -> bool:
        """Whether the chosen score was computed for other living Gaussians than there are now."""
        document = self.document
        return document is not None and document.is_stale(self._score_name)

    def megabytes(self, count: int) -> float:
        """Size of ``count`` Gaussians of this scene as a plain PLY, in units of 10**6 bytes."""
        each = 0 if self.document is None else self.document.scene.ply_bytes_each
        return count * each / 1e6

    def apply_prune(self) -> None:
        """Delete what the preview shows, as one undoable step."""
        document, removed = self.document, self.removed
        if document is None or removed is None:
            return
        if self.worth is None and self.target is not None:
            self.notified.emit(
                "error", "There is no score yet. Compute one in the Sensitivity panel."
            )
            return
        if document.locked:
            document.refused.emit()
            return
        before, shown, cut = document.alive_count, document.visible, self._cut
        try:
            self._cut = Cut(join=cut.join)
            document.cut(removed)
        except UserError as error:
            self.report(error)
        else:
            count = document.alive_count
            self._applied = document.history.edits[-1], cut
            self.compare.remember(document.contents, shown, f"Before pruning: {before:,}")
            self.notified.emit(
                "info",
                f"Pruned {before - count:,} Gaussians, {count:,} remain. Undo brings them back.",
            )
        self.target_changed.emit()

    def undo(self) -> None:
        """Take the last edit back, if there is one; a prune is previewed again."""
        if self.document is not None:
            history = self.document.history
            edit = history.edits[history.position - 1] if history.position else None
            self.document.undo()
            applied = self._applied
            if applied is not None and applied[0] is edit and not self.document.locked:
                self._set_cut(applied[1])

    def redo(self) -> None:
        """Do the last undone edit again, if there is one."""
        document = self.document
        if document is not None:
            history = document.history
            edit = history.edits[history.position] if history.redo_name is not None else None
            if self._applied is not None and self._applied[0] is edit and not document.locked:
                self.reset_cut()
            document.redo()

    # Files

    def open(self, path: Path, data: Path | None = None) -> None:
        """Open a scene, with a dataset's views if given; runs as a job.

        Of a file that takes long to decode the parts are shown as they come; a cancel brings back
        what was open before.
        """
        self._start(
            f"Open {path.name}",
            open_steps(path, data),
            self.opening.take,
            computes=False,
            stopped=self.opening.bring_back,
        )

    def open_photos(self, path: Path) -> None:
        """Begin a scene of posed photos with their points, for training; runs as a job."""
        self._start(f"Read {path.name}", photos_steps(path), self.opening.take, computes=False)

    @property
    def untrained(self) -> bool:
        """Whether the scene is the points of photos as they came, from which one is trained."""
        document, loaded = self.document, self.loaded
        if document is None or loaded is None or document.path is not None:
            return False
        return document.scene is loaded.scene and self.imaging.source is None

    @property
    def own_camera(self) -> Camera | None:
        """The camera for whose picture the scene was made, as an image has one."""
        return None if self.document is None else self.document.scene.camera

    @property
    def title(self) -> str:
        """What the open scene is called; empty without one."""
        if self.document is None:
            return ""
        source = self.imaging.source
        if self.document.path is None and source is not None:
            return source.name
        return "Untitled" if self.document.path is None else self.document.path.name

    def begin(self, name: str, steps: Steps[Opened]) -> None:
        """Open what steps make; runs as a job."""
        self._start(name, steps, self.opening.take)

    def open_dataset(self, path: Path) -> None:
        """Attach a dataset's views to the open scene; runs as a job."""

        def take(read: tuple[Dataset, Path | None]) -> None:
            self._take_dataset(*read, path)

        self._start(f"Read {path.name}", dataset_steps(path), take, computes=False)

    def open_any(self, path: Path) -> None:
        """Open what was dropped or named: a scene file, an image, or a folder of posed photos."""
        if is_image(path):
            self.imaging.open(path)
        elif is_dataset(path):
            if self.document is None:
                self.notified.emit(
                    "error", "Open a scene first, then drop its photos and cameras onto it."
                )
            else:
                self.open_dataset(path)
        else:
            self.open(path)

    def export(self, path: Path) -> None:
        """Write the scene without its deleted Gaussians; runs as a job."""
        document = self.document
        if document is None:
            return
        alive = document.alive

        def done(size: int) -> None:
            if document.alive is alive:
                document.mark_saved()
                self.exported.emit(path)
            count = int(alive.sum())
            self.notified.emit(
                "info",
                f"Exported {count:,} Gaussians to {path.name}, {megabytes_text(size / 1e6)}.",
            )

        steps = export_steps(document.scene, alive, path)
        self._start(f"Export {path.name}", steps, done, computes=False)

    # Scores

    def run_scores(self, view_count: int | None = None) -> None:
        """Sweep the views and compute every score that one sweep yields; runs as a job.

        ``view_count`` asks for that many generated views; None for the dataset's training views,
        or a default number of generated ones where there is no dataset.
        """
        document = self.document
        if document is None:
            return
        paper = SCORES[self._score_name].color_term
        swept = {name: entry for name, entry in SCORES.items() if entry.needs}
        names = [name for name, entry in swept.items() if paper or not entry.color_term]
        scene, alive = document.scene, document.alive
        steps = score_steps(scene, alive, document.views, names, view_count)

        def take(scores: dict[str, Worth]) -> None:
            if self.document is not document:
                return
            if document.scene is scene:
                document.add_scores(scores, alive)
                self.notified.emit("info", f"Scored {document.alive_count:,} Gaussians.")
            else:
                self.notified.emit(
                    "warning", "The scene was replaced while it was scored: compute scores again."
                )

        self._start("Sensitivity", steps, take)

    def shut_down(self) -> bool:
        """End the workers when the window closes; whether they ended in time."""
        ended = [part.shut_down() for part in (self.runner, self.asker, self.photos)]
        self.imaging.shut_down()
        return all(ended)

    def _start(
        self,
        name: str,
        steps: Steps[Any],
        done: Callable[[Any], None],
        *,
        computes: bool = True,
        stopped: Callable[[Any], None] | None = None,
    ) -> None:
        running = self.runner.job
        if self.runner.busy and running is not None:
            steps.close()
            self.notified.emit("warning", f"{running.name} still runs: wait, or cancel it first.")
        else:
            self.runner.start(name, steps, done, computes=computes, stopped=stopped)

    def hold(self, held: Held) -> None:
        """Have this open in the place of what was; of an image in its colours, on white."""
        self.document, self.loaded, self.dataset = held
        self._cut, self._applied = Cut(), None
        self._memory.clear()
        self.compare.reset(self.document)
        self.show_live(None)
        self.imaging.begin()
        before = self._look
        if self.own_camera is None:
            self._look = replace(before, background=self._background)
        else:
            self._look = replace(before, background=WHITE, mode=Mode.COLOR)
        self.document_replaced.emit()
        if self._look != before:
            self.look_changed.emit()

    def follow(self, document: Document) -> None:
        """Tell of what happens to a document that is going to be open."""
        document.scene_changed.connect(self._on_scene_changed)
        document.refused.connect(self._on_refused)
        document.state_changed.connect(self._on_state_changed)
        document.scores_changed.connect(self.scores_changed.emit)
        document.views_changed.connect(self.views_changed.emit)
        document.history_changed.connect(self.history_changed.emit)

    def _take_dataset(self, dataset: Dataset, scene: Path | None, folder: Path) -> None:
        if self.document is None:
            return
        self.dataset = dataset
        self.document.views = dataset.views
        self.notified.emit("info", f"{len(dataset.views)} views attached ({dataset.kind}).")
        path = self.document.path
        if scene is not None and (path is None or not _is_inside(path, folder)):
            self.other_scene_found.emit(scene, folder)

    def _on_scene_changed(self) -> None:
        self._memory.clear()
        self.scene_changed.emit()
        self.reset_cut()
        self._renew_scores()

    def _renew_scores(self) -> None:
        """Compute anew what needs no views, where an edit gave Gaussians other values."""
        document = self.document
        if document is None:
            return
        plain = [name for name, entry in SCORES.items() if not entry.needs]
        if not any(document.is_stale(name) for name in plain):
            return
        scene = document.scene

        def take(scores: dict[str, Worth]) -> None:
            if self.document is document and document.scene is scene:
                document.add_scores(scores)

        self.asker.ask("ready-scores", lambda: drain(ready_scores(scene)), take)

    def _on_refused(self) -> None:
        self.notified.emit("warning", LOCKED)

    def _on_state_changed(self) -> None:
        document = self.document
        if document and self.target is not None and self.target >= document.alive_count:
            self.set_target(self.target)
        self.state_changed.emit()

    def report(self, error: BaseException) -> None:
        """Tell a person what went wrong."""
        if isinstance(error, UserError):
            self.notified.emit("error", str(error))
        else:
            log.error("a job failed", exc_info=error)
            trace = "".join(traceback.format_exception(error))
            self.crashed.emit(f"Something went wrong: {error}", trace)


def is_dataset(path: Path) -> bool:
    """Whether a path that was dropped or named is of posed photos, not of a scene."""
    return path.is_dir() or (path.suffix == ".json" and not is_scene(path))


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _count(mask: Tensor) -> int:
    return int(mask.sum())
