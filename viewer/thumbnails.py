"""Small pictures of scenes that were open, for the list of recent files."""

import hashlib
import logging
import os
from pathlib import Path

from platformdirs import user_cache_path
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QImage

log = logging.getLogger(__name__)

WIDTH, HEIGHT = 160, 100
PIXEL_RATIO = 2
"""Stored pixels per logical pixel of the size above, so that they are sharp on fine displays."""
MAX_KEPT = 50


def thumbnail_folder() -> Path:
    """Where the pictures lie."""
    return user_cache_path("splatscope", appauthor=False) / "thumbnails"


def thumbnail_path(path: Path) -> Path:
    """Where the picture of a scene lies, whether there is one or not.

    It changes with the file: a scene that was written anew has no picture yet.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    name = hashlib.sha256(f"{path.resolve()}\0{changed}".encode(errors="surrogateescape"))
    return thumbnail_folder() / f"{name.hexdigest()[:32]}.png"


def save_thumbnail(path: Path, picture: QImage) -> bool:
    """Keep the middle of a picture as the thumbnail of a scene; whether that could be done.

    Only the newest ``MAX_KEPT`` are kept. A thumbnail is a comfort: failing is not an error.
    """
    if picture.isNull():
        return False
    target = thumbnail_path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(f".{os.getpid()}.part")
        saved = _cropped(picture).save(str(unfinished), "PNG")  # type: ignore[call-overload]
        if saved:
            unfinished.replace(target)
        else:
            unfinished.unlink(missing_ok=True)
        _forget_old(target.parent)
    except OSError as error:
        log.info("no thumbnail for %s: %s", path, error)
        return False
    return bool(saved)


def load_thumbnail(path: Path) -> QImage | None:
    """The thumbnail of a scene, None where there is none."""
    stored = thumbnail_path(path)
    picture = QImage(str(stored)) if stored.is_file() else QImage()
    if picture.isNull():
        return None
    picture.setDevicePixelRatio(PIXEL_RATIO)
    return picture


def _cropped(picture: QImage) -> QImage:
    size = picture.size()
    width, height = WIDTH * PIXEL_RATIO, HEIGHT * PIXEL_RATIO
    scale = max(width / size.width(), height / size.height())
    part = QRect(0, 0, max(1, round(width / scale)), max(1, round(height / scale)))
    part.moveCenter(picture.rect().center())
    plain = picture.copy(part)
    plain.setDevicePixelRatio(1)
    return plain.scaled(
        width,
        height,
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )


def _forget_old(folder: Path) -> None:
    kept = sorted(folder.glob("*.png"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    for file in kept[MAX_KEPT:]:
        file.unlink(missing_ok=True)
