"""The formats that are known, and opening and saving a scene in any of them."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from core.errors import UserError
from core.files import check_target, replacing
from core.formats import compressed_ply, ngs, ply, sog, splat, spz
from core.formats.format import HEAD_BYTES, Format, Loaded
from core.formats.repair import repaired
from core.formats.sog_encoding import META
from core.jobs import Progress, Steps, drain, retold
from core.scene import GaussianScene

FORMATS: tuple[Format, ...] = (
    ply.FORMAT,
    compressed_ply.FORMAT,
    spz.FORMAT,
    spz.FORMAT_V3,
    sog.FORMAT,
    sog.FORMAT_FOLDER,
    splat.FORMAT,
    ngs.FORMAT,
)
"""All formats; where two recognise a file, the first one opens it."""


def load_scene(path: str | Path) -> Loaded:
    """Open a scene file; its format is told by its content, not by its name.

    A folder is opened by the ``meta.json`` in it.

    Raises
    ------
    UserError
        If the file cannot be read, is in no known format, is damaged, or holds nothing usable.
    """
    return drain(load_steps(path))


def load_steps(path: str | Path) -> Steps[Loaded]:
    """As :func:`load_scene`; a job.

    Partial results are what can be shown of the scene so far, where its format takes long.
    """
    path = Path(path)
    try:
        if path.is_dir() and (path / META).is_file():
            path /= META
        head = _head(path)
        format = next((known for known in FORMATS if known.recognises(head, path)), None)
        if format is None:
            raise UserError("it is in no known format.", f"Known are: {_listing(FORMATS)}.")
        size = scene_bytes(path)

        def usable(progress: Progress) -> Progress:
            part = progress.partial
            if part is None:
                return progress
            try:
                loaded = Loaded(repaired(part)[0], format.name, (), size)
            except UserError:
                return replace(progress, partial=None)
            return replace(progress, partial=loaded)

        if format.load_steps is None:
            yield Progress(0, 1, f"reading {path.name}")
            scene, notes = format.load(path)
        else:
            scene, notes = yield from retold(format.load_steps(path), usable)
        scene, repairs = repaired(scene)
        return Loaded(scene, format.name, notes + repairs, size)
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
    chosen = find_format(path, format)
    if len(scene) == 0:
        raise UserError("There are no Gaussians to save.")
    if chosen.save_parts is not None:
        _check_folder(chosen, path)
        _save_parts(chosen.save_parts(scene), path)
    elif chosen.save is not None:
        with replacing(path) as file:
            chosen.save(scene, file)


def check_output(path: Path) -> None:
    """Refuse a file that :func:`save_scene` could not write; before work whose result it is for.

    Raises
    ------
    UserError
        As :func:`save_scene`.
    """
    chosen = find_format(path, None)
    if chosen.save_parts is not None:
        _check_folder(chosen, path)
    check_target(path)


def scene_bytes(path: Path) -> int:
    """Size of a scene's file, or of its files where it is a folder with a ``meta.json``."""
    pictures = sog.pictures(path) if path.name == META else []
    return sum(file.stat().st_size for file in [path, *pictures])


def find_format(path: Path, format: str | None = None) -> Format:
    """The format to save in: by name, or else by the ending of the file's name.

    Raises
    ------
    UserError
        If there is none, or it is only read.
    """
    chosen = _named(format) if format is not None else _by_suffix(path)
    if not chosen.is_saved:
        raise UserError(
            f"{chosen.title} can be opened but not saved.", chosen.made_by or _savable_hint()
        )
    return chosen


def _check_folder(format: Format, path: Path) -> None:
    """Refuse a folder whose files of the same names may belong to something else."""
    if not format.fits(path.name):
        raise UserError(
            f"Cannot save to {path}: {format.title} is several files.",
            f"Give the name {format.suffixes[0]} in a folder of its own.",
        )
    check_target(path)
    if path.exists():
        with path.open("rb") as file:
            is_scene = format.recognises(file.read(HEAD_BYTES), path)
    else:
        is_scene = not any(path.parent.glob("*.webp"))
    if not is_scene:
        raise UserError(
            f"Cannot save to {path}: other files are in its folder.", "Choose an empty folder."
        )


def _save_parts(parts: Mapping[str, bytes], path: Path) -> None:
    """Write files beside each other; all are whole before the first is replaced."""
    *others, last = parts
    with ExitStack() as stack:
        for name in (last, *others):
            target = path if name == last else path.with_name(name)
            stack.enter_context(replacing(target)).write(parts[name])


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
    names = ", ".join(known.name for known in FORMATS if known.is_saved)
    raise UserError(f"There is no format named {name!r}.", f"Names of formats to save in: {names}.")


def _by_suffix(path: Path) -> Format:
    fitting = [format for format in FORMATS if format.fits(path.name)]
    if not fitting:
        raise UserError(f"The name {path.name!r} does not end like a scene file.", _savable_hint())
    return max(fitting, key=lambda format: max(len(suffix) for suffix in format.suffixes))


def _savable_hint() -> str:
    return f"Formats to save in: {_listing(f for f in FORMATS if f.is_saved)}."


def _listing(formats: Iterable[Format]) -> str:
    """Titles and endings of those that have an ending of their own."""
    return ", ".join(f"{one.title} ({', '.join(one.suffixes)})" for one in formats if one.suffixes)
