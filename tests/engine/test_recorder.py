"""Starts and outcomes are recorded once, together, and only for runs that are still ours."""

import threading
from collections.abc import Iterator

import pytest
from django.db import InternalError, OperationalError
from django.utils import timezone

from scheduler_app.engine import recorder as module
from scheduler_app.engine.recorder import Recorder, record
from scheduler_app.ledger import transitions
from scheduler_app.models import Job, JobRun, Node, RunState
from tests.engine.conftest import T0, counted


@pytest.fixture
def queued(node: Node) -> JobRun:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    return JobRun.objects.create(job_name="a", scheduled_for=T0, due_at=T0, node=node)


def ended(run: JobRun, state: RunState = RunState.SUCCESS) -> JobRun:
    run.started_at = run.finished_at = timezone.now()
    run.state, run.message, run.metadata = state, "m", {"k": 1}
    return run


def test_start_is_recorded(queued: JobRun) -> None:
    assert record([queued], []).begun == {queued.pk}
    queued.refresh_from_db()
    assert queued.state == RunState.RUNNING
    assert queued.started_at is not None


@pytest.mark.django_db
def test_nothing_to_record_is_no_error() -> None:
    assert record([], []).begun == set()


def test_start_is_recorded_again_after_a_commit_of_unknown_outcome(queued: JobRun) -> None:
    record([queued], [])
    assert record([queued], []).begun == {queued.pk}


def test_outcome_is_recorded_and_counted(queued: JobRun) -> None:
    record([queued], [])
    record([], [ended(queued)])
    row = JobRun.objects.get()
    assert (row.state, row.message, row.metadata) == ("success", "m", {"k": 1})
    assert row.scheduled_for == T0
    assert counted("run_count") == 1


def test_outcome_recorded_twice_counts_once(queued: JobRun) -> None:
    record([queued], [])
    record([], [ended(queued)])
    record([], [ended(queued)])
    assert counted("run_count") == 1


def test_failure_adds_to_the_errors(queued: JobRun) -> None:
    record([], [ended(queued, RunState.FAILED)])
    assert counted("error_count") == 1


def test_run_that_was_given_up_does_not_start(queued: JobRun) -> None:
    JobRun.objects.update(node=None)
    assert record([queued], []).begun == set()
    assert JobRun.objects.get().state == RunState.QUEUED


def test_outcome_of_a_lost_run_changes_nothing(queued: JobRun) -> None:
    record([queued], [])
    JobRun.objects.update(state=RunState.LOST, finished_at=timezone.now())
    record([], [ended(queued)])
    assert JobRun.objects.get().state == RunState.LOST
    assert counted("run_count") == 0


def test_run_that_another_node_took_up_is_not_touched(queued: JobRun) -> None:
    JobRun.objects.update(node=Node.objects.create(name="there:2"))
    assert record([queued], [ended(queued)]).begun == set()
    assert JobRun.objects.get().state == RunState.QUEUED


@pytest.fixture
def recorder(transactional_db: None) -> Iterator[Recorder]:
    recorder = Recorder(lambda starts, begun, ended: None)
    recorder.start()
    yield recorder
    assert recorder.stop(10)


@pytest.mark.django_db(transaction=True)
def test_many_threads_are_recorded(recorder: Recorder, queued: JobRun, node: Node) -> None:
    queued.delete()
    rows = [JobRun(job_name=f"job-{i}", scheduled_for=T0, due_at=T0, node=node) for i in range(50)]
    runs = JobRun.objects.bulk_create(rows)

    recorder.submit(runs)
    assert recorder.flush(10)  # a run is not carried out before
    threads = [threading.Thread(target=recorder.submit, args=([], [ended(run)])) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.flush(10)
    assert JobRun.objects.filter(state=RunState.SUCCESS).count() == 50


@pytest.mark.django_db(transaction=True)
def test_outcome_outlasts_a_database_that_is_away(
    recorder: Recorder, queued: JobRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = InternalError("terminating connection due to idle-in-transaction timeout")
    failures = iter([OperationalError("away"), frozen])

    def flaky(starts: list[JobRun], ends: list[JobRun]) -> transitions.Recorded:
        for error in failures:
            raise error
        return record(starts, ends)

    monkeypatch.setattr(module, "record", flaky)
    recorder.submit([], [ended(queued)])
    assert recorder.flush(10)
    row = JobRun.objects.get()
    assert (row.state, row.message) == (RunState.SUCCESS, "m")


@pytest.mark.django_db(transaction=True)
def test_outcome_that_cannot_be_stored_is_recorded_without_details(
    recorder: Recorder, queued: JobRun
) -> None:
    run = ended(queued, RunState.FAILED)
    run.metadata = {"not json": object()}
    recorder.submit([], [run])
    assert recorder.flush(10)
    row = JobRun.objects.get()
    assert row.state == RunState.FAILED
    assert row.message == module.UNRECORDABLE
