"""Opening by content, and saving so that nothing is ever lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from core.errors import UserError
from core.files import replacing
from core.formats import FORMATS, Format, load_scene, registry, save_scene
from core.scene import GaussianScene
from tests.core.formats_examples import random_scene, same

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")
as_user = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)


def test_formats_are_listed_for_file_dialogs() -> None:
    ply = FORMATS[0]
    assert (ply.name, ply.suffixes) == ("ply", (".ply",))
    assert ply.title
    assert ply.save is not None


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    scene = random_scene()
    save_scene(scene, tmp_path / "scene.bin", format="ply")
    assert same(load_scene(str(tmp_path / "scene.bin")).scene, scene)
    (tmp_path / "text.ply").write_text("nothing of the kind")
    with pytest.raises(UserError, match=r"Cannot open text\.ply: it is in no known format") as told:
        load_scene(tmp_path / "text.ply")
    assert ".ply" in told.value.hint


@pytest.fixture
def two_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second format that is only read, more specific than PLY by content and by name."""

    def recognises(head: bytes, path: Path) -> bool:
        return b"comment tiny" in head

    def load(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
        return random_scene(1, 0), ("Made up a Gaussian.",)

    tiny = Format("tiny", "Tiny PLY", (".tiny.ply",), recognises, load)
    monkeypatch.setattr(registry, "FORMATS", (tiny, *FORMATS))


@pytest.mark.usefixtures("two_formats")
def test_the_first_format_that_recognises_a_file_opens_it(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(b"ply\ncomment tiny\n")
    loaded = load_scene(tmp_path / "a.ply")
    assert (loaded.format, loaded.repairs) == ("tiny", ("Made up a Gaussian.",))
    assert loaded.file_bytes == 17
    save_scene(random_scene(), tmp_path / "b.ply")
    assert load_scene(tmp_path / "b.ply").format == "ply"


@pytest.mark.usefixtures("two_formats")
def test_the_longest_ending_names_the_format_to_save_in(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Tiny PLY can be opened but not saved") as told:
        save_scene(random_scene(), tmp_path / "a.tiny.ply")
    assert "Tiny" not in told.value.hint
    save_scene(random_scene(), tmp_path / "A.PLY")
    assert load_scene(tmp_path / "A.PLY").format == "ply"


def test_what_cannot_be_opened_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "empty.ply").touch()
    for name, message in {
        "missing.ply": r"Cannot open missing\.ply: there is no such file",
        "missing/a.ply": "there is no such file",
        "empty.ply/a.ply": "there is no such file",
        ".": "it is a folder",
        "empty.ply": "it is empty",
    }.items():
        with pytest.raises(UserError, match=message):
            load_scene(tmp_path / name)


@posix
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ply")
    with pytest.raises(UserError, match="not an ordinary file"):
        load_scene(tmp_path / "pipe.ply")
    with pytest.raises(UserError, match="not an ordinary file"):
        save_scene(random_scene(), tmp_path / "pipe.ply")


@as_user
def test_missing_permissions_are_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "scene.ply"
    path.parent.mkdir()
    save_scene(random_scene(), path)
    path.chmod(0o400)
    with pytest.raises(UserError, match="write-protected"):
        save_scene(random_scene(), path)
    path.chmod(0o000)
    with pytest.raises(UserError, match="Permission denied"):
        load_scene(path)
    path.chmod(0o600)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(UserError, match="no permission to write"):
            save_scene(random_scene(), path)
    finally:
        path.parent.chmod(0o700)


def test_what_cannot_be_saved_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "folder.ply").mkdir()
    (tmp_path / "folder.ply" / "inside").touch()
    scene = random_scene()
    for name, format, message in [
        ("a.obj", None, "does not end like a scene file"),
        ("ply", None, "does not end like a scene file"),
        ("a.ply", "obj", "no format named 'obj'"),
        ("folder.ply", None, "it is a folder"),
        ("missing/a.ply", None, "there is no folder"),
        (f"{'a' * 300}.ply", None, "Cannot save"),
    ]:
        with pytest.raises(UserError, match=message):
            save_scene(scene, tmp_path / name, format)
    with pytest.raises(UserError, match="no Gaussians to save"):
        save_scene(random_scene(0), tmp_path / "a.ply")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.ply"]
    assert (tmp_path / "folder.ply" / "inside").exists()


def start_and_fail(path: Path, error: type[BaseException]) -> None:
    with replacing(path) as file:
        file.write(b"new")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_save_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.ply"
    path.write_bytes(b"old")
    with pytest.raises(error):
        start_and_fail(path, error)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_links_stay_links_and_modes_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.ply", tmp_path / "link.ply"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    scene = random_scene()
    save_scene(scene, link)
    assert link.is_symlink()
    assert same(load_scene(real).scene, scene)
    assert real.stat().st_mode & 0o777 == 0o640


@posix
def test_new_files_get_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    save_scene(random_scene(), tmp_path / "a.ply")
    assert (tmp_path / "a.ply").stat().st_mode == (tmp_path / "usual").stat().st_mode


@posix
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """The largest file the process may write stands for the space that is left."""
    save_scene(random_scene(), tmp_path / "a.ply")
    old = (tmp_path / "a.ply").read_bytes()
    script = """
import resource, sys
from core.errors import UserError
from core.formats import save_scene
from tests.core.formats_examples import random_scene

resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))
try:
    save_scene(random_scene(50_000), sys.argv[1])
except UserError as error:
    sys.exit(0 if "not enough space" in error.message else 1)
sys.exit(2)
"""
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.ply"], check=True, timeout=60)
    assert (tmp_path / "a.ply").read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ply"]


@posix
def test_a_process_killed_while_saving_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    scene = random_scene(10, 1)
    save_scene(scene, path)
    script = """
import sys
from core.formats import save_scene
from tests.core.formats_examples import random_scene

scene = random_scene(400_000, 3)
print("ready", flush=True)
save_scene(scene, sys.argv[1])
"""
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        written = stopped_while_writing(process, tmp_path)
        process.kill()
        process.wait()
        process.stdout.close()
        if 0 < written < 400_000 * 248:
            break
        save_scene(scene, path)
    else:
        pytest.fail("the process was never caught while writing")
    assert same(load_scene(path).scene, scene)
    save_scene(random_scene(30), path)
    assert len(load_scene(path).scene) == 30


def stopped_while_writing(process: subprocess.Popen[str], folder: Path) -> int:
    """Stop a process once its temporary file grows; how many bytes that has then."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for part in folder.glob("*.part"):
            if part.stat().st_size > 1 << 20:
                process.send_signal(signal.SIGSTOP)
                return part.stat().st_size if part.exists() else 0
    return 0


@pytest.mark.parametrize("count", [1, 256, 257])
@pytest.mark.parametrize("degree", [0, 3])
def test_sizes_are_known_before_a_file_is_written(tmp_path: Path, count: int, degree: int) -> None:
    scene = random_scene(count, degree, antialiased=True, columns={"a": torch.zeros(count)})
    whole = random_scene(1000, degree, antialiased=True, columns={"a": torch.zeros(1000)})
    known = [format for format in FORMATS if format.size is not None and format.size_known]
    assert [format.name for format in known] == ["ply", "compressed-ply", "splat"]
    for format in known:
        path = tmp_path / f"scene{format.suffixes[0]}"
        save_scene(scene, path)
        assert path.stat().st_size == format.size(whole, count)
