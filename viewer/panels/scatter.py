"""The Scatter dock: two numbers of every Gaussian against each other; a rectangle selects."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
import torch
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QBrush, QColor, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QGraphicsRectItem,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from torch import Tensor

from core.editing import Contents
from core.statistics import Distribution, Values, rank_correlation
from viewer import theme
from viewer.memory import Recent
from viewer.panels.columns import (
    ColumnCombo,
    column_names,
    column_title,
    column_values,
    suits_log,
)
from viewer.panels.data_panel import DataPanel
from viewer.panels.panel import described
from viewer.session import Session
from viewer.widgets.numbers import MISSING, value_text
from viewer.widgets.plots import Plot, ValueAxis, translucent
from viewer.widgets.select_ops import op_for

REMEMBERED = 4
CLICK_PX = 3
REACH_PX = 7
FEW = 20_000
DOT_PX = {True: 3, False: 2}
"""Side of a dot in pixels, by whether the Gaussians are few."""
FAINTEST = 0.3
DEFAULTS = ("opacity", "largest")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Two numbers of the living Gaussians, where both can be shown.

    Attributes
    ----------
    names
        The columns of x and y.
    values
        Their numbers, ``(N,)`` each.
    log
        Whether x and y are in log10.
    indices
        Which Gaussians are shown, int64 ``(M,)``.
    x, y
        Where they are on the axes, ``(M,)``.
    finite
        How many living Gaussians have two finite numbers.
    correlation
        Their rank correlation, None where it is not defined.
    """

    names: tuple[str, str]
    values: tuple[Values, Values]
    log: tuple[bool, bool]
    indices: NDArray[np.int64]
    x: Values
    y: Values
    finite: int
    correlation: float | None

    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Ends of the axes, a little beyond the outermost points."""
        ends = []
        for places in (self.x, self.y):
            low, high = float(places.min()), float(places.max())
            margin = 0.02 * (high - low) or 0.5
            ends.append((low - margin, high + margin))
        return ends[0], ends[1]


def pair_up(
    contents: Contents,
    names: tuple[str, str],
    alive: Tensor,
    log: tuple[bool | None, bool | None],
) -> Pairs:
    """The numbers of two columns; ``log`` None chooses what is legible."""
    x, y = (column_values(contents, name) for name in names)
    both = np.flatnonzero(alive.numpy() & np.isfinite(x) & np.isfinite(y))
    columns = [x[both], y[both]]
    correlation = rank_correlation(*columns)
    shown = np.ones(len(both), np.bool_)
    scales = []
    for name, column, wanted in zip(names, columns, log, strict=True):
        scale = suits_log(name, Distribution(np.sort(column))) if wanted is None else wanted
        scales.append(bool(scale and (column > 0).any()))
        if scales[-1]:
            shown &= column > 0
    place_x, place_y = (
        np.log10(column[shown]) if scale else column[shown]
        for column, scale in zip(columns, scales, strict=True)
    )
    return Pairs(
        names,
        (x, y),
        (scales[0], scales[1]),
        both[shown],
        place_x,
        place_y,
        len(both),
        correlation,
    )


def dot_counts(
    pairs: Pairs, size: tuple[int, int], selected: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many points, and how many selected ones, are in each cell: ``(height, width)`` twice."""
    width, height = size
    cells = np.zeros(len(pairs.x), np.int64)
    for places, (low, high), cell_count, stride in zip(
        (pairs.x, pairs.y), pairs.bounds(), (width, height), (1, width), strict=True
    ):
        # Halved, so that the ends of huge numbers do not overflow when subtracted.
        share = (places / 2 - low / 2) / (high / 2 - low / 2)
        cells += stride * np.minimum((share * cell_count).astype(np.int64), cell_count - 1)
    marked = cells[selected.numpy()[pairs.indices]]
    every, some = (np.bincount(c, minlength=width * height) for c in (cells, marked))
    return every.reshape(height, width), some.reshape(height, width)


def dot_picture(
    every: NDArray[np.int64], some: NDArray[np.int64], color: QColor, selected: QColor
) -> NDArray[np.uint8]:
    """Colours of the cells, uint8 RGBA ``(H, W, 4)``: stronger where there are more points."""
    pixels = np.zeros((*every.shape, 4), np.uint8)
    for counts, tint in ((every, color), (some, selected)):
        inside = counts > 0
        strength = np.log1p(counts[inside]) / np.log1p(max(1, int(counts.max(initial=0))))
        pixels[inside, :3] = tint.red(), tint.green(), tint.blue()
        pixels[inside, 3] = (255 * (FAINTEST + (1 - FAINTEST) * strength)).astype(np.uint8)
    return pixels


class DotPlot(Plot):
    """Points as a picture of how many there are, and the rectangle that is being dragged."""

    def __init__(self) -> None:
        super().__init__(ValueAxis("left"), ValueAxis("bottom"))
        self.setMinimumHeight(90)
        self.viewport().setCursor(Qt.CursorShape.CrossCursor)
        self.dots = pg.ImageItem(axisOrder="row-major")
        self.frame = QGraphicsRectItem()
        for part in (self.dots, self.frame):
            self.addItem(part, ignoreBounds=True)
        self.frame.hide()
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    def _restyle_items(self) -> None:
        pen = QPen(QColor(theme.color("accent")))
        pen.setCosmetic(True)
        self.frame.setPen(pen)
        self.frame.setBrush(QBrush(translucent("accent", 50)))

    def cells(self, dot_px: int) -> tuple[int, int]:
        """How many dots fit beside and above each other."""
        box = self.getPlotItem().getViewBox().sceneBoundingRect()
        return max(1, int(box.width()) // dot_px), max(1, int(box.height()) // dot_px)

    def set_axes(self, pairs: Pairs) -> None:
        """Fit the axes to some points."""
        item = self.getPlotItem()
        item.getAxis("bottom").setLogMode(pairs.log[0], False)
        item.getAxis("left").setLogMode(False, pairs.log[1])
        (left, right), (bottom, top) = pairs.bounds()
        box = item.getViewBox()
        box.setXRange(left, right, padding=0)
        box.setYRange(bottom, top, padding=0)

    def set_picture(self, pixels: NDArray[np.uint8], pairs: Pairs) -> None:
        """Show the picture of some points."""
        (left, right), (bottom, top) = pairs.bounds()
        self.dots.setImage(pixels, autoLevels=False)
        self.dots.setRect(QRectF(left, bottom, right - left, top - bottom))


class ScatterPanel(DataPanel):
    """Every living Gaussian as a dot; a rectangle selects."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, "Scatter panel", parent)
        self.pairs: Pairs | None = None
        self._log: list[bool | None] = [None, None]
        self._remembered: Recent[Pairs] = Recent(REMEMBERED)
        self._picture_timer = self._make_timer(self._ask_picture)
        self._make_head()
        self.statistics.setAccessibleName("Correlation")
        self.plot = DotPlot()
        self.plot.setAccessibleName("Scatter plot")
        self._arrange()
        self._connect()
        self.reload()

    def _make_head(self) -> None:
        self.combos = (ColumnCombo(), ColumnCombo())
        self.logs = (QCheckBox("Log"), QCheckBox("Log"))
        for axis, combo, log in zip("xy", self.combos, self.logs, strict=True):
            described(combo, f"Column of {axis}", f"What the {axis} axis shows.")
            described(log, f"Logarithmic {axis}", f"Spread small values over the {axis} axis.")
        self.swap_button = QToolButton()
        self.swap_button.setIcon(theme.icon("swap-axes"))
        described(self.swap_button, "Swap x and y", "Swap x and y\nExchange the two axes.")

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        for axis, combo, log in zip("xy", self.combos, self.logs, strict=True):
            head.addWidget(QLabel(axis))
            head.addWidget(combo, 1)
            head.addWidget(log)
            if axis == "x":
                head.addWidget(self.swap_button)
        head.addStretch()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.plot)
        self.pages.addWidget(self.empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self.statistics)
        layout.addWidget(self.pages, 1)

    def _connect(self) -> None:
        session, plot = self.session, self.plot
        for axis, (combo, log) in enumerate(zip(self.combos, self.logs, strict=True)):
            combo.column_chosen.connect(lambda _name, axis=axis: self._choose(axis, None))
            log.clicked.connect(lambda on, axis=axis: self._choose(axis, on))
        self.swap_button.clicked.connect(self.swap)
        session.document_replaced.connect(self._new_document)
        session.scene_changed.connect(self._new_scene)
        for signal in (session.state_changed, session.scores_changed):
            signal.connect(self._timer.start)
        plot.dragged.connect(self._drag)
        plot.released.connect(self._release)
        plot.cancelled.connect(plot.frame.hide)
        plot.hovered.connect(self._hover)
        plot.restyled.connect(self._picture_timer.start)
        plot.getPlotItem().getViewBox().sigResized.connect(self._picture_timer.start)

    @property
    def columns(self) -> tuple[str, str]:
        """The columns of x and y."""
        return self.combos[0].column, self.combos[1].column

    @Slot()
    def swap(self) -> None:
        """Swap x and y\nExchange the two axes."""
        x, y = self.columns
        self.combos[0].set_column(y)
        self.combos[1].set_column(x)
        self._log.reverse()
        self.reload()

    @Slot()
    def reload(self) -> None:
        """Pair the columns up anew, off the window's thread."""
        document = self.session.document
        self._stale = False
        for combo, name in zip(self.combos, DEFAULTS, strict=True):
            combo.list_columns(document)
            if document is not None and combo.column not in column_names(document):
                combo.set_column(name)
        if document is None:
            self.pairs, self._asked = None, None
            self._show_pairs()
            return
        names, log, alive = self.columns, (self._log[0], self._log[1]), document.alive
        key = (document, *names, *log, alive, *(document.scores.get(name) for name in names))
        known = self._remembered.find(*key)
        if known is not None:
            self._take(known)
            return
        asked, contents = object(), document.contents
        self._asked = asked

        def take(pairs: Pairs) -> None:
            self._remembered.keep(pairs, *key)
            if self._asked is asked:
                self._take(pairs)

        self.session.asker.ask("scatter", lambda: pair_up(contents, names, alive, log), take)
        if self.pairs is None or self.pairs.names != names:
            self.pairs = None
            self._show_pairs()

    def _take(self, pairs: Pairs) -> None:
        self._asked = None
        self.pairs = pairs
        self._show_pairs()

    def _show_pairs(self) -> None:
        pairs, document = self.pairs, self.session.document
        drawable = pairs is not None and len(pairs.x) > 0
        self.pages.setCurrentWidget(self.plot if drawable else self.empty)
        for widget in (*self.combos, *self.logs, self.swap_button):
            widget.setEnabled(document is not None)
        if document is None:
            self.empty.setText("Open a scene to plot two of its numbers against each other.")
        else:
            self.empty.setText("Computing …" if self._asked else "No Gaussian has both numbers.")
        if pairs is None or document is None:
            self.statistics.set_text("")
            return
        for log, on in zip(self.logs, pairs.log, strict=True):
            log.setChecked(on)
        self.statistics.set_text(_statistics(pairs))
        if drawable:
            self.plot.set_axes(pairs)
            self._ask_picture()

    @Slot()
    def _ask_picture(self) -> None:
        pairs, document = self.pairs, self.session.document
        if pairs is None or document is None or not len(pairs.x):
            return
        size = self.plot.cells(DOT_PX[len(pairs.x) <= FEW])
        selected = document.selected
        colors = QColor(theme.color("text")), QColor(theme.color("accent"))

        def draw() -> NDArray[np.uint8]:
            return dot_picture(*dot_counts(pairs, size, selected), *colors)

        def take(pixels: NDArray[np.uint8]) -> None:
            if self.pairs is pairs:
                self.plot.set_picture(pixels, pairs)

        self.session.asker.ask("scatter picture", draw, take)

    def _choose(self, axis: int, log: bool | None) -> None:
        self._log[axis] = log
        self.reload()

    @Slot()
    def _new_document(self) -> None:
        self.pairs, self._log = None, [None, None]
        self._remembered.clear()
        self.reload()

    @Slot()
    def _new_scene(self) -> None:
        """What is shown is of Gaussians that are there no more."""
        self.pairs, self._asked = None, object()
        self._show_pairs()
        self._timer.start()

    # The mouse in the plot

    @Slot(QPointF, QPointF)
    def _drag(self, start: QPointF, now: QPointF) -> None:
        self.plot.frame.setRect(QRectF(start, now).normalized())
        self.plot.frame.setVisible(self._is_drag(start, now))

    @Slot(QPointF, QPointF, object)
    def _release(self, start: QPointF, end: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        self.plot.frame.hide()
        pairs, document = self.pairs, self.session.document
        if pairs is None or document is None or not self._is_drag(start, end):
            return
        area = QRectF(start, end).normalized()
        inside = (pairs.x >= area.left()) & (pairs.x <= area.right())
        inside &= (pairs.y >= area.top()) & (pairs.y <= area.bottom())
        mask = np.zeros(len(document.scene), np.bool_)
        mask[pairs.indices[inside]] = True
        titles = " and ".join(column_title(document, name) for name in pairs.names)
        document.select(torch.from_numpy(mask), op_for(modifiers), f"Select by {titles}")

    @Slot(QPointF)
    def _hover(self, point: QPointF) -> None:
        pairs, document = self.pairs, self.session.document
        place = None if pairs is None else self._nearest(pairs, point)
        if pairs is None or document is None or place is None:
            self.plot.tell("")
            return
        index = int(pairs.indices[place])
        lines = [
            f"{column_title(document, name)} {value_text(float(values[index]))}"
            for name, values in zip(pairs.names, pairs.values, strict=True)
        ]
        self.plot.tell("\n".join([f"Gaussian {index:,}", *lines]))

    def _nearest(self, pairs: Pairs, point: QPointF) -> int | None:
        """Number of the pair nearest to a point in pixels, None where none is near."""
        if not len(pairs.x):
            return None
        pixel = self.plot.getPlotItem().getViewBox().viewPixelSize()
        gaps = ((pairs.x - point.x()) / pixel[0]) ** 2 + ((pairs.y - point.y()) / pixel[1]) ** 2
        place = int(gaps.argmin())
        return place if gaps[place] <= REACH_PX**2 else None

    def _is_drag(self, start: QPointF, end: QPointF) -> bool:
        gap = self.plot.pixel_of(start) - self.plot.pixel_of(end)
        return max(abs(gap.x()), abs(gap.y())) > CLICK_PX


def _statistics(pairs: Pairs) -> str:
    rho = MISSING if pairs.correlation is None else f"{pairs.correlation:+.3f}"
    parts = [f"Rank correlation {rho} (Spearman, {pairs.finite:,} Gaussians)"]
    hidden = pairs.finite - len(pairs.x)
    if hidden:
        parts.append(f"{hidden:,} not above zero left aside")
    return " · ".join(parts)
