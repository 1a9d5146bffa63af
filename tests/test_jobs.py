"""The housekeeping jobs do their work, on a real database."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from scheduler_app import jobs
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.explain.explain import explain
from scheduler_app.ledger import timetable
from scheduler_app.models import (
    AuditEntry,
    Job,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    database,
)
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
    assert jobs.prune_run_history(context) == {
        "runs_deleted": 30,
        "nodes_deleted": 0,
        "periods_deleted": 0,
        "audit_entries_deleted": 0,
    }
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


def add_periods(name: str, number: int, end: datetime, *, is_open: bool = True) -> None:
    """So many minutes of one period each, the last of which ends at this moment."""
    begins = [end - timedelta(minutes=number - i) for i in range(number)]
    state = SchedulePeriod.State
    SchedulePeriod.objects.bulk_create(
        SchedulePeriod(
            job_name=name,
            cron="0 1 * * *",
            timezone="UTC",
            state=state.PAUSED if i % 2 else state.ACTIVE,
            begins_at=begin,
            ends_at=begin + timedelta(minutes=1),
            reason="Paused by ada (admin)." if i % 2 else "Resumed by ada (admin).",
        )
        for i, begin in enumerate(begins)
    )
    if is_open:
        SchedulePeriod.objects.create(
            job_name=name, cron="0 1 * * *", timezone="UTC", state=state.ACTIVE, begins_at=end
        )


@pytest.mark.django_db
def test_old_periods_are_pruned_in_batches(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 7)
    Job.objects.create(name="a", cron="0 1 * * *", timezone="UTC")
    end = NOW - timedelta(days=40)
    add_periods("a", 50, end)
    assert jobs.prune_run_history(context)["periods_deleted"] == 50
    assert SchedulePeriod.objects.get().ends_at is None
    assert Job.objects.get().pruned_to == end


@pytest.mark.django_db
def test_period_that_judges_a_kept_run_is_kept(context: JobContext) -> None:
    Job.objects.create(name="a", cron="0 1 * * *", timezone="UTC")
    add_periods("a", 50, NOW - timedelta(days=40))
    moment = NOW - timedelta(days=40, minutes=9.5)
    JobRun.objects.create(
        job_name="a", scheduled_for=moment, due_at=moment, state=RunState.SKIPPED,
        first_scheduled_for=moment - timedelta(minutes=10), occurrences=2, finished_at=moment,
    )  # fmt: skip
    jobs.prune_run_history(context)
    first = SchedulePeriod.objects.earliest("begins_at")
    assert first.begins_at <= moment - timedelta(minutes=10)
    assert SchedulePeriod.objects.filter(ends_at__isnull=False).count() == 20


@pytest.mark.django_db
def test_pruning_of_periods_leaves_a_clean_audit(context: JobContext) -> None:
    Job.objects.create(name="a", cron="0 1 * * *", timezone="UTC", paused_at=NOW)
    timetable.add({"a": None})
    add_periods("a", 50, NOW - timedelta(days=40))
    SchedulePeriod.objects.update(state=SchedulePeriod.State.PAUSED)
    assert list(audit_ledger()) == []
    jobs.prune_run_history(context)
    assert SchedulePeriod.objects.count() == 1
    assert list(audit_ledger()) == []


@pytest.mark.django_db
def test_pruning_of_periods_ends_early_when_asked_to(context: JobContext) -> None:
    add_periods("a", 50, NOW - timedelta(days=40))
    context.cancel_event.set()
    assert jobs.prune_run_history(context)["periods_deleted"] == 0


@pytest.mark.django_db
def test_audit_days_are_the_projects(context: JobContext, settings: Settings) -> None:
    settings.SCHEDULER = {"audit_days": 2}
    AuditEntry.objects.bulk_create(
        AuditEntry(at=NOW - timedelta(days=days), actor="a", surface="cli", action="pause",
                   job_name="a", changed=True)
        for days in (0, 1, 3, 400)
    )  # fmt: skip
    assert jobs.prune_run_history(context)["audit_entries_deleted"] == 2
    assert AuditEntry.objects.count() == 2


@pytest.mark.django_db
def test_explaining_reads_few_of_many_periods(
    monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Job.objects.create(name="a", cron="0 1 * * *", timezone="UTC")
    add_periods("a", 5_000, NOW)
    made: list[SchedulePeriod] = []
    original = SchedulePeriod.from_db

    def from_db(*args: Any) -> SchedulePeriod:
        made.append(original(*args))
        return made[-1]

    monkeypatch.setattr(SchedulePeriod, "from_db", from_db)
    for moment in (NOW - timedelta(days=1), NOW - timedelta(hours=3), NOW + timedelta(days=2)):
        made.clear()
        with django_assert_max_num_queries(20):
            assert explain("a", moment).startswith("a ")
        assert len(made) < 20


@pytest.mark.django_db
def test_explaining_what_is_pruned_says_so() -> None:
    Job.objects.create(name="a", cron="0 1 * * *", timezone="UTC", pruned_to=NOW)
    add_periods("a", 5, NOW)
    told = explain("a", NOW - timedelta(days=3))
    assert "the schedule of that time is deleted, like more of the history up to" in told
