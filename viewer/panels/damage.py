"""What the previewed prune does to the present view: rendered with and without, and compared."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from torch import Tensor

from core.cameras import Camera
from core.metrics import psnr, ssim
from core.rendering import render
from core.scene import GaussianScene
from viewer.look import Color
from viewer.memory import Recent
from viewer.session import Session

STILL_MS = 300
WIDTH = 640
REMEMBERED = 2
ASKED = "damage"

CameraSource = Callable[[], Camera | None]


@dataclass(frozen=True, slots=True)
class Damage:
    """How alike one view is with and without some Gaussians: PSNR in dB, and SSIM."""

    psnr: float
    ssim: float


class DamageMeter(QObject):
    """Measures once nothing has changed for STILL_MS; two short renders, the first remembered.

    ``wanted`` tells whether anybody looks at the result.
    """

    changed = Signal()
    """There is a new result, or the old one does not hold any more."""

    def __init__(self, session: Session, wanted: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._wanted = wanted
        self._source: CameraSource | None = None
        self._whole: Recent[Tensor] = Recent(REMEMBERED)
        session.document_replaced.connect(self._forget)
        session.look_changed.connect(self._follow_background)
        self._background = session.look.background
        self._asked: object = None
        self._missed = False
        self.result: Damage | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(STILL_MS)
        self._timer.timeout.connect(self._measure)

    def set_camera_source(self, source: CameraSource) -> None:
        """Where the present camera is to be asked for."""
        self._source = source
        self.restart()

    @Slot()
    def restart(self) -> None:
        """Something changed: drop the result, and measure when all is still."""
        self._asked = None
        self._session.asker.forget(ASKED)
        if self.result is not None:
            self.result = None
            self.changed.emit()
        self._timer.start()

    @Slot()
    def _forget(self) -> None:
        self._whole.clear()

    @Slot()
    def _follow_background(self) -> None:
        if self._background != self._session.look.background:
            self._background = self._session.look.background
            self.restart()

    def seen(self) -> None:
        """Somebody looks again: measure what was left out meanwhile."""
        if self._missed:
            self._missed = False
            self._timer.start()

    @Slot()
    def _measure(self) -> None:
        self._missed = not self._wanted()
        document, removed = self._session.document, self._session.removed
        if self._missed or document is None or removed is None or self._source is None:
            return
        camera = self._source()
        if camera is None:
            return
        small = camera.scaled(min(1.0, WIDTH / camera.width))
        scene, visible = document.scene, document.visible
        background = self._session.look.background
        asked = self._asked = object()
        key = (scene, visible, small, background)

        def compare(whole: Tensor) -> None:
            self._whole.keep(whole, *key)
            if self._asked is asked:
                self._session.asker.ask(
                    ASKED,
                    lambda: _damage(scene, small, whole, visible & ~removed, background),
                    take,
                )

        def take(damage: Damage) -> None:
            if self._asked is asked:
                self.result = damage
                self.changed.emit()

        known = self._whole.find(*key)
        if known is not None:
            compare(known)
        else:
            self._session.asker.ask(
                ASKED, lambda: _picture(scene, small, visible, background), compare
            )


def _picture(scene: GaussianScene, camera: Camera, keep: Tensor, background: Color) -> Tensor:
    rgb = render(scene, camera, background=background, keep=keep.to(scene.device)).rgb
    return rgb.clamp(0, 1)


def _damage(
    scene: GaussianScene, camera: Camera, whole: Tensor, keep: Tensor, background: Color
) -> Damage:
    rest = _picture(scene, camera, keep, background)
    return Damage(psnr(rest, whole), ssim(rest, whole))
