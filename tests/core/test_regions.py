import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.cameras import Camera, intrinsics, look_at
from core.editing.regions import (
    flood,
    heaviest,
    in_box,
    in_front,
    in_region,
    in_sphere,
    like_color,
    polygon_region,
    sight,
    stroke_region,
)
from core.scene import SH_C0, GaussianScene
from tests.blobs import blob_scene
from tests.reference import pixel_weights, project

WIDTH, HEIGHT = 96, 64


def facing_camera(distance: float = 4.0) -> Camera:
    """Looks along +z at the origin, y down."""
    transform = look_at((0, 0, -distance), (0, 0, 0), (0, -1, 0))
    return Camera(transform, intrinsics(50, WIDTH, HEIGHT), WIDTH, HEIGHT)


def spots(
    means: np.ndarray, color: tuple[float, float, float], sigma: float, opacity: float
) -> GaussianScene:
    """Round Gaussians of one colour."""
    count = len(means)
    sh = (torch.tensor([color]) - 0.5) / SH_C0
    return GaussianScene(
        means=torch.from_numpy(np.asarray(means, np.float32)),
        log_scales=torch.full((count, 3), math.log(sigma)),
        quats=torch.tensor([[1.0, 0, 0, 0]]).repeat(count, 1),
        opacity_logits=torch.full((count,), math.log(opacity / (1 - opacity))),
        sh=sh[None].repeat(count, 1, 1),
    )


def together(*scenes: GaussianScene) -> GaussianScene:
    parts = [scene.tensors() for scene in scenes]
    return GaussianScene(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def wall(z: float, color: tuple[float, float, float], opacity: float = 0.95) -> GaussianScene:
    """A square sheet of overlapping Gaussians across the view, at a depth."""
    xs, ys = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21))
    means = np.stack([xs.ravel(), ys.ravel(), np.full(xs.size, z)], axis=1)
    return spots(means, color, 0.1, opacity)


def all_of(scene: GaussianScene) -> Tensor:
    return torch.ones(len(scene), dtype=torch.bool)


def winding(corners: np.ndarray, x: float, y: float) -> int | None:
    """Turns of a closed polygon around a point, by its angles; None for a point on its line."""
    to = corners - (x, y)
    angles = np.arctan2(to[:, 1], to[:, 0])
    steps = (np.diff(angles, append=angles[:1]) + np.pi) % (2 * np.pi) - np.pi
    return None if (np.abs(steps) > np.pi - 1e-6).any() else round(steps.sum() / (2 * np.pi))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(-20.13, 50), st.floats(-20.13, 40)), min_size=1, max_size=9, unique=True
    )
)
def test_a_polygon_holds_the_pixels_that_it_goes_around(corners: list[tuple[float, float]]) -> None:
    ends = np.round(np.array(corners), 2) + np.array([0.003, 0.007])
    region = polygon_region(ends, 31, 23)
    for y, x in np.ndindex(23, 31):
        turns = winding(ends, x + 0.5, y + 0.5)
        assert turns is None or region[y, x] == (turns != 0)


def test_a_loop_that_overlaps_itself_has_no_hole() -> None:
    twice = [(5, 5), (25, 5), (25, 25), (5, 25)] * 2
    assert polygon_region(twice, 30, 30)[15, 15]
    assert polygon_region(twice, 30, 30).sum() == 20 * 20


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.floats(-30, 90), st.floats(-30, 70)), min_size=1, max_size=5),
    st.floats(1.5, 20),
)
def test_a_stroke_holds_the_pixels_near_its_line(
    points: list[tuple[float, float]], radius: float
) -> None:
    region = stroke_region(points, radius, 60, 40)
    ends = np.array(points)
    y, x = np.mgrid[0:40, 0:60] + 0.5
    distance = np.full((40, 60), np.inf)
    for start, end in zip(ends, [*ends[1:], ends[-1]], strict=True):
        way = end - start
        length = max(way @ way, 1e-12)
        share = np.clip(((x - start[0]) * way[0] + (y - start[1]) * way[1]) / length, 0, 1)
        gap = np.hypot(x - start[0] - share * way[0], y - start[1] - share * way[1])
        distance = np.minimum(distance, gap)
    assert region[distance < radius - 1].all()
    assert not region[distance > radius + 1].any()


def test_a_region_takes_the_visible_centres_that_appear_in_it() -> None:
    scene, camera = blob_scene(3000), facing_camera()
    visible = torch.rand(3000, generator=torch.Generator().manual_seed(1)) < 0.7
    region = np.zeros((HEIGHT, WIDTH), dtype=bool)
    region[20:40, 30:70] = True
    means = scene.means.double().numpy()
    places = (means @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]) @ camera.K.T
    x, y = places[:, 0] / places[:, 2], places[:, 1] / places[:, 2]
    expected = (x >= 30) & (x < 70) & (y >= 20) & (y < 40) & visible.numpy()
    found = in_region(scene, camera, region, visible).numpy()
    close = np.minimum.reduce([abs(x - 30), abs(x - 70), abs(y - 20), abs(y - 40)]) < 1e-3
    np.testing.assert_array_equal(found[~close], expected[~close])
    assert 100 < found.sum() < 2000


def test_what_is_behind_the_camera_is_in_no_region() -> None:
    scene = spots(np.array([[0, 0, -6.0], [0, 0, 1.0], [np.nan, 0, 0]]), (1, 0, 0), 0.1, 0.9)
    everywhere = np.ones((HEIGHT, WIDTH), dtype=bool)
    assert in_region(scene, facing_camera(), everywhere, all_of(scene)).tolist() == [0, 1, 0]


def test_a_region_of_another_size_is_refused() -> None:
    scene = blob_scene(5)
    with pytest.raises(ValueError, match="region"):
        in_region(scene, facing_camera(), np.ones((3, 3), dtype=bool), all_of(scene))


def test_front_leaves_out_what_an_opaque_wall_hides_but_not_a_faint_veil_before_it() -> None:
    veil, front, back = (
        wall(-0.5, (1, 1, 1), 0.03),
        wall(0, (1, 0, 0)),
        wall(0.8, (0, 0, 1)),
    )
    scene = together(veil, front, back)
    side = len(front)
    shown = in_front(scene, facing_camera(), all_of(scene))
    assert shown[:side].all(), "faint Gaussians before the wall are seen"
    assert shown[side : 2 * side].all()
    inner = np.abs(back.means.numpy()[:, :2]).max(axis=1) < 0.75
    assert not shown[2 * side :][torch.from_numpy(inner)].any()
    without = all_of(scene)
    without[: 2 * side] = False
    assert in_front(scene, facing_camera(), without).equal(without), "nothing hides it any more"


def test_front_is_the_same_in_a_large_picture() -> None:
    scene = together(wall(0, (1, 0, 0)), wall(1.0, (0, 0, 1)))
    small = in_front(scene, facing_camera(), all_of(scene))
    large = in_front(scene, facing_camera().scaled(24), all_of(scene))
    assert (small != large).sum() < 0.05 * len(scene)


def test_sight_is_the_point_and_the_colour_under_the_mouse() -> None:
    scene, camera = wall(0.25, (0.8, 0.3, 0.1), 0.99), facing_camera()
    seen = sight(scene, camera, WIDTH / 2 + 10, HEIGHT / 2 - 6, all_of(scene))
    assert seen is not None
    assert seen.depth == pytest.approx(4.25, abs=1e-3)
    focal = camera.K[0, 0]
    expected = np.array([10.5 / focal * 4.25, -5.5 / focal * 4.25, 0.25])
    np.testing.assert_allclose(seen.point, expected, atol=2e-3)
    torch.testing.assert_close(seen.color, torch.tensor([0.8, 0.3, 0.1]), atol=1e-3, rtol=0)
    assert sight(scene, camera, 1, 1, all_of(scene)) is None
    assert sight(scene, camera, WIDTH / 2, HEIGHT / 2, ~all_of(scene)) is None


def test_the_heaviest_is_that_of_the_reference() -> None:
    scene, camera = blob_scene(400), facing_camera()
    tensors = {name: tensor.double() for name, tensor in scene.tensors().items()}
    means2d, inverse, depth, opacities = project(tensors, camera, False)
    order = torch.argsort(depth)
    pixel = torch.tensor([[50.5, 30.5]], dtype=torch.float64)
    weights, _ = pixel_weights(
        pixel, means2d[order], inverse[order], opacities[order], max_alpha=0.999
    )
    found = heaviest(scene, camera, 50.2, 30.9, all_of(scene))
    assert found.nonzero().flatten().tolist() == [int(order[weights[0].argmax()])]
    assert not heaviest(scene, camera, 0, 0, all_of(scene)).any()


def test_like_colours_differ_in_no_channel_by_more_than_the_tolerance() -> None:
    scene = together(
        spots(np.zeros((2, 3)), (0.5, 0.5, 0.5), 0.1, 0.5),
        spots(np.zeros((1, 3)), (0.5, 0.5, 0.65), 0.1, 0.5),
    )
    gray = torch.tensor([0.5, 0.5, 0.5])
    assert like_color(scene, gray, 0.1, all_of(scene)).tolist() == [1, 1, 0]
    assert like_color(scene, gray, 0.2, all_of(scene)).tolist() == [1, 1, 1]
    assert like_color(scene, gray, 0.2, torch.tensor([True, False, True])).tolist() == [1, 0, 1]


def test_a_flood_stops_at_gaps_and_at_other_colours() -> None:
    def row(first: float, last: float, color: tuple[float, float, float]) -> GaussianScene:
        x = np.arange(first, last, 0.2)
        return spots(np.stack([x, 0 * x, 0 * x], axis=1), color, 0.1, 0.95)

    red, green = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1)
    here, other, beyond, apart = (
        row(-1, 0, red),
        row(0, 0.5, green),
        row(0.5, 1.0, red),
        row(-1.8, -1.45, red),
    )
    lost = spots(np.array([[np.nan, 0, 0]]), red, 0.1, 0.9)
    scene, camera = together(here, other, beyond, apart, lost), facing_camera()
    x = WIDTH / 2 + camera.K[0, 0] * -0.6 / 4
    seen = sight(scene, camera, x, HEIGHT / 2, all_of(scene))
    assert seen is not None
    found = flood(scene, seen, 0.2, all_of(scene))
    assert found.nonzero().flatten().tolist() == list(range(len(here)))
    any_color = flood(scene, seen, 1.0, all_of(scene))
    assert int(any_color.sum()) == len(here) + len(other) + len(beyond)
    assert not flood(scene, seen, 1.0, ~all_of(scene)).any()


def test_a_flood_of_one_gaussian_is_itself() -> None:
    scene = spots(np.zeros((1, 3)), (0.5, 0.5, 0.5), 0.2, 0.9)
    seen = sight(scene, facing_camera(), WIDTH / 2, HEIGHT / 2, all_of(scene))
    assert seen is not None
    assert flood(scene, seen, 0.1, all_of(scene)).tolist() == [True]


def test_sphere_and_box_hold_the_centres_within() -> None:
    means = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1.1, 0, 0], [0.5, 0.9, 0], [math.nan, 0, 0]])
    assert in_sphere(means, (0, 0, 0), 1.05).tolist() == [1, 1, 0, 1, 0]
    assert in_box(means, (-0.1, -0.1, -0.1), (1.0, 0.5, 0.1)).tolist() == [1, 1, 0, 0, 0]
