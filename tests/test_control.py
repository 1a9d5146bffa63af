"""The one door through which people change anything."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler_app import control, status
from scheduler_app.control import Actor
from scheduler_app.engine.recorder import record
from scheduler_app.exceptions import ActionRefused, JobNotFound, RunNotFound
from scheduler_app.models import (
    AuditEntry,
    Job,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    Surface,
    database,
    timetable_rows,
)
from tests.fires import computed

pytestmark = pytest.mark.django_db
ADA = Actor("ada", Surface.CLI)


@pytest.fixture
def nightly(make_job: Callable[..., Job]) -> Job:
    return make_job("nightly", cron="0 1 * * *")


def due_at() -> object:
    return timetable_rows().get().next_run_time


def test_paused_job_has_no_next_time(nightly: Job) -> None:
    assert control.pause("nightly", by=ADA)
    nightly.refresh_from_db()
    assert nightly.is_paused
    assert due_at() is None


def test_pause_leaves_an_audit_row(nightly: Job) -> None:
    control.pause("nightly", by=ADA, reason="maintenance")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.surface, entry.action) == ("ada", "cli", "pause")
    assert (entry.job_name, entry.reason, entry.changed) == ("nightly", "maintenance", True)


def test_audit_row_has_the_time_of_the_database(
    nightly: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(database, "now", lambda: moment)
    control.pause("nightly", by=ADA)
    assert AuditEntry.objects.get().at == Job.objects.get().paused_at == moment


def test_second_pause_changes_nothing_and_says_so(nightly: Job) -> None:
    control.pause("nightly", by=ADA)
    since = Job.objects.get().paused_at
    assert not control.pause("nightly", by=ADA)
    assert Job.objects.get().paused_at == since
    assert [entry.changed for entry in AuditEntry.objects.order_by("id")] == [True, False]


def test_what_was_due_when_it_was_paused_is_accounted_for(nightly: Job) -> None:
    SchedulePeriod.objects.create(
        job_name="nightly", cron="0 1 * * *", timezone="UTC",
        state=SchedulePeriod.State.ACTIVE, begins_at=timezone.now() - timedelta(days=1),
    )  # fmt: skip
    control.pause("nightly", by=ADA)
    run = JobRun.objects.get()
    assert run.state == RunState.SKIPPED
    assert "ada paused the job" in run.message
    assert status.job_status("nightly").skip_count == 1


def test_resumed_job_has_its_next_time(nightly: Job) -> None:
    control.pause("nightly", by=ADA)
    assert control.resume("nightly", by=ADA)
    fire = computed(nightly.schedule).next(timezone.now())
    assert fire is not None
    assert due_at() == fire.due_at
    assert not Job.objects.get().is_paused


def test_resume_of_a_job_that_is_not_paused_moves_nothing(nightly: Job) -> None:
    before = due_at()
    assert not control.resume("nightly", by=ADA)
    assert due_at() == before


def test_resumed_orphan_does_not_fire(nightly: Job) -> None:
    control.pause("nightly", by=ADA)
    Job.objects.update(orphaned_at=timezone.now())
    assert control.resume("nightly", by=ADA)
    assert due_at() is None


@pytest.mark.parametrize("action", [control.pause, control.resume, control.trigger])
def test_unknown_job_is_named_and_nothing_is_written(action: Callable[..., object]) -> None:
    with pytest.raises(JobNotFound, match="Job not found: nope"):
        action("nope", by=ADA)
    assert not AuditEntry.objects.exists()


def test_request_queues_a_run_for_any_node(nightly: Job) -> None:
    run = control.trigger("nightly", by=ADA, reason="again please")
    assert JobRun.objects.unassigned().get() == run
    assert run.requested_by == "ada"
    assert AuditEntry.objects.get().action == "trigger"


def test_paused_job_can_be_asked_for(nightly: Job) -> None:
    control.pause("nightly", by=ADA)
    assert control.trigger("nightly", by=ADA).state == RunState.QUEUED


def test_second_request_is_refused_while_one_waits(nightly: Job) -> None:
    run = control.trigger("nightly", by=ADA)
    with pytest.raises(ActionRefused, match=f"run {run.pk} waits"):
        control.trigger("nightly", by=ADA)
    assert JobRun.objects.count() == 1


def test_orphan_cannot_be_asked_for(nightly: Job) -> None:
    Job.objects.update(orphaned_at=timezone.now())
    with pytest.raises(ActionRefused, match="no scheduler's code declares it"):
        control.trigger("nightly", by=ADA)


@pytest.fixture
def run(nightly: Job) -> JobRun:
    node = Node.objects.create(name="here:1")
    now = timezone.now()
    return JobRun.objects.create(job_name="nightly", scheduled_for=now, due_at=now, node=node)


def test_cancelled_run_that_has_not_begun_never_starts(run: JobRun) -> None:
    assert control.cancel(run.pk, by=ADA, reason="wrong day")
    run.refresh_from_db()
    assert (run.state, run.message) == ("cancelled", "Cancelled by ada (command line): wrong day")
    assert record([run], []).begun == set()


def test_cancelled_run_that_is_going_is_asked_to_end(run: JobRun) -> None:
    record([run], [])
    assert control.cancel(run.pk, by=ADA)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    assert run.cancel_requested_at is not None
    assert not control.cancel(run.pk, by=ADA)


def test_ended_run_cannot_be_cancelled(run: JobRun) -> None:
    JobRun.objects.update(state=RunState.SUCCESS, finished_at=timezone.now())
    assert not control.cancel(run.pk, by=ADA)


def test_cancel_leaves_an_audit_row(run: JobRun) -> None:
    control.cancel(run.pk, by=ADA, reason="wrong day")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.job_name, entry.changed) == ("cancel", "nightly", True)
    assert entry.reason == f"Run {run.pk}. wrong day"


def test_unknown_run_is_told() -> None:
    with pytest.raises(RunNotFound, match="Run not found: 7"):
        control.cancel(7, by=ADA)
