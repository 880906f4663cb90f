"""The ``.splat`` of antimatter15's viewer: 32 bytes to each Gaussian, and nothing else.

Position and scale in three float32 each (the scale itself, not its logarithm), colour, opacity and
rotation ``w x y z`` in bytes. No header tells it from anything else: that there are numbers which a
Gaussian can have does. Colours do not depend on the direction.
(Described in the README of https://github.com/antimatter15/splat.)
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from core.errors import UserError
from core.formats.format import Format
from core.formats.quantised import DAMAGED_HINT, opacity_bytes, opacity_logits
from core.scene import SH_C0, GaussianScene

SUFFIX = ".splat"
PLAUSIBLE = 1e9
"""No position or scale of a scene is larger; most numbers that text or pictures spell are."""
ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("quat", "u1", 4)])


def recognises(head: bytes, path: Path) -> bool:
    """Whether the name ends so, and nearly all of the first Gaussians could be some."""
    rows = np.frombuffer(head[: len(head) // ROW.itemsize * ROW.itemsize], ROW)
    if not path.name.lower().endswith(SUFFIX) or not len(rows):
        return False
    means, scales = rows["mean"], rows["scale"]
    plausible = ((means >= -PLAUSIBLE) & (means <= PLAUSIBLE)).all(1)
    plausible &= ((scales >= 0) & (scales <= PLAUSIBLE)).all(1)
    return bool(plausible.mean() > 0.9)


def load(path: Path) -> tuple[GaussianScene, tuple[str, ...]]:
    """Read a ``.splat``.

    Raises
    ------
    UserError
        If the file ends inside a Gaussian.
    """
    file_bytes = path.stat().st_size
    if file_bytes % ROW.itemsize:
        raise UserError(
            f"its {file_bytes:,} bytes are not a whole number of Gaussians of {ROW.itemsize}.",
            DAMAGED_HINT,
        )
    rows = np.fromfile(path, ROW)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_scales = np.log(rows["scale"])
    base = (rows["rgba"][:, :3] / np.float32(255) - 0.5) / SH_C0
    scene = GaussianScene(
        means=torch.from_numpy(rows["mean"].copy()),
        log_scales=torch.from_numpy(log_scales),
        quats=torch.from_numpy((rows["quat"].astype(np.float32) - 128) / 128),
        opacity_logits=torch.from_numpy(opacity_logits(rows["rgba"][:, 3])),
        sh=torch.from_numpy(base.astype(np.float32)[:, None]),
    )
    return scene, ()


def importance_order(scene: GaussianScene) -> Tensor:
    """Indices of the Gaussians as they stand in a file: those first that are large and opaque."""
    log_volume = scene.log_scales.double().sum(1)
    importance = log_volume + torch.nn.functional.logsigmoid(scene.opacity_logits.double())
    return torch.argsort(importance, descending=True, stable=True)


def save(scene: GaussianScene, file: BinaryIO) -> None:
    """Write the Gaussians, those first that are large and opaque.

    Harmonics beyond the first and ``columns`` are dropped.
    """
    scene = scene.to("cpu")
    scene = scene.select(importance_order(scene))
    rows = np.empty(len(scene), ROW)
    rows["mean"] = scene.means.detach().numpy()
    rows["scale"] = scene.log_scales.detach().exp().numpy()
    rows["rgba"][:, :3] = (scene.base_colors().detach() * 255).round().numpy()
    rows["rgba"][:, 3] = opacity_bytes(scene.opacity_logits.detach().numpy())
    unit = torch.nn.functional.normalize(scene.quats.detach(), dim=1)
    rows["quat"] = (unit * 128 + 128).round().clamp(0, 255).numpy()
    file.write(rows.tobytes())


FORMAT = Format(
    "splat",
    "Splat",
    (SUFFIX,),
    recognises,
    load,
    save,
    loses="Colours no longer depend on the direction and are cut to what a screen shows; colours, "
    "opacities and rotations are rounded to bytes; further columns and antialiasing are dropped.",
    size=lambda scene, count: count * ROW.itemsize,
    size_known=True,
)
