"""Formats against splat-transform, where it is installed: each reads what the other writes.

The environment variable ``SPLAT_TRANSFORM`` names the program, or it is found on the ``PATH``.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.formats import load_scene, save_scene
from core.scene import GaussianScene
from tests.core.formats_examples import random_scene
from tests.core.test_formats_spz import up_to_sign

PROGRAM = os.environ.get("SPLAT_TRANSFORM") or shutil.which("splat-transform")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs splat-transform")

Tolerances = Mapping[str, float]
SPZ: Tolerances = {
    "means": 2e-4,
    "log_scales": 0.04,
    "quats": 0.003,
    "opacities": 0.003,
    "base": 0.014,
    "sh": 0.04,
}
SOG: Tolerances = {
    "means": 1e-3,
    "log_scales": 0.05,
    "quats": 0.007,
    "opacities": 0.005,
    "base": 0.05,
    "sh": 0.03,
}
PACKED: Tolerances = {
    "means": 4e-3,
    "log_scales": 0.01,
    "quats": 0.003,
    "opacities": 0.003,
    "base": 0.03,
    "sh": 0.02,
}
SPLAT: Tolerances = {
    "means": 1e-6,
    "log_scales": 1e-4,
    "quats": 0.01,
    "opacities": 0.003,
    "base": 0.008,
    "sh": 0.0,
}
CASES = {
    "compressed-ply": ("a.compressed.ply", PACKED, ()),
    "spz": ("a.spz", SPZ, ("--spz-version", "4")),
    "spz3": ("a.spz", SPZ, ("--spz-version", "3")),
    "sog": ("a.sog", SOG, ()),
    "sog-folder": ("meta.json", SOG, ()),
}
"""File name, errors allowed (root mean square but for positions) and their options, by format."""


def transform(source: Path, output: Path, *options: str) -> None:
    command = [str(PROGRAM), "-q", "-w", "-g", "cpu", *options, str(source), str(output)]
    subprocess.run(command, check=True, timeout=100, capture_output=True)


def agree(scene: GaussianScene, back: GaussianScene, allowed: Tolerances) -> None:
    """Check errors after matching by nearest position."""
    assert (len(back), back.sh_degree) == (len(scene), scene.sh_degree)
    back = back.select(torch.cdist(scene.means, back.means).argmin(1))
    errors = {
        "log_scales": back.log_scales - scene.log_scales,
        "quats": up_to_sign(back.quats, scene.quats),
        "opacities": back.opacities() - scene.opacities(),
        "base": back.sh[:, 0] - scene.sh[:, 0],
        "sh": back.sh[:, 1:] - scene.sh[:, 1:] if scene.sh_degree else torch.zeros(1),
    }
    found = {name: float(error.square().mean().sqrt()) for name, error in errors.items()}
    found["means"] = float((back.means - scene.means).abs().max())
    assert {name: value for name, value in found.items() if value > allowed[name]} == {}


@pytest.fixture(params=[0, 1, 2, 3])
def scene(request: pytest.FixtureRequest) -> GaussianScene:
    scene = random_scene(400, request.param)
    return replace(scene, sh=scene.sh.clamp(-0.9, 0.9))


@pytest.mark.parametrize("name", CASES)
def test_they_read_what_we_write(name: str, scene: GaussianScene, tmp_path: Path) -> None:
    file, allowed, _ = CASES[name]
    save_scene(scene, tmp_path / file, name)
    transform(tmp_path / file, tmp_path / "back.ply")
    agree(scene, load_scene(tmp_path / "back.ply").scene, allowed)


def test_they_read_our_splat(scene: GaussianScene, tmp_path: Path) -> None:
    scene = replace(scene, sh=scene.sh[:, :1])
    save_scene(scene, tmp_path / "a.splat")
    transform(tmp_path / "a.splat", tmp_path / "back.ply")
    agree(scene, load_scene(tmp_path / "back.ply").scene, SPLAT)


@pytest.mark.parametrize("name", CASES)
def test_we_read_what_they_write(name: str, scene: GaussianScene, tmp_path: Path) -> None:
    file, allowed, options = CASES[name]
    save_scene(scene, tmp_path / "a.ply")
    transform(tmp_path / "a.ply", tmp_path / file, *options)
    loaded = load_scene(tmp_path / file)
    assert loaded.format == name.rstrip("3")
    # of so few sets of harmonics their palette keeps only some
    agree(scene, loaded.scene, {**allowed, "sh": 0.5 if name.startswith("sog") else 0.04})
    transform(tmp_path / file, tmp_path / "back.ply")
    theirs = load_scene(tmp_path / "back.ply").scene
    assert torch.allclose(loaded.scene.means, theirs.means, atol=1e-5)
    assert torch.allclose(loaded.scene.sh, theirs.sh, atol=1e-5)
    assert up_to_sign(loaded.scene.quats, theirs.quats).max() < 1e-5
