"""Training on a folder: it learns, goes on after a stop, and refines single images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import UserError
from core.gmae.config import Config
from core.gmae.folder import ImageFolder, read_image
from core.gmae.losses import Loss, reconstruction_loss
from core.gmae.model import new_model
from core.gmae.refining import refine_image
from core.gmae.splatting import pictures
from core.gmae.training import Schedule, train_model
from core.jobs import drain

SMALL = Config(32, 8, 32, 2, 2, 32, 2, 2, queries=16, per_query=2)
QUICK = Schedule(steps=6, batch=4, pixels=64, warm_up=2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices as small as these only wait for one another on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    y, x = np.mgrid[0:40, 0:60] / 60
    for index in range(5):
        rgb = np.stack([x, y, np.full_like(x, index / 5)], -1)
        Image.fromarray((rgb * 255).astype(np.uint8)).save(folder / "sub" / f"{index}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def test_folder_gives_the_same_crops_for_the_same_step(photos: Path) -> None:
    images = ImageFolder(photos, 32)
    assert len(images) == 5
    crops = images.crops(6, 1, 2)
    assert crops.shape == (6, 3, 32, 32)
    assert 0 <= crops.min() <= crops.max() <= 1
    assert torch.equal(crops, ImageFolder(photos, 32).crops(6, 1, 2))
    assert not torch.equal(crops, images.crops(6, 1, 3))


def test_folders_without_images_and_broken_images_are_refused(photos: Path) -> None:
    empty = photos / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="no images"):
        ImageFolder(empty, 32)
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(UserError, match=r"broken\.png"):
        read_image(photos / "broken.png", 32)


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 4).getpixel((1, 1)) == (255, 255, 255)


def test_training_makes_the_loss_small(photos: Path) -> None:
    losses: list[float] = []
    schedule = Schedule(steps=50, batch=8, pixels=64, warm_up=5, rate=4e-3)
    trained = drain(
        train_model(new_model(SMALL), ImageFolder(photos, 32), schedule),
        lambda progress: losses.append(progress.values["loss"]),
    )
    assert np.mean(losses[-10:]) < 0.5 * losses[0]
    assert trained.samples.shape == (4, 3, 32, 32, 3)
    assert trained.notes["steps"] == 50


def test_a_stopped_run_ends_as_if_it_had_not_been(photos: Path, tmp_path: Path) -> None:
    whole = drain(train_model(new_model(SMALL), ImageFolder(photos, 32), QUICK))
    steps = train_model(new_model(SMALL), ImageFolder(photos, 32), QUICK, tmp_path / "run")
    for _ in range(3):
        next(steps)
    steps.close()
    resumed = train_model(new_model(SMALL), ImageFolder(photos, 32), QUICK, tmp_path / "run")
    assert next(resumed).done == 4
    rest = drain(resumed)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name])
    other = Schedule(steps=7)
    with pytest.raises(UserError, match="other settings"):
        drain(train_model(new_model(SMALL), ImageFolder(photos, 32), other, tmp_path / "run"))


def test_time_ends_a_run_too(photos: Path) -> None:
    schedule = Schedule(steps=10**6, seconds=0.2, batch=2, pixels=8)
    trained = drain(train_model(new_model(SMALL), ImageFolder(photos, 32), schedule))
    assert 1 <= int(trained.notes["steps"]) < 10**4


def test_losses_count_what_they_say(photos: Path) -> None:
    """With all masked pixels drawn, the loss is the mean over them of the picture's error."""
    model = new_model(SMALL)
    images = ImageFolder(photos, 32).squares([0, 1])

    def loss(kind: Loss, ratio: float | None = None) -> float:
        generator = torch.Generator().manual_seed(0)
        return float(reconstruction_loss(model, images, kind, 10**6, generator, ratio).detach())

    whole = pictures(model(images), SMALL.projection, 32).permute(0, 3, 1, 2)
    assert loss(Loss.ALL, 0.0) == pytest.approx(float(((whole - images) ** 2).mean()), rel=1e-4)
    assert len({loss(kind) for kind in Loss}) == 3


def test_refining_comes_nearer_and_keeps_depth(photos: Path) -> None:
    model = new_model(SMALL)
    image = ImageFolder(photos, 32).squares([3])
    with torch.no_grad():
        outputs = model.outputs(image)
    psnrs: list[float] = []
    refined = drain(
        refine_image(outputs, image, SMALL, 40), lambda p: psnrs.append(p.values["psnr"])
    )
    assert refined.psnr > psnrs[0] + 6
    assert torch.equal(refined.outputs[..., 2], outputs[..., 2])
