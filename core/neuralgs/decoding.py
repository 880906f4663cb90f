"""From nets back to Gaussians."""

import torch

from core.jobs import Progress, Steps, drain
from core.neuralgs.attributes import Limits, scene_from
from core.neuralgs.fields import predict
from core.neuralgs.layout import layouts
from core.neuralgs.model import Network, NeuralScene
from core.neuralgs.positions import normalized
from core.scene import GaussianScene


def decoded(neural: NeuralScene) -> GaussianScene:
    """The scene that the nets stand for."""
    return drain(decoding(neural))


@torch.no_grad()
def decoding(neural: NeuralScene) -> Steps[GaussianScene]:
    """The scene that the nets stand for; a job."""
    inputs = normalized(neural.means, neural.grid)
    channels = neural.means.new_empty(len(neural), len(neural.lows))
    limits = Limits(neural.lows, neural.highs)
    parts = layouts(neural.labels)
    for done, part in enumerate(parts, 1):
        nets = Network(
            tuple(weight[part.clusters] for weight in neural.network.weights),
            tuple(bias[part.clusters] for bias in neural.network.biases),
            neural.network.levels,
        )
        table = predict(nets, part.spread(inputs[part.indices]))
        if neural.codes is not None:
            codes = part.spread(neural.codes.values[part.indices].float())
            table = torch.baddbmm(table, codes, neural.codes.basis[part.clusters])
        channels[part.indices] = limits.denormalized(part.gathered(table))
        yield Progress(done, len(parts), f"decoding, part {done} of {len(parts)}")
    if neural.exact is not None:
        channels[neural.exact.indices] = neural.exact.attributes
    return scene_from(channels, neural.means, neural.antialiased)
