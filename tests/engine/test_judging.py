"""One scheduler judges another."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from scheduler_app.engine.liveness import Liveness, close_dead_node
from scheduler_app.engine.vitals import Problem, Vitals
from scheduler_app.engine.vouching import Voucher
from scheduler_app.ledger import transitions
from scheduler_app.models import Heartbeat, Job, JobRun, Node, RunState, database
from scheduler_app.models.heartbeat import HeartbeatQuerySet
from scheduler_app.processes.guard import Guard
from tests.engine.conftest import T0
from tests.harness.heartbeats import silent_for

pytestmark = pytest.mark.django_db


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def monotonic() -> Clock:
    return Clock()


@pytest.fixture
def hurries() -> list[int]:
    return []


@pytest.fixture
def judge(node: Node, monotonic: Clock, hurries: list[int]) -> Iterator[Liveness]:
    """The liveness of node here:1, moved by hand; it may judge others."""
    vitals = Vitals(monotonic)
    vitals.probe = vitals.restart  # all is well
    guard = Guard(60)
    liveness = Liveness(vitals, Voucher(guard, list), lambda: hurries.append(1), monotonic)
    liveness.take(node)
    liveness.beat()
    yield liveness
    guard.close()


@pytest.fixture
def dead(db: None) -> Node:
    """Another node, which has been silent for a minute, with a run."""
    dead = Node.objects.create(name="there:2")
    silent_for(dead, 60)
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    JobRun.objects.create(
        job_name="a", scheduled_for=T0, due_at=T0, node=dead, state=RunState.RUNNING, started_at=T0
    )
    return dead


def is_closed(node: Node) -> bool:
    node.refresh_from_db()
    return node.stopped_at is not None


def test_heartbeat_that_comes_too_late_gives_up_no_node_that_took_its_place(
    judge: Liveness, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In emptied tables the next node may have the same id."""
    successor = Node(pk=node.pk, name="here:1")

    def is_refused_while_another_registers(*_: object) -> bool:
        judge.take(successor)
        return False

    monkeypatch.setattr(HeartbeatQuerySet, "beat", is_refused_while_another_registers)
    judge.beat()
    assert not judge.is_given_up


def test_dead_node_is_closed_with_its_runs(judge: Liveness, dead: Node, node: Node) -> None:
    judge.look()
    assert is_closed(dead)
    assert not is_closed(node)
    assert JobRun.objects.get().state == RunState.LOST
    snapshot = judge.snapshot()
    assert snapshot is not None
    assert snapshot.alive == {node.pk}


def test_judge_beats_before_it_judges(judge: Liveness, dead: Node, node: Node) -> None:
    last = Heartbeat.objects.filter(node=node).newest().first()
    judge.look()
    assert Heartbeat.objects.filter(node=node).newest().first() != last


def test_judge_whose_beat_is_old_waits_for_the_others(
    judge: Liveness, dead: Node, monotonic: Clock
) -> None:
    """It was held up; what held it up may have held up others, who may have to give up a question
    before they connect anew."""
    monotonic.now += 8
    judge.look()
    assert not is_closed(dead)
    assert judge.snapshot() is None
    monotonic.now += 5.1
    judge.look()
    assert not is_closed(dead)
    monotonic.now += 5
    judge.look()
    assert is_closed(dead)


def test_judge_that_has_been_closed_judges_nobody(
    judge: Liveness, dead: Node, node: Node, hurries: list[int]
) -> None:
    Node.objects.filter(pk=node.pk).close()
    judge.look()
    assert judge.is_given_up
    assert hurries
    assert not is_closed(dead)
    assert judge.snapshot() is None


def test_judge_that_the_database_finds_silent_judges_nobody(
    judge: Liveness, dead: Node, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Liveness, "beat", lambda _: None)
    silent_for(node, 60)
    judge.look()
    assert not is_closed(dead)
    assert judge.snapshot() is None


def test_judgement_that_takes_long_is_dropped(
    judge: Liveness, dead: Node, monotonic: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = transitions.release_runs

    def slowly(*arguments: Any) -> list[JobRun]:
        monotonic.now += 6
        return release(*arguments)

    monkeypatch.setattr(transitions, "release_runs", slowly)
    judge.look()
    assert not is_closed(dead)
    assert JobRun.objects.get().state == RunState.RUNNING
    assert judge.snapshot() is None


def test_step_of_the_clock_is_no_death(
    judge: Liveness, dead: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge.look()
    hour = timedelta(hours=1)
    monkeypatch.setattr(database, "now", lambda: timezone.now() + hour)
    Node.objects.update(stopped_at=None)
    silent_for(dead, 60)
    judge.look()
    assert not is_closed(dead)
    assert not judge.may_judge


def test_runs_that_cannot_be_closed_do_not_keep_a_node_alive(
    dead: Node, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any) -> None:
        raise OperationalError("lock timeout")

    monkeypatch.setattr(transitions, "release_runs", locked)
    assert close_dead_node(dead.pk, node.pk)
    assert is_closed(dead)
    assert JobRun.objects.get().state == RunState.RUNNING


def test_snapshot_is_soon_out_of_date(judge: Liveness, monotonic: Clock) -> None:
    judge.look()
    assert judge.snapshot() is not None
    monotonic.now += 5.1
    assert judge.snapshot() is None


def test_new_problem_is_told_at_once(
    node: Node, monotonic: Clock, judge: Liveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge.look()
    beats = Heartbeat.objects.count()
    monotonic.now += 0.5
    judge.look()
    assert Heartbeat.objects.count() == beats  # it is not time yet
    monkeypatch.setattr(Vitals, "problem", lambda _: Problem("every claim fails", 990.0))
    judge.look()
    last = Heartbeat.objects.filter(node=node).newest()[0]
    assert last.problem == "every claim fails"
    assert last.problem_since is not None
    assert timedelta(seconds=9) < last.at - last.problem_since < timedelta(seconds=60)
