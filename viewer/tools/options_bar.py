"""The strip above the picture with the options of the tool in use."""

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QWidget,
)

from core.editing import SelectOp
from viewer import theme
from viewer.panels.panel import FieldGuard, described
from viewer.session import Session
from viewer.tools.tool import BRUSH_PX, ToolBox
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import count_text

WIDE_PX = 900
"""Below this width, ways to select are shown by their icons alone."""
ROOMY_PX = 700
"""Below this width, only what can be set is shown."""
LEAST_PX = 440
UNBOUNDED_PX = 16_777_215
FIELD_PX = 52
"""What a number field needs beside its number."""
OPS = (
    (SelectOp.SET, "Set", "Select what the tool marks, and nothing else."),
    (SelectOp.ADD, "Add", "Add what the tool marks (Shift while dragging)."),
    (SelectOp.REMOVE, "Remove", "Take away what the tool marks (Ctrl while dragging)."),
    (SelectOp.INTERSECT, "Intersect", "Keep only what the tool marks (Shift+Ctrl while dragging)."),
)


class ToolOptions(QWidget):
    """Shown while a tool is in use; the options are those of the tool box.

    Parameters
    ----------
    session
        Whose selected Gaussians are counted.
    box
        Holds the tool in use and its options.
    """

    def __init__(self, session: Session, box: ToolBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._box = box
        self.setObjectName("tool-options")
        self.setAccessibleName("Tool options")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.title = QLabel()
        self.title.setProperty("role", "title")
        self.op_buttons: dict[SelectOp, QToolButton] = {}
        self._make_ops()
        self._make_fields()
        self.hint = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.hint.setProperty("role", "muted")
        self.count = QLabel()
        self.count.setProperty("role", "number")
        self.count.setAccessibleName("Selected Gaussians")
        self.count.setToolTip("How many Gaussians are selected.")
        self.leave_button = QToolButton()
        self.leave_button.setText("Esc leaves")
        self.leave_button.setIcon(theme.icon("close"))
        self.leave_button.setAutoRaise(True)
        described(self.leave_button, "Leave the tool", "Leave the tool (Esc)")
        self.leave_button.clicked.connect(lambda: box.choose(None))
        self._arrange()
        box.changed.connect(self.refresh)
        session.document_replaced.connect(self.refresh)
        session.state_changed.connect(self.refresh)
        self.refresh()

    def _make_ops(self) -> None:
        group = QButtonGroup(self)
        for op, title, tip in OPS:
            button = QToolButton()
            button.setText(title)
            button.setIcon(theme.icon(f"op-{op}"))
            button.setCheckable(True)
            button.setAutoRaise(True)
            described(button, f"{title} selection", f"{title}\n{tip}")
            button.clicked.connect(lambda _checked=False, op=op: self._box.set_options(op=op))
            group.addButton(button)
            self.op_buttons[op] = button

    def _make_fields(self) -> None:
        self.front_box = QCheckBox("Front only")
        described(
            self.front_box,
            "Front only",
            "Front only (N)\nSelect only what the picture shows, not what lies behind it.",
        )
        self.front_box.toggled.connect(lambda on: self._box.set_options(front_only=on))
        self.size_label, self.size_spin = QLabel("Radius"), QSpinBox()
        self.size_spin.setRange(round(BRUSH_PX[0]), round(BRUSH_PX[1]))
        self.size_spin.setSuffix(" px")
        described(self.size_spin, "Brush radius", "Radius of the brush ([ and ], Ctrl+wheel)")
        self.size_spin.valueChanged.connect(lambda size: self._box.set_options(brush_px=size))
        self.tolerance_label, self.tolerance_spin = QLabel("Tolerance"), QSpinBox()
        self.tolerance_spin.setRange(0, 100)
        self.tolerance_spin.setSuffix(" %")
        described(
            self.tolerance_spin,
            "Colour tolerance",
            "How much red, green and blue may each differ from the colour that was clicked.",
        )
        self.tolerance_spin.valueChanged.connect(
            lambda percent: self._box.set_options(tolerance=percent / 100)
        )
        guard = FieldGuard(self)
        for spin in (self.size_spin, self.tolerance_spin):
            spin.setKeyboardTracking(False)
            spin.setFixedWidth(spin.fontMetrics().horizontalAdvance("100 %") + FIELD_PX)
            spin.installEventFilter(guard)
            for edit in spin.findChildren(QLineEdit):
                edit.installEventFilter(guard)

    def _arrange(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 3, 6, 3)
        row.setSpacing(10)
        row.addWidget(self.title)
        ops = QHBoxLayout()
        ops.setSpacing(1)
        for button in self.op_buttons.values():
            ops.addWidget(button)
        row.addLayout(ops)
        row.addWidget(self.front_box)
        for label, spin in (
            (self.size_label, self.size_spin),
            (self.tolerance_label, self.tolerance_spin),
        ):
            label.setBuddy(spin)
            pair = QHBoxLayout()
            pair.setSpacing(6)
            pair.addWidget(label)
            pair.addWidget(spin)
            row.addLayout(pair)
        row.addWidget(self.hint, 1)
        row.addWidget(self.count)
        row.addWidget(self.leave_button)

    @Slot()
    def refresh(self) -> None:
        """Show the tool's options and the number of selected Gaussians."""
        box, tool = self._box, self._box.active
        self.setVisible(tool is not None)
        if tool is None:
            return
        blockers = [
            QSignalBlocker(field) for field in (self.front_box, self.size_spin, self.tolerance_spin)
        ]
        self.title.setText(tool.title)
        self.hint.set_text(tool.hint)
        self.op_buttons[box.op].setChecked(True)
        self.front_box.setVisible(tool.knows_front)
        self.front_box.setChecked(box.front_only)
        self.size_spin.setVisible(tool.has_size)
        self.size_spin.setValue(round(box.brush_px))
        self.tolerance_spin.setVisible(tool.has_tolerance)
        self.tolerance_spin.setValue(round(100 * box.tolerance))
        del blockers
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """The strip never widens its place: it leaves out what finds no room."""
        return QSize(LEAST_PX, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out what finds no room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        tool, style = self._box.active, Qt.ToolButtonStyle
        wide, roomy = self.width() >= WIDE_PX, self.width() >= ROOMY_PX
        for button in self.op_buttons.values():
            button.setToolButtonStyle(
                style.ToolButtonTextBesideIcon if wide else style.ToolButtonIconOnly
            )
        self.leave_button.setToolButtonStyle(
            style.ToolButtonTextOnly if roomy else style.ToolButtonIconOnly
        )
        self.title.setVisible(roomy)
        short = not roomy and tool is not None and (tool.has_size or tool.has_tolerance)
        self.hint.setMaximumWidth(0 if short else UNBOUNDED_PX)
        self.size_label.setVisible(roomy and tool is not None and tool.has_size)
        self.tolerance_label.setVisible(roomy and tool is not None and tool.has_tolerance)
        document = self._session.document
        count = count_text(None if document is None else document.selected_count)
        self.count.setText(f"{count} selected" if roomy else count)
