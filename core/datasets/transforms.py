"""``transforms.json``: Nerfstudio, instant-ngp and Blender (NeRF synthetic).

Poses are camera-to-world with OpenGL axes (x right, y up, z backward); intrinsics are shared or per
frame; ``camera_angle_x`` is the horizontal field of view in radians.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.cameras import Lens, Split, View
from core.datasets.dataset import PointCloud
from core.datasets.photos import find_photo, header_size, make_view
from core.datasets.points import read_points
from core.datasets.poses import check_focal, finite, inverse, picture_size, rigid
from core.errors import UserError

MAX_JSON_BYTES = 2**28
MAX_FRAMES = 200_000
_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0])
_RADIAL_TANGENTIAL = ("k1", "k2", "p1", "p2", "k3", "k4")
_FISHEYE = ("k1", "k2", "k3", "k4")
_PINHOLE_MODELS = ("PINHOLE", "SIMPLE_PINHOLE")
_PERSPECTIVE_MODELS = (*_PINHOLE_MODELS, "OPENCV", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
_FISHEYE_MODELS = ("OPENCV_FISHEYE", "FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
_SPLIT_LISTS = ("train_filenames", "val_filenames", "test_filenames")


def read_json(file: Path) -> Any:
    """Parse a bounded JSON file.

    Raises
    ------
    UserError
        If it is too large or not JSON.
    """
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise UserError(f"{file} is larger than any list of cameras.", "Choose another file.")
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is not valid JSON.", "Export the cameras again.") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read.", "Check its permissions.") from error


def read_transforms(file: Path) -> list[tuple[View, Split | None]]:
    """Views of one file, each with the split that the file states for it, if any."""
    data = read_json(file)
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not frames or len(frames) > MAX_FRAMES:
        raise UserError(
            f"{file} has no list of frames.",
            'A transforms.json has "frames": [{"file_path": ..., "transform_matrix": ...}, ...].',
        )
    lists = _split_lists(data)
    return [_view(data, frame, index, lists, file) for index, frame in enumerate(frames)]


def read_transforms_points(file: Path) -> PointCloud | None:
    """The sparse points that the file names or that lie beside it."""
    named = read_json(file).get("ply_file_path")
    for name in (named, "points3D.ply", "sparse_pc.ply"):
        if isinstance(name, str) and name.lower().endswith(".ply"):
            points = file.parent / name.replace("\\", "/")
            if points.is_file():
                return read_points(points)
    return None


def _split_lists(data: Mapping[str, Any]) -> dict[str, Split]:
    """Splits stated as lists of file paths (Nerfstudio)."""
    splits = {}
    for key in _SPLIT_LISTS:
        names = data.get(key)
        split = Split.TRAIN if key.startswith("train") else Split.TEST
        if isinstance(names, list):
            splits.update({name: split for name in names if isinstance(name, str)})
    return splits


def _view(
    shared: Mapping[str, Any], frame: object, index: int, lists: Mapping[str, Split], file: Path
) -> tuple[View, Split | None]:
    path = frame.get("file_path") if isinstance(frame, dict) else None
    if not isinstance(frame, dict) or not isinstance(path, str) or not path:
        raise UserError(f'{file}: frame {index} has no "file_path".', "Export the cameras again.")
    camera_to_world = finite(_matrix(frame), (4, 4), f"transform_matrix of {path}", file)
    rotation = camera_to_world[:3, :3] @ _OPENGL_TO_OPENCV
    world_to_camera = inverse(rigid(rotation, camera_to_world[:3, 3], path, file))
    photo = _photo(file.parent, path)
    lens = _lens({**shared, **frame}, path, photo, file)
    stated = lists.get(path)
    if "split" in frame:
        stated = Split.TRAIN if frame["split"] == "train" else Split.TEST
    view = make_view(world_to_camera, lens, _name(path), photo, stated or Split.TRAIN, file)
    return view, stated


def _matrix(frame: Mapping[str, Any]) -> object:
    """The frame's matrix; a missing last row is ``0 0 0 1``."""
    matrix = frame.get("transform_matrix")
    if isinstance(matrix, list) and len(matrix) == 3:
        return [*matrix, [0, 0, 0, 1]]
    return matrix


def _name(path: str) -> str:
    """What to call a view: its path without the folder that holds all photos."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if len(parts) > 1 and parts[0].startswith("images"):
        parts = parts[1:]
    return "/".join(parts) or path


def _photo(folder: Path, path: str) -> Path | None:
    """The frame's photo, or a scaled copy of it in ``images_2``, ``images_4`` or ``images_8``."""
    found = find_photo([folder], path)
    relative = path.replace("\\", "/").removeprefix("./")
    if found is None and relative.startswith("images/"):
        scaled = [folder / f"images_{factor}" for factor in (2, 4, 8)]
        found = find_photo(scaled, relative.removeprefix("images/"))
    return found


def _lens(values: Mapping[str, Any], what: str, photo: Path | None, file: Path) -> Lens:
    """The frame's lens, its own values over the shared ones."""
    size = _size(values, what, photo, file)

    def number(key: str) -> float | None:
        value = values.get(key)
        return None if value is None else float(finite(value, (), f"{key} of {what}", file))

    def focal(side: int, length: str, angle: str) -> float | None:
        stated, field_of_view = number(length), number(angle)
        if stated is not None or field_of_view is None:
            return stated
        return 0.5 * side / math.tan(min(max(field_of_view / 2, 1e-6), 1.57))

    fx = focal(size[0], "fl_x", "camera_angle_x")
    fy = focal(size[1], "fl_y", "camera_angle_y")
    if fx is None and fy is None:
        raise UserError(
            f"{file}: {what} has no focal length.", 'Add "fl_x" in pixels or "camera_angle_x".'
        )
    if "fl_x" in values and "fl_y" not in values:
        fy = fx
    fx, fy = fx or fy or 0.0, fy or fx or 0.0
    check_focal(fx, fy, size, what, file)
    cx, cy = number("cx"), number("cy")
    cx, cy = size[0] / 2 if cx is None else cx, size[1] / 2 if cy is None else cy
    pinhole = (fx, fy, cx, cy)
    model = str(values.get("camera_model") or "OPENCV").upper()
    fisheye = model in _FISHEYE_MODELS or values.get("is_fisheye") is True
    if not fisheye and model not in _PERSPECTIVE_MODELS:
        raise UserError(
            f"{file}: camera model {model} is not supported.",
            "Supported are PINHOLE, OPENCV and OPENCV_FISHEYE; undistort the photos first.",
        )
    names = _FISHEYE if fisheye else _RADIAL_TANGENTIAL
    k = [0.0 if model in _PINHOLE_MODELS else number(name) or 0.0 for name in names]
    if fisheye:
        return Lens("OPENCV_FISHEYE", (*pinhole, *k), *size)
    if not any(k):
        return Lens("PINHOLE", pinhole, *size)
    if k[5]:
        raise UserError(
            f"{file}: {what} has a fourth radial distortion coefficient (k4).",
            "Only k1, k2, k3, p1, p2 are defined for OPENCV; undistort the photos first.",
        )
    return Lens("FULL_OPENCV", (*pinhole, *k, 0.0, 0.0), *size)


def _size(values: Mapping[str, Any], what: str, photo: Path | None, file: Path) -> tuple[int, int]:
    """Size that the intrinsics are for: stated, or else the photo's."""
    if "w" in values and "h" in values:
        return picture_size(values["w"], values["h"], what, file)
    if photo is None:
        raise UserError(
            f"{file}: the picture size of {what} is unknown.",
            'Add "w" and "h" to the file, or put the photos where it says.',
        )
    return header_size(photo)
