"""Policies that people have set are those by which the engine treats a run, not the code's."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.engine.firing_rules import POLICIES, rules_of
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.execution.runner import Outcome
from scheduler_app.models import Job, JobRun, RunState, Surface
from scheduler_app.policies import DEFAULTS, Overlap
from scheduler_app.registry import Registry
from tests.engine.conftest import eventually

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., None]
ADA = Actor("ada", Surface.CODE)
SECONDLY = "* * * * * *"
NEVER = "0 0 1 1 *"


@pytest.fixture
def scheduler(registry: Registry) -> Iterator[Scheduler]:
    scheduler = Scheduler(registry)
    yield scheduler
    if scheduler.running:
        scheduler.stop()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the runs of a job wait for."""
    gate = threading.Event()
    yield gate
    gate.set()


def fails() -> None:
    raise ValueError("no rows")


def running() -> int:
    return JobRun.objects.filter(state=RunState.RUNNING).count()


def test_job_may_overlap_since_people_have_said_so(
    declare: Declare, scheduler: Scheduler, gate: threading.Event
) -> None:
    declare("a", gate.wait, cron=SECONDLY)
    scheduler.start()
    control.override("a", {"overlap": "allow"}, by=ADA)
    eventually(lambda: running() >= 2)


def test_job_overlaps_no_more_since_people_have_said_so(
    declare: Declare, scheduler: Scheduler, gate: threading.Event
) -> None:
    declare("a", gate.wait, cron=SECONDLY, overlap="allow")
    scheduler.start()
    control.override("a", {"overlap": "skip"}, by=ADA)
    eventually(lambda: JobRun.objects.filter(state=RunState.SKIPPED).count() >= 2)
    assert running() <= 1


def test_failure_that_is_retried_by_override_is_a_warning(
    declare: Declare, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    declare("a", fails, cron=NEVER)
    scheduler.start()
    control.override("a", {"retries": 1, "retry_delay": 600.0}, by=ADA)
    control.trigger("a", by=ADA)
    eventually(lambda: JobRun.objects.filter(attempt=2).exists())
    levels = {each.levelno for each in caplog.records if each.name == "scheduler_app.runs"}
    assert levels == {logging.WARNING}


def test_job_that_fails_is_paused_by_override(declare: Declare, scheduler: Scheduler) -> None:
    declare("a", fails, cron=NEVER)
    scheduler.start()
    control.override("a", {"pause_on_failure": 1}, by=ADA)
    control.trigger("a", by=ADA)
    eventually(lambda: Job.objects.get().is_paused)


@pytest.mark.parametrize("policies", [{"timeout": 7.5}, {"isolated": True}])
def test_run_has_the_process_that_people_want(
    declare: Declare,
    scheduler: Scheduler,
    monkeypatch: pytest.MonkeyPatch,
    policies: dict[str, object],
) -> None:
    asked: list[dict[str, Any]] = []

    def execute(*_: object, **options: Any) -> Outcome:
        asked.append(options)
        return Outcome(RunState.SUCCESS, "in a process")

    declare("a", fails, cron=NEVER)
    scheduler.start()
    monkeypatch.setattr(scheduler._dispatcher._isolation, "execute", execute)
    control.override("a", policies, by=ADA)
    control.trigger("a", by=ADA)
    eventually(lambda: JobRun.objects.filter(message="in a process").exists())
    assert [each["timeout"] for each in asked] == [policies.get("timeout")]


def test_timeout_is_taken_away(declare: Declare, scheduler: Scheduler) -> None:
    declare("a", fails, cron=NEVER, timeout=60)
    scheduler.start()
    control.override("a", {"timeout": None}, by=ADA)
    control.trigger("a", by=ADA)
    eventually(lambda: JobRun.objects.filter(message="ValueError: no rows").exists())


def test_policies_that_nobody_can_declare_are_the_defaults(make_job: Callable[..., Job]) -> None:
    make_job("a", timeout=-1.0, overlap=Overlap.ALLOW)
    found = rules_of(["a"])["a"].policies
    assert found.overlap == Overlap.ALLOW
    others = [name for name in POLICIES if name != "overlap"]
    assert [getattr(found, name) for name in others] == [getattr(DEFAULTS, name) for name in others]
