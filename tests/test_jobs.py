"""The housekeeping jobs do their work, on a real database."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import jobs
from scheduler_app.models import Job, JobRun, Node, RunState, database
from scheduler_app.registry import JobContext, registry

NOW = timezone.now()


@pytest.fixture
def context() -> JobContext:
    return JobContext(job_name="prune-run-history", run_id=1, scheduled_for=NOW)


def add_runs(name: str, number: int, days_old: float, state: RunState = RunState.SUCCESS) -> None:
    moment = NOW - timedelta(days=days_old)
    finished = None if state == RunState.RUNNING else moment
    JobRun.objects.bulk_create(
        JobRun(
            job_name=name,
            scheduled_for=moment - timedelta(seconds=i),
            due_at=moment,
            state=state,
            started_at=moment if state == RunState.RUNNING else None,
            finished_at=finished and finished - timedelta(seconds=i),
        )
        for i in range(number)
    )


def kept(name: str) -> int:
    return JobRun.objects.filter(job_name=name).count()


def test_housekeeping_jobs_are_declared() -> None:
    assert set(registry.names) >= {
        "prune-run-history",
        "clear-expired-sessions",
        "compact-database",
        "measure-database",
    }


@pytest.mark.django_db
def test_old_runs_are_pruned_in_batches(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 7)
    add_runs("a", 20, days_old=1)
    add_runs("a", 30, days_old=31)
    assert jobs.prune_run_history(context) == {"runs_deleted": 30, "nodes_deleted": 0}
    assert kept("a") == 20


@pytest.mark.django_db
def test_last_ten_runs_are_kept_however_old(context: JobContext) -> None:
    add_runs("a", 25, days_old=100)
    add_runs("b", 5, days_old=100)
    jobs.prune_run_history(context)
    assert (kept("a"), kept("b")) == (10, 5)


@pytest.mark.django_db
def test_age_is_told_by_the_database(context: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "now", lambda: NOW - timedelta(days=60))
    add_runs("a", 25, days_old=70)
    jobs.prune_run_history(context)
    assert kept("a") == 25


@pytest.mark.django_db
def test_history_days_are_the_projects(context: JobContext, settings: Settings) -> None:
    settings.SCHEDULER = {"history_days": 2}
    add_runs("a", 10, days_old=0)
    add_runs("a", 5, days_old=3)
    jobs.prune_run_history(context)
    assert kept("a") == 10


@pytest.mark.django_db
def test_run_that_is_going_is_never_pruned(context: JobContext) -> None:
    add_runs("a", 15, days_old=0)
    add_runs("a", 1, days_old=90, state=RunState.RUNNING)
    jobs.prune_run_history(context)
    assert kept("a") == 16


@pytest.mark.django_db
def test_pruning_leaves_the_counters_alone(context: JobContext) -> None:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC", run_count=25)
    add_runs("a", 25, days_old=100)
    jobs.prune_run_history(context)
    assert Job.objects.get().run_count == 25


@pytest.mark.django_db
def test_pruning_ends_early_when_asked_to(context: JobContext) -> None:
    add_runs("a", 25, days_old=100)
    context.cancel_event.set()
    assert jobs.prune_run_history(context)["runs_deleted"] == 0


@pytest.mark.django_db
def test_schedulers_that_stopped_long_ago_are_forgotten(context: JobContext) -> None:
    Node.objects.create(name="old", stopped_at=NOW - timedelta(days=31))
    Node.objects.create(name="new", stopped_at=NOW)
    Node.objects.create(name="alive")
    assert jobs.prune_run_history(context)["nodes_deleted"] == 1


@pytest.mark.django_db
def test_expired_sessions_are_cleared() -> None:
    Session.objects.create(session_key="old", expire_date=NOW - timedelta(days=1))
    Session.objects.create(session_key="new", expire_date=NOW + timedelta(days=1))
    definition = registry.get("clear-expired-sessions")
    assert definition is not None
    definition.function()
    assert [session.session_key for session in Session.objects.all()] == ["new"]


@pytest.mark.django_db(transaction=True)
def test_database_is_compacted() -> None:
    add_runs("a", 2_000, days_old=1)
    JobRun.objects.all().delete()
    sizes = jobs.compact_database()
    assert 0 < sizes["bytes_after"] <= sizes["bytes_before"]


@pytest.mark.django_db
def test_database_is_measured() -> None:
    add_runs("a", 3, days_old=1)
    measured = jobs.measure_database()
    assert measured["database_bytes"] > 0
    assert (measured["runs"], measured["jobs"], measured["audit_entries"]) == (3, 0, 0)


@pytest.mark.django_db
def test_pruning_writes_down_how_far_it_went(context: JobContext) -> None:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    Job.objects.create(name="b", cron="* * * * *", timezone="UTC")
    add_runs("a", 25, days_old=100)
    add_runs("b", 5, days_old=100)
    jobs.prune_run_history(context)
    first = JobRun.objects.filter(job_name="a").earliest("scheduled_for").scheduled_for
    assert Job.objects.get(name="a").pruned_to == first - timedelta(seconds=1)
    assert Job.objects.get(name="b").pruned_to is None


@pytest.mark.django_db
def test_interrupted_pruning_has_deleted_the_oldest(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    add_runs("a", 25, days_old=100)
    oldest = JobRun.objects.earliest("scheduled_for").scheduled_for
    monkeypatch.setattr(jobs, "BATCH", 3)
    monkeypatch.setattr(JobContext, "report", lambda self, **_: self.cancel_event.set())
    jobs.prune_run_history(context)
    assert kept("a") == 22
    assert Job.objects.get().pruned_to == oldest + timedelta(seconds=2)


@pytest.mark.django_db
@pytest.mark.parametrize(("retry_days_old", "left"), [(1, 12), (99, 10)])
def test_attempts_of_one_occurrence_are_pruned_together(
    context: JobContext, retry_days_old: float, left: int
) -> None:
    add_runs("a", 10, days_old=0)
    add_runs("a", 1, days_old=100, state=RunState.FAILED)
    first = JobRun.objects.get(state=RunState.FAILED)
    finished = NOW - timedelta(days=retry_days_old)
    JobRun.objects.create(
        job_name="a",
        scheduled_for=first.scheduled_for,
        due_at=first.due_at,
        attempt=2,
        first_attempt=first,
        state=RunState.SUCCESS,
        finished_at=finished,
    )
    jobs.prune_run_history(context)
    assert kept("a") == left
    assert not JobRun.objects.filter(attempt=2, first_attempt=None).exists()
