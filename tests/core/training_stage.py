"""A small scene with photos of it, and ways to look at what fitting does to one."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from core.cameras import Camera, View, intrinsics, look_at
from core.images import save_image
from core.metrics import psnr
from core.rendering import render
from core.scene import GaussianScene
from tests.blobs import blob_scene

SIZE = (48, 40)


def cameras_around(count: int, turn: float = 0.0, size: tuple[int, int] = SIZE) -> list[Camera]:
    """Cameras on a circle around the origin, slightly above."""
    angles = [turn + 2 * math.pi * i / count for i in range(count)]
    return [
        Camera(
            look_at((3 * math.cos(a), -0.6, 3 * math.sin(a)), (0, 0, 0), (0, -1, 0)),
            intrinsics(45, *size),
            *size,
            f"view_{i:02d}",
        )
        for i, a in enumerate(angles)
    ]


def wanted_scene(count: int = 300, sh_degree: int = 1) -> GaussianScene:
    """What the photos show: larger and more solid Gaussians than ``blob_scene``."""
    scene = blob_scene(count, sh_degree)
    return replace(scene, log_scales=scene.log_scales + 0.8)


def disturbed(scene: GaussianScene, seed: int = 1) -> GaussianScene:
    """The scene with wrong colours and opacities."""
    generator = torch.Generator().manual_seed(seed)
    sh = scene.sh + 0.4 * torch.randn(scene.sh.shape, generator=generator)
    return replace(scene, sh=sh, opacity_logits=scene.opacity_logits - 1)


def photographed(scene: GaussianScene, cameras: Sequence[Camera], folder: Path) -> list[View]:
    """Views of a scene with photos in ``folder``."""
    views = []
    for camera in cameras:
        photo = folder / f"{camera.name}.png"
        save_image(render(scene, camera).rgb, photo)
        views.append(View(camera, photo))
    return views


def likeness(scene: GaussianScene, wanted: GaussianScene, cameras: Sequence[Camera]) -> float:
    """Mean PSNR of two scenes' pictures in dB."""
    return float(np.mean([psnr(render(scene, c).rgb, render(wanted, c).rgb) for c in cameras]))


def same_bits(a: GaussianScene, b: GaussianScene) -> bool:
    """Whether all tensors are equal, bit by bit."""
    others = b.tensors()
    return all(torch.equal(tensor, others[name]) for name, tensor in a.tensors().items())
