"""Changing the selected Gaussians: hide, delete, another colour, nearer or farther."""

from collections.abc import Callable

import torch
from PySide6.QtCore import QSignalBlocker, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QColorDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from core.cameras import Camera
from core.editing.changes import depths_of, moved_in_depth, recolored, usual_step
from core.scene import GaussianScene
from viewer.panels.panel import FieldGuard, described, steady, wrapped
from viewer.session import Session
from viewer.widgets.section import Section

SPIN_WIDTH = 72
SAMPLE = 100_000
"""Of a large scene's Gaussians whose depths tell what a usual step is."""
NONE_SELECTED = "Select Gaussians first: with a tool, or what is drawn."


class EditSection(Section):
    """Edits of the selected Gaussians, each one step to undo."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Edit", "layers-edit", parent)
        self.session = session
        self._guard = FieldGuard(self)
        self._camera_source: Callable[[], Camera | None] | None = None
        self._stepped: GaussianScene | None = None
        self._make()
        self._arrange()
        for changed in (
            session.document_replaced,
            session.state_changed,
            session.history_changed,
            session.runner.changed,
            session.peeling.changed,
        ):
            changed.connect(self.refresh)
        self.opened.connect(self.refresh)
        self.refresh()

    def set_camera_source(self, source: Callable[[], Camera | None]) -> None:
        """Where the present camera is to be asked for."""
        self._camera_source = source

    def _make(self) -> None:
        self.told = steady(wrapped(""), 2)
        self.told.setProperty("role", "muted")
        self.hide_button = QPushButton("Hide")
        described(
            self.hide_button,
            "Hide selected",
            "Hide Selected (H)\nTake them out of sight; they are still exported.",
        )
        self.delete_button = QPushButton("Delete")
        described(
            self.delete_button,
            "Delete selected",
            "Delete Selected (Delete)\nUndo brings them back.",
        )
        self.color_button = QPushButton("Colour…")
        described(
            self.color_button,
            "Recolour selected",
            "Colour…\nOne colour from every side: what depends on the view's direction is dropped.",
        )
        self.near_button, self.far_button = QPushButton("Nearer"), QPushButton("Farther")
        for button, where in ((self.near_button, "towards"), (self.far_button, "away from")):
            described(
                button,
                f"{button.text()} (Edit)",
                f"{button.text()}\nMove them {where} the camera along its lines of sight, and "
                "scale them so that its picture stays, but for what covers what.",
            )
        self.step_spin = QDoubleSpinBox()
        self.step_spin.setDecimals(3)
        self.step_spin.setRange(0.001, 1e6)
        self.step_spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.step_spin.setMinimumWidth(SPIN_WIDTH)
        self.step_spin.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.step_spin.setKeyboardTracking(False)
        self.step_spin.installEventFilter(self._guard)
        described(self.step_spin, "Distance", "How far to move, in the units of the scene.")
        self.hide_button.clicked.connect(lambda: self._act("hide_selected"))
        self.delete_button.clicked.connect(lambda: self._act("delete_selected"))
        self.color_button.clicked.connect(self.ask_color)
        self.near_button.clicked.connect(lambda: self.move_by(-self.step_spin.value()))
        self.far_button.clicked.connect(lambda: self.move_by(self.step_spin.value()))

    def _arrange(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        for row in (first, second):
            row.setSpacing(6)
        for button in (self.color_button, self.hide_button, self.delete_button):
            first.addWidget(button, 1)
        second.addWidget(self.near_button, 1)
        second.addWidget(self.far_button, 1)
        second.addWidget(QLabel("by"))
        second.addWidget(self.step_spin, 1)
        self.body.addWidget(self.told)
        self.body.addLayout(first)
        self.body.addLayout(second)

    # What a person does

    def _act(self, name: str) -> None:
        if self.session.document is not None:
            getattr(self.session.document, name)()

    @Slot()
    def ask_color(self) -> None:
        """Let a person choose another colour for the selected Gaussians."""
        document = self.session.document
        if document is None or not document.selected_count:
            return
        mean = document.scene.base_colors().cpu()[document.selected].mean(0).tolist()
        dialog = QColorDialog(QColor.fromRgbF(*mean), self)
        dialog.setWindowTitle("Colour of the Selected Gaussians")
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.colorSelected.connect(self.recolor)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(QColor)
    def recolor(self, color: QColor) -> None:
        """Give the selected Gaussians one colour, as one edit."""
        document = self.session.document
        if document is not None:
            mask = document.selected
            rgb = (color.redF(), color.greenF(), color.blueF())
            document.change(mask, recolored(document.scene, mask, rgb), "Recolour")

    def move_by(self, distance: float) -> None:
        """Move the selected Gaussians away from the camera, or towards it, as one edit."""
        document, camera = self.session.document, self._camera()
        if document is not None and camera is not None:
            mask = document.selected
            values = moved_in_depth(document.scene, mask, camera, distance)
            document.change(mask, values, "Move farther" if distance > 0 else "Move nearer")

    def _camera(self) -> Camera | None:
        """The scene's own camera, as an image has one; of another scene the present one."""
        own = self.session.own_camera
        if own is None and self._camera_source is not None:
            return self._camera_source()
        return own

    # What is shown

    @Slot()
    def refresh(self) -> None:
        """Show what can be edited now."""
        document = self.session.document
        count = 0 if document is None else document.selected_count
        editable = document is not None and count > 0 and not document.locked
        buttons = (
            *(self.color_button, self.hide_button, self.delete_button),
            *(self.near_button, self.far_button),
        )
        if not editable and any(button.hasFocus() for button in buttons):
            self.header.setFocus()
        for button in buttons:
            button.setEnabled(editable)
        where = "this view" if self.session.own_camera is None else "the image's camera"
        self.told.setText(
            f"{count:,} selected{self._unseen(count)}. Nearer and farther as {where} sees it."
            if count
            else NONE_SELECTED
        )
        self.summary.set_text(f"{count:,} selected" if count else "")
        if self.is_open:
            self._show_step()

    def _unseen(self, count: int) -> str:
        """How many of the selected Gaussians are not drawn, where that are some."""
        document, drawn = self.session.document, self.session.drawn
        if document is None or drawn is None or self.session.peeling.mask is None:
            return ""
        hidden = count - int((document.selected & drawn).sum())
        return f", {hidden:,} of them in layers that are not drawn" if hidden else ""

    def _show_step(self) -> None:
        """A distance that can be seen, for every scene that is opened."""
        document, loaded, camera = self.session.document, self.session.loaded, self._camera()
        opened = None if loaded is None else loaded.scene
        if document is None or opened is None or camera is None or opened is self._stepped:
            return
        self._stepped = opened
        some = torch.zeros(len(opened), dtype=torch.bool)
        some[:: max(1, len(opened) // SAMPLE)] = True
        with QSignalBlocker(self.step_spin):
            self.step_spin.setValue(usual_step(depths_of(opened, some, camera)))
