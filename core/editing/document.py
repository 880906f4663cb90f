"""What the window shows: a scene with its contents, views and a history of edits."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from psygnal import Signal
from torch import Tensor

from core.cameras import View
from core.editing.contents import Contents, State
from core.editing.history import ChangeRows, FlipState, History, ReplaceScene
from core.errors import UserError
from core.pruning import keep_mask
from core.scene import GaussianScene
from core.scoring import Worth

Bools = NDArray[np.bool_]


class SelectOp(StrEnum):
    """How a new set of Gaussians combines with the selected ones."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"
    INTERSECT = "intersect"


_COMBINED: Mapping[SelectOp, Callable[[Bools, Bools], Bools]] = {
    SelectOp.SET: lambda _old, new: new,
    SelectOp.ADD: lambda old, new: old | new,
    SelectOp.REMOVE: lambda old, new: old & ~new,
    SelectOp.INTERSECT: lambda old, new: old & new,
}


class Document:
    """A scene being edited. Nothing is destroyed before export: deleting sets a flag.

    Signals are emitted on the thread that makes the change: the window's.

    Parameters
    ----------
    scene
        The scene as opened; only :meth:`replace_scene` puts another in its place, and
        :meth:`complete` the whole where this is a part.
    path
        The file it came from, if any.
    views
        The dataset's views, if any: cameras with or without photos.
    """

    scene_changed = Signal()
    """Another scene is there, with other state bytes and scores; told before those are."""
    state_changed = Signal()
    scores_changed = Signal()
    views_changed = Signal()
    history_changed = Signal()
    refused = Signal()
    """An edit was asked for while the document is locked, and not made."""

    def __init__(
        self, scene: GaussianScene, path: Path | None = None, views: Sequence[View] = ()
    ) -> None:
        self.contents = Contents(scene)
        """What is true of the present scene only; changed by edits."""
        self.path = path
        self.locked = False
        """Whether edits are refused, such as while a job makes the next scene from this one."""
        self.history = History(self)
        self._views = tuple(views)
        self._announced = self.contents
        self.mark_saved()

    @property
    def scene(self) -> GaussianScene:
        """The present scene."""
        return self.contents.scene

    @property
    def state(self) -> NDArray[np.uint8]:
        """The state byte of every Gaussian, uint8 ``(N,)``; see :class:`State`."""
        return self.contents.state

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
        """Scores computed so far for the present scene, by name."""
        return self.contents.scores

    def add_scores(self, scores: Mapping[str, Worth], alive: Tensor | None = None) -> None:
        """Take over freshly computed scores of the present scene; equal names are replaced.

        ``alive``, bool ``(N,)``: the Gaussians that were there when views were swept for them.
        """
        self.contents.add_scores(scores, alive)
        self.scores_changed.emit()

    def is_stale(self, name: str) -> bool:
        """Whether that score is of other values, or was swept with other living Gaussians."""
        return self.contents.is_stale(name)

    @property
    def alive(self) -> Tensor:
        """Which Gaussians are not deleted, bool ``(N,)``; the same tensor until that changes."""
        return self.contents.mask("alive")

    @property
    def visible(self) -> Tensor:
        """Which Gaussians are drawn: neither deleted nor hidden, bool ``(N,)``."""
        return self.contents.mask("visible")

    @property
    def selected(self) -> Tensor:
        """Which of the visible Gaussians are selected, bool ``(N,)``."""
        return self.contents.mask("selected")

    @property
    def hidden(self) -> Tensor:
        """Which of the living Gaussians are hidden, bool ``(N,)``."""
        return self.contents.mask("hidden")

    @property
    def alive_count(self) -> int:
        """Number of Gaussians that are not deleted."""
        return self.contents.count("alive")

    @property
    def visible_count(self) -> int:
        """Number of Gaussians that are drawn."""
        return self.contents.count("visible")

    @property
    def selected_count(self) -> int:
        """Number of selected Gaussians."""
        return self.contents.count("selected")

    @property
    def hidden_count(self) -> int:
        """Number of living Gaussians that are hidden."""
        return self.contents.count("hidden")

    @property
    def modified(self) -> bool:
        """Whether an export would write other Gaussians than the file opened or saved last."""
        revision, alive = self._saved
        if revision is not self.contents.revision:
            return True
        return alive is not self.alive and not alive.equal(self.alive)

    def values(self, name: str) -> NDArray[np.float64]:
        """A property (:data:`core.properties.PROPERTIES`), file column or computed score, ``(N,)``.

        The array is read-only and the same at every call.

        Raises
        ------
        KeyError
            If there is no such property, column or score.
        """
        return self.contents.values(name)

    def prune(self, worth: Worth, count: int) -> None:
        """Delete all but the ``count`` worthiest of the living Gaussians, as one edit.

        Raises
        ------
        UserError
            If nothing would go, or nothing would stay.
        """
        self.cut(self.alive & ~keep_mask(worth, count, self.alive))

    def cut(self, mask: Tensor) -> None:
        """Delete the living Gaussians that a prune chose, bool ``(N,)``, as one edit.

        Raises
        ------
        UserError
            If nothing would go, or nothing would stay.
        """
        gone = (self.alive & mask).numpy()
        left = self.alive_count - int(np.count_nonzero(gone))
        if left == self.alive_count:
            raise UserError("Nothing would be pruned.", "Lower the number of Gaussians to keep.")
        if left == 0:
            raise UserError("Nothing would be left.", "Keep at least one Gaussian.")
        self._flip(f"Prune to {left:,} Gaussians", State.DELETED, gone)

    def delete(self, mask: Tensor, name: str = "Delete") -> None:
        """Delete the living Gaussians chosen by a bool mask ``(N,)``, as one edit."""
        self._flip(name, State.DELETED, (self.alive & mask).numpy())

    def delete_selected(self) -> None:
        """Delete the selected Gaussians, as one edit."""
        self._flip("Delete selected", State.DELETED | State.SELECTED, self.selected.numpy())

    def select(self, mask: Tensor, op: SelectOp = SelectOp.SET, name: str = "Select") -> None:
        """Select visible Gaussians by a bool mask ``(N,)``; one edit, if that changes anything."""
        before = self.selected.numpy()
        after = _COMBINED[op](before, (self.visible & mask).numpy())
        self._flip(name, State.SELECTED, before ^ after)

    def select_all(self) -> None:
        """Select all visible Gaussians, as one edit."""
        self.select(self.visible, name="Select all")

    def select_none(self) -> None:
        """Select no Gaussians, as one edit."""
        self.select(torch.zeros_like(self.visible), name="Select none")

    def invert_selection(self) -> None:
        """Select the visible Gaussians that are not, and no others."""
        self._flip("Invert selection", State.SELECTED, self.visible.numpy())

    def hide_selected(self) -> None:
        """Hide the selected Gaussians and select none, as one edit."""
        self._flip("Hide selected", State.HIDDEN | State.SELECTED, self.selected.numpy())

    def isolate_selected(self) -> None:
        """Hide all but the selected Gaussians, as one edit."""
        if self.selected_count:
            others = (self.visible & ~self.selected).numpy()
            self._flip("Hide all but selected", State.HIDDEN, others)

    def unhide(self) -> None:
        """Show all hidden Gaussians, as one edit."""
        self._flip("Show all", State.HIDDEN, self.hidden.numpy())

    def replace_scene(self, scene: GaussianScene, name: str) -> None:
        """Put another scene in the place of this one, all of it visible, as one edit.

        Undo brings the present one back, with its state bytes and scores.

        Raises
        ------
        UserError
            If there are no Gaussians in it.
        """
        if not len(scene):
            raise UserError("Nothing would be left.", "Keep at least one Gaussian.")
        if self._may_edit():
            self.history.push(ReplaceScene(name, Contents(scene)))
            self.history_changed.emit()

    def complete(self, scene: GaussianScene) -> None:
        """Put the whole scene in the place of the part of it that was there first; no edit."""
        self.contents = Contents(scene)
        self.touch_state()
        self.mark_saved()

    def change(self, mask: Tensor, values: Mapping[str, Tensor], name: str) -> None:
        """Give the M Gaussians of a bool mask ``(N,)`` other values, as one edit.

        ``values`` are their rows ``(M, ...)`` of tensors of the scene by name, such as those of
        :mod:`core.editing.changes`. State bytes stay; scores turn stale.
        """
        rows = mask.nonzero().squeeze(1)
        if len(rows) and self._may_edit():
            self.history.push(ChangeRows(name, self.contents, rows, values))
            self.history_changed.emit()

    def go_to(self, position: int) -> None:
        """Undo or redo until ``position`` edits are done, see :attr:`History.position`."""
        if self._may_edit():
            self.history.go_to(position)
            self.history_changed.emit()

    def undo(self) -> None:
        """Take the last edit back."""
        self.go_to(self.history.position - 1)

    def redo(self) -> None:
        """Do the last undone edit again."""
        self.go_to(self.history.position + 1)

    def mark_saved(self) -> None:
        """Remember this state as the one on disk."""
        self._saved = self.contents.revision, self.alive
        self.history_changed.emit()

    def touch_state(self) -> None:
        """Announce that :attr:`contents` changed, or what is in them; called by edits."""
        contents, announced = self.contents, self._announced
        contents.refresh()
        self._announced = contents
        if contents is not announced:
            self.scene_changed.emit()
        self.state_changed.emit()
        if contents is not announced:
            self.scores_changed.emit()

    def _flip(self, name: str, flags: int, mask: Bools) -> None:
        if mask.any() and self._may_edit():
            self.history.push(FlipState.of(name, flags, mask))
            self.history_changed.emit()

    def _may_edit(self) -> bool:
        if self.locked:
            self.refused.emit()
        return not self.locked
