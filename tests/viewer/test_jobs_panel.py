"""What the runner remembers of jobs, and the dock that shows it."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.errors import UserError
from core.jobs import JobState, Progress, Steps
from viewer.jobs import MAX_RECORDS, JobRunner
from viewer.panels.jobs import JobsPanel
from viewer.session import Session

LEFT = Qt.MouseButton.LeftButton


class Result:
    """Something that can be weakly referenced."""


def telling(*messages: str) -> Steps[int]:
    for number, message in enumerate(messages, 1):
        yield Progress(number, len(messages), message)
    return len(messages)


def failing(error: Exception) -> Steps[int]:
    yield Progress(1, 2, "half way")
    raise error


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.shut_down()


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> JobsPanel:
    panel = JobsPanel(session)
    qtbot.addWidget(panel)
    panel.resize(900, 220)
    panel.show()
    return panel


def run(qtbot: QtBot, runner: JobRunner, name: str, steps: Steps[object]) -> None:
    runner.start(name, steps, lambda _: None)
    qtbot.waitUntil(lambda: not runner.busy)


def cell(panel: JobsPanel, row: int, column: int) -> str:
    return str(panel.model.index(row, column).data())


def test_records_tell_the_story_of_each_job(qtbot: QtBot, session: Session) -> None:
    runner = session.runner
    run(qtbot, runner, "First", telling("one", "two", "two", "", "three"))
    run(qtbot, runner, "Second", failing(ValueError("no such number")))
    run(qtbot, runner, "Third", failing(UserError("No photos.", "Attach some.")))
    first, second, third = runner.records
    assert [text for _, text in first.lines] == ["one", "two", "three"]
    assert first.state == JobState.DONE
    elapsed = first.elapsed_s
    time.sleep(0.02)
    assert first.elapsed_s == elapsed, "the clock has stopped"
    assert second.state == JobState.FAILED
    assert second.error == "no such number"
    assert "Traceback" in second.details
    assert "failing" in second.details
    assert third.error == "No photos. Attach some."
    assert not third.details, "what a person can mend needs no traceback"


def test_neither_records_nor_the_runner_hold_on_to_results(qtbot: QtBot, session: Session) -> None:
    made: list[weakref.ref[Result]] = []

    def steps() -> Steps[Result]:
        yield Progress(1, 1)
        result = Result()
        made.append(weakref.ref(result))
        return result

    def failing_with_work() -> Steps[Result]:
        work = Result()
        made.append(weakref.ref(work))
        yield Progress(1, 1)
        raise UserError("broken")

    taken: list[bool] = []
    session.runner.start("Make", steps(), lambda result: taken.append(result is not None))
    qtbot.waitUntil(lambda: bool(taken))
    gc.collect()
    assert made[0]() is None
    run(qtbot, session.runner, "Break", failing_with_work())
    gc.collect()
    assert made[1]() is None


def test_no_job_starts_before_the_result_of_the_last_is_handed_over(
    qtbot: QtBot, session: Session
) -> None:
    runner, results = session.runner, []
    job = runner.start("first", telling("one"), results.append)
    assert job.wait(10)
    assert job.state == JobState.DONE
    assert runner.busy
    assert not results
    with pytest.raises(RuntimeError, match="running"):
        runner.start("second", telling("two"), results.append)
    qtbot.waitUntil(lambda: not runner.busy)
    assert results == [1]


def test_only_the_last_jobs_are_remembered(qtbot: QtBot, session: Session) -> None:
    for number in range(MAX_RECORDS + 3):
        run(qtbot, session.runner, f"Job {number}", telling("x"))
    assert len(session.runner.records) == MAX_RECORDS
    assert session.runner.records[0].name == "Job 3"


def test_reports_faster_than_the_window_arrive_together(qtbot: QtBot, session: Session) -> None:
    arrived: list[Progress] = []
    session.runner.progressed.connect(arrived.append)
    count = 3000
    run(qtbot, session.runner, "Fast", telling(*(f"step {n}" for n in range(count))))
    record = session.runner.records[-1]
    assert record.progress is not None
    assert record.progress.done == count
    assert record.lines[-1][1] == f"step {count - 1}"
    assert len(arrived) <= count
    assert arrived[-1].done == count


def test_a_running_job_is_on_top_and_can_be_paused_and_cancelled(
    qtbot: QtBot, session: Session, panel: JobsPanel
) -> None:
    gate = threading.Semaphore(0)

    def steps() -> Steps[None]:
        for number in range(1, 100):
            yield Progress(number, 100, f"step {number}")
            gate.acquire(timeout=5)

    run(qtbot, session.runner, "Earlier", telling("a"))
    assert not panel.pause_button.isVisible()
    session.runner.start("Slow work", steps(), lambda _: None)
    for _ in range(24):
        gate.release()
    qtbot.waitUntil(lambda: panel.running_text.full_text.startswith("Slow work: step 25"))
    assert cell(panel, 0, 1) == "Running 25 %"
    assert (cell(panel, 0, 0), cell(panel, 1, 0)) == ("Slow work", "Earlier")
    assert panel.bar.isVisible()
    assert cell(panel, 0, 3) != "–", "the time left is known by now"
    assert cell(panel, 1, 3) == "–"
    QTest.mouseClick(panel.pause_button, LEFT)
    gate.release()
    qtbot.waitUntil(lambda: cell(panel, 0, 1).startswith("Paused"))
    assert panel.pause_button.accessibleName() == "Resume job"
    QTest.mouseClick(panel.pause_button, LEFT)
    qtbot.waitUntil(lambda: cell(panel, 0, 1).startswith("Running"))
    QTest.mouseClick(panel.cancel_button, LEFT)
    for _ in range(100):
        gate.release()
    qtbot.waitUntil(lambda: cell(panel, 0, 1) == "Cancelled")
    qtbot.waitUntil(lambda: not panel.cancel_button.isVisible())
    assert panel.running_text.full_text.startswith("No job is running.")
    assert "One job at a time" in panel.running_text.toolTip()


def test_the_chosen_job_tells_its_story_and_its_failure(
    qtbot: QtBot, session: Session, panel: JobsPanel
) -> None:
    run(qtbot, session.runner, "Good", telling("reading", "writing"))
    run(qtbot, session.runner, "Bad", failing(ValueError("no such number")))
    qtbot.waitUntil(lambda: "no such number" in panel.story.toPlainText())
    assert panel.story_title.full_text.startswith("Bad – failed")
    assert "Traceback" not in panel.story.toPlainText()
    QTest.mouseClick(panel.details_button, LEFT)
    assert "Traceback" in panel.story.toPlainText()
    QTest.mouseClick(panel.details_button, LEFT)
    assert "Traceback" not in panel.story.toPlainText()
    QTest.mouseClick(panel.copy_button, LEFT)
    copied = QGuiApplication.clipboard().text()
    assert "half way" in copied
    assert "Traceback" in copied

    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Down)
    assert panel.story_title.full_text.startswith("Good – done")
    assert "writing" in panel.story.toPlainText()
    assert not panel.details_button.isVisible()
    run(qtbot, session.runner, "Next", telling("new"))
    QApplication.processEvents()
    assert panel.story_title.full_text.startswith("Good"), "a chosen old job stays chosen"


def test_lines_are_added_to_the_story_as_they_come(
    qtbot: QtBot, session: Session, panel: JobsPanel
) -> None:
    gate = threading.Event()

    def steps() -> Steps[None]:
        yield Progress(1, 3, "first words")
        gate.wait(5)
        yield Progress(2, 3, "second words")

    session.runner.start("Talk", steps(), lambda _: None)
    qtbot.waitUntil(lambda: "first words" in panel.story.toPlainText())
    assert "second words" not in panel.story.toPlainText()
    gate.set()
    qtbot.waitUntil(lambda: "second words" in panel.story.toPlainText())
    assert panel.story.toPlainText().count("first words") == 1


def test_a_narrow_list_leaves_columns_out(panel: JobsPanel) -> None:
    panel.resize(1400, 220)
    QApplication.processEvents()
    assert not panel.list.isColumnHidden(4)
    panel.resize(520, 220)
    QApplication.processEvents()
    assert panel.list.isColumnHidden(4)
    assert not panel.list.isColumnHidden(1)
