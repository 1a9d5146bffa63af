"""The one door through which people change anything.

Each call is one transaction, leaves one audit row and works from any process: a scheduler notices
within a second, the one in this process at once."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from scheduler_app.engine import ledger, periods, timetable
from scheduler_app.engine.scheduler import wake
from scheduler_app.engine.sync import next_due, restore_entries, skip_overdue
from scheduler_app.exceptions import ActionRefused, JobNotFound, RunNotFound
from scheduler_app.models import AuditEntry, Job, JobRun, RunState, Surface, Trigger, database

Action = AuditEntry.Action


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which door."""

    name: str
    surface: Surface


def pause(name: str, *, by: Actor, reason: str = "") -> bool:
    """Stop firing the job. False: it was paused already. Raises JobNotFound.

    A run that is going goes on; occurrences that are due but not yet claimed are recorded as
    skipped; what waits (a retry, say) waits until the job is resumed."""
    with database.atomic():
        job = _lock(name)
        changed = not job.is_paused
        if changed:
            now = database.now()
            moment = periods.turning_points([name], now)[name]
            message = f"Skipped: {by.name} paused the job before it was run."
            skip_overdue([job], {name: moment}, message)
            _set_paused(job, now, moment, _because(f"Paused by {by.name}", by, reason))
        _audit(Action.PAUSE, name, by, reason, changed)
    return changed


def resume(name: str, *, by: Actor, reason: str = "") -> bool:
    """Fire the job again, from its next occurrence on. False: it was not paused.
    Raises JobNotFound."""
    with database.atomic():
        job = _lock(name)
        changed = job.is_paused
        if changed:
            moment = periods.turning_points([name], database.now())[name]
            _set_paused(job, None, moment, _because(f"Resumed by {by.name}", by, reason))
        _audit(Action.RESUME, name, by, reason, changed)
    return changed


def trigger(name: str, *, by: Actor, reason: str = "") -> JobRun:
    """Ask for one run as soon as a scheduler can, of a paused job too; returns the queued run.

    Raises JobNotFound, and ActionRefused if the job is orphaned or such a request waits
    already."""
    with database.atomic():
        job = _lock(name)
        if job.is_orphaned:
            raise ActionRefused(f"{name} cannot be run: no scheduler's code declares it any more.")
        waiting = JobRun.objects.queued().requests().filter(job_name=name).first()
        if waiting:
            raise ActionRefused(f"{name} is asked for already: run {waiting.pk} waits to start.")
        now = database.now()
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


def cancel(run_id: int, *, by: Actor, reason: str = "") -> bool:
    """End a run early. False: it has ended, or is asked to end, already. Raises RunNotFound.

    One that has not begun is cancelled at once, and never starts. One that is going is told through
    `context.cancelled`; if it has a process of its own, that is killed when it has not ended within
    SCHEDULER["cancel_grace"] seconds."""
    with database.atomic():
        run = JobRun.objects.select_for_update().filter(pk=run_id).first()
        if run is None:
            raise RunNotFound(run_id)
        now = database.now()
        message = _because(f"Cancelled by {by.name}", by, reason)
        going = run.state == RunState.RUNNING and run.cancel_requested_at is None
        if going:
            run.cancel_requested_at, run.cancel_reason = now, message
            run.save(update_fields=["cancel_requested_at", "cancel_reason"])
        waiting = run.state == RunState.QUEUED
        if waiting:
            ledger.end_waiting([run], RunState.CANCELLED, now, message)
        _audit(Action.CANCEL, run.job_name, by, f"Run {run_id}. {reason}".strip(), going or waiting)
    return going or waiting


def _lock(name: str) -> Job:
    """The job; its timetable row is locked, too, and first, as the claim does."""
    restore_entries([name])
    timetable.lock([name])
    job = Job.objects.select_for_update().filter(name=name).first()
    if job is None:
        raise JobNotFound(name)
    return job


def _set_paused(job: Job, paused_at: datetime | None, moment: datetime, because: str) -> None:
    job.paused_at = paused_at
    job.save(update_fields=["paused_at"])
    timetable.advance({job.name: next_due(job, moment)})
    periods.begin([job], {job.name: moment}, because)


def _because(what: str, by: Actor, reason: str) -> str:
    return f"{what} ({by.surface.label})" + (f": {reason}" if reason else ".")


def _audit(action: Action, name: str, by: Actor, reason: str, changed: bool) -> None:
    AuditEntry.objects.create(
        at=database.now(),
        actor=by.name,
        surface=by.surface,
        action=action,
        job_name=name,
        reason=reason,
        changed=changed,
    )
    transaction.on_commit(wake, using=database.alias())
