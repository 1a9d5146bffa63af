"""Reconciling beside a person who holds rows."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from scheduler_app.engine import releases
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.engine.sync import Changes
from scheduler_app.models import (
    AddedJob,
    Job,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    row_id,
    timetable_rows,
)
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, eventually, nothing

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows"),
]
LOCKS = {
    "timetable": (
        "SELECT 1 FROM django_apscheduler_djangojob WHERE id = 'scheduler_app:a' FOR UPDATE"
    ),
    "job": "SELECT 1 FROM scheduler_app_job WHERE name = 'a' FOR UPDATE",
    "period": "SELECT 1 FROM scheduler_app_scheduleperiod WHERE job_name = 'a' FOR UPDATE",
}
MINUTE = timedelta(minutes=1)


@contextmanager
def held(statement: str) -> Iterator[None]:
    """Another client has these rows."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
            cursor.execute(statement)
        yield
    finally:
        other.close()


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Whatever waits for a lock fails."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")
    yield
    connection.close()


def start(registry: Registry, now: datetime = T0) -> Callable[[], Changes]:
    """Start a scheduler; return its heartbeat."""
    node = releases.register("here:1", registry)
    reconciler = Reconciler(registry)
    return lambda: reconciler.reconcile(node, Node.objects.liveness(), now)


def code(cron: str = "* * * * *", *names: str) -> Registry:
    registry = Registry()
    for name in names or ("a", "b"):
        job(name=name, cron=cron, timezone="UTC", registry=registry)(nothing)
    return registry


@pytest.fixture
def beat() -> Callable[[], Changes]:
    beat = start(code())
    beat()
    return beat


@pytest.mark.parametrize("lock", LOCKS)
def test_changed_job_that_is_held_has_its_turn_later(
    beat: Callable[[], Changes], lock: str
) -> None:
    release = start(code("30 * * * *"))
    with held(LOCKS[lock]):
        changes = release()
        assert (changes.changed, changes.locked) == (["b"], ["a"])
        assert Job.objects.get(name="b").cron == "30 * * * *"
    assert release().changed == ["a"]


@pytest.mark.parametrize("lock", LOCKS)
def test_orphan_that_is_held_has_its_turn_later(beat: Callable[[], Changes], lock: str) -> None:
    Node.objects.update(stopped_at=T0)
    release = start(code("* * * * *", "c"))
    with held(LOCKS[lock]):
        assert release().orphaned == ["b"]
    assert release().orphaned == ["a"]


def test_orphan_whose_queued_run_is_held_has_its_turn_later(beat: Callable[[], Changes]) -> None:
    run = JobRun.objects.create(job_name="a", scheduled_for=T0, due_at=T0, trigger="manual")
    Node.objects.update(stopped_at=T0)
    release = start(code("* * * * *", "c"))
    with held("SELECT 1 FROM scheduler_app_jobrun FOR UPDATE"):
        assert release().orphaned == ["b"]
    assert release().orphaned == ["a"]
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_deleted_timetable_row_is_restored_beside_a_lock(beat: Callable[[], Changes]) -> None:
    timetable_rows().delete()
    with held(LOCKS["job"]):
        beat()
        assert timetable_rows().get(id=row_id("b")).next_run_time == T0 + MINUTE
    beat()
    assert timetable_rows().get(id=row_id("a")).next_run_time == T0 + MINUTE


def test_agreeing_rows_are_not_locked_at_all(beat: Callable[[], Changes]) -> None:
    beat()
    with held("LOCK TABLE scheduler_app_job IN EXCLUSIVE MODE"):
        assert beat() == Changes()


def test_two_starts_at_once_add_each_job_once(beat: Callable[[], Changes]) -> None:
    one, other = start(code("* * * * *", "c", "d")), start(code("* * * * *", "c", "d"))
    assert (one().added, other().added) == (["c", "d"], [])
    assert SchedulePeriod.objects.filter(job_name="c").count() == 1
    assert timetable_rows().get(id=row_id("c")).next_run_time == T0 + MINUTE


def test_scheduler_starts_although_a_job_is_held() -> None:
    start(code("0 0 1 1 *"), timezone.now())()
    scheduler = Scheduler(code("0 0 2 1 *"))
    try:
        with held(LOCKS["job"]):
            scheduler.start()
            assert Job.objects.get(name="b").cron == "0 0 2 1 *"
        eventually(lambda: Job.objects.get(name="a").cron == "0 0 2 1 *")
    finally:
        scheduler.stop()


@pytest.mark.parametrize("table", ["addedjob", "node"])
def test_locked_row_or_table_of_added_jobs_keeps_what_is_known(table: str) -> None:
    registry = code()
    registry.offer(offered)
    first, later = start(registry), start(registry, T0 + MINUTE)
    values = {"cron": "@daily", "timezone": "UTC"}
    known = f"{offered.__module__}.{offered.__qualname__}"
    add = [("new", known, json.dumps(values))]
    if table == "addedjob":
        add_rows(add)
        assert first().added == ["a", "b", "new"]
        with held("LOCK TABLE scheduler_app_addedjob IN ACCESS EXCLUSIVE MODE"):
            assert first() == Changes()
        return
    assert first().added == ["a", "b"]
    with held("SELECT 1 FROM scheduler_app_node FOR UPDATE"):
        add_rows(add)
        assert later().added == ["new"]
    assert Node.objects.filter(offers=["new"]).count() == 0
    assert later() == Changes()
    assert Node.objects.filter(offers=["new"]).count() == 1


def offered() -> None:
    """Do nothing."""


def add_rows(rows: list[tuple[str, str, str]]) -> None:
    AddedJob.objects.bulk_create(
        AddedJob(name=name, function=function, declaration=declaration, added_by="ada")
        for name, function, declaration in rows
    )
