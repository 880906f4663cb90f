"""What is asked of a frame, and the picture that comes back."""

from dataclasses import dataclass

from torch import Tensor

from core.cameras import Camera, View
from core.editing import Document
from core.errors import UserError
from core.gmae.layers import DepthLayers
from core.scene import GaussianScene
from core.scoring import Worth
from viewer.compare import Comparison
from viewer.look import Look
from viewer.viewport.legend import Legend

DEFAULT_LOOK = Look()


@dataclass(frozen=True, slots=True, eq=False)
class FrameRequest:
    """All that a frame needs; nothing in it changes after it was asked for.

    Attributes
    ----------
    document
        Whose picture it is; what was remembered for one document is of no use to another.
    scene, alive, visible, selected
        The scene, and which of its Gaussians live, are drawn and are selected, bool ``(N,)``.
    camera
        The camera at the full size of the picture in physical pixels.
    look, worth
        How to draw, and the chosen score.
    layers
        The layers by depth, None until they are known.
    removed
        What the previewed prune takes away, bool ``(N,)``; None without a preview.
    view
        The dataset's view that the camera stands at, if any: its photo can be shown.
    comparison
        What to compare, if anything.
    hide
        Whether what would go is left out, instead of marked.
    scale
        Share of the full width and height to render at; 1 is sharp.
    pick
        A camera of one pixel whose visible point is asked for as well.
    ends
        Ends of the colours of depth and error, so that two pictures agree; None for its own.
    depth_offset
        By how much the camera's depths are larger than those to be told, world units: parallel rays
        come from a camera that stands far behind the eye.
    """

    scene: GaussianScene
    alive: Tensor
    visible: Tensor
    selected: Tensor
    camera: Camera
    look: Look = DEFAULT_LOOK
    worth: Worth | None = None
    layers: DepthLayers | None = None
    removed: Tensor | None = None
    view: View | None = None
    comparison: Comparison | None = None
    hide: bool = False
    scale: float = 1.0
    pick: Camera | None = None
    ends: tuple[float, float] | None = None
    depth_offset: float = 0.0
    document: Document | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What lies over a picture, apart from text.

    ``pixels`` is float32 ``(H, W, 4)`` on the CPU, colours premultiplied by the fourth channel;
    None where nothing lies there. ``notes`` are lines for a person, ``problem`` why a photo that
    was asked for is missing.
    """

    pixels: Tensor | None = None
    notes: tuple[str, ...] = ()
    problem: UserError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A finished picture and what is to be told about it.

    Attributes
    ----------
    pixels
        uint8 ``(H, W, 4)``, where they were computed.
    drawn, ghosts
        Number of Gaussians drawn, and of those among them that the preview takes.
    legend
        What its colours mean, where they are not the scene's own.
    advice
        A title and a hint, where the mode cannot show what it is for.
    notes
        Lines about what lies over it.
    problem
        What a person can mend for the picture to be whole; to be told once.
    ends
        Ends of the colours of depth and error, see :class:`FrameRequest`.
    remembered
        Whether nothing had to be drawn, so that the time taken says nothing about drawing.
    """

    pixels: Tensor
    drawn: int
    ghosts: int = 0
    legend: Legend | None = None
    advice: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()
    problem: UserError | None = None
    ends: tuple[float, float] | None = None
    remembered: bool = False


def without(visible: Tensor, removed: Tensor) -> Tensor:
    """What is drawn where a preview hides what it takes, bool ``(N,)``."""
    return visible & ~removed
