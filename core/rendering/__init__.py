"""One function that draws a scene, whatever the tensors' device."""

from core.rendering.render import Render, render, warm_up

__all__ = ["Render", "render", "warm_up"]
