"""An image as a model sees it: the square, hidden patches, its scene, and how good that is."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from core.editing.changes import at_depths, depths_of
from core.errors import UserError
from core.gmae import models
from core.gmae.cameras import DISTANCE
from core.gmae.folder import read_image
from core.gmae.images import GREY, describe_image, hide_patches, measure_picture
from core.gmae.model import GaussianAutoencoder, new_model
from core.gmae.models import find_model
from core.gmae.refining import refine_image
from core.gmae.splatting import WHITE
from core.gmae.weights import save_model
from core.images import is_image
from core.jobs import drain
from core.rendering import render
from tests.core.test_cli_gmae import TINY


@pytest.fixture(scope="module")
def model() -> GaussianAutoencoder:
    return new_model(TINY, seed=3).eval()


def picture() -> Image.Image:
    image = Image.new("RGB", (60, 40), (40, 120, 200))
    image.paste((230, 60, 20), (20, 10, 40, 30))
    return image


def test_an_image_becomes_a_scene_that_is_its_picture(model: GaussianAutoencoder) -> None:
    source = describe_image(model, {"steps": 5}, picture(), "a.png", None, "tiny")
    assert source.outputs.shape == (1, TINY.gaussians, 14)
    assert not source.hidden().any()
    scene = source.scene()
    everything = torch.ones(len(scene), dtype=torch.bool)
    quality = measure_picture(scene, everything, source)
    rgb = render(scene, source.camera, background=WHITE).rgb.clamp(0, 1)
    error = (rgb - source.pixels[0].permute(1, 2, 0)).pow(2).mean()
    assert quality.psnr == pytest.approx(float(-10 * error.log10()), abs=1e-4)
    assert quality.hidden_mse is None
    nothing = measure_picture(scene, ~everything, source)
    assert nothing.uncovered == pytest.approx(1.0)
    assert 0 <= quality.uncovered < 1


def test_hidden_patches_depend_on_the_seed_alone(model: GaussianAutoencoder) -> None:
    source = describe_image(model, {}, picture(), "a.png", None, "tiny")
    part = hide_patches(source, model, 0.75, 4)
    assert part.hidden().sum() == 0.75 * TINY.size**2
    assert torch.equal(part.outputs, hide_patches(source, model, 0.75, 4).outputs)
    assert not torch.equal(part.outputs, source.outputs)
    assert not torch.equal(part.hidden(), hide_patches(source, model, 0.75, 5).hidden())
    assert (part.seen()[part.hidden()] == GREY).all()
    whole = source.pixels[0].permute(1, 2, 0)
    assert torch.equal(part.seen()[~part.hidden()], whole[~part.hidden()])
    quality = measure_picture(part.scene(), torch.ones(TINY.gaussians, dtype=torch.bool), part)
    assert quality.hidden_mse is not None
    assert quality.hidden_mse > 0
    again = hide_patches(part, model, 0.0, 4)
    assert torch.equal(again.outputs, source.outputs)


def test_refining_keeps_to_the_order_of_the_depths_it_is_given(model: GaussianAutoencoder) -> None:
    source = describe_image(model, {}, picture(), "a.png", None, "tiny")
    depths = torch.arange(TINY.gaussians).flip(0).float().unsqueeze(0)
    own = drain(refine_image(source.outputs, source.pixels, TINY, 15))
    other = drain(refine_image(source.outputs, source.pixels, TINY, 15, depths=depths))
    assert torch.equal(own.outputs[..., 2], source.outputs[..., 2])
    assert torch.equal(other.outputs[..., 2], source.outputs[..., 2])
    assert not torch.equal(own.outputs, other.outputs)
    scene = source.scene()
    everything = torch.ones(len(scene), dtype=torch.bool)
    placed = {**scene.tensors()}
    placed |= at_depths(scene, everything, source.camera, DISTANCE + depths[0] / 10)
    moved = scene.with_tensors(placed)
    assert (
        depths_of(moved, everything, source.camera).argsort().tolist()
        == list(range(TINY.gaussians))[::-1]
    )


def test_the_model_of_the_box_or_a_file_or_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: GaussianAutoencoder
) -> None:
    own = tmp_path / "own.safetensors"
    save_model(model, own)
    assert find_model(own) == own
    monkeypatch.setattr(models, "BOX_MODEL", tmp_path / "nowhere.safetensors")
    with pytest.raises(UserError, match="splatscope gmae train"):
        find_model()
    with pytest.raises(UserError, match="There is no model"):
        find_model(tmp_path / "gone.safetensors")
    monkeypatch.setattr(models, "BOX_MODEL", own)
    assert find_model() == own


@pytest.mark.parametrize("kind", ["text", "truncated", "long"])
def test_what_is_no_image_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.png"
    if kind == "text":
        path.write_text("not a picture at all")
    elif kind == "truncated":
        Image.effect_noise((200, 200), 80).save(path)
        path.write_bytes(path.read_bytes()[:5000])
    else:
        Image.new("L", (4000, 2)).save(path)
    with pytest.raises(UserError, match=r"photo\.png"):
        read_image(path, 64)


def test_an_image_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot open photo\.png: there is no such file"):
        read_image(tmp_path / "photo.png", 64)
    with pytest.raises(UserError, match="directory"):
        read_image(tmp_path, 64)


def test_names_of_images() -> None:
    assert is_image(Path("a/b.JPG"))
    assert is_image(Path("c.webp"))
    assert not is_image(Path("d.ply"))
