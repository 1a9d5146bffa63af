"""Runs that the ledger says are running, and that no thread carries out."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from scheduler_app.conf import scheduler_settings
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.engine.unheld import OWNERLESS, UNHELD, UnheldRuns, ownerless, running_on
from scheduler_app.models import Job, JobRun, Node, RunState
from tests.engine.conftest import T0

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(node: Node) -> JobRun:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC", retries=1)
    return JobRun.objects.create(
        job_name="a",
        scheduled_for=T0,
        due_at=T0,
        node=node,
        state=RunState.RUNNING,
        started_at=T0,
    )


Look = Callable[..., None]


@pytest.fixture
def look(node: Node) -> Look:
    """Look a heartbeat, or so much less, after the last look."""
    moment = [0.0]
    unheld = UnheldRuns(scheduler_settings().heartbeat, monotonic=lambda: moment[0])

    def _look(*held: int, of: Node = node, too_early: float = 0.0) -> None:
        moment[0] += scheduler_settings().heartbeat - too_early
        unheld.close(running_on(of), held, T0 + timedelta(seconds=9))

    return _look


def state(run: JobRun) -> str:
    return JobRun.objects.get(pk=run.pk).state


def test_run_that_nothing_carries_out_is_lost(run: JobRun, look: Look) -> None:
    look()
    look()
    run.refresh_from_db()
    assert (run.state, run.message) == (RunState.LOST, UNHELD)
    assert JobRun.objects.filter(attempt=2).exists()


def test_run_found_unheld_for_less_than_a_heartbeat_stays(run: JobRun, look: Look) -> None:
    look()
    look(too_early=0.1)
    assert state(run) == RunState.RUNNING


def test_run_found_held_in_between_stays(run: JobRun, look: Look) -> None:
    look()
    look(run.pk)
    look()
    assert state(run) == RunState.RUNNING


def test_run_in_hand_stays(run: JobRun, look: Look) -> None:
    for _ in range(3):
        look(run.pk)
    assert state(run) == RunState.RUNNING


def test_run_of_another_node_stays(run: JobRun, look: Look) -> None:
    other = Node.objects.create(name="there:2")
    for _ in range(3):
        look(of=other)
    assert state(run) == RunState.RUNNING


@pytest.mark.parametrize("column", [None, 99_999])
def test_running_run_of_a_deleted_node_is_lost(run: JobRun, column: int | None) -> None:
    JobRun.objects.filter(pk=run.pk).update(node=column)
    moment = [0.0]
    unheld = UnheldRuns(scheduler_settings().dead_after, OWNERLESS, lambda: moment[0])
    unheld.close(ownerless(), (), T0)
    moment[0] += scheduler_settings().dead_after - 0.1
    unheld.close(ownerless(), (), T0)
    assert state(run) == RunState.RUNNING
    moment[0] += 0.1
    unheld.close(ownerless(), (run.pk,), T0)
    assert state(run) == RunState.RUNNING
    unheld.close(ownerless(), (), T0)
    moment[0] += scheduler_settings().dead_after
    unheld.close(ownerless(), (), T0)
    run.refresh_from_db()
    assert (run.state, run.message) == (RunState.LOST, OWNERLESS)


def test_run_of_a_node_is_not_ownerless(run: JobRun) -> None:
    assert ownerless() == []


@pytest.mark.parametrize("column", [None, 99_999])
def test_audit_lists_a_running_run_of_a_deleted_node(run: JobRun, column: int | None) -> None:
    JobRun.objects.filter(pk=run.pk).update(node=column)
    assert f"run {run.pk} is running on no scheduler" in [found.text for found in audit_ledger()]
