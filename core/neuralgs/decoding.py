"""From nets back to Gaussians."""

import torch
from torch import Tensor

from core.jobs import Progress, Steps, drain
from core.neuralgs.attributes import Limits, scene_from
from core.neuralgs.fields import predict
from core.neuralgs.layout import PARTS, Layout, layouts, shared
from core.neuralgs.model import Network, NeuralScene
from core.neuralgs.positions import normalized
from core.scene import GaussianScene


def decoded(neural: NeuralScene) -> GaussianScene:
    """The scene that the nets stand for."""
    return drain(decoding(neural))


def decoding(neural: NeuralScene) -> Steps[GaussianScene]:
    """The scene that the nets stand for; a job, the largest clusters first.

    Partial results are the Gaussians decoded so far, in the order of the file; whenever there are
    twice as many, so that making them takes no longer than the decoding.
    """
    inputs = normalized(neural.means, neural.grid)
    limits = Limits(neural.lows, neural.highs)
    channels = neural.means.new_empty(len(neural), len(neural.lows))

    def decode(part: Layout) -> Tensor:
        return limits.denormalized(_values(neural, inputs, part))

    sizes = neural.labels.bincount()
    parts = sorted(layouts(neural.labels), key=lambda part: -int(sizes[part.clusters].max()))
    ready = torch.zeros_like(neural.labels, dtype=torch.bool)
    next_shown = 1
    for first in range(0, len(parts), PARTS):
        group = parts[first : first + PARTS]
        for part, rows in zip(group, shared(group, decode), strict=True):
            channels[part.indices] = rows
            ready[part.indices] = True
        if neural.exact is not None:
            channels[neural.exact.indices] = neural.exact.attributes
        done = first + len(group)
        partial = None
        if next_shown <= done < len(parts):
            next_shown = 2 * done
            partial = scene_from(channels[ready], neural.means[ready], neural.antialiased)
        message = f"decoding, part {done} of {len(parts)}"
        yield Progress(done, len(parts), message, partial=partial)
    return scene_from(channels, neural.means, neural.antialiased)


def _values(neural: NeuralScene, inputs: Tensor, part: Layout) -> Tensor:
    """Normalised attributes ``(M, C)`` of a layout's Gaussians."""
    network = Network(
        tuple(weight[part.clusters] for weight in neural.network.weights),
        tuple(bias[part.clusters] for bias in neural.network.biases),
        neural.network.levels,
    )
    table = predict(network, part.spread(inputs[part.indices]))
    if neural.codes is not None:
        codes = part.spread(neural.codes.values[part.indices].float())
        table = torch.baddbmm(table, codes, neural.codes.basis[part.clusters])
    return part.gathered(table)
