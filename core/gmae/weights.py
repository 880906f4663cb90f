"""Models on disk: safetensors with the configuration in the metadata; nothing is unpickled."""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from core.errors import UserError
from core.files import replacing
from core.gmae.config import MAX_PARAMETERS, parse_config
from core.gmae.model import GaussianAutoencoder

FORMAT = "gmae-v1"
_MAX_HEADER = 4 * 1024**2
_MAE_BLOCK = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "attn.qkv.weight": "self_attn.in_proj_weight",
    "attn.qkv.bias": "self_attn.in_proj_bias",
    "attn.proj.weight": "self_attn.out_proj.weight",
    "attn.proj.bias": "self_attn.out_proj.bias",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "mlp.fc1.weight": "linear1.weight",
    "mlp.fc1.bias": "linear1.bias",
    "mlp.fc2.weight": "linear2.weight",
    "mlp.fc2.bias": "linear2.bias",
}
"""Names of a block in MAE's and timm's vision transformers, and in torch's own."""


def save_model(
    model: GaussianAutoencoder, path: Path, notes: Mapping[str, str | float | int] | None = None
) -> None:
    """Write a model with its configuration; ``notes`` is what else should be known of it."""
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()
    }
    metadata = {"format": FORMAT, **model.config.texts(), "notes": json.dumps(dict(notes or {}))}
    with replacing(path) as file:
        file.write(save(tensors, metadata))


def load_model(path: Path) -> tuple[GaussianAutoencoder, dict[str, Any]]:
    """A model and its notes.

    Raises
    ------
    UserError
        If the file is missing, damaged, or not a model of this kind.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise UserError(
                f"{path.name} is no Gaussian masked autoencoder.",
                f"Its metadata should say format {FORMAT}.",
            )
        config = parse_config(metadata)
        with torch.device("meta"):
            expected = GaussianAutoencoder(config).state_dict()
        names = set(file.keys())
        for name in sorted(names ^ set(expected)):
            problem = "is missing" if name in expected else "does not belong"
            raise UserError(f"In {path.name} {name[:80]} {problem}.", "The file is damaged.")
        for name, tensor in expected.items():
            _check_tensor(file, path, name, tuple(tensor.shape))
        model = GaussianAutoencoder(config)
        state = {name: file.get_tensor(name) for name in expected}
    for name, tensor in state.items():
        if not bool(tensor.isfinite().all()):
            raise UserError(f"In {path.name} {name} is not finite.", "The file is damaged.")
    model.load_state_dict(state)
    return model.eval(), _notes(metadata.get("notes", ""))


def load_mae_encoder(model: GaussianAutoencoder, path: Path) -> None:
    """Start a model's encoder from a public MAE vision transformer: safetensors, MAE's names.

    A prefix such as ``encoder.`` or ``vit.`` before all names is allowed; positions are fixed in
    both, and what is not of the encoder is left out.

    Raises
    ------
    UserError
        If the file is damaged or its encoder is of another size.
    """
    config = model.config
    with _opened(path) as file:
        names = set(file.keys())
        end = "patch_embed.proj.weight"
        prefix = next((name[: -len(end)] for name in sorted(names) if name.endswith(end)), None)
        if prefix is None:
            raise UserError(f"{path.name} holds no vision transformer with MAE's names.")
        wanted = {
            "patch_embed.proj.weight": "embed.weight",
            "patch_embed.proj.bias": "embed.bias",
            "cls_token": "class_token",
            "norm.weight": "encoder.norm.weight",
            "norm.bias": "encoder.norm.bias",
        }
        for block in range(config.encoder_depth):
            for theirs, ours in _MAE_BLOCK.items():
                wanted[f"blocks.{block}.{theirs}"] = f"encoder.layers.{block}.{ours}"
        if f"{prefix}blocks.{config.encoder_depth}.norm1.weight" in names:
            raise UserError(f"The encoder in {path.name} has more blocks than the model.")
        own = model.state_dict()
        loaded: dict[str, Tensor] = {}
        for theirs, ours in wanted.items():
            shape = tuple(own[ours].shape)
            if ours == "embed.weight":
                shape = (shape[0], 3, config.patch, config.patch)
            if prefix + theirs not in names:
                raise UserError(f"In {path.name} {prefix + theirs} is missing.")
            _check_tensor(file, path, prefix + theirs, shape, exact=False)
            value = file.get_tensor(prefix + theirs).float()
            if not bool(value.isfinite().all()):
                raise UserError(f"In {path.name} {theirs} is not finite.", "The file is damaged.")
            loaded[ours] = value.reshape(own[ours].shape)
    model.load_state_dict(loaded, strict=False)


def _check_tensor(
    file: Any, path: Path, name: str, shape: tuple[int, ...], exact: bool = True
) -> None:
    """Refuse another shape or type before a tensor is read; ``exact`` is float32 alone."""
    part = file.get_slice(name)
    found = tuple(part.get_shape())
    kinds = ("F32",) if exact else ("F32", "F16", "BF16")
    if found != shape or part.get_dtype() not in kinds:
        raise UserError(
            f"In {path.name} {name[:80]} is {part.get_dtype()} {found}, not {kinds[0]} {shape}.",
            "The file is damaged, or of a model of another size.",
        )


def _notes(text: str) -> dict[str, Any]:
    try:
        notes = json.loads(text)
    except ValueError:
        return {}
    return notes if isinstance(notes, dict) else {}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file, its size and header bounded first."""
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            start = raw.read(8)
        header = struct.unpack("<Q", start)[0] if len(start) == 8 else math.inf
        if header > min(_MAX_HEADER, size):
            raise UserError(f"{path.name} is no safetensors file.", "Choose another file.")
        if size > 4 * MAX_PARAMETERS + _MAX_HEADER:
            raise UserError(f"{path.name} is too large for a model.", "Choose another file.")
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise UserError(f"{path.name} is damaged: {error}.", "Choose another file.") from error
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror or error}.") from error
