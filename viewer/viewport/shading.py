"""What a frame shows: the picture that a request asks for, in every mode, with all marks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.cameras import Camera, Matrix, View
from core.errors import UserError
from core.gmae.figure_ground import covered_depth, part_figure
from core.images import load_mask
from core.properties import PROPERTIES
from core.rendering import Render, render
from core.rendering.cpu.common import F32
from core.rendering.cpu.renderer import Workspace
from core.rendering.heatmap import (
    SEEN_ALPHA,
    HeatRange,
    depth_picture,
    depth_range,
    level_picture,
)
from core.scene import GaussianScene
from core.scoring import SCORES
from viewer.look import Look, Mode, Overlay
from viewer.memory import Memory
from viewer.viewport.figures import (
    OUTSIDE_GREY,
    TRUTH_COLOR,
    edge_camera,
    edge_lines,
    edge_picture,
    edge_strength,
    figure_picture,
    inside_view,
    outlined,
    part_view,
    truth_seen,
)
from viewer.viewport.legend import (
    Legend,
    Ranked,
    depth_legend,
    edge_legend,
    error_legend,
    figure_legend,
    heat_legend,
    layers_legend,
)
from viewer.viewport.marks import (
    COARSE_RINGS,
    SHARP_RINGS,
    draw_centers,
    draw_level_line,
    draw_rings,
    mark_size,
    project_scene,
)
from viewer.viewport.photo_error import error_field
from viewer.viewport.photos import photo_picture, seen_from
from viewer.viewport.request import FrameRequest, Layer, Picture, without
from viewer.viewport.tints import (
    GHOST_COLOR,
    GHOST_SHARE,
    HEAT_REST_SHARE,
    LIGHT_COLOR,
    LIGHT_SHARE,
    SELECTED_COLOR,
    device_heat,
    flags,
    greys,
    heat_limits,
    layer_colors,
    mixed,
    plain_marks,
    property_worth,
    tints,
)

DIMMED, TRUTH_SHARE = 0.6, 0.75
MARK_LIGHT = 0.25
"""How much marks in the scene's colours are lightened: dark ones are hard to see when dimmed."""
CUT_SHARE, SELECTED_EDGE = 0.5, 0.3
ERROR_COLORMAP = "magma"

SPLAT_MODES = frozenset({Mode.COLOR, Mode.HEATMAP, Mode.OPACITY, Mode.SIZE, Mode.LAYERS})
"""Modes that are plain blending of one colour per Gaussian."""
HEAT_MODES = SPLAT_MODES - {Mode.COLOR}
HEAT_PROPERTIES = {Mode.OPACITY: "opacity", Mode.SIZE: "largest"}


@dataclass(frozen=True, slots=True, eq=False)
class _Base:
    """The picture before anything lies over it: ``rgb`` ``(H, W, 3)``."""

    rgb: Tensor
    legend: Legend | None = None
    advice: tuple[str, str] | None = None
    problem: UserError | None = None
    ends: tuple[float, float] | None = None


class Shading:
    """Draws requests one after another and remembers what consecutive ones have in common."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._counts = Memory(8)
        self._workspace = Workspace()

    def picture(self, request: FrameRequest) -> Picture:
        """The picture of a request at its scale."""
        request = self.shown(request)
        mode = request.look.mode
        if mode == Mode.DEPTH:
            base = self._draw_depth(request)
        elif mode == Mode.ERROR:
            base = self._draw_error(request)
        elif mode == Mode.FIGURE:
            base = self._draw_figure(request)
        elif mode == Mode.EDGES:
            base = self._draw_edges(request)
        else:
            base = self._draw_splats(request)
        return self._finish(request, base)

    def shown(self, request: FrameRequest) -> FrameRequest:
        """The same request where what is to be hidden is not visible, instead of marked."""
        removed = request.removed
        if removed is not None and request.hide:
            visible = self._memory.get(without, request.visible, removed)
            return replace(request, visible=visible, removed=None, hide=False)
        return request

    def splat_colors(self, request: FrameRequest) -> Tensor | None:
        """Colours of the Gaussians in a mode of SPLAT_MODES, on the scene's device.

        ``(N, 3)``, or ``(N, 4)`` to be mixed over the scene's own colours by the fourth channel,
        or None where these are drawn as they are. What the preview takes and what is selected is
        mixed in.
        """
        request = self.shown(request)
        removed, selected = self._marked(request)
        marked = removed is not None or selected is not None
        if request.look.mode not in HEAT_MODES:
            return self._tints(removed, selected, request) if marked else None
        look, scene, layers = request.look, request.scene, request.layers
        heat = self._heat(request)
        if look.mode == Mode.LAYERS and layers is not None:
            colors = self._memory.get(layer_colors, layers, look.colormap, scene)
        elif heat is None:
            colors = self._memory.get(greys, scene)
        else:
            ranked, _, limits = heat
            colors = self._memory.get(
                device_heat, ranked.worth, request.alive, limits, look.colormap, scene
            )
        if not marked:
            return colors
        return self._memory.get(mixed, colors, self._tints(removed, selected, request))

    def legend(self, request: FrameRequest) -> Legend | None:
        """What the colours of a mode of SPLAT_MODES mean; None where they are the scene's own."""
        request = self.shown(request)
        if request.look.mode == Mode.LAYERS:
            layers, colormap = request.layers, request.look.colormap
            return None if layers is None else self._memory.get(layers_legend, layers, colormap)
        heat = self._heat(request) if request.look.mode in HEAT_MODES else None
        if heat is None:
            return None
        ranked, title, limits = heat
        removed, _ = self._marked(request)
        return self._memory.get(heat_legend, title, ranked, limits, request.look.colormap, removed)

    def layer(self, request: FrameRequest) -> Layer:
        """What lies over the picture of a request: the photo, marks and lines."""
        request = self.shown(request)
        camera = _scaled(request)
        pixels = np.zeros((camera.height, camera.width, 4), np.float32)
        notes: list[str] = []
        problem = self._lay_photo(request, camera, pixels, notes)
        drew = bool(request.look.photo_opacity > 0 and problem is None and _photo_view(request))
        drew |= self._lay_marks(request, camera, pixels, notes)
        drew |= self._lay_lines(request, camera, pixels)
        return Layer(torch.from_numpy(pixels) if drew else None, tuple(notes), problem)

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

    # Pictures by mode

    def _draw_splats(self, request: FrameRequest) -> _Base:
        colors = self.splat_colors(request)
        return _Base(self._render(request, _scaled(request), colors).rgb, self.legend(request))

    def _draw_depth(self, request: FrameRequest) -> _Base:
        # The colour channels are free here: they carry how much of a pixel is marked.
        seen = self._shares(request, _scaled(request))
        assert seen.depth is not None
        depth, alpha = seen.depth.cpu(), seen.alpha.cpu()
        limits = request.ends or depth_range(depth, alpha)
        behind = (1 - alpha)[..., None] * torch.tensor(request.look.background)
        rgb = self._tinted(request, depth_picture(depth, alpha, limits) + behind, seen.rgb.cpu())
        if limits is None:
            return _Base(rgb, None)
        near, far = (limit - request.depth_offset for limit in limits)
        return _Base(rgb, depth_legend((near, far)), ends=limits)

    def _draw_error(self, request: FrameRequest) -> _Base:
        view, camera = _photo_view(request), _scaled(request)
        if view is None:
            return replace(
                self._draw_splats(request),
                advice=(
                    "The error needs a photo",
                    "Go to a camera with a photo (C shows them, J goes to the nearest).",
                ),
            )
        try:
            field = self._memory.get(
                error_field,
                request.scene,
                self._keep(request),
                view,
                request.scale,
                request.look.background,
            )
        except UserError as problem:
            return replace(
                self._draw_splats(request), advice=(problem.message, problem.hint), problem=problem
            )
        seen = torch.from_numpy(seen_from(field.error, field.camera, camera))
        limit = field.limit if request.ends is None else request.ends[1]
        rgb = level_picture(seen.nan_to_num(0), 0, limit, ERROR_COLORMAP)
        rgb[seen.isnan()] = torch.tensor(request.look.background)
        if any(mask is not None for mask in self._marked(request)):
            rgb = self._tinted(request, rgb, self._shares(request, camera).rgb.cpu())
        largest, mean = float(field.error.max()), float(field.error.mean())
        legend = error_legend(limit, largest, mean, ERROR_COLORMAP)
        return _Base(rgb, legend, ends=(0.0, limit))

    def _draw_figure(self, request: FrameRequest) -> _Base:
        look, offset = request.look, request.depth_offset
        camera = _scaled(request)
        seen = self._render(request, camera, None, depth=True)
        assert seen.depth is not None
        alpha, rgb = seen.alpha.cpu(), seen.rgb.cpu().clamp(0, 1)
        depth = covered_depth(seen.depth.cpu() - offset, alpha)
        inside, view = self._inside(request, camera), request.view
        if view is None:
            limits = depth_range(depth, alpha)
            parting = part_figure(depth, look.figure_depth, look.polarity)
        else:
            parting, limits = self._memory.get(
                part_view,
                request.scene,
                self._keep(request),
                view.camera,
                look.figure_depth,
                look.polarity,
            )
        if limits is None:
            return _Base(rgb)
        legend = figure_legend(parting, limits, look.figure_depth is None, look.polarity)
        rgb = figure_picture(rgb, parting.mask(depth), inside)
        truth, problem = self._truth(request, load_mask, look.figure_truth, camera)
        if truth is not None:
            rgb = outlined(rgb, truth, TRUTH_COLOR)
        if any(mask is not None for mask in self._marked(request)):
            rgb = self._tinted(request, rgb, self._shares(request, camera).rgb.cpu())
        return _Base(rgb, legend, problem=problem)

    def _draw_edges(self, request: FrameRequest) -> _Base:
        look, camera = request.look, _scaled(request)
        strength = self._memory.get(
            edge_strength,
            request.scene,
            self._keep(request),
            edge_camera(camera, request.scale == 1),
            look.edge_layers,
            look.edge_change,
        )
        rgb = edge_picture(strength, camera)
        inside = self._inside(request, camera)
        if inside is not None:
            rgb = torch.where(inside.unsqueeze(-1), rgb, OUTSIDE_GREY)
        truth, problem = self._truth(request, edge_lines, look.edge_truth, camera)
        if truth is not None:
            share = TRUTH_SHARE * truth.unsqueeze(-1)
            rgb = torch.lerp(rgb, torch.tensor(TRUTH_COLOR), share)
        if any(mask is not None for mask in self._marked(request)):
            rgb = self._tinted(request, rgb, self._shares(request, camera).rgb.cpu())
        legend = edge_legend(look.edge_layers, max(strength.shape))
        return _Base(rgb, legend, problem=problem)

    def _truth(
        self,
        request: FrameRequest,
        load: Callable[[Path, int, int], Tensor],
        path: Path | None,
        camera: Camera,
    ) -> tuple[Tensor | None, UserError | None]:
        """What is true in the view that the camera stands at, if any, or why it cannot be read."""
        if request.view is None or path is None:
            return None, None
        try:
            return self._memory.get(truth_seen, load, path, request.view.camera, camera), None
        except UserError as problem:
            return None, problem

    def _inside(self, request: FrameRequest, camera: Camera) -> Tensor | None:
        """Which pixels are an image's, bool ``(H, W)``; None where no image is seen as it is."""
        if request.view is None or request.scene.camera is None:
            return None
        return self._memory.get(inside_view, request.view.camera, camera)

    def _finish(self, request: FrameRequest, base: _Base) -> Picture:
        layer, rgb = self.layer(request), base.rgb
        if layer.pixels is not None:
            over = layer.pixels.to(rgb.device)
            rgb = rgb.clamp(0, 1) * (1 - over[..., 3:]) + over[..., :3]
        removed = request.removed
        return Picture(
            pixels=_to_rgba8(rgb),
            drawn=self._counts.get(_count, request.visible),
            ghosts=0
            if removed is None
            else self._counts.get(_count_both, removed, request.visible),
            legend=base.legend,
            advice=base.advice,
            notes=layer.notes,
            problem=base.problem or layer.problem,
            ends=base.ends,
        )

    def _render(
        self,
        request: FrameRequest,
        camera: Camera,
        colors: Tensor | None,
        depth: bool = False,
    ) -> Render:
        return render(
            request.scene,
            camera,
            background=request.look.background,
            keep=self._keep(request),
            colors=colors,
            depth=depth,
        )

    def _keep(self, request: FrameRequest) -> Tensor:
        return self._memory.get(_on_device, request.visible, request.scene)

    # Colours per Gaussian

    def _heat(self, request: FrameRequest) -> tuple[Ranked, str, HeatRange] | None:
        """What a heatmap shows, its title and its range; None without a score."""
        look, mode = request.look, request.look.mode
        name = HEAT_PROPERTIES.get(mode)
        if mode == Mode.LAYERS:
            return None
        if name is None:
            worth = request.worth
            if worth is None:
                return None
            entry = SCORES.get(worth.name)
            title, log = worth.name if entry is None else entry.title, None
        else:
            worth = self._memory.get(property_worth, request.scene, name)
            title, log = PROPERTIES[name].title, mode == Mode.SIZE
        ranked = self._memory.get(Ranked.of, worth, request.alive)
        limits = self._memory.get(heat_limits, ranked.ranking, look.scale, look.low, look.high, log)
        return ranked, title, limits

    def _marked(self, request: FrameRequest) -> tuple[Tensor | None, Tensor | None]:
        """What the preview takes and what is selected, each None where it is nothing."""
        removed, selected = request.removed, request.selected
        some_removed = removed is not None and self._counts.get(_count, removed)
        some_selected = self._counts.get(_count, selected)
        return removed if some_removed else None, selected if some_selected else None

    def _tints(
        self, removed: Tensor | None, selected: Tensor | None, request: FrameRequest
    ) -> Tensor:
        heat = request.look.mode in HEAT_MODES
        return self._memory.get(
            tints, removed, selected, request.scene, heat, request.look.background
        )

    # Pictures of marked Gaussians

    def _shares(self, request: FrameRequest, camera: Camera) -> Render:
        """How much of each pixel would be removed and is selected: the first two channels."""
        return self._memory.get(
            self._render_shares, request.scene, self._keep(request), *self._marked(request), camera
        )

    def _render_shares(
        self,
        scene: GaussianScene,
        keep: Tensor,
        removed: Tensor | None,
        selected: Tensor | None,
        camera: Camera,
    ) -> Render:
        colors = self._memory.get(flags, scene, removed, selected)
        return render(scene, camera, keep=keep, colors=colors, depth=True)

    def _tinted(self, request: FrameRequest, rgb: Tensor, shares: Tensor) -> Tensor:
        """A picture ``(H, W, 3)`` with ghosts and selected Gaussians mixed in by their shares.

        All others recede, as they do where :func:`tints` marks each Gaussian.
        """
        removed, selected = self._marked(request)
        if selected is not None:
            rest = (1 - shares[..., :2].sum(-1, keepdim=True)).clamp(min=0)
            rgb = rgb + (torch.tensor(request.look.background) - rgb) * (rest * HEAT_REST_SHARE)
        if removed is not None:
            rgb = rgb + (torch.tensor(GHOST_COLOR) - rgb) * (shares[..., :1] * GHOST_SHARE)
        if selected is not None:
            rgb = rgb + (torch.tensor(LIGHT_COLOR) - rgb) * (shares[..., 1:2] * LIGHT_SHARE)
        return rgb

    # What lies over the picture

    def _lay_photo(
        self, request: FrameRequest, camera: Camera, pixels: F32, notes: list[str]
    ) -> UserError | None:
        look = request.look
        opacity = min(look.photo_opacity, 1.0)
        if opacity <= 0:
            return None
        view = _photo_view(request)
        if view is None:
            notes.append("Photo: go to its camera, J goes to the nearest")
            return None
        try:
            photo = photo_picture(view, camera, look.background).numpy()
        except UserError as problem:
            notes.append("Photo: cannot be read")
            return problem
        reached = ~np.isnan(photo[..., 0])
        pixels[reached, :3] = photo[reached] * opacity
        pixels[reached, 3] = opacity
        return None

    def _lay_marks(
        self, request: FrameRequest, camera: Camera, pixels: F32, notes: list[str]
    ) -> bool:
        look = request.look
        rings, centers = look.shows(Overlay.RINGS), look.shows(Overlay.CENTERS)
        if not (rings or centers):
            return False
        colors = self.splat_colors(request) if look.mode in SPLAT_MODES else None
        if look.mode not in SPLAT_MODES:
            colors = self._memory.get(plain_marks, request.scene)
        projected = project_scene(
            self._memory.get(_on_cpu, request.scene),
            camera,
            request.visible,
            None if colors is None else colors.cpu(),
            self._workspace,
        )
        pixels *= 1 - DIMMED
        pixels[..., 3] += DIMMED
        selected, size = request.selected.numpy(), mark_size(camera.height)
        light = MARK_LIGHT if look.mode == Mode.COLOR else 0.0
        if rings:
            limit = SHARP_RINGS if request.scale == 1 else COARSE_RINGS
            drawn = draw_rings(pixels, projected, selected, _highlight(look), limit, size, light)
            if drawn < len(projected.order):
                notes.append(f"Rings of the largest {drawn:,} of {len(projected.order):,}")
        if centers:
            draw_centers(pixels, projected, selected, _highlight(look), size, light)
        return True

    def _lay_lines(self, request: FrameRequest, camera: Camera, pixels: F32) -> bool:
        """Where the cut would run and around what is selected: only in sharp pictures."""
        if request.scale < 1:
            return False
        look = request.look
        removed, selected = self._marked(request)
        cut = removed is not None and look.contour and look.mode in HEAT_MODES
        if not cut and selected is None:
            return False
        shares = self._shares(request, camera).rgb.cpu().numpy()
        size = mark_size(camera.height)
        if cut:
            draw_level_line(pixels, shares[..., 0], CUT_SHARE, LIGHT_COLOR, size)
        if selected is not None:
            color = _highlight(look)
            draw_level_line(pixels, shares[..., 1], SELECTED_EDGE, color, size, dashed=True)
        return True


def _scaled(request: FrameRequest) -> Camera:
    return request.camera if request.scale == 1 else request.camera.scaled(request.scale)


def _photo_view(request: FrameRequest) -> View | None:
    view = request.view
    return None if view is None or view.photo is None else view


def _highlight(look: Look) -> tuple[float, float, float]:
    return SELECTED_COLOR if look.mode == Mode.COLOR else LIGHT_COLOR


def _count(mask: Tensor) -> int:
    return int(mask.sum())


def _count_both(a: Tensor, b: Tensor) -> int:
    return int((a & b).sum())


def _on_device(mask: Tensor, scene: GaussianScene) -> Tensor:
    return mask.to(scene.device)


def _on_cpu(scene: GaussianScene) -> GaussianScene:
    return scene if scene.device.type == "cpu" else scene.to("cpu")


def _to_rgba8(rgb: Tensor) -> Tensor:
    pixels = torch.empty(*rgb.shape[:2], 4, dtype=torch.uint8, device=rgb.device)
    pixels[..., :3] = (rgb * 255).add_(0.5).clamp_(0, 255)
    pixels[..., 3] = 255
    return pixels
