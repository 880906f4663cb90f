"""The strip above the viewport: what the picture shows, in which colours, with what over it."""

from dataclasses import replace

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Slot
from PySide6.QtGui import QAction, QDoubleValidator, QImage, QMouseEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from core.rendering.heatmap import colormap_table
from core.scoring import SCORES
from viewer import theme
from viewer.action_spec import ActionSpec, keys_text
from viewer.action_table import MODE_ACTIONS, OVERLAY_ACTIONS, SPECS
from viewer.look import COLORMAPS, Mode, Overlay, Scale
from viewer.panels.panel import FieldGuard, align_labels, described
from viewer.session import Session
from viewer.viewport.shading import HEAT_MODES

HEIGHT = 34
ICON = QSize(18, 18)
SWATCH = QSize(56, 12)
LEAST_MODE, LEAST_SCORE, SCORE_LETTERS = 122, 92, 14
MARK_ROWS = ((Overlay.CENTERS, "Centres", "centers"), (Overlay.RINGS, "Rings", "rings"))
"""Overlays that share one action."""
MARKS = frozenset({Overlay.CENTERS, Overlay.RINGS})
"""Only one of these is shown at a time."""


class ViewBar(QWidget):
    """Chooses mode, score, colours and overlays; keeps in step with the session.

    A click leaves the keyboard where it was, so that the viewport's keys go on working; Tab reaches
    everything. Where room is short, its buttons lose their words.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._guard = FieldGuard(self)
        self._meaning: tuple[object, ...] | None = None
        self._saving = 0
        self.setObjectName("view-bar")
        self.setAccessibleName("View bar")
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.mode_combo = self._combo("What the picture shows")
        self.mode_combo.setMinimumWidth(LEAST_MODE)
        self.mode_combo.setToolTip(
            "What the picture shows\n" + "\n".join(_mode_tip(SPECS[id]) for id in MODE_ACTIONS)
        )
        for id, mode in MODE_ACTIONS.items():
            self.mode_combo.addItem(theme.icon(SPECS[id].icon), SPECS[id].short, mode)
        self.score_combo = self._combo("Score of the heatmap")
        self.score_combo.setMinimumContentsLength(SCORE_LETTERS)
        self.score_combo.setMinimumWidth(LEAST_SCORE)
        for name, entry in SCORES.items():
            self.score_combo.addItem(entry.title, name)
        self.colors_button = _button("Colours", "palette-colors")
        self.colors = ColorPopup(session, self)
        self.overlays_button = _button("Overlays", "overlay")
        self.overlays_button.setToolTip("Overlays\nWhat lies over the picture. Tab hides it all.")
        self.overlay_menu = OverlayMenu(session, self)
        self.overlays_button.setMenu(self.overlay_menu)
        self.overlays_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(6, 2, 6, 2)
        self._row.setSpacing(4)
        self._row.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        for widget in (
            self.mode_combo,
            self.score_combo,
            self.colors_button,
            self.overlays_button,
        ):
            self._row.addWidget(widget)
        self._row.addStretch(1)
        self._connect()
        self.refresh()

    def _combo(self, name: str) -> QComboBox:
        combo = QComboBox()
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(8)
        combo.setIconSize(ICON)
        combo.installEventFilter(self._guard)
        described(combo, name, name)
        combo.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return combo

    def _connect(self) -> None:
        session = self._session
        self.mode_combo.activated.connect(self._choose_mode)
        self.score_combo.activated.connect(self._choose_score)
        self.colors_button.clicked.connect(self._open_colors)
        for signal in (
            session.look_changed,
            session.score_changed,
            session.document_replaced,
        ):
            signal.connect(self.refresh)

    def sizeHint(self) -> QSize:
        """The room that all words need."""
        return QSize(self._row.sizeHint().width() + self._saving, HEIGHT)

    @Slot()
    def refresh(self) -> None:
        """Show the session as it is now."""
        session, look = self._session, self._session.look
        if self._forget_ends():
            return
        self.mode_combo.setCurrentIndex(self.mode_combo.findData(look.mode))
        self.score_combo.setVisible(look.mode == Mode.HEATMAP)
        self.score_combo.setCurrentIndex(self.score_combo.findData(session.score_name))
        entry = SCORES[session.score_name]
        self.score_combo.setToolTip(f"Score of the heatmap\n{entry.title}: {entry.formula}")
        heat = look.mode in HEAT_MODES
        self.colors_button.setEnabled(heat)
        self.colors_button.setToolTip(
            "Colours\nThe map, its ends and the line at the cut."
            if heat
            else "Colours\nFor the heatmap, opacity and size."
        )
        self.colors.refresh()
        self.overlay_menu.refresh()
        self._fit()

    def _forget_ends(self) -> bool:
        """Ends of the colours that were given for other numbers mean nothing; whether there were.

        Dropping them announces a new look, and so refreshes this bar.
        """
        session, look = self._session, self._session.look
        if look.mode not in HEAT_MODES:
            return False
        by_value = look.scale == Scale.VALUE
        meaning = (look.scale, look.mode, session.score_name) if by_value else (look.scale,)
        stale = self._meaning is not None and meaning != self._meaning
        self._meaning = meaning
        if stale and (look.low is not None or look.high is not None):
            session.set_look(low=None, high=None)
            return True
        return False

    @Slot(int)
    def _choose_mode(self, index: int) -> None:
        self._session.set_mode(self.mode_combo.itemData(index))

    @Slot(int)
    def _choose_score(self, index: int) -> None:
        self._session.set_score(self.score_combo.itemData(index))

    @Slot()
    def _open_colors(self) -> None:
        self.colors.open_below(self.colors_button)

    def _fit(self) -> None:
        """Words beside the icons where there is room for them."""
        needed = self._row.sizeHint().width()
        compact = needed + self._saving > self.width()
        if compact == bool(self._saving):
            return
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        if compact:
            style = Qt.ToolButtonStyle.ToolButtonIconOnly
        for button in (self.colors_button, self.overlays_button):
            button.setToolButtonStyle(style)
        self._saving = needed - self._row.sizeHint().width() if compact else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the room there is."""
        super().resizeEvent(event)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """Also when a widget in the row takes more room or less."""
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return handled


class ColorPopup(QFrame):
    """Colour map, scale, ends and the line at the cut; opens below its button."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._session = session
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName("Colours")
        self._guard = FieldGuard(self)
        self.map_combo = QComboBox()
        self.map_combo.setIconSize(SWATCH)
        for name in COLORMAPS:
            self.map_combo.addItem(_swatch(name), name.capitalize(), name)
        self.map_combo.installEventFilter(self._guard)
        described(self.map_combo, "Colour map", "All of these are even to the eye.")
        self.percentile_radio = QRadioButton("Percentile")
        self.value_radio = QRadioButton("Value")
        described(
            self.percentile_radio,
            "Even in percentiles",
            "Every colour for as many Gaussians: all scores become legible.",
        )
        described(
            self.value_radio,
            "Even in values",
            "Colours follow the number itself, or its logarithm where it spans decades.",
        )
        self.low_edit = self._end("Lower end of the colours")
        self.high_edit = self._end("Upper end of the colours")
        self.auto_button = QPushButton("Auto")
        described(self.auto_button, "Automatic ends", "Let the data decide both ends.")
        self.unit = QLabel()
        self.note = QLabel()
        self.note.setProperty("role", "error")
        self.contour_box = QCheckBox("Line where the cut would run")
        described(
            self.contour_box,
            "Line at the cut",
            "While a prune is previewed: around the parts that would mostly go.",
        )
        self._arrange()
        self._connect()

    def _end(self, name: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setPlaceholderText("Auto")
        edit.setFixedWidth(76)
        edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        validator = QDoubleValidator(edit)
        edit.setValidator(validator)
        edit.installEventFilter(self._guard)
        described(edit, name, f"{name}\nWhat lies outside has the colour of the end.")
        edit.setAcceptDrops(False)
        return edit

    def _arrange(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(12, 10, 12, 10)
        form.setHorizontalSpacing(12)
        scale, ends = QHBoxLayout(), QHBoxLayout()
        ends.setSpacing(6)
        scale.addWidget(self.percentile_radio)
        scale.addWidget(self.value_radio)
        scale.addStretch(1)
        for widget in (
            self.low_edit,
            QLabel("to"),
            self.high_edit,
            self.unit,
            self.auto_button,
        ):
            ends.addWidget(widget)
        form.addRow("Map", self.map_combo)
        form.addRow("Even in", scale)
        form.addRow("From", ends)
        form.addRow("", self.note)
        form.addRow("", self.contour_box)
        align_labels(form)

    def _connect(self) -> None:
        session = self._session
        self.map_combo.activated.connect(
            lambda index: session.set_look(colormap=self.map_combo.itemData(index))
        )
        self.percentile_radio.clicked.connect(lambda: session.set_look(scale=Scale.PERCENTILE))
        self.value_radio.clicked.connect(lambda: session.set_look(scale=Scale.VALUE))
        self.contour_box.clicked.connect(lambda on: session.set_look(contour=on))
        self.auto_button.clicked.connect(lambda: session.set_look(low=None, high=None))
        for edit in (self.low_edit, self.high_edit):
            edit.editingFinished.connect(self._take_ends)

    def open_below(self, button: QWidget) -> None:
        """Show the popup under a button, inside the screen."""
        edge = theme.color("border")
        self.setStyleSheet(f"ColorPopup {{ border: 1px solid {edge}; }}")
        self.refresh()
        self.adjustSize()
        corner = button.mapToGlobal(QPoint(0, button.height() + 2))
        screen = button.screen().availableGeometry()
        corner.setX(max(screen.left(), min(corner.x(), screen.right() - self.width())))
        corner.setY(max(screen.top(), min(corner.y(), screen.bottom() - self.height())))
        self.move(corner)
        self.show()
        self.map_combo.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot()
    def refresh(self) -> None:
        """Show the look as it is now."""
        look = self._session.look
        self.map_combo.setCurrentIndex(self.map_combo.findData(look.colormap))
        by_share = look.scale == Scale.PERCENTILE
        self.percentile_radio.setChecked(by_share)
        self.value_radio.setChecked(not by_share)
        self.unit.setText("%" if by_share else "")
        factor = 100 if by_share else 1
        for edit, end in ((self.low_edit, look.low), (self.high_edit, look.high)):
            edit.setText("" if end is None else f"{factor * end:.6g}")
        self.contour_box.setChecked(look.contour)
        self._tell("")

    def _tell(self, problem: str) -> None:
        self.note.setText(problem)
        self.note.setVisible(bool(problem))

    @Slot()
    def _take_ends(self) -> None:
        by_share = self._session.look.scale == Scale.PERCENTILE
        low, high = (_number(edit, by_share) for edit in (self.low_edit, self.high_edit))
        if low is not None and high is not None and not low < high:
            self._tell("The first must be the smaller one.")
            self.adjustSize()
        else:
            self._session.set_look(low=low, high=high)
            self.refresh()


class OverlayMenu(QMenu):
    """What lies over the picture; stays open while things are checked."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__("Overlays", parent)
        self._session = session
        self.actions_: dict[Overlay, QAction] = {}
        marks = SPECS["view.rings"]
        named = {one: SPECS[id] for id, one in OVERLAY_ACTIONS.items()}
        named |= {one: replace(marks, title=title, icon=icon) for one, title, icon in MARK_ROWS}
        for overlay, spec in sorted(named.items(), key=lambda row: list(Overlay).index(row[0])):
            action = self._checkable("\t".join((spec.title, *spec.keys[:1])))
            action.setIcon(theme.icon(spec.icon))
            action.triggered.connect(lambda on, chosen=overlay: self._toggle(chosen, on))
            self.actions_[overlay] = action
        self.addSeparator()
        self.all_action = self._checkable("All of these\tTab")
        self.all_action.triggered.connect(lambda on: session.set_look(overlays_shown=on))

    def _checkable(self, text: str) -> QAction:
        action = QAction(text, self)
        action.setCheckable(True)
        self.addAction(action)
        return action

    @Slot()
    def refresh(self) -> None:
        """Check what is shown."""
        look = self._session.look
        for overlay, action in self.actions_.items():
            action.setChecked(overlay in look.overlays)
        self.all_action.setChecked(look.overlays_shown)

    def _toggle(self, overlay: Overlay, on: bool) -> None:
        shown = self._session.look.overlays
        if on:
            others = MARKS if overlay in MARKS else frozenset()
            self._session.set_look(overlays=(shown - others) | {overlay}, overlays_shown=True)
        else:
            self._session.set_look(overlays=shown - {overlay})

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Check without closing."""
        action = self.activeAction()
        inside = self.rect().contains(event.position().toPoint())
        if inside and action is not None and action.isCheckable():
            action.trigger()
        else:
            super().mouseReleaseEvent(event)


def _button(text: str, icon: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setIcon(theme.icon(icon))
    button.setIconSize(ICON)
    button.setAutoRaise(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setAccessibleName(text)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _mode_tip(spec: ActionSpec) -> str:
    keys = f" ({keys_text(spec)})" if spec.keys else ""
    return f"{spec.title}{keys}: {spec.tip}"


def _swatch(name: str) -> QPixmap:
    """A colour map from low to high."""
    row = (colormap_table(name) * 255).byte().contiguous().numpy()
    image = QImage(row.tobytes(), len(row), 1, 3 * len(row), QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.scaled(SWATCH))


def _number(edit: QLineEdit, by_share: bool) -> float | None:
    """The end in a field, None where the data is to decide."""
    value, known = edit.locale().toDouble(edit.text())
    if not known:
        return None
    return min(max(value / 100, 0.0), 1.0) if by_share else value
