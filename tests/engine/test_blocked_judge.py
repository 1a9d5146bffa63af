"""A judge that is blocked for longer than it may be silent, anywhere in its judgement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine import releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.ledger import schedules, transitions
from scheduler_app.models import Job, JobRun, Node, RunState, database
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, SetClock, nothing
from tests.engine.test_judging import Clock
from tests.harness.heartbeats import silent_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("early")]
BLOCKED = 20.0
MOST_QUERIES = 90
"""More than a judgement asks on either database."""


def code(*names: str, cron: str = "* * * * *") -> Registry:
    registry = Registry()
    for name in names:
        job(name=name, cron=cron, timezone="UTC", catch_up="all", registry=registry)(nothing)
    return registry


class Scene:
    """Survivor A declares "ours", dead node B declares "ours" and "theirs". Both jobs have a retry
    that waits and occurrences that are due."""

    def __init__(self, monotonic: Clock, set_clock: SetClock) -> None:
        set_clock(T0 - timedelta(minutes=1))
        self.monotonic = monotonic
        self.a = Scheduler(code("ours"), monotonic=monotonic)
        self.a.node = releases.register("a:1", code("ours"))
        self.a._claimer = Claimer(self.a.node, code("ours"))
        self.a.vitals.probe = self.a.vitals.restart  # all is well
        self.a.liveness.take(self.a.node)
        self.a.liveness.beat()
        self.b = releases.register("b:1", code("ours", "theirs"))
        self.a._reconcile()
        for name in ("ours", "theirs"):
            JobRun.objects.create(
                job_name=name, scheduled_for=T0 - timedelta(hours=1), due_at=T0, attempt=2
            )
        JobRun.objects.create(
            job_name="ours",
            scheduled_for=T0 - timedelta(hours=2),
            due_at=T0,
            node=self.b,
            state=RunState.RUNNING,
            started_at=T0,
        )
        silent_for(self.b, 60)
        set_clock(T0 + timedelta(minutes=5))

    def judge(self) -> None:
        """Beat and judge, then act by what was seen."""
        self.a.liveness.look()
        self.a._reconcile()

    def block(self) -> None:
        self.monotonic.now += BLOCKED

    @contextmanager
    def blocked_at(self, number: int) -> Iterator[list[int]]:
        """Block the judge at its database query of this number; give the numbers passed. The ends
        of transactions do not count: nothing can be asked between the last check and COMMIT."""
        passed = list[int]()

        def count(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            if not sql.startswith("RELEASE SAVEPOINT"):
                passed.append(len(passed))
                if passed[-1] == number:
                    self.block()
            return execute(sql, *arguments)

        with database.connection().execute_wrapper(count):
            yield passed

    def orphans(self) -> list[str]:
        return list(Job.objects.exclude(orphaned_at=None).values_list("name", flat=True))

    def nothing_is_given_up(self) -> bool:
        ended = (RunState.CANCELLED, RunState.SKIPPED, RunState.MISSED)
        return not self.orphans() and not JobRun.objects.filter(state__in=ended).exists()


@pytest.fixture
def scene(set_clock: SetClock) -> Scene:
    return Scene(Clock(), set_clock)


def test_judge_that_is_not_blocked_marks_orphans(scene: Scene) -> None:
    with scene.blocked_at(-1) as passed:
        scene.judge()
    assert scene.orphans() == ["theirs"]
    assert not scene.nothing_is_given_up()
    assert len(passed) <= MOST_QUERIES


def test_judge_blocked_while_closing_gives_nothing_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = transitions.release_runs

    def slowly(*arguments: Any) -> list[JobRun]:
        scene.block()
        return release(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(transitions, "release_runs", slowly)
        scene.a.liveness.look()
    silent_for(scene.a.node, BLOCKED)  # all nodes seem dead, the judge itself included
    scene.a._reconcile()
    assert scene.nothing_is_given_up()
    scene.judge()
    assert scene.nothing_is_given_up()
    scene.monotonic.now += 3 * scheduler_settings().heartbeat
    scene.a.liveness.look()  # it has been silent again, and waits for the others
    for _ in range(3):
        scene.monotonic.now += scheduler_settings().heartbeat
        scene.judge()
    snapshot = scene.a.liveness.snapshot()
    assert snapshot is not None
    assert snapshot.alive == {scene.a.node.pk}
    assert scene.orphans() == ["theirs"]
    assert JobRun.objects.get(job_name="ours", attempt=2).state == RunState.QUEUED


@pytest.mark.parametrize("number", range(MOST_QUERIES))
def test_judge_blocked_at_any_query_gives_nothing_up(scene: Scene, number: int) -> None:
    with scene.blocked_at(number) as passed:
        scene.judge()
    if number < len(passed):
        assert scene.nothing_is_given_up()
    else:  # it was not blocked
        assert scene.orphans() == ["theirs"]


def test_blocked_judge_does_not_undo_a_newer_declaration(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has begun to write what the releases that it knows declare."""
    Job.objects.filter(name="ours").update(cron="0 0 1 1 *")
    put_right = schedules.put_right

    def slowly(jobs: list[Job]) -> set[str]:
        scene.block()
        return put_right(jobs)

    scene.a.liveness.look()
    with monkeypatch.context() as patch:
        patch.setattr(schedules, "put_right", slowly)
        scene.a._reconcile()
    assert Job.objects.get(name="ours").cron == "0 0 1 1 *"
    assert scene.a.liveness.snapshot() is None
    scene.a._reconcile()
    assert Job.objects.get(name="ours").cron == "* * * * *"


def test_node_started_since_counts_while_none_may_judge(scene: Scene) -> None:
    scene.judge()
    scene.block()
    newer: Node = releases.register("c:1", code("ours", cron="0 0 1 1 *"))
    scene.a._reconcile()
    assert Job.objects.get(name="ours").cron == "0 0 1 1 *"
    silent_for(newer, 60)  # an outage: it seems dead, and nobody may say so
    scene.a._reconcile()
    assert Job.objects.get(name="ours").cron == "0 0 1 1 *"
