"""The dialog that asks in which format to export, and where to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.errors import UserError
from core.files import check_target
from core.formats import FORMATS, Format
from core.neuralgs.settings import NeuralSettings
from core.trials import NETS, Trial, estimated_bytes, trial_formats
from viewer.compressing import FORMATS_JOB
from viewer.panels.metrics_table import figure_text
from viewer.panels.panel import described, wrapped
from viewer.session import Session
from viewer.widgets.job_status import JobStatus
from viewer.widgets.numbers import megabytes_text

COLUMNS = ("Format", "File", "Size", "PSNR, dB", "SSIM")
TIPS = (
    "",
    "How names of such files end.",
    'In MB of a million bytes; "about" where nothing but writing the file tells.',
    "Of what comes back, on the held-out photos; without photos against the scene as opened.",
    "Of the same pictures as PSNR: 1 is the same.",
)
FIRST_NUMBER = 2
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
WIDTH, ROW_HEIGHT = 680, 26
ROWS_SHOWN = 10
WHOLE = "Nothing is lost, and every program for Gaussians opens it."
CAMERA_LOST = " Nor does the image's camera come back."
NETS_LOSE = (
    "Small nets stand for the Gaussians, of which the least important are left out; few programs "
    "open them."
)
NOT_MADE = "Not made yet: Compress into Nets in the Compress panel first (Ctrl+3)."


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One row: a format, and the trial that measured it for the scene as it is, if one did."""

    format: Format
    trial: Trial | None
    size: int
    exact: bool

    @property
    def title(self) -> str:
        """What stands in its row."""
        if self.trial is None or self.trial.neural is None:
            return self.format.title
        return f"{self.format.title}, {self.trial.neural.notes.get('preset', 'own')}"

    @property
    def suffix(self) -> str:
        """How names of its files end."""
        return self.format.suffixes[0]

    @property
    def can_be_written(self) -> bool:
        """Whether there is something to write: nets have to be made first."""
        return self.format.name != NETS or self.trial is not None

    @property
    def cells(self) -> tuple[str, ...]:
        """What its row says."""
        size = megabytes_text(self.size / 1e6)
        measured = None if self.trial is None else self.trial.evaluation
        return (
            self.title,
            self.suffix,
            size if self.exact else f"about {size}",
            figure_text(None if measured is None else measured.psnr, "psnr"),
            figure_text(None if measured is None else measured.ssim, "ssim"),
        )


def choices(session: Session) -> Iterator[Choice]:
    """The ways to store the scene as it is, the plain one first."""
    document, compressing = session.document, session.compressing
    if document is None:
        return
    scene, count = document.scene, document.alive_count
    current = [trial for trial in compressing.trials if compressing.is_current(trial)]
    by_format = {trial.format: trial for trial in current}
    for known in trial_formats():
        trial = by_format.get(known.name)
        if trial is not None:
            yield Choice(known, trial, trial.bytes, exact=True)
        elif known.size is not None:
            yield Choice(known, None, known.size(scene, count), known.size_known)
    nets = next(known for known in FORMATS if known.name == NETS)
    made = [trial for trial in current if trial.format == NETS]
    for trial in made:
        yield Choice(nets, trial, trial.bytes, exact=True)
    if not made:
        settings = NeuralSettings()
        kept = max(1, round(settings.keep * count))
        yield Choice(nets, None, estimated_bytes(kept, scene.sh_degree, settings), exact=False)


class ExportDialog(QDialog):
    """Lists the formats with size, quality and what each loses; Enter exports a plain PLY.

    ``browse_asked``: a person wants to look for a place; ``measure_asked``: to have all formats
    tried.

    Parameters
    ----------
    session
        Whose scene is exported.
    proposed
        Folder and name of the file, the name without its ending.
    """

    browse_asked = Signal()
    measure_asked = Signal()

    def __init__(self, session: Session, proposed: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export")
        self._session, self._folder = session, proposed.parent
        self._choices: Sequence[Choice] = ()
        self._agreed: Path | None = None
        self._make_parts()
        self._arrange()
        self.table.currentItemChanged.connect(self._take_row)
        self.path_field.textEdited.connect(self._take_name)
        self.browse_button.clicked.connect(self.browse_asked)
        self.measure_button.clicked.connect(self.measure_asked)
        session.compressing.changed.connect(self.refresh)
        session.runner.changed.connect(self.refresh)
        self.path_field.setText(str(proposed))
        self.refresh()
        self._go_to(0)
        self.table.setFocus()
        self.resize(WIDTH, self.sizeHint().height())

    def _make_parts(self) -> None:
        self.table = QTreeWidget()
        self.table.setAccessibleName("Formats")
        self.table.setHeaderLabels(COLUMNS)
        self.table.setRootIsDecorated(False)
        self.table.setAllColumnsShowFocus(True)
        self.table.setUniformRowHeights(True)
        head = self.table.headerItem()
        header = self.table.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, tip in enumerate(TIPS):
            head.setToolTip(column, tip)
            if column >= FIRST_NUMBER:
                head.setTextAlignment(column, RIGHT)
        self.loses = wrapped("")
        self.loses.setAccessibleName("What the format loses")
        self.loses.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 4)
        self.loses.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.measure_button = QPushButton("Measure All")
        described(
            self.measure_button,
            "Measure all formats",
            "Measure All\nStores the scene in each format, opens the file again and measures what "
            "came back.",
        )
        self.status = JobStatus(self._session.runner)
        self.path_field = QLineEdit()
        described(self.path_field, "File", "File\nThe ending of the name chooses the format.")
        self.browse_button = QPushButton("Browse…")
        described(self.browse_button, "Browse", "Browse…\nLook for a folder.")
        self.problem = wrapped("")
        self.problem.setProperty("role", "error")
        self.problem.hide()
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        self.export_button = self.buttons.button(QDialogButtonBox.StandardButton.Save)
        self.export_button.setText("Export")
        self.export_button.setProperty("primary", True)
        self.export_button.setDefault(True)
        for button in (self.measure_button, self.browse_button):
            button.setAutoDefault(False)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def _arrange(self) -> None:
        measuring, place = QHBoxLayout(), QHBoxLayout()
        measuring.addWidget(self.measure_button)
        measuring.addWidget(self.status, 1)
        policy = self.status.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.status.setSizePolicy(policy)
        place.addWidget(self.path_field, 1)
        place.addWidget(self.browse_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.setSpacing(10)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.loses)
        layout.addLayout(measuring)
        layout.addLayout(place)
        layout.addWidget(self.problem)
        layout.addWidget(self.buttons)

    @property
    def choice(self) -> Choice:
        """The chosen row."""
        return self._choices[max(0, self._row)]

    @property
    def path(self) -> Path:
        """Where to export to; with the ending of the chosen format."""
        path = self._folder / Path(self.path_field.text().strip()).expanduser()
        suffix = self.choice.suffix
        fits = _ending(path.name).lower() == suffix
        return path if fits or not path.name else path.with_name(path.name + suffix)

    def agree(self, path: Path) -> None:
        """Take a file that was chosen, and may be replaced if it is there."""
        self.path_field.setText(str(path))
        self._take_name(path.name)
        self._agreed = self.path

    @Slot()
    def accept(self) -> None:
        """Export, unless something is in the way."""
        path, choice = self.path, self.choice
        if self._session.runner.busy or not choice.can_be_written:
            return
        try:
            check_target(path)
        except UserError as error:
            self.problem.setText(str(error))
            self.problem.show()
            return
        if path.exists() and path != self._agreed and not self._may_replace(path):
            return
        super().accept()

    def _may_replace(self, path: Path) -> bool:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("There is such a file")
        box.setText(f"{path.name} is there already.")
        box.setInformativeText("Replace it?")
        replaces = box.addButton("Replace", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(replaces)
        box.exec()
        return box.clickedButton() is replaces

    @Slot()
    def refresh(self) -> None:
        """Show the formats with what is known of them now."""
        busy, job = self._session.runner.busy, self._session.runner.job
        measuring = busy and job is not None and job.name == FORMATS_JOB
        row, self._choices = self._row, tuple(choices(self._session))
        if not self._choices:
            self.reject()
            return
        blocker = QSignalBlocker(self.table)
        while self.table.topLevelItemCount() > len(self._choices):
            self.table.takeTopLevelItem(len(self._choices))
        for number, choice in enumerate(self._choices):
            item = self.table.topLevelItem(number)
            if item is None:
                item = QTreeWidgetItem()
                item.setSizeHint(0, QSize(0, ROW_HEIGHT))
                self.table.addTopLevelItem(item)
            for column, text in enumerate(choice.cells):
                item.setText(column, text)
                if column >= FIRST_NUMBER:
                    item.setTextAlignment(column, RIGHT)
        if row >= 0:
            self._go_to(min(row, len(self._choices) - 1))
        del blocker
        rows = min(len(self._choices), ROWS_SHOWN)
        self.table.setMinimumHeight(
            self.table.header().sizeHint().height()
            + rows * ROW_HEIGHT
            + 2 * self.table.frameWidth()
            + 4
        )
        self.measure_button.setEnabled(not busy)
        self.status.setVisible(measuring)
        self._show_choice()

    @property
    def _row(self) -> int:
        item = self.table.currentItem()
        return -1 if item is None else self.table.indexOfTopLevelItem(item)

    def _go_to(self, row: int) -> None:
        item = self.table.topLevelItem(row)
        if item is not None:
            self.table.setCurrentItem(item)

    def _show_choice(self) -> None:
        choice = self.choice
        if choice.format.name == NETS:
            text = NETS_LOSE if choice.can_be_written else f"{NETS_LOSE} {NOT_MADE}"
        else:
            text = choice.format.loses or WHOLE
        if self._session.own_camera is not None and not choice.format.keeps_camera:
            text += CAMERA_LOST
        self.loses.setText(text)
        self.export_button.setEnabled(choice.can_be_written and not self._session.runner.busy)

    @Slot()
    def _take_row(self) -> None:
        """Another format was chosen: the name ends accordingly."""
        self.problem.hide()
        self._show_choice()
        path = Path(self.path_field.text().strip())
        name = path.name.removesuffix(_ending(path.name)) + self.choice.suffix
        self.path_field.setText(str(path.with_name(name)) if path.name else name)

    @Slot(str)
    def _take_name(self, text: str) -> None:
        """Another name was given: its ending chooses the format."""
        self.problem.hide()
        ending = _ending(text.strip()).lower()
        rows = [row for row, one in enumerate(self._choices) if one.suffix == ending]
        if rows and self.choice.suffix != ending:
            blocker = QSignalBlocker(self.table)
            self._go_to(rows[0])
            del blocker
            self._show_choice()


def _ending(name: str) -> str:
    """The longest ending of a name that is a format's, as it is written; empty without one."""
    endings = [suffix for known in FORMATS for suffix in known.suffixes if suffix.startswith(".")]
    length = max((len(one) for one in endings if name.lower().endswith(one)), default=0)
    return name[len(name) - length :]
