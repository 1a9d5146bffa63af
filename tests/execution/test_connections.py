"""Connections after a run: closed, and what was left open on them is told."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
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
