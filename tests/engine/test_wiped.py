"""A running scheduler whose rows are deleted, or go back to an earlier state."""

from collections.abc import Callable, Iterator
from threading import Event

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from django_apscheduler.models import DjangoJob
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.consistency.report import Kind
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.models import (
    Job,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    Surface,
    database,
)
from scheduler_app.registry import Registry
from tests.engine.conftest import eventually

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., None]
ADA = control.Actor("ada", Surface.CODE)
TABLES = [DjangoJob, *apps.get_app_config("scheduler_app").get_models()]


@pytest.fixture
def scheduler(registry: Registry, declare: Declare, settings: Settings) -> Iterator[Scheduler]:
    """A scheduler with a job of every second, which has run."""
    settings.SCHEDULER = {"heartbeat": 1.0}
    declare("a", cron="* * * * * *")
    scheduler = Scheduler(registry)
    scheduler.start()
    runs_go_on()
    yield scheduler
    scheduler.stop()


def runs_go_on() -> None:
    now = timezone.now()
    later = JobRun.objects.filter(state=RunState.SUCCESS, scheduled_for__gt=now)
    eventually(later.exists)


def discrepancies() -> list[str]:
    """Those that no later heartbeat puts right. A counter starts anew with its row."""
    transient = (Kind.COUNTER, Kind.OVERDUE, Kind.STRANDED)
    return [str(each) for each in audit_ledger() if each.kind not in transient]


def is_clean() -> bool:
    return discrepancies() == []


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_emptied_table_stops_no_job(scheduler: Scheduler, model: type[Job]) -> None:
    model._base_manager.all()._raw_delete(connection.alias)
    runs_go_on()
    eventually(lambda: Job.objects.filter(name="a").exists())


@pytest.mark.parametrize("model", [DjangoJob, Job, SchedulePeriod], ids=lambda m: m.__name__)
def test_emptied_table_leaves_a_clean_audit(scheduler: Scheduler, model: type[Job]) -> None:
    model._base_manager.all()._raw_delete(connection.alias)
    runs_go_on()
    eventually(is_clean)


def test_flushed_database_is_filled_again(scheduler: Scheduler) -> None:
    call_command("flush", interactive=False, verbosity=0)
    runs_go_on()
    eventually(is_clean)
    assert Node.objects.alive().count() == 1


def test_restored_dump_stops_no_job(scheduler: Scheduler) -> None:
    with database.snapshot():
        dump = connection.creation.serialize_db_to_string()
    runs_go_on()
    with transaction.atomic():
        for model in TABLES:
            model._base_manager.all()._raw_delete(connection.alias)
        connection.creation.deserialize_db_from_string(dump)
    runs_go_on()
    eventually(is_clean)


def test_run_that_is_going_while_a_dump_is_restored_is_recorded(
    registry: Registry, declare: Declare, settings: Settings
) -> None:
    """A dump in JSON keeps milliseconds of its moments."""
    settings.SCHEDULER = {"heartbeat": 1.0}
    begun, may_end = Event(), Event()

    def slow() -> None:
        begun.set()
        may_end.wait(60)

    declare("a", slow, cron="0 0 1 1 *")
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        control.trigger("a", by=ADA)
        assert begun.wait(30)
        with database.snapshot():
            dump = connection.creation.serialize_db_to_string()
        with transaction.atomic():
            JobRun.objects.all()._raw_delete(connection.alias)
            connection.creation.deserialize_db_from_string(dump)
        may_end.set()
        eventually(lambda: JobRun.objects.get().finished_at is not None)
        assert JobRun.objects.get().state == RunState.SUCCESS
    finally:
        may_end.set()
        scheduler.stop()


def test_outcome_from_before_a_flush_is_not_that_of_a_later_run(
    registry: Registry, declare: Declare, settings: Settings
) -> None:
    """Ids begin anew: a later run of a later node may have those of the run that was going."""
    settings.SCHEDULER = {"heartbeat": 1.0}
    begun, may_end = [Event(), Event()], Event()

    def slow() -> None:
        is_first = not begun[0].is_set()
        begun[0 if is_first else 1].set()
        if is_first:
            may_end.wait(60)
            raise RuntimeError("of the run before the flush")

    declare("a", slow, cron="0 0 1 1 *")
    call_command("flush", interactive=False, verbosity=0)
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        first = control.trigger("a", by=ADA)
        assert begun[0].wait(30)
        first_node = JobRun.objects.get().node_id
        call_command("flush", interactive=False, verbosity=0)
        eventually(lambda: Job.objects.filter(name="a").exists() and Node.objects.alive().exists())
        second = control.trigger("a", by=ADA)
        assert (first.pk, first.job_name) == (second.pk, second.job_name)
        eventually(lambda: JobRun.objects.get().node_id == first_node)
        may_end.set()
        assert begun[1].wait(30)
        eventually(lambda: JobRun.objects.get().finished_at is not None)
        assert JobRun.objects.get().state == RunState.SUCCESS
    finally:
        may_end.set()
        scheduler.stop()
