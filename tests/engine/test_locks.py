"""What another client has locked delays nothing else."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import override_settings

from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import Recorder, record
from scheduler_app.ledger import counters, transitions
from scheduler_app.models import Job, JobCount, JobRun, Node, RunState, Trigger, database, locks
from tests.engine.conftest import T0, counted, eventually

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no single rows"),
]
Declare = Callable[..., None]
Start = Callable[..., Claimer]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def other(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """Another client, in a transaction that it does not end."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        dbname=settings["NAME"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        application_name="psql",
    ) as client:
        yield client
        client.rollback()


@pytest.fixture
def engine() -> Iterator[Callable[..., Any]]:
    """Call a function in a thread that serves the engine; fails if that takes 15 s."""
    with ThreadPoolExecutor(1, initializer=database.serve_engine) as pool:

        def call(function: Callable[..., Any], *args: Any) -> Any:
            return pool.submit(function, *args).result(15)

        yield call
        pool.submit(lambda: connection.close()).result(15)


@pytest.fixture
def recorder(transactional_db: None) -> Iterator[Recorder]:
    recorder = Recorder(lambda starts, begun, ended: None)
    recorder.start()
    yield recorder
    assert recorder.stop(10)


def runs_of(node: Node, *names: str, **fields: Any) -> list[JobRun]:
    rows = []
    for name in names:
        Job.objects.get_or_create(name=name, defaults={"cron": "* * * * *", "timezone": "UTC"})
        given = {"state": RunState.RUNNING, "started_at": T0} | fields
        rows.append(
            JobRun.objects.create(job_name=name, scheduled_for=T0, due_at=T0, node=node, **given)
        )
    return rows


def succeed(run: JobRun) -> JobRun:
    run.state, run.finished_at = RunState.SUCCESS, T0 + MINUTE
    return run


def state_of(run: JobRun) -> str:
    return JobRun.objects.get(pk=run.pk).state


def test_outcome_of_a_locked_job_is_recorded_and_counted(
    node: Node, other: psycopg.Connection[Any], recorder: Recorder
) -> None:
    (run,) = runs_of(node, "a")
    other.execute("SELECT * FROM scheduler_app_job FOR UPDATE")
    recorder.submit([], [succeed(run)])
    assert recorder.flush(5)
    assert (state_of(run), counted("run_count")) == ("success", 1)
    other.rollback()
    eventually(lambda: Job.objects.get().run_count == 1)
    assert counted("run_count") == 1


def test_locked_run_is_recorded_later_and_delays_no_other(
    node: Node, other: psycopg.Connection[Any], recorder: Recorder
) -> None:
    locked, free = runs_of(node, "a", "b")
    other.execute("SELECT * FROM scheduler_app_jobrun WHERE id = %s FOR UPDATE", [locked.pk])
    recorder.submit([], [succeed(locked), succeed(free)])
    eventually(lambda: state_of(free) == "success", 5)
    assert not recorder.flush(0.5)
    other.rollback()
    assert recorder.flush(5)
    assert state_of(locked) == "success"


def test_start_of_a_locked_run_is_recorded_later(
    node: Node, other: psycopg.Connection[Any], recorder: Recorder
) -> None:
    (run,) = runs_of(node, "a", state=RunState.QUEUED, started_at=None)
    other.execute("SELECT * FROM scheduler_app_jobrun FOR UPDATE")
    recorder.submit([run])
    assert not recorder.flush(0.5)
    other.rollback()
    assert recorder.flush(5)
    assert state_of(run) == "running"


def test_locked_node_delays_neither_claim_nor_retry(
    declare: Declare, start: Start, node: Node, other: psycopg.Connection[Any], engine: Any
) -> None:
    declare("a", retries=1)
    claimer = start()
    other.execute("SELECT * FROM scheduler_app_node FOR UPDATE")
    (run,) = engine(claimer.claim, T0)
    other.execute("SELECT * FROM scheduler_app_jobrun FOR UPDATE")
    other.rollback()
    engine(record, [run], [])
    run.state, run.finished_at = RunState.FAILED, T0 + MINUTE
    other.execute("SELECT * FROM scheduler_app_node FOR UPDATE")
    engine(record, [], [run])
    assert JobRun.objects.get(attempt=2).first_attempt_id == run.pk


def test_claim_skips_a_run_although_its_job_is_locked(
    declare: Declare, start: Start, other: psycopg.Connection[Any], engine: Any
) -> None:
    declare("a")
    claimer = start()
    engine(claimer.claim, T0)
    other.execute("SELECT * FROM scheduler_app_job FOR UPDATE")
    engine(claimer.claim, T0 + MINUTE)
    assert counted("skip_count") == 1


def test_locked_entry_is_looked_for_again_not_at_once(
    declare: Declare, start: Start, other: psycopg.Connection[Any], engine: Any
) -> None:
    declare("a")
    declare("b", cron="0 * * * *")
    claimer = start()
    other.execute(
        "SELECT * FROM django_apscheduler_djangojob WHERE id = 'scheduler_app:a' FOR UPDATE"
    )
    assert [run.job_name for run in engine(claimer.claim, T0)] == ["b"]
    assert claimer.next_due is not None
    assert T0 < claimer.next_due <= T0 + timedelta(seconds=1)
    other.rollback()
    assert [run.job_name for run in engine(claimer.claim, T0)] == ["a"]


def test_claim_that_finds_all_that_is_due_locked_is_held_up(
    declare: Declare, start: Start, other: psycopg.Connection[Any], engine: Any
) -> None:
    for name in "ab":
        declare(name)
    claimer = start()
    assert not claimer.is_held_up
    other.execute("SELECT * FROM django_apscheduler_djangojob FOR UPDATE")
    assert engine(claimer.claim, T0) == []
    assert claimer.is_held_up
    other.rollback()
    assert len(engine(claimer.claim, T0)) == 2
    assert not claimer.is_held_up


def test_claim_of_what_is_left_locked_alone_is_held_up(
    declare: Declare, start: Start, other: psycopg.Connection[Any], engine: Any
) -> None:
    for name in "abc":
        declare(name)
    claimer = start()
    insert_as_another_client(other, "c", T0)
    assert len(engine(claimer.claim, T0)) == 2
    assert not claimer.is_held_up
    eventually(lambda: engine(claimer.claim, T0) == [] and claimer.is_held_up)
    other.rollback()
    eventually(lambda: len(engine(claimer.claim, T0)) == 1)
    assert not claimer.is_held_up


def test_occurrence_that_another_inserts_holds_up_no_other(
    declare: Declare, start: Start, other: psycopg.Connection[Any], engine: Any
) -> None:
    for name in "abcde":
        declare(name)
    claimer = start()
    insert_as_another_client(other, "c", T0)
    assert {run.job_name for run in engine(claimer.claim, T0)} == set("abde")
    other.rollback()
    eventually(lambda: [run.job_name for run in engine(claimer.claim, T0)] == ["c"])


def insert_as_another_client(
    other: psycopg.Connection[Any], name: str, moment: datetime, attempt: int = 1
) -> None:
    other.execute(
        "INSERT INTO scheduler_app_jobrun (job_name, trigger, scheduled_for, due_at, occurrences,"
        " attempt, requested_by, state, created_at, cancel_reason, message, traceback, log,"
        " metadata) VALUES (%s, 'schedule', %s, %s, 1, %s, '', 'queued', %s, '', '', '', '', '{}')",
        [name, moment, moment, attempt, moment],
    )


def test_retry_that_another_inserts_holds_up_no_other_outcome(
    node: Node, other: psycopg.Connection[Any], recorder: Recorder
) -> None:
    runs = runs_of(node, *"abcde")
    Job.objects.filter(name="c").update(retries=1)
    insert_as_another_client(other, "c", T0, attempt=2)
    for run in runs:
        run.state, run.finished_at = RunState.FAILED, T0 + MINUTE
    recorder.submit([], runs)
    eventually(lambda: JobRun.objects.filter(state="failed").count() == 4)
    other.rollback()
    assert recorder.flush(10)
    assert JobRun.objects.get(attempt=2).job_name == "c"


@override_settings(SCHEDULER={"heartbeat": 1.0})
@pytest.mark.parametrize(
    ("table", "mode"),
    [
        ("scheduler_app_jobrun", "SHARE"),
        ("scheduler_app_jobcount", "SHARE"),
        ("scheduler_app_job", "ACCESS EXCLUSIVE"),
    ],
)
def test_claim_gives_up_on_a_locked_table_and_tries_again(
    declare: Declare,
    start: Start,
    other: psycopg.Connection[Any],
    engine: Any,
    table: str,
    mode: str,
) -> None:
    for name in "abc":
        declare(name, overlap="skip")
    claimer = start()
    engine(claimer.claim, T0)
    other.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())
    with pytest.raises(OperationalError) as raised:
        engine(claimer.claim, T0 + MINUTE)
    assert database.is_lock_timeout(raised.value)
    assert locks.waits_for(raised.value).startswith(f"a lock on {table} held by PostgreSQL")
    other.rollback()
    engine(claimer.claim, T0 + MINUTE)
    assert JobRun.objects.filter(state="skipped").count() == 3


def test_locked_run_of_a_dead_node_is_released_later(
    node: Node, other: psycopg.Connection[Any], engine: Any
) -> None:
    locked, free = runs_of(node, "a", "b")
    Node.objects.update(stopped_at=T0)
    other.execute("SELECT * FROM scheduler_app_jobrun WHERE id = %s FOR UPDATE", [locked.pk])

    def release() -> None:
        with database.atomic():
            transitions.release_runs(node, T0, "Lost.")

    engine(release)
    assert (state_of(locked), state_of(free)) == ("running", "lost")
    assert JobRun.objects.of_stopped_nodes().get() == locked
    other.rollback()
    engine(release)
    assert state_of(locked) == "lost"


def test_previous_run_that_is_locked_is_cancelled_later(
    declare: Declare, start: Start, other: psycopg.Connection[Any], engine: Any
) -> None:
    declare("a", overlap="cancel_previous")
    declare("b", overlap="cancel_previous")
    claimer = start()
    engine(record, engine(claimer.claim, T0), [])
    first = JobRun.objects.get(job_name="a")
    other.execute("SELECT * FROM scheduler_app_jobrun WHERE id = %s FOR UPDATE", [first.pk])
    engine(claimer.claim, T0 + MINUTE)
    asked = JobRun.objects.cancel_requested().values_list("job_name", flat=True)
    assert list(asked) == ["b"]
    assert JobRun.objects.filter(job_name="a").count() == 1
    other.rollback()
    engine(claimer.claim, T0 + MINUTE)
    assert sorted(asked.all()) == ["a", "b"]
    assert JobRun.objects.filter(job_name="a").count() == 2


def test_cancelling_the_previous_run_never_deadlocks(
    declare: Declare, start: Start, engine: Any
) -> None:
    """The claim cancels a retry, which is counted, and asks a run to end whose outcome is being
    recorded: with locks on the job's row each waited for the other."""
    declare("a", overlap="cancel_previous", retries=1, retry_delay=3600)
    claimer = start()
    (failed,) = engine(claimer.claim, T0)
    engine(record, [failed], [])
    failed.state, failed.finished_at = RunState.FAILED, T0
    engine(record, [], [failed])
    (running,) = engine(claimer.claim, T0 + MINUTE)
    engine(record, [running], [])
    claims = threading.Barrier(2)

    def end_it() -> None:
        database.serve_engine()
        with database.atomic():
            JobRun.objects.hold([running.pk])
            claims.wait(30)
            time.sleep(0.5)  # the claim gets as far as it can
            transitions.record([], [succeed(running)], T0 + 2 * MINUTE)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        ending: Future[None] = pool.submit(end_it)
        claims.wait(30)
        engine(claimer.claim, T0 + 2 * MINUTE)
        ending.result(30)
    assert state_of(running) == "success"
    assert not JobRun.objects.filter(scheduled_for=T0 + 2 * MINUTE).exists()
    assert len(engine(claimer.claim, T0 + 2 * MINUTE)) == 1
    assert (counted("run_count"), counted("error_count")) == (1, 0)


def test_request_of_another_job_starts_beside_a_locked_one(
    declare: Declare, start: Start, other: psycopg.Connection[Any], engine: Any
) -> None:
    declare("a", cron="0 0 1 1 *")
    declare("b", cron="0 0 1 1 *")
    claimer = start()
    asked = [
        JobRun.objects.create(job_name=name, trigger=Trigger.MANUAL, scheduled_for=T0, due_at=T0)
        for name in "ab"
    ]
    other.execute("SELECT * FROM scheduler_app_jobrun WHERE job_name = 'a' FOR UPDATE")
    assert engine(claimer.claim, T0) == asked[1:]
    other.rollback()
    assert engine(claimer.claim, T0) == asked[:1]


def test_counters_of_a_locked_job_are_folded_later(
    node: Node, other: psycopg.Connection[Any], engine: Any
) -> None:
    runs = [succeed(run) for run in runs_of(node, "a", "b")]
    engine(record, [], runs)
    other.execute("SELECT * FROM scheduler_app_job WHERE name = 'a' FOR UPDATE")
    engine(counters.fold)
    assert list(JobCount.objects.values_list("job_name", flat=True)) == ["a"]
    other.rollback()
    engine(counters.fold)
    assert dict(Job.objects.values_list("name", "run_count")) == {"a": 1, "b": 1}


def test_holder_of_a_row_is_named(node: Node, other: psycopg.Connection[Any]) -> None:
    runs_of(node, "a")
    assert locks.waits_for("scheduler_app_job") == ""
    other.execute("SELECT * FROM scheduler_app_job FOR UPDATE")
    pid, user = other.info.backend_pid, connection.settings_dict["USER"]
    words = f"a lock on scheduler_app_job held by PostgreSQL process {pid} (user {user}, psql)"
    assert locks.waits_for("scheduler_app_job") == words
    assert locks.waits_for("scheduler_app_node") == ""


def test_holder_is_not_known_if_the_database_cannot_be_asked() -> None:
    with database.atomic():
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)")
        assert locks.waits_for("scheduler_app_job") == ""
        database.connection().set_rollback(True)
