"""Whether what is kept beside the ledger agrees with it: periods, timetable, counters, holders."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice, pairwise

from django.db.models import Count, Q, Sum

from scheduler_app.consistency.report import INACTIVE, Discrepancy, Kind
from scheduler_app.cron import Uncomputable
from scheduler_app.ledger.schedules import state_of
from scheduler_app.models import COUNTERS, Job, JobRun, RunState, SchedulePeriod
from scheduler_app.status import overdue_before
from scheduler_app.text import shown

State = SchedulePeriod.State
MANY = 10_000
"""Overdue occurrences; more are not counted."""


def periods(job: Job, recorded: Sequence[SchedulePeriod]) -> Iterator[Discrepancy]:
    """Yield where these periods, which are in order, overlap or leave a gap, and whether the last
    is not the job's present one."""
    for one, other in pairwise(recorded):
        if one.ends_at is None or one.ends_at > other.begins_at:
            text = f"two periods of its schedule overlap after {other.begins_at}"
            yield Discrepancy(job.name, Kind.PERIOD, text)
        elif one.ends_at < other.begins_at:
            text = f"no period of its schedule covers {one.ends_at} to {other.begins_at}"
            yield Discrepancy(job.name, Kind.PERIOD, text)
    last = recorded[-1] if recorded else None
    if last is None or last.ends_at is not None:
        yield Discrepancy(job.name, Kind.PERIOD, "no period of its schedule is open")
    elif (last.state, last.schedule) != (state_of(job), job.schedule):
        text = (
            f"its open period is {last.state}, {_words(last)}; the job is {state_of(job)}, "
            f"{_words(job)}"
        )
        yield Discrepancy(job.name, Kind.PERIOD, text)


def timetable(job: Job, next_due: datetime | None) -> Iterator[Discrepancy]:
    """Yield an active job that is never due, and an inactive one that is."""
    if state_of(job) == State.ACTIVE:
        if next_due is None:
            schedule = job.schedule.compute()
            why = f": {schedule.text}" if isinstance(schedule, Uncomputable) else ""
            yield Discrepancy(job.name, Kind.TIMETABLE, f"it is active, and has no next run{why}")
    elif next_due is not None:
        text = f"it is {INACTIVE[state_of(job)]}, and has a next run: {next_due}"
        yield Discrepancy(job.name, Kind.TIMETABLE, text)


def overdue(job: Job, next_due: datetime, now: datetime) -> Iterator[Discrepancy]:
    """Yield an active job that living schedulers declare and none claims in time."""
    if state_of(job) != State.ACTIVE or next_due >= overdue_before():
        return
    schedule = job.schedule.compute()
    if isinstance(schedule, Uncomputable):
        return
    count = sum(1 for _ in islice(schedule.due(next_due, now), MANY + 1))
    number = f"more than {MANY:,}" if count > MANY else f"{count:,}"
    text = f"{number} occurrence(s) are due since then, and no scheduler has claimed them"
    yield Discrepancy(job.name, Kind.OVERDUE, text, next_due, count)


def counters(job: Job) -> Iterator[Discrepancy]:
    """Yield each counter that differs from what all rows together say; only while none has been
    pruned.

    An occurrence counts once, by its last attempt: of failed and lost attempts, one is subtracted
    for each retry; a retry that was cancelled before it began adds one."""
    given_up = Q(state=RunState.CANCELLED, attempt__gt=1, started_at=None)
    found = JobRun.objects.filter(job_name=job.name).aggregate(
        run_count=Count("pk", Q(state=RunState.SUCCESS)),
        failed=Count("pk", Q(state__in=(RunState.FAILED, RunState.LOST)) | given_up),
        retried=Count("pk", Q(attempt__gt=1)),
        skip_count=Sum("occurrences", filter=Q(state=RunState.SKIPPED), default=0),
        miss_count=Sum("occurrences", filter=Q(state=RunState.MISSED), default=0),
    )
    found["error_count"] = found["failed"] - found["retried"]
    for counter in COUNTERS:
        kept = getattr(job, f"total_{counter}")
        if kept != found[counter]:
            text = f"its {counter} is {kept:,}; the ledger has {found[counter]:,}"
            yield Discrepancy(job.name, Kind.COUNTER, text)


def holders(job: Job) -> Iterator[Discrepancy]:
    """Yield runs that have not ended and whose scheduler has stopped, and running ones that no
    scheduler holds."""
    running = JobRun.objects.running().filter(node=None)
    stranded = JobRun.objects.of_stopped_nodes() | running
    for pk, state, node in stranded.filter(job_name=job.name).values_list(
        "pk", "state", "node__name"
    ):
        where = f"on {node}, which has stopped" if node else "on no scheduler"
        yield Discrepancy(job.name, Kind.STRANDED, f"run {pk} is {state} {where}")


def _words(of: Job | SchedulePeriod) -> str:
    return f"{shown(of.cron)} in {of.timezone} with jitter {of.jitter}"
