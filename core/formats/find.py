"""Finding the scene in a folder that holds it together with its photos."""

import re
from pathlib import Path

from core.errors import UserError
from core.formats.format import HEAD_BYTES
from core.formats.registry import FORMATS

_MAX_DEPTH = 3
_MAX_ENTRIES = 20_000


def find_scene(folder: Path) -> Path:
    """The scene in a folder or up to three folders below it.

    Of several the one nearest to the top is taken, and among those of a training run
    (``point_cloud/iteration_30000/point_cloud.ply``) the one trained longest, then the newest.

    Raises
    ------
    UserError
        If there is none.
    """
    found: list[tuple[int, int, float, Path]] = []
    pending, seen = [(folder, 0)], 0
    while pending:
        place, depth = pending.pop()
        try:
            entries = sorted(place.iterdir())
        except OSError:
            continue
        seen += len(entries)
        if seen > _MAX_ENTRIES:
            break
        for entry in entries:
            if entry.is_dir():
                if depth < _MAX_DEPTH and not entry.is_symlink():
                    pending.append((entry, depth + 1))
            elif is_scene(entry):
                iteration = re.fullmatch(r"iteration_(\d{1,12})", place.name)
                rank = int(iteration.group(1)) if iteration else 0
                above = depth - 2 if iteration else depth
                found.append((-above, rank, entry.stat().st_mtime, entry))
    if not found:
        raise UserError(
            f"There is no scene in {folder}.",
            "Open the scene's file, then attach its photos; or train one from photos.",
        )
    return max(found)[3]


def is_scene(path: Path) -> bool:
    """Whether a file looks like a scene; a PLY without opacities is some other point cloud."""
    if not any(known.fits(path.name) for known in FORMATS):
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    if head.startswith(b"ply"):
        return b"opacity" in head or b"packed_" in head
    return any(known.recognises(head, path) for known in FORMATS)
