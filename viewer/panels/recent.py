"""A few remembered results."""

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The last results, each found again by the very same inputs.

    Parameters
    ----------
    size
        How many are remembered.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[tuple[Any, ...], T]] = []

    def find(self, *inputs: Any) -> T | None:
        """What was made of these inputs, if remembered: equal names or numbers, same objects."""
        for number, (made_of, result) in enumerate(self._kept):
            if len(made_of) == len(inputs) and all(map(_same, made_of, inputs)):
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


def _same(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, str | bytes | bool | int) and type(a) is type(b) and a == b)
