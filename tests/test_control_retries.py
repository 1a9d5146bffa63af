"""Retries of people's actions that conflict with other transactions."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from scheduler_app import control
from scheduler_app.control import Actor, transaction
from scheduler_app.exceptions import Busy
from scheduler_app.models import AuditEntry, Job, JobRun, Surface
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs import memory_pb2_grpc
from tests.harness.errors import database_error

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no conflicts"),
]
ADA = Actor("ada", Surface.CLI)
MakeJob = Callable[..., Job]


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
