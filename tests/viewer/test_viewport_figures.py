"""Figure over ground and edges of layers in the viewport, against core's own functions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core.cameras import View
from core.gmae.edges import layer_edges
from core.gmae.figure_ground import Polarity, figure_depth, figure_mask, otsu
from core.rendering import render
from core.scene import GaussianScene
from tests.viewer.frame_stage import front_camera, levels, request_for, shown
from viewer.look import Mode
from viewer.viewport.figures import (
    EDGE_FULL,
    OUTLINE_COLOR,
    OUTSIDE_GREY,
    SHARP_EDGE_PX,
    TRUTH_COLOR,
    inside_view,
)
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import Shading
from viewer.viewport.tints import BACKGROUND


@pytest.fixture
def scene() -> GaussianScene:
    """A red wall on the left, and a green one twice as far on the right."""
    side = torch.linspace(-1, 1, 21)
    x, y = torch.meshgrid(side, side, indexing="xy")
    flat = torch.stack([x.flatten(), y.flatten(), torch.zeros(x.numel())], 1)
    near = flat * torch.tensor([0.5, 1, 1]) + torch.tensor([-0.6, 0, -1.5])
    far = flat * torch.tensor([1.5, 3, 1]) + torch.tensor([1.6, 0, 1])
    count = 2 * len(flat)
    red, green = torch.tensor([[1.5, -1.5, -1.5]]), torch.tensor([[-1.5, 1.5, -1.5]])
    return GaussianScene(
        means=torch.cat([near, far]),
        log_scales=torch.tensor([-2.2, -2.2, -6]).repeat(count, 1),
        quats=torch.tensor([[1.0, 0, 0, 0]]).repeat(count, 1),
        opacity_logits=torch.full((count,), 5.0),
        sh=torch.cat([red.repeat(len(flat), 1), green.repeat(len(flat), 1)]).unsqueeze(1),
    )


def looking(scene: GaussianScene, mode: Mode, **look: object) -> FrameRequest:
    request = request_for(scene)
    return replace(request, look=replace(request.look, mode=mode, **look))  # type: ignore[arg-type]


def is_grey(picture: Tensor) -> Tensor:
    return picture.amax(-1) - picture.amin(-1) <= 1


@pytest.mark.parametrize("polarity", list(Polarity))
def test_the_figure_keeps_its_colours_and_the_ground_is_grey(
    scene: GaussianScene, polarity: Polarity
) -> None:
    request = looking(scene, Mode.FIGURE, polarity=polarity)
    depth = figure_depth(scene, request.camera)
    mask = figure_mask(depth, otsu(depth), polarity)
    assert 0.1 < mask.float().mean() < 0.9
    picture = shown(request)
    plain = levels(render(scene, request.camera, background=BACKGROUND).rgb)
    outline = (picture - levels(torch.tensor(OUTLINE_COLOR))).abs().amax(-1) < 120
    same = (picture - plain).abs().amax(-1) <= 1
    assert outline.any()
    far_from_line = ~torch.nn.functional.max_pool2d(edges_of(mask), 9, 1, 4)[0, 0].bool()
    assert far_from_line.float().mean() > 0.5
    assert same[mask & far_from_line].all()
    assert is_grey(picture)[~mask & far_from_line].all()


def test_an_image_is_figure_and_ground_inside_its_own_picture_only(
    scene: GaussianScene, tmp_path: Path
) -> None:
    wide, own = front_camera(), front_camera(40, 40, fov=20)
    request = looking(replace(scene, camera=own), Mode.FIGURE, polarity=Polarity.NEAR)
    request = replace(request, camera=wide, view=View(own))
    inside = inside_view(own, wide)
    half = round(20 * wide.K[0, 0] / own.K[0, 0])
    assert inside.sum() == pytest.approx((2 * half) ** 2, rel=0.2)
    assert inside[wide.height // 2, wide.width // 2]
    picture = shown(request)
    away = ~torch.nn.functional.max_pool2d(inside.float()[None], 9, 1, 4)[0].bool()
    assert picture[away].max() < 80
    assert picture[inside].max() > 120
    truth = np.zeros((40, 40), np.uint8)
    truth[10:30, 10:30] = 255
    Image.fromarray(truth).save(tmp_path / "true.png")
    marked = replace(request, look=replace(request.look, figure_truth=tmp_path / "true.png"))
    lined = shown(marked)
    orange = (lined - levels(torch.tensor(TRUTH_COLOR))).abs().amax(-1) < 60
    rows, columns = orange.nonzero().float().unbind(1)
    middle = torch.tensor([wide.height / 2, wide.width / 2])
    reach = torch.maximum((rows - middle[0]).abs(), (columns - middle[1]).abs())
    assert len(reach) > 20
    assert (reach - half / 2).abs().max() < 4
    (tmp_path / "true.png").unlink()
    assert "true.png" in str(Shading().picture(marked).problem)
    edges = shown(replace(request, look=replace(request.look, mode=Mode.EDGES)))
    assert (edges[away] == levels(torch.tensor(OUTSIDE_GREY))).all()


def test_true_edges_lie_over_those_of_layers(scene: GaussianScene, tmp_path: Path) -> None:
    own = front_camera()
    lines = np.zeros((own.height, own.width), np.uint8)
    lines[20] = 255
    Image.fromarray(lines).save(tmp_path / "lines.png")
    request = replace(looking(scene, Mode.EDGES), view=View(own))
    plain = shown(request)
    marked = replace(request, look=replace(request.look, edge_truth=tmp_path / "lines.png"))
    lined = shown(marked)
    changed = (lined != plain).any(-1)
    assert changed[20].all()
    assert not changed[:17].any()
    assert not changed[24:].any()
    assert (lined[20].float().mean(0) - 255 * torch.tensor(TRUTH_COLOR)).abs().max() < 90
    (tmp_path / "lines.png").unlink()
    assert "lines.png" in str(Shading().picture(marked).problem)


def edges_of(mask: Tensor) -> Tensor:
    """1 where a mask changes from one pixel to the next, ``(1, 1, H, W)``."""
    changes = torch.zeros(mask.shape)
    changes[1:] += (mask[1:] != mask[:-1]).float()
    changes[:, 1:] += (mask[:, 1:] != mask[:, :-1]).float()
    return changes[None, None].clamp(max=1)


def test_the_legend_tells_threshold_and_side(scene: GaussianScene) -> None:
    request = looking(scene, Mode.FIGURE)
    depth = figure_depth(scene, request.camera)
    legend = Shading().picture(request).legend
    assert legend is not None
    assert (legend.title, legend.note) == ("Figure", "the far side")
    cut = next(tick for tick in legend.ticks if tick.remark == "Otsu")
    assert float(cut.label) == pytest.approx(otsu(depth), rel=0.01)
    chosen = replace(request, look=replace(request.look, figure_depth=2.0, polarity=Polarity.NEAR))
    legend = Shading().picture(chosen).legend
    assert legend is not None
    assert legend.note == "the near side"
    assert [tick.label for tick in legend.ticks if tick.remark == "chosen"] == ["2"]


def test_a_chosen_depth_is_that_from_the_eye_however_far_the_camera_stands(
    scene: GaussianScene,
) -> None:
    near = looking(scene, Mode.FIGURE, figure_depth=2.5)
    stood_back = replace(near, depth_offset=1.0, look=replace(near.look, figure_depth=1.5))
    torch.testing.assert_close(shown(stood_back), shown(near))


def test_nothing_drawn_is_neither_figure_nor_ground(scene: GaussianScene) -> None:
    request = looking(scene, Mode.FIGURE)
    nothing = torch.zeros_like(request.visible)
    picture = Shading().picture(replace(request, visible=nothing))
    assert picture.legend is None
    assert (picture.pixels[..., :3].int() - levels(torch.tensor(BACKGROUND))).abs().max() <= 1


@pytest.mark.parametrize("layers", [4, None])
def test_edges_are_those_of_the_layers_that_are_drawn(
    scene: GaussianScene, layers: int | None
) -> None:
    request = looking(scene, Mode.EDGES, edge_layers=layers, edge_change=0.1)
    visible = torch.arange(len(scene)) % 3 != 0
    request = replace(request, visible=visible)
    counts = (4, 8, 16, 32) if layers is None else (layers,)
    strength = layer_edges(scene.select(visible), request.camera, counts, 0.1)
    assert float(strength.max()) > EDGE_FULL / 2
    expected = (255 * (strength / EDGE_FULL).clamp(max=1)).int()
    picture = shown(request)
    assert is_grey(picture).all()
    assert (picture[..., 0] - expected).abs().max() <= 2
    legend = Shading().picture(request).legend
    assert legend is not None
    assert legend.note.startswith("4 to 32 layers" if layers is None else "4 layers")


def test_edges_of_a_large_picture_are_computed_smaller_and_told(scene: GaussianScene) -> None:
    request = looking(scene, Mode.EDGES, edge_layers=4)
    request = replace(request, camera=front_camera(720, 480))
    picture = Shading().picture(request)
    assert picture.pixels.shape[:2] == (480, 720)
    assert picture.legend is not None
    assert f"at {SHARP_EDGE_PX} px" in picture.legend.note
    moving = Shading().picture(replace(request, scale=0.5))
    assert moving.pixels.shape[:2] == (240, 360)
    assert moving.legend is not None
    assert f"at {SHARP_EDGE_PX // 2} px" in moving.legend.note
