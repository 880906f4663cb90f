"""What a frame shows: the picture that a request asks for, in every mode, with the prune ghost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera, Matrix, View
from core.rendering import Render, render
from core.rendering.heatmap import SEEN_ALPHA, depth_picture, depth_range, score_colors
from core.scene import GaussianScene
from core.scoring import Worth
from viewer.compare import Comparison
from viewer.look import Look, Mode

BACKGROUND = (0.10, 0.11, 0.13)
GHOST_COLOR = (1.0, 0.10, 0.50)
GHOST_SHARE = 0.75
TICK_PERCENTILES = (0, 25, 50, 75, 100)
LUMA = (0.299, 0.587, 0.114)

DEFAULT_LOOK = Look()

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class FrameRequest:
    """All that a frame needs; nothing in it changes after it was asked for.

    Attributes
    ----------
    scene, alive, visible, selected
        The scene, and which of its Gaussians live, are drawn and are selected, bool ``(N,)``.
    camera
        The camera at the full size of the picture in physical pixels.
    look, worth
        How to draw, and the chosen score.
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
    """

    scene: GaussianScene
    alive: Tensor
    visible: Tensor
    selected: Tensor
    camera: Camera
    look: Look = DEFAULT_LOOK
    worth: Worth | None = None
    removed: Tensor | None = None
    view: View | None = None
    comparison: Comparison | None = None
    hide: bool = False
    scale: float = 1.0
    pick: Camera | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """``pixels`` uint8 ``(H, W, 4)``, where they were computed, and what its legend tells.

    ``depth_range`` are the distances at the ends of the depth colours; ``ticks`` pairs of a
    percentile and the score there; ``drawn`` and ``ghosts`` count Gaussians.
    """

    pixels: Tensor
    drawn: int
    ghosts: int = 0
    depth_range: tuple[float, float] | None = None
    ticks: tuple[tuple[int, float], ...] = ()


class _Last(Generic[T]):
    """One remembered result, good for as long as it is made of the very same inputs."""

    def __init__(self) -> None:
        self._recipe: tuple[Any, ...] = ()
        self._value: T | None = None

    def get(self, make: Callable[..., T], *inputs: Any) -> T:
        recipe = (make, *inputs)
        same = len(recipe) == len(self._recipe) and all(
            a is b or (isinstance(a, int) and isinstance(b, int) and a == b)
            for a, b in zip(recipe, self._recipe, strict=True)
        )
        if not same or self._value is None:
            self._value, self._recipe = make(*inputs), recipe
        return self._value


class Shading:
    """Draws requests one after another and remembers what consecutive ones have in common."""

    def __init__(self) -> None:
        self._drawn: _Last[int] = _Last()
        self._keep: _Last[Tensor] = _Last()
        self._ghosts: _Last[int] = _Last()
        self._without: _Last[Tensor] = _Last()
        self._heat: _Last[Tensor] = _Last()
        self._ticks: _Last[tuple[tuple[int, float], ...]] = _Last()
        self._tint: _Last[Tensor] = _Last()

    def picture(self, request: FrameRequest) -> Picture:
        """The picture of a request at its scale."""
        alive, worth = request.alive, request.worth
        drawn = self._drawn.get(_count, request.visible)
        removed = request.removed
        ghosts = 0 if removed is None else self._ghosts.get(_count_both, removed, request.visible)
        draw = {
            Mode.COLOR: self._draw_color,
            Mode.HEATMAP: self._draw_heatmap,
            Mode.DEPTH: self._draw_depth,
        }.get(request.look.mode, self._draw_color)
        if removed is not None and request.hide:
            request = replace(
                request, visible=self._without.get(_without, request.visible, removed)
            )
            removed, ghosts = None, 0
        rgb, depth_range = draw(request, removed)
        heat = request.look.mode == Mode.HEATMAP and worth is not None
        return Picture(
            pixels=_to_rgba8(rgb),
            drawn=drawn,
            ghosts=ghosts,
            depth_range=depth_range,
            ticks=self._ticks.get(_ticks, worth, alive) if heat else (),
        )

    def pick(self, request: FrameRequest) -> Matrix | None:
        """The visible point in the one-pixel camera of a request, ``(3,)``; None if it is empty."""
        camera = request.pick
        if camera is None:
            return None
        seen = self._render(request, camera, None, depth=True)
        if seen.depth is None or float(seen.alpha[0, 0]) < SEEN_ALPHA:
            return None
        ray = np.linalg.solve(camera.K, np.array([0.5, 0.5, 1.0]))
        point: Matrix = camera.camera_to_world[:3, :3] @ (ray * float(seen.depth[0, 0]))
        return point + camera.position

    def _render(
        self,
        request: FrameRequest,
        camera: Camera,
        colors: Tensor | None,
        background: tuple[float, float, float] = BACKGROUND,
        depth: bool = False,
    ) -> Render:
        keep = self._keep.get(_on_device, request.visible, request.scene)
        return render(
            request.scene, camera, background=background, keep=keep, colors=colors, depth=depth
        )

    def _draw_color(self, request: FrameRequest, removed: Tensor | None) -> tuple[Tensor, None]:
        colors = None if removed is None else self._tint.get(_ghost_tint, removed, request.scene)
        return self._render(request, _scaled(request), colors).rgb, None

    def _draw_heatmap(self, request: FrameRequest, removed: Tensor | None) -> tuple[Tensor, None]:
        if request.worth is None:
            colors = self._heat.get(_greys, request.scene)
        else:
            colors = self._heat.get(_heat, request.worth, request.alive, request.scene)
        if removed is not None:
            colors = self._tint.get(_ghost_over, colors, removed)
        return self._render(request, _scaled(request), colors).rgb, None

    def _draw_depth(
        self, request: FrameRequest, removed: Tensor | None
    ) -> tuple[Tensor, tuple[float, float] | None]:
        # The colour channels are free here: they carry how much of a pixel would be removed.
        flags = self._tint.get(_flags, request.scene, removed)
        seen = self._render(request, _scaled(request), flags, (0.0, 0.0, 0.0), depth=True)
        assert seen.depth is not None
        depth, alpha = seen.depth.cpu(), seen.alpha.cpu()
        limits = depth_range(depth, alpha)
        rgb = depth_picture(depth, alpha, limits) + (1 - alpha)[..., None] * torch.tensor(
            BACKGROUND
        )
        if removed is not None:
            share = seen.rgb[..., :1].cpu() * GHOST_SHARE
            rgb = rgb + (torch.tensor(GHOST_COLOR) - rgb) * share
        return rgb, limits


def _scaled(request: FrameRequest) -> Camera:
    return request.camera if request.scale == 1 else request.camera.scaled(request.scale)


def _count(mask: Tensor) -> int:
    return int(mask.sum())


def _on_device(alive: Tensor, scene: GaussianScene) -> Tensor:
    return alive.to(scene.device)


def _count_both(a: Tensor, b: Tensor) -> int:
    return int((a & b).sum())


def _without(alive: Tensor, removed: Tensor) -> Tensor:
    return alive & ~removed


def _heat(worth: Worth, alive: Tensor, scene: GaussianScene) -> Tensor:
    return score_colors(worth, alive).to(scene.device)


def _greys(scene: GaussianScene) -> Tensor:
    luma = scene.base_colors() @ torch.tensor(LUMA, device=scene.device)
    return luma[:, None].expand(-1, 3).contiguous()


def _ghost_tint(removed: Tensor, scene: GaussianScene) -> Tensor:
    tint = torch.empty(len(removed), 4)
    tint[:, :3] = torch.tensor(GHOST_COLOR)
    tint[:, 3] = removed * GHOST_SHARE
    return tint.to(scene.device)


def _ghost_over(colors: Tensor, removed: Tensor) -> Tensor:
    ghost = torch.tensor(GHOST_COLOR, device=colors.device)
    return torch.where(removed.to(colors.device)[:, None], ghost, colors)


def _flags(scene: GaussianScene, removed: Tensor | None) -> Tensor:
    if removed is None:
        return torch.zeros(len(scene), 3, device=scene.device)
    return removed.to(scene.device, torch.float32)[:, None].expand(-1, 3).contiguous()


def _ticks(worth: Worth, alive: Tensor) -> tuple[tuple[int, float], ...]:
    order = worth.order[alive[worth.order]]
    if len(order) == 0:
        return ()
    places = [round(percentile / 100 * (len(order) - 1)) for percentile in TICK_PERCENTILES]
    values = worth.values[order[places]].tolist()
    return tuple(zip(TICK_PERCENTILES, values, strict=True))


def _to_rgba8(rgb: Tensor) -> Tensor:
    pixels = torch.empty(*rgb.shape[:2], 4, dtype=torch.uint8, device=rgb.device)
    pixels[..., :3] = (rgb * 255).add_(0.5).clamp_(0, 255)
    pixels[..., 3] = 255
    return pixels
