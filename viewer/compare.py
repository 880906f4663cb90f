"""Comparing two states of the scene, or the scene with a photo."""

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QObject, Signal
from torch import Tensor


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
    """One of two things to compare; ``shown`` is bool ``(N,)`` where the kind is STATE."""

    kind: SideKind
    name: str
    shown: Tensor | None = None


LIVE = Side(SideKind.LIVE, "Now")
PHOTO = Side(SideKind.PHOTO, "Photo")


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What a frame compares. A is on the left; ``split`` is where the wipe stands, 0 to 1.

    ``flip`` shows side B alone, whatever the mode; with the mode OFF and no flip there is nothing
    to compare.
    """

    mode: CompareMode
    a: Side
    b: Side
    split: float = 0.5
    flip: bool = False


class Compare(QObject):
    """The sides being compared and how; lives on the window's thread."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mode = CompareMode.OFF
        self.a: Side | None = None
        self.b: Side = LIVE
        self.split = 0.5
        self.flip = False
        self.snapshots: list[Side] = []

    def comparison(self) -> Comparison | None:
        """What the next frame compares, None where nothing is."""
        if self.a is None or (self.mode == CompareMode.OFF and not self.flip):
            return None
        return Comparison(self.mode, self.a, self.b, self.split, self.flip)
