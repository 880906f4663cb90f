"""Short questions answered off the window's thread, only the newest of each kind."""

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from PySide6.QtCore import QObject, Signal

from core.jobs import Lane
from core.threads import step_back

log = logging.getLogger(__name__)

T = TypeVar("T")


class Asker(QObject):
    """Runs functions one after another on a thread of its own.

    Parameters
    ----------
    lane
        The compute lane that questions share with frames and jobs; None for questions that only
        read files or count.
    """

    failed = Signal(object)
    _answered = Signal(object, object)

    def __init__(self, lane: Lane | None = None) -> None:
        super().__init__()
        self._lane = lane
        self._waiting: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._answered.connect(self._deliver)
        self._thread: threading.Thread | None = None

    def ask(self, kind: str, question: Callable[[], T], answer: Callable[[T], object]) -> None:
        """Have ``answer(question())`` happen: the question on the worker, the answer here.

        A question of the same kind that has not begun is dropped. One that raises is told by
        ``failed``.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="asker", daemon=True)
            self._thread.start()
        with self._wake:
            self._waiting.pop(kind, None)
            self._waiting[kind] = (question, answer)
            self._wake.notify()

    def forget(self, kind: str = "") -> None:
        """Drop the questions of a kind, or all, that have not begun."""
        with self._wake:
            if kind:
                self._waiting.pop(kind, None)
            else:
                self._waiting.clear()

    def shut_down(self, timeout_s: float = 10.0) -> bool:
        """End the worker; whether it ended in time."""
        with self._wake:
            self._closed = True
            self._waiting.clear()
            self._wake.notify()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        step_back()
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                kind = next(iter(self._waiting))
                question, answer = self._waiting.pop(kind)
            try:
                turn = nullcontext() if self._lane is None else self._lane.preview()
                with turn, torch.no_grad():
                    result = question()
            except Exception as error:
                log.debug("a question failed: %s", kind, exc_info=True)
                self._answered.emit(self.failed.emit, error)
            else:
                self._answered.emit(answer, result)
            del question, answer

    def _deliver(self, answer: Callable[[Any], object], result: Any) -> None:
        if not self._closed:
            answer(result)
