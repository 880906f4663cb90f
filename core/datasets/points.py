"""Sparse points from a PLY file."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElementParseError, PlyHeaderParseError

from core.datasets.dataset import PointCloud
from core.datasets.poses import MAX_DISTANCE
from core.errors import UserError

_AXES = ("x", "y", "z")
_MAX_HEADER_BYTES = 2**16
_COUNT = re.compile(rb"element\s+\S+\s+(\d{1,18})")
_CHANNELS = ("red", "green", "blue")


def read_points(file: Path) -> PointCloud:
    """Points with a finite position, and their colours if there are any.

    Raises
    ------
    UserError
        If the file is not a PLY of points.
    """
    try:
        with file.open("rb") as stream:
            header = stream.read(_MAX_HEADER_BYTES).partition(b"end_header")[0]
        if sum(map(int, _COUNT.findall(header))) > file.stat().st_size:
            raise ValueError("more elements than bytes")
        vertex = PlyData.read(file)["vertex"]
        positions = np.stack([np.asarray(vertex[axis], np.float64) for axis in _AXES], axis=1)
        names = {prop.name for prop in vertex.properties}
        colors = None
        if names.issuperset(_CHANNELS):
            colors = np.stack([np.asarray(vertex[c], np.uint8) for c in _CHANNELS], axis=1)
    except (
        PlyElementParseError,
        PlyHeaderParseError,
        OSError,
        KeyError,
        ValueError,
        MemoryError,
    ) as error:
        raise UserError(
            f"{file} cannot be read as a point cloud.",
            "Remove it (the cameras do not need it), or export it again as PLY with x, y, z.",
        ) from error
    return point_cloud(positions, colors)


def point_cloud(positions: NDArray[np.floating], colors: NDArray[np.integer] | None) -> PointCloud:
    """The points whose position is finite and not absurdly far away."""
    kept = (np.abs(positions) <= MAX_DISTANCE).all(axis=1)
    return PointCloud(
        positions[kept].astype(np.float32),
        None if colors is None else colors[kept].astype(np.uint8),
    )
