"""Layers written to disk and read back."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core.errors import UserError
from core.formats import load_scene
from core.gmae import exports
from core.gmae.config import Projection
from core.gmae.exports import (
    LAYER_COLUMN,
    Wanted,
    export_camera,
    export_layers,
    free_folder,
    own_folder,
)
from core.gmae.figure_ground import Polarity, figure_depth, figure_mask, otsu
from core.gmae.gaussians import activate
from core.gmae.layers import Show, camera_depths, depth_groups
from core.gmae.splatting import scene_camera, scene_of
from core.jobs import Progress, drain
from core.rendering import render
from core.scene import GaussianScene

SIZE, COUNT = 32, 4
CAMERA = scene_camera(SIZE)


@pytest.fixture
def scene() -> GaussianScene:
    outputs = 1.5 * torch.randn(1, 60, 14, generator=torch.Generator().manual_seed(0))
    return scene_of(activate(outputs, 1.0), Projection.AUTHORS, SIZE)


@pytest.fixture
def groups(scene: GaussianScene) -> Tensor:
    return depth_groups(camera_depths(scene, CAMERA), COUNT)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.array(file, dtype=np.float32) / 255


def test_single_layers_one_over_the_other_are_the_whole_picture(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    told: list[Progress] = []
    steps = export_layers(scene, CAMERA, groups, COUNT, tmp_path / "new", Wanted())
    files = drain(steps, told.append)
    assert [(one.done, one.total) for one in told] == [(i + 1, COUNT) for i in range(COUNT)]
    assert sorted(files) == sorted((tmp_path / "new").iterdir())
    picture = np.ones((SIZE, SIZE, 3), np.float32)
    for step in reversed(range(COUNT)):
        layer = pixels(tmp_path / "new" / f"layer_{step + 1}.png")
        picture = layer[..., :3] * layer[..., 3:] + picture * (1 - layer[..., 3:])
    whole = render(scene, CAMERA, background=(1.0, 1.0, 1.0)).rgb.numpy()
    assert np.abs(picture - whole).max() < 2 / 255
    nearest = pixels(tmp_path / "new" / f"from_near_{COUNT}.png")
    over_white = nearest[..., :3] * nearest[..., 3:] + 1 - nearest[..., 3:]
    assert np.abs(over_white - whole).max() < 2 / 255


def test_a_mask_holds_the_figure_of_what_is_kept(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    keep = torch.arange(len(scene)) % 2 == 0
    wanted = Wanted(pictures=False, masks=True, polarity=Polarity.NEAR)
    path, *covers = drain(export_layers(scene, CAMERA, groups, COUNT, tmp_path, wanted, keep))
    depth = figure_depth(scene.select(keep), CAMERA)
    expected = figure_mask(depth, otsu(depth), Polarity.NEAR).numpy()
    assert 0.01 < expected.mean() < 0.99
    np.testing.assert_array_equal(pixels(path), expected.astype(np.float32))
    assert [cover.name for cover in covers] == [f"coverage_{step}.png" for step in range(1, 5)]
    through = np.ones((SIZE, SIZE))
    for cover in covers:
        through *= 1 - pixels(cover)
    whole = render(scene, CAMERA, keep=keep).alpha.numpy()
    assert np.abs(1 - through - whole).max() < 4 / 255


def test_layers_as_scenes_hold_their_gaussians(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    groups = torch.where(groups == 1, -1, groups)
    wanted = Wanted(pictures=False, scenes=True)
    files = drain(export_layers(scene, CAMERA, groups, COUNT, tmp_path, wanted))
    assert [path.name for path in files] == ["layer_1.ply", "layer_3.ply", "layer_4.ply"]
    for path, group in zip(files, (0, 2, 3), strict=True):
        torch.testing.assert_close(load_scene(path).scene.means, scene.means[groups == group])


def test_layers_as_one_scene_keep_their_numbers(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    groups = torch.where(groups == 1, -1, groups)
    wanted = Wanted(pictures=False, labelled=True)
    (path,) = drain(export_layers(scene, CAMERA, groups, COUNT, tmp_path, wanted))
    loaded = load_scene(path).scene
    torch.testing.assert_close(loaded.means, scene.means[groups >= 0])
    assert loaded.columns[LAYER_COLUMN].tolist() == (groups[groups >= 0] + 1).tolist()


def test_an_export_that_is_given_up_leaves_no_animation(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    for name in ("peel.gif", "peel.mp4"):
        wanted = Wanted(pictures=False, animation=tmp_path / name)
        steps = export_layers(scene, CAMERA, groups, COUNT, tmp_path, wanted)
        next(steps)
        steps.close()
    assert list(tmp_path.iterdir()) == []


def test_a_gif_has_a_frame_for_each_step(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "peel.gif"
    wanted = Wanted(pictures=False, animation=path, seconds=0.5)
    told: list[Progress] = []
    files = drain(export_layers(scene, CAMERA, groups, COUNT, path.parent, wanted), told.append)
    assert files == (path,)
    assert told[-1].done == told[-1].total == COUNT
    whole = render(scene, CAMERA, background=(1.0, 1.0, 1.0)).rgb.numpy()
    with Image.open(path) as animation:
        assert animation.n_frames == COUNT
        assert animation.info["duration"] == 500
        animation.seek(COUNT - 1)
        last = np.array(animation.convert("RGB"), dtype=np.float32) / 255
    assert np.abs(last - whole).mean() < 0.02


def test_a_video_opens_and_has_even_sides(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "peel.mp4"
    wanted = Wanted(pictures=False, animation=path, show=Show.FARTHEST)
    camera = export_camera(CAMERA, 51)
    drain(export_layers(scene, camera, groups, COUNT, tmp_path, wanted))
    video = cv2.VideoCapture(str(path))
    frames = []
    while (read := video.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    video.release()
    assert len(frames) == COUNT
    assert frames[0].shape == (52, 52, 3)
    whole = render(scene, camera, background=(1.0, 1.0, 1.0)).rgb.numpy()
    assert np.abs(frames[-1][:51, :51] / 255 - whole).mean() < 0.05


def test_without_a_codec_one_is_told_and_nothing_is_written(
    scene: GaussianScene, groups: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_CODEC", "zzzz")
    wanted = Wanted(pictures=False, animation=tmp_path / "peel.mp4")
    with pytest.raises(UserError, match="encoder"):
        drain(export_layers(scene, CAMERA, groups, COUNT, tmp_path, wanted))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "size", "count"),
    [
        (Wanted(), 4097, 4),
        (Wanted(), 32, 0),
        (Wanted(), 32, 513),
        (Wanted(animation=Path("peel.avi")), 32, 4),
        (Wanted(animation=Path("missing/peel.gif")), 32, 4),
        (Wanted(animation=Path("peel.gif")), 4096, 32),
    ],
)
def test_what_is_out_of_bounds_is_refused_before_work(
    wanted: Wanted,
    size: int,
    count: int,
    scene: GaussianScene,
    groups: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = export_layers(
        scene, export_camera(CAMERA, size), groups, count, tmp_path / "new", wanted
    )
    with pytest.raises(UserError):
        next(steps)
    assert list(tmp_path.iterdir()) == []


def test_a_size_is_that_of_the_longer_side() -> None:
    wide = export_camera(CAMERA.resized(64, 32), 200)
    assert (wide.width, wide.height) == (200, 100)


def test_a_folder_of_its_own_is_one_where_nothing_is(tmp_path: Path) -> None:
    name = own_folder("10")
    assert name == "10_layers"
    free = [free_folder(tmp_path, name)]
    free[0].mkdir()
    free.append(free_folder(tmp_path, name))
    (free[1] / "note.txt").touch()
    (tmp_path / "10_layers_2").touch()
    (tmp_path / "10_layers_3").symlink_to(tmp_path / "nowhere")
    free.append(free_folder(tmp_path, name))
    assert [folder.name for folder in free] == ["10_layers", "10_layers", "10_layers_4"]
    with pytest.raises(UserError, match="no folder"):
        free_folder(tmp_path / "gone", name)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Pasted image", "Pasted_image_layers"),
        ("../a\\b:c?", "a_b_c_layers"),
        ("Größe.2 (1)", "Größe.2_(1)_layers"),
        ("...", "scene_layers"),
        ("x" * 300, "x" * 60 + "_layers"),
    ],
)
def test_any_name_makes_a_name_of_a_folder(name: str, folder: str) -> None:
    assert own_folder(name) == folder


def test_a_folder_that_cannot_be_made_is_told(
    scene: GaussianScene, groups: Tensor, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = free_folder(tmp_path / "file", own_folder("10"))
    with pytest.raises(UserError, match="Cannot write to"):
        next(export_layers(scene, CAMERA, groups, COUNT, folder, Wanted()))
