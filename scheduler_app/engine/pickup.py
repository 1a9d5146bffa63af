"""Runs that no node has, or that their node has not begun in time: requests, retries, what waits
for another run to end, and what a node that has too much, or has died, has claimed."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from scheduler_app.ledger import transitions
from scheduler_app.models import (
    Job,
    JobRun,
    Node,
    RunState,
    Trigger,
    database,
    timetable_rows,
)
from scheduler_app.policies import CatchUp, Overlap
from scheduler_app.registry import Registry

_JOB = Job.objects.filter(name=OuterRef("job_name"))
_HAS_ENTRY = Exists(timetable_rows().filter(id=OuterRef("job_name")))
_PAUSED = Exists(_JOB.paused())
_MAY_OVERLAP = Exists(_JOB.filter(overlap=Overlap.ALLOW))
_GOING = Exists(
    JobRun.objects.assigned().filter(job_name=OuterRef("job_name")).exclude(pk=OuterRef("pk"))
)


def pick_up(
    node: Node, registry: Registry, undeclared: set[str], now: datetime, free_slots: int
) -> list[JobRun]:
    """Take up to `free_slots` of the runs that wait, in the order in which they were due. Those of
    a job that may not overlap start one at a time; those of a paused job wait, unless asked for.
    Jobs that this node's code lacks block no others: they are added to `undeclared`. Nor do those
    whose timetable row, the lock, has been deleted: their runs wait until it is back."""
    with database.atomic():
        ours = set[str]()
        while not ours and (found := _first_jobs(now, node, undeclared, free_slots)):
            ours = {name for name in found if name in registry}
            undeclared |= found - ours
        entries = timetable_rows().select_for_update(skip_locked=True).filter(id__in=ours)
        locked = list(entries.values_list("id", flat=True))
        # Only now nobody else can start these jobs' runs: look again.
        waiting = _startable(now, node).filter(job_name__in=locked).order_by("due_at", "id")
        free = waiting.select_for_update(skip_locked=True)  # another is beginning what is locked
        taken = _one_at_a_time(free[:free_slots], but_not=_overlapping(locked))
        transitions.assign(taken, node)
    return taken


def miss_what_is_too_late(now: datetime, grace: timedelta) -> None:
    """After a stop: occurrences that nobody began, and that their jobs do not want late."""
    wants_none = Exists(_JOB.filter(catch_up=CatchUp.SKIP))
    with database.atomic():
        waiting = JobRun.objects.unassigned().scheduled().filter(wants_none, attempt=1)
        late = waiting.due(now - grace).select_for_update(skip_locked=True)
        transitions.close_queued(late, RunState.MISSED, now, "Missed: no scheduler was running.")


def _first_jobs(now: datetime, node: Node, undeclared: set[str], free_slots: int) -> set[str]:
    """The jobs of the first runs that could start now."""
    names = _startable(now, node).exclude(job_name__in=undeclared).order_by("due_at", "id")
    return set(names.values_list("job_name", flat=True)[:free_slots])


def _startable(now: datetime, node: Node) -> QuerySet[JobRun]:
    return JobRun.objects.free(now, node).filter(
        _HAS_ENTRY, ~_GOING | _MAY_OVERLAP, ~_PAUSED | Q(trigger=Trigger.MANUAL)
    )


def _overlapping(names: Iterable[str]) -> set[str]:
    jobs = Job.objects.filter(name__in=list(names), overlap=Overlap.ALLOW)
    return set(jobs.values_list("name", flat=True))


def _one_at_a_time(runs: Iterable[JobRun], *, but_not: set[str]) -> list[JobRun]:
    started: set[str] = set()
    taken = []
    for run in runs:
        if run.job_name not in started:
            taken.append(run)
        if run.job_name not in but_not:
            started.add(run.job_name)
    return taken
