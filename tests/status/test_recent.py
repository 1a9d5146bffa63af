"""The last results of many jobs, in one query."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler_app.models import JobRun, RunState
from scheduler_app.status.recent import recent_runs

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)
MINUTE = timedelta(minutes=1)


def add(name: str, number: int, state: RunState = RunState.SUCCESS) -> None:
    JobRun.objects.bulk_create(
        JobRun(
            job_name=name,
            state=state,
            scheduled_for=NOW - minutes * MINUTE,
            due_at=NOW - minutes * MINUTE,
            started_at=NOW - minutes * MINUTE + timedelta(seconds=1),
            finished_at=NOW - minutes * MINUTE + timedelta(seconds=3.5),
        )
        for minutes in range(number)
    )


def test_the_last_of_each_job_the_oldest_first() -> None:
    add("a", 30)
    add("b", 2, RunState.FAILED)
    add("other", 3)
    with CaptureQueriesContext(connection) as made:
        found = recent_runs(["a", "b", "none", 'a"b', "a\\b"])
    assert len(made) == 1
    assert {name: len(runs) for name, runs in found.items()} == {"a": 20, "b": 2}
    moments = [run.scheduled_for for run in found["a"]]
    assert moments == [NOW - minutes * MINUTE for minutes in reversed(range(20))]
    assert found["b"][0].state is RunState.FAILED


def test_lengths_of_a_run() -> None:
    add("a", 1)
    [run] = recent_runs(["a"])["a"]
    assert (run.duration, run.lateness) == (timedelta(seconds=2.5), timedelta(seconds=1))
    assert run.finished_at.tzinfo is not None


def test_what_has_not_ended_is_no_result() -> None:
    JobRun.objects.create(job_name="a", scheduled_for=NOW, due_at=NOW)
    JobRun.objects.create(
        job_name="a", state=RunState.RUNNING, scheduled_for=NOW - MINUTE, due_at=NOW, started_at=NOW
    )
    assert recent_runs(["a"])["a"] == []


def test_what_never_started_has_no_lengths() -> None:
    JobRun.objects.create(
        job_name="a", state=RunState.MISSED, scheduled_for=NOW, due_at=NOW, finished_at=NOW
    )
    [run] = recent_runs(["a"])["a"]
    assert (run.duration, run.lateness) == (None, None)


def test_no_job_needs_no_query() -> None:
    with CaptureQueriesContext(connection) as made:
        assert recent_runs([]) == {}
    assert len(made) == 0
