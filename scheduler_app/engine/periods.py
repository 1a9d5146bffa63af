"""Where one period of a job's schedule ends and the next begins."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from django.db.models import OuterRef, Subquery

from scheduler_app.cron import Fire, Schedule
from scheduler_app.models import Job, JobRun, SchedulePeriod, bulk


def accounted_to(names: Iterable[str]) -> dict[str, datetime]:
    """For each of these jobs that has a period: the moment up to which its occurrences are
    accounted for at least. It lies in the future if the clock has been put back."""
    latest = JobRun.objects.scheduled().filter(job_name=OuterRef("job_name"), attempt=1)
    rows = (
        SchedulePeriod.objects.open()
        .filter(bulk.Among("job_name", names))
        .annotate(last_due=Subquery(latest.order_by("-scheduled_for").values("due_at")[:1]))
    )
    return {
        name: max(begins_at, last_due or begins_at)
        for name, begins_at, last_due in bulk.fetch(
            rows.values_list("job_name", "begins_at", "last_due")
        )
    }


def turning_points(names: Iterable[str], now: datetime) -> dict[str, datetime]:
    """The moment at which each of these jobs changes: now, unless more is accounted for."""
    names = list(names)
    known = accounted_to(names)
    return {name: max(known.get(name, now), now) for name in names}


def next_due(schedule: Schedule, job_name: str, after: datetime) -> datetime | None:
    """When the job is due next after this moment."""
    fire = next_fire(schedule, job_name, after)
    return fire.due_at if fire else None


def next_fire(schedule: Schedule, job_name: str, after: datetime) -> Fire | None:
    """The first occurrence that is due after this moment. Not one that is in the ledger: more
    jitter than before would have it due a second time."""
    fire = schedule.next(after)
    if fire and fire.scheduled_for <= after and _is_in_ledger(job_name, fire):
        return schedule.next(fire.due_at)
    return fire


def left_out(old: Schedule, new: Schedule, job_name: str, moment: datetime) -> Fire | None:
    """The occurrence that a change of jitter alone, at this moment, would lose: its time has come,
    the old jitter puts it off beyond the moment, and by the new one it was due before."""
    if replace(old, jitter=new.jitter) != new:
        return None
    fire, following = next_fire(old, job_name, moment), new.next(moment)
    if fire is None or fire.scheduled_for > moment:
        return None
    is_to_come = following is not None and following.scheduled_for == fire.scheduled_for
    return None if is_to_come else fire


def _is_in_ledger(job_name: str, fire: Fire) -> bool:
    return JobRun.objects.accounting_for(job_name, fire.scheduled_for).exists()


def begin(jobs: Iterable[Job], moments: Mapping[str, datetime], because: str) -> None:
    """Open a period for each of these jobs, as its row now is, at its turning point."""
    states: dict[str, list[Job]] = {}
    for job in jobs:
        states.setdefault(_state(job), []).append(job)
    for state, group in states.items():
        SchedulePeriod.objects.begin(group, state, moments, because)


def _state(job: Job) -> str:
    if job.is_orphaned:
        return SchedulePeriod.State.ORPHANED
    return SchedulePeriod.State.PAUSED if job.is_paused else SchedulePeriod.State.ACTIVE
