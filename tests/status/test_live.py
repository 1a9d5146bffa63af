"""The status that is kept: whatever happens through our code, it is that of a fresh look."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.models import Change, Job, JobRun, Node, RunState, Surface
from scheduler_app.registry import Registry
from scheduler_app.status import job_statuses
from scheduler_app.status import live as live_module
from scheduler_app.status.live import LiveStatus
from tests.engine.conftest import (
    T0,
    SetClock,
    declare,
    mark_orphans,
    node,
    registry,
    set_clock,
    start,
    sync_jobs,
)
from tests.explain.conftest import begin, finish
from tests.harness.heartbeats import heard_at

__all__ = ["declare", "node", "registry", "set_clock", "start"]

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., None]
Start = Callable[..., Claimer]
ADA = Actor("ada", Surface.CODE)
MINUTE = timedelta(minutes=1)


class Kept:
    """A status that is not read anew by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_module, "REBUILT_EVERY", 1e9)
        self._live = LiveStatus()
        self._live.refresh()

    def read_again(self) -> list[str] | None:
        """Return the jobs that were read again; all must be as a fresh look has them."""
        names = self._live.refresh()
        assert list(self._live.jobs.values()) == job_statuses(Job.objects.all())
        return None if names is None else sorted(names)


@pytest.fixture
def claimer(declare: Declare, start: Start, node: Node, set_clock: SetClock) -> Claimer:
    for name in ("a", "b"):
        declare(name)
    return start()


@pytest.fixture
def kept(claimer: Claimer, monkeypatch: pytest.MonkeyPatch) -> Kept:
    return Kept(monkeypatch)


def test_nothing_is_read_again_if_nothing_changes(kept: Kept) -> None:
    assert kept.read_again() == []


def test_every_state_of_a_run_is_seen(kept: Kept, claimer: Claimer) -> None:
    runs = claimer.claim(T0)
    assert kept.read_again() == ["a", "b"]
    begin(runs[:1], T0)
    assert kept.read_again() == [runs[0].job_name]
    finish(runs[:1], RunState.FAILED, message="ValueError: no rows")
    assert kept.read_again() == [runs[0].job_name]
    begin(runs[1:], T0)
    control.cancel(runs[1].pk, by=ADA)
    assert kept.read_again() == [runs[1].job_name]


def test_what_people_do_is_seen(kept: Kept, claimer: Claimer) -> None:
    for act in (control.pause, control.resume, control.trigger):
        act("a", by=ADA)
        assert kept.read_again() == ["a"]
    run = JobRun.objects.get(trigger="manual")
    control.cancel(run.pk, by=ADA)
    assert kept.read_again() == ["a"]
    control.retry(run.pk, by=ADA)
    assert kept.read_again() == ["a"]


def test_deploy_is_seen(
    kept: Kept, registry: Registry, declare: Declare, node: Node, claimer: Claimer
) -> None:
    registry._definitions.pop("b")
    node.declares = ["a"]
    node.save()
    mark_orphans(T0)
    assert kept.read_again() == ["b"]
    declare("c")
    sync_jobs(registry, T0)
    assert kept.read_again() is None
    registry._definitions.pop("a")
    declare("a", cron="0 3 * * *")
    sync_jobs(registry, T0)
    assert kept.read_again() == ["a"]


def test_death_of_a_scheduler_is_seen(kept: Kept, claimer: Claimer, node: Node) -> None:
    runs = claimer.claim(T0)
    begin(runs[:1], T0)
    kept.read_again()
    heard_at(node, T0 - 60 * MINUTE)
    assert kept.read_again() == [runs[0].job_name]
    (interrupted,) = (job for job in kept._live.jobs.values() if job.interrupted_runs)
    assert interrupted.name == runs[0].job_name


def test_job_that_becomes_overdue_is_seen(
    kept: Kept, claimer: Claimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any(job.is_overdue for job in kept._live.jobs.values())
    limit = T0 + 5 * MINUTE
    for module in ("scheduler_app.status.live", "scheduler_app.status.current"):
        monkeypatch.setattr(f"{module}.overdue_before", lambda *_: limit)
    assert kept.read_again() == ["a", "b"]
    assert all(job.is_overdue for job in kept._live.jobs.values())
    assert kept.read_again() == []


def test_too_many_changes_are_not_followed(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MOST_CHANGES", 1)
    for _ in range(2):
        control.pause("a", by=ADA)
        control.resume("a", by=ADA)
    assert kept.read_again() is None


def test_what_is_done_by_hand_is_seen_in_the_end(
    claimer: Claimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    live = LiveStatus(lambda: now[0])
    live.refresh()
    Job.objects.filter(name="a").update(paused_at=T0)
    assert live.refresh() == set()
    now[0] += live_module.REBUILT_EVERY
    assert live.refresh() is None
    assert live.jobs["a"].is_paused


def test_failed_look_loses_no_change(
    kept: Kept, claimer: Claimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ConnectionError

    control.pause("a", by=ADA)
    with monkeypatch.context() as patch:
        patch.setattr(live_module, "job_statuses", fail)
        with pytest.raises(ConnectionError):
            kept.read_again()
    assert kept.read_again() == ["a"]


def test_position_survives_a_prune(kept: Kept, claimer: Claimer) -> None:
    control.pause("a", by=ADA)
    kept.read_again()
    Change.objects.all().delete()
    control.resume("a", by=ADA)
    assert kept.read_again() == ["a"]
