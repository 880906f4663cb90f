"""Results remembered for as long as what they were made of is the same."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from torch import Tensor

from core.cameras import Camera

T = TypeVar("T")


def same(a: Any, b: Any) -> bool:
    """Whether two inputs are the same: one object, cameras of one picture, or equal plain values.

    Tensors are the same only if they are one object.
    """
    if a is b:
        return True
    if isinstance(a, Camera):
        return isinstance(b, Camera) and a.same_as(b)
    return type(a) is type(b) and not isinstance(a, Tensor) and bool(a == b)


class Recent(Generic[T]):
    """The last results, each found again by the same inputs.

    Parameters
    ----------
    size
        How many are remembered.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[tuple[Any, ...], T]] = []

    def find(self, *inputs: Any) -> T | None:
        """What was made of these inputs, if remembered."""
        for number, (made_of, result) in enumerate(self._kept):
            if len(made_of) == len(inputs) and all(map(same, made_of, inputs)):
                self._kept.insert(0, self._kept.pop(number))
                return result
        return None

    def keep(self, result: T, *inputs: Any) -> T:
        """Remember what was made of these inputs."""
        self._kept.insert(0, (inputs, result))
        del self._kept[self._size :]
        return result

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


class Memory:
    """The last results of functions.

    Parameters
    ----------
    kept
        How many results of each function to keep; with two, two states can be drawn in turn.
    """

    def __init__(self, kept: int = 2) -> None:
        self._kept = kept
        self._results: dict[Callable[..., Any], Recent[tuple[Any]]] = {}

    def get(self, make: Callable[..., T], *inputs: Any) -> T:
        """``make(*inputs)``, made anew only if it is not among the last results."""
        results = self._results.setdefault(make, Recent(self._kept))
        known = results.find(*inputs)
        if known is None:
            known = results.keep((make(*inputs),), *inputs)
        result: T = known[0]
        return result

    def clear(self) -> None:
        """Forget everything."""
        self._results.clear()
