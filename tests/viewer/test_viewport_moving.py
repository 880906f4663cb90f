"""Keys, axis views, selections and cameras: everything but the mouse that moves the viewport."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from core.cameras import Camera, View, intrinsics, look_at
from core.errors import UserError
from core.rendering import render
from tests.viewer.viewport_stage import (
    COUNT,
    HEIGHT,
    LEFT,
    MIDDLE,
    NO_MODIFIER,
    WIDTH,
    Stage,
    levels,
    opened,
    plain,
    project,
    stage,
)
from viewer.compare import CompareMode, Side, SideKind
from viewer.viewport.tints import BACKGROUND

__all__ = ["plain", "stage"]

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def flying(plain: None, stage: Stage) -> Iterator[Stage]:
    """An opened viewport with the keyboard's focus."""
    opened(stage)
    stage.viewport.activateWindow()
    stage.viewport.setFocus(Qt.FocusReason.OtherFocusReason)
    stage.qtbot.waitUntil(stage.viewport.hasFocus, timeout=5_000)
    yield stage
    stage.viewport.clearFocus()


def key(
    stage: Stage,
    kind: QEvent.Type,
    which: Qt.Key,
    modifiers: Qt.KeyboardModifier = NO_MODIFIER,
    *,
    repeat: bool = False,
) -> None:
    QApplication.sendEvent(stage.viewport, QKeyEvent(kind, which, modifiers, "", repeat))


def fly(stage: Stage, which: Qt.Key, ms: int, modifiers: Qt.KeyboardModifier = NO_MODIFIER) -> None:
    key(stage, QEvent.Type.KeyPress, which, modifiers)
    stage.qtbot.wait(ms)
    key(stage, QEvent.Type.KeyRelease, which, modifiers)


def make_views(*eyes: tuple[float, float, float]) -> list[View]:
    K = intrinsics(40, WIDTH, HEIGHT)
    return [
        View(Camera(look_at(eye, (0, 0, 0), (0, -1, 0)), K, WIDTH, HEIGHT, f"{n}.jpg"))
        for n, eye in enumerate(eyes)
    ]


def attach(stage: Stage, views: list[View]) -> None:
    assert stage.session.document is not None
    with stage.qtbot.waitSignal(stage.viewport.camera_changed, timeout=20_000):
        stage.session.document.views = views
    stage.settle()


@pytest.mark.parametrize(
    ("which", "way"),
    [
        (Qt.Key.Key_W, (0, 0, 1)),
        (Qt.Key.Key_S, (0, 0, -1)),
        (Qt.Key.Key_D, (1, 0, 0)),
        (Qt.Key.Key_A, (-1, 0, 0)),
        (Qt.Key.Key_E, (0, -1, 0)),
        (Qt.Key.Key_Q, (0, 1, 0)),
    ],
)
def test_held_keys_fly_and_take_the_pivot_along(
    flying: Stage, which: Qt.Key, way: tuple[int, int, int]
) -> None:
    viewport = flying.viewport
    viewport.look_along(np.array([0, 0, 1.0]))
    flying.qtbot.wait(300)
    before, pivot = viewport.camera(), viewport.navigator.pose.pivot
    fly(flying, which, 150)
    moved = viewport.camera().position - before.position
    length = float(np.linalg.norm(moved))
    assert length > 0.01
    np.testing.assert_allclose(moved / length, before.world_to_camera[:3, :3].T @ way, atol=1e-6)
    np.testing.assert_allclose(viewport.navigator.pose.pivot - pivot, moved, atol=1e-9)
    stopped = viewport.camera()
    flying.qtbot.wait(60)
    assert np.array_equal(viewport.camera().world_to_camera, stopped.world_to_camera)


def test_the_way_depends_on_time_and_on_shift_and_alt_not_on_repeats(
    flying: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("viewer.viewport.fly.time.perf_counter", lambda: clock[0])
    viewport = flying.viewport
    keys = viewport._pilot.keys

    def way(modifiers: Qt.KeyboardModifier, repeats: int = 0) -> float:
        before = viewport.camera().position
        key(flying, QEvent.Type.KeyPress, Qt.Key.Key_D, modifiers)
        keys._timer.stop()
        for _ in range(repeats):
            key(flying, QEvent.Type.KeyRelease, Qt.Key.Key_D, modifiers, repeat=True)
            assert keys.flying
            key(flying, QEvent.Type.KeyPress, Qt.Key.Key_D, modifiers, repeat=True)
        clock[0] += 0.05
        key(flying, QEvent.Type.KeyRelease, Qt.Key.Key_D, modifiers)
        return float(np.linalg.norm(viewport.camera().position - before))

    key(flying, QEvent.Type.KeyPress, Qt.Key.Key_D, repeat=True)
    assert not keys.flying
    plain_way = way(NO_MODIFIER)
    assert plain_way == pytest.approx(0.05 * keys.speed * viewport.navigator.radius)
    assert way(NO_MODIFIER, repeats=9) == pytest.approx(plain_way)
    assert way(SHIFT) == pytest.approx(4 * plain_way)
    assert way(ALT) == pytest.approx(plain_way / 4)


def test_keys_are_let_go_when_the_focus_leaves(flying: Stage) -> None:
    key(flying, QEvent.Type.KeyPress, Qt.Key.Key_W)
    assert flying.viewport._pilot.keys.flying
    flying.viewport.clearFocus()
    assert not flying.viewport._pilot.keys.flying
    before = flying.viewport.camera()
    flying.qtbot.wait(60)
    assert np.array_equal(flying.viewport.camera().world_to_camera, before.world_to_camera)


def test_flying_keys_win_over_shortcuts_but_not_those_with_ctrl(flying: Stage) -> None:
    override = QEvent.Type.ShortcutOverride
    control = Qt.KeyboardModifier.ControlModifier
    for modifiers in (NO_MODIFIER, SHIFT, ALT, control):
        event = QKeyEvent(override, Qt.Key.Key_A, modifiers)
        event.ignore()
        QApplication.sendEvent(flying.viewport, event)
        assert event.isAccepted() == (modifiers != control)
    before = flying.viewport.camera()
    fly(flying, Qt.Key.Key_A, 50, control)
    assert np.array_equal(flying.viewport.camera().world_to_camera, before.world_to_camera)


def test_in_fly_mode_dragging_looks_around_and_the_wheel_sets_the_speed(
    plain: None, stage: Stage
) -> None:
    viewport = opened(stage).viewport
    changes: list[bool] = []
    viewport.mode_changed.connect(lambda: changes.append(viewport.fly_mode))
    viewport.toggle_fly()
    assert changes == [True]
    before = viewport.camera()
    stage.drag(LEFT, (100, 100), (160, 130))
    after = viewport.camera()
    np.testing.assert_allclose(after.position, before.position, atol=1e-9)
    assert after.forward @ before.world_to_camera[0, :3] > 0.05
    distance, speed = viewport.navigator.pose.distance, viewport._pilot.keys.speed
    stage.settle()
    shown = stage.on_screen()
    stage.wheel((60, 50), angle=120)
    assert viewport._pilot.keys.speed == pytest.approx(speed * 1.25)
    assert viewport.navigator.pose.distance == distance
    stage.qtbot.wait(30)
    bottom = np.s_[HEIGHT - 90 : HEIGHT - 45, 100:260]
    assert np.abs(stage.on_screen() - shown)[bottom].max() > 80
    stage.qtbot.waitUntil(lambda: not viewport._pilot.speed_shown, timeout=5_000)
    stage.qtbot.wait(30)
    assert np.abs(stage.on_screen() - shown)[bottom].max() == 0
    stage.drag(MIDDLE, (100, 100), (160, 130))
    assert np.linalg.norm(viewport.camera().position - before.position) > 0.1
    viewport.toggle_fly()
    stage.wheel((60, 50), angle=120)
    assert viewport.navigator.pose.distance < distance


def test_the_orthographic_view_is_drawn_and_the_pixel_under_the_mouse_is_found(
    plain: None, stage: Stage
) -> None:
    viewport = opened(stage).viewport
    perspective = stage.rendered()
    viewport.toggle_orthographic()
    assert viewport.orthographic
    stage.settle()
    stage.assert_shows(stage.rendered())
    assert np.abs(stage.rendered() - perspective).mean() < 40
    assert viewport.frame is not None
    assert viewport.frame.request.depth_offset == viewport.navigator.depth_offset > 0
    assert stage.session.document is not None
    seen = render(stage.session.document.scene, viewport.camera(), depth=True)
    y, x = np.unravel_index(int(seen.alpha.argmax()), seen.alpha.shape)
    before = viewport.camera()
    distance = viewport.navigator.pose.distance
    stage.mouse(QEvent.Type.MouseButtonDblClick, (float(x), float(y)))
    at = (float(x) + 0.5, float(y) + 0.5)
    stage.qtbot.waitUntil(
        lambda: np.allclose(project(before, viewport.navigator.pose.pivot), at, atol=0.05),
        timeout=20_000,
    )
    assert viewport.navigator.pose.distance == distance
    assert np.linalg.norm(viewport.navigator.pose.pivot) < 1.5
    viewport.toggle_orthographic()
    assert not viewport.orthographic
    assert viewport.navigator.depth_offset == 0


def test_framing_fits_the_selection_where_there_is_one(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    document = stage.session.document
    assert document is not None
    means = document.scene.means
    chosen = (means - means[7]).norm(dim=1) < 0.3
    document.select(chosen)
    whole = viewport.navigator.pose.distance
    radius = viewport.navigator.radius
    viewport.frame_scene()
    stage.qtbot.waitUntil(lambda: viewport.navigator.pose.distance < 0.6 * whole, timeout=10_000)
    stage.settle()
    center = means[chosen].mean(dim=0).numpy()
    assert np.linalg.norm(viewport.navigator.pose.pivot - center) < 0.15
    assert viewport.navigator.radius == radius
    document.select(torch.zeros(COUNT, dtype=torch.bool))
    viewport.frame_scene()
    stage.settle()
    camera = viewport.camera()
    local = means.numpy() @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    pixels = (local / local[:, 2:]) @ camera.K.T
    seen = ((pixels[:, :2] > 0) & (pixels[:, :2] < (camera.width, camera.height))).all(axis=1)
    assert seen.mean() > 0.99
    assert viewport.navigator.pose.distance < 2 * whole


def test_framing_leaves_out_what_is_hidden(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    document = stage.session.document
    assert document is not None
    document.select(document.scene.means[:, 0] < 0.5)
    document.hide_selected()
    viewport.frame_scene()
    stage.qtbot.waitUntil(lambda: viewport.navigator.pose.pivot[0] > 0.4, timeout=10_000)


def test_the_nearest_view_is_near_in_place_and_direction(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    viewport.nearest_view()
    assert "camera" in stage.notes[-1][1]
    views = make_views((3, 0, 0), (0, 0, 3), (-3, 0, 0))
    away = View(Camera(look_at((0, 0, 3), (0, 0, 9), (0, -1, 0)), views[0].camera.K, 80, 60))
    attach(stage, [*views, away])
    shown: list[int] = []
    viewport.view_shown.connect(shown.append)
    viewport.go_to(
        Camera(look_at((0.4, -0.3, 2.8), (0, 0, 0), (0, -1, 0)), views[0].camera.K, 80, 60)
    )
    stage.qtbot.wait(300)
    viewport.nearest_view()
    assert shown == [1]
    stage.qtbot.waitUntil(lambda: viewport.current_view == 1, timeout=5_000)


def test_frames_know_the_view_that_the_camera_stands_at(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    views = make_views((3, 0, 0), (0, 0, 3))
    attach(stage, views)
    assert viewport.current_view is None
    viewport.show_view(1)
    assert viewport.current_view is None
    stage.qtbot.waitUntil(lambda: viewport.current_view == 1, timeout=5_000)
    stage.qtbot.waitUntil(lambda: viewport.settled, timeout=20_000)
    assert viewport.frame is not None
    assert viewport.frame.request.view is views[1]
    viewport.resize(WIDTH + 20, HEIGHT)
    stage.qtbot.waitUntil(lambda: viewport.settled, timeout=20_000)
    assert viewport.current_view == 1
    stage.drag(LEFT, (100, 100), (100, 100))
    assert viewport.current_view == 1
    stage.drag(LEFT, (100, 100), (120, 100))
    assert viewport.current_view is None
    stage.qtbot.waitUntil(lambda: viewport.settled, timeout=20_000)
    assert viewport.frame.request.view is None
    viewport.show_view(0)
    stage.mouse(QEvent.Type.MouseButtonPress, (50, 50))
    stage.qtbot.wait(300)
    assert viewport.current_view is None


def test_another_comparison_unsettles_the_picture(plain: None, stage: Stage) -> None:
    viewport, session = opened(stage).viewport, stage.session
    assert session.document is not None
    assert viewport.settled
    half = torch.arange(COUNT) < COUNT // 2
    session.compare.a = Side(SideKind.STATE, "Half", half)
    session.compare.mode = CompareMode.WIPE
    assert not viewport.settled
    session.compare.changed.emit()
    stage.qtbot.waitUntil(lambda: viewport.settled, timeout=20_000)
    session.compare.split = 0.25
    assert not viewport.settled


def test_another_up_axis_levels_the_picture_and_lasts(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    automatic = viewport.navigator.up.copy()
    viewport.set_up_axis("+z")
    np.testing.assert_array_equal(viewport.navigator.up, (0, 0, 1))
    stage.settle()
    camera = viewport.camera()
    assert abs(camera.world_to_camera[0, 2]) < 1e-9
    assert camera.world_to_camera[1, 2] < -0.4
    stage.open(seed=3)
    stage.settle()
    assert viewport.up_axis == "+z"
    np.testing.assert_array_equal(viewport.navigator.up, (0, 0, 1))
    stage.qtbot.waitUntil(lambda: viewport.camera().world_to_camera[1, 2] < -0.4, timeout=10_000)
    viewport.set_up_axis(None)
    np.testing.assert_allclose(viewport.navigator.up, automatic)


def test_tab_stays_and_the_ring_shows_where_the_keyboard_is(plain: None, stage: Stage) -> None:
    window = QWidget()
    field = QLineEdit(window)
    layout = QVBoxLayout(window)
    layout.addWidget(field)
    layout.addWidget(stage.viewport)
    stage.qtbot.addWidget(window)
    window.resize(400, 360)
    with stage.qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    field.setFocus()
    stage.qtbot.waitUntil(field.hasFocus, timeout=5_000)
    stage.qtbot.wait(30)
    quiet = stage.on_screen()
    QTest.keyClick(field, Qt.Key.Key_Tab)
    stage.qtbot.waitUntil(stage.viewport.hasFocus, timeout=5_000)
    stage.qtbot.wait(30)
    ring = np.abs(stage.on_screen() - quiet)
    assert ring[1, 50:-50].max() > 40
    assert ring[20:-20, 1].max() > 40
    assert ring[10:40, 10:40].max() == 0
    QTest.keyClick(stage.viewport, Qt.Key.Key_Tab)
    assert stage.viewport.hasFocus()
    stage.mouse(QEvent.Type.MouseButtonPress, (50, 50))
    stage.mouse(QEvent.Type.MouseButtonRelease, (50, 50), buttons=Qt.MouseButton.NoButton)
    stage.qtbot.wait(30)
    assert np.abs(stage.on_screen() - quiet).max() == 0
    field.setFocus()
    stage.viewport.setFocus(Qt.FocusReason.MouseFocusReason)
    stage.qtbot.wait(30)
    assert np.abs(stage.on_screen() - quiet).max() == 0
    stage.viewport.setParent(None)


def test_a_picture_of_any_size_is_the_sharp_one_without_overlays(plain: None, stage: Stage) -> None:
    viewport, session = opened(stage).viewport, stage.session
    pictures: list[np.ndarray] = []
    viewport.render_picture(500, 200, lambda image: pictures.append(levels(image)))
    stage.qtbot.waitUntil(lambda: bool(pictures), timeout=20_000)
    assert session.document is not None
    expected = render(
        session.document.scene, viewport.navigator.camera(500, 200), background=BACKGROUND
    )
    wanted = (expected.rgb.clamp(0, 1) * 255).round().int().numpy()
    assert pictures[0].shape == (200, 500, 3)
    assert np.abs(pictures[0] - wanted).max() <= 1
    session.compare.a = Side(SideKind.STATE, "None", torch.zeros(COUNT, dtype=torch.bool))
    session.compare.mode = CompareMode.WIPE
    viewport.render_picture(500, 200, lambda image: pictures.append(levels(image)))
    stage.qtbot.waitUntil(lambda: len(pictures) == 2, timeout=20_000)
    background = np.round(np.array(BACKGROUND) * 255)
    assert np.abs(pictures[1][:, :250] - background).max() <= 1
    assert np.abs(pictures[1] - wanted)[:, 250:].max() <= 1


@pytest.mark.parametrize("size", [(8193, 10), (10, 8193), (8100, 8000)])
def test_too_large_pictures_are_refused(plain: None, stage: Stage, size: tuple[int, int]) -> None:
    opened(stage)
    with pytest.raises(UserError, match="too large"):
        stage.viewport.render_picture(*size, lambda _image: None)


def test_without_a_scene_nothing_moves_and_nothing_is_drawn(plain: None, stage: Stage) -> None:
    viewport = stage.viewport
    viewport.set_up_axis("+x")
    viewport.toggle_orthographic()
    viewport.toggle_orthographic()
    viewport.nearest_view()
    viewport.look_along(np.array([1.0, 0, 0]))
    viewport.escape()
    viewport.accept()
    with pytest.raises(UserError, match="Open a scene"):
        viewport.render_picture(100, 100, lambda _image: None)
    assert viewport.current_view is None
    assert not viewport.settled
