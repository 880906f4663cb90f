"""SOG: pixels spelled out from the description, losses, folders, and damaged files."""

import io
import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import UserError
from core.formats import check_output, find_scene, load_scene, save_scene
from core.scene import GaussianScene
from tests.core.formats_examples import opens, random_scene
from tests.core.test_formats_spz import MEMORY_LIMIT, close, refusal, up_to_sign

Files = dict[str, bytes]
HALF = math.sqrt(0.5)
RAMP = [i / 16 - 8 for i in range(256)]
"""A codebook: entry 128 is 0, 144 is 1."""


def webp(rows: list[list[int]], width: int = 4, height: int = 4) -> bytes:
    """A picture of ``width x height`` that starts with these pixels; the rest is zero."""
    pixels = np.zeros((width * height, len(rows[0])), np.uint8)
    pixels[: len(rows)] = rows
    stream = io.BytesIO()
    Image.fromarray(pixels.reshape(height, width, -1)).save(
        stream, "WEBP", lossless=True, exact=True
    )
    return stream.getvalue()


def three() -> Files:
    """Three Gaussians of version 2 with harmonics of degree 1."""
    tail = 65535 // 3
    meta = {
        "version": 2,
        "model": "antialiased",
        "count": 3,
        "means": {
            "mins": [-math.log(3), 0, -1],
            "maxs": [math.log(3), 3, 2],
            "files": ["means_l.webp", "means_u.webp"],
        },
        "scales": {"codebook": RAMP, "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": RAMP, "files": ["sh0.webp"]},
        "shN": {
            "count": 66,
            "bands": 1,
            "codebook": RAMP,
            "files": ["shN_centroids.webp", "labels.webp"],
        },
    }
    whole = np.array([[0, 0, tail], [65535, tail, tail], [65535, 65535, 65535]])
    palette = [[128, 128, 128]] * (64 * 3 * 2)
    palette[3:6] = [[144, 128, 112], [128, 144, 128], [127, 128, 129]]
    palette[64 * 3 + 3] = [255, 0, 128]
    return {
        "means_l.webp": webp((whole & 255).tolist()),
        "means_u.webp": webp((whole >> 8).tolist()),
        "scales.webp": webp([[128, 144, 0], [0, 1, 2], [64, 64, 64]]),
        # 127.5 stands for zero, 255 for sqrt(1/2); alpha tells which of w x y z is left out
        "quats.webp": webp([[255, 127, 128, 252], [128, 128, 0, 253], [0, 127, 127, 255]]),
        "sh0.webp": webp([[144, 128, 112, 51], [0, 0, 0, 0], [255, 255, 255, 255]]),
        "shN_centroids.webp": webp(palette, 192, 2),
        "labels.webp": webp([[1, 0, 0], [0, 0, 0], [65, 0, 0]]),
        "meta.json": json.dumps(meta).encode(),
    }


def changed(files: Files, change: Callable[[dict[str, object]], object]) -> Files:
    """The files with a changed description."""
    meta = json.loads(files["meta.json"])
    change(meta)
    return {**files, "meta.json": json.dumps(meta).encode()}


def zipped(files: Files, method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return stream.getvalue()


def unzipped(path: Path) -> Files:
    with zipfile.ZipFile(path) as bundle:
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in bundle.infolist())
        return {name: bundle.read(name) for name in bundle.namelist()}


def placed(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def check_three(scene: GaussianScene) -> None:
    assert scene.antialiased
    assert close(scene.means, [[-2, 0, 0], [2, math.e - 1, 0], [2, math.e**3 - 1, math.e**2 - 1]])
    assert close(scene.log_scales, [[0, 1, -8], [-8, -7.9375, -7.875], [-4, -4, -4]])
    quats = torch.tensor([[HALF, HALF, 0, 0], [0, HALF, 0, -HALF], [-HALF, 0, 0, HALF]])
    assert up_to_sign(scene.quats, quats).max() < 0.006
    assert close(scene.opacities(), [0.2, 0, 1])
    assert scene.opacity_logits.isfinite().all()
    assert close(scene.sh[:, 0], [[1, 0, -1], [-8, -8, -8], [7.9375, 7.9375, 7.9375]])
    assert close(scene.sh[0, 1:], [[1, 0, -1], [0, 1, 0], [-1 / 16, 0, 1 / 16]])
    assert close(scene.sh[1, 1:], torch.zeros(3, 3))
    assert close(scene.sh[2, 1:], [[7.9375, -8, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_bundle_is_read_as_described(method: int, tmp_path: Path) -> None:
    (tmp_path / "named.bin").write_bytes(zipped(three(), method))
    loaded = load_scene(tmp_path / "named.bin")
    assert (loaded.format, loaded.repairs) == ("sog", ())
    check_three(loaded.scene)


def test_a_folder_opens_by_its_description(tmp_path: Path) -> None:
    folder = placed(tmp_path / "folder", three())
    for path in (folder, folder / "meta.json"):
        loaded = load_scene(path)
        assert loaded.format == "sog-folder"
        assert loaded.file_bytes == sum(map(len, three().values()))
        check_three(loaded.scene)
    assert find_scene(tmp_path) == folder / "meta.json"


def test_version_1_steps_between_two_ends(tmp_path: Path) -> None:
    ends = {"mins": [0, 0, -1], "maxs": [1, 3, 2]}
    meta = {
        "means": {"shape": [2, 3], **ends, "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"shape": [2, 3], "mins": [-9] * 3, "maxs": [-4] * 3, "files": ["scales.webp"]},
        "quats": {"shape": [2, 4], "encoding": "quaternion_packed", "files": ["quats.webp"]},
        "sh0": {
            "shape": [2, 1, 4],
            "mins": [-1, -1, -1, -3],
            "maxs": [1.55, 1.55, 1.55, 2.1],
            "files": ["sh0.webp"],
        },
        "shN": {
            "shape": [2, 3],
            "mins": -1,
            "maxs": 1.55,
            "quantization": 8,
            "files": ["shN_centroids.webp", "labels.webp"],
        },
    }
    files = {**three(), "meta.json": json.dumps(meta).encode()}
    scene = load_scene(placed(tmp_path, files)).scene
    assert (len(scene), scene.sh_degree, scene.antialiased) == (2, 1, False)
    assert close(scene.means, [[0, 0, 0], [math.e - 1, math.e - 1, 0]])
    assert close(scene.log_scales[0], [-9 + 5 * v / 255 for v in (128, 144, 0)])
    assert close(scene.opacity_logits, [-3 + 5.1 * 51 / 255, -3])
    assert close(scene.sh[0, 0], [0.44, 0.28, 0.12])
    assert close(scene.sh[0, 1], [0.44, 0.28, 0.12])


def test_a_missing_first_entry_of_a_codebook_is_filled_in(tmp_path: Path) -> None:
    files = changed(three(), lambda meta: meta["scales"]["codebook"].__setitem__(0, None))
    scene = load_scene(placed(tmp_path, files)).scene
    assert close(scene.log_scales[1], [RAMP[1] - 254 / 16 / 255, RAMP[1], RAMP[2]])


def matched(scene: GaussianScene, back: GaussianScene) -> GaussianScene:
    """The Gaussians of ``back`` in the order of those of ``scene``, by nearest position."""
    return back.select(torch.cdist(scene.means, back.means).argmin(1))


@pytest.mark.parametrize(
    ("count", "degree"), [(1, 0), (1, 3), (17, 1), (300, 0), (300, 1), (300, 2), (300, 3)]
)
def test_what_is_lost_is_bounded(count: int, degree: int, tmp_path: Path) -> None:
    scene = random_scene(count, degree, antialiased=degree == 2)
    save_scene(scene, tmp_path / "a.sog")
    loaded = load_scene(tmp_path / "a.sog")
    assert (loaded.format, loaded.repairs) == ("sog", ())
    back = matched(scene, loaded.scene)
    assert (len(back), back.sh_degree, back.antialiased) == (count, degree, degree == 2)
    assert close(back.means, scene.means, 1e-3)
    assert close(back.log_scales, scene.log_scales, 0.3)
    assert (back.log_scales - scene.log_scales).square().mean().sqrt() < 0.02
    assert up_to_sign(back.quats, scene.quats).max() < 0.006
    assert close(back.opacities(), scene.opacities(), 0.5 / 255 + 1e-6)
    assert (back.sh - scene.sh).square().mean().sqrt() < 0.02


def test_more_sets_than_the_palette_holds_are_gathered(tmp_path: Path) -> None:
    scene = random_scene(2000, 1)
    kinds = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(2))
    sh = scene.sh.clone()
    noise = 0.02 * scene.sh[:, 1:]
    sh[:, 1:] = kinds[torch.arange(2000) % 5] + noise
    scene = replace(scene, sh=sh)
    save_scene(scene, tmp_path / "a.sog")
    meta = json.loads(unzipped(tmp_path / "a.sog")["meta.json"])
    assert 512 < meta["shN"]["count"] <= 1024
    back = matched(scene, load_scene(tmp_path / "a.sog").scene)
    error = (back.sh[:, 1:] - sh[:, 1:]).square().mean()
    assert error < 0.5 * noise.square().mean()


def test_the_files_are_laid_out_as_described(tmp_path: Path) -> None:
    scene = random_scene(70, 1, antialiased=True)
    save_scene(scene, tmp_path / "a.sog")
    files = unzipped(tmp_path / "a.sog")
    meta = json.loads(files["meta.json"])
    assert list(files)[-1] == "meta.json"
    assert (meta["version"], meta["count"], meta["model"]) == (2, 70, "antialiased")
    assert (meta["shN"]["bands"], meta["shN"]["count"]) == (1, 70)
    sizes = {}
    for name, content in files.items():
        if name != "meta.json":
            assert content[12:16] == b"VP8L"
            sizes[name] = Image.open(io.BytesIO(content)).size
    assert sizes.pop("shN_centroids.webp") == (192, 2)
    assert set(sizes.values()) == {(12, 8)}
    for section in ("scales", "sh0", "shN"):
        assert len(meta[section]["codebook"]) == 256
        assert meta[section]["codebook"] == sorted(meta[section]["codebook"])
    assert meta["means"]["mins"][0] == pytest.approx(
        float((scene.means.sign() * scene.means.abs().log1p())[:, 0].min())
    )


def test_the_colour_of_what_is_fully_transparent_is_kept(tmp_path: Path) -> None:
    scene = random_scene(50, 0)
    scene = replace(scene, opacity_logits=torch.full((50,), -30.0))
    save_scene(scene, tmp_path / "a.sog")
    back = matched(scene, load_scene(tmp_path / "a.sog").scene)
    assert close(back.sh, scene.sh, 0.05)
    assert close(back.opacities(), torch.zeros(50))


def test_far_positions_keep_their_places(tmp_path: Path) -> None:
    scene = random_scene(50, 0)
    means = scene.means.clone()
    means[3] = torch.tensor([-1e18, 1e6, 0])
    save_scene(replace(scene, means=means), tmp_path / "a.sog")
    back = load_scene(tmp_path / "a.sog").scene.means
    assert back[:, 0].min() == pytest.approx(-1e18, rel=1e-3)
    assert back[:, 1].max() == pytest.approx(1e6, rel=1e-3)
    assert close(back[:, 2].sort().values, means[:, 2].sort().values, 1e-3)


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.sog", "b.sog"):
        save_scene(random_scene(1500, 1), tmp_path / name)
    assert (tmp_path / "a.sog").read_bytes() == (tmp_path / "b.sog").read_bytes()


def test_a_folder_is_written_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    for count in (5, 7):
        save_scene(random_scene(count, 1), path)
        assert len(load_scene(path).scene) == count
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "means_l.webp",
        "means_u.webp",
        "meta.json",
        "quats.webp",
        "scales.webp",
        "sh0.webp",
        "shN_centroids.webp",
        "shN_labels.webp",
    ]


@pytest.mark.parametrize("name", ["meta.json", "quats.webp", "photo.webp"])
def test_the_files_of_others_are_not_written_over(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"frames": []}')
    with pytest.raises(UserError, match="other files"):
        save_scene(random_scene(5, 1), tmp_path / "meta.json")
    with pytest.raises(UserError, match="other files"):
        check_output(tmp_path / "meta.json")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == '{"frames": []}'


def test_a_folder_needs_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="several files"):
        save_scene(random_scene(5, 1), tmp_path / "scene.json", "sog-folder")
    with pytest.raises(UserError, match="does not end like"):
        save_scene(random_scene(5, 1), tmp_path / "my_meta.json")


def test_nothing_is_left_of_a_folder_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_scene(random_scene(5, 1), tmp_path / "meta.json")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "quats.webp").unlink()
    (tmp_path / "quats.webp").mkdir()
    with pytest.raises(UserError, match="it is a folder"):
        save_scene(random_scene(9, 1), tmp_path / "meta.json")
    for name in before.keys() - {"quats.webp"}:
        assert (tmp_path / name).read_bytes() == before[name]
    assert {file.name for file in tmp_path.iterdir()} == before.keys()


def test_other_json_and_zip_files_are_no_scenes(tmp_path: Path) -> None:
    for content in (b'{"frames": []}', b'{"version": 2, "count": 3}'):
        (tmp_path / "meta.json").write_bytes(content)
        with pytest.raises(UserError, match="There is no scene"):
            find_scene(tmp_path)
    assert "no known format" in refusal(tmp_path / "a.sog", zipped({"text.txt": b"hello"}))


def bomb(side: int) -> bytes:
    """The start of a lossless picture of ``side x side`` pixels."""
    body = b"\x2f" + (side - 1 | (side - 1) << 14).to_bytes(4, "little") + bytes(50)
    chunk = b"VP8L" + len(body).to_bytes(4, "little") + body
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk


def set_files(section: str, *names: str) -> Callable[[dict[str, object]], object]:
    return lambda meta: meta[section].update(files=list(names))


def test_what_is_missing_or_too_large_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.sog"
    files = three()
    outside = placed(tmp_path / "outside", {"secret.webp": files["quats.webp"]})
    for change, message in {
        set_files("quats", "../outside/secret.webp"): "no plain file name",
        set_files("quats", str(outside / "secret.webp")): "no plain file name",
        set_files("quats", "other.webp"): "missing",
        set_files("quats"): r"quats\.files",
        (lambda meta: meta.update(version=3)): "version 3",
        (lambda meta: meta.update(count=17)): "too few pixels",
        (lambda meta: meta.update(count=2**31)): "too few",
        (lambda meta: meta.update(count=-1)): "count",
        (lambda meta: meta.update(count=1.5)): "count",
        (lambda meta: meta["means"].update(mins=[0, 1])): r"means\.mins",
        (lambda meta: meta["means"].update(mins=[0, 1, math.nan])): r"means\.mins",
        (lambda meta: meta["means"].update(maxs=[0, 1, 10**400])): r"means\.maxs",
        (lambda meta: meta["sh0"].update(codebook=[0.5])): "codebook",
        (lambda meta: meta["sh0"].update(codebook=["a"] * 256)): "codebook",
        (lambda meta: meta.pop("scales")): r"scales\.files",
    }.items():
        content = changed(files, change)
        path.write_bytes(zipped(content))
        with pytest.raises(UserError, match=message) as told:
            load_scene(path)
        assert told.value.hint
    labels = webp([[0, 1, 0]])
    for name, content, message in (
        ("quats.webp", bomb(16000), "too many"),
        ("shN_centroids.webp", bomb(16000), "too many"),
        ("quats.webp", bomb(4), "damaged"),
        ("quats.webp", b"RIFF", "no WebP"),
        ("quats.webp", webp([[0, 0, 0, 3]]), "rotations"),
        ("quats.webp", bytes(1 << 20), "too large"),
        ("meta.json", bytes(2 << 20), "too large"),
        ("meta.json", b"[" * 100_000, "JSON"),
        ("meta.json", b"[]", "content"),
        ("shN_centroids.webp", webp([[0, 0, 0]], 100, 4), "width"),
        ("labels.webp", labels, "beyond"),
    ):
        assert message in refusal(path, zipped({**files, name: content}))


def test_a_bundle_that_unpacks_without_end_is_stopped(tmp_path: Path) -> None:
    content = zipped({**three(), "scales.webp": bytes(50 << 20)}, zipfile.ZIP_DEFLATED)
    assert len(content) < 100_000
    assert "too large" in refusal(tmp_path / "a.sog", content)


@pytest.mark.parametrize("in_picture", [False, True])
def test_damaged_files_open_or_are_refused(in_picture: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.sog"
    files = three()
    intact = zipped(files)
    random = np.random.default_rng(1)
    names = sorted(files)
    refused = 0
    for trial in range(250):
        name = names[trial % len(names)]
        content = bytearray(files[name] if in_picture else intact)
        if trial % 5 == 0:
            del content[int(random.integers(4, len(content))) :]
        else:
            for where in random.integers(0, len(content), 1 + trial % 3):
                content[where] = random.integers(256)
        damaged = bytes(content)
        path.write_bytes(zipped({**files, name: damaged}) if in_picture else damaged)
        refused += not opens(path, MEMORY_LIMIT)
    assert refused > 75


def test_colours_of_a_palette_stay_when_they_are_saved_again(tmp_path: Path) -> None:
    scene = random_scene(3000, 2)
    sets = scene.sh[:700, 1:][
        torch.randint(700, (3000,), generator=torch.Generator().manual_seed(1))
    ]
    scene = replace(scene, sh=torch.cat([scene.sh[:, :1], sets], 1))
    save_scene(scene, tmp_path / "a.sog")
    first = load_scene(tmp_path / "a.sog").scene
    save_scene(first, tmp_path / "b.sog")
    assert torch.equal(load_scene(tmp_path / "b.sog").scene.sh, first.sh)
