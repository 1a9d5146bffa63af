"""How the ledger's rows cover the occurrences of one period: a merge of two sorted streams."""

from collections.abc import Callable, Iterator
from datetime import datetime
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from scheduler_app.consistency.report import UNACCOUNTED, Discrepancy, Kind, Tally
from scheduler_app.cron import Fire
from scheduler_app.ledger.expected import Window
from scheduler_app.models import JobRun, SchedulePeriod
from scheduler_app.text import shown

CHUNK = 5_000
"""How many rows are fetched at a time."""


class Row(NamedTuple):
    """What a row of the ledger accounts for: `occurrences` from `first` to `last`."""

    id: int
    first: datetime
    last: datetime
    due_at: datetime
    """Of the last of them."""
    occurrences: int
    state: str


def rows_of(job_name: str, window: Window) -> Iterator[Row]:
    """Yield the rows that account for occurrences in the window, ordered by the first occurrence of
    each."""
    rows = JobRun.objects.scheduled().filter(job_name=job_name, attempt=1)
    if window.since:
        rows = rows.filter(scheduled_for__gte=window.since)
    singles = rows.filter(first_scheduled_for=None).order_by("scheduled_for")
    ranges = rows.exclude(first_scheduled_for=None).order_by("first_scheduled_for")
    if window.until:
        singles = singles.filter(scheduled_for__lt=window.until)
        ranges = ranges.filter(first_scheduled_for__lt=window.until)
    yield from merge(
        (
            Row(pk, moment, moment, due_at, occurrences, state)
            for pk, moment, due_at, occurrences, state in singles.values_list(
                "pk", "scheduled_for", "due_at", "occurrences", "state"
            ).iterator(CHUNK)
        ),
        (
            Row._make(values)
            for values in ranges.values_list(
                "pk", "first_scheduled_for", "scheduled_for", "due_at", "occurrences", "state"
            ).iterator(CHUNK)
        ),
        key=attrgetter("first"),
    )


def is_in_ledger(job_name: str, scheduled_for: datetime) -> bool:
    """Return whether a row accounts for this occurrence."""
    return JobRun.objects.accounting_for(job_name, scheduled_for).exists()


class Lacking(NamedTuple):
    """Occurrences without a row."""

    first: datetime
    last: datetime
    number: int


class Coverage:
    """Holds the rows of one active period, ordered by the first occurrence of each, against its
    schedule: finds occurrences without a row or with two, and rows without an occurrence."""

    def __init__(
        self,
        period: SchedulePeriod,
        window: Window,
        fires: Iterator[Fire],
        tally: Tally,
        is_known: Callable[[datetime], bool],
        accounted_to: datetime | None = None,
    ) -> None:
        """`accounted_to`: every occurrence that was due by then has had a row."""
        self._accounted_to = accounted_to
        self._period, self._window, self._tally = period, window, tally
        self._fires, self._is_known = fires, is_known
        self._next = next(fires, None)
        self._last: Row | None = None
        """The row that reaches farthest."""

    def take(self, row: Row) -> Iterator[Discrepancy]:
        """Yield what is wrong up to the end of this row."""
        if self._next and self._next.scheduled_for < row.first:
            yield from self._lost(row.first)
        twin = self._last if self._last and row.first <= self._last.last else None
        count, first, last = self._pass(row.last)
        self._tally.add_row(row.state, count)
        if twin:
            yield self._found(Kind.DOUBLED, row, f"runs {twin.id} and {row.id} both account for it")
        elif not self._window.holds(row.first, row.last):
            pass  # a part of it lies outside the window
        elif not count:
            text = f"run {row.id} accounts for a moment that the schedule does not have"
            yield self._found(Kind.UNEXPECTED, row, text)
        elif (count, first, last) != (row.occurrences, row.first, row.last):
            text = (
                f"run {row.id} stands for {row.occurrences:,} occurrence(s) up to {row.last}; "
                f"the schedule has {count:,} there, from {first} to {last}"
            )
            yield self._found(Kind.RANGE, row, text)
        if self._last is None or row.last > self._last.last:
            self._last = row

    def close(self) -> Iterator[Discrepancy]:
        """Yield what is left out at the end."""
        return self._lost(None)

    def _pass(self, end: datetime) -> tuple[int, datetime | None, datetime | None]:
        """Go past the occurrences up to `end`: how many they are, the first, the last."""
        first = last = None
        count = 0
        while self._next and self._next.scheduled_for <= end:
            last, self._next = self._next.scheduled_for, next(self._fires, None)
            first, count = first or last, count + 1
        return count, first, last

    def _lost(self, before: datetime | None) -> Iterator[Discrepancy]:
        """Yield the occurrences before this moment for which no row accounts. Those that had a row,
        which has been deleted, are a kind of their own."""
        lacking: dict[Kind, Lacking] = {}
        while self._next and (before is None or self._next.scheduled_for < before):
            fire, self._next = self._next, next(self._fires, None)
            moment = fire.scheduled_for
            if moment <= self._period.begins_at and self._is_known(moment):
                continue  # it was scheduled, and is accounted for, in an earlier period
            had_row = self._accounted_to is not None and fire.due_at <= self._accounted_to
            kind = Kind.INCOMPLETE if had_row else Kind.LOST
            first, _, count = lacking.get(kind, Lacking(moment, moment, 0))
            lacking[kind] = Lacking(first, moment, count + 1)
        for kind, (first, last, count) in lacking.items():
            self._tally.occurrences[UNACCOUNTED] += count
            what = "this occurrence" if count == 1 else f"these {count:,} occurrences up to {last}"
            text = f"no row accounts for {what}"
            if kind == Kind.INCOMPLETE:
                text = f"history incomplete: no row is left of {what}"
            yield Discrepancy(self._period.job_name, kind, text, first, count)

    def _found(self, kind: Kind, row: Row, text: str) -> Discrepancy:
        return Discrepancy(self._period.job_name, kind, text, row.first, row.occurrences)


class Unjudged:
    """Counts, without judging them, the rows of a period whose occurrences cannot be computed here
    as they were."""

    def __init__(
        self, period: SchedulePeriod, window: Window, tally: Tally, problem: str = ""
    ) -> None:
        """`problem`: why the schedule cannot be computed at all."""
        self._period, self._window, self._tally, self._problem = period, window, tally, problem

    def take(self, row: Row) -> Iterator[Discrepancy]:
        """Count what the row says that it accounts for."""
        self._tally.add_row(row.state, row.occurrences)
        return iter(())

    def close(self) -> Iterator[Discrepancy]:
        """Count the period, if it was active within the window, and yield its problem."""
        if self._period.state != SchedulePeriod.State.ACTIVE or not self._is_in_window():
            return
        self._tally.unjudged += 1
        if self._problem:
            end = self._period.ends_at
            text = (
                f"its occurrences{f' until {end}' if end else ''} cannot be judged: the schedule, "
                f"{shown(self._period.cron)} in zone {shown(self._period.timezone)}, cannot be "
                f"computed here. {self._problem}"
            )
            begin = self._period.begins_at
            yield Discrepancy(self._period.job_name, Kind.UNJUDGED, text, begin)

    def _is_in_window(self) -> bool:
        begin, end = self._period.begins_at, self._period.ends_at
        since, until = self._window.since, self._window.until
        is_over = end is not None and (end == begin or bool(since and end < since))
        return not is_over and not (until and begin >= until)
