"""Where one period of a job's schedule ends and the next begins."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db.models import OuterRef, Subquery

from scheduler_app.cron import Fire, Fires, Schedule, Uncomputable
from scheduler_app.ledger import timetable, transitions
from scheduler_app.models import Job, JobCount, JobRun, SchedulePeriod, bulk, database
from scheduler_app.models import change as feed
from scheduler_app.models.count import latest_not_folded


def accounted_to(names: Iterable[str]) -> dict[str, datetime]:
    """Return for each of these jobs that has a period the moment up to which, at least, its
    occurrences are accounted for, even if rows of the ledger have been deleted since. It lies in
    the future if the clock was put back."""
    latest = JobRun.objects.scheduled().filter(job_name=OuterRef("job_name"), attempt=1)
    job = Job.objects.filter(name=OuterRef("job_name"))
    rows = (
        SchedulePeriod.objects.open()
        .filter(bulk.AnyOf("job_name", names))
        .annotate(
            last_due=Subquery(latest.order_by("-scheduled_for").values("due_at")[:1]),
            kept=Subquery(job.values("accounted_to")),
            not_folded=latest_not_folded("job_name"),
        )
        .values_list("job_name", "begins_at", "last_due", "kept", "not_folded")
    )
    return {name: max(filter(None, moments)) for name, *moments in bulk.fetch(rows)}


def next_due_by(schedule: Schedule, job_name: str, after: datetime) -> datetime | None:
    """Return when the job is due next after this moment; None also if its schedule cannot be
    computed: then it does not fire, and its status says why."""
    fires = schedule.compute()
    if isinstance(fires, Uncomputable):
        return None
    fire = next_fire(fires, job_name, after)
    return fire.due_at if fire else None


def next_fire(fires: Fires, job_name: str, after: datetime) -> Fire | None:
    """Return the first occurrence that is due after this moment, but not one that is in the ledger:
    more jitter than before would make it due a second time."""
    fire = fires.next(after)
    if fire and fire.scheduled_for <= after and _is_in_ledger(job_name, fire):
        return fires.next(fire.due_at)
    return fire


def left_out(old: Schedule, new: Schedule, job_name: str, moment: datetime) -> Fire | None:
    """Return the occurrence that a change of jitter alone, at this moment, would lose: its
    scheduled time has come, the old jitter delays it beyond this moment, and by the new jitter it
    was due before."""
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


def try_lock(names: Collection[str]) -> list[Job]:
    """Lock for change() those of these jobs of which no other transaction holds a row; timetable
    rows that are gone are added, without a due moment."""
    timetable.add(dict.fromkeys(set(names) - timetable.known(names)))
    free = timetable.try_lock(names)
    periods = SchedulePeriod.objects.open().filter(bulk.AnyOf("job_name", free))
    open_ones = set(periods.values_list("job_name", flat=True))
    held = periods.select_for_update(skip_locked=True).values_list("job_name", flat=True)
    usable = free - (open_ones - set(held))
    jobs = Job.objects.filter(bulk.AnyOf("name", usable)).order_by("name")
    return list(jobs.select_for_update(skip_locked=True))


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
    ends = accounted_to(job.name for job in jobs)
    moments = {job.name: max(ends.get(job.name, now), now) for job in jobs}
    _skip_overdue(jobs, ends, moments, skipped)
    for job in jobs:
        apply(job)
    moments |= _keep_delayed(jobs, old, moments, now)
    write(jobs, fields)
    timetable.advance({job.name: next_due(job, moments[job.name]) for job in jobs})
    begin(jobs, moments, reason)


def forget(name: str) -> None:
    """Delete the rows of a (locked) orphaned job. Its runs stay, and the periods of its schedule,
    which those of a later job of its name follow."""
    timetable.delete(name)
    JobCount.objects.filter(job_name=name).delete()
    Job.objects.filter(name=name).delete()


def write(jobs: Sequence[Job], fields: Iterable[str]) -> None:
    """Write these fields of these (locked) jobs."""
    bulk.update(jobs, fields, database.connection())
    feed.note_jobs(job.name for job in jobs)


def restore_entries(names: Collection[str]) -> None:
    """Add timetable rows for new jobs, and for jobs whose row was deleted: these continue where
    their ledger ends."""
    lacking = sorted(set(names) - timetable.known(names))
    ends = accounted_to(lacking)
    jobs = Job.objects.filter(name__in=ends)
    timetable.add({job.name: next_due(job, ends[job.name]) for job in jobs})


def _skip_overdue(
    jobs: Iterable[Job],
    ends: Mapping[str, datetime],
    moments: Mapping[str, datetime],
    message: str,
) -> None:
    """Record as skipped what is due by these moments and not in the ledger: the (locked) jobs'
    periods end there. Only the ledger says where it ends, not the timetable; only the period says
    which schedule held, not the job's row."""
    rows: list[JobRun] = []
    active = SchedulePeriod.objects.open().filter(state=SchedulePeriod.State.ACTIVE)
    names = [job.name for job in jobs]
    for period in active.filter(bulk.AnyOf("job_name", names)).order_by("job_name"):
        name, fires = period.job_name, period.schedule.compute()
        if isinstance(fires, Uncomputable):
            continue  # what was due cannot be known
        moment = moments[name]
        due_at = next_due_by(period.schedule, name, ends.get(name, moment))
        rows += transitions.overdue_not_run(name, fires, due_at, moment, message)
    transitions.insert(rows)


def _keep_delayed(
    jobs: Iterable[Job],
    old: Mapping[str, Schedule],
    moments: Mapping[str, datetime],
    now: datetime,
) -> dict[str, datetime]:
    """Queue each occurrence that is delayed by the old jitter and that the new one would lose, for
    the moment at which it is due. Return these moments: the jobs' old schedule holds until then."""
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
    """Return when the job, by its row, is due next after this moment; None if it does not fire."""
    if job.is_paused or job.is_orphaned:
        return None
    return next_due_by(job.schedule, job.name, after)


def put_right(jobs: Iterable[Job]) -> set[str]:
    """Set the due moments of those of these (locked) jobs that would lose occurrences, or fire
    although they should not; return their names. The claim corrects one that is too early; one that
    cannot be computed here is left to schedulers that can."""
    jobs = [
        job for job in jobs if _is_computable(job) or state_of(job) != SchedulePeriod.State.ACTIVE
    ]
    names = [job.name for job in jobs]
    ends, dues = accounted_to(names), timetable.dues(names)
    rights = {job.name: next_due(job, ends[job.name]) for job in jobs if job.name in ends}
    wrong = {name: due for name, due in rights.items() if is_too_late(dues.get(name), due)}
    timetable.advance(wrong)
    feed.note_jobs(wrong)
    return set(wrong)


def _is_computable(job: Job) -> bool:
    return isinstance(job.schedule.compute(), Fires)


def is_too_late(due_at: datetime | None, right: datetime | None) -> bool:
    """Return whether a job that is due then, and should be at the other moment, loses occurrences,
    or fires although it should not."""
    if due_at is None or right is None:
        return due_at is not right
    return due_at > right


def begin(jobs: Iterable[Job], moments: Mapping[str, datetime], reason: str) -> None:
    """Open a period for each of these jobs, as its row now is, at its moment."""
    states: dict[str, list[Job]] = {}
    for job in jobs:
        states.setdefault(state_of(job), []).append(job)
    for state, group in states.items():
        SchedulePeriod.objects.begin(group, state, moments, reason)


def state_of(job: Job) -> SchedulePeriod.State:
    """Return the state of the job's present period."""
    if job.is_orphaned:
        return SchedulePeriod.State.ORPHANED
    return SchedulePeriod.State.PAUSED if job.is_paused else SchedulePeriod.State.ACTIVE
