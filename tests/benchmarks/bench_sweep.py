"""The sweep's kernels against the forward blend, a training step's kernels, and a dense Jacobian.

``python -m tests.benchmarks.bench_sweep [COUNT WIDTH HEIGHT]`` measures one thread's CPU time, the
kernels taking turns within one run, each row the best of the rounds; ratios are to the blend.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera
from core.jobs import drain
from core.rendering.cpu import common
from core.rendering.cpu.backward import frame_vjp
from core.rendering.cpu.blend import (
    BATCH,
    CHECK_EVERY,
    PLANE_2,
    alpha_blend,
    any_unfinished,
    make_scratch,
    stage,
    staged,
    tile_count,
    tile_origin,
)
from core.rendering.cpu.common import F32, I32, I64, TILE_PIXELS, F, U, kernel
from core.rendering.cpu.renderer import gaussians_of, rasterize
from core.scene import GaussianScene
from core.scoring import sweep
from tests.reference import gaussian_colors, render_reference
from tests.synthetic import orbit_camera, surface_scene

ROUNDS = 7


class TimedWorkers(common.Workers):
    """One thread that notes the CPU time of each kernel, in ms."""

    def __init__(self) -> None:
        super().__init__(1)
        self.times_ms: dict[str, list[float]] = defaultdict(list)

    def tiles(self, function: Callable[..., Any], *args: Any) -> None:
        self._timed(function, super().tiles, function, *args)

    def ranges(self, n: int, function: Callable[..., Any], *args: Any) -> list[Any]:
        return self._timed(function, super().ranges, n, function, *args)

    def _timed(self, function: Callable[..., Any], run: Callable[..., Any], *args: Any) -> Any:
        start = time.process_time()
        result = run(*args)
        self.times_ms[function.__name__].append(1e3 * (time.process_time() - start))
        return result


@kernel
def evaluated_pairs(
    records: F32, offsets: I64, ids: I32, width: int, height: int
) -> tuple[int, int]:
    """(Gaussian, pixel) pairs that a blend evaluates, and those of them that count."""
    pixels, batch, spans = make_scratch(1)
    evaluated = useful = 0
    for tile in range(tile_count(width, height)):
        x0, y0 = tile_origin(tile, width)
        pixels[2 * TILE_PIXELS :] = F(1)
        k = offsets[tile]
        end = offsets[tile + 1]
        while k < end:
            count = min(BATCH, end - k)
            stage(records, ids, k, count, x0, y0, batch, spans)
            for j in range(count):
                mean_x, mean_y, k11, k21, k22, log2_opacity, _, _, _ = staged(batch, j)
                evaluated += spans[BATCH + j] - spans[j]
                for p in range(U(spans[j]), U(spans[BATCH + j])):
                    dx = mean_x - pixels[p]
                    dy = mean_y - pixels[p + U(TILE_PIXELS)]
                    p1 = k11 * dx + k21 * dy
                    p2 = k22 * dy
                    _, _, _, weight, after = alpha_blend(
                        log2_opacity - p1 * p1 - p2 * p2, pixels[p + PLANE_2]
                    )
                    pixels[p + PLANE_2] = after
                    useful += 1 if weight > F(0) else 0
                if j & (CHECK_EVERY - 1) == CHECK_EVERY - 1 and not any_unfinished(pixels):
                    k = end
                    break
            k += BATCH
    return evaluated, useful


def kernel_times_ms(
    scene: GaussianScene, camera: Camera, options: dict[str, dict[str, bool]]
) -> dict[str, dict[str, float]]:
    """Least CPU time of each kernel by kind of sweep, and of a forward and backward pass."""
    team = TimedWorkers()
    common._workers = team
    best: dict[str, dict[str, float]] = {name: {} for name in [*options, "training step"]}
    ones = np.ones((camera.height, camera.width, 3), np.float32)
    for _ in range(ROUNDS):
        for name in best:
            team.times_ms.clear()
            if name in options:
                drain(sweep(scene, [camera], **options[name]))
            else:
                frame_vjp(rasterize(gaussians_of(scene), camera), ones, ones[:, :, 0] * 0, None)
            for function, times in team.times_ms.items():
                best[name][function] = min(best[name].get(function, np.inf), sum(times))
    common.set_num_threads(1)
    return best


def dense_jacobian(scene: GaussianScene, camera: Camera) -> Tensor:
    """The Fisher blocks from the Jacobian of the plain torch renderer ``(N, 6, 6)``."""
    tensors = {name: tensor.double() for name, tensor in scene.tensors().items()}
    colors = gaussian_colors(tensors, camera, None, None)

    def picture(means: Tensor, log_scales: Tensor) -> Tensor:
        moved = tensors | {"means": means, "log_scales": log_scales}
        return render_reference(moved, camera, colors=colors)[0].reshape(-1)

    parts = torch.func.jacfwd(picture, argnums=(0, 1))(tensors["means"], tensors["log_scales"])
    g = torch.cat(parts, -1)
    return torch.einsum("pna,pnb->nab", g, g)


def cpu_s(run: Callable[[], object], rounds: int) -> float:
    """Least CPU time in seconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    count, width, height = (int(a) for a in (sys.argv[1:4] or (100_000, 640, 360)))
    torch.set_num_threads(1)
    scene, camera = surface_scene(count), orbit_camera(width, height)
    options = {
        "columns": {"fisher": False},
        "columns + Fisher": {},
        "columns + Fisher + colour": {"color_term": True},
    }
    times = kernel_times_ms(scene, camera, options)
    blend = min(kind["blend"] for kind in times.values())
    frame = rasterize(gaussians_of(scene), camera)
    evaluated, useful = evaluated_pairs(frame.records, frame.offsets, frame.ids, width, height)
    print(f"{count:,} Gaussians, {width}x{height}, {len(frame.ids):,} (Gaussian, tile) pairs")
    print(f"{evaluated:,} evaluated (Gaussian, pixel) pairs, {useful / evaluated:.0%} count")
    print(f"{'':28}{'kernel':24}{'ms':>8}{'/ blend':>9}{'G pairs/s':>11}")
    for name, kernels in times.items():
        for function, ms in kernels.items():
            per_pixel = function in ("blend", "contribution_rows", "cross_rows", "blend_vjp")
            rate = f"{evaluated / ms / 1e6:11.2f}" if per_pixel else ""
            print(f"{name:28}{function:24}{ms:8.2f}{ms / blend:9.2f}{rate}")
        total = sum(kernels.values())
        print(f"{name:28}{'all':24}{total:8.2f}{total / blend:9.2f}")

    small, view = surface_scene(40, sh_degree=1), orbit_camera(36, 24)
    dense_s = cpu_s(lambda: dense_jacobian(small, view), 2)
    sweep_s = cpu_s(lambda: drain(sweep(small, [view])), 20)
    print(f"40 Gaussians, 36x24: dense Jacobian in torch {1e3 * dense_s:.0f} ms, sweep ", end="")
    print(f"{1e3 * sweep_s:.2f} ms: {dense_s / sweep_s:.0f} times as fast")


if __name__ == "__main__":
    main()
