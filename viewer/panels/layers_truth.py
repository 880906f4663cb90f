"""What sections share that show a mode of the viewport and measure it against what is true."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QFormLayout, QWidget

from viewer.look import Look, Mode
from viewer.panels.layers_stand import Stand, find_stand, has_one_view
from viewer.panels.panel import described, wrapped
from viewer.session import Session
from viewer.widgets.elided_label import ElidedLabel
from viewer.widgets.file_button import FileButton
from viewer.widgets.score_table import ScoreTable
from viewer.widgets.section import Section

AWAY = "Go back to the image's own view to measure (J)."


class TruthSection(Section):
    """A mode's switch, a true picture from a file, and a table of answers with a verdict.

    Subclasses set what is told, lay out ``on_box``, their own fields, ``truth_button`` and
    ``answers``, and say how to read, measure and show.
    """

    truth_asked = Signal()

    mode: ClassVar[Mode]
    settle_ms: ClassVar[int] = 150
    switch: ClassVar[tuple[str, str]]
    """Text of the switch, and its tip."""
    truth_texts: ClassVar[tuple[str, str, str]]
    """Text of the button, its name, and what it takes."""
    suffixes: ClassVar[Sequence[str]]
    columns: ClassVar[Mapping[str, str]]
    """What is measured, with its meaning."""
    row_tips: ClassVar[Mapping[str, str]]
    """What the answers are, by name."""
    look_fields: ClassVar[Sequence[str]]
    """Fields of a look that begin anew with a document; the first is the file of what is true."""
    any_scene: ClassVar[str]
    honest: ClassVar[str]
    """What is told of any scene, and of an image's Gaussians."""

    def __init__(
        self, session: Session, title: str, key: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(title, key, parent)
        self.session = session
        self._told_of_truth = ""
        self.rows: dict[str, Any] = {}
        self.away = False
        """Whether there is nothing to compare, because an image is seen from elsewhere."""
        self._measured: object = None
        self._of: tuple[Any, ...] | None = None
        self._timer = QTimer(self, singleShot=True, interval=self.settle_ms)
        self._timer.timeout.connect(self.ask)
        text, tip = self.switch
        self.on_box = QCheckBox(text)
        described(self.on_box, text, tip)
        text, name, takes = self.truth_texts
        self.truth_button = FileButton(text, self.suffixes)
        described(
            self.truth_button,
            name,
            f"{takes} or drop one here.\nIts middle is compared, as an image's.",
        )
        self.truth_text = ElidedLabel(Qt.TextElideMode.ElideMiddle)
        self.truth_text.setProperty("role", "muted")
        self.table = ScoreTable(tuple(self.columns), tuple(self.columns.values()), self.row_tips)
        self.verdict, self.note = wrapped(""), wrapped("")
        self.verdict.setAccessibleName(f"What the answer of {title} beats")
        self.note.setProperty("role", "muted")
        self.answers = (self.truth_text, self.table, self.verdict, self.note)
        self._listen()

    def _listen(self) -> None:
        session = self.session
        self.on_box.clicked.connect(self._turn)
        self.truth_button.clicked.connect(self.truth_asked)
        self.truth_button.dropped.connect(self.load_truth)
        self.opened.connect(self.schedule)
        session.look_changed.connect(self._take_look)
        session.document_replaced.connect(self.forget)
        session.views_changed.connect(self.refresh)
        for changed in (session.state_changed, session.scene_changed, session.peeling.changed):
            changed.connect(self.schedule)

    @property
    def truth(self) -> Path | None:
        """The file of what is true; None without one."""
        path: Path | None = getattr(self.session.look, self.look_fields[0])
        return path

    @abstractmethod
    def check(self, path: Path) -> str:
        """What is to be told of a file of what is true; a UserError if it is none."""

    @abstractmethod
    def measure(self, stand: Stand, path: Path) -> None:
        """Ask for the answers; :meth:`expect` tells them apart from later ones."""

    @abstractmethod
    def settings_of(self, look: Look) -> tuple[Any, ...]:
        """What of a look the answers depend on."""

    @abstractmethod
    def show_answers(self) -> Mapping[str, Sequence[float | None]]:
        """The table's rows."""

    @abstractmethod
    def judge(self) -> str:
        """One sentence on the rows."""

    @staticmethod
    def plain_form() -> QFormLayout:
        """A form without margins whose fields grow."""
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        return form

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.schedule()

    @Slot(bool)
    def _turn(self, on: bool) -> None:
        self.session.set_mode(self.mode if on else Mode.COLOR)

    @Slot(Path)
    def load_truth(self, path: Path) -> None:
        """Measure against a file from now on, if it can be read."""

        def take(told: str) -> None:
            self._told_of_truth = told
            self.session.set_look(**{"mode": self.mode, self.look_fields[0]: path})
            self.schedule()
            self.refresh()

        self.session.asker.ask(f"true {self.mode}", lambda: self.check(path), take)

    @Slot()
    def schedule(self) -> None:
        """Measure anew soon, if anybody sees it."""
        if self.is_open and self.isVisible():
            self._timer.start()

    @Slot()
    def _take_look(self) -> None:
        if self._of != self.settings_of(self.session.look):
            self.schedule()
        self.refresh()

    def stand(self) -> Stand | None:
        """What is measured, and from where."""
        return find_stand(self.session)

    @Slot()
    def ask(self) -> None:
        """Measure what is shown against what is true, where both are of one view."""
        stand = self.stand()
        if stand is None or self.truth is None:
            return
        self.away = has_one_view(self.session) and stand.view is None
        if self.away:
            self.rows, self._measured, self._of = {}, None, None
            self.refresh()
        else:
            self.measure(stand, self.truth)

    def expect(self) -> object:
        """A token of the question that begins now; see :meth:`take`."""
        self._of = self.settings_of(self.session.look)
        self._measured = object()
        return self._measured

    def take(self, token: object, rows: dict[str, Any]) -> None:
        """Show answers, unless others were asked for since."""
        if self._measured is token:
            self.rows = rows
            self.refresh()

    @Slot()
    def forget(self) -> None:
        """Another document is there."""
        plain = Look()
        self.session.set_look(**{name: getattr(plain, name) for name in self.look_fields})
        self.rows, self.away = {}, False
        self._measured = self._of = None
        self.refresh()
        self.schedule()

    @Slot()
    def refresh(self) -> None:
        """Show the mode and the answers as they are now."""
        on = self.session.mode == self.mode
        self.content.setEnabled(self.session.document is not None)
        self.on_box.setChecked(on)
        self.summary.set_text("on" if on else "")
        self.truth_text.setVisible(self.truth is not None)
        if self.truth is not None:
            told = f", {self._told_of_truth}" if self._told_of_truth else ""
            self.truth_text.set_text(AWAY if self.away else f"Against {self.truth.name}{told}")
        if self.rows:
            self.table.show_rows(self.show_answers())
        else:
            self.table.clear()
        self.note.setText(self.honest if has_one_view(self.session) else self.any_scene)
        self.verdict.setVisible(bool(self.rows))
        self.verdict.setText(self.judge() if self.rows else "")
