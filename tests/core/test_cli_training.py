"""The commands that fit scenes to pictures: train, refine and rounds."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from core.cli import training
from core.formats import load_scene, save_scene
from core.pruning import SCHEDULES
from tests.core.capture_stage import make_capture
from tests.core.cli_stage import COUNT, no_weights, run, run_json, scene_file

__all__ = ["no_weights", "scene_file"]

pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return make_capture(tmp_path / "photos", stated=True)


def test_train_makes_a_scene_and_measures_it(
    capsys: pytest.CaptureFixture[str], capture: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ply"
    options = ("--steps", "40", "--max-count", "500", "--sh-degree", "1", "--background", "white")
    values = run_json(capsys, "train", capture, "-o", out, *options)
    scene = load_scene(out).scene
    assert 0 < len(scene) == values["count"] <= 500
    assert scene.sh_degree == 1
    assert values["photos"] == 2
    assert values["measured_on"] == "1 held-out photo"
    assert values["psnr"] > 5
    assert values["bytes"] == out.stat().st_size


def test_transparent_photos_are_fitted_on_changing_colours_unless_one_is_named(
    capsys: pytest.CaptureFixture[str], capture: Path, tmp_path: Path
) -> None:
    for photo in capture.glob("*.png"):
        with Image.open(photo) as picture:
            picture.convert("RGBA").save(photo)
    options = ("--steps", "5", "--max-count", "100", "--sh-degree", "0")
    made = {}
    for name in (None, "random", "black"):
        out = tmp_path / f"{name}.ply"
        forced = () if name is None else ("--background", name)
        run_json(capsys, "train", capture, "-o", out, *options, *forced)
        made[name] = out.read_bytes()
    assert made[None] == made["random"] != made["black"]


def test_rounds_against_photos(
    capsys: pytest.CaptureFixture[str], scene_file: Path, capture: Path, tmp_path: Path
) -> None:
    out, file = tmp_path / "out.ply", tmp_path / "report.json"
    options = ("--data", capture, "--background", "white", "--steps", "6", "--report", file)
    values = run_json(
        capsys, "rounds", scene_file, "-o", out, "--cut", "0.8", "--cut", "0.5", *options
    )
    assert len(load_scene(out).scene) == values["count_after"] == 30
    assert values["count_before"] == COUNT
    assert values["views"] == 1
    assert values["bytes_after"] == out.stat().st_size
    stages = values["stages"]
    assert [stage["stage"] for stage in stages] == [
        "start",
        "cut 1",
        "refined 1",
        "cut 2",
        "refined 2",
    ]
    assert [stage["count"] for stage in stages] == [300, 60, 60, 30, 30]
    assert stages[0]["psnr"] is None
    assert stages[2]["psnr"] > stages[1]["psnr"]
    assert stages[0]["lpips"] is None
    assert json.loads(file.read_text())["stages"] == stages


def test_a_person_reads_a_table(
    capsys: pytest.CaptureFixture[str], scene_file: Path, capture: Path, tmp_path: Path
) -> None:
    code, out, _ = run(
        capsys, "rounds", scene_file, "-o", tmp_path / "out.ply", "--cut", "0.5", "--steps", "0",
        "--data", capture, "--min-psnr", "99",
    )  # fmt: skip
    assert code == 0
    assert "cut 1, taken back" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["count", "after", str(COUNT)] in lines


@pytest.mark.parametrize(
    ("target", "kept"), [(("--keep", "0.3"), 90), (("--count", "17"), 17), (("--mb", "0.006"), 50)]
)
def test_a_target_is_met_exactly(
    capsys: pytest.CaptureFixture[str],
    scene_file: Path,
    capture: Path,
    tmp_path: Path,
    target: tuple[str, str],
    kept: int,
) -> None:
    out = tmp_path / "out.ply"
    options = ("--preset", "pup", "--steps", "0", "--data", capture, *target)
    values = run_json(capsys, "rounds", scene_file, "-o", out, *options)
    assert len(load_scene(out).scene) == values["count_after"] == kept
    assert values["score"] == "fisher"


def test_rounds_without_photos_fit_to_the_unpruned_scene(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ply"
    options = ("--cut", "0.9", "--steps", "3", "--views", "2", "--score", "opacity")
    values = run_json(capsys, "rounds", scene_file, "-o", out, *options)
    assert values["views"] == 2
    first, cut, refined = values["stages"]
    assert first["psnr"] is None
    assert refined["psnr"] != cut["psnr"]


def test_refine_keeps_the_count_and_approaches_the_photos(
    capsys: pytest.CaptureFixture[str], scene_file: Path, capture: Path, tmp_path: Path
) -> None:
    small, out = tmp_path / "small.ply", tmp_path / "out.ply"
    save_scene(load_scene(scene_file).scene.select(torch.arange(150)), small)
    options = ("--data", capture, "--background", "white", "--steps", "30")
    values = run_json(capsys, "refine", small, "-o", out, *options)
    assert values["count_after"] == 150 == len(load_scene(out).scene)
    first, last = values["stages"]
    assert last["psnr"] > first["psnr"]


def test_refine_against_another_scene(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    small, out = tmp_path / "small.ply", tmp_path / "out.ply"
    save_scene(load_scene(scene_file).scene.select(torch.arange(100)), small)
    options = ("--against", scene_file, "--views", "2", "--steps", "10")
    values = run_json(capsys, "refine", small, "-o", out, *options)
    first, last = values["stages"]
    assert values["count_after"] == 100
    assert last["psnr"] > first["psnr"]


def test_a_checkpoint_is_gone_once_the_result_is_there(
    capsys: pytest.CaptureFixture[str],
    scene_file: Path,
    capture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, state = tmp_path / "out.ply", tmp_path / "state"
    command = ("rounds", scene_file, "-o", out, "--cut", "0.5", "--steps", "5", "--data", capture,
               "--checkpoint", state)  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr("core.formats.save_scene", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            run(capsys, *command)
    assert list(tmp_path.glob("state*")) == [tmp_path / "state.1"]
    run_json(capsys, *command)
    assert out.is_file()
    assert not list(tmp_path.glob("state*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rounds",), "Nothing says how much"),
        (("rounds", "--cut", "0.5", "--preset", "pup"), "Cuts and a preset"),
        (("rounds", "--preset", "heroic"), "heroic"),
        (("rounds", "--cut", "1.5"), "Cannot cut"),
        (("rounds", "--cut", "0.5", "--keep", "0.1", "--count", "3"), "2 targets"),
        (("rounds", "--cut", "0.5", "--count", "301"), "Cannot keep"),
        (("rounds", "--cut", "0.5", "--score", "beauty"), "beauty"),
        (("rounds", "--cut", "0.5", "--background", "pink"), "no colour"),
        (("rounds", "--cut", "0.5", "--max-loss", "1", "--views", "2"), "against itself"),
        (("rounds", "--cut", "0.5", "--report", "nowhere/report.json"), "no folder"),
        (("refine",), "no photos"),
        (("train",), "no description of cameras"),
        (("refine", "--steps", "0"), "steps"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_one_line(
    capsys: pytest.CaptureFixture[str],
    scene_file: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    out = tmp_path / "out.ply"
    code, written, err = run(capsys, arguments[0], scene_file, "-o", out, *arguments[1:])
    assert (code, written) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not out.exists()


def test_no_work_is_begun_for_a_file_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "nowhere" / "out.ply"
    code, _, err = run(capsys, "rounds", tmp_path / "missing.ply", "-o", out, "--cut", "0.5")
    assert code == 2
    assert "there is no folder" in err


def test_help_names_every_schedule() -> None:
    assert training.SCHEDULE_NAMES.split(", ") == list(SCHEDULES)
