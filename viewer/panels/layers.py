"""The Layers panel: take a scene, or an image made of Gaussians, apart by depth."""

from functools import partial

from PySide6.QtCore import QTimer, Slot
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
from viewer.widgets.section import Section

PLAIN = "Depth is measured along the view. Nothing is edited by peeling."
EARLIER = "Depth is that of an earlier view: Depth from This View takes it anew."


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
            section.opened.connect(partial(self._show_opened, section))
        for widget in (self.run_button, self.cancel_button, self.bar, self.progress_text):
            widget.hide()
        session.document_replaced.connect(self.refresh)
        session.peeling.changed.connect(self.refresh)
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
            earlier = self.session.peeling.of_earlier_view
            self.set_needs(not earlier, EARLIER if earlier else PLAIN)

    @Slot()
    def refresh_job(self) -> None:
        """No job is this panel's own."""

    @Slot()
    def camera_moved(self) -> None:
        """The present view is another one."""
        self.refresh()
        self.figure.schedule()
        self.edges.schedule()

    def _show_opened(self, section: Section, is_open: bool) -> None:
        """Bring a section into sight that was opened, once it is laid out."""
        if is_open:
            QTimer.singleShot(0, section, lambda: self.ensureWidgetVisible(section, 0, 0))

    def catch_up(self) -> None:
        self.peel.refresh()
