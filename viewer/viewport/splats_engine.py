"""Which program draws the splats, and how many of them it can draw in the time of a frame."""

import re
from dataclasses import dataclass

from viewer.look import Engine, Overlay
from viewer.viewport.request import FrameRequest
from viewer.viewport.shading import SPLAT_MODES

SOFTWARE_OPENGL = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "basic render")
DRAW_MS = 25.0
"""What drawing splats may take of a frame; showing them takes some more."""
FIRST_GUESS_PX = 4e6
LEAST_PX = 1e5
LARGEST_STEP = 2.0


@dataclass(frozen=True, slots=True)
class OpenGl:
    """The OpenGL 3.3 of this machine.

    Attributes
    ----------
    renderer
        What the driver calls itself.
    capacity
        How many Gaussians fit into a texture.
    """

    renderer: str
    capacity: int

    @property
    def software(self) -> bool:
        """Whether the processor draws; our own kernels are faster then."""
        return any(name in self.renderer.lower() for name in SOFTWARE_OPENGL)

    @property
    def name(self) -> str:
        """The renderer without its drivers' versions."""
        return re.split(r"/| \(", self.renderer)[0]


def draws_splats(request: FrameRequest, opengl: OpenGl | None) -> bool:
    """Whether OpenGL is to draw the splats of a request.

    By itself it is chosen where there is a GPU that CUDA cannot use. What is no plain blending of
    colours, or has to fit a picture to the pixel while it moves, is left to the rasterizer.
    """
    engine, look = request.look.engine, request.look
    if opengl is None or engine == Engine.RASTERIZER or len(request.scene) > opengl.capacity:
        return False
    if engine == Engine.AUTO and (opengl.software or request.scene.device.type == "cuda"):
        return False
    if look.mode not in SPLAT_MODES or request.comparison is not None:
        return False
    if look.shows(Overlay.CENTERS) or look.shows(Overlay.RINGS):
        return False
    view = request.view
    return not (look.photo_opacity > 0 and view is not None and view.photo is not None)


class Throughput:
    """How much can be drawn in DRAW_MS, learnt from what was drawn; in pixels, see ``SplatList``.

    It goes down faster than up, so that a lucky measurement does not hold up the window; but by a
    factor of LARGEST_STEP at most, for the machine may have been busy with something else.
    """

    def __init__(self) -> None:
        self.affordable_px = FIRST_GUESS_PX

    def record(self, cost_px: float, ms: float) -> None:
        """Learn that something took a time."""
        fitting = cost_px * DRAW_MS / max(ms, 0.01)
        if fitting < self.affordable_px:
            if ms > DRAW_MS / 2:
                self.affordable_px = max(LEAST_PX, fitting, self.affordable_px / LARGEST_STEP)
        else:
            up = min(fitting, LARGEST_STEP * self.affordable_px)
            self.affordable_px += (up - self.affordable_px) / 2
