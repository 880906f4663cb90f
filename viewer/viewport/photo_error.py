"""How far the scene's picture is from a photo, pixel by pixel."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.cameras import Camera, View
from core.rendering import render
from core.rendering.cpu.common import F32
from core.scene import GaussianScene
from viewer.look import BACKGROUND, Color
from viewer.viewport.photos import photo_at

ERROR_LIMITS = tuple(level / 255 for level in (8, 16, 32, 64, 128, 255))
MAX_PIXELS = 2**21


@dataclass(frozen=True, slots=True, eq=False)
class ErrorField:
    """Mean absolute difference of the channels to a photo.

    ``error`` float32 ``(H, W)`` in shares of full scale, as ``camera`` sees it; ``limit`` the round
    upper end of its colours, above all but a hundredth.
    """

    error: F32
    camera: Camera
    limit: float


def error_field(
    scene: GaussianScene,
    keep: Tensor,
    view: View,
    scale: float,
    background: Color = BACKGROUND,
) -> ErrorField:
    """The error of the Gaussians where ``keep`` is true against the photo of a view.

    Measured at the photo's own size times ``scale``, or at MAX_PIXELS pixels if that is less.

    Raises
    ------
    UserError
        If the photo cannot be read.
    """
    camera = view.camera
    fitting = min(1.0, (MAX_PIXELS / (camera.width * camera.height)) ** 0.5)
    if scale * fitting < 1:
        camera = camera.scaled(scale * fitting)
    photo = photo_at(view, background, camera.width, camera.height)
    drawn = render(scene, camera, background=background, keep=keep).rgb.clamp(0, 1).cpu()
    error: F32 = (drawn - photo).abs().mean(dim=-1).numpy()
    high = float(np.quantile(error, 0.99))
    limit = next((limit for limit in ERROR_LIMITS if limit >= high), ERROR_LIMITS[-1])
    return ErrorField(error, camera, limit)
