"""How far the records of a job reach when rows of it have been deleted."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import F, Max

from scheduler_app.ledger import timetable
from scheduler_app.ledger.expected import RESOLUTION
from scheduler_app.models import Job, JobRun, SchedulePeriod, bulk


def accounted_to(job: Job) -> datetime | None:
    """Return up to when the (counted) job's occurrences have had rows, as far as is known: one
    that was due by then and has no row had one, which has been deleted."""
    known = (job.accounted_to, getattr(job, "latest_accounted_to", None))
    return max(filter(None, known), default=None)


def ends(names: Iterable[str]) -> dict[str, datetime]:
    """Return for those of these jobs that have runs or closed periods: when the last of them was
    due or ended."""
    names = list(names)
    closed = SchedulePeriod.objects.filter(bulk.AnyOf("job_name", names), ends_at__isnull=False)
    runs = JobRun.objects.scheduled().filter(bulk.AnyOf("job_name", names), attempt=1)
    found: dict[str, datetime] = {}
    for rows, column in ((closed, "ends_at"), (runs, "due_at")):
        latest = rows.order_by().values("job_name").annotate(latest=Max(F(column)))
        for name, moment in latest.values_list("job_name", "latest"):
            found[name] = max(moment, found.get(name, moment))
    return found


def reached(
    names: Iterable[str], known_ends: Mapping[str, datetime], now: datetime
) -> dict[str, datetime]:
    """Return up to when these jobs' occurrences have been claimed: before what the timetable says
    is still to be claimed, but not before the end of what is known."""
    names = list(names)
    dues = timetable.dues(names)
    return {name: _reached(dues.get(name), known_ends.get(name), now) for name in names}


def _reached(due_at: datetime | None, end: datetime | None, now: datetime) -> datetime:
    if due_at is None:
        return end or now
    moment = min(now, due_at - RESOLUTION)
    return max(moment, end or moment)
