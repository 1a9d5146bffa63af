"""The ledger's rows as an audit reads them: a few columns, a few thousand rows at a time."""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from scheduler_app.models import JobRun
from scheduler_app.status.expectation import Window

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
