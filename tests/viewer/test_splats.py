"""Splats through OpenGL against render(), their order, and what is drawn while something moves."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import moderngl
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera, intrinsics, look_at
from core.formats import load_scene
from core.rendering import render
from core.rendering.cpu.renderer import Workspace
from core.rigs import default_view
from core.scene import GaussianScene
from tests.blobs import blob_scene
from tests.synthetic import orbit_camera, surface_scene
from viewer.viewport import splats, splats_painter
from viewer.viewport.marks import project_scene
from viewer.viewport.splats import SplatPass
from viewer.viewport.splats_engine import DRAW_MS, FIRST_GUESS_PX, OpenGl, Throughput
from viewer.viewport.splats_order import (
    COARSEST,
    INSTANCE,
    SETUP_PX,
    SplatBatch,
    SplatList,
    SplatOrder,
    coarse_scale,
    lots,
    splat_data,
    thinned,
)
from viewer.viewport.splats_painter import SplatPainter
from viewer.viewport.tints import BACKGROUND

EVERYTHING = float("inf")
MEAN_LEVELS = 0.05
"""How far a sharp picture is from render(), mean of 255 levels."""
STOP_SHARE, STOP_LEVELS = 1e-3, 26
"""Share of the values that may be off by more than one level, and by how many at most.

The rasterizers stop before a Gaussian that leaves less than 1e-4 of the background: what is lost is
at most a tenth of a bright colour.
"""
COARSE_LEVELS = 1.0


def batch_of(
    scene: GaussianScene,
    camera: Camera,
    *,
    keep: Tensor | None = None,
    colors: Tensor | None = None,
    affordable: float = EVERYTHING,
) -> SplatBatch:
    if keep is None:
        keep = torch.ones(len(scene), dtype=torch.bool)
    return SplatOrder().batch(scene, camera, keep=keep, colors=colors, affordable=affordable)


@pytest.fixture
def splat_pass(context: moderngl.Context) -> Iterator[SplatPass]:
    splat_pass = SplatPass(context)
    yield splat_pass
    splat_pass.release()


def drawn(
    splat_pass: SplatPass, batch: SplatBatch, camera: Camera | None = None, sharp: bool = True
) -> NDArray[np.int64]:
    while not splat_pass.upload(batch.data):
        pass
    splat_pass.begin(camera or batch.camera, BACKGROUND, sharp=sharp)
    splat_pass.draw(batch.full, 0, len(batch.full))
    splat_pass.finish()
    return splat_pass.read()[..., :3].astype(int)


def rendered(
    scene: GaussianScene,
    camera: Camera,
    colors: Tensor | None = None,
    keep: Tensor | None = None,
) -> NDArray[np.int64]:
    rgb = render(scene, camera, background=BACKGROUND, colors=colors, keep=keep).rgb
    return (rgb.clamp(0, 1) * 255).round().numpy().astype(int)


def assert_agrees(seen: NDArray[np.int64], expected: NDArray[np.int64]) -> None:
    away = np.abs(seen - expected)
    assert seen.std() > 5
    assert away.mean() <= MEAN_LEVELS
    assert (away > 1).mean() <= STOP_SHARE
    assert away.max() <= STOP_LEVELS


# Agreement with render()


@pytest.mark.gl
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("index", [0, 3])
def test_a_sharp_picture_is_what_render_draws(
    splat_pass: SplatPass, antialiased: bool, index: int
) -> None:
    scene = surface_scene(6000, antialiased=antialiased)
    camera = orbit_camera(200, 150, index)
    assert_agrees(drawn(splat_pass, batch_of(scene, camera)), rendered(scene, camera))


@pytest.mark.gl
@pytest.mark.parametrize("channels", [3, 4])
def test_colours_that_replace_or_tint_are_drawn(splat_pass: SplatPass, channels: int) -> None:
    scene, camera = surface_scene(4000), orbit_camera(160, 120)
    colors = torch.rand(len(scene), channels, generator=torch.Generator().manual_seed(2))
    seen = drawn(splat_pass, batch_of(scene, camera, colors=colors))
    assert_agrees(seen, rendered(scene, camera, colors))


@pytest.mark.gl
def test_the_demo_agrees_too(splat_pass: SplatPass) -> None:
    scene = load_scene(Path(str(files("resources") / "demo" / "demo.ply"))).scene
    camera = default_view(scene, (320, 240))
    assert_agrees(drawn(splat_pass, batch_of(scene, camera)), rendered(scene, camera))


@pytest.mark.gl
def test_needles_and_giants_are_whole(splat_pass: SplatPass) -> None:
    """Extremes of shape: the ellipses' bounds must hold everything above 1/255."""
    scene = blob_scene(60, sh_degree=0, seed=4)
    stretch = torch.tensor([2.5, -4.0, -6.0])
    scene = replace(scene, log_scales=scene.log_scales + stretch)
    camera = Camera(
        look_at((0.2, -0.4, -1.2), (0, 0, 0), (0, -1, 0)), intrinsics(70, 200, 150), 200, 150
    )
    assert_agrees(drawn(splat_pass, batch_of(scene, camera)), rendered(scene, camera))


@pytest.mark.gl
def test_a_coarse_picture_is_off_by_a_level_at_most_on_average(splat_pass: SplatPass) -> None:
    scene, camera = surface_scene(4000), orbit_camera(160, 120)
    seen = drawn(splat_pass, batch_of(scene, camera), sharp=False)
    assert np.abs(seen - rendered(scene, camera)).mean() <= COARSE_LEVELS


@pytest.mark.gl
def test_what_is_not_kept_or_not_finite_is_not_drawn(splat_pass: SplatPass) -> None:
    scene, camera = surface_scene(3000), orbit_camera(120, 90)
    keep = torch.arange(len(scene)) % 3 > 0
    broken = scene.means.clone()
    broken[1::3] = float("nan")
    scene = replace(scene, means=broken)
    seen = drawn(splat_pass, batch_of(scene, camera, keep=keep))
    left = torch.arange(len(scene)) % 3 == 2
    assert_agrees(seen, rendered(surface_scene(3000), camera, keep=left))


@pytest.mark.gl
def test_nothing_to_draw_is_the_background(splat_pass: SplatPass) -> None:
    scene, camera = blob_scene(50), orbit_camera(40, 30)
    nothing = torch.zeros(50, dtype=torch.bool)
    seen = drawn(splat_pass, batch_of(scene, camera, keep=nothing))
    assert np.abs(seen - np.array(BACKGROUND) * 255).max() <= 0.5
    empty = scene.select(nothing)
    seen = drawn(splat_pass, batch_of(empty, camera))
    assert np.abs(seen - np.array(BACKGROUND) * 255).max() <= 0.5


@pytest.mark.gl
def test_slices_add_up_to_the_very_same_picture(splat_pass: SplatPass) -> None:
    batch = batch_of(surface_scene(3000), orbit_camera(120, 90))
    whole = drawn(splat_pass, batch)
    splat_pass.begin(batch.camera, BACKGROUND)
    cuts = [0, 1, 700, 701, len(batch.full)]
    for first, last in pairwise(cuts):
        splat_pass.draw(batch.full, first, last)
        np.testing.assert_array_equal(splat_pass.read()[..., :3], whole)
    splat_pass.finish()
    np.testing.assert_array_equal(splat_pass.read()[..., :3], whole)


@pytest.mark.gl
def test_scenes_are_uploaded_in_parts_and_replace_each_other(
    splat_pass: SplatPass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splats, "CHUNK_ROWS", 1)
    camera = orbit_camera(120, 90)
    for count in (3000, 1500):
        scene = surface_scene(count, seed=count)
        batch = batch_of(scene, camera)
        steps = 1
        while not splat_pass.upload(batch.data):
            steps += 1
        assert steps == len(batch.data.texels) > 1
        assert_agrees(drawn(splat_pass, batch), rendered(scene, camera))


@pytest.mark.gl
def test_a_camera_that_turned_on_sees_the_last_order_well(splat_pass: SplatPass) -> None:
    scene = surface_scene(4000)
    before, after = orbit_camera(160, 120, 0, 360), orbit_camera(160, 120, 2, 360)
    stale = drawn(splat_pass, batch_of(scene, before), after)
    expected = rendered(scene, after)
    stale_away = np.abs(stale - expected).mean()
    assert stale_away < 2.5
    assert stale_away < 0.5 * np.abs(rendered(scene, before) - expected).mean()


# Order and culling


def test_the_order_is_from_the_farthest_on_with_a_margin_around_the_picture() -> None:
    scene, camera = surface_scene(5000), orbit_camera(160, 120)
    batch = batch_of(scene, camera)
    index = torch.from_numpy(batch.full.instances["index"].astype(np.int64))
    rotation, offset = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    seen = scene.means[index].numpy() @ rotation.T + offset
    assert (np.diff(seen[:, 2]) <= 1e-5).all()
    assert seen[:, 2].min() > 0
    assert 0.1 * len(scene) < len(index) < 0.9 * len(scene)
    inside = project_scene(
        scene, camera, torch.ones(len(scene), dtype=torch.bool), None, Workspace()
    ).order
    assert set(inside) < set(index.tolist())
    assert len(index) > 1.05 * len(inside)
    assert batch.coarse is batch.full
    assert batch.scale == 1


def test_the_cost_counts_every_gaussian_and_its_pixels() -> None:
    camera = Camera(look_at((0, 0, -4), (0, 0, 0), (0, -1, 0)), intrinsics(45, 100, 100), 100, 100)
    scene = replace(blob_scene(2, sh_degree=0), means=torch.tensor([[0.0, 0, 0], [0.0, 0, 1]]))
    scene = replace(
        scene,
        log_scales=torch.tensor([[3.0, 3.0, 3.0], [-9.0, -9.0, -9.0]]),
        opacity_logits=torch.tensor([3.0, 3.0]),
    )
    full = batch_of(scene, camera).full
    assert full.instances["index"].tolist() == [1, 0]
    assert full.cost_of(1, 2) == pytest.approx(SETUP_PX + 100 * 100)
    assert SETUP_PX < full.cost_of(0, 1) < SETUP_PX + 40
    assert full.reach(0, 1.0) == 1
    assert full.reach(0, full.cost[-1]) == 2
    assert full.reach(1, 1e9) == 2


def test_the_texels_hold_the_scene() -> None:
    scene = blob_scene(1500)
    data = splat_data(scene)
    assert data.texels.shape == (3, 2048, 4)
    each = torch.from_numpy(data.texels.reshape(-1, 4)[:4500].reshape(1500, 3, 4))
    torch.testing.assert_close(each[:, 0, :3], scene.means)
    torch.testing.assert_close(each[:, 0, 3], scene.opacities())
    torch.testing.assert_close(each[:, 1].norm(dim=1), torch.ones(1500))
    torch.testing.assert_close(each[:, 2, :3], scene.log_scales.exp())


# Level of detail


def test_while_not_all_is_affordable_a_part_is_drawn_in_order() -> None:
    scene, camera = surface_scene(5000), orbit_camera(160, 120)
    affordable = 2.5e5
    batch = batch_of(scene, camera, affordable=affordable)
    assert batch.scale < 1
    assert 0 < len(batch.coarse) < len(batch.full)
    assert 0.8 * affordable < batch.coarse.cost[-1] <= affordable
    shown, chosen = batch.full.instances["index"], batch.coarse.instances["index"]
    np.testing.assert_array_equal(chosen, shown[np.isin(shown, chosen)])


def test_gaussians_stay_by_lot_with_chances_as_the_root_of_their_prominence() -> None:
    index = np.arange(40_000, dtype=np.uint32)
    prominence = np.where(index % 2 == 0, 1.0, 16.0).astype(np.float32)
    rank = lots(index, prominence)
    np.testing.assert_array_equal(rank[5:9], lots(index[5:9], prominence[5:9]))
    first = np.argsort(rank)[-2000:]
    assert (prominence[first] == 16).mean() == pytest.approx(0.8, abs=0.03)
    assert np.bincount(first // 4000, minlength=10).min() > 100


def test_at_least_one_rank_is_drawn_and_equal_ranks_stay_together() -> None:
    instances = np.zeros(4, INSTANCE)
    instances["index"] = range(4)
    full = SplatList(instances, np.arange(5) * 100.0)
    rank = np.array([65535, 10, 65535, 10], np.uint16)
    assert thinned(full, rank, 1.0).instances["index"].tolist() == [0, 2]
    assert thinned(full, rank, 250.0).instances["index"].tolist() == [0, 2]
    assert thinned(full, rank, 400.0).instances["index"].tolist() == [0, 1, 2, 3]


def test_pictures_get_smaller_before_gaussians_are_left_out() -> None:
    assert coarse_scale(100, 1e6, 1e7) == 1
    assert coarse_scale(0, 4e6, 1e6) == 0.5
    assert coarse_scale(0, 1e9, 1e6) == COARSEST
    assert coarse_scale(10**6, 4e5, 1e6) == 0.75


def test_the_throughput_is_learnt_from_what_was_drawn() -> None:
    throughput = Throughput()
    assert throughput.affordable_px == FIRST_GUESS_PX
    for _ in range(20):
        throughput.record(throughput.affordable_px, throughput.affordable_px / 1e7)
    assert throughput.affordable_px == pytest.approx(1e7 * DRAW_MS, rel=0.01)
    for _ in range(2):
        throughput.record(throughput.affordable_px, 4 * DRAW_MS)
    assert throughput.affordable_px == pytest.approx(1e7 * DRAW_MS / 4, rel=0.01)
    held = throughput.affordable_px
    throughput.record(10.0, 1.0)
    assert throughput.affordable_px == held


@pytest.mark.parametrize(
    ("renderer", "name", "software"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", "llvmpipe", True),
        ("Mesa Intel(R) UHD Graphics 620 (KBL GT2)", "Mesa Intel(R) UHD Graphics 620", False),
        ("NVIDIA GeForce RTX 3060/PCIe/SSE2", "NVIDIA GeForce RTX 3060", False),
        ("Apple M2", "Apple M2", False),
        ("GDI Generic", "GDI Generic", True),
    ],
)
def test_renderers_are_told_by_their_names(renderer: str, name: str, software: bool) -> None:
    opengl = OpenGl(renderer, 10**6)
    assert (opengl.name, opengl.software) == (name, software)


# What is drawn when


class Stage:
    """A painter that draws one small slice a step."""

    def __init__(self, splat_pass: SplatPass, scene: GaussianScene) -> None:
        self.scene = scene
        self.throughput = Throughput()
        self.throughput.affordable_px = 1e5
        self.painter = SplatPainter(splat_pass, self.throughput)

    def batch(self, camera: Camera) -> SplatBatch:
        return batch_of(self.scene, camera, affordable=1e5)

    def finish(self) -> int:
        """Steps until a picture is finished."""
        for step in range(1, 2000):
            if self.painter.step():
                return step
        raise AssertionError("no picture")


@pytest.fixture
def stage(splat_pass: SplatPass, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(splats_painter, "DRAW_MS", 1e-3)
    monkeypatch.setattr(Throughput, "record", lambda *_: None)
    monkeypatch.setattr(
        SplatList, "reach", lambda splats, first, _cost: min(first + 120, len(splats))
    )
    return Stage(splat_pass, surface_scene(4000))


def shot(stage: Stage) -> NDArray[np.int64]:
    return stage.painter.splat_pass.read()[..., :3].astype(int)


@pytest.mark.gl
def test_first_a_coarse_picture_then_in_slices_the_sharp_one(stage: Stage) -> None:
    camera = orbit_camera(160, 120)
    stage.painter.show(stage.batch(camera))
    assert stage.painter.busy
    stage.finish()
    coarse = stage.painter.painted
    assert coarse is not None
    assert not coarse.sharp
    assert coarse.size[0] < 160
    assert not stage.painter.busy
    assert not stage.painter.settled
    before = shot(stage)
    stage.painter.settle()
    steps = 0
    while not stage.painter.settled:
        assert stage.painter.painted is coarse
        np.testing.assert_array_equal(shot(stage), before)
        stage.painter.step()
        steps += 1
    assert steps >= 3
    painted = stage.painter.painted
    assert painted.size == (160, 120)
    assert painted.count == len(painted.batch.full)
    assert_agrees(shot(stage), rendered(stage.scene, camera))
    assert not stage.painter.busy


@pytest.mark.gl
def test_a_new_camera_breaks_a_sharp_picture_off(stage: Stage) -> None:
    stage.painter.show(stage.batch(orbit_camera(160, 120)))
    stage.finish()
    stage.painter.settle()
    stage.painter.step()
    moved = orbit_camera(160, 120, 1, 100)
    stage.painter.look_from(moved)
    stage.finish()
    painted = stage.painter.painted
    assert painted is not None
    assert painted.camera is moved
    assert not painted.sharp
    stage.painter.settle()
    assert not stage.painter.busy, "the order is another camera's"
    stage.painter.show(stage.batch(moved))
    stage.finish()
    stage.painter.settle()
    stage.finish()
    assert stage.painter.settled
    assert_agrees(shot(stage), rendered(stage.scene, moved))


@pytest.mark.gl
def test_a_coarse_picture_is_finished_though_the_camera_moves_on(stage: Stage) -> None:
    first = orbit_camera(160, 120)
    batch = stage.batch(first)
    assert len(batch.coarse) > 120
    stage.painter.show(batch)
    assert not stage.painter.step()
    stage.painter.look_from(orbit_camera(160, 120, 1, 100))
    stage.finish()
    assert stage.painter.painted is not None
    assert stage.painter.painted.camera is first
    assert stage.painter.busy


@pytest.mark.gl
def test_the_same_camera_again_changes_nothing(stage: Stage) -> None:
    stage.painter.show(stage.batch(orbit_camera(160, 120)))
    stage.finish()
    stage.painter.look_from(orbit_camera(160, 120))
    assert not stage.painter.busy
    stage.painter.show(None)
    assert stage.painter.settled
    assert not stage.painter.busy


@pytest.mark.gl
def test_a_batch_is_painted_on_its_own_background(stage: Stage) -> None:
    camera = orbit_camera(160, 120)
    stage.painter.show(replace(stage.batch(camera), background=(1.0, 1.0, 1.0)))
    stage.painter.settle()
    while not stage.painter.settled:
        stage.painter.step()
    rgb = render(stage.scene, camera, background=(1.0, 1.0, 1.0)).rgb
    assert_agrees(shot(stage), (rgb.clamp(0, 1) * 255).round().numpy().astype(int))
