"""The scene that is being opened: shown as far as it is decoded, then whole."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from core.editing import Document
from core.jobs import Progress
from viewer.steps import Opened

if TYPE_CHECKING:
    from viewer.session import Held, Session


class Opening(QObject):
    """Puts what a job opens in the place of what was open; lives on the window's thread."""

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._session = session
        self._before: Held | None = None
        """What was open before the scene of which only a part is decoded yet."""
        session.runner.progressed.connect(self._show_part)

    def take(self, opened: Opened) -> None:
        """Have a whole scene open. Where a part of it was, the view of that stays."""
        session, loaded, dataset = self._session, opened.loaded, opened.dataset
        document = session.document
        if document is None or self._before is None:
            document = self._document_of(opened)
        else:
            self._before = None
            document.locked = False
            document.complete(loaded.scene)
            document.views = opened.all_views
        document.add_scores(opened.scores)
        if opened.image is not None:
            session.imaging.adopt(document, opened.image)
        session.hold((document, loaded, dataset))
        for repair in loaded.repairs:
            session.notified.emit("warning", repair)
        if opened.problem is not None:
            session.report(opened.problem)

    def bring_back(self, _part: object) -> None:
        """Opening was cancelled, or failed: have open again what was before."""
        if self._before is not None:
            before, self._before = self._before, None
            self._session.hold(before)

    @Slot(Progress)
    def _show_part(self, _progress: Progress) -> None:
        session, job = self._session, self._session.runner.job
        part = None if job is None or not session.runner.busy else job.partial
        if not isinstance(part, Opened):
            return
        if self._before is None:
            self._before = session.document, session.loaded, session.dataset
            document = self._document_of(part)
            document.locked = True
            session.hold((document, part.loaded, None))
        session.show_live(part.loaded.scene)

    def _document_of(self, opened: Opened) -> Document:
        document = Document(opened.loaded.scene, opened.path, opened.all_views)
        self._session.follow(document)
        return document
