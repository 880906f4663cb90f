"""LPIPS against torchvision's layer lists and the paper's formula written out, and its files."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import UserError
from core.metrics import lpips_weights
from core.metrics.lpips import ALEX, VGG, Lpips, Net
from core.metrics.lpips_weights import find_weights, join_weights, load_lpips, missing_text

VGG_LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)
VGG_TAPS = (3, 8, 15, 22, 29)
ALEX_TAPS = (1, 4, 7, 9, 11)


def vgg_layers() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for width in VGG_LAYERS:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return layers


def alex_layers() -> list[nn.Module]:
    return [
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    ]


def random_weights(net: Net, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in net.shapes.items():
        values = torch.randn(shape, generator=generator)
        if name.startswith("lin"):
            values = values.abs()
        elif name.endswith("weight"):
            values *= (2 / np.prod(shape[1:])) ** 0.5
        weights[name] = values
    return weights


def pictures(height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    first = torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
    second = first.roll(3, dims=1)
    second[height // 3 :, : width // 2] = 40
    return first, second


def direct_lpips(
    layers: Sequence[nn.Module],
    taps: Sequence[int],
    weights: dict[str, Tensor],
    colors: list[Tensor],
) -> float:
    """All of the picture at once, in float64, with the layers of torchvision."""
    network = nn.Sequential(*layers).double()
    network.load_state_dict(
        {
            name.removeprefix("features."): tensor.double()
            for name, tensor in weights.items()
            if name.startswith("features.")
        }
    )
    shift = torch.tensor([-0.030, -0.088, -0.188]).double().reshape(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).double().reshape(3, 1, 1)
    maps: list[list[Tensor]] = []
    with torch.no_grad():
        for picture in colors:
            features = ((picture.permute(2, 0, 1) - shift) / scale)[None]
            maps.append([])
            for number, layer in enumerate(network):
                features = layer(features)
                if number in taps:
                    maps[-1].append(features[0])
    total = 0.0
    for number, (one, other) in enumerate(zip(*maps, strict=True)):
        one, other = (m / m.square().sum(0).sqrt().clamp_min(1e-10) for m in (one, other))
        head = weights[f"lin{number}.weight"].double().reshape(-1, 1, 1)
        total += float((head * (one - other).square()).sum(0).mean())
    return total


def test_alex_is_the_formula() -> None:
    weights = random_weights(ALEX)
    a, b = pictures(67, 83)
    signed = [picture.double() / 255 * 2 - 1 for picture in (a, b)]
    expected = direct_lpips(alex_layers(), ALEX_TAPS, weights, signed)
    assert expected > 0.1
    assert Lpips(ALEX, weights)(a, b) == pytest.approx(expected, rel=1e-4)


def test_vgg_is_the_formula_with_colors_as_the_papers_have_them() -> None:
    weights = random_weights(VGG)
    a, b = pictures(35, 50)
    unit = [picture.double() / 255 for picture in (a, b)]
    expected = direct_lpips(vgg_layers(), VGG_TAPS, weights, unit)
    metric = Lpips(VGG, weights)
    assert metric(a, b) == pytest.approx(expected, rel=1e-4)
    assert metric(*(picture.float() / 255 for picture in (a, b))) == pytest.approx(
        expected, rel=1e-4
    )
    assert metric.description == "VGG-16, colours from 0 to 1"
    signed = Lpips(VGG, weights, signed=True)
    assert signed.description == "VGG-16, colours from -1 to 1"
    assert signed(a, b) != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("size", [(33, 331), (331, 41)])
def test_tiles_change_nothing(size: tuple[int, int]) -> None:
    weights = random_weights(ALEX)
    a, b = pictures(*size)
    whole, cut = Lpips(ALEX, weights), Lpips(ALEX, weights, tile=32)
    assert len(whole.tiles(*size)) == 1
    assert len(cut.tiles(*size)) == 10
    assert cut(a, b) == pytest.approx(whole(a, b), rel=1e-5)


def test_vgg_tiles_change_nothing() -> None:
    weights = random_weights(VGG)
    a, b = pictures(16, 260)
    cut = Lpips(VGG, weights, tile=128)
    assert len(cut.tiles(16, 260)) == 2
    assert cut(a, b) == pytest.approx(Lpips(VGG, weights)(a, b), rel=1e-5)


def test_equal_pictures_and_small_ones() -> None:
    metric = Lpips(ALEX, random_weights(ALEX))
    a, b = pictures(31, 40)
    assert metric(a, a) == 0
    assert metric(a, b) > 0
    assert metric.fits(31, 31)
    assert not metric.fits(31, 30)
    with pytest.raises(ValueError, match="31"):
        metric(a[:30], b[:30])
    with pytest.raises(ValueError, match="same shape"):
        metric(a, b[:, 1:])


def test_the_published_example(data_dir: Path) -> None:
    """With SPLATSCOPE_DATA only."""
    folder = data_dir / "lpips"
    metric = load_lpips(folder / "lpips_alexnet_v0.1.npz")
    assert metric.net is ALEX
    reference, first, second = (
        torch.from_numpy(np.array(Image.open(folder / name).convert("RGB")))
        for name in ("ex_ref.png", "ex_p0.png", "ex_p1.png")
    )
    assert metric(reference, first) == pytest.approx(0.7219, abs=1e-4)
    assert metric(reference, second) == pytest.approx(0.1376, abs=1e-4)


# Files


def arrays() -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in random_weights(ALEX).items()}


def test_both_kinds_of_file_are_read(tmp_path: Path) -> None:
    a, b = pictures(40, 40)
    expected = Lpips(ALEX, random_weights(ALEX))(a, b)
    np.savez(tmp_path / "w.npz", **arrays())
    assert load_lpips(tmp_path / "w.npz")(a, b) == expected
    save_file(random_weights(ALEX), tmp_path / "w.safetensors")
    assert load_lpips(tmp_path / "w.safetensors")(a, b) == expected


def hostile(path: Path, kind: str) -> None:
    """A file that is not what it says."""
    values = arrays()
    if kind == "missing":
        del values["lin3.weight"]
    elif kind == "shape":
        values["features.3.weight"] = values["features.3.weight"][:, :5]
    elif kind == "pickled":
        values["lin0.weight"] = np.array([print] * 64, object).reshape(1, 64, 1, 1)
    np.savez(path, **values)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:100_000])
    elif kind == "junk":
        path.write_bytes(b"PK\3\4" + bytes(500))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "huge":
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**9)}
        )
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("features.0.weight.npy", header.getvalue())
    elif kind == "lying":
        with zipfile.ZipFile(path, "w") as file:
            for name, value in values.items():
                stream = io.BytesIO()
                np.save(stream, value)
                file.writestr(
                    f"{name}.npy", stream.getvalue()[: -4 * (name == "lin4.weight") or None]
                )
    elif kind == "header":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(
                "features.0.weight.npy", b"\x93NUMPY\1\0\x20\0{'descr': __import__('os')}   "
            )


@pytest.mark.parametrize(
    "kind",
    ["missing", "shape", "pickled", "truncated", "junk", "empty", "huge", "lying", "header"],
)
def test_files_that_are_not_right_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.npz"
    hostile(path, kind)
    with pytest.raises(UserError) as caught:
        load_lpips(path)
    assert "w.npz" in caught.value.message
    assert "lpips-weights" in caught.value.hint


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("w.txt", b"x"), ("w.safetensors", b"\xff" * 64), ("w.pth", b"x" * 64)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError):
            load_lpips(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        load_lpips(tmp_path / "none.npz")
    np.savez(tmp_path / "w.npz", **arrays())
    monkeypatch.setattr(lpips_weights, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match="too large"):
        load_lpips(tmp_path / "w.npz")


def test_which_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips_weights, "weights_folder", lambda: tmp_path / "lpips")
    monkeypatch.delenv("SPLATSCOPE_LPIPS", raising=False)
    assert find_weights() is None
    assert "lpips-weights" in missing_text()
    (tmp_path / "lpips").mkdir()
    for name in ("alex.npz", "notes.txt", "vgg.safetensors"):
        (tmp_path / "lpips" / name).touch()
    assert find_weights() == tmp_path / "lpips" / "vgg.safetensors"
    monkeypatch.setenv("SPLATSCOPE_LPIPS", str(tmp_path / "named.npz"))
    assert find_weights() == tmp_path / "named.npz"
    assert find_weights(tmp_path / "given.npz") == tmp_path / "given.npz"


def test_weights_are_joined_from_the_files_people_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lpips_weights, "weights_folder", lambda: tmp_path / "cache" / "lpips")
    weights = random_weights(ALEX)
    trunk = {name: w for name, w in weights.items() if name.startswith("features.")}
    torch.save({**trunk, "classifier.1.weight": torch.zeros(3, 2)}, tmp_path / "alexnet.pth")
    heads = {f"lin{n}.model.1.weight": weights[f"lin{n}.weight"] for n in range(5)}
    torch.save(heads, tmp_path / "alex.pth")
    written, net = join_weights([tmp_path / "alexnet.pth", tmp_path / "alex.pth"])
    assert net is ALEX
    assert written == find_weights() == tmp_path / "cache" / "lpips" / "alex.safetensors"
    a, b = pictures(40, 40)
    assert load_lpips(written)(a, b) == Lpips(ALEX, weights)(a, b)
    with pytest.raises(UserError, match="do not make"):
        join_weights([tmp_path / "alex.pth"])


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def test_torch_files_run_nothing(tmp_path: Path) -> None:
    torch.save({"features.0.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"evil\.pth cannot be read"):
        join_weights([tmp_path / "evil.pth"])
