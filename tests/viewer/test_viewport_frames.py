"""Pictures, pace and the worker, without a window."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from torch import Tensor

from core.cameras import Camera, View, intrinsics, look_at
from core.editing import Document
from core.jobs import Lane
from core.pruning import keep_mask
from core.rendering import render
from core.rendering.heatmap import depth_picture, depth_range, score_colors
from core.scoring import UNSEEN, Worth
from tests.blobs import blob_scene
from viewer.look import Look, Mode
from viewer.viewport import frames, shading
from viewer.viewport.frames import Frame, FrameRenderer, Pace, Survey
from viewer.viewport.hud import facts_text
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import Shading
from viewer.viewport.tints import BACKGROUND, GHOST_COLOR

COUNT = 600
WIDTH, HEIGHT = 120, 80


def make_worth(seed: int = 1) -> Worth:
    values = torch.randn(COUNT, generator=torch.Generator().manual_seed(seed)).double()
    classes = torch.full((COUNT,), 2, dtype=torch.uint8)
    classes[:20] = UNSEEN
    return Worth("removal-error", values, classes)


@pytest.fixture
def request_() -> FrameRequest:
    camera = Camera(
        look_at((0.3, -0.5, -3), (0, 0, 0), (0, -1, 0)),
        intrinsics(45, WIDTH, HEIGHT),
        WIDTH,
        HEIGHT,
    )
    alive = torch.ones(COUNT, dtype=torch.bool)
    alive[::7] = False
    return FrameRequest(
        blob_scene(COUNT),
        alive,
        alive,
        torch.zeros(COUNT, dtype=torch.bool),
        camera,
        worth=make_worth(),
    )


def gone(request: FrameRequest, target: int) -> Tensor:
    assert request.worth is not None
    return request.alive & ~keep_mask(request.worth, target, request.alive)


def levels(rgb: Tensor) -> Tensor:
    return (rgb.clamp(0, 1) * 255).round().int()


def drawn(request: FrameRequest, **arguments: Tensor) -> Tensor:
    result = render(
        request.scene, request.camera, background=BACKGROUND, keep=request.alive, **arguments
    )
    return levels(result.rgb)


def shown(request: FrameRequest, by: Shading | None = None) -> Tensor:
    pixels = (by or Shading()).picture(request).pixels
    assert pixels.dtype == torch.uint8
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3].int()


def test_colour_is_what_render_draws(request_: FrameRequest) -> None:
    picture = Shading().picture(request_)
    assert picture.pixels.shape == (HEIGHT, WIDTH, 4)
    assert (shown(request_) - drawn(request_)).abs().max() <= 1
    assert picture.drawn == int(request_.alive.sum())
    assert picture.ghosts == 0


def test_the_heatmap_shows_percentiles_of_the_living(request_: FrameRequest) -> None:
    request = replace(request_, look=Look(mode=Mode.HEATMAP))
    assert request.worth is not None
    expected = drawn(request, colors=score_colors(request.worth, request.alive))
    assert (shown(request) - expected).abs().max() <= 1
    legend = Shading().picture(request).legend
    assert legend is not None
    assert [tick.label for tick in legend.ticks] == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    best = request.worth.values[request.alive & (request.worth.classes > 0)].max()
    assert float(legend.ticks[-1].remark) == pytest.approx(float(best), rel=0.01)
    assert legend.ticks[0].remark == "unseen"
    assert legend.unseen == int((request.alive & (request.worth.classes == UNSEEN)).sum())


def test_a_heatmap_without_a_score_is_grey(request_: FrameRequest) -> None:
    pixels = shown(replace(request_, look=Look(mode=Mode.HEATMAP), worth=None)).float()
    seen = pixels - torch.tensor(BACKGROUND) * 255
    inside = seen.abs().amax(dim=-1) > 60
    assert inside.any()
    assert (pixels[inside].amax(dim=-1) - pixels[inside].amin(dim=-1)).max() <= 8


def test_depth_is_the_depth_picture_over_the_background(request_: FrameRequest) -> None:
    request = replace(request_, look=Look(mode=Mode.DEPTH))
    result = render(request.scene, request.camera, keep=request.alive, depth=True)
    assert result.depth is not None
    behind = (1 - result.alpha)[..., None] * torch.tensor(BACKGROUND)
    limits = depth_range(result.depth, result.alpha)
    expected = levels(depth_picture(result.depth, result.alpha, limits) + behind)
    assert (shown(request) - expected).abs().max() <= 1
    legend = Shading().picture(request).legend
    assert legend is not None
    near, far = float(legend.ticks[0].label), float(legend.ticks[-1].label)
    assert limits is not None
    assert (near, far) == pytest.approx(limits, rel=0.01)
    shifted = Shading().picture(replace(request, depth_offset=limits[0] - 1)).legend
    assert shifted is not None
    ends = float(shifted.ticks[0].label), float(shifted.ticks[-1].label)
    assert ends == pytest.approx((1, limits[1] - limits[0] + 1), rel=0.01)


def test_a_frame_tells_no_time_it_did_not_take_and_no_part_larger_than_the_whole(
    request_: FrameRequest,
) -> None:
    picture = replace(Shading().picture(request_), drawn=900)
    pixels = picture.pixels.numpy()
    frame = Frame(request_, picture, pixels, 12.4, "CPU")
    assert facts_text(frame, 1000).startswith("900 of 1,000 Gaussians  ·  12 ms")
    assert facts_text(frame, 800).startswith("900 Gaussians  ·  12 ms")
    known = replace(frame, picture=replace(picture, remembered=True))
    assert facts_text(known, 900).startswith("900 Gaussians  ·  – ms")


@pytest.mark.parametrize("mode", list(Mode))
def test_hiding_shows_what_the_cut_would_leave(request_: FrameRequest, mode: Mode) -> None:
    by = Shading()
    preview = replace(request_, look=Look(mode=mode), removed=gone(request_, 100))
    assert preview.worth is not None
    left = keep_mask(preview.worth, 100, preview.alive)
    result = replace(preview, visible=left, removed=None)
    marked = shown(preview, by)
    hidden = shown(replace(preview, hide=True), by)
    assert torch.equal(hidden, shown(result))
    assert (hidden - marked).abs().max() > 60
    assert torch.equal(shown(preview, by), marked)


@pytest.mark.parametrize("mode", list(Mode))
def test_the_ghost_tints_exactly_what_would_go(request_: FrameRequest, mode: Mode) -> None:
    by = Shading()
    plain = replace(request_, look=Look(mode=mode, contour=False))
    ghosted = replace(plain, removed=gone(request_, int(request_.alive.sum()) // 2))
    before, after = shown(plain, by), shown(ghosted, by)
    removed = ghosted.removed
    assert removed is not None
    flags = removed.float()[:, None].expand(-1, 3).contiguous()
    share = render(request_.scene, request_.camera, keep=request_.alive, colors=flags).rgb[..., 0]
    ghost = torch.tensor(GHOST_COLOR) * 255
    nearer = (before - ghost).norm(dim=-1) - (after - ghost).norm(dim=-1)
    strong = share > 0.5
    assert strong.any()
    assert (nearer[strong] > 0).float().mean() > 0.95
    assert (after - before).abs().amax(dim=-1)[share == 0].max() <= 1
    assert by.picture(ghosted).ghosts == int(removed.sum())
    assert torch.equal(shown(plain, by), before)


def test_a_target_beyond_the_living_shows_no_ghost(request_: FrameRequest) -> None:
    request = replace(request_, removed=gone(request_, int(request_.alive.sum())))
    assert torch.equal(shown(request), shown(request_))


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("worth", [None, make_worth()])
def test_nothing_left_is_background(
    request_: FrameRequest, mode: Mode, worth: Worth | None
) -> None:
    alive = torch.zeros(COUNT, dtype=torch.bool)
    picture = Shading().picture(
        replace(request_, look=Look(mode=mode), worth=worth, alive=alive, visible=alive)
    )
    black = (0.0, 0.0, 0.0)
    background = levels(torch.tensor(black if mode == Mode.EDGES else BACKGROUND))
    assert ((picture.pixels[..., :3].int() - background).abs() <= 1).all()
    assert picture.drawn == 0


def test_moving_the_camera_or_target_repeats_no_work_per_gaussian(
    request_: FrameRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str) -> None:
        original = getattr(shading, name)

        def count(*arguments: object) -> object:
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(shading, name, count)

    counted("device_heat")
    by = Shading()
    request = replace(request_, look=Look(mode=Mode.HEATMAP), removed=gone(request_, 300))
    for _ in range(3):
        by.picture(replace(request, camera=request.camera.scaled(0.9)))
    by.picture(replace(request, removed=gone(request_, 200)))
    assert calls == ["device_heat"]
    by.picture(replace(request, worth=make_worth(2)))
    assert calls.count("device_heat") == 2


def test_a_coarse_request_is_the_same_view_smaller(request_: FrameRequest) -> None:
    coarse = replace(request_, scale=0.5)
    half = replace(request_, camera=request_.camera.scaled(0.5))
    assert torch.equal(shown(coarse), shown(half))
    assert shown(coarse).shape == (HEIGHT // 2, WIDTH // 2, 3)


def test_picking_gives_the_visible_point(request_: FrameRequest) -> None:
    x, y = 63, 41
    K = request_.camera.K.copy()
    K[:2, 2] -= (x, y)
    pick = Camera(request_.camera.world_to_camera, K, 1, 1)
    point = Shading().pick(replace(request_, pick=pick))
    assert point is not None
    depth = render(request_.scene, request_.camera, keep=request_.alive, depth=True).depth
    assert depth is not None
    inside = pick.world_to_camera[:3, :3] @ point + pick.world_to_camera[:3, 3]
    assert inside[2] == pytest.approx(float(depth[y, x]), rel=0.02)
    pixel = request_.camera.K @ inside / inside[2]
    assert pixel[:2] == pytest.approx((x + 0.5, y + 0.5), abs=1e-6)
    K[:2, 2] += 1000
    assert Shading().pick(replace(request_, pick=Camera(pick.world_to_camera, K, 1, 1))) is None


def test_the_pace_finds_the_scale_that_keeps_up() -> None:
    pace = Pace()
    pace.record(1.0, 300.0)
    assert pace.scale == pytest.approx(1 / 3, abs=1 / 16)
    for _ in range(30):
        pace.record(pace.scale, 5 + 120 * pace.scale**2)
    assert 0.4 < pace.scale < 0.6
    pace.record(1.0, 125.0)
    assert 0.4 < pace.scale < 0.6
    for _ in range(30):
        pace.record(pace.scale, 1000.0)
    assert pace.scale == 0.25
    for _ in range(30):
        pace.record(pace.scale, 10 * pace.scale**2)
    assert pace.scale == 1.0
    pace.record(1.0, 20.0)
    assert pace.scale == 1.0


@pytest.fixture
def lane() -> Lane:
    return Lane()


@pytest.fixture
def renderer(qtbot: QtBot, lane: Lane) -> Iterator[FrameRenderer]:
    renderer = FrameRenderer(lane)
    yield renderer
    assert renderer.shut_down()


def test_frames_come_from_a_worker(
    qtbot: QtBot,
    renderer: FrameRenderer,
    request_: FrameRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[str] = set()

    def recorded(*arguments, **keywords):
        threads.add(threading.current_thread().name)
        return render(*arguments, **keywords)

    monkeypatch.setattr(shading, "render", recorded)
    with qtbot.waitSignal(renderer.ready, timeout=20_000):
        renderer.request(request_)
    frame = renderer.take_frame()
    assert frame is not None
    assert frame.request is request_
    assert frame.ms > 0
    assert frame.backend.startswith("CPU")
    assert renderer.take_frame() is None
    assert threads == {"frames"}


def test_only_the_newest_request_is_drawn_once_the_lane_is_free(
    qtbot: QtBot, renderer: FrameRenderer, lane: Lane, request_: FrameRequest
) -> None:
    requests = [replace(request_, removed=gone(request_, 100 + step)) for step in range(50)]
    with lane.step():
        started = time.perf_counter()
        for request in requests:
            renderer.request(request)
        assert time.perf_counter() - started < 0.05
        qtbot.wait(50)
        assert renderer.take_frame() is None
    done: list[FrameRequest] = []

    def newest_came() -> bool:
        frame = renderer.take_frame()
        if frame is not None:
            done.append(frame.request)
        return bool(done) and done[-1] is requests[-1]

    qtbot.waitUntil(newest_came, timeout=20_000)
    assert len(done) <= 2


def test_a_failure_is_reported_and_the_next_frame_comes(
    qtbot: QtBot,
    renderer: FrameRenderer,
    request_: FrameRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments, **_keywords):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(shading, "render", fail)
        with qtbot.waitSignal(renderer.failed, timeout=20_000) as failed:
            renderer.request(request_)
    assert str(failed.args[0]) == "out of memory"
    with qtbot.waitSignal(renderer.ready, timeout=20_000):
        renderer.request(request_)
    assert renderer.take_frame() is not None


def test_a_survey_finds_the_scene_and_prefers_the_dataset(
    qtbot: QtBot, renderer: FrameRenderer, request_: FrameRequest
) -> None:
    with qtbot.waitSignal(renderer.ready, timeout=60_000):
        renderer.request(Survey(request_.scene, (), (WIDTH, HEIGHT)))
    alone = renderer.take_surveyed()
    assert alone is not None
    assert abs(alone.frame.center).max() < 0.5
    assert 0.3 < alone.frame.radius < 3
    with qtbot.waitSignal(renderer.ready, timeout=60_000):
        renderer.request(Survey(request_.scene, (View(request_.camera),), (WIDTH, HEIGHT)))
    posed = renderer.take_surveyed()
    assert posed is not None
    assert posed.home.position == pytest.approx(request_.camera.position)
    assert posed.frame.up @ request_.camera.world_to_camera[1, :3] < -0.99


def test_another_document_lets_go_of_the_one_before(qtbot: QtBot, renderer: FrameRenderer) -> None:
    camera = Camera(np.eye(4), intrinsics(45, WIDTH, HEIGHT), WIDTH, HEIGHT)
    gone = []
    for _ in range(2):
        alive, nothing = torch.ones(COUNT, dtype=torch.bool), torch.zeros(COUNT, dtype=torch.bool)
        document = Document(blob_scene(COUNT))
        asked = FrameRequest(
            document.scene,
            alive,
            alive,
            nothing,
            camera,
            look=Look(mode=Mode.OPACITY),
            document=document,
        )
        gone.append(weakref.ref(asked.scene.means))
        with qtbot.waitSignal(renderer.ready, timeout=60_000):
            renderer.request(asked)
        assert renderer.take_frame() is not None
    gc.collect()
    assert gone[0]() is None
    assert gone[1]() is not None


def test_shutting_down_leaves_no_thread(qtbot: QtBot, lane: Lane) -> None:
    renderer = FrameRenderer(lane)
    assert renderer.shut_down()
    assert not any(thread.name == "frames" for thread in threading.enumerate())
    assert frames.backend_text(blob_scene(1)).startswith("CPU")
