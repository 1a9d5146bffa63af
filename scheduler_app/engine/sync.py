"""Bring the declared jobs into the database, when a scheduler starts.

New jobs are added, changed schedules updated; pauses, counters and history stay. Jobs that no
living scheduler's code declares are marked as orphaned and no longer fire; nothing is deleted."""

import logging
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from scheduler_app.engine import ledger, timetable
from scheduler_app.models import Job, JobRun, Node, RunState, database
from scheduler_app.registry import JobDefinition, Registry

logger = logging.getLogger(__name__)

DECLARED = ("description", "cron", "timezone", "jitter", "overlap")


@dataclass(frozen=True, slots=True)
class Changes:
    """The names of the jobs that a synchronisation touched."""

    added: list[str]
    changed: list[str]


def sync_jobs(registry: Registry, now: datetime) -> Changes:
    """Make the rows agree with the declarations, in one transaction."""
    declared = {definition.name: definition for definition in registry}
    with database.atomic():
        added = _add_missing(declared, now)
        known = Job.objects.in_bulk(list(declared))
        stale = sorted(name for name, job in known.items() if _differs(job, declared[name]))
        dues = timetable.lock(stale)
        jobs = Job.objects.select_for_update().order_by("name").in_bulk(stale)
        for name in stale:
            _update(jobs[name], declared[name], dues[name], now)
    return Changes(added, stale)


def mark_orphans(now: datetime) -> list[str]:
    """Mark the jobs that no living node declares; returns the names newly marked. What of theirs
    is due or waiting is recorded as not run."""
    with database.atomic():
        declared = set(chain.from_iterable(Node.objects.alive().values_list("declares", flat=True)))
        names = Job.objects.declared().values_list("name", flat=True)
        orphans = sorted(set(names) - declared)
        if not orphans:
            return []
        dues = timetable.lock(orphans)
        message = "Skipped: no scheduler's code declares the job any more."
        waiting = list(JobRun.objects.unassigned().filter(job_name__in=orphans).select_for_update())
        JobRun.objects.filter(pk__in=[run.pk for run in waiting]).update(
            state=RunState.CANCELLED, finished_at=now, message=message
        )
        jobs = Job.objects.select_for_update().order_by("name").in_bulk(orphans)
        for name in orphans:
            rows = ledger.overdue_not_run(name, jobs[name].schedule, dues.get(name), now, message)
            ledger.insert(rows)
        timetable.advance(dict.fromkeys(orphans))
        Job.objects.filter(name__in=orphans).update(orphaned_at=now)
    logger.warning("jobs no longer declared: %s", ", ".join(orphans))
    return orphans


def _add_missing(declared: dict[str, JobDefinition], now: datetime) -> list[str]:
    known = set(Job.objects.filter(name__in=declared).values_list("name", flat=True))
    missing = sorted(set(declared) - known)
    # Another scheduler may be adding the same jobs at this moment: whoever is first, wins.
    Job.objects.bulk_create([_row(declared[name]) for name in missing], ignore_conflicts=True)
    _add_entries(declared, now)
    return missing


def _add_entries(declared: dict[str, JobDefinition], now: datetime) -> None:
    """Add timetable rows for new jobs, and for jobs whose row somebody has deleted."""
    known = timetable.known(declared)
    firing = Job.objects.filter(name__in=set(declared) - known, paused_at=None, orphaned_at=None)
    dues = {name: _next_due(declared[name], now) for name in firing.values_list("name", flat=True)}
    timetable.add({name: dues.get(name) for name in sorted(set(declared) - known)})


def _row(definition: JobDefinition) -> Job:
    return Job(name=definition.name, **_declared_values(definition))


def _declared_values(definition: JobDefinition) -> dict[str, str | int]:
    return {
        "description": definition.description,
        "cron": definition.schedule.expression,
        "timezone": definition.schedule.timezone,
        "jitter": definition.schedule.jitter,
        "overlap": definition.overlap,
    }


def _differs(job: Job, definition: JobDefinition) -> bool:
    wanted = _declared_values(definition)
    return job.is_orphaned or any(getattr(job, key) != value for key, value in wanted.items())


def _update(job: Job, definition: JobDefinition, due_at: datetime | None, now: datetime) -> None:
    reschedule = job.is_orphaned or job.schedule != definition.schedule
    if reschedule:
        message = "Skipped: the schedule was changed before it was run."
        ledger.insert(ledger.overdue_not_run(job.name, job.schedule, due_at, now, message))
        due_at = None if job.is_paused else _next_due(definition, now)
        timetable.advance({job.name: due_at})
    for key, value in _declared_values(definition).items():
        setattr(job, key, value)
    job.orphaned_at = None
    job.save(update_fields=[*DECLARED, "orphaned_at"])


def _next_due(definition: JobDefinition, now: datetime) -> datetime | None:
    fire = definition.schedule.next(now)
    return fire.due_at if fire else None
