"""Scores on disk, as NumPy arrays."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.files import replacing
from core.scoring.worth import Worth


def save_scores(worths: Mapping[str, Worth], path: Path) -> None:
    """Write scores as ``.npz``: per score ``NAME``, ``NAME.class`` and ``NAME.order``.

    ``NAME`` holds the values, float64 ``(N,)``; ``.class`` 0 unseen, 1 seen without parallax,
    2 ordinary, uint8 ``(N,)``; ``.order`` the indices from least to most worth, int64 ``(N,)``.
    """
    arrays = {}
    for name, worth in worths.items():
        arrays[name] = worth.values.numpy()
        arrays[f"{name}.class"] = worth.classes.numpy()
        arrays[f"{name}.order"] = worth.order.numpy()
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
