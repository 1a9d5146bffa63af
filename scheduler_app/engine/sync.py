"""Bring the declared jobs into the database, when a scheduler starts.

New jobs are added, changed schedules updated; pauses, counters and history stay. Jobs that no
living scheduler's code declares are marked as orphaned and no longer fire; nothing is deleted."""

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import chain
from typing import Any

from scheduler_app.ledger import schedules, transitions
from scheduler_app.models import Job, JobRun, Node, RunState, SchedulePeriod, database
from scheduler_app.policies import Policies
from scheduler_app.registry import JobDefinition, Registry

logger = logging.getLogger(__name__)

FIELDS = [
    *("description", "cron", "timezone", "jitter", "orphaned_at"),
    *(field.name for field in fields(Policies)),
]
"""What a declaration sets."""


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
        schedules.restore_entries(declared)
        known = Job.objects.in_bulk(list(declared))
        stale = sorted(name for name, job in known.items() if _differs(job, declared[name]))
        _update(schedules.lock(stale), declared, now)
    return Changes(added, stale)


def mark_orphans(now: datetime, living: Collection[int] | None = None) -> list[str]:
    """Mark the jobs that none of the living nodes (those with these ids, as the caller has seen
    them) declares; returns the names newly marked. What of theirs is due or waiting is recorded as
    not run."""
    with database.atomic():
        nodes = Node.objects.alive() if living is None else Node.objects.filter(pk__in=living)
        declared = set(chain.from_iterable(nodes.values_list("declares", flat=True)))
        names = Job.objects.declared().values_list("name", flat=True)
        orphans = sorted(set(names) - declared)
        if not orphans:
            return []
        jobs = schedules.lock(orphans)
        message = "Skipped: no scheduler's code declares the job any more."
        waiting = JobRun.objects.unassigned().filter(job_name__in=orphans)
        transitions.close_queued(waiting.select_for_update(), RunState.CANCELLED, now, message)

        def orphan(job: Job) -> None:
            job.orphaned_at = now

        reason = "No scheduler's code declared the job."
        schedules.change(jobs, now, orphan, ["orphaned_at"], skipped=message, reason=reason)
    logger.warning("jobs no longer declared: %s", ", ".join(orphans))
    return orphans


def _add_missing(declared: dict[str, JobDefinition], now: datetime) -> list[str]:
    known = set(Job.objects.filter(name__in=declared).values_list("name", flat=True))
    missing = sorted(set(declared) - known)
    rows = [Job(name=name, **_declared_values(declared[name])) for name in missing]
    # Another scheduler may be adding the same jobs at this moment: whoever is first, wins.
    Job.objects.bulk_create(rows, ignore_conflicts=True)
    begun = SchedulePeriod.objects.open().filter(job_name__in=missing)
    new = set(missing) - set(begun.values_list("job_name", flat=True))
    added = Job.objects.filter(name__in=new).select_for_update().order_by("name")
    schedules.begin(added, dict.fromkeys(missing, now), "Declared.")
    return missing


def _declared_values(definition: JobDefinition) -> dict[str, Any]:
    schedule = definition.schedule
    return asdict(definition.policies) | {
        "description": definition.description,
        "cron": schedule.expression,
        "timezone": schedule.timezone,
        "jitter": schedule.jitter,
    }


def _differs(job: Job, definition: JobDefinition) -> bool:
    wanted = _declared_values(definition)
    return job.is_orphaned or any(getattr(job, key) != value for key, value in wanted.items())


def _update(jobs: list[Job], declared: dict[str, JobDefinition], now: datetime) -> None:
    """Take over the declarations; a job whose schedule changes begins a new period."""

    def declare(job: Job) -> None:
        job.orphaned_at = None
        for key, value in _declared_values(declared[job.name]).items():
            setattr(job, key, value)

    turning, others = list[Job](), list[Job]()
    for job in jobs:
        turns = job.is_orphaned or job.schedule != declared[job.name].schedule
        (turning if turns else others).append(job)
    message = "Skipped: the schedule was changed before it was run."
    reason = "The schedule was changed, or declared again."
    schedules.change(turning, now, declare, FIELDS, skipped=message, reason=reason)
    for job in others:
        declare(job)
    Job.objects.bulk_update(others, FIELDS, batch_size=500)
