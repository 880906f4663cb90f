"""Finding the scene in a folder."""

from pathlib import Path

import pytest

from core.errors import UserError
from core.formats import find_scene, save_scene
from tests.blobs import blob_scene


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_scene(blob_scene(4), path)
    return path


def test_the_scene_nearest_to_the_top_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "a" / "deep.ply")
    top = write(tmp_path / "top.ply")
    assert find_scene(tmp_path) == top


def test_the_longest_trained_iteration_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "point_cloud" / "iteration_7000" / "point_cloud.ply")
    last = write(tmp_path / "point_cloud" / "iteration_30000" / "point_cloud.ply")
    assert find_scene(tmp_path) == last


def test_point_clouds_and_other_files_are_no_scenes(tmp_path: Path) -> None:
    (tmp_path / "points3D.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    (tmp_path / "note.txt").write_text("no scene")
    (tmp_path / "broken.ply").mkdir()
    with pytest.raises(UserError, match="There is no scene"):
        find_scene(tmp_path)
    scene = write(tmp_path / "sparse" / "splat.ply")
    assert find_scene(tmp_path) == scene


def test_folders_that_lead_back_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(UserError, match="There is no scene"):
        find_scene(tmp_path)
