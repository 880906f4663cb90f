"""Peeling: which Gaussians are drawn, by their depth from a camera; nothing is edited."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from torch import Tensor

from core.cameras import Camera
from core.gmae.layers import DepthLayers, Grouping, Show, depth_layers, shown, slab
from viewer.look import Mode
from viewer.memory import same

if TYPE_CHECKING:
    from viewer.session import Session

MOST_LAYERS = 256
PACE = 2


@dataclass(frozen=True, slots=True)
class Peel:
    """What is drawn of the layers.

    Attributes
    ----------
    count, grouping
        How many layers there are, and how depth is cut into them.
    show, step
        Which layers are drawn at which step, 0 to ``count - 1``.
    nearest
        Draw so many of the nearest Gaussians instead; None for layers.
    slab
        Draw what lies between two depths instead, world units; None for layers.
    """

    count: int = 8
    grouping: Grouping = Grouping.COUNTS
    show: Show = Show.NEAREST
    step: int = 7
    nearest: int | None = None
    slab: tuple[float, float] | None = None

    @property
    def reach(self) -> tuple[int, int]:
        """The first and the last layer that a step draws, 0 the nearest."""
        match self.show:
            case Show.NEAREST:
                return 0, self.step
            case Show.FARTHEST:
                return self.count - 1 - self.step, self.count - 1
            case Show.SINGLE:
                return self.step, self.step

    @property
    def in_layers(self) -> bool:
        """Whether layers are drawn, through which one can step."""
        return self.nearest is None and self.slab is None

    def mask(self, layers: DepthLayers) -> Tensor:
        """The Gaussians that are drawn, bool ``(N,)``."""
        if self.slab is not None:
            return slab(layers.depths, *self.slab)
        if self.nearest is not None:
            return layers.ranks < self.nearest
        return shown(layers.groups, self.step, layers.count, self.show)


class Peeling(QObject):
    """Groups the document's Gaussians by depth off the window's thread, and says what is drawn.

    Depth is measured from the view at the moment it is taken, or from wherever the camera is.
    """

    changed = Signal()

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self.enabled = False
        """Whether the picture is peeled."""
        self.follows = False
        """Whether depth is always that from the present view."""
        self.peel = Peel()
        self.pace = PACE
        """How many layers a second play, or are animated."""
        self._watched = False
        self.layers: DepthLayers | None = None
        """The layers as last measured; None while they are not wanted or not yet known."""
        self._view: Callable[[], Camera] | None = None
        self.depth_offset: Callable[[], float] = lambda: 0.0
        """By how much depths of the present view are larger than those to be told."""
        self._camera: Camera | None = None
        self._mask: Tensor | None = None
        self._measured: tuple[Any, ...] | None = None
        """What the layers are of, or will be."""
        self.recutting = False
        """Whether the layers are still those of another cut; till then the same is drawn."""
        session.document_replaced.connect(self._forget)
        session.scene_changed.connect(self._drop)
        session.state_changed.connect(self._measure)
        session.look_changed.connect(self._measure_if_missing)

    def set_view(
        self, view: Callable[[], Camera], offset: Callable[[], float] = lambda: 0.0
    ) -> None:
        """Where to ask for the present view, and by how much its depths are larger than told."""
        self._view, self.depth_offset = view, offset

    def view(self) -> Camera | None:
        """The present view; None before there is one."""
        return None if self._view is None else self._view()

    @property
    def mask(self) -> Tensor | None:
        """The Gaussians that are drawn, bool ``(N,)``, the same tensor until that changes.

        None where nothing is peeled.
        """
        if not self.enabled or self.layers is None:
            return None
        if self._mask is None:
            self._mask = self.peel.mask(self.layers)
        return self._mask

    @property
    def of_earlier_view(self) -> bool:
        """Whether depth is from elsewhere than the present view."""
        layers, camera = self.layers, self.view()
        if layers is None or camera is None:
            return False
        return not np.allclose(layers.camera.world_to_camera, camera.world_to_camera, atol=1e-6)

    def set_enabled(self, enabled: bool) -> None:
        """Peel the picture, as seen from the present view or an image's own, or draw all of it."""
        if enabled != self.enabled:
            self.enabled = enabled
            if enabled and self._session.own_camera is None and self.of_earlier_view:
                self.take_depth()
            self._measure_if_missing()
            self.changed.emit()

    def set_watched(self, watched: bool) -> None:
        """Measure layers even where none is peeled: they are looked at."""
        self._watched = watched
        self._measure_if_missing()

    def set_peel(self, **changes: Any) -> None:
        """Draw something else: new values for fields of :class:`Peel`."""
        peel = replace(self.peel, **changes)
        peel = replace(peel, step=min(max(peel.step, 0), peel.count - 1))
        if peel == self.peel:
            return
        regroup = (peel.count, peel.grouping) != (self.peel.count, self.peel.grouping)
        if regroup and self.layers is not None and not self.recutting:
            self._mask, self.recutting = self.mask, True
        self.peel = peel
        if regroup:
            self._measure()
        if not self.recutting:
            self._mask = None
        self.changed.emit()

    def set_follows(self, follows: bool) -> None:
        """Measure depth from wherever the camera is, or from where it was last taken."""
        if follows != self.follows:
            self.follows = follows
            if follows:
                self.take_depth()
            self.changed.emit()

    @Slot()
    def take_depth(self, camera: Camera | None = None) -> None:
        """Measure depth from a camera, without one from the present view."""
        if camera is None and self._view is not None:
            camera = self._view()
        self._camera = camera
        self._measure()

    @Slot()
    def camera_moved(self) -> None:
        """The present view is another one."""
        if self._wanted and (self.follows or self.layers is None):
            self.take_depth()

    @property
    def _wanted(self) -> bool:
        return self.enabled or self._watched or self._session.mode == Mode.LAYERS

    @Slot()
    def _measure_if_missing(self) -> None:
        if self._wanted and self.layers is None:
            self._measure()

    @Slot()
    def _measure(self) -> None:
        document = self._session.document
        if document is None or not self._wanted:
            self._clear()
            return
        if self._camera is None and self._view is not None:
            self._camera = self._view()
        if self._camera is None:
            return
        scene, visible, camera = document.scene, document.visible, self._camera
        count, grouping = self.peel.count, self.peel.grouping
        asked = (camera, scene, visible, count, grouping)
        if self._measured is not None and all(map(same, self._measured, asked)):
            return
        self._measured = asked

        def take(layers: DepthLayers) -> None:
            # those of a camera that has moved on are good until the next come
            if self._measured is not None and all(map(same, self._measured[1:], asked[1:])):
                self.layers, self._mask, self.recutting = layers, None, False
                self.changed.emit()

        self._session.asker.ask(
            "layers", lambda: depth_layers(scene, visible, camera, count, grouping), take
        )

    @Slot()
    def _drop(self) -> None:
        """The Gaussians are others: as many keep their layers until these are known."""
        document, layers = self._session.document, self.layers
        if document is None or layers is None or len(document.scene) != len(layers.depths):
            self._clear()
        self._measure()
        self.changed.emit()

    @Slot()
    def _forget(self) -> None:
        self.enabled, self._camera = False, self._session.own_camera
        self.follows = False
        self.peel = Peel(
            count=self.peel.count, step=self.peel.count - 1, grouping=self.peel.grouping
        )
        self._clear()
        self.changed.emit()

    def _clear(self) -> None:
        self.layers = self._mask = self._measured = None
        self.recutting = False
