"""The CPU renderer against what else could draw on a CPU, in one run, as ratios of CPU time.

``python tests/benchmarks/bench_render.py`` times one thread: minimum CPU time over the rounds, ours
and the peers in turns. Peers: torch, dense per tile, on our own tile lists, in float32, with
autograd for the gradients; numba, one scalar loop over the Gaussians per pixel, on our tile lists;
torch's matrix product as the measure of what the core can do. "wanted" are the figures to hold on a
core with AVX-512, and with AVX2.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera
from core.rendering.cpu import backward, blend, common, renderer
from core.rendering.cpu.backward import frame_vjp
from core.rendering.cpu.common import F32, I32, I64, kernel
from core.rendering.cpu.renderer import Frame, gaussians_of, rasterize
from core.scene import GaussianScene
from tests import reference
from tests.synthetic import orbit_camera, surface_scene

ROUNDS = 7
FLOP_PER_PAIR = 35
GEMM_SIZE = 2048


@kernel
def naive_blend(records: F32, offsets: I64, ids: I32, image: F32, transmittance: F32) -> None:
    """Each pixel goes through its tile's list by itself."""
    height, width = transmittance.shape
    columns = (width + 15) // 16
    for y in range(height):
        for x in range(width):
            tile = (y // 16) * columns + x // 16
            rest = np.float32(1)
            r = np.float32(0)
            g = np.float32(0)
            b = np.float32(0)
            for n in range(offsets[tile], offsets[tile + 1]):
                k = ids[n]
                dx = records[k, 0] - np.float32(x) - np.float32(0.5)
                dy = records[k, 1] - np.float32(y) - np.float32(0.5)
                p1 = records[k, 2] * dx + records[k, 3] * dy
                p2 = records[k, 4] * dy
                alpha = min(
                    np.float32(0.999), math.exp(common.LN2 * (records[k, 5] - p1 * p1 - p2 * p2))
                )
                if alpha < np.float32(1 / 255):
                    continue
                after = rest * (np.float32(1) - alpha)
                if after <= np.float32(1e-4):
                    break
                weight = rest * alpha
                r += weight * records[k, 6]
                g += weight * records[k, 7]
                b += weight * records[k, 8]
                rest = after
            image[y, x, 0] = r
            image[y, x, 1] = g
            image[y, x, 2] = b
            transmittance[y, x] = rest


@kernel
def count_evaluations(
    records: F32, offsets: I64, ids: I32, width: int, height: int
) -> tuple[int, int]:
    """(Gaussian, pixel) pairs that our loop evaluates, and those that add to the picture."""
    pixels, batch, spans = blend.make_scratch(1)
    evaluated = 0
    useful = 0
    for tile in range(blend.tile_count(width, height)):
        x0, y0 = blend.tile_origin(tile, width)
        pixels[2 * common.TILE_PIXELS :] = np.float32(1)
        k = offsets[tile]
        end = offsets[tile + 1]
        while k < end:
            count = min(blend.BATCH, end - k)
            blend.stage(records, ids, k, count, x0, y0, batch, spans)
            for j in range(count):
                mean_x, mean_y, k11, k21, k22, log2_opacity, _, _, _ = blend.staged(batch, j)
                for p in range(spans[j], spans[blend.BATCH + j]):
                    dx = mean_x - pixels[p]
                    dy = mean_y - pixels[p + common.TILE_PIXELS]
                    p1 = k11 * dx + k21 * dy
                    p2 = k22 * dy
                    _, _, _, weight, after = blend.alpha_blend(
                        log2_opacity - p1 * p1 - p2 * p2, pixels[p + 2 * common.TILE_PIXELS]
                    )
                    pixels[p + 2 * common.TILE_PIXELS] = after
                    evaluated += 1
                    useful += 1 if weight > 0 else 0
                if j & (blend.CHECK_EVERY - 1) == blend.CHECK_EVERY - 1 and not (
                    blend.any_unfinished(pixels)
                ):
                    k = end
                    break
            k += blend.BATCH
    return evaluated, useful


def draw_dense(tensors: dict[str, Tensor], camera: Camera, frame: Frame) -> list[Tensor]:
    """The picture's tiles ``(pixels, 3)`` by torch: every Gaussian of a tile at every pixel."""
    means2d, inverse, _, opacities = reference.project(tensors, camera, False)
    colors = reference.gaussian_colors(tensors, camera, None, None)
    listed = torch.from_numpy(frame.order).long()[torch.from_numpy(frame.ids).long()]
    lengths = np.diff(frame.offsets).tolist()
    of_tile = [values[listed].split(lengths) for values in (means2d, inverse, opacities, colors)]
    tiles = []
    for tile, (mean, conic, opacity, color) in enumerate(zip(*of_tile, strict=True)):
        left, top = blend.tile_origin(tile, camera.width)
        y, x = torch.meshgrid(
            torch.arange(top, min(top + 16, camera.height)) + 0.5,
            torch.arange(left, min(left + 16, camera.width)) + 0.5,
            indexing="ij",
        )
        pixels = torch.stack([x, y], -1).reshape(-1, 2)
        weights, _ = reference.pixel_weights(pixels, mean, conic, opacity, 0.999)
        tiles.append(weights @ color)
    return tiles


def largest_difference(tiles: list[Tensor], frame: Frame) -> float:
    """Between a picture in tiles and ours."""
    image = torch.from_numpy(frame.image)
    differences = []
    for tile, pixels in enumerate(tiles):
        left, top = blend.tile_origin(tile, frame.width)
        ours = image[top : top + 16, left : left + 16].reshape(-1, 3)
        differences.append(float((pixels.detach() - ours).abs().max()))
    return max(differences)


def cpu_ms(tasks: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Least CPU time of each task in milliseconds, the tasks taking turns."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            times[name].append((time.process_time() - start) * 1e3)
    return {name: min(values) for name, values in times.items()}


def stage_ms(run: Callable[[], object]) -> dict[str, float]:
    """Least CPU time of each kernel within ``run``, in milliseconds."""
    places = {
        renderer: ("project", "depth_order", "count_pairs", "fill_lists", "blend"),
        backward: ("blend_vjp", "segment_sum", "project_vjp"),
    }
    times: dict[str, list[float]] = {}
    originals = {(m, name): getattr(m, name) for m, names in places.items() for name in names}

    def timed(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            start = time.process_time()
            result = function(*args)
            times.setdefault(name, []).append((time.process_time() - start) * 1e3)
            return result

        return call

    for (module, name), function in originals.items():
        setattr(module, name, timed(name, function))
    for _ in range(ROUNDS):
        run()
    for (module, name), function in originals.items():
        setattr(module, name, function)
    return {name: min(values) for name, values in times.items()}


def row(name: str, value: str, wanted: str = "") -> None:
    print(f"  {name:<58} {value:>14}   {wanted}")


def measure(title: str, count: int, width: int, height: int) -> tuple[Frame, dict[str, float]]:
    """Print our own times for one scene."""
    scene, camera = surface_scene(count), orbit_camera(width, height)
    gaussians = gaussians_of(scene)
    frame = rasterize(gaussians, camera)
    rng = np.random.default_rng(0)
    v_image = rng.standard_normal((height, width, 3)).astype(np.float32)
    v_alpha = np.zeros((height, width), np.float32)
    frame_vjp(frame, v_image, v_alpha, None)
    total = cpu_ms(
        {
            "forward": lambda: rasterize(gaussians, camera),
            "backward": lambda: frame_vjp(frame, v_image, v_alpha, None),
        }
    )
    stages = stage_ms(lambda: frame_vjp(rasterize(gaussians, camera), v_image, v_alpha, None))
    evaluated, useful = count_evaluations(frame.records, frame.offsets, frame.ids, width, height)
    front = stages["project"] + stages["depth_order"]
    front += stages["count_pairs"] + stages["fill_lists"]

    print(f"\n{title}: {count:,} Gaussians, {width}x{height}, one thread")
    row("drawn Gaussians / (Gaussian, tile) pairs", f"{len(frame.order):,} / {len(frame.ids):,}")
    for name, value in stages.items():
        row(name, f"{value:.1f} ms")
    row("forward", f"{total['forward']:.1f} ms")
    row("backward", f"{total['backward']:.1f} ms")
    row("forward pairs/s", f"{evaluated / stages['blend'] / 1e6:.2f} G", ">= 1.8 (4 GHz AVX-512)")
    row("backward pairs/s", f"{evaluated / stages['blend_vjp'] / 1e6:.2f} G", ">= 0.9")
    row("useful / evaluated pairs", f"{useful / evaluated:.2f}", ">= 0.40")
    row("blend backward / forward", f"{stages['blend_vjp'] / stages['blend']:.2f}", "<= 2.4")
    row("(project + sort + lists) / forward", f"{front / (front + stages['blend']):.2f}", "<= 0.62")
    work = sum(array.nbytes for array in frame.workspace._arrays.values())
    row("work memory, gradients included", f"{work / count:.0f} B/Gaussian", "<= 320")
    return frame, {**total, **stages, "evaluated": evaluated}


def against_peers(scene: GaussianScene, frame: Frame, ours: dict[str, float]) -> None:
    """Print ratios of the peers' times to ours, on the first scene."""
    camera = orbit_camera(frame.width, frame.height)
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in scene.tensors().items()}
    difference = largest_difference(draw_dense(leaves, camera, frame), frame)
    image, transmittance = np.empty_like(frame.image), np.empty_like(frame.transmittance)
    lists = (frame.records, frame.offsets, frame.ids)
    a = torch.rand(GEMM_SIZE, GEMM_SIZE)
    naive_blend(*lists, image, transmittance)

    def forward() -> None:
        with torch.no_grad():
            draw_dense(leaves, camera, frame)

    def both() -> None:
        total = torch.cat(draw_dense(leaves, camera, frame)).sum()
        torch.autograd.grad(total, list(leaves.values()))

    dense = cpu_ms({"forward": forward, "both": both}, rounds=2)
    quick = cpu_ms(
        {"naive": lambda: naive_blend(*lists, image, transmittance), "gemm": lambda: a @ a}
    )
    gemm = 2 * GEMM_SIZE**3 / quick["gemm"] / 1e6
    rate = FLOP_PER_PAIR * ours["evaluated"] / ours["blend"] / 1e6

    print("\nAgainst peers, the first scene, one thread: how many times faster ours is")
    row("largest difference to dense torch", f"{difference:.4f}")
    row("forward, dense torch per tile", f"{dense['forward'] / ours['forward']:.0f}", ">= 65 / 45")
    own = ours["forward"] + ours["backward"]
    row("forward + backward, the same", f"{dense['both'] / own:.0f}", ">= 50 / 35")
    row("blend, one numba loop per pixel", f"{quick['naive'] / ours['blend']:.1f}", ">= 15 / 8")
    row("35 FLOP x pairs/s over sgemm", f"{rate:.0f} / {gemm:.0f} GFLOP/s")
    row("", f"{rate / gemm:.2f}", ">= 0.6 / 0.35")


def threads(scene: GaussianScene, camera: Camera) -> None:
    """Print what more threads cost and bring."""
    gaussians = gaussians_of(scene)
    pictures, cpu, wall = [], [], []
    for count in (1, 2):
        common.set_num_threads(count)
        pictures.append(rasterize(gaussians, camera).image)
        start = time.perf_counter()
        cpu.append(cpu_ms({"": lambda: rasterize(gaussians, camera)})[""])
        wall.append((time.perf_counter() - start) / ROUNDS * 1e3)
    common.set_num_threads(1)
    print("\nTwo threads")
    row("CPU time, two threads / one", f"{cpu[1] / cpu[0]:.2f}", "<= 1.1")
    row("mean wall time, one / two", f"{wall[0]:.1f} / {wall[1]:.1f} ms")
    row("same bits", str(bool(np.array_equal(*pictures))), "True")


_COMPILE = """
import time
start = time.process_time()
from core.rendering import warm_up
warm_up()
print(time.process_time() - start)
from core.rendering import render
from tests.synthetic import orbit_camera, surface_scene
scene = surface_scene(50)
scene.means.requires_grad_()
result = render(scene, orbit_camera(32, 32))
result.rgb.sum().backward()
print(time.process_time() - start)
"""


def compilation() -> None:
    """Print CPU seconds to compile in a fresh process: empty cache, then a filled one."""
    print("\nCompilation, CPU seconds with imports")
    with tempfile.TemporaryDirectory() as folder:
        for state, wanted in (("cold", "<= 7 / 15"), ("cached", "<= 0.6 and torch's import")):
            output = subprocess.run(
                [sys.executable, "-c", _COMPILE],
                env={**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(Path.cwd())},
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            row(
                f"{state}: first frame / first gradient",
                " / ".join(f"{float(seconds):.1f}" for seconds in output),
                wanted,
            )


def main() -> None:
    torch.set_num_threads(1)
    common.set_num_threads(1)
    frame, ours = measure("A", 100_000, 640, 360)
    measure("B", 500_000, 1280, 720)
    against_peers(surface_scene(100_000), frame, ours)
    threads(surface_scene(500_000), orbit_camera(1280, 720))
    compilation()


if __name__ == "__main__":
    main()
