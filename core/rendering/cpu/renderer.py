"""One frame on the CPU: project, order by depth, list per tile, blend."""

import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.rendering.cpu.binning import count_pairs, depth_order, fill_lists, tile_offsets
from core.rendering.cpu.blend import blend
from core.rendering.cpu.common import (
    F32,
    I32,
    I64,
    RECORD_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    F,
    Workers,
    workers,
)
from core.rendering.cpu.project import Gaussians, View, project
from core.scene import GaussianScene

_MAX_PAIRS = 2**29
"""(Gaussian, tile) pairs of one frame: 4 GiB of lists, 200 times an ordinary scene's."""
_GROWTH = 1.3
_MAX_IDLE_WORKSPACES = 4


class Workspace:
    """Work arrays by name, kept between frames: fresh pages cost as much as the arithmetic."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def array(
        self, name: str, shape: tuple[int, ...], dtype: type[np.generic] = np.float32
    ) -> NDArray[Any]:
        """An uninitialised array, which stays valid until the same name is asked for again."""
        size = int(np.prod(shape, dtype=np.int64))
        array = self._arrays.get(name)
        if array is None or array.size < size:
            array = self._arrays[name] = np.empty(int(size * _GROWTH) + 1, dtype)
        return array[:size].reshape(shape)


_idle_workspaces: deque[Workspace] = deque(maxlen=_MAX_IDLE_WORKSPACES)
"""Without a lock: frames may be finalized by the garbage collector, at any point of any thread."""


def _take_workspace() -> Workspace:
    try:
        return _idle_workspaces.pop()
    except IndexError:
        return Workspace()


@dataclass(slots=True, weakref_slot=True, eq=False)
class Frame:
    """A drawn picture and what is needed to go over its Gaussians and pixels again.

    Its arrays, except ``image``, ``transmittance`` and ``depth_sum``, lie in a workspace that the
    next frame reuses once this one is dropped: hold the frame for as long as you use them.

    Attributes
    ----------
    gaussians, view
        The scene and the camera as the kernels read them.
    colors
        Colours drawn instead of the scene's own ``(N, 3)``, or mixed over them ``(N, 4)``.
    projected
        Records in the scene's order ``(N, 12)``, see ``project``; only where ``depth > 0``.
    depth
        Distance along the viewing axis ``(N,)``, -1 where not drawn.
    order
        Indices of the drawn Gaussians, nearest first, int32 ``(M,)``.
    records
        ``projected`` in depth order ``(M, 12)``.
    offsets, ids
        The list of tile t is ``ids[offsets[t]:offsets[t + 1]]``: places in the depth order.
        int64 ``(tiles + 1,)``, int32 ``(P,)``.
    start, slots
        The inverse: Gaussian k of the depth order stands at ``slots[start[k]:start[k + 1]]`` of
        ``ids``. int64 ``(M + 1,)``, int32 ``(P,)``.
    width, height
        Size in pixels.
    background
        Colour behind everything ``(3,)``.
    image
        ``(H, W, 3)``, background included.
    transmittance
        What remains of the background ``(H, W)``.
    depth_sum
        ``sum(w z)`` ``(H, W)``, or None if it was not asked for.
    workers
        The team that drew it.
    workspace
        Where the arrays lie; kernels that go over the frame take their scratch from it.
    """

    gaussians: Gaussians
    view: View
    colors: F32 | None
    projected: F32
    depth: F32
    order: I32
    records: F32
    offsets: I64
    ids: I32
    start: I64
    slots: I32
    width: int
    height: int
    background: F32
    image: F32
    transmittance: F32
    depth_sum: F32 | None
    workers: Workers
    workspace: Workspace


def gaussians_of(
    scene: GaussianScene,
    *,
    keep: Tensor | None = None,
    sh_degree: int | None = None,
) -> Gaussians:
    """The arrays of a CPU scene, shared with its tensors wherever these are contiguous."""
    degree = scene.sh_degree if sh_degree is None else min(sh_degree, scene.sh_degree)
    return Gaussians(
        means=floats(scene.means),
        log_scales=floats(scene.log_scales),
        quats=floats(scene.quats),
        opacity_logits=floats(scene.opacity_logits),
        sh=floats(scene.sh),
        sh_count=(degree + 1) ** 2,
        antialiased=scene.antialiased,
        keep=np.empty(0, np.bool_) if keep is None else keep.detach().contiguous().numpy(),
    )


def floats(tensor: Tensor) -> F32:
    """A CPU tensor as an array, shared if it is contiguous."""
    array: F32 = tensor.detach().contiguous().numpy()
    return array


def view_of(camera: Camera) -> View:
    """The numbers of a camera; skew is ignored, as in 3DGS."""
    K = camera.K
    size = np.array([camera.width, camera.height])
    focal = np.array([K[0, 0], K[1, 1]])
    center = np.array([K[0, 2], K[1, 2]])
    slope_min = -(center + 0.15 * size) / focal
    slope_max = (size - center + 0.15 * size) / focal

    def scalars(values: NDArray[np.float64]) -> tuple[Any, ...]:
        return tuple(F(value) for value in values.ravel())

    return View(
        rotation=scalars(camera.world_to_camera[:3, :3]),
        translation=scalars(camera.world_to_camera[:3, 3]),
        position=scalars(camera.position),
        fx=F(focal[0]),
        fy=F(focal[1]),
        cx=F(center[0]),
        cy=F(center[1]),
        width=F(camera.width),
        height=F(camera.height),
        slope_min=scalars(slope_min),
        slope_max=scalars(slope_max),
    )


def rasterize(
    gaussians: Gaussians,
    camera: Camera,
    *,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    colors: F32 | None = None,
    depth: bool = False,
) -> Frame:
    """Draw one frame. Any number of threads may call this at once.

    ``colors (N, 3)`` replaces the Gaussians' own colours, ``(N, 4)`` is mixed over them.

    Raises
    ------
    UserError
        If the Gaussians cover so many tiles that the lists would not fit in memory.
    """
    team = workers()
    workspace = _take_workspace()
    view = view_of(camera)
    width, height = camera.width, camera.height
    count = len(gaussians.means)
    projected = workspace.array("projected", (count, RECORD_SIZE))
    z = workspace.array("depth", (count,))
    team.ranges(count, project, gaussians, view, colors, projected, z)
    order = depth_order(z)
    records, offsets, ids, start, slots = _list_per_tile(
        team, workspace, projected, order, width, height
    )
    frame = Frame(
        gaussians=gaussians,
        view=view,
        colors=colors,
        projected=projected,
        depth=z,
        order=order,
        records=records,
        offsets=offsets,
        ids=ids,
        start=start,
        slots=slots,
        width=width,
        height=height,
        background=np.array(background, np.float32),
        image=np.empty((height, width, 3), np.float32),
        transmittance=np.empty((height, width), np.float32),
        depth_sum=np.empty((height, width), np.float32) if depth else None,
        workers=team,
        workspace=workspace,
    )
    weakref.finalize(frame, _idle_workspaces.append, workspace)
    team.tiles(
        blend,
        records,
        offsets,
        ids,
        frame.background,
        frame.image,
        frame.transmittance,
        frame.depth_sum,
    )
    return frame


def _list_per_tile(
    team: Workers, workspace: Workspace, projected: F32, order: I32, width: int, height: int
) -> tuple[F32, I64, I32, I64, I32]:
    """Records in depth order, offsets, ids, start, slots; see ``Frame``."""
    columns = -(-width // TILE_WIDTH)
    rows = -(-height // TILE_HEIGHT)
    visible = len(order)
    records = workspace.array("records", (visible, RECORD_SIZE))
    start = workspace.array("start", (visible + 1,), np.int64)
    offsets = workspace.array("offsets", (columns * rows + 1,), np.int64)
    cuts = team.cuts(visible)
    parts = len(cuts) - 1
    counts = workspace.array("counts", (parts, columns * rows), np.int32)
    counts[:] = 0

    def count_part(part: int) -> int:
        first, last = cuts[part], cuts[part + 1]
        return count_pairs(
            first, last, projected, order, records, start, counts[part], columns, rows
        )

    pairs = team.each(parts, count_part)
    total = sum(pairs)
    if total > _MAX_PAIRS:
        raise UserError(
            "The Gaussians of this scene are too large to draw at this size of picture.",
            "Draw a smaller picture, or remove the largest Gaussians.",
        )
    tile_offsets(counts, offsets)
    start[visible] = total
    ids = workspace.array("ids", (total,), np.int32)
    slots = workspace.array("slots", (total,), np.int32)
    bases = [sum(pairs[:part]) for part in range(parts)]

    def fill_part(part: int) -> None:
        first, last = cuts[part], cuts[part + 1]
        fill_lists(
            first, last, records, start, bases[part], counts[part], ids, slots, columns, rows
        )

    team.each(parts, fill_part)
    return records, offsets, ids, start, slots
