"""What each mode shows, against computations of its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from core.pruning import keep_mask
from core.rendering import render
from core.rendering.heatmap import UNSEEN_COLOR, HeatScale, colormap_table, value_range
from core.scene import GaussianScene
from core.scoring import Worth
from core.scoring.ranking import Ranking
from tests.viewer.frame_stage import (
    COUNT,
    HEIGHT,
    WIDTH,
    levels,
    request_for,
    scored_request,
    shown,
)
from viewer.look import COLORMAPS, Look, Mode, Scale
from viewer.memory import Memory
from viewer.viewport.legend import cut_place
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import SPLAT_MODES, Shading
from viewer.viewport.tints import (
    BACKGROUND,
    GHOST_COLOR,
    HEAT_REST_SHARE,
    LIGHT_SHARE,
    REST_SHARE,
    SELECTED_COLOR,
    mixed,
    tints,
)


@pytest.fixture
def request_() -> FrameRequest:
    return scored_request()


def wall_scene() -> GaussianScene:
    """A solid wall of flat grey Gaussians at z = 0, 2 units wide and high."""
    side = torch.linspace(-1, 1, 41)
    x, y = torch.meshgrid(side, side, indexing="xy")
    count = x.numel()
    return GaussianScene(
        means=torch.stack([x.flatten(), y.flatten(), torch.zeros(count)], 1),
        log_scales=torch.tensor([-3.2, -3.2, -6.0]).expand(count, 3).contiguous(),
        quats=torch.tensor([1.0, 0, 0, 0]).expand(count, 4).contiguous(),
        opacity_logits=torch.full((count,), 4.0),
        sh=torch.zeros(count, 1, 3),
    )


def table_colors(places: np.ndarray, name: str = "viridis") -> Tensor:
    return colormap_table(name)[torch.from_numpy(np.rint(255 * places).astype(int))]


# Colours of the modes


@pytest.mark.parametrize("mode", [Mode.OPACITY, Mode.SIZE])
def test_opacity_and_size_are_percentiles_of_the_living(request_: FrameRequest, mode: Mode) -> None:
    scene = request_.scene
    number = (
        torch.sigmoid(scene.opacity_logits) if mode == Mode.OPACITY else scene.log_scales.amax(1)
    )
    alive = torch.ones(COUNT, dtype=torch.bool)
    alive[::7] = False
    order = np.argsort(number.numpy()[alive], kind="stable")
    places = np.empty(len(order))
    places[order] = np.linspace(0, 1, len(order))
    look = Look(mode=mode, colormap="cividis")
    request = replace(request_, alive=alive, visible=alive, look=look)
    colors = Shading().splat_colors(request)
    assert colors is not None
    assert torch.equal(colors[alive], table_colors(places, "cividis"))
    drawn = render(scene, request.camera, background=BACKGROUND, keep=alive, colors=colors)
    assert (shown(request) - levels(drawn.rgb)).abs().max() <= 1


def test_size_by_value_is_logarithmic_and_opacity_is_not(request_: FrameRequest) -> None:
    largest = request_.scene.log_scales.double().amax(1).exp().numpy()
    low, high = np.log10(np.quantile(largest, (0.005, 0.995)))
    places = ((np.log10(largest) - low) / (high - low)).clip(0, 1)
    by, look = Shading(), Look(mode=Mode.SIZE, scale=Scale.VALUE)
    size = by.splat_colors(replace(request_, look=look))
    assert size is not None
    assert (size - table_colors(places)).abs().max() < 0.03
    look = Look(mode=Mode.OPACITY, scale=Scale.VALUE, low=0.2, high=0.7)
    request = replace(request_, look=look)
    opacity = by.splat_colors(request)
    assert opacity is not None
    alpha = torch.sigmoid(request_.scene.opacity_logits).double().numpy()
    assert (opacity - table_colors(((alpha - 0.2) / 0.5).clip(0, 1))).abs().max() < 0.03
    legend = by.legend(request)
    assert legend is not None
    assert legend.note == "by value, linear"
    assert [tick.label for tick in legend.ticks] == ["≤ 0.2", "0.4", "0.6", "≥ 0.7"]
    below = 100 * (alpha < 0.4).mean()
    assert float(legend.ticks[1].remark.rstrip(" %")) == pytest.approx(below, abs=0.3)


def test_a_heatmap_by_value_greys_the_unseen_and_puts_the_scoreless_lowest(
    request_: FrameRequest,
) -> None:
    look = Look(mode=Mode.HEATMAP, scale=Scale.VALUE, low=0.01, high=100.0)
    by, request = Shading(), replace(request_, look=look)
    colors, worth = by.splat_colors(request), request_.worth
    assert colors is not None
    assert worth is not None
    assert torch.equal(colors[:20], torch.tensor(UNSEEN_COLOR).expand(20, 3))
    assert torch.equal(colors[20:30], colormap_table()[0].expand(10, 3))
    places = ((worth.values[30:].log10() + 2) / 4).clamp(0, 1).numpy()
    assert (colors[30:] - table_colors(places)).abs().max() < 0.03
    legend = by.legend(request)
    assert legend is not None
    assert legend.note == "by value, log scale"
    assert legend.unseen == 20
    assert [tick.label for tick in legend.ticks] == ["≤ 0.01", "0.1", "1", "10", "≥ 100"]
    assert [tick.place for tick in legend.ticks] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_ends_of_a_percentile_range_clamp(request_: FrameRequest) -> None:
    look = Look(mode=Mode.OPACITY, low=0.25, high=0.75)
    colors = Shading().splat_colors(replace(request_, look=look))
    assert colors is not None
    order = torch.sigmoid(request_.scene.opacity_logits).double().argsort(stable=True)
    assert (colors[order[:150]] == colormap_table()[0]).all()
    assert (colors[order[450:]] == colormap_table()[255]).all()
    assert (colors[order[300]] - colormap_table()[128]).abs().max() < 0.03
    legend = Shading().legend(replace(request_, look=look))
    assert legend is not None
    assert (legend.ticks[0].label, legend.ticks[-1].label) == ("≤ 25 %", "≥ 75 %")


def test_a_logarithm_needs_positive_ends_and_decades(request_: FrameRequest) -> None:
    assert request_.worth is not None
    ranking = Ranking.of(request_.worth, request_.alive)
    assert value_range(ranking).scale == HeatScale.LOG
    assert value_range(ranking, low=0.0).scale == HeatScale.LINEAR
    assert value_range(ranking, log=False).scale == HeatScale.LINEAR
    nothing = Ranking(3, 0, np.array([]))
    assert value_range(nothing).low < value_range(nothing).high
    worth = Worth("x", torch.zeros(5).double(), torch.full((5,), 2, dtype=torch.uint8))
    same = value_range(Ranking.of(worth, torch.ones(5, dtype=torch.bool)))
    assert set(same.places(np.zeros(5))) == {1.0}


@pytest.mark.parametrize("scale", list(Scale))
def test_the_legend_marks_where_the_cut_runs(request_: FrameRequest, scale: Scale) -> None:
    worth = request_.worth
    assert worth is not None
    removed = ~keep_mask(worth, 360, request_.alive)
    request = replace(request_, look=Look(mode=Mode.HEATMAP, scale=scale), removed=removed)
    legend = Shading().legend(request)
    assert legend is not None
    assert legend.cut is not None
    assert legend.cut.label == "40.0 %"
    threshold = float(worth.values[worth.order[240]])
    assert float(legend.cut.remark) == pytest.approx(threshold, rel=0.01)
    if scale == Scale.PERCENTILE:
        assert legend.cut.place == pytest.approx(239.5 / 599)
    scattered = torch.zeros(COUNT, dtype=torch.bool)
    scattered[::3] = True
    legend = Shading().legend(replace(request, removed=scattered))
    assert legend is not None
    assert legend.cut is None


def test_a_cut_is_a_place_of_the_order_only_if_it_takes_an_end() -> None:
    order = torch.tensor([3, 1, 0, 2])
    cases = {(3,): 1, (3, 1): 2, (2,): 3, (0, 2): 2, (1,): None, (3, 2): None, (): None}
    for gone, place in cases.items():
        removed = torch.zeros(4, dtype=torch.bool)
        removed[list(gone)] = True
        assert cut_place(order, removed) == place


# Marks on Gaussians


def test_ghost_and_selection_and_both_have_colours_of_their_own(request_: FrameRequest) -> None:
    removed, selected = torch.zeros(2, COUNT, dtype=torch.bool)
    removed[0::4] = removed[1::4] = True
    selected[1::4] = selected[2::4] = True
    request = replace(request_, removed=removed, selected=selected)
    marks = Shading().splat_colors(request)
    assert marks is not None
    own = torch.full((3,), 0.5)
    seen = torch.lerp(own.expand(COUNT, 3), marks[:, :3], marks[:, 3:])
    ghost = own.lerp(torch.tensor(GHOST_COLOR), 0.75)
    yellow = torch.tensor(SELECTED_COLOR)
    behind = torch.tensor(BACKGROUND)
    expected = torch.stack(
        [ghost, ghost.lerp(yellow, 0.5), own.lerp(yellow, 0.5), own.lerp(behind, REST_SHARE)]
    )
    assert torch.allclose(seen[:4], expected, atol=1e-5)
    assert torch.equal(seen[4:8], seen[:4])
    lightness = expected @ torch.tensor([0.2126, 0.7152, 0.0722])
    assert (lightness[2] - lightness[0]).item() > 0.25
    heat = Shading().splat_colors(replace(request, look=Look(mode=Mode.OPACITY)))
    plain = Shading().splat_colors(replace(request_, look=Look(mode=Mode.OPACITY)))
    assert heat is not None
    assert plain is not None
    assert torch.allclose(heat[3::4], plain[3::4].lerp(behind, HEAT_REST_SHARE), atol=1e-6)
    assert torch.allclose(heat[0::4], torch.tensor(GHOST_COLOR))
    assert torch.allclose(heat[2::4], plain[2::4].lerp(torch.ones(3), LIGHT_SHARE), atol=1e-6)
    assert (heat[1::4] > heat[0::4] - 1e-6).all()


@pytest.mark.parametrize("mode", list(Mode))
def test_the_selection_stands_out_in_every_mode_and_the_rest_recedes(mode: Mode) -> None:
    request = replace(request_for(wall_scene()), look=Look(mode=mode))
    selected = request.scene.means[:, 0] < -0.2
    before, after = shown(request), shown(replace(request, selected=selected))
    change = (after - before).abs().amax(-1)
    column = round(WIDTH / 2 - 0.2 / 3 * float(request.camera.K[0, 0]))
    wall = slice(HEIGHT // 2 - 15, HEIGHT // 2 + 15)
    chosen, rest = slice(column - 20, column - 6), slice(column + 6, column + 20)
    assert change[wall, chosen].min() > 10
    behind = 255 * torch.tensor(BACKGROUND)
    share = REST_SHARE if mode in (Mode.COLOR, Mode.ERROR) else HEAT_REST_SHARE
    receded = before[wall, rest] + (behind - before[wall, rest]) * share
    assert (after[wall, rest] - receded).abs().max() < 6
    contrast = (after - behind).abs().amax(-1)
    assert contrast[wall, chosen].mean() > 1.5 * contrast[wall, rest].mean()
    edge = after[wall, column - 2 : column + 3]
    assert edge.sum(-1).amin() < 120
    assert edge[..., :2].amin(-1).amax() > 190


@pytest.mark.parametrize("colormap", COLORMAPS)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_the_selection_stands_out_wherever_it_is_on_a_colour_map(
    colormap: str, place: float
) -> None:
    """Against the rest of the very same colour; half as light again, or lighter by a tenth."""
    color = colormap_table(colormap)[round(255 * place)].expand(2, 3)
    scene = wall_scene().select(torch.arange(len(wall_scene())) < 2)
    marks = tints(None, torch.tensor([True, False]), scene, heat=True)
    light, rest = mixed(color, marks) @ torch.tensor([0.2126, 0.7152, 0.0722])
    assert light > max(1.5 * rest, rest + 0.1)


@pytest.mark.parametrize("mode", [Mode.HEATMAP, Mode.OPACITY, Mode.SIZE])
def test_the_contour_runs_where_half_of_the_pixel_would_go(mode: Mode) -> None:
    scene = wall_scene()
    removed = scene.means[:, 0] > 0.3
    values = torch.arange(len(scene)).double()
    worth = Worth("removal-error", values, torch.full((len(scene),), 2, dtype=torch.uint8))
    request = replace(request_for(scene), worth=worth, removed=removed)
    lined, plain = (
        shown(replace(request, look=Look(mode=mode, contour=on))) for on in (True, False)
    )
    flags = removed.float()[:, None].expand(-1, 3).contiguous()
    share = render(scene, request.camera, colors=flags).rgb[..., 0]
    changed = (lined - plain).abs().amax(-1) > 30
    rows = slice(HEIGHT // 2 - 18, HEIGHT // 2 + 18)
    crossing = (share[rows] > 0.5).int().argmax(1)
    columns = torch.arange(WIDTH)
    for row, line in zip(crossing.tolist(), changed[rows], strict=True):
        at = columns[line & (columns < row + 12)]
        assert len(at) >= 2
        assert (at.float().mean() - (row - 0.5)).abs() < 1.0
        assert (at - row).abs().max() <= 4
    coarse = [
        shown(replace(request, look=Look(mode=mode, contour=on), scale=0.5)) for on in (True, False)
    ]
    assert torch.equal(*coarse)
    hidden = [
        shown(replace(request, look=Look(mode=mode, contour=on), hide=True)) for on in (True, False)
    ]
    assert torch.equal(*hidden)


# Memory


def test_memory_keeps_two_results_of_each_function() -> None:
    calls: list[Tensor] = []

    def make(tensor: Tensor, factor: float) -> Tensor:
        calls.append(tensor)
        return tensor * factor

    memory, (a, b, c) = Memory(), torch.eye(3)
    first = memory.get(make, a, 2.0)
    memory.get(make, b, 2.0)
    assert memory.get(make, a, 2.0) is first
    assert len(calls) == 2
    assert memory.get(make, a.clone(), 2.0) is not first
    memory.get(make, c, 2.0)
    assert memory.get(make, a, 2.0) is not first


def test_moving_repeats_no_work_per_gaussian_in_any_splat_mode(request_: FrameRequest) -> None:
    selected = torch.zeros(COUNT, dtype=torch.bool)
    selected[::5] = True
    for mode in SPLAT_MODES:
        by, request = Shading(), replace(request_, look=Look(mode=mode), selected=selected)
        colors = by.splat_colors(request)
        moved = replace(request, camera=request.camera.scaled(0.7), scale=0.5)
        assert by.splat_colors(moved) is colors
        assert by.legend(moved) is by.legend(request)


# What lies behind the scene


@pytest.mark.parametrize("mode", [Mode.COLOR, Mode.HEATMAP, Mode.DEPTH, Mode.OPACITY])
def test_every_mode_is_drawn_on_the_background_of_the_look(
    request_: FrameRequest, mode: Mode
) -> None:
    white, dark = ((1.0, 1.0, 1.0), BACKGROUND)
    seen = {
        color: shown(replace(request_, look=Look(mode=mode, background=color)))
        for color in (white, dark)
    }
    behind = render(request_.scene, request_.camera).alpha == 0
    assert bool(behind.any())
    for color, pixels in seen.items():
        assert (pixels[behind] - levels(torch.tensor(color))).abs().max() <= 1
    covered = render(request_.scene, request_.camera).alpha > 0.999
    assert (seen[white] - seen[dark])[covered].abs().max() <= 1


def test_what_is_not_selected_recedes_into_the_background_of_the_look() -> None:
    scene = wall_scene()
    none = torch.zeros(len(scene), dtype=torch.bool)
    some = none.clone()
    some[0] = True
    white = tints(None, some, scene, heat=False, background=(1.0, 1.0, 1.0))
    assert torch.equal(white[1], torch.tensor([1.0, 1.0, 1.0, REST_SHARE]))
    assert torch.equal(white[0], tints(None, some, scene, heat=False)[0])
