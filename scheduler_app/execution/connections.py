"""Database connections as a run leaves them."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from scheduler_app.execution import thread_state
from scheduler_app.logs import SafeLogger

logger = SafeLogger(__name__)

ACTIVE, IN_TRANSACTION, IN_ERROR = 1, 2, 3
"""PGTransactionStatusType of libpq; psycopg 2 has other names for them than psycopg 3."""

_rolled_back: "WeakSet[BaseDatabaseWrapper]" = WeakSet()
"""Connections on which a COMMIT has rolled back."""


_of_threads: ContextVar[list[str] | None] = ContextVar("scheduler_faults_of_threads", default=None)


def watch_threads() -> list[str]:
    """Return a list to which each thread that is started in this context adds, at its end, what it
    has left open."""
    faults: list[str] = []
    _of_threads.set(faults)
    return faults


def watched(run: Callable[[], object]) -> Callable[[], None] | None:
    """Return what a thread that is started in this context must run instead of `run`; None if the
    context is not watched."""
    faults = _of_threads.get()
    if faults is None:
        return None

    def run_and_discard() -> None:
        _of_threads.set(faults)
        try:
            run()
        finally:
            if thread_state.has_values() and (fault := discard()):
                faults.append(f"In a thread of its own: {fault}")
                logger.warning("a thread that a run has started: %s", fault)  # it may have ended

    return run_and_discard


def discard() -> str:
    """Close this thread's connections, so that nothing that a run has set on them reaches the next.
    Returns what the run has left open on them, in words; empty if nothing. Never raises."""
    faults = []
    for connection in connections.all(initialized_only=True):
        try:
            faults.append(_discard(connection))
        except BaseException:  # a job may have put anything in a connection's place
            faults.append("It left a database connection whose state cannot be read.")
    return "\n".join(fault for fault in faults if fault)


def _discard(connection: BaseDatabaseWrapper) -> str:
    try:
        return _fault(connection)
    finally:
        with suppress(BaseException):  # what is broken already cannot be closed
            _close(connection)
        connection.queries_log.clear()
        del connections[connection.alias]


def _fault(connection: BaseDatabaseWrapper) -> str:
    alias = connection.alias
    if connection in _rolled_back:
        return (
            f'A statement had failed in a transaction on "{alias}", and the COMMIT rolled it back.'
        )
    if connection.closed_in_transaction:
        return f'It closed its connection to "{alias}" in a transaction, which was rolled back.'
    if connection.in_atomic_block or _has_begun(connection):
        return f'It left a transaction open on "{alias}", which was rolled back.'
    return ""


def _has_begun(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the database is in a transaction, whichever way it was begun."""
    raw = connection.connection
    if raw is None:
        return False
    if connection.vendor == "sqlite":
        with suppress(sqlite3.ProgrammingError):  # it has been closed below Django
            return bool(raw.in_transaction)
        return False
    if connection.vendor == "postgresql":
        return raw.info.transaction_status in (ACTIVE, IN_TRANSACTION, IN_ERROR)
    return not connection.get_autocommit()


def _close(connection: BaseDatabaseWrapper) -> None:
    raw = connection.connection
    if raw is not None and connection.vendor == "postgresql":
        raw.close()  # a pool, too, must not hand what was set on this session to another run
    connection.close()


def _watch_commits(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Note when PostgreSQL answers a COMMIT by rolling back: in a transaction in which a statement
    has failed it does so without an error."""
    commit: Any = getattr(connection, "_commit", None)
    if connection.vendor != "postgresql" or "_commit" in vars(connection):
        return

    def noting() -> Any:
        raw = connection.connection
        if raw is not None and raw.info.transaction_status == IN_ERROR:
            _rolled_back.add(connection)
        return commit()

    connection._commit = noting  # type: ignore[attr-defined]


connection_created.connect(_watch_commits)
