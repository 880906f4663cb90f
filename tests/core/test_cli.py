import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.cli import options
from core.formats import load_scene, save_scene
from core.jobs import Progress, Steps
from core.properties import property_names
from core.pruning import PRESETS, keep_count
from core.scoring import DEFAULT_SCORE, SCORES
from core.terminal import run_steps
from tests.blobs import blob_scene
from tests.core.cli_stage import run, run_json, scene_file

__all__ = ["scene_file"]


def test_info(capsys: pytest.CaptureFixture[str], scene_file: Path) -> None:
    report = run_json(capsys, "info", scene_file)
    assert report["count"] == 300
    assert report["sh_degree"] == 1
    assert report["bytes"] == scene_file.stat().st_size
    assert len(report["bounds"]) == 2
    assert report["repairs"] == []
    code, out, _ = run(capsys, "info", scene_file)
    assert code == 0
    assert "300" in out


@pytest.mark.parametrize(
    ("target", "kept"), [(("--keep", "0.2"), 60), (("--count", "17"), 17), (("--mb", "0.006"), 50)]
)
def test_prune_keeps_exactly_the_target(
    capsys: pytest.CaptureFixture[str],
    scene_file: Path,
    tmp_path: Path,
    target: tuple[str, str],
    kept: int,
) -> None:
    out = tmp_path / "out.ply"
    report = run_json(capsys, "prune", scene_file, "-o", out, *target, "--views", "4")
    assert report["count_before"] == 300
    assert report["count_after"] == kept == len(load_scene(out).scene)
    assert report["score"] == "removal-error"
    assert report["views"] == 4
    assert report["bytes_after"] == out.stat().st_size


def test_prune_by_a_score_without_views_renders_none(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ply"
    report = run_json(capsys, "prune", scene_file, "-o", out, "--keep", "0.1", "--score", "opacity")
    assert report["views"] == 0
    kept, full = load_scene(out).scene.opacities(), load_scene(scene_file).scene.opacities()
    assert kept.min() >= np.quantile(full.numpy(), 0.89)


def test_filters_and_presets_say_what_each_takes(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ply"
    scene = load_scene(scene_file).scene
    faint = scene.opacities() < 0.3
    long = scene.log_scales.amax(1).double().exp() > 0.08
    parts = ("--where", "opacity<0.3", "--where", "largest>0.08")
    either = run_json(capsys, "prune", scene_file, "-o", out, *parts)
    assert either["takes"] == {
        "opacity < 0.3": int(faint.sum()),
        "largest > 0.08": int(long.sum()),
    }
    assert either["count_after"] == int((~(faint | long)).sum()) == len(load_scene(out).scene)
    assert (either["join"], either["score"], either["views"]) == ("or", None, 0)
    assert either["psnr_against_unpruned"] is None
    both = run_json(capsys, "prune", scene_file, "-o", out, *parts, "--join", "and")
    assert both["count_after"] == int((~(faint & long)).sum())
    rule = run_json(capsys, "prune", scene_file, "-o", out, "--preset", "transparent")
    transparent = int((scene.opacities() < 0.05).sum())
    assert rule["takes"] == {"transparent (opacity < 0.05)": transparent}
    assert rule["count_after"] == 300 - transparent < 300


def test_filters_combine_with_a_target_and_scores(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ply"
    half = ("--keep", "0.5", "--score", "opacity")
    scene = load_scene(scene_file).scene
    right = scene.means[:, 0] > 0
    report = run_json(capsys, "prune", scene_file, "-o", out, *half, "--where", "x>0.2")
    beyond = int((scene.means[:, 0] > 0.2).sum())
    assert report["count_after"] == 150 == len(load_scene(out).scene)
    assert report["takes"] == {
        f"opacity, of {300 - beyond} left to it": 150 - beyond,
        "x > 0.2": beyond,
    }
    assert load_scene(out).scene.means[:, 0].max() <= 0.2
    assert report["note"] is None
    narrowed = ("--where", "x>0", "--join", "and")
    report = run_json(capsys, "prune", scene_file, "-o", out, *half, *narrowed)
    stays = max(150, 300 - int(right.sum()))
    assert report["count_after"] == stays
    assert load_scene(out).scene.means[:, 0].le(0).sum() == (~right).sum()
    few = ("--count", "2", "--score", "opacity", *narrowed)
    report = run_json(capsys, "prune", scene_file, "-o", out, *few)
    assert report["count_after"] == int((~right).sum())
    assert report["note"] == f"The filters allow no more: {int((~right).sum())} stay."
    many = ("--count", "299", "--score", "opacity", "--where", "x>0")
    report = run_json(capsys, "prune", scene_file, "-o", out, *many)
    assert report["count_after"] == int((~right).sum())
    assert report["note"] == f"The filters alone leave only {int((~right).sum())}."
    swept = ("--where", "max-weight<0.02", "--preset", "low-worth", "--views", "4")
    report = run_json(capsys, "prune", scene_file, "-o", out, *swept)
    assert report["views"] == 4
    assert report["score"] == "removal-error"
    (low,) = [part for part in report["takes"] if part.startswith("low-worth (removal-error < ")]
    assert report["takes"][low] == 60
    assert 0 < report["takes"]["max-weight < 0.02"] < 300
    less = run_json(capsys, "prune", scene_file, "-o", out, "--keep", "0.99", "--views", "4")
    assert 15 < report["psnr_against_unpruned"] < less["psnr_against_unpruned"] < 120
    code, text, _ = run(capsys, "prune", scene_file, "-o", out, *swept)
    assert code == 0
    assert "60  low-worth (removal-error < " in text


def test_megabytes_are_met_with_filters_too(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ply"
    scene = load_scene(scene_file).scene
    target = ("--mb", "0.02", "--where", "opacity<0.3", "--score", "opacity")
    report = run_json(capsys, "prune", scene_file, "-o", out, *target)
    assert report["count_after"] == keep_count(scene, megabytes=0.02)
    assert 0.02e6 - scene.ply_bytes_each - 500 < report["bytes_after"] <= 0.02e6


def test_statistics(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "columns.ply"
    odd = torch.tensor([1.0, 2.0, 4.0, math.nan] * 25)
    empty = torch.full((100,), math.inf)
    save_scene(blob_scene(100).with_columns({"odd": odd, "empty": empty}), path)
    stats = run_json(capsys, "info", path, "--stats")["stats"]
    scene = load_scene(path).scene
    assert list(stats) == property_names(scene)
    opacities = scene.opacities().double().numpy()
    assert stats["opacity"]["mean"] == pytest.approx(opacities.mean())
    assert stats["opacity"]["p95"] == pytest.approx(np.quantile(opacities, 0.95))
    expected = {"min": 1, "mean": 7 / 3, "median": 2, "p95": 4, "max": 4, "left_out": 25}
    assert stats["odd"] == pytest.approx(expected)
    assert stats["empty"] == {
        **dict.fromkeys(("min", "mean", "median", "p95", "max")),
        "left_out": 100,
    }
    assert "stats" not in run_json(capsys, "info", path)
    code, text, _ = run(capsys, "info", path, "--stats")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["odd"] == ["1", "2.333", "2", "4", "4"]
    assert rows["empty"] == ["-"] * 5
    assert rows["min"] == ["mean", "median", "p95", "max"]


def test_score_writes_named_arrays(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.npz"
    names = ("fisher", "removal-error")
    options = [part for name in names for part in ("--score", name)]
    report = run_json(capsys, "score", scene_file, "-o", out, *options, "--views", "4")
    assert report["scores"] == list(names)
    with np.load(out, allow_pickle=False) as arrays:
        for name in names:
            assert arrays[name].shape == (300,)
            assert set(np.unique(arrays[f"{name}.class"])) <= {0, 1, 2}
            assert sorted(arrays[f"{name}.order"]) == list(range(300))


def test_render_heatmap_and_size(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    plain, heat = tmp_path / "plain.png", tmp_path / "heat.png"
    view = ("--view", "1", "--views", "4", "--size", "80x60")
    run_json(capsys, "render", scene_file, "-o", plain, *view)
    run_json(capsys, "render", scene_file, "-o", heat, *view, "--heatmap", "opacity")
    pictures = [np.asarray(Image.open(path)).astype(int) for path in (plain, heat)]
    assert pictures[0].shape == (60, 80, 3)
    assert pictures[0].max() > 60
    assert np.abs(pictures[0] - pictures[1]).mean() > 2


def test_convert_round_trip(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again.ply"
    told = run_json(capsys, "convert", scene_file, out)
    assert (told["count"], told["loses"]) == (300, "")
    np.testing.assert_array_equal(load_scene(out).scene.sh, load_scene(scene_file).scene.sh)


@pytest.mark.parametrize(
    ("name", "options", "format"),
    [
        ("a.spz", (), "spz"),
        ("a.spz", ("--to", "spz3"), "spz"),
        ("meta.json", (), "sog-folder"),
        ("a.compressed.ply", (), "compressed-ply"),
        ("a.ply", ("--to", "compressed-ply"), "compressed-ply"),
        ("a.splat", (), "splat"),
    ],
)
def test_convert_compresses(
    capsys: pytest.CaptureFixture[str],
    scene_file: Path,
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
    format: str,
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    told = run_json(capsys, "convert", scene_file, folder / name, *options)
    assert load_scene(folder / name).format == format
    assert told["bytes_after"] == sum(file.stat().st_size for file in folder.iterdir())
    assert told["loses"].endswith(".")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("info", "missing.ply"), "missing.ply"),
        (("prune", "SCENE", "-o", "out.ply"), "--keep"),
        (("prune", "SCENE", "-o", "out.ply", "--keep", "0.5", "--count", "3"), "exactly one"),
        (("prune", "SCENE", "-o", "out.ply", "--keep", "1.5"), "1"),
        (("prune", "SCENE", "-o", "out.ply", "--keep", "0.5", "--score", "nope"), "removal-error"),
        (("prune", "SCENE", "-o", "out.ply", "--where", "opacity=1"), "opacity<0.05"),
        (("prune", "SCENE", "-o", "out.ply", "--where", "nope<1"), "largest"),
        (("prune", "SCENE", "-o", "out.ply", "--where", "opacity>-1"), "take less"),
        (("prune", "SCENE", "-o", "out.ply", "--preset", "nope"), "low-worth"),
        (("prune", "SCENE", "-o", "out.ply", "--keep", "0.5", "--join", "xor"), "--join and"),
        (("render", "SCENE", "-o", "out.gif"), ".png"),
        (("render", "SCENE", "-o", "out.png", "--size", "big"), "1280x720"),
        (("render", "SCENE", "-o", "out.png", "--views", "3", "--view", "7"), "0 to 2"),
        (("score", "SCENE", "-o", "out.txt"), ".npz"),
        (("score", "SCENE", "-o", "out.npz", "--score", "nope"), "removal-error"),
        (("render", "SCENE", "-o", "out.png", "--heatmap", "nope"), "removal-error"),
        (("convert", "SCENE", "out.xyz"), ".ply"),
        (("nonsense",), "--help"),
        (("prune",), "--help"),
        (("info", "SCENE", "--data", "nowhere"), "--help"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_one_line(
    capsys: pytest.CaptureFixture[str],
    scene_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    hint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = [str(scene_file) if part == "SCENE" else part for part in arguments]
    code, out, err = run(capsys, *named)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert hint in err


def test_runs_as_a_module_without_the_window(scene_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core", "info", str(scene_file), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["count"] == 300


def test_help_lists_every_score_and_preset() -> None:
    assert options.PRESET_NAMES.split(", ") == list(PRESETS)
    assert set(options.SCORE_NAMES.split(", ")) == set(SCORES)
    assert options.DEFAULT_SCORE == DEFAULT_SCORE


def test_another_scenes_views_compare_before_and_after(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    small, before, after = (tmp_path / name for name in ("small.ply", "a.png", "b.png"))
    run_json(capsys, "prune", scene_file, "-o", small, "--keep", "0.95", "--views", "6")
    view = ("--view", "2", "--data", scene_file, "--size", "80x60")
    run_json(capsys, "render", scene_file, "-o", before, *view)
    run_json(capsys, "render", small, "-o", after, *view)
    pictures = [np.asarray(Image.open(path)).astype(int) for path in (before, after)]
    assert pictures[0].max() > 60
    assert np.abs(pictures[0] - pictures[1]).mean() < 3


def test_spz_is_written_and_read_with_the_axes_that_are_asked_for(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    scene = load_scene(scene_file).scene
    there, back, same = (tmp_path / name for name in ("a.spz", "b.ply", "c.ply"))
    run_json(capsys, "convert", scene_file, there, "--axes", "rub")
    run_json(capsys, "convert", there, back, "--axes", "rub")
    run_json(capsys, "convert", there, same)
    flip = torch.tensor([1.0, -1, -1])
    assert torch.allclose(load_scene(back).scene.means, scene.means, atol=1e-3)
    assert torch.allclose(load_scene(same).scene.means, scene.means * flip, atol=1e-3)
    again = tmp_path / "d.spz"
    run_json(capsys, "convert", there, again, "--axes", "rub", "--to", "spz3")
    assert torch.allclose(load_scene(again).scene.means, scene.means * flip, atol=2e-3)
    for given, told in ((("--axes", "rub"), "for SPZ"), (("--axes", "ruf"), "same, rub")):
        code, _, err = run(capsys, "convert", scene_file, tmp_path / "e.ply", *given)
        assert code == 2
        assert told in err


def test_what_nothing_is_lost_of_has_no_line_about_that(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    for name, lines in (("a.ply", 0), ("a.spz", 1)):
        code, text, _ = run(capsys, "convert", scene_file, tmp_path / name)
        assert code == 0
        assert sum(line.startswith("loses") for line in text.splitlines()) == lines


def test_ctrl_c_and_an_end_from_outside_say_so(
    capsys: pytest.CaptureFixture[str], scene_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = signal.getsignal(signal.SIGTERM)

    def interrupted(_path: Path) -> None:
        raise KeyboardInterrupt

    def ended(_path: Path) -> None:
        def steps() -> Steps[None]:
            signal.raise_signal(signal.SIGTERM)
            yield Progress(0, 1)
            raise AssertionError("it went on")

        run_steps(steps())

    try:
        for load in (interrupted, ended):
            monkeypatch.setattr("core.formats.load_scene", load)
            code, _, err = run(capsys, "info", scene_file)
            assert (code, err.strip()) == (130, "splatscope: Cancelled.")
    finally:
        signal.signal(signal.SIGTERM, usual)
