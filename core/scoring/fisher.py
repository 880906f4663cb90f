"""From the Fisher block of a Gaussian to one number."""

from collections.abc import Iterator

import torch
from torch import Tensor

from core.scoring.worth import ORDINARY, SINGULAR, UNSEEN

CHUNK = 65_536
MIN_EIGENVALUE = 1e-6


def symmetric(upper: Tensor) -> Tensor:
    """Full matrices ``(N, 6, 6)`` from their upper triangles, row by row, ``(N, 21)``."""
    rows, columns = torch.triu_indices(6, 6)
    full = upper.new_empty(len(upper), 6, 6)
    full[:, rows, columns] = upper
    full[:, columns, rows] = upper
    return full


def log_det(fisher: Tensor, seen: Tensor, centers: int) -> tuple[Tensor, Tensor]:
    """Log-determinants of the Fisher blocks, and the class of each Gaussian.

    Every block is scaled to a unit diagonal first, so that units of length do not decide what is
    singular. Scaling a Gaussian about a camera's centre leaves its picture as it is, so the block
    of a Gaussian seen from one centre only is exactly singular; the paper takes the logarithm of
    its rounding errors. Here such Gaussians form a class of their own.

    Parameters
    ----------
    fisher
        Upper triangles, float64 ``(N, 21)``.
    seen
        Whether any view hit the Gaussian, bool ``(N,)``.
    centers
        Number of distinct camera centres swept.

    Returns
    -------
    values
        ``log |F|``, float64 ``(N,)``; -inf outside class ``ORDINARY``.
    classes
        uint8 ``(N,)``, see :class:`core.scoring.worth.Worth`.
    """
    values = torch.full((len(fisher),), -torch.inf, dtype=torch.float64)
    classes = torch.full((len(fisher),), SINGULAR, dtype=torch.uint8)
    classes[~seen] = UNSEEN
    if centers < 2:
        return values, classes
    candidates = torch.nonzero(seen).squeeze(1)
    for chunk in _chunks(candidates):
        block = symmetric(fisher[chunk])
        scale = block.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()
        regular = (scale > 0).all(1) & torch.isfinite(scale).all(1)
        chunk, block, scale = chunk[regular], block[regular], scale[regular]
        eigenvalues = torch.linalg.eigvalsh(block / (scale[:, :, None] * scale[:, None, :]))
        regular = eigenvalues[:, 0] >= MIN_EIGENVALUE
        value = eigenvalues[regular].log().sum(1) + 2 * scale[regular].log().sum(1)
        values[chunk[regular]] = value
        classes[chunk[regular]] = ORDINARY
    return values, classes


def log_det_as_published(fisher: Tensor) -> Tensor:
    """``log |F|`` as PUP 3D-GS's program computes it: float32 singular values, no damping.

    Unseen Gaussians get -inf; those seen from one centre get the logarithm of rounding errors.
    """
    values = torch.empty(len(fisher), dtype=torch.float64)
    for chunk in _chunks(torch.arange(len(fisher))):
        singular_values = torch.linalg.svdvals(symmetric(fisher[chunk].float()))
        values[chunk] = singular_values.log().sum(1).double()
    return values


def _chunks(indices: Tensor) -> Iterator[Tensor]:
    """Batched decompositions need a large workspace: bounded pieces."""
    for first in range(0, len(indices), CHUNK):
        yield indices[first : first + CHUNK]
