"""A scene file, and running the command line on it."""

import json
from pathlib import Path

import pytest

from core import cli
from core.formats import save_scene
from core.metrics import lpips_weights
from tests.blobs import blob_scene

COUNT = 300


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    path = tmp_path / "blob.ply"
    save_scene(blob_scene(COUNT), path)
    return path


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's weights of LPIPS, if it has any, are not found."""
    monkeypatch.setattr(lpips_weights, "weights_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("SPLATSCOPE_LPIPS", raising=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict:
    """The report of a command that must succeed; NaN and infinity are no JSON."""
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out, parse_constant=pytest.fail)
