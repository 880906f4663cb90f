"""A button that asks for a file, which may also be dropped on it."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QPushButton, QWidget


class FileButton(QPushButton):
    """Takes one file of a known kind.

    Parameters
    ----------
    suffixes
        The kinds of file, with their dots, in lower case.
    """

    dropped = Signal(Path)

    def __init__(self, text: str, suffixes: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.suffixes = tuple(suffixes)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._file(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = self._file(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.dropped.emit(path)

    def _file(self, data: QMimeData) -> Path | None:
        urls = data.urls()
        if len(urls) != 1 or not urls[0].isLocalFile():
            return None
        path = Path(urls[0].toLocalFile())
        return path if path.suffix.lower() in self.suffixes else None
