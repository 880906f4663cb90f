"""render(scene, camera): the CPU and CUDA rasterizers behind one function."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.cameras import Camera, intrinsics, look_at
from core.scene import GaussianScene


@dataclass(frozen=True, slots=True, eq=False)
class Render:
    """A picture of a scene.

    ``rgb`` float32 ``(H, W, 3)``, background included, not clamped above 1; ``alpha`` ``(H, W)`` in
    0..1; ``depth`` ``(H, W)``: expected distance along the viewing axis in world units,
    ``sum(w z) / sum(w)``, 0 where nothing is seen; None unless asked for.
    """

    rgb: Tensor
    alpha: Tensor
    depth: Tensor | None


def render(
    scene: GaussianScene,
    camera: Camera,
    *,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    keep: Tensor | None = None,
    colors: Tensor | None = None,
    sh_degree: int | None = None,
    depth: bool = False,
    means2d_grad: Tensor | None = None,
) -> Render:
    """Draw a scene where its tensors live: CUDA through gsplat, CPU through our kernels.

    Differentiable with respect to the scene's tensors and ``colors``, in all three results. May be
    called from several threads at once. On the CPU, Gaussians with a value that is not finite are
    not drawn.

    Parameters
    ----------
    background
        Colour behind everything.
    keep
        Draw only the Gaussians where this bool ``(N,)`` is true.
    colors
        Per-Gaussian colours that replace the scene's own, ``(N, 3)``; or ``(N, 4)``: mixed over the
        scene's own colour by the fourth channel (0 keeps the scene's colour, 1 replaces it).
    sh_degree
        Use spherical harmonics only up to this degree.
    depth
        Also return the expected depth.
    means2d_grad
        Float32 ``(N, 2)`` that the backward pass overwrites with the gradient with respect to the
        projected means in pixels, zero for Gaussians that are not seen: what densification reads.

    Raises
    ------
    ValueError
        If an argument's shape, type or device does not agree with the scene.
    UserError
        If CUDA rendering is not available for a scene on CUDA, or the scene is too large to draw.
    """
    _check(scene, keep, colors, sh_degree, means2d_grad)
    if scene.device.type == "cuda":
        from core.rendering.cuda import draw
    else:
        from core.rendering.cpu.autograd import draw
    rgb, alpha, depth_sum = draw(
        scene, camera, background, keep, colors, sh_degree, depth, means2d_grad
    )
    if depth_sum is None:
        return Render(rgb, alpha, None)
    seen = alpha > 0
    expected = torch.where(seen, depth_sum / torch.where(seen, alpha, 1.0), 0.0)
    return Render(rgb, alpha, expected)


def warm_up() -> None:
    """Compile or load the CPU renderer's kernels, so that the first frame does not wait for them.

    Takes seconds the first time on a machine, a fraction of one later; for a background thread.
    """
    scene = GaussianScene(
        means=torch.zeros(1, 3),
        log_scales=torch.zeros(1, 3),
        quats=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        opacity_logits=torch.zeros(1),
        sh=torch.zeros(1, 1, 3),
    )
    transform = look_at((0, 0, -2), (0, 0, 0), (0, -1, 0))
    camera = Camera(transform, intrinsics(60, 8, 8), 8, 8)
    render(scene, camera)
    render(scene, camera, colors=torch.zeros(1, 3))
    render(scene, camera, colors=torch.zeros(1, 3), depth=True)


def _check(
    scene: GaussianScene,
    keep: Tensor | None,
    colors: Tensor | None,
    sh_degree: int | None,
    means2d_grad: Tensor | None,
) -> None:
    """Refuse what the kernels would misread."""
    n = len(scene)
    if keep is not None and (keep.shape != (n,) or keep.dtype != torch.bool):
        raise ValueError(f"keep is a bool tensor of shape ({n},)")
    if colors is not None and (
        tuple(colors.shape) not in {(n, 3), (n, 4)} or colors.dtype != torch.float32
    ):
        raise ValueError(f"colors is a float32 tensor of shape ({n}, 3) or ({n}, 4)")
    if means2d_grad is not None and (
        means2d_grad.shape != (n, 2)
        or means2d_grad.dtype != torch.float32
        or not means2d_grad.is_contiguous()
    ):
        raise ValueError(f"means2d_grad is a contiguous float32 tensor of shape ({n}, 2)")
    if any(t is not None and t.device != scene.device for t in (keep, colors, means2d_grad)):
        raise ValueError("keep, colors and means2d_grad live on the scene's device")
    if sh_degree is not None and sh_degree < 0:
        raise ValueError("sh_degree is at least 0")
