"""A scheduler that the project runs itself on django-apscheduler, in the same table."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from scheduler_app.consistency.check import audit_ledger
from scheduler_app.engine.apscheduler import Timetable
from scheduler_app.engine.claim import Claimer
from scheduler_app.ledger import timetable
from scheduler_app.models import JobRun
from tests.engine.conftest import T0
from tests.theirs import StillScheduler

Declare = Callable[..., None]
Start = Callable[..., Claimer]
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def theirs() -> None:
    """A job of theirs."""


@pytest.fixture
def store(db: None) -> DjangoJobStore:
    scheduler = StillScheduler(timezone=UTC)
    scheduler.add_job(theirs, "date", run_date=LATER, id="a")
    return scheduler.store


def test_job_of_the_same_name_is_two_jobs(
    declare: Declare, start: Start, store: DjangoJobStore
) -> None:
    declare("a")
    claimer = start()
    assert timetable.dues(["a"]) == {"a": T0}
    assert [run.job_name for run in claimer.claim(T0)] == ["a"]
    assert DjangoJob.objects.get(id="a").next_run_time == LATER


def test_its_due_jobs_are_none_of_ours(
    declare: Declare, start: Start, store: DjangoJobStore
) -> None:
    declare("a")
    declare("b")
    start()
    assert store.get_due_jobs(T0 + timedelta(days=1)) == []
    assert store.get_next_run_time() == LATER
    assert [job.id for job in store.get_all_jobs()] == ["a"]
    assert [job.id for job in store.get_due_jobs(LATER)] == ["a"]


def test_none_of_its_jobs_is_claimed(declare: Declare, start: Start, store: DjangoJobStore) -> None:
    declare("b")
    claimer = start()
    DjangoJob.objects.update(next_run_time=T0 - timedelta(minutes=5))
    assert timetable.next_due() == T0
    assert [run.job_name for run in claimer.claim(T0)] == ["b"]
    assert JobRun.objects.count() == 1


def test_its_removal_of_all_jobs_leaves_ours(
    declare: Declare, start: Start, store: DjangoJobStore, early: None
) -> None:
    declare("a")
    claimer = start()
    claimer.claim(T0)
    store.remove_all_jobs()
    assert not DjangoJob.objects.exists()
    assert timetable.dues(["a"]) == {"a": T0 + timedelta(minutes=1)}
    assert list(audit_ledger()) == []


def test_store_of_ours_has_our_jobs_alone(
    declare: Declare, start: Start, store: DjangoJobStore
) -> None:
    declare("b")
    start()
    ours = Timetable()
    assert ours.get_next_run_time() == T0
    assert [job.id for job in ours.get_due_jobs(LATER)] == ["b"]
    assert ours.lookup_job("a") is None


def test_no_migration_comes_of_it(db: None) -> None:
    call_command("makemigrations", "django_apscheduler", check=True, dry_run=True, verbosity=0)
