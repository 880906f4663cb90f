"""Editing a scene: document, selection, edits, history."""

from core.editing.document import Document, SelectOp, State
from core.editing.history import Edit, FlipState, History

__all__ = ["Document", "Edit", "FlipState", "History", "SelectOp", "State"]
