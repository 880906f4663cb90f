"""What lies over the picture: cube, grid, cameras and boxes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QImage, QPainter

from core.cameras import Camera, Split, View, intrinsics, look_at
from core.framing import SceneFrame, scene_frame
from core.rendering import render
from tests.blobs import blob_scene
from tests.viewer.test_viewport_moving import attach
from tests.viewer.viewport_stage import (
    COUNT,
    HEIGHT,
    LEFT,
    NO_MODIFIER,
    WIDTH,
    Stage,
    opened,
    plain,
    project,
    stage,
)
from viewer.compare import CompareMode, Side, SideKind
from viewer.look import Overlay
from viewer.view_photos import PhotoState, ViewPhotos
from viewer.viewport.boxes import boxes
from viewer.viewport.frustums import Frustums
from viewer.viewport.grid import REACH, Ground, floor_height, round_number
from viewer.viewport.occlusion import DepthMap
from viewer.viewport.projection import Projection

__all__ = ["plain", "stage"]


def make_views(folder: Path | None = None) -> list[View]:
    K = intrinsics(40, 80, 60)
    eyes = [(2.0, -0.3, 0.0), (0.0, -0.4, 2.0), (-2.0, -0.3, 0.0), (0.1, -2.0, 0.1)]
    views = []
    for n, eye in enumerate(eyes):
        photo = None
        if folder is not None:
            photo = folder / f"{n}.png"
            Image.new("RGB", (80, 60), (250, 20, 40 * n)).save(photo)
        camera = Camera(look_at(eye, (0, 0, 0), (0, -1, 0)), K, 80, 60, f"{n}.png")
        views.append(View(camera, photo, Split.TEST if n == 0 else Split.TRAIN))
    return views


def eye_of(stage: Stage, view: View) -> tuple[float, float]:
    x, y = project(stage.viewport.camera(), view.camera.position)
    return float(x), float(y)


# The cube


def test_the_cube_names_faces_leads_to_axis_views_and_turns_the_picture(
    plain: None, stage: Stage
) -> None:
    viewport = opened(stage).viewport
    cube = viewport._cube
    middle = cube.box.center().toTuple()
    viewport.look_along(np.array([0, 0, 1.0]))
    stage.settle()
    quiet = stage.on_screen()
    stage.hover(middle)
    assert cube.hovered == "−Z"
    assert viewport.cursor().shape() == Qt.CursorShape.PointingHandCursor
    stage.qtbot.wait(30)
    area = cube.box.toAlignedRect().adjusted(-2, -2, 2, 2)
    region = np.s_[area.top() : area.bottom(), area.left() : area.right()]
    changed = np.abs(stage.on_screen() - quiet)
    assert changed[region].max() > 40
    changed[region] = 0
    assert changed.max() == 0
    stage.hover((150, 50))
    assert cube.hovered == ""

    before = viewport.camera()
    stage.drag(LEFT, middle, (middle[0] - 60, middle[1] + 30))
    assert np.linalg.norm(viewport.camera().position - before.position) > 0.1
    pivot = viewport.navigator.pose.pivot
    stage.hover(middle)
    name = cube.hovered
    assert name in {f"{sign}{axis}" for sign in "+−" for axis in "XYZ"}
    stage.click(middle)
    stage.settle()
    expected = np.eye(3)["XYZ".index(name[1])] * (-1 if name[0] == "+" else 1)
    np.testing.assert_allclose(viewport.camera().forward, expected, atol=1e-9)
    np.testing.assert_allclose(viewport.navigator.pose.pivot, pivot)


def test_the_cube_obeys_the_look_and_makes_room_in_small_pictures(
    plain: None, stage: Stage
) -> None:
    viewport = opened(stage).viewport
    middle = viewport._cube.box.center().toTuple()
    shown = stage.show(Overlay.CUBE)
    bare = stage.show()
    assert np.abs(shown - bare)[5:100, :100].max() > 60
    assert np.abs(shown - bare)[:, 100:].max() == 0
    assert viewport._cube.box.isEmpty()
    before = viewport.camera()
    stage.click(middle)
    stage.qtbot.wait(300)
    assert np.array_equal(viewport.camera().world_to_camera, before.world_to_camera)
    stage.session.set_look(overlays=frozenset({Overlay.CUBE}), overlays_shown=False)
    assert viewport._cube.box.isEmpty()
    stage.session.set_look(overlays_shown=True)
    viewport.resize(250, 200)
    assert viewport._cube.box.isEmpty()


# The grid


@pytest.mark.parametrize(
    ("about", "expected"), [(0.9, 0.5), (1.0, 1.0), (3.9, 2.0), (0.05, 0.05), (7300, 5000)]
)
def test_cells_have_round_sides(about: float, expected: float) -> None:
    assert round_number(about) == pytest.approx(expected)


@pytest.mark.parametrize("up", [(0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (0.1, -0.9, 0.3)])
def test_the_grid_lies_in_the_floor_around_the_scene(up: tuple[float, float, float]) -> None:
    scene = blob_scene(3000)
    frame = scene_frame(scene, up)
    height = floor_height(scene, frame)
    ground = Ground.of(frame, height)
    np.testing.assert_allclose(ground.lines @ frame.up, height, atol=1e-9)
    share = float((scene.means.numpy() @ frame.up < height).mean())
    assert 0.001 < share < 0.05
    middle = frame.center + (height - frame.center @ frame.up) * frame.up
    away = np.linalg.norm(ground.lines - middle, axis=-1)
    assert away.max() == pytest.approx(REACH * frame.radius)
    lengthwise = ground.lines[:, -1] - ground.lines[:, 0]
    dots = lengthwise @ lengthwise[0] / np.linalg.norm(lengthwise, axis=1)
    parallel = np.abs(dots) > 1e-6
    steps = np.diff(
        ground.lines[parallel]
        @ (lengthwise[~parallel][0] / np.linalg.norm(lengthwise[~parallel][0])),
        axis=0,
    )
    np.testing.assert_allclose(np.abs(steps), ground.spacing, atol=1e-9)
    assert {axis for axis, _ in ground.names} <= {0, 1, 2}
    assert len(ground.names) == 2


def test_lines_are_cut_at_the_near_plane() -> None:
    camera = Camera(look_at((0, 0, 0), (0, 0, 1), (0, -1, 0)), intrinsics(60, 200, 100), 200, 100)
    projection = Projection(camera, near=0.1)
    ends = np.array(
        [
            [[0.2, 0.1, -5], [0.2, 0.1, 5.0]],
            [[0, 0, -5], [0, 0, -1.0]],
            [[0, 0, 1], [0.1, 0, 2.0]],
            [[900, 0, 1], [901, 0, 1.0]],
        ]
    )
    segments, which = projection.segments(ends)
    assert which.tolist() == [0, 2]
    focal = camera.K[0, 0]
    start = (100 + focal * 0.2 / 0.1, 50 + focal * 0.1 / 0.1)
    np.testing.assert_allclose(segments[0, :2], start)
    np.testing.assert_allclose(segments[0, 2:], (100 + focal * 0.04, 50 + focal * 0.02))


def test_the_grid_is_drawn_behind_the_scene(plain: None, stage: Stage) -> None:
    viewport = opened(stage).viewport
    bare = stage.show()
    stage.show(Overlay.GRID)
    scenery = viewport._scenery
    stage.qtbot.waitUntil(lambda: scenery._hidden_from is not None, timeout=20_000)
    stage.qtbot.wait(50)
    changed = np.abs(stage.on_screen() - bare).max(axis=-1)
    assert (changed > 12).mean() > 0.03
    assert stage.session.document is not None
    seen = render(stage.session.document.scene, viewport.camera())
    solid = seen.alpha.numpy() > 0.97
    assert solid.mean() > 0.01
    assert (changed > 12)[solid].mean() < 0.02


def test_a_depth_map_hides_what_is_behind_surfaces() -> None:
    scene = blob_scene(4000)
    camera = Camera(look_at((0, 0, -4), (0, 0, 0), (0, -1, 0)), intrinsics(50, 300, 300), 300, 300)
    everything = torch.ones(len(scene), dtype=torch.bool)
    depths = DepthMap.of(scene, everything, camera)
    points = np.array([[0, 0, 3.0], [0, 0, -2], [5, 0, 3], [0, 0, -9], [90, 0, 0]])
    assert depths.hides(points, 0.05).tolist() == [True, False, False, False, False]
    assert not DepthMap.of(scene, ~everything, camera).hides(points, 0.05).any()


# The dataset's cameras


def test_cameras_can_be_hovered_and_flown_to(plain: None, stage: Stage, tmp_path: Path) -> None:
    viewport = opened(stage).viewport
    attach(stage, make_views())
    viewport.navigator.dolly(-4)
    viewport._moved()
    bare = stage.show()
    drawn = stage.show(Overlay.FRUSTUMS)
    assert (np.abs(drawn - bare).max(axis=-1) > 40).sum() > 100
    frustums = viewport._scenery.frustums
    number = int(np.flatnonzero(frustums._seen)[0])
    assert stage.session.document is not None
    at = eye_of(stage, stage.session.document.views[number])
    stage.hover(at)
    assert frustums.hovered == number
    assert viewport.cursor().shape() == Qt.CursorShape.PointingHandCursor
    stage.qtbot.wait(30)
    assert np.abs(stage.on_screen() - drawn).max() > 100
    with stage.qtbot.waitSignal(viewport.view_shown) as shown:
        stage.click(at)
    assert shown.args == [number]
    stage.settle()
    assert viewport.current_view == number
    np.testing.assert_allclose(
        viewport.camera().position,
        stage.session.document.views[number].camera.position,
        atol=1e-9,
    )
    assert not frustums._seen[number]


def test_dragging_over_a_camera_orbits_and_hidden_cameras_are_not_there(
    plain: None, stage: Stage
) -> None:
    viewport = opened(stage).viewport
    attach(stage, make_views())
    viewport.navigator.dolly(-4)
    viewport._moved()
    stage.show(Overlay.FRUSTUMS)
    frustums = viewport._scenery.frustums
    number = int(np.flatnonzero(frustums._seen)[0])
    assert stage.session.document is not None
    view = stage.session.document.views[number]
    at = eye_of(stage, view)
    before = viewport.camera()
    stage.drag(LEFT, at, (at[0] + 40, at[1]))
    assert np.linalg.norm(viewport.camera().position - before.position) > 0.1
    stage.show()
    at = eye_of(stage, view)
    stage.hover(at)
    assert frustums.hovered is None
    before = viewport.camera()
    stage.click(at)
    stage.qtbot.wait(300)
    assert np.array_equal(viewport.camera().world_to_camera, before.world_to_camera)


def test_photos_are_painted_into_the_bases(plain: None, stage: Stage, tmp_path: Path) -> None:
    viewport = opened(stage).viewport
    views = make_views(tmp_path)
    views.append(View(views[0].camera, tmp_path / "missing.png"))
    attach(stage, views)
    camera = views[1].camera
    eye = camera.position + 0.8 * (camera.position / np.linalg.norm(camera.position))
    viewport.go_to(Camera(look_at(eye, (0, -0.2, 0), (0, -1, 0)), intrinsics(50, 80, 60), 80, 60))
    stage.settle()
    stage.show(Overlay.FRUSTUMS)
    frustums = viewport._scenery.frustums
    assert frustums._seen[1]
    x, y = frustums._flat[1, [0, 1, 2]].mean(axis=0).round().astype(int)
    stage.qtbot.waitUntil(
        lambda: bool(stage.on_screen()[y, x][0] > 200 and stage.on_screen()[y, x][1] < 80),
        timeout=10_000,
    )


def test_photos_are_small_kept_up_to_a_number_and_missing_ones_are_told_once(
    plain: None, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.view_photos.MOST", 2)
    views = make_views(tmp_path)
    Image.new("RGB", (800, 600), (9, 9, 9)).save(tmp_path / "big.png")
    K = intrinsics(40, 800, 600)
    views[0] = View(Camera(views[0].camera.world_to_camera, K, 800, 600), tmp_path / "big.png")
    views[3].photo.unlink()  # type: ignore[union-attr]
    photos = ViewPhotos()
    came: list[tuple[View, str]] = []
    photos.came.connect(lambda view, state: came.append((view, state)))
    photos.want("one", views)
    assert [photos.picture(view) for view in views] == [None] * 4
    stage.qtbot.waitUntil(lambda: len(came) == 4, timeout=10_000)
    assert [view for view, _ in came] == list(views)
    assert [state for _, state in came] == [PhotoState.THERE] * 3 + [PhotoState.MISSING]
    assert len(photos._pictures) == 2
    photos.want("one", [views[3]])
    assert photos.picture(views[3]) is None
    photos.want("another", [View(views[0].camera), views[0]])
    stage.qtbot.waitUntil(lambda: len(came) == 5, timeout=10_000)
    small = photos.picture(views[0])
    assert isinstance(small, QImage)
    assert (small.width(), small.height()) == (160, 120)
    assert photos.shut_down()


def test_wanted_photos_come_by_turns_and_others_no_more(
    plain: None, stage: Stage, tmp_path: Path
) -> None:
    views = make_views(tmp_path)
    photos = ViewPhotos()
    came: list[View] = []
    photos.came.connect(lambda view, _state: came.append(view))
    photos.want("list", [views[0], views[1], views[2]])
    photos.want("picture", [views[3]])
    photos.want("list", [views[2]])
    stage.qtbot.waitUntil(lambda: len(came) == 3, timeout=10_000)
    assert came[0] is views[0]
    assert {id(view) for view in came[1:]} == {id(views[2]), id(views[3])}
    assert photos.picture(views[1]) is None
    assert photos.shut_down()


def test_side_by_side_both_pictures_have_their_overlays(plain: None, stage: Stage) -> None:
    viewport, session = opened(stage).viewport, stage.session
    attach(stage, make_views())
    viewport.navigator.dolly(-6)
    viewport._moved()
    session.compare.a = Side(SideKind.STATE, "All", torch.ones(COUNT, dtype=torch.bool))
    session.compare.mode = CompareMode.SIDE_BY_SIDE
    session.compare.changed.emit()
    bare = stage.show()
    drawn = stage.show(Overlay.FRUSTUMS)
    changed = np.abs(drawn - bare).max(axis=-1)
    half = WIDTH // 2
    assert (changed > 40).sum() > 50
    assert np.array_equal(changed[:, 2 : half - 2], changed[:, half + 2 : 2 * half - 2])
    frustums = viewport._scenery.frustums
    number = int(np.flatnonzero(frustums._seen)[0])
    x, y = frustums._flat[number, 0].tolist()
    for left in (0, half):
        stage.hover((x + left, y))
        assert frustums.hovered == number


def test_a_wide_lens_makes_no_wide_pyramid() -> None:
    frustums = Frustums(ViewPhotos(), lambda _number: None)
    wide = Camera(np.eye(4), intrinsics(170, 80, 60), 80, 60)
    frustums.set_views([View(wide)], radius=1.0)
    assert np.linalg.norm(frustums._corners[0, 1:, :2], axis=1).max() < 0.1
    frustums.set_views([], 1.0)
    image = QImage(50, 50, QImage.Format.Format_RGB32)
    with QPainter(image) as painter:
        frustums.draw(painter, QRect(0, 0, 50, 50), Projection(wide, 0.1))
    assert not frustums.click(QPointF(10, 10), NO_MODIFIER)


# The boxes


def test_boxes_leave_out_strays_but_not_selected_ones() -> None:
    scene = blob_scene(4000)
    scene.means[5] = torch.tensor([90.0, 0, 0])
    scene.opacity_logits[7] = -9.0
    scene.means[7] = torch.tensor([0, 70.0, 0])
    everything = torch.ones(len(scene), dtype=torch.bool)
    measured = boxes(scene, everything, ~everything)
    assert measured.selected is None
    assert measured.visible is not None
    assert np.abs(measured.visible).max() < 2.5
    assert np.abs(measured.visible).min() > 0.9
    chosen = torch.zeros_like(everything)
    chosen[[5, 9]] = True
    measured = boxes(scene, everything, chosen)
    means = scene.means[chosen].numpy()
    assert measured.selected is not None
    np.testing.assert_allclose(measured.selected, [means.min(axis=0), means.max(axis=0)])
    assert boxes(scene, ~everything, ~everything).visible is None


def test_the_box_follows_the_selection(plain: None, stage: Stage) -> None:
    viewport, document = opened(stage).viewport, stage.session.document
    assert document is not None
    scenery = viewport._scenery
    bare = stage.show()
    stage.show(Overlay.BOX)
    stage.qtbot.waitUntil(lambda: scenery.boxes is not None, timeout=10_000)
    stage.qtbot.wait(30)
    boxed = stage.on_screen()
    assert (np.abs(boxed - bare).max(axis=-1) > 40).sum() > 100
    document.select(document.scene.means[:, 0] > 0.2)
    stage.qtbot.waitUntil(
        lambda: scenery.boxes is not None and scenery.boxes.selected is not None, timeout=10_000
    )
    assert scenery.boxes is not None
    assert scenery.boxes.selected is not None
    assert scenery.boxes.selected[0, 0] > 0.2
    document.undo()
    stage.qtbot.waitUntil(
        lambda: scenery.boxes is not None and scenery.boxes.selected is None, timeout=10_000
    )


def test_all_overlays_go_with_one_switch(plain: None, stage: Stage) -> None:
    opened(stage)
    attach(stage, make_views())
    bare = stage.show()
    everything = stage.show(*Overlay)
    assert np.abs(everything - bare).max() > 60
    stage.session.set_look(overlays_shown=False)
    stage.settle()
    assert np.abs(stage.on_screen() - bare)[: HEIGHT // 2].max() == 0


def test_pieces_of_lines_are_drawn_in_one_go() -> None:
    frame = SceneFrame(np.zeros(3), 2.0, np.array([0, 0, 1.0]))
    ground = Ground.of(frame, -1.0)
    ends, kinds = ground.runs()
    assert len(ends) == len(kinds) > 20
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    assert (lengths > 0).all()
    pieces = np.linalg.norm(np.diff(ground.lines, axis=1), axis=-1)
    assert lengths.sum() == pytest.approx(pieces[ground.kinds > 0].sum())
