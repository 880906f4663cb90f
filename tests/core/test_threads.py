"""Threads that compute let the window's thread go first."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import torch

from core.jobs import Job, Progress, Steps
from core.threads import HIGHEST_NICENESS, NICENESS, go_first, step_back

T = TypeVar("T")

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="threads have priorities on Linux only"
)


@pytest.fixture
def usual_threads() -> Iterator[int]:
    interval, count = sys.getswitchinterval(), torch.get_num_threads()
    yield count
    sys.setswitchinterval(interval)
    torch.set_num_threads(count)


def on_a_thread(function: Callable[[], T]) -> T:
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_window_s_thread_computes_alone(usual_threads: int) -> None:
    torch.set_num_threads(usual_threads + 1)
    go_first()
    assert torch.get_num_threads() == 1
    assert on_a_thread(torch.get_num_threads) == usual_threads + 1


@linux_only
def test_a_thread_steps_back_with_those_it_starts() -> None:
    def both() -> tuple[int, int]:
        step_back()
        return niceness(), on_a_thread(niceness)

    before = niceness()
    expected = min(before + NICENESS, HIGHEST_NICENESS)
    assert on_a_thread(both) == (expected, expected)
    assert niceness() == before


@linux_only
def test_jobs_step_back() -> None:
    def steps() -> Steps[int]:
        yield Progress(0, 1)
        return niceness()

    job = Job("polite", steps())
    job.start()
    assert job.wait(10)
    assert job.result == min(niceness() + NICENESS, HIGHEST_NICENESS)
