"""Looks at the database, and short writes, that wait for nothing longer than they may."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from django.db import transaction

from scheduler_app.models import database

LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
LONGEST = 2_000_000_000
"""Milliseconds; PostgreSQL takes no more."""


@contextmanager
def brief_read(seconds: float) -> Iterator[None]:
    """Within it no statement takes longer than this; one that would raises OperationalError. On
    SQLite readers wait for nothing. Write nothing inside."""
    if database.connection().vendor != "postgresql":
        yield
        return
    with transaction.atomic(using=database.alias()):
        before = _set("statement_timeout", _milliseconds(seconds))
        yield
        _set("statement_timeout", before)  # the transaction may be a caller's


@contextmanager
def brief_write(seconds: float) -> Iterator[None]:
    """A transaction in which nothing waits longer than this for a lock or an answer; one that would
    raises OperationalError. For a thread that uses its connection for nothing else."""
    connection = database.connection()
    if connection.vendor == "postgresql":
        with transaction.atomic(using=database.alias()):
            for name in LIMITS:
                _set(name, _milliseconds(seconds))
            yield
        return
    takes_turns = not connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {_milliseconds(seconds)}")
    with (
        database.turn(seconds) if takes_turns else nullcontext(),
        transaction.atomic(using=database.alias()),
    ):
        yield


def _milliseconds(seconds: float) -> str:
    return str(min(round(seconds * 1000), LONGEST))


def _set(name: str, value: str) -> str:
    """Set this for the transaction; return what it was."""
    with database.connection().cursor() as cursor:
        cursor.execute("SELECT current_setting(%s), set_config(%s, %s, true)", [name, name, value])
        before: str = cursor.fetchone()[0]
        return before
