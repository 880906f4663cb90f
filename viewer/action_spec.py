"""What an action is: one thing that a person can do."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtGui import QKeySequence

from viewer.session import Session


class Scope(StrEnum):
    """Where an action's keys work. Bare keys belong to the viewport: fields and lists need them."""

    WINDOW = "window"
    VIEWPORT = "viewport"


@dataclass(frozen=True, slots=True)
class Need:
    """What an action needs before it can be used, and what to tell a person until then."""

    met: Callable[[Session], bool]
    reason: str


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One thing a person can do.

    Attributes
    ----------
    id
        Stable name.
    title, short, tip
        Menu text, tool bar text where that is shorter, and a sentence that says more.
    keys
        Shortcuts in Qt's portable notation, the shown one first.
    scope
        Where the keys work.
    menu, section
        Menu it is in, a submenu after a slash; a separator stands between sections.
    icon
        Name of a file in resources/icons, or empty.
    checkable
        Whether it has a check mark of its own.
    group
        Of the actions with the same group, exactly one is checked.
    held
        Whether the keys act for as long as they are held down.
    needs
        What has to be there.
    """

    id: str
    title: str
    menu: str
    section: int = 0
    keys: tuple[str, ...] = ()
    scope: Scope = Scope.WINDOW
    short: str = ""
    tip: str = ""
    icon: str = ""
    checkable: bool = False
    group: str = ""
    held: bool = False
    needs: Need | None = None


DOCUMENT = Need(lambda session: session.document is not None, "Open a scene first.")
VIEWS = Need(
    lambda session: session.document is not None and bool(session.document.views),
    "Attach photos and cameras first.",
)
UNDO = Need(lambda session: undo_names(session)[0] is not None, "There is nothing to undo.")
REDO = Need(lambda session: undo_names(session)[1] is not None, "There is nothing to redo.")
SELECTED = Need(
    lambda session: session.document is not None and session.document.selected_count > 0,
    "Select Gaussians first, with a tool or in the Data panel.",
)
HIDDEN = Need(
    lambda session: session.document is not None and session.document.hidden_count > 0,
    "Nothing is hidden.",
)
PREVIEW = Need(
    lambda session: not session.cut.empty, "Choose how many Gaussians to keep, or add a filter."
)
PRUNABLE = Need(
    lambda session: session.removed_count > 0,
    "Compute a score and choose how many Gaussians to keep, or add a filter.",
)
IDLE = Need(
    lambda session: session.document is not None and not session.runner.busy,
    "Open a scene first, or wait for the running job.",
)
NO_JOB = Need(lambda session: not session.runner.busy, "Wait for the running job, or cancel it.")
BUSY = Need(lambda session: session.runner.busy, "No job is running.")


def undo_names(session: Session) -> tuple[str | None, str | None]:
    """What Undo and Redo would act on."""
    if session.document is None:
        return None, None
    history = session.document.history
    return history.undo_name, history.redo_name


def in_viewport(
    id: str,
    title: str,
    menu: str,
    keys: str = "",
    tip: str = "",
    icon: str = "",
    section: int = 0,
    short: str = "",
    checkable: bool = False,
    group: str = "",
    held: bool = False,
    needs: Need | None = None,
) -> ActionSpec:
    """An action whose keys, separated by blanks, work in the viewport only."""
    return ActionSpec(
        id,
        title,
        menu,
        section,
        tuple(keys.split()),
        Scope.VIEWPORT,
        short,
        tip,
        icon,
        checkable,
        group,
        held,
        needs,
    )


def keys_text(spec: ActionSpec) -> str:
    """The shortcuts of an action as a person reads them here, such as "Ctrl+Shift+Z, Ctrl+Y"."""
    native = QKeySequence.SequenceFormat.NativeText
    return ", ".join(QKeySequence(key).toString(native) for key in spec.keys)


def tool_tip(spec: ActionSpec, title: str = "", reason: str = "") -> str:
    """Title and keys of an action, what it does, and maybe why it cannot be used."""
    keys = keys_text(spec)
    held = "hold " if spec.held else ""
    plain = (title or spec.title).rstrip("…")
    lines = [f"{plain} ({held}{keys})" if keys else plain]
    if spec.tip:
        lines.append(spec.tip)
    if reason:
        lines.append(reason)
    return "\n".join(lines)
