"""Editing a scene: document, contents, selection, edits, history."""

from core.editing.contents import Contents, Revision, State
from core.editing.document import Document, SelectOp
from core.editing.history import ChangeRows, Edit, FlipState, History, ReplaceScene

__all__ = [
    "ChangeRows",
    "Contents",
    "Document",
    "Edit",
    "FlipState",
    "History",
    "ReplaceScene",
    "Revision",
    "SelectOp",
    "State",
]
