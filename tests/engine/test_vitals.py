"""Whether an engine works, from what its parts tell."""

import threading
import time

import pytest
from django.db import OperationalError

from scheduler_app.engine import vitals as engine_vitals
from scheduler_app.engine.vitals import LOG_HANGS, LOG_PATIENCE, Vitals, unwell_after
from scheduler_app.logs import LogWriter
from tests.engine.conftest import eventually

HEARTBEAT = 5.0  # the default


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vitals(clock: Clock) -> Vitals:
    return Vitals(clock)


def said(vitals: Vitals) -> str:
    problem = vitals.problem()
    return problem.text if problem else ""


def all_progress(vitals: Vitals) -> None:
    for part in (vitals.claims, vitals.records, vitals.starts):
        part.progressed(vitals.monotonic())


def test_others_know_within_two_heartbeats() -> None:
    look = 1.0
    assert unwell_after(HEARTBEAT) + look < 2 * HEARTBEAT


def test_engine_is_well_while_all_parts_make_progress(vitals: Vitals, clock: Clock) -> None:
    for _ in range(9):
        clock.now += 7
        all_progress(vitals)
        assert vitals.problem() is None


@pytest.mark.parametrize(
    ("part", "failing", "hanging"),
    [
        ("claims", "every claim fails", "no claim completes"),
        ("records", "no outcome can be recorded", "the recorder makes no progress"),
        ("starts", "runs do not begin", "runs that were handed over do not begin"),
    ],
)
def test_part_without_progress_is_named(
    vitals: Vitals, clock: Clock, part: str, failing: str, hanging: str
) -> None:
    since = clock.now
    clock.now += 8
    for other in {"claims", "records", "starts"} - {part}:
        getattr(vitals, other).progressed(clock.now)
    problem = vitals.problem()
    assert problem is not None
    assert (problem.text, problem.since, problem.is_final) == (hanging, since, False)
    getattr(vitals, part).failed(ValueError("no\nsuch"))
    assert said(vitals) == f"{failing}: ValueError: no"
    getattr(vitals, part).progressed(clock.now)
    assert vitals.problem() is None


def test_one_failure_is_no_problem(vitals: Vitals, clock: Clock) -> None:
    clock.now += 2
    vitals.claims.failed(OperationalError("away"))
    assert vitals.problem() is None


def test_lock_of_another_client_is_named_and_waited_for(vitals: Vitals, clock: Clock) -> None:
    clock.now += 8
    holder = "a lock on scheduler_app_job held by PostgreSQL process 7 (user ada, psql)"
    vitals.claims.failed(OperationalError("lock timeout"), holder)
    vitals.records.progressed(clock.now)
    vitals.starts.progressed(clock.now)
    problem = vitals.problem()
    assert problem is not None
    assert problem.is_blocked
    assert problem.text == (
        f"every claim fails: it waits for {holder} (OperationalError: lock timeout)"
    )


def test_thread_that_has_ended_is_final(vitals: Vitals, clock: Clock) -> None:
    thread = threading.Thread(target=lambda: None, name="scheduler-recorder")
    thread.start()
    thread.join()
    vitals.threads.append(thread)
    first = vitals.problem()
    clock.now += 3
    all_progress(vitals)
    assert vitals.problem() == first
    assert first is not None
    assert (first.text, first.is_final) == ("its thread scheduler-recorder has ended", True)


def test_hanging_thread_is_shown_where_it_is(vitals: Vitals, clock: Clock) -> None:
    stop = threading.Event()
    probe = Vitals(clock)

    def hang() -> None:
        probe.probe = lambda: _wait(stop)
        probe.problem()

    vitals.claims.thread = threading.Thread(target=hang)
    vitals.claims.thread.start()
    try:
        clock.now += 8
        eventually(lambda: "it is in vitals.py:" in said(vitals))
        assert said(vitals).endswith("(problem)")
    finally:
        stop.set()
        vitals.claims.thread.join()


def _wait(stop: threading.Event) -> None:
    stop.wait()


def test_part_with_nothing_to_do_is_well(vitals: Vitals, clock: Clock) -> None:
    vitals.probe = lambda: all_progress(vitals)
    clock.now += 60
    assert vitals.problem() is None


def test_stopping_scheduler_says_so(vitals: Vitals, clock: Clock) -> None:
    vitals.stop()
    clock.now += 60
    problem = vitals.problem()
    assert problem is not None
    assert (problem.text, problem.since) == ("it is stopping", 100.0)


def test_clock_of_the_machine_is_the_default() -> None:
    assert abs(Vitals().claims.at - time.monotonic()) < 5


def test_log_handler_that_hangs_is_a_problem(
    vitals: Vitals, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter()
    monkeypatch.setattr(engine_vitals, "writer", writer)
    for seconds, text in [(0.0, ""), (LOG_PATIENCE, ""), (LOG_PATIENCE + 1, LOG_HANGS)]:
        monkeypatch.setattr(LogWriter, "hangs_for", seconds)
        assert said(vitals) == text
    problem = vitals.problem()
    assert problem
    assert problem.since == clock.now - LOG_PATIENCE - 1
    assert problem.is_blocked
