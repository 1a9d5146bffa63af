"""No thread of the engine waits for ever for an answer of the database."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest
from django.db import OperationalError, connection

from scheduler_app.engine.connections import WatchedConnection
from scheduler_app.engine.liveness import Liveness
from scheduler_app.engine.vitals import Vitals
from scheduler_app.engine.vouching import Voucher
from scheduler_app.models import Heartbeat, Node, Report, database
from scheduler_app.processes.guard import Guard
from tests.engine.conftest import eventually

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a fault of a server"),
]


def ask(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(autouse=True)
def no_session_is_left() -> Iterator[None]:
    yield
    end_other_sessions()


def end_other_sessions() -> None:
    """End those of broken connections: the server still works on their statements."""
    ask(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.fixture
def watched() -> Iterator[WatchedConnection]:
    with closing(WatchedConnection(limit=5)) as watched:
        yield watched


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], None]], Future[None]]]:
    """Has functions done in one thread, which keeps its connection."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield lambda function: executor.submit(function)
        executor.submit(database.close_connection).result()


def question(watched: WatchedConnection, begun: threading.Event, statement: str) -> None:
    with watched:
        ask("SELECT 1")
        begun.set()
        ask(statement)


def is_waiting(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE query = %s AND state = 'active'", [statement]
        )
        return bool(cursor.fetchall())


NEVER = "SELECT pg_sleep(3600)"


def test_limit_doubles_until_a_block_ends_well(
    watched: WatchedConnection,
    in_thread: Callable[[Callable[[], None]], Future[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server of which every commit hangs keeps all the sessions that were broken."""

    def looks_until_broken() -> int:
        begun = threading.Event()
        asked = in_thread(lambda: question(watched, begun, NEVER))
        assert begun.wait(30)
        eventually(lambda: is_waiting(NEVER))
        caplog.clear()
        looks = 0
        while "connecting anew" not in caplog.text:
            watched.observe(1)
            looks += 1
        assert isinstance(asked.exception(30), OperationalError)
        in_thread(database.close_connection).result(30)
        end_other_sessions()
        return looks

    assert [looks_until_broken() for _ in range(3)] == [6, 11, 21]
    in_thread(lambda: question(watched, threading.Event(), "SELECT 2")).result(30)
    assert looks_until_broken() == 6


def test_question_without_an_answer_is_given_up(
    watched: WatchedConnection, in_thread: Callable[[Callable[[], None]], Future[None]]
) -> None:
    begun = threading.Event()
    asked = in_thread(lambda: question(watched, begun, NEVER))
    assert begun.wait(30)
    eventually(lambda: is_waiting(NEVER))
    for _ in range(6):  # the first look finds it
        assert not asked.done()
        watched.observe(1)
    assert isinstance(asked.exception(30), OperationalError)
    in_thread(database.close_connection).result(30)
    in_thread(lambda: question(watched, begun, "SELECT 2")).result(30)


def test_questions_that_are_answered_take_as_long_as_they_like(
    watched: WatchedConnection, in_thread: Callable[[Callable[[], None]], Future[None]]
) -> None:
    begun = threading.Event()
    for _ in range(10):
        in_thread(lambda: question(watched, begun, "SELECT 2")).result(30)
        watched.observe(4)
    with watched:
        ask("SELECT 1")
        for _ in range(10):
            ask("SELECT 1")
            watched.observe(4)
            watched.observe(4)
        ask("SELECT 1")


def test_connection_that_is_not_in_use_is_left_alone(watched: WatchedConnection) -> None:
    with watched:
        ask("SELECT 1")
    for _ in range(10):
        watched.observe(4)
    ask("SELECT 1")


def test_connection_that_somebody_else_has_by_now_is_left_alone(
    watched: WatchedConnection,
) -> None:
    """Of a pool, for example."""
    with watched:
        ask("SELECT 1")
        old, connection.connection = connection.connection, None
        for _ in range(10):
            watched.observe(4)
    with old.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.connection = old


def test_heartbeats_go_on_over_another_connection(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that served them stands still."""
    liveness = Liveness(Vitals(), Voucher(Guard(10), list), lambda: None)
    beat = Heartbeat.objects.beat
    hung = list[int]()

    def hang_once(node_id: int, report: Report) -> bool:
        if not hung:
            hung.append(1)
            ask(f"SET LOCAL statement_timeout = 0; {NEVER}")
        return beat(node_id, report)

    def has_beaten() -> bool:
        liveness.connection.observe(1)
        return Heartbeat.objects.exists()

    monkeypatch.setattr(Heartbeat.objects, "beat", hang_once)
    liveness.start(node)
    try:
        eventually(lambda: hung)
        eventually(has_beaten)
    finally:
        assert liveness.stop(30)
