"""Toasts and the log of messages, driven by real events."""

from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from viewer import theme
from viewer.theme import Theme, apply_theme
from viewer.widgets.icon_label import IconLabel
from viewer.widgets.messages import FADE_MS, MAX_LOGGED, MAX_SHOWN, MessageLog, Toasts

LEFT = Qt.MouseButton.LeftButton
TRACE = "Traceback (most recent call last):\n  File x\nValueError: no"


@pytest.fixture
def toasts(qtbot, qapp):
    apply_theme(qapp)
    over = QWidget()
    qtbot.addWidget(over)
    over.resize(700, 600)
    over.show()
    qtbot.waitExposed(over)
    return Toasts(over)


def texts(toasts: Toasts) -> list[str]:
    return [toast.text for toast in toasts.shown]


def test_at_most_four_and_no_repetition(toasts) -> None:
    for number in range(6):
        toasts.show("error", f"Message {number}")
    assert len(toasts.shown) == MAX_SHOWN
    toasts.show("error", "Message 3")
    assert texts(toasts) == ["Message 2", "Message 4", "Message 5", "Message 3"]
    newest_first = sorted(toasts.shown, key=lambda toast: toast.y())
    assert [toast.text for toast in newest_first] == texts(toasts)[::-1]
    for upper, lower in pairwise(newest_first):
        assert upper.geometry().bottom() < lower.y()
    assert all(toasts._over.rect().contains(toast.geometry()) for toast in toasts.shown)


def test_the_pointer_holds_a_message(qtbot, toasts, monkeypatch) -> None:
    monkeypatch.setitem(FADE_MS, "info", 80)
    toasts.show("info", "Held.")
    toast = toasts.shown[0]
    spot = QPointF(5, 5)
    QApplication.sendEvent(toast, QEnterEvent(spot, spot, spot))
    toasts.show("info", "Goes.")
    qtbot.waitUntil(lambda: texts(toasts) == ["Held."])
    qtbot.wait(120)
    assert texts(toasts) == ["Held."]
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Leave))
    qtbot.waitUntil(lambda: toasts.shown == [])


def test_details_unfold_can_be_copied_and_hold(qtbot, toasts, monkeypatch) -> None:
    monkeypatch.setitem(FADE_MS, "warning", 100)
    toasts.show("warning", "It failed.", TRACE)
    toast = toasts.shown[0]
    low = toast.height()
    assert toast.details_text.isHidden()
    QTest.mouseClick(toast.details_button, LEFT)
    assert toast.details_text.isVisible()
    assert toast.details_text.toPlainText() == TRACE
    assert toast.height() > low + 80
    QTest.mouseClick(toast.copy_button, LEFT)
    assert QGuiApplication.clipboard().text() == f"It failed.\n{TRACE}"
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Leave))
    qtbot.wait(160)
    assert texts(toasts) == ["It failed."]
    QTest.mouseClick(toast.details_button, LEFT)
    assert toast.height() == low
    QTest.mouseClick(toast.close_button, LEFT)
    assert toasts.shown == []


def test_messages_begin_below_what_stands_above_the_picture(qtbot, qapp) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(800, 600)
    picture = QWidget(window)
    picture.setGeometry(0, 40, 800, 560)
    toasts = Toasts(window, picture)
    window.show()
    toasts.show("info", "Done.")
    before = toasts.shown[0].y()
    assert before > 40
    picture.setGeometry(0, 75, 800, 525)
    qtbot.waitUntil(lambda: toasts.shown[0].y() == before + 35)


def test_without_details_there_is_no_button(toasts) -> None:
    toasts.show("info", "Done.")
    toast = toasts.shown[0]
    assert not toast.details_button.isVisible()
    assert not toast.action_button.isVisible()


def test_an_action_runs_once_and_closes(toasts) -> None:
    calls = []
    toasts.show("info", "Pruned.", action=("Undo", lambda: calls.append("undo")))
    toast = toasts.shown[0]
    assert toast.action_button.text() == "Undo"
    QTest.mouseClick(toast.action_button, LEFT)
    assert calls == ["undo"]
    assert toasts.shown == []


def test_marks_follow_the_theme(toasts, qapp) -> None:
    toasts.show("error", "Red.")
    mark = toasts.shown[0].findChild(IconLabel)
    for name in (Theme.LIGHT, Theme.DARK):
        apply_theme(qapp, name)
        image = mark.grab().toImage()
        inks = {
            image.pixelColor(x, y).name()
            for x in range(image.width())
            for y in range(image.height())
        }
        assert theme.color("error") in inks


@pytest.fixture
def log(qtbot, qapp):
    apply_theme(qapp)
    log = MessageLog()
    qtbot.addWidget(log)
    log.resize(800, 300)
    log.show()
    qtbot.waitExposed(log)
    log.add("info", "Opened.")
    log.add("warning", "Odd.")
    log.add("error", "Failed.", TRACE)
    return log


def shown(log: MessageLog) -> list[str]:
    rows = [log.list.topLevelItem(row) for row in range(log.list.topLevelItemCount())]
    return [row.text(1) for row in rows if not row.isHidden()]


def test_newest_first_with_details(log) -> None:
    assert shown(log) == ["Failed.", "Odd.", "Opened."]
    spot = log.list.visualItemRect(log.list.topLevelItem(0)).center()
    QTest.mouseClick(log.list.viewport(), LEFT, pos=spot)
    assert log.details.toPlainText() == f"Failed.\n\n{TRACE}"
    QTest.keyClick(log.list, Qt.Key.Key_Down)
    assert log.details.toPlainText() == "Odd."


def test_filter_copy_and_clear(log) -> None:
    log.filter.setFocus()
    QTest.keyClick(log.filter, Qt.Key.Key_Down)
    assert shown(log) == ["Failed.", "Odd."]
    log.add("info", "Saved.")
    assert shown(log) == ["Failed.", "Odd."]
    assert log.count.text() == "2 of 4 messages"
    QTest.mouseClick(log.copy_button, LEFT)
    copied = QGuiApplication.clipboard().text()
    assert copied.endswith(f"error  Failed.\n{TRACE}")
    assert "Saved." not in copied
    QTest.keyClick(log.filter, Qt.Key.Key_Up)
    assert shown(log) == ["Saved.", "Failed.", "Odd.", "Opened."]
    QTest.mouseClick(log.clear_button, LEFT)
    assert log.messages == ()
    assert shown(log) == []
    assert not log.clear_button.isEnabled()


def test_the_log_is_bounded(log) -> None:
    for number in range(MAX_LOGGED + 5):
        log.add("info", str(number))
    assert len(log.messages) == log.list.topLevelItemCount() == MAX_LOGGED
    assert log.messages[0].text == str(MAX_LOGGED + 4)
