"""What the window shows: a scene, a state byte per Gaussian, scores, views and a history."""

from collections.abc import Callable, Mapping, Sequence
from enum import IntFlag, StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from psygnal import Signal
from torch import Tensor

from core.cameras import View
from core.editing.history import FlipState, History
from core.errors import UserError
from core.properties import property_values
from core.pruning import keep_mask
from core.scene import GaussianScene
from core.scoring import Worth

Bools = NDArray[np.bool_]


class State(IntFlag):
    """Bits of the state byte."""

    SELECTED = 1
    HIDDEN = 2
    DELETED = 4


class SelectOp(StrEnum):
    """How a new set of Gaussians combines with the selected ones."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"
    INTERSECT = "intersect"


_BITS: Mapping[str, tuple[int, int]] = {
    "alive": (State.DELETED, 0),
    "visible": (State.DELETED | State.HIDDEN, 0),
    "selected": (State.DELETED | State.HIDDEN | State.SELECTED, State.SELECTED),
    "hidden": (State.DELETED | State.HIDDEN, State.HIDDEN),
}
"""Which bits of the state byte are looked at, and what they must be."""
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
        self._values: dict[str, NDArray[np.float64]] = {}
        self._scored_alive: dict[str, Tensor | None] = {}
        self._masks: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._saved = self.alive

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
        """Which Gaussians are not deleted, bool ``(N,)``; the same tensor until that changes."""
        return self._mask("alive")

    @property
    def visible(self) -> Tensor:
        """Which Gaussians are drawn: neither deleted nor hidden, bool ``(N,)``."""
        return self._mask("visible")

    @property
    def selected(self) -> Tensor:
        """Which of the visible Gaussians are selected, bool ``(N,)``."""
        return self._mask("selected")

    @property
    def hidden(self) -> Tensor:
        """Which of the living Gaussians are hidden, bool ``(N,)``."""
        return self._mask("hidden")

    @property
    def alive_count(self) -> int:
        """Number of Gaussians that are not deleted."""
        return self._count("alive")

    @property
    def visible_count(self) -> int:
        """Number of Gaussians that are drawn."""
        return self._count("visible")

    @property
    def selected_count(self) -> int:
        """Number of selected Gaussians."""
        return self._count("selected")

    @property
    def hidden_count(self) -> int:
        """Number of living Gaussians that are hidden."""
        return self._count("hidden")

    @property
    def modified(self) -> bool:
        """Whether an export would write other Gaussians than the file opened or saved last."""
        return self._saved is not self.alive and not self._saved.equal(self.alive)

    def values(self, name: str) -> NDArray[np.float64]:
        """A property (:data:`core.properties.PROPERTIES`), file column or computed score, ``(N,)``.

        The array is read-only and the same at every call.

        Raises
        ------
        KeyError
            If there is no such property, column or score.
        """
        worth = self._scores.get(name)
        if worth is not None:
            return worth.values.numpy()
        if name not in self._values:
            values = property_values(self.scene, name)
            values.flags.writeable = False
            self._values[name] = values
        return self._values[name]

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

    def go_to(self, position: int) -> None:
        """Undo or redo until ``position`` edits are done, see :attr:`History.position`."""
        self.history.go_to(position)
        self.history_changed.emit()

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
        self._saved = self.alive
        self.history_changed.emit()

    def touch_state(self) -> None:
        """Announce that ``state`` changed; called by edits."""
        for name, mask in self._masks.items():
            new = self._read(*_BITS[name])
            if not new.equal(mask):
                self._masks[name] = new
                self._counts.pop(name, None)
        self.state_changed.emit()

    def _flip(self, name: str, flags: int, mask: Bools) -> None:
        if mask.any():
            self.history.push(FlipState.of(name, flags, mask))
            self.history_changed.emit()

    def _mask(self, name: str) -> Tensor:
        mask = self._masks.get(name)
        if mask is None:
            mask = self._masks[name] = self._read(*_BITS[name])
        return mask

    def _count(self, name: str) -> int:
        if name not in self._counts:
            self._counts[name] = int(self._mask(name).sum())
        return self._counts[name]

    def _read(self, bits: int, wanted: int) -> Tensor:
        return torch.from_numpy((self.state & bits) == wanted)
