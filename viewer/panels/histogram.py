"""The Data dock: how any number of the Gaussians is distributed; a drag selects a range."""

import math
from collections.abc import Callable

import numpy as np
import torch
from PySide6.QtCore import QLocale, QPointF, Qt, Slot
from PySide6.QtGui import QColor, QDoubleValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from torch import Tensor

from core.editing import Document, SelectOp
from core.rendering.heatmap import colormap_table, percentile_range, value_range
from core.scoring import SINGULAR, UNSEEN
from core.scoring.ranking import Ranking
from core.statistics import Distribution
from viewer.look import Scale
from viewer.memory import Recent
from viewer.panels.bars import BarPlot, Bars, fill_bars
from viewer.panels.columns import ColumnCombo, column_names, column_title
from viewer.panels.data_panel import DataPanel
from viewer.panels.panel import FieldGuard, described
from viewer.session import Session
from viewer.widgets.numbers import count_text, percent_text, value_text
from viewer.widgets.select_ops import SelectOpCombo, op_for

REMEMBERED = 6
CLICK_PX = 3
FALLBACK = "opacity"
ASKED = "histogram"

SCOPES: dict[str, Callable[[Document], Tensor]] = {
    "All": lambda document: document.alive,
    "Visible": lambda document: document.visible,
    "Selected": lambda document: document.selected,
}


class HistogramPanel(DataPanel):
    """Bars of a column. A drag selects; where the column is the chosen score, a line cuts."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, "Data panel", parent)
        self.shown: Bars | None = None
        self._picked: str | None = None
        self._log: bool | None = None
        self._cutting = False
        self._distributions: Recent[Distribution] = Recent(REMEMBERED)
        self._make_head()
        self._make_range()
        self.statistics.setAccessibleName("Statistics")
        self.plot = BarPlot()
        self.plot.setAccessibleName("Histogram")
        self._arrange()
        self._connect()
        self.reload()

    def _make_head(self) -> None:
        self.column_combo = ColumnCombo()
        described(self.column_combo, "What is counted", "A score, property or column of the file.")
        self.scope_combo = QComboBox()
        self.scope_combo.addItems(list(SCOPES))
        described(
            self.scope_combo,
            "Which Gaussians are counted",
            "All that live, the visible, or those selected.",
        )
        self.log_x = QCheckBox("Log values")
        described(self.log_x, "Logarithmic values", "Spread small values over a logarithmic axis.")
        self.log_y = QCheckBox("Log counts")
        described(self.log_y, "Logarithmic counts", "Show bars of few Gaussians too.")

    def _make_range(self) -> None:
        self.from_edit, self.to_edit = QLineEdit(), QLineEdit()
        validator = QDoubleValidator(self)
        validator.setLocale(QLocale.c())
        guard = FieldGuard(self)
        for edit, name, tip in (
            (self.from_edit, "From", "Smallest value to select; empty for no limit."),
            (self.to_edit, "To", "Largest value to select; empty for no limit."),
        ):
            edit.setValidator(validator)
            edit.setAlignment(Qt.AlignmentFlag.AlignRight)
            edit.setMinimumWidth(64)
            edit.setMaximumWidth(110)
            edit.setAcceptDrops(False)
            edit.installEventFilter(guard)
            edit.returnPressed.connect(self.select_range)
            described(edit, name, tip)
        self.op_combo = SelectOpCombo()
        self.select_button = QPushButton("Select")
        described(
            self.select_button, "Select range", "Select the Gaussians with values from … to …"
        )
        self.counts = QLabel()
        self.counts.setTextFormat(Qt.TextFormat.PlainText)
        self.counts.setAccessibleName("What the range or the cut takes")
        self.counts.setProperty("role", "number")

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.column_combo, 1)
        head.addWidget(self.scope_combo)
        head.addWidget(self.log_x)
        head.addWidget(self.log_y)
        head.addStretch()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.plot)
        self.pages.addWidget(self.empty)
        foot = QHBoxLayout()
        foot.setSpacing(6)
        foot.addWidget(QLabel("From"))
        foot.addWidget(self.from_edit)
        foot.addWidget(QLabel("to"))
        foot.addWidget(self.to_edit)
        foot.addWidget(self.op_combo)
        foot.addWidget(self.select_button)
        foot.addStretch(1)
        facts = QHBoxLayout()
        facts.setSpacing(16)
        facts.addWidget(self.statistics, 1)
        facts.addWidget(self.counts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addLayout(facts)
        layout.addWidget(self.pages, 1)
        layout.addLayout(foot)

    def _connect(self) -> None:
        session, plot = self.session, self.plot
        self.column_combo.column_chosen.connect(self._pick)
        self.scope_combo.activated.connect(self._timer.start)
        self.log_x.clicked.connect(self._choose_log)
        self.log_y.toggled.connect(self.redraw)
        self.select_button.clicked.connect(self.select_range)
        for signal in (session.state_changed, session.scores_changed):
            signal.connect(self._timer.start)
        session.document_replaced.connect(self._new_document)
        session.scene_changed.connect(self._new_scene)
        session.score_changed.connect(self._follow_score)
        session.target_changed.connect(self.show_target)
        session.look_changed.connect(self._recolor)
        plot.pressed.connect(self._press)
        plot.dragged.connect(self._drag)
        plot.released.connect(self._release)
        plot.cancelled.connect(self._cancel)
        plot.hovered.connect(self._hover)
        plot.restyled.connect(self.redraw)

    @property
    def column(self) -> str:
        """What is counted: as chosen here, else the chosen score, else the opacity."""
        document, score = self.session.document, self.session.score_name
        if document is None:
            return ""
        if self._picked in column_names(document):
            return str(self._picked)
        return score if score in document.scores else FALLBACK

    def show_column(self, name: str) -> None:
        """Count another column."""
        follows = name == self.session.score_name
        self._picked = None if follows else name
        self._log = None
        self._timer.start()

    @Slot()
    def reload(self) -> None:
        """Count anew, off the window's thread; what is shown stays until then."""
        document = self.session.document
        self._stale = False
        self.column_combo.list_columns(document)
        self.column_combo.set_column(self.column)
        if document is None:
            self.shown, self._asked = None, None
            self.redraw()
            return
        name, log = self.column, self._log
        chosen, selected = SCOPES[self.scope_combo.currentText()](document), document.selected
        key = (document, name, document.scores.get(name), chosen)
        known = self._distributions.find(*key)
        asked = self._asked = object()

        def take(bars: Bars) -> None:
            self._distributions.keep(bars.distribution, *key)
            if self._asked is asked:
                self._asked = None
                self.shown = bars
                self.redraw()

        contents = document.contents
        self.session.asker.ask(
            ASKED, lambda: fill_bars(contents, name, chosen, selected, log, known), take
        )
        if self.shown is None or self.shown.name != name:
            self.shown = None
            self.redraw()

    @Slot()
    def redraw(self) -> None:
        """Draw bars, colours, statistics and the line."""
        bars, document = self.shown, self.session.document
        drawable = bars is not None and len(bars.distribution) > 0
        self.pages.setCurrentWidget(self.plot if drawable else self.empty)
        self.empty.setText(self._empty_text())
        for widget in (self.column_combo, self.scope_combo, self.log_y):
            widget.setEnabled(document is not None)
        for field in (self.from_edit, self.to_edit, self.op_combo, self.select_button, self.log_x):
            field.setEnabled(drawable)
        if bars is None or document is None or not drawable:
            self.statistics.set_text("")
            self.counts.setText("")
            return
        self.log_x.setEnabled(bars.distribution.not_positive < len(bars.distribution))
        self.log_x.setChecked(bars.log)
        self.from_edit.setPlaceholderText(value_text(bars.distribution.minimum))
        self.to_edit.setPlaceholderText(value_text(bars.distribution.maximum))
        self.statistics.set_text(" · ".join(self._statistics(document, bars)))
        self._recolor()
        self.show_target()

    @Slot()
    def _recolor(self) -> None:
        bars = self.shown
        if bars is not None and len(bars.distribution):
            self.plot.draw(bars, self.log_y.isChecked(), self._colors(bars))

    def _colors(self, bars: Bars) -> list[QColor] | None:
        """The heatmap's colours where the column is the score that it shows."""
        ranking = self._cut_ranking()
        if ranking is None:
            return None
        look, middles = self.session.look, (bars.edges[:-1] + bars.edges[1:]) / 2
        if look.scale == Scale.PERCENTILE:
            limits = percentile_range(look.low, look.high)
            places = limits.places(ranking.percentiles(middles))
        else:
            places = value_range(ranking, look.low, look.high).places(middles)
        rows = np.rint(places * 255).astype(np.int64)
        table = colormap_table(look.colormap).numpy()
        return [QColor(*map(int, color)) for color in (table[rows] * 255).astype(np.uint8)]

    def _cut_ranking(self) -> Ranking | None:
        bars = self.shown
        if bars is None or bars.name != self.session.score_name:
            return None
        return self.session.ranking

    def _empty_text(self) -> str:
        if self.session.document is None:
            return "Open a scene to see how its numbers are distributed."
        if self._asked is not None:
            return "Computing …"
        scope = self.scope_combo.currentText()
        if bool(SCOPES[scope](self.session.document).any()):
            return "No Gaussian has a number here."
        return {
            "Selected": "No Gaussians are selected.",
            "Visible": "No Gaussians are visible.",
        }.get(scope, "There are no Gaussians.")

    def _statistics(self, document: Document, bars: Bars) -> list[str]:
        found = bars.distribution
        parts = [
            f"{len(found):,} Gaussians",
            f"mean {value_text(found.mean)}",
            f"median {value_text(found.quantile(0.5))}",
            f"p95 {value_text(found.quantile(0.95))}",
            f"min {value_text(found.minimum)}",
            f"max {value_text(found.maximum)}",
        ]
        if bars.log and found.not_positive:
            parts.append(f"{found.not_positive:,} not above zero left aside")
        worth = document.scores.get(bars.name)
        if found.left_out and worth is not None:
            chosen = SCOPES[self.scope_combo.currentText()](document)
            for kind, text in ((UNSEEN, "unseen"), (SINGULAR, "without parallax")):
                count = int((chosen & (worth.classes == kind)).sum())
                if count:
                    parts.append(f"{count:,} {text} left aside")
        elif found.left_out:
            parts.append(f"{found.left_out:,} not finite left aside")
        return parts

    @Slot()
    def show_target(self) -> None:
        """Put the line where the cut lies, and say what it keeps."""
        session, bars = self.session, self.shown
        ranking = None if self._cut_ranking() is None else session.choice_ranking
        left, document = session.choice, session.document
        self.plot.line.setVisible(ranking is not None)
        drawable = bars is not None and len(bars.distribution) > 0
        if ranking is None or left is None or document is None or bars is None or not drawable:
            self.plot.goes.hide()
            self.counts.setText("")
            return
        count = left.count if session.target is None else left.kept(session.target)
        threshold = ranking.threshold(count)
        start = float(bars.edges[0])
        at_start = threshold is None or not math.isfinite(threshold) or threshold < start
        place = start if at_start else float(threshold or 0.0)
        self.plot.show_cut(bars.position(place), count < left.count)
        gone = session.removed_count
        stays = document.alive_count - gone
        share = percent_text(stays / max(1, document.alive_count))
        self.counts.setText(f"keeps {stays:,} ({share}), {gone:,} go" if gone else "")

    @Slot()
    def select_range(self) -> None:
        """Select the Gaussians whose values lie in the range of the fields."""
        ends = self.from_edit.text(), self.to_edit.text()
        low, high = (float(text) if text else None for text in ends)
        if self.shown is not None:
            self._select(low, high, self.op_combo.op)

    def _select(self, low: float | None, high: float | None, op: SelectOp) -> None:
        document, bars = self.session.document, self.shown
        if document is None or bars is None:
            return
        inside = np.isfinite(bars.values)
        if low is not None:
            inside &= bars.values >= low
        if high is not None:
            inside &= bars.values <= high
        chosen = SCOPES[self.scope_combo.currentText()](document)
        title = column_title(document, bars.name)
        ends = " … ".join("" if end is None else value_text(end) for end in (low, high))
        document.select(torch.from_numpy(inside) & chosen, op, f"Select {title} {ends}")

    @Slot(str)
    def _pick(self, name: str) -> None:
        self.show_column(name)

    @Slot()
    def _follow_score(self) -> None:
        document = self.session.document
        if document is None or self._picked is None or self._picked in document.scores:
            self.show_column(self.session.score_name)
        self.redraw()

    @Slot()
    def _new_document(self) -> None:
        self.shown = self._picked = self._log = None
        self._distributions.clear()
        self.from_edit.clear()
        self.to_edit.clear()
        self.reload()

    @Slot()
    def _new_scene(self) -> None:
        """What is shown is of Gaussians that are there no more."""
        self.shown, self._asked = None, object()
        self.redraw()
        self._timer.start()

    @Slot()
    def _choose_log(self) -> None:
        self._log = self.log_x.isChecked()
        self.reload()

    # Dragging in the plot

    @Slot(QPointF)
    def _press(self, point: QPointF) -> None:
        self._cutting = self.plot.on_line(point)

    @Slot(QPointF, QPointF)
    def _drag(self, start: QPointF, now: QPointF) -> None:
        bars = self.shown
        if bars is None:
            return
        if self._cutting:
            self._cut_at(bars, now.x())
        elif self._is_drag(start, now):
            self.plot.show_band(start.x(), now.x())
            low, high = self._ends(bars, start, now)
            self.from_edit.setText(f"{low:.6g}")
            self.to_edit.setText(f"{high:.6g}")
            self.counts.setText(f"{count_text(bars.distribution.count_within(low, high))} in range")

    @Slot(QPointF, QPointF, object)
    def _release(self, start: QPointF, end: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        bars, cutting = self.shown, self._cutting
        self._cancel()
        if bars is not None and not cutting and self._is_drag(start, end):
            low, high = self._ends(bars, start, end)
            self._select(low, high, op_for(modifiers, self.op_combo.op))

    @Slot()
    def _cancel(self) -> None:
        self._cutting = False
        self.plot.band.hide()
        self.show_target()

    @Slot(QPointF)
    def _hover(self, point: QPointF) -> None:
        bars = self.shown
        on_line = self.plot.on_line(point)
        self.plot.show_grip(on_line)
        place = None if bars is None or on_line else bars.bin_at(point.x())
        if on_line:
            self.plot.tell("Drag: Gaussians left of the line go.")
        elif bars is None or place is None:
            self.plot.tell("")
        else:
            low, high = bars.edges[place], bars.edges[place + 1]
            text = f"{value_text(low)} … {value_text(high)}\n{bars.counts[place]:,} Gaussians"
            marked = int(bars.selected[place])
            self.plot.tell(text + (f", {marked:,} selected" if marked else ""))

    def _is_drag(self, start: QPointF, end: QPointF) -> bool:
        gap = self.plot.pixel_of(start) - self.plot.pixel_of(end)
        return abs(gap.x()) > CLICK_PX

    @staticmethod
    def _ends(bars: Bars, start: QPointF, end: QPointF) -> tuple[float, float]:
        low, high = sorted((start.x(), end.x()))
        return bars.value(low), bars.value(high)

    def _cut_at(self, bars: Bars, place: float) -> None:
        left, ranking = self.session.choice, self.session.choice_ranking
        if left is None or ranking is None or self._cut_ranking() is None:
            return
        value = bars.value(place)
        threshold = -math.inf if value <= bars.edges[0] else value
        self.session.set_target(left.others + ranking.count_from(threshold))
