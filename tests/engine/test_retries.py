"""What failed is tried again; the occurrence is counted once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.recorder import record
from scheduler_app.models import JobRun, Node, RunState, Surface
from scheduler_app.policies import Policies
from tests.engine.conftest import T0, SetClock, counted
from tests.harness.heartbeats import close_dead_nodes, silent_for

pytestmark = pytest.mark.django_db
Declare = Callable[..., None]
Start = Callable[..., Claimer]
ADA = Actor("ada", Surface.CODE)


def end(run: JobRun, state: RunState = RunState.FAILED) -> None:
    record([run], [])
    run.started_at = run.finished_at = T0
    run.state = state
    record([], [run])


def later() -> datetime:
    """When every retry of these tests is due."""
    return T0 + timedelta(hours=2)


@pytest.fixture
def claimer(declare: Declare, start: Start, set_clock: SetClock) -> Claimer:
    declare("a", cron="0 12 2 3 *", retries=2, retry_delay=10)
    claimer = start()
    set_clock(T0)
    return claimer


def counters() -> tuple[int, int]:
    return counted("run_count"), counted("error_count")


def test_failure_with_a_retry_left_is_not_counted_yet(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    end(run)
    assert counters() == (0, 0)
    retry = JobRun.objects.get(attempt=2)
    assert (retry.state, retry.node, retry.first_attempt) == (RunState.QUEUED, None, run)
    assert retry.scheduled_for == run.scheduled_for


def test_retry_waits_for_its_time(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    end(run)
    wait = JobRun.objects.get(attempt=2).due_at - T0
    assert timedelta(seconds=4) < wait <= timedelta(seconds=10)
    assert claimer.claim(T0) == []
    assert [run.attempt for run in claimer.claim(later())] == [2]


def test_retry_does_not_wait_longer_when_the_clock_is_put_back(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    end(run)
    assert claimer.claim(T0 - timedelta(seconds=5)) == []
    assert [run.attempt for run in claimer.claim(T0 - timedelta(hours=1))] == [2]


def test_retry_that_succeeds_counts_as_one_success(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    end(run)
    (retry,) = claimer.claim(later())
    end(retry, RunState.SUCCESS)
    assert counters() == (1, 0)


def test_last_attempt_that_fails_counts_as_one_failure(claimer: Claimer) -> None:
    runs = claimer.claim(T0)
    while runs:
        end(runs[0])
        runs = claimer.claim(later())
    assert [run.attempt for run in JobRun.objects.order_by("id")] == [1, 2, 3]
    assert JobRun.objects.filter(first_attempt__attempt=1).count() == 2
    assert counters() == (0, 1)


def test_run_lost_with_its_node_is_tried_again(claimer: Claimer, node: Node) -> None:
    (run,) = claimer.claim(T0)
    record([run], [])
    silent_for(node, 60)
    close_dead_nodes()
    assert counters() == (0, 0)
    assert JobRun.objects.get(attempt=2).state == RunState.QUEUED


def test_waiting_retry_does_not_hold_up_the_next_occurrence(declare: Declare, start: Start) -> None:
    declare("a", retries=1, retry_delay=3600)
    claimer = start()
    (run,) = claimer.claim(T0)
    end(run)
    (following,) = claimer.claim(T0 + timedelta(minutes=1))
    assert following.attempt == 1


def test_cancelled_retry_leaves_the_failure_counted(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    end(run)
    assert control.cancel(JobRun.objects.get(attempt=2).pk, by=ADA, reason="enough")
    assert counters() == (0, 1)
    assert JobRun.objects.get(attempt=2).message == "Cancelled by ada (Python code): enough"


def test_outcome_recorded_twice_makes_one_retry(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    end(run)
    record([], [run])
    assert JobRun.objects.count() == 2


@pytest.mark.parametrize(("attempt", "longest"), [(1, 10), (2, 20), (3, 40), (4, 60), (80, 60)])
def test_delay_doubles_up_to_its_limit(attempt: int, longest: float) -> None:
    policies = Policies(retries=100, retry_delay=10, retry_max_delay=60)
    assert policies.retry_after(attempt, 1.0) == timedelta(seconds=longest)
    assert policies.retry_after(attempt, 0.0) == timedelta(seconds=longest / 2)


def test_no_retry_after_the_last_attempt() -> None:
    assert Policies(retries=2).retry_after(3, 0.5) is None
