"""The bar that says what is compared, and how."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from viewer import theme
from viewer.action_spec import keys_text, tool_tip
from viewer.action_table import SPECS
from viewer.compare import LIVE, PHOTO, CompareMode, Side
from viewer.panels.panel import FieldGuard, described
from viewer.session import Session
from viewer.viewport.compare_numbers import CompareNumbers

HEIGHT = 34
MARGINS = 20
MORE_WIDTH = 44
COMBO_WIDTH = 124
MENU_ARROW = (
    "QToolButton { padding-right: 18px; }"
    "QToolButton::menu-indicator { subcontrol-position: right center; right: 4px; }"
)

SPEC_OF = {mode: SPECS[f"compare.{mode}"] for mode in CompareMode}
FLIP, SWAP, KEEP = (SPECS[f"compare.{name}"] for name in ("flip", "swap", "keep_a"))
CYCLE_TIP = f"{keys_text(SPECS['compare.cycle'])} goes from one way to the next."
SIDE_TIPS = {
    "A": "Side A, on the left\nNow, as opened, a snapshot, or the photo of this camera.",
    "B": "Side B, on the right\nNow, as opened, a snapshot, or the photo of this camera.",
}


class CompareBar(QWidget):
    """Chooses sides and mode; becomes one button where there is no room.

    A click leaves the keyboard where it was, so that the viewport's keys go on working.

    Parameters
    ----------
    session
        Whose comparison it is.
    numbers
        How alike the sides are.
    """

    def __init__(
        self, session: Session, numbers: CompareNumbers, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._compare = session.compare
        self.numbers = numbers
        self._guard = FieldGuard(self)
        self.setAccessibleName("Compare bar")
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.combo_a = self._side_combo("A", self._compare.choose_a)
        self.combo_b = self._side_combo("B", self._compare.choose_b)
        self.mode_buttons = {mode: self._mode_button(mode) for mode in CompareMode}
        self.flip_button = _button(FLIP.icon, FLIP.title, tool_tip(FLIP))
        self.flip_button.pressed.connect(lambda: self._compare.set_flip(True))
        self.flip_button.released.connect(lambda: self._compare.set_flip(False))
        self.swap_button = _button(SWAP.icon, SWAP.title, tool_tip(SWAP))
        self.swap_button.clicked.connect(self._compare.swap)
        self.keep_button = _button(KEEP.icon, KEEP.title, tool_tip(KEEP))
        self.keep_button.clicked.connect(self._keep)
        self.menu = QMenu(self)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.menu_button = self._menu_button()
        self._arrange()
        self._compare.changed.connect(self.refresh)
        self._compare.sides_changed.connect(self.refresh_sides)
        self.numbers.changed.connect(self.refresh)
        session.document_replaced.connect(self.refresh_sides)
        session.views_changed.connect(self.refresh_sides)
        theme.events.changed.connect(self._measure_widths)
        self._measure_widths()
        self.refresh_sides()

    # Size: all of it, less and less, at last one button

    def sizeHint(self) -> QSize:
        """Room for everything."""
        return QSize(self._widths[0], HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Room for one button without a word."""
        return QSize(MORE_WIDTH + MARGINS, HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show what there is room for."""
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        """Fonts and paddings are known now."""
        super().showEvent(event)
        self._measure_widths()

    @Slot()
    def _measure_widths(self) -> None:
        for widget in self.findChildren(QWidget):
            widget.ensurePolished()
        self.menu_button.setText("Compare")
        self._menu_width = self.menu_button.sizeHint().width()
        spacing = self._row.spacing()

        def width(*widgets: QWidget) -> int:
            return sum(widget.sizeHint().width() + spacing for widget in widgets)

        modes = width(*self.mode_buttons.values())
        sides = 2 * (COMBO_WIDTH + spacing)
        extras = width(self.flip_button, self.swap_button, self.keep_button)
        self._widths = (
            MARGINS + modes + sides + extras,
            MARGINS + modes + sides + MORE_WIDTH,
            MARGINS + modes + MORE_WIDTH,
        )
        self.updateGeometry()
        self._fit()

    def _fit(self) -> None:
        room = self.width()
        full, sides, modes = (room >= width for width in self._widths)
        for widget in (self.flip_button, self.swap_button, self.keep_button):
            widget.setVisible(full)
        for combo in (self.combo_a, self.combo_b):
            combo.setVisible(sides)
        for button in self.mode_buttons.values():
            button.setVisible(modes)
        self.menu_button.setVisible(not full)
        worded = not modes and room >= self._menu_width + MARGINS
        self.menu_button.setText("Compare" if worded else "")
        self.menu_button.setFixedWidth(self._menu_width if worded else MORE_WIDTH)
        self._show_menu_button()

    def _show_menu_button(self) -> None:
        """Alone it tells the mode; beside the buttons of the modes it leads to what is left."""
        compares = self._compare.mode != CompareMode.OFF
        alone = not self.mode_buttons[CompareMode.OFF].isVisibleTo(self)
        mode = SPEC_OF[self._compare.mode].icon if compares else "compare-wipe"
        self.menu_button.setIcon(theme.icon(mode if alone else "settings"))
        if self.menu_button.property("chosen") != (alone and compares):
            self.menu_button.setProperty("chosen", alone and compares)
            self.menu_button.style().unpolish(self.menu_button)
            self.menu_button.style().polish(self.menu_button)

    # What is shown

    @Slot()
    def refresh_sides(self) -> None:
        """List what can be compared."""
        compare = self._compare
        choices = compare.choices()
        for combo, chosen in ((self.combo_a, compare.a), (self.combo_b, compare.b)):
            combo.blockSignals(True)
            combo.clear()
            for side in choices:
                combo.addItem(side.name, side)
                combo.setItemData(combo.count() - 1, self._about(side), Qt.ItemDataRole.ToolTipRole)
            if chosen in choices:
                combo.setCurrentIndex(choices.index(chosen))
            combo.blockSignals(False)
        for widget in (
            self.combo_a,
            self.combo_b,
            *self.mode_buttons.values(),
            self.flip_button,
            self.swap_button,
            self.keep_button,
            self.menu_button,
        ):
            widget.setEnabled(bool(choices))
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the mode."""
        compare = self._compare
        self.mode_buttons[compare.mode].setChecked(True)
        compares = compare.mode != CompareMode.OFF
        title = SPEC_OF[compare.mode].title
        told = f"{title}: {self.numbers.text}" if compares else title
        self.menu_button.setToolTip(f"Compare: {told}\n{CYCLE_TIP}")
        self._show_menu_button()

    def _about(self, side: Side) -> str:
        if side is LIVE:
            return "The scene as it is now, with the preview of a prune."
        if side is PHOTO:
            document = self._session.document
            photos = [] if document is None else [v for v in document.views if v.photo is not None]
            if photos:
                return "The photo, wherever the view stands at a camera that has one."
            return "There are no photos: attach photos and cameras first."
        return "What was visible then."

    # Parts

    def _side_combo(self, letter: str, choose: Callable[[Side], None]) -> QComboBox:
        combo = QComboBox()
        combo.setFixedWidth(COMBO_WIDTH)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.view().setTextElideMode(Qt.TextElideMode.ElideRight)
        combo.view().setMinimumWidth(220)
        described(combo, f"Side {letter}", SIDE_TIPS[letter])
        combo.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        combo.installEventFilter(self._guard)
        combo.activated.connect(lambda index: choose(combo.itemData(index)))
        return combo

    def _mode_button(self, mode: CompareMode) -> QToolButton:
        spec = SPEC_OF[mode]
        tip = f"{spec.title}\n{spec.tip}\n{CYCLE_TIP}"
        button = _button(spec.icon, f"Compare: {spec.title}", tip)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.clicked.connect(lambda: self._compare.set_mode(mode))
        return button

    def _menu_button(self) -> QToolButton:
        button = _button("compare-wipe", "Compare", "Compare")
        button.setText("Compare")
        button.setStyleSheet(MENU_ARROW)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(self.menu)
        return button

    def _arrange(self) -> None:
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(3)
        row.addStretch(1)
        row.addWidget(self.combo_a)
        for widget in (*self.mode_buttons.values(), self.flip_button, self.swap_button):
            row.addWidget(widget)
        row.addWidget(self.combo_b)
        row.addWidget(self.keep_button)
        row.addWidget(self.menu_button)

    @Slot()
    def _keep(self) -> None:
        document = self._session.document
        if document is not None:
            self._compare.keep_a(document)

    @Slot()
    def _fill_menu(self) -> None:
        """Everything that the bar can do, for where it has no room."""
        compare, menu = self._compare, self.menu
        menu.clear()
        for old in (*menu.findChildren(QMenu), *menu.findChildren(QActionGroup)):
            old.deleteLater()
        ways = QActionGroup(menu)
        for mode, spec in SPEC_OF.items():
            action = self._menu_action(spec.title, spec.tip, partial(compare.set_mode, mode))
            action.setIcon(theme.icon(spec.icon))
            action.setCheckable(True)
            action.setChecked(mode == compare.mode)
            ways.addAction(action)
        menu.addSeparator()
        for letter, chosen, choose in (
            ("A", compare.a, compare.choose_a),
            ("B", compare.b, compare.choose_b),
        ):
            name = "" if chosen is None else chosen.name
            sides = menu.addMenu(f"{letter}: {name}")
            sides.setToolTipsVisible(True)
            group = QActionGroup(sides)
            for side in compare.choices():
                action = sides.addAction(side.name)
                action.setToolTip(self._about(side))
                action.setCheckable(True)
                action.setChecked(side is chosen)
                action.triggered.connect(_calling(partial(choose, side)))
                group.addAction(action)
        self._menu_action(SWAP.title, tool_tip(SWAP), compare.swap)
        self._menu_action(KEEP.title, tool_tip(KEEP), self._keep)
        if compare.mode != CompareMode.OFF:
            menu.addSeparator()
            told = self._menu_action(self.numbers.text, self.numbers.tip, lambda: None)
            told.setEnabled(False)

    def _menu_action(self, title: str, tip: str, do: Callable[[], object]) -> QAction:
        action = self.menu.addAction(title)
        action.setToolTip(tip)
        action.triggered.connect(_calling(do))
        return action


def _calling(do: Callable[[], object]) -> Callable[[bool], None]:
    """Without the state that an action tells."""

    def call(_checked: bool = False) -> None:
        do()

    return call


def _button(icon: str, name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setAutoRaise(True)
    button.setIcon(theme.icon(icon))
    button.setIconSize(QSize(18, 18))
    described(button, name, tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
