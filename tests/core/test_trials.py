"""Trials of formats and nets."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.formats import load_scene
from core.jobs import drain
from core.metrics.references import find_references
from core.neuralgs.settings import NeuralSettings
from core.rigs import make_rig
from core.scene import GaussianScene
from core.training import find_targets
from core.trials import (
    NETS,
    attribute_errors,
    estimated_bytes,
    save_trial,
    trial_formats,
    try_formats,
    try_nets,
)
from tests.blobs import blob_scene

COUNT = 400


@pytest.fixture(scope="module")
def scene() -> GaussianScene:
    return blob_scene(COUNT, sh_degree=1)


def test_every_format_is_measured_and_saved_as_measured(
    scene: GaussianScene, tmp_path: Path
) -> None:
    references = drain(find_references((), scene, 4))

    trials = drain(try_formats(scene, trial_formats(), references))

    assert [trial.format for trial in trials] == [known.name for known in trial_formats()]
    for trial in trials:
        path = tmp_path / f"saved{trial.title}"
        save_trial(trial, path)
        assert path.stat().st_size == trial.bytes
        assert len(load_scene(path).scene) == COUNT
        assert trial.evaluation.psnr > 30
        assert trial.as_dict()["bytes"] == trial.bytes
    lossless = next(trial for trial in trials if trial.format == "ply")
    assert math.isinf(lossless.evaluation.psnr)


def test_nets_are_measured_from_their_file(scene: GaussianScene, tmp_path: Path) -> None:
    references = drain(find_references((), scene, 4))
    targets = drain(find_targets(scene, count=6))
    settings = NeuralSettings(fit_steps=60, finetune_steps=10, keep=1.0, code_bytes=20)

    trial = drain(try_nets(scene, targets, make_rig(scene, 6), settings, references))

    assert trial.format == NETS
    assert sum(trial.streams.values()) == trial.bytes
    assert trial.evaluation.psnr > 20
    assert trial.errors["position"] < 0.01
    assert trial.encode_s > trial.decode_s > 0
    path = tmp_path / "saved.ngs"
    save_trial(trial, path)
    assert path.stat().st_size == trial.bytes
    assert torch.equal(load_scene(path).scene.means, trial.scene.means)


def test_the_estimate_is_of_the_right_size(scene: GaussianScene) -> None:
    small = estimated_bytes(60_000, 3, NeuralSettings(code_bytes=4.5))
    assert 300_000 < small < 700_000
    assert estimated_bytes(60_000, 3, NeuralSettings(code_bytes=14.5)) == pytest.approx(
        small + 600_000, abs=2
    )


def test_errors_know_that_an_ellipsoid_has_many_names() -> None:
    scene = blob_scene(50)
    swapped = replace(
        scene,
        log_scales=scene.log_scales[:, [1, 0, 2]],
        quats=_times(scene.quats, torch.tensor([0.5**0.5, 0.0, 0.0, 0.5**0.5])),
    )

    errors = attribute_errors(scene, swapped)

    assert errors["rotation"] < 0.1
    assert errors["scale"] == 0
    turned = replace(
        scene,
        quats=_times(
            torch.nn.functional.normalize(scene.quats, dim=1),
            torch.tensor([math.cos(0.05), math.sin(0.05), 0.0, 0.0]),
        ),
    )
    assert attribute_errors(scene, turned)["rotation"] == pytest.approx(math.degrees(0.1), rel=0.01)


def _times(quats: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Quaternions, each followed by another on its right."""
    w, x, y, z = quats.unbind(1)
    a, b, c, d = by.tolist()
    return torch.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        1,
    )
