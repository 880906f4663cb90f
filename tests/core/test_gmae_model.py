"""The masked autoencoder: shapes, activations, cameras, masks and files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import UserError
from core.gmae.cameras import project
from core.gmae.config import LADDER, Config, Projection, Start, find_config, parse_config
from core.gmae.gaussians import Gaussians, activate
from core.gmae.masking import patchify, pixels_of_patches, sample_pixels, split_patches
from core.gmae.model import GaussianAutoencoder, new_model
from core.gmae.weights import load_mae_encoder, load_model, save_model

SMALL = Config(16, 4, 16, 2, 2, 8, 1, 2, queries=5, per_query=2)


def one_gaussian(mean: tuple[float, float, float], sigma: float) -> Gaussians:
    return Gaussians(
        torch.tensor([[mean]]),
        torch.full((1, 1, 3), sigma),
        torch.tensor([[[1.0, 0, 0, 0]]]),
        torch.ones(1, 1, 3),
        torch.ones(1, 1),
    )


@pytest.mark.parametrize("name", LADDER)
def test_ladder_builds_and_survives_as_texts(name: str) -> None:
    config = find_config(name)
    with torch.device("meta"):
        model = GaussianAutoencoder(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert abs(count / config.parameters - 1) < 0.03
    assert parse_config(config.texts()) == config


def test_nano_has_the_size_it_should() -> None:
    assert sum(p.numel() for p in new_model(LADDER["nano64"]).parameters()) < 2.6e6


@pytest.mark.parametrize("start", Start)
def test_model_makes_gaussians_within_their_bounds(start: Start) -> None:
    config = SMALL.changed(start=start, scale_cap=0.5)
    model = new_model(config, seed=1)
    visible, _ = split_patches(2, config.patches, 0.75, torch.Generator().manual_seed(0))
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    made = model(images, visible)
    assert made.means.shape == (2, 10, 3)
    assert made.means.abs().max() < 1
    assert made.scales.min() > 0
    assert made.scales.max() < 0.5
    assert torch.allclose(made.quats.norm(dim=-1), torch.ones(2, 10), atol=1e-5)
    again = new_model(config, seed=1)(images, visible)
    assert torch.equal(made.means, again.means)


def test_hidden_patches_have_no_influence() -> None:
    model = new_model(SMALL)
    generator = torch.Generator().manual_seed(0)
    visible, masked = split_patches(1, SMALL.patches, 0.5, generator)
    images = torch.rand(1, 3, 16, 16, generator=generator)
    changed = images.clone().reshape(1, 3, -1)
    changed[:, :, pixels_of_patches(masked, 16, 4)[0]] = 0
    changed = changed.reshape(images.shape)
    assert torch.equal(model.outputs(images, visible), model.outputs(changed, visible))
    assert not torch.equal(model.outputs(images), model.outputs(changed))


def test_grid_start_covers_the_picture() -> None:
    config = LADDER["nano64"]
    assert config.start is Start.GRID
    biases = new_model(config).biases
    assert biases is not None
    means = activate(biases[None], 1.0).means[0]
    counts = torch.histogramdd(means[:, :2].detach(), [4, 4], range=[-1, 1, -1, 1]).hist
    assert counts.min() == counts.max() == 12


def test_activations_stay_finite_with_gradients_at_extremes() -> None:
    outputs = torch.tensor([[[-200.0] * 14, [200.0] * 14]], requires_grad=True)
    made = activate(outputs, 1.0)
    made.quats.sum().backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_authors_projection_has_its_golden_values() -> None:
    seen = project(one_gaussian((1, 0, -1), 1.0), Projection.AUTHORS, 224)
    assert (seen.centers[0, 0, 0] + 1) * 112 == pytest.approx(224.5)
    # along y there is no shear: 112 / 7 px
    assert seen.covariances[0, 0, 2].sqrt() * 112 == pytest.approx(16.0)
    assert seen.covariances[0, 0, 0].sqrt() * 112 == pytest.approx(16.0 * (1 + 1 / 49) ** 0.5)


def test_depth_moves_the_picture_except_in_the_control() -> None:
    for projection in Projection:
        z = torch.tensor(-0.5, requires_grad=True)
        plain = one_gaussian((0.3, 0.2, 0), 0.4)
        means = torch.cat([plain.means[..., :2], z.reshape(1, 1, 1)], -1)
        seen = project(
            Gaussians(means, plain.scales, plain.quats, plain.colors, plain.opacities),
            projection,
            64,
        )
        total = seen.centers.sum() + seen.covariances.sum()
        (slope,) = torch.autograd.grad(total, z, allow_unused=True)
        moved = 0.0 if slope is None else float(slope)
        assert (moved == 0) == (projection is Projection.ORTHO)


def test_patches_and_pixels_agree() -> None:
    images = torch.arange(3 * 8 * 8, dtype=torch.float32).reshape(1, 3, 8, 8)
    rows = patchify(images, 4)
    chosen = torch.tensor([[1, 2]])
    pixels = pixels_of_patches(chosen, 8, 4)
    flat = images.reshape(1, 3, 64)[:, :, pixels[0]]
    assert torch.equal(rows[0, 1].reshape(3, 16), flat[0, :, :16])
    assert torch.equal(rows[0, 2].reshape(3, 16), flat[0, :, 16:])
    some = sample_pixels(chosen, 8, 4, 10, torch.Generator().manual_seed(0))
    assert set(some[0].tolist()) <= set(pixels[0].tolist())


def test_mask_is_a_partition() -> None:
    visible, masked = split_patches(3, 64, 0.75, torch.Generator().manual_seed(0))
    assert visible.shape == (3, 16)
    for row in torch.cat([visible, masked], 1):
        assert sorted(row.tolist()) == list(range(64))


def test_model_survives_its_file(tmp_path: Path) -> None:
    model = new_model(SMALL, seed=3)
    save_model(model, tmp_path / "m.safetensors", {"step": 7})
    loaded, notes = load_model(tmp_path / "m.safetensors")
    assert loaded.config == SMALL
    assert notes == {"step": 7}
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(new_model(SMALL), path)
    whole = path.read_bytes()
    for size in (0, 4, 9, 200, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError):
            load_model(path)
    path.write_bytes((2**62).to_bytes(8, "little") + whole[8:])
    with pytest.raises(UserError):
        load_model(path)
    with pytest.raises(UserError):
        load_model(tmp_path / "missing.safetensors")


def test_a_model_that_does_not_fit_names_the_tensor(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(new_model(SMALL), path)
    tensors = load_file(path)
    meta = {"format": "gmae-v1", **SMALL.texts()}
    save_file({**tensors, "head.weight": torch.zeros(3, 3)}, path, meta)
    with pytest.raises(UserError, match=r"head\.weight"):
        load_model(path)
    save_file({**tensors, "more": torch.zeros(1)}, path, meta)
    with pytest.raises(UserError, match="more does not belong"):
        load_model(path)
    save_file({**tensors, "embed.bias": torch.full((16,), torch.nan)}, path, meta)
    with pytest.raises(UserError, match=r"embed\.bias is not finite"):
        load_model(path)
    save_file(tensors, path, {**meta, "queries": "99999999"})
    with pytest.raises(UserError, match="queries"):
        load_model(path)


def test_encoder_starts_from_mae_names(tmp_path: Path) -> None:
    donor, model = new_model(SMALL, seed=5), new_model(SMALL, seed=6)
    theirs = {
        "patch_embed.proj.weight": donor.embed.weight.detach().reshape(16, 3, 4, 4).clone(),
        "patch_embed.proj.bias": donor.embed.bias.detach().clone(),
        "cls_token": donor.class_token.detach().clone(),
        "norm.weight": torch.full((16,), 2.0),
        "norm.bias": torch.zeros(16),
        "decoder_pred.weight": torch.zeros(2, 2),
    }
    for index, block in enumerate(donor.encoder.layers):
        state = block.state_dict()
        names = {
            "norm1": "norm1",
            "attn.qkv": "self_attn.in_proj_",
            "attn.proj": "self_attn.out_proj",
            "norm2": "norm2",
            "mlp.fc1": "linear1",
            "mlp.fc2": "linear2",
        }
        for mae, ours in names.items():
            for kind in ("weight", "bias"):
                key = f"{ours}{kind}" if ours.endswith("_") else f"{ours}.{kind}"
                theirs[f"blocks.{index}.{mae}.{kind}"] = state[key].clone()
    save_file({f"vit.{name}": value for name, value in theirs.items()}, tmp_path / "mae.st")
    load_mae_encoder(model, tmp_path / "mae.st")
    with torch.no_grad():
        donor.encoder.norm.weight.fill_(2.0)  # type: ignore[union-attr]
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(model.encode(images), donor.encode(images))
    with pytest.raises(UserError, match="more blocks"):
        load_mae_encoder(new_model(SMALL.changed(encoder_depth=1)), tmp_path / "mae.st")
