"""The transaction of a person's action: it waits briefly for locks, and is tried again after a
conflict."""

import random
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import DatabaseError, transaction

from scheduler_app.exceptions import Busy, SchedulerError
from scheduler_app.models import Job, database, locks, name_of, row_ids, timetable_rows
from scheduler_app.models.faults import Fault, fault_of
from scheduler_app.text import listed

T = TypeVar("T")

BATCH = 500
"""How many jobs or runs one transaction should change at most: it holds their rows."""
WAIT = 5.0
"""Seconds that an action waits for what another transaction holds."""
ATTEMPTS = 5
PAUSE = 0.05
"""Seconds before the first retry after a conflict; before the last one four times as long."""


@dataclass(slots=True)
class Changes:
    """What became of an action on several jobs or runs."""

    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    """They were in that state already."""
    refused: dict[str, SchedulerError] = field(default_factory=dict)

    def add(self, other: "Changes") -> None:
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.refused |= other.refused


def carry_out(work: Callable[[], T], names: Collection[str]) -> T:
    """Do this work on these jobs in one transaction. Raises Busy."""
    attempts = 1 if database.connection().in_atomic_block else ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            with _short_waits(), database.atomic():
                _limit_lock_waits()
                return work()
        except DatabaseError as error:
            fault = fault_of(error)
            if fault == Fault.LOCKED:
                raise Busy(_who_is_locked(names, error)) from error
            if fault != Fault.CONFLICT:
                raise
            if attempt == attempts:
                raise Busy(
                    f"{listed(names)}: other transactions keep changing the same rows. Nothing was "
                    "changed; try again."
                ) from error
        time.sleep(PAUSE * attempt * random.uniform(0.5, 1))  # noqa: S311  # no secret
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def _short_waits() -> Iterator[None]:
    """On SQLite, limit the wait for the one lock that there is."""
    connection = database.connection()
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        usual = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {min(usual, round(WAIT * 1000))}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


def _limit_lock_waits() -> None:
    if database.connection().vendor == "postgresql":
        with database.connection().cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{WAIT:.0f}s"])


def _who_is_locked(names: Collection[str], error: DatabaseError) -> str:
    if database.connection().vendor == "sqlite":
        return (
            f"{listed(names)}: another process has held the database's lock for more than "
            f"{WAIT:.0f} s. Nothing was changed; try again."
        )
    locked, holder = _locked(names) or names, _holder(error)
    return (
        f"{listed(locked)}: another transaction has held what is to be changed for more than "
        f"{WAIT:.0f} s{f': {holder}' if holder else ''}. Nothing was changed; end that "
        "transaction, or try again."
    )


def _holder(error: DatabaseError) -> str:
    """Return who holds the lock on PostgreSQL, as far as that can be told."""
    return "" if database.connection().needs_rollback else locks.waits_for(error)


def _locked(names: Collection[str]) -> list[str]:
    """Return those of these jobs whose rows another transaction still holds."""
    if database.connection().needs_rollback:
        return []
    try:
        with database.atomic():
            _limit_lock_waits()
            jobs = Job.objects.select_for_update(skip_locked=True).filter(name__in=names)
            free = set(jobs.values_list("name", flat=True))
            entries = (
                timetable_rows().select_for_update(skip_locked=True).filter(id__in=row_ids(free))
            )
            free &= set(map(name_of, entries.values_list("id", flat=True)))
            transaction.set_rollback(True, using=database.alias())
    except DatabaseError:  # the whole table is locked, say: it is one of these
        return []
    return [name for name in names if name not in free]
