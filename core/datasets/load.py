"""Open posed photos by what a folder or file holds."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from core.cameras import Split, View
from core.datasets.cameras_json import read_cameras_json, read_input_points
from core.datasets.colmap import find_model, read_colmap, read_colmap_points
from core.datasets.dataset import Dataset, DatasetKind, PointCloud, every_eighth, mean_up
from core.datasets.transforms import read_json, read_transforms, read_transforms_points
from core.errors import UserError

_HINT = (
    "Choose a folder with transforms.json, a COLMAP model (sparse/0) or cameras.json, "
    "or one of these files."
)

Entry = tuple[View, Split | None]


def load_dataset(path: Path | str) -> Dataset:
    """Read the views of a scene; photos stay on disk until :func:`load_photo`.

    Where a folder holds several descriptions, the first of these is taken; name the file to choose
    another: ``transforms_train.json`` with ``transforms_test.json``, ``transforms.json``, a COLMAP
    model (``sparse/0``, ``sparse``, ``colmap/sparse/0`` or the folder itself), ``cameras.json``.
    Every eighth view by name is for testing, unless the files state the splits.

    Raises
    ------
    UserError
        If nothing is recognised or a file is damaged.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return _load_file(path)
    if not path.is_dir():
        raise UserError(f"{path} does not exist.", _HINT)
    train, test = path / "transforms_train.json", path / "transforms_test.json"
    if train.is_file() and test.is_file():
        entries = _stated(train, Split.TRAIN) + _stated(test, Split.TEST)
        return _dataset(entries, read_transforms_points(train), DatasetKind.TRANSFORMS, path)
    for name in ("transforms.json", "transforms_train.json"):
        if (path / name).is_file():
            return _load_file(path / name)
    model = find_model(path)
    if model is not None:
        return _colmap(model, path)
    if (path / "cameras.json").is_file():
        return _load_file(path / "cameras.json")
    raise UserError(f"{path} holds no camera poses that can be read.", _HINT)


def _load_file(file: Path) -> Dataset:
    """A dataset from the one file a person chose."""
    if file.suffix.lower() in (".bin", ".txt"):
        model = find_model(file.parent)
        if model is None:
            raise UserError(f"{file} is not part of a COLMAP model.", _HINT)
        return _colmap(model, file)
    if file.suffix.lower() != ".json":
        raise UserError(f"{file} is no description of cameras.", _HINT)
    if isinstance(read_json(file), list):
        unstated: list[Entry] = [(view, None) for view in read_cameras_json(file)]
        return _dataset(unstated, read_input_points(file), DatasetKind.CAMERAS_JSON, file)
    entries = read_transforms(file)
    if file.stem == "transforms_test":
        entries = [(view, Split.TEST) for view, _ in entries]
    return _dataset(entries, read_transforms_points(file), DatasetKind.TRANSFORMS, file)


def _stated(file: Path, split: Split) -> list[Entry]:
    return [(view, split) for view, _ in read_transforms(file)]


def _colmap(model: Path, path: Path) -> Dataset:
    entries: list[Entry] = [(view, None) for view in read_colmap(model)]
    return _dataset(entries, read_colmap_points(model), DatasetKind.COLMAP, path)


def _dataset(
    entries: Iterable[Entry], points: PointCloud | None, kind: DatasetKind, path: Path
) -> Dataset:
    """Views sorted by name, each with its split."""
    ordered = sorted(entries, key=lambda entry: entry[0].name)
    stated = any(split is not None for _, split in ordered)
    views = tuple(
        replace(view, split=(split or Split.TRAIN) if stated else every_eighth(index))
        for index, (view, split) in enumerate(ordered)
    )
    return Dataset(
        views=views,
        points=None if points is None else points.positions,
        point_colors=None if points is None else points.colors,
        up=mean_up(views),
        kind=kind,
        path=path,
    )
