"""What a document holds for one scene: a state byte per Gaussian, scores, and what follows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.properties import property_values
from core.scene import GaussianScene
from core.scoring import Worth


class State(IntFlag):
    """Bits of the state byte."""

    SELECTED = 1
    HIDDEN = 2
    DELETED = 4


_BITS: Mapping[str, tuple[int, int]] = {
    "alive": (State.DELETED, 0),
    "visible": (State.DELETED | State.HIDDEN, 0),
    "selected": (State.DELETED | State.HIDDEN | State.SELECTED, State.SELECTED),
    "hidden": (State.DELETED | State.HIDDEN, State.HIDDEN),
}
"""Which bits of the state byte are looked at, and what they must be."""


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """Which values a scene has: another one after an edit of them, the same again once undone.

    ``parent`` is what it was edited from; None for a scene of its own.
    """

    parent: "Revision | None" = None


class Contents:
    """A scene and all that is true of this scene only. The scene never changes.

    Attributes
    ----------
    scene
        The scene.
    revision
        Which values it has.
    state
        The state byte of every Gaussian, uint8 ``(N,)``; call :meth:`refresh` after a change.
    """

    def __init__(self, scene: GaussianScene, revision: Revision | None = None) -> None:
        self.scene = scene
        self.revision = Revision() if revision is None else revision
        self.state: NDArray[np.uint8] = np.zeros(len(scene), np.uint8)
        self._scores: dict[str, Worth] = {}
        self._scored: dict[str, tuple[Revision, Tensor | None]] = {}
        self._values: dict[str, NDArray[np.float64]] = {}
        self._masks: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    @property
    def scores(self) -> Mapping[str, Worth]:
        """Scores computed so far, by name."""
        return self._scores

    def add_scores(self, scores: Mapping[str, Worth], alive: Tensor | None) -> None:
        """Take over scores; ``alive`` were there when views were swept for them."""
        self._scores.update(scores)
        self._scored.update(dict.fromkeys(scores, (self.revision, alive)))

    def is_stale(self, name: str) -> bool:
        """Whether that score is of other values, or was swept with other living Gaussians."""
        if name not in self._scored:
            return False
        revision, scored = self._scored[name]
        if revision is not self.revision:
            return True
        alive = self.mask("alive")
        return scored is not None and scored is not alive and not scored.equal(alive)

    def with_scene(self, scene: GaussianScene, revision: Revision) -> "Contents":
        """The same Gaussians with other values: state and masks stay, scores turn stale."""
        contents = Contents(scene, revision)
        contents.state = self.state
        contents._scores, contents._scored = dict(self._scores), dict(self._scored)
        contents._masks, contents._counts = dict(self._masks), dict(self._counts)
        return contents

    def values(self, name: str) -> NDArray[np.float64]:
        """A property, file column or computed score, ``(N,)``; read-only and always the same.

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

    def mask(self, name: str) -> Tensor:
        """The Gaussians "alive", "visible", "selected" or "hidden", bool ``(N,)``.

        The same tensor until that changes.
        """
        mask = self._masks.get(name)
        if mask is None:
            mask = self._masks[name] = self._read(*_BITS[name])
        return mask

    def count(self, name: str) -> int:
        """How many Gaussians :meth:`mask` chooses."""
        if name not in self._counts:
            self._counts[name] = int(self.mask(name).sum())
        return self._counts[name]

    def refresh(self) -> None:
        """Have the masks follow the state byte."""
        for name, mask in self._masks.items():
            new = self._read(*_BITS[name])
            if not new.equal(mask):
                self._masks[name] = new
                self._counts.pop(name, None)

    def bytes_beside(self, other: "Contents") -> int:
        """Memory that this holds and other contents do not, in bytes."""
        shared = {storage for storage, _ in other._storages()}
        own = {storage: size for storage, size in self._storages() if storage not in shared}
        return sum(own.values())

    def _storages(self) -> Iterator[tuple[int, int]]:
        """Address and bytes of each piece of memory; tensors that share one give it twice."""
        scene = self.scene
        yield id(self.state), self.state.nbytes
        for values in self._values.values():
            yield id(values), values.nbytes
        worths = [vars(worth).values() for worth in self._scores.values()]
        for tensors in (scene.tensors().values(), scene.columns.values(), *worths):
            for tensor in tensors:
                if isinstance(tensor, Tensor):
                    storage = tensor.untyped_storage()
                    yield storage.data_ptr(), storage.nbytes()

    def _read(self, bits: int, wanted: int) -> Tensor:
        return torch.from_numpy((self.state & bits) == wanted)
