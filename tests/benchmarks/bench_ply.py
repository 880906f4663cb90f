"""Loading and saving a PLY against moving the same bytes raw, and against plyfile.

``python tests/benchmarks/bench_ply.py [COUNT]`` times degree-3 scenes, each row the best of the
rounds, all taken in turns within one run; ratios are to the raw bytes. plyfile starts saving from
a table that is already in the file's order, save_scene from tensors.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from plyfile import PlyData

from core.formats import load_scene, save_scene
from core.scene import GaussianScene

ROUNDS = 3


def random_scene(count: int) -> GaussianScene:
    """A degree-3 scene of random, usable values."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    return GaussianScene(
        normal(count, 3),
        normal(count, 3) - 4,
        normal(count, 4),
        normal(count),
        normal(count, 16, 3),
    )


def stacked_by_plyfile(path: Path) -> NDArray[np.float32]:
    """What loaders built on plyfile do: one strided copy per property."""
    vertex = PlyData.read(path)["vertex"]
    return np.stack([vertex[prop.name] for prop in vertex.properties], axis=1)


def write_synced(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write and flush to the disk, as saving does."""
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def best_times_s(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Shortest time of each task in seconds, the tasks taking turns."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - started)
    return {name: min(values) for name, values in times.items()}


def main() -> None:
    """Print one table for loading and one for saving."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    scene = random_scene(count)
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder, "scene.ply"), Path(folder, "copy.ply")
        save_scene(scene, path)
        content = path.read_bytes()
        data = PlyData.read(path, mmap=False)
        print(f"{count:,} Gaussians of degree 3, {len(content) / 1e6:.0f} MB")
        tables = {
            "load": {
                "raw bytes": lambda: np.fromfile(path, np.uint8),
                "load_scene": lambda: load_scene(path),
                "plyfile": lambda: stacked_by_plyfile(path),
            },
            "save": {
                "raw bytes": lambda: write_synced(copy, lambda file: file.write(content)),
                "save_scene": lambda: save_scene(scene, path),
                "plyfile": lambda: write_synced(copy, data.write),
            },
        }
        for title, tasks in tables.items():
            times = best_times_s(tasks)
            for name, seconds in times.items():
                ratio = seconds / times["raw bytes"]
                print(f"{title}  {name:<11} {seconds * 1e3:8.0f} ms  {ratio:6.2f} x raw")


if __name__ == "__main__":
    main()
