"""gmae train, gmae evaluate and layers on a folder of small images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.formats import load_scene
from core.gmae import config
from core.gmae.config import Config
from core.gmae.splatting import scene_camera
from core.rendering import render
from tests.core.cli_stage import run, run_json

TINY = Config(32, 8, 16, 1, 2, 16, 1, 2, queries=8, per_query=2)


@pytest.fixture(autouse=True)
def small_and_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(config.LADDER, "tiny", TINY)
    monkeypatch.setenv("SPLATSCOPE_DEVICE", "cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder, masks = tmp_path / "photos", tmp_path / "masks"
    folder.mkdir()
    masks.mkdir()
    y, x = np.mgrid[0:40, 0:40]
    for index in range(3):
        disc = (x - 20) ** 2 + (y - 20) ** 2 < (8 + 2 * index) ** 2
        rgb = np.where(disc[..., None], (200, 40, 30), (30, 90, 60 * index)).astype(np.uint8)
        Image.fromarray(rgb).save(folder / f"{index}.png")
        Image.fromarray((disc * 255).astype(np.uint8)).save(masks / f"{index}.png")
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.array(file, dtype=np.float32) / 255


def test_train_evaluate_and_layers(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, sheet, out = tmp_path / "m.safetensors", tmp_path / "sheet.png", tmp_path / "layers"
    options = ["--config", "tiny", "--steps", "3", "--batch", "4", "--samples", sheet]
    trained = run_json(capsys, "gmae", "train", photos, "-o", model, *options)
    assert trained["steps"] == 3
    assert pixels(sheet).shape == (96, 96, 3)
    masks = tmp_path / "masks"
    found = run_json(capsys, "gmae", "evaluate", photos, "--model", model, "--masks", masks)
    assert found["images"] == 3
    assert 0 < found["masked_mse"][0] < 1
    assert {"far", "shuffled far", "center ellipse"} <= set(found["figure_ground"])
    made = run_json(
        capsys, "layers", photos / "1.png", "-o", out, "--model", model, "--layers", "4"
    )
    assert made["gaussians_by_layer"] == [4, 4, 4, 4]
    whole = pixels(out / "nearest_4.png")
    assert whole.shape == (32, 32, 4)
    drawn = render(load_scene(out / "scene.ply").scene, scene_camera(32))
    assert np.abs(whole[..., :3] * whole[..., 3:] - drawn.rgb.numpy()).max() < 2 / 255


@pytest.mark.parametrize(
    "options",
    [["--config", "huge"], ["--loss", "none"], ["--camera", "fisheye"], ["--minutes", "0"]],
)
def test_wrong_options_are_refused_in_one_line(
    options: list[str], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "gmae", "train", photos, "-o", tmp_path / "m.st", *options)
    assert code == 2
    assert len(err.splitlines()) == 1
