"""What one sweep over the views yields, per Gaussian."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Sums over all views and pixels; every score is a small function of these columns.

    With ``alpha`` the opacity at a pixel, ``T`` the transmittance before the Gaussian,
    ``w = alpha T`` and ``a_c = dI_c / dalpha`` for the colour channels ``c``; all CPU tensors.

    Attributes
    ----------
    fisher
        Upper triangle, row by row, of ``sum g g^T`` with ``g = dI_c / d(mean, log-scale)`` at
        constant colours, ``(N, 21)`` float64 [PUP 3D-GS, Eq. 10]; None if it was not asked for.
    fisher_color
        The same with the change of colour when a moved mean is seen from another direction, as in
        the paper's program; None if it was not asked for.
    removal_error
        ``sum (alpha a_c)^2``: the exact squared error of removing this Gaussian alone, ``(N,)``.
    speedy
        ``sum (o sum_c a_c)^2``, ``(N,)`` [Speedy-Splat].
    weight_sum, weight_max
        ``sum w`` and ``max w``, ``(N,)``.
    transmittance_sum
        ``sum T`` over the pixels hit, ``(N,)``.
    hits
        Number of (view, pixel) pairs with ``alpha >= 1/255`` before the ray ended, int64 ``(N,)``.
    top_hits
        Number of those where it is the pixel's largest weight, int64 ``(N,)``.
    top_mean_weight
        ``sum`` over the views in which it is some pixel's largest weight of
        ``sum w / pixels hit``, ``(N,)`` [Mini-Splatting].
    views_seen
        Number of views that hit it, int32 ``(N,)``.
    view_count
        Number of views swept.
    centers
        Number of distinct camera centres swept.
    """

    fisher: Tensor | None
    fisher_color: Tensor | None
    removal_error: Tensor
    speedy: Tensor
    weight_sum: Tensor
    weight_max: Tensor
    transmittance_sum: Tensor
    hits: Tensor
    top_hits: Tensor
    top_mean_weight: Tensor
    views_seen: Tensor
    view_count: int
    centers: int
