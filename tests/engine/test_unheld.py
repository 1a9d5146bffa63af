"""Runs that the ledger says are running, and that no thread carries out."""

from datetime import timedelta

import pytest

from scheduler_app.engine.unheld import UNHELD, UnheldRuns, running_on
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


@pytest.fixture
def unheld() -> UnheldRuns:
    return UnheldRuns()


def state(run: JobRun) -> str:
    return JobRun.objects.get(pk=run.pk).state


def test_run_that_nothing_carries_out_is_lost(run: JobRun, unheld: UnheldRuns, node: Node) -> None:
    for _ in range(2):
        unheld.close(running_on(node), [], T0 + timedelta(seconds=9))
    run.refresh_from_db()
    assert (run.state, run.message) == (RunState.LOST, UNHELD)
    assert JobRun.objects.filter(attempt=2).exists()


def test_run_found_unheld_once_stays(run: JobRun, unheld: UnheldRuns, node: Node) -> None:
    unheld.close(running_on(node), [], T0)
    unheld.close(running_on(node), [run.pk], T0)
    unheld.close(running_on(node), [], T0)
    assert state(run) == RunState.RUNNING


def test_run_in_hand_stays(run: JobRun, unheld: UnheldRuns, node: Node) -> None:
    for _ in range(3):
        unheld.close(running_on(node), [run.pk], T0)
    assert state(run) == RunState.RUNNING


def test_run_of_another_node_stays(run: JobRun, unheld: UnheldRuns) -> None:
    other = Node.objects.create(name="there:2")
    for _ in range(3):
        unheld.close(running_on(other), [], T0)
    assert state(run) == RunState.RUNNING
