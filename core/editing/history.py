"""Undo and redo: a list of edits, a cursor, and a byte budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.editing.contents import Contents, Revision

MAX_EDITS = 200
MAX_BYTES = 512 * 2**20


class Target(Protocol):
    """What edits change: a document."""

    contents: Contents

    def touch_state(self) -> None:
        """Announce that ``contents`` changed; called once after one or more edits."""


class Edit(Protocol):
    """A change that can be done and undone exactly."""

    @property
    def name(self) -> str:
        """What a person calls it, for the menu and the history list."""

    @property
    def count(self) -> int:
        """Number of Gaussians that it changes, or puts in the place of others."""

    @property
    def nbytes(self) -> int:
        """Memory it holds."""

    def do(self, target: Target) -> None:
        """Apply it."""

    def undo(self, target: Target) -> None:
        """Take it back."""


@dataclass(frozen=True, slots=True, eq=False)
class FlipState:
    """Flips one flag of the state byte of some Gaussians; its own inverse.

    ``mask`` is kept as packed bits: an eighth of a byte per Gaussian.
    """

    name: str
    flag: int
    bits: NDArray[np.uint8]
    count: int

    @classmethod
    def of(cls, name: str, flag: int, mask: NDArray[np.bool_]) -> "FlipState":
        """Flip ``flag`` where the bool mask ``(N,)`` is true."""
        return cls(name, flag, np.packbits(mask), int(mask.sum()))

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        return self.bits.nbytes

    def do(self, target: Target) -> None:
        """Apply it."""
        contents = target.contents
        flips = np.unpackbits(self.bits, count=contents.state.size)
        flips *= np.uint8(self.flag)
        contents.state = np.bitwise_xor(contents.state, flips, out=flips)

    undo = do


class ReplaceScene:
    """Exchanges the contents of a document for others; its own inverse.

    It holds what the document does not: the new scene before it is done, then the old one. What
    both scenes share is no memory of its own.
    """

    def __init__(self, name: str, contents: Contents) -> None:
        self.name = name
        self.count = len(contents.scene)
        self.nbytes = 0
        self._aside = contents

    def do(self, target: Target) -> None:
        """Apply it."""
        target.contents, self._aside = self._aside, target.contents
        self.nbytes = self._aside.bytes_beside(target.contents)

    undo = do


class ChangeRows:
    """Gives some Gaussians other values; state bytes stay, scores turn stale until it is undone.

    It holds the old and the new values of those Gaussians and nothing of the others.

    Parameters
    ----------
    name
        What a person calls it.
    contents
        What it changes.
    rows
        Which Gaussians, int64 ``(M,)``.
    values
        Their new values: rows ``(M, ...)`` of tensors of a scene, by name.
    """

    def __init__(
        self, name: str, contents: Contents, rows: Tensor, values: Mapping[str, Tensor]
    ) -> None:
        tensors = contents.scene.tensors()
        self.name, self.count = name, len(rows)
        self._rows = rows.to(contents.scene.device)
        self._new = {key: value.to(contents.scene.device) for key, value in values.items()}
        self._old = {key: tensors[key][self._rows] for key in values}
        self._before = contents.revision
        self._after = Revision(contents.revision)
        held = (self._rows, *self._new.values(), *self._old.values())
        self.nbytes = sum(tensor.nbytes for tensor in held)

    def do(self, target: Target) -> None:
        """Apply it."""
        self._put(target, self._new, self._after)

    def undo(self, target: Target) -> None:
        """Take it back."""
        self._put(target, self._old, self._before)

    def _put(self, target: Target, values: Mapping[str, Tensor], revision: Revision) -> None:
        contents = target.contents
        tensors = contents.scene.tensors()
        changed = {key: tensors[key].clone() for key in values}
        for key, value in values.items():
            changed[key][self._rows] = value
        target.contents = contents.with_scene(contents.scene.with_tensors(changed), revision)


class History:
    """The edits of a document; the cursor moves only after an edit succeeded.

    The oldest edits are forgotten beyond ``max_edits`` or ``max_bytes``; at least one is kept.
    """

    def __init__(
        self, target: Target, max_edits: int = MAX_EDITS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._target = target
        self._max_edits = max_edits
        self._max_bytes = max_bytes
        self._edits: list[Edit] = []
        self._cursor = 0
        self._forgotten = 0

    def push(self, edit: Edit) -> None:
        """Do an edit and remember it; whatever was undone before is forgotten."""
        edit.do(self._target)
        self._edits = [*self._edits[: self._cursor], edit]
        self._cursor += 1
        self._forget()
        self._target.touch_state()

    def undo(self) -> None:
        """Take the last edit back; nothing happens where there is none."""
        self.go_to(self._cursor - 1)

    def redo(self) -> None:
        """Do the last undone edit again; nothing happens where there is none."""
        self.go_to(self._cursor + 1)

    def go_to(self, position: int) -> None:
        """Undo or redo until ``position`` edits are done; the change is announced once."""
        position = min(max(position, 0), len(self._edits))
        if position == self._cursor:
            return
        while self._cursor > position:
            self._edits[self._cursor - 1].undo(self._target)
            self._cursor -= 1
        while self._cursor < position:
            self._edits[self._cursor].do(self._target)
            self._cursor += 1
        self._target.touch_state()

    @property
    def undo_name(self) -> str | None:
        """Name of the edit that :meth:`undo` would take back."""
        return self._edits[self._cursor - 1].name if self._cursor > 0 else None

    @property
    def redo_name(self) -> str | None:
        """Name of the edit that :meth:`redo` would do."""
        return self._edits[self._cursor].name if self._cursor < len(self._edits) else None

    @property
    def nbytes(self) -> int:
        """Memory that all edits hold."""
        return sum(edit.nbytes for edit in self._edits)

    @property
    def max_bytes(self) -> int:
        """Memory that all edits may hold; a smaller figure forgets edits at once."""
        return self._max_bytes

    @max_bytes.setter
    def max_bytes(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._forget()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All remembered edits, the oldest first; those from :attr:`position` on are undone."""
        return tuple(self._edits)

    @property
    def position(self) -> int:
        """How many of :attr:`edits` are done."""
        return self._cursor

    @property
    def forgotten(self) -> int:
        """How many edits were done before the oldest remembered one."""
        return self._forgotten

    def _forget(self) -> None:
        """Drop the oldest edits beyond the budgets; where all are undone, the last ones."""
        while len(self._edits) > 1 and (
            len(self._edits) > self._max_edits or self.nbytes > self._max_bytes
        ):
            if self._cursor == 0:
                del self._edits[-1]
            else:
                del self._edits[0]
                self._cursor -= 1
                self._forgotten += 1
