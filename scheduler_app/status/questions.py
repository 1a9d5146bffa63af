"""Which of all jobs need a look, and which come first: answered by the database, so that a list of
ten thousand jobs shows its page at once."""

from collections.abc import Callable, Mapping, Sequence
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
from scheduler_app.models import Job, JobRun, RunState, bulk, database, timetable_rows
from scheduler_app.models.run import StartedLate
from scheduler_app.models.timetable import PREFIX
from scheduler_app.status.current import on_dead_node, overdue_before
from scheduler_app.status.usual import Usual, is_slow, is_stuck, usual

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
    SLOW = "slow"
    """It runs, or ran last, longer than 19 of 20 of its runs."""
    STUCK = "stuck"
    """It has been running for several times as long as usual."""
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


class Figure(StrEnum):
    """What jobs can be ordered by, besides what a database sorts."""

    DURATION = "duration"
    FAILURE_RATE = "failure rate"
    LATENESS = "lateness"


def ordered(
    names: Sequence[str], known: Mapping[str, Usual], figure: Figure, *, is_descending: bool
) -> list[str]:
    """Return these jobs in the order of this figure, those of which it is not known last."""
    figures = {name: _of(figure, of_job) for name, of_job in known.items()}
    values = {name: figures[name] for name in names if figures.get(name) is not None}
    first = sorted(values, key=lambda name: values[name], reverse=is_descending)
    return first + [name for name in names if name not in values]


def _of(figure: Figure, of_job: Usual) -> Any:
    if figure == Figure.DURATION:
        return of_job.duration_p50
    if figure == Figure.LATENESS:
        return of_job.lateness_p95
    return None if of_job.success_rate is None else 1 - of_job.success_rate


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


def _slow() -> list[str]:
    """Ask the rollups for all jobs, because no database can tell the percentiles of histograms."""
    known, now = usual(), database.now()
    last = JobRun.objects.executed().filter(job_name=OuterRef("name")).order_by("-finished_at")
    begin, end = (Subquery(last.values(name)[:1]) for name in ("started_at", "finished_at"))
    took = Job.objects.order_by().values_list("name", begin, end)
    running = JobRun.objects.running().values_list("job_name", "started_at", Value(now))
    spans = [*took, *running] if known else []
    return [name for name, a, b in spans if a and b and is_slow(b - a, known.get(name))]


def _stuck() -> list[str]:
    now = database.now()
    rows = list(
        JobRun.objects.running().filter(~on_dead_node()).values_list("job_name", "started_at")
    )
    known = usual({name for name, _at in rows}) if rows else {}
    return [name for name, at in rows if at and is_stuck(now - at, known.get(name))]


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
        Question.SLOW: lambda _: Q(bulk.AnyOf("name", _slow())),
        Question.STUCK: lambda _: Q(bulk.AnyOf("name", _stuck())),
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
