"""The masked autoencoder whose decoder emits Gaussians (arXiv 2501.03229, section 3)."""

import math

import torch
from torch import Tensor, nn

from core.gmae.config import OUTPUTS, Config, Start
from core.gmae.gaussians import Gaussians, activate
from core.gmae.masking import patchify

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
_EPS = 1e-6


class GaussianAutoencoder(nn.Module):
    """ViT encoder on the visible patches, decoder on latents and queries, linear head.

    The numbers of a Gaussian are those of :func:`core.gmae.gaussians.activate`. Built as MAE
    (arXiv 2111.06377): pre-norm blocks, fixed sine-cosine positions, a class token.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width, inner = config.encoder_width, config.decoder_width
        self.embed = nn.Linear(3 * config.patch**2, width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder = _blocks(width, config.encoder_depth, config.encoder_heads)
        self.latent = nn.Linear(width, inner)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, inner))
        self.queries = nn.Parameter(torch.zeros(1, config.queries, inner))
        self.decoder = _blocks(inner, config.decoder_depth, config.decoder_heads)
        self.head = nn.Linear(inner, OUTPUTS * config.per_query, bias=False)
        self.biases = (
            nn.Parameter(torch.zeros(config.gaussians, OUTPUTS))
            if config.start is Start.GRID
            else None
        )
        side = config.size // config.patch
        self.register_buffer("positions", sine_cosine(side, side, width), persistent=False)
        self.register_buffer("inner_positions", sine_cosine(side, side, inner), persistent=False)
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGE_STD)[:, None, None], persistent=False)
        self.positions: Tensor
        self.inner_positions: Tensor
        self.mean: Tensor
        self.std: Tensor

    def encode(self, images: Tensor, visible: Tensor | None = None) -> Tensor:
        """Latents of images in 0..1, ``(B, 3, S, S)``: class token first, ``(B, 1 + V, width)``.

        ``visible (B, V)`` are the patches to look at; None for all.
        """
        patches = patchify((images - self.mean) / self.std, self.config.patch)
        positions = self.positions.expand(len(images), -1, -1)
        tokens = _chosen(patches, visible)
        tokens = self.embed(tokens) + _chosen(positions, visible)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), tokens], 1)
        latents: Tensor = self.encoder(tokens)
        return latents

    def outputs(self, images: Tensor, visible: Tensor | None = None) -> Tensor:
        """The head's numbers, ``(B, K, 14)``."""
        latents = self.latent(self.encode(images, visible))
        positions = _chosen(self.inner_positions.expand(len(images), -1, -1), visible)
        latents = torch.cat([latents[:, :1], latents[:, 1:] + positions], 1)
        queries = (self.mask_token + self.queries).expand(len(images), -1, -1)
        decoded = self.decoder(torch.cat([latents, queries], 1))
        numbers: Tensor = self.head(decoded[:, latents.shape[1] :])
        numbers = numbers.reshape(len(images), self.config.gaussians, OUTPUTS)
        return numbers if self.biases is None else numbers + self.biases

    def forward(self, images: Tensor, visible: Tensor | None = None) -> Gaussians:
        """The Gaussians of images in 0..1, ``(B, 3, S, S)``."""
        return activate(self.outputs(images, visible), self.config.scale_cap)


def new_model(config: Config, seed: int = 0) -> GaussianAutoencoder:
    """A model before training; the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GaussianAutoencoder(config)
        for block in (*model.encoder.layers, *model.decoder.layers):
            for name, value in block.named_parameters():
                if value.dim() == 2:
                    nn.init.xavier_uniform_(value)
                elif name.endswith("bias"):
                    nn.init.zeros_(value)
        for linear in (model.embed, model.latent):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.normal_(model.class_token, std=0.02)
        nn.init.normal_(model.mask_token, std=0.02)
        with torch.no_grad():
            if model.biases is None:
                model.queries.copy_(torch.rand(model.queries.shape))
            else:
                _spread(model)
    return model


def _spread(model: GaussianAutoencoder) -> None:
    """Queries and Gaussians on a grid over the picture; those of one query on a ring in its cell.

    Depths start by chance in -0.46..0.46.
    """
    config = model.config
    columns = math.ceil(config.queries**0.5)
    rows = math.ceil(config.queries / columns)
    embedding = sine_cosine(rows, columns, config.decoder_width)
    model.queries.copy_(embedding[:, : config.queries])
    index = torch.arange(config.queries)
    cells = torch.stack([(index % columns + 0.5) / columns, (index // columns + 0.5) / rows], -1)
    angle = torch.arange(config.per_query) / config.per_query * 2 * math.pi
    ring = 0.25 * torch.stack([angle.sin() / columns, angle.cos() / rows], -1)
    places = cells[:, None] + (ring if config.per_query > 1 else 0 * ring)
    assert model.biases is not None
    model.biases[:, :2] = torch.logit(places.reshape(-1, 2))
    model.biases[:, 2] = torch.rand(config.gaussians) * 2 - 1


def sine_cosine(rows: int, columns: int, width: int) -> Tensor:
    """Fixed positions on a grid, row by row, ``(1, rows columns, width)``: half for x, half for y.

    As MAE's: ``sin, cos`` of the coordinate over ``10000^(i / (width / 4))``.
    """
    rates = 1 / 10_000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    parts = [f(axis.reshape(-1, 1) * rates) for axis in (x, y) for f in (torch.sin, torch.cos)]
    return torch.cat(parts, 1).float().unsqueeze(0)


def _blocks(width: int, depth: int, heads: int) -> nn.TransformerEncoder:
    block = nn.TransformerEncoderLayer(
        width,
        heads,
        4 * width,
        dropout=0.0,
        activation="gelu",
        layer_norm_eps=_EPS,
        batch_first=True,
        norm_first=True,
    )
    last = nn.LayerNorm(width, eps=_EPS)
    return nn.TransformerEncoder(block, depth, norm=last, enable_nested_tensor=False)


def _chosen(tokens: Tensor, which: Tensor | None) -> Tensor:
    """Tokens ``(B, N, C)`` by indices ``(B, V)``."""
    if which is None:
        return tokens
    return tokens.gather(1, which.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
