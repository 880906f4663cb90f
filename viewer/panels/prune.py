"""The Prune panel: what goes by score and by filters, what that costs, and Apply."""

import math

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, QTimer, Slot
from PySide6.QtGui import QDoubleValidator, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.pruning import Join, count_in_megabytes, shortfall_text
from core.scoring import SCORES, predicted_psnr
from viewer.panels.damage import CameraSource, DamageMeter
from viewer.panels.filters import FilterRows
from viewer.panels.panel import FieldGuard, Panel, described
from viewer.panels.worth_curve import SessionCurve
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.group import Footer, Group
from viewer.widgets.numbers import (
    count_text,
    megabytes_text,
    percent_text,
    value_text,
)
from viewer.widgets.numbers_table import NumbersTable
from viewer.widgets.section import Section

POSITIONS = 1000
FIELD_WIDTH = 70
PART_GAP = 8
NOTHING_GOES = "Nothing goes by score."
MANY_TIES = 0.001
REMOVAL_ERROR = "removal-error"
ROWS = ("Goes", "Stays", "Size", "In this view", "Predicted")
TIPS = {
    "Predicted": "Removal error of what goes, added up over the scored views.\n"
    "Gaussians that go together do more harm than each alone: it will not be better.",
    "In this view": "Measured: the present view without what goes, against the view with it.\n"
    "Taken when nothing has changed for a moment, 640 pixels wide: Compare, which measures\n"
    "at full size, may differ by some tenths of a dB.",
}


class PrunePanel(Panel):
    """Chooses what to delete by score and by filters, tells what it costs, and deletes it."""

    title = "Prune"
    purpose = "Keep the Gaussians that are worth most. The preview marks what would go."
    run_title = "Apply"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.cancel_button.hide()
        self.meter = DamageMeter(session, self._is_seen, self)
        self.score_name = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.score_button = QPushButton("Compute")
        policy = self.score_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.score_button.setSizePolicy(policy)
        described(
            self.score_button, "Compute score", "Run the Sensitivity panel with its settings."
        )
        self._make_fields()
        self.by_score = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.by_score.setProperty("role", "muted")
        self.by_score.setAccessibleName("What the score takes alone")
        self.curve = SessionCurve(session)
        self.filters = FilterRows(session)
        self.filters_section = Section("Filters", "prune.filters")
        self.filters_section.body.addWidget(self.filters)
        self.table = NumbersTable(ROWS)
        self.table.setAccessibleName("What the prune costs")
        self.table.setToolTip("\n".join(f"{name}: {tip}" for name, tip in TIPS.items()))
        self.note = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.note.setProperty("role", "muted")
        self.reset_button = QPushButton("Reset")
        described(
            self.reset_button, "Reset preview", "Keep all Gaussians again, and drop the filters."
        )
        self._arrange_parts()
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
        described(self.percent_spin, "Percent to keep", "Share of the Gaussians to keep.")
        self.count_spin = QSpinBox()
        self.count_spin.setGroupSeparatorShown(True)
        described(self.count_spin, "Number to keep", "Exact number of Gaussians to keep.")
        self.megabytes_spin = QDoubleSpinBox()
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

    def _arrange_parts(self) -> None:
        label = QLabel("Score")
        label.setMinimumHeight(self.score_button.sizeHint().height())
        score = QHBoxLayout()
        score.addWidget(self.score_name, 1)
        score.addWidget(self.score_button)
        self.settings.addRow(label, score)
        self.settings.addRow("Keep", self.slider)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        fields = {
            "Percent": self.percent_spin,
            "MB": self.megabytes_spin,
            "Count": self.count_spin,
            "Score ≥": self.threshold_edit,
        }
        for place, (name, field) in enumerate(fields.items()):
            row, column = divmod(place, 2)
            label = QLabel(name)
            label.setBuddy(field)
            field.setMinimumWidth(FIELD_WIDTH)
            grid.addWidget(label, row, 2 * column)
            grid.addWidget(field, row, 2 * column + 1)
        self.body.addLayout(grid)
        self.body.addWidget(self.by_score)
        self.body.addWidget(self.note)
        self.body.addWidget(self.curve)
        self.body.addWidget(self.filters_section)
        inside = self.widget()
        parts = None if inside is None else inside.layout()
        if parts is not None:
            parts.setSpacing(PART_GAP)
        self._make_footer()

    def _make_footer(self) -> None:
        """Numbers, Apply and Reset stay in sight below what scrolls."""
        self.footer = Footer(self)
        inside = Group()
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.reset_button)
        column = QVBoxLayout(inside)
        column.setContentsMargins(12, 8, 12, 10)
        column.addWidget(self.table)
        column.addWidget(self.hide_box)
        column.addLayout(buttons)
        around = QVBoxLayout(self.footer)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(inside)
        self.setViewportMargins(0, 0, 0, self.footer.sizeHint().height())
        self.setTabOrder(self.hide_box, self.run_button)
        self.setTabOrder(self.run_button, self.reset_button)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        above = self.viewport().geometry()
        height = self.footer.sizeHint().height()
        self.footer.setGeometry(above.left(), above.bottom() + 1, above.width(), height)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self.meter.seen()

    def set_camera_source(self, source: CameraSource) -> None:
        """Where the present camera of the viewport is to be asked for."""
        self.meter.set_camera_source(source)

    @Slot()
    def camera_changed(self) -> None:
        """The viewport looks from elsewhere: what was measured does not hold any more."""
        self.meter.restart()

    @Slot(bool)
    def _scroll_to_filters(self, opened: bool) -> None:
        if opened:
            QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.filters_section))

    def _is_seen(self) -> bool:
        return self.isVisible() and not self.visibleRegion().isEmpty()

    def _connect(self) -> None:
        session = self.session
        self.slider.valueChanged.connect(self._slid)
        self.percent_spin.valueChanged.connect(self._percent_given)
        self.count_spin.valueChanged.connect(self._take)
        self.megabytes_spin.valueChanged.connect(self._megabytes_given)
        self.threshold_edit.editingFinished.connect(self._threshold_given)
        self.curve.plot.target_dragged.connect(self._take)
        self.curve.drawn.connect(self._refresh_by_score)
        self.hide_box.toggled.connect(session.set_hiding)
        self.reset_button.clicked.connect(self.reset)
        self.meter.changed.connect(self._refresh_table)
        self.filters_section.opened.connect(self._scroll_to_filters)
        for signal in (session.document_replaced, session.state_changed, session.target_changed):
            signal.connect(self.meter.restart)
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
        """Number of Gaussians that stay; while there is no score, the number asked for."""
        session = self.session
        if session.target is not None and session.worth is None:
            return session.target
        return self.total - session.removed_count

    @Slot()
    def run(self) -> None:
        """Delete what the preview marks, as one undoable step."""
        if self.run_button.isEnabled():
            self.session.apply_prune()

    @Slot()
    def reset(self) -> None:
        """End the preview."""
        self.session.reset_cut()

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
        self._refresh_threshold()
        self.curve.refresh(count)
        self._refresh_by_score()
        self.filters.refresh()
        self._refresh_filters(total)
        self._refresh_table()
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

    def _refresh_threshold(self) -> None:
        ranking, kept = self.session.choice_ranking, self._kept_by_score()
        threshold = None if ranking is None or not ranking.total else ranking.threshold(kept)
        self.threshold_edit.setEnabled(ranking is not None)
        self.threshold_edit.setText(
            "" if threshold is None else value_text(threshold, grouped=False)
        )
        self.note.set_text(self._note())

    def _kept_by_score(self) -> int:
        """How many stay of those that the filters leave to the score."""
        left, target = self.session.choice, self.session.target
        if left is None:
            return 0
        return left.count if target is None else left.kept(target)

    @Slot()
    def _refresh_by_score(self) -> None:
        left, total = self.session.choice, self.total
        if left is None or not total or self.session.worth is None:
            self.by_score.set_text("")
            return
        kept = self._kept_by_score()
        gone, share = left.count - kept, self.curve.plot.share(left.others + kept)
        if not gone:
            self.by_score.set_text(NOTHING_GOES)
            return
        text = f"{count_text(gone)} by score ({percent_text(gone / total)})"
        if share is not None:
            text += f" · {percent_text(1 - share)} of worth"
        self.by_score.set_text(text)
        self.by_score.setToolTip(f"{text}{self._of_which_worth()}")

    def _of_which_worth(self) -> str:
        """What the share of worth is of, where filters leave only a part to the score."""
        if not self.session.cut.filters:
            return ""
        limits = self.session.cut.join == Join.AND
        return ", of what the filters allow" if limits else ", of what the filters leave"

    def _refresh_filters(self, total: int) -> None:
        filters, document = self.session.cut.filters, self.session.document
        if document is None or not filters:
            self.filters_section.summary.set_text("none")
            return
        count = self.filters.taken_by(filters)
        verb = "take"
        if self.session.cut.join == Join.AND and self.session.target is not None:
            verb = "allow"
        noun = f"filter {verb}s" if len(filters) == 1 else f"filters {verb}"
        self.filters_section.summary.set_text(
            f"{len(filters)} {noun} {count_text(count)} ({percent_text(count / total)})"
        )

    @Slot()
    def _refresh_table(self) -> None:
        total, removed = self.total, self.session.removed_count
        if not total:
            self.table.show_values(*(None for _ in ROWS))
            return
        left = total - removed
        before, after = (megabytes_text(self.session.megabytes(n)) for n in (total, left))
        self.table.show_values(
            f"{count_text(removed)} ({percent_text(removed / total)})",
            f"{count_text(left)} ({percent_text(left / total)})",
            f"{before} → {after}" if removed else before,
            self._measured_text() if removed else None,
            self._predicted_text() if removed else None,
        )

    def _predicted_text(self) -> str | None:
        document, removed = self.session.document, self.session.removed
        worth = None if document is None else document.scores.get(REMOVAL_ERROR)
        if document is None or removed is None or worth is None or worth.pixels is None:
            return None
        if document.is_stale(REMOVAL_ERROR):
            return None
        decibels = predicted_psnr(worth, removed)
        return "no loss at best" if math.isinf(decibels) else f"{decibels:.1f} dB at best"

    def _measured_text(self) -> str | None:
        damage = self.meter.result
        if damage is None:
            return None
        if math.isinf(damage.psnr):
            return "no difference"
        return f"{damage.psnr:.1f} dB · SSIM {damage.ssim:.3f}"

    def _note(self) -> str:
        left, ranking = self.session.choice, self.session.choice_ranking
        if left is None or ranking is None:
            return ""
        short = shortfall_text(self.session.cut, left)
        kept = self._kept_by_score()
        gone = left.count - kept
        if short or gone == 0:
            return short
        if gone < ranking.unseen:
            return f"Cuts through the {ranking.unseen:,} that no view sees."
        if gone < ranking.unseen + ranking.singular:
            return f"Cuts through the {ranking.singular:,} without parallax, by removal error."
        same, going = ranking.ties(kept)
        if going and same > max(1, MANY_TIES * self.total):
            return f"{same:,} share the threshold's score; {going:,} of them go."
        return ""

    def _refresh_buttons(self) -> None:
        session, removed = self.session, self.session.removed_count
        scored = session.worth is not None
        if self.total == 0:
            reason = "Open a scene first."
        elif not scored and (session.target is not None or not session.cut.filters):
            reason = "Compute the score first."
        elif session.cut.empty:
            reason = "Choose how many Gaussians to keep, or add a filter first."
        elif removed == 0:
            reason = "The preview takes nothing away."
        elif removed == self.total:
            reason = "Nothing would be left: keep at least one Gaussian."
        else:
            reason = ""
        ready = "Delete the marked Gaussians as one step that Undo takes back."
        self.run_button.setEnabled(not reason)
        self.run_button.setToolTip(f"Apply (Ctrl+Return)\n{reason or ready}")
        self.reset_button.setEnabled(not session.cut.empty)
        with QSignalBlocker(self.hide_box):
            self.hide_box.setChecked(session.hiding)

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

    @Slot(int)
    def _take(self, count: int) -> None:
        before = self.session.cut
        self.session.set_target(count)
        if self.session.cut is before:
            self.refresh()

    @Slot()
    def _threshold_given(self) -> None:
        left, ranking = self.session.choice, self.session.choice_ranking
        text = self.threshold_edit.text()
        if left is not None and ranking is not None and self.threshold_edit.isModified():
            self._take(left.others + ranking.count_from(float(text)) if text else self.count)
