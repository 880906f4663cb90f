"""How the viewport draws: the mode, the colours of what is no colour, and what lies over it."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from core.gmae.edges import CHANGE
from core.gmae.figure_ground import Polarity


class Mode(StrEnum):
    """What the picture shows."""

    COLOR = "color"
    HEATMAP = "heatmap"
    DEPTH = "depth"
    OPACITY = "opacity"
    SIZE = "size"
    ERROR = "error"
    LAYERS = "layers"
    FIGURE = "figure"
    EDGES = "edges"


class Scale(StrEnum):
    """What a heatmap's colours are even in."""

    PERCENTILE = "percentile"
    VALUE = "value"


class Overlay(StrEnum):
    """What can lie over the picture."""

    GRID = "grid"
    FRUSTUMS = "frustums"
    BOX = "box"
    CENTERS = "centers"
    RINGS = "rings"
    INFO = "info"
    CUBE = "cube"
    PROBE = "probe"


class Engine(StrEnum):
    """Which program draws the splats."""

    AUTO = "auto"
    RASTERIZER = "rasterizer"
    OPENGL = "opengl"


Color = tuple[float, float, float]
BACKGROUND: Color = (0.10, 0.11, 0.13)


class Backdrop(StrEnum):
    """What lies behind a scene."""

    DARK = "dark"
    BLACK = "black"
    WHITE = "white"


BACKDROPS: dict[Backdrop, Color] = {
    Backdrop.DARK: BACKGROUND,
    Backdrop.BLACK: (0.0, 0.0, 0.0),
    Backdrop.WHITE: (1.0, 1.0, 1.0),
}

COLORMAPS = ("viridis", "cividis", "magma", "batlow", "gray")
"""Colour maps that are even in perception."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the viewport draws.

    Attributes
    ----------
    mode, colormap, scale
        What is shown, in which colours, even in percentiles or in values.
    low, high
        Ends of the colours: shares 0 to 1 for percentiles, values else; None is the data's own end.
    contour
        Whether a line shows where the prune would cut.
    overlays
        What lies over the picture, unless ``overlays_shown`` is off.
    photo_opacity
        How much of the photo lies over the picture at a camera that has one, 0 to 1.
    engine
        What draws the splats.
    background
        What lies behind the scene, and behind photos that are transparent; RGB in 0 to 1.
    figure_depth, polarity
        Where figure and ground part, world units, and which side is the figure; None is Otsu's
        threshold.
    figure_truth, edge_truth
        A true mask, whose outline lies over the figure at the view that it belongs to; and true
        edges.
    edge_layers, edge_change
        Between how many layers edges are drawn, and what step of a colour is a change; None is the
        mean of several.
    """

    mode: Mode = Mode.COLOR
    colormap: str = COLORMAPS[0]
    scale: Scale = Scale.PERCENTILE
    low: float | None = None
    high: float | None = None
    contour: bool = True
    overlays: frozenset[Overlay] = field(
        default_factory=lambda: frozenset({Overlay.INFO, Overlay.CUBE})
    )
    overlays_shown: bool = True
    photo_opacity: float = 0.0
    engine: Engine = Engine.AUTO
    background: Color = BACKGROUND
    figure_depth: float | None = None
    polarity: Polarity = Polarity.FAR
    figure_truth: Path | None = None
    edge_truth: Path | None = None
    edge_layers: int | None = None
    edge_change: float = CHANGE

    def shows(self, overlay: Overlay) -> bool:
        """Whether an overlay is to be drawn."""
        return self.overlays_shown and overlay in self.overlays
