"""PSNR and SSIM between the two sides of a comparison, measured when the picture is still."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from torch import Tensor

from core.errors import UserError
from core.metrics import psnr, ssim
from core.rendering import render
from core.scene import GaussianScene
from viewer.compare import PHOTO, CompareMode, Comparison, Side, SideKind
from viewer.look import Mode
from viewer.session import Session
from viewer.viewport.comparing import same_moment, side_mask, side_scene
from viewer.viewport.photos import photo_picture
from viewer.viewport.request import FrameRequest
from viewer.viewport.viewport import Viewport
from viewer.widgets.numbers import MISSING

KIND = "compare-numbers"
REST_MS = 300
NOT_MEASURED = ("scale", "comparison", "pick", "look", "worth", "selected")
PROTOCOL = (
    "How alike A and B are in this view, at this size: both drawn in their own colours, without "
    "marks, background included. PSNR over all pixels and channels; SSIM under an 11 × 11 Gaussian "
    "window. What a preview would remove is left out."
)
PROTOCOL_PHOTO = " Only where the photo reaches."


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two sides are; ``same_gaussians`` where both draw the very same ones."""

    psnr_db: float
    ssim: float
    same_gaussians: bool = False


class CompareNumbers(QObject):
    """Measures the comparison that the viewport shows, off the window's thread.

    Each of the three steps (A, B, the numbers) takes its own turn in the compute lane, so that a
    frame never waits for all of them.
    """

    changed = Signal()

    def __init__(self, session: Session, viewport: Viewport) -> None:
        super().__init__(viewport)
        self._session = session
        self._viewport = viewport
        self._wanted: FrameRequest | None = None
        self.likeness: Likeness | None = None
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._ask)
        viewport.frame_shown.connect(self._follow)
        viewport.camera_changed.connect(self._hold)
        session.compare.changed.connect(self._follow_sides)
        session.document_replaced.connect(self._drop)
        session.look_changed.connect(self.changed)

    @property
    def text(self) -> str:
        """The numbers for a person; a dash where they are not measured."""
        likeness, compare = self.likeness, self._session.compare
        if compare.b.recolored or (compare.a is not None and compare.a.recolored):
            return "Colours tell clusters"
        if likeness is None:
            return f"{MISSING} dB · SSIM {MISSING}"
        if likeness.same_gaussians:
            return "A and B are the same"
        if math.isinf(likeness.psnr_db):
            return "No difference in this view"
        digits = 4 if likeness.ssim >= 0.9995 else 3
        where = "" if self._session.mode == Mode.COLOR else " in colour"
        part = "" if self._session.peeling.mask is None else ", peeled"
        return f"{likeness.psnr_db:.1f} dB · SSIM {likeness.ssim:.{digits}f}{where}{part}"

    @property
    def tip(self) -> str:
        """What the numbers mean."""
        compare = self._session.compare
        photo = PHOTO in (compare.a, compare.b)
        return PROTOCOL + PROTOCOL_PHOTO * photo

    @Slot()
    def _follow(self) -> None:
        """Measure what is shown as soon as it rests, unless that is done already."""
        frame = self._viewport.frame
        request = None if frame is None else frame.request
        comparison = None if request is None else request.comparison
        if request is None or comparison is None or comparison.mode == CompareMode.OFF:
            self._drop()
        elif comparison.alone is None:
            if self._wanted is None or not _same_question(request, self._wanted):
                self._drop()
                self._wanted = request
            if self.likeness is None and request.scale == 1:
                self._timer.start()

    @Slot()
    def _follow_sides(self) -> None:
        compare, wanted = self._session.compare, self._wanted
        if wanted is not None and wanted.comparison is not None:
            asked = wanted.comparison
            if compare.mode == CompareMode.OFF or {asked.a, asked.b} != {compare.a, compare.b}:
                self._drop()

    @Slot()
    def _hold(self) -> None:
        """While the camera moves nothing is asked."""
        self._timer.stop()
        self._session.asker.forget(KIND)

    @Slot()
    def _drop(self) -> None:
        self._hold()
        known, self._wanted, self.likeness = self.likeness, None, None
        if known is not None:
            self.changed.emit()

    @Slot()
    def _ask(self) -> None:
        request = self._wanted
        if request is None or request.comparison is None:
            return
        if not self._viewport.settled:
            self._timer.start()
            return
        comparison = request.comparison
        ask = self._session.asker.ask

        def take_a(a: Tensor | None) -> None:
            if a is not None and request is self._wanted:
                ask(KIND, lambda: _picture(request, comparison.b), lambda b: take_b(a, b))

        def take_b(a: Tensor, b: Tensor | None) -> None:
            if b is not None and request is self._wanted:
                ask(KIND, lambda: measure(a, b), self._taker(request))

        if _same_gaussians(request, comparison):
            self._taker(request)(Likeness(math.inf, 1.0, same_gaussians=True))
        else:
            ask(KIND, lambda: _picture(request, comparison.a), take_a)

    def _taker(self, request: FrameRequest) -> Callable[[Likeness | None], None]:
        def take(likeness: Likeness | None) -> None:
            if request is self._wanted:
                self.likeness = likeness
                self.changed.emit()

        return take


def measure(a: Tensor, b: Tensor) -> Likeness | None:
    """Compare two pictures ``(H, W, 3)`` where neither is NaN; None where that is nowhere."""
    covered = ~(a.isnan() | b.isnan()).any(dim=-1)
    if not bool(covered.any()):
        return None
    mask = None if bool(covered.all()) else covered
    if mask is not None:
        a, b = a.nan_to_num(0), b.nan_to_num(0)
    return Likeness(psnr(a, b, mask), ssim(a, b, mask))


def _same_question(a: FrameRequest, b: FrameRequest) -> bool:
    one, other = a.comparison, b.comparison
    return (
        one is not None
        and other is not None
        and {one.a, one.b} == {other.a, other.b}
        and a.look.background == b.look.background
        and same_moment(a, b, NOT_MEASURED)
    )


def _same_gaussians(request: FrameRequest, comparison: Comparison) -> bool:
    sides = comparison.a, comparison.b
    if any(side.kind == SideKind.PHOTO for side in sides):
        return False
    (scene, a), (other, b) = (_gaussians(request, side) for side in sides)
    return scene is other and a.equal(b)


def _gaussians(request: FrameRequest, side: Side) -> tuple[GaussianScene, Tensor]:
    """The scene of a side, and which of its Gaussians it draws, bool ``(N,)``."""
    scene = side_scene(side, request)
    if side.shown is not None and scene is not request.scene:
        return scene, side.shown
    mask = side_mask(side, request.alive, request.visible)
    if side.kind == SideKind.LIVE and request.removed is not None:
        mask = mask & ~request.removed
    return scene, mask


def _picture(request: FrameRequest, side: Side) -> Tensor | None:
    """A side without any marks, float32 ``(H, W, 3)`` in 0..1; None where there is none."""
    background = request.look.background
    if side.kind == SideKind.PHOTO:
        if request.view is None:
            return None
        try:
            return photo_picture(request.view, request.camera, background).to(request.scene.device)
        except UserError:
            return None
    scene, shown = _gaussians(request, side)
    keep = shown.to(scene.device)
    with torch.no_grad():
        return render(scene, request.camera, background=background, keep=keep).rgb.clamp(0, 1)
