import threading
import time
from collections.abc import Iterator

import pytest

from core.errors import UserError
from core.jobs import Job, JobState, Lane, Progress, Slot, Steps, drain


def count_to(n: int, seen: list[int] | None = None) -> Steps[int]:
    for i in range(n):
        if seen is not None:
            seen.append(i)
        yield Progress(i + 1, n, f"step {i + 1}")
    return n


def wait_for(condition, timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.002)


def test_drain_reports_every_step_and_returns_the_result() -> None:
    reports: list[Progress] = []
    assert drain(count_to(3), reports.append) == 3
    assert [report.fraction for report in reports] == pytest.approx([1 / 3, 2 / 3, 1])


def test_job_finishes_with_its_result() -> None:
    job = Job("count", count_to(5), Lane())
    states: list[str] = []
    job.state_changed.connect(states.append)
    job.start()
    assert job.wait(5)
    assert job.result == 5
    assert states == ["running", "done"]
    assert job.remaining_s == 0


def test_pause_holds_and_cancel_ends_a_paused_job() -> None:
    seen: list[int] = []
    started = threading.Event()
    closed = threading.Event()

    def endless() -> Steps[None]:
        try:
            while True:
                seen.append(1)
                started.set()
                yield Progress(len(seen), 0)
        finally:
            closed.set()

    job = Job("endless", endless(), Lane())
    job.start()
    assert started.wait(5)
    job.pause()
    wait_for(lambda: job.state == JobState.PAUSED)
    time.sleep(0.05)
    held = len(seen)
    time.sleep(0.05)
    assert len(seen) == held
    job.cancel()
    assert job.wait(5)
    assert job.state == JobState.CANCELLED
    assert closed.is_set()


def test_an_exception_fails_the_job_and_is_kept() -> None:
    def broken() -> Steps[None]:
        yield Progress(0, 1)
        raise UserError("No photos.", "Attach a dataset.")

    job = Job("broken", broken(), Lane())
    job.start()
    assert job.wait(5)
    assert job.state == JobState.FAILED
    assert str(job.error) == "No photos. Attach a dataset."


def test_the_latest_partial_result_outlives_a_cancel() -> None:
    gate, reached = threading.Event(), threading.Event()

    def halves() -> Steps[str]:
        yield Progress(1, 4)
        yield Progress(2, 4, partial="half")
        yield Progress(3, 4)
        reached.set()
        gate.wait(5)
        yield Progress(4, 4)
        return "whole"

    job = Job("halves", halves(), Lane())
    assert job.partial is None
    job.start()
    assert reached.wait(5)
    job.cancel()
    gate.set()
    assert job.wait(5)
    assert job.state == JobState.CANCELLED
    assert job.partial == "half"
    assert job.result is None


def test_the_latest_partial_result_outlives_a_failure() -> None:
    def broken() -> Steps[None]:
        yield Progress(1, 2, partial="some")
        yield Progress(2, 2, partial="more")
        raise UserError("Lost.")

    job = Job("broken", broken(), Lane())
    job.start()
    assert job.wait(5)
    assert job.state == JobState.FAILED
    assert job.partial == "more"


def test_cancelling_while_a_step_runs_never_ends_as_paused_or_done() -> None:
    gate = threading.Event()

    def slow() -> Iterator[Progress]:
        gate.wait(5)
        yield Progress(1, 2)
        yield Progress(2, 2)

    job = Job("slow", slow(), Lane())
    job.start()
    wait_for(lambda: job.state == JobState.RUNNING)
    job.cancel()
    gate.set()
    assert job.wait(5)
    assert job.state == JobState.CANCELLED


def test_a_waiting_preview_goes_before_the_next_step() -> None:
    lane = Lane()
    order: list[str] = []
    in_step, go = threading.Event(), threading.Event()

    def worker() -> None:
        for i in range(3):
            with lane.step():
                order.append(f"step {i}")
                if i == 0:
                    in_step.set()
                    go.wait(5)

    def viewer() -> None:
        with lane.preview():
            order.append("preview")

    job_thread = threading.Thread(target=worker)
    job_thread.start()
    assert in_step.wait(5)
    view_thread = threading.Thread(target=viewer)
    view_thread.start()
    wait_for(lambda: lane._previews_waiting == 1)
    go.set()
    job_thread.join(5)
    view_thread.join(5)
    assert order == ["step 0", "preview", "step 1", "step 2"]


def test_a_reserved_lane_is_left_to_previews_that_follow_each_other(monkeypatch) -> None:
    monkeypatch.setattr("core.jobs.LONGEST_WAIT_S", 60.0)
    lane, order = Lane(), []

    def step() -> None:
        with lane.step():
            order.append("step")

    lane.reserve(60)
    worker = threading.Thread(target=step)
    worker.start()
    for _ in range(3):
        with lane.preview():
            order.append("preview")
        time.sleep(0.01)
    lane.reserve(0)
    with lane.preview():
        order.append("preview")
    worker.join(5)
    assert order == ["preview"] * 4 + ["step"]


def test_a_step_waits_only_so_long_for_announced_previews(monkeypatch) -> None:
    monkeypatch.setattr("core.jobs.LONGEST_WAIT_S", 0.02)
    lane = Lane()
    lane.reserve(3600)
    job = Job("count", count_to(3), lane)
    job.start()
    assert job.wait(5)
    assert job.result == 3


def test_slot_keeps_only_the_latest_value() -> None:
    slot: Slot[int] = Slot()
    for i in range(100):
        slot.put(i)
    assert slot.take() == 99
    assert slot.take(timeout=0.01) is None
    slot.close()
    assert slot.take() is None
    assert slot.closed
