"""Splats by OpenGL against the CPU rasterizer, side by side in one run.

``python tests/benchmarks/bench_splats.py [COUNT ...]`` draws synthetic scenes at 1280x720, all
Gaussians of them, by the OpenGL that EGL gives and by render() on all cores, in turns; the ratio is
of the best wall times. Then what the worker takes to order and colour a view, and what is drawn
while something moves: the part that is affordable in a frame's time, once that is learnt.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import moderngl
import numpy as np
import torch

from core.cameras import Camera
from core.rendering import render
from core.rendering.cpu.common import workers
from core.rendering.cpu.renderer import Workspace
from core.scene import GaussianScene
from tests.synthetic import orbit_camera, surface_scene
from viewer.viewport.marks import project_scene
from viewer.viewport.splats import SplatPass
from viewer.viewport.splats_engine import Throughput
from viewer.viewport.splats_order import SplatBatch, SplatList, SplatOrder
from viewer.viewport.tints import BACKGROUND

COUNTS = (10_000, 100_000, 500_000)
WIDTH, HEIGHT = 1280, 720
ROUNDS = 5
MOVES = 12


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    function(*arguments)
    return (time.perf_counter() - started) * 1e3


def draw(
    splat_pass: SplatPass, splats: SplatList, camera: Camera, sharp: bool, upload: bool = False
) -> None:
    """One whole picture."""
    if upload:
        splats = SplatList(splats.instances, splats.cost)
    splat_pass.begin(camera, BACKGROUND, sharp=sharp)
    splat_pass.draw(splats, 0, len(splats))
    splat_pass.context.finish()
    splat_pass.finish()


def levels_apart(splat_pass: SplatPass, scene: GaussianScene, camera: Camera) -> tuple[float, int]:
    """Mean and largest difference of the last picture to render(), in levels of 255."""
    rgb = render(scene, camera, background=BACKGROUND).rgb
    expected = (rgb.clamp(0, 1) * 255).round().numpy()
    away = np.abs(splat_pass.read()[..., :3] - expected)
    return float(away.mean()), int(away.max())


def learn(splat_pass: SplatPass, order: Callable[[float, int], SplatBatch]) -> tuple[Any, ...]:
    """Move the camera until it is known what is affordable; the last pictures' facts."""
    throughput, times, batch = Throughput(), [], None
    for index in range(MOVES):
        batch = order(throughput.affordable_px, index)
        camera = batch.camera.scaled(batch.scale)
        ms = timed(draw, splat_pass, batch.coarse, camera, False, True)
        throughput.record(batch.coarse.cost[-1], ms)
        times.append(ms)
    assert batch is not None
    return float(np.median(times[MOVES // 2 :])), len(batch.coarse), len(batch.full), batch.scale


def run(splat_pass: SplatPass, count: int) -> None:
    """Time one scene and print its lines."""
    scene = surface_scene(count)
    camera = orbit_camera(WIDTH, HEIGHT)
    everything = torch.ones(count, dtype=torch.bool)
    ordering, workspace = SplatOrder(), Workspace()

    def order(affordable: float = float("inf"), index: int = 0) -> SplatBatch:
        moved = orbit_camera(WIDTH, HEIGHT, index, 720)
        return ordering.batch(scene, moved, keep=everything, colors=None, affordable=affordable)

    batch = order()
    uploads = 0
    started = time.perf_counter()
    while not splat_pass.upload(batch.data):
        uploads += 1
    splat_pass.context.finish()
    upload_ms = (time.perf_counter() - started) * 1e3
    best: dict[str, float] = {}
    calls: dict[str, Callable[[], Any]] = {
        "sharp": lambda: draw(splat_pass, batch.full, camera, True),
        "coarse": lambda: draw(splat_pass, batch.full, camera, False),
        "cpu": lambda: render(scene, camera, background=BACKGROUND),
        "order": order,
        "project": lambda: project_scene(scene, camera, everything, None, workspace),
    }
    for _ in range(ROUNDS):
        for name, call in calls.items():
            best[name] = min(best.get(name, float("inf")), timed(call))
    draw(splat_pass, batch.full, camera, True)
    mean, largest = levels_apart(splat_pass, scene, camera)
    sys.stdout.write(
        f"{count:>9,} {len(batch.full):>9,} {1e3 / best['sharp']:>8.1f} "
        f"{1e3 / best['coarse']:>8.1f} {1e3 / best['cpu']:>8.1f} "
        f"{best['cpu'] / best['sharp']:>8.2f} {best['cpu'] / best['coarse']:>8.2f} "
        f"{best['project']:>8.1f} {best['order']:>8.1f} {upload_ms:>6.1f} /{uploads + 1:<3}"
        f"{mean:>8.4f} {largest:>4}\n"
    )
    ms, drawn, seen, scale = learn(splat_pass, order)
    sys.stdout.write(
        f"{'moving:':>19} {drawn:,} of {seen:,} at {scale:.0%} of the size in {ms:.1f} ms\n"
    )


def main() -> None:
    """Print the table."""
    counts = [int(argument) for argument in sys.argv[1:]] or list(COUNTS)
    context = moderngl.create_context(standalone=True, backend="egl", require=330)
    sys.stdout.write(
        f"OpenGL: {context.info['GL_RENDERER']}; rasterizer: {workers().count} threads; "
        f"{WIDTH}x{HEIGHT}\n"
        "Frames per second of all Gaussians: OpenGL in float32 and float16, render(); their ratio\n"
        "to render(); ms to project, sort and colour, and for the whole order; upload of a scene\n"
        "in ms / parts; levels of 255 that the float32 picture is off, mean and largest.\n"
        f"{'Gaussians':>9} {'seen':>9} {'float32':>8} {'float16':>8} {'render':>8} {'f32/r':>8} "
        f"{'f16/r':>8} {'project':>8} {'order':>8} {'upload':>11} {'mean':>7} {'max':>4}\n"
    )
    splat_pass = SplatPass(context)
    for count in counts:
        run(splat_pass, count)
    splat_pass.release()


if __name__ == "__main__":
    main()
