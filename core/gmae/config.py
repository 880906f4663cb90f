"""What a masked autoencoder is built from, and the ladder of sizes."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum

from core.errors import UserError

OUTPUTS = 14
"""Numbers per Gaussian: mean 3, scale 3, rotation 4, colour 3, opacity 1."""
MAX_WIDTH = 4096
MAX_DEPTH = 64
MAX_SIZE = 1024
MAX_GAUSSIANS = 65_536
MAX_PARAMETERS = 512 * 1024**2
"""Two GiB of float32."""


class Projection(StrEnum):
    """How Gaussians become a picture; see :mod:`core.gmae.cameras`."""

    AUTHORS = "authors"
    PINHOLE = "pinhole"
    ORTHO = "ortho"


class Start(StrEnum):
    """Where the Gaussians are before training."""

    PAPER = "paper"
    """As the authors have it: all near the centre."""
    GRID = "grid"
    """On a grid, by a learnt bias of the outputs; better at equal steps where these are few."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides a model's shape and picture.

    Attributes
    ----------
    size, patch
        Sides of the square image and its patches, pixels.
    encoder_width, encoder_depth, encoder_heads
        Of the vision transformer on the visible patches.
    decoder_width, decoder_depth, decoder_heads
        Of the transformer on latents and queries together.
    queries, per_query
        Learnable queries, and the Gaussians that each of them emits (1 in the paper).
    scale_cap
        Largest standard deviation c; 1 is 14 pixels at depth 0 and 224 pixels.
    projection, start
        Camera and initialisation.
    mask_ratio
        Share of the patches that the encoder does not see in training.
    """

    size: int
    patch: int
    encoder_width: int
    encoder_depth: int
    encoder_heads: int
    decoder_width: int
    decoder_depth: int
    decoder_heads: int
    queries: int
    per_query: int = 1
    scale_cap: float = 1.0
    projection: Projection = Projection.AUTHORS
    start: Start = Start.GRID
    mask_ratio: float = 0.75

    def __post_init__(self) -> None:
        limits = {
            "size": MAX_SIZE,
            "patch": MAX_SIZE,
            "encoder_width": MAX_WIDTH,
            "decoder_width": MAX_WIDTH,
            "encoder_depth": MAX_DEPTH,
            "decoder_depth": MAX_DEPTH,
            "encoder_heads": MAX_WIDTH,
            "decoder_heads": MAX_WIDTH,
            "queries": MAX_GAUSSIANS,
            "per_query": MAX_GAUSSIANS,
        }
        for name, limit in limits.items():
            if not 1 <= getattr(self, name) <= limit:
                raise UserError(
                    f"A model's {name} cannot be {getattr(self, name)}.",
                    f"It lies between 1 and {limit:,}.",
                )
        if self.size % self.patch:
            raise UserError(f"Patches of {self.patch} pixels do not tile {self.size}.")
        for part in ("encoder", "decoder"):
            width, heads = getattr(self, f"{part}_width"), getattr(self, f"{part}_heads")
            if width % heads or width % 4:
                raise UserError(f"The {part}'s width {width} does not divide by 4 and {heads}.")
        if self.gaussians > MAX_GAUSSIANS or self.parameters > MAX_PARAMETERS:
            raise UserError("The model is too large.", "Take fewer queries or a smaller width.")
        if not 0 < self.scale_cap <= 8:
            raise UserError(f"The scale cap is {self.scale_cap:g}.", "It lies between 0 and 8.")
        if not 0 <= self.mask_ratio <= 0.95:
            raise UserError(f"{self.mask_ratio:g} cannot be masked.", "Choose 0 to 0.95.")

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return (self.size // self.patch) ** 2

    @property
    def gaussians(self) -> int:
        """Gaussians of an image."""
        return self.queries * self.per_query

    @property
    def parameters(self) -> int:
        """Learnt numbers, in round terms: the matrices of the blocks, the patches and the head."""
        encoder = 12 * self.encoder_depth * self.encoder_width**2
        decoder = 12 * self.decoder_depth * self.decoder_width**2
        ends = 3 * self.patch**2 * self.encoder_width + self.encoder_width * self.decoder_width
        head = OUTPUTS * self.per_query * self.decoder_width
        return encoder + decoder + ends + head + self.queries * self.decoder_width

    def changed(self, **values: object) -> "Config":
        """The same with other values, by name."""
        return replace(self, **values)  # type: ignore[arg-type]

    def texts(self) -> dict[str, str]:
        """All values as texts, for a file's metadata."""
        return {name: str(value) for name, value in asdict(self).items()}


def parse_config(texts: Mapping[str, str]) -> Config:
    """The configuration of a file's metadata.

    Raises
    ------
    UserError
        If a value is missing or none of its kind.
    """
    kinds = {"scale_cap": float, "mask_ratio": float, "projection": Projection, "start": Start}
    values: dict[str, object] = {}
    for entry in fields(Config):
        text = texts.get(entry.name, "")
        try:
            value = kinds.get(entry.name, int)(text)
        except ValueError:
            raise UserError(
                f"The model's {entry.name} is {text[:40]!r}.", "The file is damaged or no model."
            ) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"The model's {entry.name} is {value}.", "The file is damaged.")
        values[entry.name] = value
    return Config(**values)  # type: ignore[arg-type]


LADDER: dict[str, Config] = {
    "nano64": Config(64, 8, 192, 4, 3, 128, 3, 4, queries=64, per_query=3),
    "tiny96": Config(96, 8, 192, 6, 3, 128, 4, 4, queries=100, per_query=3),
    "small128": Config(128, 8, 384, 12, 6, 256, 4, 8, queries=256),
    "base224": Config(224, 16, 768, 12, 12, 512, 8, 16, queries=256, start=Start.PAPER),
}
"""Sizes by name; ``base224`` is the paper's ViT-B/16 with 256 Gaussians, others are ours."""


def find_config(name: str) -> Config:
    """A configuration of the ladder.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in LADDER:
        raise UserError(f"There is no model {name!r}.", f"Choose from {', '.join(LADDER)}.")
    return LADDER[name]
