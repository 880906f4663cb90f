"""Depth against size in the picture: a scatter with its rank correlation, and what it means."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
import torch
from numpy.typing import NDArray
from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QBrush, QColor, QHideEvent, QPen, QShowEvent
from PySide6.QtWidgets import QWidget
from torch import Tensor

from core.gmae.depth_scale import Correlation, correlate, spearman
from core.gmae.layers import DepthLayers, screen_sizes
from core.scene import GaussianScene
from viewer import theme
from viewer.panels.panel import wrapped
from viewer.session import Session
from viewer.widgets.plots import Plot, ValueAxis, translucent
from viewer.widgets.section import Section

MOST_POINTS = 1500
SHUFFLES = 50
WAIT_MS = 400
HONEST = (
    "Nearer Gaussians look larger under any camera with perspective, so this number alone says "
    "nothing about an image. A model's is measured with its controls by splatscope gmae evaluate."
)


@dataclass(frozen=True, slots=True, eq=False)
class SizePoints:
    """Depth, and standard deviation in the picture in pixels, of some Gaussians, ``(M,)`` each.

    ``control`` is the correlation that the camera alone makes: sizes in space exchanged by chance
    among the Gaussians. ``of``: how many there were to choose from.
    """

    depths: NDArray[np.float64]
    sizes: NDArray[np.float64]
    correlation: Correlation
    control: float
    of: int


def size_points(
    scene: GaussianScene, layers: DepthLayers, drawn: Tensor, seed: int = 0
) -> SizePoints | None:
    """The drawn Gaussians before the camera, at most 1,500 of them by chance; None without two."""
    chosen = (drawn & (layers.depths > 0)).nonzero()[:, 0]
    total = len(chosen)
    if total > MOST_POINTS:
        generator = torch.Generator().manual_seed(seed)
        chosen = chosen[torch.randperm(total, generator=generator)[:MOST_POINTS]]
    sizes = screen_sizes(scene.select(chosen), layers.camera).cpu()
    usable = sizes.isfinite() & (sizes > 0)
    if int(usable.sum()) < 2:
        return None
    depths = layers.depths[chosen][usable].double().numpy()
    some = sizes[usable].double().numpy()
    correlation = correlate(depths, some, seed)
    return SizePoints(depths, some, correlation, _camera_alone(depths, some, seed), total)


def _camera_alone(depths: NDArray[np.float64], sizes: NDArray[np.float64], seed: int) -> float:
    """Mean correlation of depth with the size of others as it would look there."""
    generator = np.random.default_rng(seed)
    spread = sizes * depths
    return float(
        np.mean([spearman(depths, generator.permutation(spread) / depths) for _ in range(SHUFFLES)])
    )


class SizeSection(Section):
    """Depth against size of what is drawn."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Depth and size", "layers-size", parent)
        self.session = session
        self.points: SizePoints | None = None
        self._asked: object = None
        self._made_of: tuple[object, object] | None = None
        self.plot = Plot(ValueAxis("left"), ValueAxis("bottom"))
        self.plot.setFixedHeight(150)
        self.plot.setAccessibleName("Depth against size in the picture")
        item = self.plot.getPlotItem()
        item.getAxis("left").setWidth(48)
        item.getAxis("left").setLogMode(False, True)
        item.setLabel("bottom", "Depth")
        item.setLabel("left", "Size, px")
        self.dots = pg.ScatterPlotItem(size=3, pxMode=True)
        self.plot.addItem(self.dots)
        self.told = wrapped("")
        self.told.setAccessibleName("Rank correlation of depth and size")
        self.honest = wrapped(HONEST)
        self.honest.setProperty("role", "muted")
        for widget in (self.plot, self.told, self.honest):
            self.body.addWidget(widget)
        self._timer = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._timer.timeout.connect(self._ask)
        session.peeling.changed.connect(self._schedule)
        session.state_changed.connect(self._schedule)
        session.document_replaced.connect(self._forget)
        self.plot.restyled.connect(self._restyle)
        self._restyle()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._schedule()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    @Slot()
    def toggle(self) -> None:
        super().toggle()
        self._schedule()

    @Slot()
    def _schedule(self) -> None:
        if self.is_open and self.isVisible():
            self._timer.start()

    @Slot()
    def _forget(self) -> None:
        """Another document is there."""
        self._asked = self._made_of = None
        self._take(None)
        self._schedule()

    @Slot()
    def _ask(self) -> None:
        document, drawn = self.session.document, self.session.drawn
        layers = self.session.peeling.layers
        if document is None or drawn is None or layers is None:
            self._asked, self._made_of = None, None
            self._take(None)
            return
        if self._made_of is not None and self._made_of[0] is layers and self._made_of[1] is drawn:
            return
        self._made_of = (layers, drawn)
        asked = self._asked = object()
        scene = document.scene

        def take(points: SizePoints | None) -> None:
            if self._asked is asked:
                self._take(points)

        self.session.asker.ask("depth size", lambda: size_points(scene, layers, drawn), take)

    def _take(self, points: SizePoints | None) -> None:
        self.points = points
        self.dots.setVisible(points is not None)
        if points is None:
            self.told.setText("")
            self.summary.set_text("")
            return
        sizes = np.log10(points.sizes)
        self.dots.setData(points.depths, sizes)
        box = self.plot.getPlotItem().getViewBox()
        for axis, values in ((box.setXRange, points.depths), (box.setYRange, sizes)):
            low, high = np.percentile(values, (0.5, 99.5))
            axis(float(low), float(high) + 1e-9, padding=0.05)
        rho = points.correlation
        some = f"{rho.count:,}" + (f" of {points.of:,}" if points.of > rho.count else "")
        self.told.setText(
            f"Spearman's ρ {rho.rho:+.2f}, 95 % interval {rho.low:+.2f} to {rho.high:+.2f}, "
            f"{some} Gaussians. The camera alone, sizes shuffled: ρ {points.control:+.2f}."
        )
        self.summary.set_text(f"ρ {rho.rho:+.2f}")

    def _restyle(self) -> None:
        self.dots.setPen(QPen(QColor(0, 0, 0, 0)))
        self.dots.setBrush(QBrush(translucent("text", 90)))
        for side in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setLabel(axis.labelText, color=theme.color("text-muted"))
