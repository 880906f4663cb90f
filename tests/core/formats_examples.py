"""Scenes and PLY files of known content for the tests of file formats."""

import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from core.errors import UserError
from core.formats import load_scene
from core.scene import GaussianScene


def random_scene(count: int = 20, degree: int = 3, seed: int = 0, **kept: object) -> GaussianScene:
    """A scene of random, usable values; ``kept`` goes to `GaussianScene` as it is."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    sh = normal(count, (degree + 1) ** 2, 3)
    return GaussianScene(
        normal(count, 3), normal(count, 3) - 4, normal(count, 4), normal(count), sh, **kept
    )


def opens(path: Path, memory_limit: int) -> bool:
    """Whether a damaged file opens, with usable values; if not it is refused with a hint, and in
    any case within ``memory_limit`` bytes."""
    tracemalloc.start()
    try:
        scene = load_scene(path).scene
    except UserError as error:
        assert error.hint or "finite" in error.message  # noqa: PT017
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < memory_limit
    assert all(values.isfinite().all() for values in scene.tensors().values())
    return True


def same(a: GaussianScene, b: GaussianScene) -> bool:
    """Whether two scenes agree to the bit, columns and their order included."""
    mine = {**a.tensors(), **a.columns}
    theirs = {**b.tensors(), **b.columns}
    return (
        list(mine) == list(theirs)
        and a.antialiased == b.antialiased
        and all(torch.equal(mine[name], theirs[name]) for name in mine)
    )


def gaussian_properties(degree: int) -> list[str]:
    """The properties of a Gaussian without normals, in the usual order."""
    rest = [f"f_rest_{i}" for i in range(3 * ((degree + 1) ** 2 - 1))]
    dc = ["f_dc_0", "f_dc_1", "f_dc_2"]
    scale, rot = [f"scale_{i}" for i in range(3)], [f"rot_{i}" for i in range(4)]
    return ["x", "y", "z", *dc, *rest, "opacity", *scale, *rot]


def by_property(scene: GaussianScene) -> dict[str, NDArray[np.float32]]:
    """A scene as one array per PLY property, spelled out from the format's definition."""
    values: dict[str, torch.Tensor] = {"opacity": scene.opacity_logits}
    for i, axis in enumerate("xyz"):
        values[axis] = scene.means[:, i]
        values[f"scale_{i}"] = scene.log_scales[:, i]
        values[f"f_dc_{i}"] = scene.sh[:, 0, i]
    for i in range(4):
        values[f"rot_{i}"] = scene.quats[:, i]
    higher = scene.sh.shape[1] - 1
    for channel in range(3):
        for k in range(higher):
            values[f"f_rest_{channel * higher + k}"] = scene.sh[:, 1 + k, channel]
    return {name: value.numpy() for name, value in {**values, **scene.columns}.items()}


def table(columns: Mapping[str, NDArray[np.generic]]) -> NDArray[np.void]:
    """A structured array with one field per column, each of its own type."""
    rows = np.empty(
        len(next(iter(columns.values()))), [(n, values.dtype) for n, values in columns.items()]
    )
    for name, values in columns.items():
        rows[name] = values
    return rows


def write_with_plyfile(
    path: Path,
    columns: Mapping[str, NDArray[np.generic]],
    *,
    text: bool = False,
    byte_order: str = "<",
    before: Mapping[str, NDArray[np.void]] | None = None,
    after: Mapping[str, NDArray[np.void]] | None = None,
    comments: tuple[str, ...] = (),
) -> Path:
    """Write vertices, and elements around them, with a PLY library that is not ours."""
    elements = {**(before or {}), "vertex": table(columns), **(after or {})}
    PlyData(
        [PlyElement.describe(rows, name) for name, rows in elements.items()],
        text=text,
        byte_order=byte_order,
        comments=list(comments),
    ).write(path)
    return path


def triangles(count: int = 3) -> NDArray[np.void]:
    """Faces as lists of vertex indices, as a mesh has them."""
    rows = np.empty(count, [("vertex_indices", "O")])
    rows["vertex_indices"] = [np.array([0, 1, 2], "i4")] * count
    return rows
