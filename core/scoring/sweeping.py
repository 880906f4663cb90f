"""One pass over the views, all per-Gaussian columns."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.jobs import Progress, Steps
from core.rendering.cpu.fisher import add_fisher
from core.rendering.cpu.renderer import Frame, gaussians_of, rasterize
from core.rendering.cpu.sweep import (
    COLUMNS,
    CROSS,
    MOMENTS,
    SUMS,
    add_columns,
    contribution_rows,
    cross_rows,
    gather_rows,
)
from core.scene import GaussianScene
from core.scoring.contributions import Contributions

MAX_PAIRS = 2**20
"""(Gaussian, tile) pairs whose rows are held at a time: at most 172 MB."""
SAME_CENTER = 1e-6
"""Camera centres closer than this, relative to their largest coordinate, are one centre."""

F64 = NDArray[np.float64]


def sweep(
    scene: GaussianScene,
    cameras: Sequence[Camera],
    *,
    keep: Tensor | None = None,
    fisher: bool = True,
    color_term: bool = False,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Steps[Contributions]:
    """Sum up over all views what every Gaussian does to the pictures; a job, one step per view.

    Scenes on a GPU are copied to main memory: the sweep runs on the CPU. It holds 72 bytes per
    Gaussian, 168 more for each Fisher block, and in a view up to 164 bytes per Gaussian and 172 MB.

    The conventions are the renderer's (gsplat's): alpha is clamped to 0.999 and a clamped pixel
    gives the Fisher block no derivative. PUP 3D-GS' program clamps to 0.99 and lets the derivative
    pass. With opacity compensation (``scene.antialiased``) its derivative is in the block.

    Parameters
    ----------
    scene, cameras
        What is seen, and from where; no photos are needed.
    keep
        Sweep only the Gaussians where this bool ``(N,)`` is true, as if the others did not exist.
    fisher
        Whether to compute the Fisher block; without it a sweep takes about half the time.
    color_term
        Whether to compute the Fisher block with the change of colour with the viewing direction
        as well; it doubles the time.
    background
        Colour behind everything.

    Raises
    ------
    UserError
        If there are no cameras.
    """
    if not cameras:
        raise UserError("There are no cameras to score from.", "Give photos with poses, or views.")
    gaussians = gaussians_of(scene.to("cpu"), keep=None if keep is None else keep.cpu())
    totals = np.zeros((len(scene), COLUMNS))
    blocks = np.zeros((len(scene), 21)) if fisher else None
    turning = color_term and scene.sh_degree > 0
    color_blocks = np.zeros((len(scene), 21)) if fisher and turning else None
    for done, camera in enumerate(cameras, 1):
        frame = rasterize(gaussians, camera, background=background)
        _add_view(frame, camera, totals, blocks, color_blocks)
        yield Progress(done, len(cameras), f"view {done} of {len(cameras)}")
    column = [torch.from_numpy(totals[:, n].copy()) for n in range(COLUMNS)]
    block = None if blocks is None else torch.from_numpy(blocks)
    color_block = block if color_blocks is None else torch.from_numpy(color_blocks)
    return Contributions(
        fisher=block,
        fisher_color=color_block if color_term else None,
        removal_error=column[0],
        speedy=column[1],
        weight_sum=column[2],
        weight_max=column[6],
        transmittance_sum=column[3],
        hits=column[4].long(),
        top_hits=column[5].long(),
        top_mean_weight=column[7],
        views_seen=column[8].int(),
        view_count=len(cameras),
        centers=_distinct_centers(cameras),
    )


def _add_view(
    frame: Frame, camera: Camera, totals: F64, blocks: F64 | None, color_blocks: F64 | None
) -> None:
    """Add what one drawn frame tells to ``totals (N, COLUMNS)`` and the blocks ``(N, 21)``."""
    team, workspace, gaussians = frame.workers, frame.workspace, frame.gaussians
    count = len(frame.depth)
    sums = workspace.array("sweep sums", (count, SUMS))
    moments = cross = None
    if blocks is not None:
        moments = workspace.array("sweep moments", (count, MOMENTS))
        if color_blocks is not None or gaussians.antialiased:
            cross = workspace.array("sweep cross", (count, CROSS))
    for first, last in _bands(frame.offsets):
        base, limit = int(frame.offsets[first]), int(frame.offsets[last])
        tiles = (frame.records, frame.offsets, frame.ids, first, last, frame.image)
        place = (base, limit, frame.start, frame.slots, frame.order)
        rows = workspace.array("sweep sum rows", (limit - base, SUMS))
        moment_rows = None
        if moments is not None:
            moment_rows = workspace.array("sweep moment rows", (limit - base, MOMENTS))
        team.tiles(contribution_rows, *tiles, rows, moment_rows)
        team.ranges(len(frame.order), gather_rows, rows, *place, sums, True)
        if moments is not None:
            team.ranges(len(frame.order), gather_rows, moment_rows, *place, moments, False)
        if cross is not None:
            rows = workspace.array("sweep cross rows", (limit - base, CROSS))
            team.tiles(cross_rows, *tiles, rows)
            team.ranges(len(frame.order), gather_rows, rows, *place, cross, False)
    team.ranges(count, add_columns, frame.depth, frame.projected, sums, totals)
    pose, slopes = np.array(camera.world_to_camera), _slopes(camera)
    where = (gaussians, pose, slopes, frame.depth, frame.projected, sums, moments, cross)
    if blocks is not None:
        team.ranges(count, add_fisher, *where, False, blocks)
    if color_blocks is not None:
        team.ranges(count, add_fisher, *where, True, color_blocks)


def _bands(offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of tiles with at most ``MAX_PAIRS`` pairs each, or of one tile."""
    bands = []
    first = 0
    tiles = len(offsets) - 1
    while first < tiles:
        last = int(np.searchsorted(offsets, offsets[first] + MAX_PAIRS, side="right")) - 1
        last = min(max(last, first + 1), tiles)
        bands.append((first, last))
        first = last
    return bands


def _slopes(camera: Camera) -> F64:
    """Focal length and the bounds between which x / z, y / z are linearised, ``(2, 3)``.

    The bounds are the picture widened by 15 % of its size on each side, as in the projection.
    """
    focal = camera.K[[0, 1], [0, 1]]
    center = camera.K[:2, 2]
    size = np.array([camera.width, camera.height])
    return np.stack(
        [focal, -(center + 0.15 * size) / focal, (size - center + 0.15 * size) / focal], axis=1
    )


def _distinct_centers(cameras: Sequence[Camera]) -> int:
    """Number of distinct centres of projection."""
    centers = np.stack([camera.position for camera in cameras])
    tolerance = SAME_CENTER * np.abs(centers).max()
    distinct = centers[:1]
    for center in centers[1:]:
        if (np.linalg.norm(distinct - center, axis=1) > tolerance).all():
            distinct = np.vstack([distinct, center])
    return len(distinct)
