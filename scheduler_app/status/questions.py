"""Which of all jobs need a look, and which come first: answered by the database, so that a list of
ten thousand jobs shows its page at once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from django.db.models import (
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Concat

from scheduler_app.cron import Schedule, Uncomputable
from scheduler_app.models import Job, JobRun, RunState, bulk, timetable_rows
from scheduler_app.models.run import StartedLate
from scheduler_app.models.timetable import PREFIX
from scheduler_app.status.current import on_dead_node, overdue_before

LATE = timedelta(seconds=60)
"""A run that started so long after it was due, or longer, was late."""


class Question(StrEnum):
    """What can be asked of all jobs."""

    FAILED = "failed"
    """Some run failed or was lost since the moment."""
    MISSED = "missed"
    """Some occurrence was missed since the moment."""
    LATE = "late"
    """It is due and not claimed, or some run started late since the moment."""
    FAILING = "failing"
    """The last outcome is not a success."""
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    OVERDUE = "overdue"
    PAUSED = "paused"
    ORPHANED = "orphaned"
    BROKEN = "broken"
    """The schedule cannot be computed."""
    NEVER = "never"
    """No run is known, and none has been counted."""
    OVERRIDDEN = "overridden"
    """People have set another schedule, or other policies, than the code declares."""
    IDLE = "idle"


def asked(jobs: QuerySet[Job], question: Question, since: datetime) -> QuerySet[Job]:
    """Return those of these jobs to which it applies."""
    return jobs.filter(_ANSWERS[question](since))


def next_due() -> Subquery:
    """Return when the job of the outer query is due next."""
    rows = timetable_rows().filter(id=Concat(Value(PREFIX), OuterRef("name")))
    return Subquery(rows.values("next_run_time"))


def last_finished() -> Subquery:
    """Return when anything was last recorded of the job of the outer query."""
    return Subquery(_last_outcome().values("finished_at")[:1])


def _last_outcome() -> Any:
    return JobRun.objects.finished().filter(job_name=OuterRef("name")).order_by("-finished_at")


def _ended_badly(since: datetime, *states: RunState) -> Q:
    return _jobs_of(JobRun.objects.ended_badly().filter(finished_at__gte=since, state__in=states))


def _late(since: datetime) -> Q:
    late = StartedLate(LATE // timedelta(minutes=1))
    ended = JobRun.objects.filter(late, finished_at__gte=since)
    return _overdue() | _jobs_of(ended) | _jobs_of(JobRun.objects.running().filter(late))


def _jobs_of(runs: QuerySet[JobRun]) -> Q:
    """Return the jobs of these runs. They are read once, not for each question about the jobs; and
    by an expression, or SQLite might go through all of another index than that of ends."""
    named = runs.order_by().values_list(Coalesce("job_name", Value("")), flat=True)
    return Q(bulk.AnyOf("name", named.distinct()))


def _overdue() -> Q:
    """Return what status calls overdue."""
    return _due_and_unclaimed() & ~_broken()


def _due_and_unclaimed() -> Q:
    rows = timetable_rows().filter(id=Concat(Value(PREFIX), OuterRef("name")))
    due = Exists(rows.filter(next_run_time__lt=overdue_before()))
    return Q(due, paused_at=None, orphaned_at=None)


def _running() -> Q:
    return _jobs_of(JobRun.objects.running().filter(~on_dead_node()))


def _interrupted() -> Q:
    return _jobs_of(JobRun.objects.running().filter(on_dead_node()))


def _failing() -> Q:
    """Return the jobs of which the last outcome is there, and is no success."""
    state = Subquery(_last_outcome().values("state")[:1])
    succeeded = Job.objects.annotate(last=state).filter(last=RunState.SUCCESS)
    known = Exists(JobRun.objects.finished().filter(job_name=OuterRef("name")))
    return Q(known) & ~Q(name__in=succeeded.order_by().values("name"))


def _broken() -> Q:
    """Ask each schedule that there is once, because no database can tell."""
    columns = ("cron", "timezone", "jitter")
    found = Q(pk__in=[])
    for cron, zone, jitter in Job.objects.order_by().values_list(*columns).distinct():
        if isinstance(Schedule(cron, zone, jitter).compute(), Uncomputable):
            found |= Q(cron=cron, timezone=zone, jitter=jitter)
    return found


def _never() -> Q:
    runs = JobRun.objects.executed().filter(job_name=OuterRef("name"))
    return Q(~Exists(runs), run_count=0, error_count=0)


def _idle() -> Q:
    busy = _broken() | _due_and_unclaimed() | _jobs_of(JobRun.objects.running())
    return Q(paused_at=None, orphaned_at=None) & ~busy


_ANSWERS: Mapping[Question, Callable[[datetime], Q]] = MappingProxyType(
    {
        Question.FAILED: lambda since: _ended_badly(since, RunState.FAILED, RunState.LOST),
        Question.MISSED: lambda since: _ended_badly(since, RunState.MISSED),
        Question.LATE: _late,
        Question.FAILING: lambda _: _failing(),
        Question.RUNNING: lambda _: _running(),
        Question.INTERRUPTED: lambda _: _interrupted(),
        Question.OVERDUE: lambda _: _overdue(),
        Question.PAUSED: lambda _: Q(paused_at__isnull=False),
        Question.ORPHANED: lambda _: Q(orphaned_at__isnull=False),
        Question.BROKEN: lambda _: _broken(),
        Question.NEVER: lambda _: _never(),
        Question.OVERRIDDEN: lambda _: ~Q(overrides=""),
        Question.IDLE: lambda _: _idle(),
    }
)
