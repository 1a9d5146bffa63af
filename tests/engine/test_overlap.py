"""Overlap policies and what waits, decided by the database for all nodes together."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import record
from scheduler_app.models import JobRun, Node, RunState, Surface, Trigger
from scheduler_app.registry import Registry
from tests.engine.conftest import T0, counted

pytestmark = pytest.mark.django_db
Declare = Callable[..., None]
Start = Callable[..., Claimer]
ADA = Actor("ada", Surface.CODE)


def minute(number: int) -> datetime:
    return T0 + timedelta(minutes=number)


def states() -> list[str]:
    return list(JobRun.objects.order_by("id").values_list("state", flat=True))


def end(run: JobRun, state: RunState = RunState.SUCCESS) -> None:
    """Carry the run out, to this end."""
    record([run], [])
    run.started_at = run.finished_at = T0
    run.state = state
    record([], [run])


def test_queue_lets_the_next_start_when_the_run_has_ended(declare: Declare, start: Start) -> None:
    declare("a", overlap="queue")
    claimer = start()
    (first,) = claimer.claim(T0)
    assert claimer.claim(minute(1)) == []
    end(first)
    (second,) = claimer.claim(minute(1) + timedelta(seconds=30))
    assert second.scheduled_for == minute(1)


def test_what_waits_starts_although_the_clock_was_put_back(declare: Declare, start: Start) -> None:
    declare("a", overlap="queue")
    claimer = start()
    (first,) = claimer.claim(T0)
    assert claimer.claim(minute(1)) == []
    end(first)
    (second,) = claimer.claim(minute(-60))
    assert second.scheduled_for == minute(1)


def test_queue_lets_only_one_wait(declare: Declare, start: Start) -> None:
    declare("a", overlap="queue")
    claimer = start()
    (first,) = claimer.claim(T0)
    claimer.claim(minute(1))
    claimer.claim(minute(2))
    assert states() == ["queued", "queued", "skipped"]
    assert JobRun.objects.latest("id").message == f"Skipped: run {first.pk} had not ended."


def test_queue_holds_across_nodes(declare: Declare, start: Start, registry: Registry) -> None:
    declare("a", overlap="queue")
    (first,) = start().claim(T0)
    record([first], [])
    other = Claimer(Node.objects.create(name="there:2", declares=["a"]), registry)
    assert other.claim(minute(1)) == []
    end(first)
    (second,) = other.claim(minute(1))
    assert second.node == other.node


def test_cancel_previous_asks_the_going_run_to_end_and_waits_for_it(
    declare: Declare, start: Start
) -> None:
    declare("a", overlap="cancel_previous")
    claimer = start()
    (first,) = claimer.claim(T0)
    record([first], [])
    assert claimer.claim(minute(1)) == []
    first.refresh_from_db()
    assert first.cancel_requested_at == minute(1)
    assert "next occurrence" in first.cancel_reason
    end(first, RunState.CANCELLED)
    assert [run.scheduled_for for run in claimer.claim(minute(1))] == [minute(1)]


def test_cancel_previous_ends_one_that_waits(declare: Declare, start: Start) -> None:
    declare("a", overlap="cancel_previous")
    claimer = start()
    record(claimer.claim(T0), [])
    claimer.claim(minute(1))
    claimer.claim(minute(2))
    assert states() == ["running", "cancelled", "queued"]


def test_backlog_runs_oldest_first(declare: Declare, start: Start) -> None:
    declare("a", catch_up="all")
    claimer = start(after_stop=True)
    order = []
    while runs := claimer.claim(minute(3)):
        for run in runs:
            order.append(run.scheduled_for)
            end(run)
    assert order == [minute(0), minute(1), minute(2), minute(3)]


def test_catch_up_once_runs_the_latest_and_tells_of_the_others(
    declare: Declare, start: Start
) -> None:
    declare("a", catch_up="once")
    (run,) = start(after_stop=True).claim(minute(180) + timedelta(seconds=59))
    assert run.scheduled_for == minute(180)
    missed = JobRun.objects.get(state=RunState.MISSED)
    assert (missed.occurrences, missed.first_scheduled_for) == (180, T0)


def test_occurrence_released_by_a_dead_node_runs_however_late_while_others_live(
    declare: Declare, start: Start
) -> None:
    declare("a", cron="0 12 * * *")
    claimer = start()
    claimer.claim(T0)
    JobRun.objects.update(node=None)
    assert len(claimer.claim(minute(30))) == 1


def test_run_that_its_node_does_not_begin_is_taken_over_and_begins_once(
    declare: Declare, start: Start, registry: Registry
) -> None:
    declare("a", cron="0 12 * * *")
    (first,) = start().claim(T0)
    other = Claimer(Node.objects.create(name="there:2", declares=["a"]), registry)
    assert other.claim(T0 + timedelta(seconds=0.4)) == []
    (taken,) = other.claim(T0 + timedelta(seconds=0.6))
    assert (taken.pk, taken.node) == (first.pk, other.node)
    assert record([first], []).begun == set()
    assert record([taken], []).begun == {taken.pk}


def test_run_that_has_begun_is_not_taken_over(
    declare: Declare, start: Start, registry: Registry
) -> None:
    declare("a", cron="0 12 * * *")
    record(start().claim(T0), [])
    other = Claimer(Node.objects.create(name="there:2", declares=["a"]), registry)
    assert other.claim(minute(5)) == []


def test_what_waits_is_taken_oldest_first_up_to_the_room(declare: Declare, start: Start) -> None:
    for name in ("a", "b", "c"):
        declare(name)
    claimer = start()
    claimer.claim(T0)
    JobRun.objects.update(node=None)
    JobRun.objects.filter(job_name="b").update(due_at=T0 - timedelta(seconds=1))
    assert [run.job_name for run in claimer.claim(T0, free_slots=1)] == ["b"]
    assert len(claimer.claim(T0, free_slots=5)) == 2


def test_long_queue_of_one_job_does_not_hold_up_another(declare: Declare, start: Start) -> None:
    declare("a", catch_up="all")
    declare("b", cron="4 * * * *")
    claimer = start(after_stop=True)
    claimer.claim(minute(3), free_slots=1)
    control.trigger("b", by=ADA)
    JobRun.objects.filter(job_name="b").update(due_at=minute(3))
    assert [run.job_name for run in claimer.claim(minute(3), free_slots=1)] == ["b"]


def test_paused_job_starts_nothing_but_what_is_asked_for(declare: Declare, start: Start) -> None:
    declare("a")
    claimer = start()
    claimer.claim(T0)
    JobRun.objects.update(node=None)
    control.pause("a", by=ADA)
    assert claimer.claim(T0) == []
    control.trigger("a", by=ADA)
    JobRun.objects.filter(trigger=Trigger.MANUAL).update(due_at=T0)
    (asked,) = claimer.claim(T0)
    assert asked.trigger == Trigger.MANUAL
    end(asked)
    control.resume("a", by=ADA)
    assert len(claimer.claim(T0)) == 1
    assert counted("run_count") == 1
