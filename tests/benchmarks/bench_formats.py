"""Every format there and back: sizes, errors by attribute and quality of pictures.

``python -m tests.benchmarks.bench_formats [SCENE ...] [--json FILE]`` stores each scene (the demo
scene by default) in each format that can be saved, opens the file again and compares Gaussian by
Gaussian, whatever order the format has, and in pictures of the scene from eight sides.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from core.formats import FORMATS, Format, load_scene, save_scene, scene_bytes
from core.formats.sog_encoding import morton_order_of
from core.formats.splat import importance_order
from core.jobs import drain
from core.metrics import References, evaluate
from core.metrics.references import find_references
from core.morton import morton_order
from core.neuralgs.attributes import tamed
from core.scene import GaussianScene
from core.trials import attribute_errors

VIEWS = 8
CENTRAL = 0.98
"""Share of the Gaussians whose diagonal is a scene's extent: a few are often far out."""
CLEAR_GAP = 0.1
"""Difference of log-scales from which an axis has a direction that can be measured."""
TITLES = {
    "bytes_each": "B each",
    "of_ply": "of PLY",
    "psnr": "PSNR",
    "position": "position",
    "scale": "ln scale",
    "rotation": "degrees",
    "opacity": "opacity",
    "color": "colour",
    "sh": "SH",
}


def in_order(scene: GaussianScene) -> Tensor:
    """Where the order is kept."""
    return torch.arange(len(scene))


def by_place(scene: GaussianScene) -> Tensor:
    """Morton order."""
    return torch.from_numpy(morton_order(scene.means.numpy()))


def by_logarithms(scene: GaussianScene) -> Tensor:
    """Morton order of the logarithms of positions."""
    return torch.from_numpy(morton_order_of(scene))


ORDERS: dict[str, Callable[[GaussianScene], Tensor]] = {
    "compressed-ply": by_place,
    "sog": by_logarithms,
    "sog-folder": by_logarithms,
    "splat": importance_order,
}


def with_degree(scene: GaussianScene, degree: int) -> GaussianScene:
    """The scene with further colours of zero up to a degree."""
    missing = (degree + 1) ** 2 - scene.sh.shape[1]
    zeros = scene.sh.new_zeros(len(scene), max(0, missing), 3)
    return replace(scene, sh=torch.cat([scene.sh, zeros], 1))


def errors(before: GaussianScene, after: GaussianScene) -> dict[str, float]:
    """Root of the mean square by attribute; positions by the scene's extent."""
    before, after = tamed(before), tamed(with_degree(after, before.sh_degree))
    found = attribute_errors(before, after)
    tails = torch.tensor([(1 - CENTRAL) / 2, (1 + CENTRAL) / 2])
    ends = before.means[:: max(1, len(before) // 100_000)].quantile(tails, dim=0)
    found["position"] /= max(float((ends[1] - ends[0]).norm()), 1e-30)
    gaps = before.log_scales.sort(1).values.diff(dim=1).amin(1)
    clear = gaps > CLEAR_GAP
    found["rotation"] = attribute_errors(before.select(clear), after.select(clear))["rotation"]
    return found


def round_trip(known: Format, scene: GaussianScene, references: References) -> dict[str, float]:
    """Store a scene in a format, open it, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        ending = known.suffixes[0] if known.suffixes else f".{known.name}"
        path = Path(folder) / (f"scene{ending}" if ending.startswith(".") else ending)
        started = time.perf_counter()
        save_scene(scene, path, known.name)
        written = time.perf_counter()
        after = load_scene(path).scene
        opened = time.perf_counter()
        size = scene_bytes(path)
    psnr = drain(evaluate(after, references, frames=False)).psnr
    assert len(after) == len(scene)
    order = ORDERS.get(known.name, in_order)(scene)
    return {
        "bytes": size,
        "bytes_each": size / len(scene),
        "of_ply": size / scene.ply_bytes,
        "psnr": psnr,
        **errors(scene.select(order), after),
        "write_s": written - started,
        "open_s": opened - written,
    }


def cell(value: float) -> str:
    """A number, three digits long."""
    return "exact" if math.isinf(value) else "0" if not value else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("scenes", nargs="*", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    demo = Path(str(files("resources") / "demo" / "demo.ply"))
    table: dict[str, dict[str, dict[str, float | None]]] = {}
    for path in given.scenes or [demo]:
        loaded = load_scene(path)
        scene, rows = loaded.scene, {}
        references = drain(find_references((), scene, VIEWS))
        print(f"\n{path.name}, {loaded.format}: {len(scene):,} Gaussians, SH {scene.sh_degree}")
        print(f"{'':15}" + "".join(f"{title:>10}" for title in TITLES.values()), flush=True)
        for known in FORMATS:
            if known.is_saved:
                row = round_trip(known, scene, references)
                rows[known.name] = {
                    name: value if math.isfinite(value) else None for name, value in row.items()
                }
                cells = "".join(f"{cell(row[name]):>10}" for name in TITLES)
                print(f"{known.name:15}{cells}", flush=True)
        table[str(path)] = rows
        if given.json is not None:
            given.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
