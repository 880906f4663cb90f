"""COLMAP sparse models, binary and text.

The files are read here, each length checked against what is left of the file: COLMAP's own reader
ends the process on a truncated file. Poses come from the images file, which holds the full pose of
every image in models with rigs and frames too; observations are skipped.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.cameras import Lens, Matrix, Split, View
from core.datasets.dataset import PointCloud
from core.datasets.photos import PHOTO_FOLDERS, find_photo, make_view
from core.datasets.points import point_cloud
from core.datasets.poses import check_focal, finite, picture_size, rigid
from core.errors import UserError

_HINT = "Run COLMAP's model_converter on the model, or choose another folder."
_MAX_PARAMS = 32
_MAX_NAME_BYTES = 4096
_OBSERVATION_BYTES = 24
_TRACK_ELEMENT_BYTES = 8
_POINT = struct.Struct("<Q3d3BdQ")
_MIN_QUATERNION = 1e-6


@dataclass(frozen=True, slots=True)
class _Image:
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    camera_id: int
    name: str


def find_model(folder: Path) -> Path | None:
    """The folder with a sparse model in or at ``folder``."""
    for place in ("sparse/0", "sparse", "colmap/sparse/0", ".", "0"):
        model = folder / place
        for suffix in (".bin", ".txt"):
            if all((model / f"{name}{suffix}").is_file() for name in ("cameras", "images")):
                return model
    return None


def read_colmap(model: Path) -> list[View]:
    """Views of a sparse model; photos are looked for beside it (``images``, ``images_2``, ...).

    A model for full-size photos is scaled to the photos that are found.

    Raises
    ------
    UserError
        If a file is damaged, or a lens has no pinhole picture.
    """
    suffix = _suffix(model)
    cameras_file, images_file = model / f"cameras{suffix}", model / f"images{suffix}"
    binary = suffix == ".bin"
    lenses = (_lenses_binary if binary else _lenses_text)(cameras_file)
    images = (_images_binary if binary else _images_text)(images_file)
    folders = _photo_folders(model)
    views = []
    for image in images:
        if image.camera_id not in lenses:
            raise UserError(f"{images_file}: {image.name} has no camera.", _HINT)
        pose = _pose(image, images_file)
        photo = find_photo(folders, image.name)
        lens = lenses[image.camera_id]
        views.append(make_view(pose, lens, image.name, photo, Split.TRAIN, cameras_file))
    if not views:
        raise UserError(f"{images_file} has no images.", _HINT)
    return views


def read_colmap_points(model: Path) -> PointCloud | None:
    """The sparse points of a model, or None if it has none."""
    file = model / f"points3D{_suffix(model)}"
    if not file.is_file():
        return None
    rows = list(_points_binary(file) if file.suffix == ".bin" else _points_text(file))
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return point_cloud(table[:, :3], np.nan_to_num(table[:, 3:]).clip(0, 255).astype(np.uint8))


def _suffix(model: Path) -> str:
    return ".bin" if (model / "images.bin").is_file() else ".txt"


def _photo_folders(model: Path) -> list[Path]:
    """Where the photos of a model may lie, best first."""
    places = [model, *model.resolve().parents[:3]]
    return [
        place / folder for place in places for folder in PHOTO_FOLDERS if (place / folder).is_dir()
    ]


def _pose(image: _Image, file: Path) -> Matrix:
    """World-to-camera transform of an image, ``(4, 4)``."""
    w, x, y, z = finite(image.quaternion, (4,), f"rotation of {image.name}", file)
    translation = finite(image.translation, (3,), f"translation of {image.name}", file)
    length = float(np.sqrt(w * w + x * x + y * y + z * z))
    if not _MIN_QUATERNION < length < np.inf:
        raise UserError(f"{file}: the rotation of {image.name} is zero.", _HINT)
    w, x, y, z = (value / length for value in (w, x, y, z))
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return rigid(rotation, translation, image.name, file)


def _lens(model: str, size: tuple[object, object], params: list[float], file: Path) -> Lens:
    """A checked lens."""
    import pycolmap

    width, height = picture_size(*size, "a camera", file)
    expected = pycolmap.Camera.create_from_model_name(0, model, 1.0, width, height)
    values = finite(params, (len(expected.params),), f"a {model} camera", file)
    if expected.is_spherical():
        raise UserError(f"{file}: {model} pictures are no pinhole pictures.", "Use other photos.")
    expected.params = values
    size_px = (width, height)
    check_focal(expected.focal_length_x, expected.focal_length_y, size_px, "a camera", file)
    return Lens(model, tuple(float(value) for value in values), width, height)


class _Reader:
    """Numbers from the front of a binary file, never past its end."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self._data = memoryview(file.read_bytes())
        except OSError as error:
            raise UserError(f"{file} cannot be read.", "Check its permissions.") from error
        self._at = 0

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        at = self._at
        self.skip(layout.size)
        return layout.unpack_from(self._data, at)

    def skip(self, size: int) -> None:
        if size > len(self._data) - self._at:
            raise UserError(f"{self.file} is truncated or damaged.", _HINT)
        self._at += size

    def count(self, least_bytes: int) -> int:
        """A number of records that take at least ``least_bytes`` each."""
        (count,) = self.take(struct.Struct("<Q"))
        if count * least_bytes > len(self._data) - self._at:
            raise UserError(f"{self.file} is truncated or damaged.", _HINT)
        return int(count)

    def text(self) -> str:
        """Characters up to a zero byte."""
        piece = bytes(self._data[self._at : self._at + _MAX_NAME_BYTES])
        end = piece.find(b"\0")
        if end < 0:
            raise UserError(f"{self.file} is truncated or damaged.", _HINT)
        self._at += end + 1
        return piece[:end].decode("utf-8", errors="replace")


def _model_name(model_id: int, file: Path) -> str:
    import pycolmap

    try:
        return str(pycolmap.CameraModelId(model_id).name)
    except ValueError as error:
        raise UserError(f"{file}: unknown camera model {model_id}.", _HINT) from error


def _lenses_binary(file: Path) -> dict[int, Lens]:
    import pycolmap

    reader = _Reader(file)
    lenses = {}
    for _ in range(reader.count(24)):
        camera_id, model_id, width, height = reader.take(struct.Struct("<IiQQ"))
        name = _known_model(_model_name(model_id, file), file)
        params = pycolmap.Camera.create_from_model_name(0, name, 1.0, 1, 1).params
        values = list(reader.take(struct.Struct(f"<{len(params)}d")))
        lenses[camera_id] = _lens(name, (width, height), values, file)
    return lenses


def _known_model(name: str, file: Path) -> str:
    import pycolmap

    if name == "INVALID" or name not in pycolmap.CameraModelId.__members__:
        raise UserError(f"{file}: unknown camera model {name[:40]}.", _HINT)
    return name


def _images_binary(file: Path) -> Iterator[_Image]:
    reader = _Reader(file)
    head = struct.Struct("<I7dI")
    for _ in range(reader.count(head.size)):
        _, *pose, camera_id = reader.take(head)
        name = reader.text()
        reader.skip(reader.count(_OBSERVATION_BYTES) * _OBSERVATION_BYTES)
        yield _Image(tuple(pose[:4]), tuple(pose[4:]), camera_id, name)


def _points_binary(file: Path) -> Iterator[tuple[float, ...]]:
    reader = _Reader(file)
    for _ in range(reader.count(_POINT.size)):
        _, x, y, z, r, g, b, _, track = reader.take(_POINT)
        reader.skip(track * _TRACK_ELEMENT_BYTES)
        yield x, y, z, r, g, b


def _lines(file: Path) -> Iterator[list[str]]:
    """Words of each line that is not a comment; empty lines too."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{file} cannot be read.", "Check its permissions.") from error
    for line in text.splitlines():
        if not line.startswith("#"):
            yield line.split()


def _numbers(words: list[str], kind: Callable[[str], Any], file: Path) -> list[Any]:
    try:
        return [kind(word) for word in words]
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}.", _HINT) from error


def _lenses_text(file: Path) -> dict[int, Lens]:
    lenses = {}
    for words in _lines(file):
        if not words:
            continue
        if not 5 <= len(words) <= 4 + _MAX_PARAMS:
            raise UserError(f"{file} is damaged: a line has {len(words)} words.", _HINT)
        camera_id, width, height = _numbers([words[0], words[2], words[3]], int, file)
        name = _known_model(words[1], file)
        lenses[camera_id] = _lens(name, (width, height), _numbers(words[4:], float, file), file)
    return lenses


def _images_text(file: Path) -> Iterator[_Image]:
    """Images of two lines each, of which the second (the observations) may be empty."""
    is_pose = True
    for words in _lines(file):
        if is_pose:
            if not words:
                continue
            if len(words) < 10:
                raise UserError(f"{file} is damaged: an image line is too short.", _HINT)
            pose = _numbers(words[1:8], float, file)
            (camera_id,) = _numbers([words[8]], int, file)
            yield _Image(tuple(pose[:4]), tuple(pose[4:]), camera_id, " ".join(words[9:]))
        is_pose = not is_pose


def _points_text(file: Path) -> Iterator[tuple[float, ...]]:
    for words in _lines(file):
        if words:
            if len(words) < 7:
                raise UserError(f"{file} is damaged: a point line is too short.", _HINT)
            yield tuple(_numbers(words[1:7], float, file))
