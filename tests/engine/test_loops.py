"""Nothing ends a thread of the engine: neither what its work raises, nor what is raised while that
is dealt with."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError

from scheduler_app.engine import recorder as recorder_module
from scheduler_app.engine.liveness import Liveness
from scheduler_app.engine.recorder import Recorder, record
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.engine.vitals import Vitals
from scheduler_app.engine.vouching import Voucher
from scheduler_app.models import JobRun, Node, RunState, database
from scheduler_app.rpc.health import HealthReporter
from tests.engine.conftest import T0, eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Unreadable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


ERRORS = [
    OperationalError("away"),
    Unreadable(),
    MemoryError(),
    KeyboardInterrupt(),
    SystemExit(3),
    GeneratorExit(),
]


class Raising(logging.Handler):
    """Its service is away."""

    def emit(self, record: logging.LogRecord) -> None:
        raise SystemExit("no log today")


@pytest.fixture(autouse=True)
def nothing_can_be_logged_or_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have each log line, and each closing of a connection that is not this thread's, raise."""
    here, close = threading.current_thread(), type(database.connection()).close

    def refuse(connection: Any) -> None:
        close(connection)
        if threading.current_thread() is not here:
            raise KeyboardInterrupt

    monkeypatch.setattr(type(database.connection()), "close", refuse)
    handler, logger = Raising(), logging.getLogger("scheduler_app")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


def failing(errors: list[BaseException], work: Callable[..., Any]) -> Callable[..., Any]:
    """Return this function, whose first calls raise these errors instead."""
    left = iter(errors)

    def call(*args: Any, **kwargs: Any) -> Any:
        for error in left:
            raise error
        return work(*args, **kwargs)

    return call


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_recorder_records_all_the_same(
    node: Node, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = list[int]()
    recorder = Recorder(lambda starts, ids, ended: begun.extend(ids))
    run = JobRun.objects.create(job_name="a", scheduled_for=T0, due_at=T0, node=node)
    monkeypatch.setattr(recorder_module, "record", failing([error, error], record))
    recorder.start()
    recorder.submit([run])
    eventually(lambda: begun == [run.pk])
    run.state, run.finished_at = RunState.SUCCESS, T0
    monkeypatch.setattr(recorder_module, "record", failing([error, error], record))
    recorder.submit([], [run])
    assert recorder.flush(20)
    assert JobRun.objects.get().state == "success"
    assert recorder.stop(10)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_recorder_outlasts_what_is_called_after_a_commit(node: Node, error: BaseException) -> None:
    """What was committed is not committed again: its run would be carried out twice."""
    calls = list[list[JobRun]]()

    def committed(starts: Any, ids: Any, ended: Any) -> None:
        calls.append(list(starts))
        if len(calls) == 1:
            raise error

    recorder = Recorder(committed)
    first, second = (
        JobRun.objects.create(job_name=name, scheduled_for=T0, due_at=T0, node=node)
        for name in "ab"
    )
    recorder.start()
    recorder.submit([first])
    eventually(lambda: calls)
    recorder.submit([second])
    assert recorder.flush(20)
    assert calls == [[first], [second]]
    assert recorder.stop(10)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_tick_that_raises_is_followed_by_another(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler()
    monkeypatch.setattr(Scheduler, "running", True)
    monkeypatch.setattr(scheduler, "tick", failing([error], lambda: 0.5))
    waits = list[float]()

    def tick_twice() -> None:
        waits.extend(scheduler._process_jobs() for _ in range(2))

    in_a_thread(tick_twice)
    assert waits[1] == 0.5
    assert type(error).__name__ in scheduler.vitals.claims.error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_chore_that_raises_keeps_no_other_from_being_done(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = list[str]()
    names = ("_find_unstarted_claims", "_close_unheld_runs", "_reconcile")
    for name in names:
        monkeypatch.setattr(Scheduler, name, failing([error], lambda *_: None))
    monkeypatch.setattr(Scheduler, "_take_from_stopped_nodes", lambda _: done.append("last"))
    with pytest.raises(type(error)):
        Scheduler()._chores()
    assert done == ["last"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_liveness_looks_again(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    liveness = Liveness(Vitals(), Voucher(None, list), lambda: None)  # type: ignore[arg-type]
    monkeypatch.setattr(liveness, "look", failing([error, error], looked.set))
    liveness.start(Node.objects.create(name="here:9"))
    assert looked.wait(20)
    assert liveness.stop(10)


class Warden:
    """Takes each order."""

    orders = 0

    def start(self) -> None: ...

    def send(self, order: object) -> None:
        self.orders += 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_pulse_goes_on(error: BaseException, settings: Any) -> None:
    settings.SCHEDULER = {"heartbeat": 0.2}
    warden, running = Warden(), threading.Event()
    voucher = Voucher(warden, failing([error, error], lambda: running.set() or []))  # type: ignore[arg-type, func-returns-value]
    voucher.start()
    assert running.wait(20)
    voucher.stop()
    voucher.thread.join(10)
    assert not voucher.thread.is_alive()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_health_looks_again(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler_app.rpc.health.INTERVAL", 0.05)
    looked = threading.Event()

    def look() -> bool:
        looked.set()
        return True

    reporter = HealthReporter(("",), failing([error, error], look))
    reporter.start()
    assert looked.wait(20)
    reporter.stop()


def in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
