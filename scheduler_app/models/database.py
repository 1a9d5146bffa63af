"""The database that holds the scheduler's tables, and its clock."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

import django.db
from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone

from scheduler_app.conf import scheduler_settings
from scheduler_app.models.run import JobRun

_threads = threading.local()
_writing = threading.Lock()


def alias() -> str:
    """Its alias in settings.DATABASES; a router may have moved it from "default"."""
    return router.db_for_write(JobRun)


@contextmanager
def atomic() -> Iterator[None]:
    """A transaction on it; on SQLite, one that has the write lock from its start. The threads of
    this process take turns: SQLite itself makes those that wait sleep, for up to 0.1 s a time."""
    takes_turns = connection().vendor == "sqlite" and not connection().in_atomic_block
    with _writing if takes_turns else nullcontext(), transaction.atomic(using=alias()):
        yield


def connection() -> BaseDatabaseWrapper:
    """This thread's connection to it."""
    return connections[alias()]


@contextmanager
def snapshot() -> Iterator[None]:
    """All that is read inside is of one moment; nobody waits for it. Write nothing inside. Within a
    transaction of the caller's, that one is used as it is."""
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


def _execute(statement: str) -> None:
    with connection().cursor() as cursor:
        cursor.execute(statement)


def now() -> datetime:
    """What its clock says (UTC): the one clock that all machines share."""
    if connection().vendor != "postgresql":
        return timezone.now()
    with connection().cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def serve_engine() -> None:
    """Call it in a thread of the engine. Should the process freeze within a transaction of this
    thread, PostgreSQL ends that within a heartbeat, and so frees the rows it holds before a node
    that waits for them has been silent for too long itself. PostgreSQL also uses indexes for few
    rows before it has statistics: what the engine asks for is in memory."""
    _threads.serves_engine = True
    connection().close()


def close_old_connections() -> None:
    """Django's, in a thread that has ever connected to a database; it is slow to find none."""
    if getattr(_threads, "has_connected", False):
        django.db.close_old_connections()


def _connected(connection: BaseDatabaseWrapper, **_: Any) -> None:
    _threads.has_connected = True
    serves = getattr(_threads, "serves_engine", False)
    if serves and connection.vendor == "postgresql" and connection.alias == alias():
        milliseconds = int(scheduler_settings().heartbeat * 1000)
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")
            cursor.execute("SET random_page_cost = 1.1")


connection_created.connect(_connected)
