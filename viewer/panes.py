"""Which pane of the window has the keyboard, and handing it to another."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget


def move_focus(panes: Sequence[QWidget], step: int) -> None:
    """Give the keyboard to the next pane that takes it, so many on."""
    focus = QApplication.focusWidget()
    here = 0
    if focus is not None:
        inside = (n for n, pane in enumerate(panes) if pane is focus or pane.isAncestorOf(focus))
        here = next(inside, 0)
    for steps in range(1, len(panes) + 1):
        if focus_inside(panes[(here + steps * step) % len(panes)]):
            return


def in_front(widget: QWidget) -> bool:
    """Whether something of it can be seen."""
    return widget.isVisible() and not widget.visibleRegion().isEmpty()


def has_focus(widget: QWidget) -> bool:
    """Whether the keyboard is in it."""
    focus = QApplication.focusWidget()
    return focus is not None and widget.isAncestorOf(focus)


def focus_inside(pane: QWidget) -> bool:
    """Give the keyboard to a pane, or to the first in it that takes keys; whether one does."""
    for widget in (pane, *pane.findChildren(QWidget)):
        takes_keys = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if takes_keys and widget.isVisible() and widget.isEnabled():
            widget.setFocus(Qt.FocusReason.TabFocusReason)
            return True
    return False
