"""Splats and pictures on a canvas in a real window: who draws, what is shown, what goes wrong."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QMainWindow, QWidget
from pytestqt.qtbot import QtBot

from core.cameras import Camera, View
from core.jobs import Lane
from core.rendering import render
from tests.synthetic import orbit_camera, surface_scene
from viewer.compare import LIVE, CompareMode, Comparison
from viewer.look import Engine, Look, Mode, Overlay
from viewer.viewport.canvas import Canvas, GlCanvas, find_opengl
from viewer.viewport.frames import FrameRenderer, FrameStats
from viewer.viewport.request import FrameRequest
from viewer.viewport.splats import SplatPass
from viewer.viewport.splats_engine import OpenGl, draws_splats
from viewer.viewport.splats_painter import SplatPainter
from viewer.viewport.tints import BACKGROUND

WIDTH, HEIGHT = 320, 240
COUNT = 3000
OPENGL = Look(engine=Engine.OPENGL)
HARDWARE = OpenGl("AMD Radeon RX 6800 (radeonsi, navi21)", 10**7)
SOFTWARE = OpenGl("llvmpipe (LLVM 15.0.6, 256 bits)", 10**7)

Levels = NDArray[np.int64]


def make_request(camera: Camera | None = None, look: Look = OPENGL) -> FrameRequest:
    everything = torch.ones(COUNT, dtype=torch.bool)
    return FrameRequest(
        SCENE, everything, everything, ~everything, camera or orbit_camera(WIDTH, HEIGHT), look
    )


SCENE = surface_scene(COUNT)


class Stage:
    """A window with a canvas of exactly the picture's size, and the worker behind it."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.renderer = FrameRenderer(Lane())
        self.window = QMainWindow()
        self.painted_overlays = 0
        self.canvas = Canvas(self.renderer, self._overlay, self.window)
        self.window.setCentralWidget(self.canvas)
        self.window.resize(WIDTH, HEIGHT)
        self.stats: list[FrameStats] = []
        self.notices: list[tuple[str, str]] = []
        self.errors: list[Exception] = []
        self.last: FrameRequest | None = None
        self.floating: QWidget | None = None
        self.canvas.shown.connect(self.stats.append)
        self.canvas.notified.connect(lambda level, text: self.notices.append((level, text)))
        self.canvas.frame_wanted.connect(self._again)
        self.renderer.ready.connect(self._take)
        self.renderer.failed.connect(self.errors.append)
        qtbot.addWidget(self.window)
        self.window.show()
        qtbot.waitExposed(self.window)

    def _overlay(self, *_arguments: object) -> None:
        self.painted_overlays += 1

    def _take(self) -> None:
        frame = self.renderer.take_frame()
        if frame is not None:
            self.canvas.show_frame(frame)

    def _again(self) -> None:
        assert self.last is not None
        self.renderer.request(self.last)

    def ask(self, request: FrameRequest) -> None:
        self.last = request
        self.renderer.request(request)

    def show(self, request: FrameRequest) -> Levels:
        """Ask for a picture and wait until it is there for good."""
        count = len(self.stats)
        self.ask(request)
        self.until(lambda: len(self.stats) > count and self.canvas.settled)
        self.until(lambda: not self.stats[-1].coarse)
        assert not self.errors
        return self.picture()

    def picture(self) -> Levels:
        pixels = self.canvas.picture()
        assert pixels is not None
        assert (pixels[..., 3] == 255).all()
        return pixels[..., :3].astype(int)

    @property
    def by_opengl(self) -> bool:
        return isinstance(self.canvas.surface, GlCanvas)

    def until(self, ready: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(ready, timeout=20_000)

    def on_screen(self) -> Levels:
        surface = self.canvas.surface
        assert isinstance(surface, GlCanvas)
        image = surface.grabFramebuffer().convertToFormat(QImage.Format.Format_RGBA8888)
        array = np.array(image.constBits()).reshape(image.height(), image.width(), 4)
        return array[..., :3].astype(int)

    def close(self) -> None:
        self.canvas.release()
        assert self.renderer.shut_down()


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Stage]:
    stage = Stage(qtbot)
    yield stage
    stage.close()


def rendered(request: FrameRequest) -> Levels:
    rgb = render(request.scene, request.camera, background=BACKGROUND, keep=request.visible).rgb
    return (rgb.clamp(0, 1) * 255).round().numpy().astype(int)


def assert_close(seen: Levels, expected: Levels, mean: float = 0.05) -> None:
    assert seen.shape == expected.shape
    assert seen.std() > 5
    assert np.abs(seen - expected).mean() <= mean


# Who draws


def test_opengl_draws_by_itself_only_where_a_gpu_does() -> None:
    plain = make_request(look=Look())
    assert draws_splats(plain, HARDWARE)
    assert not draws_splats(plain, SOFTWARE)
    assert not draws_splats(plain, None)
    forced = make_request()
    assert draws_splats(forced, SOFTWARE)
    assert not draws_splats(forced, None)
    assert not draws_splats(make_request(look=Look(engine=Engine.RASTERIZER)), HARDWARE)
    assert not draws_splats(forced, replace(HARDWARE, capacity=COUNT - 1))
    assert draws_splats(forced, replace(HARDWARE, capacity=COUNT))


@pytest.mark.parametrize("mode", list(Mode))
def test_modes_of_one_colour_per_gaussian_are_splats(mode: Mode) -> None:
    request = make_request(look=replace(OPENGL, mode=mode))
    of_pixels = {Mode.DEPTH, Mode.ERROR, Mode.FIGURE, Mode.EDGES}
    assert draws_splats(request, HARDWARE) == (mode not in of_pixels)


def test_what_must_fit_a_finished_picture_is_rasterized() -> None:
    request = make_request()
    comparison = Comparison(CompareMode.WIPE, LIVE, LIVE)
    assert not draws_splats(replace(request, comparison=comparison), HARDWARE)
    for overlay in (Overlay.CENTERS, Overlay.RINGS):
        look = replace(OPENGL, overlays=frozenset({overlay}))
        assert not draws_splats(make_request(look=look), HARDWARE)
        assert draws_splats(make_request(look=replace(look, overlays_shown=False)), HARDWARE)
    photo = make_request(look=replace(OPENGL, photo_opacity=0.5))
    assert draws_splats(photo, HARDWARE)
    view = View(request.camera, photo=Path("photo.jpg"))
    assert not draws_splats(replace(photo, view=view), HARDWARE)


# On the canvas


@pytest.mark.gl
def test_splats_when_forced_pictures_when_not_on_the_surface_for_each(stage: Stage) -> None:
    request = make_request()
    assert not stage.by_opengl
    picture = stage.show(request)
    assert stage.by_opengl
    assert_close(picture, rendered(request))
    np.testing.assert_array_equal(stage.on_screen(), picture)
    assert stage.canvas.moving_scale < 1
    stats = stage.stats[-1]
    assert (stats.width, stats.height) == (WIDTH, HEIGHT)
    assert stats.backend.startswith("OpenGL splats · ")
    assert stats.backend.endswith("k of 3k")
    assert 0 < stats.drawn < COUNT
    assert stage.stats[0].coarse
    by_cpu = stage.show(make_request(look=Look()))
    assert not stage.by_opengl
    assert np.abs(by_cpu - rendered(request)).max() <= 1
    assert stage.canvas.moving_scale == 1
    assert stage.stats[-1].backend.startswith("CPU")
    assert stage.notices == []


@pytest.mark.gl
def test_selected_gaussians_and_their_outline_lie_over_the_splats(stage: Stage) -> None:
    plain = make_request()
    selected = SCENE.means[:, 1] > 0.5
    request = replace(plain, selected=selected)
    without, marked = stage.show(plain), stage.show(request)
    assert np.abs(marked - without).mean() > 1
    by_cpu = stage.show(replace(request, look=Look()))
    assert_close(marked, by_cpu, mean=0.3)


@pytest.mark.gl
def test_what_lies_over_the_splats_is_not_shown_from_another_camera(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    veil = QImage(4, 4, QImage.Format.Format_RGBA8888_Premultiplied)
    veil.fill(QColor(255, 0, 255))
    monkeypatch.setattr("viewer.viewport.canvas.layer_image", lambda _: veil)
    request = replace(make_request(), selected=SCENE.means[:, 1] > 0.5)
    assert (stage.show(request) == (255, 0, 255)).all()
    assert (stage.on_screen() == (255, 0, 255)).all()
    count = len(stage.stats)
    stage.canvas.set_camera(orbit_camera(WIDTH, HEIGHT, 1, 180))
    stage.until(lambda: len(stage.stats) > count)
    assert (stage.picture() != (255, 0, 255)).any(-1).mean() > 0.9


@pytest.mark.gl
def test_a_camera_is_followed_without_a_new_order(stage: Stage) -> None:
    stage.show(make_request())
    moved = orbit_camera(WIDTH, HEIGHT, 1, 180)
    count = len(stage.stats)
    stage.canvas.set_camera(moved)
    assert not stage.canvas.settled
    stage.until(lambda: len(stage.stats) > count)
    assert stage.stats[-1].coarse
    surface = stage.canvas.surface
    assert isinstance(surface, GlCanvas)
    assert surface.painted_splats is not None
    assert surface.painted_splats.camera is moved
    stage.qtbot.wait(250)
    assert stage.stats[-1].coarse, "the order is another camera's"
    request = make_request(moved)
    assert_close(stage.show(request), rendered(request))


@pytest.mark.gl
def test_a_sharp_frame_after_coarse_ones_is_drawn_at_once(stage: Stage) -> None:
    stage.show(make_request())
    for scale in (0.5, 1.0):
        stage.ask(replace(make_request(orbit_camera(WIDTH, HEIGHT, 1)), scale=scale))
        stage.until(lambda: not stage.canvas.settled)
        if scale < 1:
            stage.until(lambda: stage.stats[-1].coarse)
            stage.qtbot.wait(300)
            assert stage.stats[-1].coarse
    stage.until(lambda: stage.canvas.settled)
    assert_close(stage.picture(), rendered(make_request(orbit_camera(WIDTH, HEIGHT, 1))))


@pytest.mark.gl
def test_a_picture_stays_until_the_splats_are_there_and_none_is_the_background(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.canvas, "_opengl", HARDWARE)
    by_cpu = stage.show(make_request(look=Look(engine=Engine.RASTERIZER)))
    assert stage.by_opengl, "a GPU composes the window"
    np.testing.assert_array_equal(stage.on_screen(), by_cpu)
    with monkeypatch.context() as patch:
        patch.setattr(SplatPainter, "step", lambda _: False)
        stage.ask(make_request())
        stage.until(lambda: stage.canvas.moving_scale < 1)
        np.testing.assert_array_equal(stage.on_screen(), by_cpu)
        np.testing.assert_array_equal(stage.picture(), by_cpu)
    stage.until(lambda: stage.canvas.settled)
    assert_close(stage.on_screen(), by_cpu)
    stage.canvas.show_frame(None)
    assert stage.canvas.picture() is None
    assert np.abs(stage.on_screen() - np.array(BACKGROUND) * 255).max() <= 1


@pytest.mark.gl
def test_pictures_of_another_size_fill_the_canvas(stage: Stage) -> None:
    """As on a display whose pixel ratio has changed, or while the window is being resized."""
    request = make_request(orbit_camera(2 * WIDTH, 2 * HEIGHT))
    picture = stage.show(request)
    assert picture.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    expected = picture.reshape(HEIGHT, 2, WIDTH, 2, 3).mean((1, 3))
    assert np.abs(stage.on_screen() - expected).mean() < 1


@pytest.mark.gl
def test_a_new_context_and_an_undocked_canvas_show_the_splats_again(stage: Stage) -> None:
    request = make_request()
    before = stage.show(request)
    surface = stage.canvas.surface
    assert isinstance(surface, GlCanvas)
    count = len(stage.stats)
    surface.makeCurrent()
    surface.initializeGL()
    surface.doneCurrent()
    stage.until(lambda: len(stage.stats) > count and stage.canvas.settled)
    np.testing.assert_array_equal(stage.picture(), before)
    stage.window.takeCentralWidget()
    stage.floating = floating = QWidget()
    stage.qtbot.addWidget(floating)
    floating.resize(WIDTH, HEIGHT)
    stage.canvas.setParent(floating)
    stage.canvas.resize(WIDTH, HEIGHT)
    floating.show()
    stage.canvas.show()
    stage.qtbot.waitExposed(floating)
    stage.until(lambda: np.abs(stage.on_screen() - before).max() == 0)
    moved = make_request(orbit_camera(WIDTH, HEIGHT, 2))
    assert_close(stage.show(moved), rendered(moved))


@pytest.mark.gl
def test_the_overlay_is_painted_over_and_on_demand(stage: Stage) -> None:
    stage.show(make_request())
    count = stage.painted_overlays
    assert count > 0
    stage.canvas.update()
    stage.until(lambda: stage.painted_overlays > count)


@pytest.mark.gl
def test_nothing_holds_the_window_for_long_while_a_large_picture_is_drawn(stage: Stage) -> None:
    """The sharp picture takes longer than any single turn of the event loop."""
    stage.show(make_request())
    large = make_request(orbit_camera(1600, 1200))
    turns: list[float] = []
    last = time.perf_counter()

    def turn() -> bool:
        nonlocal last
        now = time.perf_counter()
        turns.append(now - last)
        last = now
        return stage.canvas.settled and stage.stats[-1].width == 1600

    stage.ask(large)
    stage.until(turn)
    assert stage.stats[-1].ms > 1e3 * np.median(turns)
    assert len(turns) > 5


# What goes wrong


def test_without_opengl_the_rasterizer_draws_and_one_notice_says_so(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")
    assert find_opengl() is None
    stage = Stage(qtbot)
    for index in range(3):
        request = make_request(orbit_camera(WIDTH, HEIGHT, index))
        assert np.abs(stage.show(request) - rendered(request)).max() <= 1
    assert not stage.by_opengl
    assert [level for level, _ in stage.notices] == ["warning"]
    assert "OpenGL" in stage.notices[0][1]
    stage.close()


@pytest.mark.gl
def test_opengl_can_be_made_to_compose_the_window(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "on")
    stage = Stage(qtbot)
    request = make_request(look=Look())
    assert np.abs(stage.show(request) - rendered(request)).max() <= 1
    assert stage.by_opengl
    np.testing.assert_array_equal(stage.on_screen(), stage.picture())
    stage.close()


@pytest.mark.gl
def test_a_scene_too_large_for_a_texture_is_rasterized(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.canvas, "_opengl", replace(SOFTWARE, capacity=COUNT - 1))
    stage.canvas.show_frame(None)
    request = make_request()
    assert np.abs(stage.show(request) - rendered(request)).max() <= 1
    assert [text for _, text in stage.notices if "too large" in text]


@pytest.mark.gl
@pytest.mark.parametrize("when", ["__init__", "draw"])
def test_a_driver_that_cannot_draw_splats_is_left_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def refuse(*_arguments: object) -> None:
        raise moderngl.Error("refused")

    monkeypatch.setattr(SplatPass, when, refuse)
    request = make_request()
    stage.ask(request)
    stage.until(lambda: any(stats.backend.startswith("CPU") for stats in stage.stats))
    assert np.abs(stage.picture() - rendered(request)).max() <= 1
    assert stage.renderer.opengl is None
    assert [level for level, _ in stage.notices] == ["warning"]
