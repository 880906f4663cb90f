"""The description of a SOG scene: a JSON that nobody vouches for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.formats.quantised import DAMAGED_HINT, Bytes, Floats

ENTRIES = 256
"""Of a codebook: one for each value of a byte."""

_LARGEST = 1e30


@dataclass(frozen=True, slots=True)
class Meta:
    """What ``meta.json`` says; each question checks what it answers."""

    version: int
    count: int
    antialiased: bool
    sections: Mapping[str, Mapping[str, object]]

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read and check the description.

        Raises
        ------
        UserError
            If it is no description of a scene, or of a version that is not known.
        """
        try:
            whole = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UserError("its meta.json is no JSON.", DAMAGED_HINT) from error
        if not isinstance(whole, dict):
            raise _damaged("content")
        version = whole.get("version", 1)
        if version not in (1, 2):
            raise UserError(
                f"it is SOG version {str(version)[:20]}; versions 1 and 2 are known.",
                "Export it as version 2 in the program that made it.",
            )
        sections = {name: part for name, part in whole.items() if isinstance(part, dict)}
        count = whole.get("count") if version == 2 else _first(sections, "shape")
        if not isinstance(count, int) or not 0 <= count < 2**32:
            raise _damaged("count")
        return cls(version, count, whole.get("model") == "antialiased", sections)

    def has(self, section: str) -> bool:
        """Whether a kind of value is there."""
        return section in self.sections

    def files(self, section: str, count: int) -> list[str]:
        """Names of a section's pictures."""
        names = self._entry(section, "files")
        if not isinstance(names, list) or len(names) != count:
            raise _damaged(f"{section}.files")
        if not all(isinstance(name, str) for name in names):
            raise _damaged(f"{section}.files")
        return names

    def numbers(self, section: str, name: str, count: int) -> NDArray[np.float64]:
        """So many finite numbers; a single one stands for all."""
        found = self._entry(section, name)
        values = found if isinstance(found, list) else [found] * count
        if len(values) != count or not all(_is_number(value) for value in values):
            raise _damaged(f"{section}.{name}")
        return np.array(values, np.float64)

    def values(self, section: str, stored: Bytes) -> Floats:
        """What bytes stand for: entries of a codebook, or in version 1 steps between two ends."""
        if self.version == 1:
            channels = stored.shape[-1]
            low = self.numbers(section, "mins", channels)
            high = self.numbers(section, "maxs", channels)
            spread: Floats = (low + (high - low) * (stored / 255)).astype(np.float32)
            return spread
        table: Floats = self._codebook(section).astype(np.float32)[stored]
        return table

    def _codebook(self, section: str) -> NDArray[np.float64]:
        found = self._entry(section, "codebook")
        if not isinstance(found, list) or len(found) != ENTRIES:
            raise _damaged(f"{section}.codebook")
        if not all(_is_number(value) for value in found[1:]):
            raise _damaged(f"{section}.codebook")
        if found[0] is None:
            # an early writer's NaN: the reference reader continues from the other entries
            found = [found[1] + (found[1] - found[-1]) / (ENTRIES - 1), *found[1:]]
        if not _is_number(found[0]):
            raise _damaged(f"{section}.codebook")
        return np.array(found, np.float64)

    def _entry(self, section: str, name: str) -> object:
        return self.sections.get(section, {}).get(name)


def _first(sections: Mapping[str, Mapping[str, object]], name: str) -> object:
    shape = sections.get("means", {}).get(name)
    return shape[0] if isinstance(shape, list) and shape else None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST <= value <= _LARGEST


def _damaged(what: str) -> UserError:
    return UserError(f"the {what} in its meta.json is missing or damaged.", DAMAGED_HINT)
