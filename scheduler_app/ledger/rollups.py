"""Fills the rollups from the change feed, each run once.

The feed and not the transaction that ends a run, as for the counters: that one would have to write
two histograms a job at each commit, on the hot path; and nothing waits for a rollup. A run is final
once, in a transaction that notes it, so the feed names each final run once.

1. work() locks the one row of RollupState, adds the runs that the feed names since its position and
   moves the position, in one transaction that sees the database at one moment. A transaction that
   is killed did nothing; of two folders one has the row.
2. If the feed does not reach back to the position (it was pruned while no scheduler folded, it was
   emptied, the database is a restored one, or more follows than is worth reading), it begins anew
   at the present position, and the runs that ended since are to be counted again: `recount_from`.
3. work() then counts some jobs' runs of one such hour again and replaces their rows, in the
   transaction that has folded. That sees runs and feed at the same moment, so that what is folded
   later is not in its count. It may be killed at any moment; meanwhile usual.incomplete_from()
   tells the hour.

Hours of which runs may have been pruned are not counted again: they keep what was counted when
these ended. What is counted again is what the ledger has: runs that were deleted by hand are
missing from those hours, and in no others."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import DataError, OperationalError, connections
from django.db.models import Count, Max, Min

from scheduler_app.conf import scheduler_settings
from scheduler_app.logs import SafeLogger
from scheduler_app.models import (
    Change,
    JobRun,
    Rollup,
    RollupState,
    RunState,
    bulk,
    clock,
    database,
)
from scheduler_app.models.rollup import (
    COUNTS,
    HISTOGRAMS,
    Histogram,
    Span,
    bucket,
    packed,
    unpacked,
)

logger = SafeLogger(__name__)

LONGEST_READ = 5_000
"""How many commits are read from the feed at most; if there are more, counting again is quicker."""
READ_AT_ONCE = 2_000
"""How many runs or rows one statement reads."""
RECOUNTED_AT_ONCE = 10_000
"""About how many runs a transaction counts again."""
PRUNED_AT_ONCE = 5_000
UNSEEN = timedelta(seconds=60)
"""Of an empty feed it is not known what has been pruned if nothing was folded for so long."""
MARGIN = timedelta(hours=1)
"""A transaction may write when a run ended, and be committed this much later."""
SHORTEST_FORTNIGHT = 14
_FINAL = {str(state) for state in RunState} - {"queued", "running"}


class Tally:
    """What rows are made of."""

    __slots__ = ("counts", "histograms")

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.histograms: dict[str, Histogram] = {name: {} for name in HISTOGRAMS}

    def add(self, other: "Tally", sign: int = 1) -> None:
        for name, number in other.counts.items():
            self.counts[name] += sign * number
        for name, histogram in other.histograms.items():
            mine = self.histograms[name]
            for key, number in histogram.items():
                mine[key] = mine.get(key, 0) + sign * number

    def measure(self, name: str, value: timedelta) -> None:
        key = bucket(value)
        self.histograms[name][key] = self.histograms[name].get(key, 0) + 1


Key = tuple[str, datetime]
Tallies = dict[Key, Tally]
"""By job and beginning."""


class Ended(NamedTuple):
    """The columns of a finished run that are counted."""

    pk: int
    job_name: str
    state: str
    occurrences: int
    attempt: int
    first_attempt: int | None
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime


_COLUMNS = (
    *("pk", "job_name", "state", "occurrences", "attempt", "first_attempt_id"),
    *("due_at", "started_at", "finished_at"),
)


def work() -> bool:
    """Fold what the feed names and, if runs are to be counted again, count some. Return whether
    more of these is left to be done now."""
    _ensure_state()
    try:
        ahead = _read_ahead()
        with _one_moment():
            state = _locked()
            if state is None:
                return False
            _fold(state, ahead)
            if state.recount_from is not None:
                _recount(state, state.recount_from)
            state.save()
            return state.recount_from is not None
    except OperationalError as error:
        if _is_overtaken(error):
            return False
        raise


def rebuild() -> datetime:
    """Have all hours that the ledger still has whole be counted again, by work(). Return the first
    of these."""
    _ensure_state()
    since = _whole_from()
    week = Span.WEEK.begin(since + timedelta(weeks=1) - timedelta(microseconds=1))
    with database.atomic():
        state = RollupState.objects.select_for_update().get()
        # A week is corrected by what its hours have changed: here its own row may be wrong, too.
        Rollup.objects.filter(begin__gte=week).delete()
        state.recount_from, state.recount_after = since, ""
        state.save()
    return since


def prune(now: datetime) -> bool:
    """Delete some of the hours older than the ledger and weeks older than
    SCHEDULER["rollup_days"]. Return whether more are left to delete."""
    days = {
        Span.HOUR: max(scheduler_settings().history_days, SHORTEST_FORTNIGHT),
        Span.WEEK: scheduler_settings().rollup_days,
    }
    is_left = False
    for span, kept in days.items():
        end = span.begin(now - timedelta(days=kept))
        old = Rollup.objects.filter(span=span, begin__lt=end).order_by("begin")
        pks = list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
        with database.atomic():
            Rollup.objects.filter(bulk.AnyOf("id", pks)).delete()
        is_left |= len(pks) == PRUNED_AT_ONCE
    return is_left


def differences() -> Iterator[tuple[Key, dict[str, tuple[int, int]]]]:
    """Yield for each job's hour, of those that the ledger still has whole, in which the rollup
    differs: what the rollup has, and what the ledger has. Call it in a snapshot, with no run
    ending: what ended within seconds is not in the rollup yet."""
    hour: datetime | None = _next_hour(_whole_from())
    while hour is not None:
        runs = JobRun.objects.filter(finished_at__gte=hour, finished_at__lt=hour + _HOUR)
        counted, blank = _count(_read(runs)), Tally()
        stored = {(row.job_name, row.begin): _tally(row) for row in _stored(Span.HOUR, {hour})}
        for key in sorted({*counted, *stored}):
            have, want = _flat(stored.get(key, blank)), _flat(counted.get(key, blank))
            if have != want:
                names = sorted(
                    {name for name in {*have, *want} if have.get(name) != want.get(name)}
                )
                yield key, {name: (have.get(name, 0), want.get(name, 0)) for name in names}
        hour = _next_hour(hour + _HOUR)


def _flat(tally: Tally) -> dict[str, int]:
    flat = {
        f"{name} {key}": n for name, found in tally.histograms.items() for key, n in found.items()
    }
    return {name: number for name, number in {**tally.counts, **flat}.items() if number}


_HOUR = timedelta(hours=1)


@contextmanager
def _one_moment() -> Iterator[None]:
    """Have all statements of the transaction see what had been committed at the same moment, so
    that the runs agree with the feed. On SQLite nobody else writes meanwhile."""
    with database.atomic():
        connection = database.connection()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _is_overtaken(error: OperationalError) -> bool:
    """Return whether another has moved the position since the transaction's moment."""
    return getattr(error.__cause__, "sqlstate", None) == "40001"


def _ensure_state() -> None:
    """Insert the state, unless it is there: with nothing folded, so that all is counted. One that
    cannot be read, because it was changed by hand, makes room for it."""
    try:
        state = RollupState.objects.first()
    except (DataError, ValueError) as error:
        logger.warning("rollups: their state cannot be read; counting all again: %s", error)
        RollupState.objects.all().delete()
        state = None
    if state is None:
        with database.atomic():
            RollupState.objects.bulk_create([RollupState(pk=1)], ignore_conflicts=True)


def _locked() -> RollupState | None:
    """Return the state, locked; None if another works on the rollups."""
    features = connections[database.alias()].features
    return RollupState.objects.select_for_update(
        skip_locked=features.has_select_for_update_skip_locked
    ).first()


class Ahead(NamedTuple):
    """What the feed names after a position, counted."""

    since: str
    tallies: Tallies
    position: str
    last_change: int


def _read_ahead() -> Ahead | None:
    """Count what the feed names before the database is locked for writing, as all of SQLite is: to
    count takes much longer than to add. What is final does not change any more. None where a lock
    on one row holds up nobody, and while runs are counted again: they and the feed must be of one
    moment."""
    if database.connection().vendor != "sqlite":
        return None
    state = RollupState.objects.get()
    return _ahead(state) if state.recount_from is None else None


def _ahead(state: RollupState) -> Ahead | None:
    """Count what the feed names since the position; None if it has a gap there."""
    feed = None if _has_gap(state) else Change.objects.after(state.position, LONGEST_READ)
    if feed is None or _has_gap(state):  # rows may have been pruned just before they were read
        return None
    final = {
        pk: (name, kind, commit.at)
        for commit in feed.changes
        for pk, name, kind in commit.runs
        if kind in _FINAL
    }
    last = max([state.last_change, *(commit.id for commit in feed.changes)])
    return Ahead(state.position, _tallies_of(final), feed.position, last)


def _fold(state: RollupState, ahead: Ahead | None) -> None:
    """Add what the feed names since the position, and move the position."""
    now = clock.now()
    if ahead is None or ahead.since != state.position or state.recount_from is not None:
        ahead = _ahead(state)  # another has folded meanwhile, say
    if ahead is None:
        _begin_anew(state, now)
    else:
        _add(ahead.tallies)
        state.position, state.last_change = ahead.position, ahead.last_change
    state.folded_at = now


def _has_gap(state: RollupState) -> bool:
    """Return whether rows of the feed may have been pruned that were not read: the oldest is newer
    than the one after the last that was read. Too old a position counts as one, too."""
    if not state.position or not Change.objects.is_position(state.position):
        return True
    oldest = Change.objects.aggregate(oldest=Min("pk"))["oldest"]
    if oldest is None or not state.last_change:  # the feed is empty, or was when it began anew
        return clock.now() - state.folded_at > UNSEEN
    return bool(oldest > state.last_change + 1)


def _begin_anew(state: RollupState, now: datetime) -> None:
    if state.position:
        since = max(Span.HOUR.begin(min(state.folded_at, now) - MARGIN), _whole_from())
        logger.warning("rollups: the change feed has a gap; counting again from %s", since)
    else:
        since = _whole_from()
    if state.recount_from is None or since <= state.recount_from:
        state.recount_from, state.recount_after = since, ""
    state.position = Change.objects.position()
    is_id = state.position.isdecimal()
    newest = Change.objects.aggregate(newest=Max("pk"))["newest"]
    state.last_change = int(state.position) if is_id else newest or 0


def _whole_from() -> datetime:
    """Return the first hour of which no run has been pruned."""
    oldest = clock.now() - timedelta(days=scheduler_settings().history_days)
    return Span.HOUR.begin(oldest) + _HOUR


def _tallies_of(final: dict[int, tuple[str, str, datetime]]) -> Tallies:
    """Count these runs. Of one whose row is gone its result counts, at the time of the commit."""
    found: Tallies = {}
    pks = list(final)
    gone = set(pks)
    for begin in range(0, len(pks), READ_AT_ONCE):
        some = bulk.AnyOf("id", pks[begin : begin + READ_AT_ONCE])
        ended = JobRun.objects.finished().filter(some).order_by().values_list(*_COLUMNS)
        runs = [Ended(*row) for row in bulk.fetch(ended)]
        gone.difference_update(run.pk for run in runs)
        for key, tally in _count([runs]).items():
            found.setdefault(key, Tally()).add(tally)
    present = JobRun.objects.filter(bulk.AnyOf("id", list(gone))) if gone else JobRun.objects.none()
    for pk in gone.difference(present.values_list("pk", flat=True)):
        name, state, at = final[pk]
        found.setdefault((name, Span.HOUR.begin(at)), Tally()).counts[state] += 1
    return found


def _read(runs: Any) -> Iterator[Sequence[Ended]]:
    """Yield these runs, some at a time."""
    batch: list[Ended] = []
    for row in runs.order_by().values_list(*_COLUMNS).iterator(READ_AT_ONCE):
        batch.append(Ended(*row))
        if len(batch) == READ_AT_ONCE:
            yield batch
            batch = []
    yield batch


def _count(batches: Iterable[Sequence[Ended]]) -> Tallies:
    found: Tallies = {}
    for batch in batches:
        retried = _retried(batch)
        for run in batch:
            key = (run.job_name, Span.HOUR.begin(run.finished_at.astimezone(UTC)))
            tally = found.get(key)
            if tally is None:
                tally = found[key] = Tally()
            _count_one(run, tally, run.pk in retried)
    return found


def _count_one(run: Ended, tally: Tally, is_retried: bool) -> None:
    tally.counts[run.state] += run.occurrences
    if is_retried:
        tally.counts["retried"] += 1
    if run.started_at is None:
        if run.state == RunState.CANCELLED and run.attempt > 1:
            tally.counts["given_up"] += 1
        return
    tally.measure("latenesses", run.started_at - run.due_at)
    if run.state == RunState.SUCCESS:
        tally.measure("durations", run.finished_at - run.started_at)


def _retried(runs: Iterable[Ended]) -> set[int]:
    """Return the ids of those of these that were tried again."""
    failed = [run for run in runs if run.state in (RunState.FAILED, RunState.LOST)]
    firsts = {run.first_attempt or run.pk for run in failed}
    if not firsts:
        return set()
    retries = JobRun.objects.filter(
        bulk.AnyOf("first_attempt_id", sorted(firsts)), first_attempt__isnull=False
    )
    attempts = set(retries.values_list("first_attempt_id", "attempt"))
    return {run.pk for run in failed if (run.first_attempt or run.pk, run.attempt + 1) in attempts}


def _add(hours: Tallies) -> None:
    """Add these hours to their rows, which they then hold whole, and before to the weeks."""
    if hours:
        _add_to(Span.WEEK, _weeks(hours))
        _add_to(Span.HOUR, hours)


def _weeks(hours: Tallies) -> Tallies:
    found: Tallies = {}
    for (name, begin), tally in hours.items():
        found.setdefault((name, Span.WEEK.begin(begin)), Tally()).add(tally)
    return found


def _add_to(span: Span, tallies: Tallies) -> None:
    begins, names = {begin for _, begin in tallies}, {name for name, _ in tallies}
    for row in _stored(span, begins, names):
        tally = tallies.get((row.job_name, row.begin))
        if tally is not None:
            tally.add(_tally(row))
    rows = [_row(span, key, tally) for key, tally in tallies.items()]
    Rollup.objects.bulk_create(
        rows,
        batch_size=READ_AT_ONCE,
        update_conflicts=True,
        unique_fields=("job_name", "span", "begin"),
        update_fields=(*COUNTS, *HISTOGRAMS),
    )


def _stored(
    span: Span, begins: Collection[datetime], names: Collection[str] | None = None
) -> Iterator[Rollup]:
    rows = Rollup.objects.filter(span=span, begin__in=begins)
    if names is not None:
        rows = rows.filter(bulk.AnyOf("job_name", sorted(names)))
    return rows.iterator(READ_AT_ONCE)


def _tally(row: Rollup) -> Tally:
    tally = Tally()
    tally.counts = {name: getattr(row, name) for name in COUNTS}
    tally.histograms = {name: unpacked(getattr(row, name)) for name in HISTOGRAMS}
    return tally


def _row(span: Span, key: Key, tally: Tally) -> Rollup:
    name, begin = key
    histograms = {name: packed(found) for name, found in tally.histograms.items()}
    return Rollup(job_name=name, span=span, begin=begin, **tally.counts, **histograms)


def _recount(state: RollupState, since: datetime) -> None:
    """Replace the rows of some jobs' first hour since then by what the runs say."""
    hour = since if state.recount_after else _next_hour(since)
    if hour is None:
        state.recount_from = None
        return
    last = _last_of_some(hour, state.recount_after)
    # From here on the database compares names, not Python: their orders differ.
    runs = JobRun.objects.filter(finished_at__gte=hour, finished_at__lt=hour + _HOUR)
    rows = Rollup.objects.filter(span=Span.HOUR, begin=hour)
    bounds = {"job_name__gt": state.recount_after}
    if last is not None:
        bounds["job_name__lte"] = last
    if not state.recount_after:
        del bounds["job_name__gt"]
    _replace(rows.filter(**bounds), _count(_read(runs.filter(**bounds))))
    state.recount_from = hour + _HOUR if last is None else hour
    state.recount_after = last or ""


def _replace(rows: Any, hours: Tallies) -> None:
    """Replace these rows of one hour by these ones, and correct the weeks."""
    changed: Tallies = {}
    for row in rows:
        changed.setdefault((row.job_name, row.begin), Tally()).add(_tally(row), -1)
    rows.delete()
    for key, tally in hours.items():
        changed.setdefault(key, Tally()).add(tally)
    Rollup.objects.bulk_create(
        [_row(Span.HOUR, key, tally) for key, tally in hours.items()], batch_size=READ_AT_ONCE
    )
    _add_to(Span.WEEK, _weeks(changed))


def _next_hour(since: datetime) -> datetime | None:
    """Return the first hour since then in which runs ended, or of which there is a rollup."""
    ran = JobRun.objects.filter(finished_at__gte=since).order_by("finished_at")
    first_run = ran.values_list("finished_at", flat=True).first()
    rows = Rollup.objects.filter(span=Span.HOUR, begin__gte=since).order_by("begin")
    first_row = rows.values_list("begin", flat=True).first()
    found = [Span.HOUR.begin(moment.astimezone(UTC)) for moment in (first_run, first_row) if moment]
    return min(found, default=None)


def _last_of_some(hour: datetime, after: str) -> str | None:
    """Return the last of the next jobs whose runs of this hour are counted together; None if these
    are all that are left."""
    ended = JobRun.objects.filter(finished_at__gte=hour, finished_at__lt=hour + _HOUR)
    if after:
        ended = ended.filter(job_name__gt=after)
    of_jobs = ended.order_by("job_name").values("job_name").annotate(number=Count("pk"))
    total = 0
    for name, number in of_jobs.values_list("job_name", "number"):
        total += number
        if total >= RECOUNTED_AT_ONCE:
            return str(name)
    return None
