"""Pause, for a time or until it is resumed, and resume."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from scheduler_app.control.actor import Action, Actor, kept, sentence
from scheduler_app.control.selection import audit_changes, on_jobs, single
from scheduler_app.control.transaction import Changes
from scheduler_app.cron import Uncomputable
from scheduler_app.exceptions import JobNotFound, RequestError
from scheduler_app.ledger import schedules, timetable, transitions
from scheduler_app.models import Job, bulk, database
from scheduler_app.models.job import PAUSE, can_be_name
from scheduler_app.policies import MAX_NAME, CatchUp
from scheduler_app.text import one_line

MOST_CAUGHT_UP = 1_000
"""How many occurrences of one job are caught up with at most, the latest."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What follows when a job is resumed. All moments are in UTC."""

    is_paused: bool
    """Whether it is paused now."""
    caught_up: tuple[datetime, ...]
    """The occurrences of its pause that are run, as soon as a scheduler can."""
    next_run: datetime | None
    """When it is due next."""


def pause(
    name: str, *, by: Actor, reason: str = "", until: datetime | None = None, etag: str = ""
) -> bool:
    """Stop firing the job until it is resumed or, if a moment is given, until then. False: it was
    paused already, until that moment. With an `etag`, only if that is still the job's. Raises
    JobNotFound, RequestError, EtagMismatch and Busy.

    A running run continues; occurrences that are due but not yet claimed are recorded as skipped;
    what waits (a retry, say) waits until the job is resumed."""
    return single(pause_many([name], by=by, reason=reason, until=until, etag=etag))


def pause_many(
    names: Collection[str],
    *,
    by: Actor,
    reason: str = "",
    until: datetime | None = None,
    etag: str = "",
) -> Changes:
    """Pause these jobs in one transaction; BATCH of them at most. Raises RequestError and Busy."""
    reason = kept(reason)

    def pause_all(jobs: list[Job], changes: Changes) -> None:
        now = database.now()
        if until and until <= now:
            raise RequestError("until", f"Bad until {until:%Y-%m-%d %H:%M:%S %Z}: it has passed.")

        def set_pause(job: Job) -> None:
            job.paused_at = job.paused_at or now
            job.paused_by, job.pause_reason, job.paused_until = by.name, reason, until

        firing = [job for job in jobs if not job.is_paused]
        others = [job for job in jobs if job.is_paused]
        extended = [job for job in others if until and job.paused_until != until]
        changes.changed += [job.name for job in (*firing, *extended)]
        changes.unchanged += [job.name for job in others if job not in extended]
        if firing:
            what = sentence(f"Paused{_until(until)}", by, reason)
            skipped = f"Skipped: {by.name} paused the job before it was run."
            schedules.change(firing, now, set_pause, PAUSE, skipped=skipped, reason=what)
        for job in extended:
            set_pause(job)
        if extended:
            schedules.write(extended, PAUSE)
        audit_changes(Action.PAUSE, by, f"{_until(until)} {reason}".strip(), changes)

    return on_jobs(names, pause_all, etag)


def resume(
    name: str,
    *,
    by: Actor,
    reason: str = "",
    catch_up: CatchUp = CatchUp.SKIP,
    etag: str = "",
) -> bool:
    """Fire the job again, from its next occurrence on. False: it was not paused. `catch_up` says
    which occurrences of the pause are run now: none, the last one, or all (the last thousand).
    With an `etag`, only if that is still the job's. Raises JobNotFound, EtagMismatch and Busy."""
    return single(resume_many([name], by=by, reason=reason, catch_up=catch_up, etag=etag))


def resume_many(
    names: Collection[str],
    *,
    by: Actor,
    reason: str = "",
    catch_up: CatchUp = CatchUp.SKIP,
    etag: str = "",
) -> Changes:
    """Resume these jobs in one transaction; BATCH of them at most. Raises Busy."""
    reason = kept(reason)

    def resume_all(jobs: list[Job], changes: Changes) -> None:
        now = database.now()
        paused = [job for job in jobs if job.is_paused]
        changes.changed += [job.name for job in paused]
        changes.unchanged += [job.name for job in jobs if not job.is_paused]
        missed = {job.name: _missed(job, now, catch_up) for job in paused}
        if paused:
            what = sentence("Resumed", by, reason)
            schedules.change(paused, now, end_pause, PAUSE, skipped="", reason=what)
            transitions.request_occurrences(missed, now, by.name)
        audit_changes(Action.RESUME, by, reason, changes)

    return on_jobs(names, resume_all, etag)


def plan_resume(name: str, catch_up: CatchUp = CatchUp.SKIP) -> Resumption:
    """Return what would follow if the job were resumed now. Raises JobNotFound."""
    plans = plan_resumes([name] if can_be_name(name) else [], catch_up)
    if not plans:
        raise JobNotFound(one_line(name, MAX_NAME))
    return plans[name]


def plan_resumes(names: Collection[str], catch_up: CatchUp = CatchUp.SKIP) -> dict[str, Resumption]:
    """Return what would follow for those of these jobs that are there, if they were resumed now."""
    now, dues = database.now(), timetable.dues(names)
    plans = dict[str, Resumption]()
    for job in Job.objects.filter(bulk.AnyOf("name", names)).order_by("name"):
        may_fire = job.is_paused and not job.is_orphaned
        due = schedules.next_due_by(job.schedule, job.name, now) if may_fire else dues.get(job.name)
        plans[job.name] = Resumption(job.is_paused, _missed(job, now, catch_up), due)
    return plans


def end_pause(job: Job) -> None:
    """Set the fields of a job that is not paused any more."""
    job.paused_at = job.paused_until = None
    job.paused_by = job.pause_reason = ""


def _missed(job: Job, now: datetime, catch_up: CatchUp) -> tuple[datetime, ...]:
    """Return the occurrences of the pause that are to be run."""
    fires = job.schedule.compute()
    if catch_up == CatchUp.SKIP or job.paused_at is None or isinstance(fires, Uncomputable):
        return ()
    most = 1 if catch_up == CatchUp.ONCE else MOST_CAUGHT_UP
    return tuple(fire.scheduled_for for fire in fires.latest(job.paused_at, now, most))


def _until(until: datetime | None) -> str:
    return f" until {until:%Y-%m-%d %H:%M:%S %Z}" if until else ""
