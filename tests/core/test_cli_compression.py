"""The command that makes nets of a scene."""

from pathlib import Path

import pytest

from core.formats import load_scene
from tests.core.capture_stage import make_capture
from tests.core.cli_stage import COUNT, no_weights, run, run_json, scene_file

__all__ = ["no_weights", "scene_file"]

pytestmark = pytest.mark.usefixtures("no_weights")

FEW = ("--fit-steps", "20", "--finetune-steps", "4")


def test_compress_against_photos(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    capture = make_capture(tmp_path / "photos", stated=True)
    out = tmp_path / "out.ngs"
    options = ("--data", capture, "--background", "white", "--clusters", "2", "--keep", "0.5")
    values = run_json(capsys, "compress", scene_file, "-o", out, *options, *FEW)
    assert values["count_before"] == COUNT
    assert values["count_after"] == COUNT // 2 == len(load_scene(out).scene)
    assert values["clusters"] == 2
    assert values["bytes_after"] == out.stat().st_size
    assert sum(values["streams"].values()) <= values["bytes_after"]
    assert values["measured_on"] == "1 photo"
    assert values["compressed"]["psnr"] > 5
    assert values["compressed"]["lpips"] is None
    assert set(values["stages"]) == {"importance", "cluster", "fit", "finetune"}


def test_compress_without_photos_keeps_no_checkpoint(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out, state = tmp_path / "out.ngs", tmp_path / "state"
    code, text, _ = run(
        capsys, "compress", scene_file, "-o", out, "--views", "2", "--checkpoint", state, *FEW
    )
    assert code == 0
    assert "pruned" in text
    assert "codes" in text
    assert not list(tmp_path.glob("state*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "out.ply"), ".ngs"),
        (("-o", "out.ngs", "--preset", "fast"), "best, paper"),
        (("-o", "out.ngs", "--kind", "forest"), "object, indoor, outdoor"),
        (("-o", "out.ngs", "--keep", "0"), "0 and at most 1"),
        (("-o", "out.ngs", "--clusters", "0"), "1 to"),
        (("-o", "missing/out.ngs"), "no folder"),
    ],
)
def test_mistakes_are_told_before_any_work(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    scene_file: Path,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(scene_file.parent)
    code, _, err = run(capsys, "compress", scene_file, *options)
    assert code == 2
    assert message in err
