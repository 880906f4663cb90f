"""Interrupted runs go on as if nothing had happened; other files are left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from core.errors import UserError
from core.jobs import Progress, drain
from core.training import PhotoTargets, RefineSettings, Sparsify, fitting, refine
from tests.core.training_stage import (
    cameras_around,
    disturbed,
    photographed,
    same_bits,
    wanted_scene,
)

SETTINGS = RefineSettings(steps=14, sparsify=Sparsify(target=100, interval=4))


@pytest.fixture
def targets(tmp_path: Path) -> PhotoTargets:
    return PhotoTargets(photographed(wanted_scene(), cameras_around(4), tmp_path))


def steps_in(file: Path) -> int:
    with safe_open(file, framework="pt") as checkpoint:
        return int(checkpoint.metadata()["steps"])


@pytest.mark.parametrize("stops", [(5,), (3, 4, 11)])
def test_a_resumed_run_gives_the_same_bits(
    targets: PhotoTargets, tmp_path: Path, stops: tuple[int, ...]
) -> None:
    scene, file = disturbed(wanted_scene()), tmp_path / "run.safetensors"
    whole = drain(refine(scene, targets, SETTINGS))
    done = 0
    for stop in stops:
        steps = refine(scene, targets, SETTINGS, checkpoint=file)
        while done < stop:
            done = next(steps).done
        steps.close()
        assert steps_in(file) == stop
    reports: list[Progress] = []
    resumed = drain(refine(scene, targets, SETTINGS, checkpoint=file), reports.append)
    assert [report.done for report in reports] == list(range(stops[-1] + 1, 15))
    assert same_bits(whole, resumed)


def test_a_finished_run_ends_at_once_with_its_result(targets: PhotoTargets, tmp_path: Path) -> None:
    scene, file = disturbed(wanted_scene()), tmp_path / "run.safetensors"
    result = drain(refine(scene, targets, SETTINGS, checkpoint=file))
    reports: list[Progress] = []
    again = drain(refine(scene, targets, SETTINGS, checkpoint=file), reports.append)
    assert same_bits(result, again)
    assert not reports


def test_work_is_kept_from_time_to_time(
    targets: PhotoTargets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.safetensors"
    steps = refine(disturbed(wanted_scene()), targets, SETTINGS, checkpoint=file)
    next(steps)
    next(steps)
    assert not file.exists()
    monkeypatch.setattr(fitting, "CHECKPOINT_S", 0.0)
    next(steps)
    assert steps_in(file) == 3
    steps.close()


def test_a_cancel_before_the_first_step_writes_nothing(
    targets: PhotoTargets, tmp_path: Path
) -> None:
    file = tmp_path / "run.safetensors"
    refine(wanted_scene(), targets, SETTINGS, checkpoint=file).close()
    assert not file.exists()


def test_vanished_photos_leave_a_checkpoint(tmp_path: Path) -> None:
    cameras = cameras_around(3)
    targets = PhotoTargets(photographed(wanted_scene(), cameras, tmp_path), max_bytes=0)
    scene, file = disturbed(wanted_scene()), tmp_path / "run.safetensors"
    whole = drain(refine(scene, targets, SETTINGS))
    steps = refine(scene, targets, SETTINGS, checkpoint=file)
    next(steps)
    next(steps)
    for camera in cameras:
        (tmp_path / f"{camera.name}.png").rename(tmp_path / f"{camera.name}.away")
    with pytest.raises(UserError, match="cannot be read"):
        next(steps)
    assert steps_in(file) == 2
    for camera in cameras:
        (tmp_path / f"{camera.name}.away").rename(tmp_path / f"{camera.name}.png")
    assert same_bits(whole, drain(refine(scene, targets, SETTINGS, checkpoint=file)))


class TestOtherFiles:
    """They are refused with a hint, and not overwritten."""

    def refused(self, file: Path, targets: PhotoTargets, match: str) -> None:
        before = file.read_bytes()
        with pytest.raises(UserError, match=match) as caught:
            drain(refine(disturbed(wanted_scene()), targets, SETTINGS, checkpoint=file))
        assert "another file" in caught.value.hint
        assert file.read_bytes() == before

    def kept(self, targets: PhotoTargets, file: Path) -> None:
        steps = refine(disturbed(wanted_scene()), targets, SETTINGS, checkpoint=file)
        next(steps)
        next(steps)
        steps.close()

    def test_damaged(self, targets: PhotoTargets, tmp_path: Path) -> None:
        file = tmp_path / "run.safetensors"
        self.kept(targets, file)
        whole = file.read_bytes()
        for damaged in (whole[: len(whole) // 2], b"", b"\xff" * 64, whole[:6]):
            file.write_bytes(damaged)
            self.refused(file, targets, "not a whole checkpoint")

    def test_foreign(self, targets: PhotoTargets, tmp_path: Path) -> None:
        file = tmp_path / "photo.png"
        file.write_bytes((tmp_path / "view_00.png").read_bytes())
        self.refused(file, targets, "not a whole checkpoint")
        file = tmp_path / "weights.safetensors"
        save_file({"weight": torch.zeros(3)}, file)
        self.refused(file, targets, "not a checkpoint of this program")

    def test_without_a_tensor_or_with_one_of_another_shape(
        self, targets: PhotoTargets, tmp_path: Path
    ) -> None:
        file = tmp_path / "run.safetensors"
        self.kept(targets, file)
        with safe_open(file, framework="pt") as checkpoint:
            metadata = checkpoint.metadata()
            names = list(checkpoint.keys())
            tensors = {name: checkpoint.get_tensor(name) for name in names}
        for name in ("quats", "sh.exp_avg", "means.step", "policy.z"):
            save_file({n: t for n, t in tensors.items() if n != name}, file, metadata)
            self.refused(file, targets, "not a whole checkpoint")
            spoiled = {**tensors, name: torch.zeros(7, 2)}
            save_file(spoiled, file, metadata)
            self.refused(file, targets, "not a whole checkpoint")

    def test_of_another_run(self, targets: PhotoTargets, tmp_path: Path) -> None:
        file = tmp_path / "run.safetensors"
        self.kept(targets, file)
        before = file.read_bytes()
        scene = disturbed(wanted_scene())
        fewer = PhotoTargets(photographed(wanted_scene(), cameras_around(3), tmp_path))
        others = {
            "settings": refine(scene, targets, RefineSettings(steps=9), checkpoint=file),
            "scene": refine(wanted_scene(), targets, SETTINGS, checkpoint=file),
            "targets": refine(scene, fewer, SETTINGS, checkpoint=file),
        }
        for name, steps in others.items():
            with pytest.raises(UserError, match=f"with other {name}"):
                next(steps)
        assert file.read_bytes() == before

    def test_a_folder_that_is_not_there(self, targets: PhotoTargets, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no such folder"):
            next(refine(wanted_scene(), targets, SETTINGS, checkpoint=tmp_path / "no" / "run"))


_ENDLESS = """
import sys
from pathlib import Path
from core.jobs import drain
from core.training import PhotoTargets, RefineSettings, fitting, refine
from tests.core.training_stage import cameras_around, disturbed, photographed, wanted_scene
fitting.CHECKPOINT_S = 0.0
folder = Path(sys.argv[1])
targets = PhotoTargets(photographed(wanted_scene(), cameras_around(4), folder))
settings = RefineSettings(steps=100_000)
drain(refine(disturbed(wanted_scene()), targets, settings, checkpoint=folder / "run.safetensors"))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_amid_the_writing_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(tmp_path)])
    try:
        deadline = time.monotonic() + 120
        while not file.exists() or steps_in(file) < 5:
            assert time.monotonic() < deadline, "no checkpoint came"
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    reached = steps_in(file)
    assert reached >= 5
    targets = PhotoTargets(photographed(wanted_scene(), cameras_around(4), tmp_path))
    settings = RefineSettings(steps=100_000)
    steps = refine(disturbed(wanted_scene()), targets, settings, checkpoint=file)
    assert next(steps).done == reached + 1
    steps.close()
