"""The one door through which people change anything.

Each call is one transaction, leaves one audit row and works from any process: a scheduler notices
within a second, the one in this process at once."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from scheduler_app.exceptions import ActionRefused, JobNotFound, RunNotFound
from scheduler_app.ledger import schedules, transitions
from scheduler_app.models import AuditEntry, Job, JobRun, Surface, database
from scheduler_app.wakeup import wake

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
            message = f"Skipped: {by.name} paused the job before it was run."
            _set_paused(job, now, now, _sentence(f"Paused by {by.name}", by, reason), message)
        _audit(Action.PAUSE, name, by, reason, changed)
    return changed


def resume(name: str, *, by: Actor, reason: str = "") -> bool:
    """Fire the job again, from its next occurrence on. False: it was not paused.
    Raises JobNotFound."""
    with database.atomic():
        job = _lock(name)
        changed = job.is_paused
        if changed:
            _set_paused(job, None, database.now(), _sentence(f"Resumed by {by.name}", by, reason))
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
        run = transitions.request(name, database.now(), by.name)
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
        message = _sentence(f"Cancelled by {by.name}", by, reason)
        changed = transitions.cancel(run, database.now(), message)
        _audit(Action.CANCEL, run.job_name, by, f"Run {run_id}. {reason}".strip(), changed)
    return changed


def _lock(name: str) -> Job:
    for job in schedules.lock([name]):
        return job
    raise JobNotFound(name)


def _set_paused(
    job: Job, paused_at: datetime | None, now: datetime, reason: str, skipped: str = ""
) -> None:
    def set_paused(job: Job) -> None:
        job.paused_at = paused_at

    schedules.change([job], now, set_paused, ["paused_at"], skipped=skipped, reason=reason)


def _sentence(what: str, by: Actor, reason: str) -> str:
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
