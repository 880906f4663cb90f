"""Dots and rings over the picture, where the textbook projects them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.cameras import Camera
from core.rendering.cpu.renderer import Workspace
from core.scene import GaussianScene
from tests.blobs import blob_scene
from tests.viewer.frame_stage import front_camera, scored_request, shown
from viewer.look import Look, Mode, Overlay
from viewer.viewport import shading
from viewer.viewport.marks import RING_SIGMAS, draw_centers, draw_rings, project_scene
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import Shading
from viewer.viewport.tints import SELECTED_COLOR

CENTERS, RINGS = (Look(overlays=frozenset({mark})) for mark in (Overlay.CENTERS, Overlay.RINGS))


@pytest.fixture
def request_() -> FrameRequest:
    return scored_request()


def spread_scene(count: int = 5) -> GaussianScene:
    """A few Gaussians, far apart, of different shapes; the last lies behind the first."""
    generator = torch.Generator().manual_seed(3)
    means = torch.tensor([[-0.8, -0.5, 0], [0.9, -0.4, 0.3], [0.1, 0.1, -0.2], [-0.7, 0.6, 0.1]])
    means = torch.cat([means, means[:1] * 4 / 3 + torch.tensor([0, 0, 1.0])])
    return GaussianScene(
        means=means[:count],
        log_scales=torch.tensor([-1.6, -2.6, -2.2])
        + 0.3 * torch.randn(count, 3, generator=generator),
        quats=torch.randn(count, 4, generator=generator),
        opacity_logits=torch.full((count,), 2.0),
        sh=torch.randn(count, 1, 3, generator=generator),
    )


def projected_ellipse(scene: GaussianScene, camera: Camera, i: int) -> tuple[np.ndarray, ...]:
    """Mean and covariance on the screen in float64, from the textbook."""
    w, x, y, z = (scene.quats[i] / scene.quats[i].norm()).double().tolist()
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    M = R @ np.diag(np.exp(scene.log_scales[i].double().numpy()))
    W = camera.world_to_camera[:3, :3]
    p = W @ scene.means[i].double().numpy() + camera.world_to_camera[:3, 3]
    f = camera.K[0, 0]
    J = np.array([[f / p[2], 0, -f * p[0] / p[2] ** 2], [0, f / p[2], -f * p[1] / p[2] ** 2]])
    T = J @ W @ M
    return (camera.K @ p / p[2])[:2], T @ T.T + 0.3 * np.eye(2)


def layer_for(camera: Camera) -> np.ndarray:
    return np.zeros((camera.height, camera.width, 4), np.float32)


def test_a_dot_stands_at_every_projected_centre() -> None:
    scene, camera = spread_scene(), front_camera(400, 300)
    keep = torch.tensor([True, True, True, False, True])
    projected = project_scene(scene, camera, keep, None, Workspace())
    layer, selected = layer_for(camera), np.zeros(5, bool)
    selected[2] = True
    draw_centers(layer, projected, selected, SELECTED_COLOR)
    found = layer[..., 3] > 0.3
    for i in range(5):
        (u, v), _ = projected_ellipse(scene, camera, i)
        y, x = np.nonzero(found)
        close = np.hypot(x + 0.5 - u, y + 0.5 - v) < 4
        if not keep[i]:
            assert not close.any()
            continue
        weight = layer[y[close], x[close], 3]
        assert np.average(x[close] + 0.5, weights=weight) == pytest.approx(u, abs=0.1)
        assert np.average(y[close] + 0.5, weights=weight) == pytest.approx(v, abs=0.1)
        assert 3 <= close.sum() <= 12
    (u, v), _ = projected_ellipse(scene, camera, 2)
    dot = layer[int(v), int(u)]
    assert dot[:3] / dot[3] == pytest.approx(SELECTED_COLOR, abs=0.02)
    (u, v), _ = projected_ellipse(scene, camera, 0)
    near = (scene.sh[0, 0] * 0.28209479 + 0.5).clamp_min(0).numpy()
    dot = layer[int(v), int(u)]
    assert dot[:3] == pytest.approx(near * 0.95, abs=0.06)


def test_rings_have_the_size_of_the_projected_covariance() -> None:
    scene, camera = spread_scene(4), front_camera(400, 300)
    for i in range(4):
        keep = torch.zeros(4, dtype=torch.bool)
        keep[i] = True
        projected = project_scene(scene, camera, keep, None, Workspace())
        layer = layer_for(camera)
        assert draw_rings(layer, projected, np.zeros(4, bool), SELECTED_COLOR) == 1
        mean, covariance = projected_ellipse(scene, camera, i)
        y, x = np.nonzero(layer[..., 3] > 0.1)
        offset = np.stack([x + 0.5, y + 0.5], 1) - mean
        whitened = offset @ np.linalg.inv(np.linalg.cholesky(covariance)).T
        radius = np.linalg.norm(whitened, axis=1)
        slope = np.linalg.norm(offset @ np.linalg.inv(covariance), axis=1) / radius
        assert (np.abs(radius - RING_SIGMAS) / slope).max() < 1.2
        turns = np.arctan2(whitened[:, 1], whitened[:, 0])
        assert np.diff(np.sort(turns)).max() < 0.5


def test_the_rings_of_a_crowd_are_the_largest() -> None:
    scene, camera = blob_scene(400), front_camera(400, 300)
    keep = torch.ones(400, dtype=torch.bool)
    projected = project_scene(scene, camera, keep, None, Workspace())
    few, few_kept = layer_for(camera), layer_for(camera)
    assert draw_rings(few, projected, np.zeros(400, bool), SELECTED_COLOR, limit=30) == 30
    extent = np.maximum(projected.records[:, 9], projected.records[:, 11])
    extent[np.setdiff1d(np.arange(400), projected.order)] = 0
    largest = torch.zeros(400, dtype=torch.bool)
    largest[torch.from_numpy(np.argsort(extent)[-30:].copy())] = True
    projected = project_scene(scene, camera, largest, None, Workspace())
    draw_rings(few_kept, projected, np.zeros(400, bool), SELECTED_COLOR)
    assert np.array_equal(few, few_kept)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("look", [CENTERS, RINGS], ids=["centers", "rings"])
def test_marks_lie_over_every_mode_in_its_colours(
    request_: FrameRequest, look: Look, mode: Mode
) -> None:
    plain = shown(replace(request_, look=Look(mode=mode))).float()
    marked = shown(replace(request_, look=replace(look, mode=mode))).float()
    assert (marked - plain * 0.4).abs().amax(-1).min() <= 1
    assert ((marked - plain * 0.4).abs().amax(-1) > 40).float().mean() > 0.02
    off = replace(look, mode=mode, overlays_shown=False)
    assert torch.equal(shown(replace(request_, look=off)).float(), plain)


def test_a_note_says_how_many_rings_there_are(
    request_: FrameRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(request_, look=RINGS)
    assert Shading().picture(request).notes == ()
    monkeypatch.setattr(shading, "SHARP_RINGS", 50)
    note = Shading().picture(request).notes[0]
    assert note.startswith("Rings of the largest 50 of ")
