"""The viewport in a window, on both of its surfaces: driven by real events, judged by pixels."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QDockWidget, QMainWindow
from pytestqt.qtbot import QtBot

from core.cameras import Camera, View, intrinsics, look_at
from core.rendering import render
from core.rendering.heatmap import score_colors
from tests.viewer.viewport_stage import (
    COUNT,
    HEIGHT,
    LEFT,
    MIDDLE,
    NO_MODIFIER,
    RIGHT,
    SHIFT,
    WIDTH,
    Stage,
    levels,
    opened,
    plain,
    project,
    stage,
    surface,
)
from tests.viewer.window_stage import make_worth
from viewer.look import Mode
from viewer.viewport import shading
from viewer.viewport.canvas import GlCanvas, RasterCanvas
from viewer.viewport.frames import Pace
from viewer.viewport.hud import paint_hud
from viewer.viewport.stream import SETTLE_MS
from viewer.viewport.tints import BACKGROUND

__all__ = ["plain", "stage", "surface"]


def test_the_widget_shows_what_render_draws(surface: str, stage: Stage) -> None:
    ratio = float(os.environ.get("QT_SCALE_FACTOR", "1"))
    opened(stage)
    assert isinstance(stage.viewport.canvas.surface, GlCanvas if surface == "on" else RasterCanvas)
    assert stage.viewport.devicePixelRatioF() == ratio
    assert stage.viewport.camera().width == round(WIDTH * ratio)
    stage.assert_shows(stage.rendered())
    last = stage.stats[-1]
    assert (last.width, last.height) == (round(WIDTH * ratio), round(HEIGHT * ratio))
    assert not last.coarse
    assert last.drawn == COUNT
    assert last.ms > 0
    assert last.backend.startswith("CPU")
    assert last.route == ("host copy" if surface == "on" else "no OpenGL")


def test_pictures_are_in_physical_pixels_on_dense_screens() -> None:
    node = f"{__file__}::{test_the_widget_shows_what_render_draws.__name__}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node],
        env={**os.environ, "QT_SCALE_FACTOR": "1.5"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_mode_shows_its_picture_and_legend(surface: str, stage: Stage) -> None:
    session = opened(stage).session
    color = stage.on_screen()
    session.set_mode(Mode.HEATMAP)
    stage.settle()
    grey = stage.on_screen()
    assert "No score" not in str(stage.notes)
    document = session.document
    assert document is not None
    worth = make_worth(COUNT)
    document.add_scores({session.score_name: worth})
    stage.settle()
    stage.assert_shows(stage.rendered(colors=score_colors(worth)))
    heat = stage.on_screen()
    legend = heat[:, -100:] - stage.rendered(colors=score_colors(worth))[:, -100:]
    assert (np.abs(legend).max(axis=-1) > 20).sum() > 3000
    session.set_mode(Mode.DEPTH)
    stage.settle()
    depth = stage.on_screen()
    for one, other in ((color, grey), (grey, heat), (heat, depth), (depth, color)):
        assert np.abs(one - other).mean() > 5


def test_text_over_the_picture_is_drawn_well(surface: str, stage: Stage) -> None:
    opened(stage)
    for step in range(5):
        stage.viewport.resize(WIDTH + step, HEIGHT + step)
        stage.settle()
    expected = stage.viewport.screenshot()
    with QPainter(expected) as painter:
        painter.setFont(stage.viewport.font())
        paint_hud(painter, expected.rect(), stage.session, stage.viewport.frame)
    plate = (slice(-40, None), slice(0, 250))
    wanted, seen = levels(expected)[plate], stage.on_screen()[plate]
    assert np.ptp(wanted) > 150
    differences = [np.abs(np.roll(seen, rows, axis=0) - wanted).mean() for rows in (-1, 0, 1)]
    assert min(differences) < 4


@pytest.mark.parametrize("mode", list(Mode))
def test_a_target_tints_what_would_go(plain: None, stage: Stage, mode: Mode) -> None:
    session = opened(stage).session
    assert session.document is not None
    session.document.add_scores({session.score_name: make_worth(COUNT)})
    session.set_mode(mode)
    stage.settle()
    before = stage.on_screen()
    session.set_target(COUNT // 5)
    stage.settle()
    after = stage.on_screen()
    area = (slice(0, int(0.7 * HEIGHT)), slice(0, int(0.5 * WIDTH)))
    changed = np.abs(after - before)[area].max(axis=-1) > 25
    assert changed.mean() > 0.05
    redder = (after - before)[area][changed]
    assert (redder[:, 0] - redder[:, 1]).mean() > 30
    bottom = np.abs(after - before)[int(0.75 * HEIGHT) :, : WIDTH // 2]
    assert bottom.max() > 100
    session.set_target(None)
    stage.settle()
    assert np.array_equal(stage.on_screen()[area], before[area])


def test_left_and_middle_drags_orbit(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    moved: list[bool] = []
    viewport.camera_changed.connect(lambda: moved.append(True))
    for button in (LEFT, MIDDLE):
        before, pivot = viewport.camera(), viewport.navigator.pose.pivot
        stage.drag(button, (100, 100), (160, 130))
        after = viewport.camera()
        assert np.linalg.norm(after.position - before.position) > 0.1
        assert project(after, pivot) == pytest.approx((WIDTH / 2, HEIGHT / 2), abs=1e-6)
        assert moved
    stage.settle()
    stage.assert_shows(stage.rendered())


@pytest.mark.parametrize(
    ("button", "modifiers"), [(RIGHT, NO_MODIFIER), (LEFT, SHIFT), (MIDDLE, SHIFT)]
)
def test_right_and_shift_drags_pan(
    plain: None, stage: Stage, button: Qt.MouseButton, modifiers: Qt.KeyboardModifier
) -> None:
    viewport = opened(stage).viewport
    pivot = viewport.navigator.pose.pivot
    stage.drag(button, (100, 100), (147, 81), modifiers)
    expected = (WIDTH / 2 + 47, HEIGHT / 2 - 19)
    assert project(viewport.camera(), pivot) == pytest.approx(expected, abs=1e-6)
    stage.settle()
    stage.assert_shows(stage.rendered())


def test_moving_without_a_button_does_nothing(plain: None, stage: Stage) -> None:
    before = opened(stage).viewport.camera()
    stage.drag(LEFT, (100, 100), (100, 100))
    none = Qt.MouseButton.NoButton
    stage.mouse(QEvent.Type.MouseMove, (50, 50), none, none)
    after = stage.viewport.camera()
    assert np.array_equal(before.world_to_camera, after.world_to_camera)


def test_the_wheel_approaches_the_cursor(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    start = viewport.navigator.pose.distance
    stage.wheel((60, 50), angle=120)
    one_notch = viewport.navigator.pose
    assert one_notch.distance < start
    side = project(viewport.camera(), np.asarray(one_notch.pivot))
    assert side == pytest.approx((WIDTH / 2, HEIGHT / 2), abs=1e-6)
    stage.wheel((60, 50), angle=-120)
    assert viewport.navigator.pose.distance == pytest.approx(start)
    stage.wheel((60, 50), pixels=10)
    assert one_notch.distance < viewport.navigator.pose.distance < start


def test_a_double_click_makes_the_point_under_the_cursor_the_pivot(
    plain: None, stage: Stage
) -> None:
    viewport = opened(stage).viewport
    before = viewport.camera()
    assert stage.session.document is not None
    seen = render(stage.session.document.scene, before, depth=True)
    solid = seen.alpha[40:-40, 40:-40]
    y, x = np.unravel_index(int(solid.argmax()), solid.shape)
    at = (float(x) + 40, float(y) + 40)
    assert seen.depth is not None
    depth = float(seen.depth[int(at[1]), int(at[0])])
    stage.mouse(QEvent.Type.MouseButtonDblClick, at)
    middle = (at[0] + 0.5, at[1] + 0.5)
    stage.qtbot.waitUntil(
        lambda: np.allclose(project(before, viewport.navigator.pose.pivot), middle, atol=1e-3),
        timeout=20_000,
    )
    pivot = viewport.navigator.pose.pivot
    assert viewport.navigator.pose.distance == pytest.approx(depth, rel=0.05)
    after = viewport.camera()
    assert project(after, pivot) == pytest.approx((WIDTH / 2, HEIGHT / 2), abs=1e-6)
    np.testing.assert_allclose(after.forward, before.forward, atol=1e-9)


def test_framing_and_resetting_come_back_to_the_scene(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    home = viewport.camera()
    stage.drag(LEFT, (100, 100), (160, 130))
    stage.drag(RIGHT, (100, 100), (350, 250))
    viewport.frame_scene()
    stage.qtbot.waitUntil(
        lambda: bool(np.allclose(project(viewport.camera(), np.zeros(3)), (180, 130), atol=40)),
        timeout=5_000,
    )
    viewport.reset_view()
    stage.qtbot.waitUntil(
        lambda: np.allclose(viewport.camera().world_to_camera, home.world_to_camera), timeout=5_000
    )


def test_the_datasets_cameras_can_be_stepped_through(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    viewport.next_view()
    assert stage.notes[-1][0] == "info"
    assert "camera" in stage.notes[-1][1]
    K = intrinsics(40, WIDTH, HEIGHT)
    eyes = [(3, 0, 0), (0, 0, 3), (-3, 0, 0.5)]
    views = [View(Camera(look_at(eye, (0, 0, 0), (0, -1, 0)), K, WIDTH, HEIGHT)) for eye in eyes]
    assert stage.session.document is not None
    before = viewport.camera()
    stage.session.document.views = views
    with stage.qtbot.waitSignal(viewport.camera_changed, timeout=20_000):
        pass
    stage.settle()
    np.testing.assert_allclose(viewport.camera().position, before.position)

    def arrives(index: int) -> Callable[[], bool]:
        target = views[index].camera.world_to_camera
        return lambda: np.allclose(viewport.camera().world_to_camera, target, atol=1e-9)

    viewport.next_view()
    stage.qtbot.waitUntil(arrives(0), timeout=5_000)
    viewport.next_view()
    stage.qtbot.waitUntil(arrives(1), timeout=5_000)
    viewport.previous_view()
    viewport.previous_view()
    stage.qtbot.waitUntil(arrives(2), timeout=5_000)
    stage.settle()
    stage.assert_shows(stage.rendered())


def test_views_that_are_attached_during_a_flight_do_not_divert_it(
    plain: None, stage: Stage
) -> None:
    viewport = opened(stage).viewport
    K = intrinsics(40, WIDTH, HEIGHT)
    tilted = View(Camera(look_at((3, 0, 0), (0, 0, 0), (0, -1, 1)), K, WIDTH, HEIGHT))
    assert stage.session.document is not None
    with stage.session.runner.lane.step():
        stage.session.document.views = [tilted]
        viewport.next_view()
        stage.qtbot.wait(60)
    target = tilted.camera.world_to_camera
    stage.qtbot.waitUntil(
        lambda: np.allclose(viewport.camera().world_to_camera, target, atol=1e-9), timeout=20_000
    )
    stage.settle()
    np.testing.assert_allclose(viewport.camera().world_to_camera, target, atol=1e-9)


def test_pictures_are_coarse_while_moving_and_sharp_when_still(
    surface: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.viewport.frames.TARGET_MS", 0.01)
    opened(stage)
    stage.stats.clear()
    stage.mouse(QEvent.Type.MouseButtonPress, (100, 100))
    for step in range(20):
        stage.mouse(QEvent.Type.MouseMove, (100 + step, 100), Qt.MouseButton.NoButton)
        stage.qtbot.wait(10)
    stage.qtbot.waitUntil(lambda: bool(stage.stats), timeout=20_000)
    moving = list(stage.stats)
    assert all(stat.coarse for stat in moving)
    assert moving[-1].width == WIDTH // 4
    stage.settle()
    assert not stage.stats[-1].coarse
    assert stage.stats[-1].width == WIDTH
    stage.assert_shows(stage.rendered())
    count = len(stage.stats)
    stage.qtbot.wait(300)
    assert len(stage.stats) == count


def test_a_coarse_picture_that_comes_late_is_made_sharp(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pace may be full again by then: what was asked for counts."""
    monkeypatch.setenv("SPLATSCOPE_OPENGL", "off")
    stream = opened(stage).viewport._stream
    stage.settle()
    stream._pace.scale = 0.5
    with stage.session.runner.lane.preview():
        stage.viewport.navigator.orbit(3, 0)
        stream.move()
        stream._pace = Pace()
        stage.qtbot.wait(2 * SETTLE_MS)
    stage.settle()
    assert stage.viewport.frame.request.scale == 1


def test_a_sharp_picture_stays_sharp_when_nothing_is_changed(
    surface: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = opened(stage).viewport._stream
    stage.settle()
    stream._pace.scale = 0.5
    stage.stats.clear()
    for _ in range(5):
        stage.viewport.refresh()
        stage.qtbot.wait(30)
    assert not any(stat.coarse for stat in stage.stats)


def test_floating_and_docking_keep_the_picture(surface: str, qtbot: QtBot, tmp_path: Path) -> None:
    stage = Stage(qtbot, tmp_path)
    window = QMainWindow()
    dock = QDockWidget("Viewport", window)
    dock.setWidget(stage.viewport)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    window.resize(WIDTH, HEIGHT)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    opened(stage).assert_shows(stage.rendered())
    for floating in (True, False):
        dock.setFloating(floating)
        qtbot.wait(100)
        stage.settle()
        stage.assert_shows(stage.rendered())
    stage.session.shut_down()
    stage.viewport.shut_down()


def test_resizing_draws_the_new_size(surface: str, stage: Stage) -> None:
    opened(stage)
    stage.viewport.resize(420, 220)
    stage.qtbot.waitUntil(lambda: stage.viewport.camera().width == 420, timeout=5_000)
    stage.settle()
    stage.assert_shows(stage.rendered())
    shot = levels(stage.viewport.screenshot())
    assert np.abs(shot - stage.rendered()).max() <= 1


def test_the_document_can_be_replaced_edited_and_emptied(plain: None, stage: Stage) -> None:
    opened(stage)
    first = stage.on_screen()
    stage.open(seed=5)
    stage.settle()
    stage.assert_shows(stage.rendered())
    assert np.abs(stage.on_screen() - first).mean() > 5
    document = stage.session.document
    assert document is not None
    document.delete(torch.arange(COUNT) % 2 == 0)
    stage.settle()
    stage.assert_shows(stage.rendered())
    assert stage.stats[-1].drawn == COUNT // 2
    document.delete(torch.ones(COUNT, dtype=torch.bool))
    stage.settle()
    background = np.round(np.array(BACKGROUND) * 255)
    assert np.abs(stage.on_screen()[: HEIGHT // 2, WIDTH // 2 :] - background).max() <= 1
    document.undo()
    document.undo()
    stage.settle()
    stage.assert_shows(stage.rendered())


def test_a_failure_is_told_once_and_does_not_end_the_program(
    plain: None, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(stage)

    def fail(*_arguments: object, **_keywords: object) -> None:
        raise RuntimeError("the device is lost")

    with monkeypatch.context() as patch:
        patch.setattr(shading, "render", fail)
        for step in range(6):
            stage.drag(LEFT, (100, 100), (110 + step, 100))
            stage.qtbot.wait(40)
        stage.qtbot.waitUntil(lambda: bool(stage.notes), timeout=20_000)
        stage.qtbot.wait(300)
    assert len(stage.notes) == 1
    assert stage.notes[0][0] == "error"
    assert "the device is lost" in stage.notes[0][1]
    stage.drag(LEFT, (100, 100), (120, 100))
    stage.settle()
    stage.assert_shows(stage.rendered())


def test_a_busy_lane_does_not_hold_the_window_up(plain: None, stage: Stage) -> None:
    opened(stage)
    held, free = threading.Event(), threading.Event()

    def work() -> None:
        with stage.session.runner.lane.step():
            held.set()
            free.wait(20)

    worker = threading.Thread(target=work)
    worker.start()
    held.wait(20)
    started = time.perf_counter()
    stage.drag(LEFT, (100, 100), (160, 120), steps=20)
    assert time.perf_counter() - started < 0.5
    assert not stage.is_settled()
    free.set()
    worker.join()
    stage.settle()
    stage.assert_shows(stage.rendered())


def test_without_a_scene_there_is_a_hint_and_drops_go_to_the_window(
    surface: str, stage: Stage
) -> None:
    stage.qtbot.wait(50)
    seen = stage.on_screen()
    background = np.round(np.array(BACKGROUND) * 255)
    assert np.abs(seen[:5] - background).max() <= 1
    assert (np.abs(seen - background).max(axis=-1) > 60).sum() > 200
    assert not stage.viewport.acceptDrops()
    assert not stage.viewport.canvas.acceptDrops()
    assert stage.viewport.screenshot().width() == WIDTH
    stage.viewport.frame_scene()
    stage.viewport.reset_view()
    stage.drag(LEFT, (10, 10), (50, 50))
    assert stage.viewport.frame is None


def test_a_hidden_viewport_asks_for_nothing_and_catches_up(plain: None, stage: Stage) -> None:
    opened(stage)
    stage.viewport.hide()
    stage.qtbot.wait(200)
    stage.stats.clear()
    stage.session.set_mode(Mode.DEPTH)
    stage.qtbot.wait(200)
    assert not stage.stats
    stage.viewport.show()
    stage.settle()
    assert stage.viewport.frame is not None
    assert stage.viewport.frame.request.look.mode == Mode.DEPTH


def test_shutting_down_ends_the_worker(surface: str, stage: Stage) -> None:
    opened(stage)
    stage.viewport.shut_down()
    assert not any(thread.name == "frames" for thread in threading.enumerate())
    stage.session.set_mode(Mode.DEPTH)
    stage.drag(LEFT, (100, 100), (120, 100))
    stage.qtbot.wait(200)
    stage.viewport.shut_down()
