"""Editing a scene: document, contents, selection, edits, history."""

from core.editing.contents import Contents, State
from core.editing.document import Document, SelectOp
from core.editing.history import Edit, FlipState, History, ReplaceScene

__all__ = [
    "Contents",
    "Document",
    "Edit",
    "FlipState",
    "History",
    "ReplaceScene",
    "SelectOp",
    "State",
]
