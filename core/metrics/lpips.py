"""LPIPS: how unlike two pictures look, by the features of a network trained on photographs.

Zhang, Isola, Efros, Shechtman, Wang: The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric, CVPR 2018, version 0.1 of its weights ("lin": only the heads were trained). Lower
is more alike. Papers on Gaussian splatting report it with VGG.

A picture is worked on in tiles with enough surroundings that every feature is the one of the whole
picture, so that memory does not grow with its size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

TILE = 512
EPSILON = 1e-10
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""Mean and deviation of ImageNet's colours, carried from 0..1 to -1..1."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution and the ReLU after it; ``number`` is its place in torchvision's network."""

    number: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weights."""
        return self.outputs, self.inputs, self.kernel, self.kernel


@dataclass(frozen=True, slots=True)
class Stage:
    """Convolutions up to a feature map that counts, perhaps after a maximum over windows."""

    pooled: bool
    convolutions: tuple[Convolution, ...]


@dataclass(frozen=True, slots=True)
class Net:
    """The part of a network that LPIPS looks at.

    Parameters
    ----------
    name, title
        As in file names and for a person.
    pool
        Side of the windows of its maxima, which are 2 apart.
    stages
        From the picture to the last feature map.
    stride
        Pixels from one of the last map's features to the next.
    margin
        Pixels around a feature that it may depend on, a multiple of ``stride``.
    least
        Shortest side of a picture that leaves a feature in every map.
    signed
        Whether colours go from -1 to 1, as the weights were trained with; else from 0 to 1. The
        code of 3D Gaussian Splatting measures with VGG and 0..1, and with it the field's tables.
    """

    name: str
    title: str
    pool: int
    stages: tuple[Stage, ...]
    stride: int
    margin: int
    least: int
    signed: bool

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every array that it needs, by name."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, stage in enumerate(self.stages):
            for conv in stage.convolutions:
                shapes[f"features.{conv.number}.weight"] = conv.shape
                shapes[f"features.{conv.number}.bias"] = (conv.outputs,)
            shapes[f"lin{layer}.weight"] = (1, stage.convolutions[-1].outputs, 1, 1)
        return shapes


ALEX = Net(
    name="alex",
    title="AlexNet",
    pool=3,
    stages=(
        Stage(False, (Convolution(0, 3, 64, kernel=11, stride=4, padding=2),)),
        Stage(True, (Convolution(3, 64, 192, kernel=5, padding=2),)),
        Stage(True, (Convolution(6, 192, 384),)),
        Stage(False, (Convolution(8, 384, 256),)),
        Stage(False, (Convolution(10, 256, 256),)),
    ),
    stride=16,
    margin=112,
    least=31,
    signed=True,
)
VGG = Net(
    name="vgg",
    title="VGG-16",
    pool=2,
    stages=(
        Stage(False, (Convolution(0, 3, 64), Convolution(2, 64, 64))),
        Stage(True, (Convolution(5, 64, 128), Convolution(7, 128, 128))),
        Stage(True, tuple(Convolution(n, 128 if n == 10 else 256, 256) for n in (10, 12, 14))),
        Stage(True, tuple(Convolution(n, 256 if n == 17 else 512, 512) for n in (17, 19, 21))),
        Stage(True, tuple(Convolution(n, 512, 512) for n in (24, 26, 28))),
    ),
    stride=16,
    margin=112,
    least=16,
    signed=False,
)
NETS = (VGG, ALEX)


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a picture: rows and columns from the first to before the last."""

    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Lpips:
    """The metric with its weights.

    Parameters
    ----------
    net
        Which network.
    weights
        Float32 tensors of ``net.shapes``, by name, on one device.
    signed
        Whether the network sees colours in -1..1; None for what its figures are known by.
    tile
        Side of a tile in pixels, a multiple of the network's stride.
    """

    net: Net
    weights: Mapping[str, Tensor]
    signed: bool | None = None
    tile: int = TILE

    def __post_init__(self) -> None:
        for name, shape in self.net.shapes.items():
            if tuple(self.weights[name].shape) != shape:
                raise ValueError(f"{name} has shape {tuple(self.weights[name].shape)}, not {shape}")
        if self.tile % self.net.stride:
            raise ValueError(f"tiles are multiples of {self.net.stride} pixels")

    @property
    def description(self) -> str:
        """The network and the range of its inputs, for a person."""
        low = "-1" if self._signed else "0"
        return f"{self.net.title}, colours from {low} to 1"

    def to(self, device: torch.device | str) -> "Lpips":
        """The metric on another device."""
        weights = {name: tensor.to(device) for name, tensor in self.weights.items()}
        return Lpips(self.net, weights, self.signed, self.tile)

    def fits(self, height: int, width: int) -> bool:
        """Whether a picture is large enough to be measured."""
        return min(height, width) >= self.net.least

    def __call__(self, a: Tensor, b: Tensor) -> float:
        """Distance of two pictures at once, see :meth:`share`."""
        return sum(self.share(a, b, tile) for tile in self.tiles(*a.shape[:2]))

    def tiles(self, height: int, width: int) -> list[Tile]:
        """The tiles of a picture; what is left at the far sides belongs to the last ones."""
        rows, columns = (
            list(pairwise([*range(0, max(1, side - self.tile // 2), self.tile), side]))
            for side in (height, width)
        )
        return [Tile(down, along) for down in rows for along in columns]

    @torch.no_grad()
    def share(self, a: Tensor, b: Tensor, tile: Tile) -> float:
        """What a tile adds to the distance of two pictures; the distance is the sum over all tiles.

        Eq. 1: ``d = sum_l mean_hw |w_l * (y_l(a) - y_l(b))|^2`` with feature maps of unit length
        over channels. The heads hold the squares of ``w_l``, which are not negative.

        Parameters
        ----------
        a, b
            ``(H, W, 3)``, both uint8, or float32 in 0..1.

        Raises
        ------
        ValueError
            If the pictures have other shapes, or are too small.
        """
        height, width = a.shape[:2]
        if a.shape != b.shape or a.ndim != 3 or a.shape[2] != 3 or not self.fits(height, width):
            least = self.net.least
            raise ValueError(f"two pictures of the same shape (H, W, 3), at least {least} wide")
        rows, columns = self._around(tile.rows, height), self._around(tile.columns, width)
        patches = [self._input(p[slice(*rows), slice(*columns)]) for p in (a, b)]
        distance = 0.0
        sizes = self._sizes(height, width)
        maps = zip(*map(self._maps, patches), strict=True)
        for layer, (one, other) in enumerate(maps):
            stride, down, along = sizes[layer]
            own = (
                slice(None),
                _inside(tile.rows, rows[0], stride, height),
                _inside(tile.columns, columns[0], stride, width),
            )
            square = _unit(one[own]).sub_(_unit(other[own])).square_()
            head = self.weights[f"lin{layer}.weight"].reshape(-1)
            weighted = torch.einsum("c,chw->hw", head, square)
            distance += float(weighted.sum(dtype=torch.float64)) / (down * along)
        return distance

    @property
    def _signed(self) -> bool:
        return self.net.signed if self.signed is None else self.signed

    def _around(self, part: tuple[int, int], side: int) -> tuple[int, int]:
        """A tile's rows or columns with what its features depend on."""
        return max(0, part[0] - self.net.margin), min(side, part[1] + self.net.margin)

    def _input(self, patch: Tensor) -> Tensor:
        """Colours ``(h, w, 3)`` as the network wants them, ``(3, h, w)``."""
        patch = patch.to(self.weights["lin0.weight"].device)
        colors = patch.float() / 255 if patch.dtype == torch.uint8 else patch
        if self._signed:
            colors = 2 * colors - 1
        scaled = (colors - colors.new_tensor(SHIFT)) / colors.new_tensor(SCALE)
        return scaled.permute(2, 0, 1).contiguous()

    def _maps(self, features: Tensor) -> Iterator[Tensor]:
        """The feature maps that count, ``(C, h, w)`` each."""
        for stage in self.net.stages:
            if stage.pooled:
                features = max_pool2d(features, self.net.pool, 2)
            for conv in stage.convolutions:
                weight, bias = (
                    self.weights[f"features.{conv.number}.{part}"] for part in ("weight", "bias")
                )
                features = conv2d(features, weight, bias, conv.stride, conv.padding).relu_()
            yield features

    def _sizes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """Stride in pixels, height and width of every feature map."""
        sizes, stride = [], 1
        for stage in self.net.stages:
            if stage.pooled:
                height, width = ((side - self.net.pool) // 2 + 1 for side in (height, width))
                stride *= 2
            for conv in stage.convolutions:
                reach = 2 * conv.padding - conv.kernel
                height, width = ((side + reach) // conv.stride + 1 for side in (height, width))
                stride *= conv.stride
            sizes.append((stride, height, width))
        return sizes


def _inside(part: tuple[int, int], start: int, stride: int, side: int) -> slice:
    """Where a tile's own features are in the map of a patch that begins at ``start``."""
    first = (part[0] - start) // stride
    return slice(first, None if part[1] == side else (part[1] - start) // stride)


def _unit(features: Tensor) -> Tensor:
    """Feature vectors of length 1 at every place."""
    lengths: Tensor = features.norm(dim=0, keepdim=True)
    return features / (lengths + EPSILON)
