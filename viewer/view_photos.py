"""Small pictures of the photos of views, decoded off the window's thread."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from core.cameras import View
from core.datasets import load_photo
from core.errors import UserError
from viewer.asking import Asker

LONGEST_PX = 160
"""Twice what a row of the cameras panel shows, for screens with twice the pixels."""
MOST = 400


class PhotoState(StrEnum):
    """Whether a view's photo can be shown."""

    THERE = "there"
    NONE = "none"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class ViewPhotos(QObject):
    """Photos of views; the ones asked for last are kept.

    One photo is decoded at a time, always the first of those that are wanted at that moment, so
    that scrolling past a thousand rows leaves no queue behind.
    """

    came = Signal(object, str)
    """A view whose photo was decoded, and a :class:`PhotoState`."""
    failed = Signal(object)
    """What should not have happened."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asker = Asker()
        self._asker.failed.connect(self._fail)
        self._pictures: OrderedDict[View, QImage | None] = OrderedDict()
        self._wanted: dict[str, list[View]] = {}
        self._decoding: View | None = None

    def picture(self, view: View) -> QImage | None:
        """The photo of a view, None while it is not there or if it cannot be had."""
        if view in self._pictures:
            self._pictures.move_to_end(view)
        return self._pictures.get(view)

    def want(self, who: str, views: Iterable[View]) -> None:
        """Decode the photos of these views, the first of them first; ``who`` wants no others."""
        self._wanted[who] = [
            view for view in views if view.photo is not None and view not in self._pictures
        ]
        self._next()

    def find_missing(self, views: Sequence[View], answer: Callable[[list[int]], object]) -> None:
        """Ask for the numbers of the views whose photo's file is not there."""
        self._asker.ask("files", lambda: _missing(views), answer)

    def shut_down(self) -> bool:
        """End the worker; whether it ended in time."""
        return self._asker.shut_down()

    def _next(self) -> None:
        if self._decoding is not None:
            return
        for who, views in list(self._wanted.items()):
            while views:
                view = views.pop(0)
                if view not in self._pictures:
                    self._wanted[who] = self._wanted.pop(who)
                    self._decoding = view
                    self._asker.ask("photo", partial(_decoded, view), self._take)
                    return

    def _take(self, made: QImage | PhotoState) -> None:
        view, self._decoding = self._decoding, None
        if view is None:
            return
        image = made if isinstance(made, QImage) else None
        self._pictures[view] = image
        while len(self._pictures) > MOST:
            self._pictures.popitem(last=False)
        self.came.emit(view, PhotoState.THERE if isinstance(made, QImage) else made)
        self._next()

    @Slot(object)
    def _fail(self, error: BaseException) -> None:
        self._take(PhotoState.UNREADABLE)
        self.failed.emit(error)


def _missing(views: Sequence[View]) -> list[int]:
    return [
        n for n, view in enumerate(views) if view.photo is not None and not view.photo.is_file()
    ]


def _decoded(view: View) -> QImage | PhotoState:
    camera = view.camera
    scale = min(1.0, LONGEST_PX / max(camera.width, camera.height))
    try:
        pixels = load_photo(replace(view, camera=camera.scaled(scale)))
    except (UserError, MemoryError):
        gone = view.photo is None or not view.photo.is_file()
        return PhotoState.MISSING if gone else PhotoState.UNREADABLE
    height, width, channels = pixels.shape
    kinds = QImage.Format
    kind = kinds.Format_RGBA8888 if channels == 4 else kinds.Format_RGB888
    pixels = np.ascontiguousarray(pixels)
    image = QImage(pixels.data, width, height, channels * width, kind)
    return image.convertToFormat(kinds.Format_ARGB32_Premultiplied)
