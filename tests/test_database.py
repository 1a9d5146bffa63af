"""What the engine asks of its database's transactions."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import OperationalError, connections, transaction
from django.db.backends.sqlite3 import base as sqlite3_backend
from django.test import override_settings

from scheduler_app.models import Node, database


@pytest.fixture
def in_engine_thread(transactional_db: None) -> Callable[[Callable[[], str]], str]:
    """Call a function in a thread that serves the engine."""
    if database.connection().vendor != "postgresql":
        pytest.skip("SQLite has no such settings")

    def _call(function: Callable[[], str]) -> str:
        def work() -> str:
            database.serve_engine()
            try:
                return function()
            finally:
                database.connection().close()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result(30)

    return _call


def patience() -> str:
    """How long this session lets a transaction idle; 0 if it does not mind."""
    with database.connection().cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])


@override_settings(SCHEDULER={"heartbeat": 3})
def test_engine_may_not_idle_in_a_transaction_for_longer_than_a_heartbeat(
    in_engine_thread: Callable[[Callable[[], str]], str],
) -> None:
    def within() -> str:
        with database.atomic(), database.atomic():
            return patience()

    assert in_engine_thread(within) == "3s"


def test_engine_leaves_no_setting_in_its_session(
    in_engine_thread: Callable[[Callable[[], str]], str],
) -> None:
    """Behind a pooler the next transaction there may be a stranger's."""

    def afterwards() -> str:
        with database.atomic():
            pass
        assert Node.objects.count() == 0
        cursor = database.connection().connection.cursor()  # the driver's own
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])

    assert in_engine_thread(afterwards) == "0"


def test_other_threads_may_take_their_time(
    in_engine_thread: Callable[[Callable[[], str]], str],
) -> None:
    in_engine_thread(str)
    with database.atomic():
        assert patience() == "0"


@pytest.mark.parametrize("is_outside", [True, False])
@override_settings(SCHEDULER={"heartbeat": 1})
def test_no_statement_of_the_engine_waits_long_for_a_locked_table(
    in_engine_thread: Callable[[Callable[[], str]], str], is_outside: bool
) -> None:
    def read() -> str:
        with nullcontext() if is_outside else database.atomic():
            return str(Node.objects.count())

    def give_up() -> str:
        with pytest.raises(OperationalError) as raised:
            read()
        assert database.is_lock_timeout(raised.value)
        database.connection().close()  # the limit outlasts a connection
        with pytest.raises(OperationalError) as raised:
            read()
        assert database.is_lock_timeout(raised.value)
        return "gave up twice"

    with transaction.atomic(), database.connection().cursor() as cursor:
        cursor.execute("LOCK TABLE scheduler_app_node")
        assert in_engine_thread(give_up) == "gave up twice"
    assert in_engine_thread(read) == "0"


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_our_transactions_look_again_after_each_lock(
    in_engine_thread: Callable[[Callable[[], str]], str], level: str
) -> None:
    """They rely on READ COMMITTED, whatever the project has chosen for its connections."""

    def within() -> str:
        with database.connection().cursor() as cursor:
            cursor.execute(f"SET default_transaction_isolation = '{level}'")
            with database.atomic():
                cursor.execute("SHOW transaction_isolation")
                return str(cursor.fetchone()[0])

    assert in_engine_thread(within) == "read committed"


@pytest.fixture
def own_file(db: None, tmp_path: Path) -> Iterator[Path]:
    """A SQLite database as Django's startproject configures it; it is the scheduler's."""
    path = tmp_path / "host.sqlite3"
    configured = {**connections["default"].settings_dict, "NAME": str(path), "OPTIONS": {}}
    wrapper = sqlite3_backend.DatabaseWrapper(configured, "host")
    connections["host"] = wrapper
    with patch.object(database, "alias", return_value="host"):
        yield path
    wrapper.close()
    del connections["host"]


def test_our_transactions_take_the_write_lock_at_their_start(own_file: Path) -> None:
    """Django's default would take it at the first write, and then fail if somebody else has written
    since the first read."""
    with closing(sqlite3.connect(own_file, timeout=0, isolation_level=None)) as other:
        with database.atomic(), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert getattr(database.connection(), "transaction_mode", "") is None
        other.execute("BEGIN IMMEDIATE")


def test_sqlite_lets_readers_read_while_somebody_writes(own_file: Path) -> None:
    with closing(sqlite3.connect(own_file)) as other:
        other.execute("CREATE TABLE any (n)")
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        database.keep_write_ahead_log()
        other.execute("SELECT n FROM any")
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
