"""What trials are seen in: a table, a plot of quality against size, a bar of a file's parts."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QModelIndex, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTreeView,
    QWidget,
)

from core.rendering.heatmap import label_colors
from core.trials import Trial
from viewer import theme
from viewer.panels.metrics_table import figure_text
from viewer.widgets.numbers import megabytes_text
from viewer.widgets.plots import Plot, ValueAxis

COLUMNS = ("Stored as", "Size", "PSNR, dB")
COLUMN_TIPS = (
    "Its number, as in the lists of Compare, and the format; of nets the preset.",
    "Of the file, in MB of a million bytes.",
    "Of what comes back, on the held-out photos; without photos against the scene as opened.",
)
SORT_ROLE, NUMBER_ROLE = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
NAME_COLUMN, SIZE_COLUMN = 0, 1
ROW_HEIGHT = 22
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
ROWS_SHOWN = 7
BAR_HEIGHT, LEGEND_LINE = 14, 18
EXACT_HEADROOM_DB = 3.0
NEAR_PX = 14


class TrialTable(QTreeView):
    """One row for each trial, sorted by a click on a title; ``chosen`` tells its number."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Trials")
        self._rows = QStandardItemModel(0, len(COLUMNS), self)
        self._rows.setSortRole(SORT_ROLE)
        for column, (title, tip) in enumerate(zip(COLUMNS, COLUMN_TIPS, strict=True)):
            head = QStandardItem(title)
            head.setToolTip(tip)
            if column != NAME_COLUMN:
                head.setTextAlignment(RIGHT)
            self._rows.setHorizontalHeaderItem(column, head)
        self.setModel(self._rows)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSortingEnabled(True)
        self.sortByColumn(SIZE_COLUMN, Qt.SortOrder.AscendingOrder)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME_COLUMN, QHeaderView.ResizeMode.Stretch)
        self.selectionModel().currentRowChanged.connect(self._tell)

    @property
    def row_count(self) -> int:
        """How many trials are shown."""
        return self._rows.rowCount()

    @property
    def marked(self) -> int | None:
        """Number of the trial whose row is marked."""
        index = self.currentIndex()
        return index.siblingAtColumn(0).data(NUMBER_ROLE) if index.isValid() else None

    def show_trials(self, trials: Sequence[Trial]) -> None:
        """Show these; those already there stay."""
        if self.row_count > len(trials):
            self._rows.setRowCount(0)
        for number in range(self.row_count, len(trials)):
            self._rows.appendRow(_cells(number, trials[number]))
            self._rows.sort(
                self.header().sortIndicatorSection(), self.header().sortIndicatorOrder()
            )
        self.updateGeometry()

    def choose(self, number: int) -> None:
        """Mark a trial's row."""
        for row in range(self.row_count):
            index = self._rows.index(row, 0)
            if index.data(NUMBER_ROLE) == number and number != self.marked:
                self.setCurrentIndex(index)

    def sizeHint(self) -> QSize:
        """As high as its first rows."""
        rows = min(max(self.row_count, 2), ROWS_SHOWN)
        row = self.sizeHintForRow(0) if self.row_count else ROW_HEIGHT
        return QSize(240, self.header().sizeHint().height() + rows * row + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    @Slot(QModelIndex, QModelIndex)
    def _tell(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(current.siblingAtColumn(0).data(NUMBER_ROLE))


def _cells(number: int, trial: Trial) -> list[QStandardItem]:
    """A trial's row."""
    psnr = trial.evaluation.psnr
    shown = (
        (f"{number + 1} · {trial.title}", trial.title.lower()),
        (megabytes_text(trial.bytes / 1e6), trial.bytes),
        (figure_text(psnr, "psnr"), psnr),
    )
    cells = []
    for column, (text, key) in enumerate(shown):
        cell = QStandardItem(text)
        cell.setData(key, SORT_ROLE)
        cell.setData(number, NUMBER_ROLE)
        if column != NAME_COLUMN:
            cell.setTextAlignment(RIGHT)
        cells.append(cell)
    cells[NAME_COLUMN].setToolTip(trial.title)
    return cells


class TrialPlot(Plot):
    """PSNR against size, one dot for each trial; a click chooses one.

    Files without loss against the scene itself are drawn above the others.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(ValueAxis("left"), ValueAxis("bottom"))
        self.setAccessibleName("Quality against size")
        item = self.getPlotItem()
        item.getAxis("bottom").setLogMode(True, False)
        item.getAxis("left").setWidth(46)
        self.dots, self.mark = pg.ScatterPlotItem(size=9), pg.ScatterPlotItem(size=15)
        for part in (self.mark, self.dots):
            self.addItem(part, ignoreBounds=True)
        self._places = np.empty((0, 2))
        self._trials: Sequence[Trial] = ()
        self._chosen: int | None = None
        self.pressed.connect(self._press)
        self.hovered.connect(self._hover)
        self.restyled.connect(self._restyle_items)
        self._restyle_items()

    @Slot()
    def _restyle_items(self) -> None:
        self.dots.setPen(pg.mkPen(None))
        self.dots.setBrush(pg.mkBrush(theme.color("accent")))
        self.mark.setBrush(pg.mkBrush(None))
        self.mark.setPen(pg.mkPen(theme.color("text"), width=2))

    def draw(self, trials: Sequence[Trial], chosen: int | None) -> None:
        """Show trials, and which is chosen."""
        self._trials, self._chosen = tuple(trials), chosen
        levels = np.array([trial.evaluation.psnr for trial in trials], dtype=np.float64)
        finite = levels[np.isfinite(levels)]
        top = float(finite.max()) + EXACT_HEADROOM_DB if len(finite) else 50.0
        levels = np.where(np.isnan(levels), top, np.minimum(levels, top))
        sizes = np.log10([max(trial.bytes, 1) / 1e6 for trial in trials])
        self._places = np.stack([sizes, levels], 1) if len(trials) else np.empty((0, 2))
        self.dots.setData(self._places[:, 0], self._places[:, 1])
        marked = self._places[[] if chosen is None else [chosen]]
        self.mark.setData(marked[:, 0], marked[:, 1])
        self.getPlotItem().setVisible(len(trials) > 0)
        if len(trials):
            box = self.getPlotItem().getViewBox()
            low, high = float(sizes.min()), float(sizes.max())
            box.setXRange(low - 0.12, high + 0.12, padding=0)
            low, high = float(levels.min()), float(levels.max())
            margin = max(0.12 * (high - low), 0.3)
            box.setYRange(low - margin, high + margin, padding=0)

    def _nearest(self, point: QPointF) -> int | None:
        if not len(self._places):
            return None
        at = self.pixel_of(point)
        pixels = [self.pixel_of(QPointF(x, y)) for x, y in self._places]
        distances = [math.hypot(p.x() - at.x(), p.y() - at.y()) for p in pixels]
        best = int(np.argmin(distances))
        return best if distances[best] <= NEAR_PX else None

    @Slot(QPointF)
    def _press(self, point: QPointF) -> None:
        number = self._nearest(point)
        if number is not None:
            self.chosen.emit(number)

    @Slot(QPointF)
    def _hover(self, point: QPointF) -> None:
        number = self._nearest(point)
        if number is None:
            self.tell("")
            return
        trial = self._trials[number]
        size = megabytes_text(trial.bytes / 1e6)
        self.tell(f"{trial.title}: {size}, {figure_text(trial.evaluation.psnr, 'psnr')} dB")


class StreamBar(QWidget):
    """A bar of the bytes in a file by part, with their names and sizes below it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("What is in the file")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._streams: list[tuple[str, int]] = []

    def show_streams(self, streams: Mapping[str, int]) -> None:
        """Show bytes by part; parts without any are left out."""
        self._streams = [(name, size) for name, size in streams.items() if size]
        self.setAccessibleDescription(
            ", ".join(f"{name} {size:,} bytes" for name, size in self._streams)
        )
        self.setVisible(bool(self._streams))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        lines = (len(self._streams) + 1) // 2
        return QSize(200, BAR_HEIGHT + 4 + lines * LEGEND_LINE)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        total = sum(size for _, size in self._streams)
        if not total:
            return
        colors = [QColor.fromRgbF(*color) for color in label_colors(len(self._streams)).tolist()]
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            left = 0.0
            half = self.width() / 2
            for number, ((name, size), color) in enumerate(zip(self._streams, colors, strict=True)):
                width = self.width() * size / total
                painter.fillRect(QRectF(left, 0, max(1.0, width - 1), BAR_HEIGHT), color)
                left += width
                x, y = (number % 2) * half, BAR_HEIGHT + 6 + number // 2 * LEGEND_LINE
                painter.fillRect(QRectF(x, y + 3, 9, 9), color)
                painter.setPen(QColor(theme.color("text")))
                share = f"{name.capitalize()} {_bytes_text(size)}"
                text = QRectF(x + 14, y - 2, half - 16, LEGEND_LINE)
                painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, share)


def _bytes_text(size: int) -> str:
    return f"{size / 1e3:,.1f} kB" if size < 10**6 else megabytes_text(size / 1e6)
