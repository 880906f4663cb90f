"""Edges between layers, and whether they beat a random order and the gradient of the picture."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QWidget,
)
from torch import Tensor

from core.gmae.edges import EdgeMatch, edge_answers, match_edges, thinned
from core.gmae.layers import GROUPS
from core.gmae.true_edges import EDGE_SUFFIXES, load_edges
from viewer.look import Look, Mode
from viewer.panels.layers_stand import Stand, find_stand, has_one_view
from viewer.panels.panel import FieldGuard, align_labels, described, wrapped
from viewer.session import Session
from viewer.viewport.figures import edge_counts
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.file_button import FileButton
from viewer.widgets.score_table import ScoreTable
from viewer.widgets.section import Section

SETTLE_MS = 400
MEAN = 0
LAYERS = "layers"
TITLES = {
    "gradient of the picture": "Picture's gradient",
    "gradient of the photo": "Photo's gradient",
}
ANY_SCENE = "Load true edges to compare those of layers with a random order and with gradients."
HONEST = (
    "Layers tell of edges only where they beat a random order and the picture's own "
    "gradient. Those of the model that comes along did not."
)


def verdict(rows: dict[str, EdgeMatch]) -> str:
    """One sentence on what the edges of layers beat."""
    own = rows[LAYERS].f
    unbeaten = [name for name, match in rows.items() if name != LAYERS and match.f >= own]
    if not unbeaten:
        return "They beat all of these on this picture."
    return f"They do not beat: {', '.join(unbeaten)}."


class EdgesSection(Section):
    """Turns edges on, says between how many layers, and measures them."""

    truth_asked = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Edges", "layers-edges", parent)
        self.session = session
        self.truth: Path | None = None
        self.rows: dict[str, EdgeMatch] = {}
        self._measured: object = None
        self._of: tuple[int | None, float] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self._measure)
        self._make()
        self._arrange()
        self._connect()
        self.refresh()

    def _make(self) -> None:
        self.on_box = QCheckBox("Show edges of layers")
        described(
            self.on_box,
            "Show edges of layers",
            "Draw lines where the last layer that changed a pixel is another one.",
        )
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
        self.truth_button = FileButton("True Edges…", EDGE_SUFFIXES)
        described(
            self.truth_button,
            "Load true edges",
            "A picture with white lines on black, or a .mat file of BSDS; or drop one here.\n"
            "Its middle is compared, as an image's.",
        )
        self.truth_text = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.truth_text.setProperty("role", "muted")
        self.table = ScoreTable(
            ("F", "P", "R"),
            (
                "Harmonic mean of precision and recall, at the best threshold.",
                "Precision: the share of the edges that are near true ones.",
                "Recall: the share of the true edges that are found.",
            ),
        )
        self.verdict = wrapped("")
        self.verdict.setAccessibleName("What the edges beat")
        self.note = wrapped("")
        self.note.setProperty("role", "muted")

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Layers", self.layers_combo)
        form.addRow("Change", self.change_spin)
        align_labels(form)
        self.body.addWidget(self.on_box)
        self.body.addLayout(form)
        for widget in (self.truth_button, self.truth_text, self.table, self.verdict, self.note):
            self.body.addWidget(widget)
        guard = FieldGuard(self)
        for field in (self.layers_combo, self.change_spin):
            field.installEventFilter(guard)

    def _connect(self) -> None:
        session = self.session
        self.on_box.clicked.connect(self._turn)
        self.layers_combo.activated.connect(self._choose_layers)
        self.change_spin.valueChanged.connect(self._choose_change)
        self.truth_button.clicked.connect(self.truth_asked)
        self.truth_button.dropped.connect(self.load_truth)
        self.opened.connect(self.schedule)
        session.look_changed.connect(self._take_look)
        session.document_replaced.connect(self._forget)
        session.views_changed.connect(self.refresh)
        for changed in (session.state_changed, session.scene_changed, session.peeling.changed):
            changed.connect(self.schedule)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.schedule()

    # What is asked

    @Slot(bool)
    def _turn(self, on: bool) -> None:
        self.session.set_mode(Mode.EDGES if on else Mode.COLOR)

    @Slot()
    def _choose_layers(self) -> None:
        count = int(self.layers_combo.currentData())
        self.session.set_look(mode=Mode.EDGES, edge_layers=None if count == MEAN else count)

    @Slot(float)
    def _choose_change(self, change: float) -> None:
        self.session.set_look(mode=Mode.EDGES, edge_change=change)

    @Slot(Path)
    def load_truth(self, path: Path) -> None:
        """Measure against true edges from now on, if the file can be read."""

        def take(_: Tensor) -> None:
            self.truth = path
            self.schedule()
            self.refresh()

        self.session.asker.ask("true edges", lambda: load_edges(path, 64, 64), take)

    @Slot()
    def schedule(self) -> None:
        """Measure anew soon, if anybody sees it."""
        if self.truth is not None and self.is_open and self.isVisible():
            self._timer.start()

    @Slot()
    def _take_look(self) -> None:
        look = self.session.look
        if self._of != (look.edge_layers, look.edge_change):
            self.schedule()
        self.refresh()

    @Slot()
    def _measure(self) -> None:
        """Ask for one answer after another, so that pictures are drawn in between."""
        stand, path, look = find_stand(self.session), self.truth, self.session.look
        if stand is None or path is None:
            return
        self._of = (look.edge_layers, look.edge_change)
        measured = self._measured = object()
        rows: dict[str, EdgeMatch] = {}

        def take_answers(prepared: tuple[Tensor, dict[str, Callable[[], Tensor]]]) -> None:
            truth, answers = prepared
            for name, answer in answers.items():
                self.session.asker.ask(
                    f"edges: {name}", partial(_match, answer, truth), partial(take, name, answers)
                )

        def take(name: str, answers: dict[str, Callable[[], Tensor]], match: EdgeMatch) -> None:
            if self._measured is not measured:
                return
            rows[name] = match
            if len(rows) == len(answers):
                self.rows = rows
                self.refresh()

        self.session.asker.ask("edges", partial(_prepare, stand, path, look), take_answers)

    # What is shown

    @Slot()
    def _forget(self) -> None:
        self.truth, self.rows, self._measured, self._of = None, {}, None, None
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the edges as they are now."""
        look = self.session.look
        on = look.mode == Mode.EDGES
        self.content.setEnabled(self.session.document is not None)
        self.on_box.setChecked(on)
        self.summary.set_text("on" if on else "")
        self.layers_combo.setCurrentIndex(self.layers_combo.findData(look.edge_layers or MEAN))
        blocked = self.change_spin.blockSignals(True)
        self.change_spin.setValue(look.edge_change)
        self.change_spin.blockSignals(blocked)
        self.truth_text.setVisible(self.truth is not None)
        if self.truth is not None:
            self.truth_text.set_text(f"Against {self.truth.name}")
        if self.rows:
            self.table.show_rows(
                {
                    TITLES.get(name, name.capitalize()): (match.f, match.precision, match.recall)
                    for name, match in self.rows.items()
                }
            )
        else:
            self.table.clear()
        self.note.setText(HONEST if has_one_view(self.session) else ANY_SCENE)
        self.verdict.setVisible(bool(self.rows))
        self.verdict.setText(verdict(self.rows) if self.rows else "")


def _prepare(
    stand: Stand, path: Path, look: Look
) -> tuple[Tensor, dict[str, Callable[[], Tensor]]]:
    scene, camera = stand.part(), stand.camera
    truth = load_edges(path, camera.width, camera.height)
    counts = edge_counts(look.edge_layers)
    return truth, edge_answers(scene, camera, counts, look.edge_change, stand.photo())


def _match(answer: Callable[[], Tensor], truth: Tensor) -> EdgeMatch:
    with torch.no_grad():
        return match_edges(thinned(answer().cpu()), truth)
