"""Connections after a run: closed, and what was left open on them is told."""

from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core.cache.backends.db import DatabaseCache
from django.core.management import call_command
from django.db import connection, connections, transaction

from scheduler_app.cron import Schedule
from scheduler_app.execution.runner import Outcome, execute
from scheduler_app.models import RunState
from scheduler_app.registry import JobContext, JobDefinition
from tests.engine.conftest import T0

transactional = pytest.mark.django_db(transaction=True)


def call(*functions: Callable[..., Any]) -> list[Outcome]:
    """Carry them out in one thread, one after the other."""

    def one(function: Callable[..., Any]) -> Outcome:
        definition = JobDefinition(name="a", function=function, schedule=Schedule("* * * * *"))
        return execute(definition, JobContext(job_name="a", run_id=1, scheduled_for=T0))

    with ThreadPoolExecutor(1) as pool:
        return list(pool.map(one, functions))


@pytest.fixture
def other(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[str]:
    """A second database. Django's test cases would refuse it."""
    connections.settings["other"] = connections.settings["default"] | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "other.sqlite3"),
        "OPTIONS": {},
        "CONN_MAX_AGE": 600,
    }
    with django_db_blocker.unblock():
        yield "other"
    del connections.settings["other"]


def test_transaction_left_open_on_another_alias_fails_the_run(other: str) -> None:
    def leave() -> None:
        transaction.atomic(using=other).__enter__()

    def use() -> None:
        with transaction.atomic(using=other), connections[other].cursor() as cursor:
            cursor.execute("CREATE TABLE a (b integer)")

    left, used = call(leave, use)
    assert left.state == RunState.FAILED
    assert left.message == 'It left a transaction open on "other", which was rolled back.'
    assert used.state == RunState.SUCCESS


def test_both_aliases_are_told(other: str) -> None:
    def leave() -> None:
        transaction.atomic(using=other).__enter__()
        transaction.atomic().__enter__()

    (outcome,) = call(leave)
    assert [line.split('"')[1] for line in outcome.message.splitlines()] == ["default", "other"]


@transactional
def test_persistent_connection_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", None)
    used = []

    def use() -> None:
        Group.objects.count()
        used.append(connections["default"])

    call(use, use)
    assert used[0] is not used[1]
    assert [wrapper.connection for wrapper in used] == [None, None]


@transactional
def test_failure_tells_of_the_transaction_too() -> None:
    def leave() -> None:
        transaction.atomic().__enter__()
        raise ValueError("no such record")

    (outcome,) = call(leave)
    assert outcome.message.splitlines() == [
        "ValueError: no such record",
        'It left a transaction open on "default", which was rolled back.',
    ]
    assert "raise ValueError" in outcome.traceback


@transactional
def test_hook_of_a_transaction_left_open_is_not_called() -> None:
    called = []

    def leave() -> None:
        transaction.atomic().__enter__()
        transaction.on_commit(lambda: called.append(1))

    def commit() -> None:
        with transaction.atomic():
            Group.objects.create(name="kept")

    assert [outcome.state for outcome in call(leave, commit)] == ["failed", "success"]
    assert called == []
    assert Group.objects.filter(name="kept").exists()


@transactional
def test_finished_transaction_is_no_fault() -> None:
    def work() -> None:
        with transaction.atomic():
            Group.objects.create(name="kept")
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("COMMIT")

    assert [outcome.state for outcome in call(work)] == ["success"]


@transactional
def test_rollback_that_a_job_wants_is_no_fault() -> None:
    def work() -> None:
        with transaction.atomic():
            transaction.set_rollback(True)

    assert [outcome.state for outcome in call(work)] == ["success"]


async def count() -> None:
    await Group.objects.acount()


async def count_in_its_thread() -> None:
    await sync_to_async(Group.objects.count)()


async def count_in_another_thread() -> None:
    await sync_to_async(Group.objects.count, thread_sensitive=False)()


async def ask_a_cache() -> None:
    """Of which each call is synchronous below."""
    cache = DatabaseCache("cache_of_the_test", {})
    try:
        await cache.aset("key", 1)
        assert await cache.aget("key") == 1
    finally:
        await sync_to_async(cache.close)()


@pytest.fixture
def cache_table(transactional_db: None) -> Iterator[None]:
    call_command("createcachetable", "cache_of_the_test", verbosity=0)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE cache_of_the_test")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a fault of a server")
@pytest.mark.usefixtures("cache_table")
@pytest.mark.parametrize("work", [count, count_in_its_thread, count_in_another_thread, ask_a_cache])
def test_async_job_recovers_when_the_server_has_closed_its_connections(
    work: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two runs, and in the midst of one, which alone fails."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", None)
    own = connection.get_connection_params()

    def terminate() -> None:
        allowed = ("host", "port", "user", "password", "dbname")
        with psycopg.connect(**{key: own[key] for key in allowed if key in own}) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async def use() -> None:
        await work()
        await work()

    async def use_and_lose() -> None:
        await work()
        terminate()
        await Group.objects.acount()  # over the connection that is gone, if it was kept
        raise ValueError("over another connection")

    try:
        outcomes = call(use, terminate, use, use_and_lose, use, use)
    finally:
        connection.close()  # this test's own has been terminated, too
    assert [outcome.state.name for outcome in outcomes] == [
        *("SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "SUCCESS", "SUCCESS")
    ]
