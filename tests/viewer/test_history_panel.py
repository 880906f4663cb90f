"""The History dock: where we are among the edits, and going elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from core.editing import Document
from tests.viewer.window_stage import write_scene
from viewer import theme
from viewer.panels.history import HistoryPanel
from viewer.session import Session

LEFT = Qt.MouseButton.LeftButton
Role = Qt.ItemDataRole


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> Iterator[Session]:
    session = Session()
    with qtbot.waitSignal(session.document_replaced, timeout=20_000):
        session.open(write_scene(tmp_path, 800))
    yield session
    session.shut_down()


@pytest.fixture
def document(session: Session) -> Document:
    assert session.document is not None
    return session.document


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> HistoryPanel:
    panel = HistoryPanel(session)
    qtbot.addWidget(panel)
    panel.resize(420, 300)
    panel.show()
    return panel


def rows(panel: HistoryPanel) -> list[tuple[str, str, str]]:
    model = panel.model
    return [
        tuple(str(model.index(row, column).data()) for column in range(3))  # type: ignore[misc]
        for row in range(model.rowCount())
    ]


def click(panel: HistoryPanel, row: int) -> None:
    place: QPoint = panel.list.visualRect(panel.model.index(row, 0)).center()
    QTest.mouseClick(panel.list.viewport(), LEFT, pos=place)


def edit(document: Document) -> None:
    document.select(torch.arange(800) < 300, name="Select by lasso")
    document.hide_selected()
    document.delete(torch.arange(800) >= 700)


def test_every_edit_has_a_row_with_its_gaussians_and_memory(
    panel: HistoryPanel, document: Document
) -> None:
    assert rows(panel) == [("As opened", "–", "–")]
    edit(document)
    assert rows(panel) == [
        ("As opened", "–", "–"),
        ("Select by lasso", "300", "0.1 kB"),
        ("Hide selected", "300", "0.1 kB"),
        ("Delete", "100", "0.1 kB"),
    ]
    assert panel.summary.full_text == "3 edits · 0.3 kB of 536.9 MB used"
    assert panel.list.currentIndex().row() == 3


def test_a_click_goes_to_that_state_and_greys_what_is_undone(
    panel: HistoryPanel, document: Document
) -> None:
    edit(document)
    click(panel, 1)
    assert document.history.position == 1
    assert (document.selected_count, document.hidden_count, document.alive_count) == (300, 0, 800)
    grey = QColor(theme.color("text-disabled"))
    shown = [panel.model.index(row, 0).data(Role.ForegroundRole) for row in range(4)]
    assert shown == [None, None, grey, grey]
    assert panel.model.index(1, 0).data(Role.FontRole).bold()
    click(panel, 3)
    assert document.alive_count == 700
    click(panel, 0)
    assert not document.state.any()


def test_keys_walk_through_the_list_and_return_goes_there(
    panel: HistoryPanel, document: Document
) -> None:
    edit(document)
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Up)
    QTest.keyClick(panel.list, Qt.Key.Key_Up)
    assert document.history.position == 3, "walking changes nothing"
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert document.history.position == 1


def test_undo_and_redo_buttons_say_what_they_do(panel: HistoryPanel, document: Document) -> None:
    assert not panel.undo_button.isEnabled()
    assert not panel.redo_button.isEnabled()
    edit(document)
    assert "Delete" in panel.undo_button.toolTip()
    QTest.mouseClick(panel.undo_button, LEFT)
    assert document.alive_count == 800
    assert "Delete" in panel.redo_button.toolTip()
    assert panel.list.currentIndex().row() == 2
    QTest.mouseClick(panel.redo_button, LEFT)
    assert document.alive_count == 700
    assert not panel.redo_button.isEnabled()


def test_a_new_edit_replaces_what_was_undone(panel: HistoryPanel, document: Document) -> None:
    edit(document)
    document.go_to(1)
    document.select_none()
    assert [name for name, *_ in rows(panel)] == ["As opened", "Select by lasso", "Select none"]


def test_what_was_forgotten_is_told(panel: HistoryPanel, document: Document) -> None:
    edit(document)
    document.history.max_bytes = 150
    document.select_all()
    assert [name for name, *_ in rows(panel)] == ["Oldest state still known", "Select all"]
    assert panel.summary.full_text == "1 edit · 0.1 kB of 0.1 kB used · 3 forgotten"


def test_without_a_scene_the_list_is_empty(qtbot: QtBot) -> None:
    session = Session()
    panel = HistoryPanel(session)
    qtbot.addWidget(panel)
    assert rows(panel) == []
    assert panel.summary.full_text == "Open a scene first."
    session.shut_down()


def test_another_scene_begins_another_history(
    qtbot: QtBot, session: Session, panel: HistoryPanel, document: Document, tmp_path: Path
) -> None:
    edit(document)
    with qtbot.waitSignal(session.document_replaced, timeout=20_000):
        session.open(tmp_path / "ball.ply")
    assert rows(panel) == [("As opened", "–", "–")]


def test_a_narrow_panel_leaves_the_memory_out(panel: HistoryPanel) -> None:
    panel.resize(300, 200)
    assert panel.list.isColumnHidden(2)
    panel.resize(500, 200)
    assert not panel.list.isColumnHidden(2)
