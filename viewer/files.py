"""Opening, attaching, exporting and taking pictures: the dialogs around the session's files."""

from collections.abc import Callable, Sequence
from enum import Enum
from importlib.resources import files as package_files
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QSize, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QMessageBox, QSplitter, QTreeView, QWidget

from core.errors import UserError
from core.formats import FORMATS, Format, find_scene
from core.images import READABLE, is_image
from core.jobs import JobState
from core.trials import Trial
from viewer.export_dialog import Choice, ExportDialog
from viewer.layout import settings
from viewer.session import Session, is_dataset
from viewer.viewport.viewport import Viewport
from viewer.widgets.screenshot_dialog import ScreenshotDialog

Then = Callable[[], object]
PLACES_WIDTH, COLUMN_WIDTHS = 150, (320, 90, 110, 160)


class Answer(Enum):
    """What a person wants done with changes that are not exported."""

    PROCEED = "proceed"
    EXPORT = "export"
    CANCEL = "cancel"


class FileCommands(QObject):
    """What the File menu does. Dialogs are for decisions only; results come as messages.

    ``measure_asked``: a person wants all formats tried before exporting.
    """

    measure_asked = Signal()

    def __init__(self, window: QWidget, session: Session, viewport: Viewport) -> None:
        super().__init__(window)
        self._window, self._session, self._viewport = window, session, viewport
        self.asks_before_discarding = True
        self._then: Then | None = None
        self._watched = False
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._check_file)
        session.document_replaced.connect(self._watch)
        session.exported.connect(self._stop_watching)
        session.history_changed.connect(self._go_on)
        session.runner.changed.connect(self._give_up)

    def ask_scene(self) -> None:
        """Let a person choose a scene, and open it."""
        dialog = self._dialog("Open Scene", _load_filters())
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.open(Path(name)))
        dialog.open()

    def ask_image(self) -> None:
        """Let a person choose an image, and make it Gaussians."""
        dialog = self._dialog("Open Image as Gaussians", [_image_filter(), "All files (*)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.open_image(Path(name)))
        dialog.open()

    def open_image(self, path: Path) -> None:
        """Make an image Gaussians, whatever it is called."""
        self.guard(lambda: self._session.imaging.open(path))

    def paste_image(self) -> None:
        """Make the image in the clipboard Gaussians, or the image file that was copied."""
        data = QGuiApplication.clipboard().mimeData()
        paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        copied = next((path for path in paths if is_image(path)), None)
        if copied is not None:
            self.open_image(copied)
            return
        image = QGuiApplication.clipboard().image()
        if image.isNull():
            self._session.notified.emit(
                "warning", "There is no image in the clipboard. Copy one, or an image file, first."
            )
        else:
            self.guard(lambda: self._session.imaging.paste(image))

    def ask_model(self) -> None:
        """Let a person choose a model that describes images."""
        dialog = self._dialog("Choose a Model", ["Models (*.safetensors)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.use_model(Path(name)))
        dialog.open()

    def use_model(self, path: Path | None) -> None:
        """Describe images with another model; an open one is made anew, so that edits are lost."""
        imaging = self._session.imaging
        if imaging.source is None:
            imaging.use_model(path)
        else:
            self.guard(lambda: imaging.use_model(path))

    def ask_dataset(self) -> None:
        """Let a person choose a folder of posed photos, and attach it."""
        dialog = self._dialog("Attach Photos and Cameras", [])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
        dialog.fileSelected.connect(lambda name: self._session.open_dataset(Path(name)))
        dialog.open()

    def ask_scene_with_photos(self) -> None:
        """Let a person choose a folder that holds a scene and its photos, and open both."""
        dialog = self._dialog("Open a Scene with Its Photos", [])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
        dialog.fileSelected.connect(lambda name: self.open_folder(Path(name)))
        dialog.open()

    def ask_training(self) -> None:
        """Let a person choose a folder of posed photos, and begin a scene with their points."""
        dialog = self._dialog("Train from Photos", [])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
        dialog.fileSelected.connect(lambda name: self.train(Path(name)))
        dialog.open()

    def train(self, folder: Path) -> None:
        """Begin a scene with the points of photos; where one is trained already, ask which."""
        try:
            scene = find_scene(folder)
        except UserError:
            self.guard(lambda: self._session.open_photos(folder))
            return
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("There is a trained scene")
        box.setText(f"{folder.name} has a scene already: {scene.name}.")
        box.setInformativeText("Open it with its photos, or train another from their points?")
        opens = box.addButton("Open It", QMessageBox.ButtonRole.AcceptRole)
        trains = box.addButton("Train Another", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(opens)
        box.exec()
        if box.clickedButton() is opens:
            self.guard(lambda: self._session.open(scene, folder))
        elif box.clickedButton() is trains:
            self.guard(lambda: self._session.open_photos(folder))

    def open_folder(self, folder: Path) -> None:
        """Open the scene in a folder, with the photos and cameras there."""
        try:
            scene = find_scene(folder)
        except UserError as error:
            self._session.notified.emit("error", str(error))
        else:
            self.guard(lambda: self._session.open(scene, folder))

    def ask_export(self, then: Then | None = None) -> None:
        """Let a person choose where to export to; ``then`` runs once that is done."""
        document = self._session.document
        if document is None:
            return
        folder = _last_folder()
        name = "scene"
        if document.path is not None:
            ending = "_pruned" if document.modified else "_copy"
            image = self._session.imaging.source is not None
            name = f"{document.path.stem}{'' if image else ending}"
            if document.path.parent.is_dir():
                folder = document.path.parent
        dialog = ExportDialog(self._session, folder / name, self._window)
        self._then = then
        dialog.measure_asked.connect(self.measure_asked)
        dialog.browse_asked.connect(lambda: self._browse(dialog))
        dialog.accepted.connect(lambda: self._export(dialog.path, dialog.choice))
        dialog.rejected.connect(self._forget)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _browse(self, export: ExportDialog) -> None:
        """Let a person look for the place of an export."""
        dialog = self._dialog("Export to", [_filter(export.choice.format)])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(export.choice.suffix.lstrip("."))
        dialog.setDirectory(str(export.path.parent))
        dialog.selectFile(export.path.name)
        dialog.fileSelected.connect(lambda name: export.agree(Path(name)))
        dialog.open()

    def _export(self, path: Path, choice: Choice) -> None:
        _remember_folder(str(path))
        if choice.format.is_saved:
            self._session.export(path)
        elif choice.trial is not None:
            self._forget()
            self._session.compressing.save(choice.trial, path)

    def ask_trial(self, trial: Trial) -> None:
        """Let a person choose where to save the file that a trial measured."""
        document = self._session.document
        known = next(known for known in FORMATS if known.name == trial.format)
        dialog = self._dialog("Save Trial", [_filter(known)])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(known.suffixes[0].lstrip("."))
        path = None if document is None else document.path
        dialog.selectFile(f"{path.stem if path else 'scene'}{known.suffixes[0]}")
        dialog.fileSelected.connect(lambda name: self._session.compressing.save(trial, Path(name)))
        dialog.open()

    def ask_csv(self, save: Callable[[Path], object]) -> None:
        """Let a person choose where ``save`` writes the table of figures."""
        path = None if self._session.document is None else self._session.document.path
        dialog = self._dialog("Save Table", ["Table (*.csv)"])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(f"{path.stem if path else 'scene'}_metrics.csv")
        dialog.fileSelected.connect(lambda name: save(Path(name)))
        dialog.open()

    def ask_truth(
        self, title: str, suffixes: Sequence[str], take: Callable[[Path], object]
    ) -> None:
        """Let a person choose a file of what is true, white on black."""
        kinds = " ".join(f"*{suffix}" for suffix in suffixes)
        dialog = self._dialog(title, [f"Pictures ({kinds})", "All files (*)"])
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: take(Path(name)))
        dialog.open()

    def ask_mask(self, save: Callable[[Path], object]) -> None:
        """Let a person choose where ``save`` writes the figure's mask."""
        path = None if self._session.document is None else self._session.document.path
        dialog = self._dialog("Save Mask", ["PNG image (*.png)"])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.selectFile(f"{path.stem if path else 'scene'}_figure.png")
        dialog.fileSelected.connect(lambda name: save(Path(name)))
        dialog.open()

    def ask_folder(self, title: str, take: Callable[[Path], object]) -> None:
        """Let a person choose a folder to write to."""
        dialog = self._dialog(title, [])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
        dialog.fileSelected.connect(lambda name: take(Path(name)))
        dialog.open()

    def ask_screenshot(self) -> None:
        """Let a person choose the size of a picture of the viewport, and where to save it."""
        camera = self._viewport.camera()
        dialog = ScreenshotDialog(QSize(camera.width, camera.height), self._window)
        dialog.chosen.connect(self._ask_picture_file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_picture_file(self, size: QSize) -> None:
        path = None if self._session.document is None else self._session.document.path
        dialog = self._dialog("Save Screenshot", ["PNG image (*.png)", "JPEG image (*.jpg)"])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.selectFile(f"{path.stem if path else 'scene'}.png")
        dialog.fileSelected.connect(lambda name: self.save_screenshot(size, Path(name)))
        dialog.open()

    def save_screenshot(self, size: QSize, path: Path) -> None:
        """Draw the present view anew at a size in pixels, and save it."""
        try:
            self._viewport.render_picture(
                size.width(), size.height(), lambda image: self._save_picture(image, path)
            )
        except UserError as error:
            self._session.notified.emit("error", str(error))

    def open(self, path: Path) -> None:
        """Open what was chosen, dropped or named; asks first where a changed scene would go."""
        if path.is_dir() and self._session.document is None:
            self.open_folder(path)
        elif is_dataset(path):
            self._session.open_any(path)
        else:
            self.guard(lambda: self._session.open_any(path))

    def open_dropped(self, paths: Sequence[Path]) -> None:
        """Open files dropped together: a scene and its photos and cameras, or the first of many."""
        scenes = [path for path in paths if not is_dataset(path)]
        datasets = [path for path in paths if is_dataset(path)]
        paired = datasets[:1] if not (scenes and is_image(scenes[0])) else []
        used = scenes[:1] + paired
        if len(used) < len(paths):
            names = " and ".join(path.name for path in used)
            self._session.notified.emit(
                "warning", f"One scene at a time: opening {names} of {len(paths)} dropped files."
            )
        if scenes and paired:
            self.guard(lambda: self._session.open(scenes[0], datasets[0]))
        elif used:
            self.open(used[0])

    def open_demo(self) -> None:
        """Open the scene that comes along, with its photos and cameras."""
        folder = Path(str(package_files("resources") / "demo"))
        self.guard(lambda: self._session.open(folder / "demo.ply", folder))

    def guard(self, then: Then) -> None:
        """Do ``then``, unless a person wants to keep changes that it would lose."""
        answer = self.unsaved_answer()
        if answer == Answer.PROCEED:
            then()
        elif answer == Answer.EXPORT:
            self.ask_export(then)

    def unsaved_answer(self) -> Answer:
        """Ask what to do with changes that are not exported; PROCEED where there are none."""
        document = self._session.document
        if not self.asks_before_discarding:
            return Answer.PROCEED
        if self._session.compressing.unsaved and not self._gives_nets_up():
            return Answer.CANCEL
        if document is None or not (document.modified or self._file_lost):
            return Answer.PROCEED
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Changes are not exported")
        name = document.path.name if document.path else "The scene"
        lost = "is no longer on disk" if self._file_lost else "has changes that are not exported"
        box.setText(f"{name} {lost}.")
        box.setInformativeText("They are lost if you go on without exporting.")
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)
        box.button(buttons.Save).setText("Export…")
        chosen = box.exec()
        if chosen == buttons.Save:
            return Answer.EXPORT
        return Answer.PROCEED if chosen == buttons.Discard else Answer.CANCEL

    def _gives_nets_up(self) -> bool:
        """Ask whether nets that are in no file may be lost."""
        count = self._session.compressing.unsaved
        buttons = QMessageBox.StandardButton
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Nets are not saved")
        what = "A scene compressed into nets is" if count == 1 else f"{count} trials with nets are"
        box.setText(f"{what} in no file yet.")
        box.setInformativeText("Save them in the Compress panel, or go on without.")
        box.setStandardButtons(buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Cancel)
        return bool(box.exec() == buttons.Discard)

    def _dialog(self, title: str, filters: list[str]) -> QFileDialog:
        dialog = QFileDialog(self._window, title, str(_last_folder()))
        dialog.resize(900, 560)
        _make_columns_legible(dialog)
        if filters:
            dialog.setNameFilters(filters)
        dialog.fileSelected.connect(_remember_folder)
        dialog.finished.connect(dialog.deleteLater)
        return dialog

    @property
    def _file_lost(self) -> bool:
        document = self._session.document
        path = None if document is None else document.path
        return path is not None and bool(self._watched) and not path.exists()

    @Slot()
    def _watch(self) -> None:
        if self._watcher.files():
            self._watcher.removePaths(self._watcher.files())
        document = self._session.document
        self._watched = document is not None and document.path is not None
        if document is not None and document.path is not None:
            self._watcher.addPath(str(document.path))

    @Slot()
    def _stop_watching(self) -> None:
        self._watched = False
        if self._watcher.files():
            self._watcher.removePaths(self._watcher.files())

    @Slot(str)
    def _check_file(self, name: str) -> None:
        if Path(name).exists():
            self._watcher.addPath(name)
        else:
            self._session.notified.emit(
                "warning",
                f"{Path(name).name} was removed from disk. The scene stays open: "
                "export it to keep it.",
            )

    def _save_picture(self, picture: QImage, path: Path) -> None:
        if picture.save(str(path)):
            self._session.notified.emit("info", f"Saved {path.name}.")
        else:
            self._session.notified.emit(
                "error", f"Cannot save {path}. Choose another folder, or end the name in .png."
            )

    @Slot()
    def _go_on(self) -> None:
        document = self._session.document
        if self._then is not None and document is not None and not document.modified:
            then, self._then = self._then, None
            then()

    @Slot()
    def _give_up(self) -> None:
        job = self._session.runner.job
        if job is not None and job.state in (JobState.FAILED, JobState.CANCELLED):
            self._then = None

    @Slot()
    def _forget(self) -> None:
        self._then = None


def _make_columns_legible(dialog: QFileDialog) -> None:
    """Room for sizes, kinds and dates, and for the names of places, in Qt's own dialog."""
    table, halves = dialog.findChild(QTreeView, "treeView"), dialog.findChild(QSplitter, "splitter")
    if table is not None and halves is not None:
        halves.setSizes([PLACES_WIDTH, dialog.width() - PLACES_WIDTH])
        for column, width in enumerate(COLUMN_WIDTHS):
            table.header().resizeSection(column, width)


def _last_folder() -> Path:
    return Path(str(settings().value("folder", "") or Path.home()))


def _remember_folder(name: str) -> None:
    settings().setValue("folder", str(Path(name).parent))


def _image_filter() -> str:
    return f"Images ({' '.join(_pattern(suffix) for suffix in READABLE)})"


def _load_filters() -> list[str]:
    suffixes = sorted({suffix for known in FORMATS for suffix in known.suffixes})
    every = " ".join(_pattern(suffix) for suffix in suffixes)
    filters = [_filter(known) for known in FORMATS if known.suffixes]
    return [f"Scenes ({every})", *filters, _image_filter(), "All files (*)"]


def _filter(known: Format) -> str:
    return f"{known.title} ({' '.join(_pattern(suffix) for suffix in known.suffixes)})"


def _pattern(suffix: str) -> str:
    return f"*{suffix}" if suffix.startswith(".") else suffix
