"""Figure and ground by a threshold on depth, and whether that beats answers that do not look."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSlider, QWidget
from torch import Tensor

from core.gmae.exports import save_mask
from core.gmae.figure_ground import (
    Polarity,
    compare_masks,
    figure_depth,
    intersection_over_union,
    part_figure,
)
from core.gmae.layers import depth_picture
from core.images import SUFFIXES, load_mask
from viewer.look import Look, Mode
from viewer.panels.layers_figure_plot import Survey, ThresholdPlot
from viewer.panels.layers_stand import Stand
from viewer.panels.layers_truth import TruthSection
from viewer.panels.panel import FieldGuard, align_labels, described
from viewer.session import Session
from viewer.viewport.figures import measured_camera
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import value_text

STEPS = 1000
POLARITIES = {
    Polarity.FAR: "The far side",
    Polarity.NEAR: "The near side",
    Polarity.BORDER: "Off the border",
}
ANSWER = "This answer"
TITLES = {
    "shuffled": "Depths shuffled",
    "size": "Size as depth",
    "center ellipse": "Centre ellipse",
}
"""Of answers of :func:`compare_masks` that do not go by their own names."""
TIPS = {
    ANSWER: "The figure as it is shown.",
    "Depths shuffled": "Depths exchanged by chance among the Gaussians; parted by Otsu, or so that "
    "as much is on the far side as by a depth that you chose.",
    "Size as depth": "Small Gaussians in place of far ones, parted in the same way.",
    "Border colour": "What has other colours than the border of the photo, parted by Otsu.",
    "Local deviation": "Where the photo's lightness varies within a few pixels, parted by Otsu.",
    "Centre ellipse": "An ellipse in the middle, whatever the picture.",
    "All figure": "The whole picture.",
}
"""What the answers are."""
ANY_SCENE = (
    "Depth is that of the present view here. Load a true mask to compare the figure with answers "
    "that do not look at the picture."
)
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
    scene, camera = stand.part(), measured_camera(stand.camera)
    truth = truth.to(scene.device)
    chosen = None if threshold is None else threshold + stand.offset
    parting = part_figure(figure_depth(scene, stand.camera), chosen, polarity)
    mask = parting.mask(figure_depth(scene, camera))
    rows = {ANSWER: intersection_over_union(mask, truth)}
    far = mask if parting.far else ~mask
    share = None if threshold is None else float(far.float().mean())
    photo = stand.photo()
    picture = None if photo is None else photo.to(scene.device)
    answers = compare_masks(scene, camera, truth, picture=picture, far_share=share)
    for name, value in answers.items():
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
    return f"It does not beat: {'; '.join(unbeaten)}."


class FigureSection(TruthSection):
    """Turns figure and ground on, parts them, and measures them."""

    save_asked = Signal()

    mode = Mode.FIGURE
    switch = (
        "Show figure and ground",
        "Grey out the ground. Figure and ground part at a depth from the present view.",
    )
    truth_texts = (
        "True Mask…",
        "Load a true mask",
        "A picture that is white where the figure is;",
    )
    suffixes = SUFFIXES
    row_tips = TIPS
    look_fields = ("figure_truth", "figure_depth", "polarity")
    columns: ClassVar[Mapping[str, str]] = {
        "IoU": "Intersection over union with the true figure: 1 is perfect."
    }
    any_scene = ANY_SCENE
    honest = HONEST

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, "Figure and ground", "layers-figure", parent)
        self.survey: Survey | None = None
        self._surveyed: object = None
        self._make()
        self._arrange()
        self.slider.valueChanged.connect(self._choose_depth)
        self.plot.moved.connect(lambda depth: self._set(figure_depth=depth))
        self.otsu_button.clicked.connect(self._choose_otsu)
        self.polarity_combo.activated.connect(self._choose_polarity)
        self.save_button.clicked.connect(self.save_asked)
        self.refresh()

    def _make(self) -> None:
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
        self.save_button = QPushButton("Save Mask…")
        described(self.save_button, "Save the mask", "The figure in the present view as a PNG.")

    def _arrange(self) -> None:
        form = self.plain_form()
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
        for widget in self.answers:
            self.body.addWidget(widget)
        guard = FieldGuard(self)
        for field in (self.slider, self.polarity_combo):
            field.installEventFilter(guard)

    # What is asked

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

    def save(self, path: Path) -> None:
        """Write the figure in the present view, as large as that is."""
        stand, camera, look = self.stand(), self.session.peeling.view(), self.session.look
        if stand is None or camera is None:
            return
        chosen = None if look.figure_depth is None else look.figure_depth + stand.offset

        def question() -> None:
            scene = stand.part()
            parting = part_figure(figure_depth(scene, stand.camera), chosen, look.polarity)
            save_mask(parting.mask(figure_depth(scene, camera)), path)

        self.session.asker.ask(
            "save mask",
            question,
            lambda _: self.session.notified.emit("info", f"Saved {path.name}."),
        )

    @Slot()
    def ask(self) -> None:
        """Find out which depths there are, and measure the figure against the true one."""
        stand = self.stand()
        if stand is None:
            return
        asked = self._surveyed = object()

        def take(survey: Survey) -> None:
            if self._surveyed is asked:
                self.survey = survey
                self.refresh()

        self.session.asker.ask("figure depths", lambda: survey_depth(stand), take)
        super().ask()

    def check(self, path: Path) -> str:
        load_mask(path, 1, 1)
        document = self.session.document
        return "outlined in orange" if document is not None and document.views else ""

    def settings_of(self, look: Look) -> tuple[float | None, Polarity]:
        return look.figure_depth, look.polarity

    def measure(self, stand: Stand, path: Path) -> None:
        token, (threshold, polarity) = self.expect(), self.settings_of(self.session.look)

        def question() -> dict[str, float]:
            camera = measured_camera(stand.camera)
            truth = load_mask(path, camera.width, camera.height)
            return measure_figure(stand, truth, threshold, polarity)

        self.session.asker.ask("figure", question, lambda rows: self.take(token, rows))

    # What is shown

    def show_answers(self) -> Mapping[str, Sequence[float]]:
        return {name: (value,) for name, value in self.rows.items()}

    def judge(self) -> str:
        return verdict(self.rows)

    @Slot()
    def forget(self) -> None:
        self.survey = self._surveyed = None
        super().forget()

    @Slot()
    def refresh(self) -> None:
        super().refresh()
        look = self.session.look
        self.otsu_button.setChecked(look.figure_depth is None)
        self.polarity_combo.setCurrentIndex(self.polarity_combo.findData(str(look.polarity)))
        self._show_depth(self.survey, look.figure_depth)

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
