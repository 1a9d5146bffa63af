"""Looks and writes that do not wait for long."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from scheduler_app.models import Node, database
from scheduler_app.models.patience import brief_read, brief_write

IS_POSTGRES = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
on_postgres = pytest.mark.skipif(not IS_POSTGRES, reason="SQLite's readers wait for nothing")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def locked(transactional_db: None) -> Iterator[None]:
    """Another client has locked the table of the nodes; on SQLite, all."""
    if not IS_POSTGRES:
        begun, release = threading.Event(), threading.Event()

        def hold() -> None:
            with transaction.atomic():
                begun.set()
                release.wait(30)
            connection.close()

        holder = threading.Thread(target=hold)
        holder.start()
        assert begun.wait(10)
        yield
        release.set()
        holder.join()
        return
    with psycopg.connect(**_parameters()) as other:
        other.execute("LOCK TABLE scheduler_app_node")
        yield
        other.rollback()


def _parameters() -> dict[str, Any]:
    given = connection.get_connection_params()
    return {key: given[key] for key in ("host", "port", "user", "dbname") if given.get(key)}


def test_write_beside_a_lock_fails_soon(locked: None) -> None:
    with pytest.raises(OperationalError), brief_write(0.2):
        Node.objects.create(name="here:1")


@on_postgres
def test_read_beside_a_lock_fails_soon(locked: None) -> None:
    with pytest.raises(OperationalError), brief_read(0.2):
        Node.objects.count()


@on_postgres
def test_limit_of_a_callers_transaction_is_restored() -> None:
    with transaction.atomic():
        with brief_read(5):
            assert _shown() == "5s"
        assert _shown() == "0"
    with brief_read(5):
        pass
    assert _shown() == "0"


def _shown() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def test_turn_that_does_not_come_is_done_without() -> None:
    with database.turn(5):
        done = threading.Event()

        def write() -> None:
            with brief_write(0.2):
                Node.objects.create(name="here:1")
            connection.close()
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        thread.join(10)
        assert done.is_set()
