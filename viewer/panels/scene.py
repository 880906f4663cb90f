"""The Scene dock: what is open, what it holds, and the views it was photographed from."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.cameras import Split
from viewer import theme
from viewer.panels.panel import described, wrapped
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.numbers import count_text, megabytes_text
from viewer.widgets.numbers_table import NumbersTable

ROWS = (
    "Gaussians",
    "Deleted",
    "Colour",
    "Size as PLY",
    "Size at opening",
    "File on disk",
    "Antialiased",
    "Columns",
)


class ScenePanel(QWidget):
    """Facts about the scene and the list of its views."""

    view_chosen = Signal(int)
    attach_asked = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setMinimumWidth(240)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.file_name = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.file_name.setProperty("role", "title")
        self.folder = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.folder.setProperty("role", "muted")
        self.table = NumbersTable(ROWS)
        self.repairs = wrapped("")
        self.repairs.setProperty("role", "muted")
        self.views_heading = QLabel()
        self.views_heading.setProperty("role", "title")
        self.attach_button = QPushButton("Attach photos and cameras…")
        described(
            self.attach_button,
            "Attach photos and cameras",
            "Attach photos and cameras (Ctrl+Shift+O)\nCOLMAP, transforms.json or cameras.json.",
        )
        self.attach_button.clicked.connect(self.attach_asked)
        self.views_list = QListWidget()
        self.views_list.setUniformItemSizes(True)
        described(self.views_list, "Views", "Click a view to go to its camera.")
        self.views_list.itemClicked.connect(self._choose)
        self.views_list.itemActivated.connect(self._choose)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(8)
        for widget in (self.file_name, self.folder, self.table, self.repairs):
            layout.addWidget(widget)
        layout.addSpacing(8)
        layout.addWidget(self.views_heading)
        layout.addWidget(self.attach_button)
        layout.addWidget(self.views_list, 1)
        layout.addStretch()
        session.document_replaced.connect(self.refresh)
        session.document_replaced.connect(self.refresh_views)
        session.state_changed.connect(self.refresh)
        session.views_changed.connect(self.refresh_views)
        self.refresh()
        self.refresh_views()

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
        self.file_name.set_text(document.path.name if document.path else "Untitled")
        self.folder.set_text(str(document.path.resolve().parent) if document.path else "")
        self.table.show_values(
            count_text(alive),
            count_text(len(scene) - alive),
            f"SH degree {scene.sh_degree}",
            megabytes_text(self.session.megabytes(alive)),
            megabytes_text(self.session.megabytes(len(scene))),
            megabytes_text(loaded.file_bytes / 1e6),
            "yes" if scene.antialiased else "no",
            ", ".join(sorted(scene.columns)) or "none",
        )
        self.repairs.setVisible(bool(loaded.repairs))
        self.repairs.setText("Repaired: " + " ".join(loaded.repairs))

    @Slot()
    def refresh_views(self) -> None:
        """List the views of the dataset."""
        document, dataset = self.session.document, self.session.dataset
        views = () if document is None else document.views
        kind = f" · {dataset.kind}" if dataset is not None and views else ""
        self.views_heading.setText(f"{len(views):,} views{kind}" if views else "No views")
        self.views_list.setVisible(bool(views))
        self.attach_button.setVisible(not views)
        self.attach_button.setEnabled(document is not None)
        self.views_list.clear()
        for number, view in enumerate(views):
            item = QListWidgetItem(theme.icon("cameras", theme.MUTED), view.name or f"{number + 1}")
            item.setData(Qt.ItemDataRole.UserRole, number)
            photo = "no photo" if view.photo is None else "with photo"
            use = "held out for measuring" if view.split == Split.TEST else "for training"
            item.setToolTip(f"{view.name}: {photo}, {use}")
            self.views_list.addItem(item)

    @Slot(QListWidgetItem)
    def _choose(self, item: QListWidgetItem) -> None:
        self.view_chosen.emit(item.data(Qt.ItemDataRole.UserRole))

    @Slot(int)
    def mark_view(self, number: int) -> None:
        """Highlight the view that the camera went to."""
        self.views_list.setCurrentRow(number)
