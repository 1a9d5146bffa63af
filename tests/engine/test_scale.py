"""What a look or a claim costs does not explode with what waits or is due."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app.engine import claim as module
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import record
from scheduler_app.models import JobRun, RunState
from tests.engine.conftest import T0

pytestmark = pytest.mark.django_db
Declare = Callable[..., None]
Start = Callable[..., Claimer]
only_sqlite = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="SQLite alone counts the steps of its statements"
)


def steps_of(work: Callable[[], object]) -> int:
    """How many thousands of virtual machine instructions SQLite executes for this."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, 1_000)
    try:
        work()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return steps


def add_waiting(name: str, count: int) -> None:
    moments = [T0 - timedelta(hours=1) + timedelta(seconds=number) for number in range(count)]
    JobRun.objects.bulk_create(
        JobRun(job_name=name, scheduled_for=moment, due_at=moment, created_at=T0)
        for moment in moments
    )


@only_sqlite
@pytest.mark.parametrize("is_going", [True, False])
def test_look_at_a_backlog_is_linear_in_it(declare: Declare, start: Start, is_going: bool) -> None:
    steps = []
    for count in (500, 2_000):
        JobRun.objects.all().delete()
        declare(f"a{count}", cron="0 0 1 1 *", catch_up="all")
        claimer = start()
        add_waiting(f"a{count}", count)
        if is_going:
            (first,) = claimer.claim(T0)
            record([first], [])
        steps.append(steps_of(partial(claimer.claim, T0)))
    assert 0 < steps[1] < 6 * max(steps[0], 1)


@pytest.mark.parametrize("jobs", [10, 200])
def test_queries_of_a_claim_with_jitter_do_not_depend_on_the_jobs(
    declare: Declare, start: Start, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE", 60.0)
    for number in range(jobs):
        declare(f"job-{number}", jitter=30)
    claimer = start()
    with CaptureQueriesContext(connection) as queries:
        assert len(claimer.claim(T0 + timedelta(seconds=30))) == jobs
    assert len(queries) <= 21


def test_long_downtime_of_many_jobs_is_claimed_in_slices(
    declare: Declare, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        declare(f"job-{number}", jitter=30)
    claimer = start(after_stop=True)
    monkeypatch.setattr(module, "SLICE", 0.0)
    now = T0 + timedelta(days=2)
    claimed = []
    for _ in range(5):
        assert claimer.next_due is None or claimer.next_due <= now
        claimed += claimer.claim(now)
    assert claimer.next_due is not None
    assert claimer.next_due > now
    assert len({run.job_name for run in claimed}) == 5
    missed = JobRun.objects.filter(state=RunState.MISSED)
    assert {run.message for run in missed} == {"Missed: no scheduler was running."}
    assert sum(run.occurrences for run in JobRun.objects.all()) >= 5 * 2 * 24 * 60
