"""What must come of the actions on what is drawn, from where, and what it is compared with."""

from collections.abc import Callable

import numpy as np
import torch
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication

from tests.viewer.action_stage import SPECS, VIEWS, Stage, hold
from viewer.action_table import MODE_ACTIONS, OVERLAY_ACTIONS, UP_AXES
from viewer.commands import BACKGROUNDS, COMPARE_MODES, ENGINES
from viewer.compare import LIVE, CompareMode
from viewer.look import Engine, Mode, Overlay
from viewer.viewport.canvas import GlCanvas
from viewer.viewport.pilot import UP_AXES as DIRECTIONS

Act = Callable[[], None]


# View


def shows_the_mode(id: str, stage: Stage, act: Act) -> None:
    mode = MODE_ACTIONS[id]
    stage.viewport.show_view(0)
    stage.session.set_mode(Mode.DEPTH if mode == Mode.COLOR else Mode.COLOR)
    assert stage.sees_change(act)
    assert stage.session.mode == mode
    assert [other for other in MODE_ACTIONS if stage.checked(other)] == [id]
    frame = stage.viewport.frame
    assert frame is not None
    assert frame.request.look.mode == mode


def toggles_the_overlay(id: str, stage: Stage, act: Act) -> None:
    overlay = OVERLAY_ACTIONS[id]
    before = overlay in stage.session.look.overlays
    if overlay == Overlay.BOX:
        stage.select(50)
    for wanted in (not before, before):
        assert stage.sees_change(act) or overlay == Overlay.PROBE
        assert (overlay in stage.session.look.overlays) == wanted
        assert stage.checked(id) == wanted


def probes(stage: Stage, act: Act) -> None:
    reports: list[object] = []
    stage.viewport.probed.connect(reports.append)
    act()
    assert stage.checked("view.probe")
    stage.move(stage.middle)
    stage.wait(lambda: reports and reports[-1] is not None)
    stage.settle()
    act()
    assert not stage.checked("view.probe")


def marks_in_turn(stage: Stage, act: Act) -> None:
    for wanted in ({Overlay.CENTERS}, {Overlay.RINGS}, set()):
        assert stage.sees_change(act)
        assert stage.session.look.overlays & {Overlay.CENTERS, Overlay.RINGS} == wanted


def hides_all_overlays(stage: Stage, act: Act) -> None:
    assert stage.checked("view.overlay")
    for wanted in (False, True):
        assert stage.sees_change(act)
        assert stage.session.look.overlays_shown == wanted
        assert stage.checked("view.overlay") == wanted
        assert stage.viewport.hasFocus()


def draws_by(id: str, stage: Stage, act: Act) -> None:
    engine = ENGINES[id]
    other = Engine.RASTERIZER if engine != Engine.RASTERIZER else Engine.AUTO
    stage.session.set_look(engine=other)
    act()
    stage.settle()
    assert stage.session.look.engine == engine
    assert [other for other in ENGINES if stage.checked(other)] == [id]
    frame = stage.viewport.frame
    assert frame is not None
    if engine == Engine.RASTERIZER or not isinstance(stage.viewport.canvas.surface, GlCanvas):
        assert frame.splats is None
    elif engine == Engine.OPENGL:
        assert frame.splats is not None
    assert frame.backend in stage.window.status.backend.full_text


def draws_on(id: str, stage: Stage, act: Act) -> None:
    color = BACKGROUNDS[id]
    stage.session.set_background((0.3, 0.2, 0.1))
    stage.settle()
    act()
    stage.settle()
    assert [other for other in BACKGROUNDS if stage.checked(other)] == [id]
    corner = stage.on_screen()[-20, -20]
    assert np.abs(corner - 255 * np.array(color)).max() <= 1


def goes_full_screen(stage: Stage, act: Act) -> None:
    for wanted in (True, False):
        act()
        stage.wait(lambda wanted=wanted: stage.window.isFullScreen() == wanted)
        assert stage.checked("app.fullscreen") == wanted


# Camera


def frames_the_selection(stage: Stage, act: Act) -> None:
    stage.document.select(stage.document.scene.means[:, 0] > 0.8)
    chosen = stage.document.scene.means[stage.document.selected].mean(dim=0).numpy()
    before = np.linalg.norm(stage.viewport.navigator.pose.pivot - chosen)
    act()
    stage.wait_idle()
    stage.settle()
    assert np.linalg.norm(stage.viewport.navigator.pose.pivot - chosen) < before / 2


def goes_home(stage: Stage, act: Act) -> None:
    home = stage.viewport.camera().world_to_camera
    stage.drag(stage.middle, stage.middle + QPoint(80, 20))
    assert not np.allclose(stage.viewport.camera().world_to_camera, home)
    act()
    stage.settle()
    np.testing.assert_allclose(stage.viewport.camera().world_to_camera, home, atol=1e-6)


def flies(stage: Stage, act: Act) -> None:
    def eye_moved() -> float:
        before = stage.viewport.camera().position
        stage.drag(stage.middle, stage.middle + QPoint(60, 0))
        return float(np.linalg.norm(stage.viewport.camera().position - before))

    act()
    assert stage.viewport.fly_mode
    assert stage.checked("cam.mode")
    assert eye_moved() < 1e-6, "dragging looks around"
    act()
    assert not stage.viewport.fly_mode
    assert not stage.checked("cam.mode")
    assert eye_moved() > 0.1, "dragging orbits"


def looks_in_parallel(stage: Stage, act: Act) -> None:
    for wanted in (True, False):
        assert stage.sees_change(act)
        assert stage.viewport.orthographic == wanted
        assert stage.checked("cam.ortho") == wanted


def steps_to_a_view(start: int, step: int, stage: Stage, act: Act) -> None:
    stage.viewport.show_view(start)
    stage.settle()
    for number in ((start + step) % VIEWS, (start + 2 * step) % VIEWS):
        act()
        stage.settle()
        assert stage.viewport.current_view == number
        assert stage.window.cameras_panel.list.currentIndex().row() == number
        wanted = stage.document.views[number].camera.position
        np.testing.assert_allclose(stage.viewport.camera().position, wanted, atol=1e-6)


def goes_to_the_nearest_view(stage: Stage, act: Act) -> None:
    stage.viewport.show_view(2)
    stage.settle()
    stage.drag(stage.middle, stage.middle + QPoint(30, 5))
    assert stage.viewport.current_view is None
    act()
    stage.settle()
    assert stage.viewport.current_view == 2


def turns_up(axis: str | None, stage: Stage, act: Act) -> None:
    stage.viewport.set_up_axis("+x" if axis != "+x" else "-y")
    stage.wait_idle()
    act()
    stage.wait_idle()
    stage.settle()
    assert stage.viewport.up_axis == axis
    wanted = DIRECTIONS[axis] if axis is not None else (0, -1, 0)
    np.testing.assert_allclose(stage.viewport.navigator.up, wanted, atol=1e-6)
    ids = ["up.auto", *(f"up.{other}" for other in UP_AXES)]
    assert [id for id in ids if stage.checked(id)] == [f"up.{axis or 'auto'}"]


# Compare


def compares(id: str, stage: Stage, act: Act) -> None:
    mode = COMPARE_MODES[id]
    compare = stage.session.compare
    stage.session.set_target(300)
    stage.session.apply_prune()
    compare.set_mode(CompareMode.WIPE if mode == CompareMode.OFF else CompareMode.OFF)
    stage.settle()
    assert stage.sees_change(act)
    assert compare.mode == mode
    assert [other for other in COMPARE_MODES if stage.checked(other)] == [id]
    comparison = compare.comparison()
    assert (comparison is None) == (mode == CompareMode.OFF)
    assert comparison is None or comparison.mode == mode


def cycles_compare(stage: Stage, act: Act) -> None:
    seen = []
    for _ in range(4):
        act()
        seen.append(stage.session.compare.mode)
        assert stage.checked(f"compare.{seen[-1]}")
    assert seen == [*list(CompareMode)[1:], CompareMode.OFF]


def flips(stage: Stage, act: Act) -> None:
    compare = stage.session.compare
    act()
    assert compare.flip
    assert stage.checked("compare.flip")
    if QApplication.focusWidget() is stage.viewport:
        for key in SPECS["compare.flip"].keys:
            hold(stage.viewport, key)
            hold(stage.viewport, key, down=False)
        assert not compare.flip
        assert not stage.checked("compare.flip")


def swaps(stage: Stage, act: Act) -> None:
    compare = stage.session.compare
    sides = compare.a, compare.b
    act()
    assert (compare.b, compare.a) == sides


def keeps_a(stage: Stage, act: Act) -> None:
    stage.select(100)
    stage.document.hide_selected()
    act()
    compare = stage.session.compare
    assert compare.a is compare.snapshots[-1]
    assert compare.a.shown is not None
    assert torch.equal(compare.a.shown, stage.document.visible)
    assert compare.b is LIVE
