"""What the window shows: a scene, a state byte per Gaussian, scores, views and a history."""

from collections.abc import Mapping, Sequence
from enum import IntFlag
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from psygnal import Signal
from torch import Tensor

from core.cameras import View
from core.editing.history import FlipState, History
from core.errors import UserError
from core.pruning import keep_mask
from core.scene import GaussianScene
from core.scoring import Worth


class State(IntFlag):
    """Bits of the state byte."""

    SELECTED = 1
    HIDDEN = 2
    DELETED = 4


class Document:
    """A scene being edited. Nothing is destroyed before export: deleting sets a flag.

    Signals are emitted on the thread that makes the change: the window's.

    Parameters
    ----------
    scene
        The scene as opened; it never changes.
    path
        The file it came from, if any.
    views
        The dataset's views, if any: cameras with or without photos.
    """

    state_changed = Signal()
    scores_changed = Signal()
    views_changed = Signal()
    history_changed = Signal()

    def __init__(
        self, scene: GaussianScene, path: Path | None = None, views: Sequence[View] = ()
    ) -> None:
        self.scene = scene
        self.path = path
        self.state: NDArray[np.uint8] = np.zeros(len(scene), np.uint8)
        self.history = History(self)
        self._views = tuple(views)
        self._scores: dict[str, Worth] = {}
        self._scored_alive: dict[str, Tensor | None] = {}
        self._alive: Tensor | None = None
        self._alive_count: int | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """The dataset's views; empty where the scene came alone."""
        return self._views

    @views.setter
    def views(self, views: Sequence[View]) -> None:
        self._views = tuple(views)
        self.views_changed.emit()

    @property
    def scores(self) -> Mapping[str, Worth]:
        """Scores computed so far, by name."""
        return self._scores

    def add_scores(self, scores: Mapping[str, Worth], alive: Tensor | None = None) -> None:
        """Take over freshly computed scores; equal names are replaced.

        ``alive``, bool ``(N,)``: the Gaussians that were there when views were swept for them.
        """
        self._scores.update(scores)
        self._scored_alive.update(dict.fromkeys(scores, alive))
        self.scores_changed.emit()

    def is_stale(self, name: str) -> bool:
        """Whether that score was swept with other living Gaussians than there are now."""
        scored = self._scored_alive.get(name)
        return scored is not None and scored is not self.alive and not scored.equal(self.alive)

    @property
    def alive(self) -> Tensor:
        """Which Gaussians are not deleted, bool ``(N,)``."""
        if self._alive is None:
            self._alive = torch.from_numpy((self.state & State.DELETED) == 0)
        return self._alive

    @property
    def alive_count(self) -> int:
        """Number of Gaussians that are not deleted."""
        if self._alive_count is None:
            self._alive_count = int(self.alive.sum())
        return self._alive_count

    def kept_scene(self) -> GaussianScene:
        """The scene without its deleted Gaussians: what an export writes."""
        return self.scene.select(self.alive)

    def prune(self, worth: Worth, count: int) -> None:
        """Delete all but the ``count`` worthiest of the living Gaussians, as one edit.

        Raises
        ------
        UserError
            If nothing would go, or nothing would stay.
        """
        keep = keep_mask(worth, count, self.alive)
        cut = (self.alive & ~keep).numpy()
        if not cut.any():
            raise UserError("Nothing would be pruned.", "Lower the number of Gaussians to keep.")
        self._push(FlipState.of(f"Prune to {count:,} Gaussians", State.DELETED, cut))

    def delete(self, mask: Tensor, name: str = "Delete") -> None:
        """Delete the living Gaussians chosen by a bool mask ``(N,)``, as one edit."""
        cut = (self.alive & mask).numpy()
        if cut.any():
            self._push(FlipState.of(name, State.DELETED, cut))

    def undo(self) -> None:
        """Take the last edit back."""
        self.history.undo()
        self.history_changed.emit()

    def redo(self) -> None:
        """Do the last undone edit again."""
        self.history.redo()
        self.history_changed.emit()

    def mark_saved(self) -> None:
        """Remember this state as the one on disk."""
        self.history.mark_saved()
        self.history_changed.emit()

    def touch_state(self) -> None:
        """Announce that ``state`` changed; called by edits."""
        self._alive = self._alive_count = None
        self.state_changed.emit()

    def _push(self, edit: FlipState) -> None:
        self.history.push(edit)
        self.history_changed.emit()
