"""What models are measured by: true masks and edges, their scores, the linear probe, verdicts."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import UserError
from core.gmae.config import Config, Projection
from core.gmae.edge_scores import EdgeTally, detected
from core.gmae.edges import match_edges
from core.gmae.evaluation import Estimate, estimate, evaluate_model, is_clear
from core.gmae.folder import ImageFolder, refuse_shared
from core.gmae.gaussians import activate
from core.gmae.losses import Loss, reconstruction_loss
from core.gmae.model import new_model
from core.gmae.probe import probe_model
from core.gmae.sheets import COLUMNS, model_sheet
from core.gmae.splatting import drawn, pictures, scene_camera, scene_of
from core.gmae.truths import Truths, mask_boundary
from core.jobs import drain

SMALL = Config(32, 8, 32, 2, 2, 32, 2, 2, queries=16, per_query=2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def save_gray(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def classes(folder: Path, seed: int, count: int = 6) -> Path:
    """Noise that is fine in one class and coarse in the other, of any lightness."""
    rng = np.random.default_rng(seed)
    for name, side in (("fine", 32), ("coarse", 4)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            noise = rng.integers(0, 256, (side, side)).repeat(32 // side, 0).repeat(32 // side, 1)
            save_gray(noise, folder / name / f"{index}.png")
    return folder


def test_truths_are_read_by_name_at_the_models_size(tmp_path: Path) -> None:
    square, line = np.zeros((64, 96)), np.zeros((64, 96))
    square[16:48, 32:64] = 255
    line[:, 48] = 255
    save_gray(square, tmp_path / "one.png")
    save_gray(line, tmp_path / "two.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    truths = Truths(tmp_path)
    mask = truths.mask(Path("one.jpg"), 32)
    assert mask.sum() == 16 * 16
    assert bool(mask[8:24, 8:24].all())
    assert not bool(truths.mask(Path("two.jpg"), 8).any())
    edges = truths.edges(Path("two.jpg"), 8)
    assert edges.sum() == 8
    assert bool(edges[:, 4].all())
    with pytest.raises(UserError, match=r"three\.jpg"):
        truths.mask(Path("three.jpg"), 8)
    with pytest.raises(UserError, match=r"bad\.png"):
        truths.edges(Path("bad.jpg"), 8)
    with pytest.raises(UserError, match="no folder"):
        Truths(tmp_path / "none")


def test_boundary_of_a_mask_is_one_pixel_wide() -> None:
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:, 4:] = True
    assert mask_boundary(mask).nonzero()[:, 1].unique().tolist() == [3]
    assert not bool(mask_boundary(torch.ones(8, 8, dtype=torch.bool)).any())


def test_one_threshold_holds_for_all_images() -> None:
    """Edges as strong in one image as noise is in another cannot both be had."""
    truth = torch.zeros(2, 40, 40, dtype=torch.bool)
    truth[0, 20] = truth[1, 10] = True
    strengths = torch.zeros(2, 40, 40)
    strengths[0, 20], strengths[1, 10], strengths[1, 30] = 0.3, 0.9, 0.3
    tally = EdgeTally()
    tally.add(strengths[0], truth[0])
    alone = tally.score()
    assert alone.f == alone.low == alone.high == 1
    tally.add(strengths[1], truth[1])
    both = tally.score()
    assert match_edges(strengths[1], truth[1]).f == 1
    assert both.precision == pytest.approx(2 / 3)
    assert both.recall == 1
    assert both.low == both.f < both.high == 1
    nothing = EdgeTally()
    nothing.add(torch.zeros(40, 40), truth[0])
    assert nothing.score().f == 0


def test_gradients_find_a_step_and_are_one_there() -> None:
    outputs = torch.randn(1, 20, 14, generator=torch.Generator().manual_seed(0))
    scene = scene_of(activate(outputs, 1.0), Projection.AUTHORS, 40)
    step = torch.zeros(40, 40, 3)
    step[:, 20:] = 1
    found = detected(scene, scene_camera(40), step)
    assert found["gradient of the photo"].max() == pytest.approx(1, abs=0.05)
    assert found["gradient of the photo"][20].argmax() in (19, 20)
    assert not torch.equal(found["layers"], found["random order"])
    assert all(0 <= values.min() <= values.max() <= 1.05 for values in found.values())


def test_holes_are_what_shines_through() -> None:
    outputs = torch.randn(2, 30, 14, generator=torch.Generator().manual_seed(0))
    made = activate(outputs, 1.0)
    on_white, through = drawn(made, Projection.AUTHORS, 24)
    on_black = pictures(made, Projection.AUTHORS, 24, (0.0, 0.0, 0.0))
    assert torch.allclose(on_white - on_black, through[..., None].expand(-1, -1, -1, 3), atol=1e-6)
    assert 0 < through.min() < 0.9 < through.max() <= 1


def test_errors_are_those_of_the_loss_and_of_every_image(tmp_path: Path) -> None:
    images = ImageFolder(classes(tmp_path / "all", 0), 32)
    model = new_model(SMALL)
    quality = drain(evaluate_model(model, images))
    batch = images.squares(list(range(12)))
    generator = torch.Generator().manual_seed(0)
    loss = reconstruction_loss(model, batch, Loss.MASKED, 32 * 32, generator)
    assert quality.images == 12
    assert quality.masked_mse.mean == pytest.approx(float(loss.detach()), rel=1e-5)
    assert quality.psnr.error > 0
    assert quality.figure_ground is quality.margins is quality.edges is None


def test_figure_is_claimed_only_above_two_errors() -> None:
    assert is_clear(Estimate(0.03, 0.01))
    assert not is_clear(Estimate(0.02, 0.01))
    assert not is_clear(estimate([0.5]))
    mean, error = estimate([0.0, 2.0, 4.0])
    assert (mean, error) == pytest.approx((2, 2 / 3**0.5))


def test_probe_tells_classes_that_an_encoder_tells(tmp_path: Path) -> None:
    """Coarse noise from fine: its light is alike, so pixels tell less than patches do."""
    train, images = classes(tmp_path / "train", 0, 40), classes(tmp_path / "val", 1, 20)
    folder = ImageFolder(images, 32)
    model = new_model(SMALL, 3)
    found = drain(probe_model(model, folder, list(range(40)), train))
    assert (found.classes, found.train_images, found.images) == (2, 80, 40)
    assert found.chance == 0.5
    assert found.accuracy > 0.85 > found.pixels
    assert found == drain(probe_model(model, folder, list(range(40)), train))
    first = drain(probe_model(new_model(SMALL, 0), folder, list(range(40)), train))
    assert first.accuracy == first.untrained


def test_probe_refuses_what_has_no_classes(tmp_path: Path) -> None:
    train = classes(tmp_path / "train", 0)
    model = new_model(SMALL)
    flat = ImageFolder(train / "fine", 32)
    with pytest.raises(UserError, match="outside of classes"):
        drain(probe_model(model, flat, [0], classes(tmp_path / "other", 2)))
    (train / "fine").rename(train / "odd")
    with pytest.raises(UserError, match="class odd"):
        drain(probe_model(model, ImageFolder(train, 32), [11], classes(tmp_path / "more", 3)))


def test_images_of_training_are_known_by_content(tmp_path: Path) -> None:
    train = ImageFolder(classes(tmp_path / "train", 0), 32)
    other = classes(tmp_path / "val", 1)
    refuse_shared(ImageFolder(other, 32), train)
    (other / "fine" / "copy.png").write_bytes(train.paths[3].read_bytes())
    with pytest.raises(UserError, match=r"copy\.png is one of the training images, 3\.png"):
        refuse_shared(ImageFolder(other, 32), train)


def test_sheet_has_a_cell_for_each_column(tmp_path: Path) -> None:
    images = ImageFolder(classes(tmp_path / "all", 0), 32).squares([0, 6])
    sheet = model_sheet(new_model(SMALL), images)
    side = 128 + 6
    assert sheet.shape == (26 + 2 * side, 6 + len(COLUMNS) * side, 3)
    first = sheet[26 : 26 + 128 : 4, 6 : 6 + 128 : 4]
    assert torch.allclose(first, images[0].permute(1, 2, 0), atol=1 / 255)
