"""Where one period of a job's schedule ends and the next begins."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db.models import OuterRef, Subquery

from scheduler_app.cron import Fire, Fires, Schedule, Uncomputable
from scheduler_app.ledger import timetable, transitions
from scheduler_app.models import Job, JobRun, SchedulePeriod, bulk


def accounted_to(names: Iterable[str]) -> dict[str, datetime]:
    """For each of these jobs that has a period: the moment up to which its occurrences are
    accounted for at least. It lies in the future if the clock has been put back."""
    latest = JobRun.objects.scheduled().filter(job_name=OuterRef("job_name"), attempt=1)
    rows = (
        SchedulePeriod.objects.open()
        .filter(bulk.AnyOf("job_name", names))
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


def next_due_by(schedule: Schedule, job_name: str, after: datetime) -> datetime | None:
    """When the job is due next after this moment; None also if its schedule cannot be computed:
    it does not fire then, and its status says why."""
    fires = schedule.compute()
    if isinstance(fires, Uncomputable):
        return None
    fire = next_fire(fires, job_name, after)
    return fire.due_at if fire else None


def next_fire(fires: Fires, job_name: str, after: datetime) -> Fire | None:
    """The first occurrence that is due after this moment. Not one that is in the ledger: more
    jitter than before would have it due a second time."""
    fire = fires.next(after)
    if fire and fire.scheduled_for <= after and _is_in_ledger(job_name, fire):
        return fires.next(fire.due_at)
    return fire


def left_out(old: Schedule, new: Schedule, job_name: str, moment: datetime) -> Fire | None:
    """The occurrence that a change of jitter alone, at this moment, would lose: its time has come,
    the old jitter puts it off beyond the moment, and by the new one it was due before."""
    if replace(old, jitter=new.jitter) != new:
        return None
    before, after = old.compute(), new.compute()
    if isinstance(before, Uncomputable) or isinstance(after, Uncomputable):
        return None
    fire, following = next_fire(before, job_name, moment), after.next(moment)
    if fire is None or fire.scheduled_for > moment:
        return None
    is_to_come = following is not None and following.scheduled_for == fire.scheduled_for
    return None if is_to_come else fire


def _is_in_ledger(job_name: str, fire: Fire) -> bool:
    return JobRun.objects.accounting_for(job_name, fire.scheduled_for).exists()


def lock(names: Collection[str]) -> list[Job]:
    """Lock these jobs for change(): their timetable rows, which are restored if they are gone, and
    then the jobs, which are returned in the order of their names."""
    restore_entries(names)
    timetable.lock(names)
    return list(Job.objects.select_for_update().filter(name__in=names).order_by("name"))


def change(
    jobs: Sequence[Job],
    now: datetime,
    apply: Callable[[Job], None],
    fields: Sequence[str],
    *,
    skipped: str,
    reason: str,
) -> None:
    """Have `apply` change these fields of each of these locked jobs: its schedule, or whether it
    fires. Its period ends here, for this `reason`, and the next begins; what is due by then and not
    in the ledger is recorded as `skipped`."""
    old = {job.name: job.schedule for job in jobs if not (job.is_paused or job.is_orphaned)}
    moments = turning_points([job.name for job in jobs], now)
    skip_overdue(jobs, moments, skipped)
    for job in jobs:
        apply(job)
    moments |= _keep_delayed(jobs, old, moments, now)
    Job.objects.bulk_update(jobs, fields, batch_size=500)
    timetable.advance({job.name: next_due(job, moments[job.name]) for job in jobs})
    begin(jobs, moments, reason)


def restore_entries(names: Collection[str]) -> None:
    """Add timetable rows for new jobs, and for jobs whose row somebody has deleted: these go on
    where their ledger ends."""
    lacking = sorted(set(names) - timetable.known(names))
    ends = accounted_to(lacking)
    jobs = Job.objects.filter(name__in=ends)
    timetable.add({job.name: next_due(job, ends[job.name]) for job in jobs})


def skip_overdue(jobs: Iterable[Job], moments: Mapping[str, datetime], message: str) -> None:
    """Record as skipped what is due by these moments and not in the ledger: the (locked) jobs'
    periods end there. The ledger tells where it ends, whatever the timetable says, and the period
    which schedule held, whatever has become of the job's row."""
    names = [job.name for job in jobs]
    ends = accounted_to(names)
    active = SchedulePeriod.objects.open().filter(state=SchedulePeriod.State.ACTIVE)
    for period in active.filter(job_name__in=names).order_by("job_name"):
        name, fires = period.job_name, period.schedule.compute()
        if isinstance(fires, Uncomputable):
            continue  # nothing was due that anyone could tell
        moment = moments[name]
        due_at = next_due_by(period.schedule, name, ends.get(name, moment))
        transitions.insert(transitions.overdue_not_run(name, fires, due_at, moment, message))


def _keep_delayed(
    jobs: Iterable[Job],
    old: Mapping[str, Schedule],
    moments: Mapping[str, datetime],
    now: datetime,
) -> dict[str, datetime]:
    """Queue, for the moment that was drawn for it, what jitter has delayed until later and would be
    lost with the new jitter. Returns the moments: these jobs' old schedule holds until then."""
    kept: list[JobRun] = []
    for job in jobs:
        if job.name not in old or job.schedule == old[job.name]:
            continue
        if fire := left_out(old[job.name], job.schedule, job.name, moments[job.name]):
            kept.append(
                JobRun(
                    job_name=job.name,
                    scheduled_for=fire.scheduled_for,
                    due_at=fire.due_at,
                    created_at=now,
                )
            )
    transitions.insert(kept)
    return {run.job_name: run.due_at for run in kept}


def next_due(job: Job, after: datetime) -> datetime | None:
    """When the job, as its row is, is due next after this moment; None if it does not fire."""
    if job.is_paused or job.is_orphaned:
        return None
    return next_due_by(job.schedule, job.name, after)


def begin(jobs: Iterable[Job], moments: Mapping[str, datetime], reason: str) -> None:
    """Open a period for each of these jobs, as its row now is, at its turning point."""
    states: dict[str, list[Job]] = {}
    for job in jobs:
        states.setdefault(_state(job), []).append(job)
    for state, group in states.items():
        SchedulePeriod.objects.begin(group, state, moments, reason)


def _state(job: Job) -> str:
    if job.is_orphaned:
        return SchedulePeriod.State.ORPHANED
    return SchedulePeriod.State.PAUSED if job.is_paused else SchedulePeriod.State.ACTIVE
