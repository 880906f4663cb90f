"""The formats that are known, and opening and saving a scene in any of them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from core.errors import UserError
from core.files import check_target, replacing
from core.formats import ply, spz
from core.formats.format import HEAD_BYTES, Format, Loaded
from core.formats.repair import repaired
from core.scene import GaussianScene

FORMATS: tuple[Format, ...] = (ply.FORMAT, spz.FORMAT, spz.FORMAT_V3)
"""All formats; where two recognise a file, the first one opens it."""


def load_scene(path: str | Path) -> Loaded:
    """Open a scene file; its format is told by its content, not by its name.

    Raises
    ------
    UserError
        If the file cannot be read, is in no known format, is damaged, or holds nothing usable.
    """
    path = Path(path)
    try:
        head = _head(path)
        format = next((known for known in FORMATS if known.recognises(head, path)), None)
        if format is None:
            raise UserError("it is in no known format.", f"Known are: {_listing(FORMATS)}.")
        scene, notes = format.load(path)
        scene, repairs = repaired(scene)
        return Loaded(scene, format.name, notes + repairs, path.stat().st_size)
    except UserError as error:
        raise UserError(f"Cannot open {path.name}: {error.message}", error.hint) from error
    except MemoryError as error:
        raise UserError(
            f"Cannot open {path.name}: there is not enough memory.", "Close other programs."
        ) from error
    except OSError as error:
        raise UserError(f"Cannot open {path}: {error.strerror or error}.") from error


def save_scene(scene: GaussianScene, path: str | Path, format: str | None = None) -> None:
    """Write a scene, replacing an existing file only once the new one is whole.

    Parameters
    ----------
    scene
        What to write, on any device; at least one Gaussian.
    path
        Where to write it.
    format
        Name of the format; None takes the one the file name's ending stands for.

    Raises
    ------
    UserError
        If the format is unknown or only read, or if the file cannot be written.
    """
    path = Path(path)
    save = _saver(path, format)
    if len(scene) == 0:
        raise UserError("There are no Gaussians to save.")
    with replacing(path) as file:
        save(scene, file)


def check_output(path: Path) -> None:
    """Refuse a file that :func:`save_scene` could not write; before work whose result it is for.

    Raises
    ------
    UserError
        As :func:`save_scene`.
    """
    _saver(path, None)
    check_target(path)


def _saver(path: Path, format: str | None) -> Callable[[GaussianScene, BinaryIO], None]:
    chosen = _named(format) if format is not None else _by_suffix(path)
    if chosen.save is None:
        raise UserError(f"{chosen.title} can be opened but not saved.", _savable_hint())
    return chosen.save


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise UserError("it is a folder.", "Choose a scene file inside it.")
    if not path.exists():
        raise UserError("there is no such file.", f"Looked for {path.absolute()}.")
    if not path.is_file():
        raise UserError("it is not an ordinary file.")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise UserError("it is empty.")
    return head


def _named(name: str) -> Format:
    for format in FORMATS:
        if format.name == name.lower():
            return format
    raise UserError(f"There is no format named {name!r}.", _savable_hint())


def _by_suffix(path: Path) -> Format:
    endings = [(suffix, format) for format in FORMATS for suffix in format.suffixes]
    matching = [entry for entry in endings if path.name.lower().endswith(entry[0])]
    if not matching:
        raise UserError(f"The name {path.name!r} does not end like a scene file.", _savable_hint())
    return max(matching, key=lambda entry: len(entry[0]))[1]


def _savable_hint() -> str:
    return f"Formats to save in: {_listing(f for f in FORMATS if f.save is not None)}."


def _listing(formats: Iterable[Format]) -> str:
    return ", ".join(
        f"{format.title} ({', '.join(format.suffixes)})" if format.suffixes else format.name
        for format in formats
    )
