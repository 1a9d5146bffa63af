"""Make the rows of some jobs agree with what is declared, and with each other.

New jobs are added, changed schedules updated, deleted rows restored; pauses, counters and history
stay. Jobs that no living scheduler's code declares are marked as orphaned and no longer fire;
nothing is deleted because of a deploy. Jobs that another transaction holds are left alone.

What follows from who is alive (a changed declaration, an orphan) is committed only while that view
`still_holds`, which is asked last in the transaction. Rows that are missing or contradict each
other are put right whoever is alive."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from scheduler_app.engine.releases import FIELDS, Declaration, Declarations
from scheduler_app.ledger import history, schedules, transitions, zone_change
from scheduler_app.models import Job, JobRun, RunState, SchedulePeriod, bulk, change, database
from scheduler_app.models.override import effective

COLUMNS = (*FIELDS, "declared")
"""What a declaration sets, with what it says of the fields that people have set."""
State = SchedulePeriod.State
CHANGED = "The schedule was changed, or declared again."
RESTORED = "Restored: the rows of the job had been deleted or changed by hand."


class Outdated(Exception):
    """The view of who is alive no longer holds; what followed from it was rolled back."""


@dataclass(slots=True)
class Changes:
    """The names of the jobs that were touched, of those that another transaction holds, and of
    those whose rows the database refuses."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(self, other: "Changes") -> None:
        self.added += other.added
        self.changed += other.changed
        self.restored += other.restored
        self.orphaned += other.orphaned
        self.locked += other.locked
        self.refused += other.refused


def mend(
    names: Collection[str],
    declared: Declarations,
    now: datetime,
    still_holds: Callable[[], bool] = lambda: True,
) -> Changes:
    """Make the rows of these jobs right, in one transaction. Raises Outdated, and changes nothing,
    if a declaration is to be taken over by a view that no longer holds."""
    with database.atomic():
        missing = _add_missing([name for name in names if name in declared], declared, now)
        jobs = schedules.try_lock(names)
        added, restored = _begin_lacking(jobs, now)
        stale = [job for job in jobs if job.name in declared and _differs(job, declared[job.name])]
        _declare(stale, declared, now)
        restored |= _begin_right(jobs, now) | schedules.put_right(jobs)
        if stale:
            _check(still_holds)
    changed = {job.name for job in stale} - added
    return Changes(
        added=sorted(added),
        changed=sorted(changed),
        restored=sorted((restored | missing) - added - changed),
        locked=sorted(set(names) - {job.name for job in jobs}),
    )


def orphan(
    names: Collection[str], now: datetime, still_holds: Callable[[], bool] = lambda: True
) -> Changes:
    """Mark these jobs as orphaned; what of theirs is due or queued is recorded as not run. Raises
    Outdated, and changes nothing, if the view no longer holds."""
    message = "Skipped: no scheduler's code declares the job any more."
    with database.atomic():
        jobs = schedules.try_lock(names)
        queued = JobRun.objects.unassigned().filter(bulk.AnyOf("job_name", names))
        free = list(queued.select_for_update(skip_locked=True))
        held = set(
            queued.exclude(pk__in=[run.pk for run in free]).values_list("job_name", flat=True)
        )
        jobs = [job for job in jobs if job.name not in held]
        orphans = [job.name for job in jobs]
        closing = [run for run in free if run.job_name in set(orphans)]
        transitions.close_queued(closing, RunState.CANCELLED, now, message)

        def mark(job: Job) -> None:
            job.orphaned_at = now

        reason = "No scheduler's code declared the job."
        schedules.change(jobs, now, mark, ["orphaned_at"], skipped=message, reason=reason)
        _check(still_holds)
    return Changes(orphaned=orphans, locked=sorted(set(names) - set(orphans)))


def _check(still_holds: Callable[[], bool]) -> None:
    change.write_now()
    if not still_holds():
        raise Outdated


def _add_missing(names: Collection[str], declared: Declarations, now: datetime) -> set[str]:
    """Add the rows of jobs that have none: as the open period says, if they have one."""
    known = Job.objects.filter(bulk.AnyOf("name", names)).values_list("name", flat=True)
    missing = set(names) - set(known)
    if not missing:
        return missing
    open_ones = SchedulePeriod.objects.open().filter(bulk.AnyOf("job_name", missing))
    periods = {period.job_name: period for period in open_ones}
    ends = history.ends(missing)
    begins = {name: period.begins_at for name, period in periods.items()}
    reached = history.reached(periods, begins | ends, now)
    rows = []
    for name in sorted(missing):
        job = Job(name=name, pruned_to=ends.get(name), **declared[name])
        if name in periods:
            _continue(job, periods[name], reached[name])
        rows.append(job)
    # Another scheduler may be adding the same jobs at this moment: the first one does.
    Job.objects.bulk_create(rows, ignore_conflicts=True)
    change.note_jobs(missing)
    return missing


def _continue(job: Job, period: SchedulePeriod, accounted_to: datetime) -> None:
    """Have a row that was deleted continue its period."""
    job.accounted_to = accounted_to
    job.cron, job.timezone, job.jitter = period.cron, period.timezone, period.jitter
    job.zone_rules = period.zone_rules
    job.paused_at = period.begins_at if period.state == State.PAUSED else None
    job.orphaned_at = period.begins_at if period.state == State.ORPHANED else None


def _begin_lacking(jobs: Iterable[Job], now: datetime) -> tuple[set[str], set[str]]:
    """Open periods for jobs without one; return which are new, and which had a history."""
    jobs = list(jobs)
    names = [job.name for job in jobs]
    begun = SchedulePeriod.objects.open().filter(bulk.AnyOf("job_name", names))
    with_period = set(begun.values_list("job_name", flat=True))
    lacking = [job for job in jobs if job.name not in with_period]
    if not lacking:
        return set(), set()
    ends = history.ends(job.name for job in lacking)
    old = [job for job in lacking if job.name in ends]
    new = [job for job in lacking if job.name not in ends]
    moments = history.reached([job.name for job in lacking], ends, now)
    schedules.begin(new, moments, "Declared.")
    schedules.begin(old, moments, RESTORED)
    for job in old:
        job.pruned_to = max(moments[job.name], job.pruned_to or moments[job.name])
    schedules.write(old, ["pruned_to"])
    return {job.name for job in new}, {job.name for job in old}


def _differs(job: Job, declared: Declaration) -> bool:
    values = effective(declared, job.overrides)
    return job.is_orphaned or any(getattr(job, key) != values[key] for key in COLUMNS)


def _declare(jobs: Iterable[Job], declared: Declarations, now: datetime) -> None:
    """Take over the declarations; a job whose schedule changes begins a new period."""

    def declare(job: Job) -> None:
        job.orphaned_at = None
        values = effective(declared[job.name], job.overrides)
        for key in COLUMNS:
            setattr(job, key, values[key])

    turning, following, others = list[Job](), list[Job](), list[Job]()
    for job in jobs:
        values = effective(declared[job.name], job.overrides)
        if _has_other_schedule(job, values):
            turning.append(job)
        elif job.zone_rules and job.zone_rules != values["zone_rules"]:
            following.append(job)
        else:
            others.append(job)
    message = "Skipped: the schedule was changed before it was run."
    fields = [*COLUMNS, "orphaned_at"]
    schedules.change(turning, now, declare, fields, skipped=message, reason=CHANGED)
    zone_change.change(following, declare, fields)
    for job in others:
        declare(job)
    schedules.write(others, fields)


def _has_other_schedule(job: Job, values: Declaration) -> bool:
    keys = ("cron", "timezone", "jitter")
    return job.is_orphaned or any(getattr(job, key) != values[key] for key in keys)


def _begin_right(jobs: Iterable[Job], now: datetime) -> set[str]:
    """Begin periods for jobs whose open one does not say what their row says: where their ledger
    ends, so that what is due is still claimed; or now, if only the row says that they fire."""
    found = {job.name: job for job in jobs}
    unmarked, wrong = list[SchedulePeriod](), list[Job]()
    begins_now = set[str]()
    for period in SchedulePeriod.objects.open().filter(bulk.AnyOf("job_name", found)):
        job = found[period.job_name]
        state = schedules.state_of(job)
        if (period.state, period.schedule) != (state, job.schedule):
            wrong.append(job)
            if state == State.ACTIVE != period.state:
                begins_now.add(job.name)
        elif not period.zone_rules:
            period.zone_rules = job.zone_rules
            unmarked.append(period)
        elif period.zone_rules != job.zone_rules:
            wrong.append(job)
    bulk.update(unmarked, ["zone_rules"], database.connection())
    ends = schedules.accounted_to(job.name for job in wrong)
    moments = {
        job.name: max(ends[job.name], now) if job.name in begins_now else ends[job.name]
        for job in wrong
    }
    schedules.begin(wrong, moments, RESTORED)
    return {job.name for job in wrong}
