"""Compression into nets: what is learned, from attributes to pictures."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.errors import UserError
from core.jobs import Progress, drain
from core.neuralgs import attributes, codes, fields
from core.neuralgs.clustering import balanced, cluster
from core.neuralgs.compress import Compressed, checkpoint_files, compress, prepare
from core.neuralgs.finetuning import visible
from core.neuralgs.fitting import Examples, FitState, fit_nets
from core.neuralgs.frequency import frequency_loss
from core.neuralgs.importance import importance, most_important
from core.neuralgs.layout import layouts
from core.neuralgs.learner import Learner
from core.neuralgs.settings import NeuralSettings, settings_for
from core.rendering import render
from core.scene import GaussianScene
from core.training import SelfTargets
from tests.blobs import blob_scene
from tests.core.training_stage import cameras_around, likeness, same_bits, wanted_scene

TINY = NeuralSettings(
    cluster_size=64,
    levels=3,
    hidden=16,
    layers=3,
    fit_steps=60,
    fit_batch=64,
    finetune_steps=20,
    code_bytes=3.0,
)


@pytest.fixture(scope="module")
def scene() -> GaussianScene:
    return wanted_scene(300)


@pytest.fixture(scope="module")
def targets(scene: GaussianScene) -> SelfTargets:
    return SelfTargets(scene, cameras_around(6), jitter=0.0)


@pytest.fixture(scope="module")
def compressed(scene: GaussianScene, targets: SelfTargets) -> Compressed:
    return drain(compress(scene, targets, None, TINY))


def covariances(scene: GaussianScene) -> Tensor:
    w, x, y, z = (scene.quats.double() / scene.quats.double().norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    turn = torch.stack([torch.stack(row, 1) for row in rows], 1)
    half = turn * scene.log_scales.double().exp()[:, None]
    return half @ half.mT


def test_canonical_form_keeps_every_covariance() -> None:
    scene = attributes.tamed(blob_scene(2000))
    found = attributes.canonical(scene)
    before, after = covariances(scene), covariances(found)
    assert float((before - after).abs().max() / before.abs().max()) < 1e-6
    assert (found.log_scales.diff(dim=1) <= 0).all()
    assert (found.quats[:, 0] >= found.quats[:, 1:].abs().amax(1) - 1e-6).all()
    assert not torch.equal(found.quats, scene.quats)


def test_channels_come_back_as_the_scene() -> None:
    scene = attributes.canonical(attributes.tamed(blob_scene(50, sh_degree=2)))
    channels = attributes.channels_of(scene)
    limits = attributes.full_limits(channels)
    values = limits.normalized(channels)
    assert float(values.amin()) == -1
    assert float(values.amax()) == pytest.approx(1, abs=1e-6)
    found = attributes.scene_from(limits.denormalized(values), scene.means)
    for name, tensor in scene.tensors().items():
        torch.testing.assert_close(found.tensors()[name], tensor, atol=1e-5, rtol=1e-4)


def test_what_no_net_can_predict_is_tamed() -> None:
    scene = blob_scene(6)
    quats, logits = scene.quats.clone(), scene.opacity_logits.clone()
    quats[0], logits[1], logits[2] = 0, torch.inf, -torch.inf
    scales = scene.log_scales.clone()
    scales[3] = -torch.inf
    found = attributes.tamed(replace(scene, quats=quats, opacity_logits=logits, log_scales=scales))
    assert found.quats[0].tolist() == [1, 0, 0, 0]
    assert found.opacity_logits[1:3].tolist() == [12, -12]
    assert found.log_scales[3].tolist() == [-20, -20, -20]
    assert attributes.channels_of(attributes.canonical(found)).isfinite().all()


def test_nets_at_once_say_what_they_say_one_by_one() -> None:
    network = fields.new_network(3, 7, levels=2, hidden=8, layers=3, seed=0)
    labels = torch.tensor([2, 0, 0, 2, 1, 0, 2])
    positions = torch.rand(7, 3) * 2 - 1
    (part,) = (part for part in layouts(labels[:1]))
    assert part.clusters.tolist() == [2]
    found = torch.empty(7, 7)
    for part in layouts(labels):
        inputs = part.spread(fields.encoded(positions[part.indices], 2))
        weights = [weight[part.clusters] for weight in network.weights]
        biases = [bias[part.clusters] for bias in network.biases]
        found[part.indices] = part.gathered(fields.forward(weights, biases, inputs))
    for number, label in enumerate(labels.tolist()):
        values = fields.encoded(positions[number], 2)
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            values = (values.tanh() if layer else values) @ weight[label] + bias[label]
        torch.testing.assert_close(found[number], values, atol=1e-5, rtol=1e-4)


def test_encoding_is_identity_and_waves() -> None:
    point = torch.tensor([0.25, -0.5, 1.0])
    found = fields.encoded(point, 2)
    expected = [point, (torch.pi * point).sin(), (torch.pi * point).cos()]
    expected += [(2 * torch.pi * point).sin(), (2 * torch.pi * point).cos()]
    torch.testing.assert_close(found, torch.cat(expected))


@pytest.mark.parametrize("way", ["complex", "paper"])
def test_frequency_loss_has_the_gradient_of_differences(way: str) -> None:
    generator = torch.Generator().manual_seed(0)
    picture, target = torch.rand(2, 9, 12, 3, generator=generator, dtype=torch.float64)
    picture.requires_grad_()
    loss = frequency_loss(picture, target, way)  # type: ignore[arg-type]
    (slopes,) = torch.autograd.grad(loss, picture)
    step = 1e-6
    for place in ((0, 0, 0), (4, 7, 1), (8, 11, 2)):
        sides = []
        for sign in (1, -1):
            moved = picture.detach().clone()
            moved[place] += sign * step
            sides.append(float(frequency_loss(moved, target, way)))  # type: ignore[arg-type]
        assert float(slopes[place]) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-4)


def test_frequency_loss_sees_detail_alone() -> None:
    flat = torch.full((16, 16, 3), 0.3)
    stripes = flat + 0.1 * (torch.arange(16) % 2)[:, None, None]
    assert float(frequency_loss(flat, flat + 0.2)) < 1e-6
    assert float(frequency_loss(stripes, flat)) > 1e-3


def test_clusters_are_alike_and_balanced() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(900, 10, generator=generator) * 0.1
    values[:700, 0] += 5
    settings = replace(TINY, clusters=6)
    labels = drain(cluster(values, torch.zeros(900, 3), settings))
    sizes = torch.bincount(labels)
    assert len(sizes) == 6
    assert sizes.min() >= 75
    assert sizes.max() <= 225
    assert (sizes.diff() <= 0).all()
    assert torch.equal(labels, drain(cluster(values, torch.zeros(900, 3), settings)))


def test_equal_points_can_be_balanced() -> None:
    labels = balanced(np.zeros((100, 4), np.float32), np.zeros(100, np.int64), 4)
    assert np.bincount(labels).tolist() == [25, 25, 25, 25]


def test_important_and_protected_gaussians_stay() -> None:
    worth = torch.tensor([5.0, 1.0, 4.0, 0.0, 3.0], dtype=torch.float64)
    assert most_important(worth, 0.4).tolist() == [0, 2]
    shielded = torch.tensor([False, False, False, True, False])
    assert most_important(worth, 0.4, shielded).tolist() == [0, 3]
    assert most_important(worth, 0.01).tolist() == [0]


def test_importance_counts_volume_by_its_power(scene: GaussianScene) -> None:
    cameras = cameras_around(3)
    plain = drain(importance(scene, cameras, 0.0, (0, 0, 0)))
    weighted = drain(importance(scene, cameras, 0.5, (0, 0, 0)))
    assert (weighted <= plain).all()
    volume = scene.log_scales.sum(1)
    largest = volume.argmax()
    assert float(weighted[largest]) == pytest.approx(float(plain[largest]))
    assert float(weighted[volume.argmin()]) < float(plain[volume.argmin()])


def test_the_fit_lowers_the_loss_of_each_cluster() -> None:
    generator = torch.Generator().manual_seed(0)
    positions = torch.rand(500, 3, generator=generator) * 2 - 1
    values = torch.cat([positions.sin(), positions.square()], 1)
    labels = (positions[:, 0] > 0).long()
    examples = Examples(positions, values, labels, torch.ones(500), torch.ones(6))
    learner = Learner(fields.new_network(2, 6, 2, 16, 3, seed=0))
    losses: list[Tensor] = []

    def note(progress: Progress) -> None:
        assert isinstance(progress.partial, FitState)
        losses.append(progress.partial.losses)

    drain(fit_nets(learner, examples, replace(TINY, fit_steps=200, early_stop=False)), note)
    assert len(losses) == 20
    assert (losses[-1] < 0.2 * losses[0]).all()


def test_a_fit_that_gets_no_better_stops_early() -> None:
    values = torch.zeros(64, 6)
    examples = Examples(
        torch.zeros(64, 3), values, torch.zeros(64).long(), torch.ones(64), torch.zeros(6)
    )
    learner = Learner(fields.new_network(1, 6, 2, 16, 3, seed=0))
    seen: list[int] = []
    settings = replace(TINY, fit_steps=2000, sensitive=False)
    drain(fit_nets(learner, examples, settings), lambda progress: seen.append(progress.done))
    assert seen[-1] < 2000


def test_codes_hold_what_is_left_in_the_bytes_they_are_given() -> None:
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(4000, 3, generator=generator) @ torch.randn(3, 8, generator=generator)
    labels = torch.arange(4000) % 2
    errors = []
    for allowed in (0.3, 0.9, 1.8):
        found, basis = codes.first_codes(mixed, labels, 2, torch.ones(8), allowed)
        assert codes.entropy_bytes(found) == pytest.approx(allowed, rel=0.05)
        back = (found.round()[:, None] @ basis[labels])[:, 0]
        errors.append(float((back - mixed).square().mean() / mixed.square().mean()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 3e-3


def test_entropy_is_that_of_the_frequencies() -> None:
    column = torch.tensor([0.0, 0.2, 1.0, 1.4, -2.0, -2.0, -1.8, -0.4])[:, None]
    bits = 3 / 8 * np.log2(8 / 3) * 2 + 2 / 8 * 2
    assert codes.entropy_bytes(column) == pytest.approx(bits / 8)
    assert codes.entropy_bytes(column.repeat(1, 3)) == pytest.approx(3 * bits / 8)


def test_visible_gaussians_are_all_that_are_drawn() -> None:
    scene = blob_scene(400)
    for camera in cameras_around(4):
        near = replace(camera, K=camera.K * np.array([[4.0, 1, 1], [1, 4.0, 1], [1, 1, 1]]))
        which = visible(near, scene.means, 3.5 * scene.log_scales.amax(1).exp())
        assert 0 < len(which) < len(scene)
        whole, part = render(scene, near).rgb, render(scene.select(which), near).rgb
        torch.testing.assert_close(part, whole, atol=2e-3, rtol=0)


def test_compression_end_to_end(
    scene: GaussianScene, targets: SelfTargets, compressed: Compressed
) -> None:
    neural = compressed.neural
    assert len(compressed.scene) == len(compressed.pruned) == len(neural) == 180
    assert neural.codes is not None
    assert neural.codes.values.dtype == torch.int8
    assert set(compressed.seconds) == {"importance", "cluster", "fit", "finetune"}
    held_out = cameras_around(4, turn=0.3)
    assert likeness(compressed.scene, scene, held_out) > 26
    without = drain(compress(scene, targets, None, replace(TINY, finetune_steps=0)))
    assert likeness(compressed.scene, scene, targets.cameras) > likeness(
        without.scene, scene, targets.cameras
    )


def test_protected_gaussians_come_back_as_they_are(
    scene: GaussianScene, targets: SelfTargets
) -> None:
    shielded = torch.zeros(len(scene), dtype=torch.bool)
    shielded[::10] = True
    settings = replace(TINY, keep=0.5, exact_share=0.1, finetune_steps=3)
    found = drain(compress(scene, targets, None, settings, protected=shielded))
    exact = found.neural.exact
    assert exact is not None
    assert 30 <= len(exact.indices) <= 45
    assert (exact.indices.diff() > 0).all()
    wanted = attributes.channels_of(attributes.canonical(attributes.tamed(found.pruned)))
    back = attributes.channels_of(found.scene)
    torch.testing.assert_close(back[exact.indices], wanted[exact.indices], atol=1e-2, rtol=1e-3)
    where = torch.cdist(scene.means[shielded], found.pruned.means).argmin(1)
    assert torch.isin(where, exact.indices).all()


def test_the_paper_has_nets_alone(scene: GaussianScene, targets: SelfTargets) -> None:
    settings = replace(
        settings_for("paper", "object"), fit_steps=5, finetune_steps=2, fit_batch=32, clusters=2
    )
    found = drain(compress(scene, targets, None, settings))
    neural = found.neural
    assert neural.codes is None
    assert neural.grid.mapping == "half"
    assert [tuple(weight.shape) for weight in neural.network.weights] == [
        (2, 63, 128),
        (2, 128, 128),
        (2, 128, 128),
        (2, 128, 128),
        (2, 128, 7 + 3 * 4),
    ]


@pytest.mark.parametrize("stop", [1, 4, 10])
def test_an_interrupted_run_ends_with_the_same_bits(
    tmp_path: Path, scene: GaussianScene, targets: SelfTargets, compressed: Compressed, stop: int
) -> None:
    file = tmp_path / "state"
    steps = compress(scene, targets, None, TINY, checkpoint=file)
    with closing(steps):
        _until(steps, "fit, step" if stop < 10 else "fine-tune, step", stop)
    assert checkpoint_files(file)[0].exists()
    again = drain(compress(scene, targets, None, TINY, checkpoint=file))
    assert same_bits(again.scene, compressed.scene)
    seen: list[Progress] = []
    drain(compress(scene, targets, None, TINY, checkpoint=file), seen.append)
    assert not any("step" in progress.message for progress in seen)
    with pytest.raises(UserError, match="other settings"):
        drain(compress(scene, targets, None, replace(TINY, fit_rate=1e-3), checkpoint=file))


def _until(steps: Iterator[Progress], message: str, count: int) -> None:
    for progress in steps:
        if progress.message.startswith(message):
            count -= 1
            if not count:
                return
    raise AssertionError(f"no {message}")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_tiny_scenes_compress(count: int) -> None:
    scene = wanted_scene(count, sh_degree=0)
    targets = SelfTargets(scene, cameras_around(2), jitter=0.0)
    settings = replace(TINY, keep=1.0, clusters=4, finetune_steps=2, fit_steps=3)
    found = drain(compress(scene, targets, None, settings))
    assert len(found.scene) == count
    assert all(tensor.isfinite().all() for tensor in found.scene.tensors().values())


def test_broken_and_equal_gaussians_compress() -> None:
    scene = wanted_scene(40)
    quats, logits, means = scene.quats.clone(), scene.opacity_logits.clone(), scene.means.clone()
    quats[0], logits[1], means[20:] = 0, torch.inf, means[3]
    broken = replace(scene, quats=quats, opacity_logits=logits, means=means)
    targets = SelfTargets(scene, cameras_around(2), jitter=0.0)
    found = drain(compress(broken, targets, None, replace(TINY, finetune_steps=3)))
    assert all(tensor.isfinite().all() for tensor in found.scene.tensors().values())


def test_prepared_gaussians_are_described_as_the_settings_say(scene: GaussianScene) -> None:
    worth = torch.arange(len(scene), dtype=torch.float64)
    ready = prepare(scene, worth, replace(TINY, keep=0.5))
    assert len(ready.pruned) == 150
    assert ready.importance.min() == 150
    assert float((ready.means - ready.pruned.means).abs().max()) < 0.02
    assert float(ready.inputs.abs().max()) <= 1.01


def test_impossible_settings_are_refused() -> None:
    for change in (
        {"keep": 0.0},
        {"clusters": 0},
        {"weight_bits": 3},
        {"code_bytes": -1.0},
        {"fit_steps": 0},
        {"fit_rate": float("nan")},
    ):
        with pytest.raises(UserError):
            replace(TINY, **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="preset"):
        settings_for("fast")
    with pytest.raises(UserError, match="kind"):
        settings_for("best", "forest")


def test_an_empty_scene_is_refused(scene: GaussianScene, targets: SelfTargets) -> None:
    empty = scene.select(torch.zeros(len(scene), dtype=torch.bool))
    with pytest.raises(UserError, match="empty"):
        drain(compress(empty, targets, None, TINY))
