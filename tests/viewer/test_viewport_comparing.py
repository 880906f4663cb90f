"""Pictures of comparisons, without a window."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core.cameras import Camera, View, intrinsics, look_at
from core.rendering.heatmap import colormap_table
from tests.blobs import blob_scene
from viewer.compare import LIVE, PHOTO, CompareMode, Comparison, Side, SideKind
from viewer.look import Look, Mode
from viewer.viewport.comparing import (
    Comparing,
    difference_picture,
    half_camera,
    side_mask,
)
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import Shading
from viewer.viewport.tints import BACKGROUND

COUNT = 600
WIDTH, HEIGHT = 120, 80
BEHIND = [round(255 * channel) for channel in BACKGROUND]
SIDE_BY_SIDE, WIPE = CompareMode.SIDE_BY_SIDE, CompareMode.WIPE
DIFFERENCE = CompareMode.DIFFERENCE


def make_camera(width: int = WIDTH) -> Camera:
    pose = look_at((0.3, -0.5, -3), (0, 0, 0), (0, -1, 0))
    return Camera(pose, intrinsics(45, width, HEIGHT), width, HEIGHT)


def state(number: int) -> Side:
    return Side(SideKind.STATE, f"{number}", torch.arange(COUNT) < number)


@pytest.fixture
def plain() -> FrameRequest:
    alive = torch.ones(COUNT, dtype=torch.bool)
    alive[100:] = False
    nothing = torch.zeros(COUNT, dtype=torch.bool)
    return FrameRequest(blob_scene(COUNT), alive, alive, nothing, make_camera())


@pytest.fixture
def photo_view(tmp_path: Path) -> View:
    """A photo narrower than the picture: red on its left, blue on its right half."""
    pixels = np.zeros((HEIGHT, 60, 3), np.uint8)
    pixels[:, :30, 0] = pixels[:, 30:, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    camera = make_camera(60)
    return View(replace(camera, name="photo.png"), tmp_path / "photo.png")


def compared(request: FrameRequest, mode: CompareMode, **options) -> FrameRequest:
    options = {"a": state(COUNT), "b": LIVE, **options}
    return replace(request, comparison=Comparison(mode, **options))


def rgb(pixels: Tensor) -> Tensor:
    assert pixels.dtype == torch.uint8
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3].int()


def drawn(request: FrameRequest, mask: Tensor | None = None, **changes) -> Tensor:
    visible = request.visible if mask is None else mask
    return rgb(Shading().picture(replace(request, visible=visible, **changes)).pixels)


def test_without_a_comparison_it_is_the_plain_picture(plain) -> None:
    assert rgb(Comparing().picture(plain).pixels).equal(drawn(plain))


@pytest.mark.parametrize("mode", [Mode.COLOR, Mode.HEATMAP, Mode.OPACITY])
@pytest.mark.parametrize("split", [0.0, 0.3, 1.0])
def test_a_wipe_has_a_on_the_left(plain, mode, split) -> None:
    request = replace(plain, look=Look(mode=mode))
    picture = rgb(Comparing().picture(compared(request, WIPE, split=split)).pixels)
    column = round(split * WIDTH)
    everything = torch.ones(COUNT, dtype=torch.bool)
    a, b = drawn(request, everything), drawn(request)
    assert (a - b).abs().max() > 30
    assert picture[:, :column].equal(a[:, :column])
    assert picture[:, column:].equal(b[:, column:])


@pytest.mark.parametrize("width", [WIDTH, WIDTH + 1])
def test_side_by_side_keeps_the_scale_and_crops(plain, width) -> None:
    request = replace(plain, camera=make_camera(width))
    picture = rgb(Comparing().picture(compared(request, SIDE_BY_SIDE)).pixels)
    assert picture.shape == (HEIGHT, width, 3)
    a = drawn(request, torch.ones(COUNT, dtype=torch.bool))
    b = drawn(request)
    if width % 2 == 0:
        quarter = width // 4
        assert (picture[:, : width // 2 - 1] - a[:, quarter : 3 * quarter - 1]).abs().max() <= 2
        assert (picture[:, width // 2 + 1 :] - b[:, quarter + 1 : 3 * quarter]).abs().max() <= 2
    line = picture[:, width // 2 - 1 : width // 2 + 1]
    assert (line == line[0, 0, 0]).all()


def test_a_half_shows_the_middle_at_the_same_scale() -> None:
    whole = make_camera(101)
    half = half_camera(whole)
    assert (half.width, half.height) == (50, HEIGHT)
    assert half.K[0, 0] == whole.K[0, 0]
    assert half.K[0, 2] == half.width / 2


def test_a_difference_shows_how_much(plain) -> None:
    table = (colormap_table("magma") * 255).round().int()
    a = torch.full((2, 3, 4), 100, dtype=torch.uint8)
    b = a.clone()
    b[0, 1, :3] = torch.tensor([125, 75, 100], dtype=torch.uint8)
    b[0, 2, :3] = 255
    shown = rgb(difference_picture(a, b))
    assert shown[0, 0].equal(table[0])
    assert shown[0, 1].equal(table[round(50 / 765 / 0.25 * 255)])
    assert shown[0, 2].equal(table[255])
    same = Comparing().picture(compared(plain, DIFFERENCE, a=state(100)))
    assert (rgb(same.pixels) == table[0]).all()
    other = Comparing().picture(compared(plain, DIFFERENCE))
    assert rgb(other.pixels).sum(-1).max() > 300


def test_ten_percent_is_clearly_visible() -> None:
    a = torch.full((1, 1, 4), 100, dtype=torch.uint8)
    b = a.clone()
    b[..., :3] += 26
    shown = rgb(difference_picture(a, b))[0, 0]
    assert shown.float().mean() > 80


def test_a_flip_shows_one_side_alone(plain) -> None:
    comparing = Comparing()
    everything = torch.ones(COUNT, dtype=torch.bool)
    b = comparing.picture(compared(plain, WIPE, flip=True))
    assert rgb(b.pixels).equal(drawn(plain))
    before = comparing.picture(compared(plain, CompareMode.OFF, flip=True))
    assert rgb(before.pixels).equal(drawn(plain, everything))


def test_the_preview_is_on_the_live_side_only(plain) -> None:
    removed = plain.alive & (torch.arange(COUNT) < 60)
    request = replace(plain, removed=removed)
    picture = rgb(Comparing().picture(compared(request, WIPE, a=state(100))).pixels)
    assert picture[:, :60].equal(drawn(plain)[:, :60])
    assert picture[:, 60:].equal(drawn(request)[:, 60:])
    assert (drawn(request) - drawn(plain)).abs().max() > 20


def test_what_is_hidden_now_is_hidden_on_both_sides(plain) -> None:
    visible = plain.alive.clone()
    visible[:40] = False
    request = replace(plain, visible=visible)
    mask = side_mask(state(COUNT), request.alive, request.visible)
    expected = torch.ones(COUNT, dtype=torch.bool)
    expected[:40] = False
    assert mask.equal(expected)
    picture = rgb(Comparing().picture(compared(request, WIPE, split=1.0)).pixels)
    assert picture.equal(drawn(request, expected))


def counting(monkeypatch) -> list[FrameRequest]:
    calls: list[FrameRequest] = []
    real = Shading.picture

    def counted(self, request):
        calls.append(request)
        return real(self, request)

    monkeypatch.setattr(Shading, "picture", counted)
    return calls


def test_moving_the_wipe_draws_nothing_again(plain, monkeypatch) -> None:
    calls = counting(monkeypatch)
    comparing = Comparing()
    first = comparing.picture(compared(plain, WIPE, a=(side := state(COUNT))))
    assert not first.remembered
    assert len(calls) == 2
    moved = replace(plain, camera=make_camera())
    for split in (0.2, 0.7):
        again = comparing.picture(compared(moved, WIPE, a=side, split=split))
        assert again.remembered
    coarse = comparing.picture(compared(replace(moved, scale=0.5), WIPE, a=side))
    assert rgb(coarse.pixels).equal(rgb(first.pixels))
    comparing.picture(compared(plain, DIFFERENCE, a=side))
    comparing.picture(compared(plain, WIPE, a=side, flip=True))
    assert len(calls) == 2


@pytest.mark.parametrize("change", ["camera", "visible", "look", "worth", "side", "removed"])
def test_whatever_else_changes_is_drawn_anew(plain, monkeypatch, change) -> None:
    calls = counting(monkeypatch)
    comparing, side = Comparing(), state(COUNT)
    comparing.picture(compared(plain, WIPE, a=side))
    changed = {
        "camera": {"camera": replace(make_camera(), world_to_camera=np.eye(4))},
        "visible": {"visible": plain.visible.clone()},
        "look": {"look": Look(mode=Mode.DEPTH)},
        "worth": {"worth": object()},
        "side": {},
        "removed": {"removed": plain.alive.clone()},
    }[change]
    if change == "side":
        side = state(300)
    comparing.picture(compared(replace(plain, **changed), WIPE, a=side))
    assert len(calls) > 2


def test_a_coarse_side_is_put_beside_a_remembered_sharp_one(plain) -> None:
    comparing, side = Comparing(), state(COUNT)
    sharp = rgb(comparing.picture(compared(plain, WIPE, a=side)).pixels)
    preview = replace(plain, removed=plain.alive.clone(), scale=0.5)
    picture = comparing.picture(compared(preview, WIPE, a=side))
    assert picture.pixels.shape == (HEIGHT, WIDTH, 4)
    moved = replace(preview, camera=replace(make_camera(), world_to_camera=np.eye(4)))
    coarse = comparing.picture(compared(moved, SIDE_BY_SIDE, a=side))
    assert coarse.pixels.shape == (HEIGHT // 2, WIDTH // 2, 4)
    assert sharp.shape == (HEIGHT, WIDTH, 3)


def test_a_photo_lies_where_it_was_taken(plain, photo_view) -> None:
    request = replace(plain, view=photo_view)
    picture = rgb(Comparing().picture(compared(request, WIPE, a=PHOTO, split=1.0)).pixels)
    middle = picture[HEIGHT // 2]
    assert middle[10].tolist() == BEHIND
    assert middle[40].tolist() == [255, 0, 0]
    assert middle[80].tolist() == [0, 0, 255]
    assert middle[110].tolist() == BEHIND
    outside = rgb(Comparing().picture(compared(request, DIFFERENCE, a=PHOTO)).pixels)
    assert outside[HEIGHT // 2, 10].tolist() == BEHIND
    assert outside[HEIGHT // 2, 80].tolist() != BEHIND


@pytest.mark.parametrize("mode", [WIPE, DIFFERENCE])
def test_without_a_photo_the_other_side_is_shown_and_said_why(plain, mode) -> None:
    picture = Comparing().picture(compared(plain, mode, a=PHOTO))
    assert rgb(picture.pixels).equal(drawn(plain))
    assert "No photo" in picture.advice[0]
    beside = Comparing().picture(compared(plain, SIDE_BY_SIDE, a=PHOTO))
    assert (rgb(beside.pixels)[:, : WIDTH // 2 - 1] == torch.tensor(BEHIND)).all()
    alone = Comparing().picture(compared(plain, WIPE, a=LIVE, b=PHOTO, flip=True))
    assert "No photo" in alone.advice[0]
    assert (rgb(alone.pixels) == torch.tensor(BEHIND)).all()


def pick_at(request: FrameRequest, column: int) -> FrameRequest:
    camera = request.camera
    K = camera.K.copy()
    K[:2, 2] -= (column, HEIGHT // 2)
    return replace(request, pick=Camera(camera.world_to_camera, K, 1, 1))


def test_a_pick_finds_what_is_seen_there(plain) -> None:
    expected = Shading().pick(pick_at(plain, 60))
    assert expected is not None
    for a, b in ((state(100), state(0)), (state(0), LIVE)):
        beside = pick_at(compared(plain, SIDE_BY_SIDE, a=a, b=b), 60)
        assert Comparing().pick(beside) == pytest.approx(expected)
    wiped = pick_at(compared(plain, WIPE, a=state(0)), 50)
    assert Comparing().pick(wiped) is None
    assert Comparing().pick(pick_at(compared(plain, WIPE, a=state(0)), 60)) is not None
    photo = pick_at(compared(plain, WIPE, a=PHOTO, split=1.0), 60)
    assert Comparing().pick(photo) == pytest.approx(expected)
    assert Comparing().pick(pick_at(plain, 60)) == pytest.approx(expected)


@pytest.mark.parametrize("mode", [Mode.DEPTH, Mode.ERROR])
def test_colours_of_depth_and_error_mean_the_same_on_both_sides(plain, tmp_path, mode) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(drawn(plain).numpy().astype(np.uint8)).save(photo)
    request = replace(plain, look=Look(mode=mode), view=View(make_camera(), photo))
    comparing = Comparing()
    own = Shading().picture(request)
    everything = torch.ones(COUNT, dtype=torch.bool)
    other = Shading().picture(replace(request, visible=everything))
    assert own.ends != other.ends
    picture = comparing.picture(compared(request, WIPE, split=1.0))
    assert picture.ends == own.ends
    assert rgb(picture.pixels).equal(drawn(request, everything, ends=own.ends))
    assert not rgb(picture.pixels).equal(rgb(other.pixels))
    comparing = Comparing()
    comparing.picture(request)
    flipped = comparing.picture(compared(request, CompareMode.OFF, flip=True))
    assert flipped.ends == own.ends


def test_the_facts_are_those_of_the_live_side(plain) -> None:
    for sides in ({"a": state(COUNT), "b": LIVE}, {"a": LIVE, "b": state(COUNT)}):
        assert Comparing().picture(compared(plain, WIPE, **sides)).drawn == 100
    both = Comparing().picture(compared(plain, WIPE, a=state(COUNT), b=state(300)))
    assert both.drawn == 300
    photo = Comparing().picture(compared(plain, WIPE, a=state(COUNT), b=PHOTO))
    assert photo.drawn == COUNT
