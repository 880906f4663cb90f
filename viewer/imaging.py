"""An image in the window as Gaussians: opening it, hiding patches of it, depth, and refining."""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage
from torch import Tensor

from core.cameras import View
from core.editing import Document, Revision
from core.editing.changes import at_depths, depths_of
from core.errors import UserError
from core.formats import Loaded
from core.gmae.folder import MAX_PIXELS, prepared, read_image, square
from core.gmae.images import (
    ImageSource,
    PictureQuality,
    describe_image,
    drawn_out,
    hide_patches,
    measure_picture,
)
from core.gmae.model import GaussianAutoencoder
from core.gmae.models import find_model
from core.gmae.refining import Refined, refine_image
from core.gmae.weights import load_model
from core.images import save_image
from core.jobs import FINISHED, Job, Progress, Steps
from core.scene import GaussianScene
from viewer.layout import settings
from viewer.memory import same
from viewer.steps import Opened, ready_scores

if TYPE_CHECKING:
    from viewer.session import Session

JOB = "Refine image"
MODEL_KEY = "image/model"
PASTED = "Pasted image"
PHOTO_PX = 512
"""The photo is compared with at most so large a side; the model sees less."""

Read = Callable[[int], Image.Image]
"""Reads an image; its shorter side need not be longer than a number of pixels."""


class Imaging(QObject):
    """Makes documents of images, and changes them as only images can be.

    Lives on the window's thread. What a person drags is only drawn until it is let go: then it is
    one edit. ``changed`` tells of another image or model, of another state of the same, and of what
    is only drawn.
    """

    changed = Signal()

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self._sources: dict[Revision, ImageSource] = {}
        self._loaded: tuple[Path, int, GaussianAutoencoder, dict[str, Any]] | None = None
        self._asked: tuple[str, Path | None, Read] | None = None
        self._current: tuple[str, Path | None, Read] | None = None
        self._folder: Path | None = None
        self._number = 0
        self._job: Job | None = None
        self._show_partial: Callable[[Refined], None] = lambda _: None
        self._preview: ImageSource | None = None
        self._hiding: object = None
        self._measured: tuple[GaussianScene, Tensor, ImageSource] | None = None
        self.quality: PictureQuality | None = None
        """How near the living Gaussians are to the image; None until that is measured."""
        self.psnr: float | None = None
        """What the running refinement has reached, dB."""
        session.scene_changed.connect(self._follow)
        session.state_changed.connect(self._measure)
        session.runner.progressed.connect(self._read)

    # What there is

    @property
    def source(self) -> ImageSource | None:
        """The image that the document's scene was made of; None where it is another scene."""
        document = self._session.document
        revision = None if document is None else document.contents.revision
        while revision is not None and revision not in self._sources:
            revision = revision.parent
        return None if revision is None else self._sources[revision]

    @property
    def shown(self) -> ImageSource | None:
        """What is drawn: the source, or what a person drags at the moment."""
        return self.source if self._preview is None else self._preview

    @property
    def running(self) -> bool:
        """Whether a refinement runs."""
        return self._job is not None and self._job.state not in FINISHED

    @property
    def hiding(self) -> bool:
        """Whether other patches are asked to be hidden, and are not yet."""
        return self._hiding is not None

    @property
    def model_file(self) -> Path | None:
        """The model that images are described with; None for the one that comes along."""
        stored = str(settings().value(MODEL_KEY, "") or "")
        return Path(stored) if stored else None

    # Opening

    def open(self, path: Path) -> None:
        """Make an image's middle square a scene; runs as a job."""
        self._open(path.name, path, lambda side: read_image(path, side))

    def paste(self, image: QImage) -> None:
        """The same with an image that is in no file."""
        self._open(PASTED, None, lambda side: _from_qt(image, side))

    def use_model(self, path: Path | None) -> None:
        """Describe images with another model from now on, the open one at once."""
        settings().setValue(MODEL_KEY, "" if path is None else str(path))
        if self.source is not None and self._current is not None:
            self._open(*self._current)
        self.changed.emit()

    def _open(self, name: str, path: Path | None, read: Read) -> None:
        if not self._session.runner.busy:
            self._asked = (name, path, read)
        self._session.begin(f"Open {name}", self._steps(name, path, read, self.model_file))

    def _steps(
        self, name: str, path: Path | None, read: Read, model_file: Path | None
    ) -> Steps[Opened]:
        yield Progress(0, 3, "reading the model")
        file = find_model(model_file)
        model, notes = self._model(file)
        yield Progress(1, 3, f"reading {name}")
        image = read(2 * model.config.size)
        source = describe_image(model, notes, image, name, path, file.stem)
        scene = source.scene()
        yield Progress(2, 3, "scoring")
        scores = yield from ready_scores(scene)
        photo = read(PHOTO_PX)
        side = min(photo.size)
        view = View(source.camera.resized(side, side), self._save(square(photo, side)))
        bytes_ = 0 if path is None else path.stat().st_size
        loaded = Loaded(scene, "image", (), bytes_)
        return Opened(path, loaded, None, scores, None, (view,), source)

    def _model(self, file: Path) -> tuple[GaussianAutoencoder, dict[str, Any]]:
        stamp = file.stat().st_mtime_ns
        if self._loaded is None or self._loaded[:2] != (file, stamp):
            self._loaded = (file, stamp, *load_model(file))
        return self._loaded[2:]

    def _save(self, square: Tensor) -> Path:
        """A square as a file, for all that compares with photos; gone when the window is."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="splatscope-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._number += 1
        photo = self._folder / f"{self._number}.png"
        save_image(square.permute(1, 2, 0), photo)
        return photo

    def adopt(self, document: Document, source: ImageSource) -> None:
        """A document that is going to be open was made of an image."""
        self._sources = {document.contents.revision: source}
        self._current = self._asked

    def begin(self) -> None:
        """Another document is there, made of an image or not; before that is announced."""
        self._preview = self._hiding = self._measured = None
        self.quality = self.psnr = self._job = None
        self._measure()
        self.changed.emit()

    def shut_down(self) -> None:
        """Remove what was written."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    # Changes that only images know

    def hide(self, ratio: float, seed: int, final: bool = True) -> None:
        """Have the model see a part of the image only; only drawn unless ``final``."""
        source, document = self.source, self._session.document
        if source is None or document is None or self._loaded is None or document.locked:
            return
        model, revision = self._loaded[2], document.contents.revision
        asked = self._hiding = object()

        def describe() -> tuple[ImageSource, GaussianScene]:
            made = hide_patches(source, model, ratio, seed)
            return made, made.scene()

        def take(made: tuple[ImageSource, GaussianScene]) -> None:
            if self._session.document is not document:
                return
            if self._hiding is asked:
                self._hiding = None
            if final:
                self._end_preview()
            if document.contents.revision is not revision or document.locked:
                return
            if not final:
                self._show(document, *made)
            elif (ratio, seed) != (source.mask_ratio, source.seed):
                hidden = f"Hide {ratio:.0%} of the image, seed {seed}"
                name = hidden if ratio else "Show the whole image"
                self._change(document, made[1].tensors(), made[0], name)

        self._session.asker.ask("image-mask", describe, take)

    def exaggerate(self, factor: float, final: bool = True) -> None:
        """Draw depth out, or flatten it, so that the camera's picture stays; see :meth:`hide`."""
        source, document = self.source, self._session.document
        if source is None or document is None or document.locked:
            return
        made = replace(source, exaggeration=factor)
        values = drawn_out(document.scene, source.camera, factor / source.exaggeration)
        if not final:
            self._show(document, made, document.scene.with_tensors(values))
            return
        self._end_preview()
        if factor != source.exaggeration:
            self._change(document, values, made, f"Exaggerate depth {factor:.2g} times")

    def refine(self, steps: int) -> None:
        """Fit the living Gaussians to the image; depths stay, so the layers do. Runs as a job."""
        session, source, document = self._session, self.source, self._session.document
        if source is None or document is None or session.runner.busy:
            return
        alive = document.alive
        depths = depths_of(document.scene, alive, source.camera).unsqueeze(0).cpu()
        fitting = refine_image(
            source.outputs[:, alive], source.pixels, source.config, steps, depths=depths
        )

        def scene_by(refined: Refined) -> GaussianScene:
            return _fitted(document.scene, alive, source, refined.outputs)

        def take(refined: Refined) -> None:
            self._stop(document)
            outputs = source.outputs.clone()
            outputs[:, alive] = refined.outputs
            made = replace(source, outputs=outputs, refined=source.refined + steps)
            before = document.contents, document.visible
            self._change(document, scene_by(refined).tensors(), made, JOB, alive)
            session.compare.remember(*before, "Before refining the image")
            session.notified.emit(
                "info", f"Refined: {refined.psnr:.1f} dB. Undo brings the model's own back."
            )

        def show(partial: Refined) -> None:
            drawn = document.visible if session.drawn is None else session.drawn
            session.show_live(scene_by(partial).select(drawn[alive]))

        document.locked = True
        self._show_partial = show
        self._job = session.runner.start(
            JOB, fitting, take, stopped=lambda _partial: self._stop(document)
        )
        self.changed.emit()

    @Slot(Progress)
    def _read(self, progress: Progress) -> None:
        job = self._job
        if job is None or not self.running or self._session.runner.job is not job:
            return
        self.psnr = progress.values.get("psnr", self.psnr)
        if isinstance(job.partial, Refined):
            self._show_partial(job.partial)
        self.changed.emit()

    def _stop(self, document: Document) -> None:
        self._job = self.psnr = None
        document.locked = False
        self._session.show_live(None)
        self.changed.emit()

    def _change(
        self,
        document: Document,
        values: dict[str, Tensor],
        source: ImageSource,
        name: str,
        mask: Tensor | None = None,
    ) -> None:
        """Give Gaussians values that come with another state of the image, as one edit."""
        if mask is None:
            mask = torch.ones(len(document.scene), dtype=torch.bool)
        before = document.contents.revision
        document.change(mask, values, name)
        if document.contents.revision is not before:
            self._sources[document.contents.revision] = source
            self._follow()

    def _show(self, document: Document, source: ImageSource, scene: GaussianScene) -> None:
        self._preview = source
        drawn = self._session.drawn
        self._session.show_live(scene.select(document.visible if drawn is None else drawn))
        self.changed.emit()

    def _end_preview(self) -> None:
        if self._preview is not None:
            self._preview = None
            self._session.show_live(None)
            self.changed.emit()

    # How good it is

    @Slot()
    def _follow(self) -> None:
        self._measure()
        self.changed.emit()

    @Slot()
    def _measure(self) -> None:
        """Measure the living Gaussians against the image, off this thread."""
        document, source = self._session.document, self.source
        if document is None or source is None:
            self.quality = self._measured = None
            return
        scene, alive = document.scene, document.alive
        wanted = scene, alive, source
        if self._measured is not None and all(map(same, self._measured, wanted)):
            return
        self._measured = wanted

        def take(quality: PictureQuality) -> None:
            if self._measured is wanted:
                self.quality = quality
                self.changed.emit()

        self._session.asker.ask(
            "image-quality", lambda: measure_picture(scene, alive, source), take
        )


def _fitted(
    scene: GaussianScene, alive: Tensor, source: ImageSource, outputs: Tensor
) -> GaussianScene:
    """The living Gaussians after fitting, at the depths where they are in the scene."""
    made = replace(source, outputs=outputs).scene()
    everything = torch.ones(len(made), dtype=torch.bool)
    depths = depths_of(scene, alive, source.camera).cpu()
    return made.with_tensors(at_depths(made, everything, source.camera, depths))


def _from_qt(image: QImage, side: int) -> Image.Image:
    """An image of Qt as Pillow's, as :func:`core.gmae.folder.prepared` makes it."""
    if image.width() * image.height() > MAX_PIXELS:
        raise UserError("The pasted image is too large.", "Scale or crop it.")
    plain = image.convertToFormat(QImage.Format.Format_RGBA8888)
    size = plain.width(), plain.height()
    line = plain.bytesPerLine()
    pixels = Image.frombytes("RGBA", size, bytes(plain.constBits()), "raw", "RGBA", line)
    return prepared(pixels, side)
