"""Small pictures of the photos in a list, decoded off the window's thread, visible rows first."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from core.cameras import View
from core.datasets import load_photo
from core.errors import UserError
from viewer.asking import Asker

LONGEST_PX = 160
"""Twice what a row shows, for screens with twice the pixels."""
MOST = 400


class PhotoState(StrEnum):
    """Whether a view's photo can be shown."""

    THERE = "there"
    NONE = "none"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class RowPhotos(QObject):
    """Photos of numbered views; the ones wanted last are kept.

    One photo is decoded at a time, always the first of those that are wanted at that moment, so
    that scrolling past a thousand rows leaves no queue behind.
    """

    came = Signal(int, str)
    """The number of a view whose photo was decoded, and a :class:`PhotoState`."""
    checked = Signal(object)
    """Numbers of the views whose photo's file is not there."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asker = Asker()
        self._views: tuple[View, ...] = ()
        self._pictures: OrderedDict[int, QImage] = OrderedDict()
        self._given_up: set[int] = set()
        self._wanted: list[int] = []
        self._busy = False

    def set_views(self, views: Sequence[View]) -> None:
        """Show other views; their photos' files are looked for at once, see :attr:`checked`."""
        self._views = views = tuple(views)
        self._asker.forget()
        self._pictures.clear()
        self._given_up.clear()
        self._wanted.clear()
        self._busy = False
        if any(view.photo is not None for view in views):
            self._asker.ask("files", lambda: _missing(views), lambda gone: self._check(views, gone))

    def picture(self, number: int) -> QImage | None:
        """The photo of a view, None while it is not there or if there is none."""
        image = self._pictures.get(number)
        if image is not None:
            self._pictures.move_to_end(number)
        return image

    def want(self, numbers: Sequence[int]) -> None:
        """Decode the photos of these views, the first of them first; no others any more."""
        self._wanted = [
            number
            for number in numbers
            if number not in self._pictures
            and number not in self._given_up
            and self._views[number].photo is not None
        ]
        self._next()

    def shut_down(self) -> bool:
        """End the worker; whether it ended in time."""
        return self._asker.shut_down()

    def _next(self) -> None:
        if self._busy or not self._wanted:
            return
        number, views = self._wanted.pop(0), self._views
        self._busy = True
        self._asker.ask(
            "photo",
            lambda: _decoded(views[number]),
            lambda made: self._take(views, number, made),
        )

    def _take(self, views: tuple[View, ...], number: int, made: QImage | PhotoState) -> None:
        if views is not self._views:
            return
        self._busy = False
        if isinstance(made, QImage):
            self._pictures[number] = made
            while len(self._pictures) > MOST:
                self._pictures.popitem(last=False)
            self.came.emit(number, PhotoState.THERE)
        else:
            self._given_up.add(number)
            self.came.emit(number, made)
        self._next()

    def _check(self, views: tuple[View, ...], gone: list[int]) -> None:
        if views is self._views:
            self._given_up.update(gone)
            self.checked.emit(gone)


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
