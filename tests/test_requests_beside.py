"""What becomes of a request for a run if the job has runs that have not ended."""

import threading
from collections.abc import Callable, Iterator

import pytest

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import record
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.exceptions import ActionRefused
from scheduler_app.models import AuditEntry, JobRun, Node, RunState, Surface
from scheduler_app.policies import Overlap
from scheduler_app.registry import Registry
from tests.engine.conftest import (
    T0,
    SetClock,
    declare,
    eventually,
    node,
    registry,
    set_clock,
    start,
)

__all__ = ["declare", "node", "registry", "set_clock", "start"]

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., None]
ADA = Actor("ada", Surface.CLI)


@pytest.fixture
def claimer(declare: Declare, start: Callable[..., Claimer], set_clock: SetClock) -> Claimer:
    """Of job a, whose run of T0 is running."""
    declare("a")
    claimer = start()
    (run,) = claimer.claim(T0)
    record([run], [])
    set_clock(T0)
    return claimer


def going() -> JobRun:
    return JobRun.objects.get(state=RunState.RUNNING)


def test_by_itself_it_waits(claimer: Claimer) -> None:
    control.trigger("a", by=ADA)
    assert claimer.claim(T0) == []


def test_with_allow_it_starts_beside_the_other(claimer: Claimer) -> None:
    run = control.trigger("a", by=ADA, overlap=Overlap.ALLOW)
    assert claimer.claim(T0) == [run]
    assert AuditEntry.objects.get().reason == "With overlap allow."


def test_another_that_waits_is_not_let_through_by_it(claimer: Claimer) -> None:
    waiting = control.trigger("a", by=ADA)
    JobRun.objects.filter(pk=waiting.pk).update(arguments={"limit": 1})
    run = control.trigger("a", by=ADA, overlap=Overlap.ALLOW)
    assert claimer.claim(T0) == [run]
    other = Claimer(Node.objects.create(name="there:2", declares=["a"]), claimer.registry)
    assert other.claim(T0) == []


def test_with_skip_it_is_refused(claimer: Claimer) -> None:
    text = f"Job a is not run: run {going().pk} has not ended."
    with pytest.raises(ActionRefused, match=text):
        control.trigger("a", by=ADA, overlap=Overlap.SKIP)
    assert not AuditEntry.objects.exists()


def test_with_skip_an_idle_job_is_run(claimer: Claimer) -> None:
    JobRun.objects.all().delete()
    assert claimer.claim(T0) == []
    run = control.trigger("a", by=ADA, overlap=Overlap.SKIP)
    assert claimer.claim(T0) == [run]


def test_with_cancel_previous_the_others_end(claimer: Claimer) -> None:
    waiting = control.trigger("a", by=ADA)
    JobRun.objects.filter(pk=waiting.pk).update(arguments={"limit": 1})
    run = control.trigger("a", by=ADA, reason="wrong file", overlap=Overlap.CANCEL_PREVIOUS)
    waiting.refresh_from_db()
    assert waiting.state == RunState.CANCELLED
    assert going().cancel_reason == (
        "Cancelled: another run was asked for by ada (command line): wrong file"
    )
    assert waiting.message == going().cancel_reason
    assert claimer.claim(T0) == []
    ended = going()
    ended.finished_at, ended.state = T0, RunState.CANCELLED
    record([], [ended])
    assert claimer.claim(T0) == [run]


def test_backfill_may_run_together(claimer: Claimer, declare: Declare) -> None:
    since = T0.replace(hour=11)
    runs = control.backfill("a", since, since.replace(minute=3), by=ADA, together=True)
    assert claimer.claim(T0) == runs


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def scheduler(registry: Registry) -> Iterator[Scheduler]:
    scheduler = Scheduler(registry)
    yield scheduler
    scheduler.stop()


def test_one_node_carries_both_out_and_others_wait_for_the_first(
    declare: Declare, scheduler: Scheduler, gate: threading.Event
) -> None:
    declare("a", lambda: gate.wait(), cron="0 0 1 1 *")
    scheduler.start()
    states = JobRun.objects.order_by("pk").values_list("state", flat=True)
    control.trigger("a", by=ADA)
    eventually(lambda: list(states.all()) == ["running"])
    control.trigger("a", by=ADA, overlap=Overlap.ALLOW)
    eventually(lambda: list(states.all()) == ["running", "running"])
    waiting = control.trigger("a", by=ADA)
    gate.set()
    eventually(lambda: list(states.all()) == ["success"] * 3)
    waiting.refresh_from_db()
    first = JobRun.objects.earliest("pk")
    assert waiting.started_at
    assert first.finished_at
    assert waiting.started_at >= first.finished_at
