"""Editing a scene: document, edits, history."""

from core.editing.document import Document, State
from core.editing.history import Edit, FlipState, History

__all__ = ["Document", "Edit", "FlipState", "History", "State"]
