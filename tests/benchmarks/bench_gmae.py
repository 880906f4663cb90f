"""Gaussian masked autoencoders: speed, and the paper's ablations at the size of a small machine.

``python -m tests.benchmarks.bench_gmae`` times, in one run: training and inference in images a
second, and splatting a batch against rendering the same Gaussians as scenes.

``python -m tests.benchmarks.bench_gmae IMAGES VAL`` trains one base and, at equal steps, models
that differ from it in one thing: the scale cap, the number of Gaussians, the loss, the masking
ratio. They are measured on VAL; both folders have classes as subfolders, for the linear probe.
Rows that ``--results`` holds already are not made again, so a run that was stopped goes on.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.gmae.config import OUTPUTS, Config, find_config
from core.gmae.evaluation import chosen_images, evaluate_model
from core.gmae.folder import ImageFolder
from core.gmae.gaussians import activate
from core.gmae.losses import Loss
from core.gmae.model import new_model
from core.gmae.probe import probe_model
from core.gmae.splatting import pictures, scene_camera, scene_of, splat
from core.gmae.training import Schedule, train_model
from core.jobs import drain
from core.rendering import render
from core.terminal import print_table
from tests.benchmarks.bench_render import row

BATCH = 32
ROUNDS = 5
PIXELS = Schedule().pixels
BASE = find_config("nano64")
ROWS: dict[str, tuple[Config, Loss]] = {
    "base (c 1, 192, masked, 0.75)": (BASE, Loss.MASKED),
    "c 0.5": (BASE.changed(scale_cap=0.5), Loss.MASKED),
    "c 2": (BASE.changed(scale_cap=2.0), Loss.MASKED),
    "64 Gaussians": (BASE.changed(per_query=1), Loss.MASKED),
    "128 Gaussians": (BASE.changed(per_query=2), Loss.MASKED),
    "256 Gaussians": (BASE.changed(per_query=4), Loss.MASKED),
    "loss of all pixels": (BASE, Loss.ALL),
    "loss of normalised patches": (BASE, Loss.NORMALISED),
    "masking 0.6": (BASE.changed(mask_ratio=0.6), Loss.MASKED),
    "masking 0.9": (BASE.changed(mask_ratio=0.9), Loss.MASKED),
}
COLUMNS = ("masked MSE", "+-", "PSNR", "+- dB", "probe", "+- share", "rho resid.", "seconds")


def least(work: Callable[[], object]) -> float:
    """The shortest of some rounds, seconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def speeds() -> None:
    """Print images a second, and splatting against rendering."""
    model = new_model(BASE).eval()
    images = torch.rand(BATCH, 3, BASE.size, BASE.size, generator=torch.Generator().manual_seed(0))
    print(f"\nnano64, batches of {BATCH}, {torch.get_num_threads()} threads")
    row("training, images a second", f"{BATCH / training_step():.0f}")
    with torch.no_grad():
        inference = least(lambda: model(images))
        made = model(images)
    row("images to Gaussians, images a second", f"{BATCH / inference:.0f}")
    camera = scene_camera(BASE.size)
    scenes = [scene_of(made, BASE.projection, BASE.size, index) for index in range(BATCH)]

    def rendered() -> list[torch.Tensor]:
        return [render(scene, camera, background=(1.0, 1.0, 1.0)).rgb for scene in scenes]

    rendered()
    splatted = least(lambda: pictures(made, BASE.projection, BASE.size))
    drawn = least(rendered)
    row("splatting them, ms an image", f"{1e3 * splatted / BATCH:.2f}")
    row(
        f"splatting and its gradients at {PIXELS} pixels, ms an image",
        f"{1e3 * sampled() / BATCH:.2f}",
    )
    row("rendering them as scenes, ms an image", f"{1e3 * drawn / BATCH:.2f}")
    apart = (pictures(made, BASE.projection, BASE.size) - torch.stack(rendered())).abs().max()
    row("largest difference of both", f"{float(apart):.5f}", "1/255 where one is cut off")


def sampled() -> float:
    """The shortest splatting of a training step with its gradients, seconds."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(BATCH, BASE.gaussians, OUTPUTS, generator=generator, requires_grad=True)
    pixels = torch.randint(BASE.size**2, (BATCH, PIXELS), generator=generator)

    def once() -> None:
        made = activate(outputs, BASE.scale_cap)
        splat(made, BASE.projection, BASE.size, pixels)[0].sum().backward()

    return least(once)


def training_step() -> float:
    """The shortest step of a training on generated images, reading them included; seconds."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for index in range(BATCH):
            noise = rng.integers(0, 256, (2 * BASE.size, 2 * BASE.size, 3), dtype=np.uint8)
            Image.fromarray(noise).save(Path(folder) / f"{index}.png")
        schedule = Schedule(steps=ROUNDS + 3, batch=BATCH)
        steps = train_model(new_model(BASE), ImageFolder(Path(folder), BASE.size), schedule)
        for _ in range(2):
            next(steps)
        return least(lambda: next(steps))


def ablations(train: Path, val: Path, steps: int, limit: int, results: Path) -> None:
    """Make the rows that are missing, one by one, and print all."""
    size = BASE.size
    images, held_out = ImageFolder(train, size), ImageFolder(val, size)
    identity = {"steps": steps, "limit": limit, "train": images.identity, "val": held_out.identity}
    for name, (config, loss) in ROWS.items():
        if name in finished(results, identity):
            continue
        print(f"{name} ...", flush=True)
        started = time.perf_counter()
        trained = drain(
            train_model(new_model(config), images, Schedule(steps=steps, batch=BATCH, loss=loss))
        )
        quality = drain(evaluate_model(trained.model, held_out, limit=limit))
        chosen = chosen_images(held_out, limit)
        probe = drain(probe_model(trained.model, held_out, chosen, train))
        values = asdict(quality) | {
            "loss": str(loss),
            "probe": asdict(probe),
            "seconds": round(time.perf_counter() - started, 1),
        }
        with results.open("a") as file:
            file.write(json.dumps({"row": name, **identity, "values": values}) + "\n")
    rows = finished(results, identity)
    print_table(COLUMNS, {name: cells(rows[name]) for name in ROWS})


def cells(values: dict[str, Any]) -> dict[str, float | None]:
    """A row; without pictures' errors where a model draws normalised patches."""
    errors = [*values["masked_mse"], *values["psnr"]]
    if values["loss"] == Loss.NORMALISED:
        errors = [None] * 4
    probe = values["probe"]
    residual = values["depth_scale"]["residual_screen"]["rho"]
    numbers = [*errors, probe["accuracy"], probe["error"], residual, values["seconds"]]
    return dict(zip(COLUMNS, numbers, strict=True))


def finished(results: Path, identity: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Rows that are there for the same steps and images."""
    if not results.exists():
        return {}
    lines = [json.loads(line) for line in results.read_text().splitlines() if line]
    same = [line for line in lines if all(line[key] == value for key, value in identity.items())]
    return {line["row"]: line["values"] for line in same}


def main() -> None:
    """Speeds without folders; the ablations with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("train", nargs="?", type=Path, help="folder to train on")
    parser.add_argument("val", nargs="?", type=Path, help="folder to measure on")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--limit", type=int, default=512, help="images to measure on")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--results", type=Path, default=Path("ablations.jsonl"))
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.val is None:
        speeds()
    else:
        ablations(options.train, options.val, options.steps, options.limit, options.results)


if __name__ == "__main__":
    main()
