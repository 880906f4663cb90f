"""Layers to files: pictures with alpha, the figure's mask, scenes, and the peel as an animation."""

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QWidget,
)
from torch import Tensor

from core.cameras import Camera
from core.gmae.exports import (
    ANIMATIONS,
    MOST_SIDE_PX,
    Wanted,
    export_camera,
    export_layers,
    free_folder,
    own_folder,
)
from core.gmae.layers import DepthLayers, depth_layers
from core.jobs import Job, Progress, Steps
from core.scene import GaussianScene
from viewer.layout import settings
from viewer.panels.layers_peel import SHOWS
from viewer.panels.layers_stand import view_camera
from viewer.panels.panel import FieldGuard, align_labels, described, wrapped
from viewer.peeling import Peel
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.job_status import REFRESH_MS, job_text, show_fraction
from viewer.widgets.section import Section

JOB = "Export layers"
SIZE_PX = 512
FOLDER_KEY = "layers-folder"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is taken apart: a scene's visible Gaussians, by depth from a camera.

    ``layers`` are None where they have to be measured first.
    """

    scene: GaussianScene
    visible: Tensor
    camera: Camera
    peel: Peel
    layers: DepthLayers | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Files of layers, and the folder that was made for them."""

    folder: Path
    files: tuple[Path, ...]


def export_steps(
    source: Source, size: int, parent: Path, name: str, wanted: Wanted
) -> Steps[Written]:
    """Write the layers into a folder of their own in another; yields progress.

    It is called ``name``, or that with a number: nothing is replaced. An animation of ``wanted``
    has no folder in its name.
    """
    layers = source.layers
    if layers is None:
        yield Progress(0, 1, "Measuring depth")
        layers = depth_layers(
            source.scene, source.visible, source.camera, source.peel.count, source.peel.grouping
        )
    camera = export_camera(source.camera, size)
    groups = layers.groups.to(source.scene.device)
    folder = free_folder(parent, name)
    if wanted.animation is not None:
        wanted = replace(wanted, animation=folder / wanted.animation)
    steps = export_layers(source.scene, camera, groups, layers.count, folder, wanted)
    return Written(folder, (yield from steps))


class ExportSection(Section):
    """Says what of the layers is written, and writes it."""

    folder_asked = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Export", "layers-export", parent)
        self.session = session
        stored = str(settings().value(FOLDER_KEY, "") or "")
        self.folder = Path(stored) if stored else None
        self._job: Job | None = None
        self._timer = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._make()
        self._arrange()
        self._connect()
        self.refresh()

    def _make(self) -> None:
        self.pictures_box = QCheckBox("Pictures with alpha (PNG)")
        self.pictures_box.setChecked(True)
        described(
            self.pictures_box,
            "Write pictures",
            "Each layer alone, and all up to it from the near end.",
        )
        self.masks_box = QCheckBox("Figure's mask, coverage of layers (PNG)")
        described(
            self.masks_box,
            "Write masks",
            "White where the figure is, as parted above; and how much of each pixel each layer "
            "covers, as grey.",
        )
        self.scenes_box = QCheckBox("Each layer as a scene (PLY)")
        described(self.scenes_box, "Write scenes", "A scene of the Gaussians of each layer.")
        self.labelled_box = QCheckBox("All layers as one scene (PLY)")
        described(
            self.labelled_box,
            "Write one scene",
            "A scene of all layers; the column “layer” holds their numbers.",
        )
        self._boxes = (self.pictures_box, self.masks_box, self.scenes_box, self.labelled_box)
        self.animation_combo = QComboBox()
        self.animation_combo.addItem("None", "")
        for suffix in ANIMATIONS:
            self.animation_combo.addItem(suffix[1:].upper(), suffix)
        described(
            self.animation_combo,
            "Animation",
            "The peel, layer by layer, as chosen under Peel.",
        )
        self.size_spin = QSpinBox()
        self.size_spin.setRange(16, MOST_SIDE_PX)
        self.size_spin.setValue(SIZE_PX)
        self.size_spin.setSuffix(" px")
        described(self.size_spin, "Size of pictures", "Pixels along the longer side.")
        self.folder_text = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.folder_text.setAccessibleName("Folder")
        self.folder_button = QPushButton("Choose…")
        described(
            self.folder_button,
            "Choose a folder",
            "Each export makes a folder of its own in there; nothing is replaced.",
        )
        self.run_button = QPushButton("Export Layers")
        self.run_button.setAccessibleName("Export Layers")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setAccessibleName("Cancel (Export Layers)")
        self.cancel_button.setToolTip("Cancel (Ctrl+.)\nFiles that are written stay.")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setObjectName("thin")
        self.bar.setAccessibleName("Progress of Export Layers")
        self.told = wrapped("")
        self.told.setProperty("role", "muted")

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Animation", self.animation_combo)
        form.addRow("Size", self.size_spin)
        place = QHBoxLayout()
        place.setSpacing(6)
        place.addWidget(self.folder_text, 1)
        place.addWidget(self.folder_button)
        form.addRow("Folder", place)
        align_labels(form)
        run = QHBoxLayout()
        run.setSpacing(6)
        run.addWidget(self.run_button, 1)
        run.addWidget(self.cancel_button)
        for box in self._boxes:
            self.body.addWidget(box)
        self.body.addLayout(form)
        self.body.addLayout(run)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.told)
        guard = FieldGuard(self)
        for field in (self.animation_combo, self.size_spin):
            field.installEventFilter(guard)

    def _connect(self) -> None:
        session = self.session
        for box in self._boxes:
            box.toggled.connect(self.refresh)
        self.animation_combo.currentIndexChanged.connect(self.refresh)
        self.folder_button.clicked.connect(self.folder_asked)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(session.runner.cancel)
        session.runner.changed.connect(self.refresh)
        session.runner.progressed.connect(self._schedule)
        session.document_replaced.connect(self.refresh)
        session.peeling.changed.connect(self.refresh)

    @property
    def running(self) -> bool:
        """Whether layers are being written."""
        runner = self.session.runner
        return runner.busy and runner.job is not None and runner.job is self._job

    def choose_folder(self, folder: Path) -> None:
        """Make folders of layers in there from now on."""
        self.folder = folder
        settings().setValue(FOLDER_KEY, str(folder))
        self.refresh()

    @property
    def own_folder(self) -> str:
        """What the folder for the open scene's layers is called."""
        return own_folder(Path(self.session.title).stem)

    def wanted(self) -> Wanted:
        """What to write, as the controls say; the animation without a folder."""
        look, peeling = self.session.look, self.session.peeling
        chosen = look.figure_depth
        suffix = self.animation_combo.currentData()
        return Wanted(
            pictures=self.pictures_box.isChecked(),
            masks=self.masks_box.isChecked(),
            scenes=self.scenes_box.isChecked(),
            labelled=self.labelled_box.isChecked(),
            animation=Path(f"peel{suffix}") if suffix else None,
            show=peeling.peel.show,
            background=look.background,
            seconds=1 / peeling.pace,
            threshold=None if chosen is None else chosen + peeling.depth_offset(),
            polarity=look.polarity,
        )

    @Slot()
    def run(self) -> None:
        """Write the layers into a folder of their own; runs as a job."""
        session, folder, source = self.session, self.folder, self._source()
        if source is None or folder is None or session.runner.busy:
            return

        def done(written: Written) -> None:
            count = f"{len(written.files):,} file{'' if len(written.files) == 1 else 's'}"
            session.notified.emit("info", f"Wrote {count} of layers to {written.folder}.")

        size, name = self.size_spin.value(), self.own_folder
        steps = export_steps(source, size, folder, name, self.wanted())
        self._job = session.runner.start(JOB, steps, done)
        self.refresh()

    def _source(self) -> Source | None:
        document, peeling = self.session.document, self.session.peeling
        layers = peeling.layers
        camera = peeling.view() if layers is None else layers.camera
        if document is None or camera is None:
            return None
        camera = view_camera(self.session, camera)
        return Source(document.scene, document.visible, camera, peeling.peel, layers)

    @Slot()
    def _schedule(self) -> None:
        if self.running and not self._timer.isActive():
            self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Show what is written and how far it is."""
        session, running = self.session, self.running
        self.content.setEnabled(session.document is not None)
        self.folder_text.set_text("not chosen" if self.folder is None else str(self.folder))
        self.folder_text.setToolTip("" if self.folder is None else str(self.folder))
        something = bool(self.animation_combo.currentData()) or any(
            box.isChecked() for box in self._boxes
        )
        self.run_button.setEnabled(
            something and self.folder is not None and not session.runner.busy
        )
        reason = "" if something else "Choose something to write."
        if self.folder is None and something:
            reason = "Choose a folder first."
        count = session.peeling.peel.count
        name = self.own_folder
        self.run_button.setToolTip(
            reason
            or f"Write {count} layers, by depth as under Peel, to a new folder {name}\n"
            f"({name}_2, … where there is one with files). Nothing is replaced."
        )
        self.cancel_button.setEnabled(running)
        self.bar.setVisible(running)
        job = session.runner.job
        if running and job is not None:
            show_fraction(self.bar, job)
            self.told.setText(job_text(job))
        else:
            show = SHOWS[session.peeling.peel.show].lower()
            moving = f", animated {show}" if self.animation_combo.currentData() else ""
            self.told.setText(
                f"{count} layers, by depth as under Peel{moving}; each time to a new folder in "
                "there."
            )
