"""The CUDA renderer: gsplat 1.5.3's kernels behind the same function as the CPU's.

gsplat builds its kernels on first use, which takes minutes once and needs NVIDIA's compiler.
"""

from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.scene import GaussianScene

_NEAR = 0.01
_FAR = 1e10
_EPS2D = 0.3
_HINT = (
    "Install the extra splatscope[cuda] and NVIDIA's CUDA toolkit of torch's version, "
    "or open the scene on the CPU."
)


@cache
def gsplat_module() -> ModuleType:
    """gsplat with its kernels built; a :class:`UserError` where that cannot be done."""
    try:
        import gsplat
        from gsplat.cuda._backend import _C
    except (ImportError, OSError, RuntimeError, TypeError) as error:
        raise UserError(f"gsplat, which draws on CUDA, cannot be loaded: {error}", _HINT) from error
    if _C is None:
        raise UserError("gsplat found no CUDA toolkit to build its kernels with.", _HINT)
    module: ModuleType = gsplat
    return module


def draw(
    scene: GaussianScene,
    camera: Camera,
    background: tuple[float, float, float],
    keep: Tensor | None,
    colors: Tensor | None,
    sh_degree: int | None,
    depth: bool,
    means2d_grad: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """``rgb (H, W, 3)``, ``alpha (H, W)`` and ``sum(w z) (H, W)`` or None; see ``render``."""
    gsplat = gsplat_module()
    if keep is not None:
        scene = scene.select(keep)
        colors = None if colors is None else colors[keep]
    behind = torch.tensor(background, dtype=torch.float32, device=scene.device)
    if len(scene) == 0:
        return _nothing(camera, behind, depth)
    degree = scene.sh_degree if sh_degree is None else min(sh_degree, scene.sh_degree)
    if colors is not None and colors.shape[1] == 4:
        colors = _mixed(gsplat, scene, camera, colors, degree)
    pictures, alpha, meta = gsplat.rasterization(
        means=scene.means,
        quats=scene.quats,
        scales=scene.log_scales.exp(),
        opacities=scene.opacities(),
        colors=scene.sh if colors is None else colors,
        viewmats=_tensor(camera.world_to_camera, scene.device)[None],
        Ks=_tensor(camera.K, scene.device)[None],
        width=camera.width,
        height=camera.height,
        near_plane=_NEAR,
        far_plane=_FAR,
        eps2d=_EPS2D,
        sh_degree=degree if colors is None else None,
        packed=False,
        backgrounds=behind[None],
        render_mode="RGB+D" if depth else "RGB",
        rasterize_mode="antialiased" if scene.antialiased else "classic",
    )
    if means2d_grad is not None and meta["means2d"].requires_grad:
        _report_gradient(meta["means2d"], keep, means2d_grad)
    return pictures[0, :, :, :3], alpha[0, :, :, 0], pictures[0, :, :, 3] if depth else None


def _tensor(matrix: Any, device: torch.device) -> Tensor:
    return torch.tensor(matrix, dtype=torch.float32, device=device)


def _nothing(
    camera: Camera, background: Tensor, depth: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The picture of no Gaussians."""
    empty = torch.zeros(camera.height, camera.width, device=background.device)
    return background.expand(*empty.shape, 3).clone(), empty, empty.clone() if depth else None


def _mixed(
    gsplat: ModuleType, scene: GaussianScene, camera: Camera, colors: Tensor, degree: int
) -> Tensor:
    """The scene's own colours mixed with ``colors (N, 4)`` by the fourth channel, ``(N, 3)``."""
    directions = scene.means - _tensor(camera.position, scene.device)
    own = gsplat.spherical_harmonics(degree, directions, scene.sh)
    mixed: Tensor = torch.lerp((own + 0.5).clamp_min(0), colors[:, :3], colors[:, 3:])
    return mixed


def _report_gradient(means2d: Tensor, keep: Tensor | None, target: Tensor) -> None:
    """Copy the gradient of ``means2d (1, M, 2)`` into ``target (N, 2)`` when it is known."""

    def copy(gradient: Tensor) -> None:
        if keep is None:
            target.copy_(gradient[0])
        else:
            target.zero_()
            target[keep] = gradient[0]

    means2d.register_hook(copy)  # type: ignore[no-untyped-call]
