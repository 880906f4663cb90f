"""What tools work with: the picture as it is at a moment, and questions about it."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF
from torch import Tensor

from core.cameras import Camera, Matrix
from core.editing import Document, SelectOp
from core.editing.regions import Sight, in_front, sight
from core.scene import GaussianScene
from viewer.memory import Memory
from viewer.session import Session
from viewer.tools.tool import ToolBox
from viewer.viewport.projection import Projection
from viewer.viewport.request import without

NEAR_SHARE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """The picture at the end of a gesture; nothing in it changes afterwards.

    Attributes
    ----------
    document, scene
        What is shown.
    camera
        The camera of the picture in physical pixels.
    visible
        Which Gaussians are drawn, bool ``(N,)``.
    ratio
        Physical pixels per logical one.
    front_only
        Whether only what the picture shows is to be selected.
    """

    document: Document
    scene: GaussianScene
    camera: Camera
    visible: Tensor
    ratio: float
    front_only: bool


Find = Callable[[Shot], Tensor]
"""From a shot to the Gaussians that a gesture means, bool ``(N,)``; runs on a worker."""


class ToolContext:
    """What tools know of the viewport.

    Parameters
    ----------
    session
        Whose document is edited.
    box
        Holds the options that the tools share.
    camera
        Gives the camera of the sharp picture in physical pixels.
    ratio
        Gives the number of physical pixels per logical one.
    """

    def __init__(
        self,
        session: Session,
        box: ToolBox,
        camera: Callable[[], Camera],
        ratio: Callable[[], float],
    ) -> None:
        self.session = session
        self.box = box
        self.camera = camera
        self.ratio = ratio
        self._gestures = 0
        self._memory = Memory(1)
        self._fronts = Memory(1)
        """Used on the worker alone."""

    def shot(self) -> Shot | None:
        """The picture as it is now, None without a document."""
        document = self.session.document
        if document is None:
            return None
        drawn, removed = self.session.drawn, self.session.removed
        if drawn is None:
            return None
        if removed is not None and self.session.hiding:
            drawn = self._memory.get(without, drawn, removed)
        return Shot(
            document, document.scene, self.camera(), drawn, self.ratio(), self.box.front_only
        )

    def select(self, find: Find, op: SelectOp, name: str) -> None:
        """Select what a gesture means, as one edit, as soon as it is known which those are."""
        shot = self.shot()
        if shot is None:
            return

        def take(mask: Tensor) -> None:
            if self.session.document is shot.document and shot.document.scene is shot.scene:
                shot.document.select(mask, op, name)

        self._gestures += 1
        self.session.asker.ask(f"select {self._gestures}", lambda: find(shot), take)

    def count(self, find: Find, answer: Callable[[int], object]) -> None:
        """Ask how many Gaussians a gesture means so far; only the newest such question counts."""
        shot = self.shot()
        if shot is not None:
            self.session.asker.ask("select count", lambda: int(find(shot).sum()), answer)

    def pick(self, at: QPointF, answer: Callable[[Sight | None], object]) -> None:
        """Ask what the picture shows at a place in logical pixels."""
        shot = self.shot()
        if shot is None:
            answer(None)
        else:
            self.session.asker.ask("select pick", lambda: self.sight(shot, at), answer)

    def sight(self, shot: Shot, at: QPointF) -> Sight | None:
        """What a shot shows at a place in logical pixels."""
        x, y = at.x() * shot.ratio, at.y() * shot.ratio
        return sight(shot.scene, shot.camera, x, y, shot.visible)

    def front(self, shot: Shot) -> Tensor:
        """What a shot shows in front, bool ``(N,)``; quick as long as the view stays the same."""
        return self._fronts.get(in_front, shot.scene, shot.camera, shot.visible)

    def projection(self, depth: float) -> Projection:
        """From the world to logical pixels; ``depth`` is about how far away things are."""
        return Projection(self.camera().scaled(1 / self.ratio()), NEAR_SHARE * depth)

    def world_per_px(self, depth: float) -> Matrix:
        """World units per logical pixel at a distance along the viewing axis: across, down."""
        size: Matrix = depth * self.ratio() / self.camera().K[[0, 1], [0, 1]]
        return size
