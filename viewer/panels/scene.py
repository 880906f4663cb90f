"""The Scene dock: what is open and what it holds."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from viewer.panels.panel import wrapped
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import count_text, megabytes_text
from viewer.widgets.numbers_table import NumbersTable

TIPS = {
    "Gaussians": "Gaussians that are not deleted: what an export writes.",
    "Selected": "Gaussians that Delete, Hide and Isolate act on.",
    "Hidden": "Gaussians that are not drawn. They are exported and pruned like the others.",
    "Deleted": "Gaussians that an export leaves out. Undo brings them back.",
    "Size as PLY": "What an export as plain PLY takes, in MB of a million bytes.",
    "Size at opening": "What all Gaussians of the file take as plain PLY.",
    "File on disk": "Size of the file that was opened, in MB of a million bytes.",
    "SH degree": "Highest degree of the spherical harmonics: how colours change with direction.",
    "Antialiased": "Whether the scene was trained for antialiased drawing.",
    "Further columns": "Further numbers per Gaussian in the file; an export keeps them.",
}
ROWS = tuple(TIPS)


class ScenePanel(QWidget):
    """Facts about the scene."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setMinimumWidth(186)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Scene panel")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.file_name = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.file_name.setProperty("role", "title")
        self.folder = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.folder.setProperty("role", "muted")
        self.table = NumbersTable(ROWS, tips=TIPS)
        self.repairs = wrapped("")
        self.repairs.setProperty("role", "muted")

        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(4)
        layout.addWidget(self.file_name)
        layout.addWidget(self.folder)
        layout.addSpacing(6)
        layout.addWidget(self.table)
        layout.addWidget(self.repairs)
        layout.addStretch()
        session.document_replaced.connect(self.refresh)
        session.state_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the facts of the scene."""
        document, loaded = self.session.document, self.session.loaded
        if document is None or loaded is None:
            self.file_name.set_text("No scene")
            self.folder.set_text("")
            self.table.show_values(*(None for _ in ROWS))
            self.repairs.hide()
            return
        scene, alive = document.scene, document.alive_count
        self.file_name.set_text(self.session.title)
        self.folder.set_text(str(document.path.resolve().parent) if document.path else "")
        columns = ", ".join(sorted(scene.columns)) or "none"
        self.table.show_values(
            count_text(alive),
            count_text(document.selected_count),
            count_text(document.hidden_count),
            count_text(len(scene) - alive),
            megabytes_text(self.session.megabytes(alive)),
            megabytes_text(loaded.scene.ply_bytes / 1e6),
            megabytes_text(loaded.file_bytes / 1e6 if document.path else None),
            str(scene.sh_degree),
            "yes" if scene.antialiased else "no",
            columns,
        )
        self.repairs.setVisible(bool(loaded.repairs))
        self.repairs.setText("Repaired: " + " ".join(loaded.repairs))
