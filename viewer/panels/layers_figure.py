"""Figure and ground by a threshold on depth, and whether that beats answers that do not look."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QWidget,
)
from torch import Tensor

from core.gmae.exports import save_mask
from core.gmae.figure_ground import (
    Polarity,
    compare_masks,
    figure_depth,
    figure_mask,
    intersection_over_union,
    otsu,
)
from core.gmae.layers import depth_picture
from core.images import SUFFIXES, load_mask
from viewer.look import Mode
from viewer.panels.layers_figure_plot import Survey, ThresholdPlot
from viewer.panels.layers_stand import Stand, find_stand, has_one_view
from viewer.panels.panel import FieldGuard, align_labels, described, wrapped
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.file_button import FileButton
from viewer.widgets.numbers import value_text
from viewer.widgets.score_table import ScoreTable
from viewer.widgets.section import Section

STEPS = 1000
SETTLE_MS = 150
POLARITIES = {
    Polarity.FAR: "The far side",
    Polarity.NEAR: "The near side",
    Polarity.BORDER: "Off the border",
}
ANSWER = "This answer"
TITLES = {
    "shuffled": "Depths shuffled",
    "size": "Size, not depth",
    "center ellipse": "Centre ellipse",
}
"""Of answers of :func:`compare_masks` that do not go by their own names."""
ANY_SCENE = "Load a true mask to compare the figure with answers that do not look at the picture."
HONEST = (
    "A model's figure counts only where it beats the centre ellipse and shuffled depths. That of "
    "the model that comes along did not, on 290 photos of people."
)


def survey_depth(stand: Stand) -> Survey:
    """The depths that can part figure and ground."""
    depth, alpha = depth_picture(stand.part(), stand.camera)
    return Survey.of(depth.cpu() - stand.offset, alpha.cpu())


def measure_figure(
    stand: Stand, truth: Tensor, threshold: float | None, polarity: Polarity
) -> dict[str, float]:
    """IoU of a figure with the true one ``(H, W)``, and of the trivial answers, by name."""
    scene = stand.part()
    truth = truth.to(scene.device)
    depth = figure_depth(scene, stand.camera)
    cut = otsu(depth) if threshold is None else threshold + stand.offset
    rows = {ANSWER: intersection_over_union(figure_mask(depth, cut, polarity), truth)}
    photo = stand.photo()
    picture = None if photo is None else photo.to(scene.device)
    for name, value in compare_masks(scene, stand.camera, truth, picture=picture).items():
        kind, _, side = name.rpartition(" ")
        if side not in {*Polarity, "oracle"}:
            rows[TITLES.get(name, name.capitalize())] = value
        elif side == polarity and kind:
            rows[TITLES.get(kind, kind.capitalize())] = value
    return rows


def verdict(rows: dict[str, float]) -> str:
    """One sentence on what the answer beats; it is the first of the rows."""
    answer, *_ = rows.values()
    unbeaten = [name for name, value in list(rows.items())[1:] if value >= answer]
    if not unbeaten:
        return "It beats all of these on this picture."
    return f"It does not beat: {', '.join(name.lower() for name in unbeaten)}."


class FigureSection(Section):
    """Turns figure and ground on, parts them, and measures them."""

    truth_asked = Signal()
    save_asked = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Figure and ground", "layers-figure", parent)
        self.session = session
        self.truth: Path | None = None
        self.survey: Survey | None = None
        self.rows: dict[str, float] = {}
        self._offset: Callable[[], float] = lambda: 0.0
        self._asked: object = None
        self._measured: object = None
        self._of: tuple[float | None, Polarity] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self._ask)
        self._make()
        self._arrange()
        self._connect()
        self.refresh()

    def _make(self) -> None:
        self.on_box = QCheckBox("Show figure and ground")
        described(
            self.on_box,
            "Show figure and ground",
            "Grey out the ground. Figure and ground part at a depth from the present view.",
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        described(self.slider, "Depth of the threshold", "The depth at which the two part.")
        self.otsu_button = QPushButton("Otsu")
        self.otsu_button.setCheckable(True)
        described(
            self.otsu_button,
            "Otsu's threshold",
            "Part depths into the two classes that differ most, anew for each view.",
        )
        self.plot = ThresholdPlot()
        self.depth_text = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.depth_text.setProperty("role", "muted")
        self.polarity_combo = QComboBox()
        for polarity, title in POLARITIES.items():
            self.polarity_combo.addItem(title, str(polarity))
        described(
            self.polarity_combo,
            "Which side is the figure",
            "The far side is the paper's reading: the ground is drawn first.\nOff the border: the "
            "side that holds less of the picture's border.",
        )
        self.truth_button = FileButton("True Mask…", SUFFIXES)
        described(
            self.truth_button,
            "Load a true mask",
            "A picture that is white where the figure is; or drop one here.\n"
            "Its middle is compared, as an image's.",
        )
        self.save_button = QPushButton("Save Mask…")
        described(self.save_button, "Save the mask", "The figure in the present view as a PNG.")
        self.truth_text = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.truth_text.setProperty("role", "muted")
        self.table = ScoreTable(
            ("IoU",), ("Intersection over union with the true figure: 1 is perfect.",)
        )
        self.verdict = wrapped("")
        self.verdict.setAccessibleName("What the figure beats")
        self.note = wrapped("")
        self.note.setProperty("role", "muted")

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        cut = QHBoxLayout()
        cut.setSpacing(6)
        cut.addWidget(self.slider, 1)
        cut.addWidget(self.otsu_button)
        form.addRow("Part at", cut)
        form.addRow("", self.depth_text)
        form.addRow("Figure", self.polarity_combo)
        align_labels(form)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.truth_button, 1)
        buttons.addWidget(self.save_button, 1)
        self.body.addWidget(self.on_box)
        self.body.addWidget(self.plot)
        self.body.addLayout(form)
        self.body.addLayout(buttons)
        for widget in (self.truth_text, self.table, self.verdict, self.note):
            self.body.addWidget(widget)
        guard = FieldGuard(self)
        for field in (self.slider, self.polarity_combo):
            field.installEventFilter(guard)

    def _connect(self) -> None:
        session = self.session
        self.on_box.clicked.connect(self._turn)
        self.slider.valueChanged.connect(self._choose_depth)
        self.plot.moved.connect(lambda depth: self._set(figure_depth=depth))
        self.otsu_button.clicked.connect(self._choose_otsu)
        self.polarity_combo.activated.connect(self._choose_polarity)
        self.truth_button.clicked.connect(self.truth_asked)
        self.truth_button.dropped.connect(self.load_truth)
        self.save_button.clicked.connect(self.save_asked)
        self.opened.connect(self.schedule)
        session.look_changed.connect(self._take_look)
        session.document_replaced.connect(self._forget)
        session.views_changed.connect(self.refresh)
        for changed in (session.state_changed, session.scene_changed, session.peeling.changed):
            changed.connect(self.schedule)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.schedule()

    def set_depth_offset(self, offset: Callable[[], float]) -> None:
        """Where to ask by how much depths of the present view are larger than those told."""
        self._offset = offset

    def _stand(self, present: bool = False) -> Stand | None:
        return find_stand(self.session, self._offset(), present)

    # What is asked

    @Slot(bool)
    def _turn(self, on: bool) -> None:
        self.session.set_mode(Mode.FIGURE if on else Mode.COLOR)

    @Slot(int)
    def _choose_depth(self, step: int) -> None:
        limits = None if self.survey is None else self.survey.limits
        if limits is not None:
            near, far = limits
            self._set(figure_depth=near + (far - near) * step / STEPS)

    @Slot()
    def _choose_otsu(self) -> None:
        survey, on = self.survey, self.otsu_button.isChecked()
        self._set(figure_depth=None if on or survey is None else survey.otsu)

    @Slot()
    def _choose_polarity(self) -> None:
        self._set(polarity=Polarity(self.polarity_combo.currentData()))

    def _set(self, **changes: object) -> None:
        self.session.set_look(mode=Mode.FIGURE, **changes)
        self.refresh()

    @Slot(Path)
    def load_truth(self, path: Path) -> None:
        """Measure against a true mask from now on, if the file can be read."""

        def take(_: Tensor) -> None:
            self.truth = path
            self.schedule()
            self.refresh()

        self.session.asker.ask("true mask", lambda: load_mask(path, 64, 64), take)

    def save(self, path: Path) -> None:
        """Write the figure in the present view, as large as that is."""
        stand, camera = self._stand(present=True), self.session.peeling.view()
        if stand is None or camera is None:
            return
        look = self.session.look

        def question() -> None:
            depth = figure_depth(stand.part(), camera)
            chosen = look.figure_depth
            cut = otsu(depth) if chosen is None else chosen + stand.offset
            save_mask(figure_mask(depth, cut, look.polarity), path)

        self.session.asker.ask(
            "save mask",
            question,
            lambda _: self.session.notified.emit("info", f"Saved {path.name}."),
        )

    @Slot()
    def _take_look(self) -> None:
        look = self.session.look
        if self._of != (look.figure_depth, look.polarity):
            self.schedule()
        self.refresh()

    @Slot()
    def schedule(self) -> None:
        """Look anew soon, if anybody sees it."""
        if self.is_open and self.isVisible():
            self._timer.start()

    @Slot()
    def _ask(self) -> None:
        """Find out which depths there are, and measure the figure against the true one."""
        stand = self._stand(present=not has_one_view(self.session))
        if stand is None:
            return
        asked = self._asked = object()

        def take(survey: Survey) -> None:
            if self._asked is asked:
                self.survey = survey
                self.refresh()

        self.session.asker.ask("figure depths", lambda: survey_depth(stand), take)
        self._measure()

    def _measure(self) -> None:
        stand, path, look = self._stand(), self.truth, self.session.look
        if stand is None or path is None:
            return
        measured = self._measured = object()
        threshold, polarity = self._of = look.figure_depth, look.polarity

        def question() -> dict[str, float]:
            truth = load_mask(path, stand.camera.width, stand.camera.height)
            return measure_figure(stand, truth, threshold, polarity)

        def take(rows: dict[str, float]) -> None:
            if self._measured is measured:
                self.rows = rows
                self.refresh()

        self.session.asker.ask("figure", question, take)

    # What is shown

    @Slot()
    def _forget(self) -> None:
        self.truth, self.survey, self.rows = None, None, {}
        self._asked = self._measured = self._of = None
        if self.session.look.figure_depth is not None:
            self.session.set_look(figure_depth=None)
        self.refresh()
        self.schedule()

    @Slot()
    def refresh(self) -> None:
        """Show the figure as it is now."""
        look, survey = self.session.look, self.survey
        on = look.mode == Mode.FIGURE
        self.content.setEnabled(self.session.document is not None)
        self.on_box.setChecked(on)
        self.summary.set_text("on" if on else "")
        self.otsu_button.setChecked(look.figure_depth is None)
        self.polarity_combo.setCurrentIndex(self.polarity_combo.findData(str(look.polarity)))
        self._show_depth(survey, look.figure_depth)
        self.truth_text.setVisible(self.truth is not None)
        if self.truth is not None:
            self.truth_text.set_text(f"Against {self.truth.name}")
        if self.rows:
            self.table.show_rows({name: (value,) for name, value in self.rows.items()})
        else:
            self.table.clear()
        self.note.setText(HONEST if has_one_view(self.session) else ANY_SCENE)
        self.verdict.setVisible(bool(self.rows))
        self.verdict.setText(verdict(self.rows) if self.rows else "")

    def _show_depth(self, survey: Survey | None, chosen: float | None) -> None:
        limits = None if survey is None else survey.limits
        self.slider.setEnabled(limits is not None)
        if survey is None or limits is None:
            self.plot.clear_survey()
            self.depth_text.set_text("Measuring depth …" if survey is None else "Nothing is drawn.")
            return
        near, far = limits
        depth = survey.otsu if chosen is None else chosen
        beyond = survey.far_is_figure(depth, self.session.look.polarity)
        self.plot.show_survey(survey, depth, beyond)
        if not self.slider.isSliderDown():
            blocked = self.slider.blockSignals(True)
            share = (depth - near) / max(far - near, 1e-9)
            self.slider.setValue(round(STEPS * min(max(share, 0.0), 1.0)))
            self.slider.blockSignals(blocked)
        self.depth_text.set_text(
            f"Depth {value_text(depth)}, of {value_text(near)} to {value_text(far)}"
        )
