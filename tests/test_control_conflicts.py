"""People's actions while other transactions hold or change the same rows."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.utils import timezone
from psycopg import sql

from scheduler_app import control
from scheduler_app.control import Actor, transaction
from scheduler_app.exceptions import Busy, JobNotFound
from scheduler_app.ledger import schedules
from scheduler_app.models import AuditEntry, Job, JobRun, Surface
from scheduler_app.models.faults import Fault, fault_of
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs import memory_pb2_grpc

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
TIMETABLE_ROW = "SELECT 1 FROM django_apscheduler_djangojob WHERE id = 'one' FOR UPDATE"
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


def test_locked_job_is_a_message_in_the_admin(
    admin_client: Client, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("one")
    fail = _failing("55P03" if IS_POSTGRES else "database is locked", times=100)
    monkeypatch.setattr(schedules, "lock", fail)
    response = admin_client.post("/admin/scheduler_app/job/one/pause/", follow=True)
    [message] = [m for m in response.context["messages"] if m.level_tag == "error"]
    assert message.message.startswith("one: another ")


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


def database_error(code: str) -> OperationalError:
    error = OperationalError(code)
    if IS_POSTGRES:
        error.__cause__ = type("Cause", (psycopg.OperationalError,), {"sqlstate": code})()
    else:
        error.__cause__ = sqlite3.OperationalError(code)
    return error


@dataclass
class Conflicts:
    """Has the database end a transaction with this error, so many times, at each statement that
    contains these words, on whatever connection."""

    code: str
    words: str
    left: int
    met: int = 0

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if self.words in sql:
            self.met += 1
            if self.left:
                self.left -= 1
                raise database_error(self.code)
        return execute(sql, *rest)


@pytest.fixture
def conflict(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Conflicts]:
    def _conflict(code: str, words: str, times: int) -> Conflicts:
        conflicts = Conflicts(code, words, times)
        before = getattr(CursorWrapper, name := "_execute_with_wrappers")

        def execute(cursor: Any, sql: str, params: Any, many: bool, executor: Any) -> Any:
            def wrapped(sql: str, *rest: Any) -> Any:
                return conflicts(executor, sql, *rest)

            return before(cursor, sql, params, many, wrapped)

        monkeypatch.setattr(transaction, "PAUSE", 0.001)
        monkeypatch.setattr(CursorWrapper, name, execute)
        return conflicts

    return _conflict


LOCKS, LAST = "FOR UPDATE", 'INSERT INTO "scheduler_app_auditentry"'
"""Statements of each action: one of its first, and its last."""
CASES = pytest.mark.parametrize(("code", "words"), [("40001", LAST), ("40P01", LOCKS)])
ACTIONS: dict[str, Callable[[int], object]] = {
    "pause": lambda run: control.pause("one", by=ADA),
    "resume": lambda run: control.resume("paused", by=ADA),
    "trigger": lambda run: control.trigger("one", by=ADA),
    "cancel": lambda run: control.cancel(run, by=ADA),
    "pause many": lambda run: control.pause_many(["one", "two"], by=ADA),
    "resume many": lambda run: control.resume_many(["paused", "one"], by=ADA),
    "trigger many": lambda run: control.trigger_many(["one", "two"], by=ADA),
    "cancel many": lambda run: control.cancel_many([run], by=ADA),
}
CHANGED = {"pause many": 2, "trigger many": 2}
"""How many rows an action changes, where it is more than one."""


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    server = Server("127.0.0.1:0")
    server.start()
    yield server
    server.stop(1)


@pytest.fixture
def run(make_job: MakeJob) -> int:
    """A queued run, beside jobs to act on."""
    for name in ("one", "two"):
        make_job(name)
    make_job("paused", paused_at=timezone.now())
    make_job("queued")
    run = control.trigger("queued", by=ADA)
    AuditEntry.objects.all().delete()
    return run.pk


def changed() -> list[Any]:
    """All that an action may change."""
    jobs = Job.objects.order_by("name").values_list("name", "paused_at")
    runs = JobRun.objects.order_by("pk").values_list("pk", "state", "cancel_reason")
    return [*jobs, *runs, AuditEntry.objects.count()]


@postgres_only
@pytest.mark.slow
@CASES
@pytest.mark.parametrize("action", ACTIONS)
def test_conflict_is_tried_again(
    run: int, conflict: Callable[..., Conflicts], action: str, code: str, words: str
) -> None:
    conflicts = conflict(code, words, transaction.ATTEMPTS - 1)
    assert ACTIONS[action](run)
    assert conflicts.left == 0
    assert AuditEntry.objects.filter(changed=True).count() == CHANGED.get(action, 1)


@postgres_only
@pytest.mark.slow
@CASES
@pytest.mark.parametrize("action", ACTIONS)
def test_conflict_that_persists_says_try_again_and_changes_nothing(
    run: int, conflict: Callable[..., Conflicts], action: str, code: str, words: str
) -> None:
    before = changed()
    conflicts = conflict(code, words, 1000)
    with pytest.raises(Busy, match=r": other transactions .* Nothing was changed; try again"):
        ACTIONS[action](run)
    assert conflicts.met == transaction.ATTEMPTS
    assert changed() == before


CALLS: dict[str, Callable[[Any, int], Any]] = {
    "pause": lambda stub, run: stub.PauseJob(pb.PauseJobRequest(job_name="one")),
    "resume": lambda stub, run: stub.ResumeJob(pb.ResumeJobRequest(job_name="paused")),
    "cancel": lambda stub, run: stub.CancelRun(pb.CancelRunRequest(run_id=run)),
}


@postgres_only
@pytest.mark.parametrize("call", CALLS)
def test_conflict_on_grpc(
    server: Server, run: int, conflict: Callable[..., Conflicts], call: str
) -> None:
    conflicts = conflict("40001", LAST, transaction.ATTEMPTS + 2)
    with grpc.insecure_channel(server.address) as channel:
        stub = memory_pb2_grpc.MemoryServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            CALLS[call](stub, run)
        assert caught.value.code() == grpc.StatusCode.ABORTED
        assert "try again" in str(caught.value.details())
        assert not AuditEntry.objects.exists()
        assert CALLS[call](stub, run).success
    assert conflicts.met == transaction.ATTEMPTS + 3


@postgres_only
@pytest.mark.parametrize("command", ["pause one", "resume paused", "cancel"])
@pytest.mark.parametrize("is_served", [True, False], ids=["server", "database"])
def test_conflict_on_the_command_line(
    server: Server,
    run: int,
    conflict: Callable[..., Conflicts],
    command: str,
    is_served: bool,
) -> None:
    words = [*command.split(), *([str(run)] if command == "cancel" else [])]
    where = ["--endpoint", server.address if is_served else "127.0.0.1:1"]
    conflict("40P01", LAST, transaction.ATTEMPTS + 2)
    with pytest.raises(CommandError, match="try again"):
        call_command("scheduler", *where, *words)
    assert not AuditEntry.objects.exists()
    call_command("scheduler", *where, *words)
    assert AuditEntry.objects.filter(changed=True).count() == 1


@postgres_only
@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_actions_survive_strict_isolation(make_job: MakeJob, level: str) -> None:
    """Four threads act on the same jobs in sessions of this level: each action succeeds."""
    names = ["one", "two", "three"]
    for name in names:
        make_job(name)
    errors: list[Exception] = []
    threads, rounds = 4, 6

    def act(number: int) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('default_transaction_isolation', %s, false)", [level]
                )
            for _ in range(rounds):
                action = control.pause_many if number % 2 else control.resume_many
                action(names, by=ADA)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    actors = [threading.Thread(target=act, args=(number,)) for number in range(threads)]
    for thread in actors:
        thread.start()
    for thread in actors:
        thread.join(60)
    assert errors == []
    assert AuditEntry.objects.count() == threads * rounds * len(names)


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
