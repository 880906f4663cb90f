"""``cameras.json`` as the 3DGS trainer writes it.

Each entry has ``rotation`` (camera-to-world, OpenCV axes), ``position`` (camera centre), ``fx`` and
``fy`` in pixels and the picture's size; the principal point is the picture's centre.
"""

from pathlib import Path

import numpy as np

from core.cameras import Lens, Split, View
from core.datasets.dataset import PointCloud
from core.datasets.photos import PHOTO_FOLDERS, find_photo, make_view
from core.datasets.points import read_points
from core.datasets.poses import check_focal, finite, inverse, picture_size, rigid
from core.datasets.transforms import MAX_FRAMES, read_json
from core.errors import UserError

_KEYS = ("img_name", "width", "height", "position", "rotation", "fx", "fy")


def read_cameras_json(file: Path) -> list[View]:
    """Views of a ``cameras.json``; photos are looked for in ``images`` and its like beside it.

    Raises
    ------
    UserError
        If an entry lacks a value or is no camera.
    """
    entries = read_json(file)
    if not isinstance(entries, list) or not entries or len(entries) > MAX_FRAMES:
        raise UserError(f"{file} is not a list of cameras.", f"Entries have {', '.join(_KEYS)}.")
    folders = [file.parent / folder for folder in PHOTO_FOLDERS]
    return [_view(entry, index, folders, file) for index, entry in enumerate(entries)]


def read_input_points(file: Path) -> PointCloud | None:
    """The sparse points beside a ``cameras.json``, if there are any."""
    for name in ("points3D.ply", "input.ply"):
        if (file.parent / name).is_file():
            return read_points(file.parent / name)
    return None


def _view(entry: object, index: int, folders: list[Path], file: Path) -> View:
    if not isinstance(entry, dict) or any(key not in entry for key in _KEYS):
        raise UserError(
            f"{file}: camera {index} is incomplete.", f"Entries have {', '.join(_KEYS)}."
        )
    name = str(entry["img_name"])
    size = picture_size(entry["width"], entry["height"], name, file)
    fx, fy = (float(finite(entry[key], (), f"{key} of {name}", file)) for key in ("fx", "fy"))
    check_focal(fx, fy, size, name, file)
    rotation = finite(entry["rotation"], (3, 3), f"rotation of {name}", file)
    position = finite(entry["position"], (3,), f"position of {name}", file)
    world_to_camera = inverse(rigid(rotation, np.asarray(position), name, file))
    lens = Lens("PINHOLE", (fx, fy, size[0] / 2, size[1] / 2), *size)
    return make_view(world_to_camera, lens, name, find_photo(folders, name), Split.TRAIN, file)
