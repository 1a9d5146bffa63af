"""What is usual for a job, read from the rollups: never from its runs."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil

from scheduler_app.models import bulk, clock
from scheduler_app.models.rollup import (
    HISTOGRAMS,
    Histogram,
    Rollup,
    RollupState,
    Span,
    quantile,
    unpacked,
)

STUCK = 3
"""A run that takes so many times its job's 95th percentile may be stuck."""
FEWEST = 5
"""Of fewer runs it is not known what is usual."""
SPREAD = 2 ** (1 / 8)
"""How far above a percentile the values are that are counted as the same."""
SHORTEST = timedelta(seconds=1)
"""A shorter run is neither slow nor stuck."""


@dataclass(frozen=True, slots=True)
class Usual:
    """How a job's runs went lately. Percentiles are within 9.1%; None: there is no such run."""

    runs: int
    """How many ended in success or failure for good: retries count once."""
    duration_p50: timedelta | None
    """Of successful runs."""
    duration_p95: timedelta | None
    lateness_p50: timedelta | None
    """From the moment a run was due to its start."""
    lateness_p95: timedelta | None
    success_rate: float | None
    """From 0 to 1; None if no run ended."""
    measured: int = 0
    """How many successful runs the durations are of."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What became of a job's runs that ended in an hour (UTC)."""

    begin: datetime
    success: int
    errors: int
    """Failed or lost for good, as in the job's counters."""
    failed: int
    """Failed attempts, retried or not."""
    lost: int
    cancelled: int
    skipped: int
    missed: int
    duration_p50: timedelta | None
    duration_p95: timedelta | None
    lateness_p50: timedelta | None
    lateness_p95: timedelta | None


NOTHING = Usual(0, None, None, None, None, None)
"""What is known of a job that never ran."""


def usual(names: Collection[str] | None = None, *, days: int = 14) -> dict[str, Usual]:
    """Return what is usual for these jobs, or for all, in one query. A job without runs in that
    time is left out: NOTHING is known of it. `days`: rounded up to weeks, of which the present one
    is the last, so that at least all but seven of these days count."""
    weeks = max(1, ceil(days / 7))
    oldest = Span.WEEK.begin(clock.now()) - timedelta(weeks=weeks - 1)
    rows = Rollup.objects.filter(span=Span.WEEK, begin__gte=oldest)
    if names is not None:
        rows = rows.filter(bulk.AnyOf("job_name", names))
    found: dict[str, list[tuple[object, ...]]] = {}
    for name, *values in rows.values_list("job_name", *_READ):
        found.setdefault(name, []).append(tuple(values))
    return {name: _usual(of_weeks) for name, of_weeks in found.items()}


def is_slow(elapsed: timedelta, usual: Usual | None) -> bool:
    """Return whether a run that has taken this long is slower than usual."""
    return _exceeds(elapsed, usual, 1)


def is_stuck(elapsed: timedelta, usual: Usual | None) -> bool:
    """Return whether a run that has taken this long may be stuck."""
    return _exceeds(elapsed, usual, STUCK)


def _exceeds(elapsed: timedelta, usual: Usual | None, times: int) -> bool:
    if usual is None or usual.duration_p95 is None or usual.measured < FEWEST:
        return False
    return elapsed > max(usual.duration_p95 * times * SPREAD, SHORTEST)


def hours(job_name: str, since: datetime, until: datetime) -> list[Hour]:
    """Return the job's hours that begin from `since` to before `until`, in order; those in which no
    run ended are left out."""
    rows = Rollup.objects.filter(
        job_name=job_name, span=Span.HOUR, begin__gte=since, begin__lt=until
    )
    return [_hour(row) for row in rows.order_by("begin")]


def incomplete_from() -> datetime | None:
    """Return from when the rollups are being counted anew, and may be wrong; None: they are right
    up to a few seconds ago. A moment of long ago if no scheduler has counted anything yet."""
    state = RollupState.objects.first()
    return state.recount_from if state else datetime(1970, 1, 1, tzinfo=UTC)


_READ = ("success", "failed", "lost", "retried", "given_up", *HISTOGRAMS)


def _usual(rows: Iterable[tuple[object, ...]]) -> Usual:
    success = errors = 0
    texts: tuple[list[str], list[str]] = ([], [])
    for good, failed, lost, retried, given_up, durations, latenesses in rows:
        success += good  # type: ignore[operator]
        errors += failed + lost - retried + given_up  # type: ignore[operator]
        texts[0].append(str(durations))
        texts[1].append(str(latenesses))
    runs = success + errors
    duration, measured = _percentiles(tuple(texts[0]))
    lateness, _ = _percentiles(tuple(texts[1]))
    return Usual(runs, *duration, *lateness, success / runs if runs else None, measured)


@lru_cache(maxsize=32_768)  # two for each of ten thousand jobs, of which most stay as they were
def _percentiles(
    texts: tuple[str, ...],
) -> tuple[tuple[timedelta | None, timedelta | None], int]:
    """Return the median, the 95th percentile and the number of values of these histograms."""
    merged: Histogram = {}
    for text in texts:
        for number, count in unpacked(text).items():
            merged[number] = merged.get(number, 0) + count
    return (quantile(merged, 0.5), quantile(merged, 0.95)), sum(merged.values())


def _hour(row: Rollup) -> Hour:
    duration, _ = _percentiles((row.durations,))
    lateness, _ = _percentiles((row.latenesses,))
    return Hour(
        begin=row.begin,
        success=row.success,
        errors=row.failed + row.lost - row.retried + row.given_up,
        failed=row.failed,
        lost=row.lost,
        cancelled=row.cancelled,
        skipped=row.skipped,
        missed=row.missed,
        duration_p50=duration[0],
        duration_p95=duration[1],
        lateness_p50=lateness[0],
        lateness_p95=lateness[1],
    )
