"""Make the demo scene: photos of a modelled still life, then a scene trained from them.

``demo_shapes.py`` models the still life, ``demo_materials.py`` paints it, ``demo_light.py`` lights
it and ``demo_photos.py`` takes the photos; Splatscope's own trainer does the rest.

Usage: ``python resources/make_demo.py [--out DIR] [--only photos|scene]``
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from core.cameras import View  # noqa: E402
from core.datasets import Dataset, load_dataset, load_photo  # noqa: E402
from core.datasets.dataset import PointCloud  # noqa: E402
from core.formats import save_scene  # noqa: E402
from core.jobs import Steps  # noqa: E402
from core.metrics import psnr, ssim  # noqa: E402
from core.rendering import render  # noqa: E402
from core.scene import GaussianScene  # noqa: E402
from core.training import (  # noqa: E402
    RANDOM,
    Growth,
    LearningRates,
    PhotoTargets,
    RefineSettings,
    TrainSettings,
    refine,
    train,
)
from resources.demo_light import make_studio  # noqa: E402
from resources.demo_photos import (  # noqa: E402
    photo_cameras,
    save_photo,
    save_points,
    surface_points,
    take_photo,
    transforms_json,
)

SH_DEGREE = 2
MAX_COUNT = 31_500
GROWING = TrainSettings(
    steps=3000,
    sh_degree=SH_DEGREE,
    max_count=MAX_COUNT,
    background=(0.5, 0.5, 0.5),
    scale=0.5,
    growth=Growth(gradient=1e-4),
)
SHARPENING = RefineSettings(
    steps=4000,
    rates=LearningRates(
        means=6e-5,
        means_end=1.6e-6,
        log_scales=5e-3,
        quats=2e-3,
        opacity_logits=3e-2,
        sh_base=2.5e-3,
        sh_rest=2.5e-4,
        end=0.1,
    ),
)
FAINT = 0.005


def make_photos(out: Path) -> None:
    """Write photos, cameras and sparse points."""
    cameras = photo_cameras()
    studio = make_studio()
    (out / "images").mkdir(parents=True, exist_ok=True)
    for number, camera in enumerate(cameras, 1):
        save_photo(take_photo(camera, studio), out / "images" / f"{camera.name}.webp")
        show(f"photo {number} of {len(cameras)}")
    save_points(*surface_points(cameras, studio), out / "points3D.ply")
    (out / "transforms.json").write_text(transforms_json(cameras))


def make_scene(photos: Dataset) -> GaussianScene:
    """Train at half the photos' size until all Gaussians are there, then sharpen at full size."""
    points = None if photos.points is None else PointCloud(photos.points, photos.point_colors)
    scene = watched(train(photos.train, points, GROWING))
    scene = watched(refine(scene, PhotoTargets(photos.train, RANDOM), SHARPENING))
    return scene.select(scene.opacities() > FAINT)


def watched(steps: Steps[GaussianScene]) -> GaussianScene:
    """The scene at the end, with the progress shown meanwhile."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            scene: GaussianScene = end.value
            return scene
        if progress.done % 50 == 0:
            loss, count = progress.values["loss"], progress.values["count"]
            show(f"{progress.message}: loss {loss:.4f}, {count:,.0f} Gaussians")


def quality(scene: GaussianScene, views: tuple[View, ...]) -> tuple[float, float]:
    """Mean PSNR in dB and SSIM to photos on black."""
    values = []
    for view in views:
        photo = torch.from_numpy(np.array(load_photo(view))).float() / 255
        drawn = render(scene, view.camera).rgb.clamp(0, 1)
        wanted = photo[..., :3] * photo[..., 3:]
        values.append((psnr(drawn, wanted), ssim(drawn, wanted)))
    decibels, similarity = np.mean(values, axis=0).tolist()
    return decibels, similarity


def show(text: str) -> None:
    """Replace the line in the terminal."""
    sys.stdout.write(f"\r{text:<70}")
    sys.stdout.flush()


def main() -> None:
    """Write the demo scene with its photos, cameras and sparse points."""
    parser = argparse.ArgumentParser(description="Make the demo scene and its photos.")
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "demo")
    parser.add_argument("--only", choices=("photos", "scene"))
    options = parser.parse_args()
    started = time.perf_counter()
    if options.only != "scene":
        make_photos(options.out)
        show(f"photos: {time.perf_counter() - started:.0f} s\n")
    if options.only != "photos":
        started = time.perf_counter()
        photos = load_dataset(options.out)
        scene = make_scene(photos)
        save_scene(scene, options.out / "demo.ply")
        decibels, similarity = quality(scene, photos.test)
        show(f"scene: {time.perf_counter() - started:.0f} s, {len(scene):,} Gaussians\n")
        show(f"held-out photos: {decibels:.2f} dB, SSIM {similarity:.4f}\n")


if __name__ == "__main__":
    main()
