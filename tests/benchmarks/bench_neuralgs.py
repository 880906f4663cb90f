"""Compression into nets: fitting all at once against one by one, and decoding, in one run.

``python -m tests.benchmarks.bench_neuralgs`` times a step of the fit, forward, backward and Adam:
all nets in batched products, and a Python loop over modules of torch; ours and the peer in turns,
the least of the rounds. Then it decodes a million Gaussians, and counts the bits of a position.

``python -m tests.benchmarks.bench_neuralgs SCENE [DATA] [white]`` repeats the paper's ablation on a
scene, with few steps and without codes: one net, clusters, importance, the frequency loss.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from core.datasets import load_dataset
from core.formats import load_scene
from core.jobs import drain
from core.metrics import evaluate
from core.metrics.references import find_references
from core.neuralgs.compress import compress, prepare
from core.neuralgs.container import measured_streams
from core.neuralgs.decoding import decoded
from core.neuralgs.fields import encoded, new_network
from core.neuralgs.fitting import Examples, fit_nets
from core.neuralgs.learner import Learner
from core.neuralgs.model import Codes, NeuralScene, PositionGrid
from core.neuralgs.settings import NeuralSettings, settings_for
from core.neuralgs.weights import rounded
from core.training import find_targets
from tests.benchmarks.bench_render import row
from tests.synthetic import surface_scene

CLUSTERS = 32
CHANNELS = 55
MILLION, POSITIONS = 1_000_000, 100_000
STEPS = 10
ROUNDS = 5
ABLATION = (600, 300)


def modules(levels: int, hidden: int, layers: int) -> nn.Sequential:
    """One net as modules of torch."""
    widths = [3 + 6 * levels, *[hidden] * (layers - 1), CHANNELS]
    parts: list[nn.Module] = []
    for number in range(layers):
        parts += [nn.Tanh()] if number else []
        parts.append(nn.Linear(widths[number], widths[number + 1]))
    return nn.Sequential(*parts)


def fit_steps(settings: NeuralSettings) -> None:
    """Steps a second of the fit, all nets at once and one by one."""
    generator = torch.Generator().manual_seed(0)
    count = CLUSTERS * 2000
    positions = torch.rand(count, 3, generator=generator) * 2 - 1
    values = torch.rand(count, CHANNELS, generator=generator) * 2 - 1
    labels = torch.arange(count) % CLUSTERS
    examples = Examples(positions, values, labels, torch.ones(count), torch.ones(CHANNELS))
    shape = settings.levels, settings.hidden, settings.layers
    learner = Learner(new_network(CLUSTERS, CHANNELS, *shape, seed=0))
    nets = [modules(*shape) for _ in range(CLUSTERS)]
    optimizers = [torch.optim.Adam(net.parameters(), lr=1e-3) for net in nets]
    own = [(labels == label).nonzero()[:, 0] for label in range(CLUSTERS)]
    few = replace(settings, fit_steps=STEPS, early_stop=False)

    def at_once() -> None:
        drain(fit_nets(learner, examples, few))

    def one_by_one() -> None:
        for _ in range(STEPS):
            for net, optimizer, members in zip(nets, optimizers, own, strict=True):
                chosen = members[torch.randint(len(members), (settings.fit_batch,))]
                optimizer.zero_grad()
                said = net(encoded(positions[chosen], settings.levels))
                (said - values[chosen]).square().sum(1).mean().backward()
                optimizer.step()

    ours, peer = least_seconds(at_once, one_by_one)
    title = f"fit, {CLUSTERS} nets {settings.layers} x {settings.hidden}, {settings.fit_batch} each"
    row(title, f"{1e3 * ours / STEPS:.1f} ms", f"loop over modules: {peer / ours:.1f} x as long")


def decoding(settings: NeuralSettings) -> None:
    """Seconds to decode a million Gaussians."""
    clusters = MILLION // settings.cluster_size
    generator = torch.Generator().manual_seed(0)
    means = torch.rand(MILLION, 3, generator=generator)
    shape = settings.levels, settings.hidden, settings.layers
    codes = None
    if settings.code_bytes:
        values = torch.randint(-3, 4, (MILLION, 40), generator=generator, dtype=torch.int8)
        codes = Codes(values, torch.rand(clusters, 40, CHANNELS, generator=generator) * 0.01)
    neural = NeuralScene(
        means=means,
        labels=torch.randint(clusters, (MILLION,), generator=generator),
        network=new_network(clusters, CHANNELS, *shape, seed=0),
        grid=PositionGrid("linear", 16, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        weight_bits=8,
        lows=-torch.ones(CHANNELS),
        highs=torch.ones(CHANNELS),
        sh_degree=3,
        antialiased=False,
        codes=codes,
    )
    (seconds,) = least_seconds(lambda: decoded(neural), rounds=2)
    row(f"{settings.preset}: a million Gaussians decoded", f"{seconds:.2f} s")


def position_bits() -> None:
    """Bits of a position in the file, for a synthetic scene."""
    scene = surface_scene(POSITIONS)
    settings = settings_for("best")
    ready = prepare(scene, torch.ones(POSITIONS), replace(settings, keep=1.0))
    network = new_network(1, CHANNELS, settings.levels, settings.hidden, settings.layers, seed=0)
    neural = NeuralScene(
        means=ready.means,
        labels=torch.zeros(POSITIONS, dtype=torch.int64),
        network=rounded(network, settings.weight_bits),
        grid=ready.grid,
        weight_bits=settings.weight_bits,
        lows=ready.limits.lows,
        highs=ready.limits.highs,
        sh_degree=scene.sh_degree,
        antialiased=False,
    )
    bits = 8 * measured_streams(neural)["positions"] / POSITIONS
    row(
        f"a position of {POSITIONS:,}, {ready.grid.bits} bits an axis",
        f"{bits:.1f} bits",
        "float16: 48",
    )


def least_seconds(*functions: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """The least wall time of each, in turns, after one run to warm up."""
    least = [float("inf")] * len(functions)
    for function in functions:
        function()
    for _ in range(rounds):
        for number, function in enumerate(functions):
            started = time.perf_counter()
            function()
            least[number] = min(least[number], time.perf_counter() - started)
    return least


def ablation(scene_file: Path, data: Path | None, white: bool) -> None:
    """The paper's ablation: PSNR on held-out views, and the nets' size as float16."""
    scene = load_scene(scene_file).scene
    background = (1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0)
    views = () if data is None else load_dataset(data).views
    targets = drain(find_targets(scene, views, None, background))
    references = drain(find_references(views, scene, None, background))
    fit, finetune = ABLATION
    plain = replace(
        settings_for("best"),
        fit_steps=fit,
        finetune_steps=finetune,
        early_stop=False,
        code_bytes=0.0,
        finetune_rate=5e-4,
        weight_bits=16,
    )
    plain = replace(plain, frequency_weight=0.0)
    rows = {
        "one net": replace(plain, clusters=1, importance="none"),
        "+ clusters": replace(plain, clusters=8, importance="none"),
        "+ importance": replace(plain, clusters=8),
        "+ frequency loss": replace(plain, clusters=8, frequency_weight=0.01),
        "+ codes (ours)": replace(settings_for("best"), fit_steps=fit, finetune_steps=finetune),
    }
    for name, settings in rows.items():
        result = drain(compress(scene, targets, None, settings))
        psnr = drain(evaluate(result.scene, references, frames=False)).psnr
        print(f"{name:20} {psnr:6.2f} dB  nets {size(result.neural) / 1e3:7.1f} kB", flush=True)
    psnr = drain(evaluate(result.pruned, references, frames=False)).psnr
    print(f"{'what is encoded':20} {psnr:6.2f} dB")


def size(neural: NeuralScene) -> int:
    """Bytes of the nets' weights."""
    parts: list[Tensor] = [*neural.network.weights, *neural.network.biases]
    return sum(part.numel() for part in parts) * neural.weight_bits // 8


def main() -> None:
    if len(sys.argv) > 1:
        data = Path(sys.argv[2]) if len(sys.argv) > 2 else None
        ablation(Path(sys.argv[1]), data, "white" in sys.argv[3:])
        return
    for preset in ("best", "paper"):
        settings = replace(settings_for(preset), fit_batch=256)
        fit_steps(settings)
        decoding(settings)
    position_bits()


if __name__ == "__main__":
    main()
