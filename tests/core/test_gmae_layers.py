"""Layers by depth, figure and ground, edges, and depth against size."""

import numpy as np
import pytest
import torch

from core.gmae.baselines import border_distance, expected_smallness, local_deviation
from core.gmae.cameras import project
from core.gmae.config import Config, Projection
from core.gmae.depth_scale import correlate, measure_depth_scale, spearman
from core.gmae.edges import gradient_edges, label_edges, layer_edges, layer_labels, match_edges
from core.gmae.figure_ground import (
    Polarity,
    center_ellipse,
    compare_masks,
    figure_depth,
    figure_mask,
    intersection_over_union,
    otsu,
    shuffled_depths,
)
from core.gmae.gaussians import Gaussians, activate
from core.gmae.layers import (
    Grouping,
    Show,
    camera_depths,
    depth_groups,
    depth_layers,
    draw_layer,
    nearest,
    screen_sizes,
    shown,
    slab,
)
from core.gmae.splatting import scene_camera, scene_of
from core.rendering import render
from core.scene import GaussianScene

SIZE = 48
CAMERA = scene_camera(SIZE)


def random_scene(count: int = 60) -> GaussianScene:
    outputs = 1.5 * torch.randn(1, count, 14, generator=torch.Generator().manual_seed(0))
    return scene_of(activate(outputs, 1.0), Projection.AUTHORS, SIZE)


def disc_on_ground() -> GaussianScene:
    """A wall of green Gaussians near by, and a red one in the middle, farther but uncovered."""
    grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 13)] * 2, indexing="xy"), -1)
    wall = grid.reshape(-1, 2)
    wall = wall[wall.norm(dim=1) > 0.55]
    means = torch.cat(
        [torch.cat([wall, torch.full((len(wall), 1), -0.9)], 1), torch.tensor([[0, 0, 0.9]])]
    )
    scales = torch.full((len(means), 3), 0.9)
    scales[-1] = 2.6
    colors = torch.tensor([[0.1, 0.8, 0.1]]).repeat(len(means), 1)
    colors[-1] = torch.tensor([0.9, 0.1, 0.1])
    quats = torch.tensor([[1.0, 0, 0, 0]]).repeat(len(means), 1)
    made = Gaussians(
        *(part[None] for part in (means, scales, quats, colors, torch.full((len(means),), 0.95)))
    )
    return scene_of(made, Projection.ORTHO, SIZE)


def test_groups_by_count_are_equal_and_in_order() -> None:
    depths = torch.rand(103, generator=torch.Generator().manual_seed(0))
    groups = depth_groups(depths, 8)
    counts = groups.bincount(minlength=8)
    assert counts.max() - counts.min() <= 1
    assert torch.equal(counts.cumsum(0), torch.arange(1, 9) * 103 // 8)
    for group in range(7):
        assert depths[groups == group].max() <= depths[groups == group + 1].min()


def test_layers_are_of_the_visible_alone() -> None:
    scene, visible = random_scene(), torch.arange(60) % 3 > 0
    layers = depth_layers(scene, visible, CAMERA, 4)
    assert layers.groups[~visible].tolist() == 20 * [4]
    assert layers.groups[visible].equal(depth_groups(camera_depths(scene, CAMERA)[visible], 4))
    assert layers.sizes == (10, 10, 10, 10)
    assert layers.total == 40
    for number, span in enumerate(layers.spans):
        inside = layers.depths[layers.groups == number]
        assert span == (float(inside.min()), float(inside.max()))
    assert layers.span == (layers.spans[0][0], layers.spans[3][1])
    assert (layers.ranks < 7).equal(
        visible & (layers.depths <= layers.depths[layers.ranks == 6].item())
    )
    nothing = depth_layers(scene, torch.zeros_like(visible), CAMERA, 4, Grouping.BINS)
    assert (nothing.total, nothing.span) == (0, None)


def test_sizes_on_the_screen_are_those_of_the_model() -> None:
    outputs = 1.5 * torch.randn(1, 60, 14, generator=torch.Generator().manual_seed(0))
    made = activate(outputs, 1.0)
    wanted = project(made, Projection.PINHOLE, SIZE).screen_sigmas()[0] * SIZE / 2
    sizes = screen_sizes(scene_of(made, Projection.PINHOLE, SIZE), CAMERA)
    assert torch.allclose(sizes, wanted, rtol=2e-3)


def test_groups_by_bins_share_the_range() -> None:
    depths = torch.tensor([0.0, 0.24, 0.26, 1.0, torch.nan, torch.inf])
    assert depth_groups(depths, 4, Grouping.BINS).tolist() == [0, 0, 1, 3, 0, 3]
    assert depth_groups(torch.full((3,), 2.0), 4, Grouping.BINS).tolist() == [0, 0, 0]


@pytest.mark.parametrize("grouping", Grouping)
def test_all_layers_are_the_whole_picture(grouping: Grouping) -> None:
    scene = random_scene()
    groups = depth_groups(camera_depths(scene, CAMERA), 5, grouping)
    whole = render(scene, CAMERA, background=(1, 1, 1)).rgb
    for show in (Show.NEAREST, Show.FARTHEST):
        assert torch.equal(draw_layer(scene, CAMERA, shown(groups, 4, 5, show)).rgb, whole)
    over = torch.ones_like(whole)
    for step in reversed(range(5)):
        layer = render(scene, CAMERA, keep=shown(groups, step, 5, Show.SINGLE))
        over = layer.rgb + (1 - layer.alpha[..., None]) * over
    assert torch.allclose(over, whole, atol=1e-3)


def test_nearest_and_slab_choose_by_depth() -> None:
    depths = torch.tensor([3.0, 1.0, 2.0, 2.0])
    assert nearest(depths, 2).tolist() == [False, True, True, False]
    assert slab(depths, 2, 3).tolist() == [True, False, True, True]


def test_otsu_parts_two_heaps() -> None:
    generator = torch.Generator().manual_seed(0)
    heaps = torch.cat(
        [torch.randn(500, generator=generator), 9 + torch.randn(200, generator=generator)]
    )
    assert 3 < otsu(heaps) < 6
    assert otsu(torch.full((4,), 2.0)) == 2.0


def test_figure_is_told_from_ground_where_depth_tells() -> None:
    scene = disc_on_ground()
    depth = figure_depth(scene, CAMERA)
    red, green, _ = render(scene, CAMERA).rgb.unbind(-1)
    truth = red > green
    mask = figure_mask(depth, otsu(depth), Polarity.FAR)
    assert intersection_over_union(mask, truth) > 0.8
    assert torch.equal(mask, figure_mask(depth, otsu(depth), Polarity.BORDER))
    assert torch.equal(mask, ~figure_mask(depth, otsu(depth), Polarity.NEAR))
    measured = compare_masks(scene, CAMERA, truth)
    assert measured["far"] > measured["shuffled far"] + 0.2
    assert measured["all figure"] == pytest.approx(truth.float().mean().item())
    assert measured["oracle"] == max(measured["far"], measured["near"])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_controls_of_a_chosen_threshold_cover_as_much(share: float) -> None:
    scene = random_scene()
    truth = center_ellipse(SIZE, SIZE)
    measured = compare_masks(scene, CAMERA, truth, far_share=share)
    plain = compare_masks(scene, CAMERA, truth)
    for name, values in (
        ("shuffled", figure_depth(shuffled_depths(scene, CAMERA), CAMERA)),
        ("size", expected_smallness(scene, CAMERA)),
    ):
        most = values.flatten().sort().values
        cut = -torch.inf if share == 1 else most[round((1 - share) * len(most)) - 1]
        far = values > cut
        assert far.float().mean() <= share + 0.01  # less where values are equal, as sizes are
        if name == "shuffled":
            assert far.float().mean() == pytest.approx(share, abs=0.01)
        assert measured[f"{name} far"] == intersection_over_union(far, truth)
    same = ("far", "near", "center ellipse", "all figure")
    assert [measured[name] for name in same] == [plain[name] for name in same]


def test_holes_are_far_and_do_not_move_the_threshold() -> None:
    scene = disc_on_ground()
    holed = scene.select(torch.arange(len(scene)) != len(scene) - 1)
    depth = figure_depth(holed, CAMERA)
    assert not depth[SIZE // 2, SIZE // 2].isfinite()
    assert depth[depth.isfinite()].min() <= otsu(depth) <= depth[depth.isfinite()].max()
    assert figure_mask(depth, otsu(depth))[SIZE // 2, SIZE // 2]


def test_shuffled_depths_keep_every_gaussian_in_its_place() -> None:
    scene = random_scene()
    moved = shuffled_depths(scene, CAMERA)
    old, new = camera_depths(scene, CAMERA), camera_depths(moved, CAMERA)
    assert torch.allclose(old.sort().values, new.sort().values, atol=1e-4)
    one = torch.arange(len(scene)) == 7
    alone, again = draw_layer(scene, CAMERA, one), draw_layer(moved, CAMERA, one)
    assert (alone.rgb - again.rgb).abs().max() < 1e-3


def test_iou_and_the_ellipse() -> None:
    ellipse = center_ellipse(50, 100)
    assert ellipse.float().mean().item() == pytest.approx(np.pi * 0.49 / 4, abs=0.01)
    assert intersection_over_union(ellipse, ellipse) == 1
    assert intersection_over_union(ellipse, ~ellipse) == 0
    assert intersection_over_union(ellipse & False, ellipse & False) == 1


def test_edges_stand_where_the_layer_changes() -> None:
    """A small black disc before a grey wall: its rim is an edge, and nothing else."""
    made = Gaussians(
        means=torch.tensor([[[0, 0, -0.5], [0, 0, 0.5]]]),
        scales=torch.tensor([[1.0, 8.0]])[..., None].repeat(1, 1, 3),
        quats=torch.tensor([[[1.0, 0, 0, 0]]]).repeat(1, 2, 1),
        colors=torch.tensor([[0.0, 0.5]])[..., None].repeat(1, 1, 3),
        opacities=torch.full((1, 2), 0.999),
    )
    scene = scene_of(made, Projection.ORTHO, SIZE)
    labels = layer_labels(scene, CAMERA, 2)
    assert labels[SIZE // 2, SIZE // 2] == 1
    assert labels[SIZE // 2, 2] == 2
    strength = layer_edges(scene, CAMERA, [2])
    side = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    radii = (side[:, None] ** 2 + side**2).sqrt()[strength > 0]
    assert radii.max() - radii.min() < 6 / SIZE
    rim = label_edges((labels == 1).long(), 1) > 0
    assert match_edges(strength, rim).f == 1
    assert match_edges(torch.zeros(SIZE, SIZE), rim).f == 0
    backwards = layer_labels(scene, CAMERA, 2, order=torch.tensor([1.0, 0.0]))
    assert backwards[SIZE // 2, 2] == 1


def test_gradient_goes_with_the_slope_and_is_1_at_a_step_of_all() -> None:
    ramp = (torch.arange(40.0) * 0.01).expand(30, 40)[..., None].expand(-1, -1, 3)
    slope = torch.tensor(0.01 * (2 * torch.pi) ** 0.5 * 2)
    assert torch.allclose(gradient_edges(ramp, 2.0)[:, 10:30], slope, atol=1e-3)
    step = (torch.arange(40) >= 20).float().expand(30, 40)[..., None].expand(-1, -1, 3)
    assert gradient_edges(step).max() == pytest.approx(1, abs=0.05)


def test_rank_correlation_with_its_interval() -> None:
    generator = np.random.default_rng(0)
    first = generator.normal(size=200)
    assert spearman(first, np.exp(first)) == pytest.approx(1)
    assert spearman(first, np.zeros(200)) == 0
    found = correlate(first, -first + generator.normal(size=200))
    assert found.low < found.rho < found.high < -0.3


def test_residual_tells_queries_from_images() -> None:
    """Depth and size agree between queries and disagree within; the control has no residual."""
    generator = torch.Generator().manual_seed(0)
    query, within = torch.linspace(-1, 1, 40), torch.randn(30, 40, generator=generator)
    outputs = torch.zeros(30, 40, 14)
    outputs[..., 2] = query + 0.1 * within
    outputs[..., 3:6] = (query - 0.1 * within).unsqueeze(-1)
    config = Config(16, 4, 16, 1, 2, 8, 1, 2, queries=40, projection=Projection.ORTHO)
    found = measure_depth_scale(activate(outputs, 1.0), config)
    assert found.scale.rho > 0.9
    assert found.residual_scale.high < -0.9
    shares = (found.query_share, found.image_share, found.rest_share)
    assert sum(share.value for share in shares) == pytest.approx(1)
    assert 0.9 < found.query_share.low <= found.query_share.value <= found.query_share.high
    assert found.cap_low.value < found.cap_middle.value < found.cap_high.value < 1
    assert abs(found.mean_depth.value) < 0.05


def test_trivial_answers_find_what_is_plain() -> None:
    picture = torch.full((SIZE, SIZE, 3), 0.2)
    picture[20:30, 20:30] = torch.tensor([0.9, 0.1, 0.1])
    distance = border_distance(picture)
    assert (distance > otsu(distance)).sum() == 100
    rough = local_deviation(picture)
    assert rough[25, 25] == 0 == rough[2, 2]
    assert rough[20, 25] > 0.05
    scene = disc_on_ground()
    small = expected_smallness(scene, CAMERA)
    assert small[SIZE // 2, SIZE // 2] < small[3, 3]
    seen = -torch.log(torch.tensor(0.9 / 8))
    assert small[3, 3] == pytest.approx(seen.item(), abs=0.01)
    truth = figure_depth(scene, CAMERA) > 8
    measured = compare_masks(scene, CAMERA, truth, picture=render(scene, CAMERA).rgb)
    assert measured["border colour"] > 0.8
    assert measured["size near"] > 0.8 > measured["size far"]
    assert {"shuffled far", "local deviation oracle", "all figure"} <= set(measured)


def test_edges_of_several_counts_are_those_of_each_drawn_from_the_near_end() -> None:
    scene = random_scene()
    groups = depth_groups(camera_depths(scene, CAMERA), 6)
    expected = torch.zeros(SIZE, SIZE, dtype=torch.int64)
    before = torch.ones(SIZE, SIZE, 3)
    for step in range(6):
        drawn = draw_layer(scene, CAMERA, groups <= step).rgb
        expected[(drawn - before).abs().amax(-1) > 0.06] = step + 1
        before = drawn
    labels = layer_labels(scene, CAMERA, 6)
    assert (labels == expected).float().mean() > 0.995
    maps = [label_edges(layer_labels(scene, CAMERA, count), count) for count in (4, 6)]
    torch.testing.assert_close(layer_edges(scene, CAMERA, (4, 6)), torch.stack(maps).mean(0))
