"""Bring the declared jobs into the database, when a scheduler starts.

New jobs are added, changed schedules updated; pauses, counters and history stay. Jobs that no
living scheduler's code declares are marked as orphaned and no longer fire; nothing is deleted."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import chain
from typing import Any

from scheduler_app.engine import ledger, periods, timetable
from scheduler_app.models import Job, JobRun, Node, RunState, SchedulePeriod, database
from scheduler_app.policies import Policies
from scheduler_app.registry import JobDefinition, Registry

logger = logging.getLogger(__name__)

DECLARED = ("description", "cron", "timezone", "jitter", *(f.name for f in fields(Policies)))


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
        restore_entries(declared)
        known = Job.objects.in_bulk(list(declared))
        stale = sorted(name for name, job in known.items() if _differs(job, declared[name]))
        timetable.lock(stale)
        jobs = Job.objects.select_for_update().order_by("name").in_bulk(stale)
        _update([jobs[name] for name in stale], declared, now)
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
        restore_entries(orphans)
        timetable.lock(orphans)
        message = "Skipped: no scheduler's code declares the job any more."
        waiting = JobRun.objects.unassigned().filter(job_name__in=orphans)
        ledger.end_waiting(waiting.select_for_update(), RunState.CANCELLED, now, message)
        jobs = Job.objects.select_for_update().order_by("name").in_bulk(orphans)
        moments = periods.turning_points(orphans, now)
        skip_overdue(jobs.values(), moments, message)
        for job in jobs.values():
            job.orphaned_at = now
        timetable.advance(dict.fromkeys(orphans))
        Job.objects.filter(name__in=orphans).update(orphaned_at=now)
        periods.begin(jobs.values(), moments, "No scheduler's code declared the job.")
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
    periods.begin(added, dict.fromkeys(missing, now), "Declared.")
    return missing


def restore_entries(names: Collection[str]) -> None:
    """Add timetable rows for new jobs, and for jobs whose row somebody has deleted: these go on
    where their ledger ends."""
    lacking = sorted(set(names) - timetable.known(names))
    ends = periods.accounted_to(lacking)
    jobs = Job.objects.filter(name__in=ends)
    timetable.add({job.name: next_due(job, ends[job.name]) for job in jobs})


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
    turning = [
        job for job in jobs if job.is_orphaned or job.schedule != declared[job.name].schedule
    ]
    moments = periods.turning_points([job.name for job in turning], now)
    message = "Skipped: the schedule was changed before it was run."
    skip_overdue(turning, moments, message)
    moments |= _keep_put_off(turning, declared, moments, now)
    for job in jobs:
        job.orphaned_at = None
        for key, value in _declared_values(declared[job.name]).items():
            setattr(job, key, value)
    Job.objects.bulk_update(jobs, [*DECLARED, "orphaned_at"], batch_size=500)
    timetable.advance({job.name: next_due(job, moments[job.name]) for job in turning})
    periods.begin(turning, moments, "The schedule was changed, or declared again.")


def _keep_put_off(
    jobs: Iterable[Job],
    declared: Mapping[str, JobDefinition],
    moments: Mapping[str, datetime],
    now: datetime,
) -> dict[str, datetime]:
    """Queue, for the moment that was drawn for it, what jitter has put off until later and would be
    lost with that jitter. Returns the moments: these jobs' old schedule holds until then."""
    kept: list[JobRun] = []
    for job in jobs:
        if job.is_paused or job.is_orphaned:
            continue
        schedule = declared[job.name].schedule
        if fire := periods.left_out(job.schedule, schedule, job.name, moments[job.name]):
            kept.append(
                JobRun(
                    job_name=job.name,
                    scheduled_for=fire.scheduled_for,
                    due_at=fire.due_at,
                    created_at=now,
                )
            )
    ledger.insert(kept)
    return {run.job_name: run.due_at for run in kept}


def skip_overdue(jobs: Iterable[Job], moments: Mapping[str, datetime], message: str) -> None:
    """Record as skipped what is due by these moments and not in the ledger: the (locked) jobs'
    periods end there. The ledger tells where it ends, whatever the timetable says."""
    jobs = list(jobs)
    ends = periods.accounted_to([job.name for job in jobs])
    for job in jobs:
        moment = moments[job.name]
        due_at = next_due(job, ends.get(job.name, moment))
        ledger.insert(ledger.overdue_not_run(job.name, job.schedule, due_at, moment, message))


def next_due(job: Job, after: datetime) -> datetime | None:
    """When the job, as its row is, is due next after this moment; None if it does not fire."""
    if job.is_paused or job.is_orphaned:
        return None
    return periods.next_due(job.schedule, job.name, after)
