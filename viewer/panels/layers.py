"""The Layers panel: take a scene, or an image made of Gaussians, apart by depth."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from viewer.panels.layers_edges import EdgesSection
from viewer.panels.layers_edit import EditSection
from viewer.panels.layers_export import ExportSection
from viewer.panels.layers_figure import FigureSection
from viewer.panels.layers_image import ImageSection
from viewer.panels.layers_peel import PeelSection
from viewer.panels.layers_size import SizeSection
from viewer.panels.panel import Panel
from viewer.session import Session


class LayersPanel(Panel):
    """A column of sections that fold away."""

    title = "Layers"
    purpose = "Take a scene, or an image made of Gaussians, apart by depth."
    run_title = "Peel"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.peel = PeelSection(session)
        self.image, self.edit = ImageSection(session), EditSection(session)
        self.sizes = SizeSection(session)
        self.figure = FigureSection(session)
        self.edges = EdgesSection(session)
        self.export = ExportSection(session)
        self.sections = (
            self.image,
            self.peel,
            self.edit,
            self.sizes,
            self.figure,
            self.edges,
            self.export,
        )
        for section in self.sections:
            self.body.addWidget(section)
        for widget in (self.run_button, self.cancel_button, self.bar, self.progress_text):
            widget.hide()
        session.document_replaced.connect(self.refresh)
        self.refresh()

    @Slot()
    def run(self) -> None:
        """Peel the picture, or draw all of it again."""
        self.peel.toggle_peel()

    @Slot()
    def refresh(self) -> None:
        """Say what there is to take apart."""
        document = self.session.document
        if document is None:
            self.set_needs(False, "Open a scene or an image first.")
        else:
            self.set_needs(True, "Depth is measured along the view. Nothing is edited by peeling.")

    @Slot()
    def refresh_job(self) -> None:
        """No job is this panel's own."""

    @Slot()
    def camera_moved(self) -> None:
        """The present view is another one."""
        self.figure.schedule()
        self.edges.schedule()

    def catch_up(self) -> None:
        self.peel.refresh()
