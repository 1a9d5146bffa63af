"""The audit: every occurrence that the recorded schedules ask for, held against the ledger's rows.

For any job and any period: occurrences = runs + skipped + missed + those inside a recorded pause or
orphaned interval. It only reads, holds a few thousand rows at a time, and may run beside any number
of schedulers: what it says of a job is true of one moment."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import chain

from scheduler_app.consistency import state
from scheduler_app.consistency.coverage import Coverage, Row, Unjudged, is_in_ledger, rows_of
from scheduler_app.consistency.judgement import unjudgeable
from scheduler_app.consistency.report import INACTIVE, Discrepancy, Kind, Tally
from scheduler_app.cron import Uncomputable
from scheduler_app.exceptions import JobNotFound
from scheduler_app.ledger import expected
from scheduler_app.ledger.expected import RESOLUTION, Window
from scheduler_app.ledger.history import accounted_to
from scheduler_app.models import Job, Node, SchedulePeriod, database, row_id, timetable_rows
from scheduler_app.policies import MAX_NAME
from scheduler_app.text import one_line


def audit_ledger(
    since: datetime | None = None,
    until: datetime | None = None,
    jobs: Iterable[str] | None = None,
    tally: Tally | None = None,
) -> Iterator[Discrepancy]:
    """Yield each discrepancy of these jobs (by default all), job by job, in occurrences scheduled
    for `since` or later and before `until`. Compare counters if neither is given and nothing has
    been pruned. Fill the tally on the way. Raises JobNotFound."""
    tally = Tally() if tally is None else tally
    # Dead schedulers included: what they leave undone must be reported.
    declares = Node.objects.unstopped().values_list("declares", flat=True)
    declared = set(chain.from_iterable(declares))
    known = declared.union(Job.objects.values_list("name", flat=True))
    wanted = sorted(known if jobs is None else set(jobs))
    for name in wanted:
        if name not in known:
            raise JobNotFound(one_line(name, MAX_NAME))
    for name in wanted:
        for discrepancy in _audit_by_name(name, name in declared, Window(since, until), tally):
            tally.discrepancies += 1
            yield discrepancy


def _audit_by_name(
    name: str, is_declared: bool, window: Window, tally: Tally
) -> Iterator[Discrepancy]:
    with database.snapshot():
        job = Job.objects.counted().filter(name=name).first()
        if job:
            yield from _audit(job, is_declared, window, tally)
        elif is_declared:
            yield Discrepancy(name, Kind.MISSING, "a scheduler declares it, and it has no row")


def _audit(job: Job, is_declared: bool, window: Window, tally: Tally) -> Iterator[Discrepancy]:
    tally.jobs += 1
    recorded = list(SchedulePeriod.objects.filter(job_name=job.name).order_by("begins_at", "id"))
    entries = timetable_rows().filter(id=row_id(job.name))
    next_due = entries.values_list("next_run_time", flat=True).first()
    yield from state.periods(job, recorded)
    yield from state.timetable(job, next_due)
    if is_declared and next_due:
        yield from state.overdue(job, next_due, database.now())
    yield from state.holders(job)
    is_complete = window == Window() and job.pruned_to is None
    if job.pruned_to:
        begin = job.pruned_to + RESOLUTION
        window = Window(max(begin, window.since or begin), window.until)
        recorded = [p for p in recorded if p.ends_at is None or p.ends_at >= begin]
    for discrepancy in _History(job, recorded, window, next_due or database.now(), tally).audit():
        is_complete = is_complete and discrepancy.kind != Kind.INCOMPLETE
        yield discrepancy
    if is_complete:
        yield from state.counters(job)


class _History:
    """One job's periods, and the rows that belong to each."""

    def __init__(
        self,
        job: Job,
        periods: Sequence[SchedulePeriod],
        window: Window,
        horizon: datetime,
        tally: Tally,
    ) -> None:
        """`horizon`: what is due then, or later, has not been claimed."""
        self._job_name, self._periods, self._window = job.name, periods, window
        self._accounted_to = accounted_to(job)
        self._horizon, self._tally = horizon, tally
        self._begins = [period.begins_at for period in periods]
        self._unjudgeable = unjudgeable(periods, database.now())

    def audit(self) -> Iterator[Discrepancy]:
        coverages = [self._coverage(period) for period in self._periods]
        at = 0
        for row in rows_of(self._job_name, self._window):
            while at < len(coverages) and row.first > (self._periods[at].ends_at or row.first):
                yield from coverages[at].close()
                at += 1
            index = bisect_left(self._begins, row.due_at) - 1
            wrong = self._misplaced(row, index)
            if wrong:
                occurrences = row.occurrences
                yield Discrepancy(self._job_name, Kind.UNEXPECTED, wrong, row.first, occurrences)
            else:
                yield from coverages[index].take(row)
        for coverage in coverages[at:]:
            yield from coverage.close()
        for period in self._periods:
            if period.state in INACTIVE:
                self._count_inactive(period)

    def _count_inactive(self, period: SchedulePeriod) -> None:
        schedule = period.schedule.compute()
        if isinstance(schedule, Uncomputable):
            return  # nothing had to run, however many there were
        not_due = sum(1 for _ in expected.fires(period, schedule, self._window, database.now()))
        self._tally.occurrences[INACTIVE[SchedulePeriod.State(period.state)]] += not_due

    def _coverage(self, period: SchedulePeriod) -> Coverage | Unjudged:
        """Return the coverage of what has been claimed of an active period; of any other, nothing
        had to be."""
        active = period.state == SchedulePeriod.State.ACTIVE
        schedule = period.schedule.compute()
        if isinstance(schedule, Uncomputable):
            return Unjudged(period, self._window, self._tally, schedule.text)
        if period.pk in self._unjudgeable:
            return Unjudged(period, self._window, self._tally)
        due_by = (period.ends_at or self._horizon - RESOLUTION) if active else period.begins_at
        fires = expected.fires(period, schedule, self._window, due_by)
        is_known = partial(is_in_ledger, self._job_name)
        return Coverage(period, self._window, fires, self._tally, is_known, self._accounted_to)

    def _misplaced(self, row: Row, index: int) -> str:
        """Return why this row can belong to no period's occurrences; empty if it can."""
        period = self._periods[index] if index >= 0 else None
        if period is None or (period.ends_at and row.due_at > period.ends_at):
            return f"run {row.id} belongs to no recorded period of the schedule"
        if period.state in INACTIVE:
            state = INACTIVE[SchedulePeriod.State(period.state)]
            return f"run {row.id} accounts for it although the job was {state} then"
        if period.ends_at is None and row.due_at >= self._horizon:
            return f"run {row.id} accounts for it already; the timetable is at {self._horizon}"
        return ""
