"""What keeps the rest from being done: rows that others have locked, or that the database refuses.
How to work around them, and who holds the locks."""

import re
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import DatabaseError, Error, OperationalError

from scheduler_app.models import database

T = TypeVar("T")

IMPATIENT = 0.05
"""How long, in seconds, a statement waits for a lock while we look for what can be done."""
SEARCH = 2.0
"""For how many seconds at most we look for what can be done."""


def around(
    items: Sequence[T],
    work: Callable[[Sequence[T]], None],
    refused: Callable[[T, DatabaseError], None] = lambda item, error: None,
) -> list[T]:
    """Have `work` done, in transactions of its own, for all of these items but those that need a
    lock that others hold, or that the database refuses: those are returned, and `refused` is called
    with each of the latter. Raises the error if all of them need a lock: then it is on a whole
    table."""
    try:
        work(items)
    except DatabaseError as error:
        if not _is_of_some(error):
            raise
        left = impatiently(items, work, refused)
        if len(left) == len(items) > 1 and database.is_lock_timeout(error):
            raise
        return left
    return []


def impatiently(
    items: Sequence[T],
    work: Callable[[Sequence[T]], None],
    refused: Callable[[T, DatabaseError], None] = lambda item, error: None,
) -> list[T]:
    """Do as around() does, but hardly wait for a lock, and return all items if all need one."""
    with database.lock_timeout(IMPATIENT):
        return _by_halves(items, work, refused, time.monotonic() + SEARCH)


def _by_halves(
    items: Sequence[T],
    work: Callable[[Sequence[T]], None],
    refused: Callable[[T, DatabaseError], None],
    deadline: float,
) -> list[T]:
    if time.monotonic() > deadline:
        return list(items)
    try:
        work(items)
    except DatabaseError as error:
        if not _is_of_some(error):
            raise
        if len(items) == 1:
            if database.is_refusal(error):
                refused(items[0], error)
            return list(items)
        middle = len(items) // 2
        halves = (items[:middle], items[middle:])
        return [item for half in halves for item in _by_halves(half, work, refused, deadline)]
    return []


def _is_of_some(error: DatabaseError) -> bool:
    """Return whether the error may concern only some of the rows that were written."""
    return database.is_lock_timeout(error) or database.is_refusal(error)


def holder(error: BaseException) -> str:
    """Return who holds the lock that a statement waited for too long, in words; empty if that is
    not known, or the error is another. Never raises."""
    if isinstance(error, OperationalError) and database.is_lock_timeout(error):
        return waits_for(error)
    return ""


def waits_for(what: Exception | str) -> str:
    """Return who holds a lock that we wait for, in words; empty if that is not known. `what` is the
    error with which a wait ended, or a table. Never raises."""
    try:
        relation = what if isinstance(what, str) else _relation(what)
        if database.connection().vendor != "postgresql":
            return ""
        with database.connection().cursor() as cursor:
            cursor.execute(_HOLDERS, [relation, relation])
            row = cursor.fetchone()
    except Error:  # the caller has an error to report already
        return ""
    if row is None:
        return ""
    table, pid, user, application = row
    program = f", {application}" if application else ""
    return f"a lock on {table} held by PostgreSQL process {pid} (user {user}{program})"


def _relation(error: Exception) -> str:
    """Return the table that PostgreSQL names in the error; empty if it names none."""
    context = getattr(getattr(error.__cause__, "diag", None), "context", None) or ""
    found = re.search(r'relation "([^"]+)"', context)
    return found[1] if found else ""


_HOLDERS = r"""
SELECT relname, pid, usename, application_name
FROM pg_locks JOIN pg_class ON pg_class.oid = relation JOIN pg_stat_activity USING (pid)
WHERE granted AND relkind = 'r' AND mode <> 'AccessShareLock' AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (relname = %s OR %s = '' AND relname ~ '^(scheduler_app_|django_apscheduler_djangojob$)')
ORDER BY xact_start NULLS LAST
LIMIT 1
"""
"""Of those that have locked the table or rows of it, the one whose transaction is the oldest.
PostgreSQL does not list locks of rows; but each goes with one of the table."""
