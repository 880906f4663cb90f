"""Questions off the window's thread: their answers, their failures, and the end."""

import threading

from viewer.asking import Asker


def test_a_failure_is_told_and_the_next_question_answered(qtbot) -> None:
    asker, failures, answers = Asker(), [], []
    asker.failed.connect(failures.append)
    asker.ask("one", lambda: 1 / 0, answers.append)
    asker.ask("two", lambda: 2, answers.append)
    qtbot.waitUntil(lambda: answers == [2])
    assert [type(error) for error in failures] == [ZeroDivisionError]
    assert asker.shut_down()


def test_nothing_is_told_after_the_end(qtbot) -> None:
    asker, begun, told = Asker(), threading.Event(), []
    asker.failed.connect(told.append)

    def question() -> float:
        begun.set()
        return 1 / 0

    asker.ask("one", question, told.append)
    assert begun.wait(5)
    assert asker.shut_down()
    qtbot.wait(50)
    assert told == []
