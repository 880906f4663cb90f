"""What a compressed scene consists of: exactly what stands in its file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

MAGIC = b"\x89NGS\r\n\x1a\n"
"""How a file of a compressed scene begins."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One multilayer perceptron per cluster, all K in one batch; tanh between the layers.

    Their input is ``x, sin(2^l pi x), cos(2^l pi x)``, ``l = 0..levels-1``, of positions in -1..1:
    ``3 + 6 levels`` numbers.

    Attributes
    ----------
    weights, biases
        By layer, float32 ``(K, in, out)`` and ``(K, out)``.
    levels
        Of the positional encoding.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    levels: int


@dataclass(frozen=True, slots=True)
class PositionGrid:
    """How positions are stored: as cells of a grid over mapped positions, or as float16.

    Attributes
    ----------
    mapping
        ``"signed-log"`` is ``sign(x) log(1 + |x|)`` by axis; ``"half"`` stores float16, as NeuralGS
        does.
    bits
        Per axis, 4 to 21; 16 for float16.
    lows, highs
        Of the mapped positions, by axis. The nets' -1 and 1 are there too.
    """

    mapping: Literal["linear", "signed-log", "half"]
    bits: int
    lows: tuple[float, float, float]
    highs: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """What the nets cannot know from the position: whole numbers by Gaussian, linear in effect.

    Attributes
    ----------
    values
        int8 ``(N, Z)``, -127..127.
    basis
        What one unit adds to the normalised attributes, by cluster, float32 ``(K, Z, C)``, stored
        as float16.
    """

    values: Tensor
    basis: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """Gaussians whose attributes are stored beside the nets.

    Attributes
    ----------
    indices
        int64 ``(E,)``, increasing.
    attributes
        float32 ``(E, C)`` as they come back from the file.
    """

    indices: Tensor
    attributes: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class NeuralScene:
    """A scene as nets; reading a file gives exactly what was written.

    The normalised attributes are ``nets(x) + codes @ basis``, cut off at -1 and 1.

    Attributes
    ----------
    means
        float32 ``(N, 3)``, as they come back from the grid.
    labels
        Cluster by Gaussian, int64 ``(N,)`` in 0..K-1.
    network, grid
        The nets, as they come back from the file, and how positions are stored.
    weight_bits
        16 for float16, else 4 to 8: whole numbers with one float16 scale per cluster, layer and
        output.
    lows, highs
        What -1 and 1 stand for, by attribute, float32 ``(C,)``; C is ``7 + 3 (degree + 1)^2``.
    sh_degree, antialiased
        As of a :class:`core.scene.GaussianScene`.
    codes, exact
        None where there are none.
    notes
        What the encoder has to say, such as its preset and the PSNR.
    """

    means: Tensor
    labels: Tensor
    network: Network
    grid: PositionGrid
    weight_bits: int
    lows: Tensor
    highs: Tensor
    sh_degree: int
    antialiased: bool
    codes: Codes | None = None
    exact: Exact | None = None
    notes: Mapping[str, str | float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.means)
