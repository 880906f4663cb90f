"""From images to Gaussians in layers: gmae train, gmae evaluate, gmae report, layers."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import Json, Output
from core.errors import UserError
from core.terminal import report, run_steps

if TYPE_CHECKING:
    from core.gmae.model import GaussianAutoencoder

ImagesDir = Annotated[Path, typer.Argument(help="A folder of images.", show_default=False)]
ModelFile = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A model that gmae train made (.safetensors); else the one that comes along.",
    ),
]
MasksDir = Annotated[
    Path | None, typer.Option("--masks", help="A folder of masks, white where the figure is.")
]
EdgesDir = Annotated[
    Path | None,
    typer.Option("--edges", help="A folder of edges, white; else those of the masks are used."),
]
ProbeDir = Annotated[
    Path | None,
    typer.Option("--probe", help="A folder of other images in subfolders by class, to learn from."),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Measure on so many images, spread over all.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="What chance depends on.")]
SHEET_ROWS = 8

app = typer.Typer(
    help="Train and measure Gaussian masked autoencoders.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def train(
    images: ImagesDir,
    output: Output,
    config: Annotated[
        str, typer.Option("--config", help="nano64, tiny96, small128 or base224 (the paper's).")
    ] = "nano64",
    steps: Annotated[int, typer.Option("--steps", min=1, help="At most so many steps.")] = 10_000,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="End after so many minutes of work.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Images in a step.")] = 32,
    rate: Annotated[float, typer.Option("--rate", help="Largest learning rate.")] = 1.2e-3,
    loss: Annotated[str, typer.Option("--loss", help="masked, all or normalised.")] = "masked",
    scale_cap: Annotated[
        float | None, typer.Option("--scale-cap", help="Largest scale c of a Gaussian.")
    ] = None,
    mask_ratio: Annotated[
        float | None, typer.Option("--mask-ratio", help="Share of patches that are hidden.")
    ] = None,
    queries: Annotated[
        int | None, typer.Option("--queries", min=1, help="Learnable queries of an image.")
    ] = None,
    per_query: Annotated[
        int | None, typer.Option("--per-query", min=1, help="Gaussians from each query.")
    ] = None,
    projection: Annotated[
        str | None, typer.Option("--camera", help="authors, pinhole or ortho.")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option("--encoder", help="Start from a MAE vision transformer (.safetensors)."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Go on from this file, and write it.")
    ] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="Write a picture sheet of a few images.")
    ] = None,
    data_name: Annotated[
        str | None, typer.Option("--data-name", help="Note in the model what it was trained on.")
    ] = None,
    data_licence: Annotated[
        str | None, typer.Option("--data-licence", help="Note in the model the images' licence.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train a model on a folder of images."""
    from core.files import check_target
    from core.gmae.config import Projection, find_config
    from core.gmae.folder import ImageFolder
    from core.gmae.losses import Loss
    from core.gmae.model import new_model
    from core.gmae.training import Schedule, sample_sheet, train_model
    from core.gmae.weights import load_mae_encoder, save_model
    from core.images import check_image_suffix, save_image
    from core.rendering.device import preferred_device

    changes: dict[str, object] = {
        "scale_cap": scale_cap,
        "mask_ratio": mask_ratio,
        "queries": queries,
        "per_query": per_query,
    }
    if projection is not None:
        changes["projection"] = Projection(_one_of(projection, list(Projection), "camera"))
    chosen = find_config(config).changed(**{k: v for k, v in changes.items() if v is not None})
    schedule = Schedule(
        steps=steps,
        seconds=None if minutes is None else 60 * minutes,
        batch=batch,
        rate=rate,
        loss=Loss(_one_of(loss, list(Loss), "loss")),
        seed=seed,
    )
    check_target(output)
    if samples is not None:
        check_image_suffix(samples)
    folder = ImageFolder(images, chosen.size)
    model = new_model(chosen, seed)
    if encoder is not None:
        load_mae_encoder(model, encoder)
    trained = run_steps(train_model(model.to(preferred_device()), folder, schedule, checkpoint))
    named = {"data": data_name, "data_licence": data_licence}
    notes = {**trained.notes, **{name: text for name, text in named.items() if text is not None}}
    save_model(trained.model, output, notes)
    if samples is not None:
        save_image(sample_sheet(trained.samples), samples)
    report({"output": str(output), "config": config, **notes}, as_json)


@app.command()
def evaluate(
    images: ImagesDir,
    model: ModelFile = None,
    masks: MasksDir = None,
    edges: EdgesDir = None,
    probe: ProbeDir = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Write a picture sheet of a few images.")
    ] = None,
    limit: Limit = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure a model: errors, depth against size, figure, edges and classes, with controls."""
    from core.gmae.evaluation import chosen_images, evaluate_model
    from core.gmae.folder import ImageFolder
    from core.gmae.probe import probe_model
    from core.gmae.sheets import model_sheet
    from core.gmae.truths import Truths
    from core.images import check_image_suffix, save_image

    if sheet is not None:
        check_image_suffix(sheet)
    loaded = _loaded(model)
    folder = ImageFolder(images, loaded.config.size)
    figures = None if masks is None else Truths(masks)
    outlines = None if edges is None else Truths(edges)
    steps = evaluate_model(loaded, folder, figures, outlines, limit, seed)
    values = asdict(run_steps(steps))
    if probe is not None:
        chosen = chosen_images(folder, limit)
        values["probe"] = asdict(run_steps(probe_model(loaded, folder, chosen, probe)))
    if sheet is not None:
        few = chosen_images(folder, SHEET_ROWS)
        save_image(model_sheet(loaded, folder.squares(few), seed), sheet)
        values["sheet"] = str(sheet)
    report(values if as_json else _readable(values), as_json)


@app.command("report")
def report_on_models(
    models: Annotated[
        list[Path],
        typer.Argument(help="Models: seeds of one or more configurations.", show_default=False),
    ],
    images: Annotated[Path, typer.Option("--images", help="A folder of images to measure on.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")],
    masks: MasksDir = None,
    edges: EdgesDir = None,
    probe: ProbeDir = None,
    train: Annotated[
        Path | None,
        typer.Option("--train", help="The images of training: none may be measured on."),
    ] = None,
    limit: Limit = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Report on models: depth against size, figure, edges, with controls, over seeds; a verdict."""
    import json

    from core.files import replacing
    from core.gmae.exports import make_folder
    from core.gmae.model_report import Materials, report_models
    from core.gmae.report_text import markdown

    materials = Materials(images, masks, edges, probe, train, limit)
    found = run_steps(report_models(models, materials, seed))
    make_folder(output)
    texts = {"report.json": json.dumps(found.values(), indent=1), "report.md": markdown(found)}
    for name, text in texts.items():
        with replacing(output / name) as file:
            file.write(text.encode())
    missing = found.lacks if as_json else " ".join(found.lacks)
    report({"output": str(output), "verdicts": found.verdicts, "missing": missing}, as_json)


def layers(
    image: Annotated[Path, typer.Argument(help="An image.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Folder to write to; files of the same names are replaced."
        ),
    ],
    model: ModelFile = None,
    count: Annotated[int, typer.Option("--layers", min=1, help="Number of layers.")] = 8,
    grouping: Annotated[
        str, typer.Option("--grouping", help="counts: as many Gaussians in each; bins: as deep.")
    ] = "counts",
    refine: Annotated[
        int, typer.Option("--refine", min=0, help="Steps of fitting to this image.")
    ] = 0,
    size: Annotated[int, typer.Option("--size", min=1, help="Pixels a side of pictures.")] = 512,
    masks: Annotated[
        bool,
        typer.Option(
            "--masks", help="Write the figure by Otsu's threshold of depth, and layers' coverage."
        ),
    ] = False,
    polarity: Annotated[
        str,
        typer.Option("--polarity", help="far: the figure is the far side; near; or border."),
    ] = "far",
    ply_layers: Annotated[
        bool, typer.Option("--ply-layers", help="Write each layer as a scene.")
    ] = False,
    animation: Annotated[
        str | None,
        typer.Option(
            "--animation",
            metavar="FILE",
            help="Write the peel from near to far, a .gif or .mp4 file; without a folder in its "
            "name into that of --output.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an image's Gaussians a scene (.ply), and each of its layers a picture with alpha."""
    import torch

    from core.formats import save_scene
    from core.gmae.exports import (
        LAYER_COLUMN,
        Wanted,
        export_camera,
        export_layers,
        make_folder,
    )
    from core.gmae.figure_ground import Polarity
    from core.gmae.folder import read_image
    from core.gmae.images import describe_image, measure_picture
    from core.gmae.layers import Grouping, camera_depths, depth_groups
    from core.gmae.models import find_model
    from core.gmae.refining import refine_image
    from core.gmae.splatting import scene_camera
    from core.gmae.weights import load_model

    started = time.perf_counter()
    chosen = Grouping(_one_of(grouping, list(Grouping), "grouping"))
    side = Polarity(_one_of(polarity, list(Polarity), "polarity"))
    peel = None if animation is None else _placed(animation, output)
    wanted = Wanted(masks=masks, scenes=ply_layers, animation=peel, polarity=side)
    file = find_model(model)
    loaded, notes = load_model(file)
    config = loaded.config
    camera = export_camera(scene_camera(config.size), size)
    wanted.check(camera, count, output)
    pixels = read_image(image, 2 * config.size)
    source = describe_image(loaded, notes, pixels, image.name, image, file.stem)
    if refine:
        refined = run_steps(refine_image(source.outputs, source.pixels, config, refine))
        source = replace(source, outputs=refined.outputs, refined=refine)
    scene = source.scene()
    quality = measure_picture(scene, torch.ones(len(scene), dtype=torch.bool), source)
    groups = depth_groups(camera_depths(scene, camera), count, chosen)
    make_folder(output)
    save_scene(scene.with_columns({LAYER_COLUMN: groups + 1.0}), output / "scene.ply")
    files = run_steps(export_layers(scene, camera, groups, count, output, wanted))
    written = [output / "scene.ply", *files]
    report(
        {
            "output": str(output),
            "count": len(scene),
            "psnr": round(quality.psnr, 2),
            "layers": count,
            "gaussians_by_layer": groups.bincount(minlength=count).tolist(),
            "files": [str(file) for file in written] if as_json else len(written),
            "seconds": round(time.perf_counter() - started, 2),
        },
        as_json,
    )


def _placed(name: str, folder: Path) -> Path:
    """A file by its name, in ``folder`` where the name has none."""
    path = Path(name)
    return folder / path if path.name == name else path


def _readable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers with their errors or intervals in brackets, as texts."""
    texts: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, tuple):
            texts[name] = f"{value[0]:.4f} (error {value[1]:.4f})"
        elif isinstance(value, Mapping) and "low" in value:
            middle = next(iter(value.values()))
            texts[name] = f"{middle:.4f} ({value['low']:.4f} to {value['high']:.4f})"
        elif isinstance(value, Mapping):
            texts[name] = _readable(value)
        else:
            texts[name] = f"{value:.4f}" if isinstance(value, float) else value
    return texts


def _loaded(path: Path | None) -> "GaussianAutoencoder":
    from core.gmae.models import find_model
    from core.gmae.weights import load_model

    return load_model(find_model(path))[0]


def _one_of(text: str, names: list[str], what: str) -> str:
    if text not in names:
        raise UserError(f"There is no {what} {text!r}.", f"Choose from {', '.join(names)}.")
    return text
