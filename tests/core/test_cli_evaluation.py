"""The commands that measure: evaluate and lpips-weights."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from core.formats import load_scene, save_scene
from core.metrics.lpips import ALEX
from tests.blobs import blob_scene
from tests.core.capture_stage import make_capture
from tests.core.cli_stage import no_weights, run, run_json, scene_file

__all__ = ["no_weights", "scene_file"]

pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.ply"
    save_scene(blob_scene(300).select(torch.arange(200)), path)
    return path


def test_held_out_photos(
    capsys: pytest.CaptureFixture[str], scene_file: Path, small_file: Path, tmp_path: Path
) -> None:
    data = make_capture(tmp_path / "capture", stated=True)
    options = ("--data", data, "--background", "white")
    report = run_json(capsys, "evaluate", small_file, *options)
    assert report["reference"] == "held-out photos"
    assert [view["view"] for view in report["per_view"]] == ["p1.png"]
    assert report["views"] == 1
    assert 10 < report["psnr"] == report["per_view"][0]["psnr"] < 50
    assert 0.3 < report["ssim"] < 1
    assert (report["lpips"], report["lpips_net"]) == (None, None)
    assert report["count"] == 200
    assert report["mb"] == pytest.approx(small_file.stat().st_size / 1e6, abs=1e-3)
    assert report["frame_ms"] > 0
    assert report["frame_size"] == "64x48"
    assert "lpips-weights" in report["notes"][0]
    equal = run_json(capsys, "evaluate", scene_file, *options)
    assert equal["psnr"] is None
    assert equal["ssim"] == 1
    black = run_json(capsys, "evaluate", scene_file, "--data", data)
    assert black["psnr"] < 20


def test_where_no_photo_is_held_out_all_are_measured(
    capsys: pytest.CaptureFixture[str], small_file: Path, tmp_path: Path
) -> None:
    data = make_capture(tmp_path / "capture", stated=False)
    report = run_json(capsys, "evaluate", small_file, "--data", data)
    assert report["views"] == 3
    assert report["reference"] == "all photos"
    assert any("held out" in note for note in report["notes"])
    code, out, _ = run(capsys, "evaluate", small_file, "--data", data)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines if line and line[0].endswith(".png")] == [
        "p0.png",
        "p1.png",
        "p2.png",
    ]
    assert ["psnr", f"{report['psnr']:.2f}"] in lines
    assert ["lpips", "-"] in lines
    assert "lpips-weights" in out


def test_against_another_scene(
    capsys: pytest.CaptureFixture[str], scene_file: Path, small_file: Path, tmp_path: Path
) -> None:
    table = tmp_path / "views.csv"
    generated = ("--against", scene_file, "--views", "4")
    report = run_json(capsys, "evaluate", small_file, *generated, "--csv", table)
    assert report["reference"] == "the other scene"
    assert report["views"] == len(report["per_view"]) == 4
    assert report["against"]["count"] == 300
    assert report["against"]["psnr"] is None
    assert report["psnr_change"] is None
    assert report["frame_rate_ratio"] > 0
    rows = list(csv.reader(table.read_text().splitlines()))
    assert [row[0] for row in rows] == ["view", "view_000", "view_001", "view_002", "view_003"]
    assert float(rows[1][1]) == pytest.approx(report["per_view"][0]["psnr"], abs=1e-3)
    poses = make_capture(tmp_path / "poses", stated=True, photos=False)
    posed = run_json(capsys, "evaluate", small_file, "--against", scene_file, "--data", poses)
    assert [view["view"] for view in posed["per_view"]] == ["p1.png"]


def test_two_scenes_on_photos_differ(
    capsys: pytest.CaptureFixture[str], scene_file: Path, small_file: Path, tmp_path: Path
) -> None:
    data = make_capture(tmp_path / "capture", stated=True)
    smaller = tmp_path / "smaller.ply"
    save_scene(blob_scene(300).select(torch.arange(100)), smaller)
    options = ("--against", small_file, "--data", data, "--background", "1,1,1")
    report = run_json(capsys, "evaluate", smaller, *options)
    change = report["psnr"] - report["against"]["psnr"]
    assert report["psnr_change"] == pytest.approx(change, abs=2e-3) != 0
    assert report["psnr_change"] < 0
    assert report["ssim_change"] < 0
    code, out, _ = run(capsys, "evaluate", smaller, *options)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["other", "scene"] in lines
    assert ["count", "200", "100"] in lines


def test_lpips_with_weights(
    capsys: pytest.CaptureFixture[str], small_file: Path, tmp_path: Path
) -> None:
    data = make_capture(tmp_path / "capture", stated=True)
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: (torch.rand(shape, generator=generator) - 0.5 * name.startswith("features")) / 20
        for name, shape in ALEX.shapes.items()
    }
    torch.save(
        {name: w for name, w in weights.items() if name.startswith("features")},
        tmp_path / "alexnet.pth",
    )
    torch.save(
        {f"lin{n}.model.1.weight": weights[f"lin{n}.weight"] for n in range(5)},
        tmp_path / "alex.pth",
    )
    made = run_json(capsys, "lpips-weights", tmp_path / "alexnet.pth", tmp_path / "alex.pth")
    assert made["net"] == "alex"
    assert Path(made["output"]).parent == tmp_path / "cache"
    found = run_json(capsys, "evaluate", small_file, "--data", data)
    assert found["lpips_net"] == "alex"
    assert found["lpips"] > 0
    assert found["notes"] == []
    few = ("--views", "2", "--fit-steps", "20", "--finetune-steps", "4")
    nets = run_json(capsys, "compress", small_file, "-o", tmp_path / "a.ngs", *few)
    assert nets["compressed"]["lpips"] > nets["pruned"]["lpips"] > 0
    np.savez(tmp_path / "mine.npz", **{name: w.numpy() for name, w in weights.items()})
    Path(made["output"]).unlink()
    given = ("--lpips", tmp_path / "mine.npz")
    assert run_json(capsys, "evaluate", small_file, "--data", data, *given)[
        "lpips"
    ] == pytest.approx(found["lpips"], abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("evaluate", "SCENE"), "--against"),
        (("evaluate", "SCENE", "--data", "POSES"), "--against"),
        (("evaluate", "SCENE", "--data", "PHOTOS", "--views", "4"), "--against"),
        (("evaluate", "SCENE", "--data", "PHOTOS", "--background", "pink"), "white"),
        (("evaluate", "SCENE", "--data", "PHOTOS", "--background", "0,0,255"), "0 to 1"),
        (("evaluate", "SCENE", "--data", "PHOTOS", "--csv", "out.txt"), ".csv"),
        (("evaluate", "SCENE", "--data", "PHOTOS", "--lpips", "none.npz"), "none.npz"),
        (("evaluate", "SCENE", "--against", "none.ply"), "none.ply"),
        (("lpips-weights", "SCENE"), "weights"),
        (("lpips-weights", "none.pth", "-o", "out.npz"), ".safetensors"),
        (("lpips-weights",), "--help"),
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
    places = {
        "SCENE": scene_file,
        "POSES": make_capture(tmp_path / "poses", stated=True, photos=False),
        "PHOTOS": make_capture(tmp_path / "photos", stated=True),
    }
    code, out, err = run(capsys, *(places.get(part, part) for part in arguments))
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert hint in err


def test_the_size_is_that_of_the_file(
    capsys: pytest.CaptureFixture[str], scene_file: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "a.spz"
    save_scene(load_scene(scene_file).scene, packed)
    options = ("--against", scene_file, "--views", "2")
    report = run_json(capsys, "evaluate", packed, *options)
    assert report["mb"] == pytest.approx(packed.stat().st_size / 1e6, abs=1e-3)
    assert report["against"]["mb"] == pytest.approx(scene_file.stat().st_size / 1e6, abs=1e-3)
    assert report["mb"] < report["against"]["mb"] / 2
    code, text, _ = run(capsys, "evaluate", packed, *options)
    assert code == 0
    (line,) = [line for line in text.splitlines() if line.startswith("mb")]
    assert float(line.split()[1]) > float(line.split()[2])
