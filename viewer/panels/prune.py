"""The Prune panel: slider, percent, count, megabytes and threshold are views of one target."""

import math

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Slot
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)

from core.pruning import count_in_megabytes
from core.scoring import SCORES
from viewer.panels.panel import FieldGuard, Panel, described, wrapped
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import count_text, megabytes_text, percent_text, value_text
from viewer.widgets.numbers_table import NumbersTable

POSITIONS = 1000
MANY_TIES = 0.001


class PrunePanel(Panel):
    """Chooses how many Gaussians to keep, and deletes the rest."""

    title = "Prune"
    purpose = "Keep the Gaussians that are worth most. The preview marks what would go."
    run_title = "Apply"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.cancel_button.hide()
        self.score_name = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.score_button = QPushButton("Compute score")
        policy = self.score_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.score_button.setSizePolicy(policy)
        described(
            self.score_button, "Compute score", "Run the Sensitivity panel with its settings."
        )
        self._make_fields()
        self._arrange_fields()

        self.table = NumbersTable(("Keep", "Remove", "Size", "Threshold"))
        self.note = wrapped("")
        self.note.setProperty("role", "muted")
        self.reset_button = QPushButton("Reset preview")
        described(self.reset_button, "Reset preview", "Keep all Gaussians again.")
        self.body.addWidget(self.table)
        self.body.addWidget(self.note)
        self.run_row.insertWidget(1, self.reset_button)
        self._connect()
        self.refresh()

    def _make_fields(self) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, POSITIONS)
        self.slider.setSingleStep(POSITIONS // 100)
        self.slider.setPageStep(POSITIONS // 10)
        described(
            self.slider, "Share to keep", "Drag, or use the arrow keys: 1 % a step, Page 10 %."
        )
        self.percent_spin = QDoubleSpinBox()
        self.percent_spin.setDecimals(2)
        self.percent_spin.setSuffix(" %")
        described(self.percent_spin, "Percent to keep", "Share of the Gaussians to keep.")
        self.count_spin = QSpinBox()
        self.count_spin.setGroupSeparatorShown(True)
        described(self.count_spin, "Number to keep", "Exact number of Gaussians to keep.")
        self.megabytes_spin = QDoubleSpinBox()
        self.megabytes_spin.setSuffix(" MB")
        described(
            self.megabytes_spin,
            "Megabytes to keep",
            "Largest size as a plain PLY, in units of 1,000,000 bytes.",
        )
        self.threshold_edit = QLineEdit()
        validator = QDoubleValidator(self)
        validator.setLocale(QLocale.c())
        self.threshold_edit.setValidator(validator)
        self.threshold_edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        described(self.threshold_edit, "Threshold", "Keep the Gaussians with at least this score.")
        self.threshold_edit.setAcceptDrops(False)
        guard = FieldGuard(self)
        for field in (self.slider, self.percent_spin, self.count_spin, self.megabytes_spin):
            field.installEventFilter(guard)
            for edit in field.findChildren(QLineEdit):
                edit.installEventFilter(guard)
        self.threshold_edit.installEventFilter(guard)
        self.hide_box = QCheckBox("Hide what goes")
        described(
            self.hide_box, "Hide what goes", "Show the result of the cut instead of marking it."
        )
        for spin in (self.percent_spin, self.count_spin, self.megabytes_spin):
            spin.setKeyboardTracking(False)
            spin.setAlignment(Qt.AlignmentFlag.AlignRight)

    def _arrange_fields(self) -> None:
        self.settings.addRow(self.score_button)
        self.settings.addRow("Score", self.score_name)
        self.settings.addRow("Keep", self.slider)
        self.settings.addRow("Percent", self.percent_spin)
        self.settings.addRow("Gaussians", self.count_spin)
        self.settings.addRow("Size", self.megabytes_spin)
        self.settings.addRow("Threshold", self.threshold_edit)
        self.settings.addRow("", self.hide_box)

    def _connect(self) -> None:
        session = self.session
        self.slider.valueChanged.connect(self._slid)
        self.percent_spin.valueChanged.connect(self._percent_given)
        self.count_spin.valueChanged.connect(session.set_target)
        self.megabytes_spin.valueChanged.connect(self._megabytes_given)
        self.threshold_edit.editingFinished.connect(self._threshold_given)
        self.hide_box.toggled.connect(session.set_hiding)
        self.reset_button.clicked.connect(self.reset)
        for signal in (
            session.document_replaced,
            session.state_changed,
            session.scores_changed,
            session.score_changed,
            session.target_changed,
            session.runner.changed,
        ):
            signal.connect(self.refresh)

    @property
    def total(self) -> int:
        """Number of living Gaussians."""
        return 0 if self.session.document is None else self.session.document.alive_count

    @property
    def count(self) -> int:
        """Number of Gaussians to keep now: the target, or all."""
        return self.total if self.session.target is None else self.session.target

    @Slot()
    def run(self) -> None:
        """Delete what the preview marks, as one undoable step."""
        if self.run_button.isEnabled():
            self.session.apply_prune()

    @Slot()
    def reset(self) -> None:
        """End the preview."""
        self.session.set_target(None)

    @Slot()
    def refresh(self) -> None:
        """Show the session's target in every field."""
        total, count = self.total, self.count
        for field in (
            self.slider,
            self.percent_spin,
            self.count_spin,
            self.megabytes_spin,
            self.threshold_edit,
        ):
            field.setEnabled(total > 0)
        self._show_in_fields(total, count)
        self._refresh_score()
        self._refresh_numbers(total, count)
        self._refresh_buttons()

    def _show_in_fields(self, total: int, count: int) -> None:
        each = self.session.megabytes(1)
        blockers = [
            QSignalBlocker(field)
            for field in (
                self.slider,
                self.percent_spin,
                self.count_spin,
                self.megabytes_spin,
            )
        ]
        self.percent_spin.setRange(0, 100)
        self.percent_spin.setSingleStep(max(1, 100 / max(1, total)))
        self.count_spin.setRange(min(1, total), total)
        self.count_spin.setSingleStep(max(1, total // 1000))
        self.megabytes_spin.setDecimals(4 if 0 < total * each < 1 else 2)
        self.megabytes_spin.setSingleStep(max(total * each / 100, each))
        self.megabytes_spin.setRange(0, math.ceil(total * each * 100) / 100)
        share = count / total if total else 1
        if self._slider_count() != count:
            self.slider.setValue(round(POSITIONS * share))
        self.percent_spin.setValue(100 * share)
        self.count_spin.setValue(count)
        self.megabytes_spin.setValue(count * each)
        del blockers

    def _refresh_score(self) -> None:
        title = SCORES[self.session.score_name].title
        self.score_name.set_text(title)
        scored = self.session.worth is not None
        self.score_button.setVisible(not scored or self.session.stale)
        self.score_button.setEnabled(self.total > 0 and not self.session.runner.busy)
        if self.total == 0:
            self.set_needs(False, "Open a scene first.")
        elif self.session.stale:
            self.set_needs(False, f"{title} was computed before the last change: compute it again.")
        elif scored:
            self.set_needs(True, f"The order is by {title}.")
        else:
            self.set_needs(False, f"{title} is not computed yet: no order to prune by.")

    def _refresh_numbers(self, total: int, count: int) -> None:
        ranking = self.session.ranking
        if not total:
            self.table.show_values(None, None, None, None)
            self.threshold_edit.clear()
            self.note.setText("")
            return
        before, after = (megabytes_text(self.session.megabytes(n)) for n in (total, count))
        threshold = value_text(None if ranking is None else ranking.threshold(count))
        self.table.show_values(
            f"{count_text(count)} ({percent_text(count / total)})",
            f"{count_text(total - count)} of {count_text(total)}",
            f"{before} → {after}",
            threshold,
        )
        self.threshold_edit.setEnabled(ranking is not None)
        self.threshold_edit.setText(
            "" if ranking is None or ranking.threshold(count) is None else threshold
        )
        self.note.setText(self._note(total, count))
        self.note.setVisible(bool(self.note.text()))

    def _note(self, total: int, count: int) -> str:
        ranking, gone = self.session.ranking, total - count
        if ranking is None or gone == 0:
            return ""
        if gone < ranking.unseen:
            return f"The cut runs through the {ranking.unseen:,} Gaussians that no view sees."
        if gone < ranking.unseen + ranking.singular:
            return (
                f"The cut runs through the {ranking.singular:,} Gaussians without parallax, "
                "which have no score; the smallest removal error goes first."
            )
        same, going = ranking.ties(count)
        if going and same > max(1, MANY_TIES * total):
            return f"{same:,} Gaussians share the threshold's score; {going:,} of them go."
        return ""

    def _refresh_buttons(self) -> None:
        session = self.session
        if self.total == 0:
            reason = "Open a scene first."
        elif session.worth is None:
            reason = "Compute the score first."
        elif session.target is None:
            reason = "Choose how many Gaussians to keep first."
        else:
            reason = "Delete the marked Gaussians as one step that Undo takes back."
        self.run_button.setEnabled(session.worth is not None and session.target is not None)
        self.run_button.setToolTip(f"Apply (Ctrl+Return)\n{reason}")
        self.reset_button.setEnabled(session.target is not None)

    def _slider_count(self) -> int:
        return max(min(1, self.total), round(self.total * self.slider.value() / POSITIONS))

    @Slot()
    def _slid(self) -> None:
        self._take(self._slider_count())

    @Slot(float)
    def _percent_given(self, percent: float) -> None:
        self._take(round(self.total * percent / 100))

    @Slot(float)
    def _megabytes_given(self, megabytes: float) -> None:
        document = self.session.document
        if document is not None:
            self._take(count_in_megabytes(document.scene, megabytes))

    def _take(self, count: int) -> None:
        self.session.set_target(count)
        self.refresh()

    @Slot()
    def _threshold_given(self) -> None:
        ranking = self.session.ranking
        text = self.threshold_edit.text()
        if ranking is not None and self.threshold_edit.isModified():
            self._take(ranking.count_from(float(text)) if text else self.count)
