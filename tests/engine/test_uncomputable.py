"""A schedule that cannot be computed stops its own job, and nothing else."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.control import Actor
from scheduler_app.engine import releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.models import (
    Job,
    JobRun,
    Node,
    Release,
    RunState,
    SchedulePeriod,
    Surface,
    row_id,
    timetable_rows,
)
from scheduler_app.registry import Registry
from tests.engine.conftest import T0, SetClock, eventually, mark_orphans, sync_jobs
from tests.explain.conftest import finish
from tests.spoilt import PLACES, SPOILT, spoil

Declare = Callable[..., None]
Start = Callable[..., Claimer]
ADA = Actor("ada", Surface.CLI)
MINUTE = timedelta(minutes=1)

each_way = pytest.mark.parametrize("how", SPOILT)
each_place = pytest.mark.parametrize("place", PLACES)


@pytest.fixture
def claimer(declare: Declare, start: Start) -> Claimer:
    """Of jobs a and b, of every minute; a will be spoilt."""
    declare("a")
    declare("b")
    return start()


def due(name: str = "a") -> datetime | None:
    next_run_time: datetime | None = timetable_rows().get(id=row_id(name)).next_run_time
    return next_run_time


def names_of(runs: list[JobRun]) -> list[str]:
    return [run.job_name for run in runs]


@each_way
def test_claim_leaves_such_a_job_and_takes_all_others(
    claimer: Claimer, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil("a", how)
    assert names_of(claimer.claim(T0)) == ["b"]
    assert "job a does not fire any more: " in caplog.text
    assert due() is None
    assert claimer.next_due == T0 + MINUTE


def test_problem_of_one_job_is_logged_once(
    claimer: Claimer, caplog: pytest.LogCaptureFixture
) -> None:
    spoil("a", "zone")
    for minute in range(3):
        claimer.claim(T0 + minute * MINUTE)
    assert caplog.text.count("does not fire any more") == 1
    assert "US/Atlantis" in caplog.text


@each_way
@each_place
def test_start_writes_the_declaration_over_it(
    claimer: Claimer, registry: Registry, how: str, place: str
) -> None:
    spoil("a", how, place)
    changes = sync_jobs(registry, T0 - timedelta(seconds=30))
    assert changes.changed + changes.restored == ["a"]
    assert (Job.objects.get(name="a").cron, due()) == ("* * * * *", T0)
    assert SchedulePeriod.objects.open().get(job_name="a").cron == "* * * * *"
    assert names_of(claimer.claim(T0)) == ["a", "b"]


@each_way
@each_place
def test_such_a_job_is_orphaned_like_any_other(
    claimer: Claimer, how: str, place: str, set_clock: SetClock
) -> None:
    set_clock(T0 - MINUTE)
    spoil("a", how, place)
    Node.objects.update(declares=[])
    assert mark_orphans(T0 - MINUTE) == ["a", "b"]
    assert mark_orphans(T0) == []
    assert claimer.claim(T0) == []


@each_way
def test_orphan_spoilt_later_hurts_nobody(
    claimer: Claimer, how: str, set_clock: SetClock, registry: Registry
) -> None:
    set_clock(T0 - MINUTE)
    Node.objects.update(declares=["b"])
    assert mark_orphans(T0 - MINUTE) == ["a"]
    spoil("a", how)
    assert mark_orphans(T0) == []
    assert names_of(claimer.claim(T0)) == ["b"]
    assert sync_jobs(registry, T0 + MINUTE).changed == ["a"]
    assert due() == T0 + 2 * MINUTE


@each_way
@each_place
def test_such_a_job_can_be_paused_resumed_and_run(
    claimer: Claimer, how: str, place: str, set_clock: SetClock
) -> None:
    set_clock(T0 + timedelta(seconds=30))
    spoil("a", how, place)
    assert control.pause("a", by=ADA)
    assert due() is None
    assert control.resume("a", by=ADA)
    assert (due() is None) is ("job" in place)
    request = control.trigger("a", by=ADA)
    assert request in claimer.claim(T0 + MINUTE)


@each_way
def test_job_fires_again_once_its_row_is_mended(
    claimer: Claimer, registry: Registry, how: str
) -> None:
    spoil("a", how)
    claimer.claim(T0)
    Job.objects.filter(name="a").update(cron="* * * * *", timezone="UTC", jitter=0)
    assert sync_jobs(registry, T0 + MINUTE / 2).restored == ["a"]
    assert names_of(claimer.claim(T0 + MINUTE)) == ["a"]


@each_way
def test_what_came_due_while_the_row_was_spoilt_is_skipped(
    claimer: Claimer, registry: Registry, how: str, set_clock: SetClock
) -> None:
    spoil("a", how, "job")
    finish(claimer.claim(T0))
    finish(claimer.claim(T0 + MINUTE))
    sync_jobs(registry, T0 + 1.5 * MINUTE)
    set_clock(T0 + 1.7 * MINUTE)
    skipped = JobRun.objects.get(job_name="a")
    assert (skipped.state, skipped.occurrences) == (RunState.SKIPPED, 2)
    assert list(audit_ledger()) == []


@pytest.mark.parametrize("values", [{"timezone": "US/Atlantis"}, {"cron": "61 * * * *"}])
def test_what_another_schedulers_release_can_compute_is_left_to_it(
    claimer: Claimer, registry: Registry, node: Node, values: dict[str, str]
) -> None:
    theirs = dict(releases.declarations(registry))
    theirs["c"] = {**theirs["a"], **values, "zone_rules": "theirs alone"}
    releases.remember("theirs", theirs)
    Release.objects.filter(digest="theirs").update(since=timezone.now() + timedelta(days=1))
    Node.objects.create(name="there:1", declares=sorted(theirs), release="theirs")
    reconciler = Reconciler(registry)
    reconciler.reconcile(node, Node.objects.liveness(), T0 - MINUTE / 2)
    timetable_rows().filter(id=row_id("c")).update(next_run_time=T0)  # as they compute it
    reconciler.reconcile(node, Node.objects.liveness(), T0 - MINUTE / 4)
    claimer.other_rules = reconciler.other_rules
    assert names_of(claimer.claim(T0)) == ["a", "b"]
    assert due("c") == T0


@pytest.fixture
def scheduler(
    registry: Registry, settings: Settings, transactional_db: None
) -> Iterator[Scheduler]:
    settings.SCHEDULER = {"heartbeat": 0.2}
    scheduler = Scheduler(registry)
    yield scheduler
    if scheduler.running:
        scheduler.stop()


def successes(name: str) -> int:
    return JobRun.objects.filter(job_name=name, state=RunState.SUCCESS).count()


@each_place
def test_living_scheduler_mends_the_rows_of_its_jobs(
    declare: Declare, scheduler: Scheduler, place: str
) -> None:
    declare("a", cron="* * * * * *")
    declare("b", cron="* * * * * *")
    scheduler.start()
    eventually(lambda: successes("a") and successes("b"))
    spoil("a", "zone", place)
    before = successes("b")
    eventually(lambda: successes("b") > before + 1)
    eventually(lambda: Job.objects.get(name="a").timezone == "UTC")
    mended = successes("a")
    eventually(lambda: successes("a") > mended)


@each_place
def test_scheduler_starts_with_such_rows(
    declare: Declare, scheduler: Scheduler, registry: Registry, place: str
) -> None:
    declare("a", cron="* * * * * *")
    declare("gone", cron="* * * * * *")
    sync_jobs(registry, timezone.now())
    spoil("a", "both", place)
    spoil("gone", "zone", place)
    del registry._definitions["gone"]
    scheduler.start()
    eventually(lambda: successes("a"))
    eventually(lambda: Job.objects.get(name="gone").is_orphaned)
    before = successes("a")
    eventually(lambda: successes("a") > before)
