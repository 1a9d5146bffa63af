"""Alive, and well: what readers make of what schedulers say of themselves."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from scheduler_app import status
from scheduler_app.models import Heartbeat, Node, Report
from scheduler_app.models.heartbeat import STOPPING
from scheduler_app.text import Clock
from tests.harness.heartbeats import heard_at, silent_for

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LOCKED = "every claim fails: OperationalError: locked"


def node(name: str = "here:1", **fields: object) -> Node:
    return Node.objects.create(name=name, **fields)


def words() -> str:
    return status.scheduler_health().words(Clock(ZoneInfo("UTC")))


def test_no_scheduler_ever_is_stopped() -> None:
    assert words() == "STOPPED"


def test_fresh_heartbeat_without_a_problem_is_running() -> None:
    silent_for(node(), 1)
    assert words() == "RUNNING"
    (health,) = status.scheduler_health().nodes
    assert (health.is_alive, health.is_well, health.since) == (True, True, None)


def test_alive_with_a_problem_is_not_working_since() -> None:
    heard_at(node(), timezone.now(), problem=LOCKED, problem_since=NOON)
    assert words() == f"NOT WORKING since 2026-03-02 12:00:00 UTC: {LOCKED}"
    (health,) = status.scheduler_health().nodes
    assert (health.is_alive, health.is_well) == (True, False)
    assert not status.scheduler_running()


def test_one_well_node_is_running_beside_one_that_is_not() -> None:
    heard_at(node("sick:1"), timezone.now(), problem=LOCKED, problem_since=NOON)
    silent_for(node("well:2"), 1)
    health = status.scheduler_health()
    assert health.is_running
    assert [(one.name, one.is_well) for one in health.nodes] == [
        ("sick:1", False),
        ("well:2", True),
    ]


def test_not_working_dates_from_the_last_node_to_fail() -> None:
    heard_at(node("a:1"), timezone.now(), problem="early", problem_since=NOON)
    heard_at(node("b:2"), timezone.now(), problem="late", problem_since=NOON + timedelta(hours=1))
    assert words() == "NOT WORKING since 2026-03-02 13:00:00 UTC: late"


def test_silent_scheduler_is_stopped_since_its_heartbeat() -> None:
    heard_at(node(started_at=NOON), NOON + timedelta(minutes=1))
    assert words() == "STOPPED since 2026-03-02 12:01:00 UTC: no heartbeat of here:1"
    (health,) = status.scheduler_health().nodes
    assert (health.is_alive, health.problem) == (False, "its heartbeat is missing")


def test_scheduler_that_said_goodbye_is_stopped_since_then() -> None:
    stopped = NOON + timedelta(seconds=61)
    heard_at(node(started_at=NOON, stopped_at=stopped), NOON + timedelta(minutes=1))
    assert words() == "STOPPED since 2026-03-02 12:01:01 UTC"


def test_last_heartbeat_counts_whatever_its_clock_said() -> None:
    sick = node()
    heard_at(sick, timezone.now() + timedelta(seconds=5), problem=LOCKED, problem_since=NOON)
    heard_at(sick, timezone.now())
    assert words() == "RUNNING"


def test_health_of_one_node() -> None:
    here = node()
    found = status.node_health(here.pk)
    assert found is not None
    assert found.is_well
    Node.objects.filter(pk=here.pk).close()
    assert status.node_health(here.pk) is None


def test_report_is_kept_whole() -> None:
    here = node()
    report = Report(NOON, NOON, None, "a NUL \0 in a text", NOON)
    assert Heartbeat.objects.beat(here.pk, report)
    beat = Heartbeat.objects.get()
    assert (beat.claimed_at, beat.recorded_at, beat.executed_at) == (NOON, NOON, None)
    assert (beat.problem, beat.problem_since) == ("a NUL \N{SYMBOL FOR NULL} in a text", NOON)
    assert abs(beat.at - timezone.now()) < timedelta(minutes=1)


def test_closed_node_cannot_beat() -> None:
    here = node()
    assert Node.objects.filter(pk=here.pk).close()
    assert not Heartbeat.objects.beat(here.pk, Report())
    assert not Heartbeat.objects.exists()


def test_pruning_keeps_the_last_few_of_each_node() -> None:
    nodes = [node("a:1"), node("b:2")]
    for number in range(7):
        for one in nodes:
            heard_at(one, NOON + timedelta(seconds=number))
    assert Heartbeat.objects.prune() == 8
    assert set(Heartbeat.objects.values_list("at", flat=True)) == {
        NOON + timedelta(seconds=number) for number in (4, 5, 6)
    }


def test_pruning_keeps_the_last_heartbeat_that_tells_a_problem() -> None:
    here = node()
    for number, problem in enumerate(["first", "second", "", "", "", "", STOPPING]):
        Heartbeat.objects.create(node=here, at=NOON + timedelta(seconds=number), problem=problem)
    Heartbeat.objects.prune()
    assert list(Heartbeat.objects.with_problem().values_list("problem", flat=True)) == ["second"]
    assert Heartbeat.objects.count() == 4
