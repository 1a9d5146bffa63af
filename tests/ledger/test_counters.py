"""What is counted is appended, read at once, and folded into the jobs' rows later."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from scheduler_app import status
from scheduler_app.ledger import counters
from scheduler_app.models import Job, JobCount, JobRun, RunState, database
from tests.engine.conftest import T0


def add_job(name: str, **fields: int) -> Job:
    return Job.objects.create(name=name, cron="* * * * *", timezone="UTC", **fields)


def count(name: str, state: RunState = RunState.SUCCESS, occurrences: int = 1) -> None:
    run = JobRun(job_name=name, state=state, occurrences=occurrences, scheduled_for=T0, due_at=T0)
    with database.atomic():
        counters.count([run])


def shown(name: str) -> tuple[int, int, int, int]:
    job = status.job_status(name)
    return job.run_count, job.error_count, job.skip_count, job.miss_count


@pytest.mark.django_db
def test_count_is_shown_before_and_after_it_is_folded() -> None:
    add_job("a", run_count=7)
    add_job("b")
    for state in (RunState.SUCCESS, RunState.LOST, RunState.SKIPPED, RunState.MISSED):
        count("a", state, occurrences=3)
    assert (shown("a"), shown("b")) == ((10, 3, 3, 3), (0, 0, 0, 0))
    assert not counters.fold()
    assert (shown("a"), shown("b")) == ((10, 3, 3, 3), (0, 0, 0, 0))
    assert Job.objects.get(name="a").run_count == 10
    assert not JobCount.objects.exists()


@pytest.mark.django_db
def test_fold_with_nothing_counted_changes_nothing() -> None:
    add_job("a", run_count=7)
    assert not counters.fold()
    assert shown("a") == (7, 0, 0, 0)


@pytest.mark.django_db
def test_count_of_a_deleted_job_waits_until_it_is_back() -> None:
    add_job("a").delete()
    count("a")
    assert not counters.fold()
    add_job("a")
    assert shown("a") == (1, 0, 0, 0)
    counters.fold()
    assert Job.objects.get().run_count == 1


@pytest.mark.django_db
def test_fold_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "BATCH", 2)
    for name in "abc":
        add_job(name)
        count(name)
    assert counters.fold()
    assert not counters.fold()
    assert [shown(name)[0] for name in "abc"] == [1, 1, 1]


@pytest.fixture
def folding(transactional_db: None) -> Iterator[None]:
    """A thread that folds all the time."""
    stop = threading.Event()

    def fold() -> None:
        while not stop.wait(0.001):
            counters.fold()
        connection.close()

    thread = threading.Thread(target=fold)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_reader_beside_a_fold_sees_each_count_once(folding: None) -> None:
    add_job("a")
    for number in range(1, 100):
        count("a")
        assert shown("a")[0] == number
