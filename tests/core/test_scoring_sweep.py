"""The sweep against a dense float64 renderer: its full Jacobian, its weights, its re-renders."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

import core.scoring.sweeping as sweeping
from core.cameras import Camera, intrinsics, look_at
from core.errors import UserError
from core.jobs import drain
from core.rendering.cpu.common import MAX_ALPHA, set_num_threads, workers
from core.scene import GaussianScene
from core.scoring import Contributions, sweep
from core.scoring.fisher import symmetric
from tests.reference import gaussian_colors, pixel_weights, project, render_reference

# torch's forward-mode derivatives load a module that warns
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

BACKGROUND = (0.1, 0.2, 0.3)
EYES = [(0.0, 0.0, -4.0), (3.0, 1.0, -2.5), (-2.0, 1.5, 2.8)]


def make_scene(
    count: int = 10,
    degree: int = 1,
    seed: int = 0,
    spread: float = 0.8,
    opacity: tuple[float, float] = (0.1, 0.95),
    antialiased: bool = False,
) -> GaussianScene:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    sh = 0.25 * normal(count, (degree + 1) ** 2, 3)
    sh[:, 0] = 0.3 + 0.6 * normal(count, 3)
    return GaussianScene(
        means=spread * normal(count, 3),
        log_scales=uniform(0.08, 0.5, count, 3).log(),
        quats=normal(count, 4),
        opacity_logits=torch.logit(uniform(*opacity, count)),
        sh=sh,
        antialiased=antialiased,
    )


def make_cameras(
    eyes: Sequence[tuple[float, float, float]] = EYES,
    fov_deg: float = 50,
    size: tuple[int, int] = (29, 23),
) -> list[Camera]:
    K = intrinsics(fov_deg, *size) @ np.diag([1, 1.05, 1])
    return [Camera(look_at(eye, (0, 0, 0), (0, -1, 0)), K, *size) for eye in eyes]


def swept(scene: GaussianScene, cameras: Sequence[Camera], **options: object) -> Contributions:
    options.setdefault("background", BACKGROUND)
    return drain(sweep(scene, cameras, **options))


def oracle_fisher(scene: GaussianScene, cameras: Sequence[Camera], color_term: bool) -> Tensor:
    """``sum g g^T`` from every pixel's derivative, by automatic differentiation ``(N, 6, 6)``."""
    tensors = {name: tensor.double() for name, tensor in scene.tensors().items()}
    total = torch.zeros(len(scene), 6, 6, dtype=torch.float64)
    for camera in cameras:
        colors = None if color_term else gaussian_colors(tensors, camera, None, None)

        def picture(
            means: Tensor,
            log_scales: Tensor,
            camera: Camera = camera,
            colors: Tensor | None = colors,
        ) -> Tensor:
            moved = tensors | {"means": means, "log_scales": log_scales}
            return render_reference(
                moved,
                camera,
                background=BACKGROUND,
                colors=colors,
                antialiased=scene.antialiased,
            )[0].reshape(-1)

        parts = torch.func.jacfwd(picture, argnums=(0, 1))(tensors["means"], tensors["log_scales"])
        g = torch.cat(parts, -1)
        total += torch.einsum("pna,pnb->nab", g, g)
    return total


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Largest relative Frobenius error over the matrices that are not zero."""
    norm = expected.flatten(1).norm(dim=1)
    assert torch.all(found[norm == 0] == 0)
    assert (norm > 0).any()
    return float(((found - expected).flatten(1).norm(dim=1)[norm > 0] / norm[norm > 0]).max())


def log_abs_det(contributions: Contributions) -> Tensor:
    assert contributions.fisher is not None
    return torch.linalg.slogdet(symmetric(contributions.fisher))[1]


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_fisher_is_the_sum_of_all_outer_products(degree: int, antialiased: bool) -> None:
    scene, cameras = make_scene(degree=degree, antialiased=antialiased), make_cameras()
    found = swept(scene, cameras, color_term=True).fisher_color
    assert relative_error(symmetric(found), oracle_fisher(scene, cameras, True)) < 3e-5


@pytest.mark.parametrize("antialiased", [False, True])
def test_fisher_without_the_color_term_holds_colors_still(antialiased: bool) -> None:
    scene, cameras = make_scene(degree=3, antialiased=antialiased), make_cameras()
    found = symmetric(swept(scene, cameras).fisher)
    assert relative_error(found, oracle_fisher(scene, cameras, False)) < 3e-5
    assert relative_error(found, oracle_fisher(scene, cameras, True)) > 1e-2


def test_fisher_where_the_projection_is_clamped() -> None:
    scene = make_scene(count=24, seed=3, spread=1.6)
    scene = replace(scene, log_scales=scene.log_scales + 0.7)
    cameras = make_cameras([(0, 0, -2.2)], fov_deg=70)
    found = swept(scene, cameras, color_term=True)
    point = scene.means.numpy() @ cameras[0].world_to_camera[:3, :3].T
    point += cameras[0].world_to_camera[:3, 3]
    bounds = sweeping._slopes(cameras[0])
    slope = point[:, :2] / point[:, 2:]
    outside = ((slope < bounds[:, 1]) | (slope > bounds[:, 2])).any(1) & (point[:, 2] > 0)
    assert (torch.from_numpy(outside) & (found.hits > 0)).sum() >= 2
    assert relative_error(symmetric(found.fisher_color), oracle_fisher(scene, cameras, True)) < 3e-5


def test_fisher_of_opaque_gaussians() -> None:
    scene = make_scene(count=16, seed=1, opacity=(0.9, 0.99))
    logits = scene.opacity_logits.clone()
    logits[::2] = 9
    scene = replace(scene, log_scales=scene.log_scales + 0.5, opacity_logits=logits)
    assert scene.opacities()[0] > MAX_ALPHA
    cameras = make_cameras()
    found = symmetric(swept(scene, cameras, color_term=True).fisher_color)
    expected = oracle_fisher(scene, cameras, True)
    assert relative_error(found, expected) < 1e-4


@pytest.mark.parametrize("antialiased", [False, True])
def test_clamped_pixels_give_no_derivative_but_count_for_removal(antialiased: bool) -> None:
    """A wall of opacity above 0.999 at every pixel: only its colour can change."""
    scene = make_scene(count=2, antialiased=antialiased)
    means = torch.tensor([[0.0, 0.0, 0.0], [0.2, 0.1, 3.0]])
    scene = replace(
        scene,
        means=means,
        log_scales=torch.tensor([[4.6, 4.6, 4.6], [0.5, 0.3, 0.4]]),
        opacity_logits=torch.tensor([12.0, 1.0]),
    )
    cameras = make_cameras()[:1]
    still = swept(scene, cameras)
    assert torch.all(still.fisher[0] == 0)
    assert still.removal_error[0] > 10
    found = symmetric(swept(scene, cameras, color_term=True).fisher_color)
    assert found[0].abs().max() > 0
    assert relative_error(found, oracle_fisher(scene, cameras, True)) < 1e-4


def test_columns_are_the_sums_they_say() -> None:
    scene, cameras = make_scene(count=20, seed=2, opacity=(0.3, 0.98)), make_cameras()
    found = swept(scene, cameras)
    expected = oracle_columns(scene, cameras)
    for name, values in expected.items():
        column = getattr(found, name).double()
        tolerance = 1.001 if "hits" in name else 1e-5 + 2e-3 * float(values.max())
        torch.testing.assert_close(column, values, rtol=1e-4, atol=tolerance, msg=name)
    assert found.view_count == len(cameras)
    assert found.centers == len(cameras)
    assert found.top_hits.sum() > 0


def oracle_columns(scene: GaussianScene, cameras: Sequence[Camera]) -> dict[str, Tensor]:
    """Every column from dense weights ``(P, M)`` of each view."""
    tensors = {name: tensor.double() for name, tensor in scene.tensors().items()}
    names = [f.name for f in fields(Contributions)]
    columns = {
        name: torch.zeros(len(scene), dtype=torch.float64)
        for name in names
        if name not in ("fisher", "fisher_color", "view_count", "centers")
    }
    for camera in cameras:
        means2d, inverse, z, opacities = project(tensors, camera, scene.antialiased)
        order = torch.argsort(z)
        order = order[z[order] > 0]
        pixels = torch.cartesian_prod(
            torch.arange(camera.height).double() + 0.5, torch.arange(camera.width).double() + 0.5
        ).flip(1)
        w, rest = pixel_weights(pixels, means2d[order], inverse[order], opacities[order], 0.999)
        before = 1 - torch.cumsum(w, 1) + w
        alpha = w / before
        colors = gaussian_colors(tensors, camera, None, None)[order]
        blended = w[:, :, None] * colors
        image = blended.sum(1) + rest[:, None] * torch.tensor(BACKGROUND).double()
        behind = image[:, None] - torch.cumsum(blended, 1)
        a = before[:, :, None] * colors - behind / (1 - alpha)[:, :, None]
        hit = w > 0
        top = torch.zeros_like(w).scatter_(1, w.argmax(1, keepdim=True), 1.0) * hit
        count = hit.double().sum(0)
        mean = torch.where(top.sum(0) > 0, w.sum(0) / count.clamp_min(1), 0.0)
        view = {
            "removal_error": ((alpha[:, :, None] * a) ** 2).sum((0, 2)),
            "speedy": ((opacities[order] * a.sum(2) * hit) ** 2).sum(0),
            "weight_sum": w.sum(0),
            "transmittance_sum": (before * hit).sum(0),
            "hits": count,
            "top_hits": top.sum(0),
            "top_mean_weight": mean,
            "views_seen": (count > 0).double(),
        }
        for name, values in view.items():
            columns[name][order] += values
        columns["weight_max"][order] = torch.maximum(columns["weight_max"][order], w.amax(0))
    return columns


def test_removal_error_is_what_removing_it_does() -> None:
    scene = make_scene(count=8, opacity=(0.1, 0.6))
    cameras = make_cameras()
    found = swept(scene, cameras, fisher=False)
    assert found.fisher is None
    for i in range(len(scene)):
        keep = torch.ones(len(scene), dtype=torch.bool)
        keep[i] = False
        error = 0.0
        for camera in cameras:
            whole, without = (
                render_reference(scene.tensors(), camera, background=BACKGROUND, keep=mask)[0]
                for mask in (None, keep)
            )
            error += float(((whole - without) ** 2).sum())
        assert float(found.removal_error[i]) == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize(("color_term", "antialiased"), [(False, False), (True, True)])
def test_scaling_about_the_only_camera_changes_nothing(color_term: bool, antialiased: bool) -> None:
    scene = make_scene(degree=2, antialiased=antialiased)
    camera = make_cameras()[0]
    found = swept(scene, [camera], color_term=color_term)
    offset = scene.means.double() - torch.tensor(camera.position)
    n = torch.cat([offset, torch.ones_like(offset)], 1)
    F = symmetric(found.fisher_color if color_term else found.fisher)
    trace = F.diagonal(dim1=1, dim2=2).sum(1)
    seen = found.hits > 0
    quadratic = torch.einsum("na,nab,nb->n", n, F, n)[seen]
    assert torch.all(quadratic.abs() < 1e-13 * (n.square().sum(1) * trace)[seen])


def test_fisher_is_symmetric_and_positive() -> None:
    found = swept(make_scene(count=40, degree=2), make_cameras(), color_term=True)
    F = symmetric(torch.cat([found.fisher, found.fisher_color]))
    trace = F.diagonal(dim1=1, dim2=2).sum(1)
    assert torch.all(torch.linalg.eigvalsh(F)[:, 0] >= -1e-6 * trace)


def test_views_add_up() -> None:
    scene, cameras = make_scene(), make_cameras()
    first, rest, both = (swept(scene, part) for part in (cameras[:1], cameras[1:], cameras))
    torch.testing.assert_close(first.fisher + rest.fisher, both.fisher)
    for name in ("removal_error", "speedy", "weight_sum", "transmittance_sum", "top_mean_weight"):
        torch.testing.assert_close(getattr(first, name) + getattr(rest, name), getattr(both, name))
    for name in ("hits", "top_hits", "views_seen"):
        assert torch.equal(getattr(first, name) + getattr(rest, name), getattr(both, name))
    torch.testing.assert_close(torch.maximum(first.weight_max, rest.weight_max), both.weight_max)


@pytest.mark.parametrize("factor", [0.05, 1e2])
def test_a_larger_world_shifts_every_log_det_alike(factor: float) -> None:
    scene = make_scene(count=30, spread=0.5)
    cameras = make_cameras()
    larger = replace(
        scene,
        means=scene.means * factor,
        log_scales=scene.log_scales + float(np.log(factor)),
    )
    scale = np.array([[1, 1, 1, factor]] * 3 + [[1, 1, 1, 1]])
    moved = [replace(camera, world_to_camera=camera.world_to_camera * scale) for camera in cameras]
    before, after = swept(scene, cameras), swept(larger, moved)
    seen = before.hits > 0
    assert seen.sum() > 20
    shift = (log_abs_det(after) - log_abs_det(before))[seen]
    torch.testing.assert_close(
        shift, torch.full_like(shift, -6 * np.log(factor)), rtol=0, atol=5e-3
    )


def test_unseen_gaussians_have_nothing() -> None:
    scene = make_scene()
    means = scene.means.clone()
    means[3] = torch.tensor([0.0, 0.0, -50.0])
    logits = scene.opacity_logits.clone()
    logits[5] = -20
    log_scales = scene.log_scales.clone()
    log_scales[7, 1] = torch.nan
    scene = replace(scene, means=means, opacity_logits=logits, log_scales=log_scales)
    found = swept(scene, make_cameras()[:1], color_term=True)
    for field in fields(Contributions):
        column = getattr(found, field.name)
        if isinstance(column, Tensor):
            assert torch.all(column[[3, 5, 7]] == 0), field.name
            assert torch.all(torch.isfinite(column)), field.name


def test_channels_are_treated_alike() -> None:
    scene, cameras = make_scene(), make_cameras()
    turned = replace(scene, sh=scene.sh[:, :, [2, 0, 1]].contiguous())
    a = swept(scene, cameras, color_term=True, background=(0.1, 0.2, 0.3))
    b = swept(turned, cameras, color_term=True, background=(0.3, 0.1, 0.2))
    scale = float(a.fisher_color.max())
    torch.testing.assert_close(a.fisher_color, b.fisher_color, rtol=1e-5, atol=1e-5 * scale)
    torch.testing.assert_close(a.removal_error, b.removal_error, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(a.speedy, b.speedy, rtol=1e-4, atol=1e-5)


def test_keep_sweeps_as_if_the_others_did_not_exist() -> None:
    scene, cameras = make_scene(count=15), make_cameras()
    keep = torch.arange(15) % 3 != 0
    masked, selected = swept(scene, cameras, keep=keep), swept(scene.select(keep), cameras)
    assert torch.equal(masked.fisher[keep], selected.fisher)
    assert torch.equal(masked.removal_error[keep], selected.removal_error)
    assert torch.all(masked.fisher[~keep] == 0)


@pytest.fixture
def threads() -> Iterator[None]:
    before = workers().count
    yield
    set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_result_does_not_depend_on_threads_or_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, cameras = make_scene(count=200, degree=2), make_cameras(size=(75, 53))
    set_num_threads(1)
    results = [swept(scene, cameras, color_term=True)]
    set_num_threads(3)
    results.append(swept(scene, cameras, color_term=True))
    monkeypatch.setattr(sweeping, "MAX_PAIRS", 300)
    results.append(swept(scene, cameras, color_term=True))
    for field in fields(Contributions):
        first = getattr(results[0], field.name)
        for other in results[1:]:
            column = getattr(other, field.name)
            assert torch.equal(first, column) if isinstance(first, Tensor) else first == column


def test_progress_and_cancelling() -> None:
    scene, cameras = make_scene(), make_cameras()
    seen = []
    whole = drain(sweep(scene, cameras), seen.append)
    assert [(p.done, p.total, p.message) for p in seen] == [
        (1, 3, "view 1 of 3"),
        (2, 3, "view 2 of 3"),
        (3, 3, "view 3 of 3"),
    ]
    half = sweep(scene, cameras)
    next(half)
    half.close()
    again = drain(sweep(scene, cameras))
    assert torch.equal(whole.fisher, again.fisher)


def test_centers_count_places_not_views() -> None:
    camera = make_cameras()[0]
    turned = Camera(look_at(EYES[0], (0.3, 0.2, 0), (0, -1, 0)), camera.K, 29, 23)
    assert swept(make_scene(), [camera, turned]).centers == 1
    assert swept(make_scene(), [camera, turned, *make_cameras()]).centers == 3


def test_edges() -> None:
    with pytest.raises(UserError, match="no cameras"):
        drain(sweep(make_scene(), []))
    nothing = make_scene().select(torch.zeros(10, dtype=torch.bool))
    assert drain(sweep(nothing, make_cameras())).fisher.shape == (0, 21)
    away = make_cameras([(0.0, 0.0, -4.0)])[0]
    away = replace(away, world_to_camera=np.diag([-1, 1, -1, 1.0]) @ away.world_to_camera)
    assert int(drain(sweep(make_scene(), [away])).hits.sum()) == 0
