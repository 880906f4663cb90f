"""gmae train, gmae evaluate and layers on a folder of small images."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.formats import load_scene
from core.gmae import config
from core.gmae.config import Config, Projection
from core.gmae.folder import read_image, square
from core.gmae.model import new_model
from core.gmae.models import find_model
from core.gmae.splatting import scene_camera
from core.gmae.weights import load_model, save_model
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
    shown = ["--masks", masks, "--sheet", tmp_path / "eval.png"]
    found = run_json(capsys, "gmae", "evaluate", photos, "--model", model, *shown)
    assert found["images"] == 3
    mean, error = found["masked_mse"]
    assert 0 < error < mean < 1
    assert {"far", "shuffled far", "center ellipse"} <= set(found["figure_ground"])
    assert found["figure_claimed"] is False
    assert 0 < found["edges"]["gradient of the photo"]["f"] <= 1
    assert pixels(tmp_path / "eval.png").std() > 0.1
    code, text, _ = run(capsys, "gmae", "evaluate", photos, "--model", model)
    assert code == 0
    assert "(error" in text
    shape = ["--layers", "4", "--size", "32"]
    made = run_json(capsys, "layers", photos / "1.png", "-o", out, "--model", model, *shape)
    assert made["gaussians_by_layer"] == [4, 4, 4, 4]
    whole = pixels(out / "from_near_4.png")
    assert whole.shape == (32, 32, 4)
    drawn = render(load_scene(out / "scene.ply").scene, scene_camera(32))
    assert np.abs(whole[..., :3] * whole[..., 3:] - drawn.rgb.numpy()).max() < 2 / 255
    on_white = whole[..., :3] * whole[..., 3:] + 1 - whole[..., 3:]
    image = square(read_image(photos / "1.png", 64), 32).permute(1, 2, 0).numpy()
    psnr = -10 * np.log10(((on_white - image) ** 2).mean())
    assert made["psnr"] == pytest.approx(psnr, abs=0.05)


def test_layers_writes_masks_scenes_and_an_animation(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "m.safetensors", tmp_path / "layers"
    run_json(capsys, "gmae", "train", photos, "-o", model, "--config", "tiny", "--steps", "1")
    options = ["--layers", "3", "--masks", "--polarity", "near", "--ply-layers", "--size", "48"]
    options += ["--animation", tmp_path / "peel.gif"]
    made = run_json(capsys, "layers", photos / "1.png", "-o", out, "--model", model, *options)
    names = sorted(str(path) for path in [*out.iterdir(), tmp_path / "peel.gif"])
    assert sorted(made["files"]) == names
    assert len(names) == 15
    numbers = load_scene(out / "scene.ply").scene.columns["layer"].long()
    assert numbers.bincount().tolist() == [0, *made["gaussians_by_layer"]]
    assert pixels(out / "figure.png").shape == (48, 48)
    layers = [load_scene(out / f"layer_{step}.ply").scene for step in (1, 2, 3)]
    assert [len(layer) for layer in layers] == made["gaussians_by_layer"]
    code, _, err = run(
        capsys, "layers", photos / "1.png", "-o", out, "--model", model, "--animation", "peel.avi"
    )
    assert code == 2
    assert "peel.avi" in err


def test_layers_are_large_and_refined_ones_are_nearer_to_the_image(
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    image, options = photos / "1.png", ["--layers", "2", "--animation"]
    model = tmp_path / "m.safetensors"
    save_model(new_model(TINY, 0), model, {})
    options = ["--model", model, *options]
    plain = run_json(capsys, "layers", image, "-o", "out", *options, "peel.gif")
    assert pixels(tmp_path / "out" / "layer_1.png").shape == (512, 512, 4)
    assert plain["files"][-1] == str(Path("out", "peel.gif"))
    assert (tmp_path / "out" / "peel.gif").is_file()
    (tmp_path / "sub").mkdir()
    place = str(Path("sub", "peel.gif"))
    fitted = run_json(capsys, "layers", image, "-o", "out", "--refine", "20", *options, place)
    assert fitted["psnr"] > plain["psnr"] + 1
    assert (tmp_path / "sub" / "peel.gif").is_file()


def test_layers_of_no_file_or_to_no_folder_are_refused_in_one_line(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, _, err = run(capsys, "layers", photos / "none.png", "-o", out)
    assert code == 2
    assert "none.png: there is no such file" in err
    assert not out.exists()
    code, _, err = run(capsys, "layers", photos / "1.png", "-o", photos / "2.png")
    assert code == 2
    assert "Cannot write to" in err
    assert len(err.splitlines()) == 1


def test_a_model_comes_along(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run_json(capsys, "layers", photos / "1.png", "-o", tmp_path / "layers", "--layers", "2")
    assert made["count"] == 192
    _, notes = load_model(find_model())
    assert notes["steps"] > 7000
    assert "photographs" in notes["data"]
    assert "CC0" in notes["licence"]


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


def test_model_says_what_it_was_trained_on(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "m.safetensors"
    shape = ["--queries", "5", "--per-query", "3", "--steps", "1", "--batch", "2"]
    texts = ["--data-name", "discs", "--data-licence", "CC0-1.0", "--config", "tiny"]
    run_json(capsys, "gmae", "train", photos, "-o", model, *shape, *texts)
    loaded, notes = load_model(model)
    assert (loaded.config.queries, loaded.config.gaussians) == (5, 15)
    assert (notes["data"], notes["data_licence"], notes["seed"]) == ("discs", "CC0-1.0", 0)


def test_report_tells_seeds_from_controls(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, out = [], tmp_path / "report"
    for name, seed, camera in (("a", 0, "authors"), ("b", 1, "authors"), ("control", 0, "ortho")):
        models.append(tmp_path / f"{name}.safetensors")
        config = Config(**{**asdict(TINY), "projection": Projection(camera)})
        save_model(new_model(config, seed), models[-1], {"steps": seed})
    data = ["--images", photos, "--masks", tmp_path / "masks"]
    said = run_json(capsys, "gmae", "report", *models, *data, "-o", out)
    values = json.loads((out / "report.json").read_text())
    groups = values["groups"]
    assert [group["models"] for group in groups] == [["a", "b"], ["control"]]
    assert [group["camera"] for group in groups] == ["authors", "ortho"]
    both = [model["quality"]["psnr"][0] for model in values["models"][:2]]
    assert groups[0]["numbers"]["PSNR"] == pytest.approx([np.mean(both), np.std(both, ddof=1)])
    assert groups[1]["numbers"]["PSNR"][1] is None
    assert all("not found" in text for text in said["verdicts"].values())
    missing = " ".join(said["missing"])
    assert "ortho" not in missing
    assert "2 of 2 configurations have fewer than 3 seeds" in missing
    assert "a, b were not trained for equal steps" in missing
    text = (out / "report.md").read_text()
    assert "| residual ρ(z, screen σ) |" in text
    assert "| shuffled far |" in text
    assert "| gradient of the picture |" in text
    code, _, err = run(capsys, "gmae", "report", models[0], *data, "--train", photos, "-o", out)
    assert code == 2
    assert "is one of the training images" in err
    assert "and so are 2 more" in err
