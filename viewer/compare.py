"""Comparing two states of the scene, or the scene with a photo."""

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from PySide6.QtCore import QObject, Signal
from torch import Tensor

from core.editing import Contents, Document
from viewer.widgets.numbers import count_text

MAX_SNAPSHOTS = 8


class CompareMode(StrEnum):
    """How two pictures are shown."""

    OFF = "off"
    WIPE = "wipe"
    SIDE_BY_SIDE = "side"
    DIFFERENCE = "difference"


class SideKind(StrEnum):
    """What a side shows."""

    LIVE = "live"
    """The document as it is now, with the prune's preview."""
    STATE = "state"
    """The Gaussians that were there when a snapshot was taken."""
    PHOTO = "photo"
    """The photo of the camera that the view stands at."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of two things to compare.

    Where the kind is STATE, ``shown`` is bool ``(N,)`` and ``contents`` holds the scene that it
    was taken of, which another may have replaced since; None is the scene of the present.
    ``recolored``: its colours tell something else than how the scene looks.
    """

    kind: SideKind
    name: str
    shown: Tensor | None = None
    contents: Contents | None = None
    recolored: bool = False

    def same_as(self, other: "Side") -> bool:
        """Whether both are states that show the same Gaussians of the same scene."""
        if self.shown is None or other.shown is None or self.contents is not other.contents:
            return False
        return self.shown is other.shown or self.shown.equal(other.shown)


LIVE = Side(SideKind.LIVE, "Now")
PHOTO = Side(SideKind.PHOTO, "Photo")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a frame compares. A is on the left; ``split`` is where the wipe stands, 0 to 1.

    ``flip`` shows one side alone, whatever the mode: B, or with the mode OFF the side that is not
    on the screen already. With the mode OFF and no flip there is nothing to compare.
    """

    mode: CompareMode
    a: Side
    b: Side
    split: float = 0.5
    flip: bool = False

    @property
    def alone(self) -> Side | None:
        """The side that a flip shows by itself, None without one."""
        if not self.flip:
            return None
        return self.a if self.mode == CompareMode.OFF and self.b is LIVE else self.b


class Compare(QObject):
    """The sides being compared and how; lives on the window's thread.

    ``changed`` tells of every change to what :meth:`comparison` returns, ``sides_changed`` of
    another choice of sides: snapshots came or went, or A or B is another one.
    """

    changed = Signal()
    sides_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mode = CompareMode.OFF
        self.a: Side | None = None
        self.b: Side = LIVE
        self.split = 0.5
        self.flip = False
        self.opened: Side | None = None
        """All Gaussians of the file; None while no scene is open."""
        self.snapshots: list[Side] = []
        """Oldest first; the oldest goes when there would be more than ``MAX_SNAPSHOTS``."""
        self._taken = 0

    def comparison(self) -> Comparison | None:
        """What the next frame compares, None where nothing is."""
        if self.a is None or (self.mode == CompareMode.OFF and not self.flip):
            return None
        return Comparison(self.mode, self.a, self.b, self.split, self.flip)

    def choices(self) -> list[Side]:
        """What A and B can be; empty while no scene is open."""
        if self.opened is None:
            return []
        return [LIVE, self.opened, *self.snapshots, PHOTO]

    def reset(self, document: Document | None) -> None:
        """Start anew with a document: A is the scene as opened, B as it is now."""
        self.snapshots.clear()
        self._taken = 0
        if document is None:
            self.opened = None
        else:
            everything = torch.ones(len(document.scene), dtype=torch.bool)
            self.opened = Side(SideKind.STATE, "As opened", everything, document.contents)
        self.a, self.b = self.opened, LIVE
        self.mode, self.split, self.flip = CompareMode.OFF, 0.5, False
        self._tell_sides()

    def take_snapshot(self, document: Document) -> Side:
        """Remember which Gaussians are drawn now; the same ones are remembered once."""
        count = count_text(document.visible_count)
        name = f"Snapshot {self._taken + 1}: {count}"
        side = Side(SideKind.STATE, name, document.visible, document.contents)
        for known in self.snapshots:
            if known.same_as(side):
                return known
        self._taken += 1
        return self._keep(side)

    def keep_a(self, document: Document) -> Side:
        """Take a snapshot, and compare with it from now on."""
        side = self.take_snapshot(document)
        self.choose_a(side)
        return side

    def remember(
        self, contents: Contents, shown: Tensor, name: str, *, recolored: bool = False
    ) -> Side:
        """Take the state before an edit as side A, bool ``(N,)`` as in ``Document.visible``."""
        side = self._keep(Side(SideKind.STATE, name, shown, contents, recolored))
        self.choose_a(side)
        return side

    def choose_a(self, side: Side) -> None:
        """Compare this; what B was takes A's place where both would be the same."""
        if side is not self.a:
            if side is self.b and self.a is not None:
                self.b = self.a
            self.a = side
            self._tell_sides()

    def choose_b(self, side: Side) -> None:
        """Compare with this; what A was takes B's place where both would be the same."""
        if side is not self.b:
            if side is self.a:
                self.a = self.b
            self.b = side
            self._tell_sides()

    def swap(self) -> None:
        """Let A and B change places."""
        if self.a is not None:
            self.a, self.b = self.b, self.a
            self._tell_sides()

    def cycle(self) -> None:
        """Go to the next mode: off, wipe, side by side, difference, and off again."""
        modes = list(CompareMode)
        self.set_mode(modes[(modes.index(self.mode) + 1) % len(modes)])

    def set_mode(self, mode: CompareMode) -> None:
        """Compare in another way."""
        if mode != self.mode:
            self.mode = mode
            self.changed.emit()

    def set_split(self, split: float) -> None:
        """Move the wipe to a share of the width; it stays inside the picture."""
        split = min(max(split, 0.0), 1.0)
        if split != self.split:
            self.split = split
            self.changed.emit()

    def set_flip(self, flip: bool) -> None:
        """Show one side alone for as long as a key is held."""
        if flip != self.flip and self.a is not None:
            self.flip = flip
            self.changed.emit()

    def _keep(self, side: Side) -> Side:
        """Add a snapshot, once under one name; it shares its memory with an equal one.

        Of too many the oldest goes that is not in use.
        """
        equal = [known for known in self.choices() if known.same_as(side)]
        for known in equal:
            if known.name == side.name:
                return known
        if equal:
            side = replace(side, shown=equal[0].shown)
        self.snapshots.append(side)
        unused = [known for known in self.snapshots[:-1] if known not in (self.a, self.b)]
        if len(self.snapshots) > MAX_SNAPSHOTS:
            self.snapshots.remove(unused[0])
        self.sides_changed.emit()
        return side

    def _tell_sides(self) -> None:
        self.sides_changed.emit()
        self.changed.emit()
