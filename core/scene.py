"""A scene of 3D Gaussians as plain tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor

from core.cameras import Camera

SH_C0 = 0.28209479177387814
MAX_SH_DEGREE = 3
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True, eq=False)
class GaussianScene:
    """An immutable scene: every operation returns a new one; tensors are never written to.

    Parameters
    ----------
    means
        Centres, world units, float32 ``(N, 3)``.
    log_scales
        Natural logarithm of the standard deviations along the principal axes, float32 ``(N, 3)``.
    quats
        Rotations, ``w x y z``, of any non-zero length, float32 ``(N, 4)``.
    opacity_logits
        Opacity before the sigmoid, float32 ``(N,)``.
    sh
        Spherical-harmonic colour coefficients, float32 ``(N, K, 3)``, ``K = (degree + 1) ** 2``;
        colour is ``max(0, SH(direction) + 0.5)``.
    antialiased
        Whether the scene was trained with opacity compensation ("Mip"/"antialiased" mode).
    columns
        Further per-Gaussian values kept from the file, each ``(N,)``, by name.
    camera
        The camera for whose picture the scene was made, as an image's Gaussians are; None where it
        is to be seen from all around.

    Raises
    ------
    ValueError
        If shapes, types or devices do not agree.
    """

    means: Tensor
    log_scales: Tensor
    quats: Tensor
    opacity_logits: Tensor
    sh: Tensor
    antialiased: bool = False
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    camera: Camera | None = None

    def __post_init__(self) -> None:
        n = self.means.shape[0]
        expected = {
            "means": (n, 3),
            "log_scales": (n, 3),
            "quats": (n, 4),
            "opacity_logits": (n,),
        }
        for name, shape in expected.items():
            tensor: Tensor = getattr(self, name)
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}, expected {shape}")
        sizes = [(degree + 1) ** 2 for degree in range(MAX_SH_DEGREE + 1)]
        if self.sh.dim() != 3 or self.sh.shape[0] != n or self.sh.shape[2] != 3:
            raise ValueError(f"sh has shape {tuple(self.sh.shape)}, expected ({n}, K, 3)")
        if self.sh.shape[1] not in sizes:
            raise ValueError(f"sh has {self.sh.shape[1]} coefficients, expected one of {sizes}")
        for tensor in self.tensors().values():
            if tensor.dtype != torch.float32 or tensor.device != self.means.device:
                raise ValueError("all tensors of a scene are float32 and on one device")
        for name, column in self.columns.items():
            if column.shape[:1] != (n,) or column.dim() != 1:
                raise ValueError(f"column {name} has shape {tuple(column.shape)}, expected ({n},)")
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    def __len__(self) -> int:
        return self.means.shape[0]

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics, 0 to 3."""
        return int(self.sh.shape[1] ** 0.5) - 1

    @property
    def device(self) -> torch.device:
        """Where the tensors live; rendering happens there."""
        return self.means.device

    @property
    def ply_bytes_each(self) -> int:
        """Bytes of one Gaussian as a plain 3DGS PLY with normals and this scene's columns."""
        return bytes_per_gaussian(self.sh_degree, len(self.columns))

    @property
    def ply_bytes(self) -> int:
        """Bytes as a plain 3DGS PLY without its header: what the field means by a scene's size."""
        return len(self) * self.ply_bytes_each

    def tensors(self) -> dict[str, Tensor]:
        """The five parameter tensors by name."""
        names = ("means", "log_scales", "quats", "opacity_logits", "sh")
        return {name: getattr(self, name) for name in names}

    def opacities(self) -> Tensor:
        """Opacities in 0..1, ``(N,)``."""
        return torch.sigmoid(self.opacity_logits)

    def base_colors(self) -> Tensor:
        """View-independent colour (degree 0), clamped to 0..1, ``(N, 3)``."""
        return (self.sh[:, 0] * SH_C0 + 0.5).clamp(0, 1)

    def select(self, which: Tensor) -> Self:
        """The Gaussians chosen by a boolean mask ``(N,)`` or by indices ``(M,)``, in that order."""
        which = which.to(self.device)
        return self._mapped(lambda tensor: tensor[which])

    def with_columns(self, columns: Mapping[str, Tensor]) -> Self:
        """The same scene with further columns; equal names are replaced."""
        return replace(self, columns={**self.columns, **columns})

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """The same scene with other parameter tensors, by name."""
        return replace(self, **{**self.tensors(), **tensors})  # type: ignore[arg-type]

    def to(self, device: torch.device | str) -> Self:
        """The scene on another device."""
        return self._mapped(lambda tensor: tensor.to(device))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Self:
        return replace(
            self,
            means=change(self.means),
            log_scales=change(self.log_scales),
            quats=change(self.quats),
            opacity_logits=change(self.opacity_logits),
            sh=change(self.sh),
            columns={name: change(column) for name, column in self.columns.items()},
        )


def bytes_per_gaussian(sh_degree: int, columns: int = 0) -> int:
    """Bytes of one Gaussian in a plain 3DGS PLY with normals: 248 at degree 3 without columns."""
    return _FLOAT_BYTES * (14 + 3 * (sh_degree + 1) ** 2 + columns)
