"""Frames that compare: two pictures of the same moment, put together."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from core.cameras import Camera, Matrix
from core.errors import UserError
from core.rendering.heatmap import colormap_table
from core.scene import GaussianScene
from viewer.compare import CompareMode, Comparison, Side, SideKind
from viewer.look import BACKGROUND, Color
from viewer.memory import Memory, same
from viewer.viewport.photos import photo_picture
from viewer.viewport.request import FrameRequest, Picture
from viewer.viewport.shading import Shading

DIFFERENCE_FULL = 0.25
"""Difference at the upper end of the colours, as a share of full brightness."""
DIFFERENCE_COLORMAP = "magma"
DIVIDER = 96


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A side as drawn. ``covered`` is bool ``(H, W)`` where it is not a picture everywhere."""

    request: FrameRequest
    picture: Picture
    covered: Tensor | None = None


class _Side:
    """Draws one side and remembers what it drew last."""

    def __init__(self) -> None:
        self.shading = Shading()
        self._seen: _Seen | None = None
        self._memory = Memory(1)

    def draw(self, request: FrameRequest, side: Side) -> tuple[_Seen, bool]:
        """The side's picture, and whether it was remembered; a finer one will do.

        Raises
        ------
        UserError
            If the side is a photo and there is none at the camera.
        """
        wanted = self.request(request, side)
        kept = self._seen
        if (
            kept is not None
            and kept.request.scale >= wanted.scale
            and same_moment(wanted, kept.request, {"scale"})
        ):
            return kept, True
        if side.kind == SideKind.PHOTO:
            self._seen = seen = _photo(wanted)
        else:
            self._seen = seen = _Seen(wanted, self.shading.picture(wanted))
        return seen, False

    def request(self, request: FrameRequest, side: Side) -> FrameRequest:
        """What to ask of the shading for a side."""
        plain = replace(request, comparison=None, pick=None)
        if side.shown is None:
            return plain
        if side.contents is not None and side_scene(side, request) is not request.scene:
            nothing = self._memory.get(torch.zeros_like, side.shown)
            return replace(
                plain,
                scene=side.contents.scene,
                alive=side.shown,
                visible=side.shown,
                selected=nothing,
                worth=None
                if request.worth is None
                else side.contents.scores.get(request.worth.name),
                removed=None,
            )
        visible = self._memory.get(side_mask, side, request.alive, request.visible)
        selected = self._memory.get(torch.logical_and, request.selected, visible)
        return replace(plain, visible=visible, selected=selected, removed=None)


class Comparing:
    """Draws what :class:`Shading` draws, or two of it where the request compares.

    As long as nothing but the comparison changes, its two pictures are not drawn again.
    """

    def __init__(self) -> None:
        self._a, self._b = _Side(), _Side()
        self._memory = Memory(1)
        self._ends: tuple[float, float] | None = None

    def picture(self, request: FrameRequest) -> Picture:
        """The picture of a request at its scale."""
        comparison = request.comparison
        if comparison is None:
            plain = self._b.shading.picture(request)
            self._ends = plain.ends
            return plain
        if comparison.alone is not None:
            return self._alone(request, comparison)
        odd = request.camera.width % 2 == 1
        if comparison.mode == CompareMode.SIDE_BY_SIDE:
            request = replace(request, camera=half_camera(request.camera))
        a, b, missing, remembered = self._both(request, comparison)
        if a is None and b is None:
            pixels = _empty(request)
        elif comparison.mode == CompareMode.SIDE_BY_SIDE:
            pixels = _side_by_side(a, b, odd)
        elif a is None or b is None:
            present = b if a is None else a
            assert present is not None
            pixels = present.picture.pixels
        elif comparison.mode == CompareMode.DIFFERENCE:
            pixels = self._difference_of(a, b)
        else:
            pixels = _wiped(a.picture.pixels, b.picture.pixels, comparison.split)
        told = _told(a, b, comparison)
        picture = Picture(pixels, 0) if told is None else replace(told.picture, pixels=pixels)
        if comparison.mode == CompareMode.DIFFERENCE and missing is None:
            picture = replace(picture, legend=None)
        return _compared(picture, missing, remembered)

    def pick(self, request: FrameRequest) -> Matrix | None:
        """The visible point in the one-pixel camera of a request, on the side that is there.

        Beside each other both sides are asked, B first: a ray does not tell which half it is of.
        """
        comparison, camera = request.comparison, request.pick
        if comparison is None or camera is None:
            return self._b.shading.pick(request)
        sides = [(self._b, comparison.b), (self._a, comparison.a)]
        if comparison.alone is not None:
            sides = [pair for pair in sides if pair[1] is comparison.alone]
        elif comparison.mode == CompareMode.WIPE:
            column = request.camera.K[0, 2] - camera.K[0, 2]
            left = column < comparison.split * request.camera.width
            sides = sides[::-1] if left else sides
            sides = sides[:1] if sides[0][1].kind != SideKind.PHOTO else sides[1:]
        for part, side in sides:
            if side.kind != SideKind.PHOTO:
                asked = replace(part.request(request, side), pick=camera)
                point = part.shading.pick(asked)
                if point is not None:
                    return point
        return None

    def splat_colors(self, request: FrameRequest) -> Tensor | None:
        """What :meth:`Shading.splat_colors` answers for a request that compares nothing."""
        return self._b.shading.splat_colors(request)

    def _alone(self, request: FrameRequest, comparison: Comparison) -> Picture:
        side = comparison.alone
        assert side is not None
        part = self._a if side is comparison.a else self._b
        if part is self._a:
            request = replace(request, ends=self._ends)
        try:
            seen, remembered = part.draw(request, side)
        except UserError as missing:
            return _compared(Picture(_empty(request), 0), missing, False)
        return _compared(seen.picture, None, remembered)

    def _both(
        self, request: FrameRequest, comparison: Comparison
    ) -> tuple[_Seen | None, _Seen | None, UserError | None, bool]:
        """Both sides, None for one that is missing, why it is, and whether both were remembered.

        Colours of depth and error mean the same on both: those of B.
        """
        missing: UserError | None = None
        remembered = True
        sides: list[_Seen | None] = []
        self._ends = None
        for part, side in ((self._b, comparison.b), (self._a, comparison.a)):
            try:
                seen, known = part.draw(replace(request, ends=self._ends), side)
            except UserError as error:
                sides.append(None)
                missing = error
            else:
                sides.append(seen)
                remembered = remembered and known
                self._ends = seen.picture.ends
        b, a = sides
        return a, b, missing, remembered

    def _difference_of(self, a: _Seen, b: _Seen) -> Tensor:
        covered = a.covered if b.covered is None else b.covered
        return self._memory.get(difference_picture, a.picture.pixels, b.picture.pixels, covered)


def side_scene(side: Side, request: FrameRequest) -> GaussianScene:
    """The scene that a side draws: its own, which may have been replaced since, or the present."""
    return request.scene if side.contents is None else side.contents.scene


def side_mask(side: Side, alive: Tensor, visible: Tensor) -> Tensor:
    """What a side draws of the present scene, bool ``(N,)``: what is hidden now is so on both."""
    return visible if side.shown is None else side.shown & (visible | ~alive)


def same_moment(a: FrameRequest, b: FrameRequest, leave_out: Collection[str]) -> bool:
    """Whether two requests agree in all fields but those left out."""
    return all(
        field.name in leave_out or same(getattr(a, field.name), getattr(b, field.name))
        for field in fields(FrameRequest)
    )


def half_camera(camera: Camera) -> Camera:
    """A camera that shows the middle half of another's width, at the same scale in pixels."""
    half = max(1, camera.width // 2)
    K = camera.K.copy()
    K[0, 2] -= (camera.width - half) / 2
    return Camera(camera.world_to_camera, K, half, camera.height, camera.name)


def difference_picture(a: Tensor, b: Tensor, covered: Tensor | None = None) -> Tensor:
    """How much two pictures differ, from black over magenta to light yellow.

    The difference is the mean of the channels' absolute differences; colours end at
    :data:`DIFFERENCE_FULL`.

    Parameters
    ----------
    a, b
        uint8 ``(H, W, 4)``; the smaller one is enlarged.
    covered
        Bool ``(H, W)``, where both are pictures; the background's colour stands elsewhere.

    Returns
    -------
    Tensor
        uint8 ``(H, W, 4)``.
    """
    a, b = _at_one_size(a, b)
    total = (a[..., :3].short() - b[..., :3].short()).abs_().sum(-1, dtype=torch.int32)
    pixels = _difference_table().to(a.device)[total].view(torch.uint8).reshape(a.shape)
    if covered is not None:
        outside = ~interpolate(covered[None, None].float(), a.shape[:2])[0, 0].bool()
        pixels[outside] = _level(BACKGROUND, a.device)
    return pixels


def _difference_table() -> Tensor:
    """Colour for a sum of three 8-bit differences, each packed into an int32, ``(766,)``."""
    table = colormap_table(DIFFERENCE_COLORMAP)
    shares = torch.arange(3 * 255 + 1) / (3 * 255) / DIFFERENCE_FULL
    colors = table[(shares.clamp(max=1) * 255).round().long()]
    packed = torch.full((len(colors), 4), 255, dtype=torch.uint8)
    packed[:, :3] = (colors * 255).round()
    return packed.view(torch.int32)[:, 0]


def _photo(request: FrameRequest) -> _Seen:
    view = request.view
    if view is None or view.photo is None:
        raise UserError(
            "No photo at this camera",
            "Go to a camera with a photo (C shows them, J goes to the nearest).",
        )
    camera = request.camera.scaled(request.scale)
    rgb = photo_picture(view, camera, request.look.background).to(request.scene.device)
    covered = ~rgb.isnan().any(dim=-1)
    pixels = torch.empty(*rgb.shape[:2], 4, dtype=torch.uint8, device=rgb.device)
    pixels[..., :3] = (rgb.nan_to_num(0) * 255).add_(0.5).clamp_(0, 255)
    pixels[..., 3] = 255
    pixels[~covered] = _level(request.look.background, rgb.device)
    return _Seen(request, Picture(pixels, 0), covered)


def _wiped(a: Tensor, b: Tensor, split: float) -> Tensor:
    a, b = _at_one_size(a, b)
    column = round(split * a.shape[1])
    pixels = b.clone()
    pixels[:, :column] = a[:, :column]
    return pixels


def _side_by_side(a: _Seen | None, b: _Seen | None, odd: bool) -> Tensor:
    """Both halves with a line between, three pixels wide where the whole width is odd."""
    present = b or a
    assert present is not None
    blank = torch.empty_like(present.picture.pixels)
    blank[:] = _level(present.request.look.background, blank.device)
    left, right = _at_one_size(
        blank if a is None else a.picture.pixels, blank if b is None else b.picture.pixels
    )
    line = left.new_full((left.shape[0], 3 if odd else 2, 4), DIVIDER)
    line[..., 3] = 255
    return torch.cat([left[:, :-1], line, right[:, 1:]], dim=1)


def _at_one_size(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both at the size of the larger one: a remembered side may be finer than the other."""
    if a.shape == b.shape:
        return a, b
    larger = max((a.shape[0], a.shape[1]), (b.shape[0], b.shape[1]))
    return _enlarged(a, larger), _enlarged(b, larger)


def _enlarged(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(pixels.shape[:2]) == tuple(size):
        return pixels
    planes = pixels.permute(2, 0, 1)[None]
    if pixels.device.type == "cpu":
        return interpolate(planes, size, mode="bilinear")[0].permute(1, 2, 0).contiguous()
    smooth = interpolate(planes.float(), size, mode="bilinear")
    return smooth.round().to(torch.uint8)[0].permute(1, 2, 0).contiguous()


def _told(a: _Seen | None, b: _Seen | None, comparison: Comparison) -> _Seen | None:
    """The side that the facts beside the picture are about: the live one, else B, never a photo."""
    ranked = sorted(
        ((comparison.b.kind, b), (comparison.a.kind, a)),
        key=lambda pair: (pair[1] is None, list(SideKind).index(pair[0])),
    )
    return ranked[0][1]


def _compared(told: Picture, missing: UserError | None, remembered: bool) -> Picture:
    if missing is not None:
        told = replace(told, advice=(missing.message, missing.hint))
    return replace(told, remembered=remembered)


def _empty(request: FrameRequest) -> Tensor:
    camera = request.camera.scaled(request.scale)
    device = request.scene.device
    pixels = torch.empty(camera.height, camera.width, 4, dtype=torch.uint8, device=device)
    pixels[:] = _level(request.look.background, device)
    return pixels


def _level(color: Color, device: torch.device) -> Tensor:
    return torch.tensor([*(round(c * 255) for c in color), 255], device=device).to(torch.uint8)
