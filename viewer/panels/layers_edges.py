"""Edges between layers, and whether they beat a random order and the gradient of the picture."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QWidget
from torch import Tensor

from core.gmae.edges import EdgeMatch, edge_answers, match_edges, thinned
from core.gmae.layers import GROUPS
from core.gmae.true_edges import EDGE_SUFFIXES, load_edges
from viewer.look import Look, Mode
from viewer.panels.layers_stand import Stand
from viewer.panels.layers_truth import TruthSection
from viewer.panels.panel import FieldGuard, align_labels, described
from viewer.session import Session
from viewer.viewport.figures import MEASURED_PX, edge_counts, measured_camera

MEAN = 0
LAYERS = "layers"
TITLES = {
    "gradient of the picture": "Picture's gradient",
    "gradient of the photo": "Photo's gradient",
}
TIPS = {
    "Layers": "The edges as they are shown.",
    "Random order": "Edges of the same Gaussians with their depths exchanged by chance.",
    "Picture's gradient": "Steps of colour in what is drawn.",
    "Photo's gradient": "Steps of colour in the photo.",
}
"""What the answers are."""
ANY_SCENE = "Load true edges to compare those of layers with a random order and with gradients."
HONEST = (
    "Layers tell of edges only where they beat a random order and the picture's own "
    "gradient. Those of the model that comes along did not."
)


def verdict(rows: dict[str, EdgeMatch]) -> str:
    """One sentence on what the edges of layers beat."""
    own = rows[LAYERS].f
    unbeaten = [_title(name) for name, match in rows.items() if name != LAYERS and match.f >= own]
    if not unbeaten:
        return "They beat all of these on this picture."
    return f"They do not beat: {'; '.join(unbeaten)}."


def _title(name: str) -> str:
    return TITLES.get(name, name.capitalize())


class EdgesSection(TruthSection):
    """Turns edges on, says between how many layers, and measures them."""

    mode = Mode.EDGES
    settle_ms = 400
    switch = (
        "Show edges of layers",
        "Draw lines where the last layer that changed a pixel is another one.",
    )
    truth_texts = (
        "True Edges…",
        "Load true edges",
        "A picture with white lines on black, a mask, whose outline counts, or a .mat of BSDS;",
    )
    suffixes = EDGE_SUFFIXES
    row_tips = TIPS
    look_fields = ("edge_truth", "edge_layers", "edge_change")
    columns: ClassVar[Mapping[str, str]] = {
        "F": "Harmonic mean of precision and recall, at the best threshold.",
        "P": "Precision: the share of the edges that are near true ones.",
        "R": "Recall: the share of the true edges that are found.",
    }
    any_scene = ANY_SCENE
    honest = HONEST

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, "Edges", "layers-edges", parent)
        self.layers_combo = QComboBox()
        self.layers_combo.addItem(f"Mean of {', '.join(map(str, GROUPS))}", MEAN)
        for count in GROUPS:
            self.layers_combo.addItem(str(count), count)
        described(
            self.layers_combo,
            "Layers of the edges",
            "How many layers depth is cut into, as many Gaussians in each; fewer are coarser.",
        )
        self.change_spin = QDoubleSpinBox()
        self.change_spin.setRange(0.01, 0.5)
        self.change_spin.setSingleStep(0.01)
        self.change_spin.setKeyboardTracking(False)
        described(
            self.change_spin,
            "What is a change",
            "How far a layer has to change a colour of a pixel, from 0 to 1. The paper does not "
            "state it.",
        )
        form = self.plain_form()
        form.addRow("Layers", self.layers_combo)
        form.addRow("Change", self.change_spin)
        align_labels(form)
        self.body.addWidget(self.on_box)
        self.body.addLayout(form)
        for widget in (self.truth_button, *self.answers):
            self.body.addWidget(widget)
        guard = FieldGuard(self)
        for field in (self.layers_combo, self.change_spin):
            field.installEventFilter(guard)
        self.layers_combo.activated.connect(self._choose_layers)
        self.change_spin.valueChanged.connect(self._choose_change)
        self.refresh()

    @Slot()
    def _choose_layers(self) -> None:
        count = int(self.layers_combo.currentData())
        self.session.set_look(mode=Mode.EDGES, edge_layers=None if count == MEAN else count)

    @Slot(float)
    def _choose_change(self, change: float) -> None:
        self.session.set_look(mode=Mode.EDGES, edge_change=change)

    def check(self, path: Path) -> str:
        outlined = load_edges(path, MEASURED_PX, MEASURED_PX).outlined
        document = self.session.document
        shown = "in orange" if document is not None and document.views else ""
        return ", ".join(filter(None, ("a mask: its outline" if outlined else "", shown)))

    def settings_of(self, look: Look) -> tuple[int | None, float]:
        return look.edge_layers, look.edge_change

    def measure(self, stand: Stand, path: Path) -> None:
        """Ask for one answer after another, so that pictures are drawn in between."""
        look, token, ask = self.session.look, self.expect(), self.session.asker.ask
        rows: dict[str, EdgeMatch] = {}

        def take_answers(prepared: tuple[Tensor, dict[str, Callable[[], Tensor]]]) -> None:
            truth, answers = prepared
            for name, answer in answers.items():
                ask(f"edges: {name}", partial(_match, answer, truth), partial(take, name, answers))

        def take(name: str, answers: dict[str, Callable[[], Tensor]], match: EdgeMatch) -> None:
            rows[name] = match
            if len(rows) == len(answers):
                self.take(token, rows)

        ask("edges", partial(_prepare, stand, path, look), take_answers)

    def show_answers(self) -> Mapping[str, Sequence[float]]:
        return {
            _title(name): (match.f, match.precision, match.recall)
            for name, match in self.rows.items()
        }

    def judge(self) -> str:
        return verdict(self.rows)

    @Slot()
    def refresh(self) -> None:
        super().refresh()
        look = self.session.look
        self.layers_combo.setCurrentIndex(self.layers_combo.findData(look.edge_layers or MEAN))
        blocked = self.change_spin.blockSignals(True)
        self.change_spin.setValue(look.edge_change)
        self.change_spin.blockSignals(blocked)


def _prepare(
    stand: Stand, path: Path, look: Look
) -> tuple[Tensor, dict[str, Callable[[], Tensor]]]:
    scene, camera = stand.part(), measured_camera(stand.camera)
    truth = load_edges(path, camera.width, camera.height).lines
    counts = edge_counts(look.edge_layers)
    return truth, edge_answers(scene, camera, counts, look.edge_change, stand.photo())


def _match(answer: Callable[[], Tensor], truth: Tensor) -> EdgeMatch:
    with torch.no_grad():
        return match_edges(thinned(answer().cpu()), truth)
