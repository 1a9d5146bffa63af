"""Reads and short writes with a limit on how long they wait."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from django.db import transaction

from scheduler_app.models import change, database

LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
LONGEST = 2_000_000_000
"""Milliseconds; PostgreSQL takes no more."""


@contextmanager
def brief_read(seconds: float) -> Iterator[None]:
    """Limit how long a statement of the block takes; one that would take longer raises
    OperationalError. On SQLite readers wait for nothing. Write nothing inside."""
    if database.connection().vendor != "postgresql":
        yield
        return
    is_outermost = not database.connection().in_atomic_block
    with transaction.atomic(using=database.alias()):
        before = "" if is_outermost else _execute("SHOW statement_timeout")
        _execute(f"SET LOCAL statement_timeout = {_milliseconds(seconds)}")
        yield
        if not is_outermost:  # the transaction is a caller's
            _execute(f"SET LOCAL statement_timeout = '{before}'")


@contextmanager
def brief_write(seconds: float) -> Iterator[None]:
    """Run the block in a transaction in which nothing waits longer than this for a lock or an
    answer; what would raises OperationalError. For a thread that uses its connection for nothing
    else."""
    connection = database.connection()
    if connection.vendor == "postgresql":
        with transaction.atomic(using=database.alias()):
            limit = _milliseconds(seconds)
            _execute("; ".join(f"SET LOCAL {name} = {limit}" for name in LIMITS))
            with change.gathering():
                yield
        return
    takes_turns = not connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {_milliseconds(seconds)}")
    with (
        database.turn(seconds) if takes_turns else nullcontext(),
        transaction.atomic(using=database.alias()),
        change.gathering(),
    ):
        yield


def _milliseconds(seconds: float) -> str:
    return str(min(round(seconds * 1000), LONGEST))


def _execute(statement: str) -> str:
    """Return its first value, if it has any."""
    with database.connection().cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0]) if cursor.description else ""
