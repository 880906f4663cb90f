"""Small frames for tests of what the viewport's pictures show."""

from dataclasses import replace

import torch
from torch import Tensor

from core.cameras import Camera, intrinsics, look_at
from core.scene import GaussianScene
from core.scoring import SINGULAR, UNSEEN, Worth
from tests.blobs import blob_scene
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import Shading

COUNT = 600
WIDTH, HEIGHT = 120, 80


def front_camera(width: int = WIDTH, height: int = HEIGHT, fov: float = 45) -> Camera:
    """A camera that looks along z at the origin, 3 away."""
    transform = look_at((0, 0, -3), (0, 0, 0), (0, -1, 0))
    return Camera(transform, intrinsics(fov, width, height), width, height)


def request_for(scene: GaussianScene, camera: Camera | None = None) -> FrameRequest:
    """A scene as it was opened, in its own colours."""
    all_ = torch.ones(len(scene), dtype=torch.bool)
    return FrameRequest(scene, all_, all_, ~all_, camera or front_camera())


def scored_request() -> FrameRequest:
    """A ball of Gaussians with scores over many decades; some unseen, some without a score."""
    values = (3 * torch.randn(COUNT, generator=torch.Generator().manual_seed(1)).double()).exp()
    classes = torch.full((COUNT,), 2, dtype=torch.uint8)
    classes[:20], classes[20:30] = UNSEEN, SINGULAR
    request = request_for(blob_scene(COUNT))
    return replace(request, worth=Worth("removal-error", values, classes))


def shown(request: FrameRequest) -> Tensor:
    """The picture of a request in levels of 255, int32 ``(H, W, 3)``."""
    return Shading().picture(request).pixels[..., :3].int()


def levels(rgb: Tensor) -> Tensor:
    """Colours in 0..1 in levels of 255."""
    return (rgb.clamp(0, 1) * 255).round().int()
