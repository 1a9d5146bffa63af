"""What every surface shows."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler_app import status
from scheduler_app.conf import scheduler_settings
from scheduler_app.exceptions import JobNotFound, RunNotFound
from scheduler_app.models import Job, JobRun, Node, RunState, database, row_id, timetable_rows
from scheduler_app.policies import DEFAULTS, CatchUp, Overlap, Policies
from scheduler_app.status import JobState

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)


@pytest.fixture
def nightly(make_job: Callable[..., Job]) -> Job:
    return make_job("nightly", cron="0 1 * * *", timezone="Europe/Berlin")


def add_run(state: RunState, minutes_ago: int = 0, **fields: object) -> JobRun:
    moment = NOW - timedelta(minutes=minutes_ago)
    values: dict[str, object] = {"due_at": moment, "started_at": moment + timedelta(seconds=2)}
    if state not in (RunState.QUEUED, RunState.RUNNING):
        values["finished_at"] = moment + timedelta(seconds=5)
    if state in (RunState.SKIPPED, RunState.MISSED, RunState.QUEUED):
        values["started_at"] = None
    return JobRun.objects.create(
        job_name="nightly", scheduled_for=moment, state=state, **(values | fields)
    )


def test_stopped_without_a_living_node() -> None:
    assert not status.scheduler_status().running


def test_running_with_a_fresh_heartbeat() -> None:
    Node.objects.create(name="here:1")
    current = status.scheduler_status()
    assert current.running
    assert current.nodes == ("here:1",)


def test_stopped_when_the_node_has_said_goodbye() -> None:
    Node.objects.create(name="here:1", stopped_at=NOW)
    assert not status.scheduler_running()


def test_job_that_never_ran(nightly: Job) -> None:
    job = status.job_status("nightly")
    assert (job.state, job.last_run, job.last_outcome, job.last_error) == (
        JobState.IDLE,
        None,
        None,
        None,
    )
    assert job.next_run is not None
    assert job.schedule == "At 01:00 every day"


def test_unknown_job() -> None:
    with pytest.raises(JobNotFound):
        status.job_status("nope")


def test_lateness_and_duration_are_not_mixed(nightly: Job) -> None:
    add_run(RunState.SUCCESS)
    last = status.job_status("nightly").last_run
    assert last is not None
    assert (last.lateness, last.duration) == (timedelta(seconds=2), timedelta(seconds=3))


def test_running_job(nightly: Job) -> None:
    add_run(RunState.RUNNING)
    assert status.job_status("nightly").state == JobState.RUNNING


def test_running_runs_are_named_the_oldest_first(
    nightly: Job, make_job: Callable[..., Job]
) -> None:
    make_job("other")
    runs = [add_run(RunState.RUNNING, minutes_ago=minutes) for minutes in (2, 9)]
    assert status.job_status("nightly").running_run_ids == tuple(run.pk for run in runs)
    assert status.job_status("other").running_run_ids == ()


def test_policies_are_those_of_the_row(nightly: Job) -> None:
    assert status.job_status("nightly").policies == DEFAULTS
    Job.objects.update(overlap="queue", catch_up="all", retries=3, timeout=1.5)
    policies = status.job_status("nightly").policies
    assert policies == Policies(overlap=Overlap.QUEUE, catch_up=CatchUp.ALL, retries=3, timeout=1.5)


def test_one_run_by_its_id(nightly: Job) -> None:
    run = add_run(RunState.FAILED, message="boom")
    assert status.run_summary(run.pk).message == "boom"
    with pytest.raises(RunNotFound):
        status.run_summary(run.pk + 1)


def test_queued_run_is_not_running(nightly: Job) -> None:
    add_run(RunState.QUEUED)
    assert status.job_status("nightly").state == JobState.IDLE


def test_paused_job_that_is_running_says_both(nightly: Job) -> None:
    Job.objects.update(paused_at=NOW)
    add_run(RunState.RUNNING)
    job = status.job_status("nightly")
    assert (job.state, job.is_running, job.is_paused) == (JobState.PAUSED, True, True)


def test_miss_after_a_success_is_not_hidden(nightly: Job) -> None:
    success = add_run(RunState.SUCCESS, minutes_ago=10)
    add_run(RunState.MISSED, message="Missed: no scheduler was running.")
    job = status.job_status("nightly")
    assert job.last_run is not None
    assert job.last_run.id == success.pk
    assert job.last_outcome is not None
    assert job.last_outcome.state == RunState.MISSED
    assert job.last_error == "Missed: no scheduler was running."


def test_success_after_a_failure_clears_the_error(nightly: Job) -> None:
    add_run(RunState.FAILED, minutes_ago=10, message="boom")
    assert status.job_status("nightly").last_error == "boom"
    add_run(RunState.SUCCESS)
    assert status.job_status("nightly").last_error is None


def test_orphaned_job(nightly: Job) -> None:
    Job.objects.update(orphaned_at=NOW)
    assert status.job_status("nightly").state == JobState.ORPHANED


def test_number_of_queries_does_not_depend_on_the_rows(make_job: Callable[..., Job]) -> None:
    def queries(jobs: int) -> int:
        for number in range(Job.objects.count(), jobs):
            make_job(f"job-{number}")
            JobRun.objects.create(
                job_name=f"job-{number}",
                scheduled_for=NOW,
                due_at=NOW,
                state=RunState.SUCCESS,
                started_at=NOW,
                finished_at=NOW,
            )
        with CaptureQueriesContext(database.connection()) as found:
            assert len(status.scheduler_status().jobs) == jobs
        return len(found)

    assert queries(2) == queries(50)


def is_due_since(heartbeats: float) -> None:
    """Have the job be due since so many heartbeats."""
    seconds = heartbeats * scheduler_settings().heartbeat
    moment = database.now() - timedelta(seconds=seconds)
    timetable_rows().filter(id=row_id("nightly")).update(next_run_time=moment)


def test_job_that_nobody_claims_is_overdue(nightly: Job) -> None:
    is_due_since(1)
    assert status.job_status("nightly").state == JobState.IDLE
    is_due_since(3)
    job = status.job_status("nightly")
    assert (job.state, job.is_overdue) == (JobState.OVERDUE, True)


@pytest.mark.parametrize("field", ["paused_at", "orphaned_at"])
def test_job_that_does_not_fire_is_not_overdue(nightly: Job, field: str) -> None:
    is_due_since(3)
    Job.objects.update(**{field: NOW})
    assert not status.job_status("nightly").is_overdue
