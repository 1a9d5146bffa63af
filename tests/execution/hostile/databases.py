"""How a job may leave its database connections."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, connections, transaction

from tests.execution.hostile.table import FAILED, OK, hostile

LEFT = 'left a transaction open on "default"'


def _write() -> None:
    Group.objects.create(name="lost")


@hostile(FAILED, LEFT)
def begins_by_hand() -> None:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
    _write()


@hostile(FAILED, LEFT)
def enters_a_transaction_and_does_not_leave_it() -> None:
    transaction.atomic().__enter__()
    _write()


@hostile(FAILED, LEFT)
def enters_a_durable_transaction_and_does_not_leave_it() -> None:
    transaction.atomic(durable=True).__enter__()
    _write()
    transaction.on_commit(lambda: sys.exit(1))


@hostile(FAILED, LEFT)
def turns_autocommit_off() -> None:
    connection.set_autocommit(False)
    _write()


@hostile(FAILED, LEFT)
def leaves_a_broken_transaction() -> None:
    transaction.atomic().__enter__()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")
    except DatabaseError:
        pass


@hostile(FAILED, LEFT)
def leaves_a_savepoint() -> None:
    transaction.atomic().__enter__()
    transaction.savepoint()
    _write()


@hostile(FAILED, LEFT)
def fails_in_a_transaction_begun_by_hand() -> None:
    begins_by_hand()
    raise ValueError("and fails")


@hostile(FAILED, LEFT)
def exits_with_zero_in_a_transaction() -> None:
    begins_by_hand()
    sys.exit(0)


@hostile(FAILED, "in a transaction, which was rolled back")
def closes_its_connection_in_a_transaction() -> None:
    with transaction.atomic():
        _write()
        connection.close()


@hostile(*((FAILED, "COMMIT rolled it back") if connection.vendor == "postgresql" else (OK, "")))
def swallows_an_error_in_a_transaction() -> None:
    """PostgreSQL then takes no more statements but the end, and rolls back whatever that says."""
    with transaction.atomic():
        Group.objects.filter(name="no such").update(name="lost")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT no_such_column")
        except DatabaseError:
            pass


@hostile(OK)
def swallows_an_error_in_a_savepoint() -> None:
    with transaction.atomic():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT no_such_column")
        except DatabaseError:
            pass


@hostile(OK)
def closes_the_connection_below_django() -> None:
    connection.ensure_connection()
    assert connection.connection is not None
    connection.connection.close()


@hostile(OK)
def closes_all_connections() -> None:
    Group.objects.count()
    connections.close_all()


@hostile(OK)
def makes_its_session_useless() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET default_transaction_read_only = on")
            cursor.execute("SET search_path = nowhere")
        else:
            cursor.execute("PRAGMA query_only = ON")


@hostile(OK)
def leaves_a_wrapper_that_raises() -> None:
    def refuse(*_: object) -> None:
        raise KeyboardInterrupt

    connection.execute_wrappers.append(refuse)


@hostile(OK)
def leaves_an_open_cursor() -> None:
    rows = Group.objects.iterator()
    next(rows, None)
    connection.cursor().execute("SELECT 1")


@hostile(FAILED, "state cannot be read")
def replaces_its_connection() -> None:
    connections["default"] = object()  # type: ignore[assignment]


@hostile(FAILED, f"In a thread of its own: It {LEFT}")
def leaves_a_transaction_open_in_a_thread() -> None:
    thread = threading.Thread(target=begins_by_hand)
    thread.start()
    thread.join()


@hostile(FAILED, f"In a thread of its own: It {LEFT}")
def leaves_a_transaction_open_in_a_pool() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(begins_by_hand).result()


@hostile(OK)
def leaves_a_thread_in_a_transaction() -> None:
    """It ends after its run."""
    begun = threading.Event()

    def write() -> None:
        with transaction.atomic():
            Group.objects.create(name="late")
            begun.set()
            time.sleep(0.2)

    threading.Thread(target=write).start()
    begun.wait(5)


@hostile(FAILED, LEFT)
async def leaves_a_transaction_open_in_a_coroutine() -> None:
    await sync_to_async(begins_by_hand)()


@hostile(OK)
async def uses_the_database_in_a_coroutine() -> None:
    async for _ in Group.objects.all():
        pass
