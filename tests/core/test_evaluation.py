"""What is measured of scenes, against photos and each other, in numbers checked by hand."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.cameras import Camera, Split, View, intrinsics, look_at
from core.errors import UserError
from core.jobs import Progress, drain
from core.metrics import (
    Evaluation,
    Lpips,
    PhotoReferences,
    SceneReferences,
    ViewQuality,
    compare,
    evaluate,
    frame_time,
    psnr,
    ssim,
)
from core.metrics.evaluation import EQUAL_DB, Comparison, likeness
from core.metrics.export import save_csv
from core.metrics.lpips import ALEX
from core.metrics.references import draw, find_references
from core.rendering import render
from tests.blobs import blob_scene

SIZE = (48, 36)


def cameras(count: int = 3) -> list[Camera]:
    K = intrinsics(50, *SIZE)
    eyes = [(3 * math.cos(a), 0.5, 3 * math.sin(a)) for a in range(count)]
    return [
        Camera(look_at(eye, (0, 0, 0), (0, -1, 0)), K, *SIZE, f"r_{number}")
        for number, eye in enumerate(eyes)
    ]


def random_lpips() -> Lpips:
    generator = torch.Generator().manual_seed(1)
    return Lpips(
        ALEX, {name: 0.05 * torch.rand(s, generator=generator) for name, s in ALEX.shapes.items()}
    )


def photo(folder: Path, name: str, pixels: np.ndarray) -> Path:
    path = folder / f"{name}.png"
    Image.fromarray(pixels).save(path)
    return path


def photo_views(folder: Path, count: int = 3) -> list[View]:
    """Photos of a scene, the first of them held out."""
    scene = blob_scene(200)
    return [
        View(
            camera,
            photo(folder, camera.name, draw(scene, camera, (0, 0, 0)).numpy()),
            Split.TRAIN if number else Split.TEST,
        )
        for number, camera in enumerate(cameras(count))
    ]


def test_figures_are_those_of_pictures_saved_with_8_bits(tmp_path: Path) -> None:
    scene, other = blob_scene(200), blob_scene(200, seed=1)
    references = SceneReferences(other, cameras(), (0.2, 0.4, 1.0))
    evaluation = drain(evaluate(scene, references, lpips=random_lpips(), frames=False))
    assert [view.name for view in evaluation.views] == ["r_0", "r_1", "r_2"]
    for view, camera in zip(evaluation.views, references.cameras, strict=True):
        saved = []
        for which in (scene, other):
            picture = render(which, camera, background=(0.2, 0.4, 1.0)).rgb.clamp(0, 1)
            pixels = (picture.numpy() * 255).round().astype(np.uint8)
            saved.append(torch.from_numpy(pixels).float() / 255)
        assert view.psnr == pytest.approx(psnr(*saved), abs=1e-4)
        assert view.ssim == pytest.approx(ssim(*saved), abs=1e-6)
        assert view.lpips == pytest.approx(random_lpips()(*saved), rel=1e-4)
    assert evaluation.psnr == pytest.approx(np.mean([view.psnr for view in evaluation.views]))
    assert evaluation.ssim == pytest.approx(np.mean([view.ssim for view in evaluation.views]))
    assert evaluation.lpips == pytest.approx(np.mean([view.lpips for view in evaluation.views]))
    assert (evaluation.count, evaluation.lpips_net) == (200, "alex")
    assert evaluation.megabytes == pytest.approx(200 * 4 * (14 + 12) / 1e6)
    assert evaluation.frame_ms is None


def test_a_scene_is_equal_to_itself() -> None:
    scene = blob_scene(100)
    evaluation = drain(evaluate(scene, SceneReferences(scene, cameras()), lpips=random_lpips()))
    assert evaluation.psnr == math.inf
    assert evaluation.ssim == pytest.approx(1)
    assert evaluation.lpips == 0
    assert evaluation.frame_ms is not None
    assert evaluation.frame_ms > 0


def test_means_with_equal_pictures_and_missing_figures() -> None:
    def made(*psnrs: float, lpips: float | None = 0.1) -> Evaluation:
        views = [ViewQuality(str(n), value, 0.5, 0.3) for n, value in enumerate(psnrs)]
        views[-1] = replace(views[-1], lpips=lpips)
        return Evaluation(tuple(views), 1, 1.0, None, None)

    assert made(20, 30).psnr == 25
    assert made(20, math.inf).psnr == (20 + EQUAL_DB) / 2
    assert made(math.inf, math.inf).psnr == math.inf
    assert made(20, 30).lpips == pytest.approx(0.2)
    assert made(20, 30, lpips=None).lpips is None
    nothing = Evaluation((), 1, 1.0, 5.0, None)
    assert math.isnan(nothing.psnr)
    assert nothing.lpips is None
    change = Comparison(made(20, 30), replace(made(21, 32), frame_ms=4.0))
    assert change.psnr_change == 1.5
    assert change.frame_rate_ratio is None
    assert Comparison(made(20, 30), made(math.inf, math.inf)).psnr_change is None
    sized = Comparison(nothing, replace(made(20, 30), frame_ms=2.0))
    assert (sized.psnr_change, sized.lpips_change, sized.frame_rate_ratio) == (None, None, 2.5)


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_likeness_in_bands(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("core.metrics.evaluation._BAND_PIXELS", 29 * rows)
    generator = torch.Generator().manual_seed(2)
    a, b = (torch.randint(0, 256, (31, 29, 3), generator=generator).byte() for _ in range(2))
    whole = [picture.float() / 255 for picture in (a, b)]
    measured = likeness(a, b)
    assert measured[0] == pytest.approx(psnr(*whole), abs=1e-5)
    assert measured[1] == pytest.approx(ssim(*whole), abs=1e-6)


def test_transparent_photos_lie_on_the_background(tmp_path: Path) -> None:
    camera = cameras(1)[0]
    pixels = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    pixels[..., 0] = 200
    pixels[:18, :, 3] = 255
    pixels[18:27, :, 3] = 51
    view = View(camera, photo(tmp_path, "clear", pixels))
    picture = PhotoReferences([view], (1.0, 1.0, 0.0)).picture(0)
    assert picture.dtype == torch.uint8
    assert picture[0, 0].tolist() == [200, 0, 0]
    assert picture[20, 0].tolist() == [244, 204, 0]
    assert picture[30, 0].tolist() == [255, 255, 0]
    empty = blob_scene(50).select(torch.zeros(50, dtype=torch.bool))
    yellow = drain(evaluate(empty, PhotoReferences([view], (1.0, 1.0, 0.0)), frames=False))
    assert yellow.psnr == pytest.approx(
        likeness(picture, torch.tensor([255, 255, 0]).byte().expand(picture.shape))[0]
    )


def test_held_out_photos_are_taken_else_all(tmp_path: Path) -> None:
    views = photo_views(tmp_path)
    references = drain(find_references(views))
    assert isinstance(references, PhotoReferences)
    assert references.held_out
    assert [camera.name for camera in references.cameras] == ["r_0"]
    assert drain(evaluate(blob_scene(200), references, frames=False)).psnr == math.inf
    fitted = [replace(view, split=Split.TRAIN) for view in views]
    references = drain(find_references(fitted))
    assert isinstance(references, PhotoReferences)
    assert not references.held_out
    assert len(references.cameras) == 3


def test_without_photos_another_scene_is_the_reference(tmp_path: Path) -> None:
    scene = blob_scene(150)
    bare = [
        View(camera, None, Split.TEST if n == 1 else Split.TRAIN)
        for n, camera in enumerate(cameras())
    ]
    references = drain(find_references(bare, scene))
    assert isinstance(references, SceneReferences)
    assert [camera.name for camera in references.cameras] == ["r_1"]
    generated = drain(find_references(photo_views(tmp_path), scene, count=5))
    assert isinstance(generated, SceneReferences)
    assert len(generated.cameras) == 5
    again = drain(find_references((), scene, count=5))
    assert all(a.same_as(b) for a, b in zip(generated.cameras, again.cameras, strict=True))
    with pytest.raises(UserError, match="no photos"):
        drain(find_references(bare))


def test_a_missing_photo_is_a_users_error(tmp_path: Path) -> None:
    view = replace(photo_views(tmp_path)[0], photo=tmp_path / "gone.png")
    with pytest.raises(UserError, match=r"gone\.png"):
        drain(evaluate(blob_scene(10), PhotoReferences([view])))


def test_partial_results_are_the_views_so_far() -> None:
    reports: list[Progress] = []
    references = SceneReferences(blob_scene(50, seed=1), cameras())
    final = drain(evaluate(blob_scene(50), references, frames=False), reports.append)
    partials = [report.partial for report in reports if report.partial is not None]
    assert [len(partial.views) for partial in partials] == [1, 2, 3]
    assert partials[-1] == final
    assert reports[-1].done == reports[-1].total == 3
    assert reports[-1].values == {"psnr": final.psnr}


def test_two_scenes_on_the_same_photos(tmp_path: Path) -> None:
    references = PhotoReferences(photo_views(tmp_path))
    before, after = blob_scene(200), blob_scene(200).select(torch.arange(150))
    reports: list[Progress] = []
    result = drain(compare(before, after, references), reports.append)
    assert result.before.psnr == math.inf
    assert result.after == replace(
        drain(evaluate(after, references, frames=False)), frame_ms=result.after.frame_ms
    )
    assert result.psnr_change is None
    assert result.ssim_change is not None
    assert result.ssim_change < 0
    assert result.frame_rate_ratio is not None
    assert result.frame_rate_ratio > 0
    partials = [report.partial for report in reports if report.partial is not None]
    assert all(isinstance(partial, Comparison) for partial in partials)
    assert len(partials) == 3
    assert {report.message.split(":")[0] for report in reports} == {"before", "after"}


def test_a_scene_against_its_own_pictures_is_only_sized() -> None:
    before = blob_scene(200)
    after = before.select(torch.arange(150))
    result = drain(compare(before, after, SceneReferences(before, cameras())))
    assert result.before.views == ()
    assert result.before.count == 200
    assert result.before.frame_ms is not None
    assert len(result.after.views) == 3
    assert 10 < result.after.psnr < 60


def test_frame_time_waits_and_takes_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fifth picture is slow; the first ones, which warm up, are very slow."""
    drawn: list[Camera] = []
    now = [0.0]

    def slow(_scene: object, camera: Camera, **_options: object) -> None:
        drawn.append(camera)
        now[0] += 9.0 if len(drawn) <= 2 else 0.5 if len(drawn) % 5 == 0 else 0.020

    monkeypatch.setattr("core.metrics.timing.render", slow)
    monkeypatch.setattr("core.metrics.timing.time.perf_counter", lambda: now[0])
    many = cameras(20)
    assert drain(frame_time(blob_scene(5), many)) == pytest.approx(20)
    assert len(drawn) == 2 + 16 * 3
    assert {camera.name for camera in drawn} <= {camera.name for camera in many}
    assert len({camera.name for camera in drawn}) == 16
    with pytest.raises(ValueError, match="no cameras"):
        drain(frame_time(blob_scene(5), []))


def test_csv(tmp_path: Path) -> None:
    views = (ViewQuality("a, b", 20.5, 0.5, None), ViewQuality("c", math.inf, 1.0, 0.25))
    after = Evaluation(views, 10, 0.1, 3.0, "vgg")
    path = tmp_path / "table.csv"
    path.write_text("old")
    save_csv(after, path)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows == [
        ["view", "psnr", "ssim", "lpips"],
        ["a, b", "20.5", "0.5", ""],
        ["c", "inf", "1.0", "0.25"],
    ]
    before = Evaluation((replace(views[0], psnr=19.0), views[1]), 20, 0.2, 3.0, "vgg")
    save_csv(Comparison(before, after), path)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0][1:] == [
        "psnr_before",
        "ssim_before",
        "lpips_before",
        "psnr_after",
        "ssim_after",
        "lpips_after",
    ]
    assert rows[1] == ["a, b", "19.0", "0.5", "", "20.5", "0.5", ""]
    save_csv(Comparison(replace(before, views=()), after), path)
    assert path.read_text().startswith("view,psnr,ssim,lpips")
    with pytest.raises(UserError, match=r"\.csv"):
        save_csv(after, tmp_path / "table.txt")
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
