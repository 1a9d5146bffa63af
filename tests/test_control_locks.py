"""People's actions while other transactions hold the same rows."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client
from psycopg import sql

from scheduler_app import control
from scheduler_app.control import Actor, transaction
from scheduler_app.exceptions import Busy, JobNotFound
from scheduler_app.ledger import schedules
from scheduler_app.models import AuditEntry, Job, JobRun, Surface
from scheduler_app.models.faults import Fault, fault_of
from tests.harness.errors import database_error

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", Surface.CLI)
MakeJob = Callable[..., Job]
Statement = str
IS_POSTGRES = connection.vendor == "postgresql"
postgres_only = pytest.mark.skipif(not IS_POSTGRES, reason="SQLite has one lock, for all of it")


@contextmanager
def another(*statements: Statement) -> Iterator[None]:
    """Another client's transaction, which has made these statements and does not end."""
    values = connection.get_connection_params()
    if IS_POSTGRES:
        allowed = ("host", "port", "user", "password", "dbname")
        with psycopg.connect(**{key: values[key] for key in allowed if key in values}) as other:
            for statement in statements:
                other.execute(sql.SQL(statement))
            yield
            other.rollback()
        return
    other_file = sqlite3.connect(values["database"], isolation_level=None)
    other_file.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other_file.close()


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "WAIT", 1.0)


JOB_ROW = "SELECT 1 FROM scheduler_app_job WHERE name = 'one' FOR UPDATE"
TIMETABLE_ROW = (
    "SELECT 1 FROM django_apscheduler_djangojob WHERE id = 'scheduler_app:one' FOR UPDATE"
)
TABLE = "LOCK TABLE scheduler_app_job IN ACCESS EXCLUSIVE MODE"


@pytest.mark.parametrize("statement", [JOB_ROW, TIMETABLE_ROW, TABLE])
def test_locked_job_is_named_within_seconds(
    make_job: MakeJob, short_wait: None, statement: Statement
) -> None:
    make_job("one")
    make_job("two")
    for action in (control.pause, control.trigger):
        with another(statement), pytest.raises(Busy, match=r"^one: another .* Nothing was changed"):
            action("one", by=ADA)
    assert not Job.objects.paused().exists()
    assert not AuditEntry.objects.exists()
    assert control.pause("one", by=ADA)


@postgres_only
def test_batch_names_the_locked_job_alone(make_job: MakeJob, short_wait: None) -> None:
    for name in ("one", "three", "two"):
        make_job(name)
    with another(JOB_ROW), pytest.raises(Busy, match=r"^one: another transaction"):
        control.pause_many(["one", "two", "three"], by=ADA)
    assert not Job.objects.paused().exists()


def test_locked_run_is_named(make_job: MakeJob, short_wait: None) -> None:
    make_job("one")
    run = control.trigger("one", by=ADA)
    statement = f"SELECT 1 FROM scheduler_app_jobrun WHERE id = {run.pk} FOR UPDATE"
    with another(statement), pytest.raises(Busy, match=f"^run {run.pk}: another"):
        control.cancel(run.pk, by=ADA)
    assert control.cancel(run.pk, by=ADA)


def test_usual_wait_of_sqlite_is_restored(make_job: MakeJob) -> None:
    make_job("one")
    query = "SELECT current_setting('lock_timeout')" if IS_POSTGRES else "PRAGMA busy_timeout"
    with connection.cursor() as cursor:
        cursor.execute(query)
        before = cursor.fetchone()
        control.pause("one", by=ADA)
        cursor.execute(query)
        assert cursor.fetchone() == before


def test_locked_job_is_told_in_the_admin(
    admin_client: Client, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("one")
    fail = _failing("55P03" if IS_POSTGRES else "database is locked", times=100)
    monkeypatch.setattr(schedules, "lock", fail)
    response = admin_client.post("/admin/scheduler_app/job/one/pause/", follow=True)
    assert "one: another " in response.content.decode()
    assert not Job.objects.paused().exists()


def _failing(code: str, times: int) -> Callable[..., Any]:
    """Schedules.lock, which fails as the database would, so many times."""
    left = [times]
    original = schedules.lock

    def fail(names: Any) -> Any:
        if left[0] > 0:
            left[0] -= 1
            raise database_error(code)
        return original(names)

    return fail


@postgres_only
@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("40001", Fault.CONFLICT),
        ("40P01", Fault.CONFLICT),
        ("55P03", Fault.LOCKED),
        ("57014", Fault.SLOW),
        ("57P01", Fault.AWAY),
        ("08006", Fault.AWAY),
        ("53100", Fault.REFUSED),
        ("42P01", Fault.UNMIGRATED),
        ("42703", Fault.UNMIGRATED),
        ("42601", Fault.SURPRISE),
    ],
)
def test_error_of_postgres_has_its_kind(code: str, fault: Fault) -> None:
    assert fault_of(database_error(code)) == fault


@pytest.mark.skipif(IS_POSTGRES, reason="SQLite's own words")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("database is locked", Fault.LOCKED),
        ("database table is locked", Fault.LOCKED),
        ("unable to open database file", Fault.AWAY),
        ("database or disk is full", Fault.REFUSED),
        ("no such table: scheduler_app_job", Fault.UNMIGRATED),
        ("no such column: paused_by", Fault.UNMIGRATED),
    ],
)
def test_error_of_sqlite_has_its_kind(text: str, fault: Fault) -> None:
    assert fault_of(database_error(text)) == fault


def test_statement_that_takes_too_long_is_no_absent_database(make_job: MakeJob) -> None:
    if not IS_POSTGRES:
        pytest.skip("SQLite has no statement timeout")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 50")
        try:
            with pytest.raises(OperationalError) as caught:
                cursor.execute("SELECT pg_sleep(5)")
        finally:
            cursor.execute("SET statement_timeout = 0")
    assert fault_of(caught.value) == Fault.SLOW


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 300, "", "Ada\r\nX", "\N{FIRE}" * 300])
def test_any_actor_and_reason_can_be_recorded(make_job: MakeJob, name: str) -> None:
    make_job("one")
    by = Actor(name, Surface.GRPC)
    assert control.pause("one", by=by, reason=f"{name}{'y' * 2000}")
    run = control.trigger("one", by=by, reason=name)
    control.cancel(run.pk, by=by, reason=name)
    entries = AuditEntry.objects.all()
    assert len(entries) == 3
    for entry in entries:
        assert 0 < len(entry.actor) <= 255
        assert entry.actor.isprintable()
        assert len(entry.reason) < 600
    assert JobRun.objects.get().requested_by == entries[0].actor


def test_long_actors_keep_head_and_tail() -> None:
    name = Actor(f"head-{'x' * 300}-tail", Surface.ADMIN).name
    assert (name[:5], name[-5:], len(name)) == ("head-", "-tail", 255)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 101, "x" * 1_000_000])
@pytest.mark.parametrize("action", [control.pause, control.resume, control.trigger])
def test_name_that_cannot_be_is_not_asked_for(action: Callable[..., object], name: str) -> None:
    with pytest.raises(JobNotFound, match=r"^Job not found: ") as caught:
        action(name, by=ADA)
    assert len(str(caught.value)) < 200
