"""Housekeeping jobs that every installation wants."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.apps import apps
from django.db.backends.utils import CursorWrapper
from django.db.models import Max, Min, Q, QuerySet
from django.db.models.functions import Coalesce
from django_apscheduler.models import DjangoJob

from scheduler_app.conf import HOUSEKEEPING, scheduler_settings
from scheduler_app.models import (
    AuditEntry,
    Heartbeat,
    Job,
    JobCount,
    JobRun,
    Node,
    Release,
    RunProgress,
    SchedulePeriod,
    ZoneRules,
    database,
)
from scheduler_app.registry import JobContext, command_job, job

F = TypeVar("F", bound=Callable[..., Any])

KEPT_RUNS = 10
"""How many finished runs of each job are kept, however old."""
BATCH = 1_000

TABLES = [
    model._meta.db_table
    for model in (
        *(Job, JobCount, JobRun, RunProgress, Node, Heartbeat, Release, ZoneRules),
        *(SchedulePeriod, AuditEntry, DjangoJob),
    )
]


def _cron(name: str) -> str | None:
    """Return when the job runs; None: it is not wanted."""
    return scheduler_settings().housekeeping.get(name, HOUSEKEEPING[name])


def _housekeeping(function: F) -> F:
    cron = _cron(function.__name__.replace("_", "-"))
    return function if cron is None else job(cron=cron)(function)


@_housekeeping
def prune_run_history(context: JobContext) -> dict[str, int]:
    """Delete finished runs older than SCHEDULER["history_days"], except the last ten of each job;
    nodes and releases of that time; schedule periods that ended then and before all runs that are
    kept; and audit entries older than SCHEDULER["audit_days"]. Counters are kept."""
    now = database.now()
    settings = scheduler_settings()
    oldest = now - timedelta(days=settings.history_days)
    names = JobRun.objects.order_by("job_name").values_list("job_name", flat=True).distinct()
    for name in list(names):
        _prune(context, name, oldest)
    nodes, _ = Node.objects.filter(stopped_at__lt=oldest).delete()
    unused = Release.objects.exclude(digest__in=Node.objects.values("release"))
    unused.filter(since__lt=oldest).delete()
    for name in list(SchedulePeriod.objects.filter(ends_at__lt=oldest).job_names()):
        _prune_periods(context, name, oldest)
    entries = AuditEntry.objects.older_than(now - timedelta(days=settings.audit_days))
    _delete_all(context, entries.order_by("pk"), "audit_entries_deleted")
    counted = ("runs_deleted", "periods_deleted", "audit_entries_deleted")
    deleted = {counter: context.reported.get(counter, 0) for counter in counted}
    return deleted | {"nodes_deleted": nodes}


def _prune(context: JobContext, name: str, oldest: datetime) -> None:
    """Delete the job's old runs, the oldest first; the attempts of one occurrence together, or not
    at all."""
    finished = JobRun.objects.finished().filter(job_name=name)
    latest = finished.order_by("-finished_at").values_list("finished_at", flat=True)
    kept = latest[KEPT_RUNS - 1 : KEPT_RUNS].first()
    if kept is None:
        return
    old = JobRun.objects.ended_before(min(oldest, kept)).filter(job_name=name)
    pks = old.order_by("finished_at").values_list("pk", flat=True)
    while not context.cancelled and (batch := list(pks[:BATCH])):
        deleted = _delete(name, batch)
        _count(context, "runs_deleted", deleted)


def _delete(name: str, firsts: list[int]) -> int:
    """Delete these runs of the job with their retries, and record up to when its history is now
    incomplete: the last moment of which something was deleted."""
    with database.atomic():
        runs = JobRun.objects.filter(Q(pk__in=firsts) | Q(first_attempt__in=firsts))
        to = runs.aggregate(to=Max("scheduled_for"))["to"]
        deleted, _ = runs.only("pk").delete()
        incomplete = Job.objects.filter(Q(pruned_to=None) | Q(pruned_to__lt=to), name=name)
        incomplete.update(pruned_to=to)
    return deleted


def _prune_periods(context: JobContext, name: str, oldest: datetime) -> None:
    """Delete the job's periods that ended before this moment and before all of its runs that are
    kept, the oldest first, and record up to when its history is now incomplete."""
    firsts = Coalesce("first_scheduled_for", "scheduled_for")
    kept = JobRun.objects.scheduled().filter(job_name=name).aggregate(first=Min(firsts))["first"]
    ended = SchedulePeriod.objects.filter(job_name=name, ends_at__lt=min(oldest, kept or oldest))
    while not context.cancelled and (batch := list(ended.order_by("ends_at", "pk")[:BATCH])):
        to = batch[-1].ends_at
        with database.atomic():
            ended.filter(pk__in=[period.pk for period in batch]).delete()
            incomplete = Job.objects.filter(Q(pruned_to=None) | Q(pruned_to__lt=to), name=name)
            incomplete.update(pruned_to=to)
        _count(context, "periods_deleted", len(batch))


def _delete_all(context: JobContext, rows: "QuerySet[Any]", counter: str) -> None:
    while not context.cancelled and (batch := list(rows.values_list("pk", flat=True)[:BATCH])):
        deleted, _ = rows.model._default_manager.filter(pk__in=batch).delete()
        _count(context, counter, deleted)


def _count(context: JobContext, counter: str, deleted: int) -> None:
    context.report(**{counter: context.reported.get(counter, 0) + deleted})


sessions_cron = _cron("clear-expired-sessions")
if apps.is_installed("django.contrib.sessions") and sessions_cron is not None:
    command_job(
        "clearsessions",
        cron=sessions_cron,
        name="clear-expired-sessions",
        isolated=False,  # it does nothing that asks for a process
        description="Delete expired sessions.",
    )


@_housekeeping
def compact_database() -> dict[str, int]:
    """Give back the space of deleted rows, and bring the planner's statistics up to date."""
    connection = database.connection()
    with connection.cursor() as cursor:
        before = _size(cursor)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA optimize")
            cursor.execute("VACUUM")
        else:
            tables = ", ".join(connection.ops.quote_name(table) for table in TABLES)
            cursor.execute(f"VACUUM (ANALYZE) {tables}")
        return {"bytes_before": before, "bytes_after": _size(cursor)}


@_housekeeping
def measure_database() -> dict[str, Any]:
    """Measure how large the database is, and how many rows the scheduler keeps."""
    with database.connection().cursor() as cursor:
        size = _size(cursor)
    return {
        "database_bytes": size,
        "jobs": Job.objects.count(),
        "runs": JobRun.objects.count(),
        "audit_entries": AuditEntry.objects.count(),
    }


def _size(cursor: CursorWrapper) -> int:
    """Return the size of the whole database in bytes."""
    if cursor.db.vendor == "sqlite":
        cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    else:
        cursor.execute("SELECT pg_database_size(current_database())")
    size: int = cursor.fetchone()[0]
    return size
