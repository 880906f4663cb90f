"""What can be done with the selection, each as one undoable edit."""

from collections.abc import Callable

from torch import Tensor

from core.editing import Document
from core.neighbors import grow, shrink
from viewer.session import Session

NOTHING_SELECTED = "Nothing is selected. Use a tool, or drag over the histogram."
NOTHING_HIDDEN = "Nothing is hidden."

Step = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From the selected Gaussians, the centres and the drawn ones to other selected ones."""


class SelectionCommands:
    """Commands on the selection of the session's document; without a document they do nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._begun: Tensor | None = None
        self._steps: tuple[Step, ...] = ()

    def select_all(self) -> None:
        """Select all Gaussians that are drawn."""
        document, drawn = self._session.document, self._session.drawn
        if document is not None and drawn is not None:
            document.select(drawn, name="Select all")

    def select_none(self) -> None:
        """Select no Gaussians."""
        self._do(Document.select_none)

    def invert(self) -> None:
        """Select the drawn Gaussians that are not selected, and no others."""
        document, drawn = self._session.document, self._session.drawn
        if document is not None and drawn is not None:
            document.select(drawn & ~document.selected, name="Invert selection")

    def hide(self) -> None:
        """Take the selected Gaussians out of sight."""
        self._do(Document.hide_selected, selection=True)

    def unhide(self) -> None:
        """Show what is hidden."""
        document = self._session.document
        if document is not None and not document.hidden_count:
            self._session.notified.emit("info", NOTHING_HIDDEN)
        else:
            self._do(Document.unhide)

    def isolate(self) -> None:
        """Hide all but the selected Gaussians."""
        self._do(Document.isolate_selected, selection=True)

    def delete(self) -> None:
        """Delete the selected Gaussians; undo brings them back."""
        document = self._session.document
        if document is None:
            return
        if document.selected_count == document.alive_count > 0:
            self._session.notified.emit(
                "warning", "Nothing would be left. Keep at least one Gaussian."
            )
        else:
            self._do(Document.delete_selected, selection=True)

    def grow(self) -> None:
        """Add the neighbours of the selected Gaussians."""
        self._change("Grow selection", grow)

    def shrink(self) -> None:
        """Leave out the selected Gaussians next to others."""
        self._change("Shrink selection", shrink)

    def _do(self, command: Callable[[Document], None], *, selection: bool = False) -> None:
        document = self._session.document
        if document is None:
            return
        if selection and not document.selected_count:
            self._session.notified.emit("info", NOTHING_SELECTED)
        else:
            command(document)

    def _change(self, name: str, step: Step) -> None:
        """Have a worker find another selection; dropped if something else was selected since.

        Steps asked for before the first is done are all done, as one edit.
        """
        session, document = self._session, self._session.document
        drawn = session.drawn
        if document is None or drawn is None:
            return
        if not document.selected_count:
            session.notified.emit("info", NOTHING_SELECTED)
            return
        selected, means = document.selected, document.scene.means
        before = self._steps if self._begun is selected else ()
        self._begun = selected
        self._steps = steps = (*before, step)

        def find() -> Tensor:
            mask = selected
            for step in steps:
                mask = step(mask, means, drawn)
            return mask

        def take(mask: Tensor) -> None:
            if session.document is document and self._steps is steps:
                self._begun, self._steps = None, ()
                if document.selected is selected:
                    document.select(mask, name=name)

        session.asker.ask("grow or shrink", find, take)
