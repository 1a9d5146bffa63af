"""What a start makes of the declared jobs."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.models import Job, JobRun, Node, RunState, Surface, row_id, timetable_rows
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, counted, mark_orphans, nothing, sync_jobs

Declare = Callable[..., None]
Start = Callable[..., Claimer]
SOMEBODY = Actor("ada", Surface.CODE)


def changed(cron: str) -> Registry:
    registry = Registry()
    job(name="a", cron=cron, timezone="UTC", registry=registry)(nothing)
    return registry


def due(name: str = "a") -> object:
    return timetable_rows().get(id=row_id(name)).next_run_time


def test_new_job_is_added_with_its_next_time(declare: Declare, start: Start) -> None:
    declare("a", cron="0 1 * * *", timezone="Europe/Berlin")
    start()
    row = Job.objects.get()
    assert (row.cron, row.timezone, row.description) == (
        "0 1 * * *",
        "Europe/Berlin",
        "Do nothing.",
    )
    assert due() == T0.replace(hour=0) + timedelta(days=1)


def test_second_start_changes_nothing(declare: Declare, start: Start, registry: Registry) -> None:
    declare("a")
    start()
    changes = sync_jobs(registry, T0 + timedelta(minutes=5))
    assert (changes.added, changes.changed) == ([], [])
    assert due() == T0


def test_changed_schedule_is_taken_over(declare: Declare, start: Start) -> None:
    declare("a")
    start()
    sync_jobs(changed(cron="30 * * * *"), T0 - timedelta(seconds=30))
    assert Job.objects.get().cron == "30 * * * *"
    assert due() == T0 + timedelta(minutes=30)
    assert not JobRun.objects.exists()


def test_what_was_due_under_the_old_schedule_is_accounted_for(
    declare: Declare, start: Start
) -> None:
    declare("a")
    start()
    sync_jobs(changed(cron="30 * * * *"), T0 + timedelta(minutes=2))
    skipped = JobRun.objects.get()
    assert (skipped.state, skipped.occurrences) == (RunState.SKIPPED, 3)
    assert counted("skip_count") == 3


def test_pause_survives_a_restart(declare: Declare, start: Start, registry: Registry) -> None:
    declare("a")
    start(T0)
    control.pause("a", by=SOMEBODY)
    sync_jobs(registry, T0)
    assert Job.objects.get().is_paused
    assert due() is None


def test_pause_survives_a_changed_schedule(declare: Declare, start: Start) -> None:
    declare("a")
    start(T0)
    control.pause("a", by=SOMEBODY)
    sync_jobs(changed(cron="30 * * * *"), T0)
    assert due() is None


def test_timetable_row_that_was_deleted_is_added_again(
    declare: Declare, start: Start, registry: Registry
) -> None:
    declare("a")
    start()
    timetable_rows().delete()
    sync_jobs(registry, T0 - timedelta(seconds=1))
    assert due() == T0


def test_deleted_timetable_row_of_a_paused_job_stays_without_time(
    declare: Declare, start: Start, registry: Registry
) -> None:
    declare("a")
    start(T0)
    control.pause("a", by=SOMEBODY)
    timetable_rows().delete()
    sync_jobs(registry, T0)
    assert due() is None


@pytest.fixture
def orphan(declare: Declare, start: Start, node: Node) -> str:
    declare("a")
    start()
    Node.objects.filter(pk=node.pk).update(declares=[])
    return "a"


def test_job_that_nobody_declares_is_orphaned_and_kept(orphan: str) -> None:
    assert mark_orphans(T0 - timedelta(seconds=1)) == [orphan]
    assert Job.objects.get().is_orphaned
    assert due() is None


def test_what_was_due_of_an_orphan_is_accounted_for(orphan: str) -> None:
    mark_orphans(T0 + timedelta(minutes=1))
    assert JobRun.objects.get().occurrences == 2


def test_request_for_an_orphan_is_cancelled(orphan: str) -> None:
    run = control.trigger(orphan, by=SOMEBODY)
    mark_orphans(T0 - timedelta(seconds=1))
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_job_that_another_living_node_declares_is_no_orphan(orphan: str) -> None:
    Node.objects.create(name="there:2", declares=[orphan])
    assert mark_orphans(T0) == []


def test_orphan_declared_again_fires_again(orphan: str, registry: Registry) -> None:
    mark_orphans(T0 - timedelta(seconds=1))
    sync_jobs(registry, T0 + timedelta(days=1))
    assert not Job.objects.get().is_orphaned
    assert due() == T0 + timedelta(days=1, minutes=1)
    assert not JobRun.objects.exists()
