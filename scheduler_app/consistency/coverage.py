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
    """The rows that account for occurrences in the window, in the order of their firsts."""
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
    """Whether a row accounts for this occurrence."""
    return JobRun.objects.accounting_for(job_name, scheduled_for).exists()


class Coverage:
    """Takes the rows of one active period in the order of their firsts, and tells what of its
    occurrences they leave out, account for twice, or do not have."""

    def __init__(
        self,
        period: SchedulePeriod,
        window: Window,
        fires: Iterator[Fire],
        tally: Tally,
        is_known: Callable[[datetime], bool],
    ) -> None:
        self._period, self._window, self._tally = period, window, tally
        self._fires, self._is_known = fires, is_known
        self._next = next(fires, None)
        self._last: Row | None = None
        """The row that reaches farthest."""

    def take(self, row: Row) -> Iterator[Discrepancy]:
        """What is wrong up to the end of this row."""
        if self._next and self._next.scheduled_for < row.first:
            yield from self._lost(row.first)
        twin = self._last if self._last and row.first <= self._last.last else None
        count, first, last = self._pass(row.last)
        self._tally.add_row(row.state, count)
        if twin:
            yield self._found(Kind.DOUBLED, row, f"runs {twin.id} and {row.id} both account for it")
        elif not self._window.holds(row.first, row.last):
            pass  # its other end is not looked at
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
        """What is left out at the end."""
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
        first = last = None
        count = 0
        while self._next and (before is None or self._next.scheduled_for < before):
            moment, self._next = self._next.scheduled_for, next(self._fires, None)
            if moment <= self._period.begins_at and self._is_known(moment):
                continue  # put off beyond the period in which it was accounted for
            first, last, count = first or moment, moment, count + 1
        if first:
            self._tally.occurrences[UNACCOUNTED] += count
            what = "this occurrence" if count == 1 else f"these {count:,} occurrences up to {last}"
            text = f"no row accounts for {what}"
            yield Discrepancy(self._period.job_name, Kind.LOST, text, first, count)

    def _found(self, kind: Kind, row: Row, text: str) -> Discrepancy:
        return Discrepancy(self._period.job_name, kind, text, row.first, row.occurrences)


class Unjudged:
    """Takes the rows of a period whose schedule cannot be computed: nobody can tell what it lacks.
    Its rows count as they are."""

    def __init__(self, period: SchedulePeriod, window: Window, text: str, tally: Tally) -> None:
        """`text`: why it cannot be computed; empty if nothing had to run."""
        self._period, self._window, self._text, self._tally = period, window, text, tally

    def take(self, row: Row) -> Iterator[Discrepancy]:
        """Nothing is wrong with a row that cannot be judged."""
        self._tally.add_row(row.state, row.occurrences)
        yield from ()

    def close(self) -> Iterator[Discrepancy]:
        """That the period cannot be judged, if it has any time within the window."""
        begin, end = self._period.begins_at, self._period.ends_at
        is_over = end is not None and (
            end == begin or bool(self._window.since and end < self._window.since)
        )
        is_later = self._window.until is not None and begin >= self._window.until
        if self._text and not is_over and not is_later:
            text = (
                f"its occurrences{f' until {end}' if end else ''} cannot be judged: the schedule, "
                f"{shown(self._period.cron)} in zone {shown(self._period.timezone)}, cannot be "
                f"computed here. {self._text}"
            )
            yield Discrepancy(self._period.job_name, Kind.UNJUDGED, text, begin)
