"""The actions of a window: menus, tool bars, shortcuts, tooltips and help all come from them."""

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QToolBar, QWidget

from viewer import theme
from viewer.action_spec import Need, Scope, tool_tip, undo_names
from viewer.action_table import ACTIONS, MENUS
from viewer.session import Session
from viewer.viewport.fly import DIRECTIONS

Handlers = Mapping[str, Callable[[], object]]
Checks = Mapping[str, Callable[[], bool]]


class Actions(QObject):
    """The actions of a window, made from the table and enabled by the session's state.

    Parameters
    ----------
    window, viewport
        Where the two scopes of keys lie.
    session
        What the needs are read from.
    handlers
        What each action does, by id; one for every row of the table.
    checks
        Whether an action is checked, by id; read at every :meth:`refresh`.
    held
        What happens when the keys of a held action go down (True) and up (False).
    needs
        What actions need that depend on more than the session, by id.
    """

    def __init__(
        self,
        window: QWidget,
        viewport: QWidget,
        session: Session,
        handlers: Handlers,
        checks: Checks,
        held: Mapping[str, Callable[[bool], object]],
        needs: Mapping[str, Need],
    ) -> None:
        super().__init__(window)
        self._session, self._checks = session, checks
        self._needs = {spec.id: needs.get(spec.id, spec.needs) for spec in ACTIONS}
        self._actions: dict[str, QAction] = {}
        self._told: dict[str, tuple[str, bool]] = {}
        groups: dict[str, QActionGroup] = {}
        for spec in ACTIONS:
            action = QAction(spec.title, window)
            action.setObjectName(spec.id)
            action.setIconText(spec.short or spec.title)
            if spec.icon:
                action.setIcon(theme.icon(spec.icon))
            action.setCheckable(spec.checkable or bool(spec.group))
            if spec.group:
                groups.setdefault(spec.group, QActionGroup(self)).addAction(action)
            if not spec.held:
                action.setShortcuts([QKeySequence(key) for key in spec.keys])
            if spec.scope == Scope.VIEWPORT:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                viewport.addAction(action)
            else:
                window.addAction(action)
            handler = handlers[spec.id]
            action.triggered.connect(lambda _checked=False, handler=handler: self._do(handler))
            self._actions[spec.id] = action
        self._held = HeldKeys(viewport, held)
        for signal in (
            session.document_replaced,
            session.state_changed,
            session.history_changed,
            session.look_changed,
            session.scores_changed,
            session.score_changed,
            session.target_changed,
            session.views_changed,
            session.compare.changed,
            session.runner.changed,
        ):
            signal.connect(self.refresh)
        self.refresh()

    def __getitem__(self, id: str) -> QAction:
        return self._actions[id]

    def fill_menus(self, bar: QMenuBar) -> dict[str, QMenu]:
        """Make a menu of each of MENUS; they are returned by title, submenus by their path."""
        menus = {
            title: bar.addMenu(text)
            for title, text in zip(MENUS, _with_mnemonics(MENUS), strict=True)
        }
        section: dict[str, int] = {}
        for spec in ACTIONS:
            top, _, below = spec.menu.partition("/")
            if spec.section != section.setdefault(top, 0):
                menus[top].addSeparator()
                section[top] = spec.section
            if below and spec.menu not in menus:
                menus[spec.menu] = menus[top].addMenu(below)
            menus[spec.menu].addAction(self._actions[spec.id])
        for menu in menus.values():
            menu.setToolTipsVisible(True)
        return menus

    def fill_tool_bar(self, bar: QToolBar, groups: Sequence[Sequence[str]]) -> None:
        """Put groups of actions into a tool bar, with separators between them."""
        for number, ids in enumerate(groups):
            if number:
                bar.addSeparator()
            for id in ids:
                bar.addAction(self._actions[id])

    @Slot()
    def refresh(self) -> None:
        """Enable what can be used now, say why the rest cannot, and set the check marks."""
        undo, redo = undo_names(self._session)
        acts_on = {"edit.undo": undo, "edit.redo": redo}
        for spec in ACTIONS:
            action = self._actions[spec.id]
            needs = self._needs[spec.id]
            usable = needs is None or needs.met(self._session)
            action.setEnabled(usable)
            what = acts_on.get(spec.id)
            title = spec.title if what is None else f"{spec.title} {what}"
            if self._told.get(spec.id) != (title, usable):
                self._told[spec.id] = (title, usable)
                action.setText(f"{title}\t{spec.keys[0]} (hold)" if spec.held else title)
                action.setToolTip(
                    tool_tip(spec, title, "" if needs is None or usable else needs.reason)
                )
        for id, checked in self._checks.items():
            self._actions[id].setChecked(checked())

    def _do(self, handler: Callable[[], object]) -> None:
        handler()
        self.refresh()


class HeldKeys(QObject):
    """Keys of the viewport that act from press to release, also when it loses the focus between."""

    def __init__(self, viewport: QWidget, held: Mapping[str, Callable[[bool], object]]) -> None:
        super().__init__(viewport)
        self._act = {
            QKeySequence(key)[0].key(): held[spec.id]  # type: ignore[index]
            for spec in ACTIONS
            if spec.held
            for key in spec.keys
        }
        self._down: dict[int, Callable[[bool], object]] = {}
        viewport.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take presses and releases of held keys without modifiers."""
        if isinstance(event, QKeyEvent) and event.type() in (
            QEvent.Type.KeyPress,
            QEvent.Type.KeyRelease,
        ):
            return self._key(event)
        if event.type() in (QEvent.Type.FocusOut, QEvent.Type.WindowDeactivate):
            self._release_all()
        return False

    def _key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if event.type() == QEvent.Type.KeyPress:
            act = self._act.get(Qt.Key(key))
            plain = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
            if act is None or plain != Qt.KeyboardModifier.NoModifier:
                return False
            if not event.isAutoRepeat():
                self._down[key] = act
                act(True)
            return True
        if key not in self._down:
            return False
        if not event.isAutoRepeat():
            self._down.pop(key)(False)
        return True

    def _release_all(self) -> None:
        down, self._down = self._down, {}
        for act in down.values():
            act(False)


def _with_mnemonics(titles: Sequence[str]) -> list[str]:
    """Titles with an ampersand before a letter of each: one of its own, and none that flies."""
    taken = {chr(key).casefold() for key in DIRECTIONS}
    marked = []
    for title in titles:
        place = next(n for n, letter in enumerate(title) if letter.casefold() not in taken)
        taken.add(title[place].casefold())
        marked.append(f"{title[:place]}&{title[place:]}")
    return marked
