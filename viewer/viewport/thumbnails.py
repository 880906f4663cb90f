"""Small pictures of photos, decoded on a thread of their own."""

from collections import OrderedDict
from dataclasses import replace
from math import sqrt

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from core.cameras import View
from core.datasets.photos import load_photo
from core.errors import UserError
from viewer.asking import Asker

PIXELS = 160 * 120
MOST = 200


class Thumbnails(QObject):
    """Photos of views at about 160 x 120 pixels; the ones used last are kept."""

    ready = Signal()
    """Another one can be had."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asker = Asker()
        self._pictures: OrderedDict[View, QImage | None] = OrderedDict()
        self._asked: set[View] = set()

    def get(self, view: View) -> QImage | None:
        """The photo of a view, None while it is not there yet or if it cannot be read."""
        if view in self._pictures:
            self._pictures.move_to_end(view)
            return self._pictures[view]
        if view.photo is not None and view not in self._asked:
            self._asked.add(view)
            self._asker.ask(
                str(id(view)), lambda: _small(view), lambda image: self._take(view, image)
            )
        return None

    def forget(self) -> None:
        """Drop all pictures and what is being waited for."""
        self._asker.forget()
        self._asked.clear()
        self._pictures.clear()

    def shut_down(self) -> bool:
        """End the worker; whether it ended in time."""
        return self._asker.shut_down()

    def _take(self, view: View, image: QImage | None) -> None:
        self._asked.discard(view)
        self._pictures[view] = image
        while len(self._pictures) > MOST:
            self._pictures.popitem(last=False)
        self.ready.emit()


def _small(view: View) -> QImage | None:
    scale = min(1.0, sqrt(PIXELS / (view.camera.width * view.camera.height)))
    try:
        pixels = load_photo(replace(view, camera=view.camera.scaled(scale)))
    except (UserError, MemoryError):
        return None
    height, width, channels = pixels.shape
    kinds = QImage.Format
    kind = kinds.Format_RGBA8888 if channels == 4 else kinds.Format_RGB888
    pixels = np.ascontiguousarray(pixels)
    return QImage(pixels.data, width, height, channels * width, kind).convertToFormat(
        kinds.Format_ARGB32_Premultiplied
    )
