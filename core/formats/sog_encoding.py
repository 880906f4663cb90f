"""Writing SOG version 2: quantised values as the pixels of lossless pictures."""

import json
import math
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.formats.codebooks import line_codebook, nearest, palette
from core.formats.quantised import Bytes, Floats, opacity_bytes, smallest_three
from core.formats.sog_meta import ENTRIES
from core.formats.webp import write_pixels
from core.morton import morton_codes
from core.scene import GaussianScene

META = "meta.json"
PALETTE_ROW = 64
"""Entries of the palette in a row of its picture."""
LARGEST_PALETTE = 64
"""In 1024 entries: labels have two bytes."""
QUATERNION_TAG = 252
"""Of a quaternion's alpha, whose last two bits tell the component that is left out."""
GENERATOR = "splatscope"
_BLOCK = 4
_DATE = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644 << 16


def save(scene: GaussianScene, file: BinaryIO) -> None:
    """Write a ZIP; entries are stored, as some readers cannot inflate.

    Gaussians are put in Morton order. ``columns`` are dropped; what values become is in ``parts``.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in parts(scene).items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = _FILE_MODE
            bundle.writestr(entry, content)


def morton_order_of(scene: GaussianScene) -> NDArray[np.intp]:
    """Indices of the Gaussians as they stand in the files: in Morton order of their places."""
    return np.argsort(morton_codes(_places(scene)[0]), kind="stable")


def parts(scene: GaussianScene) -> dict[str, bytes]:
    """The files of a scene by name, ``meta.json`` last.

    Positions become 16 bits of their logarithm between the scene's ends; log scales and the
    constant colour the nearest of 256 values, found for the scene; higher harmonics the nearest of
    up to 65,536 sets.
    """
    scene = scene.to("cpu")
    whole, mins, maxs = _places(scene)
    order = morton_order_of(scene)
    whole = whole[order]
    log_scales = scene.log_scales.detach().numpy()[order]
    sh = scene.sh.detach().numpy()[order]
    scale_book, color_book = (line_codebook(v, ENTRIES) for v in (log_scales, sh[:, 0]))
    alphas = opacity_bytes(scene.opacity_logits.detach().numpy()[order])[:, None]
    pixels = {
        "means_l": (whole & 255).astype(np.uint8),
        "means_u": (whole >> 8).astype(np.uint8),
        "quats": _rotation_pixels(scene.quats.detach().numpy()[order]),
        "scales": nearest(log_scales, scale_book),
        "sh0": np.concatenate([nearest(sh[:, 0], color_book), alphas], axis=1),
    }
    files = {f"{name}.webp": write_pixels(_picture(rows)) for name, rows in pixels.items()}
    meta: dict[str, object] = {
        "version": 2,
        "asset": {"generator": GENERATOR},
        **({"model": "antialiased"} if scene.antialiased else {}),
        "count": len(scene),
        "means": {
            "mins": mins.tolist(),
            "maxs": maxs.tolist(),
            "files": ["means_l.webp", "means_u.webp"],
        },
        "scales": {"codebook": scale_book.tolist(), "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": color_book.tolist(), "files": ["sh0.webp"]},
    }
    if scene.sh_degree:
        higher, described = _palette_files(sh[:, 1:])
        files |= higher
        meta["shN"] = described
    files[META] = json.dumps(meta, separators=(",", ":")).encode()
    return files


def _places(
    scene: GaussianScene,
) -> tuple[NDArray[np.uint16], NDArray[np.float64], NDArray[np.float64]]:
    """Positions in 65536 steps ``(N, 3)`` of their logarithms, and what the first and last is."""
    logarithms, mins, maxs = _signed_logarithms(scene.means.detach().cpu().numpy())
    whole = np.rint(65535 * (logarithms - mins) / np.where(maxs > mins, maxs - mins, 1))
    return whole.astype(np.uint16), mins, maxs


def _signed_logarithms(
    means: Floats,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """``sign(p) ln(1 + |p|)`` and its smallest and largest values by axis."""
    logarithms = np.sign(means) * np.log1p(np.abs(means.astype(np.float64)))
    return logarithms, logarithms.min(axis=0), logarithms.max(axis=0)


def _rotation_pixels(quats: Floats) -> Bytes:
    largest, kept = smallest_three(quats)
    pixels = np.empty((len(quats), 4), np.uint8)
    pixels[:, :3] = np.rint(255 * (kept * math.sqrt(0.5) + 0.5)).clip(0, 255)
    pixels[:, 3] = QUATERNION_TAG + largest
    return pixels


def _picture(rows: Bytes) -> Bytes:
    """Rows ``(N, C)`` as a picture of about equal sides, multiples of four, zeros at its end."""
    width = math.ceil(math.sqrt(len(rows)) / _BLOCK) * _BLOCK
    height = math.ceil(len(rows) / width / _BLOCK) * _BLOCK
    picture = np.zeros((height * width, rows.shape[1]), np.uint8)
    picture[: len(rows)] = rows
    return picture.reshape(height, width, -1)


def _palette_files(higher: Floats) -> tuple[dict[str, bytes], Mapping[str, object]]:
    """The pictures of coefficients ``(N, K, 3)``, and their section of the description."""
    count, coefficients, _ = higher.shape
    size = min(LARGEST_PALETTE, 2 ** max(0, int(math.log2(max(count, 1024) / 1024)))) * 1024
    entries, labels = palette(higher.reshape(count, -1), size)
    codebook = line_codebook(entries, ENTRIES)
    rows = math.ceil(len(entries) / PALETTE_ROW)
    pixels = np.zeros((rows * PALETTE_ROW, coefficients, 3), np.uint8)
    pixels[: len(entries)] = nearest(entries.reshape(-1, coefficients, 3), codebook)
    spread = np.stack([labels & 255, labels >> 8, np.zeros_like(labels)], axis=1).astype(np.uint8)
    files = {
        "shN_centroids.webp": write_pixels(pixels.reshape(rows, PALETTE_ROW * coefficients, 3)),
        "shN_labels.webp": write_pixels(_picture(spread)),
    }
    described = {
        "count": len(entries),
        "bands": math.isqrt(coefficients + 1) - 1,
        "codebook": codebook.tolist(),
        "files": list(files),
    }
    return files, described
