"""What a person prefers: one definition with its defaults, kept between runs."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, get_type_hints

from PySide6.QtCore import QObject, Signal

from core.rigs import DEFAULT_RIG_COUNT
from viewer.layout import settings
from viewer.look import COLORMAPS, Backdrop, Engine
from viewer.theme import Theme

GROUP = "preferences"
RANGES: dict[str, tuple[float, float]] = {
    "fly_speed": (0.1, 10.0),
    "orbit_speed": (0.2, 5.0),
    "generated_views": (1, 500),
    "undo_memory_mb": (16, 16_384),
}
"""Least and greatest value of each number."""


@dataclass(frozen=True, slots=True)
class Values:
    """The preferences.

    Attributes
    ----------
    theme
        The look of the window.
    colormap, engine, background
        Colours of heatmaps, what draws the splats and what lies behind them, when the window opens.
    fly_speed, orbit_speed
        Factors on the usual speeds.
    invert_wheel
        Whether turning the wheel away moves back instead of forth.
    generated_views
        How many cameras are made for scoring a scene without photos.
    undo_memory_mb
        Memory that the history may hold, in units of 10**6 bytes.
    ask_before_discarding
        Whether to ask before changes that are not exported are lost.
    restore_layout
        Whether the window opens as it was left.
    """

    theme: Theme = Theme.DARK
    colormap: str = COLORMAPS[0]
    engine: Engine = Engine.AUTO
    background: Backdrop = Backdrop.DARK
    fly_speed: float = 1.0
    orbit_speed: float = 1.0
    invert_wheel: bool = False
    generated_views: int = DEFAULT_RIG_COUNT
    undo_memory_mb: int = 512
    ask_before_discarding: bool = True
    restore_layout: bool = True


DEFAULTS = Values()
_TYPES: dict[str, type] = get_type_hints(Values)


class Preferences(QObject):
    """The preferences of this person; every change is kept at once."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values = load()

    @property
    def values(self) -> Values:
        """What is preferred now."""
        return self._values

    def set(self, **changes: Any) -> None:
        """Prefer something else: new values for fields of :class:`Values`.

        Raises
        ------
        ValueError
            If a value cannot be; nothing is changed then.
        """
        wanted = replace(
            self._values, **{name: _checked(name, value) for name, value in changes.items()}
        )
        if wanted != self._values:
            self._values = wanted
            _save(wanted)
            self.changed.emit()

    def restore_defaults(self) -> None:
        """Prefer what the program comes with."""
        self.set(**{field.name: getattr(DEFAULTS, field.name) for field in fields(DEFAULTS)})


def load() -> Values:
    """The stored preferences; the default stands for what is missing or cannot be."""
    store = settings()
    found = {}
    for field in fields(Values):
        stored = store.value(f"{GROUP}/{field.name}")
        try:
            found[field.name] = _checked(field.name, _read(field.name, stored))
        except (ValueError, TypeError, OverflowError):
            continue
    return Values(**found)


def _save(values: Values) -> None:
    store = settings()
    for field in fields(values):
        value = getattr(values, field.name)
        store.setValue(f"{GROUP}/{field.name}", str(value).lower())


def _read(name: str, stored: object) -> Any:
    """A stored text as the type of its field."""
    if not isinstance(stored, str) or len(stored) > 64:
        raise ValueError(f"{name} is no text")
    kind = _TYPES[name]
    if kind is bool:
        if stored not in ("true", "false"):
            raise ValueError(f"{name} is neither true nor false")
        return stored == "true"
    return kind(stored)


def _checked(name: str, value: Any) -> Any:
    if name not in _TYPES:
        raise ValueError(f"there is no preference {name}")
    kind = _TYPES[name]
    if issubclass(kind, StrEnum):
        return kind(value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"{name} cannot be {value!r}")
    if name in RANGES:
        low, high = RANGES[name]
        number: Any = value
        if not low <= number <= high:
            raise ValueError(f"{name} is not between {low:g} and {high:g}")
    if name == "colormap" and value not in COLORMAPS:
        raise ValueError(f"there is no colour map {value!r}")
    return value
