"""What a dead node leaves behind."""

from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler_app.engine.liveness import take_from_stopped_nodes
from scheduler_app.models import Heartbeat, Job, JobRun, Node, Report, RunState, clock
from tests.engine.conftest import T0, counted
from tests.harness.heartbeats import close_dead_nodes, silent_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(node: Node) -> JobRun:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    return JobRun.objects.create(
        job_name="a", scheduled_for=T0, due_at=T0, node=node, state=RunState.RUNNING, started_at=T0
    )


def test_fresh_node_is_alive(node: Node) -> None:
    assert Node.objects.alive().get() == node
    assert close_dead_nodes() == 0


def test_node_is_alive_after_two_missed_heartbeats(node: Node) -> None:
    silent_for(node, 11)
    assert Node.objects.alive().exists()


def test_node_is_dead_before_fifteen_seconds(node: Node) -> None:
    silent_for(node, 13)
    assert not Node.objects.alive().exists()
    assert Node.objects.dead().get() == node


def test_heartbeat_of_a_time_to_come_is_not_fresh(node: Node) -> None:
    silent_for(node, -3600)
    assert not Node.objects.alive().exists()
    assert Node.objects.dead().get() == node


def test_run_of_a_dead_node_never_ends_before_it_started(
    running: JobRun, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent_for(node, 60)
    monkeypatch.setattr(clock, "now", lambda: T0 - timedelta(hours=1))
    close_dead_nodes()
    running.refresh_from_db()
    assert running.finished_at == running.started_at


def test_run_of_a_dead_node_is_lost_and_counted(running: JobRun, node: Node) -> None:
    silent_for(node, 60)
    assert close_dead_nodes() == 1
    running.refresh_from_db()
    assert running.state == RunState.LOST
    assert "here:1, died" in running.message
    assert counted("error_count") == 1


def test_run_that_had_not_begun_is_left_to_others(running: JobRun, node: Node) -> None:
    JobRun.objects.update(state=RunState.QUEUED, started_at=None)
    silent_for(node, 60)
    close_dead_nodes()
    assert JobRun.objects.unassigned().get() == running


def test_dead_node_is_closed_once(running: JobRun, node: Node) -> None:
    silent_for(node, 60)
    close_dead_nodes()
    assert close_dead_nodes() == 0
    assert counted("error_count") == 1


def test_node_given_up_cannot_beat_again(node: Node) -> None:
    silent_for(node, 60)
    close_dead_nodes()
    assert not Heartbeat.objects.beat(node.pk, Report())


def test_runs_of_the_living_are_left_alone(running: JobRun) -> None:
    close_dead_nodes()
    running.refresh_from_db()
    assert running.state == RunState.RUNNING


def test_run_of_an_orphaned_job_that_had_not_begun_is_cancelled(
    running: JobRun, node: Node
) -> None:
    JobRun.objects.update(state=RunState.QUEUED, started_at=None)
    Job.objects.update(orphaned_at=timezone.now())
    silent_for(node, 60)
    close_dead_nodes()
    running.refresh_from_db()
    assert running.state == RunState.CANCELLED


@pytest.fixture
def stopped(node: Node) -> Node:
    """It froze in the midst of a claim, was given up, and has come by runs afterwards."""
    Node.objects.update(stopped_at=timezone.now())
    return node


def test_run_that_came_to_a_stopped_node_is_left_to_others(running: JobRun, stopped: Node) -> None:
    JobRun.objects.update(state=RunState.QUEUED, started_at=None)
    take_from_stopped_nodes(timezone.now())
    assert JobRun.objects.unassigned().get() == running


def test_run_that_a_stopped_node_began_is_lost(running: JobRun, stopped: Node) -> None:
    take_from_stopped_nodes(timezone.now())
    running.refresh_from_db()
    assert (running.state, counted("error_count")) == (RunState.LOST, 1)


def test_run_of_an_orphaned_job_that_came_to_a_stopped_node_is_cancelled(
    running: JobRun, stopped: Node
) -> None:
    JobRun.objects.update(state=RunState.QUEUED, started_at=None)
    Job.objects.update(orphaned_at=timezone.now())
    take_from_stopped_nodes(timezone.now())
    running.refresh_from_db()
    assert running.state == RunState.CANCELLED
