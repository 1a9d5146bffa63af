"""The database that holds the scheduler's tables, and its clock."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

import django.db
from django.conf import settings
from django.db import DataError, IntegrityError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from scheduler_app.conf import scheduler_settings
from scheduler_app.logs import SafeLogger
from scheduler_app.models import change
from scheduler_app.models.run import JobRun

logger = SafeLogger(__name__)

LOCK_TIMEOUT = 2.0
"""How long, in seconds, an engine's statement waits for a lock at most."""

_threads = threading.local()
_writing = threading.Lock()


def alias() -> str:
    """Return its alias in settings.DATABASES; a router may have moved it from "default"."""
    return router.db_for_write(JobRun)


@contextmanager
def atomic() -> Iterator[None]:
    """Run the block in a transaction on it; on SQLite, in one that has the write lock from its
    start. The threads of this process take turns: SQLite itself makes those that wait sleep, for up
    to 0.1 s a time."""
    is_outermost = not connection().in_atomic_block
    with (
        _turn_to_write() if is_outermost and connection().vendor == "sqlite" else nullcontext(),
        transaction.atomic(using=alias()),
    ):
        if is_outermost and connection().vendor == "postgresql":
            _execute("; ".join(_transaction_settings()))
        with change.gathering():
            yield


@contextmanager
def _turn_to_write() -> Iterator[None]:
    """Have the transaction of the block take the write lock at its start, whatever the project has
    chosen for its own: one that reads first fails at once when somebody else has written since."""
    with _writing:
        ours: Any = connection()
        ours.ensure_connection()
        mode, ours.transaction_mode = ours.transaction_mode, "IMMEDIATE"
        try:
            yield
        finally:
            ours.transaction_mode = mode


def keep_write_ahead_log() -> None:
    """Have SQLite keep a write-ahead log, as a file's own property: without it readers wait while
    somebody writes, and the other way round. Raises DatabaseError."""
    if connection().vendor == "sqlite":
        _execute("PRAGMA journal_mode=WAL")


@contextmanager
def reading() -> Iterator[None]:
    """Have the statements of the block, which only read, wait no longer for a lock of a whole table
    than those of atomic() do. They need not all see the same moment."""
    with atomic() if connection().vendor == "postgresql" else nullcontext():
        yield


@contextmanager
def turn(patience: float) -> Iterator[None]:
    """Take this thread's turn to write on SQLite; after `patience` seconds go ahead without it: the
    thread that has it may be stuck, and SQLite itself keeps writers apart."""
    taken = _writing.acquire(timeout=patience)
    try:
        yield
    finally:
        if taken:
            _writing.release()


def connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to it."""
    return connections[alias()]


@contextmanager
def snapshot() -> Iterator[None]:
    """Have everything that the block reads be of one moment, and hold up no other transaction.
    Write nothing inside. Within a caller's transaction, that one is used as it is."""
    if connection().in_atomic_block:
        yield
    elif connection().vendor == "postgresql":
        with atomic():
            _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        _execute("BEGIN DEFERRED")  # atomic() would take the write lock
        try:
            yield
        finally:
            _execute("ROLLBACK")


def _execute(statement: str, *values: str) -> None:
    with connection().cursor() as cursor:
        cursor.execute(statement, values or None)


def now() -> datetime:
    """Return what its clock says (UTC): the one clock that all machines share."""
    if connection().vendor != "postgresql":
        return timezone.now()
    with connection().cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def close_connection() -> None:
    """Close this thread's connection to it, whatever state that is in. Never raises."""
    try:
        connection().close()
    except BaseException as error:
        logger.warning("cannot close a connection to the database: %s", error)


def serve_engine() -> None:
    """Mark this thread as one of the engine's, whose transactions must not burden others: if the
    process freezes in one, PostgreSQL ends it within a heartbeat, and so frees its rows before a
    node that waits for them has been silent for too long itself. No statement of the thread waits
    for a lock for long."""
    _threads.serves_engine = True
    wrappers = connection().execute_wrappers
    if connection().vendor == "postgresql" and _in_a_transaction not in wrappers:
        wrappers.append(_in_a_transaction)


def _in_a_transaction(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Execute a statement in a transaction with our limits, as an execute wrapper of Django: one
    outside any transaction would wait for a lock for ever."""
    used: BaseDatabaseWrapper = context["connection"]
    if used.in_atomic_block or not used.get_autocommit():
        return execute(sql, params, many, context)
    with atomic():
        return execute(sql, params, many, context)


def _serves_engine() -> bool:
    return getattr(_threads, "serves_engine", False)


def _transaction_settings() -> Iterator[str]:
    """Yield settings for one transaction only: behind a pooler the session is shared with
    strangers.

    After each lock the ledger's code looks again at what it has locked: it needs READ COMMITTED,
    whatever the project has chosen for itself. PostgreSQL also uses indexes for few rows before it
    has statistics; what the engine asks for is in memory."""
    yield "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    if _serves_engine():
        heartbeat = scheduler_settings().heartbeat
        yield f"SET LOCAL idle_in_transaction_session_timeout = {round(heartbeat * 1000)}"
        yield f"SET LOCAL lock_timeout = {round(_lock_timeout() * 1000)}"
        yield "SET LOCAL random_page_cost = 1.1"


def _lock_timeout() -> float:
    chosen: float | None = getattr(_threads, "lock_timeout", None)
    return chosen or min(LOCK_TIMEOUT, scheduler_settings().heartbeat / 2)


@contextmanager
def lock_timeout(seconds: float) -> Iterator[None]:
    """Have this engine thread's transactions in the block wait at most this long for a lock."""
    before = getattr(_threads, "lock_timeout", None)
    _threads.lock_timeout = seconds
    try:
        yield
    finally:
        _threads.lock_timeout = before


def is_lock_timeout(error: BaseException) -> bool:
    """Return whether PostgreSQL ended a statement that waited too long for a lock."""
    return _sqlstate(error) == "55P03"


def is_refusal(error: BaseException) -> bool:
    """Return whether the database refuses what is written, though it takes other rows: a trigger,
    a constraint or a policy of the project's own forbids it, or a value fits no column."""
    state = _sqlstate(error)
    of_values = state[:2] in ("22", "23", "44", "54", "P0") or state == "42501"
    return of_values or isinstance(error, IntegrityError | DataError)


def _sqlstate(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def forget_queries() -> None:
    """Drop this thread's logged statements. With DEBUG Django keeps the last 9,000, however large,
    until a request begins; in a scheduler none does."""
    if settings.DEBUG:
        django.db.reset_queries()
