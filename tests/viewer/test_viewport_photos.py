"""Photos over the picture, and the picture's error against them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.cameras import Camera, View
from core.errors import UserError
from core.rendering import render
from core.rendering.heatmap import colormap_table
from tests.viewer.frame_stage import HEIGHT, WIDTH, front_camera, levels, scored_request, shown
from viewer.look import Look, Mode
from viewer.viewport.photo_error import ERROR_LIMITS
from viewer.viewport.photos import PhotoCache, photo_picture
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import Shading
from viewer.viewport.tints import BACKGROUND


@pytest.fixture
def request_() -> FrameRequest:
    return scored_request()


def write_photo(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_a_photo_at_its_own_camera_is_itself(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    view = View(front_camera(), write_photo(tmp_path / "a.png", pixels))
    picture = photo_picture(view, front_camera(), BACKGROUND)
    assert (picture * 255 - torch.from_numpy(pixels.astype(np.float32))).abs().max() < 0.6


def test_a_photo_lies_where_its_lens_and_direction_put_it(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.stack([2 * x, 3 * y, np.full_like(x, 9)], -1).astype(np.uint8)
    view = View(front_camera(), write_photo(tmp_path / "a.png", pixels))
    K = view.camera.K.copy()
    K[0, 2] += 55
    K[1, 2] += 10
    angle = 0.2
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    camera = Camera(turn @ view.camera.world_to_camera, K, 240, 110)
    picture = photo_picture(view, camera, BACKGROUND).numpy() * 255
    assert picture.shape == (110, 240, 3)
    for u, v in ((100, 50), (130, 70), (90, 40), (5, 5), (235, 100)):
        ray = turn[:3, :3].T @ np.linalg.solve(K, [u + 0.5, v + 0.5, 1])
        px, py, _ = view.camera.K @ ray / ray[2]
        if 1 < px < WIDTH - 1 and 1 < py < HEIGHT - 1:
            assert picture[v, u] == pytest.approx((2 * (px - 0.5), 3 * (py - 0.5), 9), abs=0.5)
        else:
            assert np.isnan(picture[v, u]).all()
    closer = view.camera.resized(3 * WIDTH, 3 * HEIGHT)
    larger = photo_picture(view, closer, BACKGROUND).numpy() * 255
    for u, v in ((31, 40), (180, 121), (300, 200)):
        expected = (2 * ((u + 0.5) / 3 - 0.5), 3 * ((v + 0.5) / 3 - 0.5), 9)
        assert larger[v, u] == pytest.approx(expected, abs=0.3)
    behind = Camera(
        np.diag([-1.0, 1, -1, 1]) @ view.camera.world_to_camera, camera.K, camera.width, 110
    )
    assert photo_picture(view, behind, BACKGROUND).isnan().all()


def test_a_large_photo_is_averaged_not_sampled(tmp_path: Path) -> None:
    stripes = np.zeros((HEIGHT * 8, WIDTH * 8, 3), np.uint8)
    stripes[:, ::2] = 255
    view = View(front_camera(WIDTH * 8, HEIGHT * 8), write_photo(tmp_path / "a.png", stripes))
    picture = photo_picture(view, front_camera(), BACKGROUND)
    assert (picture - 0.5).abs().max() < 0.01


def test_the_photo_is_blended_over_the_picture_where_it_reaches(
    request_: FrameRequest, tmp_path: Path
) -> None:
    photo = np.zeros((40, 40, 4), np.uint8)
    photo[..., 1], photo[:, :20, 3] = 200, 255
    small = front_camera(40, 40)
    K = front_camera().K.copy()
    K[:2, 2] = 20, 20
    view = View(replace(small, K=K), write_photo(tmp_path / "a.png", photo))
    look = Look(photo_opacity=0.75)
    plain = shown(request_)
    over = shown(replace(request_, view=view, look=look))
    box = (slice(20, 60), slice(40, 80))
    outside = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    outside[box] = False
    assert torch.equal(over[outside], plain[outside])
    behind = torch.tensor(BACKGROUND) * 255
    laid = torch.where(
        (torch.arange(40) < 20)[None, :, None], torch.tensor([0.0, 200, 0]), behind
    ).expand(40, 40, 3)
    expected = plain[box] * 0.25 + laid * 0.75
    away = torch.tensor([n for n in range(1, 39) if n not in (19, 20)])
    assert (over[box][:, away] - expected[:, away]).abs().max() <= 1.1
    assert torch.equal(shown(replace(request_, look=look)), plain)
    note = Shading().picture(replace(request_, look=look)).notes
    assert note == ("Photo: go to its camera, J goes to the nearest",)


def test_a_photo_that_cannot_be_read_is_told_and_the_picture_goes_on(
    request_: FrameRequest, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for path in (broken, tmp_path / "missing.png"):
        view = View(front_camera(), path)
        for look in (Look(photo_opacity=0.5), Look(mode=Mode.ERROR)):
            picture = Shading().picture(replace(request_, view=view, look=look))
            assert isinstance(picture.problem, UserError)
            assert path.name in str(picture.problem)
            assert torch.equal(picture.pixels[..., :3].int(), shown(request_))
    write_photo(broken, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    view = View(front_camera(), broken)
    assert Shading().picture(replace(request_, view=view, look=look)).problem is None


def test_the_photo_cache_keeps_within_its_bytes(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    views = [View(front_camera(), path) for _ in range(5)]
    each = HEIGHT * WIDTH * 3
    cache = PhotoCache(2 * each + 10)
    first = cache.pixels(views[0], BACKGROUND)
    assert cache.pixels(views[0], BACKGROUND) is first
    for view in views:
        cache.pixels(view, BACKGROUND)
        assert cache.bytes_held <= 2 * each
    assert cache.pixels(views[0], BACKGROUND) is not first


@pytest.mark.parametrize("offset", [0, 20])
def test_the_error_is_the_distance_to_the_photo(
    request_: FrameRequest, tmp_path: Path, offset: int
) -> None:
    camera = front_camera(90, 90)
    rgb = render(request_.scene, camera, background=BACKGROUND).rgb
    photo = (levels(rgb) + torch.where(levels(rgb) > 127, -offset, offset)).to(torch.uint8).numpy()
    view = View(camera, write_photo(tmp_path / "a.png", photo))
    request = replace(request_, view=view, look=Look(mode=Mode.ERROR))
    picture = Shading().picture(request)
    limit = 255 * next(limit for limit in ERROR_LIMITS if limit >= offset / 255)
    expected = levels(colormap_table("magma")[int(offset / limit * 255)])
    left = (WIDTH - 80) // 2
    inside = picture.pixels[5:-5, left + 5 : -left - 5, :3].int()
    rounding = 0.5 / limit * 255 * 2
    assert ((inside - expected).abs().amax(-1) <= rounding + 2).float().mean() > 0.98
    assert (picture.pixels[:, :5, :3].int() - levels(torch.tensor(BACKGROUND))).abs().max() <= 1
    assert picture.legend is not None
    assert picture.legend.note.startswith("levels of 255, mean")
    assert float(picture.legend.note.split()[-1]) == pytest.approx(offset, abs=0.3)
    assert picture.legend.ticks[-1].label.split()[-1] == f"{limit:.0f}"


def test_without_a_photo_the_error_says_where_to_go(request_: FrameRequest) -> None:
    for view in (None, View(front_camera())):
        picture = Shading().picture(replace(request_, view=view, look=Look(mode=Mode.ERROR)))
        assert picture.advice is not None
        assert "J goes to the nearest" in picture.advice[1]
        assert torch.equal(picture.pixels[..., :3].int(), shown(request_))
