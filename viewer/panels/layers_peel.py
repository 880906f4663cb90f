"""Peeling by depth: which layers are drawn, a slider through them, and where they lie."""

from math import floor, log10

from PySide6.QtCore import QPointF, QSignalBlocker, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from core.editing import SelectOp
from core.gmae.layers import PRESETS, Grouping, Show
from viewer import theme
from viewer.panels.layers_peel_plot import DepthBars, DepthPlot, depth_bars
from viewer.panels.panel import FieldGuard, described, steady, wrapped
from viewer.peeling import MOST_LAYERS
from viewer.session import Session
from viewer.widgets.group import Group
from viewer.widgets.numbers import span_text
from viewer.widgets.section import Section

PACES = (1, 2, 4, 8)
"""Layers a second."""
EDGE_PX = 6
SHOWS = {
    Show.NEAREST: "From near",
    Show.FARTHEST: "From far",
    Show.SINGLE: "One layer",
}
GROUPINGS = {Grouping.COUNTS: "Equal counts", Grouping.BINS: "Equal depth"}
SLAB = "slab"
FAR_AWAY = 1e9
NOT_PLAYED = "Draw from near, from far or one layer to step through them."


class PeelSection(Section):
    """The controls of :class:`viewer.peeling.Peeling`."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Peel", "layers-peel", parent, is_open=True)
        self.session = session
        self._peeling = session.peeling
        self._bars: DepthBars | None = None
        self._asked: object = None
        self._counts: tuple[int, ...] | None = None
        """The numbers of nearest Gaussians that are offered."""
        self._grip: tuple[str, tuple[float, float]] | None = None
        self._timer = QTimer(self, interval=1000 // session.peeling.pace)
        self._timer.timeout.connect(self._next_step)
        self._make()
        self._arrange()
        self._connect()
        self.refresh()

    def _make(self) -> None:
        self.on_box = QCheckBox("Peel the picture")
        described(
            self.on_box,
            "Peel the picture",
            "Peel the picture (Ctrl+Return)\nDraw only some of the layers; nothing is edited. In "
            "comparisons states of the same Gaussians are peeled alike, others are not.",
        )
        self.play_button = QToolButton()
        self.pace_combo = QComboBox()
        for pace in PACES:
            self.pace_combo.addItem(f"{pace} / s", pace)
        self.pace_combo.setCurrentIndex(PACES.index(self._peeling.pace))
        described(self.pace_combo, "Pace", "Layers a second when they are played or animated.")
        self.show_combo, self.grouping_combo = QComboBox(), QComboBox()
        described(
            self.show_combo,
            "What is drawn",
            "All layers up to the chosen one from the near or the far end, one layer alone, a "
            "number of the nearest Gaussians, or what lies between two depths.",
        )
        for grouping, title in GROUPINGS.items():
            self.grouping_combo.addItem(title, str(grouping))
        described(
            self.grouping_combo,
            "How depth is cut",
            "Equal counts: as many Gaussians in each layer.\nEqual depth: as deep a layer each.",
        )
        self.count_spin = QSpinBox()
        self.count_spin.setRange(2, MOST_LAYERS)
        self.count_spin.setKeyboardTracking(False)
        described(self.count_spin, "Number of layers", "The paper's figures have 4, 8, 16 or 32.")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setPageStep(1)
        described(self.slider, "Layer", "Step through the layers, from the near or the far end.")
        self._make_limits()
        self.told = steady(wrapped(""), 2)
        self.told.setProperty("role", "muted")
        self.told.setAccessibleName("What is drawn of the layers")
        self.plot = DepthPlot()
        self.plot.setToolTip("Drag to draw what lies between two depths; drag its edges or it.")
        self.opacity_box = QCheckBox("Weigh by opacity")
        described(
            self.opacity_box, "Weigh by opacity", "Add up opacities instead of counting Gaussians."
        )
        self.take_button = QPushButton("Depth from This View")
        described(
            self.take_button,
            "Take depth from this view",
            "Measure depth along the present view, from where the camera is.",
        )
        self.follow_box = QCheckBox("Follow")
        described(self.follow_box, "Follow the camera", "Measure depth anew as the camera moves.")
        self.select_button = QPushButton("Select What Is Drawn")
        described(
            self.select_button,
            "Select what is drawn",
            "Select the Gaussians that are drawn, to hide, delete or recolour them.",
        )

    def _make_limits(self) -> None:
        """What stands in the place of the slider where no layers are drawn."""
        self.low_spin, self.high_spin = QDoubleSpinBox(), QDoubleSpinBox()
        for spin, end in ((self.low_spin, "near"), (self.high_spin, "far")):
            spin.setRange(-FAR_AWAY, FAR_AWAY)
            spin.setKeyboardTracking(False)
            spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            described(
                spin,
                f"Depth of the {end} end",
                f"Draw what lies between this {end} depth "
                "and the other one, in the units of the scene.",
            )
        self.nearest_spin = QSpinBox()
        self.nearest_spin.setKeyboardTracking(False)
        self.nearest_spin.setGroupSeparatorShown(True)
        described(self.nearest_spin, "Number of nearest Gaussians", "How many are drawn.")
        self.slab_row, self.nearest_row = Group(), Group()
        for box, parts in (
            (self.slab_row, (QLabel("From"), self.low_spin, QLabel("to"), self.high_spin)),
            (self.nearest_row, (self.nearest_spin, QLabel("nearest Gaussians"))),
        ):
            row = QHBoxLayout(box)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(6)
            for part in parts:
                row.addWidget(part, int(isinstance(part, QDoubleSpinBox)))
            row.addStretch(0 if box is self.slab_row else 1)

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.on_box, 1)
        head.addWidget(self.pace_combo)
        head.addWidget(self.play_button)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Draw", self.show_combo)
        cut = QHBoxLayout()
        cut.setSpacing(6)
        cut.addWidget(self.count_spin)
        cut.addWidget(self.grouping_combo, 1)
        form.addRow("Layers", cut)
        foot = QHBoxLayout()
        foot.setSpacing(6)
        foot.addWidget(self.take_button, 1)
        foot.addWidget(self.follow_box)
        self.body.addLayout(head)
        self.body.addLayout(form)
        for widget in (self.slider, self.slab_row, self.nearest_row):
            self.body.addWidget(widget)
        self.body.addWidget(self.told)
        self.body.addWidget(self.plot)
        self.body.addWidget(self.opacity_box)
        self.body.addLayout(foot)
        self.body.addWidget(self.select_button)
        guard = FieldGuard(self)
        for field in (
            *(self.pace_combo, self.show_combo, self.grouping_combo),
            *(self.count_spin, self.slider, self.low_spin, self.high_spin, self.nearest_spin),
        ):
            field.installEventFilter(guard)

    def _connect(self) -> None:
        peeling, plot = self._peeling, self.plot
        self.on_box.clicked.connect(peeling.set_enabled)
        for button in (self.take_button, self.follow_box, self.select_button):
            button.clicked.connect(self._stop)
        self.play_button.clicked.connect(self.toggle_play)
        self.pace_combo.currentIndexChanged.connect(self._choose_pace)
        self.show_combo.activated.connect(self._choose_show)
        self.grouping_combo.activated.connect(
            lambda _: self._ask(grouping=Grouping(self.grouping_combo.currentData()))
        )
        self.count_spin.valueChanged.connect(self._choose_count)
        self.slider.valueChanged.connect(self._choose_step)
        self.low_spin.valueChanged.connect(lambda low: self._choose_end(0, low))
        self.high_spin.valueChanged.connect(lambda high: self._choose_end(1, high))
        self.nearest_spin.valueChanged.connect(lambda count: self._ask(nearest=count))
        self.opacity_box.toggled.connect(self._ask_bars)
        self.take_button.clicked.connect(lambda: peeling.take_depth())
        self.follow_box.clicked.connect(peeling.set_follows)
        self.select_button.clicked.connect(self.select_drawn)
        plot.pressed.connect(self._grab)
        plot.dragged.connect(self._drag)
        plot.hovered.connect(self._hover)
        peeling.changed.connect(self.refresh)
        self.session.document_replaced.connect(self.refresh)
        theme.events.changed.connect(self._show_play)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._peeling.set_watched(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._peeling.set_watched(False)

    # What is asked

    @Slot()
    def toggle_peel(self) -> None:
        """Peel the picture, or draw all of it again."""
        if self.session.document is not None:
            self._peeling.set_enabled(not self._peeling.enabled)

    @Slot()
    def toggle_play(self) -> None:
        """Step through the layers again and again, or stop."""
        if self._timer.isActive():
            self._timer.stop()
        elif not self._peeling.peel.in_layers:
            self.session.notified.emit("info", NOT_PLAYED)
        else:
            self._peeling.set_enabled(True)
            self._next_step()
            self._timer.start()
        self._show_play()

    @property
    def playing(self) -> bool:
        """Whether it steps through the layers by itself."""
        return self._timer.isActive()

    @Slot()
    def select_drawn(self) -> None:
        """Select what is drawn, as one edit."""
        document, drawn = self.session.document, self.session.drawn
        if document is not None and drawn is not None:
            document.select(drawn, SelectOp.SET, "Select layers")

    def _ask(self, **changes: object) -> None:
        self._stop()
        self._peeling.set_enabled(True)
        self._peeling.set_peel(**changes)

    @Slot()
    def _choose_show(self) -> None:
        chosen = self.show_combo.currentData()
        if chosen == SLAB:
            self._ask(nearest=None, slab=self._span())
        elif isinstance(chosen, int):
            self._ask(nearest=chosen, slab=None)
        else:
            self._ask(nearest=None, slab=None, show=Show(chosen))

    @Slot(int)
    def _choose_count(self, count: int) -> None:
        peel = self._peeling.peel
        if count != peel.count:
            last = peel.step == peel.count - 1
            self._ask(count=count, step=count - 1 if last else min(peel.step, count - 1))

    @Slot(int)
    def _choose_step(self, step: int) -> None:
        peel = self._peeling.peel
        if step != peel.step:
            self._ask(step=step)

    def _choose_end(self, end: int, depth: float) -> None:
        slab = self._peeling.peel.slab
        if slab is not None:
            other = slab[1 - end]
            self._ask(slab=(min(depth, other), max(depth, other)))

    @Slot()
    def _choose_pace(self) -> None:
        self._peeling.pace = self.pace_combo.currentData()
        self._timer.setInterval(1000 // self._peeling.pace)

    @Slot()
    def _next_step(self) -> None:
        peel = self._peeling.peel
        self._peeling.set_peel(step=(peel.step + 1) % peel.count)

    def _stop(self) -> None:
        if self._timer.isActive():
            self._timer.stop()
            self._show_play()

    # The slab in the plot

    def _span(self) -> tuple[float, float] | None:
        """The slab, or else all depths."""
        layers, slab = self._peeling.layers, self._peeling.peel.slab
        return layers.span if slab is None and layers is not None else slab

    def _part(self, at: QPointF) -> str:
        """Which part of the slab a point of the plot is at: "low", "high", "inside" or ""."""
        slab = self._peeling.peel.slab
        bars = self._bars
        if slab is None or bars is None:
            return ""
        if slab[0] <= bars.edges[0] and slab[1] >= bars.edges[-1]:
            return ""
        x = self.plot.pixel_of(at).x()
        low, high = (self.plot.pixel_of(QPointF(depth, at.y())).x() for depth in slab)
        if min(abs(x - low), abs(x - high)) <= EDGE_PX:
            return "low" if abs(x - low) <= abs(x - high) else "high"
        return "inside" if low < x < high else ""

    @Slot(QPointF)
    def _grab(self, at: QPointF) -> None:
        part, slab = self._part(at), self._peeling.peel.slab
        self._grip = (part, slab or (at.x(), at.x()))

    @Slot(QPointF, QPointF)
    def _drag(self, start: QPointF, now: QPointF) -> None:
        if self._grip is None or self._bars is None:
            return
        part, (low, high) = self._grip
        if part == "low":
            ends = (now.x(), high)
        elif part == "high":
            ends = (low, now.x())
        elif part == "inside":
            ends = (low + now.x() - start.x(), high + now.x() - start.x())
        else:
            ends = (start.x(), now.x())
        self._ask(nearest=None, slab=(min(ends), max(ends)))

    @Slot(QPointF)
    def _hover(self, at: QPointF) -> None:
        shape = {
            "low": Qt.CursorShape.SizeHorCursor,
            "high": Qt.CursorShape.SizeHorCursor,
            "inside": Qt.CursorShape.OpenHandCursor,
        }.get(self._part(at), Qt.CursorShape.CrossCursor)
        self.plot.viewport().setCursor(shape)

    # What is shown

    @Slot()
    def refresh(self) -> None:
        """Show the peel as it is now."""
        peeling, peel = self._peeling, self._peeling.peel
        document = self.session.document
        self.content.setEnabled(document is not None)
        if document is None or not (peeling.enabled and peel.in_layers):
            self._stop()
        self.on_box.setChecked(peeling.enabled)
        self.follow_box.setChecked(peeling.follows)
        self._fill_shows()
        chosen = SLAB if peel.slab is not None else peel.nearest or str(peel.show)
        self.show_combo.setCurrentIndex(self.show_combo.findData(chosen))
        self.grouping_combo.setCurrentIndex(self.grouping_combo.findData(str(peel.grouping)))
        for widget, value in ((self.count_spin, peel.count), (self.slider, peel.step)):
            blocked = widget.blockSignals(True)
            if widget is self.slider:
                self.slider.setRange(0, peel.count - 1)
            widget.setValue(value)
            widget.blockSignals(blocked)
        self._show_limits()
        self.told.setText(self._told())
        self.summary.set_text("on" if peeling.enabled else "")
        self._show_play()
        if self._bars is None or self._bars.layers is not peeling.layers:
            self._ask_bars()
        self._shade()

    def _show_limits(self) -> None:
        peel, layers, document = self._peeling.peel, self._peeling.layers, self.session.document
        self.slider.setVisible(peel.in_layers)
        self.slab_row.setVisible(peel.slab is not None)
        self.nearest_row.setVisible(peel.slab is None and peel.nearest is not None)
        if peel.slab is not None:
            near, far = peel.slab if layers is None or layers.span is None else layers.span
            decimals = max(0, 3 - floor(log10(max(far - near, 1e-6))))
            for spin, depth in zip((self.low_spin, self.high_spin), peel.slab, strict=True):
                with QSignalBlocker(spin):
                    spin.setDecimals(decimals)
                    spin.setSingleStep(10.0 ** (1 - decimals))
                    spin.setValue(depth)
        if peel.nearest is not None:
            with QSignalBlocker(self.nearest_spin):
                self.nearest_spin.setRange(1, 1 if document is None else len(document.scene))
                self.nearest_spin.setValue(peel.nearest)

    def _fill_shows(self) -> None:
        """Offer what can be drawn of so many Gaussians as there are."""
        document, chosen = self.session.document, self._peeling.peel.nearest
        total = 0 if document is None else len(document.scene)
        offered = {count for count in PRESETS if count <= total}
        counts = tuple(sorted(offered if chosen is None else offered | {chosen}))
        if counts == self._counts:
            return
        self._counts = counts
        combo = self.show_combo
        combo.clear()
        for show, title in SHOWS.items():
            combo.addItem(title, str(show))
        combo.insertSeparator(combo.count())
        for count in counts:
            combo.addItem(f"Nearest {count:,}", count)
        if counts:
            combo.insertSeparator(combo.count())
        combo.addItem("Between two depths", SLAB)

    @Slot()
    def _show_play(self) -> None:
        word = "Stop" if self.playing else "Play"
        self.play_button.setIcon(theme.icon("pause" if self.playing else "play"))
        steps = self._peeling.peel.in_layers
        self.play_button.setEnabled(steps)
        tip = "Step through the layers." if steps else NOT_PLAYED
        described(self.play_button, f"{word} the layers", f"{word}\n{tip}")

    def _told(self) -> str:
        peeling, peel, layers = self._peeling, self._peeling.peel, self._peeling.layers
        if not peeling.enabled:
            return "All layers are drawn."
        mask = peeling.mask
        document = self.session.document
        if layers is None or mask is None or document is None or peeling.recutting:
            return "Measuring depth …"
        drawn = int((mask & document.visible).sum())
        text = f"{drawn:,} of {layers.total:,} Gaussians"
        if peel.slab is not None:
            return f"Depth {span_text(*peel.slab)}: {text}."
        if peel.nearest is not None:
            return f"The nearest: {text}."
        first, last = peel.reach
        spans = [span for span in layers.spans[first : last + 1] if span is not None]
        many = f"Layers {first + 1} to {last + 1}"
        which = f"Layer {first + 1}" if first == last else many
        depth = f"depth {span_text(spans[0][0], spans[-1][1])}" if spans else "empty"
        return f"{which} of {layers.count}, {depth}: {text}."

    def _shade(self) -> None:
        peeling, peel, layers = self._peeling, self._peeling.peel, self._peeling.layers
        if not peeling.enabled or layers is None or self._bars is None:
            self.plot.shade_between(None)
            return
        if peel.slab is not None:
            self.plot.shade_between(peel.slab)
            return
        mask = peeling.mask
        depths = layers.depths[mask & (layers.groups < layers.count)] if mask is not None else None
        if depths is None or not len(depths):
            self.plot.shade_between(None)
        else:
            self.plot.shade_between((float(depths.min()), float(depths.max())))

    @Slot()
    def _ask_bars(self) -> None:
        layers, document = self._peeling.layers, self.session.document
        self._bars = None
        if layers is None or document is None:
            self._asked = None
            self.plot.draw(None)
            return
        asked = self._asked = object()
        logits = document.scene.opacity_logits if self.opacity_box.isChecked() else None

        def question() -> DepthBars | None:
            return depth_bars(layers, None if logits is None else logits.detach().cpu().sigmoid())

        def take(bars: DepthBars | None) -> None:
            if self._asked is asked:
                self._bars = bars
                self.plot.draw(bars)
                self._shade()

        self.session.asker.ask("depth bars", question, take)
