"""Layers on disk: pictures with alpha, the figure's mask, scenes, and the peel as an animation."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.cameras import Camera
from core.errors import UserError
from core.files import check_target, replacing
from core.formats import save_scene
from core.gmae.figure_ground import Polarity, figure_depth, part_figure
from core.gmae.layers import Show, draw_layer, layer_rgba, shown
from core.images import save_image
from core.jobs import Progress, Steps
from core.scene import GaussianScene

ANIMATIONS = (".gif", ".mp4")
MOST_SIDE_PX = 4096
MOST_LAYERS = 512
MOST_ANIMATED_PIXELS = 400_000_000
"""Of all frames together: a GIF is written from frames in memory, a byte for each pixel."""
LAYER_COLUMN = "layer"
_UNSAFE = re.compile(r'[\s<>:"/\\|?*\x00-\x1f]+')
"""What not every system has in names of files, and spaces."""
_LONGEST_NAME = 60
_CODEC = "mp4v"

_Written = tuple[str, list[Path]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write of a scene's layers.

    Attributes
    ----------
    pictures
        Each layer alone, and all up to it from the near end, as PNG with alpha.
    masks
        8-bit PNGs: the figure, 255 where it is and 0 on the ground, and the coverage of each layer.
    scenes
        Each layer as a PLY file; one without Gaussians has none.
    labelled
        All layers as one PLY file, with their numbers from 1 in a column.
    animation
        A .gif or .mp4 file of the peel.
    show
        What a step of the animation draws.
    background
        What is behind the animation.
    seconds
        How long a step of the animation stays.
    threshold, polarity
        What the mask takes for the figure; Otsu's threshold where it is None.
    """

    pictures: bool = True
    masks: bool = False
    scenes: bool = False
    labelled: bool = False
    animation: Path | None = None
    show: Show = Show.NEAREST
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    seconds: float = 0.25
    threshold: float | None = None
    polarity: Polarity = Polarity.FAR

    def check(self, camera: Camera, count: int, folder: Path) -> None:
        """Refuse what would be too large or could not be written, before any work is done.

        ``folder`` need not be there.

        Raises
        ------
        UserError
            If the pictures, their number or the animation are out of bounds, or the animation has
            a name of another kind.
        """
        if not 1 <= count <= MOST_LAYERS:
            raise UserError(
                f"{count:,} layers cannot be written.", f"Choose 1 to {MOST_LAYERS} layers."
            )
        if max(camera.width, camera.height) > MOST_SIDE_PX:
            raise UserError(
                f"Pictures of {camera.width:,} x {camera.height:,} pixels are too large.",
                f"Choose at most {MOST_SIDE_PX:,} pixels a side.",
            )
        if self.animation is None:
            return
        check_animation(self.animation)
        if self.animation.parent != folder or folder.exists():
            check_target(self.animation)
        if count * camera.width * camera.height > MOST_ANIMATED_PIXELS:
            raise UserError(
                f"An animation of {count:,} frames of {camera.width:,} x {camera.height:,} pixels "
                "is too large.",
                "Choose fewer layers or a smaller size.",
            )


def check_animation(path: Path) -> None:
    """Refuse a name that is not an animation's."""
    if path.suffix.lower() not in ANIMATIONS:
        raise UserError(
            f"{path.name} is not an animation's name.", f"Use one of {', '.join(ANIMATIONS)}."
        )


def export_camera(camera: Camera, size: int) -> Camera:
    """The same view with ``size`` pixels along its longer side."""
    factor = size / max(camera.width, camera.height)
    sides = (max(1, round(side * factor)) for side in (camera.width, camera.height))
    return camera.resized(*sides)


def own_folder(name: str) -> str:
    """What a folder for the layers of a scene of that name, without an ending, is called."""
    plain = _UNSAFE.sub("_", name)[:_LONGEST_NAME].strip("._")
    return f"{plain or 'scene'}_layers"


def free_folder(parent: Path, name: str) -> Path:
    """Where nothing is yet: a folder in another, with a number from 2 where the name is taken.

    An empty folder is as good as none. It is not made.

    Raises
    ------
    UserError
        If there is no folder ``parent``.
    """
    if not os.access(parent, os.F_OK):
        raise UserError(f"There is no folder {parent}.", "Choose another folder.")
    folder, number = parent / name, 1
    while _is_taken(folder):
        number += 1
        folder = parent / f"{name}_{number}"
    return folder


def _is_taken(folder: Path) -> bool:
    """Whether there is a file of that name, or something in a folder."""
    if not os.path.lexists(folder):
        return False
    try:
        return any(folder.iterdir())
    except OSError:
        return True


def export_layers(
    scene: GaussianScene,
    camera: Camera,
    groups: Tensor,
    count: int,
    folder: Path,
    wanted: Wanted,
    keep: Tensor | None = None,
) -> Steps[tuple[Path, ...]]:
    """Write layers as a camera sees them; yields progress, returns the files in their order.

    Parameters
    ----------
    groups
        The layer of every Gaussian, 0 the nearest, int64 ``(N,)``; those outside 0..count-1 are in
        none of them.
    count
        Number of layers.
    folder
        Where to; it is made where there is none. The animation goes where its own name says.
    keep
        The Gaussians that are there at all, bool ``(N,)``; None for all.

    Raises
    ------
    UserError
        See :meth:`Wanted.check`; or if the files cannot be written, or nothing can write an MP4.
    """
    wanted.check(camera, count, folder)
    layered = (groups >= 0) & (groups < count)
    peel = _Peel(scene, camera, groups, count, layered if keep is None else keep & layered)
    parts: list[tuple[int, Iterator[_Written]]] = []
    animated = wanted.animation is not None and wanted.animation.parent == folder
    if wanted.pictures or wanted.masks or wanted.scenes or wanted.labelled or animated:
        make_folder(folder)
    if wanted.pictures:
        parts.append((count, _pictures(peel, folder)))
    if wanted.masks:
        parts.append((1 + count, _masks(peel, folder, wanted)))
    if wanted.scenes:
        parts.append((count, _scenes(peel, folder)))
    if wanted.labelled:
        parts.append((1, _labelled(peel, folder)))
    if wanted.animation is not None:
        parts.append((count, _animation(peel, wanted.animation, wanted)))
    files: list[Path] = []
    total = sum(steps for steps, _ in parts)
    for done, (message, paths) in enumerate(chain(*(part for _, part in parts)), 1):
        files += paths
        yield Progress(done, total, message)
    return tuple(files)


@dataclass(frozen=True, slots=True, eq=False)
class _Peel:
    """A scene in layers: ``groups`` int64 ``(N,)``, ``keep`` bool ``(N,)``."""

    scene: GaussianScene
    camera: Camera
    groups: Tensor
    count: int
    keep: Tensor

    def shown(self, step: int, show: Show) -> Tensor:
        """What a step draws, bool ``(N,)``."""
        return self.keep & shown(self.groups, step, self.count, show)

    def name(self, kind: str, step: int, suffix: str) -> str:
        """Of a layer's file; layers count from 1."""
        return f"{kind}_{step + 1:0{len(str(self.count))}}{suffix}"


def _pictures(peel: _Peel, folder: Path) -> Iterator[_Written]:
    for step in range(peel.count):
        paths = []
        for kind, show in (("layer", Show.SINGLE), ("from_near", Show.NEAREST)):
            paths.append(folder / peel.name(kind, step, ".png"))
            save_image(layer_rgba(peel.scene, peel.camera, peel.shown(step, show)), paths[-1])
        yield "Writing pictures", paths


def _masks(peel: _Peel, folder: Path, wanted: Wanted) -> Iterator[_Written]:
    depth = figure_depth(peel.scene.select(peel.keep), peel.camera)
    path = folder / "figure.png"
    save_mask(part_figure(depth, wanted.threshold, wanted.polarity).mask(depth), path)
    yield "Writing masks", [path]
    for step in range(peel.count):
        alpha = draw_layer(peel.scene, peel.camera, peel.shown(step, Show.SINGLE)).alpha
        path = folder / peel.name("coverage", step, ".png")
        _save_gray((alpha.cpu() * 255).round().clamp(0, 255), path)
        yield "Writing masks", [path]


def _scenes(peel: _Peel, folder: Path) -> Iterator[_Written]:
    for step in range(peel.count):
        layer, paths = peel.shown(step, Show.SINGLE), []
        if bool(layer.any()):
            paths = [folder / peel.name("layer", step, ".ply")]
            save_scene(peel.scene.select(layer), paths[0])
        yield "Writing scenes", paths


def _labelled(peel: _Peel, folder: Path) -> Iterator[_Written]:
    path = folder / "layers.ply"
    numbers = (peel.groups + 1).to(peel.scene.means)
    save_scene(peel.scene.with_columns({LAYER_COLUMN: numbers}).select(peel.keep), path)
    yield "Writing the scene", [path]


def _animation(peel: _Peel, path: Path, wanted: Wanted) -> Iterator[_Written]:
    with recording(path, wanted.seconds) as add:
        for step in range(peel.count):
            keep = peel.shown(step, wanted.show)
            add(_frame(draw_layer(peel.scene, peel.camera, keep, wanted.background).rgb))
            if step < peel.count - 1:
                yield "Drawing the animation", []
    yield "Writing the animation", [path]


def save_mask(mask: Tensor, path: Path) -> None:
    """Write a mask, bool ``(H, W)``, as an 8-bit grey PNG of 255 and 0."""
    _save_gray(mask.cpu() * 255, path)


def _save_gray(values: Tensor, path: Path) -> None:
    """Write values of 0 to 255, ``(H, W)``, as an 8-bit grey PNG."""
    with replacing(path) as file:
        Image.fromarray(values.to(torch.uint8).numpy()).save(file, format="PNG")


@contextmanager
def recording(path: Path, seconds: float) -> Iterator[Callable[[Image.Image], None]]:
    """What adds frames of one size to an endless GIF or to an MP4, by the name.

    The file is there once the block ends well.

    Raises
    ------
    UserError
        If the file cannot be written, or nothing here can write an MP4.
    """
    check_animation(path)
    if path.suffix.lower() == ".mp4":
        with _video(path, 1 / seconds) as add:
            yield add
        return
    frames: list[Image.Image] = []
    yield lambda frame: frames.append(
        frame.quantize(palette=frame.quantize(), dither=Image.Dither.FLOYDSTEINBERG)
    )
    with replacing(path) as file:
        frames[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=round(1000 * seconds),
            loop=0,
        )


@contextmanager
def _video(path: Path, rate: float) -> Iterator[Callable[[Image.Image], None]]:
    """An MP4. OpenCV wants a file's name, so it is made elsewhere and copied."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "animation.mp4"
        writer = cv2.VideoWriter()

        def add(frame: Image.Image) -> None:
            pixels = _even(np.asarray(frame))
            if not writer.isOpened():
                height, width = pixels.shape[:2]
                codec = cv2.VideoWriter.fourcc(*_CODEC)
                if not writer.open(str(made), codec, rate, (width, height)):
                    raise UserError(
                        "MP4 cannot be written here: OpenCV has no MPEG-4 encoder.",
                        "Choose a .gif file.",
                    )
            writer.write(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))

        try:
            yield add
        finally:
            writer.release()
        with made.open("rb") as source, replacing(path) as file:
            shutil.copyfileobj(source, file)


def _even(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture ``(H, W, 3)`` with its last row or column twice where a side is odd."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _frame(rgb: Tensor) -> Image.Image:
    return Image.fromarray((rgb.cpu() * 255).round().clamp(0, 255).to(torch.uint8).numpy())


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where there is none.

    Raises
    ------
    UserError
        If that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Cannot write to {folder}: {error.strerror or error}.", "Choose another folder."
        ) from error
