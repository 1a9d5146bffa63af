"""A whole scheduler in this process, on a real clock."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.engine import liveness
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.ledger import timetable
from scheduler_app.models import Heartbeat, Job, JobRun, Node, RunState, Surface, clock, database
from scheduler_app.registry import JobContext, Registry, job
from tests.engine.conftest import counted, eventually, mark_orphans, nothing, sync_jobs
from tests.harness.heartbeats import give_up, heard_at, silent_for

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., None]
ADA = Actor("ada", Surface.CODE)
SECONDLY = "* * * * * *"


def successes() -> int:
    return JobRun.objects.filter(state=RunState.SUCCESS).count()


@pytest.fixture
def scheduler(registry: Registry) -> Iterator[Scheduler]:
    scheduler = Scheduler(registry)
    yield scheduler
    if scheduler.running:
        scheduler.stop()


def test_job_runs_on_its_schedule(declare: Declare, scheduler: Scheduler) -> None:
    declare("a", cron=SECONDLY)
    scheduler.start()
    eventually(lambda: successes() >= 2)
    run = JobRun.objects.filter(state=RunState.SUCCESS).earliest("id")
    assert run.lateness is not None
    assert run.lateness >= timedelta(0)


def fails() -> None:
    raise ValueError("no rows")


def test_failed_run_is_logged_with_its_traceback(
    declare: Declare, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    declare("a", fails, cron=SECONDLY)
    declare("b", fails, cron=SECONDLY, retries=1, retry_delay=600)
    scheduler.start()
    eventually(lambda: {each.job for each in _failures(caplog)} == {"a", "b"})
    scheduler.stop()
    for record in _failures(caplog):
        assert record.levelname == ("ERROR" if record.job == "a" else "WARNING")
        assert (
            record.getMessage() == f"run {record.run} of {record.job} failed: ValueError: no rows"
        )
        assert isinstance(record.exc_info[1], ValueError)
        assert JobRun.objects.get(pk=record.run).log == ""


def test_failure_in_another_process_is_logged_with_its_text(
    registry: Registry, caplog: pytest.LogCaptureFixture, db: None
) -> None:
    dispatcher = Scheduler(registry)._dispatcher
    run = JobRun(pk=5, job_name="a", message="ValueError: 100% wrong", traceback="Traceback ...")
    dispatcher._log_failure(run, None)
    (record,) = _failures(caplog)
    assert record.getMessage() == "run 5 of a failed: ValueError: 100% wrong\nTraceback ..."


def test_arguments_of_a_request_reach_every_attempt(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(name="a", cron="0 0 1 1 *", retries=1, retry_delay=0.1, registry=scheduler._registry)(
        takes_limit
    )
    monkeypatch.setattr(control.jobs, "registry", scheduler._registry)
    scheduler.start()
    first = control.trigger("a", by=ADA, arguments={"limit": 7})
    eventually(lambda: JobRun.objects.filter(first_attempt=first, state=RunState.FAILED).exists())
    runs = JobRun.objects.order_by("attempt")
    assert [(run.message, run.arguments) for run in runs] == [
        ("ValueError: 7 from 1", {"limit": 7}),
        ("ValueError: 7 from 2", {"limit": 7}),
    ]
    again = control.retry(first.pk, by=ADA)
    eventually(lambda: JobRun.objects.filter(pk=again.pk, state=RunState.FAILED).exists())
    again.refresh_from_db()
    assert (again.message, again.scheduled_for) == ("ValueError: 7 from 1", first.scheduled_for)


def takes_limit(context: JobContext, limit: int = 1) -> None:
    assert context.arguments == {"limit": limit}
    raise ValueError(f"{limit} from {context.attempt}")


class Hanging(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.is_in = threading.Event()
        self.released = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.is_in.set()
        assert self.released.wait(30)


def test_log_handler_that_hangs_holds_up_no_run(declare: Declare, scheduler: Scheduler) -> None:
    handler = Hanging()
    logging.getLogger("scheduler_app").addHandler(handler)
    try:
        declare("a", fails, cron=SECONDLY)
        scheduler.start()
        assert handler.is_in.wait(10)
        recorded = JobRun.objects.filter(state=RunState.FAILED)
        before = recorded.count()
        eventually(lambda: recorded.count() >= before + 2)
    finally:
        handler.released.set()
        logging.getLogger("scheduler_app").removeHandler(handler)


def _failures(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.name == "scheduler_app.runs"]


@pytest.fixture
def opened() -> Iterator[list[BaseDatabaseWrapper]]:
    """The connections that other threads than the test's open."""
    found: list[BaseDatabaseWrapper] = []

    def note(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            found.append(connection)

    connection_created.connect(note)
    yield found
    connection_created.disconnect(note)


def test_no_thread_keeps_its_statements_under_debug(
    declare: Declare, scheduler: Scheduler, opened: list[BaseDatabaseWrapper], settings: Settings
) -> None:
    settings.DEBUG = True
    declare("a", lambda: {"jobs": Job.objects.count()}, cron=SECONDLY)
    scheduler.start()
    eventually(lambda: successes() >= 2)
    scheduler.stop()
    assert len(opened) >= 3  # the tick's, the recorder's, the run's
    assert [list(connection.queries_log) for connection in opened if connection.queries_log] == []


def test_stop_waits_for_the_run_that_is_going(declare: Declare, scheduler: Scheduler) -> None:
    begun = threading.Event()

    def slow(context: JobContext) -> dict[str, bool]:
        begun.set()
        time.sleep(0.5)
        return {"cancel_seen": context.cancelled}

    declare("a", slow, cron=SECONDLY)
    scheduler.start()
    assert begun.wait(30)
    assert scheduler.stop()
    run = JobRun.objects.executed().latest("id")
    assert (run.state, run.metadata) == (RunState.SUCCESS, {"cancel_seen": True})
    assert not JobRun.objects.running().exists()


def test_run_that_outlasts_the_shutdown_is_lost(
    declare: Declare, registry: Registry, settings: Settings
) -> None:
    settings.SCHEDULER = {"shutdown_timeout": 0.2}
    begun, release = threading.Event(), threading.Event()

    def endless() -> None:
        begun.set()
        release.wait(20)

    declare("a", endless, cron=SECONDLY)
    scheduler = Scheduler(registry)
    scheduler.start()
    assert begun.wait(30)
    assert not scheduler.stop()
    release.set()
    run = JobRun.objects.get(state=RunState.LOST)
    assert "did not end in time" in run.message
    assert counted("error_count") == 1


def test_stopped_scheduler_is_not_alive(declare: Declare, scheduler: Scheduler) -> None:
    scheduler.start()
    assert Node.objects.alive().exists()
    scheduler.stop()
    assert not Node.objects.alive().exists()


def test_stop_consumes_nothing_that_is_due(declare: Declare, scheduler: Scheduler) -> None:
    declare("a", cron=SECONDLY, overlap="allow")
    scheduler.start()
    eventually(lambda: successes() >= 1)
    scheduler.stop()
    rows = list(JobRun.objects.order_by("scheduled_for"))
    gaps = {b.scheduled_for - a.scheduled_for for a, b in pairwise(rows)}
    assert gaps <= {timedelta(seconds=1)}
    due_at = timetable.next_due()
    assert due_at == rows[-1].scheduled_for + timedelta(seconds=1)


def test_run_not_begun_at_the_stop_is_left_to_others(
    declare: Declare, registry: Registry, settings: Settings
) -> None:
    settings.SCHEDULER = {"max_concurrent_runs": 1}
    begun = threading.Event()

    def slow() -> None:
        begun.set()
        time.sleep(1.5)

    declare("a", slow, cron=SECONDLY, overlap="allow")
    scheduler = Scheduler(registry)
    scheduler.start()
    assert begun.wait(30)
    eventually(lambda: JobRun.objects.queued().exists())
    scheduler.stop()
    assert JobRun.objects.unassigned().exists()


def test_tick_survives_its_database(
    declare: Declare, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, calls = Claimer.claim, []

    def flaky(self: Claimer, *arguments: Any, **options: Any) -> list[JobRun]:
        calls.append(arguments)
        if len(calls) < 4:
            raise OperationalError("away")
        return claim(self, *arguments, **options)

    monkeypatch.setattr(Claimer, "claim", flaky)
    declare("a", cron=SECONDLY)
    scheduler.start()
    eventually(lambda: successes() >= 1)


def test_backing_off_never_fails_however_long_the_database_is_away(scheduler: Scheduler) -> None:
    scheduler._failures = 5_000
    assert scheduler._back_off(OperationalError("away")) == 1.0


def test_claimed_run_that_never_reached_the_executor_is_found_by_its_row(
    declare: Declare, scheduler: Scheduler
) -> None:
    declare("a", cron="0 0 1 1 *")
    scheduler.start()
    now = timezone.now()
    JobRun.objects.create(job_name="a", scheduled_for=now, due_at=now, node=scheduler.node)
    scheduler.hurry()
    eventually(lambda: successes() == 1)


def test_run_that_a_node_has_taken_back_is_carried_out_once(
    declare: Declare, registry: Registry, settings: Settings
) -> None:
    settings.SCHEDULER = {"max_concurrent_runs": 1}
    release, calls = threading.Event(), []
    declare("slow", lambda: release.wait(30), cron="0 0 1 1 *")
    declare("a", lambda: calls.append(1), cron="0 0 1 1 *")
    scheduler = Scheduler(registry)
    scheduler.start()
    control.trigger("slow", by=ADA)
    eventually(lambda: JobRun.objects.running().exists())
    run = control.trigger("a", by=ADA)
    JobRun.objects.filter(pk=run.pk).update(node=scheduler.node)
    for _ in range(2):
        scheduler._dispatcher.hand_over([JobRun.objects.get(pk=run.pk)])
    release.set()
    eventually(lambda: successes() == 2)
    assert scheduler.stop()
    assert calls == [1]


def test_request_is_carried_out_at_once_in_the_same_process(
    declare: Declare, scheduler: Scheduler
) -> None:
    declare("a", cron="0 0 1 1 *")
    scheduler.start()
    time.sleep(0.2)
    control.trigger("a", by=ADA)
    eventually(lambda: successes() == 1)
    run = JobRun.objects.get()
    assert run.lateness is not None
    assert run.lateness < timedelta(seconds=0.8)


def test_paused_job_stops_and_resumed_job_goes_on(declare: Declare, scheduler: Scheduler) -> None:
    declare("a", cron=SECONDLY)
    scheduler.start()
    eventually(lambda: successes() >= 1)
    control.pause("a", by=ADA)
    eventually(lambda: not JobRun.objects.active().exists())
    before = successes()
    time.sleep(1.3)
    assert successes() == before
    control.resume("a", by=ADA)
    eventually(lambda: successes() > before)


def test_scheduler_taken_for_dead_goes_on_as_a_new_node(
    declare: Declare, scheduler: Scheduler
) -> None:
    declare("a", cron=SECONDLY)
    scheduler.start()
    first = scheduler.node.pk
    Node.objects.filter(pk=first).close()
    eventually(lambda: scheduler.node.pk != first)
    before = successes()
    eventually(lambda: successes() > before)
    assert not JobRun.objects.queued().filter(node_id=first).exists()


def test_start_of_a_second_scheduler_does_not_count_as_downtime(
    declare: Declare, scheduler: Scheduler, registry: Registry
) -> None:
    scheduler.start()
    second = Scheduler(registry)
    second.start()
    assert not second._claimer.after_stop
    second.stop()


@pytest.fixture
def rare_heartbeats(settings: Settings) -> None:
    settings.SCHEDULER = {"heartbeat": 60}


def test_cancelled_run_is_told_long_before_the_next_heartbeat(
    declare: Declare, rare_heartbeats: None, scheduler: Scheduler
) -> None:
    def patient(context: JobContext) -> None:
        while not context.cancelled:
            time.sleep(0.01)

    declare("a", patient, cron="0 0 1 1 *")
    scheduler.start()
    run = control.trigger("a", by=ADA)
    eventually(lambda: JobRun.objects.running().exists())
    assert control.cancel(run.pk, by=ADA, reason="wrong day")
    eventually(lambda: JobRun.objects.filter(state=RunState.CANCELLED).exists())
    assert JobRun.objects.get().message == "Cancelled by ada (Python code): wrong day"


def test_run_that_never_looked_whether_it_was_cancelled_is_what_it_is(
    declare: Declare, scheduler: Scheduler
) -> None:
    go = threading.Event()
    declare("a", lambda: go.wait(30), cron="0 0 1 1 *")
    scheduler.start()
    run = control.trigger("a", by=ADA)
    eventually(lambda: JobRun.objects.running().exists())
    control.cancel(run.pk, by=ADA)
    time.sleep(1.2)
    go.set()
    eventually(lambda: successes() == 1)


def test_runs_of_a_scheduler_taken_for_dead_are_told_and_not_recorded(
    declare: Declare, scheduler: Scheduler
) -> None:
    told = threading.Event()

    def patient(context: JobContext) -> None:
        while not context.cancelled:
            time.sleep(0.01)
        told.set()

    declare("a", patient, cron="0 0 1 1 *")
    scheduler.start()
    control.trigger("a", by=ADA)
    eventually(lambda: JobRun.objects.running().exists())
    give_up(scheduler.node)
    scheduler.hurry()
    assert told.wait(30)
    eventually(lambda: not scheduler._dispatcher.active)
    time.sleep(0.2)
    assert JobRun.objects.get().state == RunState.LOST


def test_job_that_was_taken_for_orphaned_is_declared_again(
    declare: Declare, scheduler: Scheduler
) -> None:
    declare("a", cron=SECONDLY)
    scheduler.start()
    Node.objects.update(declares=[])
    eventually(lambda: mark_orphans(timezone.now()))  # a claim may hold its rows
    Node.objects.update(declares=["a"])
    eventually(lambda: not Job.objects.get().is_orphaned)


def test_beat_takes_what_a_stopped_node_holds(declare: Declare, scheduler: Scheduler) -> None:
    declare("a", cron="0 0 1 1 *")
    gone = Node.objects.create(name="there:1", declares=["a"], stopped_at=timezone.now())
    now = timezone.now()
    JobRun.objects.create(
        job_name="a",
        scheduled_for=now,
        due_at=now,
        node=gone,
        state=RunState.RUNNING,
        started_at=now,
    )
    scheduler.start()
    eventually(lambda: JobRun.objects.get().state == RunState.LOST)


def _judge(scheduler: Scheduler) -> None:
    """Have it judge others now, as it would some seconds after its start."""
    scheduler.liveness.judge_from(0.0)
    scheduler.liveness.look()
    scheduler.hurry()


def test_job_of_a_scheduler_that_came_and_went_unseen_is_orphaned(
    declare: Declare, scheduler: Scheduler
) -> None:
    declare("a", cron="0 0 1 1 *")
    scheduler.start()
    _judge(scheduler)
    theirs = Registry()
    job(name="b", cron="0 0 1 1 *", registry=theirs)(nothing)
    Node.objects.create(name="there:1", declares=["b"], stopped_at=timezone.now())
    sync_jobs(theirs, timezone.now())
    _judge(scheduler)
    eventually(lambda: [job.name for job in Job.objects.orphaned()] == ["b"])


@pytest.fixture
def other(declare: Declare, scheduler: Scheduler) -> Node:
    """A second node, beside the scheduler, which may judge it from now on."""
    declare("a", cron="0 0 1 1 *")
    scheduler.start()
    other = Node.objects.create(name="there:1", declares=["a"])
    scheduler.liveness.judge_from(0.0)
    return other


@pytest.mark.parametrize("hours", [1, -1])
def test_clock_that_is_put_makes_nobody_dead(
    scheduler: Scheduler, other: Node, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = timedelta(hours=hours)
    # Not in the midst of judging.
    eventually(lambda: scheduler.liveness.snapshot() == Node.objects.liveness())
    monkeypatch.setattr(clock, "_started_at", clock._started_at)  # to be put right afterwards
    monkeypatch.setattr(database, "now", lambda: timezone.now() + hour)
    for node in Node.objects.all():
        heard_at(node, timezone.now() - hour)
    eventually(lambda: not scheduler.liveness.may_judge)
    assert Node.objects.filter(stopped_at=None).count() == 2
    assert not Job.objects.get().is_orphaned


@pytest.mark.parametrize("hours", [1, -1])
def test_node_that_is_silent_is_dead_whatever_the_clock_was_put_to(
    scheduler: Scheduler, other: Node, hours: int
) -> None:
    silent_for(other, hours * 3600)
    eventually(lambda: Node.objects.get(pk=other.pk).stopped_at)
    assert scheduler.node.stopped_at is None


@pytest.mark.parametrize("error", [OperationalError("away"), SystemExit(1), KeyboardInterrupt()])
def test_tick_survives_whatever_is_raised(
    declare: Declare, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    claim, calls = Claimer.claim, []

    def failing(self: Claimer, *arguments: Any, **options: Any) -> list[JobRun]:
        calls.append(arguments)
        if len(calls) < 3:
            raise error
        return claim(self, *arguments, **options)

    monkeypatch.setattr(Claimer, "claim", failing)
    declare("a", cron=SECONDLY)
    scheduler.start()
    eventually(lambda: successes() >= 1)


def test_chore_that_fails_keeps_no_job_from_running(
    declare: Declare, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare("a", cron=SECONDLY)
    scheduler.start()
    monkeypatch.setattr(liveness, "take_from_stopped_nodes", lambda _: 1 / 0)
    before = successes()
    scheduler.hurry()
    eventually(lambda: successes() >= before + 2)


def test_heartbeat_does_not_wait_for_a_thread_that_is_stuck(
    declare: Declare, registry: Registry, settings: Settings
) -> None:
    """A thread that keeps its turn to write on SQLite, or its transaction on PostgreSQL."""
    settings.SCHEDULER = {"heartbeat": 1}
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        with database.turn(5):
            last = Heartbeat.objects.newest().values_list("pk", flat=True).first() or 0
            eventually(lambda: Heartbeat.objects.filter(pk__gt=last + 2).exists())
        assert Node.objects.get().stopped_at is None
    finally:
        scheduler.stop()


def test_stop_of_a_hung_tick_is_bounded(
    declare: Declare, registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SCHEDULER = {"shutdown_timeout": 0.1}
    monkeypatch.setattr("scheduler_app.engine.scheduler.STOP_MARGIN", 0.5)
    hangs, release = threading.Event(), threading.Event()

    def hang(*_: Any, **__: Any) -> list[JobRun]:
        hangs.set()
        release.wait(30)
        return []

    monkeypatch.setattr(Claimer, "claim", hang)
    scheduler = Scheduler(registry)
    scheduler.start()
    assert hangs.wait(10)
    began = time.monotonic()
    assert not scheduler.stop()
    assert time.monotonic() - began < 15
    release.set()
    assert Node.objects.get().stopped_at is not None


def test_thread_that_ends_is_a_final_problem(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scheduler, "_process_jobs", lambda _: 1 / 0)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    scheduler.start()
    eventually(lambda: scheduler.problem is not None)
    assert scheduler.problem is not None
    assert scheduler.problem.is_final
    eventually(lambda: not status.scheduler_running())


@pytest.mark.parametrize(
    "name",
    ["scheduler-log", "scheduler-liveness", "scheduler-pulse", "scheduler-recorder", "APScheduler"],
)
def test_start_without_one_of_its_threads_fails_whole(
    declare: Declare, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    start: Callable[..., int] = vars(threading)["_start_new_thread"]

    def refuse(bootstrap: Any, *arguments: Any) -> int:
        if bootstrap.__self__.name == name:
            raise RuntimeError("can't start new thread")
        return start(bootstrap, *arguments)

    monkeypatch.setattr(threading, "_start_new_thread", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        scheduler.start()
    assert not scheduler.running
    assert not Node.objects.filter(stopped_at=None).exists()
    assert not scheduler.liveness.thread.is_alive()
