"""The one door through which people change anything.

Each call is one transaction, leaves one audit row and works from any process: a scheduler notices
within a second, the one in this process at once."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from scheduler_app.engine import ledger, timetable
from scheduler_app.engine.scheduler import wake
from scheduler_app.exceptions import ActionRefused, JobNotFound
from scheduler_app.models import AuditEntry, Job, JobRun, Surface, Trigger, database

Action = AuditEntry.Action


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which door."""

    name: str
    surface: Surface


def pause(name: str, *, by: Actor, reason: str = "") -> bool:
    """Stop firing the job. False: it was paused already. Raises JobNotFound.

    A run that is going goes on; occurrences that are due but not yet claimed are recorded as
    skipped."""
    with database.atomic():
        job, due_at = _lock(name)
        changed = not job.is_paused
        if changed:
            now = timezone.now()
            message = f"Skipped: {by.name} paused the job before it was run."
            ledger.insert(ledger.overdue_not_run(name, job.schedule, due_at, now, message))
            _set_paused(job, now, next_due=None)
        _audit(Action.PAUSE, name, by, reason, changed)
    return changed


def resume(name: str, *, by: Actor, reason: str = "") -> bool:
    """Fire the job again, from its next occurrence on. False: it was not paused.
    Raises JobNotFound."""
    with database.atomic():
        job, _ = _lock(name)
        changed = job.is_paused
        if changed:
            fire = None if job.is_orphaned else job.schedule.next(timezone.now())
            _set_paused(job, None, next_due=fire.due_at if fire else None)
        _audit(Action.RESUME, name, by, reason, changed)
    return changed


def trigger(name: str, *, by: Actor, reason: str = "") -> JobRun:
    """Ask for one run as soon as a scheduler can, of a paused job too; returns the queued run.

    Raises JobNotFound, and ActionRefused if the job is orphaned or such a request waits
    already."""
    with database.atomic():
        job, _ = _lock(name)
        if job.is_orphaned:
            raise ActionRefused(f"{name} cannot be run: no scheduler's code declares it any more.")
        waiting = JobRun.objects.queued().filter(job_name=name, trigger=Trigger.MANUAL).first()
        if waiting:
            raise ActionRefused(f"{name} is asked for already: run {waiting.pk} waits to start.")
        now = timezone.now()
        run = JobRun.objects.create(
            job_name=name,
            trigger=Trigger.MANUAL,
            scheduled_for=now,
            due_at=now,
            created_at=now,
            requested_by=by.name,
        )
        _audit(Action.TRIGGER, name, by, reason, changed=True)
    return run


def _lock(name: str) -> tuple[Job, datetime | None]:
    """The job and its due moment, both locked, the timetable first as the claim does."""
    dues = timetable.lock([name])
    job = Job.objects.select_for_update().filter(name=name).first()
    if job is None:
        raise JobNotFound(name)
    return job, dues.get(name)


def _set_paused(job: Job, paused_at: datetime | None, next_due: datetime | None) -> None:
    timetable.advance({job.name: next_due})
    job.paused_at = paused_at
    job.save(update_fields=["paused_at"])


def _audit(action: Action, name: str, by: Actor, reason: str, changed: bool) -> None:
    AuditEntry.objects.create(
        actor=by.name,
        surface=by.surface,
        action=action,
        job_name=name,
        reason=reason,
        changed=changed,
    )
    transaction.on_commit(wake, using=database.alias())
