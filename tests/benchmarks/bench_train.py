"""A training step on the CPU, its parts, and what else could make them, in one run, as ratios.

``python -m tests.benchmarks.bench_train`` times one thread: least CPU time over the rounds, ours
and the peers in turns. Peers: torch, dense per tile on our own tile lists, with autograd, for the
picture; SSIM by separable convolutions with autograd, and by autograd over our blur, for the loss;
torch's fused Adam and its unfused one for the update. Two further questions are answered: what
colours in two tensors would cost, and what updating only the Gaussians that were seen would bring.
"""

import math
import sys
import time

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from core.jobs import drain
from core.metrics import ssim_map
from core.rendering import render
from core.rendering.cpu import common
from core.rendering.cpu.renderer import gaussians_of, rasterize
from core.scene import GaussianScene
from core.training import LearningRates, RefineSettings, SelfTargets, picture_loss, refine
from core.training.adam import FusedAdam
from core.training.parameters import Parameters
from tests.benchmarks.bench_render import cpu_ms, draw_dense, row
from tests.synthetic import orbit_camera, surface_scene

COUNT = 100_000
SIZE = (640, 360)
STEPS = 12


def ssim_by_convolution(a: Tensor, b: Tensor) -> Tensor:
    """Mean SSIM by two depthwise convolutions of five maps of each channel."""
    places = torch.arange(11.0) - 5
    window = torch.exp(-places.square() / (2 * 1.5**2))
    window = window / window.sum()
    across = window.view(1, 1, 1, 11).expand(15, 1, 1, 11)
    down = window.view(1, 1, 11, 1).expand(15, 1, 11, 1)
    x, y = a.permute(2, 0, 1)[None], b.permute(2, 0, 1)[None]
    maps = torch.cat([x, y, x * x, y * y, x * y], 1)
    maps = conv2d(conv2d(maps, across, padding=(0, 5), groups=15), down, padding=(5, 0), groups=15)
    mean_x, mean_y, square_x, square_y, product = maps.chunk(5, 1)
    both, power = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    spread = square_x + square_y - power
    return (
        ((2 * both + 1e-4) * (2 * (product - both) + 9e-4)) / ((power + 1e-4) * (spread + 9e-4))
    ).mean()


def pictures(scene: GaussianScene) -> dict[str, float]:
    """Print forward and backward of a picture, ours and by dense torch."""
    camera = orbit_camera(*SIZE)
    ours = {name: t.clone().requires_grad_() for name, t in scene.tensors().items()}
    frame = rasterize(gaussians_of(scene), camera)
    gradient = torch.rand(SIZE[1], SIZE[0], 3) / (SIZE[0] * SIZE[1])

    def forward() -> None:
        render(GaussianScene(**ours), camera)

    def both() -> None:
        for tensor in ours.values():
            tensor.grad = None
        render(GaussianScene(**ours), camera).rgb.backward(gradient)

    def dense() -> None:
        total = torch.cat(draw_dense(ours, camera, frame)).sum()
        torch.autograd.grad(total, list(ours.values()))

    both()
    quick = cpu_ms({"forward": forward, "both": both})
    slow = cpu_ms({"dense": dense}, rounds=2)
    row("picture, forward", f"{quick['forward']:.1f} ms")
    row("picture, forward + backward", f"{quick['both']:.1f} ms")
    row("  dense torch per tile + autograd / ours", f"{slow['dense'] / quick['both']:.0f}", ">= 35")
    return quick


def losses() -> float:
    """Print the loss with its gradient, ours and by autograd."""
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(SIZE[1], SIZE[0], 3, generator=generator).requires_grad_()
    b = torch.rand(SIZE[1], SIZE[0], 3, generator=generator)

    def with_gradient(kind: str) -> None:
        a.grad = None
        if kind == "ours":
            picture_loss(a, b).backward()
            return
        similarity = ssim_by_convolution(a, b) if kind == "convolution" else ssim_map(a, b).mean()
        (0.8 * (a - b).abs().mean() + 0.2 * (1 - similarity)).backward()

    kinds = ("ours", "blur", "convolution")
    for kind in kinds:
        with_gradient(kind)
    times = cpu_ms({kind: lambda kind=kind: with_gradient(kind) for kind in kinds})
    row("loss with gradient", f"{times['ours']:.1f} ms")
    row(
        "  separable convolutions in torch / ours",
        f"{times['convolution'] / times['ours']:.1f}",
        ">= 5",
    )
    row("  autograd over our blur / ours", f"{times['blur'] / times['ours']:.1f}", ">= 3")
    return times["ours"]


def updates(scene: GaussianScene) -> float:
    """Print Adam's step, ours and torch's, and the alternatives."""
    parameters = Parameters(scene)
    gradients = {name: torch.rand_like(t) for name, t in parameters.tensors.items()}
    rates = LearningRates().at(0.0, 1.0)
    seen = visible(scene)

    def ours() -> None:
        for name, tensor in parameters.tensors.items():
            tensor.grad = gradients[name]
        parameters.update(rates)

    def by_torch(fused: bool) -> torch.optim.Adam:
        leaves = [t.clone().requires_grad_() for t in scene.tensors().values()]
        for leaf, gradient in zip(leaves, gradients.values(), strict=True):
            leaf.grad = gradient
        return torch.optim.Adam(leaves, lr=1e-3, eps=1e-15, fused=fused)

    fused, unfused = by_torch(True), by_torch(False)
    base, rest = scene.sh[:, :1].clone().requires_grad_(), scene.sh[:, 1:].clone().requires_grad_()

    def put_together() -> None:
        torch.cat([base, rest], 1).backward(gradients["sh"])
        base.grad = rest.grad = None

    some = scene.select(seen)
    sparse = {name: FusedAdam(t.clone().requires_grad_()) for name, t in some.tensors().items()}
    which = seen.nonzero()[:, 0]

    def only_seen() -> None:
        for name, optimizer in sparse.items():
            (tensor,) = optimizer.param_groups[0]["params"]
            tensor.grad = gradients[name][which]
            optimizer.step()
            parameters.tensors[name].detach()[which] = tensor.detach()

    tasks = {
        "ours": ours,
        "fused": lambda: fused.step(),
        "unfused": lambda: unfused.step(),
        "cat": put_together,
        "seen": only_seen,
    }
    for task in tasks.values():
        task()
    times = cpu_ms(tasks)
    row("Adam", f"{times['ours']:.1f} ms")
    row("  torch's fused Adam / ours", f"{times['fused'] / times['ours']:.2f}", ">= 0.7")
    row("  torch's unfused Adam / ours", f"{times['unfused'] / times['ours']:.1f}", ">= 3")
    row("  putting colours of two tensors together / Adam", f"{times['cat'] / times['ours']:.2f}")
    share = f"{times['seen'] / times['ours']:.2f} ({len(some) / len(scene):.0%} seen)"
    row("  updating only those seen, gathered / all", share)
    return times["ours"]


def visible(scene: GaussianScene) -> Tensor:
    """Which Gaussians one picture moves."""
    leaves = {name: t.clone().requires_grad_() for name, t in scene.tensors().items()}
    render(GaussianScene(**leaves), orbit_camera(*SIZE)).rgb.sum().backward()
    gradient = leaves["opacity_logits"].grad
    assert gradient is not None
    return gradient != 0


def steps(scene: GaussianScene, threads: int) -> None:
    """Print whole steps of refining against the scene's own pictures, and so without them."""
    common.set_num_threads(threads)
    torch.set_num_threads(threads)
    targets = SelfTargets(scene, [orbit_camera(*SIZE, i) for i in range(8)], straight=1.0)
    examples = [targets.example(step, 0) for step in range(STEPS)]
    targets.example = lambda step, _seed: examples[step]  # type: ignore[method-assign]
    run = refine(scene, targets, RefineSettings(steps=STEPS))
    next(run)
    wall, cpu = [], []
    for _ in range(STEPS - 2):
        start, start_cpu = time.perf_counter(), time.process_time()
        next(run)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    drain(run)
    name = f"step, {threads} thread{'s' if threads > 1 else ''}: CPU / wall, least"
    row(name, f"{min(cpu) * 1e3:.0f} / {min(wall) * 1e3:.0f} ms")
    row("  steps a second", f"{1 / min(wall):.1f}")


def main() -> None:
    sys.setswitchinterval(0.0005)
    torch.set_num_threads(1)
    common.set_num_threads(1)
    scene = surface_scene(COUNT)
    print(f"{COUNT:,} Gaussians SH 3, {SIZE[0]}x{SIZE[1]}, one thread")
    picture = pictures(scene)["both"]
    loss = losses()
    update = updates(scene)
    total = picture + loss + update
    if not math.isfinite(total):
        raise SystemExit("no time was measured")
    shares = " / ".join(f"{part / total:.0%}" for part in (picture, loss, update))
    row("shares: picture / loss / Adam", shares, "picture the largest")
    for threads in (1, 2):
        steps(scene, threads)


if __name__ == "__main__":
    main()
