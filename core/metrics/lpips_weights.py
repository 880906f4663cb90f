"""Weights of LPIPS: found, read and put together. They are not part of the program.

A file holds float arrays under torchvision's names of the network's layers (``features.0.weight``)
and ``lin0.weight`` to ``lin4.weight``, the heads; it is a ``.npz`` or a ``.safetensors``.
"""

import math
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from platformdirs import user_cache_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from core.errors import UserError
from core.files import replacing
from core.metrics.lpips import NETS, Lpips, Net

VARIABLE = "SPLATSCOPE_LPIPS"
SUFFIXES = (".safetensors", ".npz")
TORCH_SUFFIXES = (".pth", ".pt")
MAX_BYTES = 2**30
_FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
_LPIPS_HEAD = ".model.1.weight"
"""What the lpips package's names of the heads end in."""
_HINT = (
    "Give a .npz or .safetensors file of AlexNet or VGG-16 with LPIPS heads, as "
    "splatscope lpips-weights makes it."
)

Arrays = dict[str, tuple[tuple[int, ...], Callable[[], Tensor]]]
"""Shape of every float array of a file by its name, and what reads it as float32."""


def weights_folder() -> Path:
    """Where files of weights are looked for."""
    return user_cache_path("splatscope", appauthor=False) / "lpips"


def missing_text() -> str:
    """How to get the weights, where there are none."""
    return (
        "LPIPS is not measured: its weights come apart from Splatscope. Make them of two files, "
        "torchvision's vgg16-397923af.pth and the lpips package's weights/v0.1/vgg.pth, by "
        "splatscope lpips-weights FILE FILE."
    )


def find_weights(path: Path | None = None) -> Path | None:
    """The file of weights to use: ``path``, else what ``SPLATSCOPE_LPIPS`` names, else the first
    in :func:`weights_folder`, VGG before others; None where there is none.
    """
    if path is not None:
        return path
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    folder = weights_folder()
    known = [file for file in folder.glob("*") if file.suffix in SUFFIXES and file.is_file()]
    return min(known, key=lambda file: ("vgg" not in file.name, file.name), default=None)


def load_lpips(path: Path) -> Lpips:
    """Read the weights of one network.

    Raises
    ------
    UserError
        If the file is no such file, or arrays are missing or of other shapes.
    """
    with _opened(path) as arrays:
        net = _net_of({name: shape for name, (shape, _) in arrays.items()})
        if net is None:
            raise UserError(f"{path} does not hold the weights of LPIPS.", _HINT)
        return Lpips(net, {name: arrays[name][1]() for name in net.shapes})


def join_weights(sources: Sequence[Path], output: Path | None = None) -> tuple[Path, Net]:
    """Put a network and its heads from several files into one, by default where it is found.

    Sources may also be torch files: torchvision's network and the lpips package's heads. Nothing
    but tensors is unpickled from them.

    Returns
    -------
    tuple
        The file that was written, and which network it holds.

    Raises
    ------
    UserError
        If a source cannot be read, or they do not make a whole.
    """
    needed = {item for net in NETS for item in net.shapes.items()}
    tensors: dict[str, Tensor] = {}
    for source in sources:
        with _opened(source) as arrays:
            for known, (shape, read) in arrays.items():
                name = _usual_name(known)
                if (name, shape) in needed:
                    tensors[name] = read()
    net = _net_of({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    if net is None:
        raise UserError(
            "These files do not make the weights of LPIPS.",
            "Give torchvision's VGG-16 (or AlexNet) and the lpips package's vgg.pth (or alex.pth).",
        )
    if output is None:
        output = weights_folder() / f"{net.name}.safetensors"
        _make_folder(output.parent)
    with replacing(output) as file:
        file.write(save({name: tensors[name] for name in net.shapes}))
    return output, net


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be made.", "Name another file by -o."
        ) from error


def _usual_name(name: str) -> str:
    """A name as in our files."""
    return f"{name[:4]}.weight" if name.endswith(_LPIPS_HEAD) else name


def _net_of(shapes: Mapping[str, tuple[int, ...]]) -> Net | None:
    return next((net for net in NETS if net.shapes.items() <= shapes.items()), None)


@contextmanager
def _opened(path: Path) -> Iterator[Arrays]:
    """The arrays of a file; what its reader complains of is told as a person can act on it."""
    readers = {".npz": _npz_arrays, ".safetensors": _safetensors_arrays}
    readers |= dict.fromkeys(TORCH_SUFFIXES, _torch_arrays)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} is no file of weights.", _HINT)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is too large to be the weights of LPIPS.", _HINT)
        with reader(path) as arrays:
            yield arrays
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist.", _HINT) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        RuntimeError,
        EOFError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        raise UserError(f"{path} cannot be read as weights: {_first_line(error)}", _HINT) from error


@contextmanager
def _npz_arrays(path: Path) -> Iterator[Arrays]:
    """By their headers; objects, which would have to be unpickled, are left out."""
    with zipfile.ZipFile(path) as file:
        arrays: Arrays = {}
        for entry in file.infolist():
            if not entry.filename.startswith(("features.", "lin")):
                continue
            with file.open(entry) as stream:
                shape, dtype = _npy_header(stream)
            if dtype.kind == "f" and math.prod(shape) * dtype.itemsize < entry.file_size:
                name = entry.filename.removesuffix(".npy")
                arrays[name] = shape, partial(_npy_tensor, file, entry)
        yield arrays


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"arrays of version {version} are not known")
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return shape, dtype


def _npy_tensor(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Tensor:
    with file.open(entry) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


@contextmanager
def _safetensors_arrays(path: Path) -> Iterator[Arrays]:
    with safe_open(path, framework="pt") as file:
        arrays: Arrays = {}
        for name in list(file.keys()):
            entry = file.get_slice(name)
            if entry.get_dtype() in _FLOATS:
                arrays[name] = tuple(entry.get_shape()), partial(_safe_tensor, file, name)
        yield arrays


def _safe_tensor(file: Any, name: str) -> Tensor:
    tensor: Tensor = file.get_tensor(name).float()
    return tensor


@contextmanager
def _torch_arrays(path: Path) -> Iterator[Arrays]:
    """Torch's own files, through its unpickler that makes nothing but tensors."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if sum(entry.file_size for entry in file.infolist()) > MAX_BYTES:
                raise ValueError("it is too large unpacked")
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(tensors, dict):
        raise ValueError("it holds no named tensors")
    yield {
        name: (tuple(tensor.shape), tensor.float)
        for name, tensor in tensors.items()
        if isinstance(name, str) and isinstance(tensor, Tensor) and tensor.is_floating_point()
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
